/* SPDX-License-Identifier: Apache-2.0
 * fuzz_actions.c - the input as the list of actions that a back end answers. */
#include "fuzz.h"

#include "fleet/actions/actions_private.h"
#include "proto/utf8.h"
#include "proto/ws_close.h"

#define MESSAGE_MAX 256

static void action_check(const struct action *action)
{
	const struct message *message = &action->message;

	CHECK(message->bytes.len <= MESSAGE_MAX);
	CHECK(!message->is_text || utf8_is_valid(message->bytes.data, message->bytes.len));
	if (action->kind == ACTION_CLOSE)
		CHECK(ws_close_code_is_for_servers(action->code) &&
		      strlen(action->reason) <= WS_CLOSE_REASON_MAX);
	if (action->kind == ACTION_JOIN || action->kind == ACTION_LEAVE ||
	    action->kind == ACTION_SEND_GROUP)
		CHECK(group_name_is_good(slice_from_text(action->group)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	struct actions_fault fault = {.what = NULL};
	struct actions *actions = actions_read(slice_of(copy, size), MESSAGE_MAX, &fault);
	size_t index;
	char text[256];

	free(copy); /* nothing of it is needed */
	if (actions == NULL) {
		CHECK(fault.where[0] != 0 && fault.what != NULL && fault.allowed != NULL);
		actions_fault_format(&fault, text, sizeof(text));
		CHECK(utf8_is_valid((const uint8_t *)text, strlen(text)));
		return 0;
	}
	CHECK(actions->count <= ACTIONS_MAX);
	for (size_t i = 0; i < actions->count; i++) {
		action_check(&actions->list[i]);
		CHECK(actions->list[i].index < actions_count(actions));
		CHECK(actions->list[i].kind != ACTION_CLOSE || i + 1 == actions->count);
	}
	actions_have_call(actions, CONFIG_RPC_OCPP_J, &index);
	actions_destroy(&actions);
	return 0;
}
