/* SPDX-License-Identifier: Apache-2.0
 * config_table.h - every option, one line each.
 *
 * Layer: config. From these lines come the structs of config.h, the parsing, the
 * range checks, the environment names, the flags, the output of `gatehouse config`,
 * the help texts and docs/options.md. Included by config.h only.
 *
 * X(section, name, kind, default, min, max, unit, reload, help)
 *   default  as it would stand in the file; NULL = the key must be given
 *   kind     see CONFIG_C_... below; some are tables of their own, whose lines are in
 *            config_table_listen.h and config_table_auth.h
 *   min, max in the unit of the struct's field: ms, bytes or a plain number
 *   unit     of a plain number, for messages
 *   reload   LIVE = changes when the configuration is read again, under open connections;
 *            RESTART_FOR_... = does not, for one of the reasons below */
#pragma once

#define CONFIG_SECOND UINT64_C(1000)
#define CONFIG_MINUTE (60 * CONFIG_SECOND)
#define CONFIG_HOUR   (60 * CONFIG_MINUTE)
#define CONFIG_DAY    (24 * CONFIG_HOUR)
#define CONFIG_KIB    UINT64_C(1024)
#define CONFIG_GIB    (1024 * 1024 * CONFIG_KIB)

/* More than any machine holds. */
#define CONFIG_CONNECTIONS_MAX UINT64_C(16000000)

/* clang-format off */

/* Why an option needs a restart: CONFIG_WHY_... by their names, for docs/options.md. */
#define CONFIG_WHYS(X)                                                                         \
	X(WORKERS, "Each connection belongs to the thread and the loop of its worker; they cannot "  \
	  "go to another one within a process. A live upgrade moves them to a new process.")   \
	X(NODE, "Other nodes, services and events know this one's clients by that name; it "     \
	  "would seem to them that all have left.")                                            \
	X(BUS, "The subscriptions of all clients hang on the connection to the broker, which is "  \
	  "made with it.")                                                                     \
	X(SECRET, "It comes from the environment, which a process keeps from its start.")

/* The C type of each kind. */
#define CONFIG_C_ADDRESS      struct net_addr
#define CONFIG_C_COUNT        uint64_t
#define CONFIG_C_AUTO_COUNT   uint64_t /* 0 = auto */
#define CONFIG_C_DURATION     uint64_t /* [ms] */
#define CONFIG_C_OFF_DURATION uint64_t /* [ms] 0 = off, else in its range */
#define CONFIG_C_SIZE         uint64_t /* [bytes] */
#define CONFIG_C_OFF_SIZE     uint64_t /* [bytes] 0 = off, else in its range */
#define CONFIG_C_RATIO        uint64_t /* millionths */
#define CONFIG_C_TAIL_BODIES  enum config_tail_bodies
#define CONFIG_C_RATE_ACTION  enum config_rate_action
#define CONFIG_C_REFUSE_BROWSERS enum config_refuse_browsers
#define CONFIG_C_COMPRESSION  enum config_compression
#define CONFIG_C_AUTO_SIZE    uint64_t /* [bytes] 0 = auto */
#define CONFIG_C_ENGINE       enum config_engine
#define CONFIG_C_LEVEL        enum log_level
#define CONFIG_C_FORMAT       enum log_format
#define CONFIG_C_MISMATCH     enum config_mismatch
#define CONFIG_C_TAKEOVER     enum config_takeover
#define CONFIG_C_TOLD         enum config_told
#define CONFIG_C_PRESET       enum config_preset
#define CONFIG_C_SECURITY_PROFILE enum config_security_profile
#define CONFIG_C_RPC          enum config_rpc
#define CONFIG_C_BACKEND_TYPE enum config_backend_type
#define CONFIG_C_CONNECT      enum config_connect
#define CONFIG_C_ON_FAILURE   enum config_on_failure
#define CONFIG_C_ON_REMOVED   enum config_on_removed
#define CONFIG_C_SWITCH       enum config_switch
#define CONFIG_C_PATH         char *
#define CONFIG_C_NAME         char *
#define CONFIG_C_URL          char *
#define CONFIG_C_BUS_TYPE     enum config_bus_type
#define CONFIG_C_URLS         struct config_urls
#define CONFIG_C_WORD         struct config_text /* "" = none */
#define CONFIG_C_TOKENS       struct config_tokens
#define CONFIG_C_PREFIXES     struct config_prefixes
#define CONFIG_C_WEB_ORIGINS  struct config_web_origins
#define CONFIG_C_FILE         struct config_text /* "" = none */
#define CONFIG_C_SECRET       struct config_text /* "" = none; from the environment only */
#define CONFIG_C_TEXT         struct config_text /* "" = none */
#define CONFIG_C_PLACE        struct config_place
#define CONFIG_C_MODE         uint64_t           /* permissions of a file */
#define CONFIG_C_OWNER        struct config_text /* "" = that of the process */
#define CONFIG_C_ON_OFF       enum config_on_off
#define CONFIG_C_TLS_VERSION  enum config_tls_version
#define CONFIG_C_CLIENT_CERTIFICATE enum config_client_certificate
#define CONFIG_C_AUTH_TYPE    enum config_auth_type
#define CONFIG_C_SECRET_FORMAT enum config_secret_format
#define CONFIG_C_IDENTITY     enum config_identity
#define CONFIG_C_ALGORITHMS   unsigned /* bits 1 << CONFIG_ALGORITHM_... */
#define CONFIG_C_TOKEN_FROM   unsigned /* bits 1 << CONFIG_FROM_... */

