/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/api/client_filter.h"

#include <string.h>

#include "base/check.h"

/* --- filter --- */

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

static bool starts_nocase(const char *text, const char *with)
{
	while (*with != 0 && lower(*text) == lower(*with)) {
		text++;
		with++;
	}
	return *with == 0;
}

static bool contains_nocase(const char *text, const char *part)
{
	for (; *text != 0; text++)
		if (starts_nocase(text, part))
			return true;
	return *part == 0;
}

static bool has_address(const struct client_filter *filter, const struct presence *presence)
{
	struct net_ip remote = presence_remote(presence);

	return net_prefix_has(&filter->address, &remote);
}

static bool has_rate(const struct client_filter *filter, const struct presence *presence,
		     const struct client_moment *moment)
{
	struct traffic_picture picture;

	presence_look(presence, moment->now_ns, moment->wall_ms, &picture);
	return picture.message_rate[TRAFFIC_IN] + picture.message_rate[TRAFFIC_OUT] >=
	       filter->min_rate;
}

/* The cheap ones first. */
bool client_filter_wants(const struct client_filter *filter, const struct presence *presence,
			 const struct client_moment *moment)
{
	return presence->connected_at_ms >= filter->since_ms &&
	       presence->connected_at_ms < filter->until_ms &&
	       strncmp(presence->client_id, filter->prefix, strlen(filter->prefix)) == 0 &&
	       (filter->route[0] == 0 ||
		strcmp(filter->route, presence_route_name(presence)) == 0) &&
	       (!filter->has_address || has_address(filter, presence)) &&
	       (filter->contains[0] == 0 ||
		contains_nocase(presence->client_id, filter->contains)) &&
	       (filter->min_rate <= 0 || has_rate(filter, presence, moment));
}

/* --- sort --- */

#define SORT_LABEL(NAME, label) label,
static const char *const labels[] = {CLIENT_SORT_TABLE(SORT_LABEL)};

const char *client_sort_label(enum client_sort sort)
{
	CHECK(sort < CLIENT_SORT_COUNT);
	return labels[sort];
}

enum client_sort client_sort_find(const char *label)
{
	unsigned sort = CLIENT_SORT_NONE + 1;

	while (sort < CLIENT_SORT_COUNT && strcmp(labels[sort], label) != 0)
		sort++;
	return (enum client_sort)sort;
}

const char *client_sort_labels(void)
{
	return "connected_at, messages_received, messages_sent, received_bytes, sent_bytes, rate, "
	       "byte_rate, queued_bytes";
}

/* Of numbers that are not negative the bits have the same order. */
static uint64_t double_key(double value)
{
	uint64_t key;

	CHECK(value >= 0);
	memcpy(&key, &value, sizeof(key));
	return key;
}

uint64_t client_sort_key(enum client_sort sort, const struct presence *presence,
			 const struct traffic_picture *picture)
{
	switch (sort) {
	case CLIENT_SORT_CONNECTED_AT:
		return presence->connected_at_ms;
	case CLIENT_SORT_MESSAGES_RECEIVED:
		return picture->messages[TRAFFIC_IN];
	case CLIENT_SORT_MESSAGES_SENT:
		return picture->messages[TRAFFIC_OUT];
	case CLIENT_SORT_RECEIVED_BYTES:
		return picture->bytes[TRAFFIC_IN];
	case CLIENT_SORT_SENT_BYTES:
		return picture->bytes[TRAFFIC_OUT];
	case CLIENT_SORT_RATE:
		return double_key(picture->message_rate[TRAFFIC_IN] +
				  picture->message_rate[TRAFFIC_OUT]);
	case CLIENT_SORT_BYTE_RATE:
		return double_key(picture->byte_rate[TRAFFIC_IN] + picture->byte_rate[TRAFFIC_OUT]);
	case CLIENT_SORT_QUEUED_BYTES:
		return picture->queued;
	case CLIENT_SORT_NONE:
	case CLIENT_SORT_COUNT:
		break;
	}
	CHECK(sort != CLIENT_SORT_NONE && sort != CLIENT_SORT_COUNT);
	return 0;
}
