/* SPDX-License-Identifier: Apache-2.0
 * config_table_auth.h - the options of the ways to prove who one is, one line each.
 *
 * Layer: config. The columns are those of config_table.h, which includes this, and one more: the
 * types that have the key. A key that its type does not have is a mistake; a default of NULL makes
 * it one to leave the key out, for the types that have it.
 *
 * A new key is one line here, and is then in struct config_auth, in the messages and in
 * docs/options.md. A new kind of value is a CONFIG_C_... (config_table.h), an enum config_kind
 * (config_option.h) and, if it is one of some words or a set of them, a line in config_words.c;
 * sets are in config_kind_is_set too. What must hold between keys is checked in config_auth.c. */
#pragma once

/* clang-format off */

/* Which types of ways have a key. */
#define CONFIG_OF_BASIC       (1u << CONFIG_AUTH_BASIC)
#define CONFIG_OF_CERTIFICATE (1u << CONFIG_AUTH_CERTIFICATE)
#define CONFIG_OF_TOKEN       (1u << CONFIG_AUTH_TOKEN)
#define CONFIG_OF_TICKET      (1u << CONFIG_AUTH_TICKET)
#define CONFIG_OF_BACKEND     (1u << CONFIG_AUTH_BACKEND)

/* Keys of one entry of the list `auth` of a route. */
#define CONFIG_AUTH(X)                                                                         \
	X(auth, type, AUTH_TYPE, NULL, 0, 0, "", LIVE,                                         \
	  "What is shown: basic = a user and a password (HTTP basic); certificate = one of "   \
	  "TLS; token = a JWT; ticket = one that the API made; backend = what the back end is " \
	  "asked about.", CONFIG_OF_ALL)                                                       \
	/* basic */                                                                            \
	X(auth, users_file, FILE, NULL, 1, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                 \
	  "Basic only. A file with users and their secrets; readable by its owner (and group) " \
	  "alone.", CONFIG_OF_BASIC)                                                           \
	X(auth, secret_format, SECRET_FORMAT, "text", 0, 0, "", LIVE,                          \
	  "Basic only. text = the password as it is sent; ocpp = 32 to 40 hex digits are "     \
	  "octets.", CONFIG_OF_BASIC)                                                          \
	/* certificate */                                                                      \
	X(auth, identity, IDENTITY, "cn", 0, 0, "", LIVE,                                      \
	  "Certificate only. Which part of the certificate must be the client's id.",          \
	  CONFIG_OF_CERTIFICATE)                                                               \
	X(auth, map_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                     \
	  "Certificate only. A file that says which certificate is which client, instead of "  \
	  "identity.", CONFIG_OF_CERTIFICATE)                                                  \
	/* token */                                                                            \
	X(auth, jwks_url, URL, "", 1, 2048, "bytes", LIVE,                                     \
	  "Token only. Where the keys are that sign tokens, as a JWK set; fetched in the "     \
	  "background, again and again. Redirects are not followed.", CONFIG_OF_TOKEN)         \
	X(auth, jwks_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                    \
	  "Token only. A file with these keys, instead of jwks_url; with secrets in it "       \
	  "(kty: oct), readable by its owner (and group) alone.", CONFIG_OF_TOKEN)             \
	X(auth, ca_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                      \
	  "Token only. Certificates (PEM) that may have signed that of an https jwks_url. "    \
	  "Left out: the system's.", CONFIG_OF_TOKEN)                                          \
	X(auth, jwks_timeout, DURATION, "5s", 1, CONFIG_MINUTE, "ms", LIVE,                    \
	  "Token only. For one fetch of jwks_url, connecting included.", CONFIG_OF_TOKEN)      \
	X(auth, jwks_refresh, DURATION, "5m", 1000, CONFIG_DAY, "ms", LIVE,                    \
	  "Token only. From one fetch to the next, unless the answer has a max-age.",          \
	  CONFIG_OF_TOKEN)                                                                     \
	X(auth, jwks_stale_max, DURATION, "1d", 0, 30 * CONFIG_DAY, "ms", LIVE,                \
	  "Token only. Keys that were fetched longer ago than this, because nothing better "   \
	  "came, are not used any more. 0 = for ever.", CONFIG_OF_TOKEN)                       \
	X(auth, issuer, TEXT, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                       \
	  "Token only. What its claim iss must be. Left out: any.", CONFIG_OF_TOKEN)           \
	X(auth, audience, TEXT, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                     \
	  "Token only. What its claim aud must be or have. Left out: it must have none.",      \
	  CONFIG_OF_TOKEN)                                                                     \
	X(auth, algorithms, ALGORITHMS, "RS256, ES256", 1, 16, "algorithms", LIVE,             \
	  "Token only. By which it may be signed.", CONFIG_OF_TOKEN)                           \
	X(auth, leeway, DURATION, "30s", 0, CONFIG_HOUR, "ms", LIVE,                           \
	  "Token only. How far the clocks may be apart.", CONFIG_OF_TOKEN)                     \
	X(auth, client_id_claim, TEXT, "sub", 0, 255, "bytes", LIVE,                           \
	  "Token only. The claim that must be the client's id. \"\" = none.", CONFIG_OF_TOKEN)              \
	X(auth, groups_claim, TEXT, "", 0, 255, "bytes", LIVE,                                 \
	  "Token only. The claim with the groups that the client joins. Left out: none.",      \
	  CONFIG_OF_TOKEN)                                                                     \
	X(auth, subprotocol_claim, TEXT, "", 0, 255, "bytes", LIVE,                            \
	  "Token only. The claim with the subprotocol that the client must speak. Left out: "  \
	  "any.", CONFIG_OF_TOKEN)                                                             \
	X(auth, required_claims, TOKENS, "[]", 0, 32, "names", LIVE,                           \
	  "Token only. Claims that it must have besides exp.", CONFIG_OF_TOKEN)                \
	X(auth, from, TOKEN_FROM, "header", 1, 4, "places", LIVE,                              \
	  "Token only. Where a token is looked for.", CONFIG_OF_TOKEN)                         \
	X(auth, query_name, NAME, "access_token", 1, 64, "bytes", LIVE,                        \
	  "Token only. The query's parameter, if it is looked for there.", CONFIG_OF_TOKEN)    \
	X(auth, cookie_name, NAME, "access_token", 1, 64, "bytes", LIVE,                       \
	  "Token only. The cookie, if it is looked for there.", CONFIG_OF_TOKEN)               \
	X(auth, renew_by_message, SWITCH, "false", 0, 0, "", LIVE,                             \
	  "Token only. true = a connected client may send a new token in a message, before "   \
	  "the old one ends; see docs/auth-tokens.md.", CONFIG_OF_TOKEN)

/* clang-format on */
