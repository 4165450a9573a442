/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_target.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bench/load/bench_http.h"
#include "bench/load/bench_local.h"
#include "os/net_resolve.h"
#include "os/os_limits.h"

/* A server that is full must not keep us waiting. */
#define ANSWER_WITHIN_MS 2000

/* Percent of a limit from which on it counts as used up. */
#define USED_UP_PERCENT 98

/* --- asking --- */

#define PROBLEM_MAX 512

/* The JSON object that `url` answers with 200, the caller's; or NULL, and why in
 * `problem`. */
static json_t *json_get(const struct bench_url *url, struct tls_context *tls,
			char problem[PROBLEM_MAX])
{
	struct bench_http answer = {0};
	struct net_addr addr;
	json_error_t ignored;
	json_t *object = NULL;
	const char *unknown = net_resolve(url->host, url->port, &addr);

	if (unknown != NULL) {
		snprintf(problem, PROBLEM_MAX, "the host '%s' has no address: %s", url->host,
			 unknown);
		return NULL;
	}
	int r = bench_http_get(url, &addr, tls, ANSWER_WITHIN_MS, &answer);
	struct slice body = bench_http_body(&answer);

	if (r == 0 && answer.status == 200)
		object = json_loadb((const char *)body.data, body.len, 0, &ignored);
	if (r < 0 || answer.status != 200)
		bench_http_describe(r, &answer, problem, PROBLEM_MAX);
	else if (!json_is_object(object))
		snprintf(problem, PROBLEM_MAX, "its answer is no JSON object");
	bench_http_finish(&answer);
	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

/* --- the limits table of a gateway --- */

/* What a server sent is for a terminal later: nothing but a name of a limit. */
static bool is_name(const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);

	return len > 0 && len < 64 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

static uint64_t number_of(const json_t *row, const char *member)
{
	json_int_t value = json_integer_value(json_object_get(row, member));

	return value > 0 ? (uint64_t)value : 0;
}

static bool is_used_up(const json_t *row)
{
	const char *kind = json_string_value(json_object_get(row, "kind"));
	uint64_t value = number_of(row, "value"), used = number_of(row, "used");

	return value > 0 && kind != NULL && strcmp(kind, "caps") == 0 &&
	       is_name(json_string_value(json_object_get(row, "limit"))) &&
	       (double)used * 100 >= (double)value * USED_UP_PERCENT;
}

bool bench_limits_take(const json_t *table, struct bench_evidence *evidence)
{
	const json_t *rows = json_object_get(table, "limits");

	if (!json_is_array(rows))
		return false;
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		if (!is_used_up(row))
			continue;
		snprintf(evidence->limit, sizeof(evidence->limit), "%s",
			 json_string_value(json_object_get(row, "limit")));
		evidence->limit_used = number_of(row, "used");
		evidence->limit_value = number_of(row, "value");
		break;
	}
	return true;
}

/* A gateway says how to raise each limit, for as many connections as it is asked for. */
static void query_add(struct bench_url *url, uint64_t connections)
{
	size_t len = strlen(url->path);

	if (strchr(url->path, '?') == NULL && len + 32 < sizeof(url->path))
		snprintf(url->path + len, sizeof(url->path) - len, "?connections=%" PRIu64,
			 connections);
}

static void limits_ask(struct bench_target *target)
{
	const struct bench_options *options = target->options;
	struct bench_url url = options->limits_url;
	char problem[PROBLEM_MAX];

	if (options->limits_text == NULL)
		return;
	query_add(&url, options->connections);
	json_t *table = json_get(&url, target->tls, problem);

	if (table != NULL && !bench_limits_take(table, &target->evidence)) {
		snprintf(problem, sizeof(problem), "its answer has no limits in it");
		json_decref(table);
		table = NULL;
	}
	if (table == NULL) {
		/* What it said before the test stays. */
		snprintf(target->note, sizeof(target->note), "--limits %.100s: %s%s",
			 options->limits_text, problem,
			 target->limits == NULL ? "" : " (what it said before is kept)");
		return;
	}
	json_decref(target->limits);
	target->limits = table;
	snprintf(target->note, sizeof(target->note), "the server's own, from %.200s",
		 options->limits_text);
}

/* --- the health of a gateway --- */

static void health_ask(struct bench_target *target)
{
	struct bench_evidence *evidence = &target->evidence;
	struct bench_url url = target->options->url;
	char ignored[PROBLEM_MAX];

	snprintf(url.path, sizeof(url.path), "/health");
	json_t *health = json_get(&url, target->tls, ignored);
	uint64_t used = number_of(health, "connections");
	uint64_t value = number_of(health, "max_connections");

	json_decref(health);
	if (value == 0 || used < value || evidence->limit[0] != 0)
		return;
	snprintf(evidence->limit, sizeof(evidence->limit), "max_connections");
	evidence->limit_used = used;
	evidence->limit_value = value;
}

/* --- in order --- */

void bench_target_begin(struct bench_target *target, const struct bench_options *options,
			const struct net_addr *remote, struct tls_context *tls,
			const struct bench_preflight *preflight)
{
	const struct limit *binding = preflight->binding;

	*target = (struct bench_target){.options = options, .remote = remote, .tls = tls};
	snprintf(target->evidence.tester_limit, sizeof(target->evidence.tester_limit), "%s",
		 binding == NULL ? "" : limit_label(binding->id));
	target->evidence.tester_limit_value = binding == NULL ? 0 : binding->value;
	target->evidence.is_local = bench_local_is(remote);
	bench_kernel_read("", &target->kernel);
	limits_ask(target);
}

static void process_look(struct bench_target *target)
{
	json_t *limits = NULL;

	if (!bench_local_read(target->remote, target->options->connections, &target->evidence,
			      &limits))
		return;
	if (target->limits != NULL) {
		json_decref(limits);
		return;
	}
	target->limits = limits;
	snprintf(target->note, sizeof(target->note), "read from /proc: %s listens there",
		 target->evidence.process);
}

static bool is_conntrack_full(void)
{
	struct os_limits os;

	os_limits_read(&(struct os_source){0}, &os);
	return os.conntrack_max.is_known && os.conntrack_used.is_known &&
	       os.conntrack_used.value >= os.conntrack_max.value;
}

void bench_target_look(struct bench_target *target, bool has_failures, bool is_gateway)
{
	target->evidence.limit[0] = 0; /* what was used up before the test did not stop it */
	limits_ask(target);
	if (!has_failures)
		return;
	target->evidence.is_conntrack_full = is_conntrack_full();
	if (is_gateway)
		health_ask(target);
	else if (target->evidence.is_local)
		process_look(target);
}

/* Did no attempt find a listener? */
static bool is_all_refused(const struct bench_result *result)
{
	return result->totals.connected == 0 && result->totals.failed > 0 &&
	       bench_causes_not_listening(&result->causes) == result->totals.failed;
}

void bench_target_end(struct bench_target *target, const struct bench_result *result)
{
	struct bench_evidence *evidence = &target->evidence;
	struct bench_kernel now;

	bench_kernel_read("", &now);
	evidence->kernel = bench_kernel_since(&target->kernel, &now);
	if (is_all_refused(result))
		bench_local_listening(target->remote, evidence->listening,
				      sizeof(evidence->listening));
}

void bench_target_finish(struct bench_target *target)
{
	json_decref(target->limits);
	target->limits = NULL;
}
