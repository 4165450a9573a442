/* SPDX-License-Identifier: Apache-2.0
 * tls_handover.c - the fields of a stream, and a stream of fields.
 *
 * What comes in is from a process of ours, of another version perhaps: it is refused where it could
 * not be the state of a stream, so that nothing behind it needs to ask again. */
#include "tls/tls_handover.h"

#include <errno.h>

#include "base/bytes.h"
#include "tls/tls_memory.h"
#include "tls/tls_stream_private.h"
#include "tls/tls_records_private.h"

/* Each is what the field of struct tls_records or tls_stream is. For ever. */
enum stream_tag {
	TAG_SUITE = 1,
	TAG_IS_SERVER = 2,
	TAG_OPEN = 3, /* a record of half_tag */
	TAG_SEAL = 4,
	TAG_TEXT_MAX = 5, /* not there: TLS_RECORD_TEXT */
	TAG_MESSAGE = 6,
	TAG_MESSAGE_MISSING = 7,
	TAG_IDLE_COUNT = 8,
	TAG_OWES_UPDATE = 9,
	TAG_HAS_ENDED = 10,
	TAG_HAS_EOF = 11,
	TAG_HELD = 12,
};

enum half_tag {
	TAG_KEY = 1,
	TAG_IV = 2,
	TAG_SEQUENCE = 3,
	TAG_SECRET = 4, /* TLS 1.3 */
};

/* --- out --- */

static void half_put(struct state_writer *writer, uint16_t tag, struct tls_records *records,
		     const struct tls_half *half)
{
	const struct tls_suite *suite = records->suite;
	size_t record = state_begin(writer, tag);

	state_put_bytes(writer, TAG_KEY, slice_of(tls_half_key(records, half), suite->key_len));
	state_put_bytes(writer, TAG_IV, slice_of(half->iv, TLS_IV_LEN));
	state_put_u64(writer, TAG_SEQUENCE, half->sequence);
	if (suite->is_tls13)
		state_put_bytes(writer, TAG_SECRET,
				slice_of(tls_half_secret(records, half), suite->secret_len));
	state_end(writer, record);
}

static void records_put(struct state_writer *writer, struct tls_records *records)
{
	state_put_u64(writer, TAG_SUITE, records->suite->id);
	state_put_flag(writer, TAG_IS_SERVER, records->is_server);
	half_put(writer, TAG_OPEN, records, &records->open);
	half_put(writer, TAG_SEAL, records, &records->seal);
	if (records->text_max != TLS_RECORD_TEXT)
		state_put_u64(writer, TAG_TEXT_MAX, records->text_max);
	if (records->message_len > 0)
		state_put_bytes(writer, TAG_MESSAGE,
				slice_of(records->message, records->message_len));
	if (records->message_missing > 0)
		state_put_u64(writer, TAG_MESSAGE_MISSING, records->message_missing);
	if (records->idle_count > 0)
		state_put_u64(writer, TAG_IDLE_COUNT, records->idle_count);
	state_put_flag(writer, TAG_OWES_UPDATE, records->owes_update);
}

int tls_stream_export(struct tls_stream *stream, struct state_writer *writer)
{
	if (stream->records == NULL || stream->has_failed)
		return -EBUSY;
	CHECK(stream->is_ready && stream->shake == NULL);
	records_put(writer, stream->records);
	state_put_flag(writer, TAG_HAS_ENDED, stream->has_ended);
	state_put_flag(writer, TAG_HAS_EOF, stream->has_stopped);
	if (stream->held != NULL && stream->held->len > 0)
		state_put_bytes(writer, TAG_HELD, buf_slice(stream->held));
	if (writer->error == 0)
		stream->is_at_rest = true;
	return writer->error;
}

void tls_stream_rouse(struct tls_stream *stream)
{
	stream->is_at_rest = false;
}

bool tls_stream_has_ended(const struct tls_stream *stream)
{
	return stream->has_ended;
}

bool tls_stream_has_stopped(const struct tls_stream *stream)
{
	return stream->has_stopped;
}

/* --- in --- */

struct half_draft {
	struct slice key, iv, secret;
	uint64_t sequence;
};

struct draft {
	const struct tls_suite *suite; /* NULL: none was named */
	struct half_draft open, seal;
	struct slice message, held;
	uint64_t text_max, message_missing, idle_count;
	bool is_server, owes_update, has_ended, has_eof;
};

static bool half_read(struct slice bytes, struct half_draft *half)
{
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	state_reader_init(&reader, bytes);
	while (is_good && state_next(&reader, &field)) {
		switch (field.tag) {
		case TAG_KEY:
			half->key = field.value;
			break;
		case TAG_IV:
			half->iv = field.value;
			break;
		case TAG_SECRET:
			half->secret = field.value;
			break;
		case TAG_SEQUENCE:
			is_good = state_u64_max(&field, TLS_WORN_OUT_AT - 1, &half->sequence);
			break;
		default:
			is_good = !state_must_understand(field.tag);
		}
	}
	return is_good && !reader.is_bad;
}

