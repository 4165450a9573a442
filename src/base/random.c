/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"

static void refill(struct random_source *source)
{
	size_t have = 0;

	while (have < sizeof(source->bytes)) {
		ssize_t n = getrandom(source->bytes + have, sizeof(source->bytes) - have, 0);

		/* Only a kernel without getrandom (before 3.17) can fail otherwise. */
		CHECK(n > 0 || errno == EINTR);
		if (n > 0)
			have += (size_t)n;
	}
	source->used = 0;
	source->is_filled = 1;
}

void random_fill(struct random_source *source, void *out, size_t len)
{
	uint8_t *to = out;

	while (len > 0) {
		if (!source->is_filled || source->used == sizeof(source->bytes))
			refill(source);
		size_t part = MIN(len, sizeof(source->bytes) - source->used);

		memcpy(to, source->bytes + source->used, part);
		source->used += part;
		to += part;
		len -= part;
	}
}