/* Below other keys: lists of mappings, and a mapping. */
#define CONFIG_C_CERTIFICATES struct config_certificates
#define CONFIG_C_LISTENERS    struct config_listeners
#define CONFIG_C_AUTHS        struct config_auths
#define CONFIG_C_TLS_KEYS     struct config_tls

#define CONFIG_SERVER(X)                                                                       \
	X(server, listen, ADDRESS, "0.0.0.0:8080", 0, 0, "", LIVE,                          \
	  "Where clients connect, as ADDRESS:PORT or [ADDRESS]:PORT; [::] takes IPv4 too. The " \
	  "short form of one listener without TLS.")                                           \
	X(server, listeners, LISTENERS, "[]", 0, 16, "listeners", LIVE,                     \
	  "Instead of listen, where there are several or TLS: a list; each entry has the keys " \
	  "below.")                                                                            \
	X(server, max_connections, AUTO_COUNT, "auto", 1, CONFIG_CONNECTIONS_MAX, "connections", LIVE,    \
	  "Over this number new clients get 503. auto = as many as the limits of this "        \
	  "machine allow.")                                                                    \
	X(server, max_connections_per_ip, COUNT, "0", 0, CONFIG_CONNECTIONS_MAX, "connections", LIVE,     \
	  "Over this number clients of one address get 429. For IPv6 an address is a network " \
	  "of ipv6_prefix bits. 0 = no limit.")                                                \
	X(server, ipv6_prefix, COUNT, "64", 16, 128, "bits", LIVE,                          \
	  "How much of an IPv6 address tells one client from another for "                     \
	  "max_connections_per_ip: a household usually has a whole /64.")                      \
	X(server, accept_rate, COUNT, "0", 0, 1000000, "connections/s", LIVE,               \
	  "New connections per second of all workers together; those beyond get 429 and a "    \
	  "time to come back. 0 = no limit.")                                                  \
	X(server, accept_burst, COUNT, "0", 0, CONFIG_CONNECTIONS_MAX, "connections", LIVE,               \
	  "How many connections may come at once before accept_rate holds them back. 0 = as "  \
	  "many as come in one second.")                                                       \
	X(server, tls_handshakes_max, AUTO_COUNT, "auto", 1, 1000000, "handshakes", LIVE,   \
	  "TLS handshakes under way at once, of all workers together; who comes beyond waits, " \
	  "until handshake_timeout. auto = 512 for each worker.")                              \
	X(server, tls_handshake_rate, COUNT, "0", 0, 1000000, "handshakes/s", LIVE,         \
	  "TLS handshakes begun per second, of all workers together; who comes beyond waits, " \
	  "with the ClientHello unread. 0 = no limit.")                                        \
	X(server, takeover_rate, COUNT, "30", 0, 120, "takeovers/min", LIVE,                \
	  "How often a minute a client may be taken over (takeover: newest), after as many in " \
	  "a row; beyond it the newer connection gets 429. Two devices with one id cannot "    \
	  "wear the gateway out by it. 0 = no limit.")                                         \
	X(server, message_rate, COUNT, "0", 0, 1000000, "messages/s", LIVE,                 \
	  "Messages per second that one client may send. Beyond them it is not read, so that " \
	  "TCP holds it back and nothing is lost, or it is closed: message_rate_action. 0 = "  \
	  "no limit.")                                                                         \
	X(server, message_burst, COUNT, "0", 0, 1000000, "messages", LIVE,                  \
	  "How many messages of a client may come at once before message_rate holds it back. " \
	  "0 = as many as in one second.")                                                     \
	X(server, byte_rate, OFF_SIZE, "0", 1024, CONFIG_GIB, "bytes/s", LIVE,              \
	  "Bytes per second that one client may send, after as many at once; beyond them as "  \
	  "with message_rate. 0 = no limit.")                                                  \
	X(server, message_rate_action, RATE_ACTION, "wait", 0, 0, "", LIVE,                 \
	  "A client that sends more than message_rate or byte_rate allow: wait = is not read " \
	  "until it may go on; close = is closed with 1008.")                                  \
	X(server, refuse_browsers_max, COUNT, "256", 0, 1000000, "connections", LIVE,       \
	  "Refused clients of routes with refuse_browsers: close that wait to be told why, at " \
	  "the same time; those beyond are answered over HTTP at once.")                       \
	X(server, auth_failures, COUNT, "10", 0, 1000, "failures/min", LIVE,                \
	  "How many wrong proofs of who it is an address may show in a minute (of IPv6 a "      \
	  "/64), and how many a name may be tried with; then passwords from there are not "    \
	  "looked at and get 429. Keys that cannot be guessed always are. 0 = no limit.")      \
	X(server, password_queue, COUNT, "64", 1, 10000, "passwords", LIVE,                 \
	  "Passwords of people that may wait to be checked, which is slow on purpose and done " \
	  "by one thread; those beyond get 503 and a time to come back.")                      \
	X(server, trusted_proxies, PREFIXES, "[]", 0, CONFIG_PREFIXES_MAX, "addresses",        \
	  LIVE,                                                                                \
	  "Addresses or networks (10.0.0.0/8) of proxies in front, unix: for those that come "  \
	  "by a unix socket. From them a PROXY protocol "                                      \
	  "header, Forwarded or X-Forwarded-For is believed, so that limits and logs see the " \
	  "client.")                                                                           \
	X(server, client_certificate_header, TOLD, "none", 0, 0, "", LIVE,                  \
	  "By what trusted_proxies tell of the certificates of their clients, which is "       \
	  "believed from them alone: a field that the proxy replaces in every request, or "    \
	  "proxy = TLVs of its PROXY header. See docs/certificates.md.")                         \
	X(server, handshake_timeout, DURATION, "10s", 100, 10 * CONFIG_MINUTE, "ms", LIVE,     \
	  "From the connection to the end of its HTTP upgrade; then it is closed.")            \
	X(server, keep_alive_timeout, DURATION, "5s", 1000, CONFIG_HOUR, "ms", LIVE,          \
	  "How long an HTTP connection waits for its next request, on both listeners; then it " \
	  "is closed. Behind a proxy that reuses its connections longer than it keeps them.")  \
	X(server, keep_alive_max, COUNT, "256", 0, CONFIG_CONNECTIONS_MAX, "connections", LIVE, \
	  "HTTP connections that are kept for a next request, on each listener; further ones " \
	  "close after their answer. WebSockets do not count. Fewer where that would take "    \
	  "more than half of the descriptors left for handshakes. 0 = none is kept.")          \
	X(server, max_message_size, SIZE, "1MiB", 125, CONFIG_GIB, "bytes", LIVE,              \
	  "A larger message closes its connection with 1009.")                                 \
	X(server, send_queue_max, SIZE, "1MiB", 4 * CONFIG_KIB, CONFIG_GIB, "bytes", LIVE,     \
	  "Per connection. While this much waits for a client, nothing more is read from it; " \
	  "see send_timeout. A message of the API or a back end that does not fit closes it "  \
	  "as slow_reader.")                                                                 \
	X(server, payload_memory, AUTO_SIZE, "auto", 1024 * CONFIG_KIB, 1024 * CONFIG_GIB, "bytes",  \
	  LIVE,                                                                                \
	  "Of the whole process: messages that are not whole yet, queues to clients and to "   \
	  "back ends, bodies of requests. Near it the connections that hold most are not read, " \
	  "beyond it they are closed as payload_memory. auto = a share of what is free.")      \
	X(server, compression_memory, OFF_SIZE, "64MiB", 4 * CONFIG_KIB, 1024 * CONFIG_GIB, "bytes",  \
	  LIVE,                                                                                \
	  "Of the whole process: windows of clients on routes with compression: window. A "    \
	  "client that would need more gets no window, as with compression: shared. 0 = none "  \
	  "has any.")                                                                          \
	X(server, send_timeout, DURATION, "5s", 100, CONFIG_HOUR, "ms", LIVE,                  \
	  "A client whose queue is full, and for which the kernel could take nothing more "     \
	  "for this long, is closed as slow_reader.")                                          \
	X(server, ping_interval, OFF_DURATION, "25s", 100, CONFIG_DAY, "ms", LIVE,             \
	  "A connection that was silent for this long is sent a ping. Shorter than what the "  \
	  "proxies in between cut at, often 60s: see docs/http.md. 0 = no pings.")             \
	X(server, pong_timeout, DURATION, "20s", 100, CONFIG_HOUR, "ms", LIVE,                 \
	  "A ping without any answer for this long closes the connection.")                    \
	X(server, idle_timeout, OFF_DURATION, "0", 100, 30 * CONFIG_DAY, "ms", LIVE,           \
	  "A connection without a message for this long is closed; pings do not count. "       \
	  "0 = never.")                                                                        \
	X(server, close_timeout, DURATION, "5s", 100, 10 * CONFIG_MINUTE, "ms", LIVE,          \
	  "How long the closing handshake may take before the connection is cut.")             \
	X(server, drain_timeout, DURATION, "10s", 0, CONFIG_HOUR, "ms", LIVE,                  \
	  "From SIGTERM to the exit at the latest, behind drain_delay and drain_spread; what is " \
	  "left is closed with 1001, and cut in the end.")                                     \
	X(server, drain_delay, DURATION, "0", 0, CONFIG_HOUR, "ms", LIVE,                      \
	  "From SIGTERM, or a drain by command, to the first close: meanwhile /readyz is 503, " \
	  "and new clients are still let in, until a load balancer has seen that.")            \
	X(server, drain_spread, DURATION, "0", 0, CONFIG_DAY, "ms", LIVE,                      \
	  "Over how long SIGTERM spreads the closes, evenly in time and at random over the "   \
	  "clients, with 1012. 0 = all at once, with 1001.")                                   \
	X(server, drain_retry_after, DURATION, "30s", 1000, CONFIG_HOUR, "ms", LIVE,           \
	  "The most that a client which is let go, or whose route is removed, is asked to "    \
	  "wait before it comes back: 1012 with retry-after=N, N being at random up to this.")                            \
	X(server, upgrade_timeout, DURATION, "30s", 1000, CONFIG_HOUR, "ms", LIVE,             \
	  "A new process that is to take over (gatehouse upgrade, SIGUSR2) has so long to "    \
	  "start; else the old one serves on.")                                                \
	X(server, max_groups, COUNT, "10000", 1, 1000000, "groups", LIVE,                      \
	  "Groups that may have members on this node at the same time; whoever would be the "  \
	  "first member of one more is refused.")                                              \
	X(server, max_groups_per_client, COUNT, "16", 0, 1000, "groups", LIVE,                 \
	  "Groups that a client may be in at the same time. 0 = none.")                        \
	X(server, attributes_max, SIZE, "512B", 0, 2 * CONFIG_KIB, "bytes", LIVE,              \
	  "Names and values of the attributes that a back end may give a client as it lets it " \
	  "in, which go with each of its events; at most 16. 0 = none.")                       \
	X(server, workers, AUTO_COUNT, "auto", 1, 1024, "workers", RESTART_FOR_WORKERS,                    \
	  "Threads that serve connections. auto = from the cores and max_connections.")        \
	X(server, engine, ENGINE, "auto", 0, 0, "", RESTART_FOR_WORKERS,                                   \
	  "How the kernel is asked for events. auto = io_uring where the kernel allows it, "   \
	  "else epoll.")                                                                       \
	X(server, node, WORD, "", 0, 63, "bytes", RESTART_FOR_NODE,                                     \
	  "What this node is called in answers, events and by the other nodes, which must "    \
	  "have other names. Left out: this host's name.")                                     \
	X(server, ready_without_backends, SWITCH, "true", 0, 0, "", LIVE,                      \
	  "Is /readyz 200 while the bus or a back end does not work (/health: degraded)? "     \
	  "All nodes lose them together, so false may leave a load balancer without any.")

