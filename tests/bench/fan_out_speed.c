/* SPDX-License-Identifier: Apache-2.0
 * fan_out_speed.c - what one message to many costs on the loop: copied or shared.
 *
 * Usage: fan_out_speed [MEMBERS [ROUNDS [PASSES]]]
 *
 * The members are sockets of a process of their own, which discards what comes. Each round
 * queues one message for every member, spread over turns as the gateway does, and waits until
 * the kernel has taken all of it. CPU is that of this process, user and kernel, for each
 * message delivered: the median of the passes, which take turns. "Behind": a short message of
 * the member's own is queued first in the same turn. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/shared_bytes.h"
#include "io/tcp.h"

#define TURN_VISITS_MAX 1024
#define TURN_BYTES_MAX  1048576
#define PASSES_MAX      99

struct bench {
	struct loop *loop;
	struct listener listener;
	struct tcp *members;
	size_t count;   /* of members */
	size_t arrived; /* of them, while they connect */
	size_t next;    /* to be delivered to in this round */
	size_t drained; /* in this round */
	unsigned rounds;
	struct shared_bytes *message;
	bool is_shared;
	bool is_behind;
	struct loop_task turn;
};

static struct bench *bench;

/* --- the members --- */

static void members_run(const struct net_addr *addr, size_t count)
{
	int epoll_fd = epoll_create1(0);
	static uint8_t bytes[262144];

	for (size_t i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

		CHECK(fd >= 0 && connect(fd, &addr->sa, net_addr_len(addr)) == 0);
		CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
	}
	for (;;) {
		struct epoll_event ready[256];
		int n = epoll_wait(epoll_fd, ready, ARRAY_LEN(ready), -1);

		for (int i = 0; i < n; i++)
			if (recv(ready[i].data.fd, bytes, sizeof(bytes), MSG_TRUNC) <= 0)
				_exit(0);
	}
}

static pid_t members_start(const struct net_addr *addr, size_t count)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		members_run(addr, count);
	}
	return pid;
}

/* --- rounds --- */

static void deliver(struct tcp *tcp)
{
	static const uint8_t own[64];
	const struct shared_bytes *message = bench->message;

	if (bench->is_behind)
		CHECK(tcp_write(tcp, own, sizeof(own)) == 0);
	CHECK((bench->is_shared ? tcp_write_shared(tcp, bench->message)
				: tcp_write(tcp, message->data, message->len)) == 0);
}

static void run_turn(struct loop_task *task)
{
	size_t bytes = 0;

	for (size_t i = 0; i < TURN_VISITS_MAX && bytes < TURN_BYTES_MAX; i++) {
		if (bench->next == bench->count)
			return;
		deliver(&bench->members[bench->next++]);
		bytes += bench->message->len;
	}
	loop_post(bench->loop, task);
}

static void round_start(void)
{
	bench->next = 0;
	bench->drained = 0;
	loop_post(bench->loop, &bench->turn);
}

static void on_drain(struct tcp *tcp)
{
	(void)tcp;
	if (++bench->drained < bench->count)
		return;
	if (--bench->rounds > 0)
		round_start();
	else
		loop_stop(bench->loop);
}

static void ignore_recv(struct tcp *tcp, uint8_t *data, size_t len)
{
	(void)tcp, (void)data, (void)len;
}

static void on_end(struct tcp *tcp)
{
	tcp_close(tcp);
}

static void on_error(struct tcp *tcp, int error)
{
	(void)error;
	tcp_close(tcp);
}

static void on_closed(struct tcp *tcp)
{
	(void)tcp;
	if (--bench->arrived == 0)
		loop_stop(bench->loop);
}

static const struct tcp_handler handler = {.on_recv = ignore_recv,
					   .on_eof = on_end,
					   .on_error = on_error,
					   .on_drain = on_drain,
					   .on_closed = on_closed};

static void on_accept(struct listener *listener, const struct tcp_accepted *accepted)
{
	tcp_adopt(&bench->members[bench->arrived++], listener->loop, accepted, &handler);
	if (bench->arrived == bench->count)
		loop_stop(bench->loop);
}

static void on_accept_error(struct listener *listener, int error)
{
	(void)listener;
	fprintf(stderr, "accept: %s; raise the descriptor limit (ulimit -n)\n", strerror(-error));
	exit(1);
}

static void on_listener_closed(struct listener *listener)
{
	(void)listener;
	loop_stop(bench->loop);
}

/* --- rows --- */

static double cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void rounds_run(unsigned rounds)
{
	bench->rounds = rounds;
	round_start();
	loop_run(bench->loop);
}

/* [us] for each message delivered. */
static double pass(unsigned rounds)
{
	rounds_run(1); /* buffers and windows grow */
	double before = cpu_us();

	rounds_run(rounds);
	return (cpu_us() - before) / ((double)rounds * (double)bench->count);
}

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

static void row(const char *engine, size_t len, bool is_behind, unsigned rounds, unsigned passes)
{
	double us[2][PASSES_MAX];

	bench->message = shared_bytes_create(len);
	memset(bench->message->data, 'x', len);
	bench->is_behind = is_behind;
	for (unsigned i = 0; i < passes; i++)
		for (int is_shared = 0; is_shared < 2; is_shared++) {
			bench->is_shared = is_shared;
			us[is_shared][i] = pass(rounds);
		}
	for (int is_shared = 0; is_shared < 2; is_shared++)
		qsort(us[is_shared], passes, sizeof(double), compare);
	printf("%-9s %8zu B %-7s copied %6.2f us  shared %6.2f us\n", engine, len,
	       is_behind ? "behind" : "", us[0][passes / 2], us[1][passes / 2]);
	fflush(stdout);
	shared_bytes_unref(&bench->message);
}

static void run_engine(enum loop_engine engine, size_t count, unsigned rounds, unsigned passes)
{
	static const size_t sizes[] = {64, 1024, 4096, 8192, 16384};
	struct net_addr addr;
	struct loop_options options = {.engine = engine, .max_sockets = (uint32_t)count + 16};

	bench = calloc(1, sizeof(*bench));
	bench->members = calloc(count, sizeof(struct tcp));
	bench->count = count;
	bench->turn.run = run_turn;
	bench->listener = (struct listener){.on_accept = on_accept,
					    .on_accept_error = on_accept_error,
					    .on_closed = on_listener_closed};
	CHECK(net_addr_parse(SLICE_LITERAL("127.0.0.1:0"), &addr) == NULL);
	int fd = listener_bind(&addr, true);
	pid_t pid = members_start(&addr, count);

	CHECK(loop_create(&options, &bench->loop) == 0);
	CHECK(listener_open(&bench->listener, bench->loop, fd) == 0);
	loop_run(bench->loop);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (int is_behind = 0; is_behind < 2; is_behind++)
			row(loop_engine_name(engine), sizes[i], is_behind, rounds, passes);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	loop_run(bench->loop);
	listener_close(&bench->listener);
	loop_run(bench->loop);
	loop_destroy(&bench->loop);
	free(bench->members);
	free(bench);
}

int main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
	unsigned passes = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;

	if (count == 0 || rounds == 0 || passes == 0 || passes > PASSES_MAX) {
		fprintf(stderr, "usage: fan_out_speed [MEMBERS [ROUNDS [PASSES, 1..%d]]]\n",
			PASSES_MAX);
		return 2;
	}
	run_engine(LOOP_ENGINE_EPOLL, count, rounds, passes);
	run_engine(LOOP_ENGINE_IO_URING, count, rounds, passes);
	return 0;
}
