/* SPDX-License-Identifier: Apache-2.0
 * api_token.h - the bearer token of the API.
 *
 * Layer: admin. Loaded once at start (reads a file), then only read, by any thread. Its
 * text is in no message and no log line. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "config/config.h"

struct api_token {
	struct config_text text; /* "" = none: the API answers only on loopback */
};

struct api_token_error {
	char text[512];
};

/* From admin.token_file or admin.token; neither is good too. False: *out_error says what
 * is wrong and what to do. */
bool api_token_load(const struct config_admin *config, struct api_token *out_token,
		    struct api_token_error *out_error);

static inline bool api_token_is_set(const struct api_token *token)
{
	return token->text.text[0] != 0;
}

enum api_token_result { API_TOKEN_GOOD, API_TOKEN_MISSING, API_TOKEN_WRONG };

/* `field` is the value of Authorization, empty if there is none. Takes as long for a token
 * that is wrong in its first character as for one that is wrong in its last. */
enum api_token_result api_token_check(const struct api_token *token, struct slice field);