#define CONFIG_ADMIN(X)                                                                        \
	X(admin, listen, ADDRESS, "127.0.0.1:8081", 0, 0, "", LIVE,                         \
	  "Where health, metrics, limits and the API are served. Keep it off the public "      \
	  "network.")                                                                          \
	X(admin, tls, TLS_KEYS, "", 0, 0, "", LIVE,                                                 \
	  "TLS of the admin listener. Left out: it speaks in clear.")                          \
	X(admin, console_url, TEXT, "", 0, 255, "bytes", LIVE,                                 \
	  "Where people reach the console of this node, such as "                              \
	  "https://gw-1.example:8081/console. The other nodes are told, and their consoles "    \
	  "link to it.")                                                                       \
	X(admin, token_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                  \
	  "File with the API's bearer token on its only line; readable by its owner (and "     \
	  "group) alone. Without a token the API answers only on loopback.")                   \
	X(admin, token, SECRET, "", 0, CONFIG_TEXT_MAX - 1, "bytes", RESTART_FOR_SECRET,     \
	  "The API's bearer token itself, if there is no token_file.")                         \
	X(admin, max_body, SIZE, "1MiB", 1 * CONFIG_KIB, CONFIG_GIB, "bytes", LIVE,         \
	  "A request to the API with a larger body gets 413.")                                 \
	X(admin, max_calls, COUNT, "256", 1, 65536, "requests", LIVE,                       \
	  "Requests to the API whose answer is awaited, at the same time; those beyond get "    \
	  "503. Each may hold max_body.")                                                      \
	X(admin, streams_max, COUNT, "16", 1, 1024, "streams", LIVE,                         \
	  "Event streams (GET /api/v1/stream) at the same time: of consoles, and of whoever "  \
	  "watches clients or the log; those beyond get 503.")                                 \
	X(admin, tail_bodies, TAIL_BODIES, "redacted", 0, 0, "", LIVE,                       \
	  "What a stream shows of clients' messages: redacted = JSON without the values that " \
	  "tail_redact and the built-in rules name, of anything else the size; off = only "    \
	  "sizes; plain = all of it.")                                                         \
	X(admin, tail_redact, TOKENS, "[]", 0, 32, "names", LIVE,                            \
	  "Names of JSON members that streams do not show, beside the built-in ones "          \
	  "(docs/api.md). A '*' at the begin or the end of a name stands for anything; then "     \
	  "the name needs quotes.")       \
	X(admin, tickets_max, COUNT, "65536", 1, 16777216, "tickets", LIVE,                 \
	  "Tickets that were made and are not used yet; those beyond get 503.")                \
	X(admin, blocks_max, COUNT, "1000", 1, 16384, "blocks", LIVE,                        \
	  "Clients and addresses that are blocked at the same time; those beyond get 503.")    \
	X(admin, ticket_ttl_max, DURATION, "5m", 1, CONFIG_DAY, "ms", LIVE,                    \
	  "How long a ticket may wait to be used, at most.")                                   \
	X(admin, call_timeout, DURATION, "30s", 100, CONFIG_HOUR, "ms", LIVE,                  \
	  "How long a request to the API waits for its answer; then it gets 504.")

