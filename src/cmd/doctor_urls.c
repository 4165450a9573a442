/* SPDX-License-Identifier: Apache-2.0
 * doctor_urls.c - where a test goes of what the doctor looks at. */
#include "cmd/doctor_urls.h"

#include <stdio.h>
#include <string.h>

#include "base/net_addr.h"
#include "cmd/admin_call.h"

/* What the built-in route takes. */
#define OWN_PATH "/ws/c-{n}"

static void url_write(const char *scheme, const struct net_addr *listener, const char *path,
		      char out[DOCTOR_URL_MAX])
{
	struct net_addr addr = admin_call_address(listener);
	char address[NET_ADDR_TEXT_MAX];

	snprintf(out, DOCTOR_URL_MAX, "%s://%s%s", scheme,
		 net_addr_format(&addr, address, sizeof(address)), path);
}

/* The first route's, where each client has an id of its own. */
static void path_write(const struct config *config, char *out, size_t size)
{
	static const char id[] = "{client_id}";
	const char *pattern = config->routes[0].path, *at = strstr(pattern, id);

	if (at == NULL)
		snprintf(out, size, "%s", pattern);
	else
		snprintf(out, size, "%.*sc-{n}%s", (int)(at - pattern), pattern, at + strlen(id));
}

void doctor_urls_of_config(const struct config *config, struct doctor_urls *out)
{
	char path[DOCTOR_URL_MAX / 2 + 160];
	size_t count;
	const struct config_listener *listeners = config_listeners(config, &count);

	*out = (struct doctor_urls){0};
	url_write(config_has_tls(&config->admin.tls) ? "https" : "http", &config->admin.listen,
		  "/limits", out->limits);
	path_write(config, path, sizeof(path));
	for (size_t i = 0; i < count; i++) {
		if (listeners[i].address.unix_path[0] != 0)
			continue;
		url_write(config_has_tls(&listeners[i].tls) ? "wss" : "ws",
			  &listeners[i].address.addr, path, out->clients);
		return;
	}
}

void doctor_urls_of_process(const struct process *process, size_t limits_listener,
			    struct doctor_urls *out)
{
	bool is_own = limits_listener != SIZE_MAX;

	*out = (struct doctor_urls){0};
	if (is_own)
		url_write("http", &process->listeners[limits_listener].address, "/limits",
			  out->limits);
	for (size_t i = 0; i < process->listener_count; i++) {
		if (i == limits_listener)
			continue;
		url_write("ws", &process->listeners[i].address, is_own ? OWN_PATH : "/",
			  out->clients);
		return;
	}
}
