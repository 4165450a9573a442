/* SPDX-License-Identifier: Apache-2.0
 * metrics_renewals.c - how often files were read again, by what is in them. */
#include <string.h>

#include "admin/admin.h"
#include "base/check.h"
#include "base/metrics_text.h"
#include "base/renewals.h"

#define TOTAL "gatehouse_renewals_total"
#define TOTAL_HELP                                                                              \
	"Times that files were read again because they changed, or the configuration was, by "  \
	"what "                                                                                 \
	"they are. outcome=failed: what was read before stays in use; the log and /health say " \
	"why."
#define FAILING "gatehouse_renewals_failing"
#define FAILING_HELP \
	"Sets of files whose last renewal failed. Not 0: mend them before what is in use ends."

#define KINDS_MAX 16

/* All sets of one kind. */
struct kind {
	const char *what;
	uint64_t renewed, failed, failing;
};

struct sums {
	struct kind kinds[KINDS_MAX];
	size_t count;
};

static void add(void *arg, const struct renewal_state *state)
{
	struct sums *sums = arg;
	size_t i = 0;

	while (i < sums->count && strcmp(sums->kinds[i].what, state->what) != 0)
		i++;
	CHECK(i < KINDS_MAX);
	if (i == sums->count)
		sums->kinds[sums->count++] = (struct kind){.what = state->what};
	sums->kinds[i].renewed += state->renewed;
	sums->kinds[i].failed += state->failed;
	sums->kinds[i].failing += state->error != NULL;
}

void metrics_renewals_write(struct renewals *renewals, struct buf *out)
{
	struct sums sums = {0};

	renewals_each(renewals, add, &sums);
	metrics_print_head(out, TOTAL, "counter", TOTAL_HELP);
	for (size_t i = 0; i < sums.count; i++) {
		const struct kind *kind = &sums.kinds[i];

		PRINT(out, TOTAL "{what=\"%s\",outcome=\"renewed\"} %" PRIu64 "\n", kind->what,
		      kind->renewed);
		PRINT(out, TOTAL "{what=\"%s\",outcome=\"failed\"} %" PRIu64 "\n", kind->what,
		      kind->failed);
	}
	metrics_print_head(out, FAILING, "gauge", FAILING_HELP);
	for (size_t i = 0; i < sums.count; i++)
		PRINT(out, FAILING "{what=\"%s\"} %" PRIu64 "\n", sums.kinds[i].what,
		      sums.kinds[i].failing);
}

void metrics_renewals_print_reference(FILE *to)
{
	fputs("| `" TOTAL "` | counter | " TOTAL_HELP " |\n", to);
	fputs("| `" FAILING "` | gauge | " FAILING_HELP " |\n", to);
}