#define CONFIG_BUS(X)                                                                          \
	X(bus, type, BUS_TYPE, "embedded", 0, 0, "", RESTART_FOR_BUS,                                  \
	  "embedded = within this process; nats = with the other nodes and with services, "    \
	  "through a NATS broker.")                                                            \
	X(bus, urls, URLS, "nats://127.0.0.1:4222", 1, CONFIG_URLS_MAX, "URLs", RESTART_FOR_BUS,       \
	  "Brokers of one cluster, as nats://HOST:PORT or, all of them, as tls://HOST:PORT; "   \
	  "one is taken, another when that is lost. With tls:// nothing is sent in clear, and the " \
	  "certificate must bear the HOST.")                                                   \
	X(bus, ca_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", RESTART_FOR_BUS,                    \
	  "For tls:// URLs. Certificates (PEM) that may have signed that of the broker, "       \
	  "besides the system's. Left out: the system's.")                                     \
	X(bus, cert_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", RESTART_FOR_BUS,                  \
	  "For tls:// URLs. Certificate (PEM) that is shown to the broker, and those of its "   \
	  "issuers behind it; with key_file.")                                                 \
	X(bus, key_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", RESTART_FOR_BUS,                   \
	  "Private key (PEM, without a password) of cert_file; readable by its owner (and "    \
	  "group) alone. These three files are read again for each connection.")               \
	X(bus, user, WORD, "", 0, 255, "bytes", RESTART_FOR_BUS, "Shown to the broker.")               \
	X(bus, password_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", RESTART_FOR_BUS,              \
	  "File with the password for the broker on its only line; readable by its owner (and " \
	  "group) alone.")                                                                     \
	X(bus, password, SECRET, "", 0, CONFIG_TEXT_MAX - 1, "bytes", RESTART_FOR_SECRET,                 \
	  "The password itself, if there is no password_file.")                                \
	X(bus, token_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", RESTART_FOR_BUS,                 \
	  "File with a token for the broker, instead of user and password.")                   \
	X(bus, token, SECRET, "", 0, CONFIG_TEXT_MAX - 1, "bytes", RESTART_FOR_SECRET,                    \
	  "The token itself, if there is no token_file.")                                      \
	X(bus, credentials_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", RESTART_FOR_BUS,           \
	  "File with a JWT and its seed, as nsc writes it, instead of the others; readable by "  \
	  "its owner (and group) alone.")            \
	X(bus, connect_timeout, DURATION, "2s", 10, CONFIG_HOUR, "ms", RESTART_FOR_BUS,                \
	  "For a new connection to a broker.")                                                 \
	X(bus, reconnect_min, DURATION, "100ms", 1, CONFIG_HOUR, "ms", RESTART_FOR_BUS,                \
	  "The wait before the first attempt after a broker is lost, half of it at random; "   \
	  "it doubles with each.")                                                             \
	X(bus, reconnect_max, DURATION, "5s", 1, CONFIG_HOUR, "ms", RESTART_FOR_BUS,                   \
	  "No wait before an attempt is longer.")                                              \
	X(bus, ping_interval, DURATION, "10s", 100, CONFIG_HOUR, "ms", RESTART_FOR_BUS,                \
	  "A broker that does not answer two pings in a row is lost.")                         \
	X(bus, pending_max, SIZE, "64MiB", 64 * CONFIG_KIB, 64 * CONFIG_GIB, "bytes", LIVE, \
	  "Of messages that wait for the broker, and of those from it that wait here. Beyond " \
	  "it clients are not read (up), and messages are dropped and counted (down).")        \
	X(bus, requests_max, COUNT, "65536", 1, 16777216, "requests", LIVE,                 \
	  "Requests and durable events that wait for their answer at once.")                   \
	X(bus, claim_timeout, DURATION, "1s", 10, CONFIG_MINUTE, "ms", LIVE,                   \
	  "How long a client that connects waits for the word whether another node has it. "   \
	  "Without an answer it is let in, and the nodes settle it later.")                    \
	X(bus, announce_interval, DURATION, "5m", 1000, CONFIG_DAY, "ms", LIVE,          \
	  "How often, on average, a node repeats which clients it has, so that of two "        \
	  "connections of one client that nothing else has settled one is closed.")

