/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ws_window.h"

#include <stdlib.h>

#include "base/check.h"

void ws_window_clear(struct ws_window *window)
{
	free(window->bytes);
	window->bytes = NULL;
	window->len = 0;
}

bool ws_window_append(struct ws_window *window, struct slice more)
{
	size_t size = ws_window_size(window->bits);

	CHECK(size > 0);
	if (more.len == 0)
		return true;
	if (window->bytes == NULL)
		window->bytes = malloc(size);
	if (window->bytes == NULL)
		return false;
	if (more.len > size)
		more = slice_of(more.data + (more.len - size), size);
	size_t kept = MIN((size_t)window->len, size - more.len);

	if (kept < window->len)
		memmove(window->bytes, window->bytes + (window->len - kept), kept);
	memcpy(window->bytes + kept, more.data, more.len);
	window->len = (uint32_t)(kept + more.len);
	return true;
}
