/* SPDX-License-Identifier: Apache-2.0
 * limit_rows.h - what the rows of the limits table are made with.
 *
 * Layer: diag, for limit_rows*.c only. */
#pragma once

#include "diag/limits.h"

/* Adds a sentence fragment; what is too long is cut off. */
void limit_note(struct limit *row, const char *format, ...) __attribute__((format(printf, 2, 3)));

void limit_row_off(struct limit *row, const char *why);

/* True if the limit has a number. */
bool limit_row_take(struct limit *row, const struct os_value *fact);

void limit_row_use(struct limit *row, uint64_t used);

/* True if it is known how much is used. */
bool limit_row_take_used(struct limit *row, const struct os_value *fact);

/* It allows those of now and as many more. */
void limit_row_allow_more(struct limit *row, const struct limits_input *input, uint64_t more);

/* --- the gateway's own limits --- */

/* Of the option `source`. False: there is no gateway whose option it could be, and the row is off.
 */
bool limit_row_begin(const struct limits_input *input, struct limit *row, const char *source);

/* Likewise, with what set it. */
#define LIMIT_OPTION(section, key) #section "." #key, CONFIG_OPTION_##section##_##key
bool limit_row_begin_option(const struct limits_input *input, struct limit *row, const char *source,
			    enum config_option_number option);

void limit_build_per_ip(const struct limits_input *input, struct limit *row);
void limit_build_route_connections(const struct limits_input *input, struct limit *row);
void limit_build_accept_rate(const struct limits_input *input, struct limit *row);
void limit_build_takeover_rate(const struct limits_input *input, struct limit *row);
void limit_build_keep_alive_max(const struct limits_input *input, struct limit *row);
void limit_build_compression_memory(const struct limits_input *input, struct limit *row);
void limit_build_refuse_browsers_max(const struct limits_input *input, struct limit *row);
void limit_build_message_rate(const struct limits_input *input, struct limit *row);
void limit_build_byte_rate(const struct limits_input *input, struct limit *row);
void limit_build_auth_failures(const struct limits_input *input, struct limit *row);
void limit_build_password_queue(const struct limits_input *input, struct limit *row);
void limit_build_tickets(const struct limits_input *input, struct limit *row);
void limit_build_blocks(const struct limits_input *input, struct limit *row);
void limit_build_streams(const struct limits_input *input, struct limit *row);
void limit_build_tls_handshakes(const struct limits_input *input, struct limit *row);
void limit_build_tls_handshake_rate(const struct limits_input *input, struct limit *row);
void limit_build_certificate(const struct limits_input *input, struct limit *row);
void limit_build_backend_pending(const struct limits_input *input, struct limit *row);
void limit_build_payload_memory(const struct limits_input *input, struct limit *row);
/* After the others: what is `auto` is taken from them. */
void limit_build_max_connections(const struct limits_input *input, struct limits *limits);
