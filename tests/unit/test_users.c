/* SPDX-License-Identifier: Apache-2.0
 * test_users.c - users files, secrets, and what an Authorization carries. */
#include "unit.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/authorization.h"
#include "auth/crypt_cost.h"
#include "auth/users.h"

/* Of "0123456789abcdef", as sha256sum has it. */
#define KEY        "0123456789abcdef"
#define KEY_SHA256 "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"
#define KEY_BASE64 "n59REfeyengfHx3d5evC3St5a/xzZcnCi1SOVkF2kp8="
/* The same octets in digits. */
#define KEY_DIGITS "30313233343536373839616263646566"

static struct users *parse(const char *text, enum secret_format format, struct users_error *error)
{
	struct users *users = NULL;

	error->text[0] = 0;
	return users_parse("users", slice_from_text(text), format, &users, error) == 0 ? users
										       : NULL;
}

static enum users_verdict ask(const struct users *users, const char *name, const char *secret,
			      struct users_slow *slow)
{
	return users_check(users, slice_from_text(name), slice_from_text(secret), slow);
}

/* --- lines --- */

static void test_good_lines(void **state)
{
	static const struct {
		const char *name, *text;
		enum secret_format format;
		const char *user, *secret;
		enum users_verdict want;
	} rows[] = {
		{"hex", "a:sha256:" KEY_SHA256, SECRET_TEXT, "a", KEY, USERS_GOOD},
		{"base64", "a:sha256:" KEY_BASE64, SECRET_TEXT, "a", KEY, USERS_GOOD},
		{"another", "a:sha256:" KEY_SHA256, SECRET_TEXT, "a", "0123456789abcdeF",
		 USERS_WRONG},
		{"nobody", "a:sha256:" KEY_SHA256, SECRET_TEXT, "b", KEY, USERS_WRONG},
		{"a name is no prefix", "ab:sha256:" KEY_SHA256, SECRET_TEXT, "a", KEY,
		 USERS_WRONG},
		{"plain", "a:plain:x y", SECRET_TEXT, "a", "x y", USERS_GUESSED},
		{"plain with colons", "a:plain::x:y:", SECRET_TEXT, "a", ":x:y:", USERS_GUESSED},
		{"no secret sent", "a:plain:x", SECRET_TEXT, "a", "", USERS_WRONG},
		{"CRLF, comments, blanks", "\r\n# x\r\n \t\r\na:plain:x\r\n", SECRET_TEXT, "a", "x",
		 USERS_GUESSED},
		{"a byte order mark",
		 "\xef\xbb\xbf"
		 "a:plain:x",
		 SECRET_TEXT, "a", "x", USERS_GUESSED},
		{"the old of two", "a:plain:old|plain:new", SECRET_TEXT, "a", "old", USERS_GUESSED},
		{"the new of two", "a:plain:old|plain:new", SECRET_TEXT, "a", "new", USERS_GUESSED},
		{"in two lines", "a:plain:old\nb:plain:x\na:plain:new", SECRET_TEXT, "a", "new",
		 USERS_GUESSED},
		{"the same twice", "a:plain:x\na:plain:x\na:plain:x\na:plain:y", SECRET_TEXT, "a",
		 "y", USERS_GUESSED},
		{"of somebody else", "a:plain:x\nb:plain:y", SECRET_TEXT, "a", "y", USERS_WRONG},
		{"UTF-8", "z\xc3\xbc:plain:\xc3\xa4", SECRET_TEXT, "z\xc3\xbc", "\xc3\xa4",
		 USERS_GUESSED},
		{"ocpp: characters", "a:" KEY, SECRET_OCPP, "a", KEY, USERS_GOOD},
		{"ocpp: digits in the file", "a:" KEY_DIGITS, SECRET_OCPP, "a", KEY, USERS_GOOD},
		{"ocpp: digits sent", "a:" KEY, SECRET_OCPP, "a", KEY_DIGITS, USERS_GOOD},
		{"ocpp: upper case", "a:4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f", SECRET_OCPP, "a",
		 "4F4F4F4F4F4F4F4F4F4F4F4F4F4F4F4F4F4F4F4F", USERS_GOOD},
		{"ocpp: a digest of the octets", "a:sha256:" KEY_SHA256, SECRET_OCPP, "a",
		 KEY_DIGITS, USERS_GOOD},
		{"ocpp: too short", "a:" KEY, SECRET_OCPP, "a", "0123456789abcde", USERS_WRONG},
		{"ocpp: text takes them as they are", "a:plain:" KEY_DIGITS, SECRET_TEXT, "a", KEY,
		 USERS_WRONG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct users_error error;
		struct users_slow slow;
		struct users *users;

		users = parse(rows[i].text, rows[i].format, &error);
		ASSERT_ROW(users != NULL, rows[i].name);
		ASSERT_ROW(ask(users, rows[i].user, rows[i].secret, &slow) == rows[i].want,
			   rows[i].name);
		users_unref(&users);
	}
}

/* For what is not compared. */
#define HASH "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_bad_lines_are_named(void **state)
{
	static char long_name[USERS_NAME_MAX + 16];
	static const struct {
		const char *name, *text;
		enum secret_format format;
		const char *want;
	} rows[] = {
		{"nothing", "", SECRET_TEXT, "users: has no user"},
		{"comments only", "# a:b\n", SECRET_TEXT, "users: has no user"},
		{"no colon", "ok:plain:x\nfoo", SECRET_TEXT, "users:2: the line has no ':'"},
		{"no name", ":plain:x", SECRET_TEXT, "users:1: the line has no name"},
		{"no secret", "a:", SECRET_TEXT, "users:1: the line has no secret"},
		{"an empty one", "a:plain:", SECRET_TEXT, "users:1: the line has an empty secret"},
		{"of no kind", "a:hunter2", SECRET_TEXT, "of no known kind"},
		{"md5, as some programs keep it", "a:5f4dcc3b5aa765d61d8327deb882cf99", SECRET_TEXT,
		 "of no known kind"},
		{"behind the bar", "a:plain:x|y", SECRET_TEXT, "of no known kind"},
		{"nothing behind it", "a:plain:x|", SECRET_TEXT, "no secret behind"},
		{"short digest", "a:sha256:9f9f", SECRET_TEXT, "64 hexadecimal digits"},
		{"no digits", "a:sha256:x" KEY_SHA256, SECRET_TEXT, "64 hexadecimal digits"},
		{"a blank behind it", "a:sha256:" KEY_SHA256 " ", SECRET_TEXT,
		 "64 hexadecimal digits"},
		{"base64 with rubbish", "a:sha256:n59REfeyengfHx3d5evC3St5a/xzZcnCi1SOVkF2kp9=",
		 SECRET_TEXT, "64 hexadecimal digits"},
		{"DES", "a:$1$salt$qJH7.N4xYta3aEG/dfqo/0", SECRET_TEXT, "too weak"},
		{"unknown crypt", "a:$99$salt$xxxxxxxxxxxxxxxxxxxxxxxxxx", SECRET_TEXT,
		 "does not know"},
		{"half a hash", "a:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$", SECRET_TEXT, "not all of it"},
		{"too many rounds", "ok:plain:x\njo:$6$rounds=1000001$saltsalt$" HASH, SECRET_TEXT,
		 "users:2: the line has a hash whose rounds= is no number up to 1000000"},
		{"for hours", "jo:$2b$31$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.",
		 SECRET_TEXT, "users:1: the line has a bcrypt hash whose cost"},
		{"all memory", "jo:$y$jFT$saltsalt$" HASH, SECRET_TEXT,
		 "users:1: the line has a yescrypt hash with other parameters"},
		{"three", "a:plain:x|plain:y|plain:z", SECRET_TEXT, "the third secret"},
		{"three lines", "a:plain:x\na:plain:y\na:plain:z", SECRET_TEXT,
		 "users:3: the line is the third secret"},
		{"a control character", "a\tb:plain:x", SECRET_TEXT, "control character"},
		{"NEL", "a\xc2\x85:plain:x", SECRET_TEXT, "control character"},
		{"no UTF-8", "\xff:plain:x", SECRET_TEXT, "is not UTF-8"},
		{"a blank before", " a:plain:x", SECRET_TEXT, "white space"},
		{"a blank behind", "a :plain:x", SECRET_TEXT, "white space"},
		{"a long name", long_name, SECRET_TEXT, "more than 255 bytes"},
		{"ocpp: 15 characters", "a:0123456789abcde", SECRET_OCPP, "neither 16 to 20"},
		{"ocpp: 21 characters", "a:0123456789abcdefghijk", SECRET_OCPP, "neither 16 to 20"},
		{"ocpp: 33 digits", "a:" KEY_DIGITS "0", SECRET_OCPP, "neither 16 to 20"},
		{"ocpp: 42 digits", "a:" KEY_DIGITS "0123456789", SECRET_OCPP, "neither 16 to 20"},
		{"ocpp: 32, and one no digit", "a:3031323334353637383961626364656g", SECRET_OCPP,
		 "neither 16 to 20"},
	};

	(void)state;
	memset(long_name, 'n', USERS_NAME_MAX + 1);
	memcpy(long_name + USERS_NAME_MAX + 1, ":plain:x", sizeof(":plain:x"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct users_error error;
		struct users *users = parse(rows[i].text, rows[i].format, &error);

		ASSERT_ROW(users == NULL, rows[i].name);
		if (strstr(error.text, rows[i].want) == NULL)
			fail_msg("row '%s': %s", rows[i].name, error.text);
		ASSERT_ROW(strstr(error.text, "hunter2") == NULL &&
				   strstr(error.text, "5f4dcc") == NULL,
			   "a secret is told");
	}
}

static void test_any_byte_of_a_key(void **state)
{
	uint8_t key[20];
	char line[64] = "a:";
	struct users_error error;
	struct users_slow slow;

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] = (uint8_t)(i * 13 + 0x80);
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%02X", key[i]);
	}
	key[3] = 0;
	memcpy(line + 2 + 6, "00", 2);
	struct users *users = parse(line, SECRET_OCPP, &error);

	assert_non_null(users);
	struct slice name = SLICE_LITERAL("a");

	assert_int_equal(users_check(users, name, slice_of(key, sizeof(key)), &slow), USERS_GOOD);
	key[19] ^= 1;
	assert_int_equal(users_check(users, name, slice_of(key, sizeof(key)), &slow), USERS_WRONG);
	/* Without data, as an empty slice may be. */
	assert_int_equal(users_check(users, name, (struct slice){0}, &slow), USERS_WRONG);
	users_unref(&users);
}

