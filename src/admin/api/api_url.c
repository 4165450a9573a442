/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/api/api_url.h"

#include <stdio.h>

#include "base/check.h"
#include "base/percent.h"
#include "base/unicode.h"
#include "proto/utf8.h"

const char *api_value_decode(struct slice raw, enum api_place place, struct api_value *out_value)
{
	const size_t max = place == API_PAIR_IN_QUERY ? API_PAIR_MAX : API_VALUE_MAX;
	struct api_value value = {.len = 0};

	for (size_t i = 0; i < raw.len; i++) {
		int byte = raw.data[i];

		if (byte == '+' && place != API_IN_PATH)
			byte = ' ';
		if (byte == '%') {
			byte = percent_read(slice_of(raw.data + i, raw.len - i));
			i += 2;
		}
		if (byte < 0)
			return "has a '%' without two hexadecimal digits";
		if (value.len == max)
			return place == API_PAIR_IN_QUERY ? "is longer than 320 bytes"
							  : "is longer than 255 bytes";
		value.text[value.len++] = (char)byte;
	}
	if (!utf8_is_valid((const uint8_t *)value.text, value.len))
		return "is not UTF-8";
	if (unicode_has_control(slice_of(value.text, value.len)))
		return "has a control character";
	value.text[value.len] = 0;
	*out_value = value;
	return NULL;
}

bool api_path_matches(struct slice pattern, struct slice path, struct slice *out_raw,
		      size_t raw_count)
{
	struct slice want, have;
	size_t found = 0;

	while (slice_next(&pattern, '/', &want)) {
		if (!slice_next(&path, '/', &have))
			return false;
		if (want.data[0] != '{') {
			if (!slice_equals(want, have))
				return false;
			continue;
		}
		CHECK(found < raw_count);
		if (have.len == 0)
			return false;
		out_raw[found++] = have;
	}
	return path.data == NULL;
}

static struct api_param *param_find(struct api_param *params, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equals(name, slice_from_text(params[i].name)))
			return &params[i];
	return NULL;
}

static void names_print(const struct api_param *params, size_t count, char *out, size_t size)
{
	size_t used = 0;

	snprintf(out, size, "none");
	for (size_t i = 0; i < count && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ",
					 params[i].name);
}

bool api_query_parse(struct slice query, struct api_param *params, size_t count,
		     struct api_query_problem *out_problem)
{
	struct slice pair, name;
	char names[128];

	if (query.len == 0)
		return true;
	while (slice_next(&query, '&', &pair)) {
		struct slice value = pair;
		const char *wrong;

		out_problem->seen = pair;
		slice_next(&value, '=', &name);
		struct api_param *param = param_find(params, count, name);

		if (param == NULL) {
			names_print(params, count, names, sizeof(names));
			snprintf(out_problem->detail, sizeof(out_problem->detail),
				 "The query has an unknown parameter; known here: %s.", names);
			return false;
		}
		wrong = param->is_given
				? "is given twice"
				: api_value_decode(
					  value, param->is_pair ? API_PAIR_IN_QUERY : API_IN_QUERY,
					  &param->value);
		if (wrong != NULL) {
			snprintf(out_problem->detail, sizeof(out_problem->detail),
				 "The parameter '%s' %s.", param->name, wrong);
			return false;
		}
		param->is_given = true;
	}
	return true;
}
