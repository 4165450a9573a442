/* SPDX-License-Identifier: Apache-2.0
 * api_blocks.c - keeps clients and addresses out for a time, and lets them in again
 * (session/blocks.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/api/api_blocks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/unicode.h"
#include "base/units.h"
#include "fleet/block_json.h"
#include "fleet/fleet.h"
#include "server/block_road.h"

#define MEMBERS    "route, client_id, address, for, reason"
#define FOR_MIN_MS 1000
#define FOR_MAX_MS (UINT64_C(365) * CONFIG_DAY)

static bool refuse(struct api_call *call, const char *reason, const char *detail, struct slice seen,
		   const char *allowed)
{
	api_problem(call->reply, 400, reason, detail, seen, allowed);
	return false;
}

static uint64_t wall_ms(void)
{
	return clock_wall_ns() / NS_PER_MS;
}

/* --- members --- */

static bool route_read(struct api_call *call, const json_t *name, struct block_target *target)
{
	if (name == NULL)
		return true;
	if (!json_is_string(name))
		return refuse(call, "route", "'route' is no name of a route.", api_text(name),
			      "a string");
	if (!api_route_find(call, api_text(name), &call->route))
		return false;
	snprintf(target->route, sizeof(target->route), "%s", call->route->name);
	return true;
}

static bool client_id_read(struct api_call *call, const json_t *id, struct block_target *target)
{
	struct slice text = api_text(id);

	if (!json_is_string(id) || text.len == 0 || text.len > PRESENCE_CLIENT_ID_MAX ||
	    unicode_has_control(text))
		return refuse(call, "client_id", "'client_id' is no client id.", text,
			      "1..255 bytes of UTF-8 without control characters");
	if (target->route[0] == 0)
		return refuse(call, "route", "A client is blocked by its route and its id.",
			      (struct slice){0}, "'route' beside 'client_id'");
	memcpy(target->client_id, text.data, text.len);
	target->client_id[text.len] = 0;
	return true;
}

/* So many are not blocked by mistake. */
static bool is_narrow(const struct net_prefix *address)
{
	return address->bits >= (net_ip_is_v4(&address->ip) && address->bits >= NET_IP_V4_BITS
					 ? NET_IP_V4_BITS + BLOCK_PREFIX_MIN_V4
					 : BLOCK_PREFIX_MIN_V6);
}

static bool address_read(struct api_call *call, const json_t *address, struct block_target *target)
{
	static const char allowed[] = "192.0.2.7, 192.0.2.0/24 (at least /8), 2001:db8::/32 (at "
				      "least /16), unix:";
	char detail[192];
	const char *wrong = json_is_string(address)
				    ? net_prefix_parse(api_text(address), &target->address)
				    : "is no string";

	if (wrong != NULL) {
		snprintf(detail, sizeof(detail), "'address' %s.", wrong);
		return refuse(call, "address", detail, api_text(address), allowed);
	}
	if (!is_narrow(&target->address))
		return refuse(call, "address",
			      "'address' has so many addresses that it is no misbehaving client.",
			      api_text(address), allowed);
	return true;
}

static bool target_read(struct api_call *call, const json_t *body, struct block_target *target)
{
	const json_t *id = json_object_get(body, "client_id");
	const json_t *address = json_object_get(body, "address");

	if (!route_read(call, json_object_get(body, "route"), target))
		return false;
	if ((id == NULL) == (address == NULL))
		return refuse(call, "target",
			      "It takes one of 'client_id' and 'address' to say who is blocked.",
			      (struct slice){0},
			      "{\"route\": \"ws\", \"client_id\": \"till-7\"} or {\"address\": "
			      "\"192.0.2.7\"}");
	return id != NULL ? client_id_read(call, id, target) : address_read(call, address, target);
}

static bool for_read(struct api_call *call, const json_t *value, uint64_t *out_ms)
{
	if (json_is_string(value) && units_parse_duration_ms(api_text(value), out_ms) == UNITS_OK &&
	    *out_ms >= FOR_MIN_MS && *out_ms <= FOR_MAX_MS)
		return true;
	return refuse(call, "for", "'for' is no time for which one is blocked.",
		      value == NULL ? SLICE_LITERAL("nothing") : api_text(value),
		      "a string, \"1s\"..\"365d\"");
}

static bool reason_read(struct api_call *call, const json_t *value, char out[BLOCK_REASON_MAX + 1])
{
	struct slice text = api_text(value);

	if (value == NULL)
		return true;
	if (!json_is_string(value) || text.len > BLOCK_REASON_MAX || unicode_has_control(text))
		return refuse(call, "reason", "'reason' is no text that fits.", text,
			      "a string of at most 200 bytes without control characters");
	memcpy(out, text.data, text.len);
	out[text.len] = 0;
	return true;
}

static bool block_read(struct api_call *call, json_t *body, struct block *block)
{
	static const char *const known[] = {"route", "client_id", "address", "for", "reason", NULL};
	uint64_t for_ms;

	if (!api_members_check(call, body, known, MEMBERS) ||
	    !target_read(call, body, &block->target) ||
	    !for_read(call, json_object_get(body, "for"), &for_ms) ||
	    !reason_read(call, json_object_get(body, "reason"), block->reason))
		return false;
	block->id = block_id_of(&block->target);
	block->expires_at_ms = wall_ms() + for_ms;
	return true;
}

/* --- answers --- */

