/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_report.h"

#include <stdarg.h>
#include <string.h>

#include "base/check.h"
#include "config/config_option.h"

#define TEXT_BYTES (CONFIG_REPORT_LINES * (CONFIG_REPORT_LINE_MAX + 1))

void config_report_add(struct config_report *report, const char *format, ...)
{
	char line[CONFIG_REPORT_LINE_MAX];
	va_list args;

	report->count++;
	if (report->shown == CONFIG_REPORT_LINES)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (buf_printf(&report->text, TEXT_BYTES, "%s\n", line) == 0)
		report->shown++; /* else memory is out: counted, and said by print */
}

void config_problem_set(struct config_problem *problem, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(problem->text, sizeof(problem->text), format, args);
	va_end(args);
}

void config_report_print(const struct config_report *report, FILE *to)
{
	if (report->shown > 0)
		fwrite(report->text.data, 1, report->text.len, to);
	if (report->count > report->shown)
		fprintf(to, "%zu more mistakes are not shown\n", report->count - report->shown);
}

void config_report_finish(struct config_report *report)
{
	buf_finish(&report->text);
	*report = (struct config_report){0};
}

static bool is_word_byte(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || (byte != 0 && strchr("._:/{}[]+-", byte) != NULL);
}

static bool is_word(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_word_byte(value.data[i]))
			return false;
	return value.len != 0;
}

char *config_quote(struct slice value, char out[CONFIG_QUOTE_MAX])
{
	const char *quote = is_word(value) ? "" : "\"";
	size_t shown = MIN(value.len, (size_t)CONFIG_QUOTE_BYTES);
	size_t len = (size_t)snprintf(out, CONFIG_QUOTE_MAX, "%s", quote);

	for (size_t i = 0; i < shown; i++) {
		uint8_t byte = value.data[i];

		len += (size_t)snprintf(out + len, CONFIG_QUOTE_MAX - len,
					byte < 0x20 || byte >= 0x7f ? "\\x%02x" : "%c", byte);
	}
	snprintf(out + len, CONFIG_QUOTE_MAX - len, "%s%s", shown < value.len ? "..." : "", quote);
	return out;
}
