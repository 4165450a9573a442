/* SPDX-License-Identifier: Apache-2.0
 * console.h - /console: the page on which people see and ask what the API has.
 *
 * Layer: admin. The page holds no data and needs no token: it is the same for everybody, lies in
 * the program, and asks /api/v1 and /limits from the browser, with the token that it is given
 * there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/http_handler.h"

/* A file of the page; console_assets.c is made of assets/ by embed_assets.py. */
struct console_asset {
	const char *name; /* behind "/console/"; the page itself has none */
	const char *content_type;
	const char *etag; /* without quotes */
	const uint8_t *plain;
	size_t plain_len;
	const uint8_t *gzip;
	size_t gzip_len;
};
extern const struct console_asset console_assets[];
extern const size_t console_asset_count;

/* /console and all below. */
bool console_has_path(struct slice path);

/* `has_token`: the API wants one; without it, what a web page may have pointed here is refused. */
void console_answer(bool has_token, const struct http_request *request, struct http_reply *reply);
