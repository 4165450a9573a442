/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_batch.h"

#include "base/check.h"
#include "base/clock.h"

static const struct bench_setup *setup_of(const struct bench_batches *batches)
{
	return batches->workers[0]->setup;
}

static void release(struct bench_batches *batches)
{
	const struct bench_setup *setup = setup_of(batches);
	const struct bench_options *options = setup->options;
	uint64_t allowed = 0;

	batches->released = MIN(batches->released + options->batch, options->connections);
	for (unsigned i = 0; i < setup->workers; i++)
		allowed += bench_worker_release(batches->workers[i],
						bench_plan_released(options->connections,
								    setup->workers, i,
								    batches->released));
	batches->allowed = allowed;
	batches->due_ns = 0;
}

void bench_batches_init(struct bench_batches *batches, struct bench_worker **workers)
{
	*batches = (struct bench_batches){.workers = workers};
	if (setup_of(batches)->options->batch > 0)
		release(batches);
}

void bench_batches_step(struct bench_batches *batches, const struct bench_totals *totals,
			uint64_t now_ns)
{
	const struct bench_options *options = setup_of(batches)->options;

	if (options->batch == 0 || totals->connected + totals->failed < batches->allowed)
		return;
	if (batches->due_ns == 0)
		batches->due_ns = now_ns + options->batch_pause_ms * NS_PER_MS;
	if (now_ns >= batches->due_ns)
		release(batches);
}
