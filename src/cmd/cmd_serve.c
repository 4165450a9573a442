/* SPDX-License-Identifier: Apache-2.0
 * cmd_serve.c - the gateway: wiring, start, signals. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/limits_monitor.h"
#include "base/check.h"
#include "base/clock.h"
#include "cmd/config_args.h"
#include "cmd/plan.h"
#include "diag/plan.h"
#include "os/os_limits.h"
#include "server/server.h"

static const char intro[] =
	"Runs the gateway until SIGTERM or SIGINT; a second one ends it at once.\n";

/* False: said why. */
static bool choose_engine(const struct config *config, enum loop_engine *out_engine,
			  const char **out_reason)
{
	int r = loop_engine_choose(plan_engine(config), out_engine, out_reason);

	if (r < 0) {
		log_error("server.engine: io_uring cannot be used", F_TEXT("reason", *out_reason),
			  F_TEXT("error", strerror(-r)),
			  F_TEXT("remedy", "set server.engine to auto or epoll"));
		return false;
	}
	log_info("engine chosen", F_TEXT("engine", loop_engine_name(*out_engine)),
		 F_TEXT("reason", *out_reason));
	return true;
}

/* False: said which limit is in the way. */
static bool make_plan(const struct config *config, const struct plan_facts *facts,
		      struct plan *out_plan)
{
	char remedies[LIMIT_REMEDY_LINE_MAX];

	plan_make(config, facts, out_plan);
	if (out_plan->fits)
		return true;
	const struct limit *limit = limits_binding(&out_plan->limits);

	log_error(config->server.max_connections == 0
			  ? "the limits of this machine leave no room for connections"
			  : "server.max_connections cannot be held",
		  F_UINT("max_connections", out_plan->max_connections),
		  F_TEXT("limit", limit_label(limit->id)), F_UINT("value", limit->value),
		  F_UINT("allows", limit->connections),
		  F_TEXT("remedy",
			 limit_remedy_line(&out_plan->input, limit,
					   MAX(out_plan->max_connections, UINT64_C(1)), remedies)));
	return false;
}

/* What caps the connections, and what would cap them next. */
static void log_ready(const struct config *config, const struct plan *plan)
{
	const struct limit *binding = limits_binding(&plan->limits);
	const struct limit *next = limits_next(&plan->limits);

	log_info("ready", F_UINT("max_connections", plan->max_connections),
		 F_UINT("workers", plan->capacity.workers),
		 F_TEXT("engine", loop_engine_name(plan->input.engine)),
		 F_TEXT("limit", binding != NULL ? limit_label(binding->id) : "none"),
		 F_TEXT("next_limit", next != NULL ? limit_label(next->id) : "none"),
		 F_UINT("next_limit_allows", next != NULL ? next->connections : LIMIT_NO_CAP),
		 F_UINT("routes", config->route_count));
}

static int take_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* Before the first thread: all inherit the mask, only we read. */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Waits for a signal, the server's end or the time; the signal's number, 0 for the
 * end, -1 for the time. */
static int await(int signals, int ended, int timeout_ms)
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

