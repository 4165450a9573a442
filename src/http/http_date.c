/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"

/* Not strftime: its names are those of the locale. */
char *http_date_format(uint64_t wall_ns, char out[HTTP_DATE_SIZE])
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	char text[64];
	struct tm tm;

	CHECK(gmtime_r(&seconds, &tm) != NULL);
	int len = snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT",
			   days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
			   tm.tm_hour, tm.tm_min, tm.tm_sec);

	CHECK(len == HTTP_DATE_SIZE - 1);
	return memcpy(out, text, HTTP_DATE_SIZE);
}

const char *http_date_now(struct http_date *date, uint64_t now_ns)
{
	if (now_ns >= date->good_until_ns) {
		uint64_t wall_ns = clock_wall_ns();

		http_date_format(wall_ns, date->text);
		date->good_until_ns = now_ns + NS_PER_S - wall_ns % NS_PER_S;
	}
	return date->text;
}
