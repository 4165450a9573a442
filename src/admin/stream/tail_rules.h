/* SPDX-License-Identifier: Apache-2.0
 * tail_rules.h - how much of a message whoever watches may see: admin.tail_bodies and tail_redact.
 *
 * Layer: admin. */
#pragma once

#include "config/config.h"
#include "proto/json_redact.h"

/* What is always redacted: names of what OCPP, and most other APIs, must keep secret. */
#define TAIL_RULES_BUILT_IN                                                                    \
	"*password*", "*passwd*", "pwd", "*passphrase*", "*secret*", "*credential*", "*token", \
		"*authorization", "authorizationkey", "*apikey", "*api_key", "*api-key",       \
		"*accesskey", "*access_key", "*access-key", "*cookie", "jwt", "idtag",         \
		"parentidtag", "pin", "*privatekey", "*private_key", "*private-key",           \
		"*private key"

struct tail_rules {
	enum config_tail_bodies bodies;
	struct json_redact_rules redact; /* bodies: redacted */
};

void tail_rules_make(const struct config_admin *config, struct tail_rules *out_rules);

/* Do both show the same? */
bool tail_rules_are_equal(const struct tail_rules *one, const struct tail_rules *other);

const char *tail_bodies_label(enum config_tail_bodies bodies);

/* Why a body is not shown. */
enum tail_withheld {
	TAIL_SHOWN,
	TAIL_WITHHELD_OFF,
	TAIL_WITHHELD_BINARY,
	TAIL_WITHHELD_NOT_JSON,
	TAIL_WITHHELD_TOO_LARGE,
	TAIL_WITHHELD_TOO_MUCH,
};

/* "binary"; NULL: it is shown. */
const char *tail_withheld_label(enum tail_withheld withheld);

/* Writes so much of a message as may be seen and fits into `max` bytes. `room` as in json_redact.h;
 * *out_done is zero if it is withheld. */
enum tail_withheld tail_rules_show(const struct tail_rules *rules, bool is_text, struct slice body,
				   uint8_t *room, uint8_t *out, size_t max,
				   struct json_redacted *out_done);

/* The reason in a close frame, which is no JSON as a rule. */
bool tail_rules_show_reason(const struct tail_rules *rules, struct slice reason);