static json_t *text_json(const char *text)
{
	return text[0] == 0 ? json_null() : json_string(text);
}

json_t *api_block_json(const struct block *block, uint64_t now_ms)
{
	const struct block_target *target = &block->target;
	char at[CLOCK_TEXT_MAX], address[NET_PREFIX_TEXT_MAX] = "";

	clock_wall_format(block->changed_at_ms * NS_PER_MS, at);
	if (target->client_id[0] == 0)
		block_address_format(&target->address, address);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:I, s:I}", "id",
			 json_sprintf("%016" PRIx64, block->id), "route", text_json(target->route),
			 "client_id", text_json(target->client_id), "address", text_json(address),
			 "reason", text_json(block->reason), "blocked_at", at, "expires_at",
			 (json_int_t)((block->expires_at_ms + 999) / 1000), "expires_in",
			 (json_int_t)block_seconds_left(block, now_ms));
}

static void log_change(const struct api_call *call, const char *what, const struct block *block)
{
	const struct block_target *target = &block->target;
	char id[17], address[NET_PREFIX_TEXT_MAX];

	snprintf(id, sizeof(id), "%016" PRIx64, block->id);
	log_info(what, F_TEXT("block", id),
		 F_TEXT("route", target->route[0] == 0 ? NULL : target->route),
		 F_TEXT("client_id", target->client_id[0] == 0 ? NULL : target->client_id),
		 F_TEXT("address", target->client_id[0] != 0
					   ? NULL
					   : block_address_format(&target->address, address)),
		 F_UINT("seconds", block_seconds_left(block, wall_ms())),
		 F_TEXT("reason", block->reason[0] == 0 ? NULL : block->reason),
		 F_TEXT("asked_by", call->request->client));
}

/* --- a new one --- */

struct blocking {
	struct http_later *later;
	struct block block;
};

static void on_swept(void *arg, uint64_t found)
{
	struct blocking *blocking = arg;
	struct http_reply reply = {0};
	json_t *body = api_block_json(&blocking->block, wall_ms());

	if (body != NULL)
		json_object_set_new(body, "closed", json_integer((json_int_t)found));
	api_reply_json(&reply, 200, body);
	http_later_reply(blocking->later, &reply);
	free(blocking);
}

static void tell_full(struct api_call *call, struct http_reply *reply)
{
	char allowed[32];

	snprintf(allowed, sizeof(allowed), "%llu",
		 (unsigned long long)call->config->admin.blocks_max);
	api_problem(reply, 503, "blocks_max",
		    "As many blocks are there as admin.blocks_max allows. Remove some, block "
		    "prefixes instead of addresses, or raise it.",
		    (struct slice){0}, allowed);
}

static void answer_later(struct http_later *later, struct http_reply *reply)
{
	http_later_reply(later, reply);
}

/* The sweep answers. */
static void begin(struct api_call *call, struct block *block)
{
	struct block_road *road = server_block_road(call->api->server);
	struct http_later *later = api_take(call);
	struct blocking *blocking = later == NULL ? NULL : malloc(sizeof(*blocking));
	struct http_reply reply = {0};

	if (later == NULL)
		return;
	if (blocking == NULL) {
		api_problem_no_memory(&reply);
		answer_later(later, &reply);
		return;
	}
	enum block_result result = blocks_change(road->blocks, block, wall_ms());

	*blocking = (struct blocking){later, *block};
	if (result == BLOCK_FULL)
		tell_full(call, &reply);
	else if (result == BLOCK_MOVED)
		api_problem_moved(&reply);
	else if (result != BLOCK_CHANGED)
		api_problem_no_memory(&reply);
	if (result == BLOCK_CHANGED) {
		log_change(call, "the API blocks a client", block);
		block_road_tell(road, block);
		if (block_sweep_start(&road->sweeper, block, on_swept, blocking) == 0)
			return;
		api_problem_no_memory(&reply);
	}
	free(blocking);
	answer_later(later, &reply);
}

void api_block_make(struct api_call *call)
{
	static const char example[] = "{\"route\": \"ws\", \"client_id\": \"till-7\", \"for\": "
				      "\"10m\"}, or 'address', and "
				      "perhaps 'reason'";
	struct block block = {.id = 0};
	json_t *body;

	if (!api_query(call, NULL, 0) || !api_body_load(call, example, false, &body))
		return;
	if (block_read(call, body, &block))
		begin(call, &block);
	json_decref(body);
}

/* --- its end --- */

void api_block_remove(struct api_call *call)
{
	struct block_road *road = server_block_road(call->api->server);
	uint64_t now_ms = wall_ms();
	struct block block;

	if (!api_query(call, NULL, 0))
		return;
	if (!blocks_get(road->blocks, call->block_id, now_ms, &block)) {
		api_problem(call->reply, 404, "no_such_block",
			    "There is no such block: it has ended, was removed, or never was.",
			    (struct slice){0}, NULL);
		return;
	}
	json_t *body = api_block_json(&block, now_ms);

	block.is_removed = true;
	if (blocks_change(road->blocks, &block, now_ms) == BLOCK_MOVED) {
		json_decref(body);
		api_problem_moved(call->reply);
		return;
	}
	block_road_tell(road, &block);
	log_change(call, "the API unblocks a client", &block);
	if (body != NULL)
		json_object_set_new(body, "result", json_string("removed"));
	api_reply_json(call->reply, 200, body);
}
