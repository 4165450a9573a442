/* SPDX-License-Identifier: Apache-2.0
 * cmd_serve.c - the gateway: wiring, start, signals. */
#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/history.h"
#include "admin/limits_monitor.h"
#include "admin/overview.h"
#include "admin/reloads.h"
#include "admin/stream/streams.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/payload.h"
#include "base/renewals.h"
#include "cmd/config_args.h"
#include "cmd/reloader.h"
#include "cmd/serve_activation.h"
#include "cmd/serve_end.h"
#include "cmd/serve_upgrade.h"
#include "cmd/signals.h"
#include "cmd/start.h"
#include "os/notify.h"
#include "os/os_limits.h"
#include "server/reload.h"
#include "server/server.h"

static const char intro[] = "Runs the gateway until SIGTERM or SIGINT; a second one ends it at "
			    "once. Exit code 1 after a\n"
			    "signal: events did not reach their back ends in time, or with "
			    "drain_spread not all clients\nwere let go; the log says how many.\n";

/* What caps the connections, and what would cap them next. */
static void log_ready(const struct config *config, const struct plan *plan)
{
	const struct limit *binding = limits_binding(&plan->limits);
	const struct limit *next = limits_next(&plan->limits);

	log_info("ready", F_UINT("max_connections", plan->max_connections),
		 F_UINT("workers", plan->capacity.workers),
		 F_TEXT("engine", loop_engine_name(plan->input.engine)),
		 F_TEXT("limit", binding != NULL ? limit_label(binding->id) : "none"),
		 F_TEXT("set_by", binding != NULL ? limit_origin(binding) : "none"),
		 F_TEXT("next_limit", next != NULL ? limit_label(next->id) : "none"),
		 F_UINT("next_limit_allows", next != NULL ? next->connections : LIMIT_NO_CAP),
		 F_UINT("routes", config->route_count));
}

#define LOOK_INTERVAL_MS ((int)(RENEWALS_INTERVAL_NS / NS_PER_MS))

_Static_assert(LIMITS_MONITOR_INTERVAL_MS % LOOK_INTERVAL_MS == 0, "one is a part of the other");

/* Watches the limits and the files until a signal ends the service, or the server itself; the
 * signal's number or 0. */
static int watch(struct server *server, struct admin *admin, struct serve_upgrade *upgrade,
		 struct serve_tick *tick, struct reloader *reloader, int signals)
{
	struct renewals *renewals = server_options(server)->renewals;
	struct limits_monitor monitor;

	limits_monitor_init(&monitor, admin);
	history_tick(admin); /* the first row is there at once */
	for (unsigned looks = 1;; looks++) {
		int wait_ms = reloader_wait_ms(reloader,
					       MIN(LOOK_INTERVAL_MS, serve_tick_interval_ms(tick)));
		int what = serve_await(signals, server_ended_fd(server), wait_ms);

		serve_tick(tick);
		if (what == 0 || signals_is_end(what))
			return what;
		serve_upgrade_look(upgrade);
		if (what == SIGUSR2 && serve_upgrade_run(upgrade))
			return what;
		if (upgrade->stop_signal != 0)
			return upgrade->stop_signal;
		if (what == SIGUSR2)
			continue;
		if (what == SIGHUP)
			reloader_want(reloader);
		else if (what != -1)
			signals_log(what);
		reloader_tick(reloader);
		renewals_tick(renewals, clock_now_ns());
		server_reload_tick(server);
		history_tick(admin);
		if (looks % (LIMITS_MONITOR_INTERVAL_MS / LOOK_INTERVAL_MS) != 0)
			continue;
		limits_monitor_tick(&monitor);
		overview_tick(admin);
		server_look_for_storm(server);
		server_renew_ticket_keys(server, clock_now_ns());
		payload_trim();
	}
}

/* What was read, so that a node with another configuration can be told from the others. */
static void log_configuration(const struct config *config)
{
	struct slice rest = buf_slice(&config->warnings.text), line;
	char text[CONFIG_REPORT_LINE_MAX];

	log_info("configuration", F_TEXT("file", config->file != NULL ? config->file : "none"),
		 F_TEXT("sha256", config->file_sha256[0] != 0 ? config->file_sha256 : "none"),
		 F_TEXT("version", GATEHOUSE_VERSION));
	while (slice_next(&rest, '\n', &line) && line.len > 0) {
		snprintf(text, sizeof(text), "%.*s", SLICE_ARG(line));
		log_warn(text);
	}
}

static int serve(struct server *server, struct admin *admin, struct serve_upgrade *upgrade,
		 struct reloader *reloader, int signals)
{
	struct serve_tick tick;

	serve_tick_init(&tick, server);
	serve_tick(&tick);
	notify_ready();
	upgrade->tick = &tick;
	int what = watch(server, admin, upgrade, &tick, reloader, signals);

	serve_upgrade_close(upgrade);
	reloader_close(reloader);
	if (what == SIGUSR2) {
		streams_close(admin->api.streams, STREAM_END_UPGRADE);
		return serve_upgrade_see_out(upgrade);
	}
	return serve_end(&tick, admin->api.streams, signals, what);
}

static void on_problem(void *arg, const struct start_problem *problem)
{
	(void)arg;
	log_write(problem->is_warning ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, problem->message,
		  problem->fields, problem->field_count);
}

/* How it was called, to read the configuration again in the same way. */
struct invocation {
	const struct config_args *args;
	struct reloads *reloads; /* who asks for that by the API */
	int argc;
	char **argv;
};

/* `activated`: listening sockets that were there before this process. Takes over the reference. */
static int run_with(struct ruleset *ruleset, struct renewals *renewals,
		    const struct invocation *call, struct serve_upgrade *upgrade,
		    struct handover_sockets *activated, int signals)
{
	const struct config *config = &ruleset->config;
	struct start start;

