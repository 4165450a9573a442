/* SPDX-License-Identifier: Apache-2.0
 * config_listeners.c - the listeners, in their long and their short form, and what must hold
 * between them. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/config_option.h"

const struct config_listener *config_listeners(const struct config *config, size_t *out_count)
{
	const struct config_listeners *listeners = &config->server.listeners;

	*out_count = listeners->count == 0 ? 1 : listeners->count;
	return listeners->count == 0 ? &config->listener : listeners->items;
}

size_t config_listener_count(const struct config *config)
{
	size_t count;

	config_listeners(config, &count);
	return count;
}

bool config_has_tls(const struct config_tls *tls)
{
	return tls->certificates.count > 0;
}

bool config_sees_certificates(const struct config *config)
{
	const struct config_server *server = &config->server;
	bool sees = server->trusted_proxies.count > 0 &&
		    server->client_certificate_header != CONFIG_TOLD_NONE;

	for (size_t i = 0; i < server->listeners.count; i++) {
		const struct config_tls *tls = &server->listeners.items[i].tls;

		sees |= config_has_tls(tls) &&
			tls->client_certificate != CONFIG_CLIENT_CERTIFICATE_NONE;
	}
	return sees;
}

bool config_speaks_tls(const struct config *config)
{
	size_t count;
	const struct config_listener *listeners = config_listeners(config, &count);

	for (size_t i = 0; i < count; i++)
		if (config_has_tls(&listeners[i].tls))
			return true;
	return config_has_tls(&config->admin.tls);
}

uint64_t config_tls_handshakes_max(const struct config *config, uint64_t workers)
{
	uint64_t wanted = config->server.tls_handshakes_max;

	return wanted != 0 ? wanted : CONFIG_TLS_HANDSHAKES_AUTO * MAX(workers, UINT64_C(1));
}

/* Keys alone; or an SSL object of OpenSSL's, with a certificate of the client's in it. */
#define DETACHED_BYTES UINT64_C(256)
#define ATTACHED_BYTES UINT64_C(14336)
#define PEER_BYTES     UINT64_C(4096)

uint64_t config_tls_bytes(const struct config *config)
{
	uint64_t most = 0;

	for (size_t i = 0; i < config->server.listeners.count; i++) {
		const struct config_tls *tls = &config->server.listeners.items[i].tls;
		bool has_peer = tls->client_certificate != CONFIG_CLIENT_CERTIFICATE_NONE;

		if (!config_has_tls(tls))
			continue;
		most = MAX(most, tls->detach == CONFIG_ON
					 ? DETACHED_BYTES
					 : ATTACHED_BYTES + (has_peer ? PEER_BYTES : 0));
	}
	return most;
}

void config_listener_from_listen(struct config *config)
{
	config->listener = (struct config_listener){0};
	config_defaults_apply(config_listener_options, CONFIG_OPTION_COUNT_listener,
			      &config->listener);
	config->listener.address.addr = config->server.listen;
}

/* --- who is in whose way --- */

/* Something that listens. */
struct door {
	char name[64]; /* of its option */
	const struct config_listener *listener;
	enum config_option_number option; /* of the short forms */
	bool is_short;
};

/* "FILE:LINE:COLUMN: " */
static const char *door_where(const struct config *config, const struct door *door,
			      char out[CONFIG_PLACE_MAX])
{
	const struct config_origin *origin =
		&door->listener->given[CONFIG_OPTION_listeners_address];

	if (door->is_short)
		return config_origin_format(config, door->option, out);
	snprintf(out, CONFIG_PLACE_MAX, "%s:%u:%u: ", config->file, origin->line, origin->column);
	return out;
}

static bool is_default(const struct config *config, const struct door *door)
{
	return door->is_short && config->origins[door->option].kind == CONFIG_FROM_DEFAULT;
}

static bool is_of_flags(const struct config *config, const struct door *door)
{
	return door->is_short && config_is_only_from_flags(config, door->option);
}

/* [::] takes IPv4 too, if it is not told otherwise. */
static bool covers(const struct config_listener *wide, const struct net_addr *other)
{
	const struct net_addr *addr = &wide->address.addr;

	if (!net_addr_is_wildcard(addr))
		return false;
	return addr->sa.sa_family == other->sa.sa_family ||
	       (addr->sa.sa_family == AF_INET6 && other->sa.sa_family == AF_INET &&
		wide->ipv6_only == CONFIG_SWITCH_FALSE);
}

/* True if only one of the two could listen. Port 0 is any free one. */
static bool addresses_clash(const struct config_listener *a, const struct config_listener *b)
{
	const struct net_addr *left = &a->address.addr, *right = &b->address.addr;

	if (a->address.unix_path[0] != 0 || b->address.unix_path[0] != 0)
		return strcmp(a->address.unix_path, b->address.unix_path) == 0;
	if (net_addr_port(left) != net_addr_port(right) || net_addr_port(left) == 0)
		return false;
	if (covers(a, right) || covers(b, left))
		return true;
	if (left->sa.sa_family != right->sa.sa_family)
		return false;
	return left->sa.sa_family == AF_INET6
		       ? IN6_ARE_ADDR_EQUAL(&left->in6.sin6_addr, &right->in6.sin6_addr)
		       : left->in.sin_addr.s_addr == right->in.sin_addr.s_addr;
}

