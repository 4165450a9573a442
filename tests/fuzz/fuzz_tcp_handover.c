/* SPDX-License-Identifier: Apache-2.0
 * fuzz_tcp_handover.c - any bytes as the state of a stream, of a socket that is there: what is
 * taken for one can be exported again, goes on on a loop, sends exactly what waited, and ends. */
#include "fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/tcp_handover.h"
#include "io/tcp_tls.h"

#define ROOMY 1000000

struct stream {
	struct tcp tcp;
	bool is_closed;
};

static struct loop *loop;

static void on_recv(struct tcp *tcp, uint8_t *data, size_t len)
{
	(void)data;
	CHECK(len > 0);
	loop_stop(tcp->loop);
}

static void on_end(struct tcp *tcp)
{
	loop_stop(tcp->loop);
}

static void on_error(struct tcp *tcp, int error)
{
	CHECK(error < 0);
	loop_stop(tcp->loop);
}

static void on_closed(struct tcp *tcp)
{
	CONTAINER_OF(tcp, struct stream, tcp)->is_closed = true;
	loop_stop(tcp->loop);
}

static const struct tcp_handler handler = {
	.on_recv = on_recv,
	.on_eof = on_end,
	.on_error = on_error,
	.on_drain = on_end,
	.on_closed = on_closed,
};

static bool import(struct stream *stream, int fd, struct slice bytes)
{
	uint8_t *exact = fuzz_copy(bytes.data, bytes.len);
	struct state_reader reader;

	*stream = (struct stream){.is_closed = false};
	state_reader_init(&reader, slice_of(exact, bytes.len));
	int r = tcp_import(&stream->tcp, loop, fd, &handler, &reader);

	CHECK(r == 0 || r == -EPROTO);
	free(exact);
	return r == 0;
}

static struct buf exported(struct stream *stream)
{
	struct buf buf = {0};
	struct state_writer writer;

	state_writer_init(&writer, &buf, ROOMY);
	CHECK(tcp_export(&stream->tcp, &writer) == 0);
	return buf;
}

static void on_tick(struct timer *timer)
{
	(void)timer;
	loop_stop(loop);
}

static void turns(unsigned count)
{
	struct timer tick;

	loop_timer_init(&tick, on_tick);
	for (; count > 0; count--) {
		loop_timer_start(loop, &tick, 0);
		loop_run(loop);
	}
	loop_timer_stop(loop, &tick);
}

static void close_and_wait(struct stream *stream, void (*how)(struct tcp *tcp))
{
	how(&stream->tcp);
	while (!stream->is_closed)
		loop_run(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream stream, copy;
	int fds[2], other;

	if (size > 60000) /* the socket takes it at once */
		return 0;
	if (loop == NULL)
		CHECK(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &loop) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	if (!import(&stream, fds[0], slice_of(data, size))) {
		CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
		return 0;
	}
	size_t queued = tcp_queued(&stream.tcp);
	struct buf first = exported(&stream);

	other = dup(fds[0]);
	CHECK(other >= 0 && import(&copy, other, buf_slice(&first)));
	struct buf second = exported(&copy);

	CHECK(slice_equals(buf_slice(&first), buf_slice(&second)));
	CHECK(tcp_queued(&copy.tcp) == queued);
	close_and_wait(&copy, tcp_forget);
	CHECK(send(fds[1], "hello", 5, MSG_NOSIGNAL) == 5);
	bool is_plain = !tcp_is_sealed(&stream.tcp);

	tcp_thaw(&stream.tcp);
	turns(3);
	static uint8_t got[200000];
	ssize_t len = recv(fds[1], got, sizeof(got), MSG_DONTWAIT);

	CHECK(!is_plain || queued == 0 || len == (ssize_t)queued);
	close_and_wait(&stream, tcp_close);
	close(fds[1]);
	state_wipe(&first);
	state_wipe(&second);
	return 0;
}
