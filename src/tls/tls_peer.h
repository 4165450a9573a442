/* SPDX-License-Identifier: Apache-2.0
 * tls_peer.h - what a client's certificate says of it, as plain data that outlives OpenSSL's
 * objects.
 *
 * Layer: tls. No I/O. Facts are made by one thread, read-only after, and freed by their one owner;
 * they are one allocation of at most TLS_PEER_TEXT_MAX bytes of text and TLS_PEER_NAMES_MAX names.
 *
 * Whatever is here may be compared with an identity: it is UTF-8 without NUL, control or deceptive
 * characters. A name that has one of those, that is not valid in its own encoding, or for which
 * there is no room, is left out and counted: "a\0b" is neither "a" nor "ab". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define TLS_PEER_NAMES_MAX 128   /* alternative names of all kinds */
#define TLS_PEER_TEXT_MAX  16384 /* [bytes] of all texts */

/* X(NAME, member): what there is one of, or none. */
#define TLS_PEER_TEXTS(X)                                                                          \
	X(SUBJECT, subject)         /* RFC 2253, ASCII: as openssl x509 -nameopt RFC2253 has it */ \
	X(ISSUER, issuer)           /* the same */                                                 \
	X(COMMON_NAME, common_name) /* of the subject; none if it has several */                   \
	X(SERIAL, serial)           /* upper-case hex, whole octets: as openssl x509 -serial */    \
	X(FINGERPRINT, fingerprint) /* SHA-256 of the DER: 64 lower-case hex digits */

/* X(NAME, member): the subject's alternative names (RFC 5280, 4.2.1.6). */
#define TLS_PEER_LISTS(X) \
	X(DNS, dns)       \
	X(URI, uris)      \
	X(IP, ips)        \
	X(EMAIL, emails)

#define TLS_PEER_ENUM(NAME, member) TLS_PEER_##NAME,
enum tls_peer_text { TLS_PEER_TEXTS(TLS_PEER_ENUM) TLS_PEER_TEXT_COUNT };
enum tls_peer_list {
	TLS_PEER_LISTS_BEGIN = TLS_PEER_TEXT_COUNT - 1,
	TLS_PEER_LISTS(TLS_PEER_ENUM) TLS_PEER_KIND_COUNT
};

struct tls_peer_names {
	const char *const *items;
	size_t count;
};

#define TLS_PEER_TEXT_FIELD(NAME, member) const char *member;
#define TLS_PEER_LIST_FIELD(NAME, member) struct tls_peer_names member;
struct tls_peer_facts {
	TLS_PEER_TEXTS(TLS_PEER_TEXT_FIELD) /* NULL: none */
	TLS_PEER_LISTS(TLS_PEER_LIST_FIELD)
	int64_t not_before; /* [s] since 1970; 0: not known */
	int64_t not_after;
	size_t left_out; /* names and texts */
	bool is_from_proxy;
};

struct x509_st;

/* NULL: memory is out. `x509` stays the caller's. */
struct tls_peer_facts *tls_peer_facts_of(struct x509_st *x509);
/* The same of a certificate in DER, with nothing behind it. 0, -ENOMEM, or -EINVAL: it is none. */
int tls_peer_facts_read(struct slice der, struct tls_peer_facts **out_facts);
/* NULL is fine; clears the pointer. */
void tls_peer_facts_destroy(struct tls_peer_facts **facts);

/* --- facts from elsewhere --- */

/* Zero-initialise. */
struct tls_peer_draft {
	struct buf text; /* each followed by a NUL */
	struct {
		uint16_t at;
		uint8_t kind; /* enum tls_peer_text or enum tls_peer_list */
	} items[TLS_PEER_TEXT_COUNT + TLS_PEER_NAMES_MAX];
	size_t count;
	size_t name_count;
	int64_t not_before;
	int64_t not_after;
	size_t left_out;
	bool is_from_proxy;
	bool is_out_of_memory;
};

/* `kind`: an enum tls_peer_text that was not added before, or an enum tls_peer_list. Text that may
 * not be in facts (see above), or is empty, is left out. */
void tls_peer_draft_add(struct tls_peer_draft *draft, int kind, struct slice text);
/* Empties the draft. NULL: memory is out, perhaps since an earlier call. */
struct tls_peer_facts *tls_peer_draft_finish(struct tls_peer_draft *draft);
