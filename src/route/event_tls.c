/* SPDX-License-Identifier: Apache-2.0 */
#include "route/event_tls.h"

#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "tls/tls_peer.h"

/* *left_out counts what could not be told of. */
static void add_text(struct event_head *head, struct slice name, const char *value,
		     size_t *left_out)
{
	size_t start = head->text.len, len = value == NULL ? 0 : strlen(value);

	if (len > EVENT_TLS_VALUE_MAX)
		(*left_out)++;
	if (len == 0 || len > EVENT_TLS_VALUE_MAX)
		return;
	event_head_encode(head, slice_of(value, len));
	event_head_add(head, name, start);
}

/* Names have no space in them, or they are none; so it tells them apart. */
static void add_names(struct event_head *head, const char *kind, const struct tls_peer_names *names,
		      size_t *room, size_t *left_out)
{
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		size_t len = strlen(kind) + strlen(name) + 1;
		bool is_first = *room == EVENT_TLS_LIST_MAX;

		if (len > *room || strchr(name, ' ') != NULL) {
			(*left_out)++;
			continue;
		}
		if (!is_first)
			event_head_encode(head, SLICE_LITERAL(" "));
		event_head_encode(head, slice_from_text(kind));
		event_head_encode(head, slice_from_text(name));
		*room -= len;
	}
}

static void add_lists(struct event_head *head, const struct tls_peer_facts *peer, size_t *left_out)
{
	size_t start = head->text.len, room = EVENT_TLS_LIST_MAX;

	add_names(head, "DNS:", &peer->dns, &room, left_out);
	add_names(head, "URI:", &peer->uris, &room, left_out);
	add_names(head, "IP:", &peer->ips, &room, left_out);
	add_names(head, "email:", &peer->emails, &room, left_out);
	if (head->text.len > start)
		event_head_add(head, SLICE_LITERAL("ce-peercertsans"), start);
}

static void add_not_after(struct event_head *head, int64_t seconds)
{
	size_t start = head->text.len;
	time_t time = (time_t)seconds;
	char text[64];
	struct tm tm;

	if (seconds == 0 || gmtime_r(&time, &tm) == NULL)
		return;
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);

	event_head_encode(head, slice_of(text, len));
	event_head_add(head, SLICE_LITERAL("ce-peercertnotafter"), start);
}

static void add_peer(struct event_head *head, const struct tls_peer_facts *peer)
{
	size_t left_out = peer->left_out;
	char text[24];

	add_text(head, SLICE_LITERAL("ce-peercertfingerprint"), peer->fingerprint, &left_out);
	add_text(head, SLICE_LITERAL("ce-peercertserial"), peer->serial, &left_out);
	add_text(head, SLICE_LITERAL("ce-peercertsubject"), peer->subject, &left_out);
	add_text(head, SLICE_LITERAL("ce-peercertcn"), peer->common_name, &left_out);
	add_text(head, SLICE_LITERAL("ce-peercertissuer"), peer->issuer, &left_out);
	add_lists(head, peer, &left_out);
	add_not_after(head, peer->not_after);
	if (left_out == 0)
		return;
	snprintf(text, sizeof(text), "%zu", left_out);
	add_text(head, SLICE_LITERAL("ce-peercertleftout"), text, &left_out);
}

void event_tls_add(struct event_head *head, const struct tcp_tls_facts *tls)
{
	size_t none = 0;

	add_text(head, SLICE_LITERAL("ce-tls"), tls->version == NULL ? "yes" : tls->version, &none);
	if (tls->peer != NULL)
		add_peer(head, tls->peer);
}
