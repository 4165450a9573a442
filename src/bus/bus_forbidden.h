/* SPDX-License-Identifier: Apache-2.0
 * bus_forbidden.h - the subjects that a broker forbids, by its own word.
 *
 * Layer: bus. Thread-safe. A broker tells of a publication or a subscription that its
 * permissions forbid in an error of its own, some time after it, and lets the connection be. What
 * is remembered here says which messages that were sent it did not take, and which subjects are
 * not worth another try in good faith.
 *
 * Clients choose parts of subjects, so there is a bound: beyond FORBIDDEN_MAX subjects whole
 * classes are remembered (their first three tokens, as "gatehouse.up.<route>"). */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"
#include "base/slice.h"

#define FORBIDDEN_MAX      16384 /* subjects */
#define FORBIDDEN_CLASSES  64    /* more of them are as good as none: see bus_forbidden_note */
#define FORBIDDEN_KEY_MAX  180   /* [bytes] of a subject that count: libnats cuts what it reports */
#define FORBIDDEN_SENTENCE 320   /* [bytes] with its NUL */

enum forbidden_kind { FORBIDDEN_PUBLISH, FORBIDDEN_SUBSCRIBE };

struct forbidden_subject;

struct bus_forbidden {
	pthread_mutex_t mutex;
	struct siphash_key key;
	struct forbidden_subject **buckets; /* NULL until there is one */
	uint64_t *count;                    /* of subjects and classes; atomic */
	size_t class_count;
	size_t counts[2]; /* of both kinds */
};

/* `count`: how many there are; outlives it, for any thread to read. */
void bus_forbidden_init(struct bus_forbidden *forbidden, uint64_t *count);
void bus_forbidden_finish(struct bus_forbidden *forbidden);

/* Reads what a broker says ("Permissions Violation for Publish to \"a.b\""): the subject, as far
 * as it is there, points into `text`. False: it is about something else. */
bool bus_forbidden_parse(struct slice text, enum forbidden_kind *out_kind,
			 struct slice *out_subject);

void bus_forbidden_note(struct bus_forbidden *forbidden, enum forbidden_kind kind,
			struct slice subject, uint64_t now_ns);

/* When the broker last said so; 0: never, as far as known. */
uint64_t bus_forbidden_seen_ns(struct bus_forbidden *forbidden, enum forbidden_kind kind,
			       struct slice subject);

/* It was taken: allowed again. */
void bus_forbidden_lift(struct bus_forbidden *forbidden, enum forbidden_kind kind,
			struct slice subject);

/* Forgets those of the kind that were not said again since then. */
void bus_forbidden_expire(struct bus_forbidden *forbidden, enum forbidden_kind kind,
			  uint64_t before_ns);

/* Cheap; from any thread. */
bool bus_forbidden_has_any(const struct bus_forbidden *forbidden);
size_t bus_forbidden_count(struct bus_forbidden *forbidden, enum forbidden_kind kind);

/* What is forbidden, with the subject last heard of, for people; "" if nothing is. */
void bus_forbidden_describe(struct bus_forbidden *forbidden, char out[FORBIDDEN_SENTENCE]);
