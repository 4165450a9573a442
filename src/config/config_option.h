/* SPDX-License-Identifier: Apache-2.0
 * config_option.h - what is known about an option, and its values as text.
 *
 * Layer: config, internal to it. */
#pragma once

#include "config/config.h"

enum config_kind {
	CONFIG_ADDRESS,
	CONFIG_COUNT,
	CONFIG_AUTO_COUNT,
	CONFIG_DURATION,
	CONFIG_OFF_DURATION,
	CONFIG_SIZE,
	CONFIG_AUTO_SIZE,
	CONFIG_ENGINE,
	CONFIG_LEVEL,
	CONFIG_FORMAT,
	CONFIG_MISMATCH,
	CONFIG_TAKEOVER,
	CONFIG_RPC,
	CONFIG_BACKEND_TYPE,
	CONFIG_ON_FAILURE,
	CONFIG_SWITCH,
	CONFIG_PATH,
	CONFIG_NAME,
	CONFIG_URL,
	CONFIG_TOKENS,
	CONFIG_PREFIXES,
	CONFIG_WEB_ORIGINS,
	CONFIG_BUS_TYPE,
	CONFIG_URLS,
	CONFIG_WORD,
	CONFIG_CONNECT,
	CONFIG_FILE,
	CONFIG_SECRET,
};

enum config_reload { CONFIG_LIVE, CONFIG_RESTART };

/* One line of config_table.h. */
struct config_option {
	const char *section;
	const char *key;
	enum config_kind kind;
	const char *fallback; /* the default as text; NULL = must be given */
	uint64_t min;
	uint64_t max;
	const char *unit;
	enum config_reload reload;
	const char *help;
	size_t offset;  /* of the field in struct config or the struct of a list's entry */
	unsigned types; /* of back ends that have it, as bits (CONFIG_OF_...); else 0 */
};

/* A list of mappings in struct config. */
struct config_list {
	const char *key;
	const struct config_option *options; /* of an entry */
	size_t option_count;
	size_t max; /* [entries] */
	size_t entry_size;
	size_t given_at; /* in an entry */
	size_t items_at; /* in struct config */
	size_t count_at; /* likewise */
};

enum config_list_number {
#define CONFIG_LIST_NUMBER(key, ...) CONFIG_LIST_##key,
	CONFIG_LISTS(CONFIG_LIST_NUMBER) CONFIG_LIST_COUNT
};

/* Of config_top_keys: the sections come first, then the lists. */
enum config_section_number {
#define CONFIG_SECTION_NUMBER(section, table) CONFIG_SECTION_##section,
	CONFIG_SECTIONS(CONFIG_SECTION_NUMBER) CONFIG_SECTION_COUNT
};

extern const struct config_list config_lists[CONFIG_LIST_COUNT];

size_t config_list_count(const struct config_list *list, const struct config *config);
void *config_list_entry(const struct config_list *list, const struct config *config, size_t index);
struct config_origin *config_list_origins(const struct config_list *list, void *entry);

/* Makes room for `count` entries. False: memory is out. */
bool config_list_allocate(const struct config_list *list, struct config *config, size_t count);

/* One more entry, with all defaults but those that must be given or are made from others. */
void *config_list_add(const struct config_list *list, struct config *config);

/* Frees all entries. */
void config_list_finish(const struct config_list *list, struct config *config);

extern const struct config_option config_options[CONFIG_OPTION_COUNT];
extern const struct config_option config_route_options[CONFIG_ROUTE_OPTION_COUNT];
extern const struct config_option config_backend_options[CONFIG_BACKEND_OPTION_COUNT];
extern const char *const config_top_keys[]; /* of the file; ends with NULL */

/* 64 bytes hold the longest of each; asserted by a test. */
#define CONFIG_NAME_MAX 64
char *config_option_flag(const struct config_option *option, char out[CONFIG_NAME_MAX]);
char *config_option_variable(const struct config_option *option, char out[CONFIG_NAME_MAX]);

/* Has it a flag without its section too, as --listen? */
bool config_option_has_short_flag(const struct config_option *option);

/* NULL if there is none of that name. */
const struct config_option *config_option_by_flag(struct slice name);
const struct config_option *config_option_by_variable(struct slice name);

