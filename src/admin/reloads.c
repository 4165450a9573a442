/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/reloads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api/api_call.h"
#include "base/check.h"

/* One who waits; then his answer on its way. */
struct asking {
	struct list_node node;
	struct loop_task task;
	struct http_later *later;
	unsigned status;
	char *text; /* NULL: memory is out */
};

struct reloads {
	pthread_mutex_t mutex;
	struct list_node waiting;
	bool is_closed;
};

struct reloads *reloads_create(void)
{
	struct reloads *self = calloc(1, sizeof(*self));

	if (self == NULL)
		return NULL;
	pthread_mutex_init(&self->mutex, NULL);
	list_init(&self->waiting);
	return self;
}

void reloads_destroy(struct reloads **reloads)
{
	if (*reloads == NULL)
		return;
	CHECK(list_is_empty(&(*reloads)->waiting));
	pthread_mutex_destroy(&(*reloads)->mutex);
	free(*reloads);
	*reloads = NULL;
}

bool reloads_ask(struct reloads *reloads, struct http_later *later)
{
	struct asking *asking = malloc(sizeof(*asking));

	if (asking == NULL)
		return false;
	*asking = (struct asking){.later = later};
	pthread_mutex_lock(&reloads->mutex);
	bool is_open = !reloads->is_closed;

	if (is_open)
		list_append(&reloads->waiting, &asking->node);
	pthread_mutex_unlock(&reloads->mutex);
	if (!is_open)
		free(asking);
	return is_open;
}

bool reloads_are_asked(struct reloads *reloads)
{
	pthread_mutex_lock(&reloads->mutex);
	bool are_asked = !list_is_empty(&reloads->waiting);

	pthread_mutex_unlock(&reloads->mutex);
	return are_asked;
}

void reloads_take(struct reloads *reloads, struct list_node *out_taken)
{
	list_init(out_taken);
	pthread_mutex_lock(&reloads->mutex);
	list_move_all(&reloads->waiting, out_taken);
	pthread_mutex_unlock(&reloads->mutex);
}

void reloads_give_back(struct reloads *reloads, struct list_node *taken)
{
	pthread_mutex_lock(&reloads->mutex);
	while (!list_is_empty(taken))
		list_append(&reloads->waiting, list_pop(taken));
	pthread_mutex_unlock(&reloads->mutex);
}

/* In the loop that has the request. */
static void run_answer(struct loop_task *task)
{
	struct asking *asking = CONTAINER_OF(task, struct asking, task);
	struct http_reply reply = {.status = asking->status,
				   .content_type = asking->status < 400
							   ? "application/json"
							   : "application/problem+json"};

	if (asking->text == NULL ||
	    buf_append(&reply.body, asking->text, strlen(asking->text), HTTP_BODY_MAX) < 0)
		api_problem_no_memory(&reply);
	free(asking->text);
	http_later_reply(asking->later, &reply);
	free(asking);
}

void reloads_answer(struct list_node *taken, unsigned status, const char *text)
{
	while (!list_is_empty(taken)) {
		struct asking *asking = CONTAINER_OF(list_pop(taken), struct asking, node);

		asking->status = status;
		asking->text = text == NULL ? NULL : strdup(text);
		asking->task.run = run_answer;
		loop_post(asking->later->loop, &asking->task);
	}
}

void reloads_close(struct reloads *reloads)
{
	struct list_node taken;

	pthread_mutex_lock(&reloads->mutex);
	reloads->is_closed = true;
	pthread_mutex_unlock(&reloads->mutex);
	reloads_take(reloads, &taken);
	reloads_answer(&taken, 503,
		       "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
		       "\"reason\":\"ending\",\"detail\":\"The gateway is ending: nothing is read "
		       "again.\"}\n");
}
