/* SPDX-License-Identifier: Apache-2.0
 * jwks_wait.c - whoever's token names a key that is not there yet waits for one fetch.
 *
 * Everything is under the pool's lock, telling too: who gives up finds the wait either in the list,
 * and it is gone, or on its way to the mailbox. What a mailbox that is closed does not take stays
 * in the list until it is given up. */
#include "auth/jwks_private.h"

#include "base/check.h"
#include "base/clock.h"

/* Under the lock. True: it is due sooner than it was. */
static bool hurry(struct jwks *jwks)
{
	uint64_t may_ns = jwks->begun_ns + JWKS_UNKNOWN_MS * NS_PER_MS;

	if (jwks->is_under_way || may_ns >= jwks->due_ns)
		return false;
	jwks->due_ns = may_ns;
	return true;
}

void jwks_want_newer(struct jwks *jwks)
{
	if (jwks->url == NULL)
		return;
	pthread_mutex_lock(&jwks->pool->mutex);
	bool is_sooner = hurry(jwks);

	pthread_mutex_unlock(&jwks->pool->mutex);
	if (is_sooner)
		curl_multi_wakeup(jwks->pool->multi);
}

bool jwks_wait_newer(struct jwks *jwks, struct jwks_wait *wait)
{
	if (jwks->url == NULL)
		return false;
	pthread_mutex_lock(&jwks->pool->mutex);
	bool is_sooner = hurry(jwks);
	bool is_near = jwks->is_under_way || jwks->due_ns <= clock_now_ns();
	bool is_taken = is_near && jwks->waiting < JWKS_WAITING_MAX;

	if (is_taken) {
		list_append(&jwks->waits, &wait->node);
		jwks->waiting++;
	}
	pthread_mutex_unlock(&jwks->pool->mutex);
	if (is_sooner)
		curl_multi_wakeup(jwks->pool->multi);
	return is_taken;
}

/* Under the lock. */
static void leave(struct jwks *jwks, struct jwks_wait *wait)
{
	CHECK(jwks->waiting > 0);
	list_remove(&wait->node);
	jwks->waiting--;
}

bool jwks_wait_cancel(struct jwks *jwks, struct jwks_wait *wait)
{
	pthread_mutex_lock(&jwks->pool->mutex);
	bool is_waiting = !list_is_empty(&wait->node);

	if (is_waiting)
		leave(jwks, wait);
	pthread_mutex_unlock(&jwks->pool->mutex);
	return is_waiting;
}

/* It is removed first: once it is posted, it is another thread's to free. */
void jwks_waits_tell(struct jwks *jwks)
{
	struct list_node waits;

	list_init(&waits);
	list_move_all(&jwks->waits, &waits);
	jwks->waiting = 0;
	while (!list_is_empty(&waits)) {
		struct jwks_wait *wait = CONTAINER_OF(list_pop(&waits), struct jwks_wait, node);

		if (mailbox_post(wait->mailbox, &wait->task))
			continue;
		list_append(&jwks->waits, &wait->node);
		jwks->waiting++;
	}
}
