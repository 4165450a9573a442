/* SPDX-License-Identifier: Apache-2.0
 * process_sockets.h - which descriptor of a process is which socket of the kernel's list.
 *
 * Layer: diag; for process.c and process_find.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "os/sock_diag.h"

struct listener_entry {
	struct sock_listener listener;
	bool is_ours; /* the process looked at holds it */
};

/* The listeners of a network namespace by inode. Zero-initialise. */
struct listener_table {
	struct listener_entry *entries;
	size_t count;
	size_t cap;
	bool is_out_of_memory;
};

/* `diag` is of sock_diag_open. Returns 0 or a negative errno. */
int listener_table_read(int diag, struct listener_table *table);
struct listener_entry *listener_table_find(struct listener_table *table, uint32_t inode);
void listener_table_finish(struct listener_table *table);

enum process_descriptor { PROCESS_SOCKET, PROCESS_RING, PROCESS_OTHER };

/* `inode` only of sockets. */
typedef void process_descriptor_fn(void *arg, enum process_descriptor kind, uint32_t inode);

/* Calls on_descriptor for each descriptor of the process but the one used for that.
 * Returns 0 or a negative errno: -EACCES, -ENOENT (gone). */
int process_descriptors_each(const char *root, pid_t pid, process_descriptor_fn *on_descriptor,
			     void *arg);

char *process_path(const char *root, pid_t pid, const char *name, char *out, size_t size);
