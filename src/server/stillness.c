/* SPDX-License-Identifier: Apache-2.0
 * stillness.c - asked by a task, a worker's loop stops after its turn. Then the worker's thread
 * freezes what it has, waits until all others have, exports, tells, and waits for the verdict; what
 * is posted to its loop meanwhile waits in the inbox, and what comes by the network waits in the
 * kernel. */
#include "server/stillness.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "conn/conn_state.h"
#include "io/tcp_handover.h"
#include "server/handover_channel.h"
#include "server/handover_conns.h"
#include "server/worker.h"

struct stillness {
	struct server *server;
	struct handover_channel *channel;
	bool can_give; /* sockets of the loops */
	pthread_mutex_t mutex;
	pthread_cond_t stood; /* one more, or that were all, or it is called off */
	pthread_cond_t decided;
	pthread_cond_t left;
	enum stillness_verdict verdict;
	uint64_t deadline_ns;
	struct stillness_counts counts;
	bool has_asked_all;
	size_t standing; /* workers that run nothing any more */
	size_t keeping;  /* workers that were asked and do not run again yet */
	uint64_t *not_taken;
	size_t not_taken_count;
	int changed_fd;
};

struct stillness *stillness_create(struct server *server, struct handover_channel *channel,
				   enum loop_engine engine)
{
	struct stillness *self = calloc(1, sizeof(*self));

	if (self == NULL)
		return NULL;
	self->server = server;
	self->channel = channel;
	self->can_give = loop_engine_can_hand_over(engine) != -EOPNOTSUPP;
	self->changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (self->changed_fd < 0) {
		free(self);
		return NULL;
	}
	pthread_mutex_init(&self->mutex, NULL);
	pthread_cond_init(&self->stood, NULL);
	pthread_cond_init(&self->decided, NULL);
	pthread_cond_init(&self->left, NULL);
	return self;
}

void stillness_destroy(struct stillness **stillness)
{
	struct stillness *self = *stillness;

	if (self == NULL)
		return;
	CHECK(self->keeping == 0);
	close(self->changed_fd);
	pthread_mutex_destroy(&self->mutex);
	pthread_cond_destroy(&self->stood);
	pthread_cond_destroy(&self->decided);
	pthread_cond_destroy(&self->left);
	free(self->not_taken);
	free(self);
	*stillness = NULL;
}

/* --- the main thread --- */

static void run_stop(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, still.task);

	loop_stop(worker->loop);
}

void stillness_ask(struct stillness *stillness, struct worker *worker, uint64_t deadline_ns)
{
	pthread_mutex_lock(&stillness->mutex);
	stillness->deadline_ns = deadline_ns;
	worker->still.index = stillness->counts.asked++;
	stillness->keeping++;
	pthread_mutex_unlock(&stillness->mutex);
	__atomic_store_n(&worker->still.stillness, stillness, __ATOMIC_RELEASE);
	worker->still.task.run = run_stop;
	loop_post(worker->loop, &worker->still.task);
}

void stillness_asked_all(struct stillness *stillness)
{
	pthread_mutex_lock(&stillness->mutex);
	stillness->has_asked_all = true;
	pthread_cond_broadcast(&stillness->stood);
	pthread_mutex_unlock(&stillness->mutex);
}

int stillness_fd(const struct stillness *stillness)
{
	return stillness->changed_fd;
}

struct stillness_counts stillness_counts(struct stillness *stillness)
{
	eventfd_t ignored;

	eventfd_read(stillness->changed_fd, &ignored);
	pthread_mutex_lock(&stillness->mutex);
	struct stillness_counts counts = stillness->counts;
	pthread_mutex_unlock(&stillness->mutex);
	return counts;
}

