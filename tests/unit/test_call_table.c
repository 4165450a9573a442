/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "session/call_table.h"

#define PREFIX UINT64_C(0x0123456789abcdef)
#define NEVER  UINT64_MAX

/* A call that notes what it was told. */
struct probe {
	struct call call;
	int told; /* times */
	struct call_result result;
	struct call_table *table; /* for on_done; NULL: it does nothing more */
	struct call *adds;
};

static void probe_done(struct call *call, const struct call_result *result)
{
	struct probe *probe = CONTAINER_OF(call, struct probe, call);

	probe->told++;
	probe->result = *result;
	if (probe->adds != NULL)
		call_table_add(probe->table, probe->adds);
}

static struct probe probe_make(uint64_t deadline_ns)
{
	return (struct probe){.call = {.on_done = probe_done, .deadline_ns = deadline_ns}};
}

static struct call_table *table_make(size_t sent_max, size_t queue_max, size_t late_max)
{
	const struct call_limits limits = {sent_max, queue_max, late_max};
	struct call_table *table = call_table_create(&limits, PREFIX);

	assert_non_null(table);
	return table;
}

static void table_end(struct call_table *table)
{
	call_table_lose(table);
	call_table_destroy(&table);
	assert_null(table);
	call_table_destroy(&table);
}

static enum call_match answer(struct call_table *table, const char *id)
{
	const struct call_result result = {.outcome = CALL_ANSWERED,
					   .payload = SLICE_LITERAL("{}")};

	return call_table_answer(table, slice_from_text(id), &result);
}

static void told_check(const struct probe *probe, enum call_outcome outcome, bool was_sent)
{
	assert_int_equal(probe->told, 1);
	assert_int_equal(probe->result.outcome, outcome);
	assert_int_equal(probe->result.was_sent, was_sent);
}

static void test_ids_are_prefix_and_counter(void **state)
{
	(void)state;
	struct call_table *table = table_make(100, 0, 0);
	struct probe probes[100];
	char room[CALL_ID_MAX];

	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		probes[i] = probe_make(NEVER);
		assert_int_equal(call_table_add(table, &probes[i].call), CALL_WAITS);
		assert_ptr_equal(call_table_take(table), &probes[i].call);
	}
	assert_true(slice_equals(call_id_write(table, &probes[0].call, room),
				 SLICE_LITERAL("0123456789abcdef-1")));
	assert_true(slice_equals(call_id_write(table, &probes[99].call, room),
				 SLICE_LITERAL("0123456789abcdef-64")));
	assert_true(CALL_ID_MAX <= 36);
	table_end(table);
}

static void test_one_is_sent_and_others_wait_their_turn(void **state)
{
	(void)state;
	struct call_table *table = table_make(1, 2, 4);
	struct probe a = probe_make(NEVER), b = probe_make(NEVER), c = probe_make(NEVER),
		     d = probe_make(NEVER);

	assert_null(call_table_take(table));
	assert_int_equal(call_table_add(table, &a.call), CALL_WAITS);
	assert_ptr_equal(call_table_take(table), &a.call);
	assert_int_equal(call_table_add(table, &b.call), CALL_WAITS);
	assert_int_equal(call_table_add(table, &c.call), CALL_WAITS);
	assert_int_equal(call_table_add(table, &d.call), CALL_QUEUE_FULL);
	assert_int_equal(d.told, 0);
	assert_null(call_table_take(table));
	assert_int_equal(answer(table, "0123456789abcdef-1"), CALL_MATCH_OK);
	told_check(&a, CALL_ANSWERED, true);
	assert_true(slice_equals(a.result.payload, SLICE_LITERAL("{}")));
	assert_ptr_equal(call_table_take(table), &b.call);
	assert_int_equal(call_table_add(table, &d.call), CALL_WAITS);
	assert_null(call_table_take(table));
	table_end(table);
	told_check(&b, CALL_CONNECTION_LOST, true);
	told_check(&c, CALL_CONNECTION_LOST, false);
	told_check(&d, CALL_CONNECTION_LOST, false);
	assert_int_equal(a.told, 1);
}

static void test_without_a_queue_a_free_turn_is_room(void **state)
{
	(void)state;
	struct call_table *table = table_make(2, 0, 0);
	struct probe a = probe_make(NEVER), b = probe_make(NEVER), c = probe_make(NEVER);

	assert_int_equal(call_table_add(table, &a.call), CALL_WAITS);
	assert_int_equal(call_table_add(table, &b.call), CALL_WAITS);
	assert_int_equal(call_table_add(table, &c.call), CALL_QUEUE_FULL);
	assert_ptr_equal(call_table_take(table), &a.call);
	assert_ptr_equal(call_table_take(table), &b.call);
	assert_int_equal(call_table_add(table, &c.call), CALL_QUEUE_FULL);
	table_end(table);
}

