/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_head.h"

#include "base/check.h"
#include "proto/http_text.h"

const struct http_limits http_limits_default = {
	.max_line = 8192,
	.max_fields = HTTP_FIELDS_MAX,
	.max_total = 16384,
};

void http_head_init(struct http_head *head, enum http_kind kind)
{
	/* fields[] is large and field_count says how much of it is meaningful. */
	memset(head, 0, offsetof(struct http_head, fields));
	head->kind = kind;
}

static enum http_result refuse(uint16_t status, const char *detail, struct http_error *out_error)
{
	*out_error = (struct http_error){status, detail};
	return HTTP_BAD;
}

static enum http_result refuse_size(const struct http_head *head, struct http_error *out_error)
{
	if (!head->has_start_line)
		return refuse(414, "the first line is too long", out_error);
	return refuse(431, "the header fields are too large", out_error);
}

/* Looks for the end of the current line, each byte once over all calls. On HTTP_OK
 * *out_line is the line without its CRLF. */
static enum http_result line_scan(struct http_head *head, const struct http_limits *limits,
				  const uint8_t *data, size_t len, struct slice *out_line,
				  struct http_error *out_error)
{
	/* A CRLF must fit behind the last character. */
	size_t last = MIN((size_t)head->line_at + limits->max_line, (size_t)limits->max_total - 2);
	size_t stop = MIN(len, last);
	size_t at = head->scanned;

	while (at < stop && http_is_line_char(data[at]))
		at++;
	head->scanned = (uint32_t)at;
	if (at == len)
		return HTTP_MORE;
	if (data[at] == '\n')
		return refuse(400, "a line ends in LF without CR", out_error);
	if (at > last || (at == last && data[at] != '\r'))
		return refuse_size(head, out_error);
	if (data[at] != '\r')
		return refuse(400, "a line has a control character", out_error);
	if (at + 1 == len)
		return HTTP_MORE;
	if (data[at + 1] != '\n')
		return refuse(400, "a line has a CR without LF", out_error);
	*out_line = slice_of(data + head->line_at, at - head->line_at);
	return HTTP_OK;
}

/* Takes what is before the next space off *rest, and the space. */
static bool word_take(struct slice *rest, struct slice *out_word)
{
	const uint8_t *space = rest->len > 0 ? memchr(rest->data, ' ', rest->len) : NULL;

	if (space == NULL)
		return false;
	*out_word = slice_of(rest->data, (size_t)(space - rest->data));
	*rest = slice_of(space + 1, rest->len - out_word->len - 1);
	return true;
}

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

/* "HTTP/1.1"; the name is case-sensitive (RFC 9112, 2.3). */
static enum http_result version_parse(struct slice text, uint8_t *out_minor,
				      struct http_error *out_error)
{
	if (text.len != 8 || memcmp(text.data, "HTTP/", 5) != 0 || !is_digit(text.data[5]) ||
	    text.data[6] != '.' || !is_digit(text.data[7]))
		return refuse(400, "the first line has no HTTP version in its place", out_error);
	if (text.data[5] != '1' || text.data[7] > '1')
		return refuse(505, "the HTTP version is neither 1.0 nor 1.1", out_error);
	*out_minor = (uint8_t)(text.data[7] - '0');
	return HTTP_OK;
}

static bool is_host(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] <= ' ' || value.data[i] > '~' ||
		    strchr("\"#,/<>?@\\^`{|}", value.data[i]) != NULL)
			return false;
	return true;
}

/* "http://authority", then the end, a path or a query (RFC 9112, 3.2.2). Clients that were
 * given a ws: URL may send that. A name and password in it are refused (RFC 9110, 4.2.4). */
static bool is_absolute_form(struct slice target)
{
	static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
	struct slice authority;

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!slice_starts_nocase(target, schemes[i]))
			continue;
		authority = http_url_authority(target);
		return authority.len > 0 && authority.data[0] != ':' && is_host(authority);
	}
	return false;
}

