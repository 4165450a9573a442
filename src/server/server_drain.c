/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_drain.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "server/server_private.h"

#define LOG_INTERVAL_NS (10 * NS_PER_S)

/* Of drain_timeout, for clients with something under way; the rest is for their closing
 * handshakes and for what back ends have not got yet. */
#define PATIENCE_SHARE 2

/* --- orders --- */

static void wake_all(struct server *server)
{
	pthread_mutex_lock(&server->mutex);
	for (size_t i = 0; i < server->worker_count; i++)
		if (server->slots[i].is_listening && !server->slots[i].has_ended)
			drain_pace_wake(&server->slots[i].worker->pace);
	pthread_mutex_unlock(&server->mutex);
}

/* For one of some clients: those that come meanwhile, perhaps the same ones, may stay. */
static uint64_t last_id_for(struct server *server, const struct drain_scope *scope)
{
	return drain_scope_is_full(scope) ? UINT64_MAX : directory_reserve_id(server->directory);
}

static void log_order(const struct server *server, const struct server_drain_order *order,
		      enum drain_answer answer)
{
	log_info(answer == DRAIN_CHANGED ? "drain: another pace" : "drain: ordered",
		 F_UINT("clients", server_clients(server)), F_UINT("delay_ms", order->delay_ms),
		 F_UINT("over_ms", order->over_ms),
		 F_TEXT("route", order->scope.route[0] == 0 ? NULL : order->scope.route),
		 F_TEXT("group", order->scope.group[0] == 0 ? NULL : order->scope.group),
		 F_UINT("percent", order->scope.percent));
}

enum drain_answer server_drain_begin(struct server *server, const struct server_drain_order *order)
{
	struct ruleset *ruleset = server_ruleset(server);
	const struct config_server *config = &ruleset->config.server;
	enum drain_answer answer = drain_begin(
		&server->drain,
		&(struct drain_order){
			.scope = order->scope,
			.delay_ns = order->delay_ms * NS_PER_MS,
			.over_ns = order->over_ms * NS_PER_MS,
			.patience_ns = config->drain_timeout * NS_PER_MS / PATIENCE_SHARE,
			.retry_after_s = config->drain_retry_after / 1000,
			.last_id = last_id_for(server, &order->scope),
			.is_ending = order->is_ending,
		},
		clock_now_ns());

	ruleset_unref(&ruleset);
	if (answer == DRAIN_STARTED || answer == DRAIN_CHANGED) {
		log_order(server, order, answer);
		wake_all(server);
	}
	return answer;
}

enum drain_answer server_drain_cancel(struct server *server)
{
	struct server_drain_report report;

	server_drain_report(server, &report);
	enum drain_answer answer = drain_cancel(&server->drain, clock_now_ns());

	if (answer == DRAIN_STOPPED)
		log_info("drain: cancelled", F_UINT("closed", report.closed),
			 F_UINT("left", report.left));
	return answer;
}

/* --- questions --- */

/* Of all workers, about this order. */
static void sum(const struct server *server, uint64_t number, struct server_drain_report *report)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&server->mutex;

	report->is_counted = true;
	pthread_mutex_lock(mutex);
	for (size_t i = 0; i < server->worker_count; i++) {
		const struct slot *slot = &server->slots[i];

		if (slot->worker == NULL || slot->has_ended)
			continue; /* it has no clients */
		struct drain_told told = drain_pace_told(&slot->worker->pace);

		if (told.number != number || told.left == UINT64_MAX) {
			report->is_counted = false;
			continue;
		}
		report->left += told.left;
		report->busy += told.busy;
		report->closed += told.closed;
		report->closed_busy += told.closed_busy;
	}
	pthread_mutex_unlock(mutex);
	if (!report->is_counted)
		report->left = report->busy = 0;
}

static uint64_t eta_of(const struct drain_view *view, const struct server_drain_report *report,
		       uint64_t now_ns)
{
	bool is_on = view->state == DRAIN_WAITING || view->state == DRAIN_UNDER_WAY;
	uint64_t end_ns = view->plan.end_ns;

	if (report->busy > 0 && now_ns >= end_ns)
		end_ns += view->plan.patience_ns;
	return is_on && end_ns > now_ns ? end_ns - now_ns : 0;
}

static void log_done(const struct server_drain_report *report)
{
	log_info("drain: done", F_UINT("closed", report->closed),
		 F_UINT("closed_busy", report->closed_busy),
		 F_UINT("seconds", (report->done_ns - report->asked_ns) / NS_PER_S));
}

void server_drain_report(const struct server *server, struct server_drain_report *out_report)
{
	struct drain *drain = (struct drain *)&server->drain; /* which has a lock of its own */
	struct server_drain_report report = {0};
	uint64_t now_ns = clock_now_ns();
	struct drain_view view;

	drain_look(drain, now_ns, &view);
	report.scope = view.plan.scope;
	report.is_ending = view.is_ending;
	report.asked_ns = view.asked_ns;
	report.begin_ns = view.plan.begin_ns;
	report.end_ns = view.plan.end_ns;
	report.done_ns = view.done_ns;
	if (view.number != 0)
		sum(server, view.number, &report);
	if (view.state == DRAIN_UNDER_WAY && report.is_counted && report.left == 0 &&
	    drain_complete(drain, view.number, now_ns)) {
		view.state = DRAIN_DONE;
		report.done_ns = now_ns;
		log_done(&report);
	}
	report.state = view.state;
	report.eta_ns = eta_of(&view, &report, now_ns);
	*out_report = report;
}

struct server_drain_counts server_drain_counts(const struct server *server)
{
	const struct drain *drain = &server->drain;

	return (struct server_drain_counts){
		.started = counter_read(&drain->started),
		.done = counter_read(&drain->done),
		.cancelled = counter_read(&drain->cancelled),
	};
}

void server_drain_tick(struct server *server)
{
	struct server_drain_report report;
	uint64_t now_ns = clock_now_ns();

	server_drain_report(server, &report);
	if (report.state != DRAIN_WAITING && report.state != DRAIN_UNDER_WAY)
		return;
	if (now_ns < server->drain_log_ns)
		return;
	server->drain_log_ns = now_ns + LOG_INTERVAL_NS;
	log_info("drain: under way", F_UINT("left", report.left), F_UINT("closed", report.closed),
		 F_UINT("busy", report.busy), F_UINT("eta_s", report.eta_ns / NS_PER_S));
}
