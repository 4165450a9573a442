/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/jwks_private.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/reference.h"

const char *jwks_outcome_label(enum jwks_outcome outcome)
{
#define OUTCOME_LABEL(NAME, label, help) label,
	static const char *const labels[] = {JWKS_OUTCOME_TABLE(OUTCOME_LABEL)};

	CHECK(outcome < JWKS_OUTCOME_COUNT);
	return labels[outcome];
}

/* --- files --- */

/* A file with secrets is nobody else's to read. */
static int file_mode_check(const char *file, const struct jwk_set *set, char *error,
			   size_t error_size)
{
	struct stat info;
	bool has_secret = false;

	for (size_t i = 0; i < set->count; i++)
		has_secret = has_secret || set->keys[i].kind == JWK_OCT;
	if (!has_secret || stat(file, &info) < 0 || (info.st_mode & 07) == 0)
		return 0;
	snprintf(error, error_size,
		 "%s holds a secret ('oct') and everybody may read it (mode %03o); allowed: its "
		 "owner (and group) alone (chmod 640)",
		 file, info.st_mode & 0777);
	return -EINVAL;
}

static int set_load(const char *file, struct jwk_set **out_set, char *error, size_t error_size)
{
	char why[JWKS_ERROR_MAX] = "memory is out";
	uint8_t *text = OPENSSL_malloc(JWK_SET_MAX_BYTES + 1);
	struct jwk_set *set = NULL;
	int r = -EINVAL;

	if (text == NULL)
		return -ENOMEM;
	ssize_t len = file_read(file, text, JWK_SET_MAX_BYTES + 1);

	if (len < 0) {
		snprintf(error, error_size,
			 "%s cannot be read: %s; let the user of this process read it", file,
			 strerror((int)-len));
	} else {
		r = jwk_set_read(slice_of(text, (size_t)len), JWK_FROM_FILE, &set, why,
				 sizeof(why));
		if (r < 0)
			snprintf(error, error_size, "%s %s", file, why);
		else
			r = file_mode_check(file, set, error, error_size);
	}
	OPENSSL_clear_free(text, JWK_SET_MAX_BYTES + 1);
	if (r < 0)
		jwk_set_unref(&set);
	else
		*out_set = set;
	return r;
}

int jwks_check(const struct jwks_options *options, char *error, size_t error_size)
{
	struct jwk_set *set = NULL;
	int r;

	if (options->file != NULL) {
		r = set_load(options->file, &set, error, error_size);
		jwk_set_unref(&set);
		return r;
	}
	r = jwks_url_check(options->url, error, error_size);
	return r < 0 || options->ca_file == NULL
		       ? r
		       : jwks_ca_check(options->ca_file, error, error_size);
}

int jwks_file_read(struct jwks *jwks, char *error, size_t error_size)
{
	struct jwk_set *set = NULL;
	int r = set_load(jwks->file, &set, error, error_size);

	jwks_settle(jwks, r < 0 ? JWKS_UNREADABLE : JWKS_LOADED, set, r < 0 ? error : "");
	return r;
}

const char *jwks_file(const struct jwks *jwks)
{
	return jwks->file;
}

const char *jwks_name(const struct jwks *jwks)
{
	return jwks->name;
}

/* --- what there is --- */

void jwks_settle(struct jwks *jwks, enum jwks_outcome outcome, struct jwk_set *set,
		 const char *error)
{
	struct jwk_set *old = NULL;

	CHECK((outcome == JWKS_LOADED) == (set != NULL));
	pthread_mutex_lock(&jwks->pool->mutex);
	jwks->counts[outcome]++;
	snprintf(jwks->error, sizeof(jwks->error), "%s", error);
	jwks->failures = outcome == JWKS_LOADED ? 0 : jwks->failures + 1;
	if (set != NULL) {
		old = jwks->set;
		jwks->set = set;
		jwks->loaded_ns = clock_now_ns();
	}
	pthread_mutex_unlock(&jwks->pool->mutex);
	jwk_set_unref(&old);
}

