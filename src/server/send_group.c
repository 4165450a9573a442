/* SPDX-License-Identifier: Apache-2.0 */
#include "server/send_group.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/counter.h"
#include "server/broadcast.h"
#include "server/server_private.h"
#include "server/worker.h"

struct sending {
	struct fleet_home *home;
	size_t bytes; /* that it counts with in the home */
};

/* Until then the worker's loop must not end. */
static void on_done(void *arg, const struct broadcast_result *result)
{
	struct sending *sending = arg;
	struct fleet_home *home = sending->home;

	(void)result;
	CHECK(home->groups.fan_outs > 0 && home->groups.fan_out_bytes >= sending->bytes);
	home->groups.fan_outs--;
	home->groups.fan_out_bytes -= sending->bytes;
	free(sending);
	home->on_gone(home);
}

/* The other nodes come first: if they cannot have it, the clients here do not get it either. */
static int start(struct sending *sending, const struct fan_out *what)
{
	struct fleet_home *home = sending->home;
	struct server *server = CONTAINER_OF(home->fleet, struct server, fleet);
	const struct broadcast_order order = {
		.what = *what, .home = home->loop, .on_done = on_done, .arg = sending};
	int r = fan_out_publish(home->fleet, NULL, what);

	return r < 0 ? r : broadcast_start(server, &order);
}

int send_group(struct fleet_home *home, const struct fan_out *what)
{
	CHECK(what->group != NULL);
	if (home->groups.fan_out_bytes >= counter_read(&home->fleet->limits.pending_max))
		return -ENOBUFS;
	struct sending *sending = malloc(sizeof(*sending));

	if (sending == NULL)
		return -ENOMEM;
	*sending = (struct sending){.home = home, .bytes = what->message.bytes.len};
	int r = start(sending, what);

	if (r < 0) {
		free(sending);
		return r;
	}
	home->groups.fan_outs++;
	home->groups.fan_out_bytes += sending->bytes;
	return 0;
}
