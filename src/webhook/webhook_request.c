/* SPDX-License-Identifier: Apache-2.0
 * webhook_request.c - what is sent (webhook_private.h): checks the caller's header fields, which
 * may not end a line or say what is ours to say, and writes them for libcurl. */
#include "webhook/webhook_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define EVENT_ID_MAX  256
#define HEAD_MAX      65536 /* [bytes] all lines together */
#define OWN_LINES_MAX 5

static const char *const own_names[] = {
	"accept-encoding",   "connection",       "content-length",
	"content-type",      "expect",           "host",
	"keep-alive",        "proxy-connection", "te",
	"trailer",           "upgrade",          "transfer-encoding",
	"user-agent",        "webhook-id",       "webhook-timestamp",
	"webhook-signature",
};

static bool is_own_name(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(own_names); i++)
		if (slice_equals_nocase(name, slice_from_text(own_names[i])))
			return true;
	return false;
}

/* RFC 9110, 5.6.2. */
static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c >= 0x80 || c == 0 || (!isalnum(c) && strchr("!#$%&'*+-.^_`|~", c) == NULL))
			return false;
	}
	return text.len > 0;
}

/* CR, LF and NUL would end the field and begin what was never meant; the other controls
 * have no place in a value either (RFC 9110, 5.5). */
static bool find_control(struct slice text, size_t *out_at)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((text.data[i] < 0x20 && text.data[i] != '\t') || text.data[i] == 0x7f) {
			*out_at = i;
			return true;
		}
	}
	return false;
}

/* Standard Webhooks wants no '.' in it: what is signed would have two readings. */
static bool id_is_good(struct slice id)
{
	for (size_t i = 0; i < id.len; i++)
		if (id.data[i] <= 0x20 || id.data[i] >= 0x7f || id.data[i] == '.')
			return false;
	return id.len >= 1 && id.len <= EVENT_ID_MAX;
}

