/* SPDX-License-Identifier: Apache-2.0
 * handover_speed.c - what it takes to hand streams to another process: handover_speed [STREAMS
 * [FROM [TO]]], engines being io_uring or epoll. Prints; judges nothing.
 *
 * Three processes: one has the streams, one takes them over, one has their peers. A third of the
 * streams is silent, a third speaks, a third is sealed. Of each step the processor's time is told
 * too, which is the same on a busy machine. */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "io/loop.h"
#include "io/tcp_handover.h"
#include "tls/tls_handover.h"
#include "tls/tls_records.h"
#include "tls/tls_stream_private.h"

#define BATCH    250 /* descriptors in a message: SCM_MAX_FD is 253 */
#define ROOMY    (UINT64_C(1) << 30)
#define FOR_EVER UINT64_MAX

struct stream {
	struct tcp tcp;
};

/* Of a step, so far. */
struct spent {
	uint64_t wall_ns, cpu_ns;
};

static uint64_t count = 9000;
static enum loop_engine from = LOOP_ENGINE_IO_URING, to = LOOP_ENGINE_IO_URING;
static uint64_t closed;

/* --- time --- */

static uint64_t cpu_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static struct spent spent_begin(void)
{
	return (struct spent){clock_now_ns(), cpu_now_ns()};
}

static void spent_add(struct spent *sum, const struct spent *began)
{
	sum->wall_ns += clock_now_ns() - began->wall_ns;
	sum->cpu_ns += cpu_now_ns() - began->cpu_ns;
}

static void spent_print(const char *step, const struct spent *spent)
{
	printf("  %-9s %7.1f ms, of the processor %7.1f\n", step, (double)spent->wall_ns / 1e6,
	       (double)spent->cpu_ns / 1e6);
	fflush(stdout);
}

/* --- what streams tell --- */

static void on_recv(struct tcp *tcp, uint8_t *data, size_t len)
{
	(void)tcp;
	(void)data;
	(void)len;
}

static void on_event(struct tcp *tcp)
{
	(void)tcp;
}

static void on_error(struct tcp *tcp, int error)
{
	(void)tcp;
	(void)error;
}

static void on_closed(struct tcp *tcp)
{
	if (++closed == count)
		loop_stop(tcp->loop);
}

static const struct tcp_handler handler = {.on_recv = on_recv,
					   .on_eof = on_event,
					   .on_error = on_error,
					   .on_drain = on_event,
					   .on_closed = on_closed};

static struct loop *loop_of(enum loop_engine engine)
{
	struct loop *loop;
	struct loop_options options = {.engine = engine, .max_sockets = (uint32_t)count + 16};
	int r = loop_create(&options, &loop);

	CHECK(r == 0);
	return loop;
}

static void on_tick(struct timer *timer)
{
	(void)timer;
}

static struct loop *ticking;

static void stop_at_tick(struct timer *timer)
{
	on_tick(timer);
	loop_stop(ticking);
}

static void run_for(struct loop *loop, uint64_t ns)
{
	struct timer timer;

	ticking = loop;
	loop_timer_init(&timer, stop_at_tick);
	loop_timer_start(loop, &timer, ns);
	loop_run(loop);
}

/* --- the peers --- */

static void peers_run(const struct sockaddr_in *at, int orders)
{
	int *fds = calloc(count, sizeof(*fds));
	char order;

	CHECK(fds != NULL);
	for (uint64_t i = 0; i < count; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(fds[i] >= 0 &&
		      connect(fds[i], (const struct sockaddr *)at, sizeof(*at)) == 0);
	}
	while (read(orders, &order, 1) == 1)
		for (uint64_t i = 0; i < count; i += 3)
			CHECK(send(fds[i], "0123456789", 10, MSG_NOSIGNAL) == 10);
	_exit(0);
}

/* --- who takes them over --- */

struct batch_head {
	uint32_t lens[BATCH]; /* [bytes] of the state of each */
};

