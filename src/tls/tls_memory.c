/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_memory.h"

#include "base/slab.h"

static struct slab slab;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void slab_make(void)
{
	slab_init(&slab);
}

void *tls_memory_get(size_t size)
{
	pthread_once(&once, slab_make);
	return slab_get(&slab, size);
}

void tls_memory_put(void *memory, size_t size)
{
	slab_put(&slab, memory, size);
}
