/* SPDX-License-Identifier: Apache-2.0
 * way_certificate.c - a certificate of TLS, which whoever ended the TLS has verified: the gateway,
 * or a proxy that it trusts.
 *
 * What is compared is the whole text, byte for byte. Names with NUL, control characters or a wrong
 * encoding are not there to be compared (tls_peer.h), nor is a common name of which there are two.
 * The map can be renewed while others look at what was read before: each look takes a reference
 * under a lock. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth_type.h"
#include "auth/certificate_map.h"
#include "base/check.h"
#include "tls/tls_peer.h"

struct way_certificate {
	struct auth_way base;
	enum config_identity identity;
	const char *file; /* the configuration's; NULL: by identity */
	pthread_mutex_t mutex;
	struct certificate_map *map; /* under the mutex; NULL: by identity */
};

static struct way_certificate *certificate_of(const struct auth_way *way)
{
	return CONTAINER_OF((struct auth_way *)(uintptr_t)way, struct way_certificate, base);
}

/* --- verdicts --- */

static enum auth_verdict proved(struct auth_result *result, const char *id,
				const struct tls_peer_facts *peer)
{
	result->client_id = strdup(id);
	result->subject = peer->subject == NULL ? NULL : strdup(peer->subject);
	if (result->client_id != NULL && (peer->subject == NULL || result->subject != NULL))
		return AUTH_PROVED;
	auth_result_finish(result);
	return auth_result_set(result, AUTH_UNAVAILABLE, "out_of_memory",
			       "The gateway is out of memory.");
}

/* Of the names that the certificate has, the one that is asked for; the first, if there are no
 * others and none is. */
static enum auth_verdict name_check(const struct tls_peer_names *names, const char *client_id,
				    const struct tls_peer_facts *peer, struct auth_result *result)
{
	for (size_t i = 0; i < names->count && client_id != NULL; i++)
		if (strcmp(names->items[i], client_id) == 0)
			return proved(result, client_id, peer);
	if (names->count == 1)
		return proved(result, names->items[0], peer);
	if (names->count == 0)
		return auth_result_set(result, AUTH_FORBIDDEN, "certificate_without_identity",
				       "The certificate is good, but has no alternative name of "
				       "the kind that is the client's id here.");
	return auth_result_set(result, AUTH_FORBIDDEN, "other_client_id",
			       "The certificate is good, but none of its alternative names is the "
			       "client id of the path.");
}

static enum auth_verdict text_check(const char *text, const struct tls_peer_facts *peer,
				    struct auth_result *result)
{
	if (text != NULL)
		return proved(result, text, peer);
	return auth_result_set(result, AUTH_FORBIDDEN, "certificate_without_identity",
			       "The certificate is good, but has not that one text which is the "
			       "client's id here: a common name, or a serial number.");
}

static enum auth_verdict map_check(struct way_certificate *way, const struct tls_peer_facts *peer,
				   struct auth_result *result)
{
	pthread_mutex_lock(&way->mutex);
	struct certificate_map *map = certificate_map_ref(way->map);

	pthread_mutex_unlock(&way->mutex);
	const char *id = certificate_map_find(map, peer);
	enum auth_verdict verdict =
		id != NULL ? proved(result, id, peer)
			   : auth_result_set(result, AUTH_FORBIDDEN, "unknown_certificate",
					     "The certificate is good, but map_file has no client "
					     "for it.");

	certificate_map_unref(&map);
	return verdict;
}

/* --- the way --- */

static enum auth_verdict check(const struct auth_way *base, const struct auth_request *request,
			       struct auth_result *out_result, struct auth_pending *out_pending)
{
	struct way_certificate *way = certificate_of(base);
	const struct tls_peer_facts *peer = request->peer;

