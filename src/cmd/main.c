/* SPDX-License-Identifier: Apache-2.0
 * main.c - picks the command. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/suggest.h"
#include "cmd/cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"serve", cmd_serve, "run the gateway"},
	{"bench", cmd_bench, "open many connections, check every echo, give a verdict"},
	{"doctor", cmd_doctor, "say which limit binds, and how to raise it"},
	{"drain", cmd_drain, "let the clients of the running gateway go, at a pace"},
	{"check", cmd_check, "report every mistake in the configuration"},
	{"config", cmd_config, "print the effective configuration and its origins"},
	{"reload", cmd_reload, "have the running gateway read its configuration again"},
	{"ready", cmd_ready, "ask a URL until it answers 200: the health check of a container"},
	{"secret", cmd_secret, "make a line of a users file: a name, and a new key or a password"},
	{"upgrade", cmd_upgrade, "have a new program take over from the running gateway"},
	{"version", cmd_version, "print the version"},
};

static void usage(FILE *to)
{
	fputs("Gatehouse, a WebSocket gateway for very large fleets of connections.\n\n"
	      "Usage: gatehouse COMMAND [OPTIONS]\n\nCommands:\n",
	      to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-8s  %s\n", commands[i].name, commands[i].help);
	fputs("\n'gatehouse COMMAND --help' describes a command.\n"
	      "Exit codes: 0 good; 1 the check, threshold or verdict failed, or at the end of\n"
	      "serve events were lost or clients not let go in time; 2 wrong usage, also if only\n"
	      "flags have a bad value; 78 the configuration cannot work.\n",
	      to);
}

/* Else the next descriptor that is opened would be standard input, output or error. */
static bool standard_descriptors_open(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	return true;
}

/* A command whose output did not reach its file or pipe has failed. */
static int output_check(int code)
{
	bool is_flushed = fflush(stdout) == 0;

	if (is_flushed && !ferror(stdout))
		return code;
	fprintf(stderr, "gatehouse: standard output cannot be written%s%s\n",
		is_flushed ? "" : ": ", is_flushed ? "" : strerror(errno));
	return code == EXIT_GOOD ? EXIT_FAILED : code;
}

static int unknown_fail(const char *name)
{
	struct suggest suggest = {.seen = slice_from_text(name)};
	char hint[SUGGEST_HINT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		suggest_offer(&suggest, commands[i].name);
	suggest_offer(&suggest, "--help");
	suggest_offer(&suggest, "--version");
	fprintf(stderr, "gatehouse: unknown command '%s'%s\n'gatehouse --help' lists them\n", name,
		suggest_hint(&suggest, hint));
	return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 && argc == 3) {
		char *asked[] = {argv[0], argv[2], (char *)"--help", NULL};

		return run(3, asked);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return EXIT_GOOD;
	}
	if (strcmp(argv[1], "--version") == 0)
		return cmd_version(1, argv);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return unknown_fail(argv[1]);
}

int main(int argc, char **argv)
{
	if (!standard_descriptors_open())
		return EXIT_FAILED;
	return output_check(run(argc, argv));
}
