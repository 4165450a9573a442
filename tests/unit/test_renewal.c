/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "auth/renewal.h"

static const struct {
	const char *text;
	enum renewal_message want;
	const char *token;
} rows[] = {
	{"{\"gatehouse\":\"renew\",\"token\":\"a.b.c\"}", RENEWAL_GOOD, "a.b.c"},
	{" { \"gatehouse\" : \"renew\" , \"token\" : \"a.b.c\" } ", RENEWAL_GOOD, "a.b.c"},
	/* Others' messages. */
	{"", RENEWAL_NONE, NULL},
	{"hello", RENEWAL_NONE, NULL},
	{"[2,\"1\",\"Heartbeat\",{}]", RENEWAL_NONE, NULL},
	{"{}", RENEWAL_NONE, NULL},
	{"{\"token\":\"a.b.c\",\"gatehouse\":\"renew\"}", RENEWAL_NONE, NULL},
	{"{\"gatehouse\":\"other\",\"token\":\"a.b.c\"}", RENEWAL_NONE, NULL},
	{"{\"gatehouse\":{},\"token\":\"a.b.c\"}", RENEWAL_NONE, NULL},
	{"{\"gatehouse\":\"ren", RENEWAL_NONE, NULL},
	{"[\"gatehouse\",\"renew\"]", RENEWAL_NONE, NULL},
	/* For us, and not as it must be: not for a back end either. */
	{"{\"gatehouse\":\"renew\"}", RENEWAL_WRONG, NULL},
	{"{\"gatehouse\":\"renew\",\"token\":\"\"}", RENEWAL_WRONG, NULL},
	{"{\"gatehouse\":\"renew\",\"token\":7}", RENEWAL_WRONG, NULL},
	{"{\"gatehouse\":\"renew\",\"token\":\"a.b.c\"", RENEWAL_WRONG, NULL},
	{"{\"gatehouse\":\"renew\",\"token\":\"a.b.c\"} x", RENEWAL_WRONG, NULL},
	{"{\"gatehouse\":\"renew\",\"token\":\"a\",\"token\":\"b\"}", RENEWAL_WRONG, NULL},
	{"{\"gatehouse\":\"renew\",\"token\":\"a\",\"more\":1}", RENEWAL_WRONG, NULL},
	{"{\"gatehouse\":\"renew\",\"Token\":\"a\"}", RENEWAL_WRONG, NULL},
};

static void test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice token = {0};

		ASSERT_ROW(renewal_read(slice_from_text(rows[i].text), &token) == rows[i].want,
			   rows[i].text);
		ASSERT_ROW((token.len > 0) == (rows[i].token != NULL), rows[i].text);
		if (rows[i].token != NULL)
			ASSERT_ROW(slice_equals(token, slice_from_text(rows[i].token)),
				   rows[i].text);
	}
}

static void test_no_way_reads_tokens(void **state)
{
	struct auth *auth = auth_create("ws", NULL);
	struct auth_result result = {0};

	(void)state;
	assert_int_equal(renewal_check(auth, SLICE_LITERAL("a.b.c"), &result), AUTH_NO_PROOF);
	assert_string_equal(result.reason, "no_tokens");
	assert_false(renewal_is_by_message(auth));
	auth_destroy(&auth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_no_way_reads_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
