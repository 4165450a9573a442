/* SPDX-License-Identifier: Apache-2.0
 * api.h - /api/v1: what services and people ask of the gateway and of its clients.
 *
 * Layer: admin. Runs in the admin listener's thread and never waits: what concerns a client
 * is done by the client's worker, and answered when that has reported. docs/api.md and
 * docs/openapi.yaml describe it. */
#pragma once

#include <jansson.h>
#include <pthread.h>

#include "admin/api/api_token.h"
#include "admin/api/client_scan.h"
#include "base/random.h"
#include "server/server.h"

struct reloads;
struct streams;
struct upgrades;

struct api {
	struct server *server;
	struct client_scans *scans;
	pthread_mutex_t token_mutex;
	struct api_token token; /* under the mutex */
	struct upgrades *upgrades;
	struct reloads *reloads;
	struct random_source random; /* the admin listener's thread's */
	struct streams *streams;
};

void api_init(struct api *api, struct server *server, const struct api_token *token);

/* From any thread: requests that come from now on must have this one. */
void api_set_token(struct api *api, const struct api_token *token);

/* Thread-safe; a copy. */
struct api_token api_token_in_force(const struct api *api);

/* Must requests have a token now? */
bool api_has_token(const struct api *api);

/* /api and all below. */
bool api_has_path(struct slice path);

/* Is this a request that may be made, to an endpoint that takes a body? */
bool api_wants_body(const struct api *api, const struct http_request *request);

void api_answer(const struct api *api, const struct http_request *request,
		struct http_reply *reply);
