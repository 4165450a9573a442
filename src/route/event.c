/* SPDX-License-Identifier: Apache-2.0 */
#include "route/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/percent.h"
#include "base/random.h"
#include "route/event_tls.h"

#define FIXED_TEXT_MAX 2048 /* [bytes] of all attributes of known length */

#define EVENT_LABEL(NAME, label) label,
static const char *const labels[] = {EVENT_TABLE(EVENT_LABEL)};

const char *event_type_label(enum event_type type)
{
	return labels[type];
}

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

void event_source_init(struct event_source *source, const char *node)
{
	struct random_source random = {0};

	snprintf(source->uri, sizeof(source->uri), "/gatehouse/%s", node);
	random_fill(&random, source->run_id, sizeof(source->run_id));
	for (size_t i = 0; i + 1 < sizeof(source->run_id); i++)
		source->run_id[i] = digits[(uint8_t)source->run_id[i] % 32];
	source->run_id[sizeof(source->run_id) - 1] = 0;
}

bool event_source_keep_run_id(struct event_source *source, struct slice run_id)
{
	if (run_id.len != sizeof(source->run_id) - 1)
		return false;
	for (size_t i = 0; i < run_id.len; i++)
		if (memchr(digits, run_id.data[i], sizeof(digits) - 1) == NULL)
			return false;
	memcpy(source->run_id, run_id.data, run_id.len);
	return true;
}

/* --- attributes --- */

/* What was written behind `start` is the value of the next one. The buffer does not move:
 * event_head_write has made room for all. */
void event_head_add(struct event_head *head, struct slice name, size_t start)
{
	CHECK(head->count < EVENT_ATTRIBUTES_MAX);
	head->attributes[head->count++] = (struct event_attribute){
		.name = name,
		.value = slice_of(head->text.data + start, head->text.len - start),
	};
}

static void __attribute__((format(printf, 3, 4)))
add_plain(struct event_head *head, struct slice name, const char *format, ...)
{
	size_t start = head->text.len;
	va_list args;

	va_start(args, format);
	int len = vsnprintf((char *)head->text.data + start, head->text.cap - start, format, args);
	va_end(args);
	CHECK(len >= 0 && start + (size_t)len < head->text.cap);
	head->text.len += (size_t)len;
	event_head_add(head, name, start);
}

static bool needs_encoding(uint8_t byte)
{
	return byte <= 0x20 || byte >= 0x7f || byte == '"' || byte == '%';
}

/* As the HTTP binding of CloudEvents asks, 3.1.3.2. */
void event_head_encode(struct event_head *head, struct slice text)
{
	uint8_t *to = head->text.data;

	for (size_t i = 0; i < text.len; i++) {
		if (!needs_encoding(text.data[i])) {
			to[head->text.len++] = text.data[i];
			continue;
		}
		percent_write(text.data[i], to + head->text.len);
		head->text.len += 3;
	}
	CHECK(head->text.len <= head->text.cap);
}

static void add_encoded(struct event_head *head, struct slice name, const char *value)
{
	size_t start = head->text.len;

	event_head_encode(head, slice_from_text(value));
	event_head_add(head, name, start);
}

static void add_time(struct event_head *head, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	add_plain(head, SLICE_LITERAL("ce-time"), "%s.%03uZ", text,
		  (unsigned)(time_ns % NS_PER_S / NS_PER_MS));
}

static void add_remote(struct event_head *head, const struct presence *presence)
{
	char ip[NET_IP_TEXT_MAX];
	struct net_ip remote = presence_remote(presence);
	bool is_v4 = net_ip_is_v4(&remote);

	net_ip_format(&remote, ip, sizeof(ip));
	if (presence->remote_port == 0)
		add_plain(head, SLICE_LITERAL("ce-remoteaddress"), "%s", ip);
	else
		add_plain(head, SLICE_LITERAL("ce-remoteaddress"), is_v4 ? "%s:%u" : "[%s]:%u", ip,
			  (unsigned)presence->remote_port);
}

