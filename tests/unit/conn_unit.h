/* SPDX-License-Identifier: Apache-2.0
 * conn_unit.h - connections on a fake stream: their worker's home, a service with two routes
 * (/echo/ID and /ask/ID, whose back end decides when the test says so), the same two for clients
 * that have to prove who they are (/prove/ID and /prove-ask/ID: the test says when and whether they
 * have), one of these for browsers (/page/ID), and a handler that answers now (/now), later
 * (/later), or not at all.
 *
 * Nothing here has a clock or a kernel, so every order of events can be had, and is the same each
 * time. world_finish sees to it that nothing is left over. */
#pragma once

#include "fake_stream.h"

#include <stdio.h>

#include "conn/address_limit.h"
#include "conn/admission.h"
#include "conn/conns.h"
#include "auth/auth.h"
#include "base/state.h"
#include "conn/hull.h"
#include "http/http_stream.h"

#define WORLD_QUEUE_MAX 4096
#define WORLD_KEY       "dGhlIHNhbXBsZSBub25jZQ=="

/* --- a back end that the test speaks for --- */

struct fake_uplink {
	struct uplink base;
	struct presence *presence; /* of one that is connected; the connection's */
	unsigned messages;
	bool is_connected, is_closed;
	bool is_still;   /* imported, and not thawed yet */
	const char *end; /* its reason; NULL: nobody was told of one */
};

struct world {
	struct fake_loop io;
	struct ruleset *ruleset;
	struct backends *backends;
	struct route_loads *loads;
	struct admission admission;
	struct address_limit *address_limit;
	struct directory *directory;
	struct command_stats command_stats;
	struct rpc_stats rpc_stats;
	struct fleet fleet;
	struct service service;
	struct conn_home home;
	struct conn *conn;
	struct fake_uplink *uplink; /* of the last that opened one; NULL: it has gone */
	struct http_later *later;   /* taken */
	struct http_stream stream;  /* one at a time; told of are: */
	unsigned streams_begun, stream_rooms, stream_ends;
	enum http_stream_end stream_why;    /* the last one's */
	enum auth_verdict verdict;          /* of the way to prove who one is; LATER: when told */
	struct auth_pending *pending;       /* the last one; NULL: it has ended */
	struct bus_subscription other_node; /* that never answers */
	unsigned gone;
};

static struct world *world_now; /* for the back end, which has no argument of the test's */

static inline struct fake_uplink *fake_uplink_of(struct uplink *base)
{
	return CONTAINER_OF(base, struct fake_uplink, base);
}

static inline struct uplink *fake_uplink_open(const struct backend *backend,
					      const struct uplink_request *request)
{
	struct fake_uplink *uplink = calloc(1, sizeof(*uplink));

	assert_non_null(uplink);
	assert_true(request->head.len > 0 && request->deadline_ns > 0);
	assert_null(world_now->uplink);
	uplink->base.backend = backend;
	world_now->uplink = uplink;
	return &uplink->base;
}

static inline void fake_uplink_connected(struct uplink *base, struct presence *presence)
{
	assert_non_null(presence);
	fake_uplink_of(base)->presence = presence;
	fake_uplink_of(base)->is_connected = true;
}

static inline int fake_uplink_message(struct uplink *base, const struct message *message)
{
	(void)message;
	assert_true(fake_uplink_of(base)->is_connected);
	fake_uplink_of(base)->messages++;
	return 0;
}

static inline void fake_uplink_resume(struct uplink *base)
{
	assert_false(fake_uplink_of(base)->is_closed);
}

static inline void fake_uplink_answered(struct uplink *base, uint64_t call)
{
	(void)call;
	assert_false(fake_uplink_of(base)->is_closed);
}

/* Whoever is told that a client has gone may look: by then nobody finds it. */
static inline void fake_uplink_assert_left(const struct presence *presence)
{
	struct presence *found = directory_find(world_now->directory, presence_route_name(presence),
						presence->client_id);

	assert_null(presence_session(presence));
	assert_ptr_not_equal(found, presence);
	if (found != NULL)
		presence_unref(&found);
}

