/* SPDX-License-Identifier: Apache-2.0 */
#include "base/unicode.h"

#include <string.h>

size_t unicode_read(struct slice text, uint32_t *out_character)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

	if (text.len == 0)
		return 0;
	uint8_t first = text.data[0];
	size_t len = first < 0x80             ? 1
		     : (first & 0xe0) == 0xc0 ? 2
		     : (first & 0xf0) == 0xe0 ? 3
		     : (first & 0xf8) == 0xf0 ? 4
					      : 0;

	if (len == 0 || len > text.len)
		return 0;
	uint32_t character = len == 1 ? first : first & (0x7fU >> len);

	for (size_t i = 1; i < len; i++) {
		if ((text.data[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (text.data[i] & 0x3f);
	}
	if (character < smallest[len] || character > 0x10ffff ||
	    (character >= 0xd800 && character < 0xe000))
		return 0;
	*out_character = character;
	return len;
}

bool unicode_is_deceptive(uint32_t character)
{
	return (character >= 0x2028 &&
		character <= 0x202e) || /* separators, embeddings, overrides */
	       (character >= 0x2066 && character <= 0x2069) || /* isolates */
	       character == 0x200e ||
	       character == 0x200f ||                      /* marks of direction */
	       character == 0x061c || character == 0xfeff; /* the same; a byte order mark */
}

void unicode_make_plain(char *text, size_t len, char instead)
{
	for (size_t at = 0, used; at < len; at += used) {
		uint32_t character;

		used = unicode_read(slice_of(text + at, len - at), &character);
		bool is_plain = used > 0 && !unicode_is_control(character) &&
				!unicode_is_deceptive(character);

		used += used == 0;
		if (!is_plain)
			memset(text + at, instead, used);
	}
}

bool unicode_has_control(struct slice text)
{
	while (text.len > 0) {
		uint32_t character;
		size_t used = unicode_read(text, &character);

		if (used > 0 && unicode_is_control(character))
			return true;
		used += used == 0;
		text = slice_of(text.data + used, text.len - used);
	}
	return false;
}
