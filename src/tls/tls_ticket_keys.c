/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/reference.h"

_Static_assert(sizeof(struct tls_ticket_key) == TLS_TICKET_KEY_LEN, "as it lies in a file");

struct tls_ticket_keys {
	uint32_t references; /* atomic */
	pthread_mutex_t mutex;
	struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX]; /* newest first */
	size_t count;
};

struct tls_ticket_keys *tls_ticket_keys_create(void)
{
	struct tls_ticket_keys *keys = calloc(1, sizeof(*keys));

	if (keys == NULL)
		return NULL;
	keys->references = 1;
	pthread_mutex_init(&keys->mutex, NULL);
	if (!tls_ticket_keys_rotate(keys))
		tls_ticket_keys_unref(&keys);
	return keys;
}

struct tls_ticket_keys *tls_ticket_keys_ref(struct tls_ticket_keys *keys)
{
	reference_take(&keys->references);
	return keys;
}

void tls_ticket_keys_unref(struct tls_ticket_keys **keys)
{
	struct tls_ticket_keys *self = *keys;

	*keys = NULL;
	if (self == NULL || !reference_drop(&self->references))
		return;
	pthread_mutex_destroy(&self->mutex);
	OPENSSL_cleanse(self, sizeof(*self));
	free(self);
}

bool tls_ticket_keys_rotate(struct tls_ticket_keys *keys)
{
	struct tls_ticket_key fresh;

	if (RAND_priv_bytes((unsigned char *)&fresh, sizeof(fresh)) != 1)
		return false;
	pthread_mutex_lock(&keys->mutex);
	/* Only the one before it stays: an older one has been accepted for its period. */
	keys->keys[1] = keys->keys[0];
	keys->keys[0] = fresh;
	keys->count = MIN(keys->count + 1, (size_t)2);
	OPENSSL_cleanse(keys->keys + keys->count,
			(TLS_TICKET_KEYS_MAX - keys->count) * sizeof(fresh));
	pthread_mutex_unlock(&keys->mutex);
	OPENSSL_cleanse(&fresh, sizeof(fresh));
	return true;
}

bool tls_ticket_keys_set(struct tls_ticket_keys *keys, const uint8_t *data, size_t len)
{
	if (len == 0 || len % TLS_TICKET_KEY_LEN != 0 || len > sizeof(keys->keys))
		return false;
	pthread_mutex_lock(&keys->mutex);
	OPENSSL_cleanse(keys->keys, sizeof(keys->keys));
	memcpy(keys->keys, data, len);
	keys->count = len / TLS_TICKET_KEY_LEN;
	pthread_mutex_unlock(&keys->mutex);
	return true;
}

size_t tls_ticket_keys_get(struct tls_ticket_keys *keys,
			   uint8_t out[TLS_TICKET_KEY_LEN * TLS_TICKET_KEYS_MAX])
{
	pthread_mutex_lock(&keys->mutex);
	size_t len = keys->count * TLS_TICKET_KEY_LEN;

	memcpy(out, keys->keys, len);
	pthread_mutex_unlock(&keys->mutex);
	return len;
}

void tls_ticket_key_newest(struct tls_ticket_keys *keys, struct tls_ticket_key *out)
{
	pthread_mutex_lock(&keys->mutex);
	CHECK(keys->count > 0);
	*out = keys->keys[0];
	pthread_mutex_unlock(&keys->mutex);
}

bool tls_ticket_key_find(struct tls_ticket_keys *keys, const uint8_t name[TLS_TICKET_NAME_LEN],
			 struct tls_ticket_key *out, bool *out_is_newest)
{
	bool is_found = false;

	pthread_mutex_lock(&keys->mutex);
	for (size_t i = 0; i < keys->count && !is_found; i++) {
		is_found = memcmp(keys->keys[i].name, name, TLS_TICKET_NAME_LEN) == 0;
		if (is_found) {
			*out = keys->keys[i];
			*out_is_newest = i == 0;
		}
	}
	pthread_mutex_unlock(&keys->mutex);
	return is_found;
}
