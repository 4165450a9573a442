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
#include "base/slice.h"
#include "base/suggest.h"
#include "config/config_report.h"
#include "config/config_types.h"

/* The file that is read if it exists and no other was named. */
#define CONFIG_DEFAULT_FILE "config/application.yaml"

enum config_origin_kind {
	CONFIG_FROM_DEFAULT,
	CONFIG_FROM_FILE,
	CONFIG_FROM_PRESET, /* of a route; the line is that of the key preset */
	CONFIG_FROM_ENVIRONMENT,
	CONFIG_FROM_FLAG,
};

/* Where a value came from. */
struct config_origin {
	enum config_origin_kind kind;
	bool is_other_form; /* the variable without its section, the flag with it */
	uint32_t line;      /* FROM_FILE only; 1 is the first */
	uint32_t column;
};

#define CONFIG_SHA256_TEXT 65

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

/* An entry of a list, or a mapping: struct config_certificate, config_tls, config_listener,
 * config_auth, config_route, config_backend. */
#define CONFIG_ENTRY(entry, table)                                                             \
	enum config_##entry##_option_number{table(CONFIG_NUMBER) CONFIG_OPTION_COUNT_##entry}; \
	struct config_##entry {                                                                \
		table(CONFIG_FIELD) struct config_origin given[CONFIG_OPTION_COUNT_##entry];   \
	};

CONFIG_TABLES(CONFIG_ENTRY)
CONFIG_SECTIONS(CONFIG_STRUCT)

#define CONFIG_ROUTE_OPTION_COUNT   CONFIG_OPTION_COUNT_route
#define CONFIG_BACKEND_OPTION_COUNT CONFIG_OPTION_COUNT_backend

enum config_option_number { CONFIG_SECTIONS(CONFIG_NUMBERS) CONFIG_OPTION_COUNT };

/* struct config_server server; struct config_admin admin; struct config_log log; */
struct config {
	CONFIG_SECTIONS(CONFIG_MEMBER)
	struct config_route *routes;
	size_t route_count; /* at least 1 */
	struct config_backend *backends;
	size_t backend_count;
	struct config_listener listener; /* what server.listen says, if there are no listeners */
	char *file;                      /* that was read; NULL = none */
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

/* Those that clients connect to: server.listeners, or the one that server.listen is short for. */
const struct config_listener *config_listeners(const struct config *config, size_t *out_count);

size_t config_listener_count(const struct config *config);

/* Does any listener speak TLS, the admin's among them? */
bool config_speaks_tls(const struct config *config);

/* What server.tls_handshakes_max comes to. */
#define CONFIG_TLS_HANDSHAKES_AUTO 512 /* for each worker */
uint64_t config_tls_handshakes_max(const struct config *config, uint64_t workers);

/* [bytes] What a client by TLS takes more than one in clear, at most; 0: none comes by TLS. It is
 * reckoned with until it can be measured (docs/tls.md). */
uint64_t config_tls_bytes(const struct config *config);

/* Is a listener's mapping `tls` there? Its clients speak TLS then. */
bool config_has_tls(const struct config_tls *tls);

/* Does a listener ask clients for certificates, or may a proxy tell of theirs? */
bool config_sees_certificates(const struct config *config);

/* What the listener's address is written as: "[::]:8443", "unix:/run/gatehouse.sock". */
#define CONFIG_PLACE_TEXT_MAX 128
char *config_place_format(const struct config_place *place, char out[CONFIG_PLACE_TEXT_MAX]);

/* NULL: there is none of that name. */
const struct config_route *config_route_find(const struct config *config, struct slice name);

/* What `origins` comes to: ANY, SAME or LIST. */
enum config_origins_mode config_route_origins(const struct config_route *route);

/* NULL: there is none of that name, which `echo` never is. */
const struct config_backend *config_backend_find(const struct config *config, const char *name);

/* Does a route name it? */
bool config_backend_is_used(const struct config *config, const char *name);

/* Descriptors that back ends, the bus, the collector and the access log may have open at once. */
uint64_t config_backend_sockets(const struct config *config);

/* Of all values, however they are written and wherever they come from, but of those in which the
 * nodes of a fleet differ rightly: what a node is called, where it listens, what it takes of its
 * machine. Of a secret only whether it is there. Equal for equal rules. False: memory is out. */
#define CONFIG_HASH_TEXT 17
bool config_hash(const struct config *config, char out_hash[CONFIG_HASH_TEXT]);

/* Offers the name of every flag. */
void config_offer_flags(struct suggest *suggest);

/* Where a value came from: "FILE:12", "environment GATEHOUSE_SERVER_ACCEPT_RATE", "flag
 * --accept-rate", "preset at FILE:12", "default". Of a path that is too long its end. */
#define CONFIG_SET_BY_MAX 256
char *config_set_by(const struct config *config, enum config_option_number option,
		    char out[CONFIG_SET_BY_MAX]);

/* Likewise of what stands in an entry's `given`: never in the environment or a flag. */
char *config_entry_set_by(const struct config *config, const struct config_origin *origin,
			  char out[CONFIG_SET_BY_MAX]);

/* The effective values as YAML that can be loaded again, each with its origin. */
void config_print(const struct config *config, FILE *to);

/* docs/options.md. */
void config_print_reference(FILE *to);

/* The lines of --help for all flags of options. */
void config_print_flags(FILE *to);
