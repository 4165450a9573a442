/* SPDX-License-Identifier: Apache-2.0
 * http_text.h - tokens and lists of HTTP fields (RFC 9110, 5.6).
 *
 * Layer: proto. Pure functions. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* May it stand in a line? No controls but the tab (RFC 9110, 5.5). */
extern const bool http_line_chars[256];
static inline bool http_is_line_char(uint8_t byte)
{
	return http_line_chars[byte];
}

/* At least one character, and only such as a method or a field's name may have. */
bool http_is_token(struct slice text);

/* What stands behind "://" in a URL, up to a '/', '?' or the end. */
struct slice http_url_authority(struct slice url);

/* Takes the next item off a comma-separated list, trimmed and perhaps empty. Returns
 * false at the end. A list of no characters has one empty item. Begin with the whole
 * list in *rest; its `data` becomes NULL at the end, and NULL is a list of no items. */
bool http_list_next(struct slice *rest, struct slice *out_item);
