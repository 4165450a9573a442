/* SPDX-License-Identifier: Apache-2.0
 * test_doctor.c - what the doctor says of a made-up machine and of made-up processes. */
#include "doctor_unit.h"

#include <stdio.h>

#include "base/units.h"
#include "diag/doctor.h"
#include "diag/doctor_format.h"
#include "diag/plan.h"

/* Good until the next call. */
static const char *printed(const struct subject *subject, bool has_colours)
{
	static char text[65536];
	FILE *to = fmemopen(text, sizeof(text), "w");

	assert_non_null(to);
	doctor_print(&subject->asked, &subject->answer, has_colours, to);
	assert_int_equal(fclose(to), 0);
	return text;
}

static size_t position(const char *text, const char *part)
{
	const char *at = strstr(text, part);

	ASSERT_ROW(at != NULL, part);
	return (size_t)(at - text);
}

static void test_numbers_as_people_read_them(void **state)
{
	static const struct {
		uint64_t value;
		const char *number;
		const char *size;
	} rows[] = {
		{0, "0", "0 B"},
		{999, "999", "999 B"},
		{1024, "1,024", "1 KiB"},
		{1000000, "1,000,000", "976.6 KiB"},
		{25 * GIB + GIB / 2, "27,380,416,512", "25.5 GiB"},
		{UINT64_MAX, "18,446,744,073,709,551,615", "16 EiB"},
	};
	char out[DOCTOR_NUMBER_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_string_equal(units_format_grouped(rows[i].value, out), rows[i].number);
		assert_string_equal(doctor_size(rows[i].value, out), rows[i].size);
	}
}

static void test_verdicts_of_a_gateway(void **state)
{
	static const struct {
		uint64_t max_connections;
		uint64_t wanted;
		bool is_good;
		const char *verdict;
	} rows[] = {
		{0, 0, true,
		 "This machine and configuration hold 938 connections; the limit that binds is "
		 "nofile (1,024); next would be fs.file-max at 1,499,000."},
		{500, 0, true,
		 "This machine and configuration hold 500 connections; the limit that binds is "
		 "max_connections (500; default); next would be nofile at 938."},
		{5000, 0, false,
		 "server.max_connections 5,000 (default) cannot be held, serve would not start: "
		 "nofile "
		 "allows "
		 "938."},
		{0, 938, true,
		 "yes: 938 fit. This machine and configuration hold 938 connections; the limit "
		 "that "
		 "binds is nofile (1,024); next would be fs.file-max at 1,499,000."},
		{0, 939, false, "no: nofile allows 938."},
		{500, 600, false, "no: max_connections allows 500 (default)."},
		{500, 9000000, false,
		 "no: max_connections allows 500 (default), nofile allows 938, fs.file-max allows "
		 "1,499,000, "
		 "memory allows 1,572,864."},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct subject subject;

		subject_of_gateway(&subject, rows[i].max_connections, rows[i].wanted);
		assert_string_equal(subject.answer.verdict, rows[i].verdict);
		ASSERT_ROW(subject.answer.is_good == rows[i].is_good, rows[i].verdict);
	}
}

static void test_table_is_aligned_and_sorted(void **state)
{
	struct subject subject;

	(void)state;
	subject_of_gateway(&subject, 0, 0);
	const char *text = printed(&subject, false);
	static const char head[] =
		"\n"
		"limit                   scope          value    used     allows  read from\n"
		"nofile                  process        1,024       7        938  /made/up\n"
		"max_connections         gateway          938       0        938  "
		"server.max_connections, default\n"
		"fs.file-max             machine    1,600,000   1,000  1,499,000  /made/up\n"
		"memory                  machine       24 GiB  12 GiB  1,572,864  /made/up\n";

	position(text, head);
	position(text, "engine: epoll (tried); 2 workers\n");
	assert_int_equal(position(text, subject.answer.verdict), 0);
	assert_null(strchr(text, '\x1b'));
	position(text, "\ncgroup.memory           container  unlimited");
	position(text, "\nWhat to change for more: gatehouse doctor --connections N\n");
}

static void test_changes_are_grouped_by_place(void **state)
{
	struct subject subject;

	(void)state;
	subject_of_gateway(&subject, 500, 2000000);
	const char *text = printed(&subject, false);
	size_t configuration = position(
		text,
		"\n  configuration, for max_connections:\n    server.max_connections: 2000000\n");
	size_t systemd = position(text, "\n  systemd, for nofile:\n    LimitNOFILE=");
	size_t sysctl = position(text, "\n  sysctl, for nofile and fs.file-max:\n");
	size_t advice = position(text,
				 "\nAdvice, for when many come at once:\n  sysctl, for somaxconn:\n"
				 "    sysctl -w net.core.somaxconn=4096\n");

	(void)configuration;
	assert_true(configuration < systemd && systemd < advice);
	assert_true(sysctl < advice);
	position(text + sysctl, "    sysctl -w fs.file-max=2134400\n");
}

