/* SPDX-License-Identifier: Apache-2.0 */
#include "server/handover_program.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "server/handover_format.h"

/* [bytes] Of the arguments, all together. */
#define ARGUMENTS_MAX 131072

/* The number that the new process sees. */
#define CHANNEL_FD 3

/* Of these the service manager means one process, and the new one is another. */
static const char *const left_out[] = {
	"WATCHDOG_PID=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", (HANDOVER_VARIABLE "=")};

/* As it was called, not where that leads to: "current" may be a link to the newest version. */
static char *path_make(void)
{
	const char *called = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	char directory[PATH_MAX] = "";

	if (called == NULL || called[0] == 0)
		called = "/proc/self/exe";
	if (called[0] != '/' && getcwd(directory, sizeof(directory)) == NULL)
		directory[0] = 0;
	size_t size = strlen(directory) + strlen(called) + 2;
	char *path = malloc(size);

	if (path != NULL)
		snprintf(path, size, "%s%s%s", directory, directory[0] == 0 ? "" : "/", called);
	return path;
}

/* Each argument ends in a NUL. */
static int arguments_split(struct handover_program *program, size_t len)
{
	size_t count = 0, next = 0;

	for (size_t i = 0; i < len; i++)
		count += program->text[i] == 0;
	program->arguments = calloc(count + 1, sizeof(*program->arguments));
	if (program->arguments == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		program->arguments[i] = program->text + next;
		next += strlen(program->text + next) + 1;
	}
	return count == 0 ? -EINVAL : 0;
}

int handover_program_remember(struct handover_program *program)
{
	*program = (struct handover_program){.path = path_make(), .text = malloc(ARGUMENTS_MAX)};
	if (program->path == NULL || program->text == NULL)
		return -ENOMEM;
	ssize_t len = file_read("/proc/self/cmdline", program->text, ARGUMENTS_MAX);

	if (len < 0)
		return (int)len;
	return len == ARGUMENTS_MAX ? -E2BIG : arguments_split(program, (size_t)len);
}

void handover_program_finish(struct handover_program *program)
{
	free(program->path);
	free(program->arguments);
	free(program->text);
	*program = (struct handover_program){0};
}

static bool is_left_out(const char *entry)
{
	for (size_t i = 0; i < ARRAY_LEN(left_out); i++)
		if (strncmp(entry, left_out[i], strlen(left_out[i])) == 0)
			return true;
	return false;
}

/* The caller frees the list, not what is in it. NULL: memory is out. */
static char **environment_make(char *variable)
{
	size_t count = 0, kept = 0;

	while (environ[count] != NULL)
		count++;
	char **list = calloc(count + 2, sizeof(*list));

	if (list == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (!is_left_out(environ[i]))
			list[kept++] = environ[i];
	list[kept] = variable;
	return list;
}

/* Nothing of ours but the channel: libraries open descriptors that would live on. */
static int files_prepare(posix_spawn_file_actions_t *files, int channel_fd)
{
	int r = posix_spawn_file_actions_init(files);

	if (r != 0)
		return r;
	r = posix_spawn_file_actions_adddup2(files, channel_fd, CHANNEL_FD);
	return r != 0 ? r : posix_spawn_file_actions_addclosefrom_np(files, CHANNEL_FD + 1);
}

/* It takes signals as if it had been started by anybody. */
static int signals_prepare(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	int r = posix_spawnattr_init(attributes);

	if (r != 0)
		return r;
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int handover_program_start(const struct handover_program *program, int channel_fd, pid_t *out_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	char variable[sizeof(HANDOVER_VARIABLE) + 16];

	snprintf(variable, sizeof(variable), HANDOVER_VARIABLE "=%d", CHANNEL_FD);
	char **environment = environment_make(variable);

	if (environment == NULL)
		return -ENOMEM;
	int r = files_prepare(&files, channel_fd);

	if (r == 0)
		r = signals_prepare(&attributes);
	if (r == 0) {
		r = posix_spawn(out_pid, program->path, &files, &attributes, program->arguments,
				environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&files);
	free(environment);
	return -r;
}