#define CONFIG_LOG(X)                                                                          \
	X(log, level, LEVEL, "info", 0, 0, "", LIVE, "The lowest level that is written.")      \
	X(log, format, FORMAT, "logfmt", 0, 0, "", LIVE,                                       \
	  "One line per event on standard error, as key=value or as JSON.")                    \
	X(log, access, SWITCH, "false", 0, 0, "", LIVE,                                        \
	  "A line for each connection that ends, and for each handshake that is refused.")     \
	X(log, access_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                   \
	  "Where those lines go; one that is moved away (logrotate) is made anew. Left out: "  \
	  "where the others go.")                                                              \
	X(log, access_rate, COUNT, "10000", 0, 1000000, "lines/s", LIVE,                       \
	  "More lines in a second are counted and not written. 0 = no limit.")

#define CONFIG_TRACING(X)                                                                      \
	X(tracing, url, TEXT, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                       \
	  "Where spans go: the address at which a collector takes traces over OTLP/HTTP, such as " \
	  "http://127.0.0.1:4318/v1/traces. Left out: nothing is traced.")                     \
	X(tracing, sample, RATIO, "1", 0, 1000000, "", LIVE,                                   \
	  "Which part of what begins here is traced, from 0 to 1, such as 0.01. What comes with a " \
	  "traceparent is traced if that says so.")                                            \
	X(tracing, headers_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,              \
	  "A file with lines 'Name: value' that go with every request to the collector, such as " \
	  "its Authorization; kept out of the log. Left out: none.")                           \
	X(tracing, ca_file, FILE, "", 0, CONFIG_TEXT_MAX - 1, "bytes", LIVE,                   \
	  "Certificates (PEM) that may have signed that of an https url. Left out: the "       \
	  "system's.")                                                                         \
	X(tracing, service_name, TEXT, "gatehouse", 1, 255, "bytes", LIVE,                     \
	  "What the collector knows this service by (service.name).")                          \
	X(tracing, queue_max, SIZE, "4MiB", 64 * CONFIG_KIB, CONFIG_GIB, "bytes", LIVE,        \
	  "Of spans that wait for the collector. Those beyond are dropped and counted.")       \
	X(tracing, interval, DURATION, "1s", 10, CONFIG_MINUTE, "ms", LIVE,                    \
	  "How long a span waits for others to leave with; 512 leave at once.")                \
	X(tracing, timeout, DURATION, "10s", 10, 10 * CONFIG_MINUTE, "ms", LIVE,               \
	  "For one request to the collector.")

