/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report/bench_html_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "bench/judge/bench_verdict.h"
#include "proto/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* --- escaping --- */

/* Bytes of the valid character at `at`, which is not the NUL; 0: it is none. */
static size_t character_length(const uint8_t *at)
{
	uint32_t state = UTF8_BOUNDARY;

	for (size_t len = 1; len <= 4 && at[len - 1] != 0; len++) {
		state = utf8_feed(state, at + len - 1, 1);
		if (state == UTF8_BOUNDARY)
			return len;
		if (state == UTF8_REJECT)
			return 0;
	}
	return 0;
}

static bool is_between(const uint8_t *at, size_t len, const char *low, const char *high)
{
	return len == strlen(low) && memcmp(at, low, len) >= 0 && memcmp(at, high, len) <= 0;
}

/* C0, C1 and DEL mean nothing on a page; marks of direction can make a text read as
 * another one. Tab and line feed are white space like any other. */
static bool is_harmful(const uint8_t *at, size_t len)
{
	if (len == 1)
		return (at[0] < ' ' && at[0] != '\t' && at[0] != '\n') || at[0] == 0x7f;
	return is_between(at, len, "\xc2\x80", "\xc2\x9f") ||         /* U+0080..9F */
	       is_between(at, len, "\xe2\x80\x8b", "\xe2\x80\x8f") || /* U+200B..0F */
	       is_between(at, len, "\xe2\x80\xa8", "\xe2\x80\xae") || /* U+2028..2E */
	       is_between(at, len, "\xe2\x81\xa6", "\xe2\x81\xa9") || /* U+2066..69 */
	       is_between(at, len, "\xef\xbf\xbe", "\xef\xbf\xbf");   /* U+FFFE, U+FFFF */
}

static const char *entity_of(uint8_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void html_escape_start(const char *text, size_t max, FILE *to)
{
	const uint8_t *at = (const uint8_t *)text;
	const uint8_t *start = at;

	while (*at != 0) {
		size_t len = character_length(at);
		const char *entity = entity_of(*at);

		if ((size_t)(at - start) + MAX(len, 1) > max) {
			fputs("...", to);
			return;
		}
		if (entity != NULL)
			fputs(entity, to);
		else if (len == 0 || is_harmful(at, len))
			fputs(REPLACEMENT, to);
		else
			fwrite(at, 1, len, to);
		at += MAX(len, 1);
	}
}

void html_escape(const char *text, FILE *to)
{
	html_escape_start(text, SIZE_MAX, to);
}

void html_printf(FILE *to, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	html_escape(text, to);
}

/* --- numbers --- */

char *html_real(double value, char out[HTML_NUMBER_MAX])
{
	if (!(value >= 0) || value >= 1e18)
		snprintf(out, HTML_NUMBER_MAX, "%g", value);
	else if (value >= 100 || value == floor(value))
		units_format_grouped((uint64_t)llround(value), out);
	else
		snprintf(out, HTML_NUMBER_MAX,
			 value < 0.1  ? "%.3f"
			 : value < 10 ? "%.2f"
				      : "%.1f",
			 value);
	return out;
}

char *html_latency(double ns, char out[HTML_NUMBER_MAX])
{
	static const struct {
		double ns;
		const char *unit;
	} scales[] = {{NS_PER_S, "s"}, {NS_PER_MS, "ms"}, {NS_PER_US, "µs"}, {1, "ns"}};
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(scales) && ns < scales[i].ns)
		i++;
	double value = ns / scales[i].ns;
	int digits = value < 10 && i < 3 ? 2 : value < 100 && i < 3 ? 1 : 0;

	snprintf(out, HTML_NUMBER_MAX, "%.*f %s", digits, value, scales[i].unit);
	return out;
}

char *html_seconds(double seconds, char out[HTML_NUMBER_MAX])
{
	uint64_t whole = seconds < 0 ? 0 : (uint64_t)llround(seconds);

	if (seconds < 120 && seconds == (double)whole)
		snprintf(out, HTML_NUMBER_MAX, "%" PRIu64 " s", whole);
	else if (seconds < 120)
		snprintf(out, HTML_NUMBER_MAX, seconds < 10 ? "%.2f s" : "%.1f s", seconds);
	else if (whole < 7200)
		snprintf(out, HTML_NUMBER_MAX, "%" PRIu64 " min %" PRIu64 " s", whole / 60,
			 whole % 60);
	else
		snprintf(out, HTML_NUMBER_MAX, "%" PRIu64 " h %" PRIu64 " min", whole / 3600,
			 whole / 60 % 60);
	return out;
}

char *html_size(uint64_t bytes, char out[HTML_NUMBER_MAX])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t i = 0;

	for (; value >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		value /= 1024;
	snprintf(out, HTML_NUMBER_MAX, value < 100 && value != floor(value) ? "%.1f %s" : "%.0f %s",
		 value, units[i]);
	return out;
}
