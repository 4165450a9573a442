/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdio.h>

#include "auth/certificate_map.h"
#include "tls/tls_peer.h"

/* The first line is a certificate that is looked for, the others are the file. */

static const char *find(const struct certificate_map *map, const char *certificate)
{
	const struct tls_peer_facts by_hash = {.fingerprint = certificate};
	const struct tls_peer_facts by_subject = {.subject = certificate};
	const char *id = certificate_map_find(map, &by_hash);

	CHECK(id == certificate_map_find(map, &by_subject));
	return id;
}

static struct certificate_map *parse(struct slice text)
{
	struct certificate_map *map = NULL;
	struct certificate_map_error error = {.text = ""};
	uint8_t *copy = fuzz_copy(text.data, text.len);
	int r = certificate_map_parse("map", slice_of(copy, text.len), &map, &error);

	free(copy);
	CHECK((r == 0) == (map != NULL) && (r == 0) == (error.text[0] == 0));
	return map;
}

/* A line for what was not there makes it found, and changes nothing else. */
static void addition_check(struct slice text, const char *wanted)
{
	static const char added[] = "\nCN=added by the fuzzer => somebody\n";
	uint8_t *longer = malloc(text.len + sizeof(added));

	CHECK(longer != NULL);
	if (text.len > 0)
		memcpy(longer, text.data, text.len);
	memcpy(longer + text.len, added, sizeof(added) - 1);
	struct certificate_map *before = parse(text);
	struct certificate_map *after = parse(slice_of(longer, text.len + sizeof(added) - 1));

	if (before != NULL && after != NULL) {
		const char *one = find(before, wanted), *two = find(after, wanted);

		CHECK(certificate_map_count(after) == certificate_map_count(before) + 1);
		CHECK(strcmp(find(after, "CN=added by the fuzzer"), "somebody") == 0);
		CHECK((one == NULL) == (two == NULL) && (one == NULL || strcmp(one, two) == 0));
	}
	certificate_map_unref(&before);
	certificate_map_unref(&after);
	free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size), line;

	if (size == 0 || !slice_next(&text, '\n', &line) || text.data == NULL)
		return 0;
	char *wanted = slice_to_text(line);

	CHECK(wanted != NULL);
	addition_check(text, wanted);
	free(wanted);
	return 0;
}
