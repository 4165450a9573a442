/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_packing.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/ws_deflate.h"
#include "proto/ws_extensions.h"
#include "proto/ws_inflate.h"

int bench_packing_init(struct bench_packing *packing, size_t size)
{
	*packing = (struct bench_packing){
		.deflater = ws_deflater_create(),
		.inflater = ws_inflater_create(),
		.plain = malloc(size + 1),
		.packed = malloc(size + WS_DEFLATE_ROOM),
	};
	return packing->deflater == NULL || packing->inflater == NULL || packing->plain == NULL ||
			       packing->packed == NULL
		       ? -ENOMEM
		       : 0;
}

void bench_packing_finish(struct bench_packing *packing)
{
	ws_deflater_destroy(&packing->deflater);
	ws_inflater_destroy(&packing->inflater);
	free(packing->plain);
	free(packing->packed);
	packing->plain = packing->packed = NULL;
}

struct slice bench_packing_pack(struct bench_packing *packing, size_t size, bool *out_is_packed)
{
	static const struct ws_deflate_how how = {.level = WS_DEFLATE_LEVEL_MIN,
						  .bits = WS_WINDOW_BITS_MAX};
	struct slice plain = slice_of(packing->plain, size);
	size_t len = ws_deflate(packing->deflater, &how, plain, packing->packed);

	*out_is_packed = len > 0;
	packing->counts.sent_plain += size;
	packing->counts.sent_packed += len > 0 ? len : size;
	return len > 0 ? slice_of(packing->packed, len) : plain;
}

void bench_packed_add(struct bench_packed *sum, const struct bench_packed *part)
{
	sum->connections += part->connections;
	sum->sent_plain += part->sent_plain;
	sum->sent_packed += part->sent_packed;
	sum->received_plain += part->received_plain;
	sum->received_packed += part->received_packed;
}

double bench_packed_percent(uint64_t plain, uint64_t packed)
{
	return plain == 0 ? 100 : (double)packed * 100 / (double)plain;
}
