/* SPDX-License-Identifier: Apache-2.0
 * handover_intake.c - each message goes to the desk of the worker that has got fewest so far. Only
 * so many are under way at once: descriptors that wait take slots of the process's table, which
 * with io_uring has no room for all. */
#include "server/handover_intake.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "conn/conn_state.h"
#include "io/tcp_handover.h"
#include "server/handover_channel.h"
#include "server/handover_format.h"
#include "server/server.h"
#include "server/server_listeners.h"
#include "server/worker.h"

/* Messages under way, HANDOVER_FDS_MAX connections each. */
#define UNDER_WAY_MAX 8

/* For the kernel to take a batch in. */
#define SETTLE_NS (3 * NS_PER_S)

struct handover_intake {
	struct server *server;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	size_t under_way;
	uint64_t taken;
	int error;         /* the first */
	uint64_t *refused; /* marks */
	size_t refused_count, refused_max;
	size_t worker_count;
	uint64_t given[]; /* per worker */
};

struct portion {
	struct portion *next; /* at its desk */
	struct handover_intake *intake;
	struct handover_message message;
};

struct handover_intake *handover_intake_create(struct server *server)
{
	size_t count = server_worker_count(server);
	struct handover_intake *self = calloc(1, sizeof(*self) + count * sizeof(self->given[0]));

	if (self == NULL)
		return NULL;
	self->server = server;
	self->worker_count = count;
	pthread_mutex_init(&self->mutex, NULL);
	pthread_cond_init(&self->changed, NULL);
	return self;
}

void handover_intake_destroy(struct handover_intake **intake)
{
	struct handover_intake *self = *intake;

	if (self == NULL)
		return;
	CHECK(self->under_way == 0);
	pthread_mutex_destroy(&self->mutex);
	pthread_cond_destroy(&self->changed);
	free(self->refused);
	free(self);
	*intake = NULL;
}

/* --- in a worker --- */

static void refuse(struct handover_intake *self, uint64_t mark)
{
	if (self->refused_count == self->refused_max) {
		size_t max = self->refused_max == 0 ? 64 : 2 * self->refused_max;
		uint64_t *refused = realloc(self->refused, max * sizeof(*refused));

		if (refused == NULL) {
			self->error = -ENOMEM;
			return;
		}
		self->refused = refused;
		self->refused_max = max;
	}
	self->refused[self->refused_count++] = mark;
}

/* Is it this process that lacks something, and not this connection that does not fit into it? */
static bool is_lack(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -ENOBUFS;
}

static void note(struct handover_intake *self, uint64_t mark, int result)
{
	pthread_mutex_lock(&self->mutex);
	if (result == 0)
		self->taken++;
	else if (!is_lack(result))
		refuse(self, mark);
	else if (self->error == 0)
		self->error = result;
	pthread_mutex_unlock(&self->mutex);
}

static void note_error(struct handover_intake *self, int error)
{
	pthread_mutex_lock(&self->mutex);
	if (self->error == 0)
		self->error = error;
	pthread_mutex_unlock(&self->mutex);
}

/* False: it is no record of ours. */
static bool record_read(struct slice record, uint64_t *out_mark, struct slice *out_state)
{
	struct state_reader reader;
	struct state_field field;
	bool has_mark = false;

	*out_state = (struct slice){0};
	state_reader_init(&reader, record);
	while (state_next(&reader, &field)) {
		if (field.tag == HANDOVER_TAG_MARK)
			has_mark = state_u64(&field, out_mark);
		else if (field.tag == HANDOVER_TAG_STATE)
			*out_state = field.value;
		else if (state_must_understand(field.tag))
			return false;
	}
	return has_mark && !reader.is_bad;
}

static void take_one(struct worker *worker, struct portion *portion, unsigned listener,
		     struct slice record, int *fd)
{
	uint64_t mark;
	struct slice state;

	/* Without its mark the old process cannot be told that it is to keep it. */
	if (!record_read(record, &mark, &state)) {
		note_error(portion->intake, -EPROTO);
		return;
	}
	struct state_reader reader;

	state_reader_init(&reader, state);
	int r = conn_import(&worker->home, listener, *fd, &reader);

	if (r == 0)
		*fd = -1; /* it is the connection's */
	note(portion->intake, mark, r);
}

