/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_peer.h"

#include "base/check.h"
#include "base/unicode.h"

_Static_assert(TLS_PEER_TEXT_MAX <= UINT16_MAX, "a text's place has 16 bits");

/* --- the draft --- */

static bool is_plain(struct slice text)
{
	while (text.len > 0) {
		uint32_t character;
		size_t len = unicode_read(text, &character);

		if (len == 0 || unicode_is_control(character) || unicode_is_deceptive(character))
			return false;
		text = slice_of(text.data + len, text.len - len);
	}
	return true;
}

static bool has_text(const struct tls_peer_draft *draft, int kind)
{
	for (size_t i = 0; i < draft->count; i++)
		if (draft->items[i].kind == kind)
			return true;
	return false;
}

void tls_peer_draft_add(struct tls_peer_draft *draft, int kind, struct slice text)
{
	bool is_name = kind >= TLS_PEER_TEXT_COUNT;

	CHECK(kind >= 0 && kind < TLS_PEER_KIND_COUNT && (is_name || !has_text(draft, kind)));
	size_t room = TLS_PEER_TEXT_MAX - draft->text.len;

	if (text.len == 0 || text.len >= room || !is_plain(text) ||
	    (is_name && draft->name_count == TLS_PEER_NAMES_MAX)) {
		draft->left_out++;
		return;
	}
	uint8_t *to = buf_reserve(&draft->text, text.len + 1, TLS_PEER_TEXT_MAX);

	if (to == NULL) {
		draft->is_out_of_memory = true;
		return;
	}
	memcpy(to, text.data, text.len);
	to[text.len] = 0;
	draft->items[draft->count].at = (uint16_t)draft->text.len;
	draft->items[draft->count++].kind = (uint8_t)kind;
	draft->text.len += text.len + 1;
	draft->name_count += is_name;
}

/* --- the facts --- */

/* The one that text or list of this kind is in. */
static const char **text_of(struct tls_peer_facts *facts, int kind)
{
#define TEXT_CASE(NAME, member) \
	case TLS_PEER_##NAME:   \
		return &facts->member;
	switch (kind) {
		TLS_PEER_TEXTS(TEXT_CASE)
	default:
		return NULL;
	}
}

static struct tls_peer_names *list_of(struct tls_peer_facts *facts, int kind)
{
#define LIST_CASE(NAME, member) \
	case TLS_PEER_##NAME:   \
		return &facts->member;
	switch (kind) {
		TLS_PEER_LISTS(LIST_CASE)
	default:
		return NULL;
	}
}

/* Behind the facts: the pointers to the names, list after list; then the texts. */
static void names_fill(struct tls_peer_facts *facts, const struct tls_peer_draft *draft,
		       const char *text)
{
	const char **next = (const char **)(facts + 1);

	for (int kind = TLS_PEER_TEXT_COUNT; kind < TLS_PEER_KIND_COUNT; kind++) {
		struct tls_peer_names *list = list_of(facts, kind);

		list->items = next;
		for (size_t i = 0; i < draft->count; i++)
			if (draft->items[i].kind == kind)
				*next++ = text + draft->items[i].at;
		list->count = (size_t)(next - list->items);
	}
}

static struct tls_peer_facts *facts_make(const struct tls_peer_draft *draft)
{
	size_t pointers = draft->name_count * sizeof(char *);
	struct tls_peer_facts *facts = calloc(1, sizeof(*facts) + pointers + draft->text.len + 1);

	if (facts == NULL)
		return NULL;
	char *text = (char *)(facts + 1) + pointers;

	if (draft->text.len > 0)
		memcpy(text, draft->text.data, draft->text.len);
	for (size_t i = 0; i < draft->count; i++) {
		const char **to = text_of(facts, draft->items[i].kind);

		if (to != NULL)
			*to = text + draft->items[i].at;
	}
	names_fill(facts, draft, text);
	facts->not_before = draft->not_before;
	facts->not_after = draft->not_after;
	facts->left_out = draft->left_out;
	facts->is_from_proxy = draft->is_from_proxy;
	return facts;
}

struct tls_peer_facts *tls_peer_draft_finish(struct tls_peer_draft *draft)
{
	struct tls_peer_facts *facts = draft->is_out_of_memory ? NULL : facts_make(draft);

	buf_finish(&draft->text);
	*draft = (struct tls_peer_draft){.count = 0};
	return facts;
}

void tls_peer_facts_destroy(struct tls_peer_facts **facts)
{
	free(*facts);
	*facts = NULL;
}
