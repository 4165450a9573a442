/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "bus/bus_forbidden.h"

static const struct {
	const char *name;
	const char *text;
	bool is_good;
	enum forbidden_kind kind;
	const char *subject;
} words[] = {
	{"publish", "Permissions Violation for Publish to \"a.b.c\"", true, FORBIDDEN_PUBLISH,
	 "a.b.c"},
	{"subscribe", "Permissions Violation for Subscription to \"a.>\"", true,
	 FORBIDDEN_SUBSCRIBE, "a.>"},
	{"subscribe in a queue",
	 "Permissions Violation for Subscription to \"a\" using queue \"q\"", true,
	 FORBIDDEN_SUBSCRIBE, "a"},
	{"another case", "permissions violation for publish to \"a\"", true, FORBIDDEN_PUBLISH,
	 "a"},
	{"without quotes", "Permissions Violation for Publish to a.b", true, FORBIDDEN_PUBLISH,
	 "a.b"},
	{"cut off", "Permissions Violation for Publish to \"a.b", true, FORBIDDEN_PUBLISH, "a.b"},
	{"cut off before it", "Permissions Violation for Publish to \"", false, 0, NULL},
	{"cut off early", "Permissions Violation for Publish t", false, 0, NULL},
	{"something else", "Authorization Violation", false, 0, NULL},
	{"nothing", "", false, 0, NULL},
};

static void test_what_brokers_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i].text);
		uint8_t *copy = malloc(len + 1); /* exact: no read behind its end */
		enum forbidden_kind kind = 99;
		struct slice subject = {0};

		memcpy(copy, words[i].text, len);
		bool is_good = bus_forbidden_parse(slice_of(copy, len), &kind, &subject);

		ASSERT_ROW(is_good == words[i].is_good, words[i].name);
		if (is_good) {
			ASSERT_ROW(kind == words[i].kind, words[i].name);
			ASSERT_ROW(slice_equals(subject, slice_from_text(words[i].subject)),
				   words[i].name);
		}
		free(copy);
	}
}

struct fixture {
	struct bus_forbidden forbidden;
	uint64_t count;
};

static uint64_t seen(struct fixture *f, enum forbidden_kind kind, const char *subject)
{
	return bus_forbidden_seen_ns(&f->forbidden, kind, slice_from_text(subject));
}

static void note(struct fixture *f, enum forbidden_kind kind, const char *subject, uint64_t at_ns)
{
	bus_forbidden_note(&f->forbidden, kind, slice_from_text(subject), at_ns);
}

static void test_a_subject_is_forbidden_until_it_is_lifted_or_old(void **state)
{
	struct fixture f = {0};
	char sentence[FORBIDDEN_SENTENCE];

	(void)state;
	bus_forbidden_init(&f.forbidden, &f.count);
	assert_int_equal(seen(&f, FORBIDDEN_PUBLISH, "a.b"), 0);
	bus_forbidden_describe(&f.forbidden, sentence);
	assert_string_equal(sentence, "");
	note(&f, FORBIDDEN_PUBLISH, "a.b", 10);
	note(&f, FORBIDDEN_SUBSCRIBE, "a.b", 20);
	note(&f, FORBIDDEN_PUBLISH, "a.c", 30);
	assert_int_equal(seen(&f, FORBIDDEN_PUBLISH, "a.b"), 10);
	assert_int_equal(seen(&f, FORBIDDEN_SUBSCRIBE, "a.b"), 20);
	assert_int_equal(seen(&f, FORBIDDEN_SUBSCRIBE, "a.c"), 0);
	assert_int_equal(f.count, 3);
	bus_forbidden_describe(&f.forbidden, sentence);
	assert_string_equal(
		sentence, "the broker forbids to publish to 'a.c'; in all 2 subjects to publish to "
			  "and 1 to subscribe to");
	note(&f, FORBIDDEN_PUBLISH, "a.b", 40);
	assert_int_equal(seen(&f, FORBIDDEN_PUBLISH, "a.b"), 40);
	bus_forbidden_lift(&f.forbidden, FORBIDDEN_PUBLISH, SLICE_LITERAL("a.x"));
	bus_forbidden_lift(&f.forbidden, FORBIDDEN_PUBLISH, SLICE_LITERAL("a.c"));
	assert_int_equal(seen(&f, FORBIDDEN_PUBLISH, "a.c"), 0);
	bus_forbidden_expire(&f.forbidden, FORBIDDEN_SUBSCRIBE, 20);
	assert_int_equal(bus_forbidden_count(&f.forbidden, FORBIDDEN_SUBSCRIBE), 1);
	bus_forbidden_expire(&f.forbidden, FORBIDDEN_SUBSCRIBE, 21);
	assert_int_equal(bus_forbidden_count(&f.forbidden, FORBIDDEN_SUBSCRIBE), 0);
	bus_forbidden_expire(&f.forbidden, FORBIDDEN_PUBLISH, UINT64_MAX);
	assert_int_equal(f.count, 0);
	assert_false(bus_forbidden_has_any(&f.forbidden));
	bus_forbidden_finish(&f.forbidden);
}

