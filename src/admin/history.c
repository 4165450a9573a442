/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/history.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "admin/metrics/metrics_before.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/metrics_text.h"

/* Of a line on the page; the numbers follow, a blank before each. */
#define MARK "# gatehouse_history"

static const struct column {
	const char *name;
	bool is_counter;
} columns[] = {
#define COLUMN(NAME, name, is_counter) {name, is_counter},
	HISTORY_TABLE(COLUMN)};

struct history {
	pthread_mutex_t mutex;
	struct history_row rows[HISTORY_ROWS]; /* a ring */
	size_t first, count;
	uint64_t due_ns; /* the main thread's */
};

struct history *history_create(void)
{
	struct history *self = calloc(1, sizeof(*self));

	if (self != NULL)
		pthread_mutex_init(&self->mutex, NULL);
	return self;
}

void history_destroy(struct history **history)
{
	struct history *self = *history;

	*history = NULL;
	if (self == NULL)
		return;
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

/* The index-th from the oldest on. */
static struct history_row *row_at(struct history *history, size_t index)
{
	return &history->rows[(history->first + index) % HISTORY_ROWS];
}

static void append(struct history *history, const struct history_row *row)
{
	if (history->count == HISTORY_ROWS)
		history->first = (history->first + 1) % HISTORY_ROWS;
	else
		history->count++;
	*row_at(history, history->count - 1) = *row;
	CHECK(history->first < HISTORY_ROWS && history->count <= HISTORY_ROWS);
}

bool history_is_due(const struct history *history, uint64_t now_ns)
{
	return now_ns >= history->due_ns;
}

void history_add(struct history *history, const struct history_row *row, uint64_t now_ns)
{
	/* In step, as long as nobody was late by more than a step. */
	uint64_t next_ns = history->due_ns + HISTORY_INTERVAL_MS * NS_PER_MS;

	history->due_ns = next_ns > now_ns ? next_ns : now_ns + HISTORY_INTERVAL_MS * NS_PER_MS;
	pthread_mutex_lock(&history->mutex);
	append(history, row);
	pthread_mutex_unlock(&history->mutex);
}

/* --- what the gateway does --- */

static void row_read(const struct admin *admin, struct history_row *row)
{
	struct stats stats;
	uint64_t refused = 0, closed = 0;

	server_stats(admin->server, &stats);
	for (size_t i = 0; i < REFUSAL_COUNT; i++)
		refused += stats.connections_refused[i];
	for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
		closed += stats.connections_closed[i];
	*row = (struct history_row){{
		[HISTORY_AT] = clock_wall_ns() / NS_PER_MS,
		[HISTORY_CONNECTIONS] = server_connections(admin->server),
		[HISTORY_ACCEPTED] = stats.connections_accepted,
		[HISTORY_REFUSED] = refused,
		[HISTORY_CLOSED] = closed,
		[HISTORY_MESSAGES_RECEIVED] = stats.messages_received,
		[HISTORY_MESSAGES_SENT] = stats.messages_sent,
		[HISTORY_RECEIVED_BYTES] = stats.received_bytes,
		[HISTORY_SENT_BYTES] = stats.sent_bytes,
	}};
}

/* What the processes before have counted. */
static void row_add_before(struct metrics_before *before, struct history_row *row)
{
	static const struct {
		enum history_column column;
		const char *name;
	} families[] = {
		{HISTORY_ACCEPTED, "gatehouse_connections_accepted_total"},
		{HISTORY_REFUSED, "gatehouse_connections_refused_total"},
		{HISTORY_CLOSED, "gatehouse_connections_closed_total"},
		{HISTORY_MESSAGES_RECEIVED, "gatehouse_messages_received_total"},
		{HISTORY_MESSAGES_SENT, "gatehouse_messages_sent_total"},
		{HISTORY_RECEIVED_BYTES, "gatehouse_received_bytes_total"},
		{HISTORY_SENT_BYTES, "gatehouse_sent_bytes_total"},
	};

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		row->values[families[i].column] += metrics_before_sum(before, families[i].name);
}

void history_tick(const struct admin *admin)
{
	uint64_t now_ns = clock_now_ns();
	struct history_row row;

	if (!history_is_due(admin->history, now_ns))
		return;
	row_read(admin, &row);
	row_add_before(admin->before, &row);
	history_add(admin->history, &row, now_ns);
}

/* --- as JSON --- */

static json_t *row_json(const struct history_row *row)
{
	json_t *list = json_array();

	for (size_t i = 0; i < HISTORY_COLUMNS; i++)
		json_array_append_new(list, json_integer((json_int_t)row->values[i]));
	return list;
}

json_t *history_json(struct history *history)
{
	json_t *names = json_array(), *rows = json_array();

	for (size_t i = 0; i < HISTORY_COLUMNS; i++)
		json_array_append_new(names, json_string(columns[i].name));
	pthread_mutex_lock(&history->mutex);
	for (size_t i = 0; i < history->count; i++)
		json_array_append_new(rows, row_json(row_at(history, i)));
	pthread_mutex_unlock(&history->mutex);
	return json_pack("{s:I, s:o, s:o}", "interval_ms", (json_int_t)HISTORY_INTERVAL_MS,
			 "columns", names, "rows", rows);
}

/* --- from process to process --- */

void history_write(struct history *history, struct buf *page)
{
	pthread_mutex_lock(&history->mutex);
	for (size_t i = 0; i < history->count; i++) {
		PRINT(page, MARK);
		for (size_t k = 0; k < HISTORY_COLUMNS; k++)
			PRINT(page, " %" PRIu64, row_at(history, i)->values[k]);
		PRINT(page, "\n");
	}
	pthread_mutex_unlock(&history->mutex);
}

static bool number_read(struct slice word, uint64_t *out_value)
{
	uint64_t value = 0;

	if (word.len == 0 || word.len > 19)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] < '0' || word.data[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(word.data[i] - '0');
	}
	*out_value = value;
	return true;
}

/* A newer version may have more columns, behind these. */
static bool row_parse(struct slice line, struct history_row *out_row)
{
	const size_t mark = strlen(MARK);
	struct history_row row;
	struct slice rest = line, word;

	if (line.len <= mark || memcmp(line.data, MARK " ", mark + 1) != 0)
		return false;
	rest = slice_of(line.data + mark + 1, line.len - mark - 1);
	for (size_t i = 0; i < HISTORY_COLUMNS; i++)
		if (!slice_next(&rest, ' ', &word) || !number_read(word, &row.values[i]))
			return false;
	*out_row = row;
	return true;
}

/* Where the counters of the process before ended. */
static void continue_from(struct history_row *row, const struct history_row *last)
{
	for (size_t i = 0; i < HISTORY_COLUMNS; i++)
		if (columns[i].is_counter)
			row->values[i] += last->values[i];
}

void history_take(struct history *history, struct slice page)
{
	struct history *merged = history_create();
	struct history_row row, last = {0};
	struct slice rest = page, line;

	if (merged == NULL)
		return;
	while (slice_next(&rest, '\n', &line))
		if (row_parse(line, &row)) {
			append(merged, &row);
			last = row;
		}
	pthread_mutex_lock(&history->mutex);
	for (size_t i = 0; i < history->count; i++) {
		row = *row_at(history, i);
		continue_from(&row, &last);
		append(merged, &row);
	}
	memcpy(history->rows, merged->rows, sizeof(history->rows));
	history->first = merged->first;
	history->count = merged->count;
	pthread_mutex_unlock(&history->mutex);
	history_destroy(&merged);
}
