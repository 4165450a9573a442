/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/unicode.h"
#include "diag/process_sockets.h"

/* PF_KTHREAD of the kernel's sched.h, as the flags in /proc/PID/stat have it. */
#define KERNEL_THREAD_FLAG 0x00200000

#define PATH_BYTES 512

static void problem_add(struct process *process, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void problem_add(struct process *process, const char *format, ...)
{
	size_t len = strlen(process->problem);
	va_list args;

	if (len > 0)
		len += (size_t)snprintf(process->problem + len, sizeof(process->problem) - len,
					"; ");
	if (len >= sizeof(process->problem))
		return;
	va_start(args, format);
	vsnprintf(process->problem + len, sizeof(process->problem) - len, format, args);
	va_end(args);
}

/* --- what it is --- */

/* Reads a small file of /proc/PID; returns its length or a negative errno. */
static ssize_t file_read(const char *root, pid_t pid, const char *name, char *to, size_t size)
{
	char path[PATH_BYTES];

	process_path(root, pid, name, path, sizeof(path));
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t len = read(fd, to, size - 1);
	int error = errno;

	close(fd);
	if (len < 0)
		return -error;
	to[len] = 0;
	return len;
}

/* "PID (NAME) STATE parent group session tty tty-group FLAGS ...", where NAME may hold
 * anything. */
static int stat_read(const char *root, struct process *process)
{
	char text[1024];
	unsigned flags = 0;
	char state = '?';
	ssize_t len = file_read(root, process->pid, "stat", text, sizeof(text));

	if (len < 0)
		return len == -ENOENT ? -ESRCH : (int)len;
	char *name = strchr(text, '(');
	char *end = strrchr(text, ')');

	if (name == NULL || end == NULL || end < name ||
	    sscanf(end + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return -EBADMSG;
	*end = 0;
	snprintf(process->name, sizeof(process->name), "%s", name + 1);
	unicode_make_plain(process->name, strlen(process->name), ' ');
	if (state == 'Z' || state == 'X')
		process->state = PROCESS_IS_ZOMBIE;
	else if ((flags & KERNEL_THREAD_FLAG) != 0)
		process->state = PROCESS_IS_KERNEL;
	return 0;
}

/* The arguments are separated by NULs. */
static void command_read(const char *root, struct process *process)
{
	ssize_t len = file_read(root, process->pid, "cmdline", process->command,
				sizeof(process->command));

	if (len <= 0)
		return;
	unicode_make_plain(process->command, (size_t)len, ' ');
	while (len > 0 && process->command[len - 1] == ' ')
		process->command[--len] = 0;
}

/* --- its descriptors --- */

struct descriptor_count {
	struct process *process;
	struct listener_table *listeners;
};

static void on_descriptor(void *arg, enum process_descriptor kind, uint32_t inode)
{
	struct descriptor_count *count = arg;

	if (kind == PROCESS_SOCKET) {
		count->process->sockets++;
		struct listener_entry *entry = listener_table_find(count->listeners, inode);

		if (entry != NULL)
			entry->is_ours = true;
	} else if (kind == PROCESS_RING) {
		count->process->rings++;
	} else {
		count->process->others++;
	}
}

static void descriptors_count(const char *root, struct process *process,
			      struct listener_table *listeners)
{
	struct descriptor_count count = {process, listeners};
	int r = process_descriptors_each(root, process->pid, on_descriptor, &count);

	process->has_descriptors = r == 0;
	if (r == -EACCES || r == -EPERM)
		problem_add(process,
			    "its descriptors and listeners cannot be read: it is not ours; run it "
			    "as root");
	else if (r < 0)
		problem_add(process, "its descriptors cannot be read: %s", strerror(-r));
}

/* --- its listeners --- */

static bool is_same_address(const struct net_addr *a, const struct net_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family || net_addr_port(a) != net_addr_port(b))
		return false;
	if (a->sa.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
	return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

static void listener_add(struct process *process, const struct sock_listener *from)
{
	struct process_listener *to = process->listeners;
	struct process_listener *end = to + process->listener_count;

	process->listening++;
	while (to < end && !is_same_address(&to->address, &from->address))
		to++;
	if (to == process->listeners + PROCESS_LISTENERS_MAX) {
		process->listeners_omitted++;
		return;
	}
	if (to == end) {
		process->listener_count++;
		*to = (struct process_listener){.address = from->address, .has_drops = true};
	}
	to->queue += from->queue;
	to->backlog += from->backlog;
	to->has_drops = to->has_drops && from->has_drops;
	to->drops += from->drops;
}

/* Both addresses of one port have the port's connections, but they exist once. */
static void established_add(struct process *process, struct sock_ports *ports)
{
	for (size_t i = 0; i < process->listener_count; i++) {
		struct process_listener *listener = &process->listeners[i];

		listener->established = ports->established[net_addr_port(&listener->address)];
	}
	for (size_t i = 0; i < process->listener_count; i++) {
		uint16_t port = net_addr_port(&process->listeners[i].address);

		process->established += ports->established[port];
		ports->established[port] = 0;
	}
}

static int established_read(struct process *process, int diag)
{
	struct sock_ports *ports = calloc(1, sizeof(*ports));

	if (ports == NULL)
		return -ENOMEM;
	int r = sock_diag_established(diag, ports);

	if (r == 0)
		established_add(process, ports);
	free(ports);
	return r;
}

static int sockets_read(const char *root, struct process *process, int diag)
{
	struct listener_table table = {0};
	int r = diag < 0 ? 0 : listener_table_read(diag, &table);

	descriptors_count(root, process, &table);
	for (size_t i = 0; i < table.count; i++)
		if (table.entries[i].is_ours)
			listener_add(process, &table.entries[i].listener);
	listener_table_finish(&table);
	if (r == 0 && process->listener_count > 0)
		r = established_read(process, diag);
	return r;
}

static const char *diag_problem(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return "they are in another network namespace; run it as root";
	case -ENOENT:
	case -EPROTONOSUPPORT:
		return "this kernel has no inet_diag (modprobe tcp_diag)";
	default:
		return strerror(-error);
	}
}

static void listeners_read(const char *root, struct process *process)
{
	char netns[PATH_BYTES];
	int diag = -1;
	int r = sock_diag_open(process_path(root, process->pid, "ns/net", netns, sizeof(netns)),
			       &diag);
	int r_sockets = sockets_read(root, process, diag);

	if (diag >= 0)
		close(diag);
	/* Without descriptors nothing could be matched: that is said already. */
	if ((r < 0 || r_sockets < 0) && process->has_descriptors)
		problem_add(process, "its listeners cannot be read: %s",
			    diag_problem(r < 0 ? r : r_sockets));
}

int process_read(const char *root, pid_t pid, struct process *out_process)
{
	struct process process = {.pid = pid};
	int r = stat_read(root, &process);

	if (r < 0)
		return r;
	command_read(root, &process);
	if (process.state == PROCESS_RUNS)
		listeners_read(root, &process);
	*out_process = process;
	return 0;
}

/* --- what that says --- */

static uint64_t connected(const struct process *process)
{
	return process->sockets - process->listening;
}

bool process_has_direct_sockets(const struct process *process)
{
	/* A program may have a ring for its files alone: then its connections are among
	 * its descriptors. */
	return process->rings > 0 &&
	       (connected(process) == 0 || process->established > connected(process));
}

uint64_t process_connections(const struct process *process)
{
	if (process_has_direct_sockets(process))
		return process->established;
	return connected(process);
}
