/* SPDX-License-Identifier: Apache-2.0
 * fuzz_report_said.c - texts of another program's limits table, for a report in Chinese.
 *
 * Whatever came: it ends, fits, and stays UTF-8 if it was. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "diag/report_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *english = malloc(size + 1);
	char out[REPORT_SAID_MAX];

	CHECK(english != NULL);
	memcpy(english, data, size);
	english[size] = 0;
	json_t *before = json_string(english);
	json_t *after = json_string(report_said(REPORT_LANG_ZH, english, out));

	CHECK(strlen(out) < REPORT_SAID_MAX);
	CHECK(before == NULL || after != NULL);
	json_decref(before);
	json_decref(after);
	free(english);
	return 0;
}
