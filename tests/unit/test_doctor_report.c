/* SPDX-License-Identifier: Apache-2.0
 * test_doctor_report.c - the written report of a made-up machine: what is excluded, by what. */
#include "doctor_unit.h"

#include <stdio.h>

#include "diag/doctor_hypotheses.h"

struct judged {
	struct subject subject;
	struct doctor_hypothesis rows[DOCTOR_HYPOTHESIS_COUNT];
};

static void judge(struct judged *judged)
{
	doctor_hypotheses_judge(&judged->subject.asked, &judged->subject.answer, REPORT_LANG_EN,
				judged->rows);
}

static void test_hypotheses_of_a_gateway(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t max_connections, wanted; /* 0: auto, not asked */
		enum doctor_hypothesis_id id;
		enum report_outcome outcome;
		const char *evidence;
	} rows[] = {
		{"too few descriptors", 0, 5000, DOCTOR_HYPOTHESIS_DESCRIPTORS, REPORT_CONFIRMED,
		 "nofile is 1,024 and allows "},
		{"enough for that", 0, 500, DOCTOR_HYPOTHESIS_DESCRIPTORS, REPORT_EXCLUDED,
		 "nofile is 1,024 and allows "},
		{"auto is no limit of its own", 0, 5000, DOCTOR_HYPOTHESIS_OWN, REPORT_EXCLUDED,
		 "max_connections is "},
		{"the configuration's own", 100, 500, DOCTOR_HYPOTHESIS_OWN, REPORT_CONFIRMED,
		 "max_connections is 100 and allows 100"},
		{"what binds, if nobody asks", 0, 0, DOCTOR_HYPOTHESIS_DESCRIPTORS,
		 REPORT_CONFIRMED, "nofile is 1,024"},
		{"files", 0, 5000, DOCTOR_HYPOTHESIS_FILES, REPORT_EXCLUDED,
		 "fs.file-max is 1,600,000 and allows 1,4"},
		{"memory", 0, 5000, DOCTOR_HYPOTHESIS_MEMORY, REPORT_EXCLUDED,
		 "cgroup.memory: no limit here"},
		{"too little memory", 0, 900000000, DOCTOR_HYPOTHESIS_MEMORY, REPORT_CONFIRMED,
		 "memory is 24 GiB and allows "},
		{"it starts", 0, 5000, DOCTOR_HYPOTHESIS_STARTS, REPORT_EXCLUDED, "epoll: tried"},
		{"a short queue", 0, 5000, DOCTOR_HYPOTHESIS_BURST, REPORT_CONFIRMED,
		 "somaxconn lets 128 wait"},
		{"ports", 0, 5000, DOCTOR_HYPOTHESIS_PORTS, REPORT_EXCLUDED, "28,232 are for who"},
		{"nothing paced", 0, 5000, DOCTOR_HYPOTHESIS_PACED, REPORT_EXCLUDED,
		 "none is configured"},
		{"nothing used up", 0, 5000, DOCTOR_HYPOTHESIS_USED_UP, REPORT_EXCLUDED,
		 "none is used to 95% or more"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct judged judged;
		const struct doctor_hypothesis *row = &judged.rows[rows[i].id];

		subject_of_gateway(&judged.subject, rows[i].max_connections, rows[i].wanted);
		judge(&judged);
		if (row->outcome != rows[i].outcome ||
		    strstr(row->evidence, rows[i].evidence) == NULL)
			fail_msg("%s: %d, '%s'", rows[i].name, row->outcome, row->evidence);
	}
}

static void test_hypotheses_of_a_process(void **state)
{
	(void)state;
	struct process full = server, lossy = server, busy = server, gone = server;
	const struct {
		const char *name;
		const struct process *process;
		enum doctor_hypothesis_id id;
		enum report_outcome outcome;
		const char *evidence;
	} rows[] = {
		{"good", &server, DOCTOR_HYPOTHESIS_QUEUE, REPORT_EXCLUDED,
		 "0.0.0.0:8080: 2 wait, backlog 128, 0 lost"},
		{"full queue", &full, DOCTOR_HYPOTHESIS_QUEUE, REPORT_CONFIRMED, "129 wait"},
		{"lost", &lossy, DOCTOR_HYPOTHESIS_QUEUE, REPORT_CONFIRMED, "7 lost"},
		{"used up", &busy, DOCTOR_HYPOTHESIS_USED_UP, REPORT_CONFIRMED,
		 "nofile is used to 97%"},
		{"runs", &server, DOCTOR_HYPOTHESIS_STARTS, REPORT_EXCLUDED, "it runs"},
		{"gone", &gone, DOCTOR_HYPOTHESIS_STARTS, REPORT_CONFIRMED, "does not run"},
		{"no gateway", &server, DOCTOR_HYPOTHESIS_OWN, REPORT_EXCLUDED,
		 "max_connections: no limit here"},
	};

	full.listeners[0].queue = 129;
	lossy.listeners[0].drops = 7;
	busy.rings = 3;
	busy.established = 3000;
	gone.state = PROCESS_IS_ZOMBIE;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct judged judged;
		const struct doctor_hypothesis *row = &judged.rows[rows[i].id];

		subject_of_process(&judged.subject, rows[i].process, 0);
		judge(&judged);
		if (row->outcome != rows[i].outcome ||
		    strstr(row->evidence, rows[i].evidence) == NULL)
			fail_msg("%s: %d, '%s'", rows[i].name, row->outcome, row->evidence);
	}
}

