/* SPDX-License-Identifier: Apache-2.0
 * config_table_listen.h - the options of a listener and of its TLS, one line each.
 *
 * Layer: config. The columns are those of config_table.h, which includes this. */
#pragma once

/* clang-format off */

/* Keys of one entry of the list `certificates`. */
#define CONFIG_CERTIFICATE(X)                                                                  \
	X(certificates, cert_file, FILE, NULL, 1, CONFIG_TEXT_MAX - 1, "bytes", LIVE,          \
	  "The certificate (PEM), and behind it those of its issuers, each signed by the next; " \
	  "the root may be left out.")                                                         \
	X(certificates, key_file, FILE, NULL, 1, CONFIG_TEXT_MAX - 1, "bytes", LIVE,           \
	  "Its private key (PEM, without a password); best readable by its owner (and group) " \
	  "alone.")

/* Keys of the mapping `tls` of a listener. */
#define CONFIG_TLS(X)                                                                          \
	X(tls, certificates, CERTIFICATES, NULL, 1, 16, "certificates", LIVE,                  \
	  "Which of them a client is shown is told by the name that it asks for (SNI: as it "  \
	  "stands in a certificate, before a wildcard) and by the kinds of keys that it can "  \
	  "check. Whoever asks for no known name is shown the first.")                         \
	X(tls, client_ca_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                \
	  "Certificates (PEM) of the authorities that certify clients.")                       \
	X(tls, crl_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                      \
	  "Lists (PEM) of certificates of clients that their authorities have revoked.")       \
	X(tls, client_certificate, CLIENT_CERTIFICATE, "none", 0, 0, "", LIVE,                 \
	  "none = no client is asked for one; optional = a client may show one, which must "   \
	  "then be good; required = without a good one there is no connection.")               \
	X(tls, min_version, TLS_VERSION, "1.2", 0, 0, "", LIVE,                                \
	  "The oldest version of TLS that a client may speak.")                                \
	X(tls, ticket_key_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,               \
	  "Keys of session tickets, 80 random bytes each, at most 3: the first seals, all "    \
	  "open. For several nodes that shall resume each other's sessions. Left out: made "   \
	  "and changed within the process.")                                                   \
	X(tls, detach, ON_OFF, "on", 0, 0, "", LIVE,                                           \
	  "on = after the handshake a connection keeps its keys only and OpenSSL is let go, "  \
	  "where version and suite allow it. off = it keeps its OpenSSL object, about 14 KB.")

/* Keys of one entry of the list `listeners`. */
#define CONFIG_LISTENER(X)                                                                     \
	X(listeners, address, PLACE, NULL, 0, 0, "", LIVE,                                     \
	  "Where clients connect, or a proxy on this machine through a unix socket.")          \
	X(listeners, ipv6_only, SWITCH, "false", 0, 0, "", LIVE,                               \
	  "For [::] only: false = it takes IPv4 too (dual-stack), true = it leaves that to "   \
	  "another listener.")                                                                 \
	X(listeners, mode, MODE, "0660", 0, 0777, "", LIVE,                                    \
	  "For unix: only. The permissions of the socket; whoever may write to it may connect.") \
	X(listeners, owner, OWNER, "", 0, 127, "bytes", LIVE,                                  \
	  "For unix: only. USER, USER:GROUP or :GROUP that the socket is given to. Left out: " \
	  "those of the process.")                                                             \
	X(listeners, tls, TLS_KEYS, "", 0, 0, "", LIVE,                                           \
	  "A mapping with the keys below. Left out: clients speak in clear.")

/* clang-format on */
