/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

#define NAP_NS  (10 * NS_PER_MS)
#define POLL_NS (50 * NS_PER_MS)

/* One question of an await: the answer to it is there at once, or the next one is asked. */
#define AWAIT_ANSWER_MS 2000

/* One act under way. */
struct scene {
	struct bench_stage *stage;
	const struct bench_act *act;
	struct bench_act_done *done;
	uint64_t deadline_ns;
};

static bool is_over(const struct bench_stage *stage)
{
	return atomic_load_explicit(&stage->is_over, memory_order_relaxed);
}

static void nap(uint64_t ns)
{
	struct timespec time = {.tv_nsec = (long)ns};

	nanosleep(&time, NULL);
}

static uint64_t left_ms(const struct scene *scene)
{
	uint64_t now_ns = clock_now_ns();

	return now_ns >= scene->deadline_ns ? 0 : (scene->deadline_ns - now_ns) / NS_PER_MS + 1;
}

/* --- call, await --- */

static void url_of(const struct scene *scene, struct bench_act_target *target,
		   struct bench_url *url)
{
	CHECK(bench_act_parse(scene->act, target) == NULL);
	CHECK(bench_act_url(target, &scene->stage->api->options->api_url, url) == NULL);
}

static bool call(const struct scene *scene)
{
	const char *body = scene->act->body;
	struct bench_act_target target;
	struct bench_url url;

	url_of(scene, &target, &url);
	const struct bench_api_question question = {
		.url = &url,
		.method = target.method,
		.type = body == NULL ? NULL : "application/json",
		.body = body == NULL ? (struct slice){0} : slice_from_text(body),
	};
	unsigned status = bench_api_ask(scene->stage->api, &question, scene->act->within_ms,
					scene->done->seen);

	return status >= 200 && status <= 299;
}

static bool await(const struct scene *scene)
{
	struct bench_act_target target;
	struct bench_url url;
	uint64_t ms;

	url_of(scene, &target, &url);
	const struct bench_api_question question = {.url = &url, .method = target.method};

	while ((ms = left_ms(scene)) > 0 && !is_over(scene->stage)) {
		if (bench_api_ask(scene->stage->api, &question, MIN(ms, AWAIT_ANSWER_MS),
				  scene->done->seen) == target.status) {
			snprintf(scene->done->seen, sizeof(scene->done->seen), "HTTP %u",
				 target.status);
			return true;
		}
		nap(POLL_NS);
	}
	return false;
}

/* --- hook --- */

static int shell_start(const char *command, pid_t *out_pid)
{
	char shell[] = "/bin/sh", flag[] = "-c";
	char *const words[] = {shell, flag, (char *)(uintptr_t)command, NULL};
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t files;
	sigset_t none, ignored;

	sigemptyset(&none);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &ignored);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	/* The report is what stands on standard output. */
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	int r = -posix_spawn(out_pid, words[0], &files, &attributes, words, environ);

	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return r;
}

static bool hook(const struct scene *scene)
{
	char *seen = scene->done->seen;
	pid_t pid;
	int status = 0,
	    r = shell_start(bench_hook_find(scene->stage->api->options, scene->act->text), &pid);

	if (r < 0) {
		snprintf(seen, BENCH_API_SEEN_MAX, "the shell cannot be started: %s", strerror(-r));
		return false;
	}
	while ((r = waitpid(pid, &status, WNOHANG)) == 0 && left_ms(scene) > 0 &&
	       !atomic_load_explicit(&scene->stage->is_interrupted, memory_order_relaxed))
		nap(NAP_NS);
	if (r == 0) {
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
		snprintf(seen, BENCH_API_SEEN_MAX, "was killed, since it had not ended");
		return false;
	}
	if (WIFEXITED(status))
		snprintf(seen, BENCH_API_SEEN_MAX, "exit code %d", WEXITSTATUS(status));
	else
		snprintf(seen, BENCH_API_SEEN_MAX, "ended by signal %d", WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- all of them --- */

static void perform(struct bench_stage *stage, size_t index)
{
	static bool (*const kinds[])(const struct scene *scene) = {
		[BENCH_ACT_CALL] = call, [BENCH_ACT_AWAIT] = await, [BENCH_ACT_HOOK] = hook};
	const struct bench_act *act = &stage->api->options->acts.rows[index];
	struct bench_act_done *done = &stage->done.rows[index];
	uint64_t start_ns = clock_now_ns();
	const struct scene scene = {stage, act, done, start_ns + act->within_ms * NS_PER_MS};

	done->was_reached = true;
	done->at_s = (double)(start_ns - stage->start_ns) / (double)NS_PER_S;
	done->is_good = kinds[act->kind](&scene);
	done->took_s = (double)(clock_now_ns() - start_ns) / (double)NS_PER_S;
}

static void *run(void *arg)
{
	struct bench_stage *stage = arg;
	const struct bench_acts *acts = &stage->api->options->acts;

	for (size_t i = 0; i < acts->count && !is_over(stage); i++) {
		uint64_t at_ns = stage->start_ns + acts->rows[i].at_ms * NS_PER_MS;

		while (clock_now_ns() < at_ns && !is_over(stage))
			nap(NAP_NS);
		if (is_over(stage))
			break;
		perform(stage, i);
		if (!stage->done.rows[i].is_good)
			break; /* the others count on it */
	}
	return NULL;
}

void bench_stage_init(struct bench_stage *stage, const struct bench_api *api)
{
	const struct bench_acts *acts = &api->options->acts;

	_Static_assert(BENCH_ACTS_MAX == BENCH_ACTS_DONE_MAX, "one for each");
	stage->api = api;
	stage->done.count = acts->count;
	for (size_t i = 0; i < acts->count; i++) {
		struct bench_act_done *done = &stage->done.rows[i];

		snprintf(done->text, sizeof(done->text), "%s: %s",
			 bench_act_kind_name(acts->rows[i].kind), acts->rows[i].text);
		snprintf(done->seen, sizeof(done->seen), "was not reached");
	}
}

int bench_stage_start(struct bench_stage *stage, uint64_t start_ns)
{
	if (stage->done.count == 0)
		return 0;
	stage->start_ns = start_ns;
	int r = -pthread_create(&stage->thread, NULL, run, stage);

	stage->is_running = r == 0;
	return r;
}

void bench_stage_stop(struct bench_stage *stage, bool is_interrupted)
{
	atomic_store_explicit(&stage->is_interrupted, is_interrupted, memory_order_relaxed);
	atomic_store_explicit(&stage->is_over, true, memory_order_relaxed);
	if (stage->is_running)
		pthread_join(stage->thread, NULL);
	stage->is_running = false;
}