static void test_the_clients_error_is_told(void **state)
{
	(void)state;
	struct call_table *table = table_make(1, 0, 0);
	struct probe a = probe_make(NEVER);
	const struct call_result error = {.outcome = CALL_CLIENT_ERROR,
					  .code = SLICE_LITERAL("NotSupported"),
					  .description = SLICE_LITERAL("no")};

	call_table_add(table, &a.call);
	call_table_take(table);
	assert_int_equal(call_table_answer(table, SLICE_LITERAL("0123456789abcdef-1"), &error),
			 CALL_MATCH_OK);
	told_check(&a, CALL_CLIENT_ERROR, true);
	assert_true(slice_equals(a.result.code, SLICE_LITERAL("NotSupported")));
	table_end(table);
}

static void test_ids_that_are_not_ours_are_unknown(void **state)
{
	(void)state;
	static const char *const ids[] = {
		"",
		"-1",
		"0123456789abcdef",
		"0123456789abcdef-",
		"0123456789abcdef-0",
		"0123456789abcdef-2",
		"0123456789abcdef-01",
		"0123456789abcdef-1 ",
		"0123456789ABCDEF-1",
		"0123456789abcdee-1",
		"0123456789abcdef_1",
		"0123456789abcdef-g",
		"0123456789abcdef-10000000000000001",
		"0123456789abcdef-ffffffffffffffff",
	};
	struct call_table *table = table_make(1, 0, 4);
	struct probe a = probe_make(NEVER);

	call_table_add(table, &a.call);
	call_table_take(table);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		ASSERT_ROW(answer(table, ids[i]) == CALL_MATCH_UNKNOWN, ids[i]);
	assert_int_equal(a.told, 0);
	assert_int_equal(answer(table, "0123456789abcdef-1"), CALL_MATCH_OK);
	assert_int_equal(answer(table, "0123456789abcdef-1"), CALL_MATCH_UNKNOWN);
	table_end(table);
	assert_int_equal(a.told, 1);
}

static void test_deadlines(void **state)
{
	(void)state;
	struct call_table *table = table_make(1, 4, 4);
	struct probe a = probe_make(300), b = probe_make(100), c = probe_make(200);

	assert_true(call_table_deadline_ns(table) == NEVER);
	call_table_add(table, &a.call);
	assert_int_equal(call_table_deadline_ns(table), 300);
	call_table_take(table);
	call_table_add(table, &b.call);
	call_table_add(table, &c.call);
	assert_int_equal(call_table_deadline_ns(table), 100);
	call_table_expire(table, 99);
	assert_int_equal(b.told, 0);
	call_table_expire(table, 100);
	told_check(&b, CALL_TIMED_OUT, false);
	assert_int_equal(call_table_deadline_ns(table), 200);
	call_table_expire(table, 300);
	told_check(&a, CALL_TIMED_OUT, true);
	told_check(&c, CALL_TIMED_OUT, false);
	assert_true(call_table_deadline_ns(table) == NEVER);
	/* An answer that comes too late is known as such, once. */
	assert_int_equal(answer(table, "0123456789abcdef-1"), CALL_MATCH_LATE);
	assert_int_equal(answer(table, "0123456789abcdef-1"), CALL_MATCH_UNKNOWN);
	table_end(table);
	assert_int_equal(a.told + b.told + c.told, 3);
}

static void test_only_so_many_late_calls_are_known(void **state)
{
	(void)state;
	struct call_table *table = table_make(3, 0, 2);
	struct probe probes[3];

	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		probes[i] = probe_make(10 + i);
		call_table_add(table, &probes[i].call);
		call_table_take(table);
	}
	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		call_table_expire(table, 10 + i);
	assert_int_equal(answer(table, "0123456789abcdef-1"), CALL_MATCH_UNKNOWN);
	assert_int_equal(answer(table, "0123456789abcdef-2"), CALL_MATCH_LATE);
	assert_int_equal(answer(table, "0123456789abcdef-3"), CALL_MATCH_LATE);
	table_end(table);
}

