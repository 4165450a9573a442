/* SPDX-License-Identifier: Apache-2.0
 * test_event.c - events as CloudEvents, and files of secrets. */
#include "presence_unit.h"

#include <stdio.h>
#include <unistd.h>

#include "route/event.h"
#include "route/event_tls.h"
#include "route/secret_file.h"
#include "tls/tls_peer.h"

static struct mailbox mailbox;

/* With connection_id 7, from 192.0.2.1:1234. */
static struct presence *presence_of(const char *client_id, const char *subprotocol)
{
	const uint8_t ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 1};
	struct presence_facts facts = {
		.route = unit_route("ws"),
		.client_id = client_id,
		.subprotocol = subprotocol == NULL ? (struct slice){0}
						   : slice_from_text(subprotocol),
		.remote_port = 1234,
		.mailbox = &mailbox,
	};

	memcpy(&facts.remote, ip, sizeof(ip));
	struct presence *presence = presence_create(&facts);

	assert_non_null(presence);
	presence->connection_id = 7;
	return presence;
}

/* NULL: there is no such line. The caller frees it. */
static char *value_of(const struct event_head *head, const char *name)
{
	for (size_t i = 0; i < head->count; i++)
		if (slice_equals(head->attributes[i].name, slice_from_text(name)))
			return slice_to_text(head->attributes[i].value);
	return NULL;
}

static void assert_line(const struct event_head *head, const char *name, const char *want)
{
	char *got = value_of(head, name);

	if (want == NULL)
		assert_null(got);
	else if (got == NULL || strcmp(got, want) != 0)
		fail_msg("%s is '%s', not '%s'", name, got == NULL ? "absent" : got, want);
	free(got);
}

#define TRACEPARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void test_lines_of_a_message(void **state)
{
	(void)state;
	struct event_source source = {.uri = "/gatehouse/node a", .run_id = "r"};
	struct event_head head = {0};
	struct presence *presence = presence_of("dev", "ocpp1.6");
	struct event_facts facts = {
		.source = &source,
		.presence = presence,
		.traceparent = SLICE_LITERAL(TRACEPARENT),
		.tracestate = SLICE_LITERAL("a=1, b=2"),
		.type = EVENT_MESSAGE,
		.sequence = 3,
		.time_ns = UINT64_C(1700000000123456789),
		.is_text = true,
	};
	static const char *const lines[][2] = {
		{"ce-specversion", "1.0"},
		{"ce-type", "gatehouse.client.message"},
		{"ce-id", "r-7-3"},
		{"ce-source", "/gatehouse/node%20a"},
		{"ce-subject", "dev"},
		{"ce-time", "2023-11-14T22:13:20.123Z"},
		{"ce-route", "ws"},
		{"ce-clientid", "dev"},
		{"ce-connectionid", "r-7"},
		{"ce-sequence", "00000000000000000003"},
		{"ce-subprotocol", "ocpp1.6"},
		{"ce-remoteaddress", "192.0.2.1:1234"},
		{"ce-messagetype", "text"},
		{"ce-rpc", NULL},
		{"ce-reason", NULL},
		{"ce-traceparent", TRACEPARENT},
		{"traceparent", TRACEPARENT},
		{"ce-tracestate", "a=1,%20b=2"},
		{"tracestate", "a=1, b=2"},
	};

	assert_int_equal(event_head_write(&head, &facts), 0);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_line(&head, lines[i][0], lines[i][1]);
	assert_int_equal(head.count, ARRAY_LEN(lines) - 2);
	assert_true(slice_equals(head.id, SLICE_LITERAL("r-7-3")));
	assert_true(slice_equals(head.content_type, SLICE_LITERAL("text/plain; charset=utf-8")));
	event_head_finish(&head);
	presence_unref(&presence);
}

