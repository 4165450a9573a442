/* SPDX-License-Identifier: Apache-2.0
 * type_token.c - the way 'token' as the configuration wants it. */
#include <errno.h>
#include <stdio.h>

#include "auth/auth_type.h"
#include "auth/way_token.h"
#include "base/check.h"

#define SAME(name) \
	_Static_assert((int)CONFIG_ALGORITHM_##name == (int)JWT_##name, "one order for both")
SAME(RS256);
SAME(PS256);
SAME(ES256);
SAME(HS256);
SAME(HS512);
_Static_assert((int)CONFIG_ALGORITHM_EDDSA == (int)JWT_EdDSA, "one order for both");

static struct jwks_options source_of(const struct config_auth *config)
{
	return (struct jwks_options){
		.file = config_text_or_null(&config->jwks_file),
		.url = config->jwks_url,
		.ca_file = config_text_or_null(&config->ca_file),
		.timeout_ms = (uint32_t)config->jwks_timeout,
		.refresh_ms = (uint32_t)config->jwks_refresh,
		.stale_max_ms = (uint32_t)config->jwks_stale_max,
	};
}

static unsigned places_of(unsigned from)
{
	static const struct {
		enum config_token_place config;
		unsigned bit;
	} places[] = {
		{CONFIG_TOKEN_IN_HEADER, SHOWN_BIT(HEADER)},
		{CONFIG_TOKEN_IN_QUERY, SHOWN_BIT(QUERY)},
		{CONFIG_TOKEN_IN_COOKIE, SHOWN_BIT(COOKIE)},
		{CONFIG_TOKEN_IN_SUBPROTOCOL, SHOWN_BIT(SUBPROTOCOL)},
	};
	unsigned bits = 0;

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (from & (1u << places[i].config))
			bits |= places[i].bit;
	return bits;
}

static struct token_options options_of(const struct config_auth *config,
				       const struct auth_world *world)
{
	return (struct token_options){
		.renewals = world->renewals,
		.rules = {.algs = config->algorithms,
			  .issuer = config_text_or_null(&config->issuer),
			  .audience = config_text_or_null(&config->audience),
			  .leeway_s = (uint32_t)(config->leeway / 1000),
			  .required = (const char *const *)config->required_claims.items,
			  .required_count = config->required_claims.count},
		.shown = {.places = places_of(config->from),
			  .scheme = "Bearer",
			  .query = config->query_name,
			  .cookie = config->cookie_name,
			  .subprotocol = "bearer"},
		.client_id_claim = config_text_or_null(&config->client_id_claim),
		.groups_claim = config_text_or_null(&config->groups_claim),
		.subprotocol_claim = config_text_or_null(&config->subprotocol_claim),
		.takes_messages = config->renew_by_message == CONFIG_SWITCH_TRUE,
	};
}

/* The place of the key that names the keys, and then what is wrong with them. */
static int refuse(const struct auth_wanted *wanted, const char *why, int r,
		  struct auth_error *error)
{
	bool is_file = auth_wanted_config(wanted)->jwks_url == NULL;
	size_t used = auth_place_write(
		wanted, is_file ? CONFIG_OPTION_auth_jwks_file : CONFIG_OPTION_auth_jwks_url,
		is_file ? "jwks_file" : "jwks_url", error->text, sizeof(error->text));

	snprintf(error->text + used, sizeof(error->text) - used, "%s",
		 r == -ENOMEM ? "memory is out" : why);
	return r;
}

static void warn_at(const struct auth_wanted *wanted, size_t option, const char *key,
		    const char *text, struct auth_error *error)
{
	size_t used = auth_place_write(wanted, option, key, error->warning, sizeof(error->warning));

	snprintf(error->warning + used, sizeof(error->warning) - used, "%s", text);
}

/* Keys that come in clear may be anybody's, and a token for anybody is for us too. */
static void warn(const struct auth_wanted *wanted, struct auth_error *error)
{
	const struct config_auth *config = auth_wanted_config(wanted);
	const struct config_route *route = &wanted->config->routes[wanted->route];

	if (config->jwks_url != NULL &&
	    slice_starts_nocase(slice_from_text(config->jwks_url), "http:"))
		warn_at(wanted, CONFIG_OPTION_auth_jwks_url, "jwks_url",
			"is not https: whoever is on the way can sign tokens", error);
	else if (config->issuer.text[0] == 0 && config->audience.text[0] == 0)
		warn_at(wanted, CONFIG_OPTION_auth_type, "type",
			"neither issuer nor audience is given: every token that these keys have "
			"signed lets in, whatever it was made for",
			error);
	else if ((config->from & (1u << CONFIG_TOKEN_IN_SUBPROTOCOL)) != 0 &&
		 route->subprotocols.count == 0)
		warn_at(wanted, CONFIG_OPTION_auth_from, "from",
			"a token may come as a subprotocol, and the route has no subprotocols: "
			"browsers fail if none of those that they offer is chosen; name one, or "
			"'bearer' (docs/auth-tokens.md)",
			error);
}

static int check(const struct auth_wanted *wanted, struct auth_error *error)
{
	struct jwks_options source = source_of(auth_wanted_config(wanted));
	char why[JWKS_ERROR_MAX] = "";
	int r = jwks_check(&source, why, sizeof(why));

	warn(wanted, error);
	return r < 0 ? refuse(wanted, why, r, error) : 0;
}

static int create(const struct auth_wanted *wanted, struct auth_way **out_way,
		  struct auth_error *error)
{
	const struct config_auth *config = auth_wanted_config(wanted);
	struct jwks_options source = source_of(config);
	struct token_options options = options_of(config, wanted->world);
	char why[JWKS_ERROR_MAX] = "";
	struct jwks *jwks;
	int r = jwks_take(wanted->world->jwks, &source, &jwks, why, sizeof(why));

	warn(wanted, error);
	if (r < 0)
		return refuse(wanted, why, r, error);
	*out_way = token_way_create(&options, jwks);
	if (*out_way != NULL)
		return 0;
	jwks_unref(&jwks);
	return refuse(wanted, "", -ENOMEM, error);
}

const struct auth_type auth_type_token = {.name = "token", .create = create, .check = check};
