/* SPDX-License-Identifier: Apache-2.0
 * group_members.c - one question that goes from worker to worker, and then back. Where it is under
 * way it counts among what the worker's fleet waits for, so that the worker does not end before. */
#include "server/group_members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fleet/client.h"
#include "server/server_private.h"

/* What one turn of a worker's loop looks at. */
#define TURN_LOOKS_MAX 1024

struct question {
	struct loop_task task;
	struct server *server;
	struct loop *home;
	struct fleet_home *there; /* of the worker where it is */
	struct group_walk walk;
	char group[GROUP_NAME_MAX + 1];
	size_t limit;
	struct group_page page;
	void (*on_done)(void *arg, const struct group_page *page);
	void *arg;
	struct presence *members[];
};

/* --- in the asker's thread --- */

static void run_done(struct loop_task *task)
{
	struct question *question = CONTAINER_OF(task, struct question, task);

	question->page.members = question->members;
	question->on_done(question->arg, &question->page);
	free(question);
}

static void go_home(struct question *question, bool is_end)
{
	question->page.is_end = is_end;
	question->task.run = run_done;
	loop_post(question->home, &question->task);
}

/* --- in a worker's thread --- */

static void ask_worker(struct question *question);

/* False: the page is full, or the turn over. */
static bool look(struct question *question, unsigned *looks)
{
	struct group_page *page = &question->page;

	while (page->count < question->limit && (*looks)++ < TURN_LOOKS_MAX) {
		uint64_t number;
		struct session *session = group_walk_next_number(&question->walk, &number);

		if (session == NULL)
			return true;
		if (number < page->next.seats)
			continue;
		page->next.seats = number + 1;
		question->members[page->count++] = presence_ref(session->presence);
	}
	return false;
}

static void run_turn(struct loop_task *task)
{
	struct question *question = CONTAINER_OF(task, struct question, task);
	struct group_page *page = &question->page;
	unsigned looks = 0;
	bool is_end = look(question, &looks);

	if (!is_end && page->count < question->limit) {
		loop_post(question->there->loop, &question->task);
		return;
	}
	group_walk_stop(&question->walk);
	struct fleet_home *there = question->there;

	/* Whoever is told first may free what the other needs. */
	if (is_end) {
		page->next = (struct group_cursor){page->next.worker + 1, 0};
		ask_worker(question);
	} else {
		go_home(question, false);
	}
	there->questions--;
	there->on_gone(there);
}

static void run_arrival(struct loop_task *task)
{
	struct question *question = CONTAINER_OF(task, struct question, task);
	struct worker *worker = server_worker(question->server, question->page.next.worker);

	CHECK(worker != NULL); /* it is in its thread */
	question->there = &worker->home.fleet;
	if (!group_walk_start(&question->walk, question->there, question->group)) {
		question->page.next = (struct group_cursor){question->page.next.worker + 1, 0};
		ask_worker(question);
		return;
	}
	question->there->questions++;
	run_turn(task);
}

/* --- from worker to worker --- */

/* One that has not started, or has ended, has no clients. */
static void ask_worker(struct question *question)
{
	struct group_cursor *next = &question->page.next;

	question->task.run = run_arrival;
	for (; next->worker < server_worker_count(question->server);
	     *next = (struct group_cursor){next->worker + 1, 0}) {
		struct worker *worker = server_worker(question->server, next->worker);

		if (worker != NULL && mailbox_post(&worker->home.mailbox, &question->task))
			return;
	}
	go_home(question, true);
}

int group_members_ask(struct server *server, struct loop *home, const char *group,
		      struct group_cursor from, size_t limit,
		      void (*on_done)(void *arg, const struct group_page *page), void *arg)
{
	struct question *question = malloc(sizeof(*question) + limit * sizeof(struct presence *));
	size_t len = strlen(group);

	CHECK(limit > 0 && len <= GROUP_NAME_MAX);
	if (question == NULL)
		return -ENOMEM;
	*question = (struct question){
		.server = server,
		.home = home,
		.limit = limit,
		.page = {.next = from},
		.on_done = on_done,
		.arg = arg,
	};
	memcpy(question->group, group, len + 1);
	ask_worker(question);
	return 0;
}
