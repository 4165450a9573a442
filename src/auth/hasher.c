/* SPDX-License-Identifier: Apache-2.0
 * hasher.c - jobs go from the askers' threads through a list to ours, and back through their
 * mailboxes. Whoever does not want the answer any more says so to the job, which then finds nobody:
 * our thread never touches a question. */
#include "auth/hasher.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/list.h"
#include "base/side_thread.h"

/* Of an IPv6 address, so much is one asker's. */
#define ADDRESS_BITS 64

struct hasher_job {
	struct list_node node;
	struct loop_task task;
	struct mailbox *mailbox;
	struct hasher_question *question; /* the asker's thread alone; NULL: cancelled */
	bool is_cancelled;                /* atomic: not worth to be begun */
	bool is_vain, is_good;
	struct net_ip address;
	size_t count;
	char crypted[USERS_SECRETS_MAX][SECRET_CRYPTED_MAX];
	char sent[SECRET_CRYPT_MAX + 1];
};

struct hasher {
	struct side_thread side; /* whose mutex guards the rest */
	struct list_node jobs;   /* the first may be under way */
	struct hasher_stats stats;
};

static void job_free(struct hasher_job *job)
{
	OPENSSL_cleanse(job, sizeof(*job));
	free(job);
}

/* In the asker's thread. */
static void tell(struct loop_task *task)
{
	struct hasher_job *job = CONTAINER_OF(task, struct hasher_job, task);
	struct hasher_question *question = job->question;
	bool is_good = job->is_good;

	job_free(job);
	if (question == NULL)
		return;
	question->job = NULL;
	question->done(question, is_good);
}

/* --- our thread --- */

/* All that there are, whichever fits: how long it takes says nothing. */
static void job_run(struct hasher_job *job)
{
	bool is_good = false;

	for (size_t i = 0; i < job->count; i++)
		is_good |= secret_crypt_matches(job->sent, job->crypted[i]);
	job->is_good = is_good && !job->is_vain;
}

static struct hasher_job *job_wait(struct hasher *hasher)
{
	pthread_mutex_lock(&hasher->side.mutex);
	while (list_is_empty(&hasher->jobs) && !hasher->side.is_ending)
		side_thread_sleep(&hasher->side);
	struct hasher_job *job = hasher->side.is_ending
					 ? NULL
					 : CONTAINER_OF(hasher->jobs.next, struct hasher_job, node);

	pthread_mutex_unlock(&hasher->side.mutex);
	return job;
}

static void job_end(struct hasher *hasher, struct hasher_job *job, uint64_t took_ns)
{
	pthread_mutex_lock(&hasher->side.mutex);
	list_remove(&job->node);
	hasher->stats.waiting--;
	hasher->stats.done++;
	hasher->stats.busy_ns += took_ns;
	pthread_mutex_unlock(&hasher->side.mutex);
	job->task.run = tell;
	if (!mailbox_post(job->mailbox, &job->task))
		job_free(job); /* the asker has ended, and its questions with it */
}

static void *run(void *arg)
{
	struct hasher *hasher = arg;
	struct hasher_job *job;

	while ((job = job_wait(hasher)) != NULL) {
		uint64_t began = clock_now_ns();

		if (!__atomic_load_n(&job->is_cancelled, __ATOMIC_RELAXED))
			job_run(job);
		job_end(hasher, job, clock_now_ns() - began);
	}
	return NULL;
}

void hasher_set_max(struct hasher *hasher, uint64_t max)
{
	pthread_mutex_lock(&hasher->side.mutex);
	hasher->stats.max = max;
	pthread_mutex_unlock(&hasher->side.mutex);
}

/* --- life --- */

struct hasher *hasher_create(uint64_t max)
{
	struct hasher *hasher = calloc(1, sizeof(*hasher));

	if (hasher == NULL)
		return NULL;
	hasher->stats.max = max;
	list_init(&hasher->jobs);
	if (side_thread_start(&hasher->side, run, hasher) == 0)
		return hasher;
	free(hasher);
	return NULL;
}

void hasher_destroy(struct hasher **hasher)
{
	struct hasher *self = *hasher;

	*hasher = NULL;
	if (self == NULL)
		return;
	CHECK(side_thread_end(&self->side, 0));
	while (!list_is_empty(&self->jobs)) {
		struct hasher_job *job = CONTAINER_OF(list_pop(&self->jobs), struct hasher_job,
						      node);

		CHECK(__atomic_load_n(&job->is_cancelled, __ATOMIC_RELAXED));
		job_free(job);
	}
	free(self);
}

/* --- the asker's thread --- */

static struct net_ip asker_of(const struct net_ip *address)
{
	return net_ip_is_v4(address) ? *address : net_ip_cut(address, ADDRESS_BITS);
}

static struct hasher_job *job_create(const struct users_slow *slow, struct slice sent,
				     const struct net_ip *address, struct mailbox *mailbox)
{
	struct hasher_job *job = calloc(1, sizeof(*job));
	size_t len = MIN(sent.len, (size_t)SECRET_CRYPT_MAX);

	if (job == NULL)
		return NULL;
	job->mailbox = mailbox;
	job->address = asker_of(address);
	job->is_vain = slow->is_vain;
	job->count = slow->count;
	for (size_t i = 0; i < slow->count; i++) {
		CHECK(slow->crypted[i].len < SECRET_CRYPTED_MAX);
		memcpy(job->crypted[i], slow->crypted[i].data, slow->crypted[i].len);
	}
	if (len > 0)
		memcpy(job->sent, sent.data, len);
	return job;
}

/* Who comes by a unix socket shares its "address" with all others. */
static bool has_room(const struct hasher *hasher, const struct net_ip *address)
{
	size_t of_address = 0;

	if (hasher->stats.waiting >= hasher->stats.max)
		return false;
	if (net_ip_is_unix(address))
		return true;
	for (struct list_node *node = hasher->jobs.next; node != &hasher->jobs; node = node->next)
		of_address += net_ip_equals(&CONTAINER_OF(node, struct hasher_job, node)->address,
					    address);
	return of_address < HASHER_PER_ADDRESS;
}

bool hasher_ask(struct hasher *hasher, struct hasher_question *question,
		const struct users_slow *slow, struct slice sent, const struct net_ip *address,
		struct mailbox *mailbox)
{
	struct hasher_job *job = job_create(slow, sent, address, mailbox);

	if (job == NULL)
		return false;
	pthread_mutex_lock(&hasher->side.mutex);
	bool is_taken = has_room(hasher, &job->address);

	if (is_taken) {
		job->question = question;
		question->job = job;
		list_append(&hasher->jobs, &job->node);
		hasher->stats.waiting++;
		side_thread_wake(&hasher->side);
	} else {
		hasher->stats.refused++;
	}
	pthread_mutex_unlock(&hasher->side.mutex);
	if (!is_taken)
		job_free(job);
	return is_taken;
}

void hasher_cancel(struct hasher_question *question)
{
	CHECK(question->job != NULL);
	question->job->question = NULL;
	__atomic_store_n(&question->job->is_cancelled, true, __ATOMIC_RELAXED);
	question->job = NULL;
}

struct hasher_stats hasher_stats(struct hasher *hasher)
{
	pthread_mutex_lock(&hasher->side.mutex);
	struct hasher_stats stats = hasher->stats;

	pthread_mutex_unlock(&hasher->side.mutex);
	return stats;
}
