/* SPDX-License-Identifier: Apache-2.0
 * fuzz_event_state.c - the input as the state of an uplink that another process had, and as what
 * that tells of an attempt: what is taken comes out as it went in. */
#include "fuzz.h"

#include "base/counter.h"
#include "base/state.h"
#include "io/mailbox.h"
#include "route/backend_type.h"
#include "route/event_road.h"
#include "route/route.h"

static struct loop *loop;
static struct mailbox mailbox;
static struct config_backend config = {.queue_max = 4096, .retry_min = 1, .retry_max = 1};
static struct config_route route_config = {.name = (char *)(uintptr_t) "ws", .answer_timeout = 1};
static struct ruleset ruleset = {.references = 1};
static const struct client_route client_route = {&route_config, &ruleset};
static const struct route route = {.config = &route_config, .client = {&route_config, &ruleset}};
static struct presence *presence;
static struct random_source random_source;
static struct event_source source;
static struct event_backend backend;
static struct handover_road road;

static enum carry_result launch(struct event_flight *flight)
{
	(void)flight;
	return CARRY_UNDER_WAY;
}

static void cancel(struct event_flight *flight)
{
	event_flight_done(flight, &(struct carry_verdict){.result = CARRY_CANCELLED, .detail = ""});
}

static const struct event_carrier carrier = {
	.flight_size = sizeof(struct event_flight), .launch = launch, .cancel = cancel};
static const struct backend_type backend_type = {.carrier = &carrier};

static bool tell(struct handover_road *self, enum road_kind kind, struct slice bytes)
{
	(void)self;
	(void)kind;
	(void)bytes;
	return true;
}

static bool may_send(const struct uplink *uplink)
{
	(void)uplink;
	return true;
}

static struct actions *read_actions(const struct uplink *uplink, struct slice json, char *problem,
				    size_t size)
{
	(void)uplink;
	(void)json;
	snprintf(problem, size, "none");
	return NULL;
}

static void on_trouble(const struct uplink *uplink, const char *what, const char *detail)
{
	(void)uplink;
	(void)what;
	(void)detail;
}

static void on_gone(struct uplink *uplink)
{
	(void)uplink;
}

static const struct uplink_handler handler = {.read_actions = read_actions,
					      .may_send = may_send,
					      .on_trouble = on_trouble,
					      .on_gone = on_gone};

static void world_make(void)
{
	if (loop != NULL)
		return;
	CHECK(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &loop) == 0);
	mailbox_init(&mailbox);
	event_source_init(&source, "node");
	road.tell = tell;
	source.road = event_road_create(&road);
	config.name = (char *)(uintptr_t) "up";
	event_backend_init(&backend, &config, &source, &backend_type);
	presence = presence_create(&(struct presence_facts){
		.route = &client_route, .client_id = "a", .mailbox = &mailbox});
	CHECK(source.road != NULL && presence != NULL);
}

static struct uplink *import_from(struct slice state)
{
	struct uplink *uplink = backend.base.ops->import(
		&backend.base,
		&(struct uplink_request){
			.presence = presence, .loop = loop, .random = &random_source},
		state);

	if (uplink == NULL)
		return NULL;
	uplink->handler = &handler;
	uplink->owner = &backend;
	uplink->route = &route;
	return uplink;
}

static void end(struct uplink *uplink)
{
	backend.base.ops->close(uplink, &(struct uplink_end){"over", 1000});
	backend.base.ops->abort(uplink);
}

/* Only an uplink that nobody waits for goes on from here. */
static bool export_to(struct uplink *uplink, struct buf *out)
{
	struct state_writer writer;

	state_writer_init(&writer, out, SIZE_MAX / 2);
	CONTAINER_OF(uplink, struct event_uplink, base)->is_still = false;
	bool has_gone = backend.base.ops->export(uplink, &writer) == 0;

	CONTAINER_OF(uplink, struct event_uplink, base)->is_still = true;
	return has_gone;
}

static void state_take(struct slice state)
{
	struct buf once = {0}, again = {0};
	struct uplink *uplink = import_from(state);

	if (uplink == NULL)
		return;
	bool can_go = export_to(uplink, &once);

	end(uplink);
	if (can_go) {
		uplink = import_from(buf_slice(&once));
		CHECK(uplink != NULL && export_to(uplink, &again));
		CHECK(slice_equals(buf_slice(&once), buf_slice(&again)));
		end(uplink);
	}
	buf_finish(&once);
	buf_finish(&again);
}

static void told_take(struct slice bytes)
{
	struct event_told told, again;
	struct buf out = {0};

	if (!event_told_read(bytes, &told))
		return;
	CHECK(event_told_write(&out, &told) == 0);
	CHECK(event_told_read(buf_slice(&out), &again));
	CHECK(told.connection_id == again.connection_id && told.sequence == again.sequence &&
	      told.verdict.result == again.verdict.result &&
	      strcmp(told.verdict.detail, again.verdict.detail) == 0 &&
	      slice_equals(told.verdict.answer.bytes, again.verdict.answer.bytes) &&
	      slice_equals(told.verdict.actions, again.verdict.actions));
	buf_finish(&out);
	road_hear(&road, ROAD_EVENT, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	world_make();
	state_take(slice_of(data, size));
	told_take(slice_of(data, size));
	CHECK(counter_read(&backend.stats.waiting) == 0);
	return 0;
}
