/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <stdlib.h>

#include "base/check.h"

void slab_init(struct slab *slab)
{
	for (size_t i = 0; i < ARRAY_LEN(slab->classes); i++) {
		pthread_mutex_init(&slab->classes[i].mutex, NULL);
		pool_init(&slab->classes[i].pool, (i + 1) * 8);
	}
}

static struct slab_class *class_of(struct slab *slab, size_t size)
{
	CHECK(size > 0);
	return &slab->classes[(size - 1) / 8];
}

void *slab_get(struct slab *slab, size_t size)
{
	if (size > SLAB_SIZE_MAX)
		return malloc(size);
	struct slab_class *class = class_of(slab, size);

	pthread_mutex_lock(&class->mutex);
	void *object = pool_get(&class->pool);
	pthread_mutex_unlock(&class->mutex);
	return object;
}

void slab_put(struct slab *slab, void *object, size_t size)
{
	if (size > SLAB_SIZE_MAX) {
		free(object);
		return;
	}
	struct slab_class *class = class_of(slab, size);

	pthread_mutex_lock(&class->mutex);
	pool_put(&class->pool, object);
	pthread_mutex_unlock(&class->mutex);
}

void slab_finish(struct slab *slab)
{
	for (size_t i = 0; i < ARRAY_LEN(slab->classes); i++) {
		pool_finish(&slab->classes[i].pool);
		pthread_mutex_destroy(&slab->classes[i].mutex);
	}
}
