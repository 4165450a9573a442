/* SPDX-License-Identifier: Apache-2.0 */
#include "os/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define MESSAGE_MAX 1024
#define PATIENCE_S  1

/* Of the process, as the log is. */
static struct {
	struct sockaddr_un to;
	socklen_t to_len;
	int fd;
	bool is_on;
	uint64_t watchdog_ns;
} manager;

/* --- who listens --- */

/* "/run/systemd/notify", or "@name" in the abstract namespace, whose length counts. */
static int address_read(const char *text)
{
	size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof(manager.to.sun_path))
		return -EINVAL;
	manager.to = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(manager.to.sun_path, text, len);
	if (text[0] == '@')
		manager.to.sun_path[0] = 0;
	manager.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
				     (text[0] == '/'));
	return 0;
}

/* 0: there is none, or it is no number. */
static uint64_t number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	uint64_t value = strtoull(text, &end, 10);

	return errno != 0 || *end != 0 ? 0 : value;
}

static uint64_t watchdog_read(void)
{
	uint64_t usec = number_of("WATCHDOG_USEC");
	bool is_for_us = getenv("WATCHDOG_PID") == NULL ||
			 number_of("WATCHDOG_PID") == (uint64_t)getpid();

	return is_for_us && usec <= UINT64_MAX / NS_PER_US ? usec * NS_PER_US : 0;
}

void notify_close(void)
{
	if (manager.is_on)
		close(manager.fd);
	memset(&manager, 0, sizeof(manager));
}

int notify_open(void)
{
	static const struct timeval patience = {.tv_sec = PATIENCE_S};
	const char *text = getenv("NOTIFY_SOCKET");

	notify_close();
	if (text == NULL || text[0] == 0)
		return 0;
	int r = address_read(text);

	if (r < 0)
		return r;
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager.fd < 0)
		return -errno;
	setsockopt(manager.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	manager.watchdog_ns = watchdog_read();
	manager.is_on = true;
	return 0;
}

bool notify_is_on(void)
{
	return manager.is_on;
}

uint64_t notify_watchdog_ns(void)
{
	return manager.watchdog_ns;
}

/* --- what is said --- */

static void __attribute__((format(printf, 1, 2))) tell(const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list args;
	ssize_t r;

	if (!manager.is_on)
		return;
	va_start(args, format);
	int len = vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (len <= 0 || (size_t)len >= sizeof(message))
		return;
	do
		r = sendto(manager.fd, message, (size_t)len, MSG_NOSIGNAL,
			   (const struct sockaddr *)&manager.to, manager.to_len);
	while (r < 0 && errno == EINTR);
}

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	tell("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_ns() / NS_PER_US);
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}

void notify_status(const char *format, ...)
{
	char line[MESSAGE_MAX / 2];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	line[strcspn(line, "\r\n")] = 0; /* behind it would stand something else to be told */
	tell("STATUS=%s", line);
}

void notify_extend(uint64_t ns)
{
	tell("EXTEND_TIMEOUT_USEC=%" PRIu64, ns / NS_PER_US);
}

void notify_main_pid(pid_t pid)
{
	tell("MAINPID=%ld", (long)pid);
}

void notify_watchdog(void)
{
	tell("WATCHDOG=1");
}