/* --- crypt(3) --- */

static void test_passwords_of_people(void **state)
{
	char crypted[SECRET_CRYPTED_MAX], line[SECRET_CRYPTED_MAX + 512],
		text[SECRET_CRYPT_MAX + 2];
	struct users_error error;
	struct users_slow slow;

	(void)state;
	assert_true(secret_crypt_new("hunter2", crypted));
	assert_true(secret_crypt_matches("hunter2", crypted));
	assert_false(secret_crypt_matches("hunter3", crypted));
	assert_false(secret_crypt_matches("", crypted));
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	assert_false(secret_crypt_new(text, crypted));
	assert_false(secret_crypt_matches(text, crypted));

	snprintf(line, sizeof(line), "jo:%s\ndev:plain:key\nboth:plain:x|%s", crypted, crypted);
	struct users *users = parse(line, SECRET_TEXT, &error);

	assert_non_null(users);
	assert_int_equal(users_count(users), 3);
	assert_int_equal(ask(users, "jo", "whatever", &slow), USERS_SLOW);
	assert_int_equal(slow.count, 1);
	assert_false(slow.is_vain);
	assert_true(slice_equals(slow.crypted[0], slice_from_text(crypted)));
	assert_int_equal(ask(users, "dev", "key", &slow), USERS_GUESSED);
	assert_int_equal(ask(users, "dev", "yek", &slow), USERS_WRONG);
	assert_int_equal(ask(users, "both", "x", &slow), USERS_GUESSED);
	assert_int_equal(ask(users, "both", "y", &slow), USERS_SLOW);
	/* Somebody who is not there takes as long as jo does, and in vain. */
	assert_int_equal(ask(users, "nobody", "y", &slow), USERS_SLOW);
	assert_true(slow.is_vain && slow.count == 1);
	/* What crypt(3) would not read to its end. */
	assert_int_equal(
		users_check(users, SLICE_LITERAL("jo"), SLICE_LITERAL("hunter2\0x"), &slow),
		USERS_SLOW);
	assert_true(slow.is_vain);
	users_unref(&users);
}

