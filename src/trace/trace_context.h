/* SPDX-License-Identifier: Apache-2.0
 * trace_context.h - which trace something belongs to, as W3C Trace Context has it.
 *
 * Layer: trace. Pure functions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define TRACE_ID_LEN      16
#define TRACE_SPAN_ID_LEN 8
#define TRACE_ID_TEXT     (2 * TRACE_ID_LEN + 1)      /* [bytes] with its NUL */
#define TRACE_SPAN_TEXT   (2 * TRACE_SPAN_ID_LEN + 1) /* likewise */
#define TRACE_PARENT_LEN  55                          /* [bytes] of a traceparent of version 00 */
#define TRACE_STATE_MAX   512                         /* [bytes] */

/* Zeroed: none. */
struct trace_context {
	uint8_t trace_id[TRACE_ID_LEN];
	uint8_t span_id[TRACE_SPAN_ID_LEN]; /* of the span that is the parent of what follows */
	bool is_sampled;                    /* that span is recorded, and so should be the rest */
};

bool trace_context_is_set(const struct trace_context *context);

/* Is it a traceparent of W3C Trace Context, level 1? */
bool trace_parent_is_good(struct slice value);

/* Can it be carried on? At most TRACE_STATE_MAX printable bytes. */
bool trace_state_is_good(struct slice value);

/* False: it is none, and nothing is written. */
bool trace_parent_read(struct slice value, struct trace_context *out_context);

/* "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"; returns `out`. */
char *trace_parent_write(const struct trace_context *context, char out[TRACE_PARENT_LEN + 1]);

/* Lower-case hex; return `out`. */
char *trace_id_write(const uint8_t id[TRACE_ID_LEN], char out[TRACE_ID_TEXT]);
char *trace_span_id_write(const uint8_t id[TRACE_SPAN_ID_LEN], char out[TRACE_SPAN_TEXT]);
