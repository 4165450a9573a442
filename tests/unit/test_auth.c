/* SPDX-License-Identifier: Apache-2.0
 * test_auth.c - one question to all ways of a route: who is asked, whose answer counts, what of
 * several refusals is passed on, and that nothing is left over. */
#include "unit.h"

#include <stdio.h>

#include "auth/auth.h"
#include "auth/pace.h"
#include "base/clock.h"

#define REQUEST "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

/* A way that says what the row says. */
struct fake {
	struct auth_way base;
	enum auth_verdict verdict;
	const char *id;
	struct auth_pending *pending;
	unsigned asked, cancelled;
};

static unsigned order, destroyed;

static struct fake *fake_of(const struct auth_way *way)
{
	return CONTAINER_OF((struct auth_way *)(uintptr_t)way, struct fake, base);
}

static void cancel(struct auth_pending *pending)
{
	((struct fake *)pending->job)->cancelled++;
}

static enum auth_verdict check(const struct auth_way *way, const struct auth_request *request,
			       struct auth_result *out_result, struct auth_pending *out_pending)
{
	struct fake *fake = fake_of(way);

	assert_non_null(request->head);
	fake->asked = ++order;
	if (fake->verdict == AUTH_LATER) {
		out_pending->job = fake;
		out_pending->cancel = cancel;
		fake->pending = out_pending;
		return AUTH_LATER;
	}
	if (fake->verdict != AUTH_PROVED)
		return auth_result_set(out_result, fake->verdict, way->ops->name, "why");
	out_result->client_id = fake->id == NULL ? NULL : strdup(fake->id);
	return AUTH_PROVED;
}

static void destroy(struct auth_way *way)
{
	(void)way;
	destroyed++;
}

static const struct auth_way_ops ops[] = {
	{.name = "cheap", .cost = 1, .check = check, .destroy = destroy},
	{.name = "fair", .cost = 2, .check = check, .destroy = destroy},
	{.name = "dear", .cost = 3, .check = check, .destroy = destroy},
};

struct told {
	unsigned count;
	enum auth_verdict verdict;
	char id[16], reason[32];
};

static void done(void *owner, enum auth_verdict verdict, struct auth_result *result)
{
	struct told *told = owner;

	told->count++;
	told->verdict = verdict;
	snprintf(told->id, sizeof(told->id), "%s", result->client_id ? result->client_id : "");
	snprintf(told->reason, sizeof(told->reason), "%s", result->reason ? result->reason : "");
}

struct set {
	struct fake fakes[ARRAY_LEN(ops)];
	struct auth *auth;
	struct auth_inquiry *inquiry;
	struct told told;
};

/* Added from the dearest to the cheapest. */
static void set_init_with(struct set *set, struct pace *pace)
{
	*set = (struct set){.auth = auth_create("route", pace)};
	assert_non_null(set->auth);
	order = 0;
	destroyed = 0;
	for (size_t i = ARRAY_LEN(ops); i-- > 0;) {
		set->fakes[i].base.ops = &ops[i];
		auth_add(set->auth, &set->fakes[i].base);
	}
}

static void set_init(struct set *set)
{
	set_init_with(set, NULL);
}

static void set_finish(struct set *set)
{
	auth_destroy(&set->auth);
	assert_null(set->auth);
	assert_int_equal(destroyed, ARRAY_LEN(ops));
}

/* The verdict at once, or AUTH_LATER; then what `told` says. */
static enum auth_verdict ask(struct set *set, const char *client_id)
{
	struct http_head head;
	struct http_error error;
	struct auth_result result = {0};
	size_t used;

	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(http_head_parse(&head, &http_limits_default, (const uint8_t *)REQUEST,
					 sizeof(REQUEST) - 1, &used, &error),
			 HTTP_OK);
	enum auth_verdict verdict = auth_ask(
		set->auth,
		&(struct auth_request){
			.head = &head,
			.data = (const uint8_t *)REQUEST,
			.client_id = client_id,
			.client = {.bytes = {[10] = 0xff, 0xff, 192, 0, 2, 1}},
		},
		done, &set->told, &result, &set->inquiry);

