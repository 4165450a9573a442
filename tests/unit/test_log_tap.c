/* SPDX-License-Identifier: Apache-2.0
 * test_log_tap.c - whoever reads along with the log: each line is good JSON, whatever is in it. */
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "unit.h"

struct reader {
	struct log_tap tap;
	json_t *last; /* NULL: nothing was told since */
	enum log_level level;
	size_t count;
};

static void on_told(struct log_tap *tap, enum log_level level, const char *event, size_t len)
{
	struct reader *reader = CONTAINER_OF(tap, struct reader, tap);

	assert_true(len < LOG_EVENT_MAX);
	json_decref(reader->last);
	reader->last = json_loadb(event, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(reader->last);
	reader->level = level;
	reader->count++;
}

static struct reader reader = {.tap = {.told = on_told}};

static const char *text_of(const char *name)
{
	return json_string_value(json_object_get(reader.last, name));
}

static json_t *field(const char *name)
{
	return json_object_get(json_object_get(reader.last, "fields"), name);
}

static void test_a_line(void **state)
{
	uint64_t now_ms = clock_wall_ns() / NS_PER_MS;

	(void)state;
	log_set_tap(&reader.tap);
	log_warn("something \"happened\"", F_TEXT("who", "a\n\x1b[31m\xc3\xa9\xff"),
		 F_TEXT("none", NULL), F_UINT("count", UINT64_C(7)));
	log_set_tap(NULL);
	assert_string_equal(text_of("text"), "something \"happened\"");
	assert_string_equal(text_of("level"), "warn");
	assert_int_equal(reader.level, LOG_LEVEL_WARN);
	assert_true(json_integer_value(json_object_get(reader.last, "at_ms")) >=
		    (json_int_t)now_ms);
	assert_string_equal(json_string_value(field("who")), "a\n\x1b[31m\xc3\xa9\\xff");
	assert_string_equal(json_string_value(field("none")), "-");
	assert_int_equal(json_integer_value(field("count")), 7);
	assert_null(json_object_get(reader.last, "cut"));
}

static void test_without_fields(void **state)
{
	(void)state;
	log_set_tap(&reader.tap);
	log_info("nothing else");
	log_set_tap(NULL);
	assert_int_equal(json_object_size(json_object_get(reader.last, "fields")), 0);
	assert_true(json_is_object(json_object_get(reader.last, "fields")));
}

/* What is off is not told, and nobody is told who has left. */
static void test_only_what_is_on(void **state)
{
	size_t before = reader.count;

	(void)state;
	log_set_tap(&reader.tap);
	log_debug("not on");
	assert_int_equal(reader.count, before);
	log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
	assert_int_equal(log_lowest(), LOG_LEVEL_DEBUG);
	log_debug("on now");
	assert_int_equal(reader.count, before + 1);
	log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	log_set_tap(NULL);
	log_error("to nobody");
	assert_int_equal(reader.count, before + 1);
}

/* Of each length around what fits: good JSON, with whole fields. */
static void test_long_lines(void **state)
{
	static char text[LOG_EVENT_MAX + 100];

	(void)state;
	log_set_tap(&reader.tap);
	for (size_t len = LOG_EVENT_MAX - 300; len < LOG_EVENT_MAX + 50; len++) {
		memset(text, 'x', len);
		text[len] = 0;
		log_info("long", F_UINT("first", 1), F_TEXT("much", text), F_UINT("last", 2));
		bool is_cut = json_is_true(json_object_get(reader.last, "cut"));

		assert_int_equal(json_integer_value(field("first")), 1);
		assert_true((field("much") == NULL || field("last") == NULL) == is_cut);
		log_info(text, F_UINT("first", 1));
		assert_true(strcmp(text_of("text"), text) == 0 ||
			    strcmp(text_of("text"), "(too long)") == 0);
	}
	log_set_tap(NULL);
}

/* A line that standard error does not take is told all the same. */
static void test_nobody_reads_standard_error(void **state)
{
	int ends[2], saved = dup(STDERR_FILENO);
	static const char filler[65536];
	size_t before = reader.count;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_true(write(ends[1], filler, sizeof(filler)) > 0);
	dup2(ends[1], STDERR_FILENO);
	log_set_tap(&reader.tap);
	log_warn("the pipe is full");
	log_set_tap(NULL);
	dup2(saved, STDERR_FILENO);
	assert_int_equal(reader.count, before + 1);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}

static void *log_much(void *arg)
{
	for (unsigned i = 0; i < 300; i++)
		log_error("from a thread", F_TEXT("name", (const char *)arg));
	return NULL;
}

/* One after the other, and none once it has been taken out. */
static void test_threads(void **state)
{
	pthread_t threads[4];
	char name[] = "x";
	int saved = dup(STDERR_FILENO);
	FILE *nowhere = fopen("/dev/null", "w");

	(void)state;
	assert_non_null(nowhere);
	dup2(fileno(nowhere), STDERR_FILENO);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_much, name), 0);
	for (unsigned i = 0; i < 100; i++) {
		log_set_tap(&reader.tap);
		sched_yield();
		log_set_tap(NULL);
		json_decref(reader.last);
		reader.last = NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	fclose(nowhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line),
		cmocka_unit_test(test_without_fields),
		cmocka_unit_test(test_only_what_is_on),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_nobody_reads_standard_error),
		cmocka_unit_test(test_threads),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	json_decref(reader.last);
	return failed;
}
