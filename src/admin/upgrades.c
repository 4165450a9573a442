/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/upgrades.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin.h"
#include "admin/api/api_call.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/metrics_text.h"
#include "io/loop.h"

struct upgrades {
	pthread_mutex_t mutex;
	struct http_later *waiting; /* NULL: nobody */
	bool is_closed;
	struct upgrades_facts facts;
};

struct upgrades *upgrades_create(void)
{
	struct upgrades *self = calloc(1, sizeof(*self));

	if (self != NULL)
		pthread_mutex_init(&self->mutex, NULL);
	return self;
}

void upgrades_destroy(struct upgrades **upgrades)
{
	if (*upgrades == NULL)
		return;
	CHECK((*upgrades)->waiting == NULL);
	pthread_mutex_destroy(&(*upgrades)->mutex);
	free(*upgrades);
	*upgrades = NULL;
}

bool upgrades_ask(struct upgrades *upgrades, struct http_later *later)
{
	pthread_mutex_lock(&upgrades->mutex);
	bool is_free = !upgrades->is_closed && upgrades->waiting == NULL &&
		       !upgrades->facts.is_under_way;

	if (is_free)
		upgrades->waiting = later;
	pthread_mutex_unlock(&upgrades->mutex);
	return is_free;
}

bool upgrades_begin(struct upgrades *upgrades)
{
	pthread_mutex_lock(&upgrades->mutex);
	bool is_open = !upgrades->is_closed;

	upgrades->facts.is_under_way = is_open;
	pthread_mutex_unlock(&upgrades->mutex);
	return is_open;
}

/* --- the answer --- */

struct answer {
	struct loop_task task;
	struct http_later *later;
	struct handover_result result;
};

static void answer_good(struct http_reply *reply, const struct handover_result *result)
{
	api_reply_json(reply, 200,
		       json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I}", "outcome",
				 handover_outcome_label(result->outcome), "pid",
				 (json_int_t)result->pid, "version", result->version, "moved",
				 (json_int_t)result->moved, "stayed", (json_int_t)result->stayed,
				 "still_ms", (json_int_t)(result->still_ns / NS_PER_MS), "took_ms",
				 (json_int_t)(result->took_ns / NS_PER_MS)));
}

static void answer_bad(struct http_reply *reply, const struct handover_result *result)
{
	char detail[sizeof(result->why) + 160];

	snprintf(detail, sizeof(detail),
		 "There was no upgrade, and nothing has changed: this process (%s) serves on. It "
		 "failed at '%s': %s.",
		 GATEHOUSE_VERSION, handover_step_text(result->step), result->why);
	unsigned status = result->outcome == HANDOVER_OUTCOME_NOT_NOW ? 409 : 500;

	api_problem(reply, status, handover_outcome_label(result->outcome), detail,
		    (struct slice){0}, NULL);
}

static void run_answer(struct loop_task *task)
{
	struct answer *answer = CONTAINER_OF(task, struct answer, task);
	struct http_reply reply = {0};

	if (answer->result.outcome == HANDOVER_OUTCOME_DONE)
		answer_good(&reply, &answer->result);
	else
		answer_bad(&reply, &answer->result);
	http_later_reply(answer->later, &reply);
	free(answer);
}

void upgrades_end(struct upgrades *upgrades, const struct handover_result *result)
{
	struct answer *answer = malloc(sizeof(*answer));

	pthread_mutex_lock(&upgrades->mutex);
	struct http_later *later = upgrades->waiting;

	upgrades->waiting = NULL;
	upgrades->facts.is_under_way = false;
	upgrades->facts.has_last = true;
	upgrades->facts.last = *result;
	upgrades->facts.last_wall_ns = clock_wall_ns();
	upgrades->facts.counts[result->outcome] += result->outcome != HANDOVER_OUTCOME_DONE;
	upgrades->is_closed |= result->outcome == HANDOVER_OUTCOME_DONE;
	pthread_mutex_unlock(&upgrades->mutex);
	/* Without memory it gets 504 in time. */
	if (later == NULL || answer == NULL) {
		free(answer);
		return;
	}
	*answer = (struct answer){.later = later, .result = *result, .task = {.run = run_answer}};
	loop_post(later->loop, &answer->task);
}

void upgrades_came(struct upgrades *upgrades, uint64_t moved)
{
	pthread_mutex_lock(&upgrades->mutex);
	upgrades->facts.counts[HANDOVER_OUTCOME_DONE]++;
	upgrades->facts.moved += moved;
	upgrades->facts.has_last = true;
	upgrades->facts.last_wall_ns = clock_wall_ns();
	pthread_mutex_unlock(&upgrades->mutex);
}

void upgrades_close(struct upgrades *upgrades)
{
	pthread_mutex_lock(&upgrades->mutex);
	upgrades->is_closed = true;
	pthread_mutex_unlock(&upgrades->mutex);
}

struct upgrades_facts upgrades_facts(struct upgrades *upgrades)
{
	pthread_mutex_lock(&upgrades->mutex);
	struct upgrades_facts facts = upgrades->facts;
	pthread_mutex_unlock(&upgrades->mutex);
	return facts;
}
