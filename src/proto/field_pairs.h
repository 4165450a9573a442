/* SPDX-License-Identifier: Apache-2.0
 * field_pairs.h - lists of elements that are pairs, a=1;b="2", as fields about proxies have them.
 *
 * Layer: proto. Pure functions: no allocation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Takes the last element off a list: what stands behind the last comma that is not in a quoted
 * string. Read from the right, so that nothing that a client wrote before it, quotes that stay open
 * among it, can change how it is read. *rest has no data after the first. */
struct slice field_element_take(struct slice *rest);

/* Takes what stands before the next ';' that is not in a quoted string. *rest has no data after
 * the last. */
struct slice field_pair_take(struct slice *rest);

/* The same before the next ','. */
struct slice field_item_take(struct slice *rest);

/* False: it is not a token, '=', and a value, which has quotes at both ends or nowhere. */
bool field_pair_split(struct slice pair, struct slice *out_name, struct slice *out_value);

/* A value without its quotes and escapes, which `room` is for; false if it is longer than that.
 * Without quotes it is the value itself. */
bool field_value_read(struct slice value, uint8_t *room, size_t size, struct slice *out_text);
