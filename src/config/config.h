/* SPDX-License-Identifier: Apache-2.0
 * config.h - the configuration: its structs, how it is loaded, how it is shown.
 *
 * Layer: config (may include base/ only). Reads files; for start-up and commands,
 * never for a worker thread. A loaded struct config is plain data: any thread may
 * read it, nobody writes it. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/net_addr.h"
#include "base/net_ip.h"
#include "base/slice.h"
#include "base/suggest.h"
#include "config/config_report.h"
#include "config/config_table.h"

/* The file that is read if it exists and no other was named. */
#define CONFIG_DEFAULT_FILE "config/application.yaml"

enum config_engine { CONFIG_ENGINE_AUTO, CONFIG_ENGINE_IO_URING, CONFIG_ENGINE_EPOLL };

/* What to do if a route names subprotocols and the client offers none of them. */
enum config_mismatch {
	CONFIG_MISMATCH_REFUSE, /* 400 before the upgrade */
	CONFIG_MISMATCH_CLOSE,  /* upgrade, then close at once with 1002 */
	CONFIG_MISMATCH_ACCEPT, /* go on without a subprotocol */
};

/* What to do if a client connects that is connected already. */
enum config_takeover {
	CONFIG_TAKEOVER_NEWEST, /* close the older connection */
	CONFIG_TAKEOVER_OLDEST, /* refuse the newer one with 409 */
	CONFIG_TAKEOVER_MANY,   /* keep both */
};

enum config_bus_type { CONFIG_BUS_EMBEDDED, CONFIG_BUS_NATS };

/* How the clients of a route frame their calls. */
enum config_rpc { CONFIG_RPC_NONE, CONFIG_RPC_OCPP_J, CONFIG_RPC_JSON_RPC };

enum config_backend_type { CONFIG_BACKEND_WEBHOOK, CONFIG_BACKEND_NATS };

/* Who decides whether a client may come in. */
enum config_connect {
	CONFIG_CONNECT_ACCEPT, /* nobody: all may */
	CONFIG_CONNECT_ASK,    /* the back end */
};

/* What to do if a back end does not take an event. */
enum config_on_failure {
	CONFIG_ON_FAILURE_WAIT,  /* keep it and try again */
	CONFIG_ON_FAILURE_CLOSE, /* drop it and close the connection with 1013 */
};

enum config_switch { CONFIG_SWITCH_FALSE, CONFIG_SWITCH_TRUE };

/* The name of the built-in back end. */
#define CONFIG_ECHO "echo"

struct config_tokens {
	char **items;
	size_t count;
};

/* Whose pages may connect; `mode` is first. */
enum config_origins_mode {
	CONFIG_ORIGINS_AUTO, /* same where a cookie is a proof, else any */
	CONFIG_ORIGINS_ANY,
	CONFIG_ORIGINS_SAME,
	CONFIG_ORIGINS_LIST,
};

struct config_web_origins {
	enum config_origins_mode mode;
	struct config_tokens list; /* patterns (base/web_origin.h), all good */
};

#define CONFIG_PREFIXES_MAX 64

struct config_prefixes {
	struct net_prefix items[CONFIG_PREFIXES_MAX];
	size_t count;
};

#define CONFIG_TEXT_MAX 512

struct config_text {
	char text[CONFIG_TEXT_MAX]; /* NUL-terminated */
};

#define CONFIG_URLS_MAX 16

struct config_urls {
	struct config_text items[CONFIG_URLS_MAX];
	size_t count;
};

/* The fields have the names of the keys in config_table.h: durations in ms, sizes
 * in bytes, 0 for "auto" of a number. */
#define CONFIG_FIELD(section, name, kind, ...)  CONFIG_C_##kind name;
#define CONFIG_NUMBER(section, name, kind, ...) CONFIG_OPTION_##section##_##name,
#define CONFIG_STRUCT(section, table) \
	struct config_##section {     \
		table(CONFIG_FIELD)   \
	};