/* What is shown of a name that may hold anything. */
static int shown(struct slice name, char *out, size_t size)
{
	size_t len = MIN(name.len, size - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = (char)(name.data[i] > 0x20 && name.data[i] < 0x7f ? name.data[i] : '?');
	out[len] = 0;
	return (int)len;
}

#define REJECT(call, ...) (snprintf((call)->error, sizeof((call)->error), __VA_ARGS__), -EINVAL)

static int value_check(struct webhook_call *call, const char *name, struct slice value)
{
	size_t at;

	if (!find_control(value, &at))
		return 0;
	return REJECT(call,
		      "the value of header '%s' holds byte 0x%02x at offset %zu; allowed are no "
		      "control characters but the tab",
		      name, value.data[at], at);
}

static int header_check(struct webhook_call *call, const struct webhook_header *header)
{
	char name[64];

	shown(header->name, name, sizeof(name));
	if (!is_token(header->name))
		return REJECT(call,
			      "'%s' (%zu bytes) is no name of a header; allowed are letters, "
			      "digits and !#$%%&'*+-.^_`|~",
			      name, header->name.len);
	if (is_own_name(header->name))
		return REJECT(call, "header '%s' is set by the gateway itself; leave it out", name);
	return value_check(call, name, header->value);
}

/* With a generous guess at what is ours. */
static size_t head_size(const struct webhook_call *call)
{
	size_t size = 2048 + call->event_id.len + call->content_type.len;

	for (size_t i = 0; i < call->header_count; i++)
		size += call->headers[i].name.len + call->headers[i].value.len + 4;
	return size;
}

/* What tells of an event is the gateway's: a back end must be able to trust it. */
static bool is_of_events(struct slice name)
{
	return slice_starts_nocase(name, "ce-") || slice_starts_nocase(name, "content-") ||
	       slice_starts_nocase(name, "webhook-") ||
	       slice_equals_nocase(name, SLICE_LITERAL("traceparent")) ||
	       slice_equals_nocase(name, SLICE_LITERAL("tracestate"));
}

bool webhook_static_header_check(const struct webhook_header *header, char *problem, size_t size)
{
	char name[64];
	size_t at;

	shown(header->name, name, sizeof(name));
	if (!is_token(header->name))
		snprintf(problem, size,
			 "'%s' (%zu bytes) is no name of a header; allowed are letters, digits and "
			 "!#$%%&'*+-.^_`|~",
			 name, header->name.len);
	else if (is_own_name(header->name) || is_of_events(header->name))
		snprintf(problem, size, "header '%s' is set by the gateway itself; leave it out",
			 name);
	else if (header->value.len == 0)
		snprintf(problem, size, "header '%s' has no value; write one, or leave it out",
			 name);
	else if (find_control(header->value, &at))
		snprintf(
			problem, size,
			"the value of header '%s' holds a control character at offset %zu; allowed "
			"is none but the tab",
			name, at);
	else
		return true;
	return false;
}

int webhook_static_lines_write(struct buf *lines, const struct webhook_options *options)
{
	for (size_t i = 0; i < options->header_count; i++)
		if (buf_printf(lines, SIZE_MAX / 2, "%.*s: %.*s%c",
			       SLICE_ARG(options->headers[i].name),
			       SLICE_ARG(options->headers[i].value), 0) < 0)
			return -ENOMEM;
	return 0;
}

int webhook_request_check(struct webhook_call *call)
{
	if (!id_is_good(call->event_id))
		return REJECT(call,
			      "the event id of %zu bytes cannot be a webhook-id; allowed are 1 to "
			      "%d visible ASCII characters other than '.'",
			      call->event_id.len, EVENT_ID_MAX);
	int r = value_check(call, "content-type", call->content_type);

	for (size_t i = 0; i < call->header_count && r == 0; i++)
		r = header_check(call, &call->headers[i]);
	if (r == 0 && head_size(call) > HEAD_MAX)
		return REJECT(call, "the headers need %zu bytes; allowed are %d", head_size(call),
			      HEAD_MAX);
	return r;
}

static int line_add(struct webhook_transfer *transfer, struct slice name, struct slice value)
{
	/* libcurl takes "name:" for the wish to leave it out, and "name;" for an empty value. */
	return buf_printf(&transfer->head, SIZE_MAX / 2, "%.*s%s%.*s%c", SLICE_ARG(name),
			  value.len > 0 ? ": " : ";", SLICE_ARG(value), 0);
}

static int signature_add(struct webhook_transfer *transfer, uint64_t timestamp_s)
{
	struct webhook *webhook = transfer->webhook;
	const struct webhook_call *call = transfer->call;
	struct buf *head = &transfer->head;
	char number[24];
	int len = snprintf(number, sizeof(number), "%llu", (unsigned long long)timestamp_s);

	if (line_add(transfer, SLICE_LITERAL("webhook-timestamp"), slice_of(number, (size_t)len)) <
		    0 ||
	    buf_printf(head, SIZE_MAX / 2, "webhook-signature: ") < 0 ||
	    webhook_sign(webhook->rules.signer, call->event_id, timestamp_s, call->body, head,
			 SIZE_MAX / 2) < 0 ||
	    buf_append(head, "", 1, SIZE_MAX / 2) < 0)
		return -ENOMEM;
	return 0;
}

static int lines_write(struct webhook_transfer *transfer, uint64_t timestamp_s)
{
	const struct webhook_call *call = transfer->call;
	struct slice type = call->content_type;

	transfer->head.len = 0;
	if (type.len == 0)
		type = SLICE_LITERAL("application/octet-stream");
	/* Without this line libcurl would wait for "100 Continue" before a long body. */
	if (buf_append(&transfer->head, "Expect:", sizeof("Expect:"), SIZE_MAX / 2) < 0 ||
	    line_add(transfer, SLICE_LITERAL("content-type"), type) < 0 ||
	    line_add(transfer, SLICE_LITERAL("webhook-id"), call->event_id) < 0)
		return -ENOMEM;
	if (buf_append(&transfer->head, transfer->webhook->rules.static_lines.data,
		       transfer->webhook->rules.static_lines.len, SIZE_MAX / 2) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < call->header_count; i++)
		if (line_add(transfer, call->headers[i].name, call->headers[i].value) < 0)
			return -ENOMEM;
	return transfer->webhook->rules.signer != NULL ? signature_add(transfer, timestamp_s) : 0;
}

int webhook_request_write(struct webhook_transfer *transfer, uint64_t timestamp_s)
{
	size_t most = OWN_LINES_MAX + transfer->webhook->rules.options.header_count +
		      transfer->call->header_count;

	if (lines_write(transfer, timestamp_s) < 0)
		return -ENOMEM;
	if (transfer->line_cap < most) {
		struct curl_slist *lines = reallocarray(transfer->lines, most, sizeof(*lines));

		if (lines == NULL)
			return -ENOMEM;
		transfer->lines = lines;
		transfer->line_cap = most;
	}
	char *at = (char *)transfer->head.data;
	char *end = at + transfer->head.len;
	struct curl_slist *line = transfer->lines;

	for (; at < end; at += strlen(at) + 1) {
		*line = (struct curl_slist){.data = at, .next = line + 1};
		line++;
	}
	line[-1].next = NULL;
	return 0;
}
