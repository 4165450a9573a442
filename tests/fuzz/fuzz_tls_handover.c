/* SPDX-License-Identifier: Apache-2.0
 * fuzz_tls_handover.c - any bytes as the state of a stream: what is taken for one comes out again
 * as the same bytes each time, seals what its own keys open, and bears whatever a peer sends. */
#include "fuzz.h"

#include <errno.h>

#include "tls/tls_handover.h"
#include "tls/tls_records.h"

#define ROOMY 100000

static struct tls_crypt *crypt;

static struct tls_stream *import(struct slice bytes)
{
	uint8_t *exact = fuzz_copy(bytes.data, bytes.len);
	struct tls_stream *stream = NULL;
	struct state_reader reader;

	state_reader_init(&reader, slice_of(exact, bytes.len));
	int r = tls_stream_import(&reader, &stream);

	CHECK((r == 0) == (stream != NULL));
	free(exact);
	return stream;
}

static struct buf exported(struct tls_stream *stream)
{
	struct buf buf = {0};
	struct state_writer writer;

	state_writer_init(&writer, &buf, ROOMY);
	CHECK(tls_stream_export(stream, &writer) == 0);
	return buf;
}

/* The input again, as what the peer sends. */
static void use(struct tls_stream *stream, struct slice bytes)
{
	static uint8_t out[2 * TLS_OPEN_ROOM];
	struct buf sent = {0};
	enum tls_stream_result r = TLS_STREAM_OK;

	tls_stream_rouse(stream);
	int sealed = tls_stream_send(stream, crypt, SLICE_LITERAL("text"), &sent);

	CHECK(sealed == 0 || sealed == -EPIPE || sealed == -EOVERFLOW);
	while (r == TLS_STREAM_OK && bytes.len > 0 && sealed == 0) {
		size_t used, len;

		r = tls_stream_recv(stream, crypt, bytes, &used, out, sizeof(out), &len, &sent);
		CHECK(used <= bytes.len && (used > 0 || r != TLS_STREAM_OK));
		bytes = slice_of(bytes.data + used, bytes.len - used);
	}
	if (sealed == 0)
		(void)tls_stream_end(stream, crypt, &sent);
	buf_finish(&sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_stream *stream = import(slice_of(data, size));

	if (crypt == NULL)
		crypt = tls_crypt_create();
	if (stream == NULL)
		return 0;
	struct buf first = exported(stream);
	struct tls_stream *copy = import(buf_slice(&first));

	CHECK(copy != NULL);
	struct buf second = exported(copy);

	CHECK(slice_equals(buf_slice(&first), buf_slice(&second)));
	if (!tls_stream_has_stopped(stream))
		use(stream, slice_of(data, size));
	state_wipe(&first);
	state_wipe(&second);
	tls_stream_destroy(&stream);
	tls_stream_destroy(&copy);
	return 0;
}
