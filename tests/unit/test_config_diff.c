/* SPDX-License-Identifier: Apache-2.0
 * test_config_diff.c - what is different between two configurations is told, and nothing else; what
 * needs a restart stays; equal rules have one hash. */
#include "unit.h"

#include <stdio.h>

#include "config/config_diff.h"

static struct config config_of(const char *text)
{
	struct slice slice = slice_from_text(text);
	struct config_report report = {0};
	struct config config;

	if (config_load(&(struct config_sources){.file = "t.yaml", .text = &slice}, &report,
			&config) < 0)
		fail_msg("%.*s", SLICE_ARG(buf_slice(&report.text)));
	return config;
}

/* "+routes[a] server.x:1>2 ", in the order in which they are told. */
static char *diff_text(const char *before, const char *after, size_t *out_same)
{
	struct config was = config_of(before), is = config_of(after);
	struct config_diff diff;
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_int_equal(config_diff_make(&was, &is, &diff), 0);
	for (size_t i = 0; i < diff.count; i++) {
		const struct config_change *one = &diff.items[i];

		if (one->kind == CONFIG_CHANGED)
			fprintf(to, "%s:%s>%s ", one->name, one->before, one->after);
		else
			fprintf(to, "%c%s ", one->kind == CONFIG_ADDED ? '+' : '-', one->name);
	}
	fclose(to);
	*out_same = diff.same;
	assert_int_equal(config_diff_count(&diff, CONFIG_LIVE) +
				 config_diff_count(&diff, CONFIG_RESTART),
			 diff.count);
	config_diff_finish(&diff);
	config_finish(&was);
	config_finish(&is);
	return text;
}

#define A "{path: '/a/{client_id}'}"
#define B "{path: '/b/{client_id}'}"

static const struct {
	const char *name, *before, *after, *want;
} rows[] = {
	{"nothing", "", "", ""},
	{"a comment, and another order", "routes: [" A ", " B "]", "# b\nroutes: [" B ", " A "]",
	 ""},
	{"a default that is written", "", "server: {idle_timeout: 0}", ""},
	{"one value in two forms", "server: {send_timeout: 5s}", "server: {send_timeout: 5000ms}",
	 ""},
	{"a value", "", "server: {send_timeout: 6s}", "server.send_timeout:5s>6s "},
	{"of a route", "routes: [" A "]", "routes: [{path: '/a/{client_id}', takeover: many}]",
	 "routes[a].takeover:newest>many "},
	{"a list", "routes: [" A "]", "routes: [{path: '/a/{client_id}', subprotocols: [x, y]}]",
	 "routes[a].subprotocols:[]>[\"x\", \"y\"] "},
	{"a route comes", "routes: [" A "]", "routes: [" B ", " A "]", "+routes[b] "},
	{"a route goes", "routes: [" A ", " B "]", "routes: [" A "]", "-routes[b] "},
	{"another name is another route", "routes: [" A "]",
	 "routes: [{path: '/a/{client_id}', name: z}]", "+routes[z] -routes[a] "},
	{"another path is not", "routes: [{path: '/a/{client_id}', name: z}]",
	 "routes: [{path: '/b/{client_id}', name: z}]",
	 "routes[z].path:/a/{client_id}>/b/{client_id} "},
	{"a preset", "routes: [" A "]", "routes: [{path: '/a/{client_id}', origins: any}]",
	 "routes[a].origins:auto>any "},
	{"a way comes", "routes: [" A "]",
	 "routes: [{path: '/a/{client_id}', auth: [{type: ticket}]}]", "+routes[a].auth[0] "},
	{"a way is another",
	 "routes: [{path: '/a/{client_id}', auth: [{type: basic, users_file: f}]}]",
	 "routes: [{path: '/a/{client_id}', auth: [{type: basic, users_file: g}]}]",
	 "routes[a].auth[0].users_file:f>g "},
	{"what a query has is nobody's to read",
	 "backends: [{name: up, type: webhook, url: \"http://h/x?key=one\"}]",
	 "backends: [{name: up, type: webhook, url: \"http://h/x?key=two\"}]",
	 "backends[up].url:\"http://h/x?...\">\"http://h/x?...\" "},
	{"a listener comes instead of listen", "server: {listen: 127.0.0.1:8080}",
	 "server: {listeners: [{address: 127.0.0.1:8080}, {address: 127.0.0.1:8081}]}\n"
	 "admin: {listen: 127.0.0.1:9}",
	 "+server.listeners[127.0.0.1:8081] admin.listen:127.0.0.1:8081>127.0.0.1:9 "},
	{"listen alone", "server: {listen: 127.0.0.1:1}", "server: {listen: 127.0.0.1:2}",
	 "server.listen:127.0.0.1:1>127.0.0.1:2 "},
	{"TLS comes", "server: {listeners: [{address: 127.0.0.1:1}]}",
	 "server: {listeners: [{address: 127.0.0.1:1, tls: {certificates: [{cert_file: c, "
	 "key_file: "
	 "k}]}}]}",
	 "+server.listeners[127.0.0.1:1].tls "},
};