/* What libnats reports is cut: the rest of a subject cannot count. */
static void test_a_long_subject_is_known_by_its_beginning(void **state)
{
	char subject[FORBIDDEN_KEY_MAX + 100];
	struct fixture f = {0};

	(void)state;
	memset(subject, 'a', sizeof(subject));
	subject[sizeof(subject) - 1] = 0;
	bus_forbidden_init(&f.forbidden, &f.count);
	bus_forbidden_note(&f.forbidden, FORBIDDEN_PUBLISH, slice_of(subject, FORBIDDEN_KEY_MAX),
			   1);
	assert_int_equal(seen(&f, FORBIDDEN_PUBLISH, subject), 1);
	bus_forbidden_finish(&f.forbidden);
}

/* Clients choose subjects: whoever makes many does not make the table grow for ever. */
static void test_beyond_its_bound_it_remembers_classes(void **state)
{
	char subject[64], sentence[FORBIDDEN_SENTENCE];
	struct fixture f = {0};

	(void)state;
	bus_forbidden_init(&f.forbidden, &f.count);
	for (unsigned i = 0; i < FORBIDDEN_MAX + 1000; i++) {
		snprintf(subject, sizeof(subject), "gatehouse.up.route.%u", i);
		note(&f, FORBIDDEN_PUBLISH, subject, i + 1);
	}
	assert_int_equal(f.count, FORBIDDEN_MAX + 1);
	assert_int_equal(seen(&f, FORBIDDEN_PUBLISH, "gatehouse.up.route.7"), 8);
	assert_int_equal(seen(&f, FORBIDDEN_PUBLISH, subject), FORBIDDEN_MAX + 1000);
	assert_int_equal(seen(&f, FORBIDDEN_PUBLISH, "gatehouse.up.other.7"), 0);
	bus_forbidden_describe(&f.forbidden, sentence);
	assert_non_null(strstr(sentence, "'gatehouse.up.route' and below"));
	for (unsigned i = 0; i < 2 * FORBIDDEN_CLASSES; i++) {
		snprintf(subject, sizeof(subject), "gatehouse.up.%u.x", i);
		note(&f, FORBIDDEN_PUBLISH, subject, i + 1);
	}
	assert_int_equal(f.count, FORBIDDEN_MAX + FORBIDDEN_CLASSES);
	bus_forbidden_lift(&f.forbidden, FORBIDDEN_PUBLISH, SLICE_LITERAL("gatehouse.up.route.x"));
	assert_int_equal(f.count, FORBIDDEN_MAX + FORBIDDEN_CLASSES - 1);
	bus_forbidden_finish(&f.forbidden);
	assert_int_equal(f.count, 0);
}

/* It goes into JSON, where one byte that is no UTF-8 would leave nothing of it. */
static void test_a_subject_is_described_in_utf8(void **state)
{
	struct fixture f = {0};
	char sentence[FORBIDDEN_SENTENCE];

	(void)state;
	bus_forbidden_init(&f.forbidden, &f.count);
	note(&f, FORBIDDEN_SUBSCRIBE, "a.\xff\x1b[31m\xc3", 1);
	bus_forbidden_describe(&f.forbidden, sentence);
	assert_non_null(strstr(sentence, "'a.??[31m?';"));
	bus_forbidden_finish(&f.forbidden);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_brokers_say),
		cmocka_unit_test(test_a_subject_is_forbidden_until_it_is_lifted_or_old),
		cmocka_unit_test(test_a_long_subject_is_known_by_its_beginning),
		cmocka_unit_test(test_beyond_its_bound_it_remembers_classes),
		cmocka_unit_test(test_a_subject_is_described_in_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
