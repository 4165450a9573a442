/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/expiry.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "fleet/client.h"

struct expiry {
	struct timer timer;
	struct client *client;
	uint64_t at_s;
	uint64_t tried_ns; /* of the loop's clock; 0: never */
};

static uint64_t left_ns(const struct expiry *expiry)
{
	uint64_t now_ns = clock_wall_ns();

	if (expiry->at_s <= now_ns / NS_PER_S)
		return 0;
	if (expiry->at_s - now_ns / NS_PER_S > EXPIRY_STEP_S)
		return EXPIRY_STEP_S * NS_PER_S;
	return expiry->at_s * NS_PER_S - now_ns;
}

static void timer_set(struct expiry *expiry)
{
	struct loop *loop = expiry->client->home->loop;

	loop_timer_stop(loop, &expiry->timer);
	loop_timer_start(loop, &expiry->timer, left_ns(expiry));
}

static void on_timer(struct timer *timer)
{
	struct expiry *expiry = CONTAINER_OF(timer, struct expiry, timer);
	struct session *session = expiry->client->session;

	CHECK(session != NULL); /* it would have taken this along */
	if (left_ns(expiry) > 0)
		timer_set(expiry);
	else
		session->ops->expired(session);
}

int expiry_restore(struct client *client, uint64_t at_s)
{
	struct expiry *expiry = calloc(1, sizeof(*expiry));

	if (expiry == NULL)
		return -ENOMEM;
	CHECK(client->expiry == NULL && at_s > 0);
	expiry->client = client;
	expiry->at_s = at_s;
	loop_timer_init(&expiry->timer, on_timer);
	client->expiry = expiry;
	return 0;
}

void expiry_thaw(struct client *client)
{
	if (client->expiry != NULL)
		timer_set(client->expiry);
}

int expiry_begin(struct client *client, uint64_t at_s)
{
	int r = expiry_restore(client, at_s);

	expiry_thaw(client);
	return r;
}

void expiry_leave(struct client *client)
{
	if (client->expiry == NULL)
		return;
	loop_timer_stop(client->home->loop, &client->expiry->timer);
	free(client->expiry);
	client->expiry = NULL;
}

static struct expiry *expiry_of(const struct session *session)
{
	return session->client == NULL ? NULL : session->client->expiry;
}

uint64_t expiry_at_s(const struct session *session)
{
	const struct expiry *expiry = expiry_of(session);

	return expiry == NULL ? 0 : expiry->at_s;
}

void expiry_move(struct session *session, uint64_t at_s)
{
	struct expiry *expiry = expiry_of(session);

	CHECK(expiry != NULL && at_s > 0);
	expiry->at_s = at_s;
	timer_set(expiry);
}

bool expiry_may_try(struct session *session)
{
	struct expiry *expiry = expiry_of(session);
	uint64_t now_ns = loop_now(session->ops->home(session)->loop);

	CHECK(expiry != NULL);
	if (expiry->tried_ns != 0 && now_ns - expiry->tried_ns < EXPIRY_TRY_S * NS_PER_S)
		return false;
	expiry->tried_ns = now_ns;
	return true;
}
