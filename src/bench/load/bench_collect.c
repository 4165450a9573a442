/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_collect.h"

#include <sys/resource.h>

#include "base/check.h"
#include "base/clock.h"

static void worker_collect(struct bench_result *result, const struct bench_worker *worker)
{
	bench_totals_add(&result->totals, &worker->counters);
	bench_causes_merge(&result->causes, &worker->causes);
	bench_causes_merge(&result->slow_ends, &worker->slow_ends);
	bench_causes_merge(&result->interruptions, &worker->interruptions);
	result->held_late += bench_worker_held_late(worker);
	hist_merge(&result->handshake, &worker->handshake);
	hist_merge(&result->echo, &worker->echo);
	for (size_t i = 0; i < BENCH_STEP_COUNT; i++)
		hist_merge(&result->steps[i], &worker->steps[i]);
	bench_packed_add(&result->packed, &worker->packing.counts);
	if (worker->tls_version != NULL) {
		result->tls_version = worker->tls_version;
		result->tls_suite = worker->tls_suite;
	}
	result->hold_cpu_s += (double)worker->hold_cpu_ns / (double)NS_PER_S;
}

static double seconds_between(uint64_t start_ns, uint64_t end_ns)
{
	return end_ns < start_ns ? 0 : (double)(end_ns - start_ns) / (double)NS_PER_S;
}

/* From the common start until the first worker began to close. */
static double hold_seconds(const struct bench_setup *setup, struct bench_worker *const *workers)
{
	uint64_t start_ns = workers[0]->hold_start_ns;
	uint64_t end_ns = UINT64_MAX;

	for (unsigned i = 0; i < setup->workers; i++)
		end_ns = MIN(end_ns, workers[i]->close_start_ns);
	return start_ns == 0 ? 0 : seconds_between(start_ns, end_ns);
}

/* From the start until the last connection that came up was up. */
static double connected_seconds(const struct bench_setup *setup,
				struct bench_worker *const *workers)
{
	uint64_t last_ns = 0;

	for (unsigned i = 0; i < setup->workers; i++)
		last_ns = MAX(last_ns, workers[i]->last_connected_ns);
	return seconds_between(setup->start_ns, last_ns);
}

/* From the first message that any worker received to the last. */
static double receive_seconds(const struct bench_setup *setup, struct bench_worker *const *workers)
{
	uint64_t first_ns = UINT64_MAX, last_ns = 0;

	for (unsigned i = 0; i < setup->workers; i++) {
		if (workers[i]->first_received_ns == 0)
			continue;
		first_ns = MIN(first_ns, workers[i]->first_received_ns);
		last_ns = MAX(last_ns, workers[i]->last_received_ns);
	}
	return seconds_between(first_ns, last_ns);
}

static double timeval_seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void bench_collect(const struct bench_setup *setup, struct bench_worker *const *workers,
		   struct bench_result *result)
{
	double traffic_s = (double)bench_options_traffic_ms(setup->options) / 1000;
	struct rusage usage;

	for (unsigned i = 0; i < setup->workers; i++)
		worker_collect(result, workers[i]);
	bench_causes_sort(&result->causes);
	bench_causes_sort(&result->slow_ends);
	bench_causes_sort(&result->interruptions);
	getrusage(RUSAGE_SELF, &usage);
	result->wanted = setup->options->connections;
	result->workers = setup->workers;
	result->has_traffic = bench_options_has_traffic(setup->options);
	result->is_receiver = setup->options->is_receiver;
	result->does_pack = setup->options->does_pack;
	result->does_reconnect = setup->options->does_reconnect;
	result->is_at_least_once = setup->options->is_at_least_once;
	result->does_resume = setup->options->does_resume;
	result->receive_s = receive_seconds(setup, workers);
	result->connected_s = connected_seconds(setup, workers);
	result->hold_s = hold_seconds(setup, workers);
	result->traffic_s = MIN(traffic_s, result->hold_s);
	result->started_s = (double)setup->start_ns / (double)NS_PER_S;
	result->total_s = seconds_between(setup->start_ns, clock_now_ns());
	result->cpu_user_s = timeval_seconds(usage.ru_utime);
	result->cpu_system_s = timeval_seconds(usage.ru_stime);
}
