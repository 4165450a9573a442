/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_text.h"

#include "base/check.h"

const bool http_line_chars[256] = {
	['\t'] = true,
	[' ' ... '~'] = true,
	[0x80 ... 0xff] = true,
};

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

struct slice http_url_authority(struct slice url)
{
	const uint8_t *colon = memchr(url.data, ':', url.len);

	CHECK(colon != NULL &&
	      slice_starts_nocase(slice_of(colon, url.len - (size_t)(colon - url.data)), "://"));
	const uint8_t *start = colon + strlen("://");
	struct slice rest = slice_of(start, url.len - (size_t)(start - url.data));
	size_t len = 0;

	while (len < rest.len && rest.data[len] != '/' && rest.data[len] != '?')
		len++;
	return slice_of(rest.data, len);
}

bool http_list_next(struct slice *rest, struct slice *out_item)
{
	struct slice item;

	if (!slice_next(rest, ',', &item))
		return false;
	*out_item = slice_trim(item);
	return true;
}
