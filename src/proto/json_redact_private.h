/* SPDX-License-Identifier: Apache-2.0
 * json_redact_private.h - what names tell of a secret, for json_redact.c. */
#pragma once

#include "proto/json_redact.h"

/* Does the whole name fit any rule? */
bool json_redact_fits(const struct json_redact_rules *rules, struct slice name);

/* The whole, or a part of a name that is made of several, as "SecurityCtrlr.AuthorizationKey[0]".
 */
bool json_redact_fits_in_part(const struct json_redact_rules *rules, struct slice name);

/* Is there a secret in it whatever the rules? */
bool json_redact_is_secret(struct slice text);
