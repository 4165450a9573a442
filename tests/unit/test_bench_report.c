/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/units.h"
#include "bench/client/bench_cause.h"
#include "bench/client/bench_handshake.h"
#include "bench/load/bench_progress.h"
#include "bench/report/bench_report.h"
#include "bench/judge/bench_stats.h"
#include "bench/judge/bench_verdict.h"

static const struct slice nothing;
static const struct bench_plateau no_plateau;

static struct bench_result passed_result(void)
{
	return (struct bench_result){
		.wanted = 10000,
		.totals = {.started = 10000,
			   .connected = 10000,
			   .held = 10000,
			   .sent = 123456,
			   .received = 123456},
		.hold_s = 30,
		.has_traffic = true,
	};
}

/* --- verdict --- */

static void test_pass(void **state)
{
	(void)state;
	struct bench_result result = passed_result();
	char text[512];

	assert_true(bench_verdict(&result, &no_plateau, NULL, 0, text, sizeof(text)));
	assert_string_equal(text,
			    "PASS: 10,000 of 10,000 connected, 10,000 held 30 s, 123,456 echoes, "
			    "all correct");
}

static void test_pass_without_messages(void **state)
{
	(void)state;
	struct bench_result result = passed_result();
	char text[512];

	result.has_traffic = false;
	result.totals.sent = result.totals.received = 0;
	assert_true(bench_verdict(&result, &no_plateau, NULL, 0, text, sizeof(text)));
	assert_string_equal(text, "PASS: 10,000 of 10,000 connected, 10,000 held 30 s");
}

static void test_refusals_name_the_limit(void **state)
{
	(void)state;
	struct bench_result result = {.wanted = 10000, .totals = {.connected = 1000, .held = 1000}};
	char text[512];

	for (unsigned i = 0; i < 9000; i++)
		bench_causes_add(&result.causes, BENCH_CAUSE_HTTP, 503,
				 SLICE_LITERAL("max_connections; current=1000; max=1000"), nothing,
				 1001 + i, 0);
	assert_false(bench_verdict(&result, &no_plateau, NULL, 0, text, sizeof(text)));
	assert_string_equal(text,
			    "FAIL: 1,000 of 10,000 connected, 1,000 held 0.0 s; 9,000 refused: "
			    "HTTP 503 (Gatehouse-Limit: max_connections; current=1000; "
			    "max=1000)");
}

static void test_each_shortcoming_fails(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct bench_totals totals;
		bool was_interrupted;
		const char *part;
	} rows[] = {
		{"one not connected",
		 {.connected = 9999, .held = 9999, .sent = 5, .received = 5},
		 false,
		 "9,999 of 10,000 connected"},
		{"one not held",
		 {.connected = 10000, .held = 9999, .sent = 5, .received = 5},
		 false,
		 "9,999 held"},
		{"one echo missing",
		 {.connected = 10000, .held = 10000, .sent = 5, .received = 4},
		 false,
		 "4 correct echoes of 5 messages"},
		{"nothing sent", {.connected = 10000, .held = 10000}, false, "no message was sent"},
		{"interrupted",
		 {.connected = 10000, .held = 10000, .sent = 5, .received = 5},
		 true,
		 "interrupted"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_result result = passed_result();
		char text[512];

		result.totals = rows[i].totals;
		result.was_interrupted = rows[i].was_interrupted;
		ASSERT_ROW(!bench_verdict(&result, &no_plateau, NULL, 0, text, sizeof(text)),
			   rows[i].name);
		ASSERT_ROW(strncmp(text, "FAIL: ", 6) == 0, text);
		ASSERT_ROW(strstr(text, rows[i].part) != NULL, text);
	}
}

static void test_what_is_received_must_be_whole(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct bench_totals totals;
		bool is_passed;
		const char *part;
	} rows[] = {
		{"all came", {.received = 50}, true, "50 messages received, 0 missing, 0 late"},
		{"some without a stamp", {.received = 50, .unstamped = 7}, true, "50 messages"},
		{"nothing came", {0}, false, "0 messages received"},
		{"one missing", {.received = 50, .missing = 1}, false, "1 missing"},
		{"one late", {.received = 50, .late = 1}, false, "1 late"},
		{"one repeated", {.received = 50, .repeated = 1}, false, "1 repeated"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_result result = {.wanted = 10, .is_receiver = true};
		char text[512];

		result.totals = rows[i].totals;
		result.totals.connected = result.totals.held = 10;
		ASSERT_ROW(bench_verdict(&result, &no_plateau, NULL, 0, text, sizeof(text)) ==
				   rows[i].is_passed,
			   rows[i].name);
		ASSERT_ROW(strstr(text, rows[i].part) != NULL, text);
	}
}

static void test_verdict_fits_any_room(void **state)
{
	(void)state;
	struct bench_result result = {.wanted = 64};

	for (int i = 0; i < 64; i++)
		bench_causes_add(&result.causes, BENCH_CAUSE_CLOSED, 3000 + i,
				 SLICE_LITERAL("reason"), nothing, 1, 0);
	for (size_t size = 1; size < 200; size++) {
		char *text = malloc(size);

		assert_false(bench_verdict(&result, &no_plateau, NULL, 0, text, size));
		assert_true(strlen(text) < size);
		free(text);
	}
}

/* --- causes --- */

