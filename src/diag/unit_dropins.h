/* SPDX-License-Identifier: Apache-2.0
 * unit_dropins.h - the drop-ins of a unit of systemd: which files change it (systemd.unit(5)).
 *
 * Layer: diag. Reads directories, not the files. */
#pragma once

#include <stddef.h>

#define UNIT_DROPINS_MAX 256

struct unit_dropins {
	size_t count;
	char *paths[UNIT_DROPINS_MAX]; /* in the order in which they count */
};

/* Those of the unit in `file`, by its name: NAME.d/, of an instance its template's, of a name with
 * dashes those of its beginnings, and service.d/, beside the file; if that lies where systemd looks
 * for units, then wherever it looks. Of two with the same name the one counts that is in
 * the first of these directories. `root` stands before systemd's own, "" but in tests. 0, or a
 * negative errno and none: -E2BIG are more than UNIT_DROPINS_MAX. */
int unit_dropins_find(const char *root, const char *file, struct unit_dropins *out_dropins);
void unit_dropins_finish(struct unit_dropins *dropins);
