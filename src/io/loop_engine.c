/* SPDX-License-Identifier: Apache-2.0
 * loop_engine.c - which engine a loop has: the only file that knows both. */
#include <errno.h>

#include "io/loop_private.h"
#include "io/tcp_handover.h"

static const struct engine *engine_of(enum loop_engine engine)
{
	CHECK(engine == LOOP_ENGINE_IO_URING || engine == LOOP_ENGINE_EPOLL);
	return engine == LOOP_ENGINE_IO_URING ? &engine_io_uring : &engine_epoll;
}

const char *loop_engine_name(enum loop_engine engine)
{
	return engine == LOOP_ENGINE_AUTO ? "auto" : engine_of(engine)->name;
}

static const char *refusal_explain(int error)
{
	switch (error) {
	case -ENOSYS:
		return "this kernel has no io_uring, or a seccomp filter hides it";
	case -EPERM:
	case -EACCES:
		return "io_uring is forbidden here (seccomp, as in most containers, or "
		       "kernel.io_uring_disabled)";
	case -ENOMEM:
		return "io_uring may not lock enough memory (raise memlock)";
	case -EMFILE:
	case -ENFILE:
		return "no descriptor is left for a ring (raise nofile)";
	default:
		return "this kernel's io_uring lacks what Gatehouse needs (Linux 6.0 or newer)";
	}
}

int loop_engine_choose(enum loop_engine wanted, enum loop_engine *out_engine,
		       const char **out_reason)
{
	if (wanted == LOOP_ENGINE_EPOLL) {
		*out_engine = wanted;
		*out_reason = "configured";
		return 0;
	}
	int r = engine_io_uring_probe();

	if (wanted == LOOP_ENGINE_IO_URING) {
		*out_engine = wanted;
		*out_reason = r == 0 ? "configured" : refusal_explain(r);
		return r;
	}
	*out_engine = r == 0 ? LOOP_ENGINE_IO_URING : LOOP_ENGINE_EPOLL;
	*out_reason = r == 0 ? "a trial ring worked" : refusal_explain(r);
	return 0;
}

int loop_engine_can_hand_over(enum loop_engine engine)
{
	return engine_of(engine)->can_hand_over();
}

int loop_create(const struct loop_options *options, struct loop **out_loop)
{
	struct loop *loop;
	int r = engine_of(options->engine)->create(options, &loop);

	if (r < 0)
		return r;
	loop->lags = options->lags;
	if (options->tls != NULL)
		loop->tls = options->tls;
	r = loop_open(loop);
	if (r < 0) {
		loop->engine->destroy(loop);
		return r;
	}
	*out_loop = loop;
	return 0;
}
