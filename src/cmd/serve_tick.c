/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/serve_tick.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/clock.h"
#include "os/notify.h"
#include "server/server_drain.h"
#include "server/server_turns.h"

#define INTERVAL_NS        NS_PER_S
#define STATUS_INTERVAL_NS (5 * NS_PER_S)

/* A loop that has not turned for so long hangs. The watchdog may be stricter. */
#define HANG_NS (10 * NS_PER_S)

/* Asked for again with each tick. */
#define PATIENCE_NS (15 * NS_PER_S)

/* The manager advises to call it after half the time; there are three calls in it. */
#define FEEDS 3

static uint64_t interval_ns(void)
{
	uint64_t watchdog_ns = notify_watchdog_ns();

	return watchdog_ns == 0 ? INTERVAL_NS : MIN(INTERVAL_NS, watchdog_ns / FEEDS);
}

static uint64_t hang_ns(void)
{
	uint64_t watchdog_ns = notify_watchdog_ns();

	return watchdog_ns == 0 ? HANG_NS : MIN(HANG_NS, watchdog_ns / 2);
}

void serve_tick_init(struct serve_tick *tick, struct server *server)
{
	*tick = (struct serve_tick){.server = server, .is_watched = notify_watchdog_ns() != 0};
}

int serve_tick_interval_ms(const struct serve_tick *tick)
{
	(void)tick;
	return (int)MAX(interval_ns() / NS_PER_MS, UINT64_C(1));
}

static void say_drain(const struct server_drain_report *report)
{
	notify_status("Draining: %" PRIu64 " clients left, %" PRIu64 " s to go", report->left,
		      report->eta_ns / NS_PER_S);
}

static void say(const struct serve_tick *tick)
{
	struct server_drain_report report;

	server_drain_report(tick->server, &report);
	if (report.state == DRAIN_WAITING || report.state == DRAIN_UNDER_WAY)
		say_drain(&report);
	else
		notify_status(
			"%s: %" PRIu64 " of %" PRIu64 " connections",
			tick->is_ending                                  ? "Ending"
			: server_status(tick->server) == SERVER_DRAINING ? "Drained, out of service"
									 : "Serving",
			server_connections(tick->server), server_max_connections(tick->server));
}

void serve_tick(struct serve_tick *tick)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns < tick->next_ns)
		return;
	tick->next_ns = now_ns + interval_ns() / 2;
	server_turns_ask(tick->server, hang_ns());
	if (tick->is_watched && server_turns(tick->server))
		notify_watchdog();
	if (tick->is_ending)
		notify_extend(PATIENCE_NS);
	server_drain_tick(tick->server);
	if (now_ns < tick->next_status_ns)
		return;
	tick->next_status_ns = now_ns + STATUS_INTERVAL_NS;
	if (notify_is_on())
		say(tick);
}