static inline void fake_uplink_close(struct uplink *base, const struct uplink_end *end)
{
	struct fake_uplink *uplink = fake_uplink_of(base);

	assert_false(uplink->is_closed);
	if (uplink->presence != NULL && !uplink->is_still) /* of one that is, nobody is told */
		fake_uplink_assert_left(uplink->presence);
	uplink->is_closed = true;
	uplink->end = end->reason;
	base->owner = NULL;
}

/* The back end knows of the end. */
static inline void fake_uplink_gone(struct world *world)
{
	struct fake_uplink *uplink = world->uplink;

	world->uplink = NULL;
	uplink->base.handler->on_gone(&uplink->base);
	free(uplink);
}

static inline void fake_uplink_abort(struct uplink *base)
{
	assert_true(fake_uplink_of(base)->is_closed);
	fake_uplink_gone(world_now);
}

/* --- in another world (test_conn_state.c) --- */

static inline int fake_uplink_export(const struct uplink *base, struct state_writer *out)
{
	const struct fake_uplink *uplink = CONTAINER_OF(base, const struct fake_uplink, base);

	assert_true(uplink->is_connected && !uplink->is_closed && !uplink->is_still);
	state_put_u64(out, 1, uplink->messages);
	state_put_flag(out, 2, base->is_full);
	return out->error;
}

static inline struct uplink *fake_uplink_import(const struct backend *backend,
						const struct uplink_request *request,
						struct slice state)
{
	struct fake_uplink *uplink = calloc(1, sizeof(*uplink));
	struct state_reader reader;
	struct state_field field;
	uint64_t messages = 0;
	bool is_full = false;

	assert_non_null(uplink);
	assert_non_null(request->presence);
	assert_null(world_now->uplink);
	state_reader_init(&reader, state);
	while (state_next(&reader, &field))
		if (field.tag == 1   ? !state_u64(&field, &messages)
		    : field.tag == 2 ? !state_flag(&field, &is_full)
				     : state_must_understand(field.tag))
			reader.is_bad = true;
	if (reader.is_bad) {
		free(uplink);
		return NULL;
	}
	uplink->base.backend = backend;
	uplink->base.is_full = is_full;
	uplink->messages = (unsigned)messages;
	uplink->presence = request->presence;
	uplink->is_connected = uplink->is_still = true;
	world_now->uplink = uplink;
	return &uplink->base;
}

static inline void fake_uplink_thaw(struct uplink *base)
{
	assert_true(fake_uplink_of(base)->is_still);
	fake_uplink_of(base)->is_still = false;
}

static inline void fake_uplink_forget(struct uplink *base)
{
	struct fake_uplink *uplink = fake_uplink_of(base);

	assert_false(uplink->is_closed);
	uplink->is_closed = true;
	base->owner = NULL;
}

static inline struct backend_pending fake_uplink_pending(const struct backend *backend)
{
	(void)backend;
	return (struct backend_pending){.bytes = 0, .max = 1};
}

static const struct uplink_ops fake_uplink_ops = {
	.open = fake_uplink_open,
	.connected = fake_uplink_connected,
	.message = fake_uplink_message,
	.resume = fake_uplink_resume,
	.answered = fake_uplink_answered,
	.close = fake_uplink_close,
	.abort = fake_uplink_abort,
	.export = fake_uplink_export,
	.import = fake_uplink_import,
	.thaw = fake_uplink_thaw,
	.forget = fake_uplink_forget,
	.pending = fake_uplink_pending,
};

static const struct backend fake_backend = {.name = "fake", .ops = &fake_uplink_ops};

/* --- a way that proves what the test says --- */

static inline void fake_way_cancel(struct auth_pending *pending)
{
	assert_ptr_equal(world_now->pending, pending);
	world_now->pending = NULL;
}

static inline enum auth_verdict fake_way_check(const struct auth_way *way,
					       const struct auth_request *request,
					       struct auth_result *out_result,
					       struct auth_pending *out_pending)
{
	assert_non_null(way);
	assert_true(request->head->has_start_line && request->loop != NULL);
	if (world_now->verdict == AUTH_PROVED)
		out_result->client_id = strdup("a");
	if (world_now->verdict == AUTH_LATER) {
		out_pending->cancel = fake_way_cancel;
		world_now->pending = out_pending;
	}
	return world_now->verdict;
}