/* Keys of one entry of the list `routes`; they have no flag and no variable. */
#define CONFIG_ROUTE(X)                                                                        \
	X(routes, path, PATH, NULL, 1, 512, "bytes", LIVE,                                     \
	  "Which requests: '/' and segments, each a literal or {client_id}.")                  \
	X(routes, preset, PRESET, "none", 0, 0, "", LIVE,                                      \
	  "ocpp = what chargers need, unless the keys say otherwise: subprotocols [ocpp2.1, "  \
	  "ocpp2.0.1, ocpp1.6], subprotocol_mismatch close, rpc ocpp-j, merge_slashes true, "  \
	  "compression shared, secret_format ocpp; with security_profile 3 the way certificate. See docs/ocpp.md.") \
	X(routes, security_profile, SECURITY_PROFILE, "none", 0, 0, "", LIVE,                  \
	  "Of OCPP, and no other lets in: 1 = passwords in clear; 2 = passwords by TLS; 3 = "  \
	  "certificates by TLS. The list auth must fit.")                                      \
	X(routes, merge_slashes, SWITCH, "false", 0, 0, "", LIVE,                              \
	  "true = several '/' in a row are one, and one at the end of the path is none: "      \
	  "//ws//CP1/ is /ws/CP1. For clients that join a base URL and their name carelessly.") \
	X(routes, name, NAME, "", 1, 64, "bytes", LIVE,                                        \
	  "What the route is called where a path is too long, with letters, digits, '_' and "  \
	  "'-'. Left out: the path's literal segments, joined by '-'; /ws/{client_id} is ws, " \
	  "and / is root.")                                                                    \
	X(routes, subprotocols, TOKENS, "[]", 0, 32, "names", LIVE,                            \
	  "Accepted subprotocols, best first: the first that a client offers is chosen. [] = "  \
	  "none is asked for.")                                                                \
	X(routes, subprotocol_mismatch, MISMATCH, "refuse", 0, 0, "", LIVE,                    \
	  "If subprotocols are named and the client offers none of them: refuse = 400 "        \
	  "before the upgrade; close = upgrade without one and close at once with 1002, as "   \
	  "OCPP-J asks; accept = go on without one.")                                          \
	X(routes, takeover, TAKEOVER, "newest", 0, 0, "", LIVE,                                \
	  "If a client connects that is connected already: newest = the older connection is "  \
	  "closed with 4001; oldest = the newer one gets 409; many = both stay.")              \
	X(routes, max_connections, COUNT, "0", 0, CONFIG_CONNECTIONS_MAX, "connections", LIVE, \
	  "Connections of this route at the same time; those beyond get 503. 0 = no limit of " \
	  "its own.")                                                                          \
	X(routes, origins, WEB_ORIGINS, "auto", 1, 64, "origins", LIVE,                        \
	  "Whose pages may connect, by the Origin that browsers send: any; same = those of "   \
	  "this host; or a list of https://HOST[:PORT], whose first label may be '*'; others " \
	  "get 403. auto = same where a cookie is a proof, else any. See docs/browsers.md.")                   \
	X(routes, require_origin, SWITCH, "false", 0, 0, "", LIVE,                             \
	  "true = a request without an Origin gets 403 too: for routes that only browsers "    \
	  "use. Other programs can send any Origin they like.")                                \
	X(routes, refuse_browsers, REFUSE_BROWSERS, "http", 0, 0, "", LIVE,                    \
	  "How an upgrade is refused: http = with a status, of which a page in a browser sees " \
	  "nothing but 1006; close = it is answered and closed with 4401, 4403, 4409, 4429 or " \
	  "4503 and the reason, after a second. See docs/browsers.md.")                        \
	X(routes, compression, COMPRESSION, "off", 0, 0, "", LIVE,                             \
	  "permessage-deflate (RFC 7692), for clients that offer it: off; shared = each message " \
	  "stands alone, and an idle client costs nothing; window = messages may refer to those " \
	  "before, by a window for each direction of each client. See docs/compression.md.")   \
	X(routes, compression_min_size, SIZE, "256B", 0, CONFIG_GIB, "bytes", LIVE,             \
	  "Smaller messages are sent as they are.")                                            \
	X(routes, compression_level, COUNT, "1", 1, 9, "levels", LIVE,                         \
	  "1 = fast, 9 = small.")                                                              \
	X(routes, compression_window_bits, COUNT, "12", 9, 15, "bits", LIVE,                   \
	  "With compression: window. A window has 2 to the power of so many bytes: 12 = 4 "    \
	  "KiB, 15 = 32 KiB.")                                                                 \
	X(routes, rpc, RPC, "none", 0, 0, "", LIVE,                                            \
	  "How clients frame calls and their answers, so that services can call a client and " \
	  "wait: ocpp-j, json-rpc (2.0), or none. See docs/rpc.md.")                           \
	X(routes, call_queue_max, COUNT, "16", 0, 10000, "calls", LIVE,                        \
	  "Per client. A client is sent one call at a time; so many more may wait for their "  \
	  "turn, those beyond are refused.")                                                   \
	X(routes, answer_timeout, DURATION, "30s", 1, CONFIG_HOUR, "ms", LIVE,                 \
	  "With rpc: ocpp-j a client may have one call open. Its next goes to the back end "   \
	  "when the one before is answered, or after this. Not longer than the clients wait "  \
	  "themselves.")                                                                       \
	X(routes, on_removed, ON_REMOVED, "keep", 0, 0, "", LIVE,                              \
	  "If the route is taken out of the configuration, and that is read again: keep = "    \
	  "its clients stay, by the rules that they came in by; close = they are closed with " \
	  "1012, 500 per second and worker. As it stood before the route went.")               \
	X(routes, backend, NAME, "echo", 1, 64, "bytes", LIVE,                                 \
	  "Where messages go: the name of an entry of the list backends. echo = back to the "  \
	  "client.")                                                                           \
	X(routes, auth, AUTHS, "[]", 0, 8, "ways", LIVE,                                       \
	  "Ways to prove who one is, any of which lets a client in: a list; each entry has "   \
	  "the keys below. Left out: nobody is asked.")