/* Under the lock. */
static bool has_keys(const struct jwks *jwks, uint64_t now_ns)
{
	return jwks->set != NULL && (jwks->stale_max_ms == 0 ||
				     now_ns - jwks->loaded_ns <= jwks->stale_max_ms * NS_PER_MS);
}

struct jwk_set *jwks_keys(struct jwks *jwks)
{
	struct jwk_set *set = NULL;

	pthread_mutex_lock(&jwks->pool->mutex);
	if (jwks->file != NULL || has_keys(jwks, clock_now_ns()))
		set = jwk_set_ref(jwks->set);
	pthread_mutex_unlock(&jwks->pool->mutex);
	return set;
}

static void status_of(const struct jwks *jwks, uint64_t now_ns, struct jwks_status *out)
{
	bool has = jwks->file != NULL || has_keys(jwks, now_ns);

	*out = (struct jwks_status){
		.name = jwks->name,
		.is_file = jwks->file != NULL,
		.keys = has ? jwks->set->count : 0,
		.age_ms = jwks->set == NULL ? 0 : (now_ns - jwks->loaded_ns) / NS_PER_MS,
		.waiting = jwks->waiting,
		.failures = jwks->failures,
		.error = jwks->error,
	};
	memcpy(out->counts, jwks->counts, sizeof(out->counts));
}

void jwks_pool_each(struct jwks_pool *pool,
		    void (*each)(void *arg, const struct jwks_status *status), void *arg)
{
	pthread_mutex_lock(&pool->mutex);
	for (struct list_node *node = pool->sources.next; node != &pool->sources;
	     node = node->next) {
		const struct jwks *jwks = CONTAINER_OF(node, struct jwks, node);
		struct jwks_status status;

		if (jwks->references == 0)
			continue;
		status_of(jwks, clock_now_ns(), &status);
		each(arg, &status);
	}
	pthread_mutex_unlock(&pool->mutex);
}

/* --- the pool --- */

struct jwks_pool *jwks_pool_create(jwks_told_fn told, void *arg)
{
	struct jwks_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->references = 1;
	pool->told = told;
	pool->arg = arg;
	pthread_mutex_init(&pool->mutex, NULL);
	list_init(&pool->sources);
	return pool;
}

