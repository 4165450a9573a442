/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/renewals.h"
#include "base/state.h"
#include "server/handover_format.h"
#include "tls/tls_check.h"
#include "tls/tls_ticket_keys.h"

/* How long a key of our own seals tickets; then it opens them for as long again. */
#define TICKET_PERIOD_NS (TLS_TICKET_LIFETIME_S * NS_PER_S)

#define TICKET_FILE_MAX (TLS_TICKET_KEY_LEN * TLS_TICKET_KEYS_MAX)

#define PATH_TEXT_MAX 64

/* "FILE:LINE:COLUMN: KEY: " */
#define PLACE_MAX 768

struct server_tls {
	const struct config *config;
	const struct config_tls *tls;
	char path[PATH_TEXT_MAX];
	struct renewals *renewals;
	struct tls_holder own;
	struct tls_holder *holder; /* the listener's, or our own */
	struct tls_ticket_keys *tickets;
	uint64_t rotated_ns;
	bool has_ticket_file;
};

/* --- places --- */

/* "FILE:LINE:COLUMN: server.listeners[0].tls.crl_file: " */
static void place_write(const struct config *config, const struct config_origin *origin,
			const char *path, const char *key, char *out, size_t size)
{
	if (origin->kind == CONFIG_FROM_FILE)
		snprintf(out, size, "%s:%u:%u: %s.%s: ", config->file, origin->line, origin->column,
			 path, key);
	else
		snprintf(out, size, "%s.%s: ", path, key);
}

static void fail(const struct config *config, const struct config_origin *origin, const char *path,
		 const char *key, const char *text, struct server_tls_error *out_error)
{
	char place[PLACE_MAX];

	place_write(config, origin, path, key, place, sizeof(place));
	snprintf(out_error->text, sizeof(out_error->text), "%.500s%.500s", place, text);
}

/* --- from the configuration --- */

static struct tls_context *context_make(const struct config_tls *tls,
					struct tls_ticket_keys *tickets,
					struct tls_error *out_error)
{
	struct tls_key_pair pairs[TLS_PAIRS_MAX];
	size_t count = MIN(tls->certificates.count, (size_t)TLS_PAIRS_MAX);

	_Static_assert((int)CONFIG_CLIENT_CERTIFICATE_NONE == (int)TLS_CLIENT_NONE &&
			       (int)CONFIG_CLIENT_CERTIFICATE_OPTIONAL ==
				       (int)TLS_CLIENT_OPTIONAL &&
			       (int)CONFIG_CLIENT_CERTIFICATE_REQUIRED == (int)TLS_CLIENT_REQUIRED,
		       "the same words");
	for (size_t i = 0; i < count; i++)
		pairs[i] = (struct tls_key_pair){tls->certificates.items[i].cert_file.text,
						 tls->certificates.items[i].key_file.text};
	return tls_server_context_create(
		&(struct tls_server_options){
			.pairs = pairs,
			.pair_count = count,
			.has_tls13_only = tls->min_version == CONFIG_TLS_1_3,
			.client_certificate = (enum tls_client_certificate)tls->client_certificate,
			.client_ca_file = config_text_or_null(&tls->client_ca_file),
			.crl_file = config_text_or_null(&tls->crl_file),
			.tickets = tickets,
			.stays_attached = tls->detach == CONFIG_OFF,
		},
		out_error);
}

/* The bytes of the file with keys of tickets, if there is one. */
struct ticket_bytes {
	uint8_t data[TICKET_FILE_MAX + 1];
	size_t len; /* 0: there is no file */
};

static bool tickets_read(const struct config_tls *tls, struct ticket_bytes *out_bytes,
			 struct tls_error *out_error)
{
	const char *file = config_text_or_null(&tls->ticket_key_file);

	out_bytes->len = 0;
	if (file == NULL)
		return true;
	ssize_t len = file_read(file, out_bytes->data, sizeof(out_bytes->data));

	if (len < 0)
		snprintf(out_error->text, sizeof(out_error->text),
			 "%.380s: cannot be read: %s; let the user of this process read it", file,
			 strerror((int)-len));
	else if (len == 0 || len % TLS_TICKET_KEY_LEN != 0 || len > TICKET_FILE_MAX)
		snprintf(
			out_error->text, sizeof(out_error->text),
			"%.380s: does not have 80, 160 or 240 bytes; make it by 'openssl rand -out "
			"FILE 80', and put a new key before the old ones",
			file);
	else
		out_bytes->len = (size_t)len;
	return out_bytes->len > 0;
}

static void tickets_take(struct server_tls *self, struct ticket_bytes *bytes)
{
	if (bytes->len > 0)
		CHECK(tls_ticket_keys_set(self->tickets, bytes->data, bytes->len));
	explicit_bzero(bytes, sizeof(*bytes));
}

/* --- life --- */

/* Everything is read before anything is taken. */
static struct tls_context *read_all(struct server_tls *self, struct ticket_bytes *out_bytes,
				    struct server_tls_error *out_error)
{
	const struct config_tls *tls = self->tls;
	struct tls_error error;

