/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_access.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/config_option.h"
#include "server/server_private.h"

/* In the file's thread. */
static void on_told(void *arg, const char *path, int error)
{
	(void)arg;
	if (error == 0)
		log_info("the access log is written again", F_TEXT("file", path));
	else
		log_error("the access log cannot be written; its lines are dropped and counted, "
			  "or go on in the file that was moved, and nothing else waits for it",
			  F_TEXT("file", path), F_TEXT("error", strerror(error)));
}

static const char *file_of(const struct config *config)
{
	return config->log.access == CONFIG_SWITCH_TRUE ? config->log.access_file.text : "";
}

static int fail(const struct config *config, int error, struct server_error *out_error)
{
	const enum config_option_number option = CONFIG_OPTION_log_access_file;
	char place[CONFIG_PLACE_MAX] = "";

	if (config->origins[option].kind == CONFIG_FROM_FILE)
		config_origin_format(config, option, place);
	*out_error = (struct server_error){0};
	snprintf(out_error->text, sizeof(out_error->text),
		 "%slog.access_file: %s cannot be written: %s; write the path of a file in a "
		 "directory that this user may write to",
		 place, config->log.access_file.text, strerror(-error));
	return -1;
}

int server_access_check(const struct config *config, struct server_error *out_error)
{
	const char *path = file_of(config);
	int r = path[0] == 0 ? 0 : log_file_check(path);

	return r < 0 ? fail(config, r, out_error) : 0;
}

/* Of the ruleset in force. */
static bool is_open_already(const struct server *server, const char *path)
{
	return server->access.file != NULL && strcmp(file_of(&server->ruleset->config), path) == 0;
}

int server_access_prepare(struct server *server, const struct config *config,
			  struct log_file **out_file, struct server_error *out_error)
{
	const char *path = file_of(config);

	*out_file = NULL;
	if (path[0] == 0 || is_open_already(server, path))
		return 0;
	int r = log_file_create(path, on_told, NULL, out_file);

	return r < 0 ? fail(config, r, out_error) : 0;
}

/* `sum` += `now` - `then` */
static void stats_add(struct log_file_stats *sum, const struct log_file_stats *now,
		      const struct log_file_stats *then)
{
	sum->written += now->written - then->written;
	sum->dropped_full += now->dropped_full - then->dropped_full;
	sum->dropped_disk += now->dropped_disk - then->dropped_disk;
}

/* The one before ends outside of the lock, since that waits for the disk. What it has counted is
 * never missing, so that no counter goes back. */
static void file_change(struct server *server, struct log_file *file)
{
	struct access_log *access = &server->access;
	struct log_file_stats then = {0}, last = {0};
	struct log_file *before;

	pthread_mutex_lock(&access->mutex);
	before = access->file;
	__atomic_store_n(&access->file, file, __ATOMIC_RELAXED);
	if (before != NULL)
		log_file_stats(before, &then);
	stats_add(&server->access_before, &then, &(struct log_file_stats){0});
	pthread_mutex_unlock(&access->mutex);
	if (before == NULL)
		return;
	log_file_destroy(&before, &last);
	pthread_mutex_lock(&access->mutex);
	stats_add(&server->access_before, &last, &then);
	pthread_mutex_unlock(&access->mutex);
}

void server_access_commit(struct server *server, const struct config *config,
			  struct log_file **file)
{
	struct access_log *access = &server->access;
	bool is_on = config->log.access == CONFIG_SWITCH_TRUE, has_file = file_of(config)[0] != 0;

	counter_set(&access->rate, config->log.access_rate);
	if (!is_on)
		counter_set(&access->is_on, false);
	if (*file != NULL || !has_file)
		file_change(server, *file);
	*file = NULL;
	counter_set(&access->is_on, is_on);
}

int server_access_open(struct server *server, struct server_error *out_error)
{
	struct log_file *file;

	if (server_access_prepare(server, &server->ruleset->config, &file, out_error) < 0)
		return -1;
	server_access_commit(server, &server->ruleset->config, &file);
	server->public_service.access = &server->access;
	return 0;
}

void server_access_close(struct server *server)
{
	file_change(server, NULL);
}

void server_access_stats(const struct server *server, struct access_stats *out_stats)
{
	struct access_log *access = (struct access_log *)(uintptr_t)&server->access;

	struct log_file_stats files, now = {0};

	pthread_mutex_lock(&access->mutex);
	files = server->access_before;
	if (access->file != NULL)
		log_file_stats(access->file, &now);
	pthread_mutex_unlock(&access->mutex);
	stats_add(&files, &now, &(struct log_file_stats){0});
	*out_stats = (struct access_stats){
		.written = counter_read(&access->logged) + files.written,
		.dropped_rate = counter_read(&access->dropped_rate),
		.dropped_queue = files.dropped_full,
		.dropped_disk = files.dropped_disk,
	};
}