/* "host:port" is for CONNECT, which nothing here serves. */
static bool is_target(struct slice method, struct slice target)
{
	for (size_t i = 0; i < target.len; i++)
		if (target.data[i] <= ' ' || target.data[i] > '~' || target.data[i] == '#')
			return false;
	return (target.len > 0 && target.data[0] == '/') || is_absolute_form(target) ||
	       (slice_equals(target, SLICE_LITERAL("*")) &&
		slice_equals(method, SLICE_LITERAL("OPTIONS")));
}

static enum http_result request_line_parse(struct http_head *head, const uint8_t *data,
					   struct slice line, struct http_error *out_error)
{
	struct slice method, target;

	if (!word_take(&line, &method) || !word_take(&line, &target))
		return refuse(400, "the first line is not 'METHOD target HTTP/1.1'", out_error);
	if (!http_is_token(method))
		return refuse(400, "the method is not a token", out_error);
	if (version_parse(line, &head->minor_version, out_error) != HTTP_OK)
		return HTTP_BAD;
	if (!is_target(method, target))
		return refuse(400, "the target is neither a path nor an http or ws URL", out_error);
	head->method_at = (uint16_t)(method.data - data);
	head->method_len = (uint16_t)method.len;
	head->target_at = (uint16_t)(target.data - data);
	head->target_len = (uint16_t)target.len;
	return HTTP_OK;
}

/* "HTTP/1.1 200 OK". The space before an empty reason is mandatory (RFC 9112, 4),
 * yet some servers leave it out. */
static enum http_result status_line_parse(struct http_head *head, const uint8_t *data,
					  struct slice line, struct http_error *out_error)
{
	struct slice version;

	if (!word_take(&line, &version))
		return refuse(400, "the first line is not 'HTTP/1.1 status reason'", out_error);
	if (version_parse(version, &head->minor_version, out_error) != HTTP_OK)
		return HTTP_BAD;
	if (line.len < 3 || line.data[0] < '1' || line.data[0] > '5' || !is_digit(line.data[1]) ||
	    !is_digit(line.data[2]) || (line.len > 3 && line.data[3] != ' '))
		return refuse(400, "the status is not a number from 100 to 599", out_error);
	size_t reason_at = MIN(line.len, (size_t)4);

	head->status = (uint16_t)((line.data[0] - '0') * 100 + (line.data[1] - '0') * 10 +
				  (line.data[2] - '0'));
	head->reason_at = (uint16_t)(line.data + reason_at - data);
	head->reason_len = (uint16_t)(line.len - reason_at);
	return HTTP_OK;
}

static enum http_result field_parse(struct http_head *head, const struct http_limits *limits,
				    const uint8_t *data, struct slice line,
				    struct http_error *out_error)
{
	if (line.data[0] == ' ' || line.data[0] == '\t')
		return refuse(400, "a header field is folded over two lines", out_error);
	const uint8_t *colon = memchr(line.data, ':', line.len);

	if (colon == NULL)
		return refuse(400, "a header field has no colon", out_error);
	struct slice name = slice_of(line.data, (size_t)(colon - line.data));

	if (!http_is_token(name))
		return refuse(400, "the name of a header field is not a token", out_error);
	if (head->field_count >= limits->max_fields)
		return refuse(431, "there are too many header fields", out_error);
	struct slice value = slice_trim(slice_of(colon + 1, line.len - name.len - 1));

	head->fields[head->field_count++] = (struct http_field){
		.name_at = (uint16_t)(name.data - data),
		.name_len = (uint16_t)name.len,
		.value_at = (uint16_t)(value.data - data),
		.value_len = (uint16_t)value.len,
	};
	return HTTP_OK;
}

static bool is_number(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_digit(value.data[i]))
			return false;
	return value.len > 0;
}

/* Only "chunked" tells where a request's body ends, so it must be the last coding, and once
 * is enough (RFC 9112, 6.1, 7). */
