/* SPDX-License-Identifier: Apache-2.0
 * users.h - a users file: who may come in, with which secrets.
 *
 * Layer: auth. Reading blocks: for the start, for commands, and for the main thread when the file
 * has changed. What was read is immutable and counted by reference.
 *
 * A line is NAME:SECRET, with a secret as secret.h has it; empty lines and those that begin with
 * '#' are left out, and lines may end in CRLF. A name that stands twice has two secrets, an old and
 * a new one; so has one whose line has "OLD|NEW". Nothing of a secret is in any error. */
#pragma once

#include <stddef.h>

#include "auth/secret.h"

#define USERS_NAME_MAX    255
#define USERS_FILE_MAX    ((size_t)256 << 20) /* [bytes] */
#define USERS_SECRETS_MAX 2                   /* of one name */

struct users;

struct users_error {
	char text[1024];
};

/* `file` is its name for messages. One reference, the caller's. 0; -ENOMEM; -EINVAL and
 * "FILE:LINE: ...". */
int users_parse(const char *file, struct slice text, enum secret_format format,
		struct users **out_users, struct users_error *error);

/* The same of a file, which may be missing. *out_is_open: others than its owner and its group may
 * read it. */
int users_read(const char *file, enum secret_format format, struct users **out_users,
	       bool *out_is_open, struct users_error *error);

struct users *users_ref(struct users *users);
void users_unref(struct users **users);

size_t users_count(const struct users *users);

enum users_verdict {
	USERS_GOOD,
	USERS_GUESSED, /* good too, but somebody may have guessed it: it was "plain:" */
	USERS_WRONG,   /* or there is nobody of this name: as fast as a wrong secret */
	USERS_SLOW,    /* secret_crypt_matches has to say, with each of *out_slow */
};

/* What is left to be compared; text of `users`. */
struct users_slow {
	struct slice crypted[USERS_SECRETS_MAX];
	size_t count;
	/* There is nobody of this name, or this secret can be nobody's; but to say so at once
	 * would tell. */
	bool is_vain;
};

/* In about the same time whether there is such a user or not. */
enum users_verdict users_check(const struct users *users, struct slice name, struct slice secret,
			       struct users_slow *out_slow);
