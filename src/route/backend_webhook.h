/* SPDX-License-Identifier: Apache-2.0
 * backend_webhook.h - a back end that is told of events by HTTP requests.
 *
 * Layer: route. webhook/ delivers one event; event_uplink has the order of those of a
 * client. */
#pragma once

#include "route/backend_type.h"
#include "webhook/webhook.h"

struct backend_webhook {
	struct event_backend base;
	struct webhook *webhook;
};

extern const struct backend_type backend_webhook;

/* carrier_webhook.c */
extern const struct event_carrier carrier_webhook;
