/* SPDX-License-Identifier: Apache-2.0
 * tls_holder.h - the newest context of a listener: renewed by one thread, taken by others for each
 * connection that comes.
 *
 * Layer: tls. Thread-safe. Lies in its owner's memory, until no thread uses it any more. A
 * connection goes on with the context that it came in by. */
#pragma once

#include <pthread.h>

#include "tls/tls_context.h"

struct tls_holder {
	pthread_mutex_t mutex;
	struct tls_context *context;
};

/* Takes over the caller's reference; NULL: there is none yet, clients speak in clear. */
void tls_holder_init(struct tls_holder *holder, struct tls_context *context);
void tls_holder_finish(struct tls_holder *holder);

/* A reference of the caller's own, or NULL. */
struct tls_context *tls_holder_get(struct tls_holder *holder);

/* Takes over the caller's reference to the new one, and gives up its own to the old one. */
void tls_holder_set(struct tls_holder *holder, struct tls_context *context);
