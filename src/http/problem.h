/* SPDX-License-Identifier: Apache-2.0
 * problem.h - problem documents (RFC 9457): the one form in which we say what is wrong.
 *
 * Layer: http. Pure functions. */
#pragma once

#include <jansson.h>

#include "base/slice.h"

/* Each but the status and the detail may be missing. Texts are UTF-8. */
struct problem {
	unsigned status;     /* of HTTP */
	const char *reason;  /* a word for programs: "not_connected" */
	const char *detail;  /* for people */
	struct slice seen;   /* the value that is not good: shortened if it is long, left out
			      * if it is not UTF-8 */
	const char *allowed; /* which values are */
};

/* NULL: memory is out. */
json_t *problem_json(const struct problem *problem);
