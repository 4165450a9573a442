/* SPDX-License-Identifier: Apache-2.0
 * fuzz_blocks.c - the input as what another process, and what another node, tells of blocks: what
 * is taken is told again, and is the same. */
#include "fuzz.h"

#include "base/state.h"
#include "fleet/block_json.h"

#define NOW UINT64_C(1000)

static void state_check(struct slice text)
{
	struct blocks *blocks = blocks_create(4), *again = blocks_create(4);
	struct state_reader reader;
	struct state_writer writer;
	struct buf buf = {0};

	state_reader_init(&reader, text);
	(void)blocks_import(blocks, NOW, &reader);
	state_writer_init(&writer, &buf, SIZE_MAX / 2);
	blocks_export(blocks, NOW, &writer);
	state_reader_init(&reader, buf_slice(&buf));
	CHECK(blocks_import(again, NOW, &reader) == 0);
	CHECK(blocks_digest(blocks, NOW) == blocks_digest(again, NOW));
	buf_finish(&buf);
	blocks_destroy(&blocks);
	blocks_destroy(&again);
}

static void json_check(struct slice text)
{
	json_t *json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	struct block block, again;

	if (block_json_read(json, &block)) {
		json_t *written = block_json_write(&block);

		CHECK(block_json_read(written, &again));
		CHECK(again.id == block.id && again.changed_at_ms == block.changed_at_ms &&
		      again.expires_at_ms == block.expires_at_ms &&
		      again.is_removed == block.is_removed &&
		      strcmp(again.reason, block.reason) == 0);
		json_decref(written);
	}
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);

	state_check(slice_of(copy, size));
	json_check(slice_of(copy, size));
	free(copy);
	return 0;
}
