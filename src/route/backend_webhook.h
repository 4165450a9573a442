/* SPDX-License-Identifier: Apache-2.0
 * backend_webhook.h - a back end that is told of events by HTTP requests.
 *
 * Layer: route. webhook/ delivers one event; event_uplink has the order of those of a
 * client. */
#pragma once

#include "route/event_uplink.h"
#include "webhook/webhook.h"

struct backend_webhook {
	struct event_backend base;
	struct webhook *webhook;
};

/* `config`, `index` of an entry of its backends, and `source` outlive it. Reads the secrets.
 * Returns 0, or a negative errno with *out_error. */
int backend_webhook_create(const struct config *config, size_t index,
			   const struct event_source *source, struct event_backend **out_backend,
			   struct backend_error *out_error);

/* Whether backend_webhook_create would go well, as far as the options and the files that they
 * name are concerned. Returns 0, or a negative errno with the same *out_error. */
int backend_webhook_check(const struct config *config, size_t index,
			  struct backend_error *out_error);

/* NULL: it is of another type. */
const struct backend_webhook *backend_webhook_of(const struct event_backend *backend);

/* carrier_webhook.c */
extern const struct event_carrier carrier_webhook;
