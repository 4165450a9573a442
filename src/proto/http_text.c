/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_text.h"

static const bool is_token_char[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['!'] = true,
	['#'] = true,         ['$'] = true,         ['%'] = true,         ['&'] = true,
	['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true,
	['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true,
	['|'] = true,         ['~'] = true,
};

bool http_is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_token_char[text.data[i]])
			return false;
	return text.len > 0;
}

bool http_list_next(struct slice *rest, struct slice *out_item)
{
	if (rest->data == NULL)
		return false;
	const uint8_t *comma = rest->len > 0 ? memchr(rest->data, ',', rest->len) : NULL;

	if (comma == NULL) {
		*out_item = slice_trim(*rest);
		*rest = (struct slice){0};
		return true;
	}
	size_t len = (size_t)(comma - rest->data);

	*out_item = slice_trim(slice_of(rest->data, len));
	*rest = slice_of(comma + 1, rest->len - len - 1);
	return true;
}
