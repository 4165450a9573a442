/* SPDX-License-Identifier: Apache-2.0
 * http_json.h - answers whose body is JSON.
 *
 * Layer: http. */
#pragma once

#include <jansson.h>

#include "http/http_reply.h"

/* [bytes] of a JSON body: a page of the longest list. */
#define HTTP_JSON_MAX 4194304

/* Takes the reference of `body`. `flags` as json_dumps takes them. 500 without memory. */
void http_reply_json(struct http_reply *reply, unsigned status, json_t *body, size_t flags);