static void test_what_is_different(void **state)
{
	size_t all, same;

	(void)state;
	free(diff_text("", "", &all));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = diff_text(rows[i].before, rows[i].after, &same);

		if (strcmp(text, rows[i].want) != 0)
			fail_msg("%s: '%s', not '%s'", rows[i].name, text, rows[i].want);
		ASSERT_ROW(same > 20, rows[i].name);
		free(text);
	}
	free(diff_text("", "server: {send_timeout: 6s}", &same));
	assert_int_equal(same, all - 1);
}

static void test_secrets_are_not_told(void **state)
{
	char *one[] = {(char *)(uintptr_t) "GATEHOUSE_ADMIN_TOKEN=first-of-them", NULL};
	char *two[] = {(char *)(uintptr_t) "GATEHOUSE_ADMIN_TOKEN=second-of-them", NULL};
	char *none[] = {NULL};
	char *const *environments[] = {one, two, none};
	struct config configs[3];
	struct config_report report = {0};
	struct config_diff diff;
	char hashes[3][CONFIG_HASH_TEXT];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
			config_load(&(struct config_sources){.environment = environments[i]},
				    &report, &configs[i]),
			0);
		assert_true(config_hash(&configs[i], hashes[i]));
	}
	assert_int_equal(config_diff_make(&configs[0], &configs[1], &diff), 0);
	assert_int_equal(diff.count, 1);
	assert_string_equal(diff.items[0].name, "admin.token");
	assert_string_equal(diff.items[0].before, "set");
	assert_string_equal(diff.items[0].after, "set");
	config_diff_finish(&diff);
	assert_string_equal(hashes[0], hashes[1]);
	assert_string_not_equal(hashes[0], hashes[2]);
	for (size_t i = 0; i < 3; i++)
		config_finish(&configs[i]);
}

static void test_what_needs_a_restart_stays(void **state)
{
	struct config now = config_of(
		"server: {workers: 2, node: a}\nbus: {urls: [\"nats://h:1\"]}");
	struct config next = config_of("server: {workers: 3, node: b, send_timeout: 6s}\n"
				       "bus: {urls: [\"nats://h:2\", \"nats://h:3\"]}");
	struct config_diff diff;

	(void)state;
	assert_int_equal(config_diff_make(&now, &next, &diff), 0);
	assert_int_equal(config_diff_count(&diff, CONFIG_RESTART), 3);
	config_diff_finish(&diff);
	assert_int_equal(config_keep_restart(&next, &now), 0);
	assert_int_equal(next.server.workers, 2);
	assert_string_equal(next.server.node.text, "a");
	assert_int_equal(next.bus.urls.count, 1);
	assert_int_equal(next.server.send_timeout, 6000);
	assert_int_equal(config_diff_make(&now, &next, &diff), 0);
	assert_int_equal(diff.count, 1);
	config_diff_finish(&diff);
	config_finish(&now);
	assert_string_equal(next.server.node.text, "a"); /* its own */
	config_finish(&next);
}

