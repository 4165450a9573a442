/* SPDX-License-Identifier: Apache-2.0
 * cmd.h - the commands of the program.
 *
 * Layer: cmd (arguments and wiring only). Each command gets its own arguments,
 * argv[0] being its name, and returns the exit code. */
#pragma once

enum exit_code {
	EXIT_GOOD = 0,
	EXIT_FAILED = 1,      /* the check, threshold or verdict failed, or events were lost */
	EXIT_USAGE = 2,       /* wrong usage */
	EXIT_BAD_CONFIG = 78, /* the configuration cannot work (sysexits' EX_CONFIG) */
};

int cmd_bench(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_drain(int argc, char **argv);
int cmd_ready(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_secret(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_upgrade(int argc, char **argv);
int cmd_version(int argc, char **argv);
