/* SPDX-License-Identifier: Apache-2.0
 * bench_options.h - what a load test is asked to do, from the command line.
 *
 * Layer: bench. One table in bench_options.c holds every option: name, kind, range
 * and help. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "bench/judge/bench_expect.h"
#include "diag/report_words.h"
#include "bench/load/bench_act.h"
#include "bench/load/bench_url.h"
#include "io/loop.h"

/* More would need a ninth digit in {n}; and 127.0.0.0/8 has as many addresses. */
#define BENCH_CONNECTIONS_MAX 16000000
#define BENCH_HEADERS_MAX     8192
#define BENCH_SUBPROTOCOL_MAX 1024
#define BENCH_TICKET_BODY_MAX 1024 /* [bytes], {n} not yet replaced */
#define BENCH_BASIC_MAX       512  /* [bytes] of --basic, {n} not yet replaced */
#define BENCH_NODES_MAX       16   /* that connections are dealt out over */
#define BENCH_HOOKS_MAX       16

struct bench_scenario;

struct bench_options {
	const char *url_text;
	struct bench_url url;
	uint64_t connections;
	double connect_rate; /* [connections/s]; 0: as fast as the other side answers */
	uint64_t in_flight;  /* handshakes in all; 0: a worker's default for each */
	uint64_t batch;      /* connections; 0: no batches */
	uint64_t batch_pause_ms;
	uint64_t hold_ms;
	uint64_t lifetime_ms;        /* mean, of a connection in the hold; 0: no churn */
	uint64_t cut_after_ms;       /* into the hold; 0: never */
	double slow_readers_percent; /* of the connections */
	double message_rate;         /* [messages/s] per connection; 0: none */
	uint64_t depth;              /* messages in flight per connection; 0: no closed loop */
	uint64_t size;               /* [bytes] of a message's payload */
	uint64_t duration_ms;        /* of the messages; 0: the whole hold */
	uint64_t workers;            /* 0: as many as it takes */
	enum loop_engine engine;
	struct buf subprotocols; /* "a, b" and a NUL; empty: none */
	struct buf headers;      /* lines with CRLF, and a NUL; empty: none */
	const char *ca_path;     /* NULL: the system's authorities */
	const char *cert_path;   /* NULL: none */
	const char *key_path;    /* NULL: in the certificate's file */
	uint64_t tls_version;    /* 0x0303, 0x0304; 0: either */
	const char *basic;       /* "user:password", {n} not yet replaced; NULL: none */
	const char *token_path;  /* NULL: none */
	const char *ticket_text; /* NULL: no tickets */
	struct bench_url ticket_url;
	const char *ticket_body;         /* {n} not yet replaced; NULL: none */
	const char *scenario_path;       /* NULL: none */
	struct bench_scenario *scenario; /* NULL: none; owns texts of the others */
	const char *ready_text;          /* NULL: do not wait */
	struct bench_url ready_url;
	uint64_t ready_timeout_ms;
	uint64_t connect_timeout_ms;
	uint64_t handshake_timeout_ms;
	uint64_t echo_timeout_ms;
	const char *json_path;    /* NULL: none */
	const char *html_path;    /* NULL: none */
	const char *report_path;  /* NULL: none */
	const char *compare_path; /* NULL: no earlier run */
	enum report_lang lang;
	const char *limits_text; /* NULL: the server's limits are not asked for */
	struct bench_url limits_url;
	size_t expect_count; /* 0: the test's own rule decides */
	struct bench_expect expects[BENCH_EXPECTS_MAX];
	uint64_t window_bits; /* of the server, that are offered; 0: it is not spoken of */
	const char *node_texts[BENCH_NODES_MAX - 1]; /* --node, beside the URL's own */
	size_t node_count;
	struct bench_url *node_urls; /* as many */
	const char *api_text;        /* of a gateway's admin listener; NULL: none */
	struct bench_url api_url;
	const char *api_token_path; /* NULL: none */
	const char *push_path;      /* what is asked of the API again and again; NULL: nothing */
	uint64_t push_messages;
	double push_rate;                   /* [messages/s] */
	const char *hooks[BENCH_HOOKS_MAX]; /* "NAME=COMMAND" */
	size_t hook_count;
	struct bench_acts acts; /* of the scenario */
	bool does_reconnect;    /* whom the other side ends */
	bool is_at_least_once;  /* echoes may come late, or twice */
	bool is_forced;         /* goes on although the preflight says that it cannot work */
	bool is_binary;
	bool is_json;     /* --payload json */
	bool does_pack;   /* offers permessage-deflate */
	bool is_receiver; /* sends nothing: services push */
	bool is_raw_echo; /* echoes come masked, as they were sent */
	bool is_quiet;
	bool is_insecure; /* believes any server's certificate */
	bool does_resume; /* TLS sessions */
	bool wants_help;
};

/* Reads the arguments (argv[0] is the command's name) and the scenario's file that they
 * name; what they give goes before the file's. The texts stay the caller's. Returns 0, or -EINVAL
 * with one sentence in `error`. With wants_help nothing else need be there. bench_options_finish in
 * either case. */
int bench_options_parse(struct bench_options *options, int argc, char **argv, char *error,
			size_t error_size);
void bench_options_finish(struct bench_options *options);

void bench_options_help(FILE *to);

/* How long messages flow, and how long the connections are held in all. */
uint64_t bench_options_traffic_ms(const struct bench_options *options);
uint64_t bench_options_hold_ms(const struct bench_options *options);

/* True if any URL of the test is TLS. */
bool bench_options_has_tls(const struct bench_options *options);

struct tls_context;
struct tls_error;

/* By --ca, --cert and so on; reads their files. NULL with *out_error. */
struct tls_context *bench_tls_context(const struct bench_options *options,
				      struct tls_error *out_error);

/* True if the connections exchange messages at all. */
static inline bool bench_options_has_traffic(const struct bench_options *options)
{
	return options->depth > 0 || options->message_rate > 0;
}