/* Which types of back ends have a key. */
#define CONFIG_OF_WEBHOOK (1u << CONFIG_BACKEND_WEBHOOK)
#define CONFIG_OF_NATS    (1u << CONFIG_BACKEND_NATS)
#define CONFIG_OF_ALL     (~0u)

#include "config/config_table_auth.h"
#include "config/config_table_listen.h"

/* Keys of one entry of the list `backends`; with one more column at the end: the types that have
 * it. */
#define CONFIG_BACKEND(X)                                                                      \
	X(backends, name, NAME, NULL, 1, 64, "bytes", LIVE,                                    \
	  "What routes, metrics and messages call it, with letters, digits, '_' and '-'.",     \
	  CONFIG_OF_ALL)                                                                       \
	X(backends, type, BACKEND_TYPE, NULL, 0, 0, "", LIVE,                                  \
	  "How events get there, as docs/backend-contract.md says: webhook = each is an HTTP " \
	  "request; nats = each is a message on the bus, which must be of type nats too.",     \
	  CONFIG_OF_ALL)                                                                       \
	X(backends, url, URL, "", 1, 2048, "bytes", LIVE,                                      \
	  "Webhook only, and must be given there: where events are sent by POST. Redirects "   \
	  "are not followed.", CONFIG_OF_WEBHOOK)                                              \
	X(backends, connect, CONNECT, "accept", 0, 0, "", LIVE,                                \
	  "Nats only. accept = every client may come in; ask = a service is asked by a "       \
	  "request, and 503 is answered if none is there.", CONFIG_OF_NATS)                    \
	X(backends, durable, SWITCH, "false", 0, 0, "", LIVE,                                  \
	  "Nats only. true = an event counts as taken when a JetStream stream has stored it, " \
	  "and is sent again until then.", CONFIG_OF_NATS)                                     \
	X(backends, stream, NAME, "", 1, 255, "bytes", LIVE,                                   \
	  "Nats only, with durable: the stream that must be the one that stores it. Left out: " \
	  "any.", CONFIG_OF_NATS)                                                              \
	X(backends, secret_file, FILE, "", 0, 511, "bytes", LIVE,                              \
	  "Webhook only. A file with secrets (whsec_...), one in a line; all of them sign, so that one can " \
	  "be changed for another. Left out: events are not signed.", CONFIG_OF_WEBHOOK)       \
	X(backends, headers_file, FILE, "", 0, 511, "bytes", LIVE,                             \
	  "Webhook only. A file with lines 'Name: value' that go with every request, such as " \
	  "an Authorization that a proxy before it wants; kept "                               \
	  "out of the log. Left out: none.",                                                   \
	  CONFIG_OF_WEBHOOK)                                                                   \
	X(backends, ca_file, FILE, "", 0, 511, "bytes", LIVE,                                  \
	  "Webhook only. Certificates (PEM) that may have signed that of an https url. Left out: the " \
	  "system's.", CONFIG_OF_WEBHOOK)                                                      \
	X(backends, http2, SWITCH, "false", 0, 0, "", LIVE,                                    \
	  "Webhook only. Speak HTTP/2: with https where the server offers "                    \
	  "it, with http without asking.",                                                     \
	  CONFIG_OF_WEBHOOK)                                                                   \
	X(backends, connect_timeout, DURATION, "2s", 1, CONFIG_HOUR, "ms", LIVE,               \
	  "Webhook only. For a new connection to it, TLS included.", CONFIG_OF_WEBHOOK)        \
	X(backends, timeout, DURATION, "5s", 1, CONFIG_HOUR, "ms", LIVE,                       \
	  "For one attempt, from the request to the end of the answer, or to the stream's "    \
	  "acknowledgement.", CONFIG_OF_ALL)                                                   \
	X(backends, retries, COUNT, "3", 0, 100, "attempts", LIVE,                             \
	  "Further attempts after a failed one, before on_failure applies.", CONFIG_OF_ALL)    \
	X(backends, retry_min, DURATION, "100ms", 1, CONFIG_HOUR, "ms", LIVE,                  \
	  "The first wait before a retry is at random up to this; it doubles with each.",      \
	  CONFIG_OF_ALL)                                                                       \
	X(backends, retry_max, DURATION, "10s", 1, CONFIG_HOUR, "ms", LIVE,                    \
	  "No wait before a retry is longer.", CONFIG_OF_ALL)                                  \
	X(backends, max_in_flight, COUNT, "64", 1, 10000, "requests", LIVE,                    \
	  "Webhook only. Requests to it at once, of all connections; of "                      \
	  "one connection there is one.",                                                      \
	  CONFIG_OF_WEBHOOK)                                                                   \
	X(backends, queue_max, SIZE, "64KiB", 4 * CONFIG_KIB, CONFIG_GIB, "bytes", LIVE,       \
	  "Per connection. While this much waits for the back end, nothing more is read from " \
	  "the client.", CONFIG_OF_ALL)                                                        \
	X(backends, pending_max, SIZE, "256MiB", 64 * CONFIG_KIB, 1024 * CONFIG_GIB, "bytes", LIVE, \
	  "While events of this size in all wait for it, of connected clients and of those "   \
	  "that have gone, no further clients are let in.", CONFIG_OF_ALL)                     \
	X(backends, answer_max, SIZE, "1MiB", 1, CONFIG_GIB, "bytes", LIVE,                    \
	  "Webhook only. A longer answer is cut off and not passed on.", CONFIG_OF_WEBHOOK)    \
	X(backends, on_failure, ON_FAILURE, "wait", 0, 0, "", LIVE,                            \
	  "If an event cannot be delivered: wait = keep it and try again until it can, and "   \
	  "read nothing more from the client once queue_max waits; close = drop it and close " \
	  "the connection with 1013.", CONFIG_OF_ALL)                                          \
	X(backends, breaker_failures, COUNT, "10", 0, 1000000, "attempts", LIVE,               \
	  "Webhook only. So many failures in a row stop all requests but a "                   \
	  "probe now and then. 0 = never.",                                                    \
	  CONFIG_OF_WEBHOOK)                                                                   \
	X(backends, breaker_open, DURATION, "2s", 1, CONFIG_HOUR, "ms", LIVE,                  \
	  "Webhook only. From then to the first probe, and from a failed probe to the next.",  \
	  CONFIG_OF_WEBHOOK)                                                                   \
	X(backends, breaker_probes, COUNT, "1", 1, 1000, "requests", LIVE,                     \
	  "Webhook only. So many probes must go well before all requests go out again.",       \
	  CONFIG_OF_WEBHOOK)