bool stillness_not_taken(struct stillness *stillness, uint64_t mark)
{
	size_t size = (stillness->not_taken_count + 1) * sizeof(mark);
	uint64_t *marks = realloc(stillness->not_taken, size);

	if (marks == NULL)
		return false;
	marks[stillness->not_taken_count++] = mark;
	stillness->not_taken = marks;
	return true;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

void stillness_decide(struct stillness *stillness, enum stillness_verdict verdict)
{
	if (stillness->not_taken_count > 0)
		qsort(stillness->not_taken, stillness->not_taken_count, sizeof(uint64_t), compare);
	pthread_mutex_lock(&stillness->mutex);
	stillness->verdict = verdict;
	pthread_cond_broadcast(&stillness->decided);
	pthread_cond_broadcast(&stillness->stood);
	while (stillness->keeping > 0)
		pthread_cond_wait(&stillness->left, &stillness->mutex);
	pthread_mutex_unlock(&stillness->mutex);
}

/* --- a worker --- */

static bool is_taken(const struct stillness *stillness, uint64_t mark)
{
	return stillness->not_taken_count == 0 ||
	       bsearch(&mark, stillness->not_taken, stillness->not_taken_count, sizeof(mark),
		       compare) == NULL;
}

static void count(void *arg, uint64_t gone, uint64_t stay)
{
	struct stillness *stillness = arg;

	pthread_mutex_lock(&stillness->mutex);
	stillness->counts.gone += gone;
	stillness->counts.stay += stay;
	stillness->counts.progress++;
	pthread_mutex_unlock(&stillness->mutex);
}

static bool may_export(const struct stillness *stillness)
{
	return stillness->verdict == STILLNESS_WAIT && stillness->counts.error == 0;
}

static bool wait_for_all(void *arg)
{
	struct stillness *stillness = arg;

	pthread_mutex_lock(&stillness->mutex);
	stillness->standing++;
	stillness->counts.progress++;
	pthread_cond_broadcast(&stillness->stood);
	while (may_export(stillness) &&
	       !(stillness->has_asked_all && stillness->standing == stillness->counts.asked))
		pthread_cond_wait(&stillness->stood, &stillness->mutex);
	bool may = may_export(stillness);
	pthread_mutex_unlock(&stillness->mutex);
	return may;
}

/* False: it was decided already, and there is nothing to export. */
static bool is_open(struct stillness *stillness)
{
	pthread_mutex_lock(&stillness->mutex);
	bool is_open = may_export(stillness);
	pthread_mutex_unlock(&stillness->mutex);
	return is_open;
}

static enum stillness_verdict report_and_wait(struct stillness *stillness, int error,
					      const char *what)
{
	pthread_mutex_lock(&stillness->mutex);
	if (error == 0) {
		stillness->counts.exported++;
	} else if (stillness->counts.error == 0 && error != -ECANCELED) {
		stillness->counts.error = error;
		stillness->counts.what = what;
		pthread_cond_broadcast(&stillness->stood);
	}
	stillness->counts.progress++;
	eventfd_write(stillness->changed_fd, 1);
	while (stillness->verdict == STILLNESS_WAIT)
		pthread_cond_wait(&stillness->decided, &stillness->mutex);
	enum stillness_verdict verdict = stillness->verdict;
	pthread_mutex_unlock(&stillness->mutex);
	return verdict;
}

static void leave(struct stillness *stillness)
{
	pthread_mutex_lock(&stillness->mutex);
	stillness->keeping--;
	pthread_cond_signal(&stillness->left);
	pthread_mutex_unlock(&stillness->mutex);
}

bool stillness_keep(struct worker *worker)
{
	struct still_worker *still = &worker->still;
	struct stillness *stillness = still->stillness;
	const char *what = "";
	int error = 0;

	if (is_open(stillness))
		error = handover_conns_export(worker,
					      &(struct handover_exporting){
						      .server = stillness->server,
						      .channel = stillness->channel,
						      .can_give = stillness->can_give,
						      .deadline_ns = stillness->deadline_ns,
						      .wait_for_all = wait_for_all,
						      .count = count,
						      .arg = stillness,
					      },
					      &what);
	bool is_gone = report_and_wait(stillness, error, what) == STILLNESS_GONE;

	for (size_t i = 0; i < still->exported_count; i++)
		if (is_gone && is_taken(stillness, handover_mark(still->index, i)))
			conn_forget(still->exported[i]);
	handover_conns_go_on(worker, !is_gone);
	free(still->exported);
	*still = (struct still_worker){0};
	leave(stillness);
	return is_gone;
}
