/* SPDX-License-Identifier: Apache-2.0
 * bus_subject.h - subjects, and the escaping that keeps ids apart in them.
 *
 * Layer: bus. Pure functions. A subject is tokens with dots between. A client id, a
 * route or a group name becomes one token: [A-Za-z0-9_-] stay as they are, every other
 * byte is '%' and two capital hexadecimal digits. So what decodes percent-encoding
 * decodes tokens, and two names never share a token: no id reaches another's subject. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define BUS_NAME_MAX  255 /* [bytes] of a name before it is encoded */
#define BUS_TOKEN_MAX (3 * BUS_NAME_MAX)

/* Brokers read a subject and its reply subject in one line of at most 4,096 bytes. */
#define BUS_SUBJECT_MAX 2000 /* [bytes] */

struct bus_subject {
	size_t len;
	char text[BUS_SUBJECT_MAX];
};

/* Writes the token of `name` to `out`, which has room for BUS_TOKEN_MAX bytes, without a
 * NUL. Returns its length, or 0 if the name is empty or longer than BUS_NAME_MAX. */
size_t bus_token_encode(struct slice name, char *out);

/* The inverse: writes at most BUS_NAME_MAX bytes to `out` and returns how many, or 0 if
 * bus_token_encode never writes such a token ("%61", "%2e", "a.b", ""). */
size_t bus_token_decode(struct slice token, uint8_t *out);

/* "prefix.token.token": `prefix` is a valid subject, `names` are encoded. Returns 0, or
 * -EINVAL if a name is empty or too long, or the whole does not fit. */
int bus_subject_make(const char *prefix, const struct slice *names, size_t count,
		     struct bus_subject *out_subject);

/* "prefix.route.client_id": one client's own subject. As bus_subject_make. */
int bus_subject_of_client(const char *prefix, const char *route, const char *client_id,
			  struct bus_subject *out_subject);

static inline struct slice bus_subject_slice(const struct bus_subject *subject)
{
	return slice_of(subject->text, subject->len);
}

/* Printable ASCII, no token is empty, no wildcards, at most BUS_SUBJECT_MAX bytes. */
bool bus_subject_is_valid(struct slice subject);
