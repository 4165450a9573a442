/* SPDX-License-Identifier: Apache-2.0
 * jwks.h - where the keys come from that tokens are verified with: files, and URLs that are
 * fetched again and again by one thread.
 *
 * Layer: auth. A worker asks for the keys that there are, which is a look-up under a lock; it
 * never waits for a fetch. What was fetched stays until something better comes: an answer that
 * cannot be read, or none, changes nothing until `stale_max_ms` have passed.
 *
 * A source is counted by reference and shared by all ways that name the same one, so that a
 * fetch is for all of them and one at a time; so a configuration that is read again finds the
 * keys still there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/jwk.h"
#include "base/list.h"
#include "io/mailbox.h"

struct jwks;
struct jwks_pool;

#define JWKS_ERROR_MAX 320

/* How a fetch, or a reading of the file, ended. X(NAME, label, help) */
#define JWKS_OUTCOME_TABLE(X)                                        \
	X(LOADED, "loaded", "its keys are in use")                   \
	X(UNREACHABLE, "unreachable",                                \
	  "no connection, no valid certificate, no whole "           \
	  "answer in time")                                          \
	X(STATUS, "status", "an answer other than 200")              \
	X(REDIRECT, "redirect", "a redirect, which is not followed") \
	X(TOO_LARGE, "too_large", "longer than 262144 bytes")        \
	X(UNREADABLE, "unreadable", "no JWK Set with a key that can be used")

#define JWKS_OUTCOME_ENUM(NAME, ...) JWKS_##NAME,
enum jwks_outcome { JWKS_OUTCOME_TABLE(JWKS_OUTCOME_ENUM) JWKS_OUTCOME_COUNT };

const char *jwks_outcome_label(enum jwks_outcome outcome);

/* Either a file or a URL. */
struct jwks_options {
	const char *file;      /* NULL: by URL */
	const char *url;       /* http:// or https:// */
	const char *ca_file;   /* PEM; NULL: the system's */
	uint32_t timeout_ms;   /* of a fetch, connecting included */
	uint32_t refresh_ms;   /* from one fetch to the next, unless the answer's max-age says less
				* or more */
	uint32_t stale_max_ms; /* after the last good fetch its keys are no longer used; 0: never */
};

/* 0, or -EINVAL and what is wrong in `error`. Starts nothing; reads the file. */
int jwks_check(const struct jwks_options *options, char *error, size_t error_size);

/* --- all of them --- */

/* For the log, in the fetching thread: it was loaded for the first time, or after failures
 * (`error` is empty); or it failed, once, twice, four times, ... in a row. */
typedef void (*jwks_told_fn)(void *arg, const struct jwks *jwks, enum jwks_outcome outcome,
			     uint32_t failures, const char *error);

/* NULL: memory is out. One reference, the caller's; each source has one too. */
struct jwks_pool *jwks_pool_create(jwks_told_fn told, void *arg);

/* The last one waits for the thread, which stops at once. NULL in it is fine; clears it. */
void jwks_pool_unref(struct jwks_pool **pool);

/* Calls `each` for every source, under the pool's lock. */
struct jwks_status;
void jwks_pool_each(struct jwks_pool *pool,
		    void (*each)(void *arg, const struct jwks_status *status), void *arg);

/* --- one source --- */

/* That of these options, made and begun if there is none yet; a file is read before this
 * returns. One reference, the caller's. 0, or a negative errno with what is wrong in `error`. */
int jwks_take(struct jwks_pool *pool, const struct jwks_options *options, struct jwks **out_jwks,
	      char *error, size_t error_size);

/* From any thread. NULL in it is fine; clears it. */
void jwks_unref(struct jwks **jwks);

/* From any thread: its keys, with a reference that is the caller's; NULL: there are none that
 * may be used, yet or any more. */
struct jwk_set *jwks_keys(struct jwks *jwks);

/* From any thread: a token names a key that is not there. Fetches sooner than it would, but
 * not within JWKS_UNKNOWN_MS of the last fetch. */
#define JWKS_UNKNOWN_MS 10000
void jwks_want_newer(struct jwks *jwks);

/* The same, of somebody who would wait for that fetch; in memory of its own until its task has run
 * or it was cancelled. */
struct jwks_wait {
	struct loop_task task;   /* runs in the mailbox's thread, once the fetch has ended, well
				  * or not */
	struct mailbox *mailbox; /* the asker's */
	struct list_node node;   /* ours */
};

/* True: a fetch is under way, or begins now, and the task will run. False: the next one may not
 * begin yet, the keys are of a file, or JWKS_WAITING_MAX wait for these. */
#define JWKS_WAITING_MAX 256
bool jwks_wait_newer(struct jwks *jwks, struct jwks_wait *wait);

/* In the mailbox's thread. True: it does not wait any more; false: its task is on its way. */
bool jwks_wait_cancel(struct jwks *jwks, struct jwks_wait *wait);

/* Reads the file again: 0; or -EINVAL with what is wrong in `error`, and the keys from before
 * stay. Not in a worker. */
int jwks_file_read(struct jwks *jwks, char *error, size_t error_size);

/* The file; NULL: it has a URL. */
const char *jwks_file(const struct jwks *jwks);

/* What people know it by: the file, or the URL without its query. */
const char *jwks_name(const struct jwks *jwks);

/* For metrics and health; lent for the call. */
struct jwks_status {
	const char *name;
	bool is_file;
	size_t keys;     /* 0: there are none that may be used */
	uint64_t age_ms; /* since they were loaded */
	size_t waiting;  /* for newer ones; at most JWKS_WAITING_MAX */
	uint64_t counts[JWKS_OUTCOME_COUNT];
	uint32_t failures; /* in a row */
	const char *error; /* of the last one; "": it went well */
};
