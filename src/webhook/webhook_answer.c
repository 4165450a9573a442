/* SPDX-License-Identifier: Apache-2.0
 * webhook_answer.c - the answer to one attempt, as libcurl hands it over: bounded, and those of its
 * fields that are wanted. */
#include <errno.h>
#include <string.h>

#include "webhook/webhook_private.h"

/* A line of a head: of the answer's, of one with 1xx before it, or of the trailer behind the
 * body. libcurl takes a head that breaks off for a whole one, so it is noted here: a status line
 * begins one, an empty line ends it, and what comes later changes nothing. */
static void note_line(struct webhook_transfer *transfer, struct slice line)
{
	if (slice_starts_nocase(line, "HTTP/"))
		transfer->is_head_whole = false;
	else if (line.len > 0 && (line.data[0] == '\r' || line.data[0] == '\n'))
		transfer->is_head_whole = true;
}

size_t webhook_answer_on_head(char *data, size_t size, size_t count, void *arg)
{
	struct webhook_transfer *transfer = arg;

	note_line(transfer, slice_of(data, size * count));
	transfer->head_bytes += size * count;
	transfer->is_head_too_big = transfer->head_bytes > WEBHOOK_ANSWER_HEAD_MAX;
	return transfer->is_head_too_big ? 0 : size * count;
}

size_t webhook_answer_on_body(char *data, size_t size, size_t count, void *arg)
{
	struct webhook_transfer *transfer = arg;
	int r = buf_append(&transfer->call->response, data, size * count,
			   transfer->webhook->rules.options.max_response_bytes);

	transfer->is_body_too_big = r == -EMSGSIZE;
	transfer->is_out_of_memory = r == -ENOMEM;
	return r < 0 ? 0 : size * count;
}

void webhook_answer_forget(struct webhook_call *call)
{
	call->response.len = 0;
	call->wanted_text.len = 0;
	for (size_t i = 0; i < call->wanted_count; i++)
		call->wanted[i].value = (struct slice){0};
}

/* The one of this name with that index. data == NULL: the answer has none. */
static struct slice find_answer_header(CURL *easy, struct slice name, size_t index)
{
	struct curl_header *found;
	char text[128];

	if (name.len == 0 || name.len >= sizeof(text))
		return (struct slice){0};
	memcpy(text, name.data, name.len);
	text[name.len] = 0;
	if (curl_easy_header(easy, text, index, CURLH_HEADER, -1, &found) != CURLHE_OK)
		return (struct slice){0};
	/* libcurl 7.88 leaves the CR of an empty value. */
	return slice_of(found->value, strcspn(found->value, "\r"));
}

/* The head as a whole is bounded, and so are its parts. */
static int text_add(struct buf *text, struct slice value)
{
	return buf_append(text, value.data, value.len, SIZE_MAX / 2);
}

/* Appends the value, and says where in the text it begins. False: there is none. */
static bool wanted_add(struct webhook_transfer *transfer, const struct webhook_header *wanted,
		       int *out_error)
{
	struct buf *text = &transfer->call->wanted_text;
	struct slice value = find_answer_header(transfer->easy, wanted->name, 0);
	bool is_there = value.data != NULL;

	*out_error = is_there ? text_add(text, value) : 0;
	for (size_t i = 1; is_there && wanted->is_list && *out_error == 0; i++) {
		value = find_answer_header(transfer->easy, wanted->name, i);
		if (value.data == NULL)
			break;
		*out_error = text_add(text, SLICE_LITERAL(", "));
		if (*out_error == 0)
			*out_error = text_add(text, value);
	}
	return is_there;
}

/* First all of the text, because it must not move when a value points into it. */
int webhook_answer_take(struct webhook_transfer *transfer)
{
	struct webhook_call *call = transfer->call;
	const uint8_t *at;
	int r = 0;

	for (size_t i = 0; i < call->wanted_count && r == 0; i++) {
		struct webhook_header *wanted = &call->wanted[i];
		size_t start = call->wanted_text.len;
		bool is_there = wanted_add(transfer, wanted, &r);

		/* Not NULL where there is an empty value; moved to its place below. */
		wanted->value = slice_of(is_there ? "" : NULL, call->wanted_text.len - start);
	}
	at = call->wanted_text.data;
	for (size_t i = 0; i < call->wanted_count && r == 0; i++) {
		if (call->wanted[i].value.len == 0) /* there may be no text at all */
			continue;
		call->wanted[i].value.data = at;
		at += call->wanted[i].value.len;
	}
	return r;
}
