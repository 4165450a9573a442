/* SPDX-License-Identifier: Apache-2.0
 * attributes.h - what a back end knows of a client and is told again with each of its events: names
 * and values, given when it let the client in (docs/backend-contract.md).
 *
 * Layer: session. Pure functions. They are kept as a block of bytes: "name\0value\0", one behind
 * the other, in the order given. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

#define ATTRIBUTES_MAX       16   /* of one client */
#define ATTRIBUTES_BYTES_MAX 4096 /* of its block */
#define ATTRIBUTE_NAME_MAX   16   /* [bytes] "attr" and a name are a name of CloudEvents */

#define ATTRIBUTE_NAME_ALLOWED "1 to 16 of a-z and 0-9"

/* Without the NULs. */
struct attribute {
	struct slice name;
	struct slice value; /* never empty */
};

bool attribute_name_is_good(struct slice name);

/* Takes the next one off a good block; false at its end. */
bool attributes_next(struct slice *block, struct attribute *out_attribute);

/* False: none of this name. */
bool attributes_find(struct slice block, struct slice name, struct attribute *out_attribute);

/* Is it a block, within all limits? Whether the values are UTF-8 is not looked at. */
bool attributes_are_good(struct slice block);
