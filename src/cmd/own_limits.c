/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/own_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "bench/load/bench_http.h"
#include "cmd/admin_call.h"
#include "diag/limits.h"

#define ANSWER_WITHIN_MS 2000

struct question {
	const struct process *process;
	uint64_t wanted;
	json_t *table;   /* the answer */
	size_t listener; /* that gave it */
	char *problem;
};

/* Its other commands listen on nothing, if that can be seen. */
bool own_limits_expected(const struct process *process)
{
	return process->state == PROCESS_RUNS && strcmp(process->name, "gatehouse") == 0 &&
	       (process->listener_count > 0 || process->problem[0] != 0);
}

/* --- one listener --- */

static json_t *table_of(const struct bench_http *answer)
{
	struct slice body = bench_http_body(answer);
	json_t *table = answer->status != 200 || body.len == 0
				? NULL
				: json_loadb((const char *)body.data, body.len, 0, NULL);

	if (json_is_array(json_object_get(table, "limits")))
		return table;
	json_decref(table);
	return NULL;
}

/* What a listener for TLS says to a question in clear. */
#define STATUS_OF_TLS 400

static void problem_tell(struct question *question, const char *address, int r,
			 const struct bench_http *answer)
{
	char what[256];

	/* 404 is what its other listener says. */
	if (r == 0 && answer->status == 404)
		return;
	if (r == 0 && answer->status == STATUS_OF_TLS)
		snprintf(question->problem, OWN_LIMITS_PROBLEM_MAX,
			 "%s: TLS is spoken there, which this command does not: what it says is "
			 "read from the process and its sockets alone",
			 address);
	else
		snprintf(question->problem, OWN_LIMITS_PROBLEM_MAX, "%s: %s", address,
			 bench_http_describe(r, answer, what, sizeof(what)));
}

/* True: no other listener need be asked. */
static bool listener_ask(struct question *question, const struct net_addr *listener)
{
	struct net_addr addr = admin_call_address(listener);
	struct bench_url url = {.port = net_addr_port(&addr)};
	struct bench_http answer = {0};
	char text[NET_ADDR_TEXT_MAX];

	net_addr_format(&addr, text, sizeof(text));
	snprintf(url.authority, sizeof(url.authority), "%s", text);
	if (question->wanted == 0 || question->wanted > CONFIG_CONNECTIONS_MAX)
		snprintf(url.path, sizeof(url.path), "/limits");
	else
		snprintf(url.path, sizeof(url.path), "/limits?connections=%" PRIu64,
			 question->wanted);
	int r = bench_http_get(&url, &addr, NULL, ANSWER_WITHIN_MS, &answer);

	if (r == 0)
		question->table = table_of(&answer);
	if (question->table == NULL)
		problem_tell(question, text, r, &answer);
	bench_http_finish(&answer);
	return question->table != NULL;
}

/* --- in its network --- */

/* 0, or -errno. The thread is ours alone and ends with the answer. */
static int network_enter(pid_t pid)
{
	char path[64];
	struct stat own, its;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	bool is_known = fstat(fd, &its) == 0 && stat("/proc/thread-self/ns/net", &own) == 0;
	int r = is_known ? 0 : -errno;

	if (is_known && (own.st_ino != its.st_ino || own.st_dev != its.st_dev) &&
	    setns(fd, CLONE_NEWNET) < 0)
		r = -errno;
	close(fd);
	return r;
}

static void *thread_main(void *arg)
{
	struct question *question = arg;
	const struct process *process = question->process;
	int r = network_enter(process->pid);

	if (r < 0) {
		snprintf(question->problem, OWN_LIMITS_PROBLEM_MAX,
			 "its network cannot be entered: %s; run it as root", strerror(-r));
		return NULL;
	}
	for (size_t i = 0; i < process->listener_count; i++) {
		question->listener = i;
		if (listener_ask(question, &process->listeners[i].address))
			break;
	}
	return NULL;
}

json_t *own_limits_ask(const struct process *process, uint64_t wanted, size_t *out_listener,
		       char problem[OWN_LIMITS_PROBLEM_MAX])
{
	struct question question = {.process = process, .wanted = wanted, .problem = problem};
	pthread_t thread;

	snprintf(problem, OWN_LIMITS_PROBLEM_MAX, "%s",
		 process->listener_count == 0 ? "its listeners are not to be seen; run it as root"
					      : "none of its listeners answers /limits");
	int r = process->listener_count == 0
			? 0
			: pthread_create(&thread, NULL, thread_main, &question);

	if (r != 0)
		snprintf(problem, OWN_LIMITS_PROBLEM_MAX, "no thread to ask it: %s", strerror(r));
	else if (process->listener_count != 0)
		pthread_join(thread, NULL);
	*out_listener = question.listener;
	return question.table;
}
