/* SPDX-License-Identifier: Apache-2.0
 * tables.c - the rows of close_table.h and refusal_table.h. */
#include "conn/close_table.h"
#include "conn/refusal_table.h"

#define CLOSE_ROW(NAME, label, code, text, help) [CLOSE_##NAME] = {label, text, help, code},
#define REFUSAL_ROW(NAME, label, status, title, remedy) \
	[REFUSAL_##NAME] = {label, title, remedy, status},

const struct close_entry close_table[CLOSE_REASON_COUNT] = {CLOSE_TABLE(CLOSE_ROW)};
const struct refusal_entry refusal_table[REFUSAL_COUNT] = {REFUSAL_TABLE(REFUSAL_ROW)};
