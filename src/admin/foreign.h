/* SPDX-License-Identifier: Apache-2.0
 * foreign.h - requests that a web page from elsewhere makes, in a browser on this machine.
 *
 * Layer: admin. They come from loopback as those of programs here do. */
#pragma once

#include "http/http_handler.h"

/* By the headers that no page can leave out: it has another origin, or a name of its own that
 * points here (DNS rebinding). */
bool foreign_page_asks(const struct http_request *request);

/* From loopback, for a name that is not this machine's: whoever has the name made it point here. */
bool foreign_name_is_asked(const struct http_request *request);
