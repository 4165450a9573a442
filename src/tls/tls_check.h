/* SPDX-License-Identifier: Apache-2.0
 * tls_check.h - what is wrong with a certificate, its chain and its key, before clients find out.
 *
 * Layer: tls. File access: for the start, commands and the main thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/tls_context.h"

enum tls_check_part { TLS_CHECK_CERT, TLS_CHECK_KEY };

struct tls_finding {
	enum tls_check_part part; /* the file it is about */
	/* No listener can be made with it; else it can, and clients will have trouble. */
	bool is_mistake;
	char text[512]; /* "FILE: what is seen; what to do" */
};

/* Tells of the certificate, those behind it, and the key. `now`: [s] since 1970. */
void tls_pair_check(const struct tls_key_pair *pair, int64_t now,
		    void (*tell)(void *arg, const struct tls_finding *finding), void *arg);

/* The same for keys of tickets. */
void tls_ticket_file_check(const char *file,
			   void (*tell)(void *arg, const struct tls_finding *finding), void *arg);

/* Authorities that have ended, lists of revoked certificates that are out of date. */
void tls_clients_check(const char *ca_file, const char *crl_file, int64_t now,
		       void (*tell)(void *arg, const struct tls_finding *finding), void *arg);

/* When the certificate in the file ends. [s] since 1970; 0: it cannot be read. */
int64_t tls_file_expires_at(const char *cert_file);

/* "in 9 days", "in 5 hours", "3 days ago". */
#define TLS_EXPIRY_TEXT_MAX 32
char *tls_expiry_text(int64_t expires_at, int64_t now, char out[TLS_EXPIRY_TEXT_MAX]);