	if (!tickets_read(tls, out_bytes, &error)) {
		fail(self->config, &tls->given[CONFIG_OPTION_tls_ticket_key_file], self->path,
		     "ticket_key_file", error.text, out_error);
		return NULL;
	}
	struct tls_context *context = context_make(tls, self->tickets, &error);

	if (context == NULL) {
		fail(self->config, &tls->given[CONFIG_OPTION_tls_certificates], self->path,
		     "certificates", error.text, out_error);
		explicit_bzero(out_bytes, sizeof(*out_bytes));
	}
	return context;
}

static bool renew(void *arg, struct renewal_error *out_error)
{
	struct server_tls *self = arg;
	struct server_tls_error error;
	struct ticket_bytes bytes;
	struct tls_context *context = read_all(self, &bytes, &error);
	char when[TLS_EXPIRY_TEXT_MAX];
	int64_t now = (int64_t)time(NULL);

	if (context == NULL) {
		snprintf(out_error->text, sizeof(out_error->text), "%s", error.text);
		return false;
	}
	int64_t expires_at = tls_context_expires_at(context);

	/* One that has ended already helps nobody, while the old one still does. */
	if (expires_at <= now && server_tls_expires_at(self) > now) {
		snprintf(
			out_error->text, sizeof(out_error->text),
			"%s.certificates: a new one ended %s, and the old ones have not; bring one "
			"that is valid",
			self->path, tls_expiry_text(expires_at, now, when));
		explicit_bzero(&bytes, sizeof(bytes));
		tls_context_unref(&context);
		return false;
	}
	tickets_take(self, &bytes);
	tls_holder_set(self->holder, context);
	return true;
}

/* False: memory is out. */
static bool register_files(struct server_tls *self)
{
	const struct config_tls *tls = self->tls;
	const char *files[RENEWAL_FILES_MAX];
	size_t count = 0;

	_Static_assert(2 * TLS_PAIRS_MAX + 3 <= RENEWAL_FILES_MAX, "all files have a place");
	for (size_t i = 0; i < tls->certificates.count; i++) {
		files[count++] = tls->certificates.items[i].cert_file.text;
		files[count++] = tls->certificates.items[i].key_file.text;
	}
	files[count++] = tls->client_ca_file.text;
	files[count++] = tls->crl_file.text;
	files[count++] = tls->ticket_key_file.text;
	return renewals_add(self->renewals, &(struct renewable){.what = "certificates",
								.files = files,
								.file_count = count,
								.renew = renew,
								.arg = self});
}

static bool has_ticket_file(const struct config_tls *tls)
{
	return tls->ticket_key_file.text[0] != 0;
}

/* Keys that the process has made go on: they bind sessions to what their clients are believed by
 * (tls_clients_use). */
static struct tls_ticket_keys *tickets_of(struct server_tls *self, const struct server_tls *older)
{
	if (older == NULL || has_ticket_file(self->tls) || older->has_ticket_file)
		return tls_ticket_keys_create();
	self->rotated_ns = older->rotated_ns;
	return tls_ticket_keys_ref(older->tickets);
}

struct server_tls *server_tls_create(const struct config *config, const struct config_tls *tls,
				     const char *path, struct renewals *renewals,
				     struct server_tls_error *out_error)
{
	return server_tls_create_after(NULL, config, tls, path, renewals, out_error);
}

struct server_tls *server_tls_create_after(struct server_tls *older, const struct config *config,
					   const struct config_tls *tls, const char *path,
					   struct renewals *renewals,
					   struct server_tls_error *out_error)
{
	struct server_tls *self = calloc(1, sizeof(*self));
	struct ticket_bytes bytes;

	snprintf(out_error->text, sizeof(out_error->text), "%s: out of memory", path);
	if (self == NULL)
		return NULL;
	*self = (struct server_tls){.config = config,
				    .tls = tls,
				    .renewals = renewals,
				    .rotated_ns = clock_now_ns(),
				    .has_ticket_file = has_ticket_file(tls)};
	snprintf(self->path, sizeof(self->path), "%s", path);
	self->tickets = tickets_of(self, older);
	struct tls_context *context = self->tickets == NULL ? NULL
							    : read_all(self, &bytes, out_error);

	if (context == NULL) {
		tls_ticket_keys_unref(&self->tickets);
		free(self);
		return NULL;
	}
	tickets_take(self, &bytes);
	tls_holder_init(&self->own, context);
	self->holder = &self->own;
	if (renewals != NULL && !register_files(self))
		server_tls_destroy(&self);
	return self;
}

void server_tls_destroy(struct server_tls **tls)
{
	struct server_tls *self = *tls;

	if (self == NULL)
		return;
	if (self->renewals != NULL)
		renewals_remove(self->renewals, self);
	tls_holder_finish(&self->own);
	tls_ticket_keys_unref(&self->tickets);
	free(self);
	*tls = NULL;
}

struct tls_holder *server_tls_holder(struct server_tls *tls)
{
	return tls->holder;
}

void server_tls_hold_in(struct server_tls *tls, struct tls_holder *holder)
{
	CHECK(tls->holder == &tls->own);
	tls_holder_set(holder, tls_holder_get(&tls->own));
	tls->holder = holder;
}