/* What is for tracers is of this hop; where all began no hop changes. */
static void test_the_trace_of_a_hop(void **state)
{
	(void)state;
	static const char own[] = "00-0af7651916cd43dd8448eb211c80319c-00000000000000ff-01";
	static const char other[] = "00-11111111111111111111111111111111-00000000000000ff-01";
	static const struct {
		const char *hop, *client, *traceparent, *origin, *tracestate;
	} rows[] = {
		{NULL, TRACEPARENT, TRACEPARENT, TRACEPARENT, "a=1"},
		{own, TRACEPARENT, own, TRACEPARENT, "a=1"},
		{other, TRACEPARENT, other, TRACEPARENT, NULL},
		{other, "", other, other, NULL},
		{NULL, "", NULL, NULL, NULL},
	};
	struct event_source source = {.uri = "/gatehouse/n", .run_id = "r"};
	struct event_head head = {0};
	struct presence *presence = presence_of("dev", NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trace_context hop;
		bool has_client = rows[i].client[0] != 0;
		const struct event_facts facts = {
			.source = &source,
			.presence = presence,
			.traceparent = slice_from_text(rows[i].client),
			.tracestate = slice_from_text(has_client ? "a=1" : ""),
			.hop = rows[i].hop == NULL ? NULL : &hop,
			.type = EVENT_MESSAGE,
		};

		if (rows[i].hop != NULL)
			assert_true(trace_parent_read(slice_from_text(rows[i].hop), &hop));
		assert_int_equal(event_head_write(&head, &facts), 0);
		assert_line(&head, "traceparent", rows[i].traceparent);
		assert_line(&head, "ce-traceparent", rows[i].origin);
		assert_line(&head, "tracestate", rows[i].tracestate);
		assert_line(&head, "ce-tracestate", has_client ? "a=1" : NULL);
	}
	event_head_finish(&head);
	presence_unref(&presence);
}

static void test_marks(void **state)
{
	(void)state;
	static const char *const wanted[MESSAGE_MARK_COUNT] = {NULL, "late", "unknown",
							       "malformed"};
	struct event_source source = {.uri = "/gatehouse/n", .run_id = "r"};
	struct event_head head = {0};
	struct presence *presence = presence_of("dev", NULL);

	for (size_t mark = 0; mark < ARRAY_LEN(wanted); mark++) {
		const struct event_facts facts = {
			.source = &source,
			.presence = presence,
			.type = EVENT_MESSAGE,
			.mark = (enum message_mark)mark,
		};

		assert_int_equal(event_head_write(&head, &facts), 0);
		assert_line(&head, "ce-rpc", wanted[mark]);
	}
	event_head_finish(&head);
	presence_unref(&presence);
}

/* As they came, encoded once more; not in other events, and not if they are too long for a header.
 */
static void test_lines_of_a_request(void **state)
{
	(void)state;
	static uint8_t longest[EVENT_REQUEST_VALUE_MAX + 1];
	struct event_source source = {.uri = "/gatehouse/n", .run_id = "r"};
	struct event_head head = {0};
	struct presence *presence = presence_of("dev", NULL);
	struct event_facts facts = {
		.source = &source,
		.presence = presence,
		.type = EVENT_CONNECT,
		.path = SLICE_LITERAL("/ws/a%20\"b"),
		.query = SLICE_LITERAL("x=\xc3\xa9&y"),
		.origin = SLICE_LITERAL("https://example.com"),
	};

	assert_int_equal(event_head_write(&head, &facts), 0);
	assert_line(&head, "ce-path", "/ws/a%2520%22b");
	assert_line(&head, "ce-query", "x=%C3%A9&y");
	assert_line(&head, "ce-origin", "https://example.com");
	memset(longest, '%', sizeof(longest));
	facts.path = slice_of(longest, sizeof(longest));
	facts.query = slice_of(longest, sizeof(longest) - 1);
	facts.origin = (struct slice){0};
	assert_int_equal(event_head_write(&head, &facts), 0);
	assert_line(&head, "ce-path", NULL);
	assert_line(&head, "ce-origin", NULL);
	char *query = value_of(&head, "ce-query");

	assert_int_equal(strlen(query), 3 * EVENT_REQUEST_VALUE_MAX);
	free(query);
	facts.type = EVENT_CONNECTED;
	assert_int_equal(event_head_write(&head, &facts), 0);
	assert_line(&head, "ce-query", NULL);
	event_head_finish(&head);
	presence_unref(&presence);
}

