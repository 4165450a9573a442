/* SPDX-License-Identifier: Apache-2.0
 * media_type.h - what a Content-Type says of its body.
 *
 * Layer: base. Pure functions of the field's value, parameters included: the one answer for
 * bodies of the API, answers of back ends, and whatever else has such a field. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* application/json, and every type that ends in +json (RFC 6839, 3.1). */
bool media_type_is_json(struct slice field);

/* This type, in lower case, with whatever parameters. */
bool media_type_is(struct slice field, const char *type);

/* JSON, or text of any kind. */
bool media_type_is_text(struct slice field);
