/* SPDX-License-Identifier: Apache-2.0
 * close_table.h - every way in which a WebSocket connection ends.
 *
 * Layer: conn. The label is the value of `reason` in
 * gatehouse_connections_closed_total and in the log; docs/metrics.md is made from
 * these lines. */
#pragma once

/* X(NAME, label, code, text, help); code 0: no close frame of ours is sent.
 * TAKEN_OVER has a code of the range for private use (RFC 6455, 7.4.2), which browsers
 * hand to the application as it is: no registered one says it, and a client must be able
 * to tell it from a failure, after which coming back would be right. */
#define CLOSE_TABLE(X)                                                                          \
	X(CLIENT, "client_closed", 0, "", "The client sent a close frame; it got one back.")    \
	X(EOF, "client_gone", 0, "", "The client ended its stream without a close frame.")      \
	X(RESET, "connection_lost", 0, "",                                                      \
	  "Receiving or sending failed: reset, timed out, unreachable.")                        \
	X(TLS, "tls_failed", 0, "",                                                             \
	  "TLS failed: gatehouse_tls_failures_total and the log say how.")                      \
	X(PROTOCOL, "protocol_error", 1002, "protocol error",                                   \
	  "The client broke RFC 6455. The close frame's reason says how.")                      \
	X(BAD_DATA, "invalid_utf8", 1007, "text is not UTF-8", "A text message was not UTF-8.") \
	X(BAD_DEFLATE, "invalid_compression", 1007, "a compressed message cannot be decoded",   \
	  "A compressed message was none, or referred to what the client had agreed not to.")   \
	X(TOO_BIG, "message_too_big", 1009, "message is larger than max_message_size",          \
	  "A message was larger than server.max_message_size.")                                 \
	X(SLOW_READER, "slow_reader", 0, "",                                                    \
	  "send_queue_max bytes waited and none was taken for send_timeout, or a pushed "       \
	  "message did not fit.")                                                               \
	X(PONG_TIMEOUT, "pong_timeout", 1001, "no answer to a ping",                            \
	  "A ping was not answered within server.pong_timeout.")                                \
	X(IDLE, "idle_timeout", 1001, "idle", "No message for server.idle_timeout.")            \
	X(NO_SUBPROTOCOL, "no_subprotocol", 1002, "no common subprotocol",                      \
	  "Route with subprotocol_mismatch: close.")                                            \
	X(TAKEN_OVER, "taken_over", 4001, "another connection of this client took over",        \
	  "The same client connected again, on a route with takeover: newest. A client that "   \
	  "gets it must not come back by itself: it would take over in turn.")                  \
	X(EXPIRED, "expired", 4401, "proof expired",                                            \
	  "The token that proved who the client is has ended, and was not renewed. The client " \
	  "may come again with a new one.")                                                     \
	X(MESSAGE_RATE, "message_rate", 1008, "more messages than message_rate allows",         \
	  "With message_rate_action: close, a client that sent more messages than "             \
	  "server.message_rate.")                                                               \
	X(BYTE_RATE, "byte_rate", 1008, "more bytes than byte_rate allows",                     \
	  "With message_rate_action: close, a client that sent more bytes than "                \
	  "server.byte_rate.")                                                                  \
	X(REQUESTED, "requested", 1000, "", "A back end or the API asked for it.")              \
	X(BLOCKED, "blocked", 4403, "blocked",                                                  \
	  "The API's users blocked the client, or its address, for a time. The close frame's "  \
	  "reason is \"blocked; retry-after=N\", with the seconds that are left.")              \
	X(DRAIN, "drain", 1001, "server is shutting down", "The gateway was stopping.")         \
	X(PACED_DRAIN, "paced_drain", 1012, "retry-after",                                      \
	  "A drain let the client go at its turn (docs/deploy.md). The close frame's reason "   \
	  "is \"retry-after=N\": it may come back after N seconds.")                            \
	X(ROUTE_REMOVED, "route_removed", 1012, "route was removed",                            \
	  "The client's route is not in the configuration any more, and had on_removed: "       \
	  "close. The close frame's reason is \"route was removed; retry-after=N\": it may "    \
	  "come back after N seconds, at random up to server.drain_retry_after.")               \
	X(BACKEND, "backend_error", 1011, "back end failed", "The route's back end failed.")    \
	X(BACKEND_DOWN, "backend_down", 1013, "back end is not available",                      \
	  "The back end did not take an event, and has on_failure: close. The close frame's "   \
	  "reason names it.")                                                                   \
	X(PAYLOAD_MEMORY, "payload_memory", 1013, "out of memory for messages",                 \
	  "server.payload_memory was used up, and this connection held much of it.")            \
	X(NO_MEMORY, "out_of_memory", 1011, "out of memory", "Memory was out.")

#define CLOSE_ENUM(NAME, ...) CLOSE_##NAME,
enum close_reason { CLOSE_TABLE(CLOSE_ENUM) CLOSE_REASON_COUNT };

struct close_entry {
	const char *label;
	const char *text;
	const char *help;
	unsigned code;
};

extern const struct close_entry close_table[CLOSE_REASON_COUNT];
