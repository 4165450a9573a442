/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_holder.h"

void tls_holder_init(struct tls_holder *holder, struct tls_context *context)
{
	pthread_mutex_init(&holder->mutex, NULL);
	holder->context = context;
}

void tls_holder_finish(struct tls_holder *holder)
{
	tls_context_unref(&holder->context);
	pthread_mutex_destroy(&holder->mutex);
}

struct tls_context *tls_holder_get(struct tls_holder *holder)
{
	pthread_mutex_lock(&holder->mutex);
	struct tls_context *context = holder->context == NULL ? NULL
							      : tls_context_ref(holder->context);

	pthread_mutex_unlock(&holder->mutex);
	return context;
}

void tls_holder_set(struct tls_holder *holder, struct tls_context *context)
{
	pthread_mutex_lock(&holder->mutex);
	struct tls_context *old = holder->context;

	holder->context = context;
	pthread_mutex_unlock(&holder->mutex);
	tls_context_unref(&old); /* may free certificates: not under the lock */
}
