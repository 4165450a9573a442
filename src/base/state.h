/* SPDX-License-Identifier: Apache-2.0
 * state.h - state that one process hands to the next: fields of tag, length and value.
 *
 * Layer: base. Not thread-safe. A field is a tag (u16), a length in bytes (u32) and so many bytes;
 * all numbers are little endian. A value may itself be fields. So that an older and a newer version
 * understand each other:
 *
 * - a field that is not there stands for its default;
 * - a tag that the reader does not know is passed over, unless its highest bit is set
 *   (STATE_MUST): then what it belongs to means something else than the reader thinks, and is
 *   refused;
 * - the same tag may come several times, in an order that counts: that is a list;
 * - a tag keeps its meaning for ever, and one that is given up is not used again.
 *
 * docs/decisions/0020 says why. There may be keys in it: memory that is outgrown is overwritten,
 * and state_wipe is how a buffer ends. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

#define STATE_MUST 0x8000 /* a tag with this bit must be understood */
#define STATE_HEAD 6      /* [bytes] of a field before its value */

/* --- writing --- */

/* What goes wrong is kept, and whatever is written after it is left out: so one look at `error` in
 * the end is enough. */
struct state_writer {
	struct buf *out;
	size_t max; /* [bytes] that `out` may have */
	int error;  /* 0, -ENOMEM, -EMSGSIZE: over `max` */
};

/* Appends to `out`. */
void state_writer_init(struct state_writer *writer, struct buf *out, size_t max);

/* In as few bytes as it needs: 0 has none. */
void state_put_u64(struct state_writer *writer, uint16_t tag, uint64_t value);
void state_put_bytes(struct state_writer *writer, uint16_t tag, struct slice bytes);
/* False, NULL: the field is left out. */
void state_put_flag(struct state_writer *writer, uint16_t tag, bool value);
void state_put_text(struct state_writer *writer, uint16_t tag, const char *text);

/* Room for a value of `len` bytes, all of which the caller fills in before the next call; NULL: see
 * `error`. */
uint8_t *state_put_room(struct state_writer *writer, uint16_t tag, size_t len);

/* What is put between the two is the value of one field. `begun` is what state_begin returned. */
size_t state_begin(struct state_writer *writer, uint16_t tag);
void state_end(struct state_writer *writer, size_t begun);

/* Overwrites the buffer, also what lies behind its bytes and was taken back, and frees it. */
void state_wipe(struct buf *buf);

/* --- reading --- */

struct state_field {
	uint16_t tag;
	struct slice value; /* lies in what is read */
};

struct state_reader {
	struct slice rest;
	bool is_bad; /* what is there is no field */
};

void state_reader_init(struct state_reader *reader, struct slice bytes);

/* The next field; false at the end, or if `is_bad`. */
bool state_next(struct state_reader *reader, struct state_field *out_field);

/* False, with nothing written: longer than 8 bytes. */
bool state_u64(const struct state_field *field, uint64_t *out_value);

/* False, with nothing written: more than `max`; neither 0 nor 1. */
bool state_u64_max(const struct state_field *field, uint64_t max, uint64_t *out_value);
bool state_flag(const struct state_field *field, bool *out_value);

/* Of other lengths nothing is written. A text that is not empty, and has no zero, in `size` bytes
 * with its end; exactly `len` bytes. */
bool state_text(const struct state_field *field, char *out_text, size_t size);
bool state_bytes(const struct state_field *field, uint8_t *out_bytes, size_t len);

bool state_must_understand(uint16_t tag);
