/* SPDX-License-Identifier: Apache-2.0
 * command.h - one thing that is asked of one connected client.
 *
 * Layer: fleet. Whoever asks makes it (over HTTP, over the bus), reads its arguments, and
 * lets ask.h bring it to the client, wherever that is connected; there it runs in the
 * thread of the client's worker. It ends exactly once, with a status of HTTP and a JSON
 * body: when its arguments are bad, when it has run, or later, if its kind waits for
 * something. A command belongs to one thread at a time. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/bus.h"
#include "fleet/command/command_stats.h"
#include "http/problem.h"
#include "session/session.h"
#include "trace/trace_context.h"

struct command;
struct fleet;
struct fleet_home;
struct trace_span;

/* The order is that of metrics. */
enum command_id {
	COMMAND_ID_UNKNOWN,
	COMMAND_ID_SEND,
	COMMAND_ID_INSPECT,
	COMMAND_ID_CLOSE,
	COMMAND_ID_JOIN,
	COMMAND_ID_LEAVE,
	COMMAND_ID_CALL,
	COMMAND_ID_HOLDER,
	COMMAND_ID_CLAIM,
	COMMAND_ID_RENEW,
	COMMAND_ID_ACTIONS,
	COMMAND_ID_COUNT,
};

/* A row of the table in command.c. */
struct command_kind {
	enum command_id id;
	const char *name;    /* in "command", and in metrics */
	const char *members; /* that its arguments may have: "code, reason"; "": none; NULL:
			      * it is not made from JSON */
	const char *example; /* of its arguments, for people; NULL: it has none */
	size_t args_size;    /* [bytes] of what command_args gives, zeroed at first */

	/* Fills the arguments from `members`, which stays until the command is destroyed.
	 * False: command_problem has said what is wrong. NULL: there is nothing to do. */
	bool (*parse)(struct command *command, const json_t *members);

	/* In the client's thread. Ends the command now or later, in this thread and not
	 * after the client has left. */
	void (*run)(struct command *command, struct session *session);

	/* For who asks: the client or its node went while another node's answer was awaited.
	 * Ends the command. NULL: with the problem of who noticed (command_lost). */
	void (*lose)(struct command *command);

	/* Frees what the arguments own; NULL: nothing. */
	void (*finish)(struct command *command);
};

struct command_result {
	unsigned status;   /* 0: it has not ended */
	struct slice body; /* JSON, a problem document from 400 on */
	char *owned;       /* the body's memory, if it is not static */
};

/* ask.h: the way to the client and back. */
struct ask {
	struct fleet_home *home; /* of who asks */
	struct list_node node;   /* among those that wait there */
	char route[PRESENCE_ROUTE_MAX + 1];
	char client_id[PRESENCE_CLIENT_ID_MAX + 1];
	union {
		struct presence_task there;
		struct bus_request request;
	};
	struct loop_task back;
	void (*on_done)(struct command *command, void *arg);
	void *arg;
	/* While the request waits: is the client still there? */
	struct timer watch;
	struct bus_request probe;
	bool is_on_bus; /* the request waits for its outcome */
	bool is_probing;
	bool is_gone; /* nobody answers any more */
	/* Another process, which has the client, brings the result (command_road.h). */
	uint64_t number;
	struct list_node in_road;
};

struct command {
	const struct command_kind *kind;
	const struct fleet *fleet;
	json_t *json;        /* its arguments as they came; NULL: it has none */
	uint64_t timeout_ns; /* how long its asker waits */
	struct command_result result;
	struct trace_context trace; /* what it belongs to; not set: nothing is traced */
	struct trace_span *span;    /* its own; NULL: none (command_trace.h) */
	void (*on_end)(struct command *command);
	void *arg; /* for on_end */
	struct ask ask;
	_Alignas(16) unsigned char args[];
};

/* --- kinds --- */

/* A client's facts and its queue; a message to it; its end. */
extern const struct command_kind command_inspect, command_send, command_close;

/* Several of these, and more, in one go. */
extern const struct command_kind command_actions;

/* The end of what a client has proved moves. */
extern const struct command_kind command_renew;

/* Calls a client and waits for its answer, in the framing of its route. */
extern const struct command_kind command_call;
/* Between nodes: who has it; that this one does. */
extern const struct command_kind command_holder, command_claim;
/* It joins or leaves a group. */
extern const struct command_kind command_join, command_leave;

/* What is not understood: ends when it is read. */
extern const struct command_kind command_unknown;

/* Of the table, in its order; NULL: that was all. */
const struct command_kind *command_kind_at(size_t index);

/* --- for who asks --- */

/* NULL: memory is out. */
struct command *command_create(const struct fleet *fleet, const struct command_kind *kind);

/* It must have ended, or never have run. NULL is fine; the pointer is cleared. */
void command_destroy(struct command **command);

/* Its arguments: a JSON object, or no bytes for one without members. False: they are not
 * good, and the command has ended. */
bool command_read(struct command *command, struct slice json);

/* Of command_send: `message` is lent until the command has ended. False: as above. */
bool command_read_message(struct command *command, const struct message *message);

/* {"command": "close", "code": 1000}: always a command, which has ended if that was not
 * good. NULL: memory is out. */
struct command *command_parse(const struct fleet *fleet, struct slice json);

static inline bool command_has_ended(const struct command *command)
{
	return command->result.status != 0;
}

/* What command_parse takes, as text to be freed. NULL: memory is out. */
char *command_format(const struct command *command);

/* In the client's thread: on_end comes once there, perhaps before this returns. */
void command_run(struct command *command, struct session *session,
		 void (*on_end)(struct command *command), void *arg);

/* --- for kinds --- */

static inline void *command_args(struct command *command)
{
	return command->args;
}

/* Each ends the command; afterwards it may be gone. */

/* Takes the reference of `body`; NULL: memory is out, and that is the answer. */
void command_done(struct command *command, unsigned status, json_t *body);

/* The same with further members, which are JSON already: "\"payload\":{}". */
void command_done_raw(struct command *command, unsigned status, json_t *body, struct slice members);
void command_problem(struct command *command, const struct problem *problem);
void command_not_connected(struct command *command, struct slice client_id);

/* As its kind has it (`lose`), else with this problem. */
void command_lost(struct command *command, const struct problem *problem);

/* What came from another node, as it is. */
void command_answer(struct command *command, unsigned status, struct slice body);

/* What every thread may know of a client. NULL: memory is out. */
json_t *command_client_json(const struct presence *presence, const struct traffic_picture *picture);

/* Counts a message to a client that was no command, because nobody wanted an answer. */
void command_count(const struct fleet *fleet, const struct command_kind *kind, unsigned status);
