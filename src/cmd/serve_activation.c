/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/serve_activation.h"

#include "base/log.h"
#include "os/activation.h"
#include "server/server.h"

bool serve_activation_take(const struct config *config, struct handover_sockets *out_sockets)
{
	struct activation activation;
	struct activation_error wrong;
	struct server_error error;

	*out_sockets = (struct handover_sockets){0};
	int r = activation_read(&activation, &wrong);

	if (r < 0) {
		log_error(wrong.text);
	} else if (activation.count > 0) {
		r = server_activation_take(config, &activation, out_sockets, &error);
		if (r < 0)
			log_error(error.text);
		else
			log_info("listening sockets taken over from the service manager",
				 F_UINT("sockets", out_sockets->count));
	}
	activation_finish(&activation);
	return r == 0;
}
