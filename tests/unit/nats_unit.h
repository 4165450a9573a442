/* SPDX-License-Identifier: Apache-2.0
 * nats_unit.h - a real nats-server for tests, on a free port of 127.0.0.1. */
#pragma once

#include "unit.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NATS_SERVER "/usr/sbin/nats-server"

struct nats_server {
	pid_t pid;
	FILE *log;          /* open as long as it runs: it ends when nobody reads */
	const char *config; /* the text of its file; NULL: none */
	unsigned port;
	char dir[64];
	char url[64];
};

static inline bool nats_server_is_installed(void)
{
	return access(NATS_SERVER, X_OK) == 0;
}

/* Its log says the port, and then that it is ready. */
static inline void nats_server_wait(struct nats_server *server)
{
	char line[512];

	while (fgets(line, sizeof(line), server->log) != NULL) {
		const char *listening = strstr(line, "client connections on 127.0.0.1:");

		if (listening != NULL)
			server->port = (unsigned)strtoul(strrchr(listening, ':') + 1, NULL, 10);
		if (strstr(line, "Server is ready") != NULL)
			return;
	}
	fail_msg("nats-server did not start");
}

static inline void nats_server_write_config(const struct nats_server *server, char *path,
					    size_t size)
{
	snprintf(path, size, "%s/nats.conf", server->dir);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(server->config != NULL ? server->config : "", file);
	fclose(file);
}

/* `port` 0: a free one. `user` NULL: without credentials. JetStream stores in a directory
 * of its own, which stays until nats_server_remove. */
static inline void nats_server_start(struct nats_server *server, unsigned port, const char *user,
				     const char *password)
{
	char port_text[16], config[96];
	int log[2];

	if (server->dir[0] == 0) {
		snprintf(server->dir, sizeof(server->dir), "/tmp/gatehouse-nats-XXXXXX");
		assert_non_null(mkdtemp(server->dir));
	}
	snprintf(port_text, sizeof(port_text), "%d", port != 0 ? (int)port : -1);
	nats_server_write_config(server, config, sizeof(config));
	assert_int_equal(pipe(log), 0);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(log[1], STDERR_FILENO);
		close(log[0]);
		execl(NATS_SERVER, NATS_SERVER, "-a", "127.0.0.1", "-p", port_text, "-js", "-sd",
		      server->dir, "-c", config, user != NULL ? "--user" : NULL, user, "--pass",
		      password, (char *)NULL);
		_exit(127);
	}
	close(log[1]);
	server->log = fdopen(log[0], "r");
	nats_server_wait(server);
	snprintf(server->url, sizeof(server->url), "nats://127.0.0.1:%u", server->port);
}

static inline void nats_server_kill(struct nats_server *server)
{
	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	fclose(server->log);
	server->pid = 0;
}

static inline int nats_remove_one(const char *path, const struct stat *info, int kind,
				  struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

static inline void nats_server_remove(struct nats_server *server)
{
	nats_server_kill(server);
	if (server->dir[0] != 0)
		nftw(server->dir, nats_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	server->dir[0] = 0;
}
