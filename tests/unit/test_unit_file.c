/* SPDX-License-Identifier: Apache-2.0
 * test_unit_file.c - units of systemd, and the times and limits in them. */
#include "unit.h"

#include "diag/unit_file.h"

static struct unit_file unit;

static bool read_text(const char *text)
{
	/* Exactly as long, so that a sanitizer sees a read past its end. */
	size_t len = strlen(text);
	uint8_t *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	bool r = unit_file_read(slice_of(copy, len), &unit);

	free(copy);
	return r;
}

static void test_a_unit(void **state)
{
	(void)state;
	assert_true(read_text("# a comment\n[Unit]\nTimeoutStopSec=1\n[Service]\n"
			      "Type = notify \r\nLimitNOFILE=100000\nTimeoutStopSec=5min\n"
			      "ExecStart=/bin/gatehouse serve \\\n; not this\n   -c /etc/g.yaml\n"
			      "NotifyAccess=all\n[Install]\nType=simple\n"));
	assert_string_equal(unit.type.text, "notify");
	assert_string_equal(unit.limit_nofile.text, "100000");
	assert_string_equal(unit.timeout_stop.text, "5min");
	assert_string_equal(unit.exec_start.text, "/bin/gatehouse serve  -c /etc/g.yaml");
	assert_string_equal(unit.notify_access.text, "all");
	assert_string_equal(unit.watchdog.text, "");
}

static void test_the_last_counts(void **state)
{
	(void)state;
	assert_true(read_text("[Service]\nType=exec\nType=notify\nWatchdogSec=5\nWatchdogSec=\n"));
	assert_string_equal(unit.type.text, "notify");
	assert_string_equal(unit.watchdog.text, "");
}

static void merge_text(const char *text, unsigned from)
{
	unit_file_merge(slice_of(text, strlen(text)), from, &unit);
}

static void test_drop_ins(void **state)
{
	(void)state;
	assert_true(read_text("[Service]\nType=notify\nWatchdogSec=5\nLimitNOFILE=100\n"
			      "ExecStart=/bin/a\n"));
	merge_text("[Unit]\nType=exec\n[Service]\nWatchdogSec=\nLimitNOFILE=200\n", 1);
	merge_text("Type=exec\n", 2); /* in no section */
	merge_text("[Service]\nLimitNOFILE=300\nExecStart=\nExecStart=/bin/b\n", 3);
	assert_string_equal(unit.type.text, "notify");
	assert_int_equal(unit.type.from, 0);
	assert_string_equal(unit.watchdog.text, "");
	assert_int_equal(unit.watchdog.from, 1);
	assert_string_equal(unit.limit_nofile.text, "300");
	assert_int_equal(unit.limit_nofile.from, 3);
	assert_string_equal(unit.exec_start.text, "/bin/b");
}

/* Of TimeoutStopSec and TimeoutSec, which sets both ends, the later counts. */
static void test_both_times(void **state)
{
	(void)state;
	assert_true(read_text("[Service]\nTimeoutStopSec=330\n"));
	merge_text("[Service]\nTimeoutSec=20\n", 1);
	assert_string_equal(unit.timeout_stop.text, "");
	assert_string_equal(unit.timeout.text, "20");
	merge_text("[Service]\nTimeoutStopSec=40\n", 2);
	assert_string_equal(unit.timeout_stop.text, "40");
}

static void test_no_unit_of_a_service(void **state)
{
	static const char *const texts[] = {"",
					    "\n",
					    "server:\n  listen: 1\n",
					    "[Unit]\nType=notify",
					    "[Service",
					    "[service]\nType=notify",
					    "\\",
					    "[Socket]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		ASSERT_ROW(!read_text(texts[i]), texts[i]);
		ASSERT_ROW(unit.type.text[0] == 0, texts[i]);
	}
}

static void test_odd_ends(void **state)
{
	(void)state;
	assert_true(read_text("[Service]\nType=notify\\"));
	assert_string_equal(unit.type.text, "notify");
	assert_true(read_text("[Service]\nType=notify\\\n"));
	assert_string_equal(unit.type.text, "notify");
	assert_true(read_text("[Service]\nType"));
	assert_true(read_text("[Service]\n=\nType=\\\n\\\n\\\nnotify"));
	assert_string_equal(unit.type.text, "   notify");
}

static void test_a_long_value_is_cut(void **state)
{
	char text[4 * UNIT_VALUE_MAX] = "[Service]\nExecStart=";

	(void)state;
	memset(text + strlen(text), 'x', sizeof(text) - 1 - strlen(text));
	text[sizeof(text) - 1] = 0;
	assert_true(read_text(text));
	assert_int_equal(strlen(unit.exec_start.text), UNIT_VALUE_MAX - 1);
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		uint64_t want_ms; /* 0: it is none */
	} cases[] = {
		{"90", 90000},
		{"90s", 90000},
		{"5min 20s", 320000},
		{"5min20s", 320000},
		{"5 min 20 sec", 320000},
		{"1h", 3600000},
		{"2d", 172800000},
		{"1500ms", 1500},
		{"1w 1d", 691200000},
		{"5m", 300000},
		{"infinity", UNIT_FOREVER},
		{"", 0},
		{"s", 0},
		{"-1", 0},
		{"1.5h", 0},
		{"5 minutos", 0},
		{"1M", 0},
		{"1y", 0},
		{" 5", 0},
		{"5;", 0},
		{"9999999999", 0},
		{"1 1 1 1 1 1 1 1", 8000},
		{"1 1 1 1 1 1 1 1 1", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t ms = 0;
		bool is_good = unit_time_read(cases[i].text, &ms);

		ASSERT_ROW(is_good == (cases[i].want_ms != 0), cases[i].text);
		ASSERT_ROW(ms == cases[i].want_ms, cases[i].text);
	}
}

static void test_limits(void **state)
{
	static const struct {
		const char *text;
		uint64_t want; /* 0: it is none */
	} cases[] = {
		{"1000", 1000},
		{"1000:2000", 2000},
		{"infinity", UNIT_FOREVER},
		{"1:infinity", UNIT_FOREVER},
		{"", 0},
		{"many", 0},
		{"1000:", 0},
		{"-1", 0},
		{"1K", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t limit = 0;
		bool is_good = unit_limit_read(cases[i].text, &limit);

		ASSERT_ROW(is_good == (cases[i].want != 0), cases[i].text);
		ASSERT_ROW(limit == cases[i].want, cases[i].text);
	}
}

static void test_the_configuration_of_a_command(void **state)
{
	char file[UNIT_VALUE_MAX];

	(void)state;
	assert_true(unit_config_read("/bin/gatehouse serve -c /etc/g.yaml --workers 2", file));
	assert_string_equal(file, "/etc/g.yaml");
	assert_true(unit_config_read("/bin/gatehouse serve --config=/etc/h.yaml", file));
	assert_string_equal(file, "/etc/h.yaml");
	assert_true(unit_config_read("/bin/gatehouse serve  --config  /etc/i.yaml", file));
	assert_string_equal(file, "/etc/i.yaml");
	assert_false(unit_config_read("/bin/gatehouse serve", file));
	assert_false(unit_config_read("/bin/gatehouse serve -c", file));
	assert_false(unit_config_read("", file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_unit),
		cmocka_unit_test(test_the_last_counts),
		cmocka_unit_test(test_drop_ins),
		cmocka_unit_test(test_both_times),
		cmocka_unit_test(test_no_unit_of_a_service),
		cmocka_unit_test(test_odd_ends),
		cmocka_unit_test(test_a_long_value_is_cut),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_the_configuration_of_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
