/* SPDX-License-Identifier: Apache-2.0
 * TLS to a broker: files that cannot be used, and brokers that do not keep to it. Real
 * ones with TLS are in tests/e2e/cluster/test_bus_tls.py. */
#include "bus_unit.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/stat.h>

#include "bus/deadline.h"

/* --- files --- */

struct files {
	char dir[64];
	char cert[96], key[96], other_key[96], locked_key[96], garbage[96], pipe[96], missing[96];
};

static void path_set(const struct files *files, char out[96], const char *name)
{
	snprintf(out, 96, "%s/%s", files->dir, name);
}

static void key_write(const char *path, EVP_PKEY *key, const char *password)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(
		PEM_write_PrivateKey(file, key, password != NULL ? EVP_aes_128_cbc() : NULL,
				     (const unsigned char *)password,
				     password != NULL ? (int)strlen(password) : 0, NULL, NULL),
		1);
	fclose(file);
}

static void cert_write(const char *path, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
	X509_free(cert);
}

static int files_setup(void **state)
{
	struct files *files = calloc(1, sizeof(*files));
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");

	snprintf(files->dir, sizeof(files->dir), "/tmp/gatehouse-tls-XXXXXX");
	assert_non_null(mkdtemp(files->dir));
	path_set(files, files->cert, "cert.pem");
	path_set(files, files->key, "key.pem");
	path_set(files, files->other_key, "other.pem");
	path_set(files, files->locked_key, "locked.pem");
	path_set(files, files->garbage, "garbage");
	path_set(files, files->pipe, "pipe");
	path_set(files, files->missing, "missing");
	key_write(files->key, key, NULL);
	key_write(files->other_key, other, NULL);
	key_write(files->locked_key, key, "s3cret");
	cert_write(files->cert, key);
	FILE *garbage = fopen(files->garbage, "w");

	fputs("s3cret\n", garbage);
	fclose(garbage);
	assert_int_equal(mkfifo(files->pipe, 0600), 0);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	*state = files;
	return 0;
}

