/* SPDX-License-Identifier: Apache-2.0 */
#include "session/attributes.h"

#include <string.h>

#include "base/check.h"

bool attribute_name_is_good(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		bool is_letter = name.data[i] >= 'a' && name.data[i] <= 'z';

		if (!is_letter && (name.data[i] < '0' || name.data[i] > '9'))
			return false;
	}
	return name.len > 0 && name.len <= ATTRIBUTE_NAME_MAX;
}

/* False: there is no NUL in what is left. */
static bool text_next(struct slice *block, struct slice *out_text)
{
	const uint8_t *end = block->len == 0 ? NULL : memchr(block->data, 0, block->len);

	if (end == NULL)
		return false;
	*out_text = slice_of(block->data, (size_t)(end - block->data));
	*block = slice_of(end + 1, block->len - out_text->len - 1);
	return true;
}

bool attributes_next(struct slice *block, struct attribute *out_attribute)
{
	if (block->len == 0)
		return false;
	bool is_whole = text_next(block, &out_attribute->name) &&
			text_next(block, &out_attribute->value);

	CHECK(is_whole); /* it is a good one */
	return true;
}

bool attributes_find(struct slice block, struct slice name, struct attribute *out_attribute)
{
	struct attribute attribute;

	while (attributes_next(&block, &attribute))
		if (slice_equals(attribute.name, name)) {
			*out_attribute = attribute;
			return true;
		}
	return false;
}

bool attributes_are_good(struct slice block)
{
	const struct slice all = block;
	size_t count = 0;

	while (block.len > 0) {
		struct slice before = slice_of(all.data, all.len - block.len);
		struct attribute attribute, same;

		if (!text_next(&block, &attribute.name) || !text_next(&block, &attribute.value) ||
		    !attribute_name_is_good(attribute.name) || attribute.value.len == 0 ||
		    attributes_find(before, attribute.name, &same))
			return false;
		count++;
	}
	return count <= ATTRIBUTES_MAX && all.len <= ATTRIBUTES_BYTES_MAX;
}
