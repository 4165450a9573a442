/* SPDX-License-Identifier: Apache-2.0
 * unicode.h - characters of UTF-8, one at a time: what may be shown to people, and what not.
 *
 * Layer: base. Pure functions. Whether a whole message is UTF-8 is asked of proto/utf8.h, which
 * is fast; here it is which characters they are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* [bytes] of the character that `text` begins with, and *out_character; 0: none that is valid,
 * or it is cut off (RFC 3629: shortest form, no surrogates, up to U+10FFFF). */
size_t unicode_read(struct slice text, uint32_t *out_character);

/* C0, DEL and C1: U+0000 to U+001F, U+007F to U+009F. */
static inline bool unicode_is_control(uint32_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

/* Nothing to see, but it moves what is around it: separators of lines and paragraphs, which some
 * readers of a log take for the end of its line, and marks that turn the direction of the text. */
bool unicode_is_deceptive(uint32_t character);

/* Makes `text` fit for people, terminals and JSON: writes `instead` over each byte that is no UTF-8
 * or of a control or deceptive character. */
void unicode_make_plain(char *text, size_t len, char instead);

/* Bytes that are no UTF-8 are passed over. */
bool unicode_has_control(struct slice text);
