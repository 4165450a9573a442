/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/actions/action_table.h"

#include "base/check.h"

const char *action_name(enum action_kind kind)
{
#define ACTION_NAME(NAME, name) name,
	static const char *const names[] = {ACTION_TABLE(ACTION_NAME)};

	CHECK(kind < ARRAY_LEN(names));
	return names[kind];
}
