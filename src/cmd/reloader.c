/* SPDX-License-Identifier: Apache-2.0
 * reloader.c - reads the configuration again (reloader.h).
 *
 * Wanted -> due -> read. A file that was written a moment ago may be half of one: it is looked at
 * again until it has not changed for a while, and if it does not come to rest the reading is
 * refused. One that was written while it was read is read again. After a reading there is a pause,
 * so that a flood of signals is not a flood of readings.
 *
 * A reading has the same path as a start: the sources, the checks, the plan. Only then something is
 * changed, by server_reload; what cannot be changed is kept as it is, and told. */
#include "cmd/reloader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "admin/admin.h"
#include "admin/live_plan.h"
#include "admin/reloads.h"
#include "admin/stream/streams.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/renewals.h"
#include "cmd/start.h"
#include "os/notify.h"
#include "session/ruleset.h"

#define SETTLE_NS  (200 * NS_PER_MS) /* a file that has not changed for so long is whole */
#define GIVE_UP_NS (3 * NS_PER_S)
#define PAUSE_NS   (200 * NS_PER_MS) /* from one reading to the next, at least */

void reloader_init(struct reloader *reloader, const struct reloader_options *options)
{
	*reloader = (struct reloader){.options = *options};
}

void reloader_want(struct reloader *reloader)
{
	uint64_t now_ns = clock_now_ns();

	if (reloader->is_wanted)
		return;
	reloader->is_wanted = true;
	reloader->asked_by = reloads_are_asked(reloader->options.reloads) ? "API" : "SIGHUP";
	reloader->due_ns = reloader->read_ns == 0 ? now_ns
						  : MAX(now_ns, reloader->read_ns + PAUSE_NS);
	reloader->give_up_ns = reloader->due_ns + GIVE_UP_NS;
}

int reloader_wait_ms(const struct reloader *reloader, int max_ms)
{
	uint64_t now_ns = clock_now_ns();

	if (!reloader->is_wanted)
		return max_ms;
	if (now_ns >= reloader->due_ns)
		return 0;
	return (int)MIN((reloader->due_ns - now_ns) / NS_PER_MS + 1, (uint64_t)max_ms);
}

/* --- is the file whole? --- */

/* What tells one writing of a file from another. */
struct writing {
	bool is_known; /* there is a file */
	bool is_empty; /* and it has nothing in it */
	ino_t inode;
	off_t size;
	struct timespec at;
};

static struct writing writing_of(const char *file)
{
	struct stat facts;

	if (file == NULL || stat(file, &facts) < 0)
		return (struct writing){0};
	return (struct writing){.is_known = true,
				.is_empty = S_ISREG(facts.st_mode) && facts.st_size == 0,
				.inode = facts.st_ino,
				.size = facts.st_size,
				.at = facts.st_mtim};
}

static bool is_same(const struct writing *one, const struct writing *other)
{
	return one->is_known == other->is_known && one->inode == other->inode &&
	       one->size == other->size && one->at.tv_sec == other->at.tv_sec &&
	       one->at.tv_nsec == other->at.tv_nsec;
}

