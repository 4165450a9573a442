/* SPDX-License-Identifier: Apache-2.0
 * actions_private.h - a list of actions, read (actions.h).
 *
 * Layer: fleet, for actions/ only. */
#pragma once

#include "fleet/actions/action_table.h"
#include "fleet/actions/actions.h"

/* Texts are the JSON's. */
struct action {
	enum action_kind kind;
	size_t index;           /* in the document */
	struct message message; /* SEND, SEND_GROUP */
	uint8_t *owned;         /* its bytes, if they were base64 */
	const char *group;      /* JOIN, LEAVE, SEND_GROUP */
	const char *reason;     /* CLOSE */
	uint16_t code;          /* CLOSE */
	bool spares_self;       /* SEND_GROUP: the client does not get it itself */
};

struct actions {
	json_t *json; /* a reference */
	size_t document_count;
	size_t bytes; /* of all messages */
	size_t count;
	struct action list[ACTIONS_MAX];
};