	if (verdict != AUTH_LATER) {
		done(&set->told, verdict, &result);
		set->told.count = 0;
		auth_result_finish(&result);
	}
	return verdict;
}

static void decide(struct set *set, size_t index, enum auth_verdict verdict, const char *id)
{
	struct auth_pending *pending = set->fakes[index].pending;
	struct auth_result result = {.reason = ops[index].name,
				     .client_id = id == NULL ? NULL : strdup(id)};

	set->fakes[index].pending = NULL;
	auth_pending_done(pending, verdict, &result);
	assert_null(result.client_id);
}

/* --- at once --- */

static void test_whose_answer_counts(void **state)
{
	static const struct {
		const char *name;
		enum auth_verdict cheap, fair, dear;
		const char *id; /* proved */
		bool is_left;
		enum auth_verdict want;
		const char *reason; /* or the id */
	} rows[] = {
		{"nothing shown", AUTH_NO_PROOF, AUTH_NO_PROOF, AUTH_NO_PROOF, NULL, false,
		 AUTH_NO_PROOF, "no_proof"},
		{"the last proves", AUTH_NO_PROOF, AUTH_NO_PROOF, AUTH_PROVED, "a", false,
		 AUTH_PROVED, "a"},
		{"any proves, also behind a wrong one", AUTH_WRONG, AUTH_PROVED, AUTH_NO_PROOF, "a",
		 false, AUTH_PROVED, "a"},
		{"proves no id", AUTH_PROVED, AUTH_NO_PROOF, AUTH_NO_PROOF, NULL, false,
		 AUTH_PROVED, ""},
		{"another id", AUTH_PROVED, AUTH_NO_PROOF, AUTH_NO_PROOF, "b", false,
		 AUTH_FORBIDDEN, "other_client_id"},
		{"a longer id", AUTH_PROVED, AUTH_NO_PROOF, AUTH_NO_PROOF, "aa", false,
		 AUTH_FORBIDDEN, "other_client_id"},
		{"another id, and a wrong proof", AUTH_PROVED, AUTH_WRONG, AUTH_NO_PROOF, "b",
		 false, AUTH_FORBIDDEN, "other_client_id"},
		{"one wrong", AUTH_NO_PROOF, AUTH_WRONG, AUTH_NO_PROOF, NULL, false, AUTH_WRONG,
		 "fair"},
		{"of two wrong the first", AUTH_WRONG, AUTH_NO_PROOF, AUTH_WRONG, NULL, false,
		 AUTH_WRONG, "cheap"},
		{"nobody can tell", AUTH_WRONG, AUTH_UNAVAILABLE, AUTH_FORBIDDEN, NULL, false,
		 AUTH_UNAVAILABLE, "fair"},
		{"busy", AUTH_BUSY, AUTH_UNAVAILABLE, AUTH_NO_PROOF, NULL, false, AUTH_BUSY,
		 "cheap"},
		{"left to the back end", AUTH_NO_PROOF, AUTH_NO_PROOF, AUTH_NO_PROOF, NULL, true,
		 AUTH_PROVED, ""},
		{"also with a wrong proof", AUTH_NO_PROOF, AUTH_WRONG, AUTH_NO_PROOF, NULL, true,
		 AUTH_PROVED, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct set set;

		set_init(&set);
		set.fakes[0].verdict = rows[i].cheap;
		set.fakes[1].verdict = rows[i].fair;
		set.fakes[2].verdict = rows[i].dear;
		for (size_t way = 0; way < ARRAY_LEN(ops); way++)
			set.fakes[way].id = rows[i].id;
		if (rows[i].is_left)
			auth_leave_to_backend(set.auth);
		ASSERT_ROW(ask(&set, "a") == rows[i].want, rows[i].name);
		ASSERT_ROW(strcmp(rows[i].want == AUTH_PROVED ? set.told.id : set.told.reason,
				  rows[i].reason) == 0,
			   rows[i].name);
		ASSERT_ROW(auth_count_left(set.auth) == rows[i].is_left, rows[i].name);
		ASSERT_ROW(auth_count_no_proof(set.auth) == (rows[i].want == AUTH_NO_PROOF),
			   rows[i].name);
		set_finish(&set);
	}
}

static void test_cheap_before_dear_whatever_the_order(void **state)
{
	struct set set;

	(void)state;
	set_init(&set);
	set.fakes[0].verdict = AUTH_NO_PROOF;
	set.fakes[1].verdict = AUTH_PROVED;
	assert_int_equal(ask(&set, NULL), AUTH_PROVED);
	assert_int_equal(set.fakes[0].asked, 1);
	assert_int_equal(set.fakes[1].asked, 2);
	assert_int_equal(set.fakes[2].asked, 0);
	assert_int_equal(auth_count(set.auth, 1, AUTH_PROVED), 1);
	assert_int_equal(auth_count(set.auth, 0, AUTH_NO_PROOF), 0);
	set_finish(&set);
}

/* Of the same route, in the next configuration: ways may come and go, and none loses its count. */
static void test_another_list_goes_on_counting(void **state)
{
	static const struct auth_way_ops kinds[] = {
		{.name = "one", .cost = 1, .destroy = destroy},
		{.name = "two", .cost = 2, .destroy = destroy},
		{.name = "two", .cost = 3, .destroy = destroy},
	};
	struct auth_way ways[] = {{&kinds[0]}, {&kinds[1]}, {&kinds[2]}, {&ops[1]}};
	struct auth *newest = auth_create("route", NULL);
	struct set set;

	(void)state;
	set_init(&set);
	set.fakes[0].verdict = AUTH_NO_PROOF;
	assert_int_equal(ask(&set, NULL), AUTH_PROVED);
	assert_non_null(newest);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		auth_add(newest, &ways[i]);
	auth_continue(newest, set.auth);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		assert_int_equal(auth_count(newest, i, AUTH_PROVED),
				 auth_way_at(newest, i)->ops == &ops[1]);
	assert_int_equal(ask(&set, NULL), AUTH_PROVED);
	set_finish(&set); /* the tally stays */
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		assert_int_equal(auth_count(newest, i, AUTH_PROVED),
				 2 * (auth_way_at(newest, i)->ops == &ops[1]));
	auth_destroy(&newest);
}

static void test_an_id_that_no_path_could_have(void **state)
{
	static char too_long[AUTH_CLIENT_ID_MAX + 2];
	const char *const ids[] = {"", "a\nb", "\xff", too_long};

	(void)state;
	memset(too_long, 'x', sizeof(too_long) - 1);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct set set;

		set_init(&set);
		set.fakes[0].verdict = AUTH_PROVED;
		set.fakes[0].id = ids[i];
		set.fakes[1].verdict = set.fakes[2].verdict = AUTH_NO_PROOF;
		assert_int_equal(ask(&set, NULL), AUTH_FORBIDDEN);
		assert_string_equal(set.told.reason, "bad_client_id");
		set_finish(&set);
	}
}