static inline void fake_way_destroy(struct auth_way *way)
{
	free(way);
}

static inline const char *fake_way_challenge(const struct auth_way *way)
{
	(void)way;
	return "Fake";
}

static const struct auth_way_ops fake_way_ops = {
	.name = "basic",
	.challenge = fake_way_challenge,
	.check = fake_way_check,
	.destroy = fake_way_destroy,
};

/* The way has come to its verdict. */
static inline void world_decide(struct world *world, enum auth_verdict verdict)
{
	struct auth_pending *pending = world->pending;
	struct auth_result result = {.reason = "test", .detail = "Of the test."};

	if (verdict == AUTH_PROVED)
		result.client_id = strdup("a");
	world->pending = NULL;
	auth_pending_done(pending, verdict, &result);
}

static inline struct auth *fake_auth(void)
{
	struct auth *auth = auth_create("prove", NULL);
	struct auth_way *way = malloc(sizeof(*way));

	CHECK(auth != NULL && way != NULL);
	way->ops = &fake_way_ops;
	auth_add(auth, way);
	return auth;
}

/* --- a handler --- */

static inline bool world_answer(void *arg, const struct http_request *request,
				struct http_reply *reply)
{
	struct world *world = arg;

	if (slice_equals(request->path, SLICE_LITERAL("/later"))) {
		world->later = http_later_take(request, 1000);
		assert_non_null(world->later);
		return true;
	}
	if (!slice_equals(request->path, SLICE_LITERAL("/now")))
		return false;
	reply->status = 200;
	reply->content_type = "text/plain";
	assert_int_equal(buf_append(&reply->body, "now", 3, SIZE_MAX), 0);
	return true;
}

static inline bool world_wants_body(void *arg, const struct http_request *request)
{
	(void)arg;
	return slice_equals(request->method, SLICE_LITERAL("POST"));
}

static inline void world_reply(struct world *world)
{
	struct http_later *later = world->later;
	struct http_reply reply = {.status = 200, .content_type = "text/plain"};

	world->later = NULL;
	assert_int_equal(buf_append(&reply.body, "later", 5, SIZE_MAX), 0);
	http_later_reply(later, &reply);
}

/* --- a stream --- */

static inline void world_on_room(struct http_stream *stream)
{
	CONTAINER_OF(stream, struct world, stream)->stream_rooms++;
}

static inline void world_on_stream_end(struct http_stream *stream, enum http_stream_end why)
{
	struct world *world = CONTAINER_OF(stream, struct world, stream);

	world->stream_ends++;
	world->stream_why = why;
}

/* In a turn of the loop: what was taken is answered by one. */
static inline void world_stream(void *arg)
{
	static const struct http_stream_handler handler = {.on_room = world_on_room,
							   .on_end = world_on_stream_end};
	struct world *world = arg;
	struct http_later *later = world->later;
	struct http_reply head = {.status = 200, .content_type = "text/plain"};

	world->later = NULL;
	world->stream = (struct http_stream){.handler = &handler};
	assert_true(http_stream_begin(later, &head, &world->stream));
	world->streams_begun++;
}

/* --- the world --- */

static inline void world_on_gone(struct conn_home *home)
{
	CONTAINER_OF(home, struct world, home)->gone++;
}

/* More keys of the sections of the server and of the route "echo", each behind a comma. */
static const char *world_server_keys = "", *world_route_keys = "";