static void test_small_listen_queue_is_no_matter_for_few(void **state)
{
	struct subject subject;

	(void)state;
	subject_of_gateway(&subject, 0, 100);
	assert_int_equal(subject.answer.change_count, 0);
	subject_of_gateway(&subject, 0, 900);
	assert_int_equal(subject.answer.change_count, 1);
	assert_true(subject.answer.changes[0].is_advice);
	assert_true(subject.answer.is_good);
}

static void test_colours_only_if_asked_for(void **state)
{
	struct subject subject;

	(void)state;
	subject_of_gateway(&subject, 0, 939);
	const char *text = printed(&subject, true);

	assert_int_equal(position(text, "\x1b[31mno: nofile allows 938.\x1b[0m\n"), 0);
}

static void test_obstacle_is_the_verdict(void **state)
{
	struct subject subject;

	(void)state;
	subject_of_gateway(&subject, 0, 0);
	subject.asked.obstacle = "serve would not start: so and so";
	doctor_judge(&subject.asked, &subject.answer);
	assert_false(subject.answer.is_good);
	assert_string_equal(subject.answer.verdict, "serve would not start: so and so.");
}

/* --- processes --- */

static void test_verdicts_of_a_process(void **state)
{
	struct process full = server, ring = server, zombie = server, busy = server,
		       hidden = {.pid = 77, .name = "srv", .problem = "hidden"};
	const struct {
		const struct process *process;
		uint64_t wanted;
		bool is_good;
		const char *verdict;
	} rows[] = {
		{&server, 0, true,
		 "srv (pid 77) can hold 1,000 connections; the limit that binds is nofile (1,024); "
		 "next would be fs.file-max at 1,499,050."},
		{&server, 1001, false, "no: nofile allows 1,000."},
		{&full, 0, false,
		 "srv (pid 77) can hold 1,000 connections; the limit that binds is nofile (1,024); "
		 "next would be fs.file-max at 1,499,050; the queue of 0.0.0.0:8080 is full: 129 "
		 "wait, its backlog is 128."},
		{&ring, 0, true,
		 "srv (pid 77) can hold 3,072 connections; the limit that binds is nofile (1,024 "
		 "per ring); next would be fs.file-max at 1,499,900."},
		{&busy, 0, false,
		 "srv (pid 77) can hold 3,072 connections; the limit that binds is nofile (1,024 "
		 "per ring); next would be fs.file-max at 1,502,000; nofile is 97% used."},
		{&zombie, 0, false, "srv (pid 77) is a zombie: it has ended and holds nothing."},
		{&hidden, 0, true,
		 "srv (pid 77) can hold 1,024 connections; the limit that binds is nofile (1,024); "
		 "next would be fs.file-max at 1,499,000."},
	};

	(void)state;
	full.listeners[0].queue = 129;
	ring.rings = busy.rings = 3;
	ring.established = 900;
	busy.established = 3000;
	zombie.state = PROCESS_IS_ZOMBIE;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct subject subject;

		subject_of_process(&subject, rows[i].process, rows[i].wanted);
		assert_string_equal(subject.answer.verdict, rows[i].verdict);
		ASSERT_ROW(subject.answer.is_good == rows[i].is_good, rows[i].verdict);
	}
}

static void test_no_room_at_all(void **state)
{
	struct process process = server;
	struct subject subject;

	(void)state;
	process.others = 2000;
	process.sockets = process.listening = 2;
	subject_of_process(&subject, &process, 0);
	assert_false(subject.answer.is_good);
	assert_string_equal(subject.answer.verdict,
			    "there is no room for connections: nofile allows 0.");
	assert_true(subject.answer.change_count > 0);
}

static void test_process_is_described(void **state)
{
	struct process process = server;
	struct subject subject;

	(void)state;
	process.listeners[0].drops = 12345;
	subject_of_process(&subject, &process, 0);
	const char *text = printed(&subject, false);

	position(text, "\nsrv --all\n"
		       "  descriptors: 52 sockets, of which 2 listen; 0 io_uring rings; 22 others\n"
		       "  listens on 0.0.0.0:8080: 50 connections; 2 wait to be accepted, backlog "
		       "128; 12,345 lost\n");
	/* 128 is what net.core.somaxconn allows on this machine. */
	position(text, "\n0.0.0.0:8080 has lost 12,345 connections");
	position(text, "    sysctl -w net.core.somaxconn=256\n");
	process.listeners[0].backlog = 5;
	subject_of_process(&subject, &process, 0);
	text = printed(&subject, false);
	position(text, "Its backlog of 5 is its own setting for listen(2).\n");
}

