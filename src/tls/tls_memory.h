/* SPDX-License-Identifier: Apache-2.0
 * tls_memory.h - memory for what an idle connection keeps.
 *
 * Layer: tls. Thread-safe; one slab (base/slab.h) for the process, which is never given up. What
 * stays for hours does not lie among what a handshake takes and gives back, so that the memory of a
 * storm of handshakes goes when the storm does. */
#pragma once

#include <stddef.h>

/* Uninitialised; NULL: memory is out. */
void *tls_memory_get(size_t size);
/* With the size that it was asked for with. NULL is fine. */
void tls_memory_put(void *memory, size_t size);