static void test_lines_of_attributes(void **state)
{
	(void)state;
	struct event_source source = {.uri = "/gatehouse/n", .run_id = "r"};
	struct event_head head = {0};
	struct presence *presence = presence_create(&(struct presence_facts){
		.route = unit_route("ws"),
		.client_id = "dev",
		.mailbox = &mailbox,
		.attributes = SLICE_LITERAL("tenant\0acme\0name\0J\xc3\xb6 %\0"),
	});
	const struct event_facts facts = {
		.source = &source, .presence = presence, .type = EVENT_DISCONNECTED, .reason = "x"};

	assert_int_equal(event_head_write(&head, &facts), 0);
	assert_line(&head, "ce-attrtenant", "acme");
	assert_line(&head, "ce-attrname", "J%C3%B6%20%25");
	event_head_finish(&head);
	presence_unref(&presence);
}

static struct event_head head_with(const struct tcp_tls_facts *tls)
{
	struct event_source source = {.uri = "/gatehouse/n", .run_id = "r"};
	struct event_head head = {0};
	struct presence *presence = presence_of("dev", NULL);
	const struct event_facts facts = {
		.source = &source, .presence = presence, .type = EVENT_CONNECT, .tls = tls};

	assert_int_equal(event_head_write(&head, &facts), 0);
	presence_unref(&presence);
	return head;
}

static void test_lines_of_a_certificate(void **state)
{
	(void)state;
	static const char *const dns[] = {"a.example", "b.example", "not a name"};
	static const char *const uris[] = {"urn:x,y%z"};
	const struct tls_peer_facts peer = {
		.subject = "CN=CP \\C3\\A4,O=ACME",
		.common_name = "CP \xc3\xa4",
		.serial = "0A",
		.dns = {dns, 3},
		.uris = {uris, 1},
		.not_after = 1700000000,
	};
	const struct tcp_tls_facts tls = {.version = "TLSv1.3", .peer = &peer};
	struct event_head head = head_with(&tls);

	assert_line(&head, "ce-tls", "TLSv1.3");
	assert_line(&head, "ce-peercertsubject", "CN=CP%20\\C3\\A4,O=ACME");
	assert_line(&head, "ce-peercertcn", "CP%20%C3%A4");
	assert_line(&head, "ce-peercertserial", "0A");
	assert_line(&head, "ce-peercertissuer", NULL);
	assert_line(&head, "ce-peercertfingerprint", NULL);
	assert_line(&head, "ce-peercertsans", "DNS:a.example%20DNS:b.example%20URI:urn:x,y%25z");
	assert_line(&head, "ce-peercertnotafter", "2023-11-14T22:13:20Z");
	assert_line(&head, "ce-peercertleftout", "1");
	event_head_finish(&head);
}

