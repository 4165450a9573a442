/* SPDX-License-Identifier: Apache-2.0
 * config_types.h - the values that options can have, besides numbers.
 *
 * Layer: config. Included by config.h. The words of the enums, in their order, are in
 * config_words.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/net_addr.h"
#include "base/net_ip.h"
#include "config/config_table.h"

enum config_engine { CONFIG_ENGINE_AUTO, CONFIG_ENGINE_IO_URING, CONFIG_ENGINE_EPOLL };

/* What to do if a route names subprotocols and the client offers none of them. */
enum config_mismatch {
	CONFIG_MISMATCH_REFUSE, /* 400 before the upgrade */
	CONFIG_MISMATCH_CLOSE,  /* upgrade, then close at once with 1002 */
	CONFIG_MISMATCH_ACCEPT, /* go on without a subprotocol */
};

/* What to do if a client connects that is connected already. */
enum config_takeover {
	CONFIG_TAKEOVER_NEWEST, /* close the older connection */
	CONFIG_TAKEOVER_OLDEST, /* refuse the newer one with 409 */
	CONFIG_TAKEOVER_MANY,   /* keep both */
};

/* How a trusted proxy tells of its clients' certificates. */
enum config_told {
	CONFIG_TOLD_NONE,
	CONFIG_TOLD_PROXY,       /* TLVs of a PROXY header, version 2 */
	CONFIG_TOLD_CLIENT_CERT, /* fields of the request, from here on: proto/client_cert.h */
	CONFIG_TOLD_X_SSL_CERT,
	CONFIG_TOLD_X_SSL_CN,
	CONFIG_TOLD_FORWARDED,
};

enum config_bus_type { CONFIG_BUS_EMBEDDED, CONFIG_BUS_NATS };

/* What a route is given that its keys do not say. */
enum config_preset { CONFIG_PRESET_NONE, CONFIG_PRESET_OCPP };

/* Of OCPP; the only one by which a route lets in. */
enum config_security_profile {
	CONFIG_PROFILE_NONE,
	CONFIG_PROFILE_1, /* passwords, in clear */
	CONFIG_PROFILE_2, /* passwords, by TLS */
	CONFIG_PROFILE_3, /* certificates, by TLS */
};

/* How the clients of a route frame their calls. */
enum config_rpc { CONFIG_RPC_NONE, CONFIG_RPC_OCPP_J, CONFIG_RPC_JSON_RPC };

enum config_backend_type { CONFIG_BACKEND_WEBHOOK, CONFIG_BACKEND_NATS };

/* Who decides whether a client may come in. */
enum config_connect {
	CONFIG_CONNECT_ACCEPT, /* nobody: all may */
	CONFIG_CONNECT_ASK,    /* the back end */
};

/* How an upgrade is refused. */
enum config_refuse_browsers {
	CONFIG_REFUSE_BROWSERS_HTTP,  /* by a status */
	CONFIG_REFUSE_BROWSERS_CLOSE, /* by a close code, which a page in a browser can read */
};

/* permessage-deflate. */
enum config_compression {
	CONFIG_COMPRESSION_OFF,
	CONFIG_COMPRESSION_SHARED, /* each message stands alone */
	CONFIG_COMPRESSION_WINDOW, /* they may refer to those before */
};

/* What to do with a client that sends more than it may. */
enum config_tail_bodies {
	CONFIG_TAIL_BODIES_REDACTED, /* without what tail_redact and the built-in rules name */
	CONFIG_TAIL_BODIES_OFF,      /* their sizes only */
	CONFIG_TAIL_BODIES_PLAIN,
};

enum config_rate_action {
	CONFIG_RATE_ACTION_WAIT,  /* read nothing more until it may send again */
	CONFIG_RATE_ACTION_CLOSE, /* 1008 */
};

/* What to do if a back end does not take an event. */
enum config_on_failure {
	CONFIG_ON_FAILURE_WAIT,  /* keep it and try again */
	CONFIG_ON_FAILURE_CLOSE, /* drop it and close the connection with 1013 */
};

/* What to do with the clients of a route that is not in the configuration any more. */
enum config_on_removed { CONFIG_ON_REMOVED_KEEP, CONFIG_ON_REMOVED_CLOSE };

