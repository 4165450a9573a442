/* SPDX-License-Identifier: Apache-2.0
 * webhook_speed.c - what a webhook call costs, against the shortest HTTP server.
 *
 * Usage: webhook_speed [CALLS]
 *
 * The server is a process of its own that answers every request with 200 and two bytes. Each
 * row is one number of calls in flight; every call that ends starts the next. CPU is that of
 * this process, user and kernel: the thread that starts the calls and the webhook's. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "webhook/webhook.h"

#define BODY_LEN 128
#define FDS_MAX  1024

/* --- the server --- */

static struct {
	char bytes[4096];
	size_t len;
} requests[FDS_MAX];

/* False: the connection is over. */
static bool serve(int fd)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	char *bytes = requests[fd].bytes;
	ssize_t n = recv(fd, bytes + requests[fd].len,
			 sizeof(requests[fd].bytes) - requests[fd].len, 0);

	if (n <= 0)
		return false;
	requests[fd].len += (size_t)n;
	const char *end = memmem(bytes, requests[fd].len, "\r\n\r\n", 4);

	if (end == NULL || requests[fd].len < (size_t)(end - bytes) + 4 + BODY_LEN)
		return true;
	requests[fd].len = 0;
	return send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0;
}

static void server_run(int listen_fd)
{
	int epoll_fd = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listen_fd};
	int one = 1;

	CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) == 0);
	for (;;) {
		struct epoll_event ready[64];
		int count = epoll_wait(epoll_fd, ready, ARRAY_LEN(ready), -1);

		for (int i = 0; i < count; i++) {
			int fd = ready[i].data.fd;

			if (fd != listen_fd) {
				if (!serve(fd))
					close(fd);
				continue;
			}
			fd = accept(listen_fd, NULL, NULL);
			CHECK(fd >= 0 && fd < FDS_MAX);
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			requests[fd].len = 0;
			event = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
			CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
		}
	}
}

static pid_t server_start(uint16_t *out_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 1024) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		server_run(fd);
	}
	close(fd);
	*out_port = ntohs(addr.sin_port);
	return pid;
}

/* --- the calls --- */

struct run {
	struct webhook *webhook;
	uint64_t to_start;
	uint64_t done;
	uint64_t wanted;
};

struct run_call {
	struct webhook_call call;
	struct run *run;
};

static void on_done(struct webhook_call *call)
{
	struct run *run = CONTAINER_OF(call, struct run_call, call)->run;

	if (call->outcome != WEBHOOK_OK) {
		fprintf(stderr, "webhook_speed: %s\n", call->error);
		exit(1);
	}
	if (++run->done == run->wanted)
		loop_stop(call->loop);
	if (run->to_start > 0) {
		run->to_start--;
		CHECK(webhook_start(run->webhook, call) == 0);
	}
}

static double cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void run_calls(struct loop *loop, struct run *run, struct run_call *calls,
		      uint32_t in_flight, uint64_t count)
{
	run->done = 0;
	run->wanted = count;
	run->to_start = count - in_flight;
	for (uint32_t i = 0; i < in_flight; i++)
		CHECK(webhook_start(run->webhook, &calls[i].call) == 0);
	loop_run(loop);
}

static void measure(struct loop *loop, const char *url, uint32_t in_flight, uint64_t count)
{
	static const char *const secrets[] = {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
	static const uint8_t body[BODY_LEN];
	static const struct webhook_header headers[] = {
		{SLICE_LITERAL("ce-specversion"), SLICE_LITERAL("1.0")},
		{SLICE_LITERAL("ce-type"), SLICE_LITERAL("gatehouse.client.message")},
		{SLICE_LITERAL("ce-source"), SLICE_LITERAL("/routes/ws")},
		{SLICE_LITERAL("ce-subject"), SLICE_LITERAL("client-000001")},
	};
	struct webhook_options options = {
		.url = url,
		.secrets = secrets,
		.secret_count = 1,
		.connect_timeout_ms = 5000,
		.timeout_ms = 5000,
		.max_in_flight = in_flight,
		.max_response_bytes = 4096,
		.breaker_probes = 1,
	};
	struct run_call *calls = calloc(in_flight, sizeof(*calls));
	struct run run = {0};
	char error[256];

	if (webhook_create(&options, &run.webhook, error, sizeof(error)) < 0) {
		fprintf(stderr, "webhook_speed: %s\n", error);
		exit(1);
	}
	for (uint32_t i = 0; i < in_flight; i++)
		calls[i] = (struct run_call){
			.run = &run,
			.call = {.loop = loop,
				 .on_done = on_done,
				 .event_id = SLICE_LITERAL("01JD0Z9GQ8T4V6W2X3Y5"),
				 .body = {body, BODY_LEN},
				 .headers = headers,
				 .header_count = ARRAY_LEN(headers),
				 .may_retry = true},
		};
	run_calls(loop, &run, calls, in_flight, 2 * (uint64_t)in_flight); /* connects */
	double cpu = cpu_us();
	uint64_t start = clock_now_ns();

	run_calls(loop, &run, calls, in_flight, count);
	double seconds = (double)(clock_now_ns() - start) / 1e9;

	cpu = cpu_us() - cpu;
	printf("%9u  %8.0f calls/s  %6.1f us CPU per call\n", in_flight, (double)count / seconds,
	       cpu / (double)count);
	fflush(stdout);
	webhook_destroy(&run.webhook, 1000);
	for (uint32_t i = 0; i < in_flight; i++)
		webhook_call_release(&calls[i].call);
	free(calls);
}

int main(int argc, char **argv)
{
	static const uint32_t in_flight[] = {1, 4, 16, 64, 256};
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 50000;
	struct loop *loop;
	uint16_t port;
	char url[64];

	if (count < 256) {
		fprintf(stderr, "Usage: webhook_speed [CALLS, from 256]\n");
		return 2;
	}
	pid_t server = server_start(&port);

	CHECK(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &loop) == 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/events", port);
	printf("in flight\n");
	for (size_t i = 0; i < ARRAY_LEN(in_flight); i++)
		measure(loop, url, in_flight[i], count);
	loop_destroy(&loop);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