static void test_kinds_of_crypt(void **state)
{
	/* Made of "hunter2" by Python's crypt. */
	static const char *const crypted[] = {
		"$y$j75$7pZ0wVhx6jQ2c4xk8VY6q/$cCcl.2hb7XRPzktoa7SguxpuzN6VTb2wMRuDf9ISLSA",
		("$6$rounds=1000$saltsalt$gqUcWLKt3d1wsoaFq/ZlFXJndu400B3QqT3noJu6R/eEGKKt5.bf/"
		 "H7jRZdxjThW3JpMB1IX.1Z2f5cgwsF710"),
		"$2b$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(crypted); i++) {
		struct secret secret;

		ASSERT_ROW(secret_parse(slice_from_text(crypted[i]), SECRET_TEXT, &secret) == NULL,
			   crypted[i]);
		assert_int_equal(secret.kind, SECRET_CRYPT);
		ASSERT_ROW(secret_crypt_matches("hunter2", crypted[i]), crypted[i]);
		ASSERT_ROW(!secret_crypt_matches("hunter", crypted[i]), crypted[i]);
	}
}

/* What crypt_gensalt(3) writes up to some cost is taken, and nothing beyond it. */
static void test_costs_that_are_given(void **state)
{
	static const struct {
		const char *prefix;
		unsigned long first, last_good, last;
	} rows[] = {
		{"$y$", 1, 8, 11},
		{"$gy$", 1, 8, 11},
		{"$7$", 6, 8, 11},
		{"$2b$", 4, CRYPT_COST_BCRYPT_LOG2, 31},
		{"$2a$", 4, CRYPT_COST_BCRYPT_LOG2, 31},
	};
	static const char salt[33] = "0123456789abcdef0123456789abcdef";
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned long cost = rows[i].first; cost <= rows[i].last; cost++) {
			assert_non_null(crypt_gensalt_rn(rows[i].prefix, cost, salt, 32, setting,
							 sizeof(setting)));
			ASSERT_ROW((crypt_cost_problem(setting) == NULL) ==
					   (cost <= rows[i].last_good),
				   setting);
		}
}