static void take(struct worker *worker, struct portion *portion)
{
	struct handover_intake *intake = portion->intake;
	struct state_reader reader;
	struct state_field field;
	unsigned listener = LISTENER_OTHERS;
	size_t i = 0;

	state_reader_init(&reader, buf_slice(&portion->message.body));
	while (state_next(&reader, &field))
		if (field.tag == HANDOVER_TAG_LISTENER)
			listener = server_listener_of(intake->server, field.value);
		else if (field.tag == HANDOVER_TAG_CONN && i < portion->message.fd_count)
			take_one(worker, portion, listener, field.value,
				 &portion->message.fds[i++]);
	bool is_whole = !reader.is_bad && i == portion->message.fd_count;
	/* With io_uring their ordinary descriptors are given back by this. */
	int r = loop_settle(worker->loop, clock_now_ns() + SETTLE_NS);

	handover_message_finish(&portion->message);
	free(portion);
	if (!is_whole)
		note_error(intake, -EPROTO);
	if (r < 0)
		note_error(intake, r);
	pthread_mutex_lock(&intake->mutex);
	intake->under_way--;
	pthread_cond_signal(&intake->changed);
	pthread_mutex_unlock(&intake->mutex);
}

/* --- desks --- */

void handover_desk_init(struct handover_desk *desk)
{
	*desk = (struct handover_desk){.first = NULL};
	pthread_mutex_init(&desk->mutex, NULL);
	pthread_cond_init(&desk->changed, NULL);
}

void handover_desk_finish(struct handover_desk *desk)
{
	CHECK(desk->first == NULL);
	pthread_mutex_destroy(&desk->mutex);
	pthread_cond_destroy(&desk->changed);
}

void handover_desk_end(struct handover_desk *desk)
{
	pthread_mutex_lock(&desk->mutex);
	desk->has_ended = true;
	pthread_cond_signal(&desk->changed);
	pthread_mutex_unlock(&desk->mutex);
}

static void desk_put(struct handover_desk *desk, struct portion *portion)
{
	pthread_mutex_lock(&desk->mutex);
	if (desk->first == NULL)
		desk->first = portion;
	else
		desk->last->next = portion;
	desk->last = portion;
	pthread_cond_signal(&desk->changed);
	pthread_mutex_unlock(&desk->mutex);
}

/* NULL: the end. */
static struct portion *desk_take(struct handover_desk *desk)
{
	pthread_mutex_lock(&desk->mutex);
	while (desk->first == NULL && !desk->has_ended)
		pthread_cond_wait(&desk->changed, &desk->mutex);
	struct portion *portion = desk->first;

	if (portion != NULL)
		desk->first = portion->next;
	pthread_mutex_unlock(&desk->mutex);
	return portion;
}

void handover_desk_serve(struct handover_desk *desk, struct worker *worker)
{
	struct portion *portion;

	while ((portion = desk_take(desk)) != NULL)
		take(worker, portion);
}

/* --- in the main thread --- */

static size_t worker_choose(const struct handover_intake *self)
{
	size_t best = 0;

	for (size_t i = 1; i < self->worker_count; i++)
		if (self->given[i] < self->given[best])
			best = i;
	return best;
}

/* Until at most so many are under way; the first error. */
static int await_room(struct handover_intake *self, size_t under_way)
{
	pthread_mutex_lock(&self->mutex);
	while (self->under_way > under_way)
		pthread_cond_wait(&self->changed, &self->mutex);
	int error = self->error;
	pthread_mutex_unlock(&self->mutex);
	return error;
}

int handover_intake_give(struct handover_intake *intake, struct handover_message *message)
{
	int r = await_room(intake, UNDER_WAY_MAX - 1);
	struct portion *portion = r < 0 ? NULL : malloc(sizeof(*portion));

	if (portion == NULL)
		return r < 0 ? r : -ENOMEM;
	size_t index = worker_choose(intake);

	*portion = (struct portion){.intake = intake, .message = *message};
	*message = (struct handover_message){0};
	intake->given[index] += portion->message.fd_count;
	pthread_mutex_lock(&intake->mutex);
	intake->under_way++;
	pthread_mutex_unlock(&intake->mutex);
	desk_put(&server_worker(intake->server, index)->desk, portion);
	return 0;
}

int handover_intake_wait(struct handover_intake *intake, uint64_t *out_taken)
{
	int r = await_room(intake, 0);

	*out_taken = intake->taken;
	return r;
}

void handover_intake_put_refused(const struct handover_intake *intake, struct state_writer *writer)
{
	for (size_t i = 0; i < intake->refused_count; i++)
		state_put_u64(writer, HANDOVER_TAG_MARK, intake->refused[i]);
}
