/* SPDX-License-Identifier: Apache-2.0
 * test_certificate_map.c - files that say which certificate is which client. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "auth/certificate_map.h"
#include "tls/tls_peer.h"
#include "unit.h"

#define HASH "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688"
#define COLONS                                                                                 \
	"46:8E:D3:3B:E7:4E:EE:65:56:D9:0C:01:49:C1:30:9E:9B:A6:1D:64:25:30:34:43:C0:74:8A:02:" \
	"DD:8D:E6:88"
#define OTHER "568ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688"

static int parse(struct slice text, struct certificate_map **out_map,
		 struct certificate_map_error *error)
{
	uint8_t *copy = malloc(text.len + 1);

	memcpy(copy, text.data, text.len);
	int r = certificate_map_parse("map", slice_of(copy, text.len), out_map, error);

	free(copy); /* the map needs it no more */
	return r;
}

static void assert_id(const struct certificate_map *map, const char *fingerprint,
		      const char *subject, const char *want)
{
	const struct tls_peer_facts peer = {.fingerprint = fingerprint, .subject = subject};
	const char *id = certificate_map_find(map, &peer);

	if (want == NULL)
		assert_null(id);
	else if (id == NULL || strcmp(id, want) != 0)
		fail_msg("%s, not %s", id == NULL ? "nobody" : id, want);
}

static void test_all_kinds_of_lines(void **state)
{
	static const char text[] = "# chargers\r\n"
				   "\n"
				   "  " COLONS "  =>  CP 1  \r\n" OTHER "=>CP 1\n"
				   "CN=CP 2,O=ACME\\, Inc. => CP => 2\n"
				   "CN=S\\C3\\A4ule => S\xc3\xa4ule";
	struct certificate_map *map = NULL;
	struct certificate_map_error error;

	(void)state;
	assert_int_equal(parse(SLICE_LITERAL(text), &map, &error), 0);
	assert_int_equal(certificate_map_count(map), 4);
	assert_id(map, HASH, NULL, "CP 1");
	assert_id(map, OTHER, "CN=somebody", "CP 1");
	assert_id(map, "aa", "CN=CP 2,O=ACME\\, Inc.", "CP => 2");
	assert_id(map, NULL, "CN=S\\C3\\A4ule", "S\xc3\xa4ule");
	assert_id(map, NULL, "CN=CP 2", NULL);
	assert_id(map, NULL, "cn=CP 2,O=ACME\\, Inc.", NULL);
	assert_id(map, NULL, NULL, NULL);
	/* A subject that looks like somebody's fingerprint is not it: it has a '='. */
	assert_id(map, NULL, COLONS, NULL);
	certificate_map_unref(&map);
	certificate_map_unref(&map);
}

static const struct {
	const char *name;
	struct slice text;
	const char *want; /* part of the error */
} mistakes[] = {
	{"nothing", {(const uint8_t *)"", 0}, "map: has no certificate"},
	{"only remarks", SLICE_LITERAL("# a => b\n\n"), "map: has no certificate"},
	{"no arrow", SLICE_LITERAL("\n" HASH " CP1"), "map:2: the line has no '=>'"},
	{"no id", SLICE_LITERAL(HASH " => "), "map:1: the line has no client id"},
	{"no certificate", SLICE_LITERAL(" => CP1"), "map:1: the line names no certificate"},
	{"a name alone", SLICE_LITERAL("CP1 => CP1"), "map:1: the line names no certificate"},
	{"63 digits",
	 SLICE_LITERAL("8ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688a => a"),
	 "names no certificate"},
	{"SHA-1", SLICE_LITERAL("8ed33be74eee6556d90c0149c1309e9ba61d6425 => a"),
	 "names no certificate"},
	{"a colon missing",
	 SLICE_LITERAL(
		 "46:8E:D3:3B:E7:4E:EE:65:56:D9:0C:01:49:C1:30:9E:9B:A6:1D:64:25:30:34:43:C0:74:8A:"
		 "02:DD:8D:E6-88 => a"),
	 "names no certificate"},
	{"twice", SLICE_LITERAL(HASH " => a\nCN=x => y\n" COLONS " => b\n"),
	 "map:3: the certificate " HASH " is in line 1 too"},
	{"twice the same", SLICE_LITERAL("CN=x => y\n#\nCN=x => y\n"),
	 "map:3: the certificate CN=x is in line 1 too"},
	{"NUL", SLICE_LITERAL("CN=x => y\0z"), "map:1: the line has a control character"},
	{"no UTF-8", SLICE_LITERAL("CN=x => y\xff"), "map:1: the line is not UTF-8"},
	{"a lone CR", SLICE_LITERAL("CN=x => y\rCN=z => w"), "a control character"},
};

static void test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		struct certificate_map *map = NULL;
		struct certificate_map_error error = {.text = ""};

		ASSERT_ROW(parse(mistakes[i].text, &map, &error) == -EINVAL, mistakes[i].name);
		ASSERT_ROW(map == NULL, mistakes[i].name);
		if (strstr(error.text, mistakes[i].want) == NULL)
			fail_msg("row '%s': %s", mistakes[i].name, error.text);
	}
}

static void test_the_longest_id(void **state)
{
	char text[300];

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		struct certificate_map *map = NULL;
		struct certificate_map_error error;
		size_t len = (size_t)snprintf(text, sizeof(text), "CN=x => ");

		memset(text + len, 'i', 255 + more);
		len += 255 + more;
		assert_int_equal(parse(slice_of(text, len), &map, &error), more ? -EINVAL : 0);
		certificate_map_unref(&map);
	}
}

static void test_many_lines(void **state)
{
	enum { COUNT = 100000, SIZE = COUNT * 96 };
	char *text = malloc(SIZE), hash[65], id[16];
	struct certificate_map *map = NULL;
	struct certificate_map_error error;
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		len += (size_t)snprintf(text + len, SIZE - len, "%064x => CP%u\n", i * 2654435761u,
					i);
	assert_int_equal(parse(slice_of(text, len), &map, &error), 0);
	free(text);
	assert_int_equal(certificate_map_count(map), COUNT);
	for (unsigned i = 0; i < COUNT; i += 997) {
		snprintf(hash, sizeof(hash), "%064x", i * 2654435761u);
		snprintf(id, sizeof(id), "CP%u", i);
		assert_id(map, hash, NULL, id);
	}
	certificate_map_unref(&map);
}

static void test_files(void **state)
{
	char name[] = "/tmp/gatehouse-map-XXXXXX";
	struct certificate_map *map = NULL;
	struct certificate_map_error error;
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "CN=a => b\n", 10), 10);
	close(fd);
	assert_int_equal(certificate_map_read(name, &map, &error), 0);
	assert_id(map, NULL, "CN=a", "b");
	certificate_map_unref(&map);
	unlink(name);
	assert_int_equal(certificate_map_read(name, &map, &error), -EINVAL);
	assert_non_null(strstr(error.text, "No such file"));
	assert_int_equal(certificate_map_read("/tmp", &map, &error), -EINVAL);
	assert_non_null(strstr(error.text, "directory"));
	assert_int_equal(certificate_map_read("/dev/null", &map, &error), -EINVAL);
	assert_non_null(strstr(error.text, "it is no file"));
	assert_null(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds_of_lines),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_the_longest_id),
		cmocka_unit_test(test_many_lines),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