static void pair_check(const struct config *config, const struct door *first,
		       const struct door *second, struct config_report *report)
{
	char where[CONFIG_PLACE_MAX], text[CONFIG_PLACE_TEXT_MAX], other[CONFIG_PLACE_TEXT_MAX];

	if (!addresses_clash(first->listener, second->listener))
		return;
	/* Point at the one that somebody wrote. */
	door_where(config, is_default(config, second) ? first : second, where);
	config_report_add(report, "%s%s: %s clashes with %s %s; give one of them another %s", where,
			  second->name, config_place_format(&second->listener->address, text),
			  first->name, config_place_format(&first->listener->address, other),
			  second->listener->address.unix_path[0] != 0 ? "path" : "port");
	report->of_flags += is_of_flags(config, first) && is_of_flags(config, second);
}

void config_clashes_check(const struct config *config, struct config_report *report)
{
	size_t count;
	const struct config_listener *listeners = config_listeners(config, &count);
	struct config_listener of_admin = {.address.addr = config->admin.listen};
	struct door admin = {.name = "admin.listen",
			     .listener = &of_admin,
			     .option = CONFIG_OPTION_admin_listen,
			     .is_short = true};

	for (size_t i = 0; i < count; i++) {
		struct door first = {.name = "server.listen",
				     .listener = &listeners[i],
				     .option = CONFIG_OPTION_server_listen,
				     .is_short = listeners == &config->listener};

		if (!first.is_short)
			snprintf(first.name, sizeof(first.name), "server.listeners[%zu].address",
				 i);
		for (size_t j = i + 1; j < count; j++) {
			struct door second = {.listener = &listeners[j]};

			snprintf(second.name, sizeof(second.name), "server.listeners[%zu].address",
				 j);
			pair_check(config, &first, &second, report);
		}
		pair_check(config, &first, &admin, report);
	}
}

/* --- one by one --- */

static void both_forms_check(const struct config *config, struct config_report *report)
{
	char place[CONFIG_PLACE_MAX];

	if (config->server.listeners.count == 0 ||
	    config->origins[CONFIG_OPTION_server_listen].kind == CONFIG_FROM_DEFAULT)
		return;
	config_report_add(report,
			  "%sserver.listen: is the short form of server.listeners, and both are "
			  "given; remove one of them",
			  config_origin_format(config, CONFIG_OPTION_server_listen, place));
}

/* A key that the listener's address gives no meaning. */
static void useless_check(const struct config *config, size_t index,
			  enum config_listener_option_number option, struct config_report *report)
{
	const struct config_listener *listener = &config->server.listeners.items[index];
	const struct config_origin *origin = &listener->given[option];
	char text[CONFIG_PLACE_TEXT_MAX];

	if (origin->kind == CONFIG_FROM_FILE && !config_listener_has(listener, option))
		config_report_add(
			report,
			"%s:%u:%u: server.listeners[%zu].%s: is for %s, which %s is not; remove it",
			config->file, origin->line, origin->column, index,
			config_listener_options[option].key,
			option == CONFIG_OPTION_listeners_ipv6_only ? "[::]" : "a unix socket",
			config_place_format(&listener->address, text));
}

static void tls_mistake(const struct config *config, const struct config_tls *tls,
			enum config_tls_option_number option, const char *path, const char *text,
			struct config_report *report)
{
	const struct config_origin *origin = &tls->given[option];

	config_report_add(report, "%s:%u:%u: %s.%s: %s", config->file, origin->line, origin->column,
			  path, config_tls_options[option].key, text);
}

static void tls_check(const struct config *config, const struct config_tls *tls, const char *path,
		      struct config_report *report)
{
	bool is_asked = tls->client_certificate != CONFIG_CLIENT_CERTIFICATE_NONE;

	if (is_asked && tls->client_ca_file.text[0] == 0)
		tls_mistake(config, tls, CONFIG_OPTION_tls_client_certificate, path,
			    "nobody's certificates would be good without a client_ca_file; write "
			    "that too, or none here",
			    report);
	if (!is_asked && tls->client_ca_file.text[0] != 0)
		tls_mistake(config, tls, CONFIG_OPTION_tls_client_ca_file, path,
			    "no client is asked for a certificate; write client_certificate: "
			    "optional or required too, or remove it",
			    report);
	if (!is_asked && tls->crl_file.text[0] != 0)
		tls_mistake(config, tls, CONFIG_OPTION_tls_crl_file, path,
			    "no client is asked for a certificate; write client_certificate: "
			    "optional or required too, or remove it",
			    report);
}

static void listener_check(const struct config *config, size_t index, struct config_report *report)
{
	const struct config_listener *listener = &config->server.listeners.items[index];
	char path[64];

	for (unsigned i = 0; i < CONFIG_OPTION_COUNT_listener; i++)
		useless_check(config, index, i, report);
	snprintf(path, sizeof(path), "server.listeners[%zu].tls", index);
	if (config_has_tls(&listener->tls))
		tls_check(config, &listener->tls, path, report);
}

void config_listeners_check(const struct config *config, struct config_report *report)
{
	both_forms_check(config, report);
	for (size_t i = 0; i < config->server.listeners.count; i++)
		listener_check(config, i, report);
	if (config_has_tls(&config->admin.tls))
		tls_check(config, &config->admin.tls, "admin.tls", report);
}