static void test_same_causes_share_a_row(void **state)
{
	(void)state;
	struct bench_causes causes = {0};

	bench_causes_add(&causes, BENCH_CAUSE_HTTP, 503, SLICE_LITERAL("a; current=1"),
			 SLICE_LITERAL("first"), 7, 0);
	bench_causes_add(&causes, BENCH_CAUSE_HTTP, 503, SLICE_LITERAL("a; current=2"),
			 SLICE_LITERAL("second"), 8, 0);
	bench_causes_add(&causes, BENCH_CAUSE_HTTP, 503, SLICE_LITERAL("ab; current=2"), nothing, 9,
			 0);
	bench_causes_add(&causes, BENCH_CAUSE_HTTP, 500, nothing, nothing, 10, 0);
	bench_causes_add(&causes, BENCH_CAUSE_CLOSED, 1013, SLICE_LITERAL("x"), nothing, 11, 0);
	bench_causes_add(&causes, BENCH_CAUSE_CLOSED, 1013, SLICE_LITERAL("y"), nothing, 12, 0);
	assert_int_equal(causes.count, 5);
	assert_int_equal(causes.rows[0].count, 2);
	assert_int_equal(causes.rows[0].first_number, 7);
	assert_string_equal(causes.rows[0].example, "first");
}

static void test_table_is_bounded_and_counts_all(void **state)
{
	(void)state;
	struct bench_causes causes = {0}, merged = {0};
	uint64_t sum = 0;

	for (int i = 0; i < 1000; i++)
		bench_causes_add(&causes, BENCH_CAUSE_CLOSED, i, nothing, nothing, 1, 0);
	bench_causes_merge(&merged, &causes);
	bench_causes_merge(&merged, &causes);
	bench_causes_sort(&merged);
	assert_int_equal(merged.count, BENCH_CAUSES_MAX);
	for (unsigned i = 0; i < merged.count; i++)
		sum += merged.rows[i].count;
	assert_int_equal(sum, 2000);
	assert_int_equal(merged.rows[0].kind, BENCH_CAUSE_OTHER);
}

static void test_peers_words_are_made_harmless(void **state)
{
	(void)state;
	struct bench_causes causes = {0};
	char text[400];

	bench_causes_add(&causes, BENCH_CAUSE_CLOSED, 1008, SLICE_LITERAL("\x1b[2J\n\xff ok"),
			 nothing, 1, 0);
	assert_string_equal(causes.rows[0].label, "?[2J?? ok");
	assert_string_equal(bench_cause_text(&causes.rows[0], text, sizeof(text)),
			    "closed with 1008 \"?[2J?? ok\"");
}

static void test_every_kind_has_text_and_name(void **state)
{
	(void)state;
	for (int kind = 0; kind <= BENCH_CAUSE_OTHER; kind++) {
		struct bench_cause cause = {.kind = (enum bench_cause_kind)kind, .code = ENOMEM};
		char text[400] = "";

		bench_cause_text(&cause, text, sizeof(text));
		assert_true(strlen(text) > 5);
		assert_non_null(bench_cause_kind_name(cause.kind));
	}
}

static void test_descriptors_and_ports_come_with_advice(void **state)
{
	(void)state;
	struct bench_cause cause = {.kind = BENCH_CAUSE_CONNECT, .code = EADDRNOTAVAIL};

	assert_non_null(strstr(bench_cause_advice(&cause), "ip_local_port_range"));
	cause.code = EMFILE;
	assert_non_null(strstr(bench_cause_advice(&cause), "ulimit"));
	cause.code = EPERM;
	assert_null(bench_cause_advice(&cause));
}

/* --- report --- */

static void test_times_have_three_digits(void **state)
{
	(void)state;
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {
		{0, "0 ns"},          {999, "999 ns"},           {1000, "1.00 us"},
		{12345, "12.3 us"},   {123456, "123 us"},        {4560000, "4.56 ms"},
		{NS_PER_S, "1.00 s"}, {90 * NS_PER_S, "90.0 s"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[32];

		ASSERT_ROW(strcmp(units_format_ns(rows[i].ns, out), rows[i].text) == 0, out);
	}
}

static void test_progress_line(void **state)
{
	(void)state;
	struct bench_progress progress;
	const struct bench_totals totals = {
		.connected = 500, .dropped = 20, .failed = 3, .received = 100};
	char line[256];

	bench_progress_init(&progress, NULL, 1000, NS_PER_S);
	assert_string_equal(bench_progress_format(&progress, "holding", &totals, 3 * NS_PER_S, line,
						  sizeof(line)),
			    "holding     connected 500 of 1000  failed 3  250/s  held 480  "
			    "dropped 20  received 50/s  2.0 s");
}

static void test_refusal_detail(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		const char *want;
	} rows[] = {
		{"{\"title\":\"t\",\"detail\":\"9 of 9\"}", "9 of 9"},
		{"{\"title\":\"t\"}", "{\"title\":\"t\"}"},
		{"{\"detail\":7}", "{\"detail\":7}"},
		{"[1,2]", "[1,2]"},
		{"{\"detail\":\"cut", "{\"detail\":\"cut"},
		{"plain", "plain"},
		{"", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[64];

		bench_refusal_detail(slice_from_text(rows[i].body), out, sizeof(out));
		ASSERT_ROW(strcmp(out, rows[i].want) == 0, rows[i].body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_pass_without_messages),
		cmocka_unit_test(test_refusals_name_the_limit),
		cmocka_unit_test(test_each_shortcoming_fails),
		cmocka_unit_test(test_what_is_received_must_be_whole),
		cmocka_unit_test(test_verdict_fits_any_room),
		cmocka_unit_test(test_same_causes_share_a_row),
		cmocka_unit_test(test_table_is_bounded_and_counts_all),
		cmocka_unit_test(test_peers_words_are_made_harmless),
		cmocka_unit_test(test_every_kind_has_text_and_name),
		cmocka_unit_test(test_descriptors_and_ports_come_with_advice),
		cmocka_unit_test(test_times_have_three_digits),
		cmocka_unit_test(test_progress_line),
		cmocka_unit_test(test_refusal_detail),
	};

	return cmocka_run_group_tests_name("bench_report", tests, NULL, NULL);
}