/* The caller's reference. */
static inline struct ruleset *world_ruleset(void)
{
	char text[1024];
	int len = snprintf(text, sizeof(text),
			   "server: {send_queue_max: 4KiB, ping_interval: 10s,\n"
			   "  pong_timeout: 5s, send_timeout: 5s, close_timeout: 2s,\n"
			   "  max_connections_per_ip: 10%s}\n"
			   "routes:\n"
			   "- {name: echo, path: '/echo/{client_id}', backend: echo%s}\n"
			   "- {name: ask, path: '/ask/{client_id}', backend: echo}\n"
			   "- {name: prove, path: '/prove/{client_id}', backend: echo}\n"
			   "- {name: pask, path: '/prove-ask/{client_id}', backend: echo}\n"
			   "- {name: page, path: '/page/{client_id}', refuse_browsers: close, "
			   "require_origin: true}\n",
			   world_server_keys, world_route_keys);

	assert_true(len > 0 && (size_t)len < sizeof(text));
	struct slice slice = slice_from_text(text);
	struct config_report report = {0};
	struct config config;

	if (config_load(&(struct config_sources){.file = "test", .text = &slice}, &report,
			&config) != 0)
		fail_msg("the configuration is not good");
	struct ruleset *ruleset = ruleset_create(&config);

	assert_non_null(ruleset);
	return ruleset;
}

/* Each world has its own; and those that have no world, one. */
static inline struct route_loads *world_loads(void)
{
	static struct route_loads *loads;

	if (world_now != NULL)
		return world_now->loads;
	if (loads == NULL)
		loads = route_loads_create(1);
	assert_non_null(loads);
	return loads;
}

/* Gives it its routes. */
static inline void world_routes(struct ruleset *ruleset, const struct backends *backends)
{
	struct route_match match;
	struct route_table *routes = route_table_create(
		ruleset, backends == NULL ? NULL : backends_in_force(backends), world_loads());

	assert_non_null(routes);
	ruleset_take_routes(ruleset, routes, route_table_destroy);
	assert_int_equal(route_table_match(routes, SLICE_LITERAL("/ask/x"), &match), ROUTE_FOUND);
	free(match.client_id);
	((struct route *)(uintptr_t)match.route)->backend = &fake_backend;
	assert_int_equal(route_table_match(routes, SLICE_LITERAL("/prove-ask/x"), &match),
			 ROUTE_FOUND);
	free(match.client_id);
	((struct route *)(uintptr_t)match.route)->backend = &fake_backend;
	struct auth_table *auth = auth_table_create(ruleset->config.route_count);

	assert_non_null(auth);
	auth_table_set(auth, 2, fake_auth());
	auth_table_set(auth, 3, fake_auth());
	auth_table_set(auth, 4, fake_auth());
	ruleset_take_auth(ruleset, auth, auth_table_destroy);
}

/* --- a cluster, whose other node knows of client "a" on route "echo", and is silent --- */

static inline void world_hears_nothing(struct bus_subscription *sub,
				       const struct bus_message *message)
{
	(void)sub;
	(void)message;
}

static inline void world_cluster(struct world *world)
{
	world->fleet.is_clustered = true;
	assert_int_equal(bus_subscribe(world->fleet.bus, &world->other_node, world->home.loop,
				       SLICE_LITERAL("gatehouse.ctl.echo.a"), world_hears_nothing),
			 0);
}

static inline void world_on_unsubscribed(struct bus_subscription *sub)
{
	CONTAINER_OF(sub, struct world, other_node)->fleet.is_clustered = false;
}

/* On a loop of the test's, which must be its own to turn and to end. */
static inline void world_init_on(struct world *world, struct loop *loop)
{
	world->verdict = AUTH_LATER;
	world_now = world;
	world->loads = route_loads_create(1);
	assert_non_null(world->loads);
	world->ruleset = world_ruleset();
	assert_int_equal(backends_create(&world->ruleset->config, "node", NULL, &world->backends,
					 &(struct backend_error){0}),
			 0);
	world_routes(world->ruleset, world->backends);
	world->admission.max = 100;
	world->address_limit = address_limit_create(10, 64);
	world->directory = directory_create();
	world->fleet = (struct fleet){.node = "node",
				      .directory = world->directory,
				      .commands = &world->command_stats,
				      .rpc = &world->rpc_stats,
				      .groups = group_registry_create(100)};
	fleet_take_limits(&world->fleet, &world->ruleset->config);
	assert_int_equal(
		fleet_bus_open(&world->fleet, &world->ruleset->config, &(struct fleet_error){0}),
		0);
	world->service = (struct service){
		.ruleset = world->ruleset,
		.handler = {.answer = world_answer, .wants_body = world_wants_body, .arg = world},
		.admission = &world->admission,
		.address_limit = world->address_limit,
		.directory = world->directory,
		.fleet = &world->fleet,
		.worker_connections = 100,
		.max_body = 1000,
		.max_calls = 10,
		.refused_browsers = {.max = 1},
		.node = "node",
		.is_ready = true,
	};
	conns_init(&world->home, &world->service, world_on_gone);
	conns_start(&world->home, loop);
}

