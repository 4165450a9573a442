/* SPDX-License-Identifier: Apache-2.0
 * serve_end.c - the end. With drain_spread the clients are let go at its pace (server_drain.h),
 * until nobody is left or its time and patience have passed; then, or without it at once, everybody
 * who is still there is closed with 1001, and cut drain_timeout later. A second signal ends the
 * process wherever it is. */
#include "cmd/serve_end.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/stream/streams.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/serve_losses.h"
#include "cmd/signals.h"
#include "os/notify.h"
#include "server/server_drain.h"

/* Between two looks whether a drain is done. */
#define LOOK_MS 100

int serve_await(int signals, int ended, int timeout_ms)
{
	struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = ended, .events = POLLIN}};
	struct signalfd_siginfo info;
	int r;

	do
		r = poll(fds, ARRAY_LEN(fds), timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return -1;
	if ((fds[0].revents & POLLIN) && read(signals, &info, sizeof(info)) == sizeof(info))
		return (int)info.ssi_signo;
	return 0;
}

struct ending {
	struct serve_tick *tick;
	struct server *server;
	struct ruleset *ruleset; /* in force when it began */
	struct losses losses;
	int signals;
	uint64_t deadline_ns; /* nobody is waited for beyond it */
	bool is_paced;
	bool was_cut; /* connections were left at the deadline */
};

static int remaining_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();

	return now >= deadline_ns ? 0 : (int)((deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* Never returns. */
static void end_at_once(struct ending *ending)
{
	log_warn("second signal: ending at once",
		 F_UINT("connections", server_connections(ending->server)));
	losses_tell_waiting(ending->server);
	_exit(EXIT_FAILED);
}

/* As serve_await, for a while at most, in which the tick goes on. */
static int await(struct ending *ending, int ended, int timeout_ms)
{
	serve_tick(ending->tick);
	int what = serve_await(ending->signals, ended,
			       MIN(timeout_ms, serve_tick_interval_ms(ending->tick)));

	if (signals_is_end(what))
		end_at_once(ending);
	return what;
}

/* --- at a pace --- */

/* Not ready, but everybody is still let in. */
static void wait_unready(struct ending *ending, uint64_t delay_ms)
{
	uint64_t until_ns = clock_now_ns() + delay_ms * NS_PER_MS;

	server_announce_drain(ending->server);
	while (remaining_ms(until_ns) > 0)
		await(ending, -1, remaining_ms(until_ns));
}

static void let_go(struct ending *ending, const struct config_server *config)
{
	const struct server_drain_order order = {.scope = {.percent = 100},
						 .delay_ms = config->drain_delay,
						 .over_ms = config->drain_spread,
						 .is_ending = true};
	struct server_drain_report report;

	ending->is_paced = true;
	server_drain_begin(ending->server, &order);
	for (;;) {
		await(ending, -1, LOOK_MS);
		server_drain_report(ending->server, &report);
		/* The pace may be changed on the way. */
		ending->deadline_ns = MIN(clock_now_ns(), report.end_ns) +
				      config->drain_timeout * NS_PER_MS;
		if (report.state != DRAIN_WAITING && report.state != DRAIN_UNDER_WAY)
			return;
		if (clock_now_ns() >= ending->deadline_ns)
			return; /* some loop does not turn */
	}
}

/* --- all at once --- */

static void cut(struct ending *ending)
{
	uint64_t connections = server_connections(ending->server);

	log_warn("drain_timeout has passed: cutting what is left",
		 F_UINT("connections", connections));
	ending->was_cut = connections > 0;
	server_abort(ending->server);
}

static void end_workers(struct ending *ending)
{
	int ended = server_ended_fd(ending->server);
	bool is_cut = false;

	server_drain(ending->server);
	for (;;) {
		int left_ms = remaining_ms(ending->deadline_ns);
		int what = await(ending, ended, is_cut ? LOOK_MS : left_ms);

		if (what == 0)
			return;
		if (!is_cut && what == -1 && remaining_ms(ending->deadline_ns) == 0) {
			cut(ending);
			is_cut = true;
		}
	}
}

/* What the clients sent last may still wait for a broker. */
static void end_bus(struct ending *ending)
{
	uint64_t bytes;

	while ((bytes = server_undelivered_bytes(ending->server)) > 0) {
		int wait_ms = MIN(remaining_ms(ending->deadline_ns), 10);

		if (wait_ms == 0) {
			/* One that is there gets a last second (bus_destroy). */
			if (!server_is_bus_connected(ending->server))
				log_warn("drain_timeout has passed: what waits for the broker is "
					 "lost",
					 F_UINT("bytes", bytes));
			return;
		}
		await(ending, -1, wait_ms);
	}
}

static int exit_code(struct ending *ending)
{
	bool has_lost = losses_tell(&ending->losses, ending->server);
	bool is_late = ending->is_paced && ending->was_cut;

	if (is_late)
		log_error("not all clients were let go in time",
			  F_TEXT("remedy", "raise server.drain_timeout or server.drain_spread"));
	log_info("stopped");
	return has_lost || is_late ? EXIT_FAILED : EXIT_GOOD;
}

int serve_end(struct serve_tick *tick, struct streams *streams, int signals, int what)
{
	struct ending ending = {.tick = tick,
				.server = tick->server,
				.signals = signals,
				.ruleset = server_ruleset(tick->server)};
	const struct config_server *config = &ending.ruleset->config.server;

	log_info("draining", F_TEXT("signal", what == SIGINT ? "SIGINT" : "SIGTERM"),
		 F_UINT("connections", server_connections(ending.server)),
		 F_UINT("delay_ms", config->drain_delay),
		 F_UINT("spread_ms", config->drain_spread));
	tick->is_ending = true;
	notify_stopping();
	losses_begin(&ending.losses, ending.server);
	if (config->drain_spread > 0)
		let_go(&ending, config);
	else if (config->drain_delay > 0 && server_status(ending.server) != SERVER_DRAINING)
		wait_unready(&ending, config->drain_delay);
	if (!ending.is_paced)
		ending.deadline_ns = clock_now_ns() + config->drain_timeout * NS_PER_MS;
	end_workers(&ending);
	end_bus(&ending);
	streams_close(streams, STREAM_END_SHUTDOWN);
	server_end(ending.server);
	ruleset_unref(&ending.ruleset);
	return exit_code(&ending);
}

int serve_end_handed_over(struct serve_tick *tick, int signals, void (*before_end)(void *arg),
			  void *arg)
{
	struct ending ending = {.tick = tick, .server = tick->server, .signals = signals};
	struct ruleset *ruleset = server_ruleset(ending.server);

	losses_begin(&ending.losses, ending.server);
	ending.deadline_ns = clock_now_ns() + ruleset->config.server.drain_timeout * NS_PER_MS;
	ruleset_unref(&ruleset);
	end_workers(&ending);
	end_bus(&ending);
	before_end(arg);
	server_end(ending.server);
	return exit_code(&ending);
}
