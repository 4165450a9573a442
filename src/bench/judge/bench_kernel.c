/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/judge/bench_kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

static const struct {
	const char *file;
	const char *group;
	const char *name;
} table[BENCH_KERNEL_COUNT] = {
#define ROW(NAME, file, group, name) {file, group, name},
	BENCH_KERNEL_COUNTERS(ROW)
#undef ROW
};

const char *bench_kernel_name(enum bench_kernel_id id)
{
	return table[id].name;
}

/* Takes the next word off a line; empty at its end. */
static struct slice word_next(const char **at)
{
	const char *word = *at + strspn(*at, ": \n");
	size_t len = strcspn(word, ": \n");

	*at = word + len;
	return slice_of(word, len);
}

static void number_take(const char *file, struct slice group, struct slice name,
			struct slice number, struct bench_kernel *kernel)
{
	uint64_t value;

	for (int i = 0; i < BENCH_KERNEL_COUNT; i++) {
		if (strcmp(table[i].file, file) != 0 ||
		    !slice_equals(group, slice_from_text(table[i].group)) ||
		    !slice_equals(name, slice_from_text(table[i].name)) ||
		    units_parse_count(number, &value) != UNITS_OK)
			continue;
		kernel->values[i] = value;
		kernel->is_known[i] = true;
	}
}

/* `names` and `numbers` are two lines of the same group: "TcpExt: A B", "TcpExt: 1 2". */
static void group_take(const char *file, const char *names, const char *numbers,
		       struct bench_kernel *kernel)
{
	struct slice group = word_next(&names);
	struct slice name, number;

	(void)word_next(&numbers); /* the group again */
	while ((name = word_next(&names)).len > 0 && (number = word_next(&numbers)).len > 0)
		number_take(file, group, name, number, kernel);
}

static void file_read(const char *root, const char *name, struct bench_kernel *kernel)
{
	char path[4096];
	char *names = NULL, *numbers = NULL;
	size_t names_size = 0, numbers_size = 0;

	snprintf(path, sizeof(path), "%s/proc/net/%s", root, name);
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return;
	while (getline(&names, &names_size, file) > 0 && getline(&numbers, &numbers_size, file) > 0)
		group_take(name, names, numbers, kernel);
	free(names);
	free(numbers);
	fclose(file);
}

void bench_kernel_read(const char *root, struct bench_kernel *out_kernel)
{
	*out_kernel = (struct bench_kernel){0};
	file_read(root, "netstat", out_kernel);
	file_read(root, "snmp", out_kernel);
}

struct bench_kernel bench_kernel_since(const struct bench_kernel *before,
				       const struct bench_kernel *now)
{
	struct bench_kernel since = {0};

	for (int i = 0; i < BENCH_KERNEL_COUNT; i++) {
		since.is_known[i] = before->is_known[i] && now->is_known[i] &&
				    now->values[i] >= before->values[i];
		if (since.is_known[i])
			since.values[i] = now->values[i] - before->values[i];
	}
	return since;
}
