/* SPDX-License-Identifier: Apache-2.0
 * test_way_certificate.c - which client a certificate proves, and which not. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "auth/auth_type.h"
#include "tls/tls_peer.h"
#include "unit.h"

/* A way as a route has it. */
struct world {
	struct config_auth auth;
	struct config_route route;
	struct config config;
	struct auth_way *way;
	struct auth_error error;
};

static int create(struct world *world, enum config_identity identity, const char *map_file)
{
	*world = (struct world){.auth = {.type = CONFIG_AUTH_CERTIFICATE, .identity = identity}};
	snprintf(world->auth.map_file.text, CONFIG_TEXT_MAX, "%s", map_file);
	world->route.auth.items = &world->auth;
	world->route.auth.count = 1;
	world->config.routes = &world->route;
	world->config.route_count = 1;
	world->config.file = (char *)(uintptr_t) "f";
	const struct auth_wanted wanted = {.config = &world->config};

	return auth_type_certificate.create(&wanted, &world->way, &world->error);
}

static enum auth_verdict check(const struct world *world, const struct tls_peer_facts *peer,
			       const char *client_id, struct auth_result *result)
{
	const struct auth_request request = {.peer = peer, .client_id = client_id};
	struct auth_pending pending;

	*result = (struct auth_result){0};
	return world->way->ops->check(world->way, &request, result, &pending);
}

static const char *const names[] = {"a.example", "cp-1.example", "urn:other"};

static const struct tls_peer_facts all = {
	.subject = "CN=CP 1,O=ACME",
	.common_name = "CP 1",
	.serial = "0A1B",
	.fingerprint = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688",
	.dns = {names, 2},
	.uris = {names + 2, 1},
};
static const struct tls_peer_facts bare = {.subject = "CN=CP 1,CN=CP 2"};

/* `proved`: that is compared with the path's id by whoever asks all ways. */
static const struct {
	const char *name;
	enum config_identity identity;
	const struct tls_peer_facts *peer;
	const char *client_id;
	enum auth_verdict want;
	const char *told; /* the id, or the reason */
} rows[] = {
	{"no certificate", CONFIG_IDENTITY_CN, NULL, "CP 1", AUTH_NO_PROOF, NULL},
	{"cn", CONFIG_IDENTITY_CN, &all, "CP 1", AUTH_PROVED, "CP 1"},
	{"cn, another id", CONFIG_IDENTITY_CN, &all, "CP 2", AUTH_PROVED, "CP 1"},
	{"cn, no id", CONFIG_IDENTITY_CN, &all, NULL, AUTH_PROVED, "CP 1"},
	{"cn, none or two", CONFIG_IDENTITY_CN, &bare, "CP 1", AUTH_FORBIDDEN,
	 "certificate_without_identity"},
	{"serial", CONFIG_IDENTITY_SERIAL, &all, "0A1B", AUTH_PROVED, "0A1B"},
	{"serial, none", CONFIG_IDENTITY_SERIAL, &bare, "0A1B", AUTH_FORBIDDEN,
	 "certificate_without_identity"},
	{"dns, the second", CONFIG_IDENTITY_SAN_DNS, &all, "cp-1.example", AUTH_PROVED,
	 "cp-1.example"},
	{"dns, other case", CONFIG_IDENTITY_SAN_DNS, &all, "CP-1.example", AUTH_FORBIDDEN,
	 "other_client_id"},
	{"dns, not a uri", CONFIG_IDENTITY_SAN_DNS, &all, "urn:other", AUTH_FORBIDDEN,
	 "other_client_id"},
	{"dns, which of two", CONFIG_IDENTITY_SAN_DNS, &all, NULL, AUTH_FORBIDDEN,
	 "other_client_id"},
	{"dns, none", CONFIG_IDENTITY_SAN_DNS, &bare, "a.example", AUTH_FORBIDDEN,
	 "certificate_without_identity"},
	{"uri", CONFIG_IDENTITY_SAN_URI, &all, "urn:other", AUTH_PROVED, "urn:other"},
	{"uri, the only one", CONFIG_IDENTITY_SAN_URI, &all, NULL, AUTH_PROVED, "urn:other"},
};