/* --- later --- */

static void test_the_last_no_ends_it(void **state)
{
	struct set set;

	(void)state;
	set_init(&set);
	set.fakes[0].verdict = set.fakes[2].verdict = AUTH_LATER;
	set.fakes[1].verdict = AUTH_NO_PROOF;
	assert_int_equal(ask(&set, "a"), AUTH_LATER);
	decide(&set, 2, AUTH_NO_PROOF, NULL);
	assert_int_equal(set.told.count, 0);
	decide(&set, 0, AUTH_WRONG, NULL);
	assert_int_equal(set.told.count, 1);
	assert_int_equal(set.told.verdict, AUTH_WRONG);
	assert_string_equal(set.told.reason, "cheap");
	assert_int_equal(set.fakes[0].cancelled + set.fakes[2].cancelled, 0);
	set_finish(&set);
}

static void test_the_first_yes_ends_it(void **state)
{
	struct set set;

	(void)state;
	set_init(&set);
	set.fakes[0].verdict = set.fakes[2].verdict = AUTH_LATER;
	set.fakes[1].verdict = AUTH_WRONG;
	assert_int_equal(ask(&set, "a"), AUTH_LATER);
	decide(&set, 2, AUTH_PROVED, "a");
	assert_int_equal(set.told.count, 1);
	assert_int_equal(set.told.verdict, AUTH_PROVED);
	assert_string_equal(set.told.id, "a");
	assert_int_equal(set.fakes[0].cancelled, 1);
	assert_int_equal(set.fakes[2].cancelled, 0);
	set_finish(&set);
}