#define CONFIG_MEMBER(section, table)  struct config_##section section;
#define CONFIG_NUMBERS(section, table) table(CONFIG_NUMBER)

CONFIG_SECTIONS(CONFIG_STRUCT)

enum config_option_number { CONFIG_SECTIONS(CONFIG_NUMBERS) CONFIG_OPTION_COUNT };
enum config_route_option_number { CONFIG_ROUTE(CONFIG_NUMBER) CONFIG_ROUTE_OPTION_COUNT };
enum config_backend_option_number { CONFIG_BACKEND(CONFIG_NUMBER) CONFIG_BACKEND_OPTION_COUNT };

enum config_origin_kind {
	CONFIG_FROM_DEFAULT,
	CONFIG_FROM_FILE,
	CONFIG_FROM_ENVIRONMENT,
	CONFIG_FROM_FLAG,
};

/* Where a value came from. */
struct config_origin {
	enum config_origin_kind kind;
	uint32_t line; /* FROM_FILE only; 1 is the first */
	uint32_t column;
};

#define CONFIG_SHA256_TEXT 65

struct config_route {
	CONFIG_ROUTE(CONFIG_FIELD)
	struct config_origin given[CONFIG_ROUTE_OPTION_COUNT];
};

struct config_backend {
	CONFIG_BACKEND(CONFIG_FIELD)
	struct config_origin given[CONFIG_BACKEND_OPTION_COUNT];
};

/* struct config_server server; struct config_admin admin; struct config_log log; */
struct config {
	CONFIG_SECTIONS(CONFIG_MEMBER)
	struct config_route *routes;
	size_t route_count; /* at least 1 */
	struct config_backend *backends;
	size_t backend_count;
	char *file; /* that was read; NULL = none */
	/* Of its content, as sha256sum prints it; "" = none was read. */
	char file_sha256[CONFIG_SHA256_TEXT];
	struct config_report warnings; /* what is no mistake, but can hardly be meant */
	struct config_origin origins[CONFIG_OPTION_COUNT];
};

/* One flag as it was given, for example "--max-connections" and "5". */
struct config_flag {
	struct slice name;
	const char *value;
};

/* What to load from. A zeroed struct gives the built-in defaults. */
struct config_sources {
	const char *file;                /* NULL = no file */
	const struct slice *text;        /* the content of `file`, else it is read from disk */
	char *const *environment;        /* "NAME=value" and a NULL at the end; NULL = none */
	const struct config_flag *flags; /* every name is known to config_has_flag */
	size_t flag_count;
};

/* Loads with flag > environment > file > default. Returns 0 and fills *out_config
 * (config_finish frees it), or -EINVAL with at least one mistake in the report. */
int config_load(const struct config_sources *sources, struct config_report *report,
		struct config *out_config);

/* Frees what is in it; zeroed is fine. */
void config_finish(struct config *config);

/* True for "--server-max-connections", "--max-connections", also with '_' or '.'
 * for '-'. */
bool config_has_flag(struct slice name);

/* NULL: there is none of that name. */
const struct config_route *config_route_find(const struct config *config, struct slice name);

/* What `origins` comes to: ANY, SAME or LIST. */
enum config_origins_mode config_route_origins(const struct config_route *route);

/* NULL: there is none of that name, which `echo` never is. */
const struct config_backend *config_backend_find(const struct config *config, const char *name);

/* Does a route name it? */
bool config_backend_is_used(const struct config *config, const struct config_backend *backend);

/* Descriptors that back ends and the bus may have open at once. */
uint64_t config_backend_sockets(const struct config *config);

/* Offers the name of every flag. */
void config_offer_flags(struct suggest *suggest);

/* The effective values as YAML that can be loaded again, each with its origin. */
void config_print(const struct config *config, FILE *to);

/* docs/options.md. */
void config_print_reference(FILE *to);

/* The lines of --help for all flags of options. */
void config_print_flags(FILE *to);
