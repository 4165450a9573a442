/* SPDX-License-Identifier: Apache-2.0
 * server_access.h - the access log, as the configuration has it.
 *
 * Layer: server. In the main thread. */
#pragma once

#include "conn/access_log.h"

struct config;
struct server;
struct server_error;

/* Can its file be written? 0, or -1 with *out_error. */
int server_access_check(const struct config *config, struct server_error *out_error);

/* All that can fail: the file is opened, if it is another one than now. 0, or -1 with *out_error.
 */
int server_access_prepare(struct server *server, const struct config *config,
			  struct log_file **out_file, struct server_error *out_error);

/* It is in force. Takes over the file, and clears the pointer. */
void server_access_commit(struct server *server, const struct config *config,
			  struct log_file **file);

/* Of the start. 0, or -1 with *out_error. */
int server_access_open(struct server *server, struct server_error *out_error);

/* No worker is left. */
void server_access_close(struct server *server);
