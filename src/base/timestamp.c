/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timestamp.h"

#define MS_PER_S     1000
#define S_PER_MINUTE 60
#define S_PER_DAY    86400
/* [s] since the epoch: of the year 10000. */
#define END_S INT64_C(253402300800)

/* What is left of the text. */
struct reader {
	const uint8_t *at, *end;
};

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

/* Exactly so many digits, of a number from `min` to `max`. */
static bool number_read(struct reader *reader, int digits, int64_t min, int64_t max, int64_t *out)
{
	int64_t value = 0;

	for (int i = 0; i < digits; i++) {
		if (reader->at == reader->end || !is_digit(*reader->at))
			return false;
		value = value * 10 + (*reader->at++ - '0');
	}
	*out = value;
	return value >= min && value <= max;
}

static bool one_of(struct reader *reader, const char *bytes, char *out)
{
	if (reader->at == reader->end)
		return false;
	for (; *bytes != 0; bytes++)
		if ((char)*reader->at == *bytes) {
			*out = *bytes;
			reader->at++;
			return true;
		}
	return false;
}

/* ".5": [ms]; nothing is 0. */
static bool fraction_read(struct reader *reader, int64_t *out_ms)
{
	char point;
	int64_t ms = 0, unit = MS_PER_S / 10;

	*out_ms = 0;
	if (!one_of(reader, ".", &point))
		return true;
	const uint8_t *first = reader->at;

	for (; reader->at != reader->end && is_digit(*reader->at); reader->at++, unit /= 10)
		ms += (*reader->at - '0') * unit;
	*out_ms = ms;
	return reader->at != first;
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
	static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Since the epoch. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t before = year - 1;
	int64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;

	for (int64_t i = 1; i < month; i++)
		days += days_of_month(year, i);
	return days + day - 1;
}

static bool date_read(struct reader *reader, int64_t *out_s)
{
	int64_t year, month, day;
	char dash;

	if (!number_read(reader, 4, 1970, 9999, &year) || !one_of(reader, "-", &dash) ||
	    !number_read(reader, 2, 1, 12, &month) || !one_of(reader, "-", &dash) ||
	    !number_read(reader, 2, 1, days_of_month(year, month), &day))
		return false;
	*out_s = days_of(year, month, day) * S_PER_DAY;
	return true;
}

static bool time_read(struct reader *reader, int64_t *out_s)
{
	int64_t hour, minute, second;
	char colon;

	if (!number_read(reader, 2, 0, 23, &hour) || !one_of(reader, ":", &colon) ||
	    !number_read(reader, 2, 0, 59, &minute) || !one_of(reader, ":", &colon) ||
	    !number_read(reader, 2, 0, 60, &second))
		return false;
	*out_s = (hour * S_PER_MINUTE + minute) * S_PER_MINUTE + second;
	return true;
}

/* "Z" or "+08:00": [s] to the east. */
static bool zone_read(struct reader *reader, int64_t *out_s)
{
	int64_t hour, minute;
	char sign, colon;

	*out_s = 0;
	if (!one_of(reader, "Zz+- ", &sign))
		return false;
	if (sign == 'Z' || sign == 'z')
		return true;
	if (!number_read(reader, 2, 0, 23, &hour) || !one_of(reader, ":", &colon) ||
	    !number_read(reader, 2, 0, 59, &minute))
		return false;
	*out_s = (hour * S_PER_MINUTE + minute) * S_PER_MINUTE * (sign == '-' ? -1 : 1);
	return true;
}

static bool rfc3339_read(struct reader *reader, int64_t *out_ms)
{
	int64_t date_s, time_s, fraction_ms, zone_s;
	char separator;

	if (!date_read(reader, &date_s) || !one_of(reader, "Tt ", &separator) ||
	    !time_read(reader, &time_s) || !fraction_read(reader, &fraction_ms) ||
	    !zone_read(reader, &zone_s))
		return false;
	*out_ms = (date_s + time_s - zone_s) * MS_PER_S + fraction_ms;
	return true;
}

static bool epoch_read(struct reader *reader, int64_t *out_ms)
{
	const uint8_t *first = reader->at;
	int64_t seconds = 0, fraction_ms;

	for (; reader->at != reader->end && is_digit(*reader->at); reader->at++) {
		seconds = seconds * 10 + (*reader->at - '0');
		if (seconds >= END_S)
			return false;
	}
	if (reader->at == first || !fraction_read(reader, &fraction_ms))
		return false;
	*out_ms = seconds * MS_PER_S + fraction_ms;
	return true;
}

bool timestamp_parse(struct slice text, uint64_t *out_ms)
{
	if (text.len == 0)
		return false;
	struct reader reader = {text.data, text.data + text.len};
	bool is_date = text.len > 4 && text.data[4] == '-';
	int64_t ms = 0;

	if (!(is_date ? rfc3339_read(&reader, &ms) : epoch_read(&reader, &ms)) ||
	    reader.at != reader.end || ms < 0 || ms >= END_S * MS_PER_S)
		return false;
	*out_ms = (uint64_t)ms;
	return true;
}
