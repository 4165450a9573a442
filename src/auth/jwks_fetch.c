/* SPDX-License-Identifier: Apache-2.0
 * jwks_fetch.c - the thread that fetches key sets.
 *
 * One libcurl multi handle, one transfer per source. A turn: drop what nobody holds, begin what
 * is due, let libcurl work, take what has ended, sleep until the next thing is due or somebody
 * wakes us. libcurl may do what it wants here, resolving names too; no worker waits for it.
 *
 * What is fetched is not trusted with anything but time and 256 KiB: redirects are not
 * followed, compression is not undone, no proxy of the environment is asked, and what is no
 * key set is thrown away. */
#include "auth/jwks_private.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/check.h"
#include "base/clock.h"

/* After a failure, and between two fetches whatever the answer's max-age says. */
#define RETRY_MIN_NS   (1 * NS_PER_S)
#define RETRY_MAX_NS   (60 * NS_PER_S)
#define MAX_AGE_MIN_S  30
#define MAX_AGE_MAX_S  86400
#define HEAD_MAX_BYTES 65536
#define SLEEP_MAX_MS   60000

/* --- options --- */

static void curl_setup(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void curl_setup_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, curl_setup);
}

static const char *url_problem(CURLU *parsed, const char *url)
{
	char *scheme = NULL, *user = NULL;
	const char *problem = NULL;

	if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		problem = "is no URL";
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		problem = "has another scheme";
	else if (curl_url_get(parsed, CURLUPART_USER, &user, 0) == CURLUE_OK)
		problem = "has a user in it";
	curl_free(scheme);
	curl_free(user);
	return problem;
}

int jwks_url_check(const char *url, char *error, size_t error_size)
{
	curl_setup_once();
	CURLU *parsed = curl_url();

	if (parsed == NULL)
		return -ENOMEM;
	const char *problem = url_problem(parsed, url);

	curl_url_cleanup(parsed);
	if (problem == NULL)
		return 0;
	/* A password is not repeated. */
	snprintf(error, error_size, "'%s' %s; allowed: https://HOST[:PORT]/PATH, or http://",
		 strchr(url, '@') != NULL ? "..." : url, problem);
	return -EINVAL;
}

int jwks_ca_check(const char *file, char *error, size_t error_size)
{
	X509_STORE *store = X509_STORE_new();

	if (store == NULL)
		return -ENOMEM;
	bool is_readable = access(file, R_OK) == 0;
	const char *reason = strerror(errno);
	bool is_good = is_readable && X509_STORE_load_file(store, file) == 1;

	X509_STORE_free(store);
	ERR_clear_error();
	if (is_good)
		return 0;
	snprintf(error, error_size, "%s %s%s; wanted are certificates in PEM", file,
		 is_readable ? "holds no certificates" : "cannot be read: ",
		 is_readable ? "" : reason);
	return -EINVAL;
}

/* --- one fetch --- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct jwks *jwks = arg;
	size_t len = size * count;

	if (buf_append(&jwks->body, data, len, JWK_SET_MAX_BYTES) == 0)
		return len;
	jwks->is_too_large = true;
	return 0;
}

/* "max-age=300", the first of the field; quotes are for nobody (RFC 9111, 5.2). */
static void max_age_read(struct jwks *jwks, struct slice value)
{
	struct slice item;

	while (slice_next(&value, ',', &item)) {
		uint64_t seconds = 0;

		item = slice_trim(item);
		if (!slice_starts_nocase(item, "max-age="))
			continue;
		for (size_t i = strlen("max-age="); i < item.len && isdigit(item.data[i]); i++)
			seconds = MIN(seconds * 10 + (uint64_t)(item.data[i] - '0'),
				      (uint64_t)MAX_AGE_MAX_S);
		jwks->max_age_s = seconds;
		return;
	}
}

