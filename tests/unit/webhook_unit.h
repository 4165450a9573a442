/* SPDX-License-Identifier: Apache-2.0
 * webhook_unit.h - what the tests of webhook/ share: a webhook pointed at a scripted back
 * end, and calls that count their on_done. */
#pragma once

#include "io_unit.h"

#include "webhook/webhook.h"
#include "webhook_server.h"

/* Text of a length. */
#define X16   "xxxxxxxxxxxxxxxx"
#define X256  X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X4096 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256

struct hook {
	struct io_fixture io;
	struct webhook_options options;
	struct server *server;
	struct webhook *webhook;
	char url[64];
	unsigned done;
};

struct hook_call {
	struct webhook_call call;
	struct hook *hook;
	unsigned done;
};

static inline void hook_on_done(struct webhook_call *call)
{
	struct hook_call *self = CONTAINER_OF(call, struct hook_call, call);

	self->done++;
	self->hook->done++;
	loop_stop(call->loop);
}

/* What is not about time never ends by it. */
static inline void hook_init(struct hook *hook)
{
	*hook = (struct hook){
		.options = {.connect_timeout_ms = 3600000,
			    .timeout_ms = 3600000,
			    .max_in_flight = 64,
			    .queue_max = 2000,
			    .max_response_bytes = 4096,
			    .retry_min_ms = 1,
			    .retry_max_ms = 2,
			    .retry_after_max_ms = 3600000,
			    .retry_budget_percent = 100,
			    .retry_burst = 100,
			    .breaker_probes = 1},
	};
	io_fixture_init(&hook->io, LOOP_ENGINE_EPOLL, 64);
}

/* Points it at 127.0.0.1:port, with the options as they are now. */
static inline void hook_open_port(struct hook *hook, const char *scheme, uint16_t port)
{
	char error[256];

	snprintf(hook->url, sizeof(hook->url), "%s://127.0.0.1:%u/events", scheme, port);
	hook->options.url = hook->url;
	if (webhook_create(&hook->options, &hook->webhook, error, sizeof(error)) < 0)
		fail_msg("webhook_create: %s", error);
}

static inline void hook_open(struct hook *hook, const struct server_step *steps, size_t count)
{
	hook->server = server_start(steps, count);
	hook_open_port(hook, "http", hook->server->port);
}

static inline void hook_finish(struct hook *hook)
{
	webhook_destroy(&hook->webhook, 0);
	assert_null(hook->webhook);
	if (hook->server != NULL)
		server_stop(hook->server);
	loop_destroy(&hook->io.loop);
}

static inline void hook_call_init(struct hook *hook, struct hook_call *call)
{
	*call = (struct hook_call){
		.hook = hook,
		.call = {.loop = hook->io.loop,
			 .on_done = hook_on_done,
			 .event_id = SLICE_LITERAL("msg_1"),
			 .body = SLICE_LITERAL("hello"),
			 .may_retry = true},
	};
}

static inline void hook_start(struct hook *hook, struct hook_call *call)
{
	int r = webhook_start(hook->webhook, &call->call);

	if (r < 0)
		fail_msg("webhook_start: %s %s", strerror(-r), call->call.error);
}

/* One call from begin to end. */
static inline void hook_call(struct hook *hook, struct hook_call *call)
{
	unsigned before = call->done;

	hook_start(hook, call);
	RUN_UNTIL(&hook->io, call->done > before);
	assert_int_equal(call->done, before + 1);
}

static inline struct webhook_stats hook_stats(struct hook *hook)
{
	struct webhook_stats stats;

	webhook_stats_read(hook->webhook, &stats);
	return stats;
}
