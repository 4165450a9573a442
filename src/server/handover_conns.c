/* SPDX-License-Identifier: Apache-2.0 */
#include "server/handover_conns.h"

#include <errno.h>

#include "server/worker.h"

int handover_conns_export(struct worker *worker, const struct handover_exporting *exporting,
			  const char **out_what)
{
	*out_what = "";
	exporting->count(exporting->arg, 0, worker->home.conn_pool.live_count);
	return 0;
}

void handover_conn_forget(struct conn *conn)
{
	(void)conn;
}

void handover_conns_thaw(struct worker *worker)
{
	(void)worker;
}

int handover_conn_import(struct worker *worker, int fd, struct slice state)
{
	(void)worker;
	(void)fd;
	(void)state;
	return -EOPNOTSUPP;
}