/* Whatever certificate a client has, the event's head stays one that servers take. */
static void test_lines_of_the_largest_certificate(void **state)
{
	(void)state;
	static char longest[EVENT_TLS_VALUE_MAX + 1], longer[EVENT_TLS_VALUE_MAX + 2];
	const char *names[TLS_PEER_NAMES_MAX];

	memset(longest, '%', sizeof(longest) - 1);
	memset(longer, '%', sizeof(longer) - 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		names[i] = longest;
	const struct tls_peer_facts peer = {
		.subject = longest,
		.issuer = longest,
		.common_name = longest,
		.serial = longest,
		.fingerprint = longer,
		.emails = {names, ARRAY_LEN(names)},
		.left_out = 3,
	};
	const struct tcp_tls_facts tls = {.peer = &peer};
	struct event_head head = head_with(&tls);
	char *sans = value_of(&head, "ce-peercertsans"), left_out[16];

	assert_line(&head, "ce-tls", "yes");
	assert_line(&head, "ce-peercertfingerprint", NULL);
	assert_line(&head, "ce-peercertnotafter", NULL);
	assert_int_equal(strlen(sans), strlen("email:") + 3 * EVENT_TLS_VALUE_MAX);
	snprintf(left_out, sizeof(left_out), "%zu", 3 + 1 + ARRAY_LEN(names) - 1);
	assert_line(&head, "ce-peercertleftout", left_out);
	free(sans);
	event_head_finish(&head);
}

static void test_lines_of_the_end(void **state)
{
	(void)state;
	struct event_source source = {.uri = "/gatehouse/n", .run_id = "r"};
	struct event_head head = {0};
	struct presence *presence = presence_of("dev", NULL);
	struct event_facts facts = {
		.source = &source,
		.presence = presence,
		.type = EVENT_DISCONNECTED,
		.sequence = UINT64_MAX,
		.reason = "client_closed",
		.code = 1000,
	};

	assert_int_equal(event_head_write(&head, &facts), 0);
	assert_line(&head, "ce-type", "gatehouse.client.disconnected");
	assert_line(&head, "ce-reason", "client_closed");
	assert_line(&head, "ce-code", "1000");
	assert_line(&head, "ce-sequence", "18446744073709551615");
	assert_line(&head, "ce-messagetype", NULL);
	assert_line(&head, "ce-subprotocol", NULL);
	assert_line(&head, "traceparent", NULL);
	assert_true(slice_equals(head.content_type, SLICE_LITERAL("application/octet-stream")));
	event_head_finish(&head);
	presence_unref(&presence);
}

/* The HTTP binding, 3.1.3.2: space, '"', '%' and all outside of U+0021..U+007E. */
static void test_values_are_percent_encoded(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"a b", "a%20b"},
		{"100%", "100%25"},
		{"say \"x\"", "say%20%22x%22"},
		{"Euro \xe2\x82\xac", "Euro%20%E2%82%AC"},
		{"\xf0\x9f\x98\x80", "%F0%9F%98%80"},
		{"~!/?'\\", "~!/?'\\"},
	};
	struct event_source source = {.uri = "/", .run_id = "r"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct event_head head = {0};
		struct presence *presence = presence_of(rows[i][0], NULL);

		assert_int_equal(event_head_write(&head, &(struct event_facts){.source = &source,
									       .presence = presence,
									       .sequence = 1}),
				 0);
		assert_line(&head, "ce-subject", rows[i][1]);
		assert_line(&head, "ce-clientid", rows[i][1]);
		event_head_finish(&head);
		presence_unref(&presence);
	}
}

/* The longest of everything, each byte of it three times as long: no check fails. */
/* As many, and as long in all, as there may be; fills `block` and returns its length. */
static size_t attributes_of_the_most(uint8_t block[ATTRIBUTES_BYTES_MAX])
{
	size_t each = ATTRIBUTES_BYTES_MAX / ATTRIBUTES_MAX;

	memset(block, ' ', ATTRIBUTES_BYTES_MAX);
	for (size_t i = 0; i < ATTRIBUTES_MAX; i++) {
		uint8_t *at = block + i * each;

		at[0] = (uint8_t)('a' + i);
		at[1] = at[each - 1] = 0;
	}
	return ATTRIBUTES_BYTES_MAX;
}

static void test_the_longest_head_fits(void **state)
{
	(void)state;
	struct event_source source;
	struct event_head head = {0};
	char id[PRESENCE_CLIENT_ID_MAX + 1], node[64], trace[513];
	uint8_t attributes[ATTRIBUTES_BYTES_MAX];

	memset(id, '%', sizeof(id) - 1);
	memset(node, ' ', sizeof(node) - 1);
	memset(trace, '"', sizeof(trace) - 1);
	id[sizeof(id) - 1] = node[sizeof(node) - 1] = trace[sizeof(trace) - 1] = 0;
	event_source_init(&source, node);
	struct presence *presence = presence_create(&(struct presence_facts){
		.route = unit_route("ws"),
		.client_id = id,
		.subprotocol = slice_from_text(id),
		.mailbox = &mailbox,
		.attributes = slice_of(attributes, attributes_of_the_most(attributes)),
	});
	struct event_facts facts = {
		.source = &source,
		.presence = presence,
		.traceparent = slice_of(trace, 512),
		.tracestate = slice_of(trace, 512),
		.type = EVENT_DISCONNECTED,
		.sequence = UINT64_MAX,
		.time_ns = UINT64_MAX,
		.reason = "client_closed",
		.code = UINT16_MAX,
	};

	presence->connection_id = (UINT64_C(1) << 48) - 1;
	assert_int_equal(event_head_write(&head, &facts), 0);
	char *subject = value_of(&head, "ce-subject");

	assert_int_equal(strlen(subject), 3 * PRESENCE_CLIENT_ID_MAX);
	free(subject);
	event_head_finish(&head);
	presence_unref(&presence);
}

