/* SPDX-License-Identifier: Apache-2.0
 * backend_type.h - what makes a type of back ends of the configuration: one module, one value.
 *
 * Layer: route. Whoever starts, checks, watches or counts back ends goes through this, and never
 * asks for the type. */
#pragma once

#include "base/durations.h"
#include "bus/bus.h"
#include "route/event_uplink.h"

/* What could not be done, in the user's words. */
struct backend_error {
	char text[512];
};

/* Where back ends are made. All outlive them. */
struct backend_world {
	const struct config *config;
	const struct event_source *source;
	struct bus *bus;
};

/* Numbers that back ends of a type have beside those that all have. */
struct backend_family {
	const char *name, *kind, *help; /* of the metric; the help has its dot */
	/* Appends the samples of one back end. `number` is the family's own. */
	void (*write)(struct buf *out, const struct backend_family *family,
		      const struct event_backend *backend);
	size_t number;
};

#define BACKEND_CAUSES_MAX 24

/* How one does: what all types have, as far as this one has it. */
struct backend_report {
	const char *breaker; /* "closed", "open", "half_open"; NULL: it has none */
	uint64_t in_flight;
	uint64_t attempts, retries;
	/* Attempts, and events without one, that did not end well. */
	size_t cause_count;
	const char *causes[BACKEND_CAUSES_MAX]; /* labels; static text */
	uint64_t failures[BACKEND_CAUSES_MAX];  /* by cause */
	struct durations latency;               /* of attempts, in buckets of durations_short_us */
};

struct backend_type {
	const char *name; /* as the configuration has it */
	const struct event_carrier *carrier;
	/* Of the entry `index` of the configuration. 0, or a negative errno with *out_error. */
	int (*create)(const struct backend_world *world, size_t index,
		      struct event_backend **out_backend, struct backend_error *out_error);
	/* All that can fail of a change to what the entry says now, with what its files hold now. 0
	 * and what `change` or `discard` is to get; or as create. NULL, also for discard: nothing
	 * can fail. */
	int (*prepare)(const struct backend_world *world, size_t index, void **out_prepared,
		       struct backend_error *out_error);
	/* Takes it over, for the attempts that begin from now on. `config` is the entry; lent. */
	void (*change)(struct event_backend *backend, const struct config_backend *config,
		       void *prepared);
	void (*discard)(void *prepared);
	/* Whether create would go well, as far as options and the files that they name tell;
	 * nothing is started. NULL: there is nothing to be checked. */
	int (*check)(const struct config *config, size_t index, struct backend_error *out_error);
	/* When no uplink is left. */
	void (*destroy)(struct event_backend *backend);
	/* Does it not answer? From any thread. NULL: it is as well as the bus is. */
	bool (*is_down)(const struct event_backend *backend);
	/* Can an event of this type end so? Else it is no metric. */
	bool (*can_end)(enum event_type type, enum event_outcome outcome);
	/* From any thread. */
	void (*report)(const struct event_backend *backend, struct backend_report *out_report);
	const struct backend_family *families;
	size_t family_count;
};

/* By enum config_backend_type. */
#define BACKEND_TYPE_COUNT 2
extern const struct backend_type *const backend_types[BACKEND_TYPE_COUNT];

bool event_backend_is_down(const struct event_backend *backend);

/* [ns] From any thread: how old the oldest event is that is not done with, at `now_ns` of
 * clock_wall_ns. 0: there is none. */
uint64_t event_backend_oldest_ns(const struct event_backend *backend, uint64_t now_ns);
