/* SPDX-License-Identifier: Apache-2.0
 * config_kinds.c - what kinds of values there are, and the words of those that have some. */
#include <stdio.h>

#include "base/check.h"
#include "config/config_option.h"

#define WORDS(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

/* Each in the order of its enum. */
static const char *const *const kind_words[] = {
	[CONFIG_ENGINE] = WORDS("auto", "io_uring", "epoll"),
	[CONFIG_LEVEL] = WORDS("debug", "info", "warn", "error"),
	[CONFIG_FORMAT] = WORDS("logfmt", "json"),
	[CONFIG_MISMATCH] = WORDS("refuse", "close", "accept"),
	[CONFIG_TAKEOVER] = WORDS("newest", "oldest", "many"),
	[CONFIG_TOLD] = WORDS("none", "proxy", "client-cert", "x-ssl-client-cert",
			      "x-ssl-client-cn", "x-forwarded-client-cert"),
	[CONFIG_PRESET] = WORDS("none", "ocpp"),
	[CONFIG_SECURITY_PROFILE] = WORDS("none", "1", "2", "3"),
	[CONFIG_RPC] = WORDS("none", "ocpp-j", "json-rpc"),
	[CONFIG_BACKEND_TYPE] = WORDS("webhook", "nats"),
	[CONFIG_CONNECT] = WORDS("accept", "ask"),
	[CONFIG_BUS_TYPE] = WORDS("embedded", "nats"),
	[CONFIG_ON_FAILURE] = WORDS("wait", "close"),
	[CONFIG_ON_REMOVED] = WORDS("keep", "close"),
	[CONFIG_WEB_ORIGINS] = WORDS("auto", "any", "same"), /* or a list */
	[CONFIG_REFUSE_BROWSERS] = WORDS("http", "close"),
	[CONFIG_COMPRESSION] = WORDS("off", "shared", "window"),
	[CONFIG_RATE_ACTION] = WORDS("wait", "close"),
	[CONFIG_TAIL_BODIES] = WORDS("redacted", "off", "plain"),
	[CONFIG_SWITCH] = WORDS("false", "true"),
	[CONFIG_ON_OFF] = WORDS("off", "on"),
	[CONFIG_TLS_VERSION] = WORDS("1.2", "1.3"),
	[CONFIG_CLIENT_CERTIFICATE] = WORDS("none", "optional", "required"),
	[CONFIG_AUTH_TYPE] = WORDS("basic", "certificate", "token", "ticket", "backend"),
	[CONFIG_SECRET_FORMAT] = WORDS("text", "ocpp"),
	[CONFIG_IDENTITY] = WORDS("cn", "san_dns", "san_uri", "serial"),
	[CONFIG_ALGORITHMS] = WORDS("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
				    "ES384", "ES512", "HS256", "HS384", "HS512", "EdDSA"),
	[CONFIG_TOKEN_FROM] = WORDS("header", "query", "cookie", "subprotocol"),
};

/* Every enum is stored through this type. */
_Static_assert(sizeof(enum config_engine) == sizeof(unsigned int) &&
		       sizeof(enum log_level) == sizeof(unsigned int) &&
		       sizeof(enum log_format) == sizeof(unsigned int) &&
		       sizeof(enum config_mismatch) == sizeof(unsigned int) &&
		       sizeof(enum config_takeover) == sizeof(unsigned int) &&
		       sizeof(enum config_told) == sizeof(unsigned int) &&
		       sizeof(enum config_preset) == sizeof(unsigned int) &&
		       sizeof(enum config_security_profile) == sizeof(unsigned int) &&
		       sizeof(enum config_rpc) == sizeof(unsigned int) &&
		       sizeof(enum config_backend_type) == sizeof(unsigned int) &&
		       sizeof(enum config_bus_type) == sizeof(unsigned int) &&
		       sizeof(enum config_connect) == sizeof(unsigned int) &&
		       sizeof(enum config_on_failure) == sizeof(unsigned int) &&
		       sizeof(enum config_on_removed) == sizeof(unsigned int) &&
		       sizeof(enum config_origins_mode) == sizeof(unsigned int) &&
		       sizeof(enum config_compression) == sizeof(unsigned int) &&
		       sizeof(enum config_rate_action) == sizeof(unsigned int) &&
		       sizeof(enum config_tail_bodies) == sizeof(unsigned int) &&
		       sizeof(enum config_refuse_browsers) == sizeof(unsigned int) &&
		       sizeof(enum config_switch) == sizeof(unsigned int) &&
		       sizeof(enum config_on_off) == sizeof(unsigned int) &&
		       sizeof(enum config_tls_version) == sizeof(unsigned int) &&
		       sizeof(enum config_client_certificate) == sizeof(unsigned int) &&
		       sizeof(enum config_auth_type) == sizeof(unsigned int) &&
		       sizeof(enum config_secret_format) == sizeof(unsigned int) &&
		       sizeof(enum config_identity) == sizeof(unsigned int),
	       "an enum has another size");

const char *const *config_kind_words(enum config_kind kind)
{
	return (size_t)kind < ARRAY_LEN(kind_words) ? kind_words[kind] : NULL;
}

bool config_kind_is_set(enum config_kind kind)
{
	return kind == CONFIG_ALGORITHMS || kind == CONFIG_TOKEN_FROM;
}

void config_words_print(const char *const *words, char *out, size_t size)
{
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; words[i] != NULL && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ",
					 words[i]);
}

bool config_kind_is_string(enum config_kind kind)
{
	return kind == CONFIG_FILE || kind == CONFIG_SECRET || kind == CONFIG_WORD ||
	       kind == CONFIG_TEXT || kind == CONFIG_OWNER;
}

bool config_kind_is_text(enum config_kind kind)
{
	return kind == CONFIG_PATH || kind == CONFIG_NAME || kind == CONFIG_URL;
}

bool config_kind_has_items(enum config_kind kind)
{
	return kind == CONFIG_TOKENS || kind == CONFIG_PREFIXES || kind == CONFIG_URLS ||
	       config_kind_is_set(kind);
}

bool config_kind_is_inner(enum config_kind kind)
{
#define IS_KIND(list_kind, list, entry) kind == CONFIG_##list_kind ||
	return CONFIG_INNER_LISTS(IS_KIND) kind == CONFIG_TLS_KEYS;
}
