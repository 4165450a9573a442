/* SPDX-License-Identifier: Apache-2.0
 * api_url.h - paths and queries of the API.
 *
 * Layer: admin. Pure functions. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* [bytes] of a value after percent-decoding; of one that names a route and a client. */
#define API_VALUE_MAX 255
#define API_PAIR_MAX  320

struct api_value {
	char text[API_PAIR_MAX + 1]; /* NUL-terminated; no NUL within */
	size_t len;
};

/* In a query '+' is a space. */
enum api_place { API_IN_PATH, API_IN_QUERY, API_PAIR_IN_QUERY };

/* Percent-decodes (RFC 3986, 2.1). Returns NULL and fills *out_value, or what is wrong as
 * the end of a sentence that begins with its name (static text). UTF-8 without control
 * characters. */
const char *api_value_decode(struct slice raw, enum api_place place, struct api_value *out_value);

/* One segment of `pattern` for one of `path`, both without a '/' in front; a segment
 * "{name}" fits any that is not empty, and out_raw[] gets these in their order. */
bool api_path_matches(struct slice pattern, struct slice path, struct slice *out_raw,
		      size_t raw_count);

/* A parameter that an endpoint knows. */
struct api_param {
	const char *name;
	bool is_pair; /* of up to API_PAIR_MAX bytes */
	bool is_given;
	struct api_value value;
};

struct api_query_problem {
	char detail[256];
	struct slice seen; /* in the query */
};

/* Fills the parameters that are given. False: one is unknown, there twice, or not
 * well-formed; *out_problem names it. */
bool api_query_parse(struct slice query, struct api_param *params, size_t count,
		     struct api_query_problem *out_problem);
