/* SPDX-License-Identifier: Apache-2.0
 * event_tls.h - the attributes of a connect event that tell of the client's TLS and certificate.
 *
 * Layer: route. */
#pragma once

#include "io/tcp_tls.h"
#include "route/event.h"

/* [bytes] of a value before it is encoded. Servers take 8 KiB of header lines, some less, and there
 * are others: what is longer is left out, of a list what has no room in it. */
#define EVENT_TLS_VALUE_MAX 512
#define EVENT_TLS_LIST_MAX  1024

/* [bytes] of all of them. */
#define EVENT_TLS_TEXT_MAX (3 * (5 * EVENT_TLS_VALUE_MAX + EVENT_TLS_LIST_MAX) + 256)

/* The head has room for EVENT_TLS_TEXT_MAX more bytes. */
void event_tls_add(struct event_head *head, const struct tcp_tls_facts *tls);
