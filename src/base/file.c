/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A pipe without a writer must not hold up the start. */
static int file_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static ssize_t descriptor_read(int fd, uint8_t *out, size_t size)
{
	ssize_t got = 1;
	size_t len = 0;

	while (got > 0 && len < size) {
		got = read(fd, out + len, size - len);
		len += got > 0 ? (size_t)got : 0;
	}
	return got < 0 ? -errno : (ssize_t)len;
}

ssize_t file_read(const char *path, void *out, size_t size)
{
	int fd = file_open(path);

	if (fd < 0)
		return fd;
	ssize_t len = descriptor_read(fd, out, size);

	close(fd);
	return len;
}

static int size_check(int fd, size_t max, struct stat *out_facts)
{
	if (fstat(fd, out_facts) < 0)
		return -errno;
	if (!S_ISREG(out_facts->st_mode))
		return S_ISDIR(out_facts->st_mode) ? -EISDIR : -ESPIPE;
	return (uint64_t)out_facts->st_size > max ? -EFBIG : 0;
}

static int descriptor_load(int fd, size_t max, struct file_content *out_content)
{
	struct stat facts;
	int r = size_check(fd, max, &facts);

	if (r < 0)
		return r;
	uint8_t *data = malloc((size_t)facts.st_size + 1);

	if (data == NULL)
		return -ENOMEM;
	ssize_t len = descriptor_read(fd, data, (size_t)facts.st_size);

	if (len < 0) {
		free(data);
		return (int)len;
	}
	*out_content = (struct file_content){data, (size_t)len, facts.st_mode};
	return 0;
}

int file_load(const char *path, size_t max, struct file_content *out_content)
{
	int fd = file_open(path);

	if (fd < 0)
		return fd;
	int r = descriptor_load(fd, max, out_content);

	close(fd);
	return r;
}
