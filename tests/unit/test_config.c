/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/config_option.h"

/* Loads and returns what the report prints; "" if it was good. The caller frees it.
 * *out_config is untouched by a bad one. */
static char *report_of(const struct config_sources *sources, struct config *out_config)
{
	struct config_report report = {0};
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int r = config_load(sources, &report, out_config);

	assert_non_null(to);
	config_report_print(&report, to);
	fclose(to);
	assert_int_equal(r, report.count == 0 ? 0 : -EINVAL);
	config_report_finish(&report);
	return text;
}

/* A heap copy of its exact size lets the sanitizer see any read past the end. */
static char *report_of_bytes(const char *text, size_t len, struct config *out_config)
{
	char *copy = malloc(len + (len == 0));
	struct slice slice = slice_of(memcpy(copy, text, len), len);
	char *report = report_of(&(struct config_sources){.file = "f", .text = &slice}, out_config);

	free(copy);
	return report;
}

static char *report_of_text(const char *text, struct config *out_config)
{
	return report_of_bytes(text, strlen(text), out_config);
}

static char *printed(const struct config *config, void (*print)(const struct config *, FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	print(config, to);
	fclose(to);
	return text;
}

static char *file_content(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *from = fopen(path, "r");

	assert_non_null(from);
	assert_true(fread(text, 1, 65535, from) > 0);
	fclose(from);
	return text;
}

static void assert_warnings(const struct config *config, const char *row, const char *want)
{
	struct slice text = buf_slice(&config->warnings.text);

	if (!slice_equals(text, slice_from_text(want)))
		fail_msg("row '%s':\n got %.*swant %s", row, SLICE_ARG(text), want);
}

/* Lists and mappings below a key are compared by what is printed. */
static bool is_inner(const void *field, const struct config *config)
{
	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
		if ((const char *)config + config_options[i].offset == field)
			return config_kind_is_inner(config_options[i].kind);
	return false;
}

#define SAME_VALUE(section, name, ...)      \
	if (!is_inner(&a->section.name, a)) \
		assert_memory_equal(&a->section.name, &b->section.name, sizeof(a->section.name));
#define SAME_SECTION(section, table) table(SAME_VALUE)

static void assert_same(const struct config *a, const struct config *b)
{
	CONFIG_SECTIONS(SAME_SECTION)
	assert_int_equal(a->route_count, b->route_count);
	for (size_t i = 0; i < a->route_count; i++) {
		const struct config_route *left = &a->routes[i], *right = &b->routes[i];

		assert_string_equal(left->path, right->path);
		assert_string_equal(left->name, right->name);
		assert_int_equal(left->takeover, right->takeover);
		assert_int_equal(left->max_connections, right->max_connections);
		assert_int_equal(left->refuse_browsers, right->refuse_browsers);
		assert_int_equal(left->origins.mode, right->origins.mode);
		assert_int_equal(left->origins.list.count, right->origins.list.count);
		for (size_t j = 0; j < left->origins.list.count; j++)
			assert_string_equal(left->origins.list.items[j],
					    right->origins.list.items[j]);
		assert_int_equal(left->require_origin, right->require_origin);
		assert_int_equal(left->rpc, right->rpc);
		assert_int_equal(left->call_queue_max, right->call_queue_max);
		assert_int_equal(left->subprotocol_mismatch, right->subprotocol_mismatch);
		assert_string_equal(left->backend, right->backend);
		assert_int_equal(left->subprotocols.count, right->subprotocols.count);
		for (size_t j = 0; j < left->subprotocols.count; j++)
			assert_string_equal(left->subprotocols.items[j],
					    right->subprotocols.items[j]);
	}
	assert_int_equal(a->backend_count, b->backend_count);
	for (size_t i = 0; i < a->backend_count; i++) {
		const struct config_backend *left = &a->backends[i], *right = &b->backends[i];

		assert_string_equal(left->name, right->name);
		assert_int_equal(left->type, right->type);
		assert_int_equal(left->url == NULL, right->url == NULL);
		if (left->url != NULL)
			assert_string_equal(left->url, right->url);
		assert_int_equal(left->durable, right->durable);
		assert_int_equal(left->connect, right->connect);
		assert_int_equal(left->stream == NULL, right->stream == NULL);
		if (left->stream != NULL)
			assert_string_equal(left->stream, right->stream);
		assert_string_equal(left->secret_file.text, right->secret_file.text);
		assert_int_equal(left->timeout, right->timeout);
		assert_int_equal(left->http2, right->http2);
		assert_int_equal(left->on_failure, right->on_failure);
	}
}

static void load_defaults(struct config *out_config)
{
	char *report = report_of(&(struct config_sources){0}, out_config);

	assert_string_equal(report, "");
	free(report);
}

static void test_defaults_are_those_of_the_contract(void **state)
{
	(void)state;
	struct config config;
	char text[NET_ADDR_TEXT_MAX];

	load_defaults(&config);
	assert_string_equal(net_addr_format(&config.server.listen, text, sizeof(text)),
			    "0.0.0.0:8080");
	assert_string_equal(net_addr_format(&config.admin.listen, text, sizeof(text)),
			    "127.0.0.1:8081");
	assert_int_equal(config.server.max_connections, 0);
	assert_int_equal(config.server.handshake_timeout, 10000);
	assert_int_equal(config.server.max_message_size, 1048576);
	assert_int_equal(config.server.ping_interval, 25000);
	assert_int_equal(config.server.engine, CONFIG_ENGINE_AUTO);
	assert_int_equal(config.log.level, LOG_LEVEL_INFO);
	assert_int_equal(config.log.format, LOG_FORMAT_LOGFMT);
	assert_int_equal(config.route_count, 1);
	assert_string_equal(config.routes[0].path, "/ws/{client_id}");
	assert_int_equal(config.routes[0].subprotocols.count, 0);
	assert_string_equal(config.routes[0].backend, "echo");
	assert_int_equal(config.backend_count, 0);
	assert_null(config.file);
	config_finish(&config);
}

/* A text that sets nothing, in every way a person may write it. */
static void test_empty_files_give_the_defaults(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"\n\n",
		"# only a comment\n",
		"---\n",
		"--- ~\n",
		"server:",
		"server: ~\n",
		"\xef\xbb\xbf",
		"{}",
		"log: null",
		"---\n...",
		"server: {}",
		"\xef\xbb\xbf# BOM",
		"%YAML 1.1\n---\n",
	};
	struct config defaults;

	load_defaults(&defaults);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config config;
		char *report = report_of_text(rows[i], &config);

		ASSERT_ROW(strcmp(report, "") == 0, rows[i]);
		assert_same(&config, &defaults);
		config_finish(&config);
		free(report);
	}
	config_finish(&defaults);
}

static void test_values_are_taken_from_a_file(void **state)
{
	(void)state;
	struct config config;
	char *report = report_of_text("server: &s\n"
				      "  listen: \"[::1]:0\"\n"
				      "  max_connections: 16000000\n"
				      "  send_queue_max: 64KiB\n"
				      "  ping_interval: 0\n"
				      "  idle_timeout: 0s\n"
				      "  workers: '3'\n"
				      "  engine: io_uring\n"
				      "  drain_timeout: 0\n"
				      "  trusted_proxies: [10.0.0.0/8, 'fd00::/8', 192.0.2.1]\n"
				      "log: {level: error, format: json}\n"
				      "routes:\n"
				      "  - path: /ocpp/{client_id}\n"
				      "    subprotocols: [&p ocpp2.0.1, ocpp1.6]\n"
				      "    subprotocol_mismatch: close\n"
				      "    name: Chargers_1\n"
				      "    takeover: oldest\n"
				      "    rpc: ocpp-j\n"
				      "    call_queue_max: 0\n"
				      "  - {path: /, subprotocols: [*p]}\n",
				      &config);

	assert_string_equal(report, "");
	free(report);
	assert_int_equal(config.server.listen.sa.sa_family, AF_INET6);
	assert_int_equal(config.server.max_connections, 16000000);
	assert_int_equal(config.server.send_queue_max, 65536);
	assert_int_equal(config.server.ping_interval, 0);
	assert_int_equal(config.server.trusted_proxies.count, 3);
	assert_int_equal(config.server.trusted_proxies.items[0].bits, 96 + 8);
	assert_int_equal(config.server.trusted_proxies.items[1].bits, 8);
	assert_int_equal(config.server.trusted_proxies.items[2].bits, 128);
	assert_int_equal(config.server.idle_timeout, 0);
	assert_int_equal(config.server.workers, 3);
	assert_int_equal(config.server.engine, CONFIG_ENGINE_IO_URING);
	assert_int_equal(config.log.level, LOG_LEVEL_ERROR);
	assert_int_equal(config.log.format, LOG_FORMAT_JSON);
	assert_int_equal(config.route_count, 2);
	assert_string_equal(config.routes[0].subprotocols.items[1], "ocpp1.6");
	assert_int_equal(config.routes[0].subprotocol_mismatch, CONFIG_MISMATCH_CLOSE);
	assert_string_equal(config.routes[0].name, "Chargers_1");
	assert_int_equal(config.routes[0].takeover, CONFIG_TAKEOVER_OLDEST);
	assert_int_equal(config.routes[0].rpc, CONFIG_RPC_OCPP_J);
	assert_int_equal(config.routes[0].call_queue_max, 0);
	assert_string_equal(config.routes[1].path, "/");
	assert_string_equal(config.routes[1].name, "root");
	assert_int_equal(config.routes[1].takeover, CONFIG_TAKEOVER_NEWEST);
	assert_int_equal(config.routes[1].rpc, CONFIG_RPC_NONE);
	assert_int_equal(config.routes[1].call_queue_max, 16);
	assert_string_equal(config.routes[1].subprotocols.items[0], "ocpp2.0.1");
	assert_string_equal(config.file, "f");
	assert_int_equal(config.origins[CONFIG_OPTION_server_engine].line, 8);
	config_finish(&config);
}

