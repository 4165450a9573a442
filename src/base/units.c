/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first: the formatter takes the first one that divides. */
static const struct unit durations[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct unit sizes[] = {
	{"GiB", 1073741824}, {"MiB", 1048576}, {"KiB", 1024}, {"GB", 1000000000},
	{"MB", 1000000},     {"kB", 1000},     {"B", 1},
};

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

/* Reads the digits at the start of `text`; *out_used is how many there were. */
static enum units_result digits_parse(struct slice text, uint64_t *out_value, size_t *out_used)
{
	uint64_t value = 0;
	size_t i = 0;

	if (text.len == 0)
		return UNITS_EMPTY;
	for (; i < text.len && is_digit(text.data[i]); i++) {
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
			return UNITS_TOO_BIG;
	}
	if (i == 0)
		return UNITS_MALFORMED;
	*out_value = value;
	*out_used = i;
	return UNITS_OK;
}

enum units_result units_parse_count(struct slice text, uint64_t *out_count)
{
	uint64_t value;
	size_t used;
	enum units_result r = digits_parse(text, &value, &used);

	if (r != UNITS_OK)
		return r;
	if (used != text.len)
		return UNITS_MALFORMED;
	*out_count = value;
	return UNITS_OK;
}

/* Why what stands behind the digits is no unit. */
static enum units_result behind_digits(struct slice rest)
{
	if (rest.len == 0)
		return UNITS_NO_UNIT;
	if ((rest.data[0] == '.' || rest.data[0] == ',') &&
	    (rest.len == 1 || is_digit(rest.data[1])))
		return UNITS_FRACTION;
	for (size_t i = 0; i < rest.len; i++)
		if (is_digit(rest.data[i]))
			return UNITS_SEVERAL;
	return UNITS_BAD_UNIT;
}

static enum units_result with_unit(struct slice text, const struct unit *units, size_t count,
				   uint64_t *out_value)
{
	uint64_t value;
	size_t used;
	enum units_result r = digits_parse(text, &value, &used);

	if (r != UNITS_OK)
		return r;
	struct slice name = slice_of(text.data + used, text.len - used);

	if (name.len == 0 && value != 0)
		return UNITS_NO_UNIT;
	for (size_t i = 0; i < count; i++) {
		if (name.len != 0 && !slice_equals(name, slice_from_text(units[i].name)))
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, &value))
			return UNITS_TOO_BIG;
		*out_value = value;
		return UNITS_OK;
	}
	return behind_digits(name);
}

enum units_result units_parse_duration_ms(struct slice text, uint64_t *out_ms)
{
	return with_unit(text, durations, ARRAY_LEN(durations), out_ms);
}

enum units_result units_parse_size(struct slice text, uint64_t *out_bytes)
{
	return with_unit(text, sizes, ARRAY_LEN(sizes), out_bytes);
}

#define RATIO_DIGITS 6

enum units_result units_parse_ratio(struct slice text, uint64_t *out_millionths)
{
	uint64_t whole, value = 0;
	size_t used;
	enum units_result r = digits_parse(text, &whole, &used);

	if (r != UNITS_OK)
		return r;
	struct slice rest = slice_of(text.data + used, text.len - used);
	size_t digits = rest.len == 0 ? 0 : rest.len - 1;

	if (rest.len > 0 && (rest.data[0] != '.' || digits == 0 || digits > RATIO_DIGITS))
		return UNITS_MALFORMED;
	for (size_t i = 1; i <= RATIO_DIGITS; i++) {
		uint8_t digit = i <= digits ? rest.data[i] : '0';

		if (!is_digit(digit))
			return UNITS_MALFORMED;
		value = value * 10 + (uint64_t)(digit - '0');
	}
	if (__builtin_mul_overflow(whole, UINT64_C(1000000), &whole) ||
	    __builtin_add_overflow(whole, value, &value))
		return UNITS_TOO_BIG;
	*out_millionths = value;
	return UNITS_OK;
}

char *units_format_ratio(uint64_t millionths, char *out, size_t size)
{
	int len = snprintf(out, size, "%" PRIu64 ".%06" PRIu64, millionths / 1000000,
			   millionths % 1000000);

	while (len > 0 && (out[len - 1] == '0' || out[len - 1] == '.')) {
		bool is_point = out[--len] == '.';

		out[len] = 0;
		if (is_point)
			break;
	}
	return out;
}

const char *units_explain(enum units_result result, const char *kind)
{
	bool is_duration = strcmp(kind, "duration") == 0;
	bool is_count = strcmp(kind, "count") == 0;

	if (strcmp(kind, "ratio") == 0 && result == UNITS_MALFORMED)
		return "is not a number such as 0.05, with at most 6 digits behind its point";

	switch (result) {
	case UNITS_OK:
		return "is good";
	case UNITS_EMPTY:
		return "is empty";
	case UNITS_TOO_BIG:
		return "is too large for 64 bits";
	case UNITS_NO_UNIT:
		return is_duration ? "has no unit: write ms, s, m, h or d behind the number"
				   : "has no unit: write B, KiB, MiB or GiB behind the number";
	case UNITS_BAD_UNIT:
		return is_duration ? "has an unknown unit: use ms, s, m, h or d"
				   : "has an unknown unit: use B, KiB, MiB, GiB, kB, MB or GB";
	case UNITS_FRACTION:
		return is_duration ? "is not a whole number: use a smaller unit, as 1500ms for 1.5s"
				   : "is not a whole number: use a smaller unit, as 1536KiB for "
				     "1.5MiB";
	case UNITS_SEVERAL:
		return is_duration ? "has more than one number: use one, as 90s for 1m30s"
				   : "has more than one number: use one, as 1536KiB";
	case UNITS_MALFORMED:
		break;
	}
	if (is_count)
		return "is not a whole number";
	return is_duration ? "is not a duration such as 10s or 500ms"
			   : "is not a size such as 64KiB or 1MiB";
}

static char *format(uint64_t value, const struct unit *units, size_t count, char *out, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		bool is_last = i == count - 1;

		if (!is_last && (value == 0 || value % units[i].factor != 0))
			continue;
		snprintf(out, size, "%" PRIu64 "%s", value / units[i].factor, units[i].name);
		break;
	}
	return out;
}

char *units_format_duration_ms(uint64_t ms, char *out, size_t size)
{
	return format(ms, durations, ARRAY_LEN(durations), out, size);
}

char *units_format_size(uint64_t bytes, char *out, size_t size)
{
	return format(bytes, sizes, ARRAY_LEN(sizes), out, size);
}

char *units_format_grouped(uint64_t count, char out[UNITS_GROUPED_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	char *to = out;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = 0;
	return out;
}

char *units_format_ns(uint64_t ns, char out[UNITS_NS_TEXT_MAX])
{
	static const struct {
		uint64_t ns;
		const char *unit;
	} scales[] = {{NS_PER_S, "s"}, {NS_PER_MS, "ms"}, {NS_PER_US, "us"}};

	for (size_t i = 0; i < ARRAY_LEN(scales); i++) {
		if (ns < scales[i].ns)
			continue;
		double value = (double)ns / (double)scales[i].ns;

		snprintf(out, UNITS_NS_TEXT_MAX, "%.*f %s",
			 value < 10    ? 2
			 : value < 100 ? 1
				       : 0,
			 value, scales[i].unit);
		return out;
	}
	snprintf(out, UNITS_NS_TEXT_MAX, "%" PRIu64 " ns", ns);
	return out;
}
