/* SPDX-License-Identifier: Apache-2.0
 * service.h - what a listener offers, and by which rules.
 *
 * Layer: conn. Shared by the workers of the listener; read-only but for the atomics. The limits
 * among these change when the configuration does (server/server_limits.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "config/config.h"
#include "conn/accept_rate.h"
#include "conn/admission.h"
#include "conn/refusal_table.h"
#include "http/http_handler.h"
#include "session/ruleset.h"

struct address_limit;
struct blocks;
struct directory;
struct fleet;
struct tracer;
struct access_log;

struct service {
	struct ruleset *ruleset; /* for the workers that start; each has its own from then on */
	struct http_handler handler;
	struct admission *admission;
	struct admission refused_browsers; /* that wait to be told why (phase_refusing.h) */
	struct admission kept;             /* connections between two requests, or in a later one */
	struct address_limit *address_limit; /* for the workers that start; NULL: none */
	struct directory *directory;
	struct blocks *blocks;     /* NULL: nobody is kept out */
	struct fleet *fleet;       /* NULL: no clients here, and no routes */
	struct tracer *tracer;     /* NULL: nothing is traced here */
	struct access_log *access; /* NULL: nobody keeps one */
	struct accept_rate accept_rate;
	uint64_t worker_connections; /* atomic: at most, per worker */
	uint64_t ring_sockets;       /* io_uring: size of each table of descriptors; else 0 */
	uint64_t max_body;           /* atomic: [bytes] of a request, if the handler wants bodies */
	uint64_t max_calls; /* atomic: complete requests that wait for their answer, at most */
	/* What a client is told when admission is full: max_connections if it was
	 * configured, else the limit of the machine that it was taken from. Atomic. */
	enum refusal full;
	char node[64];         /* this host's name */
	uint64_t windows_used; /* [bytes] atomic; of compression_memory */
	bool is_draining;      /* atomic */
	bool is_ready;         /* atomic: all workers listen */
	struct log_gate refusal_gates[REFUSAL_COUNT];
	struct log_gate rejection_gate;
	struct log_gate conflict_gate;
	struct log_gate proof_gate;
	struct log_gate takeover_gate;
	struct log_gate accept_gate;
	struct log_gate backend_gate;
	struct log_gate fan_out_gate;
	struct log_gate memory_gate;
	struct log_gate slow_gate;
	struct log_gate tls_gate;
	struct log_gate block_gate;
};
