/* SPDX-License-Identifier: Apache-2.0
 * auth_type.h - the kinds of ways, and how lists of them are made from the configuration.
 *
 * Layer: auth. Making one may read files: for the start and for the main thread. A further kind is
 * a file way_*.c with a struct auth_type, and a line in auth_types (auth_type.c). */
#pragma once

#include "auth/auth.h"
#include "config/config.h"

struct hasher;
struct jwks_pool;
struct pace;
struct renewals;
struct ticket_road;
struct tickets;

/* What ways of all routes share; outlives them. */
struct auth_world {
	struct hasher *hasher;                 /* passwords of people; NULL while only checking */
	struct pace *pace;                     /* NULL: whoever is wrong may try again at once */
	struct jwks_pool *jwks;                /* keys of tokens; NULL while only checking */
	struct tickets *tickets;               /* likewise */
	struct renewals *renewals;             /* likewise; reads files again */
	const struct ticket_road *ticket_road; /* NULL: there are no other nodes */
};

/* One entry of a route's list `auth`. */
struct auth_wanted {
	const struct config *config; /* lives as long as the way: both are the ruleset's */
	size_t route, index;         /* config->routes[route].auth.items[index] */
	const struct auth_world *world;
};

/* `text` begins with "FILE:LINE:COLUMN: routes[0].auth[1]." and the key. */
struct auth_error {
	char text[1536];
	/* What is no mistake, but dangerous; "" = nothing. Also if all went well. */
	char warning[1024];
};

struct auth_type {
	const char *name; /* of its ways: ops->name */
	/* 0 and a way, or a negative errno with error->text. */
	int (*create)(const struct auth_wanted *wanted, struct auth_way **out_way,
		      struct auth_error *error);
	/* What `create` would say; nothing is started or kept. */
	int (*check)(const struct auth_wanted *wanted, struct auth_error *error);
};

/* By enum config_auth_type; NULL: it makes no way (backend). */
extern const struct auth_type *const auth_types[];
extern const struct auth_type auth_type_basic;
extern const struct auth_type auth_type_certificate;
extern const struct auth_type auth_type_ticket;
extern const struct auth_type auth_type_token;

/* The name of a way, as a presence keeps it: static text. NULL: no way is called so. */
const char *auth_way_name(const char *name);

static inline const struct config_auth *auth_wanted_config(const struct auth_wanted *wanted)
{
	return &wanted->config->routes[wanted->route].auth.items[wanted->index];
}

/* Begins error->text, or another text of an error, with the place of the key; returns its length.
 * `option` is one of enum config_auth_option_number, `key` its name. */
size_t auth_place_write(const struct auth_wanted *wanted, size_t option, const char *key, char *out,
			size_t size);

/* Of all routes. 0, or a negative errno with *error. */
int auth_table_build(const struct config *config, const struct auth_world *world,
		     struct auth_table **out_table, struct auth_error *error);

/* Whether they could be made: tells of each that could not, and what is dangerous. */
void auth_table_check(const struct config *config, void (*on_mistake)(void *arg, const char *text),
		      void (*on_warning)(void *arg, const char *text), void *arg);

bool auth_is_used_at_all(const struct config *config);

/* Has any route a way of this type? */
bool auth_is_used(const struct config *config, enum config_auth_type type);
