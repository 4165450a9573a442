/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"

static char lower(uint8_t byte)
{
	return (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
}

/* Insertions, deletions and replacements (Levenshtein), letter case ignored. */
static size_t distance_between(struct slice seen, const char *name, size_t name_len)
{
	size_t row[SUGGEST_BYTES];

	for (size_t j = 0; j <= name_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= seen.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= name_len; j++) {
			size_t is_other = lower(seen.data[i - 1]) != lower((uint8_t)name[j - 1]);
			size_t replaced = diagonal + is_other;

			diagonal = row[j];
			row[j] = MIN(replaced, 1 + MIN(row[j], row[j - 1]));
		}
	}
	return row[name_len];
}

void suggest_offer(struct suggest *suggest, const char *name)
{
	size_t name_len = strlen(name);

	if (name_len >= SUGGEST_BYTES || suggest->seen.len >= SUGGEST_BYTES)
		return;
	size_t distance = distance_between(suggest->seen, name, name_len);

	/* A third of the letters may be wrong; more is another word. */
	if (distance > MAX(name_len, suggest->seen.len) / 3)
		return;
	if (suggest->best[0] != 0 && suggest->distance <= distance)
		return;
	memcpy(suggest->best, name, name_len + 1);
	suggest->distance = distance;
}

char *suggest_hint(const struct suggest *suggest, char out[SUGGEST_HINT_MAX])
{
	out[0] = 0;
	if (suggest->best[0] != 0)
		snprintf(out, SUGGEST_HINT_MAX, "; did you mean %s?", suggest->best);
	return out;
}