enum config_switch { CONFIG_SWITCH_FALSE, CONFIG_SWITCH_TRUE };

enum config_on_off { CONFIG_OFF, CONFIG_ON };

enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };

enum config_client_certificate {
	CONFIG_CLIENT_CERTIFICATE_NONE,
	CONFIG_CLIENT_CERTIFICATE_OPTIONAL,
	CONFIG_CLIENT_CERTIFICATE_REQUIRED,
};

/* The ways to prove who one is. */
enum config_auth_type {
	CONFIG_AUTH_BASIC,
	CONFIG_AUTH_CERTIFICATE,
	CONFIG_AUTH_TOKEN,
	CONFIG_AUTH_TICKET,
	CONFIG_AUTH_BACKEND,
};

enum config_secret_format { CONFIG_SECRET_FORMAT_TEXT, CONFIG_SECRET_FORMAT_OCPP };

/* Which part of a certificate is the id. */
enum config_identity {
	CONFIG_IDENTITY_CN,
	CONFIG_IDENTITY_SAN_DNS,
	CONFIG_IDENTITY_SAN_URI,
	CONFIG_IDENTITY_SERIAL,
};

/* Of JWS (RFC 7518, 3.1; RFC 8037). */
enum config_algorithm {
	CONFIG_ALGORITHM_RS256,
	CONFIG_ALGORITHM_RS384,
	CONFIG_ALGORITHM_RS512,
	CONFIG_ALGORITHM_PS256,
	CONFIG_ALGORITHM_PS384,
	CONFIG_ALGORITHM_PS512,
	CONFIG_ALGORITHM_ES256,
	CONFIG_ALGORITHM_ES384,
	CONFIG_ALGORITHM_ES512,
	CONFIG_ALGORITHM_HS256,
	CONFIG_ALGORITHM_HS384,
	CONFIG_ALGORITHM_HS512,
	CONFIG_ALGORITHM_EDDSA,
};

/* Where a token is looked for. */
enum config_token_place {
	CONFIG_TOKEN_IN_HEADER,
	CONFIG_TOKEN_IN_QUERY,
	CONFIG_TOKEN_IN_COOKIE,
	CONFIG_TOKEN_IN_SUBPROTOCOL,
};

/* The name of the built-in back end. */
#define CONFIG_ECHO "echo"

struct config_tokens {
	char **items;
	size_t count;
};

/* Whose pages may connect; `mode` is first. */
enum config_origins_mode {
	CONFIG_ORIGINS_AUTO, /* same where a cookie is a proof, else any */
	CONFIG_ORIGINS_ANY,
	CONFIG_ORIGINS_SAME,
	CONFIG_ORIGINS_LIST,
};

struct config_web_origins {
	enum config_origins_mode mode;
	struct config_tokens list; /* patterns (base/web_origin.h), all good */
};

#define CONFIG_PREFIXES_MAX 64

struct config_prefixes {
	struct net_prefix items[CONFIG_PREFIXES_MAX];
	size_t count;
};

#define CONFIG_TEXT_MAX 512

struct config_text {
	char text[CONFIG_TEXT_MAX]; /* NUL-terminated */
};

/* NULL for "". */
static inline const char *config_text_or_null(const struct config_text *text)
{
	return text->text[0] == 0 ? NULL : text->text;
}

#define CONFIG_URLS_MAX 16

struct config_urls {
	struct config_text items[CONFIG_URLS_MAX];
	size_t count;
};

/* Of a listener: an address and a port, or the path of a unix socket. */
#define CONFIG_UNIX_PATH_MAX 107 /* [bytes] what a sockaddr_un holds, without its NUL */

struct config_place {
	struct net_addr addr;                     /* if there is no unix_path */
	char unix_path[CONFIG_UNIX_PATH_MAX + 1]; /* "" = none */
};

/* Lists of mappings below a key. */
#define CONFIG_INNER_LIST(kind, list, entry)  \
	struct config_##list {                \
		struct config_##entry *items; \
		size_t count;                 \
	};

CONFIG_INNER_LISTS(CONFIG_INNER_LIST)
