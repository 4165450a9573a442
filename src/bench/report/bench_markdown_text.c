/* SPDX-License-Identifier: Apache-2.0
 * bench_markdown_text.c - texts and numbers of others in Markdown, so that they are nothing but
 * that. */
#include "bench/report/bench_markdown.h"

#include <string.h>

#include "base/check.h"
#include "base/units.h"

void bench_markdown_text(const char *text, FILE *to)
{
	for (; text != NULL && *text != 0; text++) {
		unsigned char byte = (unsigned char)*text;

		if (strchr("\\`*_{}[]<>|#", byte) != NULL)
			fputc('\\', to);
		fputc(byte < ' ' || byte == 0x7f ? '?' : byte, to);
	}
}

void bench_markdown_code(const char *text, FILE *to)
{
	fputc('`', to);
	for (; text != NULL && *text != 0; text++) {
		unsigned char byte = (unsigned char)*text;

		fputc(byte == '`' || byte < ' ' || byte == 0x7f ? '\'' : byte, to);
	}
	fputc('`', to);
}

char *bench_markdown_bytes(uint64_t bytes, char out[BENCH_MARKDOWN_BYTES_MAX])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		value /= 1024;
	snprintf(out, BENCH_MARKDOWN_BYTES_MAX, "%.*f %s", unit == 0 ? 0 : 1, value, units[unit]);
	return out;
}

void bench_markdown_number(const json_t *value, const char *unit, enum bench_lang lang, FILE *to)
{
	char digits[UNITS_GROUPED_MAX], bytes[BENCH_MARKDOWN_BYTES_MAX];
	uint64_t number = (uint64_t)MAX(json_integer_value(value), 0);

	if (!json_is_integer(value))
		fputs(bench_word(lang, BENCH_WORD_NO_LIMIT), to);
	else if (unit != NULL && strcmp(unit, "bytes") == 0)
		fputs(bench_markdown_bytes(number, bytes), to);
	else
		fputs(units_format_grouped(number, digits), to);
}