	(void)out_pending;
	if (peer == NULL)
		return AUTH_NO_PROOF;
	if (way->file != NULL)
		return map_check(way, peer, out_result);
	switch (way->identity) {
	case CONFIG_IDENTITY_CN:
		return text_check(peer->common_name, peer, out_result);
	case CONFIG_IDENTITY_SERIAL:
		return text_check(peer->serial, peer, out_result);
	case CONFIG_IDENTITY_SAN_DNS:
		return name_check(&peer->dns, request->client_id, peer, out_result);
	case CONFIG_IDENTITY_SAN_URI:
		return name_check(&peer->uris, request->client_id, peer, out_result);
	}
	CHECK(false);
}

static void destroy(struct auth_way *base)
{
	struct way_certificate *way = certificate_of(base);

	certificate_map_unref(&way->map);
	pthread_mutex_destroy(&way->mutex);
	free(way);
}

/* --- the file --- */

static const char *file_of(const struct auth_way *base)
{
	return certificate_of(base)->file;
}

static int renew(struct auth_way *base, struct auth_error *error)
{
	struct way_certificate *way = certificate_of(base);
	struct certificate_map_error problem;
	struct certificate_map *map;
	int r = certificate_map_read(way->file, &map, &problem);

	if (r < 0) {
		snprintf(error->text, sizeof(error->text), "%s", problem.text);
		return r;
	}
	pthread_mutex_lock(&way->mutex);
	struct certificate_map *before = way->map;

	way->map = map;
	pthread_mutex_unlock(&way->mutex);
	certificate_map_unref(&before);
	return 0;
}

static const struct auth_way_ops ops = {
	.name = "certificate",
	.cost = AUTH_COST_FACTS,
	.check = check,
	.file = file_of,
	.renew = renew,
	.destroy = destroy,
};

/* *out_map is NULL if there is no file. */
static int file_read(const struct auth_wanted *wanted, struct certificate_map **out_map,
		     struct auth_error *error)
{
	const struct config_auth *config = auth_wanted_config(wanted);
	struct certificate_map_error problem;

	*out_map = NULL;
	if (config->map_file.text[0] == 0)
		return 0;
	size_t used = auth_place_write(wanted, CONFIG_OPTION_auth_map_file, "map_file", error->text,
				       sizeof(error->text));
	int r = certificate_map_read(config->map_file.text, out_map, &problem);

	if (r < 0)
		snprintf(error->text + used, sizeof(error->text) - used, "%s", problem.text);
	return r;
}

static void warn(const struct auth_wanted *wanted, struct auth_error *error)
{
	if (config_sees_certificates(wanted->config))
		return;
	size_t used = auth_place_write(wanted, CONFIG_OPTION_auth_type, "type", error->warning,
				       sizeof(error->warning));

	snprintf(error->warning + used, sizeof(error->warning) - used,
		 "certificate lets nobody in here: no listener asks for certificates; write "
		 "tls.client_ca_file and tls.client_certificate: required or optional, or "
		 "server.client_certificate_header if a proxy tells of them");
}

static int create(const struct auth_wanted *wanted, struct auth_way **out_way,
		  struct auth_error *error)
{
	const struct config_auth *config = auth_wanted_config(wanted);
	struct way_certificate *way = calloc(1, sizeof(*way));

	if (way == NULL) {
		snprintf(error->text, sizeof(error->text), "out of memory");
		return -ENOMEM;
	}
	int r = file_read(wanted, &way->map, error);

	if (r < 0) {
		free(way);
		return r;
	}
	way->base.ops = &ops;
	way->identity = config->identity;
	way->file = way->map == NULL ? NULL : config->map_file.text;
	pthread_mutex_init(&way->mutex, NULL);
	*out_way = &way->base;
	warn(wanted, error);
	return 0;
}

static int check_only(const struct auth_wanted *wanted, struct auth_error *error)
{
	struct certificate_map *map;
	int r = file_read(wanted, &map, error);

	warn(wanted, error);
	if (r == 0)
		certificate_map_unref(&map);
	return r;
}

const struct auth_type auth_type_certificate = {
	.name = "certificate", .create = create, .check = check_only};
