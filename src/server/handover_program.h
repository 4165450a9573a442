/* SPDX-License-Identifier: Apache-2.0
 * handover_program.h - starting the program that now lies where this one came from.
 *
 * Layer: server. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct handover_program {
	char *path; /* absolute; symbolic links in it are followed when it is started */
	char **arguments;
	char *text; /* that they lie in */
};

/* What this process was started as; before the working directory changes. Reads /proc. 0 or a
 * negative errno; _finish in either case. */
int handover_program_remember(struct handover_program *program);
void handover_program_finish(struct handover_program *program);

/* Starts it with the same arguments and environment, and `channel_fd` as its end of the channel; it
 * inherits no other descriptor beyond the standard three. 0 with *out_pid, or a negative errno. */
int handover_program_start(const struct handover_program *program, int channel_fd, pid_t *out_pid);
