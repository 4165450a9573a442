/* SPDX-License-Identifier: Apache-2.0
 * metrics_tls.c - TLS: handshakes, what became of them, connections, certificates. */
#include "admin/admin.h"
#include "base/check.h"
#include "base/counter.h"
#include "base/metrics_text.h"
#include "io/tcp_tls.h"

/* Of struct tls_stats. */
static const struct metrics_number numbers[] = {
	{"gatehouse_tls_handshakes_under_way", "gauge",
	 "TLS handshakes under way now; at most server.tls_handshakes_max.",
	 offsetof(struct tls_stats, shaking)},
	{"gatehouse_tls_handshakes_waiting", "gauge",
	 "Clients that wait for a handshake to begin: for tls_handshakes_max, or "
	 "tls_handshake_rate.",
	 offsetof(struct tls_stats, waiting)},
	{"gatehouse_tls_connections", "gauge", "Connections with a complete TLS handshake.",
	 offsetof(struct tls_stats, secured)},
	{"gatehouse_tls_connections_attached", "gauge",
	 "Of these, those that keep their OpenSSL object, about 14 KB: tls.detach is off, or "
	 "their suite is none that can be let go.",
	 offsetof(struct tls_stats, attached)},
	{"gatehouse_tls_truncated_total", "counter",
	 "TLS connections whose client ended them without close_notify: it was cut, or is "
	 "careless.",
	 offsetof(struct tls_stats, truncated)},
};

/* One number with a label each, several of one name in a row. */
static const struct tls_sample {
	const char *name;
	const char *help; /* NULL: it is of the name before */
	const char *labels;
	size_t number;
} samples[] = {
	{"gatehouse_tls_handshakes_total",
	 "TLS handshakes completed: in full, or resumed by a session ticket, which costs a "
	 "fraction. Few resumed when a fleet comes back: its nodes share no ticket_key_file.",
	 "kind=\"full\"", offsetof(struct tls_stats, handshakes_full)},
	{"gatehouse_tls_handshakes_total", NULL, "kind=\"resumed\"",
	 offsetof(struct tls_stats, handshakes_resumed)},
	{"gatehouse_tls_versions_total", "The same, by version.", "version=\"1.2\"",
	 offsetof(struct tls_stats, handshakes_tls12)},
	{"gatehouse_tls_versions_total", NULL, "version=\"1.3\"",
	 offsetof(struct tls_stats, handshakes_tls13)},
	{"gatehouse_tls_waited_total",
	 "Handshakes that had to wait, by the limit. Rising: a storm, or the limit is low.",
	 "limit=\"tls_handshakes_max\"", offsetof(struct tls_stats, waited_for_place)},
	{"gatehouse_tls_waited_total", NULL, "limit=\"tls_handshake_rate\"",
	 offsetof(struct tls_stats, waited_for_rate)},
	{"gatehouse_tls_alerts_total", "TLS alerts that end a connection.", "direction=\"sent\"",
	 offsetof(struct tls_stats, alerts_sent)},
	{"gatehouse_tls_alerts_total", NULL, "direction=\"received\"",
	 offsetof(struct tls_stats, alerts_received)},
};

#define SUITES "gatehouse_tls_suites_total"
#define SUITES_HELP                                                                        \
	"TLS handshakes completed, by suite, as IANA names it. TLS_RSA_WITH_...: clients " \
	"without forward secrecy, whose traffic whoever gets the certificate's key can read."

#define FAILURES "gatehouse_tls_failures_total"
#define FAILURES_HELP                                                                         \
	"TLS connections that failed, by cause (docs/tls.md); the log has a sample of them. " \
	"cause=version: older than TLS 1.2, or than min_version."

#define EXPIRY "gatehouse_certificate_expiry_timestamp_seconds"
#define EXPIRY_HELP                                                                         \
	"When the first certificate of each listener with TLS ends, since the epoch. Less " \
	"time() it is what is left."

static void suites_write(const struct tls_stats *stats, struct buf *out)
{
	metrics_print_head(out, SUITES, "counter", SUITES_HELP);
	for (size_t i = 0; i < TLS_SUITE_PLACES; i++)
		PRINT(out, SUITES "{suite=\"%s\"} %" PRIu64 "\n", tls_suite_label(i),
		      stats->suites[i]);
}

static void failures_write(const struct tls_stats *stats, struct buf *out)
{
	metrics_print_head(out, FAILURES, "counter", FAILURES_HELP);
	for (unsigned i = 0; i < TLS_TROUBLE_COUNT; i++)
		PRINT(out, FAILURES "{cause=\"%s\"} %" PRIu64 "\n", tls_trouble_label(i),
		      stats->failures[i]);
}

static void expiry_write(const struct server *server, struct buf *out)
{
	char listener[160];
	int64_t expires_at;

	metrics_print_head(out, EXPIRY, "gauge", EXPIRY_HELP);
	for (size_t i = 0; server_certificate(server, i, listener, sizeof(listener), &expires_at);
	     i++)
		PRINT(out, EXPIRY "{listener=\"%s\"} %" PRId64 "\n", listener, expires_at);
}

void metrics_tls_write(const struct server *server, struct buf *out)
{
	struct tls_stats stats;

	server_tls_stats(server, &stats);
	metrics_print_numbers(out, numbers, ARRAY_LEN(numbers), &stats);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		if (samples[i].help != NULL)
			metrics_print_head(out, samples[i].name, "counter", samples[i].help);
		PRINT(out, "%s{%s} %" PRIu64 "\n", samples[i].name, samples[i].labels,
		      counter_at(&stats, samples[i].number));
	}
	suites_write(&stats, out);
	failures_write(&stats, out);
	expiry_write(server, out);
}

void metrics_tls_print_reference(FILE *to)
{
	metrics_print_number_rows(to, numbers, ARRAY_LEN(numbers));
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		if (samples[i].help != NULL)
			fprintf(to, "| `%s` | counter | %s |\n", samples[i].name, samples[i].help);
	fputs("| `" SUITES "` | counter | " SUITES_HELP " |\n", to);
	fputs("| `" FAILURES "` | counter | " FAILURES_HELP " |\n", to);
	fputs("| `" EXPIRY "` | gauge | " EXPIRY_HELP " |\n", to);
}
