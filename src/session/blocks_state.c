/* SPDX-License-Identifier: Apache-2.0
 * blocks_state.c - blocks as fields for the next process (base/state.h). */
#include <errno.h>
#include <string.h>

#include "base/state.h"
#include "session/blocks_private.h"

/* A tag keeps its meaning for ever. */
enum {
	TAG_BLOCK = 1, /* fields; of each */

	TAG_BLOCK_ROUTE = 1,     /* left out: all */
	TAG_BLOCK_CLIENT_ID = 2, /* left out: it is an address */
	TAG_BLOCK_ADDRESS = 3,   /* 16 bytes */
	TAG_BLOCK_BITS = 4,
	TAG_BLOCK_CHANGED_AT_MS = 5,
	TAG_BLOCK_EXPIRES_AT_MS = 6,
	TAG_BLOCK_IS_REMOVED = 7,
	TAG_BLOCK_REASON = 8,
};

static void block_export(const struct block *block, struct state_writer *writer)
{
	const struct block_target *target = &block->target;
	size_t begun = state_begin(writer, TAG_BLOCK);

	if (target->route[0] != 0)
		state_put_text(writer, TAG_BLOCK_ROUTE, target->route);
	if (target->client_id[0] != 0)
		state_put_text(writer, TAG_BLOCK_CLIENT_ID, target->client_id);
	else
		state_put_bytes(
			writer, TAG_BLOCK_ADDRESS,
			slice_of(target->address.ip.bytes, sizeof(target->address.ip.bytes)));
	state_put_u64(writer, TAG_BLOCK_BITS, target->address.bits);
	state_put_u64(writer, TAG_BLOCK_CHANGED_AT_MS, block->changed_at_ms);
	state_put_u64(writer, TAG_BLOCK_EXPIRES_AT_MS, block->expires_at_ms);
	state_put_flag(writer, TAG_BLOCK_IS_REMOVED, block->is_removed);
	if (block->reason[0] != 0)
		state_put_text(writer, TAG_BLOCK_REASON, block->reason);
	state_end(writer, begun);
}

void blocks_export(struct blocks *blocks, uint64_t now_ms, struct state_writer *writer)
{
	pthread_mutex_lock(&blocks->mutex);
	for (size_t i = 0; i < blocks->used; i++)
		if (blocks->items[i]->expires_at_ms > now_ms)
			block_export(blocks->items[i], writer);
	blocks->has_moved = true;
	pthread_mutex_unlock(&blocks->mutex);
}

void blocks_take_back(struct blocks *blocks)
{
	pthread_mutex_lock(&blocks->mutex);
	blocks->has_moved = false;
	pthread_mutex_unlock(&blocks->mutex);
}

static int field_read(struct block *block, uint64_t *bits, const struct state_field *field)
{
	struct block_target *target = &block->target;
	bool is_good;

	switch (field->tag) {
	case TAG_BLOCK_ROUTE:
		is_good = state_text(field, target->route, sizeof(target->route));
		break;
	case TAG_BLOCK_CLIENT_ID:
		is_good = state_text(field, target->client_id, sizeof(target->client_id));
		break;
	case TAG_BLOCK_ADDRESS:
		is_good = state_bytes(field, target->address.ip.bytes,
				      sizeof(target->address.ip.bytes));
		break;
	case TAG_BLOCK_BITS:
		is_good = state_u64_max(field, NET_IP_BITS, bits);
		break;
	case TAG_BLOCK_CHANGED_AT_MS:
		is_good = state_u64(field, &block->changed_at_ms);
		break;
	case TAG_BLOCK_EXPIRES_AT_MS:
		is_good = state_u64(field, &block->expires_at_ms);
		break;
	case TAG_BLOCK_IS_REMOVED:
		is_good = state_flag(field, &block->is_removed);
		break;
	case TAG_BLOCK_REASON:
		is_good = state_text(field, block->reason, sizeof(block->reason));
		break;
	default:
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	}
	return is_good ? 0 : -EBADMSG;
}

static int block_read(struct slice bytes, struct block *block)
{
	struct block_target *target = &block->target;
	struct state_reader reader;
	struct state_field field;
	uint64_t bits = 0;
	int r = 0;

	state_reader_init(&reader, bytes);
	while (r == 0 && state_next(&reader, &field))
		r = field_read(block, &bits, &field);
	if (r < 0)
		return r;
	target->address.bits = (uint8_t)bits;
	target->address.ip = net_ip_cut(&target->address.ip, target->address.bits);
	return reader.is_bad || (target->client_id[0] != 0 && target->route[0] == 0) ? -EBADMSG : 0;
}

/* The process before had room for it, so there is some here. */
static int block_import(struct blocks *blocks, uint64_t now_ms, struct slice bytes)
{
	struct block block = {.id = 0};
	int r = block_read(bytes, &block);

	if (r < 0)
		return r;
	size_t max = blocks->max;

	blocks->max = SIZE_MAX;
	enum block_result result = blocks_apply(blocks, &block, now_ms);

	blocks->max = max;
	return result == BLOCK_NO_MEMORY ? -ENOMEM : 0;
}

int blocks_import(struct blocks *blocks, uint64_t now_ms, struct state_reader *reader)
{
	struct state_field field;
	int r = 0;

	pthread_mutex_lock(&blocks->mutex);
	while (r == 0 && state_next(reader, &field)) {
		if (field.tag == TAG_BLOCK)
			r = block_import(blocks, now_ms, field.value);
		else if (state_must_understand(field.tag))
			r = -ENOTSUP;
	}
	pthread_mutex_unlock(&blocks->mutex);
	return r == 0 && reader->is_bad ? -EBADMSG : r;
}
