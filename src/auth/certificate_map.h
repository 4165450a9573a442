/* SPDX-License-Identifier: Apache-2.0
 * certificate_map.h - a file that says which certificate is which client.
 *
 * Layer: auth. Reading blocks: for the start, for commands, and for the main thread when the file
 * has changed. What was read is immutable and counted by reference.
 *
 * A line is CERTIFICATE => ID, where the certificate is the SHA-256 of its DER (64 hex digits of
 * either case, colons between octets or not: `openssl x509 -fingerprint -sha256`), or its subject
 * as RFC 2253 has it (`openssl x509 -subject -nameopt RFC2253`). Empty lines and those that begin
 * with
 * '#' are left out; lines may end in CRLF. Several certificates may be the same client, so that an
 * old and a new one are good at once; one certificate is one client. */
#pragma once

#include <stddef.h>

#include "base/slice.h"

#define CERTIFICATE_MAP_FILE_MAX ((size_t)256 << 20) /* [bytes] */

struct certificate_map;
struct tls_peer_facts;

struct certificate_map_error {
	char text[1024];
};

/* `file` is its name for messages. One reference, the caller's. 0; -ENOMEM; -EINVAL and
 * "FILE:LINE: ...". */
int certificate_map_parse(const char *file, struct slice text, struct certificate_map **out_map,
			  struct certificate_map_error *error);

/* The same of a file, which may be missing. */
int certificate_map_read(const char *file, struct certificate_map **out_map,
			 struct certificate_map_error *error);

struct certificate_map *certificate_map_ref(struct certificate_map *map);
void certificate_map_unref(struct certificate_map **map);

size_t certificate_map_count(const struct certificate_map *map);

/* By its fingerprint, or else by its subject. NULL: it is not there. Lives as long as the map. */
const char *certificate_map_find(const struct certificate_map *map,
				 const struct tls_peer_facts *peer);