int64_t server_tls_expires_at(struct server_tls *tls)
{
	struct tls_context *context = tls_holder_get(tls->holder);
	int64_t expires_at = tls_context_expires_at(context);

	tls_context_unref(&context);
	return expires_at;
}

void server_tls_tick(struct server_tls *tls, uint64_t now_ns)
{
	if (tls->has_ticket_file || now_ns - tls->rotated_ns < TICKET_PERIOD_NS)
		return;
	tls->rotated_ns = now_ns;
	if (!tls_ticket_keys_rotate(tls->tickets))
		log_warn("no new key for session tickets: randomness is out",
			 F_TEXT("tls", tls->path));
}

/* --- from process to process --- */

static bool has_own_tickets(const struct server_tls *tls)
{
	return tls->tls->ticket_key_file.text[0] == 0;
}

void server_tls_export(const struct server_tls *tls, struct state_writer *writer)
{
	uint8_t keys[TICKET_FILE_MAX];

	if (!has_own_tickets(tls))
		return;
	size_t len = tls_ticket_keys_get(tls->tickets, keys);

	state_put_bytes(writer, HANDOVER_TAG_TLS_KEYS, slice_of(keys, len));
	state_put_u64(writer, HANDOVER_TAG_TLS_KEY_AGE, clock_now_ns() - tls->rotated_ns);
	explicit_bzero(keys, sizeof(keys));
}

void server_tls_import(struct server_tls *tls, struct state_reader *reader)
{
	uint64_t now = clock_now_ns(), age_ns;
	struct state_field field;

	while (has_own_tickets(tls) && state_next(reader, &field)) {
		if (field.tag == HANDOVER_TAG_TLS_KEYS)
			tls_ticket_keys_set(tls->tickets, field.value.data, field.value.len);
		if (field.tag == HANDOVER_TAG_TLS_KEY_AGE && state_u64(&field, &age_ns))
			tls->rotated_ns = now - MIN(age_ns, now);
	}
}

/* --- check --- */

/* Who is told, and of which keys. */
struct checking {
	const struct config *config;
	const struct config_origin *cert, *key; /* where the two files are given */
	char path[PATH_TEXT_MAX + 32];
	const char *cert_key, *key_key; /* names of the options */
	void (*tell)(void *arg, const char *text, bool is_mistake);
	void *arg;
	bool has_mistake;
};

static void on_finding(void *arg, const struct tls_finding *finding)
{
	struct checking *checking = arg;
	bool is_key = finding->part == TLS_CHECK_KEY;
	char place[PLACE_MAX], text[sizeof(place) + 512];

	place_write(checking->config, is_key ? checking->key : checking->cert, checking->path,
		    is_key ? checking->key_key : checking->cert_key, place, sizeof(place));
	snprintf(text, sizeof(text), "%s%s", place, finding->text);
	checking->has_mistake |= finding->is_mistake;
	checking->tell(checking->arg, text, finding->is_mistake);
}

static void pairs_check(struct checking *checking, const struct config_tls *tls, const char *path)
{
	checking->cert_key = "cert_file";
	checking->key_key = "key_file";
	for (size_t i = 0; i < tls->certificates.count; i++) {
		const struct config_certificate *pair = &tls->certificates.items[i];

		snprintf(checking->path, sizeof(checking->path), "%s.certificates[%zu]", path, i);
		checking->cert = &pair->given[CONFIG_OPTION_certificates_cert_file];
		checking->key = &pair->given[CONFIG_OPTION_certificates_key_file];
		tls_pair_check(&(struct tls_key_pair){pair->cert_file.text, pair->key_file.text},
			       (int64_t)time(NULL), on_finding, checking);
	}
}

static void others_check(struct checking *checking, const struct config_tls *tls, const char *path)
{
	snprintf(checking->path, sizeof(checking->path), "%s", path);
	checking->cert = &tls->given[CONFIG_OPTION_tls_client_ca_file];
	checking->cert_key = "client_ca_file";
	checking->key = &tls->given[CONFIG_OPTION_tls_crl_file];
	checking->key_key = "crl_file";
	tls_clients_check(config_text_or_null(&tls->client_ca_file),
			  config_text_or_null(&tls->crl_file), (int64_t)time(NULL), on_finding,
			  checking);
	checking->key = &tls->given[CONFIG_OPTION_tls_ticket_key_file];
	checking->key_key = "ticket_key_file";
	if (tls->ticket_key_file.text[0] != 0)
		tls_ticket_file_check(tls->ticket_key_file.text, on_finding, checking);
}

void server_tls_check(const struct config *config, const struct config_tls *tls, const char *path,
		      void (*tell)(void *arg, const char *text, bool is_mistake), void *arg)
{
	struct checking checking = {.config = config, .tell = tell, .arg = arg};
	struct server_tls_error error;

	pairs_check(&checking, tls, path);
	others_check(&checking, tls, path);
	if (checking.has_mistake)
		return;
	struct server_tls *trial = server_tls_create(config, tls, path, NULL, &error);

	if (trial == NULL)
		tell(arg, error.text, true);
	server_tls_destroy(&trial);
}
