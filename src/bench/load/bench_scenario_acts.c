/* SPDX-License-Identifier: Apache-2.0
 * bench_scenario_acts.c - the acts of a scenario: a list of mappings, each with `at`, one of
 * `call`, `await` and `hook`, and perhaps `within` and `body`. */
#include "bench/load/bench_scenario_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/suggest.h"
#include "base/units.h"

/* What one mapping has said so far. */
struct draft {
	struct bench_act act;
	bool has_at, has_kind;
};

/* A bare number is in seconds. */
static int time_take(const struct bench_reader *reader, const char *key, const yaml_node_t *node,
		     uint64_t min_ms, uint64_t max_ms, uint64_t *out_ms)
{
	struct slice text = slice_from_text(bench_reader_text(node));
	uint64_t ms, seconds;
	bool is_bare = units_parse_count(text, &seconds) == UNITS_OK;
	enum units_result r = is_bare ? UNITS_OK : units_parse_duration_ms(text, &ms);

	if (is_bare)
		ms = MIN(seconds, max_ms) * 1000;
	if (r != UNITS_OK)
		return bench_reader_fail(reader, node->start_mark, "%s: '%s' %s", key,
					 bench_reader_text(node), units_explain(r, "duration"));
	if (ms < min_ms || ms > max_ms)
		return bench_reader_fail(reader, node->start_mark, "%s: %s is not in %lu..%lu ms",
					 key, bench_reader_text(node), (unsigned long)min_ms,
					 (unsigned long)max_ms);
	*out_ms = ms;
	return 0;
}

/* A time, or a share of the hold. */
static int at_take(const struct bench_reader *reader, const yaml_node_t *node, struct draft *draft)
{
	const char *text = bench_reader_text(node);
	size_t digits = strspn(text, "0123456789.");
	char *end;

	draft->has_at = true;
	if (strcmp(text + digits, "%") != 0)
		return time_take(reader, "at", node, 0, UINT64_C(31536000000), &draft->act.at_ms);
	draft->act.at_percent = strtod(text, &end);
	if (digits == 0 || end != text + digits || !(draft->act.at_percent < 100))
		return bench_reader_fail(reader, node->start_mark,
					 "at: '%s' is not a share of the hold such as 25%%", text);
	return 0;
}

static int kind_take(const struct bench_reader *reader, enum bench_act_kind kind,
		     const yaml_node_t *key, const yaml_node_t *node, struct draft *draft)
{
	struct bench_act_target ignored;

	if (draft->has_kind)
		return bench_reader_fail(reader, key->start_mark,
					 "'%s' and '%s' in one act: give each an act of its own",
					 bench_act_kind_name(draft->act.kind),
					 bench_act_kind_name(kind));
	draft->has_kind = true;
	draft->act.kind = kind;
	draft->act.text = bench_reader_text(node);
	const char *problem = bench_act_parse(&draft->act, &ignored);

	return problem == NULL
		       ? 0
		       : bench_reader_fail(reader, node->start_mark, "%s: '%.100s' %s",
					   bench_act_kind_name(kind), draft->act.text, problem);
}

static int unknown_key(const struct bench_reader *reader, const yaml_node_t *key)
{
	static const char *const known[] = {"at", "call", "await", "hook", "within", "body"};
	struct suggest suggest = {
		.seen = slice_of(key->data.scalar.value, key->data.scalar.length)};
	char hint[SUGGEST_HINT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		suggest_offer(&suggest, known[i]);
	return bench_reader_fail(reader, key->start_mark,
				 "an act has no '%.64s'%s; it has at, one of call, await and hook, "
				 "within and body",
				 bench_reader_text(key), suggest_hint(&suggest, hint));
}

static int pair_take(const struct bench_reader *reader, const yaml_node_t *key,
		     const yaml_node_t *node, struct draft *draft)
{
	const char *name = bench_reader_text(key);
	int r = bench_reader_scalar(reader, name, node);

	if (r < 0)
		return r;
	for (int kind = 0; kind < BENCH_ACT_KINDS; kind++)
		if (strcmp(name, bench_act_kind_name((enum bench_act_kind)kind)) == 0)
			return kind_take(reader, (enum bench_act_kind)kind, key, node, draft);
	if (strcmp(name, "at") == 0)
		return at_take(reader, node, draft);
	if (strcmp(name, "within") == 0)
		return time_take(reader, name, node, 1, BENCH_ACT_WITHIN_MAX_MS,
				 &draft->act.within_ms);
	if (strcmp(name, "body") != 0)
		return unknown_key(reader, key);
	draft->act.body = bench_reader_text(node);
	return node->data.scalar.length <= BENCH_ACT_BODY_MAX
		       ? 0
		       : bench_reader_fail(reader, node->start_mark,
					   "body: has %zu bytes, %d are the most",
					   node->data.scalar.length, BENCH_ACT_BODY_MAX);
}

static int draft_check(const struct bench_reader *reader, const yaml_node_t *node,
		       const struct draft *draft)
{
	if (!draft->has_kind)
		return bench_reader_fail(reader, node->start_mark,
					 "an act needs one of call, await and hook");
	if (!draft->has_at)
		return bench_reader_fail(reader, node->start_mark,
					 "an act needs 'at': how far into the hold it begins");
	if (draft->act.body != NULL && draft->act.kind != BENCH_ACT_CALL)
		return bench_reader_fail(reader, node->start_mark, "only a call has a body");
	return 0;
}

static int act_take(const struct bench_reader *reader, const yaml_node_t *node)
{
	struct draft draft = {.act = {.at_percent = -1,
				      .within_ms = BENCH_ACT_WITHIN_MS,
				      .line = node->start_mark.line + 1}};
	struct bench_acts *acts = &reader->parse->options->acts;
	int r = 0;

	if (node->type != YAML_MAPPING_NODE)
		return bench_reader_fail(reader, node->start_mark,
					 "acts: each is a mapping, such as {at: 5s, call: POST "
					 "/api/v1/upgrade}");
	if (acts->count == BENCH_ACTS_MAX)
		return bench_reader_fail(reader, node->start_mark, "acts: at most %d are taken",
					 BENCH_ACTS_MAX);
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top && r == 0; pair++) {
		const yaml_node_t *key = bench_reader_node(reader, pair->key);

		if (key->type != YAML_SCALAR_NODE)
			return bench_reader_fail(reader, key->start_mark,
						 "a key must be a word of an act");
		if (bench_reader_key_before(reader, node, pair) != NULL)
			return bench_reader_fail(reader, key->start_mark,
						 "'%s' is given twice in this act",
						 bench_reader_text(key));
		r = pair_take(reader, key, bench_reader_node(reader, pair->value), &draft);
	}
	if (r == 0)
		r = draft_check(reader, node, &draft);
	if (r == 0)
		acts->rows[acts->count++] = draft.act;
	return r;
}

int bench_reader_acts(const struct bench_reader *reader, const yaml_node_t *node)
{
	int r = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return bench_reader_fail(reader, node->start_mark,
					 "acts: must be a list, one act in each item");
	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top && r == 0; item++)
		r = act_take(reader, bench_reader_node(reader, *item));
	return r;
}
