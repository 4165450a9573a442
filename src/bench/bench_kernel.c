/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* `names` and `numbers` are two lines of the same group: "TcpExt: A B", "TcpExt: 1 2". */
static void group_take(const char *file, char *names, char *numbers, struct bench_kernel *kernel)
{
	char *name_rest, *number_rest;
	const char *group = strtok_r(names, ": \n", &name_rest);
	const char *name, *number = strtok_r(numbers, ": \n", &number_rest);

	if (group == NULL || number == NULL)
		return;
	while ((name = strtok_r(NULL, " \n", &name_rest)) != NULL &&
	       (number = strtok_r(NULL, " \n", &number_rest)) != NULL)
		for (int i = 0; i < BENCH_KERNEL_COUNT; i++) {
			if (strcmp(table[i].file, file) != 0 ||
			    strcmp(table[i].group, group) != 0 || strcmp(table[i].name, name) != 0)
				continue;
			kernel->values[i] = strtoull(number, NULL, 10);
			kernel->is_known[i] = true;
		}
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
