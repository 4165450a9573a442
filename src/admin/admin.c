/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

#include "admin/api/api.h"
#include "admin/console/console.h"
#include "admin/foreign.h"
#include "base/check.h"

static void answer_health(const struct admin *admin, const struct http_request *request,
			  struct http_reply *reply)
{
	(void)request;
	health_answer(admin->server, HEALTH_ALL, reply);
}

static void answer_live(const struct admin *admin, const struct http_request *request,
			struct http_reply *reply)
{
	(void)request;
	health_answer(admin->server, HEALTH_LIVE, reply);
}

static void answer_ready(const struct admin *admin, const struct http_request *request,
			 struct http_reply *reply)
{
	(void)request;
	health_answer(admin->server, HEALTH_READY, reply);
}

static void answer_metrics(const struct admin *admin, const struct http_request *request,
			   struct http_reply *reply)
{
	(void)request;
	metrics_answer(admin, reply);
}

static void answer_limits(const struct admin *admin, const struct http_request *request,
			  struct http_reply *reply)
{
	limits_answer(admin, request->query, reply);
}

/* What can only be read. */
static const struct page {
	const char *path;
	bool is_public;
	void (*answer)(const struct admin *admin, const struct http_request *request,
		       struct http_reply *reply);
} pages[] = {
	{"/health", true, answer_health},  {"/readyz", true, answer_ready},
	{"/livez", true, answer_live},     {"/metrics", false, answer_metrics},
	{"/limits", false, answer_limits},
};

static const struct page *page_find(struct slice path)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (slice_equals(path, slice_from_text(pages[i].path)))
			return &pages[i];
	return NULL;
}

static bool answer_page(const struct admin *admin, const struct page *page,
			const struct http_request *request, struct http_reply *reply)
{
	if (page == NULL)
		return false;
	bool is_read = http_request_is_read(request);

	/* Not from elsewhere: there a scraper knows this machine by a name. */
	if (is_read && !page->is_public && foreign_name_is_asked(request))
		http_reply_problem(reply, 403,
				   "From this machine ask for localhost or an address: a name may "
				   "have been pointed here by a web page.");
	else if (is_read)
		page->answer(admin, request, reply);
	else if (http_request_is_options(request))
		http_reply_options(reply, "GET, HEAD, OPTIONS");
	else
		http_reply_method(reply, request->method, "GET, HEAD, OPTIONS");
	return true;
}

bool admin_answer_health(void *arg, const struct http_request *request, struct http_reply *reply)
{
	const struct page *page = page_find(request->path);

	return answer_page(arg, page != NULL && page->is_public ? page : NULL, request, reply);
}

bool admin_answer(void *arg, const struct http_request *request, struct http_reply *reply)
{
	const struct admin *admin = arg;

	if (console_has_path(request->path)) {
		console_answer(api_has_token(&admin->api), request, reply);
		return true;
	}
	if (!api_has_path(request->path))
		return answer_page(admin, page_find(request->path), request, reply);
	api_answer(&admin->api, request, reply);
	return true;
}

bool admin_wants_body(void *arg, const struct http_request *request)
{
	const struct admin *admin = arg;

	return api_has_path(request->path) && api_wants_body(&admin->api, request);
}
