/* SPDX-License-Identifier: Apache-2.0
 * fuzz_config.c - any text as a configuration file: it loads and prints as a text that
 * loads to the same, or it is refused with a mistake. */
#include "fuzz.h"

#include <stdio.h>

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

#define SAME_VALUE(section, name, ...) \
	CHECK(memcmp(&a->section.name, &b->section.name, sizeof(a->section.name)) == 0);
#define SAME_SECTION(section, table) table(SAME_VALUE)

static void same_check(const struct config *a, const struct config *b)
{
	CONFIG_SECTIONS(SAME_SECTION)
	CHECK(a->route_count == b->route_count);
	for (size_t i = 0; i < a->route_count; i++) {
		CHECK(strcmp(a->routes[i].path, b->routes[i].path) == 0);
		CHECK(a->routes[i].subprotocols.count == b->routes[i].subprotocols.count);
	}
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
	same_check(&config, &again);
	config_finish(&again);
	config_finish(&config);
	free(text);
	return 0;
}
