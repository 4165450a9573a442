/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/compression.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proto/ws_deflate.h"
#include "proto/ws_inflate.h"

/* [ms] After so much time a context is of little use: what it was about is long over. */
#define WINDOW_REST_MS 60000

/* --- server.compression_memory --- */

static bool memory_take(struct conn_home *home, size_t size)
{
	struct service *service = home->service;

	if (size == 0)
		return true;
	if (__atomic_add_fetch(&service->windows_used, size, __ATOMIC_RELAXED) <=
	    conn_home_limits(home)->compression_memory)
		return true;
	__atomic_sub_fetch(&service->windows_used, size, __ATOMIC_RELAXED);
	return false;
}

static void memory_give(struct conn_home *home, size_t size)
{
	uint64_t before = __atomic_fetch_sub(&home->service->windows_used, size, __ATOMIC_RELAXED);

	CHECK(before >= size);
}

static uint32_t now_ms(const struct conn *conn)
{
	return (uint32_t)(loop_now(conn->home->loop) / NS_PER_MS);
}

/* --- agreeing --- */

/* What compresses is made with the first client that wants it. */
static bool machinery_make(struct conn_home *home)
{
	if (home->deflater == NULL)
		home->deflater = ws_deflater_create();
	if (home->inflater == NULL)
		home->inflater = ws_inflater_create();
	return home->deflater != NULL && home->inflater != NULL;
}

struct ws_deflate_terms conn_compression_choose(struct conn *conn,
						const struct conn_request *request)
{
	const struct config_route *route = conn_route(conn)->config;
	struct ws_deflate_terms terms = {0};
	const struct ws_deflate_policy policy = {
		.keeps_windows = route->compression == CONFIG_COMPRESSION_WINDOW,
		.window_bits = (uint8_t)route->compression_window_bits,
	};

	if (route->compression == CONFIG_COMPRESSION_OFF || !machinery_make(conn->home))
		return terms;
	(void)ws_deflate_choose(request->head, request->data, &policy, &terms);
	return terms;
}

static size_t out_size(const struct ws_deflate_terms *terms)
{
	return terms->keeps_out ? ws_window_size(terms->out_bits) : 0;
}

static size_t in_size(const struct ws_deflate_terms *terms)
{
	return terms->keeps_in ? ws_window_size(terms->in_bits) : 0;
}

/* Their size is taken. NULL: memory is out. */
static struct ws_windows *windows_create(struct conn_home *home,
					 const struct ws_deflate_terms *terms)
{
	struct ws_windows *windows = malloc(sizeof(*windows));

	if (windows == NULL) {
		memory_give(home, out_size(terms) + in_size(terms));
		return NULL;
	}
	*windows = (struct ws_windows){
		.terms = *terms,
		.in = {.bits = terms->keeps_in ? terms->in_bits : 0},
		.out = {.bits = terms->keeps_out ? terms->out_bits : 0},
		.has_out = terms->keeps_out,
	};
	stat_add(&home->stats.windows, terms->keeps_in + terms->keeps_out);
	return windows;
}

struct ws_deflate_terms conn_compression_grant(struct conn *conn,
					       const struct ws_deflate_terms *chosen,
					       struct ws_windows **out_windows)
{
	*out_windows = NULL;
	if (!chosen->keeps_in && !chosen->keeps_out)
		return *chosen;
	if (memory_take(conn->home, out_size(chosen) + in_size(chosen)))
		*out_windows = windows_create(conn->home, chosen);
	if (*out_windows != NULL)
		return *chosen;
	stat_add(&conn_stats(conn)->windows_refused, 1);
	return ws_deflate_without_windows(chosen);
}

/* --- keeping --- */

void conn_compression_begin(struct conn *conn, const struct ws_deflate_terms *terms,
			    struct ws_windows *windows)
{
	CHECK(conn->phase == CONN_OPEN && conn->part.ws.frames == NULL);
	if (!ws_deflate_is_on(terms))
		return;
	conn->deflate_bits = terms->out_bits & 15;
	stat_add(&conn_stats(conn)->compressed, 1);
	if (windows == NULL)
		return;
	conn->has_windows = true;
	conn->part.ws.windows = windows;
}

