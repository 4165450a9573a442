/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_access.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "server/server_private.h"

/* In the file's thread. */
static void on_told(void *arg, const char *path, int error)
{
	(void)arg;
	if (error == 0)
		log_info("the access log is written again", F_TEXT("file", path));
	else
		log_error("the access log cannot be written; its lines are dropped and counted, "
			  "and nothing else waits for it",
			  F_TEXT("file", path), F_TEXT("error", strerror(error)));
}

static const char *file_of(const struct config *config)
{
	return config->log.access == CONFIG_SWITCH_TRUE ? config->log.access_file.text : "";
}

static int fail(const struct config *config, int error, struct server_error *out_error)
{
	const struct config_origin *origin = &config->origins[CONFIG_OPTION_log_access_file];
	bool is_of_file = origin->kind == CONFIG_FROM_FILE;
	int used = 0;

	*out_error = (struct server_error){0};
	if (is_of_file)
		used = snprintf(out_error->text, sizeof(out_error->text),
				"%s:%u:%u: ", config->file, origin->line, origin->column);
	snprintf(out_error->text + used, sizeof(out_error->text) - (size_t)used,
		 "log.access_file: %s cannot be written: %s; write the path of a file in a "
		 "directory that this user may write to",
		 config->log.access_file.text, strerror(-error));
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

static void add_stats(struct access_stats *sum, const struct log_file *file)
{
	const struct log_file_stats *stats = file == NULL ? NULL : log_file_stats(file);

	if (stats == NULL)
		return;
	sum->dropped_queue += counter_read(&stats->dropped_full);
	sum->dropped_disk += counter_read(&stats->dropped_disk);
}

/* The one before ends outside of the lock, since that waits for the disk. */
static struct log_file *file_change(struct server *server, struct log_file *file)
{
	struct access_log *access = &server->access;
	struct log_file *before;

	pthread_mutex_lock(&access->mutex);
	before = access->file;
	access->file = file;
	pthread_mutex_unlock(&access->mutex);
	return before;
}

static void file_end(struct server *server, struct log_file *file)
{
	struct access_stats sum = {0};

	add_stats(&sum, file);
	counter_add(&server->access_before.dropped_queue, sum.dropped_queue);
	counter_add(&server->access_before.dropped_disk, sum.dropped_disk);
	log_file_destroy(&file);
}

void server_access_commit(struct server *server, const struct config *config,
			  struct log_file **file)
{
	struct access_log *access = &server->access;
	bool has_file = file_of(config)[0] != 0;

	if (*file != NULL || !has_file)
		file_end(server, file_change(server, *file));
	*file = NULL;
	counter_set(&access->rate, config->log.access_rate);
	counter_set(&access->is_to_file, has_file);
	counter_set(&access->is_on, config->log.access == CONFIG_SWITCH_TRUE);
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
	file_end(server, file_change(server, NULL));
}

void server_access_stats(const struct server *server, struct access_stats *out_stats)
{
	struct access_log *access = (struct access_log *)(uintptr_t)&server->access;

	*out_stats = (struct access_stats){
		.dropped_rate = counter_read(&access->dropped_rate),
		.dropped_queue = counter_read(&server->access_before.dropped_queue),
		.dropped_disk = counter_read(&server->access_before.dropped_disk),
	};
	pthread_mutex_lock(&access->mutex);
	add_stats(out_stats, access->file);
	pthread_mutex_unlock(&access->mutex);
	uint64_t lost = out_stats->dropped_queue + out_stats->dropped_disk;
	uint64_t lines = counter_read(&access->lines);

	out_stats->written = lines > lost ? lines - lost : 0;
}
