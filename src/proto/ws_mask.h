/* SPDX-License-Identifier: Apache-2.0
 * ws_mask.h - the masking of RFC 6455, 5.3, with wide registers.
 *
 * Layer: proto. Pure functions over the caller's bytes; no alignment needed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* XORs data[i] with key[(offset + i) % 4] in place. `offset` is the position of
 * data[0] in the frame's payload, for payloads that come in pieces. Chooses the
 * widest kernel that this processor has, once. */
void ws_mask_apply(uint8_t *data, size_t len, const uint8_t key[4], size_t offset);

/* The same from one place to another; the two may not overlap. */
void ws_mask_copy(uint8_t *to, const uint8_t *from, size_t len, const uint8_t key[4],
		  size_t offset);
