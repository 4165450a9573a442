/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <openssl/err.h>

#include "base/unicode.h"
#include "tls/tls_peer.h"

/* What may be compared with an identity: UTF-8 and nothing that is not seen. */
static size_t text_check(const char *text)
{
	struct slice rest = text == NULL ? (struct slice){0} : slice_from_text(text);

	CHECK(text == NULL || rest.len > 0);
	while (rest.len > 0) {
		uint32_t character;
		size_t len = unicode_read(rest, &character);

		CHECK(len > 0 && !unicode_is_control(character) &&
		      !unicode_is_deceptive(character));
		rest = slice_of(rest.data + len, rest.len - len);
	}
	return text == NULL ? 0 : strlen(text) + 1;
}

static size_t names_check(const struct tls_peer_names *names, size_t *total)
{
	size_t size = 0;

	for (size_t i = 0; i < names->count; i++) {
		CHECK(names->items[i] != NULL);
		size += text_check(names->items[i]);
	}
	*total += names->count;
	return size;
}

static void facts_check(const struct tls_peer_facts *facts)
{
	size_t names = 0;
	size_t size = text_check(facts->subject) + text_check(facts->issuer) +
		      text_check(facts->common_name) + text_check(facts->serial) +
		      text_check(facts->fingerprint);

	size += names_check(&facts->dns, &names) + names_check(&facts->uris, &names) +
		names_check(&facts->ips, &names) + names_check(&facts->emails, &names);
	CHECK(size <= TLS_PEER_TEXT_MAX && names <= TLS_PEER_NAMES_MAX);
	CHECK(strlen(facts->fingerprint) == 64);
	CHECK(!facts->is_from_proxy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_peer_facts *facts = NULL;
	uint8_t *copy = fuzz_copy(data, size);
	int r = tls_peer_facts_read(slice_of(copy, size), &facts);

	free(copy);
	CHECK((r == 0) == (facts != NULL));
	CHECK(ERR_peek_error() == 0);
	if (facts != NULL)
		facts_check(facts);
	tls_peer_facts_destroy(&facts);
	return 0;
}
