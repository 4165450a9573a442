/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/serve_upgrade.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/history.h"
#include "admin/metrics/metrics_before.h"
#include "admin/recent.h"
#include "admin/upgrades.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/renewals.h"
#include "cmd/cmd.h"
#include "cmd/serve_end.h"
#include "cmd/signals.h"
#include "os/notify.h"
#include "server/server_drain.h"
#include "server/server_handover.h"
#include "server/server_road.h"

/* What the new process waits for, of what others give it. */
#define LOOK_MS 20

/* For the answer to who asked for the upgrade, and to others. */
#define ANSWERS_NS NS_PER_S

/* --- taking over --- */

/* Without /proc it serves all the same, and says why there is no upgrade when one is wanted. */
bool serve_upgrade_begin(struct serve_upgrade *upgrade, int *out_code)
{
	struct handover_error error;

	*upgrade = (struct serve_upgrade){.heir = {.channel = {.fd = -1}},
					  .upgrades = upgrades_create(),
					  .before = metrics_before_create(),
					  .history = history_create(),
					  .recent = recent_create()};
	*out_code = EXIT_FAILED;
	if (upgrade->upgrades == NULL || upgrade->before == NULL || upgrade->history == NULL ||
	    upgrade->recent == NULL) {
		log_error("out of memory at start");
		serve_upgrade_finish(upgrade);
		return false;
	}
	*out_code = EXIT_BAD_CONFIG;
	upgrade->program_error = handover_program_remember(&upgrade->program);
	switch (handover_heir_begin(&upgrade->heir, &error)) {
	case HANDOVER_NOBODY:
		return true;
	case HANDOVER_BEGUN:
		upgrade->is_heir = upgrade->has_predecessor = true;
		return true;
	case HANDOVER_BAD:
		break;
	}
	log_error(error.text);
	serve_upgrade_finish(upgrade);
	return false;
}

void serve_upgrade_finish(struct serve_upgrade *upgrade)
{
	handover_heir_finish(&upgrade->heir);
	handover_program_finish(&upgrade->program);
	upgrades_destroy(&upgrade->upgrades);
	metrics_before_destroy(&upgrade->before);
	history_destroy(&upgrade->history);
	recent_destroy(&upgrade->recent);
}

void serve_upgrade_know(struct serve_upgrade *upgrade, struct admin *admin, int signals)
{
	upgrade->server = admin->api.server;
	upgrade->admin = admin;
	upgrade->signals = signals;
}

static void tell_given_up(const struct serve_upgrade *upgrade, const char *why)
{
	log_error("upgrade: this process does not take over", F_TEXT("reason", why),
		  F_UINT("old_pid", upgrade->heir.donor));
}

bool serve_upgrade_greet(struct serve_upgrade *upgrade)
{
	struct handover_error error;

	if (!upgrade->is_heir || handover_heir_greet(&upgrade->heir, &error))
		return true;
	tell_given_up(upgrade, error.text);
	return false;
}

struct handover_sockets *serve_upgrade_sockets(struct serve_upgrade *upgrade)
{
	return upgrade->is_heir ? &upgrade->heir.sockets : NULL;
}

void serve_upgrade_refuse(struct serve_upgrade *upgrade, enum handover_outcome outcome,
			  const char *why)
{
	if (upgrade->is_heir)
		handover_heir_refuse(&upgrade->heir, outcome, why);
}

/* Whoever is let in by the old process must be let in by this one. */
static const char *missing(const struct serve_upgrade *upgrade)
{
	if (upgrade->heir.donor_has_bus && !server_is_bus_connected(upgrade->server))
		return "the broker does not answer this process, and does answer the one before";
	if (upgrade->heir.donor_has_keys && !server_has_keys(upgrade->server))
		return "this process has got no keys for tokens, and the one before has them";
	return NULL;
}

static const char *await_others(const struct serve_upgrade *upgrade)
{
	const char *what;

	/* In time for the old one to hear why. */
	while ((what = missing(upgrade)) != NULL &&
	       clock_now_ns() + NS_PER_S / 2 < upgrade->heir.deadline_ns)
		poll(NULL, 0, LOOK_MS);
	return what;
}

static void take_extra(void *arg, struct slice extra)
{
	const struct serve_upgrade *upgrade = arg;

	metrics_before_take(upgrade->before, extra);
	metrics_routes_keep(upgrade->server, upgrade->before, extra);
	history_take(upgrade->history, extra);
}

/* Its counters have their last values now. Its history ended when this process took over. */
static void take_last_extra(void *arg, struct slice extra)
{
	const struct serve_upgrade *upgrade = arg;

	metrics_before_take(upgrade->before, extra);
}

static void on_last(void *arg, struct slice body)
{
	handover_heir_take_last(body, take_last_extra, arg);
}

