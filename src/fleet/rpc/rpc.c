/* SPDX-License-Identifier: Apache-2.0
 * rpc.c - the calls of one client. Any function here may tell somebody who comes back in, or
 * goes: so each counts itself in depth, and if the client has gone meanwhile, the last of them
 * frees. */
#include "fleet/rpc/rpc.h"

#include <errno.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/random.h"
#include "proto/json_text.h"
#include "proto/ws_close.h"

struct rpc {
	struct session *session;
	struct loop *loop;
	struct rpc_framing framing;
	struct rpc_stats *stats;
	struct call_table *table;
	struct timer timer; /* of the earliest deadline */
	unsigned depth;     /* functions of this file that are under way */
	bool is_gone;       /* the last of them frees it */
};

static void on_timer(struct timer *timer);

static uint64_t random_prefix(void)
{
	struct random_source random = {0};
	uint64_t prefix;

	random_fill(&random, &prefix, sizeof(prefix));
	return prefix;
}

struct rpc *rpc_create(const struct rpc_options *options)
{
	const struct call_limits limits = {
		.sent_max = 1,
		.queue_max = options->route->call_queue_max,
		.late_max = RPC_LATE_MAX,
	};
	struct rpc *rpc = malloc(sizeof(*rpc));

	if (rpc == NULL)
		return NULL;
	*rpc = (struct rpc){
		.session = options->session,
		.loop = options->loop,
		.framing = rpc_framing_of(options->route,
					  presence_subprotocol(options->session->presence)),
		.stats = options->stats,
		.table = call_table_create(&limits, random_prefix()),
	};
	if (rpc->table == NULL) {
		free(rpc);
		return NULL;
	}
	loop_timer_init(&rpc->timer, on_timer);
	return rpc;
}

/* What is called from here may end the connection, and with it this: each entry is framed by
 * the two. */
static void enter(struct rpc *rpc)
{
	rpc->depth++;
}

static void leave(struct rpc *rpc)
{
	CHECK(rpc->depth > 0);
	if (--rpc->depth > 0 || !rpc->is_gone)
		return;
	call_table_destroy(&rpc->table);
	free(rpc);
}

bool rpc_is_waiting(const struct rpc *rpc)
{
	return call_table_deadline_ns(rpc->table) != UINT64_MAX;
}

void rpc_destroy(struct rpc **rpc)
{
	struct rpc *gone = *rpc;

	*rpc = NULL;
	if (gone == NULL)
		return;
	CHECK(!gone->is_gone);
	enter(gone);
	gone->is_gone = true;
	loop_timer_stop(gone->loop, &gone->timer);
	call_table_lose(gone->table);
	leave(gone);
}

/* --- sending --- */

static int push_call(struct rpc *rpc, const struct rpc_call *call)
{
	char room[CALL_ID_MAX];
	struct buf frame = {0};

	CHECK(!rpc->is_gone);
	int r = rpc_frame_write_call(&rpc->framing, &frame,
				     call_id_write(rpc->table, &call->base, room), call->method,
				     call->params);

	CHECK(r != -EILSEQ);
	if (r == 0)
		r = session_push(rpc->session,
				 &(struct message){.is_text = true, .bytes = buf_slice(&frame)});
	buf_finish(&frame);
	return r;
}

/* A client that misses a call is lost, as one that is cut. */
static void lose(struct rpc *rpc)
{
	session_close(rpc->session, WS_CLOSE_INTERNAL, "out of memory");
	call_table_lose(rpc->table);
}

static void set_timer(struct rpc *rpc)
{
	uint64_t now_ns = loop_now(rpc->loop), deadline_ns = call_table_deadline_ns(rpc->table);

	if (deadline_ns == UINT64_MAX)
		loop_timer_stop(rpc->loop, &rpc->timer);
	else
		loop_timer_start(rpc->loop, &rpc->timer,
				 deadline_ns > now_ns ? deadline_ns - now_ns : 0);
}

