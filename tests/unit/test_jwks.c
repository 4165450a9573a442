/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/jwks.h"
#include "base/clock.h"

#define ONE_KEY                                                                 \
	"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":" \
	"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

/* --- a server that says what it is told --- */

struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t mutex;
	char answer[2048]; /* under the mutex; "": holds the connection until the next answer */
	unsigned served;   /* atomic */
	bool is_stopping;  /* atomic */
};

static void serve_one(struct server *server, int fd)
{
	char request[4096], answer[2048];
	ssize_t got = read(fd, request, sizeof(request));

	pthread_mutex_lock(&server->mutex);
	snprintf(answer, sizeof(answer), "%s", server->answer);
	pthread_mutex_unlock(&server->mutex);
	if (got > 0 && answer[0] != 0)
		assert_true(send(fd, answer, strlen(answer), MSG_NOSIGNAL) > 0);
	while (got > 0 && strcmp(answer, "endless") == 0)
		got = send(fd, request, sizeof(request), MSG_NOSIGNAL);
	__atomic_fetch_add(&server->served, 1, __ATOMIC_RELEASE);
	close(fd);
}

static void *serve(void *arg)
{
	struct server *server = arg;

	while (!__atomic_load_n(&server->is_stopping, __ATOMIC_ACQUIRE)) {
		int fd = accept(server->fd, NULL, NULL);

		if (fd >= 0)
			serve_one(server, fd);
	}
	return NULL;
}