/* [ns]; UINT64_MAX: that cannot be told, or the clock of its machine is ahead. */
static uint64_t age_of(const struct writing *writing)
{
	struct timespec now;

	if (!writing->is_known || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return UINT64_MAX;
	int64_t age_ns = (now.tv_sec - writing->at.tv_sec) * (int64_t)NS_PER_S +
			 (now.tv_nsec - writing->at.tv_nsec);

	return age_ns < 0 ? UINT64_MAX : (uint64_t)age_ns;
}

/* --- what was found --- */

static void on_problem(void *arg, const struct start_problem *problem)
{
	struct reload_report *report = arg;
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (to != NULL) {
		start_problem_print(problem, to);
		fclose(to);
	}
	if (text != NULL && size > 0 && text[size - 1] == '\n')
		text[size - 1] = 0;
	config_report_add(problem->is_warning ? &report->warnings : &report->mistakes, "%s",
			  text == NULL ? problem->message : text);
	free(text);
}

static void file_note(struct reload_report *report, const char *file)
{
	snprintf(report->file, sizeof(report->file), "%s", file == NULL ? "" : file);
}

static void warnings_take(const struct config *config, struct reload_report *report)
{
	struct slice rest = buf_slice(&config->warnings.text), line;

	while (slice_next(&rest, '\n', &line) && line.len > 0)
		config_report_add(&report->warnings, "%.*s", SLICE_ARG(line));
}

enum reading {
	READ_GOOD,
	READ_BAD,  /* nothing may be changed; the report says why */
	READ_TORN, /* it was written meanwhile: what was read may never have been in it */
};

/* Whoever wants the defaults has a reason to say so; more often a disk was full. */
static void empty_refuse(const struct config *now, const struct config *next,
			 struct reload_report *report)
{
	if (strcmp(now->file_sha256, next->file_sha256) != 0)
		config_report_add(&report->mistakes,
				  "%s: is empty: was its writing cut off? If all the defaults are "
				  "wanted, write a comment into it",
				  next->file);
}

static enum reading read_and_check(const struct reloader *reloader, const struct config *now,
				   const struct writing *writing, struct config *out_next,
				   struct api_token *out_token, struct reload_report *report)
{
	const struct reloader_options *options = &reloader->options;

	report->outcome = RELOAD_REFUSED;
	file_note(report, now->file);
	int r = config_args_load_again(options->args, options->argc, options->argv, now->file,
				       &report->mistakes, out_next);
	const struct writing after = writing_of(now->file);

	if (!is_same(writing, &after)) {
		if (r == 0)
			config_finish(out_next);
		return READ_TORN;
	}
	if (r < 0)
		return READ_BAD;
	file_note(report, out_next->file);
	warnings_take(out_next, report);
	if (writing->is_empty)
		empty_refuse(now, out_next, report);
	start_prepare_again(out_next, out_token, on_problem, report);
	if (report->mistakes.count == 0)
		return READ_GOOD;
	config_finish(out_next);
	return READ_BAD;
}

/* --- putting it in force --- */

static bool fail(struct reload_report *report, const char *why)
{
	report->outcome = RELOAD_FAILED;
	config_report_add(&report->mistakes, "%s", why);
	config_diff_finish(&report->diff);
	return false;
}

/* Takes over `next`. */
static bool put_in_force(const struct reloader *reloader, const struct config *now,
			 struct config *next, struct reload_report *report)
{
	struct server_error error;
	bool is_kept = config_diff_make(now, next, &report->diff) == 0 &&
		       config_keep_restart(next, now) == 0;
	struct ruleset *ruleset = is_kept ? ruleset_create(next) : NULL;

	if (ruleset == NULL) {
		config_finish(next);
		return fail(report, "out of memory");
	}
	struct live_plan plan;
	bool is_auto = ruleset->config.server.max_connections == 0;
	bool is_good = true;

	live_plan_make(reloader->options.admin, &ruleset->config, &plan);
	if (!plan.plan.fits) {
		config_diff_finish(&report->diff);
		start_tell_plan(&plan.plan, is_auto, on_problem, report);
		ruleset_unref(&ruleset);
		is_good = false;
	} else if (server_reload(reloader->options.server, ruleset, &plan.plan, &error) < 0) {
		is_good = fail(report, error.text);
	}
	live_plan_finish(&plan);
	return is_good;
}

/* Those that were let in by another token, or redact by other rules, end. */
static void change_streams(struct reloader *reloader, const struct api_token *token)
{
	struct ruleset *ruleset = server_ruleset(reloader->options.server);

	streams_change_rules(reloader->options.admin->api.streams, token, &ruleset->config.admin);
	ruleset_unref(&ruleset);
}

/* False: it was torn, and nothing has happened. */
static bool read_again(struct reloader *reloader, const struct writing *writing,
		       struct reload_report *report)
{
	struct server *server = reloader->options.server;
	struct ruleset *now = server_ruleset(server);
	struct config next;
	struct api_token token;
	enum reading reading = read_and_check(reloader, &now->config, writing, &next, &token,
					      report);

	if (reading == READ_GOOD && put_in_force(reloader, &now->config, &next, report)) {
		api_set_token(&reloader->options.admin->api, &token);
		change_streams(reloader, &token);
		report->files_failed = renewals_all(server_options(server)->renewals,
						    clock_now_ns());
		report->late_workers = server_reload_await(server);
		report->outcome = config_diff_count(&report->diff, CONFIG_LIVE) > 0 ? RELOAD_CHANGED
										    : RELOAD_SAME;
	}
	ruleset_unref(&now);
	now = server_ruleset(server);
	memcpy(report->hash, now->hash, sizeof(report->hash));
	ruleset_unref(&now);
	return reading != READ_TORN;
}

/* --- when --- */

static void refuse_unsettled(const struct reloader *reloader, const char *file,
			     struct reload_report *report)
{
	struct ruleset *now = server_ruleset(reloader->options.server);

	report->outcome = RELOAD_REFUSED;
	memcpy(report->hash, now->hash, sizeof(report->hash));
	file_note(report, file);
	config_report_add(&report->mistakes,
			  "%s: is being written, again and again for 3 s; write another file and "
			  "rename it to this",
			  file);
	ruleset_unref(&now);
}

static void answer(struct list_node *waiting, const struct reload_report *report)
{
	json_t *body = reload_report_json(report);
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);

	reloads_answer(waiting, reload_report_status(report), text);
	free(text);
	json_decref(body);
}