/* How the client proved who it is, if it had to. */
static void add_proof(struct event_head *head, const struct presence *presence)
{
	struct presence_proof proof;

	if (!presence_proof(presence, &proof))
		return;
	add_plain(head, SLICE_LITERAL("ce-authway"), "%s", proof.way);
	add_encoded(head, SLICE_LITERAL("ce-authsubject"), proof.subject);
}

static void add_if_short(struct event_head *head, struct slice name, struct slice value)
{
	size_t start = head->text.len;

	if (value.len == 0 || value.len > EVENT_REQUEST_VALUE_MAX)
		return;
	event_head_encode(head, value);
	event_head_add(head, name, start);
}

#define GIVEN_PREFIX "ce-attr"

/* What the back end has said of the client itself. The names have been checked. */
static void add_given(struct event_head *head, const struct presence *presence)
{
	struct slice block = presence_attributes(presence);
	struct attribute given;

	while (attributes_next(&block, &given)) {
		uint8_t *name = head->text.data + head->text.len;
		size_t len = strlen(GIVEN_PREFIX) + given.name.len;

		memcpy(name, GIVEN_PREFIX, strlen(GIVEN_PREFIX));
		memcpy(name + strlen(GIVEN_PREFIX), given.name.data, given.name.len);
		head->text.len += len;
		size_t start = head->text.len;

		event_head_encode(head, given.value);
		event_head_add(head, slice_of(name, len), start);
	}
}

/* What back ends look for in the request of a client, without having to read it. */
static void add_request(struct event_head *head, const struct event_facts *facts)
{
	add_if_short(head, SLICE_LITERAL("ce-path"), facts->path);
	add_if_short(head, SLICE_LITERAL("ce-query"), facts->query);
	add_if_short(head, SLICE_LITERAL("ce-origin"), facts->origin);
}

/* Does the span of the delivery belong to the trace that the client named? */
static bool is_of_client(const struct event_facts *facts)
{
	struct trace_context client;

	return facts->hop == NULL ||
	       (trace_parent_read(facts->traceparent, &client) &&
		memcmp(client.trace_id, facts->hop->trace_id, TRACE_ID_LEN) == 0);
}

/* For tracers of HTTP the context of this hop; as attributes of CloudEvents' tracing extension that
 * in which all began, which no hop changes: the client's, if it named one. */
static void add_trace(struct event_head *head, const struct event_facts *facts)
{
	char own[TRACE_PARENT_LEN + 1] = "";
	struct slice hop = facts->hop == NULL
				   ? facts->traceparent
				   : slice_from_text(trace_parent_write(facts->hop, own));
	struct slice origin = facts->traceparent.len > 0 ? facts->traceparent : hop;

	if (origin.len == 0)
		return;
	add_plain(head, SLICE_LITERAL("ce-traceparent"), "%.*s", SLICE_ARG(origin));
	add_plain(head, SLICE_LITERAL("traceparent"), "%.*s", SLICE_ARG(hop));
	if (facts->tracestate.len == 0)
		return;
	char text[TRACE_STATE_MAX + 1];

	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(facts->tracestate));
	add_encoded(head, SLICE_LITERAL("ce-tracestate"), text);
	if (is_of_client(facts))
		add_plain(head, SLICE_LITERAL("tracestate"), "%s", text);
}