static size_t on_head(char *data, size_t size, size_t count, void *arg)
{
	static const char name[] = "cache-control:";
	struct jwks *jwks = arg;
	size_t len = size * count;
	struct slice line = slice_of(data, len);

	jwks->head_bytes += len;
	if (jwks->head_bytes > HEAD_MAX_BYTES) {
		jwks->is_too_large = true;
		return 0;
	}
	while (line.len > 0 && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
		line.len--;
	if (slice_starts_nocase(line, name))
		max_age_read(jwks, slice_of(line.data + strlen(name), line.len - strlen(name)));
	return len;
}

static void easy_set(struct jwks *jwks)
{
	CURL *easy = jwks->easy;

	curl_easy_setopt(easy, CURLOPT_URL, jwks->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* As for traces (trace/tracer_export.c). */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)jwks->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)jwks->timeout_ms);
	if (jwks->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, jwks->ca_file);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, jwks);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, jwks);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, jwks->curl_error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, jwks);
}

/* Under the lock. */
static void fetch_begin(struct jwks *jwks, uint64_t now_ns)
{
	jwks->begun_ns = now_ns;
	jwks->due_ns = now_ns + RETRY_MAX_NS; /* if there is no memory for it */
	jwks->easy = curl_easy_init();
	if (jwks->easy == NULL)
		return;
	jwks->head_bytes = 0;
	jwks->max_age_s = UINT64_MAX;
	jwks->is_too_large = false;
	jwks->curl_error[0] = 0;
	easy_set(jwks);
	if (curl_multi_add_handle(jwks->pool->multi, jwks->easy) == CURLM_OK) {
		jwks->is_under_way = true;
		return;
	}
	curl_easy_cleanup(jwks->easy);
	jwks->easy = NULL;
}

static void fetch_drop(struct jwks *jwks)
{
	if (jwks->easy == NULL)
		return;
	curl_multi_remove_handle(jwks->pool->multi, jwks->easy);
	curl_easy_cleanup(jwks->easy);
	jwks->easy = NULL;
	buf_finish(&jwks->body);
}

static enum jwks_outcome judge_status(long status, char *error, size_t size)
{
	if (status == 200)
		return JWKS_LOADED;
	if (status >= 300 && status < 400) {
		snprintf(error, size,
			 "answered %ld: redirects are not followed; name the address that it "
			 "leads to",
			 status);
		return JWKS_REDIRECT;
	}
	snprintf(error, size, "answered %ld; wanted: 200", status);
	return JWKS_STATUS;
}

static enum jwks_outcome judge(struct jwks *jwks, CURLcode result, struct jwk_set **out_set,
			       char *error, size_t size)
{
	char why[JWKS_ERROR_MAX] = "memory is out";
	long status = 0;

	if (jwks->is_too_large) {
		snprintf(error, size, "answers with more than %d bytes", JWK_SET_MAX_BYTES);
		return JWKS_TOO_LARGE;
	}
	if (result != CURLE_OK) {
		snprintf(error, size, "cannot be fetched: %s",
			 jwks->curl_error[0] != 0 ? jwks->curl_error : curl_easy_strerror(result));
		return JWKS_UNREACHABLE;
	}
	curl_easy_getinfo(jwks->easy, CURLINFO_RESPONSE_CODE, &status);
	enum jwks_outcome outcome = judge_status(status, error, size);

	if (outcome != JWKS_LOADED)
		return outcome;
	if (jwk_set_read(buf_slice(&jwks->body), JWK_FROM_URL, out_set, why, sizeof(why)) == 0)
		return JWKS_LOADED;
	snprintf(error, size, "%s", why);
	return JWKS_UNREADABLE;
}

static uint64_t wait_ns(struct jwks *jwks, enum jwks_outcome outcome, uint32_t failures)
{
	if (outcome != JWKS_LOADED)
		return backoff_half_ns(RETRY_MIN_NS, RETRY_MAX_NS, failures,
				       random_u32(&jwks->pool->random));
	if (jwks->max_age_s == UINT64_MAX)
		return jwks->refresh_ms * NS_PER_MS;
	return MAX(jwks->max_age_s, (uint64_t)MAX_AGE_MIN_S) * NS_PER_S;
}

