/* SPDX-License-Identifier: Apache-2.0 */
#include "session/call_table.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/state.h"

#define CALL_OUTCOME_LABEL(NAME, label) label,
static const char *const outcome_labels[] = {CALL_OUTCOME_TABLE(CALL_OUTCOME_LABEL)};

const char *call_outcome_label(enum call_outcome outcome)
{
	return outcome_labels[outcome];
}

struct call_table {
	struct call_limits limits;
	uint64_t prefix;
	uint64_t last_number;
	struct list_node queue;
	size_t queue_count;
	size_t turn_count;
	size_t late_next; /* index of the oldest */
	bool is_lost;
	struct call **turns; /* [sent_max] sent and not answered, in the order of sending */
	uint64_t late[];     /* [late_max] numbers of calls given up; 0: none. Then turns */
};

struct call_table *call_table_create(const struct call_limits *limits, uint64_t prefix)
{
	CHECK(limits->sent_max > 0);
	size_t late_size = limits->late_max * sizeof(uint64_t);
	struct call_table *table = calloc(1, sizeof(*table) + late_size +
						     limits->sent_max * sizeof(struct call *));

	if (table == NULL)
		return NULL;
	table->limits = *limits;
	table->prefix = prefix;
	table->turns = (struct call **)(void *)&table->late[limits->late_max];
	list_init(&table->queue);
	return table;
}

void call_table_destroy(struct call_table **table)
{
	if (*table == NULL)
		return;
	CHECK(list_is_empty(&(*table)->queue) && (*table)->turn_count == 0);
	free(*table);
	*table = NULL;
}

static struct call *call_of(struct list_node *node)
{
	return CONTAINER_OF(node, struct call, node);
}

/* turn_count if no call with this number has a turn. */
static size_t turn_find(const struct call_table *table, uint64_t number)
{
	size_t i = 0;

	while (i < table->turn_count && table->turns[i]->number != number)
		i++;
	return i;
}

/* Returns the call whose turn it was. */
static struct call *turn_remove(struct call_table *table, size_t index)
{
	struct call *call = table->turns[index];

	table->turn_count--;
	for (size_t i = index; i < table->turn_count; i++)
		table->turns[i] = table->turns[i + 1];
	return call;
}

/* Calls that have a turn, or get one with the next take, do not count. */
static size_t queue_room(const struct call_table *table)
{
	return table->limits.queue_max + (table->limits.sent_max - table->turn_count);
}

enum call_outcome call_table_add(struct call_table *table, struct call *call)
{
	CHECK(!call->is_in && call->on_done != NULL);
	if (table->is_lost)
		return CALL_NOT_CONNECTED;
	if (table->queue_count >= queue_room(table))
		return CALL_QUEUE_FULL;
	call->is_in = true;
	call->number = 0;
	list_append(&table->queue, &call->node);
	table->queue_count++;
	return CALL_WAITS;
}

static void dequeue(struct call_table *table, struct call *call)
{
	list_remove(&call->node);
	table->queue_count--;
}

struct call *call_table_take(struct call_table *table)
{
	if (list_is_empty(&table->queue) || table->turn_count == table->limits.sent_max)
		return NULL;
	struct call *call = call_of(table->queue.next);

	dequeue(table, call);
	call->number = ++table->last_number;
	table->turns[table->turn_count++] = call;
	return call;
}

/* Ids: the prefix in 16 hexadecimal digits, '-', the number without leading zeros. */

#define PREFIX_DIGITS 16

static void hex_write(char *out, size_t width, uint64_t value)
{
	for (size_t i = width; i > 0; i--, value >>= 4)
		out[i - 1] = "0123456789abcdef"[value & 15];
}

static size_t hex_width(uint64_t value)
{
	size_t width = 1;

	while (value >>= 4)
		width++;
	return width;
}

static struct slice id_write(const struct call_table *table, uint64_t number,
			     char room[CALL_ID_MAX])
{
	size_t width = hex_width(number);

	hex_write(room, PREFIX_DIGITS, table->prefix);
	room[PREFIX_DIGITS] = '-';
	hex_write(room + PREFIX_DIGITS + 1, width, number);
	return slice_of(room, PREFIX_DIGITS + 1 + width);
}

struct slice call_id_write(const struct call_table *table, const struct call *call,
			   char room[CALL_ID_MAX])
{
	CHECK(call->number != 0);
	return id_write(table, call->number, room);
}

/* The number in an id that this table may have given, else 0: ids are compared as written. */
static uint64_t id_read(const struct call_table *table, struct slice id)
{
	char prefix[PREFIX_DIGITS];
	uint64_t number = 0;

	hex_write(prefix, PREFIX_DIGITS, table->prefix);
	if (id.len < PREFIX_DIGITS + 2 || id.len > CALL_ID_MAX ||
	    memcmp(id.data, prefix, PREFIX_DIGITS) != 0 || id.data[PREFIX_DIGITS] != '-' ||
	    id.data[PREFIX_DIGITS + 1] == '0')
		return 0;
	struct slice digits = slice_of(id.data + PREFIX_DIGITS + 1, id.len - PREFIX_DIGITS - 1);

	return hex_read(digits, &number) ? number : 0;
}

/* Calls that were given up. */

static void late_remember(struct call_table *table, uint64_t number)
{
	if (table->limits.late_max == 0)
		return;
	table->late[table->late_next] = number;
	table->late_next = (table->late_next + 1) % table->limits.late_max;
}

/* Was the call given up? If so its answer has now come, and there is none to come. */
static bool late_forget(struct call_table *table, uint64_t number)
{
	for (size_t i = 0; i < table->limits.late_max; i++)
		if (table->late[i] == number) {
			table->late[i] = 0;
			return true;
		}
	return false;
}