/* The whole report for each text. */
static const struct {
	const char *text;
	const char *want;
} mistakes[] = {
	/* keys */
	{"servr:\n  listen: x\n", "f:1:1: servr: there is no such key; did you mean server?\n"},
	{"server:\n  maxConnections: 5\n",
	 "f:2:3: server.maxConnections: there is no such key; did you mean max_connections?\n"},
	{"max_connections: 5\n",
	 "f:1:1: max_connections: there is no such key; it belongs under 'server:'\n"},
	{"admin:\n  engine: epoll\n",
	 "f:2:3: admin.engine: there is no such key; it belongs under 'server:'\n"},
	{"zebra: 1\n", "f:1:1: zebra: there is no such key\n"},
	{"\xef\xbb\xbfzebra: 1\n", "f:1:1: zebra: there is no such key\n"},
	{"\"a\\nb\\u00e9\": 1\n", "f:1:1: \"a\\x0ab\\xc3\\xa9\": there is no such key\n"},
	{"[a]: 1\n", "f:1:1: the file: a key is a list; write a word\n"},
	{"log:\n  level: info\n  level: warn\n",
	 "f:3:3: log.level: is given twice, first at f:2:3; remove one\n"},
	{"log: {}\nlog: {}\n", "f:2:1: log: is given twice, first at f:1:1; remove one\n"},
	/* types */
	{"- server\n", "f:1:1: the file is a list; write a mapping with the keys server, admin, "
		       "log, routes and backends\n"},
	{"server\n", "f:1:1: the file is a single value; write a mapping with the keys server, "
		     "admin, log, routes and backends\n"},
	{"server: [a]\n",
	 "f:1:9: server: is a list; write its keys below it, indented by spaces\n"},
	{"server: 8080\n",
	 "f:1:9: server: is a single value; write its keys below it, indented by spaces\n"},
	{"server:\n  workers: [1]\n",
	 "f:2:12: server.workers: is a list; allowed: 1..1024 workers or auto\n"},
	{"server:\n  workers:\n",
	 "f:2:11: server.workers: is empty; allowed: 1..1024 workers or auto\n"},
	{"server:\n  listen: {a: b}\n", "f:2:11: server.listen: is a mapping; allowed: "
					"ADDRESS:PORT or [ADDRESS]:PORT\n"},
	{"server:\n  workers: !mine 3\n",
	 "f:2:12: server.workers: has the unknown tag \"!mine\"; remove it\n"},
	{"routes:\n  - path: /a\n    subprotocols: ocpp1.6\n",
	 "f:3:19: routes[0].subprotocols: is a single value; write a list such as [ocpp1.6]\n"},
	/* values */
	{"server:\n  max_connections: 0\n",
	 "f:2:20: server.max_connections: 0 is not in 1..16000000 connections; write a number in "
	 "that range or \"auto\"\n"},
	{"server:\n  max_connections: 16000001\n",
	 "f:2:20: server.max_connections: 16000001 is not in 1..16000000 connections; write a "
	 "number in that range or \"auto\"\n"},
	{"server:\n  max_connections: -1\n",
	 "f:2:20: server.max_connections: -1 is not a whole number; allowed: 1..16000000 "
	 "connections or auto\n"},
	{"server:\n  max_connections: 1_000\n",
	 "f:2:20: server.max_connections: 1_000 is not a whole number; allowed: 1..16000000 "
	 "connections or auto\n"},
	{"server:\n  workers: 99999999999999999999\n",
	 "f:2:12: server.workers: 99999999999999999999 is too large for 64 bits; allowed: 1..1024 "
	 "workers or auto\n"},
	{"server:\n  workers: \"\"\n",
	 "f:2:12: server.workers: \"\" is empty; allowed: 1..1024 workers or auto\n"},
	{"server:\n  handshake_timeout: 10\n",
	 "f:2:22: server.handshake_timeout: 10 has no unit: write ms, s, m, h or d behind the "
	 "number; allowed: 100ms..10m\n"},
	{"server:\n  handshake_timeout: 0\n", "f:2:22: server.handshake_timeout: 0 is not in "
					      "100ms..10m; write a duration in that range\n"},
	{"server:\n  ping_interval: 99ms\n",
	 "f:2:18: server.ping_interval: 99ms is not in "
	 "100ms..1d; write a duration in that range or \"0\"\n"},
	{"server:\n  max_message_size: 1mb\n",
	 "f:2:21: server.max_message_size: 1mb has an unknown unit: use B, KiB, MiB, GiB, kB, MB "
	 "or GB; allowed: 125B..1GiB\n"},
	{"server:\n  send_queue_max: 2GiB\n", "f:2:19: server.send_queue_max: 2GiB is not in "
					      "4KiB..1GiB; write a size in that range\n"},
	{"server:\n  engine: epol\n", "f:2:11: server.engine: epol is unknown; known: auto, "
				      "io_uring, epoll; did you mean epoll?\n"},
	{"server:\n  listen: 8080\n", "f:2:11: server.listen: 8080 has no port: write "
				      "ADDRESS:PORT, e.g. 0.0.0.0:8080 or [::]:8080\n"},
	{"server:\n  listen: localhost:8080\n",
	 "f:2:11: server.listen: localhost:8080 is not a numeric IPv4 or [IPv6] address\n"},
	/* routes */
	{"routes: []\n",
	 "f:1:9: routes: is an empty list, so that nobody would be served; write at "
	 "least one route, or remove the key for the default /ws/{client_id}\n"},
	{"routes:\n", "f:1:8: routes: is empty, so that nobody would be served; write at least one "
		      "route, or remove the key for the default /ws/{client_id}\n"},
	/* lists and mappings below a key */
	{"server: {listeners: {address: ':1'}}\n",
	 "f:1:21: server.listeners: is a mapping; write a list such as [{...}]\n"},
	{"server: {listeners: [':1']}\n",
	 "f:1:22: server.listeners[0]: is a single value; write a mapping such as 'address: "
	 "0.0.0.0:8443'\n"},
	{"server:\n  listeners:\n    - mode: 0600\n",
	 "f:3:7: server.listeners[0].address: is missing; write it, such as 'address: "
	 "0.0.0.0:8443'\n"},
	{"server:\n  listeners:\n    - address: unix:g.sock\n",
	 "f:3:16: server.listeners[0].address: unix:g.sock has no absolute path; write "
	 "unix:/run/gatehouse/gatehouse.sock\n"},
	{"server:\n  listeners:\n    - address: unix:/run/g/\n",
	 "f:3:16: server.listeners[0].address: unix:/run/g/ is a directory; write the name of the "
	 "socket in it too\n"},
	{"server:\n  listeners:\n    - address: :1\n      mode: 0660\n",
	 "f:4:13: server.listeners[0].mode: is for a unix socket, which 0.0.0.0:1 is not; remove "
	 "it\n"},
	{"server:\n  listeners:\n    - address: unix:/s\n      mode: 0680\n",
	 "f:4:13: server.listeners[0].mode: 0680 is no mode of a file; write octal digits, "
	 "0000..0777, such as 0660\n"},
	{"server:\n  listeners:\n    - address: unix:/s\n      mode: 1777\n",
	 "f:4:13: server.listeners[0].mode: 1777 is no mode of a file; write octal digits, "
	 "0000..0777, such as 0660\n"},
	{"server:\n  listeners:\n    - address: unix:/s\n      owner: a b\n",
	 "f:4:14: server.listeners[0].owner: \"a b\" is not allowed; write USER, USER:GROUP, "
	 ":GROUP or nothing\n"},
	{"server:\n  listeners:\n    - address: '[::1]:1'\n      ipv6_only: true\n",
	 "f:4:18: server.listeners[0].ipv6_only: is for [::], which [::1]:1 is not; remove it\n"},
	{"server:\n  listen: :1\n  listeners:\n    - address: :2\n",
	 "f:2:11: server.listen: is the short form of server.listeners, and both are given; "
	 "remove one of them\n"},
	{"server:\n  listeners:\n    - address: :2\n    - address: 127.0.0.1:2\n",
	 "f:4:16: server.listeners[1].address: 127.0.0.1:2 clashes with "
	 "server.listeners[0].address 0.0.0.0:2; give one of them another port\n"},
	{"server:\n  listeners:\n    - address: '[::]:2'\n    - address: :2\n",
	 "f:4:16: server.listeners[1].address: 0.0.0.0:2 clashes with "
	 "server.listeners[0].address [::]:2; give one of them another port\n"},
	{"server:\n  listeners:\n    - address: unix:/s\n    - address: unix:/s\n",
	 "f:4:16: server.listeners[1].address: unix:/s clashes with server.listeners[0].address "
	 "unix:/s; give one of them another path\n"},
	{"server:\n  listeners:\n    - address: 127.0.0.1:8081\n",
	 "f:3:16: admin.listen: 127.0.0.1:8081 clashes with server.listeners[0].address "
	 "127.0.0.1:8081; give one of them another port\n"},
	{"server:\n  listeners:\n    - address: :2\n      tls:\n",
	 "f:4:11: server.listeners[0].tls: is empty; write a mapping such as "
	 "'certificates: [{cert_file: ..., key_file: ...}]'\n"},
	{"server:\n  listeners:\n    - address: :2\n      tls: {detach: off}\n",
	 "f:4:12: server.listeners[0].tls.certificates: is missing; write it, such as "
	 "'certificates: [{cert_file: ..., key_file: ...}]'\n"},
	{"server:\n  listeners:\n    - address: :2\n      tls: {certificates: []}\n",
	 "f:4:27: server.listeners[0].tls.certificates: has no entries; write at least 1\n"},
	{"admin:\n  tls: {certificates: [{cert_file: /c}]}\n",
	 "f:2:24: admin.tls.certificates[0].key_file: is missing; write it, such as 'key_file: "
	 "/etc/gatehouse/file'\n"},
	{"admin:\n  tls: {certificates: [{cert_file: '', key_file: /k}]}\n",
	 "f:2:36: admin.tls.certificates[0].cert_file: \"\" is not allowed; write a path of at "
	 "most 511 bytes, without '\"' and '\\'\n"},
	{"admin:\n  tls: {certificates: [{cert_file: /c, key_file: /k, key_fil: 1}]}\n",
	 "f:2:54: admin.tls.certificates[0].key_fil: there is no such key; did you mean "
	 "key_file?\n"},
	{"admin:\n  tls: {min_version: 1.1, certificates: [{cert_file: /c, key_file: /k}]}\n",
	 "f:2:22: admin.tls.min_version: 1.1 is unknown; known: 1.2, 1.3; did you mean 1.2?\n"},
	{"admin:\n  tls: {certificates: [{cert_file: /c, key_file: /k}], client_ca_file: /a}\n",
	 "f:2:72: admin.tls.client_ca_file: no client is asked for a certificate; write "
	 "client_certificate: optional or required too, or remove it\n"},
	{"admin:\n  tls: {certificates: [{cert_file: /c, key_file: /k}], client_certificate: "
	 "optional}\n",
	 "f:2:76: admin.tls.client_certificate: nobody's certificates would be good without a "
	 "client_ca_file; write that too, or none here\n"},
	{"routes:\n  - path: /a\n    auth: basic\n",
	 "f:3:11: routes[0].auth: is a single value; write a list such as [{...}]\n"},
	{"routes:\n  - path: /a\n    auth: [{users_file: /u}]\n",
	 "f:3:12: routes[0].auth[0].type: is missing; write it, such as 'type: basic'\n"},
	{"routes:\n  - path: /a\n    auth: [{type: basic}]\n",
	 "f:3:12: routes[0].auth[0].users_file: is missing; write it, such as 'users_file: "
	 "/etc/gatehouse/file'\n"},
	{"routes:\n  - path: /a\n    auth: [{type: basics}]\n",
	 "f:3:19: routes[0].auth[0].type: basics is unknown; known: basic, certificate, token, "
	 "ticket, backend; did you mean basic?\n"},
	{"routes:\n  - path: /a\n    auth: [{type: ticket, users_file: /u}]\n",
	 "f:3:39: routes[0].auth[0].users_file: type ticket has no users_file; remove it\n"},
	{"routes:\n  - path: /a\n    auth: [{type: token}]\n",
	 "f:3:19: routes[0].auth[0].jwks_url: is missing, and jwks_file too; write one of them: "
	 "the keys that tokens are checked with\n"},
	{"routes:\n  - path: /a\n    auth: [{type: token, jwks_file: /j, from: [head]}]\n",
	 "f:3:48: routes[0].auth[0].from: head is unknown; known: header, query, cookie, "
	 "subprotocol; did you mean header?\n"},
	{"routes:\n  - path: /a\n    auth: [{type: token, jwks_file: /j, algorithms: [none]}]\n",
	 "f:3:54: routes[0].auth[0].algorithms: none is unknown; known: RS256, RS384, RS512, "
	 "PS256, PS384, PS512, ES256, ES384, ES512, HS256, HS384, HS512, EdDSA\n"},
	{"routes:\n  - path: /a\n    auth: [{type: backend}]\n",
	 "f:3:19: routes[0].auth[0].type: the back end echo lets everybody in; name another in "
	 "the route, or remove this way\n"},
	{"routes: [/a]\n", "f:1:10: routes[0]: is a single value; write a mapping such as 'path: "
			   "/ws/{client_id}'\n"},
	{"routes:\n  - backend: echo\n",
	 "f:2:5: routes[0].path: is missing; write it, such as 'path: /ws/{client_id}'\n"},
	{"routes:\n  - path: /a\n    name: a.b\n",
	 "f:3:11: routes[0].name: a.b is no name; write letters, digits, '_' and '-'\n"},
	{"routes:\n  - path: /a\n    name: ''\n",
	 "f:3:11: routes[0].name: \"\" is no name; write letters, digits, '_' and '-'\n"},
	{"routes:\n  - path: /ws/{client_id}\n  - path: /ws\n",
	 "f:3:11: routes[1].name: ws is the name of routes[0] at f:2:11 too (without one it is "
	 "made from the path); write another\n"},
	{"routes:\n  - path: /a\n    name: b\n  - path: /b\n",
	 "f:4:11: routes[1].name: b is the name of routes[0] at f:3:11 too (without one it is "
	 "made from the path); write another\n"},
	{"routes:\n  - path: /a\n    rpc: ocppj\n",
	 "f:3:10: routes[0].rpc: ocppj is unknown; known: none, ocpp-j, json-rpc; did you mean "
	 "ocpp-j?\n"},
	{"routes:\n  - path: /a\n    takeover: newer\n",
	 "f:3:15: routes[0].takeover: newer is unknown; known: newest, oldest, many; did you mean "
	 "newest?\n"},
	{"routes:\n  - path: /a\n  - path: /b\n  - path: /a\n",
	 "f:4:11: routes[2].path: /a is the same route as routes[0] at f:2:11; remove one\n"},
	{"routes:\n  - path: /{client_id}\n  - path: \"/{client_id}\"\n",
	 "f:3:11: routes[1].path: /{client_id} is the same route as routes[0] at f:2:11; remove "
	 "one\n"},
	{"routes:\n  - path: /a\n    backend: kafka\n",
	 "f:3:14: routes[0].backend: kafka is unknown; write echo or the name of an entry of "
	 "backends\n"},
	/* backends */
	{"routes:\n  - path: /a\n    backend: order\nbackends:\n  - name: orders\n    type: "
	 "webhook\n    url: http://h/\n",
	 "f:3:14: routes[0].backend: order is unknown; write echo or the name of an entry of "
	 "backends; did you mean orders?\n"},
	{"backends: {}\n",
	 "f:1:11: backends: is a mapping; write a list of mappings, each after a '-'\n"},
	{"backends:\n  - name: a\n",
	 "f:2:5: backends[0].type: is missing; write it, such as 'type: webhook'\n"},
	{"backends: [{name: a, type: webhook}]\n",
	 "f:1:28: backends[0].url: is missing; write it, such as 'url: "
	 "http://127.0.0.1:9000/events'\n"},
	{"backends: [{name: a, type: webhook, url: 'http://h/', durable: false, connect: ask, "
	 "stream: s}]\n",
	 "f:1:80: backends[0].connect: type webhook has no connect; remove it\n"
	 "f:1:64: backends[0].durable: type webhook has no durable; remove it\n"
	 "f:1:93: backends[0].stream: type webhook has no stream; remove it\n"},
	{"bus: {type: nats}\nbackends: [{name: a, type: nats, url: 'http://h/', http2: true, "
	 "answer_max: 1MiB, breaker_open: 1s}]\n",
	 "f:2:39: backends[0].url: type nats has no url; remove it\n"
	 "f:2:59: backends[0].http2: type nats has no http2; remove it\n"
	 "f:2:77: backends[0].answer_max: type nats has no answer_max; remove it\n"
	 "f:2:97: backends[0].breaker_open: type nats has no breaker_open; remove it\n"},
	{"backends: [{name: a, type: nats}]\n",
	 "f:1:28: backends[0].type: nats needs a broker, but bus.type is embedded; write nats "
	 "there, and its URLs in bus.urls\n"},
	{"bus: {type: nats, pending_max: 1MiB}\nbackends: [{name: a, type: nats}]\n",
	 "f:2:28: backends[0].type: of messages of server.max_message_size (1048576 bytes) not one "
	 "fits into bus.pending_max (1048576 bytes); make that at least 16KiB larger, or the "
	 "messages smaller\n"},
	{"bus: {type: nats}\nbackends: [{name: a, type: nats, stream: s}]\n",
	 "f:2:42: backends[0].stream: s stores nothing without durable; write 'durable: true' too, "
	 "or remove it\n"},
	{"bus: {type: nats}\nbackends: [{name: a, type: nats, durable: true, stream: a.b}]\n",
	 "f:2:57: backends[0].stream: a.b is no name; write letters, digits, '_' and '-'\n"},
	{"backends: [{name: a b, type: kafka, url: 'ftp://h/'}]\n",
	 "f:1:19: backends[0].name: \"a b\" is no name; write letters, digits, '_' and '-'\n"
	 "f:1:30: backends[0].type: kafka is unknown; known: webhook, nats\n"
	 "f:1:42: backends[0].url: ftp://h/ does not start with http:// or https://; write a URL "
	 "such as http://127.0.0.1:9000/events\n"},
	{"backends: [{name: a, type: webhook, url: 'http:///x'}]\n",
	 "f:1:42: backends[0].url: http:///x has no host; write a URL such as "
	 "http://127.0.0.1:9000/events\n"},
	{"backends: [{name: a, type: webhook, url: 'http://h/a b'}]\n",
	 "f:1:42: backends[0].url: \"http://h/a b\" has a space or a character that no URL can "
	 "have; write it percent-encoded\n"},
	{"backends: [{name: echo, type: webhook, url: 'http://h/'}]\n",
	 "f:1:19: backends[0].name: echo is built in; write another name\n"},
	{"backends:\n  - {name: a, type: webhook, url: 'http://h/'}\n  - {name: a, type: webhook, "
	 "url: 'http://h/'}\n",
	 "f:3:12: backends[1].name: a is the name of backends[0] at f:2:12 too; write another\n"},
	{"backends: [{name: a, type: webhook, url: 'http://h/', retry_min: 2s, retry_max: 1s}]\n",
	 "f:1:81: backends[0].retry_max: 1000ms is less than retry_min: 2000ms; write at least as "
	 "much\n"},
	{"backends: [{name: a, type: webhook, url: 'http://h/', http2: yes, on_failure: drop}]\n",
	 "f:1:62: backends[0].http2: yes is unknown; known: false, true\n"
	 "f:1:79: backends[0].on_failure: drop is unknown; known: wait, close\n"},
	{"backends: [{name: a, type: webhook, url: 'http://h/', secret_file: 'a\"b'}]\n",
	 "f:1:68: backends[0].secret_file: \"a\"b\" is not allowed; write a path of at most "
	 "511 bytes, without '\"' and '\\', or nothing\n"},
	{"bus: {type: mqtt, urls: [], user: a/b, password: x}\n",
	 "f:1:13: bus.type: mqtt is unknown; known: embedded, nats\n"
	 "f:1:25: bus.urls: has no items; write at least 1\n"
	 "f:1:35: bus.user: a/b is not allowed; write at most 255 letters, digits and any of "
	 "'_.-@+'\n"
	 "f:1:50: bus.password: is a secret and has no place in this file; write it to a file of "
	 "its own and name that in bus.password_file, or set GATEHOUSE_BUS_PASSWORD\n"},
	{"bus: {urls: [http://a, 'nats://', 'nats://me:secret@a', 'nats://a/b', "
	 "'nats://a:4222']}\n",
	 "f:1:14: bus.urls: http://a does not start with nats:// or tls://; write a URL such as "
	 "nats://10.0.0.1:4222\n"
	 "f:1:24: bus.urls: nats:// has no host; write a URL such as nats://10.0.0.1:4222\n"
	 "f:1:35: bus.urls: what is given has a user in it; write bus.user and "
	 "bus.password_file instead\n"
	 "f:1:57: bus.urls: nats://a/b has a character that has no place there; write "
	 "nats://HOST:PORT or tls://HOST:PORT\n"},
	{"bus: {urls: ['nats://a:x', 'nats://a:0', 'nats://a:65536', 'nats://[::1', "
	 "'nats://[::1]:', 'nats://a?b', 'nats://[::1]', 'nats://[::1]:1']}\n",
	 "f:1:14: bus.urls: nats://a:x has no port from 1 to 65535 behind its host; write one, "
	 "such as nats://10.0.0.1:4222 or nats://[::1]:4222\n"
	 "f:1:28: bus.urls: nats://a:0 has no port from 1 to 65535 behind its host; write one, "
	 "such as nats://10.0.0.1:4222 or nats://[::1]:4222\n"
	 "f:1:42: bus.urls: nats://a:65536 has no port from 1 to 65535 behind its host; write one, "
	 "such as nats://10.0.0.1:4222 or nats://[::1]:4222\n"
	 "f:1:60: bus.urls: nats://[::1 has no port from 1 to 65535 behind its host; write one, "
	 "such as nats://10.0.0.1:4222 or nats://[::1]:4222\n"
	 "f:1:75: bus.urls: nats://[::1]: has no port from 1 to 65535 behind its host; write one, "
	 "such as nats://10.0.0.1:4222 or nats://[::1]:4222\n"
	 "f:1:92: bus.urls: \"nats://a?b\" has a character that has no place there; write "
	 "nats://HOST:PORT or tls://HOST:PORT\n"},
	{"bus: {urls: [tls://a, 'tls://b', nats://c:4222, nats://d]}\n",
	 "f:1:13: bus.urls: of tls://a and nats://c:4222 one goes in clear; write tls:// in all "
	 "URLs, or nats:// in all\n"},
	{"bus: {ca_file: /a/ca.pem, cert_file: /a/c.pem, key_file: /a/k.pem}\n",
	 "f:1:16: bus.ca_file: is of no use with nats://127.0.0.1:4222 in bus.urls; write tls:// "
	 "there, or remove this\n"
	 "f:1:38: bus.cert_file: is of no use with nats://127.0.0.1:4222 in bus.urls; write "
	 "tls:// there, or remove this\n"
	 "f:1:58: bus.key_file: is of no use with nats://127.0.0.1:4222 in bus.urls; write tls:// "
	 "there, or remove this\n"},
	{"bus: {urls: [tls://a], cert_file: /a/c.pem}\n",
	 "f:1:35: bus.cert_file: needs bus.key_file too; set both or neither\n"},
	{"bus: {urls: [tls://a], key_file: /a/k.pem}\n",
	 "f:1:34: bus.key_file: needs bus.cert_file too; set both or neither\n"},
	{"routes:\n  - path: /a\n    subprotocols: [a, 'b c', a]\n",
	 "f:3:23: routes[0].subprotocols: \"b c\" is no subprotocol name; write letters, digits or "
	 "!#$%&'*+-.^_`|~\n"
	 "f:3:30: routes[0].subprotocols: a is there twice; remove one\n"},
	{"routes:\n  - path: /a\n    origins: all\n",
	 "f:3:14: routes[0].origins: all is unknown; known: auto, any, same; or a list such as "
	 "[https://example.com]\n"},
	{"routes:\n  - path: /a\n    origins: https://a\n",
	 "f:3:14: routes[0].origins: https://a is one origin; write a list: [https://a]\n"},
	{"routes:\n  - path: /a\n    origins: []\n",
	 "f:3:14: routes[0].origins: has no items, so that no page could connect; write at least "
	 "one, or any or same\n"},
	{"routes:\n  - path: /a\n    origins: {a: b}\n",
	 "f:3:14: routes[0].origins: is a mapping; allowed: any, same, auto or a list of at most "
	 "64 origins such as [https://example.com]\n"},
	{"routes:\n  - path: /a\n    origins: ['https://a', 'https://a', 'https://*.com', "
	 "'null', [x]]\n",
	 "f:3:28: routes[0].origins: https://a is there twice; remove one\n"
	 "f:3:41: routes[0].origins: \"https://*.com\" is too wide: at least two labels of a name "
	 "follow a '*', as in https://*.example.com\n"
	 "f:3:58: routes[0].origins: null is what any page can send from a sandboxed frame, so it "
	 "tells nobody apart\n"
	 "f:3:66: routes[0].origins: is a list; allowed: https://HOST or https://HOST:PORT\n"},
	/* several at once, and checks between options */
	{"server:\n  workers: x\n  engine: [\n  ]\n  handshake_timeout: 1\n",
	 "f:2:12: server.workers: x is not a whole number; allowed: 1..1024 workers or auto\n"
	 "f:3:11: server.engine: is a list; allowed: auto, io_uring, epoll\n"
	 "f:5:22: server.handshake_timeout: 1 has no unit: write ms, s, m, h or d behind the "
	 "number; allowed: 100ms..10m\n"},
	{"admin:\n  listen: 0.0.0.0:8080\n",
	 "f:2:11: admin.listen: 0.0.0.0:8080 clashes with server.listen 0.0.0.0:8080; give one of "
	 "them another port\n"},
	{"server:\n  listen: 127.0.0.1:8081\n",
	 "f:2:11: admin.listen: 127.0.0.1:8081 clashes with server.listen 127.0.0.1:8081; give one "
	 "of them another port\n"},
	{"server:\n  listen: '[::]:80'\nadmin:\n  listen: 127.0.0.1:80\n",
	 "f:4:11: admin.listen: 127.0.0.1:80 clashes with server.listen [::]:80; give one of them "
	 "another port\n"},
	{"admin:\n  listen: '[::]:8080'\n",
	 "f:2:11: admin.listen: [::]:8080 clashes with server.listen 0.0.0.0:8080; give one of "
	 "them another port\n"},
	{"server:\n  ipv6_prefix: 8\n",
	 "f:2:16: server.ipv6_prefix: 8 is not in 16..128 bits; write a number in that range\n"},
	{"server:\n  trusted_proxies: 10.0.0.0/8\n",
	 "f:2:20: server.trusted_proxies: is a single value; write a list such as [10.0.0.0/8]\n"},
	{"server:\n  trusted_proxies: [10.0.0.0/8, 10.0.0.0/33, [a], ~]\n",
	 "f:2:33: server.trusted_proxies: 10.0.0.0/33 has a prefix longer than 32 bits, all "
	 "that an IPv4 address has\n"
	 "f:2:46: server.trusted_proxies: is a list; allowed: an address or a network\n"
	 "f:2:51: server.trusted_proxies: is empty; allowed: an address or a network\n"},
	{"server:\n  listen: x\nadmin:\n  listen: 127.0.0.1:8080\n",
	 "f:2:11: server.listen: x has no port: write ADDRESS:PORT, e.g. 0.0.0.0:8080 or "
	 "[::]:8080\n"},
	/* YAML */
	{"server:\n\tlisten: x\n",
	 "f:2:1: not YAML: found character that cannot start any token while scanning for the next "
	 "token; the line is indented with a tab: use spaces\n"},
	{"server:\n  listen: [::]:8080\n",
	 "f:2:12: not YAML: did not find expected node content while parsing a flow node; an IPv6 "
	 "address needs quotes: \"[::]:8080\"\n"},
	{"server:\n  listen: *x\n", "f:2:11: not YAML: found undefined alias\n"},
	{"log: {}\n---\nlog: {}\n",
	 "f:2:1: a second YAML document begins here; keep one, without '---'\n"},
	{"log: {}\n---\n]\n", "f:3:1: not YAML: did not find expected node content while parsing a "
			      "block node\n"},
	{"log:\n  level: \xff\n",
	 "f:2:10: not UTF-8 text: invalid leading UTF-8 octet; save the file as UTF-8\n"},
	{"\xff\xfel\xff", "f:1:1: not UTF-8 text: invalid leading UTF-8 octet; save the file as "
			  "UTF-8\n"},
	{"routes: &r [*r]\n", "f:1:9: routes[0]: is a list; write a mapping such as 'path: "
			      "/ws/{client_id}'\n"},
	{"server: &s\n  *s : 1\n", "f:1:9: server: a key is a mapping; write a word\n"},
};