/* The place goes back, and what is in it. */
static void out_give_up(struct conn_home *home, struct ws_windows *windows)
{
	if (!windows->has_out)
		return;
	windows->has_out = false;
	ws_window_clear(&windows->out);
	memory_give(home, out_size(&windows->terms));
	stat_sub(&home->stats.windows, 1);
}

void conn_compression_forget(struct conn_home *home, struct ws_windows **windows)
{
	struct ws_windows *self = *windows;

	*windows = NULL;
	if (self == NULL)
		return;
	CHECK(self->frames == NULL);
	out_give_up(home, self);
	ws_window_clear(&self->in);
	memory_give(home, in_size(&self->terms));
	stat_sub(&home->stats.windows, self->terms.keeps_in);
	free(self);
}

void conn_compression_end(struct conn *conn)
{
	struct ws_windows *windows = conn->has_windows ? conn_ws(conn)->windows : NULL;

	if (conn->deflate_bits != 0)
		stat_sub(&conn_stats(conn)->compressed, 1);
	conn->deflate_bits = 0;
	if (windows == NULL)
		return;
	conn->has_windows = false;
	conn_ws(conn)->windows = NULL;
	conn_compression_forget(conn->home, &windows);
}

/* What a message may refer to must be there; what is sent need not refer to anything. */
static bool windows_fill(struct conn_home *home, struct ws_windows *windows,
			 const struct compression_again *again)
{
	if (windows->terms.keeps_in && !ws_window_append(&windows->in, again->in))
		return false;
	if (!again->has_out)
		out_give_up(home, windows);
	else if (windows->has_out)
		(void)ws_window_append(&windows->out, again->out);
	return true;
}

int conn_compression_again(struct conn *conn, const struct compression_again *again)
{
	const struct ws_deflate_terms *terms = &again->terms;
	struct conn_home *home = conn->home;
	struct ws_windows *windows = NULL;

	if (!machinery_make(home))
		return -ENOMEM;
	if (terms->keeps_in || terms->keeps_out) {
		__atomic_add_fetch(&home->service->windows_used, out_size(terms) + in_size(terms),
				   __ATOMIC_RELAXED);
		windows = windows_create(home, terms);
		if (windows == NULL)
			return -ENOMEM;
		windows->out_used_ms = now_ms(conn);
		if (!windows_fill(home, windows, again)) {
			conn_compression_forget(home, &windows);
			return -ENOMEM;
		}
	}
	conn_compression_begin(conn, terms, windows);
	return 0;
}

bool conn_compression_terms(const struct conn *conn, struct ws_deflate_terms *out_terms)
{
	if (conn->deflate_bits == 0)
		return false;
	if (conn->has_windows)
		*out_terms = conn->part.ws.windows->terms;
	else
		*out_terms = (struct ws_deflate_terms){.out_bits = conn->deflate_bits,
						       .in_bits = WS_WINDOW_BITS_MAX};
	return true;
}

/* --- windows --- */

struct ws_window *conn_window_in(const struct conn *conn)
{
	struct ws_windows *windows = conn->has_windows ? conn->part.ws.windows : NULL;

	return windows == NULL || !windows->terms.keeps_in ? NULL : &windows->in;
}

struct ws_window *conn_window_out(struct conn *conn)
{
	struct ws_windows *windows = conn->has_windows ? conn_ws(conn)->windows : NULL;

	if (windows == NULL || !windows->terms.keeps_out)
		return NULL;
	if (!windows->has_out) {
		if (!memory_take(conn->home, out_size(&windows->terms)))
			return NULL;
		windows->has_out = true;
		stat_add(&conn_stats(conn)->windows, 1);
	}
	windows->out_used_ms = now_ms(conn);
	return &windows->out;
}

void conn_window_rest(struct conn *conn)
{
	struct ws_windows *windows = conn->has_windows ? conn_ws(conn)->windows : NULL;

	if (windows != NULL && windows->has_out &&
	    now_ms(conn) - windows->out_used_ms >= WINDOW_REST_MS)
		out_give_up(conn->home, windows);
}
