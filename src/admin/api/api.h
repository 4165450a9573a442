/* SPDX-License-Identifier: Apache-2.0
 * api.h - /api/v1: what services and people ask of the gateway and of its clients.
 *
 * Layer: admin. Runs in the admin listener's thread and never waits: what concerns a client
 * is done by the client's worker, and answered when that has reported. docs/api.md and
 * docs/openapi.yaml describe it. */
#pragma once

#include <jansson.h>

#include "admin/api/api_token.h"
#include "server/server.h"

struct upgrades;

struct api {
	struct server *server;
	const struct config *config;
	struct api_token token;
	struct upgrades *upgrades;
};

/* /api and all below. */
bool api_has_path(struct slice path);

/* Is this a request that may be made, to an endpoint that takes a body? */
bool api_wants_body(const struct api *api, const struct http_request *request);

void api_answer(const struct api *api, const struct http_request *request,
		struct http_reply *reply);