static int files_teardown(void **state)
{
	struct files *files = *state;

	nftw(files->dir, nats_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(files);
	return 0;
}

static void test_good_files_are_taken(void **state)
{
	const struct files *files = *state;
	const struct bus_options rows[] = {
		{0},
		{.ca_file = files->cert},
		{.cert_file = files->cert, .key_file = files->key},
		{.ca_file = files->cert, .cert_file = files->cert, .key_file = files->key},
	};
	char error[512];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(bus_tls_check(&rows[i], error, sizeof(error)));
}

static void test_bad_files_are_told_without_their_content(void **state)
{
	const struct files *files = *state;
	const struct {
		struct bus_options options;
		const char *path; /* named behind the field */
		const char *field, *want;
	} rows[] = {
		{{.ca_file = files->missing},
		 files->missing,
		 "ca_file",
		 "cannot be opened: No such"},
		{{.ca_file = files->dir}, files->dir, "ca_file", "is not a file"},
		{{.ca_file = files->pipe}, files->pipe, "ca_file", "is not a file"},
		{{.ca_file = files->garbage}, files->garbage, "ca_file", "holds no certificates"},
		{{.ca_file = files->key}, files->key, "ca_file", "holds no certificates"},
		{{.cert_file = files->garbage, .key_file = files->key},
		 files->garbage,
		 "cert_file",
		 "holds no certificate that can be used"},
		{{.cert_file = files->cert, .key_file = files->garbage},
		 files->garbage,
		 "key_file",
		 "holds no private key that can be used"},
		{{.cert_file = files->cert, .key_file = files->locked_key},
		 files->locked_key,
		 "key_file",
		 "holds no private key that can be used"},
		{{.cert_file = files->cert, .key_file = files->other_key},
		 files->other_key,
		 "key_file",
		 "is not the key of the certificate in"},
		{{.cert_file = files->cert}, "is set", "cert_file", "without a key_file"},
		{{.key_file = files->key}, "is set", "key_file", "without a cert_file"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char error[512] = "", want[512];

		snprintf(want, sizeof(want), "%s: %s %s", rows[i].field, rows[i].path,
			 rows[i].want);
		assert_false(bus_tls_check(&rows[i].options, error, sizeof(error)));
		if (strncmp(error, want, strlen(want)) != 0)
			fail_msg("got '%s'\nwant '%s...'", error, want);
		assert_null(strstr(error, "s3cret"));
	}
}

static void test_a_bus_with_bad_files_is_not_made(void **state)
{
	const struct files *files = *state;
	const char *url = "tls://127.0.0.1:1";
	struct bus *bus = NULL;

	assert_int_equal(bus_create_nats(&(struct bus_options){.urls = &url,
							       .url_count = 1,
							       .ca_file = files->garbage},
					 &bus),
			 -EINVAL);
	assert_null(bus);
}

/* --- brokers that do not keep to it --- */

/* It says `info` to each connection, and keeps what it then hears. */
struct broker {
	struct io_fixture io;
	pthread_t thread;
	char info[512];
	char heard[16384];
	unsigned connections; /* atomic */
	int listener;
	unsigned port;
};

static int socket_open(unsigned *out_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(listen(listener, 16), 0);
	*out_port = ntohs(addr.sin_port);
	return listener;
}

static void *broker_run(void *arg)
{
	struct broker *broker = arg;
	size_t heard = 0;

	for (int fd; (fd = accept(broker->listener, NULL, NULL)) >= 0; close(fd)) {
		__atomic_fetch_add(&broker->connections, 1, __ATOMIC_RELAXED);
		/* Whoever has left by now is not greeted. */
		(void)!send(fd, broker->info, strlen(broker->info), MSG_NOSIGNAL);
		for (ssize_t got = 1; got > 0; heard += got > 0 ? (size_t)got : 0)
			got = read(fd, broker->heard + heard, sizeof(broker->heard) - heard);
	}
	return NULL;
}

/* `more` into its INFO. */
static void broker_start(struct broker *broker, const char *more)
{
	snprintf(broker->info, sizeof(broker->info),
		 "INFO {\"server_id\":\"x\",\"version\":\"2.10.0\",\"proto\":1,\"headers\":true,"
		 "\"max_payload\":1048576%s}\r\n",
		 more);
	broker->listener = socket_open(&broker->port);
	io_fixture_init(&broker->io, LOOP_ENGINE_EPOLL, 0);
	pthread_create(&broker->thread, NULL, broker_run, broker);
}

static void broker_stop(struct broker *broker)
{
	shutdown(broker->listener, SHUT_RDWR);
	pthread_join(broker->thread, NULL);
	close(broker->listener);
	loop_destroy(&broker->io.loop);
}

static struct bus *bus_over_tls(const struct broker *broker)
{
	char text[64];
	const char *url = text;
	struct bus *bus = NULL;

	snprintf(text, sizeof(text), "tls://127.0.0.1:%u", broker->port);
	assert_int_equal(bus_create_nats(&(struct bus_options){.urls = &url,
							       .url_count = 1,
							       .user = "gate",
							       .password = "s3cret",
							       .connect_timeout_ns = 50 * NS_PER_MS,
							       .reconnect_min_ns = NS_PER_MS,
							       .reconnect_max_ns = 5 * NS_PER_MS},
					 &bus),
			 0);
	return bus;
}

static bool detail_has(struct bus *bus, const char *part)
{
	struct bus_status status;

	bus_status(bus, &status);
	return strstr(status.detail, part) != NULL;
}

static unsigned connections(const struct broker *broker)
{
	return __atomic_load_n(&broker->connections, __ATOMIC_RELAXED);
}

static void test_a_broker_that_falls_silent_in_the_handshake_is_left(void **state)
{
	struct broker broker = {0};

	(void)state;
	broker_start(&broker, ",\"tls_required\":true");
	struct bus *bus = bus_over_tls(&broker);

	SPIN_UNTIL(&broker.io,
		   detail_has(bus, "handshake with the broker failed (no end of it in time)"));
	SPIN_UNTIL(&broker.io, connections(&broker) >= 3);
	bus_destroy(&bus);
	broker_stop(&broker);
	assert_int_equal(broker.heard[0], 0x16); /* a TLS handshake, and no more */
	assert_null(memmem(broker.heard, sizeof(broker.heard), "s3cret", 6));
}

static void test_a_broker_without_tls_hears_nothing(void **state)
{
	struct broker broker = {0};

	(void)state;
	broker_start(&broker, "");
	struct bus *bus = bus_over_tls(&broker);

	SPIN_UNTIL(&broker.io, detail_has(bus, "the broker has no TLS"));
	SPIN_UNTIL(&broker.io, connections(&broker) >= 3);
	bus_destroy(&bus);
	broker_stop(&broker);
	assert_int_equal(broker.heard[0], 0);
}

/* Whoever is on the way could write them, as they come in clear. */
static void test_other_brokers_that_one_names_are_not_asked(void **state)
{
	struct broker broker = {0};
	unsigned port;
	char more[64];
	int elsewhere = socket_open(&port);

	(void)state;
	snprintf(more, sizeof(more), ",\"connect_urls\":[\"127.0.0.1:%u\"]", port);
	broker_start(&broker, more);
	struct bus *bus = bus_over_tls(&broker);

	SPIN_UNTIL(&broker.io, connections(&broker) >= 5);
	bus_destroy(&bus);
	broker_stop(&broker);
	assert_int_equal(poll(&(struct pollfd){.fd = elsewhere, .events = POLLIN}, 1, 0), 0);
	close(elsewhere);
}

/* --- the end of what blocks --- */

static void test_what_blocks_is_interrupted_at_the_deadline(void **state)
{
	struct deadline deadline;
	int pipes[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	uint64_t start_ns = clock_now_ns();

	assert_int_equal(deadline_start(&deadline, 30 * NS_PER_MS), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read(pipes[0], &byte, 1), -1);
		assert_int_equal(errno, EINTR);
		assert_true(clock_now_ns() - start_ns >= 30 * NS_PER_MS);
	}
	deadline_stop(&deadline);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_nothing_is_interrupted_before_or_after_it(void **state)
{
	struct deadline deadline;

	(void)state;
	assert_int_equal(deadline_start(&deadline, 3600 * NS_PER_S), 0);
	assert_int_equal(poll(NULL, 0, 20), 0);
	deadline_stop(&deadline);
	assert_int_equal(deadline_start(&deadline, NS_PER_MS), 0);
	deadline_stop(&deadline);
	assert_int_equal(poll(NULL, 0, 80), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_files_are_taken),
		cmocka_unit_test(test_bad_files_are_told_without_their_content),
		cmocka_unit_test(test_a_bus_with_bad_files_is_not_made),
		cmocka_unit_test(test_a_broker_that_falls_silent_in_the_handshake_is_left),
		cmocka_unit_test(test_a_broker_without_tls_hears_nothing),
		cmocka_unit_test(test_other_brokers_that_one_names_are_not_asked),
		cmocka_unit_test(test_what_blocks_is_interrupted_at_the_deadline),
		cmocka_unit_test(test_nothing_is_interrupted_before_or_after_it),
	};

	return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
