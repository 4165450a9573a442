/* SPDX-License-Identifier: Apache-2.0
 * metrics_auth.c - how clients proved who they are, or did not. */
#include <stdio.h>

#include "admin/admin.h"
#include "admin/metrics/metrics_before.h"
#include "auth/auth_type.h"
#include "auth/hasher.h"
#include "auth/pace.h"
#include "base/metrics_text.h"
#include "base/clock.h"

/* X(name, type, help) */
#define AUTH_METRICS(X)                                                                           \
	X(gatehouse_auth_total, counter,                                                          \
	  "What clients showed, by route, way and outcome: proved; wrong; forbidden (a good "     \
	  "proof, but of another client id); paced (not looked at, because of auth_failures); "   \
	  "busy (because of password_queue); unavailable (what decides is out of reach). Of the " \
	  "way none: no_proof. Of the way backend: left to it, because no way was satisfied.")    \
	X(gatehouse_auth_failures_remembered, gauge,                                              \
	  "Places used of the table that wrong proofs are counted in, of 65536.")                 \
	X(gatehouse_auth_failures_dropped_total, counter,                                         \
	  "Counts of wrong proofs that were forgotten early, because the table was full. "        \
	  "Rising: somebody guesses from very many addresses.")                                   \
	X(gatehouse_passwords_waiting, gauge,                                                     \
	  "Passwords of people that wait to be checked; at most server.password_queue.")          \
	X(gatehouse_passwords_checked_total, counter, "Passwords of people that were checked.")   \
	X(gatehouse_passwords_busy_seconds_total, counter,                                        \
	  "Time that the thread that checks them was busy.")

#define AUTH_HEAD(name, type, help) \
	static const char head_##name[] = "# HELP " #name " " help "\n# TYPE " #name " " #type "\n";
AUTH_METRICS(AUTH_HEAD)

#define SAMPLE(out, name, ...) PRINT(out, "%s" #name " %" PRIu64 "\n", head_##name, __VA_ARGS__)

/* Of all ways of this name: a route may have two for tokens. */
static uint64_t sum(const struct auth *auth, const char *name, enum auth_verdict verdict)
{
	const struct auth_way *way;
	uint64_t count = 0;

	for (size_t i = 0; (way = auth_way_at(auth, i)) != NULL; i++)
		if (strcmp(way->ops->name, name) == 0)
			count += auth_count(auth, i, verdict);
	return count;
}

static bool is_first_of_name(const struct auth *auth, size_t index)
{
	const char *name = auth_way_at(auth, index)->ops->name;

	for (size_t i = 0; i < index; i++)
		if (strcmp(auth_way_at(auth, i)->ops->name, name) == 0)
			return false;
	return true;
}

/* [bytes] Of "name{labels}". */
#define SERIES_MAX 512

static const char *series_of(const char *route, const char *way, const char *outcome,
			     char out[SERIES_MAX])
{
	snprintf(out, SERIES_MAX, "gatehouse_auth_total{route=\"%s\",way=\"%s\",outcome=\"%s\"}",
		 route, way, outcome);
	return out;
}

static void sample(struct buf *out, const char *route, const char *way, const char *outcome,
		   uint64_t count)
{
	char series[SERIES_MAX];

	PRINT(out, "%s %" PRIu64 "\n", series_of(route, way, outcome, series), count);
}

/* Those that are rare are there from their first time on, if only in a process before. */
static bool is_shown(struct metrics_before *before, const char *route, const char *way,
		     enum auth_verdict verdict, uint64_t count)
{
	char series[SERIES_MAX];

	return verdict == AUTH_PROVED || verdict == AUTH_WRONG || count > 0 ||
	       metrics_before_has(before,
				  series_of(route, way, auth_verdict_label(verdict), series));
}

static void way_write(struct buf *out, struct metrics_before *before, const char *route,
		      const struct auth *auth, size_t index)
{
	const char *name = auth_way_at(auth, index)->ops->name;

	for (unsigned i = 0; i < AUTH_VERDICT_COUNT; i++) {
		uint64_t count = sum(auth, name, i);

		if (is_shown(before, route, name, i, count))
			sample(out, route, name, auth_verdict_label(i), count);
	}
}

static void route_write(struct buf *out, struct metrics_before *before, const char *route,
			const struct auth *auth)
{
	for (size_t i = 0; auth_way_at(auth, i) != NULL; i++)
		if (is_first_of_name(auth, i))
			way_write(out, before, route, auth, i);
	sample(out, route, "none", "no_proof", auth_count_no_proof(auth));
	if (auth_is_left_to_backend(auth))
		sample(out, route, "backend", "left", auth_count_left(auth));
}

static void routes_write(struct buf *out, struct metrics_before *before,
			 const struct ruleset *ruleset)
{
	PRINT(out, "%s", head_gatehouse_auth_total);
	for (size_t i = 0; i < ruleset->config.route_count; i++) {
		const struct auth *auth = auth_table_at(ruleset->auth, i);

		if (auth != NULL)
			route_write(out, before, ruleset->config.routes[i].name, auth);
	}
}

static void world_write(struct buf *out, const struct auth_world *auth)
{
	struct pace_stats pace = {0};
	struct hasher_stats hasher = {0};

	if (auth->pace != NULL)
		pace = pace_stats(auth->pace);
	if (auth->hasher != NULL)
		hasher = hasher_stats(auth->hasher);
	SAMPLE(out, gatehouse_auth_failures_remembered, pace.used);
	SAMPLE(out, gatehouse_auth_failures_dropped_total, pace.dropped);
	SAMPLE(out, gatehouse_passwords_waiting, hasher.waiting);
	SAMPLE(out, gatehouse_passwords_checked_total, hasher.done);
	PRINT(out, "%sgatehouse_passwords_busy_seconds_total %.6f\n",
	      head_gatehouse_passwords_busy_seconds_total, (double)hasher.busy_ns / NS_PER_S);
}

void metrics_auth_write(const struct admin *admin, struct buf *out)
{
	struct ruleset *ruleset = server_ruleset(admin->server);

	routes_write(out, admin->before, ruleset);
	ruleset_unref(&ruleset);
	struct auth_world world = server_auth(admin->server);

	world_write(out, &world);
}

void metrics_auth_print_reference(FILE *to)
{
#define AUTH_DOC(name, type, help) fputs("| `" #name "` | " #type " | " help " |\n", to);
	AUTH_METRICS(AUTH_DOC)
}
