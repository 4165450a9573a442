/* SPDX-License-Identifier: Apache-2.0
 * tls_ticket_keys.h - the keys that session tickets are sealed with (RFC 5077, 4; RFC 8446, 4.6.1).
 *
 * Layer: tls. Thread-safe. Tickets are stateless: whoever has the keys resumes the session, on any
 * node that shares them. The newest key seals; the one before it still opens, so a ticket is good
 * for one to two periods. Whoever steals a key reads what was resumed with it under TLS 1.2, so
 * they change and are never written anywhere. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/tls_context.h"

#define TLS_TICKET_NAME_LEN 16
#define TLS_TICKET_KEY_LEN  80 /* in a file: name 16, HMAC key 32, AES-256 key 32 */
#define TLS_TICKET_KEYS_MAX 3

/* [s] How long a ticket is good, if its key is there so long: a key that the process makes seals
 * for as long, and then opens for as long again. */
#define TLS_TICKET_LIFETIME_S 43200

struct tls_ticket_key {
	uint8_t name[TLS_TICKET_NAME_LEN];
	uint8_t hmac[32];
	uint8_t aes[32];
};

struct tls_ticket_keys;

/* With a random key. Counted by reference: one, the caller's. NULL: memory or randomness is out. */
struct tls_ticket_keys *tls_ticket_keys_create(void);
struct tls_ticket_keys *tls_ticket_keys_ref(struct tls_ticket_keys *keys);
/* NULL is fine; clears the pointer. The last overwrites them. */
void tls_ticket_keys_unref(struct tls_ticket_keys **keys);

/* A new random key seals from now on, and the last one opens still. False: randomness is out,
 * nothing has changed. */
bool tls_ticket_keys_rotate(struct tls_ticket_keys *keys);

/* Takes the keys of a file's bytes, 1 to TLS_TICKET_KEYS_MAX of them: the first seals. False: the
 * length is wrong, and nothing has changed. */
bool tls_ticket_keys_set(struct tls_ticket_keys *keys, const uint8_t *data, size_t len);

/* All of them, as tls_ticket_keys_set takes them; how many bytes. For the process that takes over
 * from this one, and for nobody else. */
size_t tls_ticket_keys_get(struct tls_ticket_keys *keys,
			   uint8_t out[TLS_TICKET_KEY_LEN * TLS_TICKET_KEYS_MAX]);

/* The newest; by its name. False: none has that name; *out_is_newest tells whether a new ticket is
 * due. */
void tls_ticket_key_newest(struct tls_ticket_keys *keys, struct tls_ticket_key *out);
bool tls_ticket_key_find(struct tls_ticket_keys *keys, const uint8_t name[TLS_TICKET_NAME_LEN],
			 struct tls_ticket_key *out, bool *out_is_newest);
