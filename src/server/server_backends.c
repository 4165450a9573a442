/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_backends.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/renewals.h"
#include "server/server_private.h"

struct backend_watch {
	struct server *server;
	const struct ruleset *ruleset; /* that holds the entry; it outlives the watch */
	size_t index;                  /* of its back ends */
};

static bool renew(void *arg, struct renewal_error *out_error)
{
	const struct backend_watch *watch = arg;
	struct backend_error error = {.text = ""};

	/* It is not in force yet, or not any more: whoever reads the configuration reads these. */
	if (watch->ruleset != watch->server->ruleset)
		return true;
	if (backends_read_again(watch->server->backends, &watch->ruleset->config, watch->index,
				&error) == 0)
		return true;
	snprintf(out_error->text, sizeof(out_error->text), "%s", error.text);
	return false;
}

static bool watch_begin(struct server *server, struct backend_watch *watch)
{
	const struct config_backend *config = &watch->ruleset->config.backends[watch->index];
	const char *files[] = {config->secret_file.text, config->headers_file.text,
			       config->ca_file.text};
	bool has_any = false;

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		has_any |= files[i][0] != 0;
	return !has_any ||
	       renewals_add(server->options.renewals, &(struct renewable){
							      .what = "backend",
							      .files = files,
							      .file_count = ARRAY_LEN(files),
							      .renew = renew,
							      .arg = watch,
						      });
}

int backend_watches_begin(struct server *server, const struct ruleset *ruleset,
			  struct backend_watches *out_watches)
{
	size_t count = ruleset->config.backend_count;
	bool is_good = true;

	*out_watches = (struct backend_watches){0};
	if (server->options.renewals == NULL || count == 0)
		return 0;
	out_watches->items = calloc(count, sizeof(*out_watches->items));
	if (out_watches->items == NULL)
		return -ENOMEM;
	for (; out_watches->count < count && is_good; out_watches->count++) {
		struct backend_watch *watch = &out_watches->items[out_watches->count];

		*watch = (struct backend_watch){server, ruleset, out_watches->count};
		is_good = watch_begin(server, watch);
	}
	if (is_good)
		return 0;
	backend_watches_end(server, out_watches);
	return -ENOMEM;
}

void backend_watches_end(struct server *server, struct backend_watches *watches)
{
	for (size_t i = 0; i < watches->count; i++)
		renewals_remove(server->options.renewals, &watches->items[i]);
	free(watches->items);
	*watches = (struct backend_watches){0};
}
