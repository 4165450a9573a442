/* SPDX-License-Identifier: Apache-2.0 */
#include "session/ruleset.h"

#include <stdlib.h>

#include "base/check.h"

struct ruleset *ruleset_create(struct config *config)
{
	struct ruleset *ruleset = malloc(sizeof(*ruleset));

	if (ruleset == NULL)
		return NULL;
	*ruleset = (struct ruleset){.references = 1, .config = *config};
	*config = (struct config){0};
	return ruleset;
}

void ruleset_take_routes(struct ruleset *ruleset, struct route_table *routes,
			 void (*destroy)(struct route_table **routes))
{
	CHECK(ruleset->routes == NULL);
	ruleset->routes = routes;
	ruleset->routes_destroy = destroy;
}

void ruleset_take_auth(struct ruleset *ruleset, struct auth_table *auth,
		       void (*destroy)(struct auth_table **auth))
{
	CHECK(ruleset->auth == NULL);
	ruleset->auth = auth;
	ruleset->auth_destroy = destroy;
}

void ruleset_unref(struct ruleset **ruleset)
{
	struct ruleset *self = *ruleset;

	*ruleset = NULL;
	if (self == NULL || !reference_drop(&self->references))
		return;
	if (self->routes != NULL)
		self->routes_destroy(&self->routes);
	if (self->auth != NULL)
		self->auth_destroy(&self->auth);
	config_finish(&self->config);
	free(self);
}