/* The sequence has a fixed width: the extension wants texts in the order of the numbers. */
static void add_all(struct event_head *head, const struct event_facts *facts)
{
	const struct presence *presence = facts->presence;
	uint64_t connection_id = presence->connection_id;

	add_plain(head, SLICE_LITERAL("ce-specversion"), "1.0");
	add_plain(head, SLICE_LITERAL("ce-type"), "gatehouse.client.%s", labels[facts->type]);
	add_plain(head, SLICE_LITERAL("ce-id"), "%s-%" PRIu64 "-%" PRIu64, facts->source->run_id,
		  connection_id, facts->sequence);
	head->id = head->attributes[head->count - 1].value;
	add_encoded(head, SLICE_LITERAL("ce-source"), facts->source->uri);
	add_encoded(head, SLICE_LITERAL("ce-subject"), presence->client_id);
	add_time(head, facts->time_ns);
	add_plain(head, SLICE_LITERAL("ce-route"), "%s", presence_route_name(presence));
	add_encoded(head, SLICE_LITERAL("ce-clientid"), presence->client_id);
	add_plain(head, SLICE_LITERAL("ce-connectionid"), "%s-%" PRIu64, facts->source->run_id,
		  connection_id);
	add_plain(head, SLICE_LITERAL("ce-sequence"), "%020" PRIu64, facts->sequence);
	if (presence_subprotocol(presence) != NULL)
		add_plain(head, SLICE_LITERAL("ce-subprotocol"), "%s",
			  presence_subprotocol(presence));
	add_remote(head, presence);
	add_given(head, presence);
	if (facts->type == EVENT_CONNECT || facts->type == EVENT_CONNECTED)
		add_proof(head, presence);
	if (facts->type == EVENT_MESSAGE)
		add_plain(head, SLICE_LITERAL("ce-messagetype"), "%s",
			  facts->is_text ? "text" : "binary");
	if (facts->type == EVENT_MESSAGE && message_mark_label(facts->mark) != NULL)
		add_plain(head, SLICE_LITERAL("ce-rpc"), "%s", message_mark_label(facts->mark));
	if (facts->type == EVENT_DISCONNECTED) {
		add_plain(head, SLICE_LITERAL("ce-reason"), "%s", facts->reason);
		add_plain(head, SLICE_LITERAL("ce-code"), "%u", (unsigned)facts->code);
	}
	if (facts->type == EVENT_CONNECT)
		add_request(head, facts);
	if (facts->tls != NULL)
		event_tls_add(head, facts->tls);
	add_trace(head, facts);
}

static size_t request_size(const struct event_facts *facts)
{
	return 3 * (MIN(facts->path.len, (size_t)EVENT_REQUEST_VALUE_MAX) +
		    MIN(facts->query.len, (size_t)EVENT_REQUEST_VALUE_MAX) +
		    MIN(facts->origin.len, (size_t)EVENT_REQUEST_VALUE_MAX));
}

static size_t text_size(const struct event_facts *facts)
{
	const struct presence *presence = facts->presence;
	const char *chosen = presence_subprotocol(presence);
	size_t subprotocol = chosen == NULL ? 0 : strlen(chosen);

	struct presence_proof proof = {.way = "", .subject = ""};

	presence_proof(presence, &proof);
	return FIXED_TEXT_MAX + (facts->tls == NULL ? 0 : EVENT_TLS_TEXT_MAX) + strlen(proof.way) +
	       3 * strlen(proof.subject) + 6 * strlen(presence->client_id) +
	       ATTRIBUTES_MAX * strlen(GIVEN_PREFIX) + 3 * presence_attributes(presence).len +
	       strlen(presence_route_name(presence)) + subprotocol +
	       2 * MAX(facts->traceparent.len, (size_t)TRACE_PARENT_LEN) +
	       4 * facts->tracestate.len + request_size(facts);
}

/* What the body is: of a connect event the client's request, of a message its bytes. */
static struct slice content_type_of(const struct event_facts *facts)
{
	if (facts->type == EVENT_CONNECT)
		return SLICE_LITERAL("message/http");
	if (facts->type == EVENT_MESSAGE && facts->is_text)
		return SLICE_LITERAL("text/plain; charset=utf-8");
	return SLICE_LITERAL("application/octet-stream");
}

int event_head_write(struct event_head *head, const struct event_facts *facts)
{
	head->count = 0;
	head->text.len = 0;
	head->content_type = content_type_of(facts);
	if (buf_reserve(&head->text, text_size(facts), SIZE_MAX / 2) == NULL)
		return -ENOMEM;
	add_all(head, facts);
	return 0;
}

void event_head_finish(struct event_head *head)
{
	buf_finish(&head->text);
	*head = (struct event_head){0};
}
