/* SPDX-License-Identifier: Apache-2.0
 * fuzz_unit_file.c - the input as a unit of systemd, and what it says as times and limits. */
#include "fuzz.h"

#include "diag/unit_file.h"

static void value_check(const char *value)
{
	CHECK(strlen(value) < UNIT_VALUE_MAX && strchr(value, '\n') == NULL);
}

#define UNIT_MERGED(member, key)       \
	value_check(unit.member.text); \
	CHECK(unit.member.from <= 1);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	static struct unit_file unit;
	char file[UNIT_VALUE_MAX];
	uint64_t value;

	bool is_service = unit_file_read(slice_of(copy, size), &unit);

#define UNIT_CHECK(member, key)        \
	value_check(unit.member.text); \
	CHECK(is_service || unit.member.text[0] == 0);
	UNIT_KEYS(UNIT_CHECK)
	if (unit_time_read(unit.timeout_stop.text, &value))
		CHECK(value == UNIT_FOREVER || value < UINT64_C(1) << 63);
	if (unit_limit_read(unit.limit_nofile.text, &value))
		CHECK(unit.limit_nofile.text[0] != 0);
	if (unit_config_read(unit.exec_start.text, file))
		CHECK(strlen(file) < sizeof(file));
	/* As a drop-in it changes what there is, and nothing else. */
	unit_file_merge(slice_of(copy, size), 1, &unit);
	UNIT_KEYS(UNIT_MERGED)
	free(copy);
	return 0;
}