static void test_a_lost_connection_refuses(void **state)
{
	(void)state;
	struct call_table *table = table_make(1, 2, 2);
	struct probe a = probe_make(NEVER);

	call_table_lose(table);
	assert_int_equal(call_table_add(table, &a.call), CALL_NOT_CONNECTED);
	assert_null(call_table_take(table));
	call_table_lose(table);
	assert_int_equal(a.told, 0);
	table_end(table);
}

static void test_on_done_may_add_calls(void **state)
{
	(void)state;
	struct call_table *table = table_make(1, 4, 4);
	struct probe a = probe_make(10), b = probe_make(10), c = probe_make(10), d = probe_make(20);

	a.table = table;
	a.adds = &d.call;
	call_table_add(table, &a.call);
	call_table_take(table);
	call_table_add(table, &b.call);
	call_table_add(table, &c.call);
	call_table_expire(table, 10);
	told_check(&a, CALL_TIMED_OUT, true);
	told_check(&b, CALL_TIMED_OUT, false);
	told_check(&c, CALL_TIMED_OUT, false);
	assert_ptr_equal(call_table_take(table), &d.call);
	/* A call may be used again, also by its own on_done; but not on a lost connection. */
	c.table = table;
	c.adds = &c.call;
	c.call.deadline_ns = 30;
	assert_int_equal(call_table_add(table, &c.call), CALL_WAITS);
	call_table_expire(table, 30);
	assert_int_equal(c.told, 2);
	assert_true(c.call.is_in);
	call_table_lose(table);
	assert_int_equal(c.told, 3);
	assert_false(c.call.is_in);
	table_end(table);
}

/* --- A naive model: what was sent and what waits, in plain arrays --- */

#define CALLS     12
#define SENT_MAX  3
#define QUEUE_MAX 4
#define LATE_MAX  5
#define STEPS     100000

struct model_call {
	struct call call;
	bool is_in; /* added, and not told */
	bool was_sent;
	enum call_outcome expected; /* what it may be told now; CALL_WAITS: nothing */
};

/* What the client has to answer. */
struct model_turn {
	struct model_call *call;
	uint64_t deadline_ns;
	char id[CALL_ID_MAX + 1];
};

struct model {
	struct call_table *table;
	struct model_call calls[CALLS];
	struct model_turn turns[SENT_MAX];
	size_t turn_count;
	struct model_call *queue[CALLS];
	size_t queue_count;
	char late[LATE_MAX][CALL_ID_MAX + 1]; /* given up, the newest last; "": answered */
	char stale[CALL_ID_MAX + 1];          /* the id that was answered last */
	uint64_t now_ns;
	uint32_t seed;
};

static uint32_t roll(struct model *model, uint32_t below)
{
	model->seed = model->seed * 1664525 + 1013904223;
	return (model->seed >> 8) % below;
}

static void model_done(struct call *call, const struct call_result *result)
{
	struct model_call *own = CONTAINER_OF(call, struct model_call, call);

	assert_true(own->is_in && own->expected != CALL_WAITS);
	assert_int_equal(result->outcome, own->expected);
	assert_int_equal(result->was_sent, own->was_sent);
	own->is_in = false;
	own->expected = CALL_WAITS;
}

static void turn_remove(struct model *model, size_t i)
{
	memmove(&model->turns[i], &model->turns[i + 1],
		(--model->turn_count - i) * sizeof(model->turns[0]));
}

static void queue_remove(struct model *model, size_t i)
{
	for (model->queue_count--; i < model->queue_count; i++)
		model->queue[i] = model->queue[i + 1];
}

static void late_add(struct model *model, const char *id)
{
	memmove(model->late[0], model->late[1], sizeof(model->late) - sizeof(model->late[0]));
	memcpy(model->late[LATE_MAX - 1], id, CALL_ID_MAX + 1);
}

static void step_add(struct model *model)
{
	struct model_call *own = &model->calls[roll(model, CALLS)];
	size_t room = QUEUE_MAX + SENT_MAX - model->turn_count;

	if (own->is_in)
		return;
	own->call = (struct call){.on_done = model_done,
				  .deadline_ns = model->now_ns + roll(model, 90)};
	enum call_outcome want = model->queue_count < room ? CALL_WAITS : CALL_QUEUE_FULL;

	assert_int_equal(call_table_add(model->table, &own->call), want);
	if (want != CALL_WAITS)
		return;
	own->is_in = true;
	own->was_sent = false;
	model->queue[model->queue_count++] = own;
}

