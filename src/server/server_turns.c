/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_turns.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "server/server_private.h"

static void run_beat(struct loop_task *task)
{
	struct beat *beat = CONTAINER_OF(task, struct beat, task);

	__atomic_store_n(&beat->asked_ns, 0, __ATOMIC_RELEASE); /* the task is main's again */
}

char *server_loop_name(const struct server *server, size_t index, char out[SERVER_LOOP_NAME_MAX])
{
	CHECK(index <= server->worker_count);
	if (index == server->worker_count)
		snprintf(out, SERVER_LOOP_NAME_MAX, "admin");
	else
		snprintf(out, SERVER_LOOP_NAME_MAX, "worker-%zu", index);
	return out;
}

uint64_t server_hangs_ns(const struct server *server, size_t index)
{
	uint64_t asked_ns = counter_read(&server->slots[index].beat.asked_ns);
	uint64_t now_ns = clock_now_ns(), limit_ns = counter_read(&server->turns_limit_ns);

	CHECK(index <= server->worker_count);
	if (asked_ns == 0 || now_ns < asked_ns || now_ns - asked_ns < limit_ns)
		return 0;
	return now_ns - asked_ns;
}

bool server_turns(const struct server *server)
{
	for (size_t i = 0; i <= server->worker_count; i++)
		if (server_hangs_ns(server, i) != 0)
			return false;
	return true;
}

static void tell(const struct server *server, size_t index, struct beat *beat)
{
	uint64_t hangs_ns = server_hangs_ns(server, index);
	char name[SERVER_LOOP_NAME_MAX];

	if ((hangs_ns != 0) == beat->is_hanging)
		return;
	beat->is_hanging = hangs_ns != 0;
	server_loop_name(server, index, name);
	if (beat->is_hanging)
		log_error("a loop does not turn: its clients are not served", F_TEXT("loop", name),
			  F_UINT("seconds", hangs_ns / NS_PER_S),
			  F_TEXT("remedy", "restart; before, for whoever mends it, take a core "
					   "dump: gcore PID"));
	else
		log_warn("a loop turns again", F_TEXT("loop", name));
}

/* The memory of the task is the loop's until it has run: so nobody is asked twice. */
static void ask(struct slot *slot, uint64_t now_ns)
{
	struct beat *beat = &slot->beat;

	if (!slot->is_listening || slot->has_ended ||
	    __atomic_load_n(&beat->asked_ns, __ATOMIC_ACQUIRE) != 0)
		return;
	beat->task.run = run_beat;
	counter_set(&beat->asked_ns, now_ns);
	loop_post(slot->worker->loop, &beat->task);
}

void server_turns_ask(struct server *server, uint64_t limit_ns)
{
	uint64_t now_ns = clock_now_ns();

	counter_set(&server->turns_limit_ns, limit_ns);
	pthread_mutex_lock(&server->mutex);
	for (size_t i = 0; i <= server->worker_count; i++) {
		tell(server, i, &server->slots[i].beat);
		ask(&server->slots[i], now_ns);
	}
	pthread_mutex_unlock(&server->mutex);
}