static inline void world_init(struct world *world)
{
	*world = (struct world){.gone = 0};
	fake_loop_init(&world->io);
	world_init_on(world, &world->io.loop);
}

static inline void world_accept(struct world *world)
{
	struct tcp_accepted accepted = {.fd = -1};
	struct pool_walk walk;

	assert_null(net_addr_parse(SLICE_LITERAL("127.0.0.1:4000"), &accepted.remote));
	assert_true(conns_accept(&world->home, &accepted, NULL, 1));
	pool_walk_start(&walk, &world->home.conn_pool);
	world->conn = pool_walk_next(&walk);
	pool_walk_stop(&walk);
}

/* Its memory has gone too. */
static inline bool world_is_gone(const struct world *world)
{
	return world->home.conn_pool.live_count == 0;
}

static inline void world_recv(struct world *world, const void *data, size_t len)
{
	fake_recv(&world->io, &world->conn->tcp, data, len);
}

static inline void world_recv_text(struct world *world, const char *text)
{
	world_recv(world, text, strlen(text));
}

#define WORLD_UPGRADE(path)                                                                 \
	"GET " path " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"                        \
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WORLD_KEY \
	"\r\n\r\n"

/* Whatever is left of it ends, and nothing may be left over. */
static inline void world_end_conn(struct world *world)
{
	const struct stats *stats = &world->home.stats;

	world->io.room = SIZE_MAX;
	conns_abort(&world->home);
	fake_turn(&world->io);
	if (world->uplink != NULL)
		fake_uplink_gone(world);
	if (world->later != NULL)
		world_reply(world);
	if (world->fleet.is_clustered)
		bus_unsubscribe(&world->other_node, world_on_unsubscribed);
	for (int turns = 0; turns < 10; turns++)
		fake_turn(&world->io);
	assert_false(world->fleet.is_clustered);
	assert_true(conns_are_gone(&world->home));
	assert_int_equal(stats->sockets, 0);
	assert_int_equal(stats->connections, 0);
	assert_int_equal(stats->stalled, 0);
	assert_int_equal(stats->partial, 0);
	assert_int_equal(stats->kept, 0);
	assert_int_equal(admission_current(&world->service.kept), 0);
	assert_int_equal(admission_current(&world->service.refused_browsers), 0);
	assert_int_equal(world->home.calls, 0);
	assert_int_equal(world->home.head_pool.live_count, 0);
	assert_true(world->home.frame_pool.live_count <= 1); /* the spare one */
	assert_int_equal(admission_current(&world->admission), 0);
	for (size_t i = 0; i < route_table_count(world->ruleset->routes); i++)
		assert_int_equal(route_table_at(world->ruleset->routes, i)->load->connections, 0);
	assert_int_equal(address_limit_fullest(world->address_limit), 0);
	assert_int_equal(directory_count(world->directory), 0);
	assert_null(world->pending);
	assert_int_equal(world->stream_ends, world->streams_begun);
	world->io.sent.len = 0;
	world->io.has_fin = false;
}

/* Of world_init_on. */
static inline void world_finish_on(struct world *world)
{
	conns_finish(&world->home);
	fleet_bus_close(&world->fleet);
	backends_destroy(&world->backends);
	group_registry_destroy(&world->fleet.groups);
	address_limit_destroy(&world->address_limit);
	directory_destroy(&world->directory);
	ruleset_unref(&world->ruleset);
	route_loads_destroy(&world->loads);
	if (world_now == world)
		world_now = NULL;
}

static inline void world_finish(struct world *world)
{
	world_finish_on(world);
	fake_loop_finish(&world->io);
}
