/* SPDX-License-Identifier: Apache-2.0
 * rpc.c - the calls of one client. Any function here may tell somebody who comes back in, or
 * goes: so each counts itself in depth, and if the client has gone meanwhile, the last of them
 * frees. */
#include "fleet/rpc/rpc.h"

#include <errno.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/random.h"
#include "base/state.h"
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

/* --- from process to process --- */

enum rpc_tag {
	RPC_TAG_TABLE = 1, /* record, of call_table.h */
	RPC_TAG_CALL = 2,  /* record; in the order of call_table_next */
};

enum rpc_call_tag {
	RPC_CALL_TAG_NUMBER = 1,   /* left out: it was not sent */
	RPC_CALL_TAG_LEFT = 2,     /* [ns] until it is given up */
	RPC_CALL_TAG_SENT_AGO = 3, /* [ns] */
	RPC_CALL_TAG_OWNER = 4,    /* record, of who calls */
};

static const struct rpc_call *call_of(const struct call *base)
{
	return CONTAINER_OF(base, const struct rpc_call, base);
}

void rpc_export(const struct rpc *rpc, struct state_writer *out, const struct rpc_owner *owner)
{
	uint64_t now_ns = loop_now(rpc->loop);
	size_t begun = state_begin(out, RPC_TAG_TABLE);

	CHECK(!rpc->is_gone && rpc->depth == 0);
	call_table_export(rpc->table, out);
	state_end(out, begun);
	for (const struct call *base = call_table_next(rpc->table, NULL); base != NULL;
	     base = call_table_next(rpc->table, base)) {
		begun = state_begin(out, RPC_TAG_CALL);
		if (base->number != 0) {
			state_put_u64(out, RPC_CALL_TAG_NUMBER, base->number);
			state_put_u64(out, RPC_CALL_TAG_SENT_AGO, now_ns - call_of(base)->sent_ns);
		}
		if (base->deadline_ns > now_ns)
			state_put_u64(out, RPC_CALL_TAG_LEFT, base->deadline_ns - now_ns);
		size_t owner_begun = state_begin(out, RPC_CALL_TAG_OWNER);

		owner->put(call_of(base), out);
		state_end(out, owner_begun);
		state_end(out, begun);
	}
}

struct found_call {
	uint64_t number, left_ns, sent_ago_ns;
	struct slice owner;
};

static bool call_read(struct slice state, struct found_call *found)
{
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	state_reader_init(&reader, state);
	while (is_good && state_next(&reader, &field)) {
		if (field.tag == RPC_CALL_TAG_NUMBER)
			is_good = state_u64(&field, &found->number);
		else if (field.tag == RPC_CALL_TAG_LEFT)
			is_good = state_u64(&field, &found->left_ns);
		else if (field.tag == RPC_CALL_TAG_SENT_AGO)
			is_good = state_u64(&field, &found->sent_ago_ns);
		else if (field.tag == RPC_CALL_TAG_OWNER)
			found->owner = field.value;
		else
			is_good = !state_must_understand(field.tag);
	}
	return is_good && !reader.is_bad;
}

static bool call_import(struct rpc *rpc, struct slice state, const struct rpc_owner *owner)
{
	uint64_t now_ns = loop_now(rpc->loop);
	struct found_call found = {0};

	if (!call_read(state, &found) || found.left_ns > UINT64_MAX / 2)
		return false;
	struct rpc_call *call = owner->make(rpc->session, found.owner);

	if (call == NULL)
		return false;
	call->rpc = rpc;
	call->sent_ns = now_ns - MIN(now_ns, found.sent_ago_ns);
	call->base = (struct call){.on_done = on_done, .deadline_ns = now_ns + found.left_ns};
	if (!call_table_restore(rpc->table, &call->base, found.number)) {
		owner->drop(call);
		return false;
	}
	counter_add(&rpc->stats->waiting, 1);
	return true;
}

bool rpc_import(struct rpc *rpc, struct slice state, const struct rpc_owner *owner)
{
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	state_reader_init(&reader, state);
	while (is_good && state_next(&reader, &field)) {
		if (field.tag == RPC_TAG_TABLE)
			is_good = call_table_import(rpc->table, field.value);
		else if (field.tag == RPC_TAG_CALL)
			is_good = call_import(rpc, field.value, owner);
		else
			is_good = !state_must_understand(field.tag);
	}
	return is_good && !reader.is_bad;
}

bool rpc_state_has_calls(struct slice state)
{
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, state);
	while (state_next(&reader, &field))
		if (field.tag == RPC_TAG_CALL)
			return true;
	return false;
}

void rpc_thaw(struct rpc *rpc)
{
	enter(rpc);
	go_on(rpc);
	leave(rpc);
}

void rpc_forget(struct rpc **rpc, const struct rpc_owner *owner)
{
	struct rpc *gone = *rpc;
	struct call *call;

	*rpc = NULL;
	CHECK(gone->depth == 0 && !gone->is_gone);
	loop_timer_stop(gone->loop, &gone->timer);
	while ((call = call_table_forget(gone->table)) != NULL) {
		counter_sub(&gone->stats->waiting, 1);
		owner->drop(CONTAINER_OF(call, struct rpc_call, base));
	}
	call_table_destroy(&gone->table);
	free(gone);
}
