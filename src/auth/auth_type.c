/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_type.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

const struct auth_type *const auth_types[] = {
	[CONFIG_AUTH_BASIC] = &auth_type_basic, [CONFIG_AUTH_CERTIFICATE] = &auth_type_certificate,
	[CONFIG_AUTH_TOKEN] = &auth_type_token, [CONFIG_AUTH_TICKET] = &auth_type_ticket,
	[CONFIG_AUTH_BACKEND] = NULL,
};

const char *auth_way_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(auth_types); i++)
		if (auth_types[i] != NULL && strcmp(auth_types[i]->name, name) == 0)
			return auth_types[i]->name;
	return NULL;
}

size_t auth_place_write(const struct auth_wanted *wanted, size_t option, const char *key, char *out,
			size_t size)
{
	const struct config_auth *auth = auth_wanted_config(wanted);
	const struct config_origin *origin = &auth->given[option];

	if (origin->kind != CONFIG_FROM_FILE)
		origin = &auth->given[CONFIG_OPTION_auth_type];
	int len = snprintf(out, size, "%s:%u:%u: routes[%zu].auth[%zu].%s: ", wanted->config->file,
			   origin->line, origin->column, wanted->route, wanted->index, key);

	return MIN((size_t)len, size - 1);
}

static const struct auth_type *type_of(const struct auth_wanted *wanted)
{
	return auth_types[auth_wanted_config(wanted)->type];
}

/* Whoever has no way for a type must not let anybody in by it. */
static int missing(const struct auth_wanted *wanted, struct auth_error *error)
{
	size_t used = auth_place_write(wanted, CONFIG_OPTION_auth_type, "type", error->text,
				       sizeof(error->text));

	snprintf(error->text + used, sizeof(error->text) - used,
		 "this program has no way of this type");
	return -ENOTSUP;
}

static bool is_backend(const struct auth_wanted *wanted)
{
	return auth_wanted_config(wanted)->type == CONFIG_AUTH_BACKEND;
}

/* --- making --- */

static int way_add(const struct auth_wanted *wanted, struct auth *auth, struct auth_error *error)
{
	const struct auth_type *type = type_of(wanted);
	struct auth_way *way;

	if (is_backend(wanted)) {
		auth_leave_to_backend(auth);
		return 0;
	}
	int r = type == NULL ? missing(wanted, error) : type->create(wanted, &way, error);

	if (r < 0)
		return r;
	CHECK(strcmp(way->ops->name, type->name) == 0);
	auth_add(auth, way);
	return 0;
}

static int list_build(struct auth_wanted *wanted, struct auth_table *table,
		      struct auth_error *error)
{
	const struct config_route *route = &wanted->config->routes[wanted->route];
	struct auth *auth = route->auth.count == 0 ? NULL
						   : auth_create(route->name, wanted->world->pace);
	int r = 0;

	if (route->auth.count == 0)
		return 0;
	if (auth == NULL) {
		snprintf(error->text, sizeof(error->text), "out of memory");
		return -ENOMEM;
	}
	auth_table_set(table, wanted->route, auth);
	for (size_t i = 0; i < route->auth.count && r == 0; i++) {
		wanted->index = i;
		r = way_add(wanted, auth, error);
	}
	return r;
}

bool auth_is_used_at_all(const struct config *config)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].auth.count > 0)
			return true;
	return false;
}

int auth_table_build(const struct config *config, const struct auth_world *world,
		     struct auth_table **out_table, struct auth_error *error)
{
	struct auth_wanted wanted = {.config = config, .world = world};
	struct auth_table *table = auth_table_create(config->route_count);
	int r = 0;

	if (table == NULL) {
		snprintf(error->text, sizeof(error->text), "out of memory");
		return -ENOMEM;
	}
	for (; r == 0 && wanted.route < config->route_count; wanted.route++)
		r = list_build(&wanted, table, error);
	if (r < 0)
		auth_table_destroy(&table);
	else
		*out_table = table;
	return r;
}

/* --- checking --- */

static void list_check(struct auth_wanted *wanted, void (*on_mistake)(void *arg, const char *text),
		       void (*on_warning)(void *arg, const char *text), void *arg)
{
	const struct config_route *route = &wanted->config->routes[wanted->route];
	struct auth_error error;

	for (size_t i = 0; i < route->auth.count; i++) {
		wanted->index = i;
		error.text[0] = 0;
		error.warning[0] = 0;
		const struct auth_type *type = type_of(wanted);

		int r = type != NULL || is_backend(wanted) ? 0 : missing(wanted, &error);

		if (type != NULL)
			r = type->check(wanted, &error);
		if (r < 0)
			on_mistake(arg, error.text);
		if (error.warning[0] != 0)
			on_warning(arg, error.warning);
	}
}

void auth_table_check(const struct config *config, void (*on_mistake)(void *arg, const char *text),
		      void (*on_warning)(void *arg, const char *text), void *arg)
{
	struct auth_wanted wanted = {.config = config};

	for (; wanted.route < config->route_count; wanted.route++)
		list_check(&wanted, on_mistake, on_warning, arg);
}

bool auth_is_used(const struct config *config, enum config_auth_type type)
{
	for (size_t i = 0; i < config->route_count; i++)
		for (size_t k = 0; k < config->routes[i].auth.count; k++)
			if (config->routes[i].auth.items[k].type == type)
				return true;
	return false;
}
