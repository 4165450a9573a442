/* SPDX-License-Identifier: Apache-2.0
 * authorization.h - what a request carries in its Authorization (RFC 9110, 11.6.2; RFC 7617).
 *
 * Layer: auth. Pure functions. What is found are secrets: nobody logs them. */
#pragma once

#include <stdbool.h>

#include "proto/http_head.h"

enum authorization_result {
	AUTHORIZATION_NONE,  /* there is none, or it is of another scheme */
	AUTHORIZATION_FOUND, /* *out_credentials is what follows the scheme; it may be empty */
	AUTHORIZATION_BAD,   /* there are two: which one another reader would take is not known */
};

/* `scheme` is compared without case. */
enum authorization_result authorization_find(const struct http_head *head, const uint8_t *data,
					     const char *scheme, struct slice *out_credentials);

/* [bytes] of name, colon and secret. */
#define BASIC_CREDENTIALS_MAX 1024

struct basic_credentials {
	struct slice name;   /* without a colon; may be empty */
	struct slice secret; /* any bytes; may be empty */
	uint8_t bytes[BASIC_CREDENTIALS_MAX + 3];
};

/* Of the scheme "Basic": strict base64. False: it is none, too long, or has no colon, and there is
 * nothing in *out. Whoever got true wipes it. */
bool basic_credentials_read(struct slice base64, struct basic_credentials *out);
void basic_credentials_wipe(struct basic_credentials *credentials);
