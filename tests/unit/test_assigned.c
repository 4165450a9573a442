/* SPDX-License-Identifier: Apache-2.0
 * test_assigned.c - what a back end says of a client that it lets in: ids and attributes that can
 * be, and why others cannot. */
#include "unit.h"

#include "conn/assigned.h"

static char problem[512];

static bool read_id(const char *text, struct assigned *out)
{
	char *copy = strdup(text); /* of its exact size, but for the NUL */

	assert_non_null(copy);
	memset(out, 0, sizeof(*out));
	problem[0] = 0;
	bool is_good = assigned_id_read(slice_from_text(copy), out, problem, sizeof(problem));

	free(copy);
	return is_good;
}

static void test_ids(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *id;   /* NULL: it is none */
		const char *what; /* then */
	} rows[] = {
		{"CP%200042", "CP 0042", NULL},
		{"J\xc3\xb6rg", "J\xc3\xb6rg", NULL},
		{"J%C3%B6rg%2f%25", "J\xc3\xb6rg/%", NULL},
		{"", NULL, "is empty"},
		{"a%2", NULL, "without two hexadecimal digits"},
		{"a%zz", NULL, "without two hexadecimal digits"},
		{"a%00", NULL, "control character"},
		{"a%0Ab", NULL, "control character"},
		{"a%C3", NULL, "is not UTF-8"},
	};
	struct assigned assigned;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ASSERT_ROW(read_id(rows[i].text, &assigned) == (rows[i].id != NULL), rows[i].text);
		if (rows[i].id != NULL)
			assert_string_equal(assigned.client_id, rows[i].id);
		else
			ASSERT_ROW(strstr(problem, rows[i].what) != NULL, problem);
	}
}

static void test_the_longest_id(void **state)
{
	(void)state;
	char text[3 * PRESENCE_CLIENT_ID_MAX + 4] = "";
	struct assigned assigned;

	for (size_t i = 0; i < PRESENCE_CLIENT_ID_MAX; i++)
		memcpy(&text[3 * i], "%41", 4);
	assert_true(read_id(text, &assigned));
	assert_int_equal(strlen(assigned.client_id), PRESENCE_CLIENT_ID_MAX);
	memcpy(&text[3 * PRESENCE_CLIENT_ID_MAX], "b", 2);
	assert_false(read_id(text, &assigned));
	assert_non_null(strstr(problem, "is too long"));
}

static bool read_list(const char *text, size_t max, struct assigned *out)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	memset(out, 0, sizeof(*out));
	problem[0] = 0;
	bool is_good = assigned_attributes_read(slice_from_text(copy), max, out, problem,
						sizeof(problem));

	free(copy);
	return is_good;
}

static void test_attributes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *block; /* with '|' for NUL; NULL: they cannot be */
		const char *what;  /* then */
	} rows[] = {
		{"", "", NULL},
		{" , ,", "", NULL},
		{"tenant=acme", "tenant|acme|", NULL},
		{"tenant = acme , role=a=b;c", "tenant|acme|role|a=b;c|", NULL},
		{"name=J%C3%B6rg%2C%20x", "name|J\xc3\xb6rg, x|", NULL},
		{"a123456789012345=1", "a123456789012345|1|", NULL},
		{"a1234567890123456=1", NULL, "is no attribute"},
		{"Tenant=acme", NULL, "is no attribute"},
		{"=acme", NULL, "is no attribute"},
		{"tenant", NULL, "is no attribute"},
		{"tenant=", NULL, "is empty"},
		{"tenant=%0d", NULL, "control character"},
		{"tenant=%ff", NULL, "is not UTF-8"},
		{"tenant=%f", NULL, "two hexadecimal digits"},
		{"a=1,a=2", NULL, "is there twice"},
	};
	struct assigned assigned;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ASSERT_ROW(read_list(rows[i].text, 100, &assigned) == (rows[i].block != NULL),
			   rows[i].text);
		if (rows[i].block == NULL) {
			ASSERT_ROW(strstr(problem, rows[i].what) != NULL, problem);
			continue;
		}
		struct slice block = slice_of(assigned.attributes, assigned.attributes_len);

		assert_true(attributes_are_good(block));
		for (size_t k = 0; k < assigned.attributes_len; k++)
			if (assigned.attributes[k] == 0)
				assigned.attributes[k] = '|';
		ASSERT_ROW(slice_equals(block, slice_from_text(rows[i].block)), rows[i].text);
	}
}

static void test_limits_of_attributes(void **state)
{
	(void)state;
	struct assigned assigned;
	char text[512] = "";

	assert_true(read_list("ab=cde", 5, &assigned));
	assert_false(read_list("ab=cde", 4, &assigned));
	assert_non_null(strstr(problem, "server.attributes_max"));
	assert_false(read_list("ab=cde,f=g", 6, &assigned));
	assert_true(read_list("ab=%41%42%43", 5, &assigned)); /* decoded is what counts */
	assert_false(read_list("a=b", 0, &assigned));
	assert_true(read_list("", 0, &assigned));
	for (int name = 'a'; name < 'a' + ATTRIBUTES_MAX; name++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%c=1,", name);
	assert_true(read_list(text, 100, &assigned));
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "z=1");
	assert_false(read_list(text, 100, &assigned));
	assert_non_null(strstr(problem, "is one too many"));
}

static void test_blocks(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct slice block;
		bool is_good;
	} rows[] = {
		{"none", {0}, true},
		{"one", SLICE_LITERAL("a\0b\0"), true},
		{"two", SLICE_LITERAL("a\0b\0c\0d\0"), true},
		{"no end", SLICE_LITERAL("a\0b"), false},
		{"no value", SLICE_LITERAL("a\0"), false},
		{"an empty value", SLICE_LITERAL("a\0\0"), false},
		{"no name", SLICE_LITERAL("\0a\0"), false},
		{"a bad name", SLICE_LITERAL("A\0a\0"), false},
		{"twice", SLICE_LITERAL("a\0b\0c\0d\0a\0e\0"), false},
	};
	struct attribute found;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW(attributes_are_good(rows[i].block) == rows[i].is_good, rows[i].name);
	assert_true(attributes_find(rows[2].block, SLICE_LITERAL("c"), &found));
	assert_true(slice_equals(found.value, SLICE_LITERAL("d")));
	assert_false(attributes_find(rows[2].block, SLICE_LITERAL("d"), &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),        cmocka_unit_test(test_the_longest_id),
		cmocka_unit_test(test_attributes), cmocka_unit_test(test_limits_of_attributes),
		cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
