/* SPDX-License-Identifier: Apache-2.0
 * base64url.h - base64url without padding (RFC 7515, appendix C), read strictly.
 *
 * Layer: auth. Pure functions. One value has one text: padding, white space, letters of the
 * other alphabet and bits behind the end are refused, so that a token that was turned away
 * under one spelling does not come again under another. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* [bytes] that `len` characters stand for, at most. */
#define BASE64URL_DECODED_MAX(len) ((len) / 4 * 3 + 2)

/* Characters of `len` bytes, without a NUL. */
#define BASE64URL_ENCODED_LEN(len) (((len)*4 + 2) / 3)

/* `out` has room for BASE64URL_DECODED_MAX(text.len). False: it is not base64url. */
bool base64url_read(struct slice text, uint8_t *out, size_t *out_len);

/* Writes BASE64URL_ENCODED_LEN(len) characters and a NUL. */
void base64url_write(const void *data, size_t len, char *out);