/* Sends what has its turn now. */
static void go_on(struct rpc *rpc)
{
	while (!rpc->is_gone) {
		struct call *base = call_table_take(rpc->table);

		if (base == NULL)
			break;
		struct rpc_call *call = CONTAINER_OF(base, struct rpc_call, base);

		call->sent_ns = loop_now(rpc->loop);
		if (push_call(rpc, call) < 0 && !rpc->is_gone)
			lose(rpc);
	}
	if (!rpc->is_gone)
		set_timer(rpc);
}

static void on_done(struct call *base, const struct call_result *result)
{
	struct rpc_call *call = CONTAINER_OF(base, struct rpc_call, base);
	struct rpc *rpc = call->rpc;
	bool has_answer = result->outcome == CALL_ANSWERED || result->outcome == CALL_CLIENT_ERROR;

	counter_add(&rpc->stats->ended[result->outcome], 1);
	counter_sub(&rpc->stats->waiting, 1);
	if (has_answer)
		durations_record(&rpc->stats->durations, durations_long_us,
				 loop_now(rpc->loop) - call->sent_ns);
	call->on_done(call, result);
}

enum call_outcome rpc_start(struct rpc *rpc, struct rpc_call *call, uint64_t timeout_ns)
{
	CHECK(!rpc->is_gone);
	call->rpc = rpc;
	call->base = (struct call){
		.on_done = on_done,
		.deadline_ns = loop_now(rpc->loop) + timeout_ns,
	};
	enum call_outcome outcome = call_table_add(rpc->table, &call->base);

	if (outcome != CALL_WAITS) {
		counter_add(&rpc->stats->ended[outcome], 1);
		return outcome;
	}
	counter_add(&rpc->stats->waiting, 1);
	enter(rpc);
	go_on(rpc);
	leave(rpc);
	return CALL_WAITS;
}

static void on_timer(struct timer *timer)
{
	struct rpc *rpc = CONTAINER_OF(timer, struct rpc, timer);

	enter(rpc);
	call_table_expire(rpc->table, loop_now(rpc->loop));
	go_on(rpc);
	leave(rpc);
}

/* --- answers --- */

/* Each character of an id may be written with an escape of six. */
#define ID_TEXT_MAX (6 * CALL_ID_MAX)

static enum call_match match(struct rpc *rpc, const struct rpc_frame *frame)
{
	uint8_t room[ID_TEXT_MAX];

	if (rpc == NULL || frame->id.len > sizeof(room))
		return CALL_MATCH_UNKNOWN;
	return call_table_answer(rpc->table, json_text_unescape(frame->id, room), &frame->result);
}

/* Does an answer's mark follow from the call that it was for? */
static enum message_mark mark_of(const struct rpc_frame *frame, enum call_match matched)
{
	if (frame->kind == RPC_MALFORMED)
		return MESSAGE_MALFORMED;
	return matched == CALL_MATCH_LATE ? MESSAGE_LATE : MESSAGE_UNKNOWN;
}

bool rpc_receive(struct rpc *rpc, const struct rpc_framing *framing, struct rpc_stats *stats,
		 struct message *message)
{
	struct rpc_frame frame;

	rpc_frame_read(framing, message->bytes, &frame);
	if (frame.kind == RPC_CALL)
		message->call = rpc_frame_number(framing, &frame);
	if (frame.kind == RPC_CALL || frame.kind == RPC_NOTICE)
		return false;
	if (rpc != NULL)
		enter(rpc);
	enum call_match matched = match(rpc, &frame);

	if (rpc != NULL) {
		go_on(rpc);
		leave(rpc);
	}
	if (matched == CALL_MATCH_OK && frame.kind == RPC_ANSWER)
		return true;
	message->mark = mark_of(&frame, matched);
	counter_add(&stats->marked[message->mark], 1);
	return false;
}
