/* SPDX-License-Identifier: Apache-2.0
 * fuzz_config.c - any text as a configuration file: it loads and prints as a text that
 * loads to the same, or it is refused with a mistake. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "config/config.h"

static int load(struct slice text, struct config *out_config)
{
	struct config_report report = {0};
	struct config_sources sources = {.file = "fuzz.yaml", .text = &text};
	int r = config_load(&sources, &report, out_config);

	CHECK((r == 0) == (report.count == 0));
	CHECK(report.shown <= CONFIG_REPORT_LINES && report.shown <= report.count);
	config_report_finish(&report);
	return r;
}

/* A line without where its value came from, which is behind the last '#'. */
static struct slice value_of(const char **text)
{
	const char *line = *text, *end = line + strcspn(line, "\n");
	const char *origin = memrchr(line, '#', (size_t)(end - line));

	*text = *end == 0 ? end : end + 1;
	return slice_of(line, (size_t)((origin == NULL ? end : origin) - line));
}

static void same_check(const char *a, const char *b)
{
	while (*a != 0 && *b != 0) {
		struct slice one = value_of(&a), other = value_of(&b);

		CHECK(one.len == other.len && memcmp(one.data, other.data, one.len) == 0);
	}
	CHECK(*a == *b);
}

/* The caller frees it. */
static char *values_print(const struct config *config, size_t *out_len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, out_len);

	CHECK(to != NULL);
	config_print(config, to);
	CHECK(fclose(to) == 0);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config, again;
	uint8_t *input = fuzz_copy(data, size);
	size_t len;
	int r = load(slice_of(input, size), &config);

	free(input);
	if (r < 0)
		return 0;
	CHECK(config.route_count > 0);
	char *text = values_print(&config, &len);

	CHECK(load(slice_of(text, len), &again) == 0);
	char *text_again = values_print(&again, &len);

	same_check(text, text_again);
	config_finish(&again);
	config_finish(&config);
	free(text);
	free(text_again);
	return 0;
}
