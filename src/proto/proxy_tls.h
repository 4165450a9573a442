/* SPDX-License-Identifier: Apache-2.0
 * proxy_tls.h - what a PROXY header of version 2 says of the TLS that ended at its sender.
 *
 * Layer: proto. Pure function: no I/O, no allocation. It is the sender's word. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* The slices lie in the TLVs, and are empty if nothing is said. */
struct proxy_tls {
	bool is_tls;          /* the client spoke TLS to the proxy */
	bool has_certificate; /* and showed one, then or when the session began */
	bool is_verified;     /* and the proxy found it good */
	struct slice version; /* "TLSv1.3" */
	struct slice suite;   /* "ECDHE-ECDSA-AES128-GCM-SHA256" */
	struct slice common_name;
	struct slice certificate; /* DER */
	struct slice server_name; /* SNI */
};

/* `tlvs`: of a proxy_header. NULL and *out_tls, or a sentence fragment (static text) to put behind
 * "the PROXY header": sub-TLVs have to fit, and each is there once at most, as a receiver and a
 * sender could otherwise mean different ones. */
const char *proxy_tls_read(struct slice tlvs, struct proxy_tls *out_tls);
