/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/stream/tail_rules.h"

#include <string.h>

#include "base/check.h"

static const char *const built_in[] = {TAIL_RULES_BUILT_IN};

/* Of tail_redact (config_table.h). */
#define CONFIGURED_MAX 32

_Static_assert(ARRAY_LEN(built_in) + CONFIGURED_MAX <= JSON_REDACT_RULES_MAX, "all have room");

void tail_rules_make(const struct config_admin *config, struct tail_rules *out_rules)
{
	*out_rules = (struct tail_rules){0};
	out_rules->bodies = config->tail_bodies;
	if (config->tail_bodies != CONFIG_TAIL_BODIES_REDACTED)
		return;
	for (size_t i = 0; i < ARRAY_LEN(built_in); i++)
		CHECK(json_redact_add(&out_rules->redact, slice_from_text(built_in[i])));
	for (size_t i = 0; i < config->tail_redact.count; i++) /* the configuration has checked */
		CHECK(json_redact_add(&out_rules->redact,
				      slice_from_text(config->tail_redact.items[i])));
}

static bool is_same_rule(const struct json_redact_rule *one, const struct json_redact_rule *other)
{
	return one->len == other->len && one->may_begin == other->may_begin &&
	       one->may_end == other->may_end && memcmp(one->name, other->name, one->len) == 0;
}

bool tail_rules_are_equal(const struct tail_rules *one, const struct tail_rules *other)
{
	if (one->bodies != other->bodies || one->redact.count != other->redact.count)
		return false;
	for (size_t i = 0; i < one->redact.count; i++)
		if (!is_same_rule(&one->redact.items[i], &other->redact.items[i]))
			return false;
	return true;
}

const char *tail_bodies_label(enum config_tail_bodies bodies)
{
	static const char *const labels[] = {[CONFIG_TAIL_BODIES_REDACTED] = "redacted",
					     [CONFIG_TAIL_BODIES_OFF] = "off",
					     [CONFIG_TAIL_BODIES_PLAIN] = "plain"};

	return labels[bodies];
}

const char *tail_withheld_label(enum tail_withheld withheld)
{
	static const char *const labels[] = {
		[TAIL_SHOWN] = NULL,
		[TAIL_WITHHELD_OFF] = "tail_bodies",
		[TAIL_WITHHELD_BINARY] = "binary",
		[TAIL_WITHHELD_NOT_JSON] = "not_json",
		[TAIL_WITHHELD_TOO_LARGE] = "too_large",
		[TAIL_WITHHELD_TOO_MUCH] = "too_much",
	};

	return labels[withheld];
}

static enum tail_withheld show_redacted(const struct tail_rules *rules, struct slice body,
					uint8_t *room, uint8_t *out, size_t max,
					struct json_redacted *out_done)
{
	switch (json_redact(&rules->redact, body, room, out, max, out_done)) {
	case JSON_REDACT_DONE:
		return TAIL_SHOWN;
	case JSON_REDACT_TOO_LARGE:
		return TAIL_WITHHELD_TOO_LARGE;
	case JSON_REDACT_TOO_MUCH:
		return TAIL_WITHHELD_TOO_MUCH;
	case JSON_REDACT_NOT_JSON:
		break;
	}
	return TAIL_WITHHELD_NOT_JSON;
}

enum tail_withheld tail_rules_show(const struct tail_rules *rules, bool is_text, struct slice body,
				   uint8_t *room, uint8_t *out, size_t max,
				   struct json_redacted *out_done)
{
	*out_done = (struct json_redacted){0};
	if (rules->bodies == CONFIG_TAIL_BODIES_OFF)
		return TAIL_WITHHELD_OFF;
	if (rules->bodies == CONFIG_TAIL_BODIES_REDACTED)
		return is_text ? show_redacted(rules, body, room, out, max, out_done)
			       : TAIL_WITHHELD_BINARY;
	size_t len = is_text ? json_redact_fit(body, max) : MIN(body.len, max);

	if (len > 0)
		memcpy(out, body.data, len);
	*out_done = (struct json_redacted){.len = len, .is_cut = len < body.len};
	return TAIL_SHOWN;
}

bool tail_rules_show_reason(const struct tail_rules *rules, struct slice reason)
{
	switch (rules->bodies) {
	case CONFIG_TAIL_BODIES_OFF:
		return false;
	case CONFIG_TAIL_BODIES_REDACTED:
		return !json_redact_mentions(&rules->redact, reason);
	case CONFIG_TAIL_BODIES_PLAIN:
		break;
	}
	return true;
}
