/* SPDX-License-Identifier: Apache-2.0
 * test_report_said.c - what the program said in English, in a report's language. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "diag/report_page.h"

static void test_what_was_said_in_chinese(void **state)
{
	static const struct {
		const char *name;
		const char *english;
		const char *chinese;
	} rows[] = {
		{"nothing", "", ""},
		{"no phrase", "colourless green ideas", "colourless green ideas"},
		{"as it is", "always used", "始终使用"},
		{"a value", "environment GATEHOUSE_X", "环境变量 GATEHOUSE_X"},
		{"a value less, for a plural", "io_uring: per ring; 2 workers with one each",
		 "io_uring：每个 ring 单独计算；2 个工作线程各有一个"},
		{"an empty value", "io_uring: per ring; 1 worker with one each",
		 "io_uring：每个 ring 单独计算；1 个工作线程各有一个"},
		{"several", "0: none is kept; it does not cap the total", "0：不保留；不限制总数"},
		{"several, and a strange one between", "0: none is kept; what; always used",
		 "0：不保留；what；始终使用"},
		{"a phrase in a phrase", "engine: epoll (configured)", "引擎：epoll（按配置）"},
		{"a list, and a full stop", "no: nofile allows 938, memory allows 5.",
		 "不能：nofile 允许 938，memory 允许 5。"},
		{"what set it", "no: max_connections allows 9 (/etc/a.yaml:3), nofile allows 5.",
		 "不能：max_connections 允许 9（/etc/a.yaml:3），nofile 允许 5。"},
		{"what to copy stays", "server.max_connections: 5", "server.max_connections: 5"},
		{"braces to be copied",
		 "the server knows the client of this path already: give each connection an id of "
		 "its own, {n} in the URL becomes its number",
		 "服务端已有此路径的客户端：给每个连接各自的 id，URL 中的 {n} 会替换为编号"},
	};
	char out[REPORT_SAID_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_string_equal(report_said(REPORT_LANG_EN, rows[i].english, out),
				    rows[i].english);
		if (strcmp(report_said(REPORT_LANG_ZH, rows[i].english, out), rows[i].chinese) != 0)
			fail_msg("%s: '%s'", rows[i].name, out);
	}
	assert_string_equal(report_said(REPORT_LANG_ZH, NULL, out), "");
}

/* What another program's table says goes through it. */
static void test_long_texts_end_at_a_whole_character(void **state)
{
	static const char *const parts[] = {"; ",           "; always used", "no: ", "environment ",
					    "\xe5\xae\xb9", "{}{1}",         ", "};
	char english[2 * REPORT_SAID_MAX], out[REPORT_SAID_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t len = 0;

		while (len + strlen(parts[i]) + 1 < sizeof(english))
			len += (size_t)snprintf(english + len, sizeof(english) - len, "%s",
						parts[i]);
		for (enum report_lang lang = 0; lang < REPORT_LANG_COUNT; lang++) {
			size_t got = strlen(report_said(lang, english, out));

			assert_true(got < REPORT_SAID_MAX);
			/* It is no phrase of ours: looking for one in it would take long. */
			assert_memory_equal(out, english, got);
			/* The last character is whole: its first byte says how many follow. */
			size_t last = got - 1;

			while (((unsigned char)out[last] & 0xc0) == 0x80)
				last--;
			assert_int_equal(got - last, (unsigned char)out[last] < 0x80 ? 1 : 3);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_said_in_chinese),
		cmocka_unit_test(test_long_texts_end_at_a_whole_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