/* The id is compared when the answer comes, too. */
static void test_later_for_another_id(void **state)
{
	struct set set;

	(void)state;
	set_init(&set);
	set.fakes[0].verdict = AUTH_LATER;
	set.fakes[1].verdict = set.fakes[2].verdict = AUTH_NO_PROOF;
	assert_int_equal(ask(&set, "a"), AUTH_LATER);
	decide(&set, 0, AUTH_PROVED, "b");
	assert_int_equal(set.told.verdict, AUTH_FORBIDDEN);
	assert_string_equal(set.told.reason, "other_client_id");
	set_finish(&set);
}

static void test_proved_at_once_cancels_what_was_begun(void **state)
{
	struct set set;

	(void)state;
	set_init(&set);
	set.fakes[0].verdict = AUTH_LATER;
	set.fakes[1].verdict = AUTH_PROVED;
	assert_int_equal(ask(&set, "a"), AUTH_PROVED);
	assert_int_equal(set.fakes[0].cancelled, 1);
	assert_int_equal(set.told.count, 0);
	set_finish(&set);
}

static void test_cancelled_is_not_told(void **state)
{
	struct set set;

	(void)state;
	set_init(&set);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		set.fakes[i].verdict = AUTH_LATER;
	assert_int_equal(ask(&set, "a"), AUTH_LATER);
	decide(&set, 1, AUTH_WRONG, NULL);
	auth_cancel(&set.inquiry);
	assert_null(set.inquiry);
	auth_cancel(&set.inquiry);
	assert_int_equal(set.fakes[0].cancelled, 1);
	assert_int_equal(set.fakes[1].cancelled, 0);
	assert_int_equal(set.fakes[2].cancelled, 1);
	assert_int_equal(set.told.count, 0);
	set_finish(&set);
}

static void test_left_to_the_back_end_only_after_all(void **state)
{
	struct set set;

	(void)state;
	set_init(&set);
	auth_leave_to_backend(set.auth);
	set.fakes[0].verdict = AUTH_LATER;
	set.fakes[1].verdict = set.fakes[2].verdict = AUTH_NO_PROOF;
	assert_int_equal(ask(&set, "a"), AUTH_LATER);
	decide(&set, 0, AUTH_WRONG, NULL);
	assert_int_equal(set.told.verdict, AUTH_PROVED);
	assert_string_equal(set.told.id, "");
	assert_int_equal(auth_count_left(set.auth), 1);
	set_finish(&set);
}

/* --- pacing --- */

static void test_wrong_ones_are_counted_and_then_paced(void **state)
{
	struct pace *pace = pace_create(2);
	struct set set;

	(void)state;
	assert_non_null(pace);
	set_init_with(&set, pace);
	set.fakes[0].verdict = set.fakes[2].verdict = AUTH_NO_PROOF;
	set.fakes[1].verdict = AUTH_NO_PROOF;
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(&set, "a"), AUTH_NO_PROOF);
	set.fakes[1].verdict = AUTH_WRONG;
	assert_int_equal(ask(&set, "a"), AUTH_WRONG);
	set.fakes[1].verdict = AUTH_FORBIDDEN;
	assert_int_equal(ask(&set, "a"), AUTH_FORBIDDEN);
	assert_int_equal(ask(&set, "a"), AUTH_PACED);
	assert_string_equal(set.told.reason, "auth_failures");
	/* Also when it takes a while. */
	set.fakes[1].verdict = AUTH_LATER;
	assert_int_equal(ask(&set, "a"), AUTH_LATER);
	decide(&set, 1, AUTH_WRONG, NULL);
	assert_int_equal(set.told.verdict, AUTH_PACED);
	/* Whoever proves it is let in, and nothing is asked of who shows nothing. */
	set.fakes[1].verdict = AUTH_NO_PROOF;
	assert_int_equal(ask(&set, "a"), AUTH_NO_PROOF);
	set.fakes[0].verdict = AUTH_WRONG;
	set.fakes[1].verdict = AUTH_PROVED;
	assert_int_equal(ask(&set, "a"), AUTH_PROVED);
	assert_int_equal(auth_count(set.auth, 1, AUTH_WRONG), 2);
	set_finish(&set);
	pace_destroy(&pace);
}