static void test_identities(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world world;
		struct auth_result result;

		assert_int_equal(create(&world, rows[i].identity, ""), 0);
		enum auth_verdict verdict = check(&world, rows[i].peer, rows[i].client_id, &result);

		ASSERT_ROW(verdict == rows[i].want, rows[i].name);
		if (verdict == AUTH_PROVED) {
			ASSERT_ROW(strcmp(result.client_id, rows[i].told) == 0, rows[i].name);
			ASSERT_ROW(strcmp(result.subject, "CN=CP 1,O=ACME") == 0, rows[i].name);
		} else if (rows[i].told != NULL) {
			ASSERT_ROW(strcmp(result.reason, rows[i].told) == 0, rows[i].name);
		}
		auth_result_finish(&result);
		world.way->ops->destroy(world.way);
	}
}

static void file_write(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void assert_proves(const struct world *world, const char *want)
{
	struct auth_result result;
	enum auth_verdict verdict = check(world, &all, "CP 1", &result);

	assert_int_equal(verdict, want == NULL ? AUTH_FORBIDDEN : AUTH_PROVED);
	if (want == NULL)
		assert_string_equal(result.reason, "unknown_certificate");
	else
		assert_string_equal(result.client_id, want);
	auth_result_finish(&result);
}

/* And what the file says is no identity does not matter any more. */
static void test_a_map_is_renewed(void **state)
{
	char name[] = "/tmp/gatehouse-map-XXXXXX";
	struct world world;

	(void)state;
	close(mkstemp(name));
	file_write(name, "CN=CP 1,O=ACME => charger\n");
	assert_int_equal(create(&world, CONFIG_IDENTITY_CN, name), 0);
	assert_string_equal(world.way->ops->file(world.way), name);
	assert_proves(&world, "charger");
	file_write(name, "CN=somebody => charger\n");
	assert_proves(&world, "charger");
	assert_int_equal(world.way->ops->renew(world.way, &world.error), 0);
	assert_proves(&world, NULL);
	file_write(name, "rubbish\n");
	assert_int_equal(world.way->ops->renew(world.way, &world.error), -EINVAL);
	assert_non_null(strstr(world.error.text, ":1: the line has no '=>'"));
	assert_proves(&world, NULL);
	world.way->ops->destroy(world.way);
	unlink(name);
}

static void test_a_map_with_a_mistake(void **state)
{
	struct world world;

	(void)state;
	assert_int_equal(create(&world, CONFIG_IDENTITY_CN, "/tmp/gatehouse-no-such-map"), -EINVAL);
	assert_non_null(strstr(world.error.text,
			       "routes[0].auth[0].map_file: /tmp/gatehouse-no-such-map cannot be "
			       "read"));
	const struct auth_wanted wanted = {.config = &world.config};

	assert_int_equal(auth_type_certificate.check(&wanted, &world.error), -EINVAL);
}

/* Told of, and made all the same: who writes listeners later has his way there. */
static void test_no_listener_asks_for_certificates(void **state)
{
	struct world world;

	(void)state;
	assert_int_equal(create(&world, CONFIG_IDENTITY_CN, ""), 0);
	assert_non_null(strstr(world.error.warning, "no listener asks for certificates"));
	world.way->ops->destroy(world.way);

	struct config_certificate pair = {0};
	struct config_listener listener = {
		.tls = {.certificates = {.items = &pair, .count = 1},
			.client_certificate = CONFIG_CLIENT_CERTIFICATE_OPTIONAL}};
	const struct auth_wanted wanted = {.config = &world.config};

	world.config.server.listeners.items = &listener;
	world.config.server.listeners.count = 1;
	world.error = (struct auth_error){0};
	assert_int_equal(auth_type_certificate.check(&wanted, &world.error), 0);
	assert_string_equal(world.error.warning, "");

	listener.tls.client_certificate = CONFIG_CLIENT_CERTIFICATE_NONE;
	assert_int_equal(auth_type_certificate.check(&wanted, &world.error), 0);
	assert_non_null(strstr(world.error.warning, "no listener asks for certificates"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_no_listener_asks_for_certificates),
		cmocka_unit_test(test_a_map_is_renewed),
		cmocka_unit_test(test_a_map_with_a_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
