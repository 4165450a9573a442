/* SPDX-License-Identifier: Apache-2.0 */
#include "base/shared_bytes.h"

#include "base/payload.h"
#include "base/reference.h"

struct shared_bytes *shared_bytes_create(size_t len)
{
	struct shared_bytes *bytes = len > SIZE_MAX - sizeof(*bytes)
					     ? NULL
					     : payload_alloc(sizeof(*bytes) + len);

	if (bytes == NULL)
		return NULL;
	bytes->references = 1;
	bytes->len = len;
	return bytes;
}

struct shared_bytes *shared_bytes_ref(struct shared_bytes *bytes)
{
	reference_take(&bytes->references);
	return bytes;
}

void shared_bytes_unref(struct shared_bytes **bytes)
{
	struct shared_bytes *self = *bytes;

	*bytes = NULL;
	if (self != NULL && reference_drop(&self->references))
		payload_free(self, sizeof(*self) + self->len);
}
