/* SPDX-License-Identifier: Apache-2.0
 * config_words.c - values that are one word of some, or a set of them. */
#include "base/suggest.h"
#include "config/config_option.h"

bool config_word_parse(const char *const *words, struct slice text, unsigned *out_value,
		       struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX], allowed[CONFIG_ALLOWED_MAX], hint[SUGGEST_HINT_MAX];
	struct suggest suggest = {.seen = text};

	for (unsigned int i = 0; words[i] != NULL; i++) {
		if (slice_equals(text, slice_from_text(words[i]))) {
			*out_value = i;
			return true;
		}
		suggest_offer(&suggest, words[i]);
	}
	config_words_print(words, allowed, sizeof(allowed));
	config_problem_set(out_problem, "%s is unknown; known: %s%s", config_quote(text, seen),
			   allowed, suggest_hint(&suggest, hint));
	return false;
}