static void server_start(struct server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	*server = (struct server){.fd = socket(AF_INET, SOCK_STREAM, 0)};
	pthread_mutex_init(&server->mutex, NULL);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(server->fd, 16), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	__atomic_store_n(&server->is_stopping, true, __ATOMIC_RELEASE);
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

/* A status line and further lines, then a body. */
static void server_says(struct server *server, const char *head, const char *body)
{
	pthread_mutex_lock(&server->mutex);
	snprintf(server->answer, sizeof(server->answer), "HTTP/1.1 %sContent-Length: %zu\r\n\r\n%s",
		 head, strlen(body), body);
	pthread_mutex_unlock(&server->mutex);
}

/* --- waiting --- */

static void keep_status(void *arg, const struct jwks_status *status)
{
	*(struct jwks_status *)arg = *status;
}

static void wait_count(struct jwks_pool *pool, enum jwks_outcome outcome, uint64_t count)
{
	uint64_t until_ns = clock_now_ns() + GIVE_UP_NS;
	struct jwks_status status = {0};

	do {
		jwks_pool_each(pool, keep_status, &status);
		if (status.counts[outcome] >= count)
			return;
		usleep(2000);
	} while (clock_now_ns() < until_ns);
	fail_msg("never %s: %s", jwks_outcome_label(outcome), status.error);
}

static struct jwks_options options_of(const struct server *server, char url[64])
{
	snprintf(url, 64, "http://127.0.0.1:%u/keys?secret=1", server->port);
	return (struct jwks_options){.url = url, .timeout_ms = 60000, .refresh_ms = 3600000};
}

static bool has_key(struct jwks *jwks, const char *id)
{
	struct jwk_set *set = jwks_keys(jwks);
	bool is_there = set != NULL && strcmp(set->keys[0].id, id) == 0;

	jwk_set_unref(&set);
	return is_there;
}

/* --- URLs --- */

static void test_a_url_is_fetched_once_for_all(void **state)
{
	struct server server;
	struct jwks_pool *pool = jwks_pool_create(NULL, NULL);
	struct jwks *one, *other;
	char url[64], error[256], body[512];
	struct jwks_status status = {0};

	(void)state;
	server_start(&server);
	snprintf(body, sizeof(body), ONE_KEY, "a");
	server_says(&server, "200 OK\r\n", body);
	struct jwks_options options = options_of(&server, url);

	assert_int_equal(jwks_take(pool, &options, &one, error, sizeof(error)), 0);
	assert_int_equal(jwks_take(pool, &options, &other, error, sizeof(error)), 0);
	assert_ptr_equal(one, other);
	wait_count(pool, JWKS_LOADED, 1);
	assert_true(has_key(one, "a"));
	jwks_pool_each(pool, keep_status, &status);
	assert_int_equal(status.keys, 1);
	assert_null(strstr(status.name, "secret"));
	/* What is wished for at once comes no sooner than it may. */
	for (int i = 0; i < 1000; i++)
		jwks_want_newer(one);
	assert_int_equal(__atomic_load_n(&server.served, __ATOMIC_ACQUIRE), 1);
	jwks_unref(&one);
	assert_true(has_key(other, "a"));
	jwks_unref(&other);
	jwks_pool_unref(&pool);
	server_stop(&server);
}

/* --- waiting for a fetch --- */

struct waiter {
	struct jwks_wait wait;
	struct loop *loop;
	unsigned told;
};

static void on_fetched(struct loop_task *task)
{
	struct waiter *waiter = CONTAINER_OF(task, struct waiter, wait.task);

	waiter->told++;
	loop_stop(waiter->loop);
}

static struct waiter waiter_of(struct mailbox *mailbox, struct loop *loop)
{
	return (struct waiter){.wait = {.task = {.run = on_fetched}, .mailbox = mailbox},
			       .loop = loop};
}

static size_t waiting(struct jwks_pool *pool)
{
	struct jwks_status status = {0};

	jwks_pool_each(pool, keep_status, &status);
	return status.waiting;
}

/* Who waits is told once when the fetch has ended, and who has given up never; more than may are
 * not taken, nor is anybody when the next fetch is not near. */
static void test_who_waits_for_a_fetch_is_told(void **state)
{
	static struct waiter many[JWKS_WAITING_MAX - 1];
	struct server server;
	struct jwks_pool *pool = jwks_pool_create(NULL, NULL);
	struct loop *loop = NULL;
	struct mailbox mailbox, closed;
	struct jwks *jwks;
	char url[64], error[256], body[512];

	(void)state;
	assert_int_equal(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &loop),
			 0);
	mailbox_init(&closed);
	mailbox_init(&mailbox);
	mailbox_open(&mailbox, loop);
	server_start(&server);
	snprintf(body, sizeof(body), ONE_KEY, "a");
	server_says(&server, "200 OK\r\n", body);
	struct jwks_options options = options_of(&server, url);

	/* It has no answer yet. */
	pthread_mutex_lock(&server.mutex);
	assert_int_equal(jwks_take(pool, &options, &jwks, error, sizeof(error)), 0);
	struct waiter waiter = waiter_of(&mailbox, loop), late = waiter;
	struct waiter gone = waiter_of(&closed, loop);

	assert_true(jwks_wait_newer(jwks, &waiter.wait));
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		many[i] = waiter_of(i == 0 ? &closed : &mailbox, loop);
		assert_true(jwks_wait_newer(jwks, &many[i].wait));
	}
	assert_int_equal(waiting(pool), JWKS_WAITING_MAX);
	assert_false(jwks_wait_newer(jwks, &late.wait));
	for (size_t i = 1; i < ARRAY_LEN(many); i++)
		assert_true(jwks_wait_cancel(jwks, &many[i].wait));
	assert_true(jwks_wait_newer(jwks, &gone.wait));
	assert_true(jwks_wait_cancel(jwks, &gone.wait));
	assert_int_equal(waiting(pool), 2);
	assert_int_equal(waiter.told, 0);
	pthread_mutex_unlock(&server.mutex);
	loop_run(loop);
	assert_int_equal(waiter.told, 1);
	assert_true(has_key(jwks, "a"));
	assert_false(jwks_wait_cancel(jwks, &waiter.wait));

	/* Whose worker had ended is not told, and is there until it is given up. */
	assert_int_equal(waiting(pool), 1);
	assert_true(jwks_wait_cancel(jwks, &many[0].wait));
	assert_int_equal(waiting(pool), 0);

	/* The last fetch began a moment ago. */
	assert_false(jwks_wait_newer(jwks, &late.wait));
	assert_int_equal(late.told + many[0].told + many[1].told + gone.told, 0);
	jwks_unref(&jwks);
	jwks_pool_unref(&pool);
	server_stop(&server);
	mailbox_close(&mailbox);
	loop_destroy(&loop);
	mailbox_finish(&mailbox);
	mailbox_finish(&closed);
}

/* Also by a fetch that fails. */
static void test_who_waits_is_told_of_a_failure(void **state)
{
	struct server server;
	struct jwks_pool *pool = jwks_pool_create(NULL, NULL);
	struct loop *loop = NULL;
	struct mailbox mailbox;
	struct jwks *jwks;
	char url[64], error[256];

	(void)state;
	assert_int_equal(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &loop),
			 0);
	mailbox_init(&mailbox);
	mailbox_open(&mailbox, loop);
	server_start(&server);
	server_says(&server, "500 No\r\n", "");
	struct jwks_options options = options_of(&server, url);
	struct waiter waiter = waiter_of(&mailbox, loop);

	pthread_mutex_lock(&server.mutex);
	assert_int_equal(jwks_take(pool, &options, &jwks, error, sizeof(error)), 0);
	assert_true(jwks_wait_newer(jwks, &waiter.wait));
	pthread_mutex_unlock(&server.mutex);
	loop_run(loop);
	assert_int_equal(waiter.told, 1);
	jwks_unref(&jwks);
	jwks_pool_unref(&pool);
	server_stop(&server);
	mailbox_close(&mailbox);
	loop_destroy(&loop);
	mailbox_finish(&mailbox);
}

