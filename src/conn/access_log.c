/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/access_log.h"

#include "base/check.h"
#include "base/clock.h"
#include "conn/conn_log.h"
#include "io/tcp_tls.h"

static struct access_log *log_of(const struct conn *conn)
{
	return conn->home->service->access;
}

/* --- what a request said --- */

static size_t cut(struct slice text, size_t max)
{
	size_t len = MIN(text.len, max);

	/* Not in the middle of a character. */
	while (len > 0 && len < text.len && (text.data[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static struct slice note_write(const struct conn_request *request, uint8_t out[ACCESS_NOTE_MAX])
{
	struct slice path = http_path(request->head, request->data), agent = {0};
	size_t path_len = cut(path, ACCESS_PATH_MAX);

	http_field_find(request->head, request->data, "User-Agent", &agent);
	size_t agent_len = cut(agent, ACCESS_AGENT_MAX);

	if (path_len > 0)
		memcpy(out, path.data, path_len);
	out[path_len] = 0;
	if (agent_len > 0)
		memcpy(out + path_len + 1, agent.data, agent_len);
	return slice_of(out, path_len + 1 + agent_len);
}

struct slice conn_access_note(const struct conn *conn, const struct conn_request *request,
			      uint8_t out[ACCESS_NOTE_MAX])
{
	return access_log_is_on(log_of(conn)) ? note_write(request, out) : (struct slice){0};
}

/* Its two texts; "" if nothing is known. */
struct said {
	char path[ACCESS_PATH_MAX + 1], agent[ACCESS_AGENT_MAX + 1];
};

static void said_fill(const struct conn *conn, struct said *said)
{
	const struct conn_request *request = conn->home->request;
	uint8_t bytes[ACCESS_NOTE_MAX];
	struct slice note = conn->has_presence ? presence_note(conn->session.presence)
					       : (struct slice){0};

	*said = (struct said){.path = ""};
	if (note.len == 0 && request != NULL && request->head->has_start_line)
		note = note_write(request, bytes);
	if (note.len == 0)
		return;
	size_t path_len = strnlen((const char *)note.data, note.len);

	/* Another version of the process before may have kept more. */
	CHECK(path_len < note.len);
	memcpy(said->path, note.data, cut(slice_of(note.data, path_len), ACCESS_PATH_MAX));
	struct slice agent = slice_of(note.data + path_len + 1, note.len - path_len - 1);

	memcpy(said->agent, agent.data, cut(agent, ACCESS_AGENT_MAX));
}

/* --- lines --- */

/* So many in each second of the clock. */
static bool may_write(struct access_log *log)
{
	uint64_t rate = counter_read(&log->rate), second = clock_now_ns() / NS_PER_S;

	if (rate == 0)
		return true;
	uint64_t last = counter_read(&log->second);

	/* One of those who notice begins it. */
	if (last != second && __atomic_compare_exchange_n(&log->second, &last, second, false,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		counter_set(&log->in_second, 0);
	return __atomic_add_fetch(&log->in_second, 1, __ATOMIC_RELAXED) <= rate;
}

/* False: there is none. */
static bool put_in_file(struct access_log *log, const struct log_field *fields, size_t count)
{
	char line[LOG_LINE_MAX];
	size_t len;

	if (__atomic_load_n(&log->file, __ATOMIC_RELAXED) == NULL)
		return false;
	len = log_line_write(line, LOG_LEVEL_INFO, "access", fields, count);
	pthread_mutex_lock(&log->mutex);
	bool has_file = log->file != NULL; /* it may have been closed in this moment */

	if (has_file)
		log_file_put(log->file, line, len);
	pthread_mutex_unlock(&log->mutex);
	return has_file;
}

static void put(struct access_log *log, const struct log_field *fields, size_t count)
{
	if (!may_write(log)) {
		counter_add(&log->dropped_rate, 1);
	} else if (!put_in_file(log, fields, count)) {
		counter_add(&log->logged, 1);
		log_write(LOG_LEVEL_INFO, "access", fields, count);
	}
}

static uint64_t age_ms(const struct presence *presence)
{
	uint64_t now_ms = clock_wall_ns() / NS_PER_MS, since_ms = presence->connected_at_ms;

	return now_ms > since_ms ? now_ms - since_ms : 0;
}

#define FIELDS_MAX 24

struct entry {
	struct log_field fields[FIELDS_MAX];
	size_t count;
};

static void add(struct entry *entry, struct log_field field)
{
	CHECK(entry->count < FIELDS_MAX);
	entry->fields[entry->count++] = field;
}

static void add_traffic(struct entry *entry, const struct presence *presence)
{
	struct traffic_picture picture;

	presence_look(presence, clock_now_ns(), clock_wall_ns() / NS_PER_MS, &picture);
	add(entry, F_UINT("messages_received", picture.messages[TRAFFIC_IN]));
	add(entry, F_UINT("messages_sent", picture.messages[TRAFFIC_OUT]));
	add(entry, F_UINT("received_bytes", picture.bytes[TRAFFIC_IN]));
	add(entry, F_UINT("sent_bytes", picture.bytes[TRAFFIC_OUT]));
}

static void add_ids(struct entry *entry, const struct conn_log_ids *ids)
{
	for (size_t i = 0; i < ids->count; i++)
		add(entry, ids->fields[i]);
}

static void add_said(struct entry *entry, const struct conn *conn, const struct said *said)
{
	struct tls_terms terms = tcp_tls_terms(&conn->tcp);

	add(entry, F_TEXT("path", said->path[0] == 0 ? NULL : said->path));
	add(entry, F_TEXT("tls", terms.version));
	add(entry, F_TEXT("user_agent", said->agent[0] == 0 ? NULL : said->agent));
}

/* Of what is no handshake only what went wrong: health is asked all the time. */
void conn_access_answered(struct conn *conn, unsigned status, const char *reason)
{
	struct access_log *log = log_of(conn);
	struct entry entry = {.count = 0};
	struct conn_log_ids ids;
	struct said said;

	if (!access_log_is_on(log) || status < 400)
		return;
	conn->is_noted = true;
	conn_log_ids(conn, &ids);
	said_fill(conn, &said);
	add_ids(&entry, &ids);
	add(&entry, F_UINT("status", status));
	add(&entry, F_TEXT("reason", reason));
	add_said(&entry, conn, &said);
	put(log, entry.fields, entry.count);
}

void conn_access_ended(struct conn *conn, uint16_t code)
{
	struct access_log *log = log_of(conn);
	struct entry entry = {.count = 0};
	struct conn_log_ids ids;
	struct said said;

	if (!access_log_is_on(log) || conn->is_noted)
		return;
	conn->is_noted = true;
	const struct close_entry *why = conn->has_reason ? &close_table[conn->reason] : NULL;

	conn_log_ids(conn, &ids);
	said_fill(conn, &said);
	add_ids(&entry, &ids);
	/* 0: it went before it was answered. */
	add(&entry, F_UINT("status", conn->is_in ? 101 : 0));
	add(&entry, F_TEXT("reason", why == NULL ? NULL : why->label));
	add(&entry, F_UINT("code", code != 0 ? code : why == NULL ? 0 : why->code));
	if (conn->has_presence) { /* else it was not known yet who it is */
		add(&entry, F_UINT("duration_ms", age_ms(conn->session.presence)));
		add_traffic(&entry, conn->session.presence);
	}
	add_said(&entry, conn, &said);
	put(log, entry.fields, entry.count);
}