/* Endings. */

static void tell(struct call *call, struct call_result result)
{
	result.was_sent = call->number != 0;
	call->is_in = false;
	call->on_done(call, &result);
}

enum call_match call_table_answer(struct call_table *table, struct slice id,
				  const struct call_result *result)
{
	CHECK(result->outcome == CALL_ANSWERED || result->outcome == CALL_CLIENT_ERROR ||
	      result->outcome == CALL_BAD_ANSWER);
	uint64_t number = id_read(table, id);

	if (number == 0)
		return CALL_MATCH_UNKNOWN;
	size_t index = turn_find(table, number);

	if (index == table->turn_count)
		return late_forget(table, number) ? CALL_MATCH_LATE : CALL_MATCH_UNKNOWN;
	tell(turn_remove(table, index), *result);
	return CALL_MATCH_OK;
}

static void tell_all(struct list_node *ended, enum call_outcome outcome)
{
	while (!list_is_empty(ended))
		tell(call_of(list_pop(ended)), (struct call_result){.outcome = outcome});
}

/* Ends what has its deadline at or before `until_ns`. Nobody is told before the table is in
 * order: an on_done may add calls. */
static void end_until(struct call_table *table, uint64_t until_ns, enum call_outcome outcome)
{
	struct list_node ended;

	list_init(&ended);
	for (size_t i = 0; i < table->turn_count;) {
		if (table->turns[i]->deadline_ns > until_ns) {
			i++;
			continue;
		}
		struct call *call = turn_remove(table, i);

		late_remember(table, call->number);
		list_append(&ended, &call->node);
	}
	for (struct list_node *node = table->queue.next, *next; node != &table->queue;
	     node = next) {
		next = node->next;
		if (call_of(node)->deadline_ns > until_ns)
			continue;
		dequeue(table, call_of(node));
		list_append(&ended, node);
	}
	tell_all(&ended, outcome);
}

void call_table_expire(struct call_table *table, uint64_t now_ns)
{
	end_until(table, now_ns, CALL_TIMED_OUT);
}

void call_table_lose(struct call_table *table)
{
	table->is_lost = true;
	end_until(table, UINT64_MAX, CALL_CONNECTION_LOST);
}

uint64_t call_table_deadline_ns(const struct call_table *table)
{
	uint64_t earliest = UINT64_MAX;

	for (size_t i = 0; i < table->turn_count; i++)
		earliest = MIN(earliest, table->turns[i]->deadline_ns);
	for (struct list_node *node = table->queue.next; node != &table->queue; node = node->next)
		earliest = MIN(earliest, call_of(node)->deadline_ns);
	return earliest;
}

/* From process to process. */

enum table_tag {
	TABLE_TAG_PREFIX = STATE_MUST | 1,
	TABLE_TAG_LAST_NUMBER = STATE_MUST | 2,
	TABLE_TAG_LATE = 3, /* number of a call given up; the oldest first */
};

void call_table_export(const struct call_table *table, struct state_writer *out)
{
	size_t late_max = table->limits.late_max;

	state_put_u64(out, TABLE_TAG_PREFIX, table->prefix);
	state_put_u64(out, TABLE_TAG_LAST_NUMBER, table->last_number);
	for (size_t i = 0; i < late_max; i++) {
		uint64_t number = table->late[(table->late_next + i) % late_max];

		if (number != 0)
			state_put_u64(out, TABLE_TAG_LATE, number);
	}
}

bool call_table_import(struct call_table *table, struct slice state)
{
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	if (table->turn_count > 0 || table->queue_count > 0)
		return false;
	state_reader_init(&reader, state);
	while (is_good && state_next(&reader, &field)) {
		uint64_t number = 0;

		is_good = state_u64(&field, &number) || !state_must_understand(field.tag);
		if (field.tag == TABLE_TAG_PREFIX)
			table->prefix = number;
		else if (field.tag == TABLE_TAG_LAST_NUMBER)
			table->last_number = number;
		else if (field.tag == TABLE_TAG_LATE)
			late_remember(table, number);
		else
			is_good = !state_must_understand(field.tag);
	}
	return is_good && !reader.is_bad;
}

struct call *call_table_next(const struct call_table *table, const struct call *call)
{
	const struct list_node *next = table->queue.next;

	if (call == NULL && table->turn_count > 0)
		return table->turns[0];
	if (call != NULL && call->number != 0) {
		size_t index = turn_find(table, call->number) + 1;

		if (index < table->turn_count)
			return table->turns[index];
	} else if (call != NULL) {
		next = call->node.next;
	}
	return next == &table->queue ? NULL : call_of((struct list_node *)next);
}

bool call_table_restore(struct call_table *table, struct call *call, uint64_t number)
{
	CHECK(!call->is_in && call->on_done != NULL && !table->is_lost);
	if (number > table->last_number || turn_find(table, number) < table->turn_count ||
	    (number != 0 && table->turn_count == table->limits.sent_max))
		return false;
	call->is_in = true;
	call->number = number;
	if (number != 0) {
		table->turns[table->turn_count++] = call;
	} else {
		list_append(&table->queue, &call->node);
		table->queue_count++;
	}
	return true;
}

struct call *call_table_forget(struct call_table *table)
{
	struct call *call = call_table_next(table, NULL);

	table->is_lost = true;
	if (call == NULL)
		return NULL;
	if (call->number != 0)
		turn_remove(table, 0);
	else
		dequeue(table, call);
	call->is_in = false;
	return call;
}
