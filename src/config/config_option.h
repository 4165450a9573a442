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
	CONFIG_OFF_SIZE,
	CONFIG_RATIO,
	CONFIG_RATE_ACTION,
	CONFIG_TAIL_BODIES,
	CONFIG_REFUSE_BROWSERS,
	CONFIG_COMPRESSION,
	CONFIG_ENGINE,
	CONFIG_LEVEL,
	CONFIG_FORMAT,
	CONFIG_MISMATCH,
	CONFIG_TAKEOVER,
	CONFIG_TOLD,
	CONFIG_PRESET,
	CONFIG_SECURITY_PROFILE,
	CONFIG_RPC,
	CONFIG_BACKEND_TYPE,
	CONFIG_ON_FAILURE,
	CONFIG_ON_REMOVED,
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
	CONFIG_TEXT,
	CONFIG_PLACE,
	CONFIG_MODE,
	CONFIG_OWNER,
	CONFIG_ON_OFF,
	CONFIG_TLS_VERSION,
	CONFIG_CLIENT_CERTIFICATE,
	CONFIG_AUTH_TYPE,
	CONFIG_SECRET_FORMAT,
	CONFIG_IDENTITY,
	CONFIG_ALGORITHMS,
	CONFIG_TOKEN_FROM,
	/* Tables of their own. */
	CONFIG_CERTIFICATES,
	CONFIG_LISTENERS,
	CONFIG_AUTHS,
	CONFIG_TLS_KEYS,
	CONFIG_KIND_COUNT,
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
	const char *why; /* RESTART: it needs one; else NULL */
	size_t offset;   /* of the field in struct config or the struct of an entry */
	const char *help;
	unsigned types; /* of entries that have it, as bits (CONFIG_OF_...); 0 = all */
};

/* The keys of a mapping that is an entry of a list, or stands below a key. */
struct config_table {
	const struct config_option *options;
	size_t option_count;
	size_t entry_size;
	size_t given_at; /* in an entry */
	size_t type;     /* the option that `types` is about; option_count = none */
};

/* A list of mappings, in struct config or below a key. */
struct config_list {
	const char *key; /* at the top; NULL below a key */
	const struct config_table *table;
	size_t max;      /* [entries] at the top */
	size_t items_at; /* in struct config, or in the list below a key */
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

#define CONFIG_TABLE_DECLARE(entry, lines)                                                       \
	extern const struct config_option config_##entry##_options[CONFIG_OPTION_COUNT_##entry]; \
	extern const struct config_table config_##entry##_table;
CONFIG_TABLES(CONFIG_TABLE_DECLARE)

/* The list, or the one mapping, that a key of this kind has below it; NULL: it has none. */
const struct config_list *config_kind_list(enum config_kind kind);
const struct config_table *config_kind_table(enum config_kind kind);

/* Is it one of those two? Such a key stands in the file only. */
bool config_kind_is_inner(enum config_kind kind);

/* Of a list that is in `base`: struct config, or the field of a key. */
size_t config_list_count(const struct config_list *list, const void *base);
void *config_list_entry(const struct config_list *list, const void *base, size_t index);

/* Makes room for `count` entries. False: memory is out. */
bool config_list_allocate(const struct config_list *list, void *base, size_t count);

/* So many of those that there is room for are there. */
void config_list_count_set(const struct config_list *list, void *base, size_t count);

/* One more entry, with all defaults but those that must be given or are made from others. */
void *config_list_add(const struct config_list *list, void *base);

/* Frees all entries. */
void config_list_finish(const struct config_list *list, void *base);

/* Frees what is in the fields of `base` that these options are about. */
void config_values_finish(const struct config_option *options, size_t count, void *base);

struct config_origin *config_table_origins(const struct config_table *table, void *entry);

/* Has an entry of this type, or a listener at this kind of address, the option? */
bool config_table_has(const struct config_table *table, const void *entry, size_t option);

extern const struct config_option config_options[CONFIG_OPTION_COUNT];
extern const char *const config_top_keys[]; /* of the file; ends with NULL */

/* 64 bytes hold the longest of each; asserted by a test. */
#define CONFIG_NAME_MAX 64
char *config_option_flag(const struct config_option *option, char out[CONFIG_NAME_MAX]);
char *config_option_variable(const struct config_option *option, char out[CONFIG_NAME_MAX]);

/* A secret and what has keys of its own have none. */
bool config_option_has_flag(const struct config_option *option);

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

/* The words of an enum, or of a set of them, in its order, with a NULL at the end; NULL: the kind
 * has no words. */
const char *const *config_kind_words(enum config_kind kind);

/* May several of the words be given? The value has a bit for each. */
bool config_kind_is_set(enum config_kind kind);

/* Has it items: TOKENS, PREFIXES, URLS or a set? */
bool config_kind_has_items(enum config_kind kind);

/* The number of a word; false: *out_problem names the known ones. */
bool config_word_parse(const char *const *words, struct slice text, unsigned *out_value,
		       struct config_problem *out_problem);

/* "a, b, c" */
void config_words_print(const char *const *words, char *out, size_t size);

/* ADDRESS:PORT, [ADDRESS]:PORT or unix:/PATH. */
bool config_place_parse(struct slice text, struct config_place *out_place,
			struct config_problem *out_problem);

/* Is its C type struct config_text? */
bool config_kind_is_string(enum config_kind kind);

/* Empties a list of PREFIXES or URLS, or a set. */
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

/* A value as it stands in the file; returns the bytes written. Not of what has a table of its own,
 * nor of a text that is not there. */
int config_value_print(const struct config_option *option, const void *base, FILE *to);

/* The text that parses to this value. Not for texts, strings, lists and sets. */
#define CONFIG_VALUE_MAX CONFIG_PLACE_TEXT_MAX
char *config_value_format(const struct config_option *option, const void *value,
			  char out[CONFIG_VALUE_MAX]);

/* What may be written: "1..16000000 connections or auto". */
#define CONFIG_ALLOWED_MAX 192
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

/* The variable or the flag, as it was written. */
char *config_origin_name(const struct config_option *option, const struct config_origin *origin,
			 char out[CONFIG_NAME_MAX]);

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

/* Does the option mean something at the listener's address? */
bool config_listener_has(const struct config_listener *listener,
			 enum config_listener_option_number option);

/* No two may be in each other's way, the admin's among them. */
void config_clashes_check(const struct config *config, struct config_report *report);

/* What must hold between the keys of a listener. */
void config_listeners_check(const struct config *config, struct config_report *report);

/* Makes config->listener. */
void config_listener_from_listen(struct config *config);

/* What must hold between the keys of a route's ways. */
void config_auth_check(const struct config *config, struct config_report *report);

/* What must hold for the security profiles of routes. */
void config_profiles_check(const struct config *config, struct config_report *report);

/* What must hold between the options of the bus. */
void config_bus_check(const struct config *config, struct config_report *report);

/* The same of the admin listener. */
void config_admin_check(const struct config *config, struct config_report *report);

/* What must hold between back ends, and between them and routes. */
void config_backends_check(const struct config *config, struct config_report *report);

/* Applies a file's text: sets values and origins in `config`, adds every mistake to
 * the report. `file` is its name for the messages. */
void config_yaml_apply(struct config *config, const char *file, struct slice text,
		       struct config_report *report);
