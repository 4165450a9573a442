/* SPDX-License-Identifier: Apache-2.0
 * report_text.c - words, and texts and numbers of others in Markdown, so that they are nothing but
 * that. */
#include "diag/report_page.h"

#include <string.h>

#include "base/check.h"
#include "base/units.h"

const char *report_word(enum report_lang lang, enum report_word word)
{
#define REPORT_WORD_TEXTS(NAME, en, zh) {en, zh},
	static const char *const texts[][REPORT_LANG_COUNT] = {REPORT_WORDS(REPORT_WORD_TEXTS)};

	return texts[word][lang];
}

const enum report_lang *report_lang_find(const char *name)
{
	static const struct {
		const char *name;
		enum report_lang lang;
	} known[] = {{"en", REPORT_LANG_EN}, {"zh", REPORT_LANG_ZH}};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(name, known[i].name) == 0)
			return &known[i].lang;
	return NULL;
}

void report_text(const char *text, FILE *to)
{
	for (; text != NULL && *text != 0; text++) {
		unsigned char byte = (unsigned char)*text;

		if (strchr("\\`*_{}[]<>|#", byte) != NULL)
			fputc('\\', to);
		fputc(byte < ' ' || byte == 0x7f ? '?' : byte, to);
	}
}

void report_code(const char *text, FILE *to)
{
	fputc('`', to);
	for (; text != NULL && *text != 0; text++) {
		unsigned char byte = (unsigned char)*text;

		fputc(byte == '`' || byte < ' ' || byte == 0x7f ? '\'' : byte, to);
	}
	fputc('`', to);
}

char *report_bytes(uint64_t bytes, char out[REPORT_BYTES_MAX])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		value /= 1024;
	snprintf(out, REPORT_BYTES_MAX, "%.*f %s", unit == 0 ? 0 : 1, value, units[unit]);
	return out;
}

void report_number(const json_t *value, const char *unit, enum report_lang lang, FILE *to)
{
	char digits[UNITS_GROUPED_MAX], bytes[REPORT_BYTES_MAX];
	uint64_t number = (uint64_t)MAX(json_integer_value(value), 0);

	if (!json_is_integer(value))
		fputs(report_word(lang, REPORT_WORD_NO_LIMIT), to);
	else if (unit != NULL && strcmp(unit, "bytes") == 0)
		fputs(report_bytes(number, bytes), to);
	else
		fputs(units_format_grouped(number, digits), to);
}
