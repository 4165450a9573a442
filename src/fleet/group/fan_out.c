/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/group/fan_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "bus/bus_subject.h"
#include "fleet/client.h"
#include "fleet/message.h"

#define SUBJECT_GROUP "gatehouse.group"
#define SUBJECT_ALL   "gatehouse.all"
#define HEADER_ORIGIN "Gatehouse-Origin"

static int subject_make(const char *route, const char *group, struct bus_subject *out_subject)
{
	struct slice name = slice_from_text(group != NULL ? group : route);

	return bus_subject_make(group != NULL ? SUBJECT_GROUP : SUBJECT_ALL, &name, 1, out_subject);
}

/* --- to others --- */

static int publish_one(const struct fleet *fleet, const char *route, const char *group,
		       const struct fan_out *what)
{
	const struct message *message = &what->message;
	struct bus_header headers[MESSAGE_HEADERS_MAX + 2];
	size_t count = message_headers(message, headers);
	char except[EXCEPT_TEXT_MAX];

	if (except_is_set(&what->except))
		headers[count++] = (struct bus_header){SLICE_LITERAL(EXCEPT_HEADER),
						       except_header_write(&what->except, except)};
	headers[count++] = (struct bus_header){SLICE_LITERAL(HEADER_ORIGIN),
					       slice_from_text(fleet->origin)};
	struct bus_subject subject;
	int r = subject_make(route, group, &subject);

	return r < 0 ? r
		     : bus_publish(fleet->bus, &(struct bus_message){
						       .subject = bus_subject_slice(&subject),
						       .headers = headers,
						       .header_count = count,
						       .body = message->bytes,
					       });
}

int fan_out_publish(const struct fleet *fleet, const struct config *config,
		    const struct fan_out *what)
{
	int r = 0;

	if (!fleet->is_clustered)
		return 0;
	if (what->group != NULL || what->route != NULL)
		return publish_one(fleet, what->route, what->group, what);
	for (size_t i = 0; i < config->route_count && r == 0; i++)
		r = publish_one(fleet, config->routes[i].name, NULL, what);
	return r;
}

/* --- from others --- */

struct interest {
	struct bus_subscription sub;
	struct fleet_home *home;
	bool is_group; /* else a route's */
	char name[];
};

static void on_message(struct bus_subscription *sub, const struct bus_message *message)
{
	struct interest *interest = CONTAINER_OF(sub, struct interest, sub);
	struct fleet_home *home = interest->home;
	struct slice origin = bus_message_header(message, HEADER_ORIGIN);
	struct fan_out what = {
		.route = interest->is_group ? NULL : interest->name,
		.group = interest->is_group ? interest->name : NULL,
		.message = {.bytes = message->body},
	};

	if (slice_equals(origin, slice_from_text(home->fleet->origin)))
		return;
	const char *bad_header = message_headers_read(message, &what.message);

	if (!except_header_read(bus_message_header(message, EXCEPT_HEADER), &what.except))
		home->groups.on_refused(home, &what,
					"the header " EXCEPT_HEADER " is not " EXCEPT_ALLOWED
					", with the id percent-encoded");
	else if (bad_header != NULL)
		home->groups.on_refused(
			home, &what,
			strcmp(bad_header, MESSAGE_TYPE) == 0
				? "the header " MESSAGE_TYPE " is neither text nor binary"
				: "the header " MESSAGE_COMPRESS " is neither yes nor no");
	else
		home->groups.on_fan_out(home, &what);
}

static void on_closed(struct bus_subscription *sub)
{
	struct interest *interest = CONTAINER_OF(sub, struct interest, sub);
	struct fleet_home *home = interest->home;

	CHECK(home->groups.interests > 0);
	free(interest);
	home->groups.interests--;
	home->on_gone(home);
}

struct interest *interest_open(struct fleet_home *home, const char *route, const char *group)
{
	const char *name = group != NULL ? group : route;
	size_t len = strlen(name);
	struct interest *interest = malloc(sizeof(*interest) + len + 1);
	struct bus_subject subject;

	if (interest == NULL)
		return NULL;
	interest->home = home;
	interest->is_group = group != NULL;
	memcpy(interest->name, name, len + 1);
	int r = subject_make(route, group, &subject);

	CHECK(r == 0);
	if (bus_subscribe(home->fleet->bus, &interest->sub, home->loop, bus_subject_slice(&subject),
			  on_message) < 0) {
		free(interest);
		return NULL;
	}
	home->groups.interests++;
	return interest;
}

void interest_close(struct interest **interest)
{
	struct interest *self = *interest;

	*interest = NULL;
	if (self != NULL)
		bus_unsubscribe(&self->sub, on_closed);
}