/* At once: what is open here is open there too, and nothing may be said to anybody. */
static _Noreturn void give_up(const struct serve_upgrade *upgrade, const char *why)
{
	tell_given_up(upgrade, why);
	_exit(EXIT_FAILED);
}

void serve_upgrade_take(struct serve_upgrade *upgrade)
{
	struct handover_error error;

	if (!upgrade->is_heir)
		return;
	const char *what = await_others(upgrade);

	if (what != NULL) {
		serve_upgrade_refuse(upgrade, HANDOVER_OUTCOME_REFUSED, what);
		give_up(upgrade, what);
	}
	if (!handover_heir_take(&upgrade->heir, upgrade->server, take_extra, upgrade, &error))
		give_up(upgrade, error.text);
	server_open(upgrade->server);
	server_carry(upgrade->server, &upgrade->heir.channel, on_last, upgrade);
	upgrades_came(upgrade->upgrades, upgrade->heir.moved);
	log_info("upgrade: this process has taken over", F_UINT("old_pid", upgrade->heir.donor),
		 F_TEXT("old_version", upgrade->heir.donor_version),
		 F_UINT("connections", upgrade->heir.moved));
	handover_sockets_finish(&upgrade->heir.sockets);
}

/* --- the process before, while it ends --- */

void serve_upgrade_look(struct serve_upgrade *upgrade)
{
	if (!upgrade->has_predecessor || !server_carry_has_ended(upgrade->server))
		return;
	upgrade->has_predecessor = false;
	log_info("upgrade: the process before has ended", F_UINT("old_pid", upgrade->heir.donor));
}

/* --- handing over --- */

static bool must_stop(void *arg)
{
	struct serve_upgrade *upgrade = arg;
	struct signalfd_siginfo info;

	if (read(upgrade->signals, &info, sizeof(info)) != sizeof(info))
		return false;
	int number = (int)info.ssi_signo;

	if (signals_is_end(number)) {
		upgrade->stop_signal = number;
		return true;
	}
	if (number == SIGHUP)
		upgrade->has_reload = true;
	else if (number == SIGUSR2)
		log_warn("SIGUSR2: nothing was done: an upgrade is under way");
	else
		signals_log(number);
	return false;
}

static void tick(void *arg)
{
	const struct serve_upgrade *upgrade = arg;

	serve_tick(upgrade->tick);
	renewals_tick(server_options(upgrade->server)->renewals, clock_now_ns());
}

static void give_extra(void *arg, struct buf *out)
{
	const struct serve_upgrade *upgrade = arg;

	metrics_write(upgrade->admin, out);
	metrics_before_hold(upgrade->before, buf_slice(out));
	history_write(upgrade->history, out);
	/* Last, since it is what can be done without, if all of it does not fit. */
	metrics_routes_write_rest(upgrade->admin, out);
}

/* Said by this process, which the manager believes. */
static void on_commit(void *arg, pid_t pid)
{
	(void)arg;
	notify_main_pid(pid);
	notify_close();
}

static struct handover_donor_options donor_options(struct serve_upgrade *upgrade)
{
	struct ruleset *ruleset = server_ruleset(upgrade->server);
	uint64_t timeout_ns = ruleset->config.server.upgrade_timeout * NS_PER_MS;

	ruleset_unref(&ruleset);
	return (struct handover_donor_options){
		.server = upgrade->server,
		.program = &upgrade->program,
		.timeout_ns = timeout_ns,
		.signals = upgrade->signals,
		.must_stop = must_stop,
		.tick = tick,
		.give_extra = give_extra,
		.on_commit = on_commit,
		.arg = upgrade,
	};
}

static void tell_result(const struct handover_result *result)
{
	if (result->outcome == HANDOVER_OUTCOME_DONE)
		log_info("upgrade done: the new process serves", F_UINT("new_pid", result->pid),
			 F_TEXT("new_version", result->version), F_UINT("moved", result->moved),
			 F_UINT("stayed", result->stayed),
			 F_UINT("still_ms", result->still_ns / NS_PER_MS),
			 F_UINT("took_ms", result->took_ns / NS_PER_MS));
	else
		log_error("upgrade failed: this process serves on",
			  F_TEXT("outcome", handover_outcome_label(result->outcome)),
			  F_TEXT("step", handover_step_text(result->step)),
			  F_TEXT("reason", result->why), F_UINT("new_pid", result->pid),
			  F_UINT("still_ms", result->still_ns / NS_PER_MS));
}

static bool drains(const struct server *server)
{
	struct server_drain_report report;

	server_drain_report(server, &report);
	return report.state == DRAIN_WAITING || report.state == DRAIN_UNDER_WAY ||
	       server_status(server) == SERVER_DRAINING;
}