/* What is wrong with a value, as the end of a sentence that begins with the name
 * of the option. */
struct config_problem {
	char text[1024];
};

void config_problem_set(struct config_problem *problem, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The text into the C type of the option's kind, which *out_value must have; memory
 * in it belongs to the caller. False: *out_problem says why. Not for TOKENS. A list of
 * PREFIXES or URLS has commas between its items. */
bool config_value_parse(const struct config_option *option, struct slice text, void *out_value,
			struct config_problem *out_problem);

/* Parses into the option's field of `base` (a struct config or config_route). A
 * field with a mistake is left as it was or such that no other check is about it. */
bool config_value_apply(const struct config_option *option, struct slice text, void *base,
			struct config_problem *out_problem);

/* Empties a list of PREFIXES or URLS. */
void config_items_clear(const struct config_option *option, void *list);

/* One more item of such a list; false: *out_problem says why not. */
bool config_item_add(const struct config_option *option, void *list, struct slice text,
		     struct config_problem *out_problem);

/* Such a list as a flag or a variable has it: "10.0.0.0/8, ::1"; "" and "[]" are none. */
bool config_items_parse(const struct config_option *option, struct slice text, void *out_list,
			struct config_problem *out_problem);

/* Is its C type char *? */
bool config_kind_is_text(enum config_kind kind);

/* A good value, for messages. */
const char *config_option_example(const struct config_option *option);

/* The text that parses to this value. Not for texts, lists, FILE, WORD and SECRET. */
#define CONFIG_VALUE_MAX 96
char *config_value_format(const struct config_option *option, const void *value,
			  char out[CONFIG_VALUE_MAX]);

/* What may be written: "1..16000000 connections or auto". */
#define CONFIG_ALLOWED_MAX 160
char *config_value_allowed(const struct config_option *option, char out[CONFIG_ALLOWED_MAX]);

/* NULL, or what is wrong with the path of a route (static text). */
const char *config_path_problem(struct slice path);

/* True if both patterns take the same requests. */
bool config_path_is_same(const char *path, const char *other);

/* Letters, digits, '_' and '-'. */
bool config_is_name(struct slice text);

/* The name of a route that has none: of its path, which is good. The caller's to free;
 * NULL: memory is out. */
char *config_path_name(const char *path);

/* RFC 9110 token: what Sec-WebSocket-Protocol can carry. */
bool config_is_token(struct slice text);

/* NULL, or what is wrong with the url of a back end (static text). */
const char *config_url_problem(struct slice url);

/* Likewise of a broker: nats://HOST[:PORT] or tls://HOST[:PORT]. */
const char *config_broker_problem(struct slice url);

/* The defaults of one table into `base`. */
void config_defaults_apply(const struct config_option *options, size_t count, void *base);

/* Is the option one of the back end's type? */
bool config_backend_has(const struct config_backend *backend, size_t option);

/* "FILE:LINE:COLUMN: " of a value from the file, its variable or flag, or what its default
 * is called. */
#define CONFIG_PLACE_MAX 512
const char *config_origin_format(const struct config *config, enum config_option_number option,
				 char out[CONFIG_PLACE_MAX]);

/* Can only a flag be to blame for its value? */
bool config_is_only_from_flags(const struct config *config, enum config_option_number option);

/* Applies one value from the environment or a flag; `name` is how it was given. */
void config_text_apply(struct config *config, const struct config_option *option,
		       struct config_origin origin, struct slice name, const char *value,
		       struct config_report *report);

/* "NAME=value" and a NULL at the end. */
void config_environment_apply(struct config *config, char *const *environment,
			      struct config_report *report);

/* Adds what is no mistake, but can hardly be meant, to config->warnings. */
void config_warn(struct config *config);

/* What must hold between the options of the bus. */
void config_bus_check(const struct config *config, struct config_report *report);

/* What must hold between back ends, and between them and routes. */
void config_backends_check(const struct config *config, struct config_report *report);

/* Applies a file's text: sets values and origins in `config`, adds every mistake to
 * the report. `file` is its name for the messages. */
void config_yaml_apply(struct config *config, const char *file, struct slice text,
		       struct config_report *report);