static void step_take(struct model *model)
{
	struct call *call = call_table_take(model->table);
	char room[CALL_ID_MAX];

	if (model->turn_count == SENT_MAX || model->queue_count == 0) {
		assert_null(call);
		return;
	}
	struct model_call *own = model->queue[0];
	struct model_turn *turn = &model->turns[model->turn_count++];

	assert_ptr_equal(call, &own->call);
	queue_remove(model, 0);
	own->was_sent = true;
	*turn = (struct model_turn){own, call->deadline_ns, ""};
	struct slice id = call_id_write(model->table, call, room);

	memcpy(turn->id, id.data, id.len);
	turn->id[id.len] = 0;
}

static void step_answer(struct model *model)
{
	if (model->turn_count == 0)
		return;
	size_t i = roll(model, (uint32_t)model->turn_count);
	struct model_turn turn = model->turns[i];

	turn_remove(model, i);
	memcpy(model->stale, turn.id, sizeof(turn.id));
	turn.call->expected = CALL_ANSWERED;
	assert_int_equal(answer(model->table, turn.id), CALL_MATCH_OK);
	assert_false(turn.call->is_in);
}

static void step_answer_late(struct model *model)
{
	char *id = model->late[roll(model, LATE_MAX)];

	assert_int_equal(answer(model->table, model->stale), CALL_MATCH_UNKNOWN);
	if (id[0] == 0)
		return;
	assert_int_equal(answer(model->table, id), CALL_MATCH_LATE);
	memcpy(model->stale, id, CALL_ID_MAX + 1);
	id[0] = 0;
}

static void step_expire(struct model *model)
{
	model->now_ns += 1 + roll(model, 20);
	for (size_t i = 0; i < model->turn_count; i++)
		if (model->turns[i].deadline_ns <= model->now_ns) {
			late_add(model, model->turns[i].id);
			model->turns[i].call->expected = CALL_TIMED_OUT;
			turn_remove(model, i--);
		}
	for (size_t i = 0; i < model->queue_count; i++)
		if (model->queue[i]->call.deadline_ns <= model->now_ns) {
			model->queue[i]->expected = CALL_TIMED_OUT;
			queue_remove(model, i--);
		}
	call_table_expire(model->table, model->now_ns);
	for (size_t i = 0; i < CALLS; i++)
		assert_int_equal(model->calls[i].expected, CALL_WAITS);
}

static void deadline_check(const struct model *model)
{
	uint64_t earliest = NEVER;

	for (size_t i = 0; i < model->turn_count; i++)
		earliest = MIN(earliest, model->turns[i].deadline_ns);
	for (size_t i = 0; i < model->queue_count; i++)
		earliest = MIN(earliest, model->queue[i]->call.deadline_ns);
	assert_true(call_table_deadline_ns(model->table) == earliest);
}

static void step_lose(struct model *model)
{
	for (size_t i = 0; i < CALLS; i++)
		if (model->calls[i].is_in)
			model->calls[i].expected = CALL_CONNECTION_LOST;
	call_table_lose(model->table);
	for (size_t i = 0; i < CALLS; i++)
		assert_false(model->calls[i].is_in);
	call_table_destroy(&model->table);
	model->table = table_make(SENT_MAX, QUEUE_MAX, LATE_MAX);
	model->turn_count = 0;
	model->queue_count = 0;
	memset(model->late, 0, sizeof(model->late));
	model->stale[0] = 0;
}

static void test_random_operations_do_as_a_naive_model(void **state)
{
	(void)state;
	static struct model model;

	model.table = table_make(SENT_MAX, QUEUE_MAX, LATE_MAX);
	for (int step = 0; step < STEPS; step++) {
		static void (*const steps[])(struct model *) = {
			step_add,  step_add,    step_add,         step_take,
			step_take, step_answer, step_answer_late, step_expire,
		};

		if (roll(&model, 1000) == 0)
			step_lose(&model);
		else
			steps[roll(&model, ARRAY_LEN(steps))](&model);
		deadline_check(&model);
	}
	step_lose(&model);
	call_table_destroy(&model.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_are_prefix_and_counter),
		cmocka_unit_test(test_one_is_sent_and_others_wait_their_turn),
		cmocka_unit_test(test_without_a_queue_a_free_turn_is_room),
		cmocka_unit_test(test_the_clients_error_is_told),
		cmocka_unit_test(test_ids_that_are_not_ours_are_unknown),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_only_so_many_late_calls_are_known),
		cmocka_unit_test(test_a_lost_connection_refuses),
		cmocka_unit_test(test_on_done_may_add_calls),
		cmocka_unit_test(test_random_operations_do_as_a_naive_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