/* Why there can be none now; NULL: there can. */
static const char *obstacle(const struct serve_upgrade *upgrade)
{
	if (upgrade->program_error != 0)
		return "this process could not read at its start how it was started "
		       "(/proc/self/cmdline); restart it";
	if (getpid() == 1)
		return "this gateway is process 1, and with that a container ends; start a new "
		       "container, or run this one with an init (docker run --init)";
	if (drains(upgrade->server))
		return "clients are being let go, or the gateway is drained, of which the new "
		       "process would know nothing; wait for the end, or cancel it (gatehouse "
		       "drain --cancel)";
	if (upgrade->has_predecessor)
		return "the process before this one has not ended yet; its last connections go "
		       "within server.drain_timeout";
	return NULL;
}

/* Those of the process before are waited for: who upgrades twice in a row means it. */
static void await_predecessor(struct serve_upgrade *upgrade, uint64_t deadline_ns)
{
	while (upgrade->has_predecessor && clock_now_ns() < deadline_ns) {
		struct pollfd fd = {.fd = upgrade->signals, .events = POLLIN};

		if (poll(&fd, 1, LOOK_MS) > 0 && must_stop(upgrade))
			return;
		serve_upgrade_look(upgrade);
		tick(upgrade); /* this process serves, and its watchdog bites */
	}
}

static void refuse(struct serve_upgrade *upgrade, enum handover_outcome outcome, const char *why)
{
	upgrade->result = (struct handover_result){.outcome = outcome};
	snprintf(upgrade->result.why, sizeof(upgrade->result.why), "%s", why);
}

/* What came meanwhile was meant for whoever serves now. */
static void pass_reload_on(struct serve_upgrade *upgrade)
{
	bool is_done = upgrade->result.outcome == HANDOVER_OUTCOME_DONE;

	if (upgrade->has_reload)
		kill(is_done ? upgrade->result.pid : getpid(), SIGHUP);
	upgrade->has_reload = false;
}

bool serve_upgrade_run(struct serve_upgrade *upgrade)
{
	struct handover_donor_options options = donor_options(upgrade);

	if (!upgrades_begin(upgrade->upgrades))
		return false;
	log_info("upgrade: a new process is to take over", F_TEXT("program", upgrade->program.path),
		 F_UINT("connections", server_connections(upgrade->server)));
	await_predecessor(upgrade, clock_now_ns() + options.timeout_ns);
	const char *why = obstacle(upgrade);

	if (upgrade->stop_signal != 0)
		refuse(upgrade, HANDOVER_OUTCOME_STOPPED, "a signal asked this process to end");
	else if (why != NULL)
		refuse(upgrade, HANDOVER_OUTCOME_NOT_NOW, why);
	else
		handover_give(&options, &upgrade->result);
	if (upgrade->result.outcome != HANDOVER_OUTCOME_DONE)
		metrics_before_release(upgrade->before);
	tell_result(&upgrade->result);
	upgrades_end(upgrade->upgrades, &upgrade->result);
	pass_reload_on(upgrade);
	return upgrade->result.outcome == HANDOVER_OUTCOME_DONE;
}

/* --- the end of a process that has handed over --- */

void serve_upgrade_close(struct serve_upgrade *upgrade)
{
	upgrades_close(upgrade->upgrades);
}

static void await_last(struct serve_upgrade *upgrade, uint64_t deadline)
{
	bool has_ended = false; /* from then on that descriptor would end each wait at once */

	while (clock_now_ns() < deadline && upgrade->stop_signal == 0) {
		struct pollfd fds[] = {
			{.fd = has_ended ? -1 : server_ended_fd(upgrade->server), .events = POLLIN},
			{.fd = upgrade->signals, .events = POLLIN}};

		poll(fds, ARRAY_LEN(fds), LOOK_MS);
		if (fds[1].revents != 0)
			must_stop(upgrade);
		pass_reload_on(upgrade);
		has_ended |= fds[0].revents != 0;
		if (has_ended && server_road_has_left(upgrade->server))
			return;
	}
}

/* They end by themselves as soon as they are answered. */
static void await_answers(const struct serve_upgrade *upgrade, uint64_t deadline)
{
	while (server_admin_sockets(upgrade->server) > 0 && clock_now_ns() < deadline)
		poll(NULL, 0, LOOK_MS);
}

static void say_end(void *arg)
{
	struct serve_upgrade *upgrade = arg;
	struct handover_donor_options options = donor_options(upgrade);

	handover_say_end(&options);
}

int serve_upgrade_see_out(struct serve_upgrade *upgrade)
{
	struct ruleset *ruleset = server_ruleset(upgrade->server);
	uint64_t deadline = clock_now_ns() + ruleset->config.server.drain_timeout * NS_PER_MS;

	ruleset_unref(&ruleset);

	await_last(upgrade, deadline);
	await_answers(upgrade, MIN(deadline, clock_now_ns() + ANSWERS_NS));
	return serve_end_handed_over(upgrade->tick, upgrade->signals, say_end, upgrade);
}
