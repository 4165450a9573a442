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

#define TICKET_ROWS(X)                                                                     \
	X("gatehouse_tickets", "gauge", waiting,                                           \
	  "Tickets that were made and are not used yet; at most admin.tickets_max.")       \
	X("gatehouse_tickets_made_total", "counter", made, "Tickets that the API made.")   \
	X("gatehouse_tickets_used_total", "counter", taken, "Of these, used.")             \
	X("gatehouse_tickets_expired_total", "counter", expired, "Of these, over unused.") \
	X("gatehouse_tickets_refused_total", "counter", refused,                           \
	  "Tickets that were not made, because admin.tickets_max waited.")                 \
	X("gatehouse_tickets_unknown_total", "counter", unknown,                           \
	  "Tickets that were shown and are used, over, or were never made here.")

static void tickets_write(const struct tickets_stats *stats, struct buf *out)
{
#define TICKET_WRITE(name, kind, field, help)      \
	metrics_print_head(out, name, kind, help); \
	PRINT(out, name " %" PRIu64 "\n", stats->field);
	TICKET_ROWS(TICKET_WRITE)
}

/* --- blocks --- */

#define BLOCK_ROWS(X)                                                                         \
	X("gatehouse_blocks", "gauge", count,                                                 \
	  "Clients and addresses that are kept out for a time; at most admin.blocks_max.")    \
	X("gatehouse_blocks_made_total", "counter", made,                                     \
	  "Blocks that the API of any node made, or made anew.")                              \
	X("gatehouse_blocks_removed_total", "counter", removed, "Blocks that it removed.")    \
	X("gatehouse_blocks_expired_total", "counter", expired, "Blocks that ended in time.") \
	X("gatehouse_blocks_refused_total", "counter", refused,                               \
	  "Blocks that were not made, because admin.blocks_max were there.")

static void blocks_write(const struct blocks_stats *stats, struct buf *out)
{
#define BLOCK_WRITE(name, kind, field, help)       \
	metrics_print_head(out, name, kind, help); \
	PRINT(out, name " %" PRIu64 "\n", stats->field);
	BLOCK_ROWS(BLOCK_WRITE)
}

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
	tickets_write(&stats, out);
	struct blocks_stats blocks;

	server_blocks_stats(server, &blocks);
	blocks_write(&blocks, out);
}

void metrics_proofs_print_reference(FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		fprintf(to, "| `%s` | %s | %s |\n", families[i].name, families[i].kind,
			families[i].help);
#define TICKET_PRINT(name, kind, field, help) fprintf(to, "| `" name "` | " kind " | " help " |\n");
	TICKET_ROWS(TICKET_PRINT)
#define BLOCK_PRINT(name, kind, field, help) fprintf(to, "| `" name "` | " kind " | " help " |\n");
	BLOCK_ROWS(BLOCK_PRINT)
}
