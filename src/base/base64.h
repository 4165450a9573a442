/* SPDX-License-Identifier: Apache-2.0
 * base64.h - base64 and base64url (RFC 4648, 4 and 5), read strictly.
 *
 * Layer: base. Pure functions. One value has one text: white space, letters of the other alphabet,
 * padding that is missing or too much, and bits behind the end that are not zero are refused, so
 * that what was turned away under one spelling does not come again under another.
 *
 * When reading, `out` has room for BASE64_DECODED_MAX(text.len), and may be where `text` begins:
 * it is read faster than it is written. What is written ends with a NUL. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* [bytes] that `len` characters stand for, at most. */
#define BASE64_DECODED_MAX(len) ((len) / 4 * 3 + 2)

/* Characters of `len` bytes, without the NUL. */
#define BASE64_ENCODED_LEN(len)    (((len) + 2) / 3 * 4)
#define BASE64URL_ENCODED_LEN(len) (((len)*4 + 2) / 3)

/* With padding. False: it is not that, or there is nothing in it. */
bool base64_read(struct slice text, uint8_t *out, size_t *out_len);

/* The same with line ends anywhere, as PEM has it. */
bool base64_lines_read(struct slice text, uint8_t *out, size_t *out_len);

/* Without padding; nothing stands for no bytes. */
bool base64url_read(struct slice text, uint8_t *out, size_t *out_len);

void base64_write(const void *data, size_t len, char *out);
void base64url_write(const void *data, size_t len, char *out);