/* What only a hand writes. */
static void test_costs_at_the_edge(void **state)
{
	static const struct {
		const char *setting;
		bool is_good;
	} rows[] = {
		{"$6$saltsalt$", true},
		{"$6$rounds=1000$saltsalt$", true},
		{"$6$rounds=1000000$saltsalt$", true},
		{"$6$rounds=1000001$saltsalt$", false},
		{"$6$rounds=999999999$saltsalt$", false},
		{"$6$rounds=18446744073709551617$saltsalt$", false},
		{"$6$rounds=-1$saltsalt$", false},
		{"$6$rounds=1e9$saltsalt$", false},
		{"$6$rounds=", false},
		{"$2b$14$", true},
		{"$2b$15$", false},
		{"$2b$4$", false},
		{"$2b$", false},
		{"$2y$99$", false},
		{"$y$j9T$", true},
		{"$y$jCT$", true},
		{"$y$jCU$", false},  /* r 33 */
		{"$y$jDT$", false},  /* N 65536 */
		{"$y$jDD$", true},   /* of both less of one */
		{"$y$jz.$", false},  /* N of two digits */
		{"$y$j.z$", true},   /* small, or no setting at all */
		{"$y$j.zz$", false}, /* r of two digits */
		{"$y$j9T.$", false}, /* with p and so on */
		{"$y$/9T$", false},  /* another flavour */
		{"$y$j9", false},
		{"$y$", false},
		{"$7$DU..../....", true},
		{"$7$DV..../....", false},
		{"$7$EU..../....", false},
		{"$7$CU....0....", false}, /* p 2 */
		{"$7$CU........z", false}, /* p 2^30 */
		{"$7$.zzzzz/....", false}, /* r 2^30 */
		{"$7$zU..../....", false}, /* N 2^63 */
		{"$7$C...../....", false}, /* r 0 */
		{"$7$CU..", false},
		{"$9$saltsalt$", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW((crypt_cost_problem(rows[i].setting) == NULL) == rows[i].is_good,
			   rows[i].setting);
}

/* --- files --- */

static char *write_file(char *name, const char *text, size_t len, mode_t mode)
{
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return name;
}

static void test_files(void **state)
{
	char mine[] = "/tmp/users-XXXXXX", open[] = "/tmp/users-XXXXXX";
	struct users_error error;
	struct users *users;
	bool is_open;

	(void)state;
	write_file(mine, "a:plain:x\n", 10, 0640);
	write_file(open, "a:plain:x\n", 10, 0644);
	assert_int_equal(users_read(mine, SECRET_TEXT, &users, &is_open, &error), 0);
	assert_false(is_open);
	users_unref(&users);
	assert_int_equal(users_read(open, SECRET_TEXT, &users, &is_open, &error), 0);
	assert_true(is_open);
	users_unref(&users);
	unlink(mine);
	unlink(open);
	assert_int_equal(users_read(mine, SECRET_TEXT, &users, &is_open, &error), -EINVAL);
	assert_non_null(strstr(error.text, "No such file"));
	assert_int_equal(users_read("/tmp", SECRET_TEXT, &users, &is_open, &error), -EINVAL);
	assert_non_null(strstr(error.text, "Is a directory"));
	assert_int_equal(users_read("/dev/zero", SECRET_TEXT, &users, &is_open, &error), -EINVAL);
	assert_non_null(strstr(error.text, "is no file"));
}

static void test_a_hundred_thousand_lines(void **state)
{
	enum { COUNT = 100000 };
	size_t size = (size_t)COUNT * 32, len = 0;
	char *text = malloc(size);
	struct users_error error;
	struct users_slow slow;
	struct users *users;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < COUNT; i++)
		len += (size_t)snprintf(text + len, size - len, "dev-%u:plain:key-%u\r\n", i,
					i * 7);
	assert_int_equal(users_parse("users", slice_of(text, len), SECRET_TEXT, &users, &error), 0);
	free(text);
	assert_int_equal(users_count(users), COUNT);
	for (unsigned i = 0; i < COUNT; i += 997) {
		char name[32], key[32];

		snprintf(name, sizeof(name), "dev-%u", i);
		snprintf(key, sizeof(key), "key-%u", i * 7);
		assert_int_equal(ask(users, name, key, &slow), USERS_GUESSED);
		assert_int_equal(ask(users, name, name, &slow), USERS_WRONG);
	}
	users_unref(&users);
}

/* --- Authorization --- */

static enum authorization_result find(const char *fields, const char *scheme, struct slice *out)
{
	char request[4096];
	struct http_head head;
	struct http_error error;
	size_t used;

	static char kept[4096]; /* what *out points into */

	snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", fields);
	memcpy(kept, request, sizeof(kept));
	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(http_head_parse(&head, &http_limits_default, (const uint8_t *)kept,
					 strlen(kept), &used, &error),
			 HTTP_OK);
	return authorization_find(&head, (const uint8_t *)kept, scheme, out);
}

static void test_schemes(void **state)
{
	struct slice value = {0};

	(void)state;
	assert_int_equal(find("", "Basic", &value), AUTHORIZATION_NONE);
	assert_int_equal(find("Authorization: Bearer x\r\n", "Basic", &value), AUTHORIZATION_NONE);
	assert_int_equal(find("Authorization: Basics x\r\n", "Basic", &value), AUTHORIZATION_NONE);
	assert_null(value.data);
	assert_int_equal(find("authorization: bASIC   eA==\r\n", "Basic", &value),
			 AUTHORIZATION_FOUND);
	assert_true(slice_equals(value, SLICE_LITERAL("eA==")));
	assert_int_equal(find("Authorization: Basic\r\n", "Basic", &value), AUTHORIZATION_FOUND);
	assert_int_equal(value.len, 0);
	assert_int_equal(
		find("Authorization: Basic x\r\nAuthorization: Basic y\r\n", "Basic", &value),
		AUTHORIZATION_BAD);
	assert_int_equal(
		find("Authorization: Bearer x\r\nAuthorization: Basic y\r\n", "Basic", &value),
		AUTHORIZATION_BAD);
}

static void test_credentials(void **state)
{
	static const struct {
		const char *base64;
		const char *name, *secret; /* NULL: bad */
	} rows[] = {
		{"YTpi", "a", "b"},
		{"Og==", "", ""},
		{"YTpiOmM=", "a", "b:c"},
		{"QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
		{"", NULL, NULL},
		{"YQ==", NULL, NULL},
		{"YTpi====", NULL, NULL},
		{"YTpi YTpi", NULL, NULL},
		{"YTp", NULL, NULL},
		{"YTpi\n", NULL, NULL},
		{"YTpiOmN=", NULL, NULL},
		{"=TpiOmM=", NULL, NULL},
		{"YTpi,YTpi", NULL, NULL},
		{"YTpi\xff\xff\xff\xff", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct basic_credentials out;
		bool is_good = basic_credentials_read(slice_from_text(rows[i].base64), &out);

		ASSERT_ROW(is_good == (rows[i].name != NULL), rows[i].base64);
		ASSERT_ROW(!is_good || slice_equals(out.name, slice_from_text(rows[i].name)),
			   rows[i].base64);
		ASSERT_ROW(!is_good || slice_equals(out.secret, slice_from_text(rows[i].secret)),
			   rows[i].base64);
		basic_credentials_wipe(&out);
		assert_null(out.secret.data);
	}
}

/* The longest that is taken, and each that is longer. */
static void test_long_credentials(void **state)
{
	(void)state;
	for (size_t len = 4; len <= 4096; len += 4) {
		char *text = malloc(len);
		struct basic_credentials out;

		assert_non_null(text);
		memset(text, 'A', len);
		memcpy(text, "YTpi", 4);
		bool is_good = basic_credentials_read(slice_of(text, len), &out);

		assert_int_equal(is_good, len / 4 * 3 <= BASIC_CREDENTIALS_MAX);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lines),
		cmocka_unit_test(test_bad_lines_are_named),
		cmocka_unit_test(test_any_byte_of_a_key),
		cmocka_unit_test(test_passwords_of_people),
		cmocka_unit_test(test_kinds_of_crypt),
		cmocka_unit_test(test_costs_that_are_given),
		cmocka_unit_test(test_costs_at_the_edge),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_a_hundred_thousand_lines),
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_long_credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
