/* SPDX-License-Identifier: Apache-2.0
 * bench_ticket.h - a ticket for one connection: how it is asked for, taken and shown.
 *
 * Layer: bench. No I/O. */
#pragma once

#include "bench/client/bench_handshake.h"

/* Writes the POST of connection `number` and gets ready for its answer. Returns its size. */
size_t bench_ticket_request(struct bench_handshake *handshake, const struct bench_options *options,
			    const struct bench_proof *proof, uint64_t number,
			    char out[BENCH_REQUEST_MAX]);

/* Takes what was received: MORE, TICKET (it is in the handshake), REFUSED, BAD or NO_MEMORY. */
enum bench_answer bench_ticket_take(struct bench_handshake *handshake, const uint8_t *data,
				    size_t len, struct bench_answer_data *out);
