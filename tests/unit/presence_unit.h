/* SPDX-License-Identifier: Apache-2.0
 * presence_unit.h - routes to make presences with, where nothing but their name matters. */
#pragma once

#include "unit.h"

#include "session/client_route.h"

#define UNIT_ROUTES 32

/* A route of this name and with these subprotocols, which lives as long as the program; the same
 * one for the same name. */
static inline const struct client_route *unit_route_with(const char *name,
							 struct config_tokens subprotocols)
{
	static struct config_route configs[UNIT_ROUTES];
	static struct client_route routes[UNIT_ROUTES];
	static struct ruleset ruleset = {.references = 1}; /* is never the last */
	static char names[UNIT_ROUTES][80];
	static size_t count;

	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return &routes[i];
	size_t len = strlen(name);

	CHECK(count < UNIT_ROUTES && len < sizeof(names[0]));
	memcpy(names[count], name, len + 1);
	configs[count].name = names[count];
	configs[count].subprotocols = subprotocols;
	routes[count].config = &configs[count];
	routes[count].ruleset = &ruleset;
	return &routes[count++];
}

static inline const struct client_route *unit_route(const char *name)
{
	return unit_route_with(name, (struct config_tokens){0});
}