static void fetch_end(struct jwks *jwks, CURLcode result)
{
	struct jwks_pool *pool = jwks->pool;
	char error[JWKS_ERROR_MAX] = "";
	struct jwk_set *set = NULL;
	enum jwks_outcome outcome = judge(jwks, result, &set, error, sizeof(error));

	fetch_drop(jwks);
	uint32_t failures = jwks->failures; /* nobody else changes these, of a URL */
	bool is_news = outcome != JWKS_LOADED ? (failures & (failures + 1)) == 0
					      : failures > 0 || jwks->counts[JWKS_LOADED] == 0;

	jwks_settle(jwks, outcome, set, error);
	failures = jwks->failures;
	uint64_t due_ns = clock_now_ns() + wait_ns(jwks, outcome, failures);

	pthread_mutex_lock(&pool->mutex);
	jwks->is_under_way = false;
	jwks->due_ns = due_ns;
	jwks_waits_tell(jwks);
	bool is_held = jwks->references > 0;

	pthread_mutex_unlock(&pool->mutex);
	if (is_held && is_news && pool->told != NULL)
		pool->told(pool->arg, jwks, outcome, failures, error);
}

/* --- the thread --- */

/* Begins what is due, and drops what nobody holds. [ms] until the next is due; negative: stop. */
static int turn_begin(struct jwks_pool *pool)
{
	uint64_t now_ns = clock_now_ns(), next_ns = now_ns + SLEEP_MAX_MS * NS_PER_MS;

	pthread_mutex_lock(&pool->mutex);
	bool is_stopping = pool->is_stopping;

	for (struct list_node *node = pool->sources.next, *next; node != &pool->sources;
	     node = next) {
		struct jwks *jwks = CONTAINER_OF(node, struct jwks, node);

		next = node->next;
		if (jwks->url == NULL)
			continue;
		if (jwks->references == 0) {
			fetch_drop(jwks);
			jwks_free(jwks);
			continue;
		}
		if (!is_stopping && !jwks->is_under_way && jwks->due_ns <= now_ns)
			fetch_begin(jwks, now_ns);
		if (!jwks->is_under_way)
			next_ns = MIN(next_ns, jwks->due_ns);
	}
	pthread_mutex_unlock(&pool->mutex);
	return is_stopping ? -1 : (int)((next_ns - MIN(now_ns, next_ns)) / NS_PER_MS) + 1;
}

static void take_ended(struct jwks_pool *pool)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
		struct jwks *jwks = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode result = message->data.result;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&jwks);
		fetch_end(jwks, result);
	}
}

static void *thread_main(void *arg)
{
	struct jwks_pool *pool = arg;
	int wait_ms, running, ready;

	/* What was begun is due at once for libcurl, which then does not sleep. */
	while ((wait_ms = turn_begin(pool)) >= 0) {
		curl_multi_poll(pool->multi, NULL, 0, wait_ms, &ready);
		curl_multi_perform(pool->multi, &running);
		take_ended(pool);
	}
	return NULL;
}

int jwks_thread_start(struct jwks_pool *pool)
{
	if (pool->has_thread)
		return 0;
	curl_setup_once();
	pool->multi = curl_multi_init();
	if (pool->multi == NULL)
		return -ENOMEM;
	int r = pthread_create(&pool->thread, NULL, thread_main, pool);

	if (r != 0) {
		curl_multi_cleanup(pool->multi);
		pool->multi = NULL;
		return -r;
	}
	pool->has_thread = true;
	return 0;
}

void jwks_thread_join(struct jwks_pool *pool)
{
	if (!pool->has_thread)
		return;
	curl_multi_wakeup(pool->multi);
	pthread_join(pool->thread, NULL);
	for (struct list_node *node = pool->sources.next; node != &pool->sources; node = node->next)
		fetch_drop(CONTAINER_OF(node, struct jwks, node));
	curl_multi_cleanup(pool->multi);
}