void jwks_pool_unref(struct jwks_pool **pool)
{
	struct jwks_pool *self = *pool;

	*pool = NULL;
	if (self == NULL || !reference_drop(&self->references))
		return;
	pthread_mutex_lock(&self->mutex);
	self->is_stopping = true;
	pthread_mutex_unlock(&self->mutex);
	jwks_thread_join(self);
	while (!list_is_empty(&self->sources)) {
		struct jwks *jwks = CONTAINER_OF(list_pop(&self->sources), struct jwks, node);

		CHECK(jwks->references == 0);
		jwks_free(jwks);
	}
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

/* --- sources --- */

static bool is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_same(const struct jwks *jwks, const struct jwks_options *options)
{
	return is_same_text(jwks->file, options->file) && is_same_text(jwks->url, options->url) &&
	       is_same_text(jwks->ca_file, options->ca_file) &&
	       jwks->timeout_ms == options->timeout_ms && jwks->refresh_ms == options->refresh_ms &&
	       jwks->stale_max_ms == options->stale_max_ms;
}

/* Under the lock; with a reference. */
static struct jwks *find(struct jwks_pool *pool, const struct jwks_options *options)
{
	for (struct list_node *node = pool->sources.next; node != &pool->sources;
	     node = node->next) {
		struct jwks *jwks = CONTAINER_OF(node, struct jwks, node);

		/* A file that was given up may have changed since nobody looks after it. */
		if (!is_same(jwks, options) || (jwks->references == 0 && jwks->file != NULL))
			continue;
		jwks->references++;
		return jwks;
	}
	return NULL;
}

void jwks_free(struct jwks *jwks)
{
	CHECK(list_is_empty(&jwks->waits));
	list_remove(&jwks->node);
	jwk_set_unref(&jwks->set);
	buf_finish(&jwks->body);
	free(jwks->file);
	free(jwks->url);
	free(jwks->ca_file);
	free(jwks->name);
	free(jwks);
}

/* A query may have a secret. */
static char *name_of(const struct jwks_options *options)
{
	return options->file != NULL ? strdup(options->file)
				     : strndup(options->url, strcspn(options->url, "?#"));
}

static char *copy(const char *text, bool *failed)
{
	char *twin = text == NULL ? NULL : strdup(text);

	*failed = *failed || (text != NULL && twin == NULL);
	return twin;
}

static struct jwks *make(struct jwks_pool *pool, const struct jwks_options *options)
{
	struct jwks *jwks = calloc(1, sizeof(*jwks));
	bool failed = false;

	if (jwks == NULL)
		return NULL;
	list_init(&jwks->node);
	list_init(&jwks->waits);
	jwks->references = 1;
	jwks->pool = pool;
	jwks->file = copy(options->file, &failed);
	jwks->url = copy(options->url, &failed);
	jwks->ca_file = copy(options->ca_file, &failed);
	jwks->name = name_of(options);
	jwks->timeout_ms = options->timeout_ms;
	jwks->refresh_ms = options->refresh_ms;
	jwks->stale_max_ms = options->stale_max_ms;
	if (failed || jwks->name == NULL) {
		jwks_free(jwks);
		return NULL;
	}
	return jwks;
}

/* Puts it where the thread, and others who want the same, find it. */
static int begin(struct jwks *jwks)
{
	struct jwks_pool *pool = jwks->pool;
	int r = 0;

	pthread_mutex_lock(&pool->mutex);
	if (jwks->url != NULL)
		r = jwks_thread_start(pool);
	if (r == 0) {
		list_append(&pool->sources, &jwks->node);
		reference_take(&pool->references);
	}
	pthread_mutex_unlock(&pool->mutex);
	if (r == 0 && jwks->url != NULL)
		curl_multi_wakeup(pool->multi);
	return r;
}

int jwks_take(struct jwks_pool *pool, const struct jwks_options *options, struct jwks **out_jwks,
	      char *error, size_t error_size)
{
	int r = jwks_check(options, error, error_size);

	if (r < 0)
		return r;
	pthread_mutex_lock(&pool->mutex);
	struct jwks *jwks = find(pool, options);

	if (jwks != NULL && jwks->references == 1)
		reference_take(&pool->references); /* it had given back its own */
	pthread_mutex_unlock(&pool->mutex);
	if (jwks == NULL) {
		jwks = make(pool, options);
		r = jwks == NULL ? -ENOMEM : 0;
		if (r == 0 && jwks->file != NULL)
			r = jwks_file_read(jwks, error, error_size);
		if (r == 0)
			r = begin(jwks);
		if (r < 0) {
			if (jwks != NULL)
				jwks_free(jwks);
			return r;
		}
	}
	*out_jwks = jwks;
	return 0;
}

void jwks_unref(struct jwks **jwks)
{
	struct jwks *self = *jwks;

	*jwks = NULL;
	if (self == NULL)
		return;
	struct jwks_pool *pool = self->pool;

	pthread_mutex_lock(&pool->mutex);
	CHECK(self->references > 0);
	bool was_last = --self->references == 0, has_thread = pool->has_thread;

	/* What has a URL may be in the thread's hands, which frees it. */
	if (was_last && self->url == NULL)
		jwks_free(self);
	pthread_mutex_unlock(&pool->mutex);
	if (!was_last)
		return;
	if (has_thread)
		curl_multi_wakeup(pool->multi);
	jwks_pool_unref(&pool);
}
