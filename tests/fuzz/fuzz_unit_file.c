/* SPDX-License-Identifier: Apache-2.0
 * fuzz_unit_file.c - the input as a unit of systemd, and what it says as times and limits. */
#include "fuzz.h"

#include "diag/unit_file.h"

static void value_check(const char *value)
{
	CHECK(strlen(value) < UNIT_VALUE_MAX && strchr(value, '\n') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	static struct unit_file unit;
	char file[UNIT_VALUE_MAX];
	uint64_t value;

	bool is_service = unit_file_read(slice_of(copy, size), &unit);

#define UNIT_CHECK(member, key)   \
	value_check(unit.member); \
	CHECK(is_service || unit.member[0] == 0);
	UNIT_KEYS(UNIT_CHECK)
	if (unit_time_read(unit.timeout_stop, &value))
		CHECK(value == UNIT_FOREVER || value < UINT64_C(1) << 63);
	if (unit_limit_read(unit.limit_nofile, &value))
		CHECK(unit.limit_nofile[0] != 0);
	if (unit_config_read(unit.exec_start, file))
		CHECK(strlen(file) < sizeof(file));
	free(copy);
	return 0;
}