/* Each is wrong in its way, is counted as that, and gives no keys; then a good one comes. */
static void test_what_is_no_key_set(void **state)
{
	static const struct {
		const char *head, *body;
		enum jwks_outcome want;
		const char *error;
	} rows[] = {
		{"500 No\r\n", "", JWKS_STATUS, "answered 500"},
		{"302 Found\r\nLocation: http://127.0.0.1:9/\r\n", "", JWKS_REDIRECT, "redirects"},
		{"200 OK\r\n", "<html>", JWKS_UNREADABLE, "is not JSON"},
		{"200 OK\r\n", "{}", JWKS_UNREADABLE, "is no JWK Set"},
		{"200 OK\r\nContent-Encoding: gzip\r\n", "\x1f\x8b", JWKS_UNREADABLE,
		 "is not JSON"},
		{"200 OK\r\n",
		 "{\"keys\":[{\"kty\":\"oct\",\"k\":"
		 "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}",
		 JWKS_UNREADABLE, "from a file only"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct server server;
		struct jwks_pool *pool = jwks_pool_create(NULL, NULL);
		struct jwks_status status = {0};
		struct jwks *jwks;
		char url[64], error[256], body[512];

		server_start(&server);
		server_says(&server, rows[i].head, rows[i].body);
		struct jwks_options options = options_of(&server, url);

		assert_int_equal(jwks_take(pool, &options, &jwks, error, sizeof(error)), 0);
		wait_count(pool, rows[i].want, 1);
		assert_null(jwks_keys(jwks));
		jwks_pool_each(pool, keep_status, &status);
		assert_int_equal(status.keys, 0);
		snprintf(body, sizeof(body), ONE_KEY, "b");
		server_says(&server, "200 OK\r\nCache-Control: no-cache, max-age=86400\r\n", body);
		wait_count(pool, JWKS_LOADED, 1);
		assert_true(has_key(jwks, "b"));
		jwks_unref(&jwks);
		jwks_pool_unref(&pool);
		server_stop(&server);
	}
}

static void test_an_endless_answer_ends(void **state)
{
	struct server server;
	struct jwks_pool *pool = jwks_pool_create(NULL, NULL);
	struct jwks *jwks;
	char url[64], error[256];

	(void)state;
	server_start(&server);
	pthread_mutex_lock(&server.mutex);
	snprintf(server.answer, sizeof(server.answer), "endless");
	pthread_mutex_unlock(&server.mutex);
	struct jwks_options options = options_of(&server, url);

	assert_int_equal(jwks_take(pool, &options, &jwks, error, sizeof(error)), 0);
	wait_count(pool, JWKS_UNREACHABLE, 1);
	jwks_unref(&jwks);
	jwks_pool_unref(&pool);
	server_stop(&server);
}

/* Refreshed, and rubbish in between keeps what there was. */
static void test_rubbish_keeps_the_old(void **state)
{
	struct server server;
	struct jwks_pool *pool = jwks_pool_create(NULL, NULL);
	struct jwks *jwks;
	char url[64], error[256], body[512];

	(void)state;
	server_start(&server);
	snprintf(body, sizeof(body), ONE_KEY, "a");
	server_says(&server, "200 OK\r\n", body);
	struct jwks_options options = options_of(&server, url);

	options.refresh_ms = 1;
	assert_int_equal(jwks_take(pool, &options, &jwks, error, sizeof(error)), 0);
	wait_count(pool, JWKS_LOADED, 3);
	server_says(&server, "200 OK\r\n", "rubbish");
	wait_count(pool, JWKS_UNREADABLE, 1);
	assert_true(has_key(jwks, "a"));
	snprintf(body, sizeof(body), ONE_KEY, "b");
	server_says(&server, "200 OK\r\n", body);
	for (uint64_t until_ns = clock_now_ns() + GIVE_UP_NS; !has_key(jwks, "b");) {
		assert_true(clock_now_ns() < until_ns);
		usleep(2000);
	}
	jwks_unref(&jwks);
	jwks_pool_unref(&pool);
	server_stop(&server);
}

/* Nobody is there any more: the keys are good for a while, and then they are not. */
static void test_stale(void **state)
{
	struct server server;
	struct jwks_pool *pool = jwks_pool_create(NULL, NULL);
	struct jwks *jwks;
	char url[64], error[256], body[512];

	(void)state;
	server_start(&server);
	snprintf(body, sizeof(body), ONE_KEY, "a");
	server_says(&server, "200 OK\r\n", body);
	struct jwks_options options = options_of(&server, url);

	options.stale_max_ms = 50;
	assert_int_equal(jwks_take(pool, &options, &jwks, error, sizeof(error)), 0);
	wait_count(pool, JWKS_LOADED, 1);
	struct jwk_set *set;

	for (uint64_t until_ns = clock_now_ns() + GIVE_UP_NS; (set = jwks_keys(jwks)) != NULL;) {
		jwk_set_unref(&set);
		assert_true(clock_now_ns() < until_ns);
		usleep(2000);
	}
	jwks_unref(&jwks);
	jwks_pool_unref(&pool);
	server_stop(&server);
}

/* The end does not wait for a server that says nothing. */
static void test_the_end_waits_for_nobody(void **state)
{
	struct server server;
	struct jwks_pool *pool = jwks_pool_create(NULL, NULL);
	struct jwks *jwks;
	char url[64], error[256];
	int held = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	(void)state;
	assert_int_equal(bind(held, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(held, 1), 0); /* and nobody accepts */
	assert_int_equal(getsockname(held, (struct sockaddr *)&address, &len), 0);
	server.port = ntohs(address.sin_port);
	struct jwks_options options = options_of(&server, url);

	options.timeout_ms = 3600000;
	assert_int_equal(jwks_take(pool, &options, &jwks, error, sizeof(error)), 0);
	assert_null(jwks_keys(jwks));
	jwks_pool_unref(&pool); /* the source still holds one */
	jwks_unref(&jwks);
	close(held);
}

static void test_urls(void **state)
{
	static const struct {
		const char *url, *wrong;
	} rows[] = {
		{"https://id.example/keys", NULL},
		{"http://127.0.0.1/", NULL},
		{"ftp://id.example/keys", "scheme"},
		{"file:///etc/passwd", "scheme"},
		{"https://a:b@id.example/", "a user"},
		{"", "is no URL"},
		{"https://", "is no URL"},
	};
	char error[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jwks_options options = {.url = rows[i].url};
		int r = jwks_check(&options, error, sizeof(error));

		ASSERT_ROW(r == (rows[i].wrong == NULL ? 0 : -EINVAL), rows[i].url);
		ASSERT_ROW(r == 0 || strstr(error, rows[i].wrong) != NULL, rows[i].url);
		ASSERT_ROW(r == 0 || strstr(error, "a:b") == NULL, rows[i].url);
	}
	struct jwks_options options = {.url = "https://id.example/", .ca_file = "/dev/null"};

	assert_int_equal(jwks_check(&options, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "holds no certificates"));
}

/* --- files --- */

static void file_write(const char *file, const char *text)
{
	FILE *to = fopen(file, "w");

	assert_non_null(to);
	fputs(text, to);
	fclose(to);
}

static void test_a_file(void **state)
{
	struct jwks_pool *pool = jwks_pool_create(NULL, NULL);
	char file[] = "/tmp/gatehouse-jwks-XXXXXX", text[512], error[256];
	int fd = mkstemp(file);
	struct jwks_options options = {.file = file};
	struct jwks *jwks;

	(void)state;
	close(fd);
	assert_int_equal(jwks_take(pool, &options, &jwks, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "is not JSON"));
	snprintf(text, sizeof(text), ONE_KEY, "a");
	file_write(file, text);
	assert_int_equal(jwks_take(pool, &options, &jwks, error, sizeof(error)), 0);
	assert_true(has_key(jwks, "a"));

	file_write(file, "{\"keys\":");
	assert_int_equal(jwks_file_read(jwks, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, file));
	assert_true(has_key(jwks, "a"));

	snprintf(text, sizeof(text), ONE_KEY, "b");
	file_write(file, text);
	assert_int_equal(jwks_file_read(jwks, error, sizeof(error)), 0);
	assert_true(has_key(jwks, "b"));

	/* A secret that everybody may read is none. */
	file_write(file, "{\"kty\":\"oct\",\"kid\":\"s\",\"k\":"
			 "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}");
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(jwks_file_read(jwks, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "everybody may read it (mode 644)"));
	assert_int_equal(chmod(file, 0640), 0);
	assert_int_equal(jwks_file_read(jwks, error, sizeof(error)), 0);
	assert_true(has_key(jwks, "s"));
	unlink(file);
	assert_int_equal(jwks_file_read(jwks, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "cannot be read"));
	assert_true(has_key(jwks, "s"));
	jwks_unref(&jwks);
	jwks_pool_unref(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_a_file),
		cmocka_unit_test(test_a_url_is_fetched_once_for_all),
		cmocka_unit_test(test_who_waits_for_a_fetch_is_told),
		cmocka_unit_test(test_who_waits_is_told_of_a_failure),
		cmocka_unit_test(test_what_is_no_key_set),
		cmocka_unit_test(test_an_endless_answer_ends),
		cmocka_unit_test(test_rubbish_keeps_the_old),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_the_end_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
