/* SPDX-License-Identifier: Apache-2.0
 * metrics_proofs.c - numbers of what clients prove themselves with: keys of tokens, by where they
 * come from, and tickets; and of who is kept out whatever it shows. */
#include <stdio.h>

#include "admin/admin.h"
#include "auth/jwks.h"
#include "auth/tickets.h"
#include "base/metrics_text.h"
#include "session/blocks.h"

/* --- keys of tokens --- */

static void keys(struct buf *out, const struct jwks_status *status)
{
	PRINT(out, "gatehouse_jwks_keys{jwks=\"%s\"} %zu\n", status->name, status->keys);
}

static void age(struct buf *out, const struct jwks_status *status)
{
	if (status->keys > 0)
		PRINT(out, "gatehouse_jwks_age_seconds{jwks=\"%s\"} %.3f\n", status->name,
		      (double)status->age_ms / 1000);
}

static void waiting(struct buf *out, const struct jwks_status *status)
{
	PRINT(out, "gatehouse_jwks_waiting{jwks=\"%s\"} %zu\n", status->name, status->waiting);
}

static void fetches(struct buf *out, const struct jwks_status *status)
{
	for (unsigned i = 0; i < JWKS_OUTCOME_COUNT; i++)
		PRINT(out, "gatehouse_jwks_fetches_total{jwks=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
		      status->name, jwks_outcome_label(i), status->counts[i]);
}

#define OUTCOME_HELP(NAME, label, help) label " (" help "); "

static const struct jwks_family {
	const char *name, *kind, *help;
	void (*write)(struct buf *out, const struct jwks_status *status);
} families[] = {
	{"gatehouse_jwks_keys", "gauge",
	 "Keys of a source that tokens are verified with. 0: no token is accepted.", keys},
	{"gatehouse_jwks_age_seconds", "gauge", "Since they were loaded.", age},
	{"gatehouse_jwks_waiting", "gauge",
	 "Clients whose token names a key that is not there, and who wait for a fetch that is "
	 "under "
	 "way; at most 256.",
	 waiting},
	{"gatehouse_jwks_fetches_total", "counter",
	 "Fetches of a URL, and readings of a file, by outcome: " JWKS_OUTCOME_TABLE(
		 OUTCOME_HELP) "the keys from before stay.",
	 fetches},
};

struct page {
	struct buf *out;
	const struct jwks_family *family;
};

static void write_one(void *arg, const struct jwks_status *status)
{
	struct page *page = arg;

	page->family->write(page->out, status);
}

/* --- tickets --- */

static const struct metrics_number tickets[] = {
	{"gatehouse_tickets", "gauge",
	 "Tickets that were made and are not used yet; at most admin.tickets_max.",
	 offsetof(struct tickets_stats, waiting)},
	{"gatehouse_tickets_made_total", "counter", "Tickets that the API made.",
	 offsetof(struct tickets_stats, made)},
	{"gatehouse_tickets_used_total", "counter", "Of these, used.",
	 offsetof(struct tickets_stats, taken)},
	{"gatehouse_tickets_expired_total", "counter", "Of these, over unused.",
	 offsetof(struct tickets_stats, expired)},
	{"gatehouse_tickets_refused_total", "counter",
	 "Tickets that were not made, because admin.tickets_max waited.",
	 offsetof(struct tickets_stats, refused)},
	{"gatehouse_tickets_unknown_total", "counter",
	 "Tickets that were shown and are used, over, or were never made here.",
	 offsetof(struct tickets_stats, unknown)},
};

/* --- blocks --- */

static const struct metrics_number blocked[] = {
	{"gatehouse_blocks", "gauge",
	 "Clients and addresses that are kept out for a time; at most admin.blocks_max.",
	 offsetof(struct blocks_stats, count)},
	{"gatehouse_blocks_made_total", "counter",
	 "Blocks that the API of any node made, or made anew.",
	 offsetof(struct blocks_stats, made)},
	{"gatehouse_blocks_removed_total", "counter", "Blocks that it removed.",
	 offsetof(struct blocks_stats, removed)},
	{"gatehouse_blocks_expired_total", "counter", "Blocks that ended in time.",
	 offsetof(struct blocks_stats, expired)},
	{"gatehouse_blocks_refused_total", "counter",
	 "Blocks that were not made, because admin.blocks_max were there.",
	 offsetof(struct blocks_stats, refused)},
};

/* --- all --- */

void metrics_proofs_write(const struct server *server, struct buf *out)
{
	struct tickets_stats stats;

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct page page = {.out = out, .family = &families[i]};

		metrics_print_head(out, families[i].name, families[i].kind, families[i].help);
		jwks_pool_each(server_jwks(server), write_one, &page);
	}
	tickets_stats(server_tickets(server), &stats);
	metrics_print_numbers(out, tickets, ARRAY_LEN(tickets), &stats);
	struct blocks_stats blocks;

	server_blocks_stats(server, &blocks);
	metrics_print_numbers(out, blocked, ARRAY_LEN(blocked), &blocks);
}

void metrics_proofs_print_reference(FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		fprintf(to, "| `%s` | %s | %s |\n", families[i].name, families[i].kind,
			families[i].help);
	metrics_print_number_rows(to, tickets, ARRAY_LEN(tickets));
	metrics_print_number_rows(to, blocked, ARRAY_LEN(blocked));
}
