/* SPDX-License-Identifier: Apache-2.0
 * test_server_tls.c - the keys of session tickets change as the clock goes on: a ticket is good for
 * the period of its key and the one after. */
#include "base/clock.h"
#include "config/config.h"
#include "server/server_tls.h"
#include "tls/tls_records.h"
#include "tls/tls_stream.h"
#include "tls/tls_ticket_keys.h"
#include "tls_files.h"

#define PERIOD_NS (TLS_TICKET_LIFETIME_S * NS_PER_S)

static struct tls_files ec;
static char ticket_file[160];

static int setup(void **state)
{
	(void)state;
	tls_files_make(&ec, "one.example", "DNS:one.example", false);
	snprintf(ticket_file, sizeof(ticket_file), "%s/tickets", ec.directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(ticket_file);
	tls_files_remove(&ec);
	return 0;
}

/* --- a listener's TLS, from a configuration --- */

struct fixture {
	struct config config;
	struct server_tls *tls;
	struct tls_context *client_context;
	uint64_t start_ns; /* not before the listener was made */
};

static void fixture_init(struct fixture *f, const char *more, uint16_t version)
{
	char text[1024];
	struct config_report report = {0};
	struct server_tls_error error;
	struct tls_error client_error;

	snprintf(text, sizeof(text),
		 "server:\n  listeners:\n    - address: 127.0.0.1:0\n      tls:\n        "
		 "certificates: [{cert_file: %s, key_file: %s}]\n%s",
		 ec.cert, ec.key, more);
	struct slice content = slice_of(text, strlen(text));

	*f = (struct fixture){0};
	assert_int_equal(
		config_load(&(struct config_sources){.file = "test.yaml", .text = &content},
			    &report, &f->config),
		0);
	f->tls = server_tls_create(&f->config, &f->config.server.listeners.items[0].tls,
				   "server.listeners[0].tls", NULL, &error);
	if (f->tls == NULL)
		fail_msg("%s", error.text);
	f->start_ns = clock_now_ns();
	f->client_context = tls_client_context_create(
		&(struct tls_client_options){.is_insecure = true, .version = version},
		&client_error);
	assert_non_null(f->client_context);
}

static void fixture_finish(struct fixture *f)
{
	server_tls_destroy(&f->tls);
	tls_context_unref(&f->client_context);
	config_finish(&f->config);
}

/* --- a client that comes, and comes back --- */

/* What is on the wire arrives; it is there anew what the other says to it. */
static void carry(struct tls_stream *to, struct tls_crypt *crypt, struct buf *wire,
		  struct buf *reply)
{
	static uint8_t out[2 * TLS_OPEN_ROOM];
	size_t at = 0, used, len;

	do {
		enum tls_stream_result result = tls_stream_recv(
			to, crypt, slice_behind(buf_slice(wire), at), &used, out, sizeof(out), &len,
			reply);

		assert_true(result == TLS_STREAM_OK || result == TLS_STREAM_READY);
		at += used;
	} while (at < wire->len);
	buf_finish(wire);
}

/* Offers *session, if there is one, and takes the newest in its place. */
static bool is_resumed(struct fixture *f, struct ssl_session_st **session)
{
	struct tls_context *context = tls_holder_get(server_tls_holder(f->tls));
	struct tls_stream *server = tls_stream_accept(context);
	struct tls_stream *client = tls_stream_connect(f->client_context, "one.example");
	struct tls_crypt *crypt = tls_crypt_create();
	struct buf to_server = {0}, to_client = {0};

	if (*session != NULL)
		tls_stream_resume(client, *session);
	carry(client, crypt, &to_client, &to_server);
	while (to_server.len + to_client.len > 0) {
		carry(server, crypt, &to_server, &to_client);
		carry(client, crypt, &to_client, &to_server);
	}
	bool is_resumed = tls_stream_facts(server).is_resumed;
	struct ssl_session_st *newest = tls_stream_session(client);

	assert_int_equal(tls_stream_facts(client).is_resumed, is_resumed);
	assert_non_null(newest);
	tls_session_free(session);
	*session = newest;
	tls_stream_destroy(&server);
	tls_stream_destroy(&client);
	tls_crypt_destroy(&crypt);
	tls_context_unref(&context);
	return is_resumed;
}

/* Offers a ticket and keeps it, whatever came for it. */
static bool opens(struct fixture *f, struct ssl_session_st *ticket)
{
	struct ssl_session_st *offered = tls_session_ref(ticket);
	bool is_good = is_resumed(f, &offered);

	tls_session_free(&offered);
	return is_good;
}

static void rotation(uint16_t version, const char *row)
{
	struct fixture f;
	struct ssl_session_st *first = NULL, *second = NULL;

	fixture_init(&f, "", version);
	ASSERT_ROW(!is_resumed(&f, &first), row);
	/* The whole period, ticking every second or so: the same key. */
	for (uint64_t s = 0; s < TLS_TICKET_LIFETIME_S - GIVE_UP_S; s += 600)
		server_tls_tick(f.tls, f.start_ns + s * NS_PER_S);
	server_tls_tick(f.tls, f.start_ns + PERIOD_NS - GIVE_UP_NS);
	ASSERT_ROW(opens(&f, first), row);

	/* It is over: another key seals, and this one still opens, to the end of the next. */
	server_tls_tick(f.tls, f.start_ns + PERIOD_NS);
	ASSERT_ROW(!is_resumed(&f, &second), row);
	server_tls_tick(f.tls, f.start_ns + 2 * PERIOD_NS - 1);
	ASSERT_ROW(opens(&f, first) && opens(&f, second), row);

	/* Then it is refused, and its client gets in without; the second one has its period. */
	server_tls_tick(f.tls, f.start_ns + 2 * PERIOD_NS);
	ASSERT_ROW(!opens(&f, first) && opens(&f, second), row);
	server_tls_tick(f.tls, f.start_ns + 3 * PERIOD_NS);
	ASSERT_ROW(!opens(&f, first) && !opens(&f, second), row);
	tls_session_free(&first);
	tls_session_free(&second);
	fixture_finish(&f);
}

static void test_keys_change_with_the_clock(void **state)
{
	(void)state;
	rotation(0x0303, "1.2");
	rotation(0x0304, "1.3");
}

/* A clock that stood still for days is no reason to forget more than one key. */
static void test_a_long_sleep(void **state)
{
	(void)state;
	struct fixture f;
	struct ssl_session_st *ticket = NULL;

	fixture_init(&f, "", 0x0304);
	assert_false(is_resumed(&f, &ticket));
	server_tls_tick(f.tls, f.start_ns + 9 * PERIOD_NS);
	assert_true(opens(&f, ticket));
	server_tls_tick(f.tls, f.start_ns + 10 * PERIOD_NS - 1);
	assert_true(opens(&f, ticket));
	server_tls_tick(f.tls, f.start_ns + 10 * PERIOD_NS);
	assert_false(opens(&f, ticket));
	tls_session_free(&ticket);
	fixture_finish(&f);
}

/* Keys of a file are whoever's who writes it: the clock changes nothing. */
static void test_keys_of_a_file_stay(void **state)
{
	(void)state;
	struct fixture f;
	struct ssl_session_st *ticket = NULL;
	char more[256];
	FILE *file = fopen(ticket_file, "w");

	assert_non_null(file);
	for (int i = 0; i < TLS_TICKET_KEY_LEN; i++)
		fputc('a' + i % 26, file);
	fclose(file);
	snprintf(more, sizeof(more), "        ticket_key_file: %s\n", ticket_file);
	fixture_init(&f, more, 0x0304);
	assert_false(is_resumed(&f, &ticket));
	for (uint64_t i = 1; i < 5; i++)
		server_tls_tick(f.tls, f.start_ns + i * PERIOD_NS);
	assert_true(opens(&f, ticket));
	tls_session_free(&ticket);
	fixture_finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_change_with_the_clock),
		cmocka_unit_test(test_a_long_sleep),
		cmocka_unit_test(test_keys_of_a_file_stay),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
