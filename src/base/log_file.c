/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/side_thread.h"

#define PERMISSIONS 0640
#define LOOK_NS     NS_PER_S /* whether the file has been moved */
#define END_S       2        /* at the end, for a disk that does not answer */
#define GATHER_NS   (50 * NS_PER_MS)

struct log_file {
	char *path;
	log_file_told_fn told;
	void *arg;
	struct log_file_stats stats;
	struct side_thread side; /* whose mutex guards the next two */
	char *filling;           /* LOG_FILE_BUFFER bytes */
	size_t len;
	/* The thread's. */
	char *writing;
	int fd;
	uint64_t looked_ns;
	bool is_failing;
	bool is_torn;   /* the last line in the file has no end */
	int look_error; /* it was moved or removed, and there can be no other: why */
	bool is_gone;   /* what is written to it nobody finds any more */
};

/* A pipe that nobody reads is an error, and one that is full drops lines. */
static int file_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		      PERMISSIONS);

	return fd < 0 ? -errno : fd;
}

static int directory_check(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 1 : MAX((size_t)(slash - path), (size_t)1);
	char *directory = strndup(slash == NULL ? "." : path, len);
	int r = directory == NULL                                             ? -ENOMEM
		: faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) < 0 ? -errno
									      : 0;

	free(directory);
	return r;
}

/* Makes none: it would be that of whoever asks, and not of whoever is to write it. */
int log_file_check(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? directory_check(path) : -errno;
	close(fd);
	return 0;
}

/* --- the thread --- */

static void tell(struct log_file *file, int error)
{
	if (file->is_failing == (error != 0))
		return;
	file->is_failing = error != 0;
	file->told(file->arg, file->path, error);
}

static bool is_moved(const struct log_file *file)
{
	struct stat named, open;

	return stat(file->path, &named) < 0 || fstat(file->fd, &open) < 0 ||
	       named.st_ino != open.st_ino || named.st_dev != open.st_dev;
}

static bool has_no_name(int fd)
{
	struct stat open;

	return fstat(fd, &open) == 0 && open.st_nlink == 0;
}

/* If there can be no other it keeps the one that it has: one that was only moved is still found. */
static void look(struct log_file *file)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns < file->looked_ns + LOOK_NS)
		return;
	file->looked_ns = now_ns;
	int fd = is_moved(file) ? file_open(file->path) : file->fd;

	file->look_error = fd < 0 ? -fd : 0;
	file->is_gone = fd < 0 && has_no_name(file->fd);
	if (fd < 0 || fd == file->fd)
		return;
	close(file->fd);
	file->fd = fd;
	file->is_torn = false;
}

static uint64_t count_lines(const char *text, size_t len)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

/* [bytes] that are in the file. */
static size_t write_all(struct log_file *file, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t r = write(file->fd, text + done, len - done);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			tell(file, r < 0 ? errno : EIO);
			return done;
		}
		done += (size_t)r;
	}
	tell(file, file->look_error);
	return done;
}

/* What was torn off is ended by the newline of the next try, so that no two lines become one. */
static void write_batch(struct log_file *file, size_t len)
{
	if (file->is_gone) {
		tell(file, file->look_error);
		counter_add(&file->stats.dropped_disk, count_lines(file->writing, len));
		return;
	}
	if (file->is_torn)
		file->is_torn = write_all(file, "\n", 1) == 0;
	size_t done = file->is_torn ? 0 : write_all(file, file->writing, len);

	file->is_torn |= done > 0 && file->writing[done - 1] != '\n';
	counter_add(&file->stats.written, count_lines(file->writing, done));
	counter_add(&file->stats.dropped_disk, count_lines(file->writing + done, len - done));
}

/* [bytes] that are to be written now; 0 and *out_is_over: none, and none will be. */
static size_t take(struct log_file *file, bool *out_is_over)
{
	pthread_mutex_lock(&file->side.mutex);
	while (file->len == 0 && !file->side.is_ending)
		side_thread_sleep(&file->side);
	size_t len = file->len;
	char *swap = file->writing;

	file->writing = file->filling;
	file->filling = swap;
	file->len = 0;
	*out_is_over = len == 0;
	pthread_mutex_unlock(&file->side.mutex);
	return len;
}

static void gather(struct log_file *file)
{
	struct timespec pause = {.tv_nsec = (long)GATHER_NS};

	pthread_mutex_lock(&file->side.mutex);
	bool is_ending = file->side.is_ending;

	pthread_mutex_unlock(&file->side.mutex);
	if (!is_ending)
		nanosleep(&pause, NULL);
}

static void *thread_main(void *arg)
{
	struct log_file *file = arg;
	bool is_over = false;

	while (!is_over) {
		size_t len = take(file, &is_over);

		if (len == 0)
			continue;
		look(file);
		write_batch(file, len);
		gather(file);
	}
	return NULL;
}

/* --- life --- */

static void file_free(struct log_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->filling);
	free(file->writing);
	free(file->path);
	free(file);
}

int log_file_create(const char *path, log_file_told_fn told, void *arg, struct log_file **out_file)
{
	struct log_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return -ENOMEM;
	file->told = told;
	file->arg = arg;
	file->path = strdup(path);
	file->filling = malloc(LOG_FILE_BUFFER);
	file->writing = malloc(LOG_FILE_BUFFER);
	file->fd = file_open(path);
	int r = file->fd < 0 ? file->fd
		: file->path == NULL || file->filling == NULL || file->writing == NULL
			? -ENOMEM
			: side_thread_start(&file->side, thread_main, file);

	if (r < 0) {
		file_free(file);
		return r;
	}
	*out_file = file;
	return 0;
}

void log_file_destroy(struct log_file **file, struct log_file_stats *out_last)
{
	struct log_file *self = *file;

	*file = NULL;
	if (self == NULL)
		return;
	bool has_ended = side_thread_end(&self->side, END_S);

	if (out_last != NULL)
		log_file_stats(self, out_last);
	if (has_ended) /* one that hangs in the disk keeps its memory */
		file_free(self);
}

void log_file_put(struct log_file *file, const char *line, size_t len)
{
	pthread_mutex_lock(&file->side.mutex);
	bool has_room = file->len + len <= LOG_FILE_BUFFER;

	if (has_room) {
		memcpy(file->filling + file->len, line, len);
		file->len += len;
		if (file->len == len)
			side_thread_wake(&file->side);
	}
	pthread_mutex_unlock(&file->side.mutex);
	if (!has_room)
		counter_add(&file->stats.dropped_full, 1);
}

void log_file_stats(const struct log_file *file, struct log_file_stats *out_stats)
{
	*out_stats = (struct log_file_stats){
		.written = counter_read(&file->stats.written),
		.dropped_full = counter_read(&file->stats.dropped_full),
		.dropped_disk = counter_read(&file->stats.dropped_disk),
	};
}
