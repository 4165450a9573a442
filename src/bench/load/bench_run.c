/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_run.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/load/bench_collect.h"
#include "bench/report/bench_compare.h"
#include "bench/load/bench_batch.h"
#include "bench/load/bench_prepare.h"
#include "bench/report/bench_report.h"
#include "bench/judge/bench_verdict.h"
#include "diag/limits_json.h"

/* How often the main thread looks at the workers. */
#define TICK_NS (10 * NS_PER_MS)

/* Between the last connection and the first message: all workers begin together. */
#define HOLD_AFTER_NS (5 * NS_PER_MS)

/* Handlers run in the main thread: workers block these signals. */
static volatile sig_atomic_t interrupts;

static void on_signal(int number)
{
	if (interrupts++ > 0)
		_exit(128 + number);
}

static void signals_set(void)
{
	struct sigaction on = {.sa_handler = on_signal};

	sigaction(SIGINT, &on, NULL);
	sigaction(SIGTERM, &on, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Whoever started us may ignore it; then nobody learns how a hook has ended. */
	signal(SIGCHLD, SIG_DFL);
}

/* --- during --- */

static struct bench_totals totals_now(const struct bench_run_state *run)
{
	struct bench_totals totals = {0};

	for (unsigned i = 0; i < run->setup.workers; i++)
		bench_totals_add(&totals, &run->workers[i]->counters);
	return totals;
}

static double seconds_since(uint64_t start_ns, uint64_t now_ns)
{
	return (double)(now_ns - start_ns) / (double)NS_PER_S;
}

static double process_cpu_seconds(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double)used.tv_sec + (double)used.tv_nsec / (double)NS_PER_S;
}

static void sample_take(struct bench_run_state *run, const struct bench_totals *totals,
			uint64_t now_ns,
			void (*add)(struct bench_recorder *, const struct bench_sample *))
{
	struct bench_sample sample = {
		.at_s = seconds_since(run->start_ns, now_ns),
		.cpu_s = process_cpu_seconds(),
		.totals = *totals,
	};

	for (unsigned i = 0; i < run->setup.workers; i++) {
		bench_latency_add(&sample.echo, &run->workers[i]->live_echo);
		bench_latency_add(&sample.handshake, &run->workers[i]->live_handshake);
	}
	add(run->recorder, &sample);
}

/* The next of the equal distances begins here. */
static void sample_mark(struct bench_run_state *run, const struct bench_totals *totals)
{
	uint64_t now_ns = clock_now_ns();

	sample_take(run, totals, now_ns, bench_recorder_mark);
	run->next_sample_ns = now_ns + NS_PER_S;
}

/* Sleeps a tick and reports; returns the totals. */
static struct bench_totals tick(struct bench_run_state *run, const char *phase)
{
	struct timespec pause = {.tv_nsec = TICK_NS};

	nanosleep(&pause, NULL);
	struct bench_totals totals = totals_now(run);
	uint64_t now_ns = clock_now_ns();

	if (now_ns >= run->next_sample_ns)
		sample_take(run, &totals, now_ns, bench_recorder_add);
	while (now_ns >= run->next_sample_ns)
		run->next_sample_ns += NS_PER_S;
	bench_progress_update(&run->progress, phase, &totals, now_ns);
	return totals;
}

static bool have_all_ended(const struct bench_run_state *run)
{
	for (unsigned i = 0; i < run->setup.workers; i++)
		if (!bench_worker_has_ended(run->workers[i]))
			return false;
	return true;
}

static void phase_end(struct bench_run_state *run, const char *phase)
{
	struct bench_totals totals = totals_now(run);

	bench_progress_phase_end(&run->progress, phase, &totals, clock_now_ns());
}

static void for_all(struct bench_run_state *run, void (*call)(struct bench_worker *worker))
{
	for (unsigned i = 0; i < run->setup.workers; i++)
		call(run->workers[i]);
}

