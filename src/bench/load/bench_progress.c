/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_progress.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

#define TERMINAL_INTERVAL_NS (NS_PER_S / 2)
#define PLAIN_INTERVAL_NS    (3 * NS_PER_S)

void bench_progress_init(struct bench_progress *progress, FILE *to, uint64_t wanted,
			 uint64_t now_ns)
{
	*progress = (struct bench_progress){
		.to = to,
		.is_terminal = to != NULL && isatty(fileno(to)),
		.wanted = wanted,
		.start_ns = now_ns,
		.last_ns = now_ns,
	};
}

static double rate(uint64_t now, uint64_t before, uint64_t elapsed_ns)
{
	return elapsed_ns == 0 ? 0 : (double)(now - before) * (double)NS_PER_S / (double)elapsed_ns;
}

char *bench_progress_format(const struct bench_progress *progress, const char *phase,
			    const struct bench_totals *totals, uint64_t now_ns, char *out,
			    size_t size)
{
	const struct bench_totals *last = &progress->last;
	uint64_t elapsed_ns = now_ns - progress->last_ns;
	uint64_t held = bench_totals_open(totals);

	snprintf(out, size,
		 "%-10s  connected %" PRIu64 " of %" PRIu64 "  failed %" PRIu64
		 "  %.0f/s  held %" PRIu64 "  dropped %" PRIu64 "  received %.0f/s  %.1f s",
		 phase, totals->connected, progress->wanted, totals->failed,
		 rate(totals->connected, last->connected, elapsed_ns), held, totals->dropped,
		 rate(totals->received, last->received, elapsed_ns),
		 (double)(now_ns - progress->start_ns) / (double)NS_PER_S);
	return out;
}

/* A line that wraps cannot be rewritten. */
static void cut_to_width(FILE *terminal, char *line, size_t size)
{
	struct winsize window;

	if (ioctl(fileno(terminal), TIOCGWINSZ, &window) == 0 && window.ws_col > 1 &&
	    window.ws_col <= size)
		line[window.ws_col - 1] = 0;
}

static void print(struct bench_progress *progress, const char *phase,
		  const struct bench_totals *totals, uint64_t now_ns, bool is_final)
{
	char line[256];

	bench_progress_format(progress, phase, totals, now_ns, line, sizeof(line));
	if (progress->is_terminal)
		cut_to_width(progress->to, line, sizeof(line));
	if (progress->is_terminal)
		fprintf(progress->to, "\r\033[K%s%s", line, is_final ? "\n" : "");
	else
		fprintf(progress->to, "%s\n", line);
	fflush(progress->to);
	progress->last = *totals;
	progress->last_ns = now_ns;
}

void bench_progress_update(struct bench_progress *progress, const char *phase,
			   const struct bench_totals *totals, uint64_t now_ns)
{
	uint64_t interval_ns = progress->is_terminal ? TERMINAL_INTERVAL_NS : PLAIN_INTERVAL_NS;

	if (progress->to != NULL && now_ns - progress->last_ns >= interval_ns)
		print(progress, phase, totals, now_ns, false);
}

void bench_progress_phase_end(struct bench_progress *progress, const char *phase,
			      const struct bench_totals *totals, uint64_t now_ns)
{
	if (progress->to != NULL)
		print(progress, phase, totals, now_ns, true);
}