/* Whatever somebody shows beside it that nobody can look at, and if it goes away then. */
static void test_wrong_ones_count_beside_others(void **state)
{
	struct pace *pace = pace_create(3);
	struct set set;

	(void)state;
	assert_non_null(pace);
	set_init_with(&set, pace);
	set.fakes[0].verdict = AUTH_UNAVAILABLE;
	set.fakes[1].verdict = AUTH_WRONG;
	set.fakes[2].verdict = AUTH_NO_PROOF;
	assert_int_equal(ask(&set, "a"), AUTH_UNAVAILABLE);
	set.fakes[0].verdict = AUTH_LATER;
	assert_int_equal(ask(&set, "a"), AUTH_LATER);
	auth_cancel(&set.inquiry);
	assert_int_equal(ask(&set, "a"), AUTH_LATER);
	decide(&set, 0, AUTH_BUSY, NULL);
	assert_int_equal(set.told.verdict, AUTH_BUSY);
	set.fakes[0].verdict = AUTH_NO_PROOF;
	assert_int_equal(ask(&set, "a"), AUTH_PACED);
	set_finish(&set);
	pace_destroy(&pace);
}

/* Else whoever guesses would only have to find a route that asks its back end as well. */
static void test_left_to_the_back_end_and_counted(void **state)
{
	struct pace *pace = pace_create(2);
	struct pace_who who = {.route = "route", .name = SLICE_LITERAL("a")};
	struct set set;

	(void)state;
	assert_non_null(pace);
	assert_true(net_ip_parse(SLICE_LITERAL("192.0.2.1"), &who.address));
	who.now_ms = clock_now_ns() / NS_PER_MS;
	set_init_with(&set, pace);
	auth_leave_to_backend(set.auth);
	set.fakes[0].verdict = set.fakes[1].verdict = set.fakes[2].verdict = AUTH_NO_PROOF;
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(&set, "a"), AUTH_PROVED);
	assert_true(pace_may_guess(pace, &who));
	set.fakes[1].verdict = AUTH_WRONG;
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask(&set, "a"), AUTH_PROVED);
	assert_false(pace_may_guess(pace, &who));
	assert_int_equal(auth_count_left(set.auth), 10);
	set_finish(&set);
	pace_destroy(&pace);
}

/* --- the table --- */

static void test_routes_without_a_list(void **state)
{
	struct auth_table *table = auth_table_create(3);
	struct auth *auth = auth_create("b", NULL);

	(void)state;
	assert_true(table != NULL && auth != NULL);
	auth_table_set(table, 1, auth);
	assert_null(auth_table_at(table, 0));
	assert_ptr_equal(auth_table_at(table, 1), auth);
	assert_null(auth_table_at(NULL, 7));
	auth_table_destroy(&table);
	auth_table_destroy(&table);
	assert_null(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_answer_counts),
		cmocka_unit_test(test_cheap_before_dear_whatever_the_order),
		cmocka_unit_test(test_another_list_goes_on_counting),
		cmocka_unit_test(test_an_id_that_no_path_could_have),
		cmocka_unit_test(test_the_last_no_ends_it),
		cmocka_unit_test(test_the_first_yes_ends_it),
		cmocka_unit_test(test_later_for_another_id),
		cmocka_unit_test(test_proved_at_once_cancels_what_was_begun),
		cmocka_unit_test(test_cancelled_is_not_told),
		cmocka_unit_test(test_left_to_the_back_end_only_after_all),
		cmocka_unit_test(test_wrong_ones_are_counted_and_then_paced),
		cmocka_unit_test(test_wrong_ones_count_beside_others),
		cmocka_unit_test(test_left_to_the_back_end_and_counted),
		cmocka_unit_test(test_routes_without_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
