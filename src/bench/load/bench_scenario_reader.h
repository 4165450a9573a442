/* SPDX-License-Identifier: Apache-2.0
 * bench_scenario_reader.h - one reading of a scenario's file.
 *
 * Layer: bench; for bench_scenario*.c. */
#pragma once

#include <yaml.h>

#include "bench/load/bench_option.h"

struct bench_scenario {
	yaml_document_t document; /* its scalars are the options' texts */
	const char *name;
	const char *description;
};

struct bench_reader {
	struct bench_parse *parse;
	struct bench_scenario *scenario;
	const char *file;
};

/* "FILE:LINE:COLUMN: ..."; -EINVAL. */
__attribute__((format(printf, 3, 4))) int
bench_reader_fail(const struct bench_reader *reader, yaml_mark_t mark, const char *format, ...);

static inline yaml_node_t *bench_reader_node(const struct bench_reader *reader, int index)
{
	return yaml_document_get_node(&reader->scenario->document, index);
}

static inline const char *bench_reader_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* 0 if it is one value, and a text that C can hold. */
int bench_reader_scalar(const struct bench_reader *reader, const char *key,
			const yaml_node_t *node);

/* The earlier pair with the same key, or NULL. */
const yaml_node_t *bench_reader_key_before(const struct bench_reader *reader,
					   const yaml_node_t *mapping,
					   const yaml_node_pair_t *pair);

/* The list `acts:`. */
int bench_reader_acts(const struct bench_reader *reader, const yaml_node_t *node);
