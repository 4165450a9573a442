/* SPDX-License-Identifier: Apache-2.0
 * renewals.h - files that are read again when they change: certificates, ticket keys, users,
 * key sets, maps.
 *
 * Layer: base. Whoever has read files registers them with a function that reads them anew and
 * takes what is in them, or changes nothing and says why. One thread, which may block, looks about
 * once a second (renewals_tick), and at once when it is told to (renewals_all, for SIGHUP). Files
 * are known by what their path leads to, so that a symbolic link that is moved is a change too, as
 * Kubernetes does it. A change is taken up when a look finds nothing newer: whoever writes a
 * certificate and then its key is given the time for both. What failed is tried again when
 * something changes, and now and then.
 *
 * renewals_create, _add, _remove and _destroy, the looks and the functions belong to that thread,
 * or to a time before it looks; renewals_each may be asked by any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct renewals;

#define RENEWAL_FILES_MAX 40

struct renewal_error {
	char text[1024]; /* the file, what is wrong, what to do; no secrets */
};

struct renewable {
	const char *what;         /* label of the metric, such as "certificates"; static text */
	const char *const *files; /* copied; empty texts are left out */
	size_t file_count;        /* at most RENEWAL_FILES_MAX */
	/* All or nothing. False: *out_error. */
	bool (*renew)(void *arg, struct renewal_error *out_error);
	void *arg; /* its key for renewals_remove */
};

/* NULL: memory is out. */
struct renewals *renewals_create(void);
/* NULL is fine; clears the pointer. */
void renewals_destroy(struct renewals **renewals);

/* Right after its files were read. False: memory is out. */
bool renewals_add(struct renewals *renewals, const struct renewable *renewable);

/* Harmless if it was not added. */
void renewals_remove(struct renewals *renewals, const void *arg);

/* How often to look, at most. */
#define RENEWALS_INTERVAL_NS UINT64_C(1000000000)

/* Looks, if it is time; logs what was renewed or could not be. */
void renewals_tick(struct renewals *renewals, uint64_t now_ns);

/* Reads everything anew, changed or not. Returns how many could not be renewed. */
size_t renewals_all(struct renewals *renewals, uint64_t now_ns);

/* --- what became of them, for metrics and health --- */

struct renewal_state {
	const char *what;
	const char *first_file;
	uint64_t renewed, failed; /* times */
	const char *error;        /* NULL: the last attempt went well, or there was none */
};

/* In the order of renewals_add; then, for each kind, what was counted of those that were removed.
 * What is told is lent until `each` returns, which may not call back.
 */
void renewals_each(struct renewals *renewals,
		   void (*each)(void *arg, const struct renewal_state *state), void *arg);