static void test_two_starts_have_different_ids(void **state)
{
	(void)state;
	struct event_source first, second;

	event_source_init(&first, "n");
	event_source_init(&second, "n");
	assert_string_equal(first.uri, "/gatehouse/n");
	assert_string_equal(first.uri, second.uri);
	assert_string_not_equal(first.run_id, second.run_id);
	assert_null(strpbrk(first.run_id, ".-"));
}

static void test_traceparents(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		bool is_good;
	} rows[] = {
		{TRACEPARENT, true},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true},
		{"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
		{"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true},
		{"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more", false},
		{TRACEPARENT "-more", false},
		{"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
		{"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
		{"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
		{"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g", false},
		{"00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01", false},
		{"", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].value);
		uint8_t *copy = malloc(len + (len == 0));

		memcpy(copy, rows[i].value, len);
		ASSERT_ROW(trace_parent_is_good(slice_of(copy, len)) == rows[i].is_good,
			   rows[i].value);
		free(copy);
	}
}

#define GOOD_SECRET "whsec_QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD"

static void test_secret_files(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t count;      /* 0: refused */
		const char *wrong; /* in the message */
	} rows[] = {
		{GOOD_SECRET "\n", 1, NULL},
		{GOOD_SECRET, 1, NULL},
		{"# old\n\n" GOOD_SECRET "\r\n  " GOOD_SECRET "  \n", 2, NULL},
		{"", 0, ": has no secret"},
		{"# none\n", 0, ": has no secret"},
		{GOOD_SECRET "\nwhsec_AAAA\n", 0, ":2: the secret"},
		{"\n\nsecret\n", 0, ":3: the secret"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[] = "/tmp/gatehouse-secrets-XXXXXX", error[256];
		struct secrets secrets = {0};
		int fd = mkstemp(name);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, rows[i].text, strlen(rows[i].text)),
				 strlen(rows[i].text));
		close(fd);
		int r = secret_file_read(name, &secrets, error, sizeof(error));

		unlink(name);
		ASSERT_ROW((r == 0) == (rows[i].count > 0), rows[i].text);
		ASSERT_ROW(secrets.count == rows[i].count, rows[i].text);
		if (r < 0)
			ASSERT_ROW(rows[i].wrong != NULL && strstr(error, rows[i].wrong) != NULL,
				   error);
		secrets_finish(&secrets);
	}
	char error[256];
	struct secrets secrets = {0};

	assert_true(secret_file_read("/no/such/file", &secrets, error, sizeof(error)) < 0);
	assert_non_null(strstr(error, "cannot be read"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_a_message),
		cmocka_unit_test(test_the_trace_of_a_hop),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_lines_of_a_request),
		cmocka_unit_test(test_lines_of_attributes),
		cmocka_unit_test(test_lines_of_a_certificate),
		cmocka_unit_test(test_lines_of_the_largest_certificate),
		cmocka_unit_test(test_lines_of_the_end),
		cmocka_unit_test(test_values_are_percent_encoded),
		cmocka_unit_test(test_the_longest_head_fits),
		cmocka_unit_test(test_two_starts_have_different_ids),
		cmocka_unit_test(test_traceparents),
		cmocka_unit_test(test_secret_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