/* Sections whose keys are single values or have a table of their own: name and the lines above. */
#define CONFIG_SECTIONS(X)       \
	X(server, CONFIG_SERVER) \
	X(admin, CONFIG_ADMIN)   \
	X(bus, CONFIG_BUS)       \
	X(log, CONFIG_LOG)       \
	X(tracing, CONFIG_TRACING)

/* What an entry of a list, or a mapping below a key, has: name of its struct and its lines, the
 * outer after the inner. */
#define CONFIG_TABLES(X)                    \
	X(certificate, CONFIG_CERTIFICATE)  \
	X(tls, CONFIG_TLS)                  \
	X(listener, CONFIG_LISTENER)        \
	X(auth, CONFIG_AUTH)                \
	X(route, CONFIG_ROUTE)              \
	X(backend, CONFIG_BACKEND)

/* Lists below a key: their kind, name of the struct of the list, name of the entry's struct. */
#define CONFIG_INNER_LISTS(X)                    \
	X(CERTIFICATES, certificates, certificate) \
	X(LISTENERS, listeners, listener)        \
	X(AUTHS, auths, auth)

/* Lists of mappings at the top: key, name of the entry's struct, most entries. */
#define CONFIG_LISTS(X)           \
	X(routes, route, 1000)    \
	X(backends, backend, 100)

/* clang-format on */
