/* SPDX-License-Identifier: Apache-2.0
 * config_secret.h - secrets: from a file of their own, or from the environment.
 *
 * Layer: config. What is secret is in no message. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* From `file`, whose only line it is, or `direct`; "" if neither is set. `option` is that of
 * the secret; that of the file has "_file" behind its key. False: `error` says what is wrong
 * and what to do. */
bool config_secret_load(enum config_option_number option, const struct config_text *file,
			const struct config_text *direct, struct config_text *out_secret,
			char *error, size_t error_size);

/* Whether a secret file that others read can be opened, and by whom else. `option` is that of
 * the file; "" is fine. */
bool config_secret_check(enum config_option_number option, const struct config_text *file,
			 char *error, size_t error_size);
