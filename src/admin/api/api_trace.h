/* SPDX-License-Identifier: Apache-2.0
 * api_trace.h - the span of a request to the API.
 *
 * Layer: admin, for api_*.c only. In the admin listener's thread. */
#pragma once

#include "admin/api/api_call.h"

/* As a child of the request's traceparent, if it has a good one. Nothing, if nothing is traced. */
void api_trace_begin(struct api_call *call);

/* The request was taken: its span ends with the reply. */
void api_trace_take(struct api_call *call, struct http_later *later);

/* It is answered at once, if it was not taken. `path` is the endpoint's; NULL: there is none. */
void api_trace_end(struct api_call *call, const char *path);
