/* SPDX-License-Identifier: Apache-2.0
 * cmd_version.c - gatehouse version. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

int cmd_version(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		puts("Usage: gatehouse version\n\nPrints the version.");
		return EXIT_GOOD;
	}
	if (argc > 1) {
		fprintf(stderr, "gatehouse version: unexpected argument '%s'\n", argv[1]);
		return EXIT_USAGE;
	}
	puts("gatehouse " GATEHOUSE_VERSION);
	return EXIT_GOOD;
}