static int remaining_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();

	return now >= deadline_ns ? 0 : (int)((deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* True: every worker ended. False: a second signal asks to end at once. */
static bool drain_workers(struct server *server, uint64_t deadline, int signals)
{
	int ended = server_ended_fd(server);
	bool is_cut = false;

	server_drain(server);
	for (;;) {
		int what = await(signals, ended, is_cut ? -1 : remaining_ms(deadline));

		if (what == 0)
			return true;
		if (what == SIGTERM || what == SIGINT)
			return false;
		if (what == -1) {
			log_warn("drain_timeout has passed: cutting what is left",
				 F_UINT("connections", server_connections(server)));
			server_abort(server);
			is_cut = true;
		}
	}
}

/* What the clients sent last may still wait for a broker. */
static bool drain_bus(struct server *server, uint64_t deadline, int signals)
{
	uint64_t bytes;

	while ((bytes = server_undelivered_bytes(server)) > 0) {
		int wait_ms = MIN(remaining_ms(deadline), 10);

		if (wait_ms == 0) {
			/* One that is there gets a last second (bus_destroy). */
			if (!server_is_bus_connected(server))
				log_warn("drain_timeout has passed: what waits for the broker is "
					 "lost",
					 F_UINT("bytes", bytes));
			return true;
		}
		int what = await(signals, -1, wait_ms);

		if (what == SIGTERM || what == SIGINT)
			return false;
	}
	return true;
}

static bool drain(struct server *server, const struct config *config, int signals)
{
	uint64_t deadline = clock_now_ns() + config->server.drain_timeout * NS_PER_MS;

	return drain_workers(server, deadline, signals) && drain_bus(server, deadline, signals);
}

/* Watches the limits until a signal ends the service, or the server itself; the signal's
 * number or 0. */
static int watch_limits(struct server *server, struct admin *admin, int signals)
{
	struct limits_monitor monitor;

	limits_monitor_init(&monitor, admin);
	for (;;) {
		int what = await(signals, server_ended_fd(server), LIMITS_MONITOR_INTERVAL_MS);

		if (what == -1)
			limits_monitor_tick(&monitor);
		else if (what != SIGHUP)
			return what;
		else
			log_warn("SIGHUP: nothing was reloaded",
				 F_TEXT("remedy", "restart to apply a changed configuration"));
	}
}

static void warn_unused(const struct config *config)
{
	for (size_t i = 0; i < config->backend_count; i++)
		if (!config_backend_is_used(config, &config->backends[i]))
			log_warn("no route uses this back end",
				 F_TEXT("backend", config->backends[i].name));
}

static int serve(struct server *server, struct admin *admin, const struct config *config,
		 int signals)
{
	int what = watch_limits(server, admin, signals);

	log_info("draining", F_TEXT("signal", what == SIGINT ? "SIGINT" : "SIGTERM"),
		 F_UINT("connections", server_connections(server)));
	if (!drain(server, config, signals)) {
		log_warn("second signal: ending at once",
			 F_UINT("connections", server_connections(server)));
		_exit(EXIT_FAILED);
	}
	log_info("stopped");
	return EXIT_GOOD;
}

static int run(const struct config *config, int signals)
{
	struct plan_facts facts;
	struct plan plan;
	struct server_options options = {.config = config, .plan = &plan};
	struct os_nofile nofile = os_limits_raise_nofile();
	struct api_token token;
	struct api_token_error token_error;

	if (!api_token_load(&config->admin, &token, &token_error)) {
		log_error(token_error.text);
		return EXIT_BAD_CONFIG;
	}
	if (!choose_engine(config, &facts.engine, &facts.engine_reason))
		return EXIT_BAD_CONFIG;
	plan_facts_read(facts.engine, facts.engine_reason, &facts);
	if (!make_plan(config, &facts, &plan))
		return EXIT_BAD_CONFIG;
	struct server *server = server_create(&options);

	if (server == NULL) {
		log_error("out of memory or descriptors at start", F_UINT("nofile", nofile.soft));
		return EXIT_FAILED;
	}
	struct admin admin = {.server = server,
			      .api = {.server = server, .config = config, .token = token}};
	struct server_error error;
	int r = server_start(
		server, &(struct http_handler){.answer = admin_answer_health, .arg = &admin},
		&(struct http_handler){
			.answer = admin_answer, .wants_body = admin_wants_body, .arg = &admin},
		&error);

	if (r < 0) {
		log_error(error.text);
		server_destroy(&server);
		return EXIT_BAD_CONFIG;
	}
	warn_unused(config);
	log_ready(config, &plan);
	r = serve(server, &admin, config, signals);
	server_destroy(&server);
	return r;
}

int cmd_serve(int argc, char **argv)
{
	struct config config;
	struct config_args args = {
		.command = "serve",
		.intro = intro,
		.on_mistakes = EXIT_BAD_CONFIG,
	};
	/* Before anything uses it. Threads of libnats free what they had of a connection at a time
	 * that nobody learns: OpenSSL may not take itself away from under them at the end. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	int r = config_args_load(&args, argc, argv, &config);

	if (r != CONFIG_ARGS_GO_ON)
		return r;
	log_configure(config.log.level, config.log.format);
	int signals = take_signals();

	if (signals < 0) {
		log_error("signals cannot be taken", F_TEXT("error", strerror(errno)));
		config_finish(&config);
		return EXIT_FAILED;
	}
	r = run(&config, signals);
	close(signals);
	config_finish(&config);
	return r;
}
