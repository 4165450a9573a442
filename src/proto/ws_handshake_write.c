/* SPDX-License-Identifier: Apache-2.0
 * ws_handshake_write.c - the writing half of ws_handshake.h, for both sides, and the hash that
 * ties them. */
#include "proto/ws_handshake.h"

#include <openssl/evp.h>
#include <pthread.h>

#include "base/check.h"

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, 1.3 */
#define SHA1_LEN    20
#define NONCE_LEN   16

/* EVP_sha1() would look the algorithm up again with each digest, which costs more
 * than the digest. Kept for the life of the process. */
static EVP_MD *sha1;
static pthread_once_t sha1_once = PTHREAD_ONCE_INIT;

static void sha1_fetch(void)
{
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	CHECK(sha1 != NULL);
}

void ws_handshake_prepare(void)
{
	char accept[WS_ACCEPT_LEN];

	ws_accept_value(SLICE_LITERAL("dGhlIHNhbXBsZSBub25jZQ=="), accept);
	CHECK(memcmp(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_LEN) == 0);
}

void ws_accept_value(struct slice key, char out[WS_ACCEPT_LEN])
{
	uint8_t input[WS_KEY_LEN + sizeof(ACCEPT_GUID) - 1];
	uint8_t digest[SHA1_LEN];
	uint8_t text[WS_ACCEPT_LEN + 1]; /* EVP_EncodeBlock ends with a NUL */

	CHECK(key.len == WS_KEY_LEN);
	memcpy(input, key.data, WS_KEY_LEN);
	memcpy(input + WS_KEY_LEN, ACCEPT_GUID, sizeof(ACCEPT_GUID) - 1);
	CHECK(pthread_once(&sha1_once, sha1_fetch) == 0);
	CHECK(EVP_Digest(input, sizeof(input), digest, NULL, sha1, NULL) == 1);
	EVP_EncodeBlock(text, digest, SHA1_LEN);
	memcpy(out, text, WS_ACCEPT_LEN);
}

/* Appends as long as there is room; one test at the end tells. */
struct writer {
	char *out;
	size_t size;
	size_t len; /* [bytes] wanted so far; over `size`: cut */
};

static void put(struct writer *writer, struct slice text)
{
	if (writer->len <= writer->size && text.len <= writer->size - writer->len)
		memcpy(writer->out + writer->len, text.data, text.len);
	writer->len += text.len;
}

static void put_text(struct writer *writer, const char *text)
{
	put(writer, slice_from_text(text));
}

static void put_field(struct writer *writer, const char *name, struct slice value)
{
	put_text(writer, name);
	put(writer, SLICE_LITERAL(": "));
	put(writer, value);
	put(writer, SLICE_LITERAL("\r\n"));
}

/* NULL: none. */
static void put_text_field(struct writer *writer, const char *name, const char *value)
{
	if (value != NULL)
		put_field(writer, name, slice_from_text(value));
}

static size_t written(const struct writer *writer)
{
	return writer->len <= writer->size ? writer->len : 0;
}

size_t ws_response_write(char *out, size_t size, struct slice key,
			 const struct ws_response *response)
{
	struct writer writer = {.out = out, .size = size};
	char accept[WS_ACCEPT_LEN];

	ws_accept_value(key, accept);
	put(&writer, SLICE_LITERAL("HTTP/1.1 101 Switching Protocols\r\n"
				   "Upgrade: websocket\r\n"
				   "Connection: Upgrade\r\n"));
	put_field(&writer, "Sec-WebSocket-Accept", slice_of(accept, sizeof(accept)));
	put_text_field(&writer, "Sec-WebSocket-Protocol", response->subprotocol);
	put_text_field(&writer, "Sec-WebSocket-Extensions", response->extensions);
	put_text_field(&writer, "Date", response->date);
	put(&writer, SLICE_LITERAL("\r\n"));
	return written(&writer);
}

size_t ws_request_write(char *out, size_t size, const struct ws_request *request,
			const uint8_t nonce[16], char out_key[WS_KEY_LEN])
{
	struct writer writer = {.out = out, .size = size};
	uint8_t key[WS_KEY_LEN + 1]; /* EVP_EncodeBlock ends with a NUL */

	EVP_EncodeBlock(key, nonce, NONCE_LEN);
	put(&writer, SLICE_LITERAL("GET "));
	put_text(&writer, request->target);
	put(&writer, SLICE_LITERAL(" HTTP/1.1\r\n"));
	put_field(&writer, "Host", slice_from_text(request->host));
	put(&writer, SLICE_LITERAL("Upgrade: websocket\r\n"
				   "Connection: Upgrade\r\n"
				   "Sec-WebSocket-Version: 13\r\n"));
	put_field(&writer, "Sec-WebSocket-Key", slice_of(key, WS_KEY_LEN));
	put_text_field(&writer, "Sec-WebSocket-Protocol", request->subprotocols);
	put_text_field(&writer, "Sec-WebSocket-Extensions", request->extensions);
	if (request->headers != NULL)
		put_text(&writer, request->headers);
	put(&writer, SLICE_LITERAL("\r\n"));
	if (written(&writer) > 0)
		memcpy(out_key, key, WS_KEY_LEN);
	return written(&writer);
}
