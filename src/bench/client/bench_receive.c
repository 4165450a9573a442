/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_receive.h"

#include "base/clock.h"
#include "bench/load/bench_worker.h"

static struct bench_receipt *receipt_of(const struct bench_conn *conn)
{
	return &conn->worker->receipts[conn - conn->worker->conns];
}

static void latency_record(struct bench_worker *worker, uint64_t age_ns)
{
	hist_record(&worker->echo, age_ns);
	bench_latency_record(&worker->live_echo, age_ns);
}

void bench_receive_take(struct bench_conn *conn, struct slice message, uint64_t now_ns)
{
	struct bench_worker *worker = conn->worker;
	uint64_t wall_ns = clock_wall_ns();
	struct bench_stamp stamp;

	if (worker->first_received_ns == 0)
		worker->first_received_ns = now_ns;
	worker->last_received_ns = now_ns;
	bench_count(&worker->counters.received);
	/* From the future: the sender's clock is not ours. */
	if (!bench_stamp_read(message, &stamp) || stamp.sent_ns > wall_ns) {
		bench_count(&worker->counters.unstamped);
		return;
	}
	latency_record(worker, wall_ns - stamp.sent_ns);
	bench_receipt_count(receipt_of(conn), stamp.number, &worker->counters);
}

void bench_receive_renew(struct bench_conn *conn)
{
	if (conn->worker->receipts != NULL)
		*receipt_of(conn) = (struct bench_receipt){0};
}
