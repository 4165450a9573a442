/* SPDX-License-Identifier: Apache-2.0
 * config_diff.h - what is different between two configurations, option by option.
 *
 * Layer: config. Pure but for memory. For the main thread, when the configuration is read again.
 *
 * Routes and back ends are the same ones if their names are, listeners if their addresses are;
 * certificates and ways to prove who one is are compared by their place in the list. */
#pragma once

#include "config/config_option.h"

enum config_change_kind {
	CONFIG_CHANGED, /* the value of an option */
	CONFIG_ADDED,   /* an entry of a list, or a mapping */
	CONFIG_REMOVED,
};

struct config_change {
	enum config_change_kind kind;
	enum config_reload reload;          /* of the option, or of the list */
	const struct config_option *option; /* NULL: an entry of a list at the top */
	char *name;                         /* "routes[ocpp].subprotocols"; "routes[ocpp]" */
	/* As they would stand in the file; of a secret only whether it is there. NULL: of an entry.
	 */
	char *before, *after;
};

struct config_diff {
	struct config_change *items;
	size_t count;
	size_t same; /* options that have one value in both */
};

/* 0, or -ENOMEM with nothing in *out_diff. */
int config_diff_make(const struct config *before, const struct config *after,
		     struct config_diff *out_diff);

/* Zeroed is fine. */
void config_diff_finish(struct config_diff *diff);

/* How many of them are of this class. */
size_t config_diff_count(const struct config_diff *diff, enum config_reload reload);

/* What needs a restart becomes in `next` what it is in `now`. 0 or -ENOMEM. */
int config_keep_restart(struct config *next, const struct config *now);

/* --- for these --- */

/* The value as it would stand in the file, the caller's to free; "not set" if it is not there, and
 * "set" instead of a secret. NULL: memory is out. */
char *config_value_text(const struct config_option *option, const void *base);

/* A copy of a value with all that is below it. False: memory is out, and what is in *to is less,
 * but can be freed. */
bool config_value_copy(const struct config_option *option, const void *from, void *to);

/* "routes[ocpp]", as far as it fits: `list` is its path. */
#define CONFIG_ENTRY_PATH_MAX 512
void config_entry_path(const char *list, const struct config_table *table, const void *entry,
		       size_t index, char out[CONFIG_ENTRY_PATH_MAX]);

/* Has the table a key that tells its entries apart? */
bool config_table_has_identity(const struct config_table *table);