/* The number that is advised is the one that suffices. */
static void test_advised_descriptors_suffice(void **state)
{
	struct process ring = server;
	const struct process *const processes[] = {&server, &ring};

	(void)state;
	ring.rings = 3;
	ring.established = 900;
	for (size_t i = 0; i < ARRAY_LEN(processes); i++) {
		struct subject subject;
		unsigned long long needed = 0;

		subject_of_process(&subject, processes[i], 50000);
		for (size_t j = 0; j < subject.answer.change_count; j++)
			sscanf(subject.answer.changes[j].remedy.text, "LimitNOFILE=%llu", &needed);
		assert_true(needed > 1024);
		subject.facts.os.nofile_soft = fact(needed);
		doctor_process_input(processes[i], &subject.facts.os, &subject.input);
		limits_build(&subject.input, &subject.limits);
		assert_in_range(subject.limits.rows[LIMIT_ID_NOFILE].connections, 50000, 50002);
	}
}

/* --- JSON --- */

static const char *member(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static void test_json_of_a_process(void **state)
{
	struct process process = server;
	struct subject subject;

	(void)state;
	snprintf(process.name, sizeof(process.name), "s\xffv");
	subject_of_process(&subject, &process, 5000);
	json_t *json = doctor_json(&subject.asked, &subject.answer);
	const json_t *seen = json_object_get(json, "process");
	const json_t *listener = json_array_get(json_object_get(seen, "listeners"), 0);
	const json_t *change = json_array_get(json_object_get(json, "changes"), 0);

	assert_string_equal(member(json, "verdict"), "no: nofile allows 1,000.");
	assert_true(json_is_false(json_object_get(json, "fits")));
	assert_int_equal(json_integer_value(json_object_get(json, "wanted")), 5000);
	assert_string_equal(member(json, "binding"), "nofile");
	assert_int_equal(json_integer_value(json_object_get(json, "used")), 50);
	assert_int_equal(json_array_size(json_object_get(json, "limits")), LIMIT_ID_COUNT);
	assert_string_equal(member(seen, "name"), "s?v");
	assert_int_equal(json_integer_value(json_object_get(seen, "pid")), 77);
	assert_string_equal(member(listener, "address"), "0.0.0.0:8080");
	assert_int_equal(json_integer_value(json_object_get(listener, "backlog")), 128);
	assert_string_equal(member(change, "limit"), "nofile");
	assert_true(json_is_null(json_object_get(json, "engine")));
	json_decref(json);
}

static void test_json_of_what_is_hidden_is_null(void **state)
{
	struct process hidden = {.pid = 77, .name = "srv", .problem = "it is not ours"};
	struct subject subject;

	(void)state;
	subject_of_process(&subject, &hidden, 0);
	json_t *json = doctor_json(&subject.asked, &subject.answer);
	const json_t *seen = json_object_get(json, "process");

	assert_true(json_is_null(json_object_get(seen, "sockets")));
	assert_string_equal(member(seen, "problem"), "it is not ours");
	json_decref(json);
}

static void test_json_of_a_failure_has_the_same_members(void **state)
{
	struct subject subject;
	const char *name;
	json_t *value;

	(void)state;
	subject_of_gateway(&subject, 0, 0);
	json_t *json = doctor_json(&subject.asked, &subject.answer);
	json_t *failure = doctor_json_failure("there is none", 7);

	assert_non_null(failure);
	assert_string_equal(member(failure, "verdict"), "there is none");
	assert_true(json_is_false(json_object_get(failure, "fits")));
	assert_int_equal(json_object_size(failure), json_object_size(json));
	json_object_foreach(json, name, value) assert_non_null(json_object_get(failure, name));
	json_decref(failure);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_as_people_read_them),
		cmocka_unit_test(test_verdicts_of_a_gateway),
		cmocka_unit_test(test_table_is_aligned_and_sorted),
		cmocka_unit_test(test_changes_are_grouped_by_place),
		cmocka_unit_test(test_small_listen_queue_is_no_matter_for_few),
		cmocka_unit_test(test_colours_only_if_asked_for),
		cmocka_unit_test(test_obstacle_is_the_verdict),
		cmocka_unit_test(test_verdicts_of_a_process),
		cmocka_unit_test(test_no_room_at_all),
		cmocka_unit_test(test_process_is_described),
		cmocka_unit_test(test_advised_descriptors_suffice),
		cmocka_unit_test(test_json_of_a_process),
		cmocka_unit_test(test_json_of_what_is_hidden_is_null),
		cmocka_unit_test(test_json_of_a_failure_has_the_same_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
