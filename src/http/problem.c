/* SPDX-License-Identifier: Apache-2.0 */
#include "http/problem.h"

#include <stdio.h>

#include "base/check.h"
#include "proto/http_status.h"
#include "proto/utf8.h"

#define SEEN_MAX 96 /* [bytes] */

/* NULL: there is nothing to show. */
static const char *show(struct slice seen, char out[SEEN_MAX + 4])
{
	size_t len = MIN(seen.len, (size_t)SEEN_MAX);

	if (seen.data == NULL)
		return NULL;
	while (len > 0 && len < seen.len && (seen.data[len] & 0xc0) == 0x80)
		len--; /* not within a character */
	snprintf(out, SEEN_MAX + 4, "%.*s%s", (int)len, (const char *)seen.data,
		 len < seen.len ? "..." : "");
	return utf8_is_valid((const uint8_t *)out, strlen(out)) ? out : NULL;
}

json_t *problem_json(const struct problem *problem)
{
	char seen[SEEN_MAX + 4];

	return json_pack("{s:s, s:s, s:i, s:s, s:s*, s:s*, s:s*}", "type", "about:blank", "title",
			 http_status_text(problem->status), "status", (int)problem->status,
			 "detail", problem->detail, "reason", problem->reason, "seen",
			 show(problem->seen, seen), "allowed", problem->allowed);
}