static bool suite_read(const struct state_field *field, struct draft *draft)
{
	uint64_t id;

	if (!state_u64_max(field, UINT16_MAX, &id))
		return false;
	draft->suite = tls_suite_find((uint16_t)id);
	return draft->suite != NULL;
}

static bool field_read(const struct state_field *field, struct draft *draft)
{
	switch (field->tag) {
	case TAG_SUITE:
		return suite_read(field, draft);
	case TAG_IS_SERVER:
		return state_flag(field, &draft->is_server);
	case TAG_OPEN:
		return half_read(field->value, &draft->open);
	case TAG_SEAL:
		return half_read(field->value, &draft->seal);
	case TAG_TEXT_MAX:
		return state_u64_max(field, TLS_RECORD_TEXT, &draft->text_max) &&
		       draft->text_max > 0;
	case TAG_MESSAGE:
		draft->message = field->value;
		return field->value.len <= TLS_MESSAGE_HEAD;
	case TAG_MESSAGE_MISSING:
		return state_u64_max(field, UINT16_MAX, &draft->message_missing);
	case TAG_IDLE_COUNT:
		return state_u64_max(field, TLS_IDLE_MAX, &draft->idle_count);
	case TAG_OWES_UPDATE:
		return state_flag(field, &draft->owes_update);
	case TAG_HAS_ENDED:
		return state_flag(field, &draft->has_ended);
	case TAG_HAS_EOF:
		return state_flag(field, &draft->has_eof);
	case TAG_HELD:
		draft->held = field->value;
		return field->value.len < TLS_RECORD_MAX;
	default:
		return !state_must_understand(field->tag);
	}
}

static bool half_is_whole(const struct half_draft *half, const struct tls_suite *suite)
{
	return half->key.len == suite->key_len && half->iv.len == TLS_IV_LEN &&
	       half->secret.len == (suite->is_tls13 ? suite->secret_len : 0);
}

/* A message whose head is there has a body to come, which tls_open would have taken at once if
 * there were none. */
static bool message_is_possible(const struct draft *draft)
{
	if (draft->message.len < TLS_MESSAGE_HEAD)
		return draft->message_missing == 0;
	const uint8_t *head = draft->message.data;

	return tls_message_is_allowed(draft->suite, draft->is_server, head) &&
	       draft->message_missing > 0 && draft->message_missing <= be_read(head + 1, 3);
}

static bool draft_is_whole(const struct draft *draft)
{
	const struct tls_suite *suite = draft->suite;

	return suite != NULL && half_is_whole(&draft->open, suite) &&
	       half_is_whole(&draft->seal, suite) && message_is_possible(draft) &&
	       !(draft->owes_update && !suite->is_tls13) &&
	       !(draft->has_eof && draft->held.len > 0);
}

static void half_fill(struct tls_records *records, struct tls_half *half,
		      const struct half_draft *draft)
{
	memcpy(tls_half_key(records, half), draft->key.data, draft->key.len);
	memcpy(half->iv, draft->iv.data, TLS_IV_LEN);
	half->sequence = draft->sequence;
	if (records->suite->is_tls13)
		memcpy(tls_half_secret(records, half), draft->secret.data, draft->secret.len);
}

/* NULL: memory is out. */
static struct tls_records *records_make(const struct draft *draft)
{
	size_t size = tls_records_size(draft->suite);
	struct tls_records *records = tls_memory_get(size);

	if (records == NULL)
		return NULL;
	memset(records, 0, size);
	records->suite = draft->suite;
	records->is_server = draft->is_server;
	half_fill(records, &records->open, &draft->open);
	half_fill(records, &records->seal, &draft->seal);
	records->text_max = (uint16_t)draft->text_max;
	records->message_len = (uint8_t)draft->message.len;
	if (draft->message.len > 0)
		memcpy(records->message, draft->message.data, draft->message.len);
	records->message_missing = (uint32_t)draft->message_missing;
	records->idle_count = (uint8_t)draft->idle_count;
	records->owes_update = draft->owes_update;
	records->has_ended = draft->has_ended;
	records->has_eof = draft->has_eof;
	return records;
}

int tls_stream_import(struct state_reader *reader, struct tls_stream **out_stream)
{
	struct draft draft = {.text_max = TLS_RECORD_TEXT};
	struct state_field field;

	while (state_next(reader, &field))
		if (!field_read(&field, &draft))
			return -EPROTO;
	if (reader->is_bad || !draft_is_whole(&draft))
		return -EPROTO;
	struct tls_stream *stream = tls_memory_get(sizeof(*stream));

	if (stream == NULL)
		return -ENOMEM;
	*stream = (struct tls_stream){
		.records = records_make(&draft),
		.is_server = draft.is_server,
		.is_ready = true,
		.has_stopped = draft.has_eof,
		.has_ended = draft.has_ended,
		.is_at_rest = true,
	};
	if (stream->records == NULL || !tls_stream_hold(stream, draft.held)) {
		tls_stream_destroy(&stream);
		return -ENOMEM;
	}
	*out_stream = stream;
	return 0;
}