static enum http_result coding_check(const struct http_head *head, struct slice codings,
				     unsigned field_count, struct http_error *out_error)
{
	struct slice coding;
	unsigned other_count = 0, chunked_count = 0;
	bool is_last = false;

	if (head->minor_version < 1)
		return refuse(400, "there is a Transfer-Encoding with HTTP/1.0", out_error);
	if (field_count > 1)
		return refuse(400, "there is more than one Transfer-Encoding", out_error);
	while (http_list_next(&codings, &coding)) {
		if (coding.len == 0)
			continue;
		is_last = slice_equals_nocase(coding, SLICE_LITERAL("chunked"));
		chunked_count += is_last;
		other_count += !is_last;
	}
	if (!is_last || chunked_count > 1)
		return refuse(400, "the Transfer-Encoding does not end in one 'chunked'",
			      out_error);
	if (other_count > 0)
		return refuse(501, "of Transfer-Encoding only 'chunked' is known", out_error);
	return HTTP_OK;
}

/* What no request may get wrong, else two readers disagree on where it goes or on
 * where it ends (RFC 9112, 3.2, 6.3). */
static enum http_result request_check(const struct http_head *head, const uint8_t *data,
				      struct http_error *out_error)
{
	struct slice host, length, codings;
	unsigned host_count = http_field_find(head, data, "Host", &host);
	unsigned length_count = http_field_find(head, data, "Content-Length", &length);
	unsigned coding_count = http_field_find(head, data, "Transfer-Encoding", &codings);

	if (host_count > 1)
		return refuse(400, "there is more than one Host", out_error);
	if (host_count == 0 && head->minor_version >= 1)
		return refuse(400, "there is no Host", out_error);
	if (host_count == 1 && !is_host(host))
		return refuse(400, "the Host is not a name or address", out_error);
	if (length_count > 1)
		return refuse(400, "there is more than one Content-Length", out_error);
	if (length_count == 1 && !is_number(length))
		return refuse(400, "the Content-Length is not a number", out_error);
	if (length_count > 0 && coding_count > 0)
		return refuse(400, "there are both Content-Length and Transfer-Encoding",
			      out_error);
	return coding_count == 0 ? HTTP_OK : coding_check(head, codings, coding_count, out_error);
}

/* Moves the start of the request behind empty lines. One that is not complete is left to
 * line_scan. */
static enum http_result blank_lines_skip(struct http_head *head, const uint8_t *data, size_t len,
					 struct http_error *out_error)
{
	for (;;) {
		struct slice rest = slice_of(data + head->line_at, len - head->line_at);
		uint32_t size = slice_starts_nocase(rest, "\n")     ? 1
				: slice_starts_nocase(rest, "\r\n") ? 2
								    : 0;

		if (size == 0)
			return HTTP_OK;
		if (head->line_at + size > HTTP_BLANK_MAX)
			return refuse(400, "there are too many empty lines before the request",
				      out_error);
		head->line_at += size;
		head->scanned = head->line_at;
	}
}

static enum http_result line_parse(struct http_head *head, const struct http_limits *limits,
				   const uint8_t *data, struct slice line,
				   struct http_error *out_error)
{
	if (head->has_start_line)
		return field_parse(head, limits, data, line, out_error);
	enum http_result result = head->kind == HTTP_REQUEST
					  ? request_line_parse(head, data, line, out_error)
					  : status_line_parse(head, data, line, out_error);

	head->has_start_line = result == HTTP_OK;
	return result;
}

enum http_result http_head_parse(struct http_head *head, const struct http_limits *limits,
				 const uint8_t *data, size_t len, size_t *out_used,
				 struct http_error *out_error)
{
	CHECK(limits->max_fields <= HTTP_FIELDS_MAX);
	CHECK(limits->max_total >= 2 && limits->max_total <= UINT16_MAX);
	struct slice line;
	enum http_result result;

	if (head->kind == HTTP_REQUEST && !head->has_start_line &&
	    blank_lines_skip(head, data, len, out_error) != HTTP_OK)
		return HTTP_BAD;
	while ((result = line_scan(head, limits, data, len, &line, out_error)) == HTTP_OK) {
		if (line.len == 0 && head->has_start_line)
			break;
		result = line_parse(head, limits, data, line, out_error);
		if (result != HTTP_OK)
			return result;
		head->line_at = head->scanned += 2;
	}
	if (result == HTTP_OK && head->kind == HTTP_REQUEST)
		result = request_check(head, data, out_error);
	if (result == HTTP_OK)
		*out_used = head->scanned + 2;
	return result;
}
