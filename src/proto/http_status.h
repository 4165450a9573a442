/* SPDX-License-Identifier: Apache-2.0
 * http_status.h - status codes in words.
 *
 * Layer: proto. Pure functions. */
#pragma once

/* "Not Found" for 404. */
const char *http_status_text(unsigned status);