static void test_every_mistake_has_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct config config = {.file = NULL, .route_count = 99};
		char *report = report_of_text(mistakes[i].text, &config);

		if (strcmp(report, mistakes[i].want) != 0)
			fail_msg("row '%s':\n got %swant %s", mistakes[i].text, report,
				 mistakes[i].want);
		assert_int_equal(config.route_count, 99);
		free(report);
	}
}

/* A file that was cut while it was written is refused or loads, never more. */
static void test_every_cut_of_the_shipped_file_loads_or_is_refused(void **state)
{
	(void)state;
	char *text = file_content("config/application.yaml");
	size_t good = 0;

	for (size_t len = 0; len <= strlen(text); len++) {
		struct config config;
		char *report = report_of_bytes(text, len, &config);

		if (report[0] == 0) {
			good++;
			config_finish(&config);
		}
		free(report);
	}
	assert_true(good > 0);
	free(text);
}

static void test_path_table(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		const char *want; /* a part of the report; NULL = good */
	} rows[] = {
		{"/", NULL},
		{"/ws", NULL},
		{"/ws/{client_id}", NULL},
		{"/{client_id}", NULL},
		{"/a/{client_id}/b", NULL},
		{"/v1.0/a-b_c~d", NULL},
		{"/healthy", NULL},
		{"/health", "that the gateway answers itself"},
		{"/livez", "that the gateway answers itself"},
		{"/readyz", "that the gateway answers itself"},
		{"/metrics", "that the gateway answers itself"},
		{"/limits", "that the gateway answers itself"},
		{"ws", "does not start with '/'"},
		{"{client_id}", "does not start with '/'"},
		{"//", "empty segment"},
		{"/a//b", "empty segment"},
		{"/a/", "empty segment"},
		{"/a?b=c", "'?' or '#'"},
		{"/a#b", "'?' or '#'"},
		{"/%61", "percent-encoding"},
		{"/a b", "a character that no path can have"},
		{"/\xc3\xa4", "a character that no path can have"},
		{"/a/./b", "'.' or '..'"},
		{"/..", "'.' or '..'"},
		{"/{id}", "unknown parameter"},
		{"/{}", "unknown parameter"},
		{"/{client_id", "without its '}'"},
		{"/x{client_id}", "must be a whole segment"},
		{"/client_id}", "must be a whole segment"},
		{"/ocpp/*", "write {client_id}"},
		{"/ocpp/**", "write {client_id}"},
		{"/*/x", "write {client_id}"},
		{"/ocpp/cp-*", "write {client_id}"},
		{"/ocpp/:id", "write {client_id}"},
		{"/ocpp/$client_id", "write {client_id}"},
		{"/ocpp/<client_id>", "write {client_id}"},
		{"/ocpp/<str:id>", "write {client_id}"},
		{"/ocpp/(.+)", "write {client_id}"},
		{"/ocpp/[^/]+", "write {client_id}"},
		{"/ocpp/+", "write {client_id}"},
		{"/a:b/c$d/e+f/g=(h)", NULL},
		{"/{client_id}x", "without its '}'"},
		{"/{client_id}/{client_id}", "more than once"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config config;
		char text[128];

		snprintf(text, sizeof(text), "routes:\n  - path: \"%s\"\n", rows[i].path);
		char *report = report_of_text(text, &config);

		if (rows[i].want == NULL) {
			ASSERT_ROW(strcmp(report, "") == 0, rows[i].path);
			ASSERT_ROW(strcmp(config.routes[0].path, rows[i].path) == 0, rows[i].path);
			config_finish(&config);
		} else {
			ASSERT_ROW(strstr(report, rows[i].want) != NULL, rows[i].path);
			ASSERT_ROW(strncmp(report, "f:2:11: routes[0].path: ", 24) == 0,
				   rows[i].path);
		}
		free(report);
	}
}

