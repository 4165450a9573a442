/* SPDX-License-Identifier: Apache-2.0
 * test_server_storm.c - when memory is given back: after a storm, and not in it. */
#include "unit.h"

#include "server/server_private.h"

static void test_memory_is_given_back_after_a_storm(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t accepted, sockets; /* at this tick */
		bool is_due;
	} ticks[] = {
		{"nothing yet", 0, 0, false},
		{"a few clients", 20, 20, false},
		{"still a few", 40, 40, false},
		{"a storm", 5000, 5000, false},
		{"it goes on", 10000, 10000, false},
		{"rest", 10010, 10010, false},
		{"rest again", 10020, 10020, true},
		{"nothing new", 10020, 10020, false},
		{"all go", 10020, 20, false},
		{"rest after that", 10020, 20, false},
		{"rest after that again", 10020, 20, true},
		{"a storm between two ticks that leaves nobody", 12020, 20, false},
		{"rest after nobody", 12020, 20, false},
		{"rest after nobody again", 12020, 20, true},
		{"some", 12500, 500, false},
		{"less than a storm", 12500, 500, false},
		{"less than a storm, for long", 12500, 500, false},
		{"until the sum is one", 12580, 580, false},
		{"which is noticed", 12600, 100, false},
		{"when it rests", 12600, 100, false},
		{"for two ticks", 12600, 100, true},
	};
	struct server_storm storm = {0};

	for (size_t i = 0; i < ARRAY_LEN(ticks); i++)
		ASSERT_ROW(server_storm_tick(&storm, ticks[i].accepted, ticks[i].sockets) ==
				   ticks[i].is_due,
			   ticks[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_is_given_back_after_a_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