/* Until every connection is up or has failed. */
static void connect_phase(struct bench_run_state *run)
{
	struct bench_result *result = &run->result;
	double cpu_s = process_cpu_seconds();
	struct bench_batches batches;
	struct bench_totals totals;

	bench_batches_init(&batches, run->workers);
	for_all(run, bench_worker_begin);
	do {
		totals = tick(run, "connecting");
		bench_batches_step(&batches, &totals, clock_now_ns());
	} while (totals.connected + totals.failed < run->options->connections && interrupts == 0);
	result->connect_s = seconds_since(run->start_ns, clock_now_ns());
	result->connect_cpu_s = process_cpu_seconds() - cpu_s;
	result->ramp_open = bench_totals_open(&totals);
	sample_mark(run, &totals);
	phase_end(run, "connected");
}

/* With no connection left there is nothing to hold. One that is being replaced is not
 * open at the moment, but none of these either. */
static bool is_worth_holding(const struct bench_run_state *run)
{
	struct bench_totals totals = totals_now(run);

	return interrupts == 0 &&
	       totals.failed + totals.dropped + totals.slow_closed < run->options->connections;
}

/* Whoever does something beside the workers; signals are the main thread's. */
static void helpers_start(struct bench_run_state *run, uint64_t start_ns)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int staged = bench_stage_start(&run->stage, start_ns);
	int pushed = bench_push_start(&run->push, &run->api, start_ns);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (staged < 0 || pushed < 0) /* what they had to do is not done, and the verdict says so */
		bench_complain("a thread cannot start: %s",
			       strerror(staged < 0 ? -staged : -pushed));
}

static void helpers_stop(struct bench_run_state *run)
{
	struct bench_result *result = &run->result;
	const struct bench_options *options = run->options;

	bench_stage_stop(&run->stage, interrupts > 0);
	bench_push_stop(&run->push);
	result->acts = run->stage.done;
	result->does_push = options->push_path != NULL;
	result->pushed = atomic_load_explicit(&run->push.pushed, memory_order_relaxed);
	if (!result->does_push || result->pushed == options->push_messages)
		return;
	snprintf(result->push_problem, sizeof(result->push_problem), "%s",
		 run->push.problem[0] != 0 ? run->push.problem
					   : "the hold was over before all were sent");
}

static void hold_phase(struct bench_run_state *run)
{
	uint64_t start_ns = clock_now_ns() + HOLD_AFTER_NS;

	helpers_start(run, start_ns);
	for (unsigned i = 0; i < run->setup.workers; i++)
		bench_worker_hold(run->workers[i], start_ns);
	uint64_t end_ns = start_ns + bench_options_hold_ms(run->options) * NS_PER_MS;
	bool is_marked = false;

	do {
		struct bench_totals totals = tick(run, "holding");

		/* Just before they begin to close: by the next tick many may have. */
		if (!is_marked && clock_now_ns() + 2 * TICK_NS >= end_ns) {
			is_marked = true;
			sample_mark(run, &totals);
		}
	} while (!have_all_ended(run) && is_worth_holding(run));
	phase_end(run, "held");
}

