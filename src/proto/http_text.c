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
	struct slice item;

	if (!slice_next(rest, ',', &item))
		return false;
	*out_item = slice_trim(item);
	return true;
}
