/* SPDX-License-Identifier: Apache-2.0
 * jwks_private.h - what the files of jwks share.
 *
 * Layer: auth; for jwks*.c only. jwks.c is the door: the pool, its sources, what workers ask.
 * jwks_wait.c is who waits for the next fetch. jwks_fetch.c is the thread: when a source is due,
 * and one fetch of it by libcurl. */
#pragma once

#include <curl/curl.h>
#include <pthread.h>

#include "auth/jwks.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/random.h"

struct jwks_pool {
	uint32_t references; /* atomic */
	jwks_told_fn told;
	void *arg;
	pthread_mutex_t mutex;    /* for all below, and for what sources mark */
	struct list_node sources; /* of struct jwks */
	bool has_thread;
	bool is_stopping;
	/* The thread's alone, once it runs. */
	pthread_t thread;
	CURLM *multi; /* others only wake it */
	struct random_source random;
};

struct jwks {
	uint32_t references; /* under the lock: taken by whoever finds it in the list */
	struct jwks_pool *pool;
	struct list_node node; /* in pool->sources; it is dropped at 0 references */
	char *file, *url, *ca_file, *name;
	uint32_t timeout_ms, refresh_ms, stale_max_ms;

	/* Under the lock. Times of clock_now_ns. */
	struct jwk_set *set;
	uint64_t loaded_ns;
	uint64_t begun_ns; /* the last fetch; 0: none yet */
	uint64_t due_ns;
	uint64_t counts[JWKS_OUTCOME_COUNT];
	uint32_t failures;
	char error[JWKS_ERROR_MAX];
	bool is_under_way;
	struct list_node waits; /* of struct jwks_wait */
	size_t waiting;

	/* The thread's alone. */
	CURL *easy;
	struct buf body;
	size_t head_bytes;
	uint64_t max_age_s; /* of the answer; UINT64_MAX: it does not say */
	bool is_too_large;
	char curl_error[CURL_ERROR_SIZE];
};

/* Takes over `set`, which may be NULL. */
void jwks_settle(struct jwks *jwks, enum jwks_outcome outcome, struct jwk_set *set,
		 const char *error);

/* Frees it. Nobody knows it any more. */
void jwks_free(struct jwks *jwks);

/* jwks_wait.c. Under the lock: a fetch has ended. */
void jwks_waits_tell(struct jwks *jwks);

/* jwks_fetch.c. Under the pool's lock. 0 or a negative errno. */
int jwks_thread_start(struct jwks_pool *pool);

/* Without the lock, once is_stopping is set. */
void jwks_thread_join(struct jwks_pool *pool);

/* 0, or -EINVAL and what is wrong. */
int jwks_url_check(const char *url, char *error, size_t error_size);
int jwks_ca_check(const char *file, char *error, size_t error_size);