static void test_what_cannot_be_read_is_not_judged(void **state)
{
	(void)state;
	struct judged judged;

	subject_of_gateway(&judged.subject, 0, 5000);
	judged.subject.facts.os.file_max = (struct os_value){.problem = "forbidden",
							     .source = "/proc/sys/fs/file-max"};
	plan_make(&judged.subject.config, &judged.subject.facts, &judged.subject.plan);
	judge(&judged);
	assert_int_equal(judged.rows[DOCTOR_HYPOTHESIS_FILES].outcome, REPORT_OPEN);
	assert_non_null(strstr(judged.rows[DOCTOR_HYPOTHESIS_FILES].evidence,
			       "fs.file-max could not be read: "));
	judged.subject.asked.own_problem = "no answer in time";
	judged.subject.asked.obstacle = "io_uring is forbidden";
	judge(&judged);
	assert_int_equal(judged.rows[DOCTOR_HYPOTHESIS_OWN].outcome, REPORT_OPEN);
	assert_int_equal(judged.rows[DOCTOR_HYPOTHESIS_STARTS].outcome, REPORT_CONFIRMED);
}

static const char *written(const struct subject *subject, enum report_lang lang)
{
	static char text[65536];
	FILE *to = fmemopen(text, sizeof(text), "w");

	assert_non_null(to);
	assert_int_equal(doctor_write_markdown(&subject->asked, &subject->answer, lang, to), 0);
	fclose(to);
	return text;
}

static void test_a_document_in_each_language(void **state)
{
	(void)state;
	static const char *const parts[][2] = {
		{"(it does not fit)", "（"},          {"## Background", "## 背景"},
		{"## Environment", "## 环境"},        {"## Limits\n", "## 限制\n"},
		{"## Hypotheses", "## 假设与排查"},   {"**confirmed**", "**已证实**"},
		{"## What binds", "## 起作用的限制"}, {"## Cure", "## 解决办法"},
	};
	struct subject subject;

	subject_of_gateway(&subject, 0, 5000);
	for (size_t i = 1; i < ARRAY_LEN(parts); i++) {
		ASSERT_ROW(strstr(written(&subject, REPORT_LANG_EN), parts[i][0]), parts[i][0]);
		ASSERT_ROW(strstr(written(&subject, REPORT_LANG_ZH), parts[i][1]), parts[i][1]);
	}
	const char *text = written(&subject, REPORT_LANG_EN);

	assert_non_null(strstr(text, parts[0][0]));
	assert_non_null(strstr(text, "- systemd: `LimitNOFILE="));
	assert_non_null(
		strstr(text, "Advice, for when many come at once:\n\n- sysctl: `sysctl -w"));
	assert_non_null(strstr(text, "gatehouse doctor --connections 5000\n"));
	subject_of_gateway(&subject, 0, 50);
	text = written(&subject, REPORT_LANG_EN);
	assert_non_null(strstr(text, "(it fits)"));
	assert_non_null(strstr(text, "What would stop a larger test first: `nofile`"));
}

/* A process may be called whatever it likes. */
static void test_names_are_no_markup(void **state)
{
	(void)state;
	struct process process = server;
	struct subject subject;

	snprintf(process.name, sizeof(process.name), "<b>|x");
	snprintf(process.command, sizeof(process.command), "x | [a](http://b) `c`\n# d");
	subject_of_process(&subject, &process, 0);
	const char *text = written(&subject, REPORT_LANG_EN);

	assert_null(strstr(text, "<b>"));
	assert_null(strstr(text, "\n# d"));
	assert_null(strstr(text, "[a]("));
	assert_non_null(strstr(text, "x \\| \\[a\\](http://b) \\`c\\`?\\# d"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hypotheses_of_a_gateway),
		cmocka_unit_test(test_hypotheses_of_a_process),
		cmocka_unit_test(test_what_cannot_be_read_is_not_judged),
		cmocka_unit_test(test_a_document_in_each_language),
		cmocka_unit_test(test_names_are_no_markup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