static void test_a_route_without_a_name_is_called_after_its_path(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		const char *want;
	} rows[] = {
		{"/", "root"},
		{"/{client_id}", "root"},
		{"/ws/{client_id}", "ws"},
		{"/v1/{client_id}/chargers", "v1-chargers"},
		{"/a.b/c_d-e", "a_b-c_d-e"},
		{"/ws/", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config config;
		char text[100];

		snprintf(text, sizeof(text), "routes: [{path: '%s'}]", rows[i].path);
		char *report = report_of_text(text, &config);

		ASSERT_ROW((report[0] == 0) == (rows[i].want != NULL), rows[i].path);
		if (rows[i].want != NULL) {
			ASSERT_ROW(strcmp(config.routes[0].name, rows[i].want) == 0, rows[i].path);
			config_finish(&config);
		}
		free(report);
	}
}

static void test_a_path_has_at_most_512_bytes(void **state)
{
	(void)state;
	for (size_t len = 512; len <= 513; len++) {
		struct config config;
		char text[600];

		snprintf(text, sizeof(text), "routes: [{name: long, path: /%0*d}]", (int)len - 1,
			 0);
		char *report = report_of_text(text, &config);

		if (len == 512) {
			assert_string_equal(report, "");
			config_finish(&config);
		} else {
			assert_non_null(strstr(report, " has 513 bytes; write at most 512\n"));
		}
		free(report);
	}
}

