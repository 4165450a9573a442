/* SPDX-License-Identifier: Apache-2.0 */
#include "session/call_table.h"

#include "base/check.h"
#include "base/hex.h"

#define CALL_OUTCOME_LABEL(NAME, label) label,
static const char *const outcome_labels[] = {CALL_OUTCOME_TABLE(CALL_OUTCOME_LABEL)};

const char *call_outcome_label(enum call_outcome outcome)
{
	return outcome_labels[outcome];
}

/* A call that was sent and is not answered. */
struct turn {
	uint64_t number;
	struct call *call; /* NULL: cancelled, but the client still has to answer */
	uint64_t deadline_ns;
};

struct call_table {
	struct call_limits limits;
	uint64_t prefix;
	uint64_t last_number;
	struct list_node queue;
	size_t queue_count;
	size_t turn_count;
	size_t late_next; /* index of the oldest */
	bool is_lost;
	uint64_t *late;      /* [late_max] numbers of calls given up; 0: none */
	struct turn turns[]; /* [sent_max] in the order of sending, then late */
};

struct call_table *call_table_create(const struct call_limits *limits, uint64_t prefix)
{
	CHECK(limits->sent_max > 0);
	size_t turns_size = limits->sent_max * sizeof(struct turn);
	struct call_table *table = calloc(1, sizeof(*table) + turns_size +
						     limits->late_max * sizeof(uint64_t));

	if (table == NULL)
		return NULL;
	table->limits = *limits;
	table->prefix = prefix;
	table->late = (uint64_t *)(void *)&table->turns[limits->sent_max];
	list_init(&table->queue);
	return table;
}

void call_table_destroy(struct call_table **table)
{
	if (*table == NULL)
		return;
	CHECK(list_is_empty(&(*table)->queue));
	for (size_t i = 0; i < (*table)->turn_count; i++)
		CHECK((*table)->turns[i].call == NULL);
	free(*table);
	*table = NULL;
}

static struct call *call_of(struct list_node *node)
{
	return CONTAINER_OF(node, struct call, node);
}

/* NULL if no call with this number has a turn. */
static struct turn *turn_find(struct call_table *table, uint64_t number)
{
	for (size_t i = 0; i < table->turn_count; i++)
		if (table->turns[i].number == number)
			return &table->turns[i];
	return NULL;
}

static void turn_remove(struct call_table *table, struct turn *turn)
{
	struct turn *end = &table->turns[table->turn_count--];

	memmove(turn, turn + 1, (size_t)(end - (turn + 1)) * sizeof(*turn));
}

/* Calls that have a turn, or get one with the next take, do not count. */
static size_t queue_room(const struct call_table *table)
{
	return table->limits.queue_max + (table->limits.sent_max - table->turn_count);
}

enum call_outcome call_table_add(struct call_table *table, struct call *call)
{
	CHECK(call->state == CALL_IDLE && call->on_done != NULL);
	if (table->is_lost)
		return CALL_NOT_CONNECTED;
	if (table->queue_count >= queue_room(table))
		return CALL_QUEUE_FULL;
	call->state = CALL_QUEUED;
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
	call->state = CALL_SENT;
	call->number = ++table->last_number;
	table->turns[table->turn_count++] = (struct turn){call->number, call, call->deadline_ns};
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
	call->state = CALL_IDLE;
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
	struct turn *turn = turn_find(table, number);

	if (turn == NULL)
		return late_forget(table, number) ? CALL_MATCH_LATE : CALL_MATCH_UNKNOWN;
	struct call *call = turn->call;

	turn_remove(table, turn);
	if (call == NULL)
		return CALL_MATCH_LATE;
	tell(call, *result);
	return CALL_MATCH_OK;
}

void call_table_cancel(struct call_table *table, struct call *call)
{
	if (call->state == CALL_QUEUED)
		dequeue(table, call);
	else if (call->state == CALL_SENT)
		turn_find(table, call->number)->call = NULL;
	else if (call->state == CALL_ENDING)
		list_remove(&call->node);
	call->state = CALL_IDLE;
}

/* Ended calls wait in a list until the table is in order, and stay in it until they are
 * told, so that an on_done can cancel those behind it. */
static void end_later(struct list_node *ended, struct call *call)
{
	call->state = CALL_ENDING;
	list_append(ended, &call->node);
}

static void tell_all(struct list_node *ended, enum call_outcome outcome)
{
	while (!list_is_empty(ended)) {
		struct call *call = call_of(ended->next);

		list_remove(&call->node);
		tell(call, (struct call_result){.outcome = outcome});
	}
}

/* Ends what has its deadline at or before `until_ns`. */
static void end_until(struct call_table *table, uint64_t until_ns, enum call_outcome outcome)
{
	struct list_node ended;

	list_init(&ended);
	for (size_t i = 0; i < table->turn_count;) {
		struct turn *turn = &table->turns[i];

		if (turn->deadline_ns > until_ns) {
			i++;
			continue;
		}
		if (turn->call != NULL)
			end_later(&ended, turn->call);
		late_remember(table, turn->number);
		turn_remove(table, turn);
	}
	for (struct list_node *node = table->queue.next, *next; node != &table->queue;
	     node = next) {
		next = node->next;
		if (call_of(node)->deadline_ns > until_ns)
			continue;
		dequeue(table, call_of(node));
		end_later(&ended, call_of(node));
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
		earliest = MIN(earliest, table->turns[i].deadline_ns);
	for (struct list_node *node = table->queue.next; node != &table->queue; node = node->next)
		earliest = MIN(earliest, call_of(node)->deadline_ns);
	return earliest;
}
