/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/percent.h"
#include "base/unicode.h"

struct route_table {
	size_t count;
	struct route *routes;        /* the most literal first */
	const struct backend **held; /* those that they name */
	struct route_loads *loads;
};

/* Takes the segment behind the '/' that `*path` starts with. */
static struct slice next_segment(struct slice *path)
{
	const uint8_t *start = path->data + 1;
	const uint8_t *end = memchr(start, '/', path->len - 1);
	size_t len = end == NULL ? path->len - 1 : (size_t)(end - start);

	*path = slice_of(start + len, path->len - 1 - len);
	return slice_of(start, len);
}

static bool is_parameter(struct slice segment)
{
	return segment.len > 0 && segment.data[0] == '{';
}

/* Literal before parameter, from the left: so the first match is the best one. */
static int by_literals(const void *left, const void *right)
{
	struct slice a = slice_from_text(((const struct route *)left)->config->path);
	struct slice b = slice_from_text(((const struct route *)right)->config->path);

	while (a.len > 0 && b.len > 0) {
		int order = is_parameter(next_segment(&a)) - is_parameter(next_segment(&b));

		if (order != 0)
			return order;
	}
	return 0;
}

/* False: memory is out. */
static bool route_add(struct route_table *table, struct ruleset *ruleset,
		      const struct backend_set *backends)
{
	const struct config_route *config = &ruleset->config.routes[table->count];
	const struct backend *backend = backend_set_find(backends, config->backend);
	struct route_load *load = route_loads_take(table->loads, config->name);

	if (load == NULL)
		return false;
	table->held[table->count] = backend_hold(backend);
	table->routes[table->count++] = (struct route){
		.config = config,
		.backend = backend,
		.client = {.config = config, .ruleset = ruleset},
		.load = load,
	};
	return true;
}

struct route_table *route_table_create(struct ruleset *ruleset, const struct backend_set *backends,
				       struct route_loads *loads)
{
	const struct config *config = &ruleset->config;
	struct route_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->loads = loads;
	table->routes = calloc(config->route_count, sizeof(struct route));
	table->held = calloc(config->route_count, sizeof(*table->held));
	bool is_good = table->routes != NULL && table->held != NULL;

	while (is_good && table->count < config->route_count)
		is_good = route_add(table, ruleset, backends);
	if (!is_good)
		route_table_destroy(&table);
	else
		qsort(table->routes, table->count, sizeof(struct route), by_literals);
	return table;
}

void route_table_destroy(struct route_table **table)
{
	struct route_table *self = *table;

	*table = NULL;
	if (self == NULL)
		return;
	for (size_t i = 0; i < self->count; i++) {
		backend_let_go(self->held[i]);
		route_loads_give(self->loads, self->routes[i].load);
	}
	free(self->held);
	free(self->routes);
	free(self);
}

size_t route_table_count(const struct route_table *table)
{
	return table->count;
}

const struct route *route_table_at(const struct route_table *table, size_t index)
{
	CHECK(index < table->count);
	return &table->routes[index];
}

const struct route *route_table_find(const struct route_table *table, const char *name,
				     const char *path)
{
	const struct route *by_path = NULL;

	for (size_t i = 0; i < table->count; i++) {
		const struct config_route *config = table->routes[i].config;

		if (strcmp(config->name, name) == 0)
			return &table->routes[i];
		if (strcmp(config->path, path) == 0)
			by_path = &table->routes[i];
	}
	return by_path;
}

/* Without all but one of the slashes that the path starts with; a path of nothing else is
 * none, but "/" itself. */
static struct slice slashes_merge(struct slice path, bool is_start)
{
	size_t count = 0;

	while (count < path.len && path.data[count] == '/')
		count++;
	if (count == path.len && !is_start)
		return (struct slice){0};
	return count < 2 ? path : slice_of(path.data + count - 1, path.len - count + 1);
}

/* On a match *out_raw_id is the segment of the parameter, if there is one. */
static bool path_matches(const struct config_route *route, struct slice path,
			 struct slice *out_raw_id)
{
	struct slice pattern = slice_from_text(route->path);
	bool is_merging = route->merge_slashes == CONFIG_SWITCH_TRUE;

	if (is_merging)
		path = slashes_merge(path, true);
	while (pattern.len > 0 && path.len > 0) {
		struct slice want = next_segment(&pattern);
		struct slice have = next_segment(&path);

		if (is_merging)
			path = slashes_merge(path, false);
		if (is_parameter(want)) {
			if (have.len == 0)
				return false;
			*out_raw_id = have;
		} else if (!slice_equals(want, have)) {
			return false;
		}
	}
	return pattern.len == 0 && path.len == 0;
}

/* Returns what is wrong, or NULL and the length in *out_len. `out` has room for
 * ROUTE_CLIENT_ID_MAX bytes. */
static const char *percent_decode(struct slice raw, uint8_t *out, size_t *out_len)
{
	size_t len = 0;

	for (size_t i = 0; i < raw.len; i++) {
		int c = raw.data[i];

		if (c == '%') {
			c = percent_read(slice_of(raw.data + i, raw.len - i));
			i += 2;
		}
		if (c < 0)
			return "the client id has a '%' without two hexadecimal digits";
		if (len == ROUTE_CLIENT_ID_MAX)
			return "the client id is longer than 255 bytes";
		out[len++] = (uint8_t)c;
	}
	if (unicode_has_control(slice_of(out, len)))
		return "the client id has a control character";
	*out_len = len;
	return NULL;
}

enum route_result route_table_match(const struct route_table *table, struct slice path,
				    struct route_match *out_match)
{
	uint8_t id[ROUTE_CLIENT_ID_MAX];
	size_t id_len;
	struct slice raw_id = {0};
	const struct route *route = NULL;

	if (path.len == 0 || path.data[0] != '/')
		return ROUTE_NONE;
	for (size_t i = 0; i < table->count && route == NULL; i++) {
		raw_id = (struct slice){0};
		if (path_matches(table->routes[i].config, path, &raw_id))
			route = &table->routes[i];
	}
	if (route == NULL)
		return ROUTE_NONE;
	*out_match = (struct route_match){.route = route};
	if (raw_id.data == NULL)
		return ROUTE_FOUND;
	out_match->problem = percent_decode(raw_id, id, &id_len);
	if (out_match->problem != NULL)
		return ROUTE_BAD_ID;
	out_match->client_id = slice_to_text(slice_of(id, id_len));
	return out_match->client_id == NULL ? ROUTE_NO_MEMORY : ROUTE_FOUND;
}
