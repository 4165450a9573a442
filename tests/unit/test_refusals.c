/* SPDX-License-Identifier: Apache-2.0
 * test_refusals.c - what refuses has the name it has in the limits table. */
#include "unit.h"

#include "diag/limits.h"
#include "conn/refusal_table.h"

static bool is_refusal(const char *label)
{
	for (unsigned i = 0; i < REFUSAL_COUNT; i++)
		if (strcmp(refusal_table[i].label, label) == 0)
			return true;
	return false;
}

static bool is_limit(const char *label)
{
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++)
		if (strcmp(limit_label(i), label) == 0)
			return true;
	return false;
}

static void test_every_limit_that_caps_can_refuse_by_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++)
		ASSERT_ROW(limit_kind(i) != LIMIT_CAPS || is_refusal(limit_label(i)),
			   limit_label(i));
}

static void test_every_refusal_is_a_limit_or_a_state_of_the_gateway(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REFUSAL_COUNT; i++) {
		bool is_state = i == REFUSAL_STARTING || i == REFUSAL_DRAINING;

		ASSERT_ROW(is_limit(refusal_table[i].label) != is_state, refusal_table[i].label);
	}
}

static void test_refusals_say_what_to_do(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REFUSAL_COUNT; i++) {
		const struct refusal_entry *entry = &refusal_table[i];
		bool is_about_the_client = i == REFUSAL_MAX_CONNECTIONS_PER_IP ||
					   i == REFUSAL_ACCEPT_RATE || i == REFUSAL_TAKEOVER_RATE ||
					   i == REFUSAL_AUTH_FAILURES;

		ASSERT_ROW(entry->status == (is_about_the_client ? 429 : 503), entry->label);
		ASSERT_ROW(strlen(entry->title) > 10 && strlen(entry->remedy) > 10, entry->label);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_limit_that_caps_can_refuse_by_name),
		cmocka_unit_test(test_every_refusal_is_a_limit_or_a_state_of_the_gateway),
		cmocka_unit_test(test_refusals_say_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