static bool workers_start(struct bench_run_state *run)
{
	sigset_t all, before;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	unsigned i = 0;

	for (; i < run->setup.workers && r == 0; i++)
		r = bench_worker_create(&run->setup, i, &run->workers[i]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		return true;
	/* Those that are up have nothing to close. */
	for (unsigned k = 0; k + 1 < i; k++)
		bench_worker_stop(run->workers[k]);
	for (unsigned k = 0; k + 1 < i; k++) {
		while (!bench_worker_has_ended(run->workers[k]))
			sched_yield();
		bench_worker_join(run->workers[k]);
	}
	return bench_complain(
		"worker %u of %u cannot start its %s loop: %s; use fewer -c or --workers, or "
		"another --engine",
		i, run->setup.workers, loop_engine_name(run->setup.engine), strerror(-r));
}

/* --- after --- */

static bool files_write(struct bench_run_state *run, const struct bench_report *what)
{
	char error[512];

	return bench_files_write(&run->files, what, error, sizeof(error)) == 0 ||
	       bench_complain("%s", error);
}

static bool report(struct bench_run_state *run)
{
	const struct bench_options *options = run->options;
	const struct bench_preflight *preflight = &run->preflight;
	struct bench_check checks[BENCH_EXPECTS_MAX];
	struct bench_plateau plateau;
	char verdict[2048];

	for (size_t i = 0; i < options->expect_count; i++)
		bench_expect_check(&options->expects[i], &run->result, &checks[i]);
	bench_plateau_find(&run->result, &run->target.evidence, &plateau);
	json_t *tester_limits = limits_json(&preflight->input, &preflight->limits,
					    options->connections);
	const struct bench_report what = {
		.setup = &run->setup,
		.result = &run->result,
		.engine_reason = run->facts.engine_reason,
		.verdict = verdict,
		.is_passed = bench_verdict(&run->result, &plateau, checks, options->expect_count,
					   verdict, sizeof(verdict)),
		.plateau = &plateau,
		.checks = checks,
		.check_count = options->expect_count,
		.preflight = preflight,
		.evidence = &run->target.evidence,
		.tester_limits = tester_limits,
		.server_limits = run->target.limits,
		.before = run->files.before,
		.server_note = run->target.note,
	};

	bench_report_print(&what, stdout);
	if (what.before != NULL && options->report_path == NULL) {
		fputc('\n', stdout);
		bench_compare_write(&what, what.before, options->lang, stdout);
	}
	fflush(stdout);
	bool is_written = files_write(run, &what);

	json_decref(tester_limits);
	return is_written && what.is_passed;
}

/* While the connections are held: later the server has let go of them. */
static void target_look(struct bench_run_state *run)
{
	struct bench_totals totals = totals_now(run);
	bool is_gateway = false;

	for (unsigned i = 0; i < run->setup.workers; i++)
		is_gateway |= atomic_load_explicit(&run->workers[i]->has_named_limit,
						   memory_order_relaxed);
	bench_target_look(&run->target, totals.failed > 0 || totals.dropped > 0, is_gateway);
}

static bool test(struct bench_run_state *run)
{
	run->start_ns = run->setup.start_ns = clock_now_ns();
	run->next_sample_ns = run->start_ns + NS_PER_S;
	bench_recorder_init(run->recorder, &run->result.series, 1);
	bench_progress_init(&run->progress, run->options->is_quiet ? NULL : stderr,
			    run->options->connections, run->start_ns);
	connect_phase(run);
	if (interrupts == 0)
		target_look(run);
	if (is_worth_holding(run))
		hold_phase(run);
	helpers_stop(run);
	run->result.was_interrupted = interrupts > 0 && !have_all_ended(run);
	if (!have_all_ended(run))
		for_all(run, bench_worker_stop);
	while (!have_all_ended(run))
		tick(run, "closing");
	for_all(run, bench_worker_join);
	const struct bench_totals totals = totals_now(run);

	sample_mark(run, &totals);
	bench_collect(&run->setup, run->workers, &run->result);
	bench_target_end(&run->target, &run->result);
	return report(run);
}

bool bench_run(const struct bench_options *options)
{
	struct bench_run_state *run = calloc(1, sizeof(*run)); /* holds histograms and a series */

	if (run == NULL)
		return bench_complain("memory is out before the start");
	run->options = options;
	signals_set();
	bool is_passed = bench_prepare(run, &interrupts) && workers_start(run) && test(run);

	for (unsigned i = 0; run->workers != NULL && i < run->setup.workers; i++)
		bench_worker_destroy(&run->workers[i]);
	bench_api_finish(&run->api);
	bench_files_close(&run->files);
	bench_target_finish(&run->target);
	bench_payload_finish(&run->setup.payload);
	bench_proof_finish(&run->setup.proof);
	tls_context_unref(&run->setup.tls);
	free(run->recorder);
	free(run->workers);
	free(run);
	return is_passed;
}