static void finish(struct reloader *reloader, struct reload_report *report,
		   struct list_node *waiting)
{
	server_count_reload(reloader->options.server, report->outcome);
	reload_report_log(report, reloader->asked_by);
	answer(waiting, report);
	reload_report_finish(report);
	reloader->read_ns = clock_now_ns();
}

void reloader_close(struct reloader *reloader)
{
	reloads_close(reloader->options.reloads);
}

/* Those who wait, wait on; so does the service manager. */
static void put_off(struct reloader *reloader, struct reload_report *report,
		    struct list_node *waiting)
{
	reloads_give_back(reloader->options.reloads, waiting);
	reload_report_finish(report);
	reloader->is_wanted = true;
	reloader->due_ns = clock_now_ns() + SETTLE_NS;
}

static void read_or_put_off(struct reloader *reloader, const char *file,
			    const struct writing *writing)
{
	struct reload_report report = {0};
	struct list_node waiting;

	reloader->is_wanted = false;
	reloads_take(reloader->options.reloads, &waiting);
	notify_reloading();
	bool is_whole = age_of(writing) >= SETTLE_NS && read_again(reloader, writing, &report);

	if (!is_whole && clock_now_ns() < reloader->give_up_ns) {
		put_off(reloader, &report, &waiting);
	} else {
		if (!is_whole) {
			reload_report_finish(&report);
			refuse_unsettled(reloader, file, &report);
		}
		finish(reloader, &report, &waiting);
		notify_ready();
	}
}

void reloader_tick(struct reloader *reloader)
{
	uint64_t now_ns = clock_now_ns();

	if (!reloader->is_wanted || now_ns < reloader->due_ns)
		return;
	struct ruleset *now = server_ruleset(reloader->options.server);
	const struct writing writing = writing_of(now->config.file);
	uint64_t age_ns = age_of(&writing);

	if (age_ns < SETTLE_NS && now_ns < reloader->give_up_ns)
		reloader->due_ns = now_ns + SETTLE_NS - age_ns;
	else
		read_or_put_off(reloader, now->config.file, &writing);
	ruleset_unref(&now);
}