/* Repeats `item` between a head and a tail; the caller frees it. */
static char *repeated(const char *head, const char *item, size_t count, const char *tail)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	fputs(head, to);
	for (size_t i = 0; i < count; i++)
		fputs(item, to);
	fputs(tail, to);
	fclose(to);
	return text;
}

static void test_files_made_to_be_slow_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *name, *head, *item;
		size_t count;
		const char *tail, *want;
	} rows[] = {
		{"anchors", "", "- &a 1\n", 1001, "",
		 "f:1001:3: there are more than 1000 anchors and aliases"},
		{"routes", "routes:\n", "- {}\n", 1001, "", "f:2:1: routes: has 1001 entries"},
		{"subprotocols", "routes: [{path: /a, subprotocols: [a", ", a", 32, "]}]",
		 "has 33 names; write at most 32"},
		{"keys", "server:\n", " a: 1\n", 100000, "", "99899 more mistakes are not shown"},
		{"brackets", "server: ", "[", 500000, "",
		 "f:1:40: lists and mappings are more than 32 deep"},
		{"blocks", "", "- ", 500000, "",
		 "f:1:65: lists and mappings are more than 32 deep"},
		{"size", "# ", "0123456789abcdef", 65536, "", "f: is larger than 1048576 bytes"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config config;
		char *text = repeated(rows[i].head, rows[i].item, rows[i].count, rows[i].tail);
		char *report = report_of_text(text, &config);

		ASSERT_ROW(strstr(report, rows[i].want) != NULL, rows[i].name);
		free(report);
		free(text);
	}
}

/* 500 routes that are one alias of a mapping with 1,000 keys. */
static void test_aliases_that_multiply_are_cut(void **state)
{
	(void)state;
	struct config config;
	char *route = repeated("routes:\n- &r\n  path: /a\n", "  a: 1\n", 1000, "");
	char *text = repeated(route, "- *r\n", 500, "");
	char *report = report_of_text(text, &config);

	assert_non_null(strstr(report, "more mistakes are not shown\n"));
	free(report);
	free(text);
	free(route);
}

static void test_a_report_shows_100_lines_and_counts_the_rest(void **state)
{
	(void)state;
	struct config config;
	char *text = repeated("server:\n", "  a: 1\n", 150, "");
	char *report = report_of_text(text, &config);
	size_t lines = 0;

	for (const char *c = report; *c != 0; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 101);
	assert_non_null(strstr(report, "\n50 more mistakes are not shown\n"));
	free(report);
	free(text);
}

static void test_flag_beats_environment_beats_file_beats_default(void **state)
{
	(void)state;
	static const struct slice text = SLICE_LITERAL(
		"server:\n  workers: 2\n  max_connections: 2\n  send_timeout: 2s\n");
	char *environment[] = {(char *)"PATH=/bin", (char *)"GATEHOUSE_SERVER_WORKERS=3",
			       (char *)"GATEHOUSE_SERVER_MAX_CONNECTIONS=3", NULL};
	const struct config_flag flags[] = {
		{SLICE_LITERAL("--workers"), "9"},
		{SLICE_LITERAL("--server.workers"), "4"},
		{SLICE_LITERAL("--log_level"), "debug"},
	};
	struct config config;
	char *report = report_of(&(struct config_sources){.file = "f",
							  .text = &text,
							  .environment = environment,
							  .flags = flags,
							  .flag_count = ARRAY_LEN(flags)},
				 &config);

	assert_string_equal(report, "");
	free(report);
	assert_int_equal(config.server.workers, 4);
	assert_int_equal(config.server.max_connections, 3);
	assert_int_equal(config.server.send_timeout, 2000);
	assert_int_equal(config.server.close_timeout, 5000);
	assert_int_equal(config.log.level, LOG_LEVEL_DEBUG);
	char *values = printed(&config, config_print);

	assert_non_null(strstr(values, "workers: 4 "));
	assert_non_null(strstr(values, "# flag --server-workers\n"));
	assert_non_null(strstr(values, "# environment GATEHOUSE_SERVER_MAX_CONNECTIONS\n"));
	assert_non_null(strstr(values, "# f:4\n"));
	assert_non_null(strstr(values, "# default\n"));
	assert_non_null(strstr(values, "# flag --log-level\n"));
	free(values);
	config_finish(&config);
}

static void test_a_secret_comes_from_the_environment_alone(void **state)
{
	(void)state;
	char *environment[] = {(char *)"GATEHOUSE_ADMIN_TOKEN=s3cret", NULL};
	struct config config;
	char *report = report_of(&(struct config_sources){.environment = environment}, &config);
	char *values = printed(&config, config_print);

	assert_string_equal(report, "");
	assert_string_equal(config.admin.token.text, "s3cret");
	assert_null(strstr(values, "s3cret"));
	assert_non_null(strstr(values, "  # token: set "));
	assert_non_null(strstr(values, "# environment GATEHOUSE_ADMIN_TOKEN\n"));
	free(values);
	free(report);
	config_finish(&config);
	assert_false(config_has_flag(SLICE_LITERAL("--admin-token")));
	assert_true(config_has_flag(SLICE_LITERAL("--admin-token-file")));
	report = report_of_text("admin: {token: s3cret}", &config);
	assert_string_equal(report,
			    "f:1:16: admin.token: is a secret and has no place in this file; write "
			    "it to a file of its own and name that in admin.token_file, or set "
			    "GATEHOUSE_ADMIN_TOKEN\n");
	free(report);
}

static void test_a_bad_secret_is_not_repeated(void **state)
{
	(void)state;
	char *environment[] = {(char *)"GATEHOUSE_ADMIN_TOKEN=s3cret with spaces", NULL};
	struct config config;
	char *report = report_of(&(struct config_sources){.environment = environment}, &config);

	assert_string_equal(report, "GATEHOUSE_ADMIN_TOKEN: what is given is not allowed; write at "
				    "most 511 visible ASCII characters, or nothing\n");
	free(report);
}

