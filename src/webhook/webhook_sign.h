/* SPDX-License-Identifier: Apache-2.0
 * webhook_sign.h - signatures as Standard Webhooks 1.0 specifies them.
 *
 * Layer: webhook. No I/O, no clock. A signer belongs to one thread at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct webhook_signer;

/* `secrets` are texts "whsec_" + base64 of 24 to 64 bytes; several while a secret is being
 * changed. Returns 0, -ENOMEM, or -EINVAL with *out_reason: what is wrong with secret number
 * *out_bad (counted from 0), in words that do not show the secret. */
int webhook_signer_create(const char *const *secrets, size_t count, struct webhook_signer **out,
			  size_t *out_bad, const char **out_reason);

/* Wipes the keys. NULL is fine. */
void webhook_signer_destroy(struct webhook_signer **signer);

/* Appends the value of webhook-signature: one "v1,<base64>" for each secret, separated by
 * spaces, over "{id}.{timestamp}.{body}". Returns 0, -EMSGSIZE or -ENOMEM. */
int webhook_sign(struct webhook_signer *signer, struct slice id, uint64_t timestamp_s,
		 struct slice body, struct buf *out, size_t max);
