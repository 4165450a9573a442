/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/console/console.h"

#include <stdio.h>
#include <string.h>

#include "admin/foreign.h"
#include "base/check.h"
#include "proto/http_head.h"

#define ROOT "/console"

/* Nothing from elsewhere, nothing inline, no markup made of text (trusted types), no frame around
 * it, and no form that is sent: the browser holds the page to that, whatever is shown on it. It is
 * asked for anew each time, and answered with 304 while it is the same: after an upgrade nobody
 * has the older one's files with the newer one's. */
static const char rules[] =
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
	"connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"
	"X-Content-Type-Options: nosniff\r\n"
	"X-Frame-Options: DENY\r\n"
	"Referrer-Policy: no-referrer\r\n"
	"Cross-Origin-Opener-Policy: same-origin\r\n"
	"Cross-Origin-Resource-Policy: same-origin\r\n"
	"Cache-Control: no-cache\r\n"
	"Vary: Accept-Encoding\r\n";

static struct slice behind_root(struct slice path)
{
	const size_t skip = sizeof(ROOT) - 1;

	return slice_of(path.data + skip, path.len - skip);
}

bool console_has_path(struct slice path)
{
	const size_t skip = sizeof(ROOT) - 1;

	return path.len >= skip && memcmp(path.data, ROOT, skip) == 0 &&
	       (path.len == skip || path.data[skip] == '/');
}

static const struct console_asset *asset_find(struct slice name)
{
	for (size_t i = 0; i < console_asset_count; i++)
		if (slice_equals(name, slice_from_text(console_assets[i].name)))
			return &console_assets[i];
	return NULL;
}

/* A proxy that compresses by itself makes a tag weak. */
static bool has_it_already(const struct http_request *request, const char *tag)
{
	char weak[80];

	snprintf(weak, sizeof(weak), "W/%s", tag);
	return http_field_has_item(request->head, request->data, "If-None-Match", tag) ||
	       http_field_has_item(request->head, request->data, "If-None-Match", weak);
}

static void answer_asset(const struct console_asset *asset, const struct http_request *request,
			 struct http_reply *reply)
{
	/* Of one with a weight, as "gzip;q=0", nothing is known: it gets the plain one. */
	bool is_small = http_field_has_token(request->head, request->data, "Accept-Encoding",
					     "gzip");
	struct slice body = is_small ? slice_of(asset->gzip, asset->gzip_len)
				     : slice_of(asset->plain, asset->plain_len);
	char tag[72];

	snprintf(tag, sizeof(tag), "\"%s%s\"", asset->etag, is_small ? "-gzip" : "");
	reply->rules = rules;
	http_reply_header(reply, "ETag: %s", tag);
	if (has_it_already(request, tag)) {
		reply->status = 304;
		return;
	}
	if (buf_append(&reply->body, body.data, body.len, HTTP_BODY_MAX) < 0) {
		http_reply_problem(reply, 503, "There is no memory for the page now.");
		return;
	}
	if (is_small)
		http_reply_header(reply, "Content-Encoding: gzip");
	reply->status = 200;
	reply->content_type = asset->content_type;
}

/* Relative, because a proxy may have put something before the path. */
static void answer_root(struct http_reply *reply)
{
	reply->status = 308;
	reply->rules = rules;
	http_reply_header(reply, "Location: console/");
}

static void answer_read(bool has_token, const struct http_request *request,
			struct http_reply *reply)
{
	struct slice rest = behind_root(request->path);
	const struct console_asset *asset =
		rest.len == 0 ? NULL : asset_find(slice_of(rest.data + 1, rest.len - 1));

	if (!has_token && foreign_name_is_asked(request))
		http_reply_problem(
			reply, 403,
			"From this machine ask for localhost or an address: a name may "
			"have been pointed here by a web page. Or set admin.token_file.");
	else if (rest.len == 0)
		answer_root(reply);
	else if (asset == NULL)
		http_reply_problem(reply, 404,
				   "The console has nothing at this path; it begins at /console.");
	else
		answer_asset(asset, request, reply);
}

void console_answer(bool has_token, const struct http_request *request, struct http_reply *reply)
{
	static const char allow[] = "GET, HEAD, OPTIONS";

	if (http_request_is_read(request))
		answer_read(has_token, request, reply);
	else if (http_request_is_options(request))
		http_reply_options(reply, allow);
	else
		http_reply_method(reply, request->method, allow);
}
