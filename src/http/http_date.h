/* SPDX-License-Identifier: Apache-2.0
 * http_date.h - the value of a Date header (RFC 9110, 5.6.7, 6.6.1).
 *
 * Layer: http. A cache belongs to one thread. */
#pragma once

#include <stdint.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT", with a NUL. */
#define HTTP_DATE_SIZE 30

/* Of a time of clock_wall_ns before the year 10000. Returns `out`. */
char *http_date_format(uint64_t wall_ns, char out[HTTP_DATE_SIZE]);

/* Zero-initialise. */
struct http_date {
	uint64_t good_until_ns; /* of the loop's clock */
	char text[HTTP_DATE_SIZE];
};

/* `now_ns`: of the loop's clock. The wall clock is looked at once in its second; if somebody
 * sets it, the text is wrong for a second at most. Valid until the next call. */
const char *http_date_now(struct http_date *date, uint64_t now_ns);