static size_t batch_receive(int road, int *fds, uint8_t *bytes, size_t size, size_t *out_len)
{
	union {
		char data[CMSG_SPACE(BATCH * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec piece = {.iov_base = bytes, .iov_len = size};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = control.data,
				 .msg_controllen = sizeof(control.data)};
	ssize_t n = recvmsg(road, &message, MSG_CMSG_CLOEXEC);

	CHECK(n > 0 && !(message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)));
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	size_t fd_count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	memcpy(fds, CMSG_DATA(head), fd_count * sizeof(int));
	*out_len = (size_t)n;
	return fd_count;
}

static void taker_run(int road)
{
	static int fds[BATCH];
	static uint8_t bytes[400000];
	struct stream *streams = calloc(count, sizeof(*streams));
	struct loop *loop = loop_of(to);
	struct spent importing = {0}, thawing = {0};
	uint64_t taken = 0;
	char go = 1;

	CHECK(streams != NULL);
	while (taken < count) {
		struct batch_head head;
		size_t len, n = batch_receive(road, fds, bytes, sizeof(bytes), &len);
		const uint8_t *at = bytes + sizeof(head);
		struct spent began = spent_begin();

		memcpy(&head, bytes, sizeof(head));
		for (size_t i = 0; i < n; i++) {
			struct state_reader reader;

			state_reader_init(&reader, slice_of(at, head.lens[i]));
			CHECK(tcp_import(&streams[taken++].tcp, loop, fds[i], &handler, &reader) ==
			      0);
			at += head.lens[i];
		}
		CHECK(loop_settle(loop, FOR_EVER) == 0);
		spent_add(&importing, &began);
	}
	explicit_bzero(bytes, sizeof(bytes));
	CHECK(write(road, &go, 1) == 1 && read(road, &go, 1) == 1);
	struct spent began = spent_begin();

	for (uint64_t i = 0; i < count; i++)
		tcp_thaw(&streams[i].tcp);
	run_for(loop, 0);
	spent_add(&thawing, &began);
	CHECK(write(road, &go, 1) == 1);
	spent_print("import", &importing);
	spent_print("thaw", &thawing);
	run_for(loop, 200 * NS_PER_MS);
	_exit(0);
}

/* --- who has them --- */

/* A state as if it had come from elsewhere: the only way to a sealed stream without a handshake. */
static void state_make(struct buf *out, bool is_sealed)
{
	static const uint8_t secrets[3 * 48];
	struct state_writer writer;

	state_writer_init(&writer, out, ROOMY);
	state_put_flag(&writer, 1, true); /* it reads */
	if (!is_sealed)
		return;
	struct tls_crypt *crypt = tls_crypt_create();
	struct tls_stream stream = {.is_server = true, .is_ready = true};

	CHECK(crypt != NULL);
	stream.records = tls_records_create(crypt, &(struct tls_agreed){
							   .suite = tls_suite_find(0x1302),
							   .is_server = true,
							   .client_secret = secrets,
							   .server_secret = secrets,
						   });
	CHECK(stream.records != NULL);
	size_t record = state_begin(&writer, 5);

	CHECK(tls_stream_export(&stream, &writer) == 0);
	state_end(&writer, record);
	tls_records_destroy(&stream.records);
	tls_crypt_destroy(&crypt);
}

static struct stream *streams_open(struct loop *loop, int listening)
{
	struct stream *streams = calloc(count, sizeof(*streams));
	struct buf plain = {0}, sealed = {0};

	state_make(&plain, false);
	state_make(&sealed, true);
	for (uint64_t i = 0; i < count; i++) {
		int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
		struct state_reader reader;

		CHECK(fd >= 0);
		state_reader_init(&reader, buf_slice(i % 3 == 1 ? &sealed : &plain));
		CHECK(tcp_import(&streams[i].tcp, loop, fd, &handler, &reader) == 0);
		if (i % BATCH == 0)
			CHECK(loop_settle(loop, FOR_EVER) == 0);
	}
	CHECK(loop_settle(loop, FOR_EVER) == 0);
	for (uint64_t i = 0; i < count; i++)
		tcp_thaw(&streams[i].tcp);
	buf_finish(&plain);
	buf_finish(&sealed);
	return streams;
}

static void batch_send(int road, const int *fds, size_t fd_count, const struct batch_head *head,
		       struct slice bytes)
{
	union {
		char data[CMSG_SPACE(BATCH * sizeof(int))];
		struct cmsghdr align;
	} control = {.data = ""};
	struct iovec pieces[] = {{.iov_base = (void *)(uintptr_t)head, .iov_len = sizeof(*head)},
				 {.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.len}};
	struct msghdr message = {.msg_iov = pieces,
				 .msg_iovlen = 2,
				 .msg_control = control.data,
				 .msg_controllen = CMSG_SPACE(fd_count * sizeof(int))};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
	memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
	CHECK(sendmsg(road, &message, MSG_NOSIGNAL) > 0);
}

struct steps {
	struct spent export, take, send;
	uint64_t bytes;
};

static void streams_give(struct stream *streams, int road, struct steps *steps)
{
	static int fds[BATCH];

	for (uint64_t i = 0; i < count; i += BATCH) {
		size_t n = (size_t)MIN(count - i, (uint64_t)BATCH);
		struct batch_head head = {.lens = {0}};
		struct buf buf = {0};
		struct state_writer writer;
		struct spent began = spent_begin();

		state_writer_init(&writer, &buf, ROOMY);
		for (size_t j = 0; j < n; j++) {
			size_t before = buf.len;

			CHECK(tcp_export(&streams[i + j].tcp, &writer) == 0);
			head.lens[j] = (uint32_t)(buf.len - before);
		}
		spent_add(&steps->export, &began);
		began = spent_begin();

		for (size_t j = 0; j < n; j++) {
			fds[j] = tcp_take_fd(&streams[i + j].tcp);
			CHECK(fds[j] >= 0);
		}
		spent_add(&steps->take, &began);
		began = spent_begin();

		batch_send(road, fds, n, &head, buf_slice(&buf));
		for (size_t j = 0; j < n; j++)
			close(fds[j]);
		steps->bytes += buf.len;
		state_wipe(&buf);
		spent_add(&steps->send, &began);
	}
}

static void giver_run(int listening, int road, int orders)
{
	struct loop *loop = loop_of(from);
	struct stream *streams = streams_open(loop, listening);
	struct steps steps = {0};
	char go = 1;

	for (unsigned i = 0; i < 5; i++) { /* a third of them is active */
		CHECK(write(orders, &go, 1) == 1);
		run_for(loop, 300 * NS_PER_MS);
	}
	struct spent freezing = {0}, forgetting = {0}, silence = {0};
	struct spent began = spent_begin(), froze = began;

	for (uint64_t i = 0; i < count; i++)
		tcp_freeze(&streams[i].tcp);
	CHECK(loop_settle(loop, FOR_EVER) == 0);
	spent_add(&freezing, &began);
	streams_give(streams, road, &steps);
	CHECK(read(road, &go, 1) == 1 && write(road, &go, 1) == 1 && read(road, &go, 1) == 1);
	spent_add(&silence, &froze);
	began = spent_begin();
	for (uint64_t i = 0; i < count; i++)
		tcp_forget(&streams[i].tcp);
	loop_run(loop);
	spent_add(&forgetting, &began);
	spent_print("freeze", &freezing);
	spent_print("export", &steps.export);
	spent_print("take", &steps.take);
	spent_print("send", &steps.send);
	spent_print("forget", &forgetting);
	printf("  silence   %7.1f ms, %.0f bytes of state each\n", (double)silence.wall_ns / 1e6,
	       (double)steps.bytes / (double)count);
}

static enum loop_engine engine_of(const char *name)
{
	return strcmp(name, "epoll") == 0 ? LOOP_ENGINE_EPOLL : LOOP_ENGINE_IO_URING;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), roads[2], orders[2];

	count = argc > 1 ? strtoull(argv[1], NULL, 10) : count;
	from = argc > 2 ? engine_of(argv[2]) : from;
	to = argc > 3 ? engine_of(argv[3]) : to;
	CHECK(bind(listening, (const struct sockaddr *)&at, len) == 0 &&
	      listen(listening, 4096) == 0 &&
	      getsockname(listening, (struct sockaddr *)&at, &len) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, roads) == 0 &&
	      pipe(orders) == 0);
	for (int i = 0, most = 4 << 20; i < 2; i++)
		setsockopt(roads[i], SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
	printf("%lu streams, %s to %s\n", (unsigned long)count, loop_engine_name(from),
	       loop_engine_name(to));
	fflush(stdout);
	pid_t peers = fork();

	if (peers == 0) {
		close(orders[1]);
		peers_run(&at, orders[0]);
	}
	pid_t taker = fork();

	if (taker == 0) {
		close(roads[0]);
		close(orders[1]);
		taker_run(roads[1]);
	}
	close(roads[1]);
	giver_run(listening, roads[0], orders[1]);
	waitpid(taker, NULL, 0);
	close(orders[1]);
	waitpid(peers, NULL, 0);
	return 0;
}