static void hash_of(const char *text, char out[CONFIG_HASH_TEXT])
{
	struct config config = config_of(text);

	assert_true(config_hash(&config, out));
	config_finish(&config);
}

static void test_equal_rules_have_one_hash(void **state)
{
	static const char *const equal[] = {
		"routes: [" A ", " B "]",
		"# of another node\nroutes: [" B ", " A "]\nserver: {idle_timeout: 0}",
		"server: {node: n2, listen: 127.0.0.2:80, workers: 7, engine: epoll, "
		"max_connections: "
		"5000, payload_memory: 2MiB}\nadmin: {listen: 127.0.0.2:81, console_url: "
		"'https://gw-2/console'}\nroutes: [" A ", " B "]",
		"server: {listeners: [{address: 127.0.0.1:1}, {address: 127.0.0.1:2}]}\nroutes: [" A
		", " B "]",
	};
	static const char *const others[] = {
		"routes: [" A "]",
		"routes: [" A ", {path: '/b/{client_id}', takeover: many}]",
		"routes: [" A ", " B "]\nserver: {send_timeout: 6s}",
		"routes: [" A ", " B "]\nserver: {trusted_proxies: [10.0.0.0/8]}",
		"routes: [" A ", " B "]\nbackends: [{name: up, type: webhook, url: \"http://h/\"}]",
		"routes: [" A ", " B "]\nserver: {listeners: [{address: 127.0.0.1:1, tls: "
		"{certificates: [{cert_file: c, key_file: k}]}}]}",
	};
	char first[CONFIG_HASH_TEXT], hash[CONFIG_HASH_TEXT];

	(void)state;
	hash_of(equal[0], first);
	assert_int_equal(strlen(first), CONFIG_HASH_TEXT - 1);
	for (size_t i = 0; i < ARRAY_LEN(equal); i++) {
		hash_of(equal[i], hash);
		ASSERT_ROW(strcmp(hash, first) == 0, equal[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		hash_of(others[i], hash);
		ASSERT_ROW(strcmp(hash, first) != 0, others[i]);
	}
}

/* Each kind has a size, and what is below a value is copied too. */
static void copy_all(const struct config_option *options, size_t count, const void *base)
{
	static union {
		char bytes[65536];
		uint64_t aligned;
	} room;

	for (size_t i = 0; i < count; i++) {
		const struct config_option option = options[i];
		struct config_option at_start = option;

		at_start.offset = 0;
		assert_true(config_value_copy(&option, (const char *)base + option.offset, &room));
		config_values_finish(&at_start, 1, &room);
	}
}

static void test_every_option_can_be_copied(void **state)
{
	struct config config = config_of(
		"server: {trusted_proxies: [10.0.0.0/8], listeners: [{address: 127.0.0.1:1, tls: "
		"{certificates: [{cert_file: c, key_file: k}]}}]}\n"
		"routes: [{path: '/a/{client_id}', subprotocols: [x], origins: [\"https://h\"], "
		"auth: "
		"[{type: token, jwks_file: f, required_claims: [y]}], backend: up}]\n"
		"backends: [{name: up, type: webhook, url: \"http://h/\"}]");

	(void)state;
	copy_all(config_options, CONFIG_OPTION_COUNT, &config);
	copy_all(config_route_options, CONFIG_OPTION_COUNT_route, &config.routes[0]);
	copy_all(config_backend_options, CONFIG_OPTION_COUNT_backend, &config.backends[0]);
	copy_all(config_auth_options, CONFIG_OPTION_COUNT_auth, &config.routes[0].auth.items[0]);
	copy_all(config_listener_options, CONFIG_OPTION_COUNT_listener,
		 &config.server.listeners.items[0]);
	config_finish(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_different),
		cmocka_unit_test(test_secrets_are_not_told),
		cmocka_unit_test(test_what_needs_a_restart_stays),
		cmocka_unit_test(test_equal_rules_have_one_hash),
		cmocka_unit_test(test_every_option_can_be_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