static void test_variable_table(void **state)
{
	(void)state;
	static const struct {
		const char *variable;
		const char *want;
	} rows[] = {
		{"GATEHOUSE_SERVER_WORKERS=3", ""},
		{"GATEHOUSE_SERVER_WORKERS=0", "GATEHOUSE_SERVER_WORKERS: 0 is not in 1..1024 "
					       "workers; write a number in that range or "
					       "\"auto\"\n"},
		{"GATEHOUSE_SERVER_WORKERS=", "GATEHOUSE_SERVER_WORKERS: \"\" is empty; allowed: "
					      "1..1024 workers or auto\n"},
		{"GATEHOUSE_SERVER_TRUSTED_PROXIES=10.0.0.0/8, ::1", ""},
		{"GATEHOUSE_SERVER_TRUSTED_PROXIES=", ""},
		{"GATEHOUSE_SERVER_TRUSTED_PROXIES=[]", ""},
		{"GATEHOUSE_SERVER_TRUSTED_PROXIES=10.0.0.0/8,,::1",
		 "GATEHOUSE_SERVER_TRUSTED_PROXIES: \"\" is not a numeric IPv4 or IPv6 address or "
		 "prefix: write e.g. 192.0.2.7, 10.0.0.0/8 or fd00::/8, without brackets, "
		 "port or name\n"},
		{"GATEHOUSE_SERVER_TRUSTED_PROXIES=proxy.example",
		 "GATEHOUSE_SERVER_TRUSTED_PROXIES: proxy.example is not a numeric IPv4 or IPv6 "
		 "address or "
		 "prefix: write e.g. 192.0.2.7, 10.0.0.0/8 or fd00::/8, without brackets, "
		 "port or name\n"},
		{"GATEHOUSE_SERVER_WORKER=3", "GATEHOUSE_SERVER_WORKER: there is no such option; "
					      "did you mean GATEHOUSE_SERVER_WORKERS?\n"},
		{"GATEHOUSE_SEVER_WORKERS=3", "GATEHOUSE_SEVER_WORKERS: there is no such option; "
					      "did you mean GATEHOUSE_SERVER_WORKERS?\n"},
		{"GATEHOUSE_ADMIN_X=3", "GATEHOUSE_ADMIN_X: there is no such option\n"},
		{"GATEHOUSE_LOG_=3", "GATEHOUSE_LOG_: there is no such option\n"},
		{"GATEHOUSE_ROUTES_PATH=/a", "GATEHOUSE_ROUTES_PATH: there is no such option\n"},
		{"GATEHOUSE_SERVER_SERVICE_HOST=10.0.0.1", ""},
		{"GATEHOUSE_SERVER_SERVICE_PORT_HTTP=80", ""},
		{"GATEHOUSE_SERVER_PORT=tcp://10.0.0.1:80", ""},
		{"GATEHOUSE_SERVER_PORT_80_TCP_ADDR=10.0.0.1", ""},
		{"GATEHOUSE_SERVER_EU_SERVICE_PORT=80", ""},
		{"GATEHOUSE_ADMIN_PORT=8081", "GATEHOUSE_ADMIN_PORT: there is no such option\n"},
		{"GATEHOUSE_LOG_PORT_X=1", "GATEHOUSE_LOG_PORT_X: there is no such option\n"},
		{"GATEHOUSE_PORT=tcp://10.0.0.1:80", ""},
		{"GATEHOUSE_HOME=/srv", ""},
		{"GATEHOUSE_SERVER=host", ""},
		{"GATEHOUSE_=x", ""},
		{"gatehouse_server_workers=0", ""},
		{"GATEHOUSE_SERVER_WORKERS", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *environment[] = {(char *)rows[i].variable, NULL};
		struct config config = {0};
		char *report = report_of(&(struct config_sources){.environment = environment},
					 &config);

		if (strcmp(report, rows[i].want) != 0)
			fail_msg("row '%s':\n got %swant %s", rows[i].variable, report,
				 rows[i].want);
		config_finish(&config);
		free(report);
	}
}

/* What is said of a variable that is taken, or passed over, but can hardly be meant. */
static void test_variable_warning_table(void **state)
{
	(void)state;
	static const struct {
		const char *variables[2];
		const char *want;
		uint64_t workers;
	} rows[] = {
		{{"GATEHOUSE_WORKERS=3"},
		 "GATEHOUSE_WORKERS: is taken for GATEHOUSE_SERVER_WORKERS, its full name; write "
		 "that\n",
		 3},
		{{"GATEHOUSE_WORKERS=3", "GATEHOUSE_SERVER_WORKERS=4"},
		 "GATEHOUSE_WORKERS: is passed over: GATEHOUSE_SERVER_WORKERS is set too\n",
		 4},
		{{"GATEHOUSE_SERVER_WORKERS=4", "GATEHOUSE_WORKERS=3"},
		 "GATEHOUSE_WORKERS: is passed over: GATEHOUSE_SERVER_WORKERS is set too\n",
		 4},
		{{"GATEHOUSE_WORKRS=3"},
		 "GATEHOUSE_WORKRS: is no option of this program and is passed over; did you mean "
		 "GATEHOUSE_SERVER_WORKERS?\n",
		 0},
		{{"GATEHOUSE_TOKEN=x"},
		 "GATEHOUSE_TOKEN: is no option of this program and is passed over; did you mean "
		 "GATEHOUSE_ADMIN_TOKEN?\n",
		 0},
		{{"GATEHOUSE_HOME=/srv"},
		 "GATEHOUSE_HOME: is no option of this program and is passed over\n",
		 0},
		{{"GATEHOUSE_=x"},
		 "GATEHOUSE_: is no option of this program and is passed over\n",
		 0},
		{{"GATEHOUSE_PORT=8080"},
		 "GATEHOUSE_PORT: is no option of this program and is passed over\n",
		 0},
		{{"GATEHOUSE_PORT=tcp://10.0.0.1:80", "GATEHOUSE_SERVICE_HOST=10.0.0.1"}, "", 0},
		{{"GATEHOUSE_SERVICE_PORT=80", "GATEHOUSE_SERVICE_PORT_HTTP=80"}, "", 0},
		{{"GATEHOUSE_PORT_8080_TCP=tcp://10.0.0.1:8080",
		  "GATEHOUSE_PORT_8080_TCP_PROTO=tcp"},
		 "",
		 0},
		{{"GATEHOUSEKEEPER=x", "XGATEHOUSE_LISTEN=x"}, "", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *environment[] = {(char *)rows[i].variables[0], (char *)rows[i].variables[1],
				       NULL};
		struct config config = {0};
		char *report = report_of(&(struct config_sources){.environment = environment},
					 &config);

		assert_string_equal(report, "");
		assert_warnings(&config, rows[i].variables[0], rows[i].want);
		ASSERT_ROW(config.server.workers == rows[i].workers, rows[i].variables[0]);
		config_finish(&config);
		free(report);
	}
}

static void test_a_bad_value_of_a_short_variable_is_a_mistake(void **state)
{
	(void)state;
	char *environment[] = {(char *)"GATEHOUSE_ENGINE=both", NULL};
	struct config config = {0};
	char *report = report_of(&(struct config_sources){.environment = environment}, &config);

	assert_string_equal(report,
			    "GATEHOUSE_ENGINE: both is unknown; known: auto, io_uring, epoll\n");
	free(report);
}

/* Options that take each other's effect away, and doors that stand open. */
static void test_warning_table(void **state)
{
	(void)state;
#define WEBHOOK "backends: [{name: b, type: webhook, url: 'http://h/', "
#define ROUTE_B "routes: [{path: /a, backend: b}]\n"
	static const struct {
		const char *name;
		const char *text;
		const char *want;
	} rows[] = {
		{"defaults", "", ""},
		{"pings behind the idle limit", "server: {idle_timeout: 20s}",
		 "f:1:24: server.idle_timeout: 20s ends a silent connection before "
		 "server.ping_interval: 25s sends it a ping; make that shorter, or 0 if no pings "
		 "are wanted\n"},
		{"idle limit without pings", "server: {idle_timeout: 20s, ping_interval: 0}", ""},
		{"pings before the idle limit", "server: {idle_timeout: 26s}", ""},
		{"nobody looks", "server: {ping_interval: 0}",
		 "f:1:25: server.ping_interval: 0, without an idle_timeout: a client that "
		 "vanishes without a word is never noticed; set one of them\n"},
		{"pong of no ping",
		 "server: {ping_interval: 0, idle_timeout: 1m, pong_timeout: 9s}",
		 "f:1:60: server.pong_timeout: has no effect with server.ping_interval: 0; "
		 "remove it, or set that\n"},
		{"proxy that is faster",
		 "server: {ping_interval: 60s, trusted_proxies: [10.0.0.0/8]}",
		 "f:1:25: server.ping_interval: 1m, and there are trusted_proxies: most proxies "
		 "cut what is silent for 60s; make it shorter than their limit (docs/http.md)\n"},
		{"proxy that is slower",
		 "server: {ping_interval: 59s, trusted_proxies: [10.0.0.0/8]}", ""},
		{"drain before the closes", "server: {drain_timeout: 4s}",
		 "f:1:25: server.drain_timeout: 4s cuts the clients before server.close_timeout: "
		 "5s, which they have for the closing handshake; make it longer\n"},
		{"drain at once is meant", "server: {drain_timeout: 0}", ""},
		{"burst without a rate", "server: {accept_burst: 5}",
		 "f:1:24: server.accept_burst: has no effect with server.accept_rate: 0; set that "
		 "too, or remove it\n"},
		{"claim behind the handshake", "bus: {type: nats}\nserver: {handshake_timeout: 1s}",
		 "f:2:29: bus.claim_timeout: 1s is not shorter than server.handshake_timeout: 1s, "
		 "so that a client is cut while the other nodes are asked; make it shorter\n"},
		{"reconnects that begin late", "bus: {reconnect_min: 6s}",
		 "f:1:22: bus.reconnect_min: 6s is longer than reconnect_max: 5s, which no wait "
		 "exceeds; make it shorter\n"},
		{"admin for everybody", "admin: {listen: '0.0.0.0:8081'}",
		 "f:1:17: admin.listen: 0.0.0.0:8081 is open to every network, and there is no "
		 "token: whoever reaches it reads metrics and limits, and the API answers on "
		 "loopback only; listen on 127.0.0.1, or set admin.token_file\n"},
		{"admin for everybody with a token", "admin: {listen: '[::]:8081', token_file: /t}",
		 ""},
		{"admin in one network", "admin: {listen: '10.0.0.1:8081'}", ""},
		{"back end slower than the handshake", WEBHOOK "timeout: 10s}]\n" ROUTE_B,
		 "f:1:64: backends[0].timeout: 10s is not shorter than server.handshake_timeout: "
		 "10s, so that a client is cut before b has answered whether it may come in; make "
		 "it shorter\n"},
		{"connect longer than all", WEBHOOK "connect_timeout: 6s}]\n" ROUTE_B,
		 "f:1:72: backends[0].connect_timeout: 6s has no effect with timeout: 5s, which "
		 "the whole attempt has; make it shorter\n"},
		{"nobody uses it", WEBHOOK "timeout: 10s}]",
		 "f:1:19: no route uses the back end b\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config config;
		char *report = report_of_text(rows[i].text, &config);

		assert_string_equal(report, "");
		assert_warnings(&config, rows[i].name, rows[i].want);
		config_finish(&config);
		free(report);
	}
}

static void test_the_file_is_known_by_its_hash(void **state)
{
	(void)state;
	struct config config;
	char *report = report_of_text("server: {workers: 2}\n", &config);

	assert_string_equal(report, "");
	assert_string_equal(config.file_sha256,
			    "96277652d14eab9cc3ebb983f13601eec5634d50fa968071b772c7496b9f7a15");
	config_finish(&config);
	free(report);
	report = report_of(&(struct config_sources){0}, &config);
	assert_string_equal(config.file_sha256, "");
	config_finish(&config);
	free(report);
}

static void test_flag_names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool want;
	} rows[] = {
		{"--max-connections", true},
		{"--max_connections", true},
		{"--server-max-connections", true},
		{"--server.max_connections", true},
		{"--admin-listen", true},
		{"--log-level", true},
		{"--level", false},
		{"--routes-path", false},
		{"--max-connection", false},
		{"max-connections", false},
		{"-listen", false},
		{"--", false},
		{"", false},
		{"--a-name-that-is-longer-than-any-option-of-this-program-could-ever-be", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW(config_has_flag(slice_from_text(rows[i].name)) == rows[i].want,
			   rows[i].name);
}

/* All sources are read to their ends, whatever the others held. */
static void test_mistakes_of_all_sources_come_together(void **state)
{
	(void)state;
	static const struct slice text = SLICE_LITERAL("a: [\n");
	char *environment[] = {(char *)"GATEHOUSE_LOG_LEVEL=loud", NULL};
	const struct config_flag flag = {SLICE_LITERAL("--workers"), "many"};
	struct config config;
	char *report = report_of(&(struct config_sources){.file = "f",
							  .text = &text,
							  .environment = environment,
							  .flags = &flag,
							  .flag_count = 1},
				 &config);

	assert_non_null(strstr(report, "f:2:1: not YAML: "));
	assert_non_null(strstr(report, "\nGATEHOUSE_LOG_LEVEL: loud is unknown; "));
	assert_non_null(strstr(report, "\n--workers: many is not a whole number; "));
	free(report);
}

static void test_output_loads_to_the_same_configuration(void **state)
{
	(void)state;
	struct config config, again;
	char *report = report_of_text(
		"server: {listen: '[::]:80', max_message_size: 1001B, "
		"idle_timeout: 90s, "
		"trusted_proxies: [10.0.0.0/8, '::1', 0.0.0.0/0]}\n"
		"routes:\n"
		"  - path: '/a:'\n"
		"    subprotocols: ['#x', \"&y\", '*', '`|~']\n"
		"    subprotocol_mismatch: accept\n"
		"    takeover: many\n"
		"    origins: ['https://*.example.com:8443', 'http://[::1]', 'app://x']\n"
		"    require_origin: true\n"
		"    max_connections: 7\n"
		"    refuse_browsers: close\n"
		"    rpc: json-rpc\n"
		"    call_queue_max: 3\n"
		"  - path: \"/-/!'&\"\n"
		"    backend: b\n"
		"    origins: same\n"
		"backends:\n"
		"  - {name: a, type: webhook, url: 'https://[::1]:9/?a=b'}\n"
		"  - {name: b, type: webhook, url: 'http://h', timeout: 1s, http2: "
		"true, on_failure: close, secret_file: '/run/a b'}\n"
		"  - {name: c, type: nats, durable: true, stream: UP, connect: ask}\n"
		"  - {name: d, type: nats}\n"
		"bus: {type: nats, urls: ['tls://a:1', 'tls://[::1]:2'], ca_file: /a/ca, "
		"cert_file: /a/c, key_file: /a/k}\n",
		&config);

	assert_string_equal(report, "");
	free(report);
	char *values = printed(&config, config_print);

	report = report_of_text(values, &again);
	assert_string_equal(report, "");
	assert_same(&config, &again);
	config_finish(&again);
	config_finish(&config);
	free(values);
	free(report);
}

static const char inner_text[] =
	"server:\n"
	"  listeners:\n"
	"    - address: '[::]:8443'\n"
	"      ipv6_only: true\n"
	"      tls:\n"
	"        certificates:\n"
	"          - {cert_file: /a/ec.pem, key_file: /a/ec.key}\n"
	"          - {cert_file: /a/rsa.pem, key_file: /a/rsa.key}\n"
	"        client_ca_file: /a/ca.pem\n"
	"        client_certificate: required\n"
	"        min_version: '1.3'\n"
	"        detach: off\n"
	"    - {address: 'unix:/run/g.sock', mode: 600, owner: 'a:b'}\n"
	"    - address: 0.0.0.0:8443\n"
	"admin:\n"
	"  tls: {certificates: [{cert_file: /c, key_file: /k}]}\n"
	"routes:\n"
	"  - path: /a\n"
	"    auth:\n"
	"      - {type: basic, users_file: /u, secret_format: ocpp}\n"
	"      - {type: certificate, identity: san_uri}\n"
	"      - {type: token, jwks_url: 'https://i/j', issuer: 'https://i/', from: [query, "
	"header], algorithms: [EdDSA]}\n"
	"      - type: ticket\n";

static void test_lists_and_mappings_below_a_key(void **state)
{
	(void)state;
	struct config config;
	char *report = report_of_text(inner_text, &config);
	char place[CONFIG_PLACE_TEXT_MAX];
	size_t count;

	assert_string_equal(report, "");
	free(report);
	const struct config_listener *listeners = config_listeners(&config, &count);

	assert_int_equal(count, 3);
	assert_string_equal(config_place_format(&listeners[0].address, place), "[::]:8443");
	assert_int_equal(listeners[0].ipv6_only, CONFIG_SWITCH_TRUE);
	assert_true(config_has_tls(&listeners[0].tls));
	assert_int_equal(listeners[0].tls.certificates.count, 2);
	assert_string_equal(listeners[0].tls.certificates.items[1].key_file.text, "/a/rsa.key");
	assert_int_equal(listeners[0]
				 .tls.certificates.items[1]
				 .given[CONFIG_OPTION_certificates_key_file]
				 .line,
			 8);
	assert_int_equal(listeners[0].tls.client_certificate, CONFIG_CLIENT_CERTIFICATE_REQUIRED);
	assert_int_equal(listeners[0].tls.min_version, CONFIG_TLS_1_3);
	assert_int_equal(listeners[0].tls.detach, CONFIG_OFF);
	assert_string_equal(config_place_format(&listeners[1].address, place), "unix:/run/g.sock");
	assert_int_equal(listeners[1].mode, 0600);
	assert_string_equal(listeners[1].owner.text, "a:b");
	assert_false(config_has_tls(&listeners[1].tls));
	assert_int_equal(listeners[1].tls.detach, CONFIG_ON);
	assert_true(config_has_tls(&config.admin.tls));
	assert_int_equal(config.routes[0].auth.count, 4);
	const struct config_auth *token = &config.routes[0].auth.items[2];

	assert_int_equal(token->type, CONFIG_AUTH_TOKEN);
	assert_int_equal(token->from, 1u << CONFIG_TOKEN_IN_HEADER | 1u << CONFIG_TOKEN_IN_QUERY);
	assert_int_equal(token->algorithms, 1u << CONFIG_ALGORITHM_EDDSA);
	assert_string_equal(token->client_id_claim.text, "sub");
	assert_int_equal(token->leeway, 30000);
	config_finish(&config);
}

/* What is printed, without the places. */
static char *values_of(const struct config *config)
{
	char *text = printed(config, config_print), *rest = text, *line;
	char *values = calloc(1, strlen(text) + 1);
	size_t used = 0;

	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t len = (size_t)(strchrnul(line, '#') - line);

		memcpy(values + used, line, len);
		for (used += len; used > 0 && values[used - 1] == ' ';)
			used--;
		values[used++] = rest == NULL ? 0 : '\n';
	}
	free(text);
	return values;
}

static void test_what_is_below_a_key_is_printed_and_loads_again(void **state)
{
	(void)state;
	struct config config, again;

	free(report_of_text(inner_text, &config));
	char *text = printed(&config, config_print);
	char *report = report_of_text(text, &again);

	assert_string_equal(report, "");
	assert_non_null(strstr(text, "  listeners:"));
	assert_non_null(strstr(text, "\n    - address: \"[::]:8443\""));
	assert_non_null(strstr(text, "\n          - cert_file: /a/ec.pem"));
	assert_null(strstr(text, "\n  listen:         "));
	char *left = values_of(&config), *right = values_of(&again);

	assert_string_equal(left, right);
	config_finish(&config);
	config_finish(&again);
	free(left);
	free(right);
	free(text);
	free(report);
}

/* Of a path that is too long the end is shown, from a whole character on: else no YAML. */
static void test_what_comes_from_a_long_path_loads_again(void **state)
{
	(void)state;
	struct config config, again;
	char path[1 + 3 * 100 + 4] = "/";

	for (size_t i = 0; i < 100; i++)
		memcpy(path + 1 + 3 * i, "\xe5\xae\xb9", 3);
	for (size_t i = 0; i < 3; i++) {
		free(report_of_text("server:\n  workers: 2\n", &config));
		free(config.file);
		config.file = strdup(path);
		path[1 + 3 * 100 + i] = 'x'; /* the next one is cut a byte later */
		char *text = printed(&config, config_print);
		char *report = report_of_text(text, &again);

		assert_string_equal(report, "");
		assert_non_null(strstr(text, "workers: 2  "));
		assert_non_null(strstr(text, "# ...\xe5\xae\xb9"));
		config_finish(&config);
		config_finish(&again);
		free(text);
		free(report);
	}
}

/* --- chargers --- */

#define TLS_LISTENER                                                                               \
	"server:\n  listeners:\n    - address: 127.0.0.1:8443\n      tls:\n        certificates: " \
	"[{cert_file: /a, key_file: /b}]\n"
#define CA "        client_ca_file: /ca\n        client_certificate: "

static void assert_printed(const struct config *config, const char *want)
{
	char *text = printed(config, config_print);

	if (strstr(text, want) == NULL)
		fail_msg("'%s' is not in\n%s", want, text);
	free(text);
}

static void test_what_the_preset_gives(void **state)
{
	(void)state;
	struct config config, again;
	char *report = report_of_text(TLS_LISTENER CA "required\n"
						      "routes:\n"
						      "  - path: /ocpp/{client_id}\n"
						      "    preset: ocpp\n"
						      "    security_profile: 3\n",
				      &config);
	const struct config_route *route = &config.routes[0];

	assert_string_equal(report, "");
	free(report);
	assert_int_equal(route->subprotocols.count, 3);
	assert_string_equal(route->subprotocols.items[0], "ocpp2.1");
	assert_string_equal(route->subprotocols.items[1], "ocpp2.0.1");
	assert_string_equal(route->subprotocols.items[2], "ocpp1.6");
	assert_int_equal(route->subprotocol_mismatch, CONFIG_MISMATCH_CLOSE);
	assert_int_equal(route->rpc, CONFIG_RPC_OCPP_J);
	assert_int_equal(route->merge_slashes, CONFIG_SWITCH_TRUE);
	assert_int_equal(route->takeover, CONFIG_TAKEOVER_NEWEST);
	assert_int_equal(route->auth.count, 1);
	assert_int_equal(route->auth.items[0].type, CONFIG_AUTH_CERTIFICATE);
	assert_int_equal(route->auth.items[0].identity, CONFIG_IDENTITY_CN);
	assert_printed(&config, "    rpc: ocpp-j                              # preset at f:10\n");
	assert_printed(&config, "# preset at f:10\n      - type: certificate");
	assert_printed(&config, "    takeover: newest                         # default\n");
	char *text = printed(&config, config_print);

	report = report_of_text(text, &again);
	assert_string_equal(report, "");
	char *left = values_of(&config), *right = values_of(&again);

	assert_string_equal(left, right);
	free(left);
	free(right);
	free(report);
	free(text);
	config_finish(&config);
	config_finish(&again);
}

static void test_what_is_written_beats_the_preset(void **state)
{
	(void)state;
	struct config config;
	char *report = report_of_text("routes:\n"
				      "  - path: /ocpp/{client_id}\n"
				      "    rpc: none\n"
				      "    subprotocols: [ocpp1.6]\n"
				      "    merge_slashes: false\n"
				      "    preset: ocpp\n"
				      "    auth:\n"
				      "      - {type: basic, users_file: /u}\n"
				      "      - {type: basic, users_file: /v, secret_format: text}\n"
				      "      - {type: certificate, identity: san_dns}\n",
				      &config);
	const struct config_route *route = &config.routes[0];

	assert_string_equal(report, "");
	free(report);
	assert_int_equal(route->rpc, CONFIG_RPC_NONE);
	assert_int_equal(route->subprotocols.count, 1);
	assert_int_equal(route->merge_slashes, CONFIG_SWITCH_FALSE);
	assert_int_equal(route->subprotocol_mismatch, CONFIG_MISMATCH_CLOSE);
	assert_int_equal(route->auth.count, 3);
	assert_int_equal(route->auth.items[0].secret_format, CONFIG_SECRET_FORMAT_OCPP);
	assert_int_equal(route->auth.items[1].secret_format, CONFIG_SECRET_FORMAT_TEXT);
	assert_int_equal(route->auth.items[2].identity, CONFIG_IDENTITY_SAN_DNS);
	config_finish(&config);
}

#define ROUTE(profile, auth)                                                                     \
	"routes:\n  - path: /o/{client_id}\n    security_profile: " profile "\n    auth: [" auth \
	"]\n"
#define BASIC       "{type: basic, users_file: /u}"
#define CERTIFICATE "{type: certificate}"
#define BY_PROXY    "server: {trusted_proxies: [10.0.0.1], client_certificate_header: client-cert}\n"

static const struct {
	const char *name;
	const char *text;
	const char *want; /* part of the mistake; NULL: none */
} profiles[] = {
	{"1", ROUTE("1", BASIC), NULL},
	{"1 by the back end",
	 "backends: [{name: b, type: webhook, url: 'http://h'}]\n"
	 "routes:\n  - {path: '/o/{client_id}', backend: b, security_profile: 1, auth: [{type: "
	 "backend}]}\n",
	 NULL},
	{"1 without a way", ROUTE("1", ""), "security_profile: 1 needs passwords"},
	{"1 with certificates", ROUTE("1", CERTIFICATE), "lets in by password alone"},
	{"1 with both", ROUTE("1", BASIC ", " CERTIFICATE), "lets in by password alone"},
	{"1 with tickets", ROUTE("1", BASIC ", {type: ticket}"), "lets in by password alone"},
	{"2", TLS_LISTENER ROUTE("2", BASIC), NULL},
	{"2 without TLS", ROUTE("2", BASIC), "f:3:23: routes[0].security_profile: 2 needs TLS"},
	{"2 behind a proxy", "server: {trusted_proxies: [10.0.0.1]}\n" ROUTE("2", BASIC), NULL},
	{"2 with certificates", TLS_LISTENER ROUTE("2", CERTIFICATE), "by password alone"},
	{"3", TLS_LISTENER CA "optional\n" ROUTE("3", CERTIFICATE), NULL},
	{"3 without TLS", ROUTE("3", CERTIFICATE), "security_profile: 3 needs TLS"},
	{"3 where nobody is asked", TLS_LISTENER ROUTE("3", CERTIFICATE),
	 "no listener asks for one"},
	{"3 behind a proxy", BY_PROXY ROUTE("3", CERTIFICATE), NULL},
	{"3 behind a silent proxy",
	 "server: {trusted_proxies: [10.0.0.1]}\n" ROUTE("3", CERTIFICATE),
	 "no listener asks for one"},
	{"3 with passwords", TLS_LISTENER CA "required\n" ROUTE("3", CERTIFICATE ", " BASIC),
	 "lets in by certificate alone"},
	{"3 without a way", TLS_LISTENER CA "required\n" ROUTE("3", ""), "needs certificates"},
	{"4", ROUTE("4", BASIC),
	 "f:3:23: routes[0].security_profile: 4 is unknown; known: none, 1, 2, 3"},
};

static void test_security_profiles(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		struct config config = {.route_count = 0};
		char *report = report_of_text(profiles[i].text, &config);

		if (profiles[i].want == NULL ? report[0] != 0
					     : strstr(report, profiles[i].want) == NULL)
			fail_msg("row '%s': %s", profiles[i].name, report);
		if (profiles[i].want == NULL)
			config_finish(&config);
		free(report);
	}
}

static void test_profile_1_is_warned_of(void **state)
{
	(void)state;
	struct config config;
	char *report = report_of_text(ROUTE("1", BASIC), &config);

	assert_string_equal(report, "");
	free(report);
	assert_warnings(&config, "profile 1",
			"f:3:23: routes[0].security_profile: 1 sends passwords in clear: whoever "
			"is on the way reads them, and everything else; use 2 or 3, or a VPN "
			"around it\n");
	config_finish(&config);
}

static void test_listen_is_short_for_one_listener(void **state)
{
	(void)state;
	struct config config;
	char place[CONFIG_PLACE_TEXT_MAX];
	size_t count;

	free(report_of_text("server: {listen: '[::1]:9'}\n", &config));
	const struct config_listener *listeners = config_listeners(&config, &count);

	assert_int_equal(count, 1);
	assert_string_equal(config_place_format(&listeners->address, place), "[::1]:9");
	assert_false(config_has_tls(&listeners->tls));
	config_finish(&config);
}

static void test_origins_by_themselves(void **state)
{
	(void)state;
	static const struct {
		const char *keys;
		enum config_origins_mode want;
	} rows[] = {
		{"", CONFIG_ORIGINS_ANY},
		{", origins: same", CONFIG_ORIGINS_SAME},
		{", origins: ['https://a']", CONFIG_ORIGINS_LIST},
		{", auth: [{type: token, jwks_file: /k, from: [header]}]", CONFIG_ORIGINS_ANY},
		{", auth: [{type: ticket}, {type: token, jwks_file: /k, from: [header, cookie]}]",
		 CONFIG_ORIGINS_SAME},
		{", origins: any, auth: [{type: token, jwks_file: /k, from: [cookie]}]",
		 CONFIG_ORIGINS_ANY},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config config;
		char text[256];

		snprintf(text, sizeof(text), "routes: [{path: /a%s}]\n", rows[i].keys);
		char *report = report_of_text(text, &config);

		ASSERT_ROW(report[0] == 0, report);
		ASSERT_ROW(config_route_origins(&config.routes[0]) == rows[i].want, text);
		config_finish(&config);
		free(report);
	}
}

static void test_shipped_file_is_exactly_the_defaults(void **state)
{
	(void)state;
	struct config defaults, shipped;
	char *report = report_of(&(struct config_sources){.file = "config/application.yaml"},
				 &shipped);

	assert_string_equal(report, "");
	free(report);
	load_defaults(&defaults);
	assert_same(&defaults, &shipped);
	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
		/* A secret has no place in it, and admin.tls would need files. */
		if (config_options[i].kind != CONFIG_SECRET && i != CONFIG_OPTION_admin_tls)
			assert_int_equal(shipped.origins[i].kind, CONFIG_FROM_FILE);
	for (size_t i = 0; i < CONFIG_ROUTE_OPTION_COUNT; i++)
		assert_int_equal(shipped.routes[0].given[i].kind, CONFIG_FROM_FILE);
	config_finish(&shipped);
	config_finish(&defaults);
}

static void print_reference(const struct config *config, FILE *to)
{
	(void)config;
	config_print_reference(to);
}

/* If this fails: build/dev/gatehouse config --reference > docs/options.md */
static void test_reference_is_up_to_date(void **state)
{
	(void)state;
	char *written = file_content("docs/options.md");
	char *reference = printed(NULL, print_reference);

	assert_string_equal(written, reference);
	free(reference);
	free(written);
}

static void test_files_that_cannot_be_read(void **state)
{
	(void)state;
	static const struct {
		const char *file;
		const char *want;
	} rows[] = {
		{"config/absent.yaml",
		 "config/absent.yaml: cannot be read: No such file or directory; check the name "
		 "given with -c, or leave -c out for the defaults\n"},
		{"config", "config: cannot be read: Is a directory; name a file\n"},
		{"config/application.yaml/x",
		 "config/application.yaml/x: cannot be read: Not a directory; name a readable "
		 "file\n"},
		{"/dev/zero", "/dev/zero: is larger than 1048576 bytes; write a smaller file\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config config;
		char *report = report_of(&(struct config_sources){.file = rows[i].file}, &config);

		assert_string_equal(report, rows[i].want);
		free(report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_contract),
		cmocka_unit_test(test_empty_files_give_the_defaults),
		cmocka_unit_test(test_values_are_taken_from_a_file),
		cmocka_unit_test(test_every_mistake_has_its_place),
		cmocka_unit_test(test_every_cut_of_the_shipped_file_loads_or_is_refused),
		cmocka_unit_test(test_path_table),
		cmocka_unit_test(test_a_route_without_a_name_is_called_after_its_path),
		cmocka_unit_test(test_a_path_has_at_most_512_bytes),
		cmocka_unit_test(test_files_made_to_be_slow_are_refused),
		cmocka_unit_test(test_aliases_that_multiply_are_cut),
		cmocka_unit_test(test_a_report_shows_100_lines_and_counts_the_rest),
		cmocka_unit_test(test_flag_beats_environment_beats_file_beats_default),
		cmocka_unit_test(test_a_secret_comes_from_the_environment_alone),
		cmocka_unit_test(test_a_bad_secret_is_not_repeated),
		cmocka_unit_test(test_variable_table),
		cmocka_unit_test(test_variable_warning_table),
		cmocka_unit_test(test_a_bad_value_of_a_short_variable_is_a_mistake),
		cmocka_unit_test(test_warning_table),
		cmocka_unit_test(test_the_file_is_known_by_its_hash),
		cmocka_unit_test(test_flag_names),
		cmocka_unit_test(test_mistakes_of_all_sources_come_together),
		cmocka_unit_test(test_output_loads_to_the_same_configuration),
		cmocka_unit_test(test_lists_and_mappings_below_a_key),
		cmocka_unit_test(test_what_is_below_a_key_is_printed_and_loads_again),
		cmocka_unit_test(test_what_comes_from_a_long_path_loads_again),
		cmocka_unit_test(test_what_the_preset_gives),
		cmocka_unit_test(test_what_is_written_beats_the_preset),
		cmocka_unit_test(test_security_profiles),
		cmocka_unit_test(test_profile_1_is_warned_of),
		cmocka_unit_test(test_listen_is_short_for_one_listener),
		cmocka_unit_test(test_origins_by_themselves),
		cmocka_unit_test(test_shipped_file_is_exactly_the_defaults),
		cmocka_unit_test(test_reference_is_up_to_date),
		cmocka_unit_test(test_files_that_cannot_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