	if (start_prepare_with(config,
			       upgrade->is_heir ? serve_upgrade_sockets(upgrade) : activated,
			       &start, on_problem, NULL) > 0) {
		ruleset_unref(&ruleset);
		return EXIT_BAD_CONFIG;
	}
	if (server_activation_share(activated, start.plan.capacity.workers) < 0) {
		ruleset_unref(&ruleset);
		log_error("out of memory or descriptors at start",
			  F_UINT("nofile", os_limits_nofile().soft));
		return EXIT_FAILED;
	}
	log_info("engine chosen", F_TEXT("engine", loop_engine_name(start.facts.engine)),
		 F_TEXT("reason", start.facts.engine_reason));
	payload_configure(start.plan.payload_memory);
	struct server *server = server_create(
		&(struct server_options){.ruleset = ruleset,
					 .plan = &start.plan,
					 .renewals = renewals,
					 .heir = upgrade->is_heir ? &upgrade->heir : NULL,
					 .activated = activated->count > 0 ? activated : NULL});

	if (server == NULL) {
		log_error("out of memory or descriptors at start",
			  F_UINT("nofile", os_limits_nofile().soft));
		return EXIT_FAILED;
	}
	struct admin admin = {
		.server = server,
		.upgrades = upgrade->upgrades,
		.before = upgrade->before,
		.history = upgrade->history,
		.recent = upgrade->recent,
	};

	api_init(&admin.api, server, &start.token);
	client_scans_init(&admin.scans);
	admin.api.scans = &admin.scans;
	admin.api.upgrades = upgrade->upgrades;
	admin.api.reloads = call->reloads;
	admin.api.streams = streams_create(&admin);
	if (admin.api.streams == NULL) {
		log_error("out of memory at start");
		server_destroy(&server);
		return EXIT_FAILED;
	}
	serve_upgrade_know(upgrade, &admin, signals);
	struct server_error error;
	int r = server_start(
		server, &(struct http_handler){.answer = admin_answer_health, .arg = &admin},
		&(struct http_handler){
			.answer = admin_answer, .wants_body = admin_wants_body, .arg = &admin},
		&error);

	if (r < 0) {
		log_error(error.text);
		server_destroy(&server);
		streams_destroy(&admin.api.streams);
		return EXIT_BAD_CONFIG;
	}
	serve_upgrade_take(upgrade);
	log_ready(config, &start.plan);
	struct reloader reloader;

	reloader_init(&reloader, &(struct reloader_options){.server = server,
							    .admin = &admin,
							    .reloads = call->reloads,
							    .args = call->args,
							    .argc = call->argc,
							    .argv = call->argv});
	r = serve(server, &admin, upgrade, &reloader, signals);
	server_destroy(&server);
	streams_destroy(&admin.api.streams);
	return r;
}

/* Takes over the reference. */
static int run(struct ruleset *ruleset, struct renewals *renewals, const struct invocation *call,
	       struct serve_upgrade *upgrade, int signals)
{
	struct handover_sockets activated = {0};
	int r = EXIT_BAD_CONFIG;

	log_configuration(&ruleset->config);
	if (!serve_upgrade_greet(upgrade)) {
		ruleset_unref(&ruleset);
		return EXIT_FAILED;
	}
	/* A process that another one has started has its sockets from that. */
	if (upgrade->is_heir || serve_activation_take(&ruleset->config, &activated))
		r = run_with(ruleset, renewals, call, upgrade, &activated, signals);
	else
		ruleset_unref(&ruleset);
	handover_sockets_finish(&activated);
	return r;
}

/* Without the manager the gateway serves all the same. */
static void tell_manager(void)
{
	int r = notify_open();

	if (r < 0)
		log_warn("NOTIFY_SOCKET cannot be used: the service manager is told nothing",
			 F_TEXT("error", strerror(-r)),
			 F_TEXT("allowed", "a path, or '@' and an abstract name"));
}

static int load_and_run(struct serve_upgrade *upgrade, int argc, char **argv)
{
	struct config config;
	struct config_args args = {
		.command = "serve",
		.intro = intro,
		.lists_flags = true,
		.on_mistakes = EXIT_BAD_CONFIG,
	};
	int r = config_args_load(&args, argc, argv, &config);

	if (r != CONFIG_ARGS_GO_ON)
		return r;
	log_configure(config.log.level, config.log.format);
	tell_manager();
	int signals = signals_take();

	if (signals < 0) {
		log_error("signals cannot be taken", F_TEXT("error", strerror(errno)));
		config_finish(&config);
		return EXIT_FAILED;
	}
	struct ruleset *ruleset = ruleset_create(&config);

	struct renewals *renewals = renewals_create();
	struct reloads *reloads = reloads_create();
	bool has_memory = ruleset != NULL && renewals != NULL && reloads != NULL;

	if (has_memory) {
		r = run(ruleset, renewals, &(struct invocation){&args, reloads, argc, argv},
			upgrade, signals);
	} else {
		log_error("out of memory at start");
		ruleset_unref(&ruleset);
		r = EXIT_FAILED;
	}
	reloads_destroy(&reloads);
	renewals_destroy(&renewals); /* what the rules keep is taken out before */
	close(signals);
	config_finish(&config);
	return r;
}

int cmd_serve(int argc, char **argv)
{
	struct serve_upgrade upgrade;
	int r;

	/* Before anything uses it. Threads of libnats free what they had of a connection at a time
	 * that nobody learns: OpenSSL may not take itself away from under them at the end. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	signals_hold();
	if (!serve_upgrade_begin(&upgrade, &r))
		return r;
	r = load_and_run(&upgrade, argc, argv);
	serve_upgrade_finish(&upgrade);
	return r;
}
