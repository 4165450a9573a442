/* SPDX-License-Identifier: Apache-2.0 */
#include "base/side_thread.h"

#include <signal.h>
#include <time.h>

static int start(struct side_thread *side, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&side->thread, NULL, run, arg);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

static void finish(struct side_thread *side)
{
	pthread_mutex_destroy(&side->mutex);
	pthread_cond_destroy(&side->changed);
}

int side_thread_start(struct side_thread *side, void *(*run)(void *arg), void *arg)
{
	side->is_ending = false;
	pthread_mutex_init(&side->mutex, NULL);
	pthread_cond_init(&side->changed, NULL);
	int r = start(side, run, arg);

	if (r < 0)
		finish(side);
	return r;
}

void side_thread_sleep(struct side_thread *side)
{
	pthread_cond_wait(&side->changed, &side->mutex);
}

void side_thread_wake(struct side_thread *side)
{
	pthread_cond_signal(&side->changed);
}

static bool join(struct side_thread *side, unsigned patience_s)
{
	struct timespec until;

	if (patience_s == 0)
		return pthread_join(side->thread, NULL) == 0;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += patience_s;
	if (pthread_timedjoin_np(side->thread, NULL, &until) == 0)
		return true;
	pthread_detach(side->thread);
	return false;
}

bool side_thread_end(struct side_thread *side, unsigned patience_s)
{
	pthread_mutex_lock(&side->mutex);
	side->is_ending = true;
	side_thread_wake(side);
	pthread_mutex_unlock(&side->mutex);
	if (!join(side, patience_s))
		return false;
	finish(side);
	return true;
}
