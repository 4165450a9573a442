/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/unicode.h"

/* How long a thread waits for another one that is writing its line. */
#define PATIENCE_NS (10 * NS_PER_MS)

/* Atomic. */
static enum log_level lowest_level = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_LOGFMT;

static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t dropped_lines; /* atomic: lost since the last line that got out */

static pthread_mutex_t tap_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_tap *the_tap; /* under the lock; read without it to see whether there is one */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct line {
	char text[LOG_LINE_MAX];
	size_t len;
	enum log_format format;
	bool is_cut;
};

_Static_assert(LOG_EVENT_MAX == LOG_LINE_MAX, "one is made like the other");

void log_configure(enum log_level lowest, enum log_format format)
{
	__atomic_store_n(&lowest_level, lowest, __ATOMIC_RELAXED);
	__atomic_store_n(&line_format, format, __ATOMIC_RELAXED);
}

enum log_level log_lowest(void)
{
	return __atomic_load_n(&lowest_level, __ATOMIC_RELAXED);
}

bool log_is_on(enum log_level level)
{
	return level >= log_lowest();
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

/* Keeps room for the mark of a cut line, its quote and brace, and the newline. */
static void line_add(struct line *line, const char *text, size_t len)
{
	size_t room = sizeof(line->text) - 16 - line->len;

	if (line->is_cut || len > room) {
		line->is_cut = true;
		return;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void line_add_text(struct line *line, const char *text)
{
	line_add(line, text, strlen(text));
}

/* JSON's escapes serve logfmt too. Text goes out as it is, so that whoever reads it has the same
 * id as the API; but a hostile header can neither forge a line nor drive a terminal: controls
 * and what turns the text around are escaped, and read back as what they were. Bytes that are no
 * UTF-8 can be in no JSON: of them their value is shown, as \xff. */
static void line_add_quoted(struct line *line, const char *text, size_t text_len)
{
	struct slice rest = slice_of(text, text_len);

	line_add(line, "\"", 1);
	while (rest.len > 0) {
		char escape[16];
		uint32_t c;
		size_t used = unicode_read(rest, &c);
		int len = 0;

		if (used == 0)
			len = snprintf(escape, sizeof(escape), "\\\\x%02x", rest.data[0]);
		else if (c == '"' || c == '\\')
			len = snprintf(escape, sizeof(escape), "\\%c", (char)c);
		else if (unicode_is_control(c) || unicode_is_deceptive(c))
			len = snprintf(escape, sizeof(escape), "\\u%04x", c);
		if (len > 0)
			line_add(line, escape, (size_t)len);
		else
			line_add(line, (const char *)rest.data, used);
		used = MAX(used, (size_t)1);
		rest = slice_of(rest.data + used, rest.len - used);
	}
	line_add(line, "\"", 1);
}

/* logfmt leaves plain words bare. */
static bool is_bare_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return len > 0;
}

static void line_add_value(struct line *line, const char *text, size_t len)
{
	if (line->format == LOG_FORMAT_LOGFMT && is_bare_word(text, len))
		line_add(line, text, len);
	else
		line_add_quoted(line, text, len);
}

static void line_add_key(struct line *line, const char *key)
{
	if (line->format == LOG_FORMAT_JSON) {
		line_add_text(line, line->text[line->len - 1] != '{' ? ",\"" : "\"");
		line_add_text(line, key);
		line_add_text(line, "\":");
		return;
	}
	if (line->len > 0)
		line_add(line, " ", 1);
	line_add_text(line, key);
	line_add(line, "=", 1);
}

static void line_add_field(struct line *line, const struct log_field *field)
{
	const char *text = field->text == NULL ? "-" : field->text;
	char number[24];

	line_add_key(line, field->key);
	switch (field->kind) {
	case LOG_FIELD_TEXT:
		line_add_value(line, text, strlen(text));
		break;
	case LOG_FIELD_UINT:
		snprintf(number, sizeof(number), "%" PRIu64, field->number);
		line_add_text(line, number);
		break;
	}
}

/* A whole field or none: the line stays parsable. */
static void line_add_fields(struct line *line, const struct log_field *fields, size_t count)
{
	for (size_t i = 0; i < count && !line->is_cut; i++) {
		size_t before = line->len;

		line_add_field(line, &fields[i]);
		if (line->is_cut)
			line->len = before;
	}
}

static void line_end(struct line *line, const char *end)
{
	CHECK(line->len + strlen(end) <= sizeof(line->text));
	memcpy(line->text + line->len, end, strlen(end));
	line->len += strlen(end);
}

/* `dropped` lines before it were lost. */
static void line_compose(struct line *line, enum log_level level, const char *message,
			 const struct log_field *fields, size_t count, uint64_t dropped)
{
	char when[CLOCK_TEXT_MAX];

	clock_wall_format(clock_wall_ns(), when);
	if (line->format == LOG_FORMAT_JSON)
		line_add(line, "{", 1);
	line_add_field(line, &F_TEXT("time", when));
	line_add_field(line, &F_TEXT("level", level_names[level]));
	line_add_field(line, &F_TEXT("msg", message));
	if (dropped > 0)
		line_add_field(line, &F_UINT("dropped_lines", dropped));
	line_add_fields(line, fields, count);
	line_end(line, line->format == LOG_FORMAT_JSON ? (line->is_cut ? ",\"cut\":1}\n" : "}\n")
						       : (line->is_cut ? " cut=1\n" : "\n"));
}

size_t log_line_write(char out[LOG_LINE_MAX], enum log_level level, const char *message,
		      const struct log_field *fields, size_t count)
{
	struct line line = {.format = __atomic_load_n(&line_format, __ATOMIC_RELAXED)};

	line_compose(&line, level, message, fields, count, 0);
	memcpy(out, line.text, line.len);
	return line.len;
}

/* --- whoever reads along --- */

/* [bytes] Where the text of an event ends at the latest: something must stand behind it. */
#define TEXT_END_MAX (LOG_LINE_MAX - 64)

static void event_compose(struct line *line, enum log_level level, const char *message,
			  const struct log_field *fields, size_t count)
{
	static const char text_cut[] = "\"(too long)\"";

	line_add(line, "{", 1);
	line_add_field(line, &F_UINT("at_ms", clock_wall_ns() / NS_PER_MS));
	line_add_field(line, &F_TEXT("level", level_names[level]));
	line_add_key(line, "text");
	size_t before = line->len;

	line_add_quoted(line, message, strlen(message));
	if (line->is_cut || line->len > TEXT_END_MAX) {
		line->len = before;
		line->is_cut = false;
		line_add(line, text_cut, strlen(text_cut));
	}
	line_add_key(line, "fields");
	line_add(line, "{", 1);
	line_add_fields(line, fields, count);
	line_end(line, line->is_cut ? "},\"cut\":true}" : "}}");
}

static void tap_tell(enum log_level level, const char *message, const struct log_field *fields,
		     size_t count)
{
	struct line line;

	line.len = 0;
	line.format = LOG_FORMAT_JSON;
	line.is_cut = false;
	event_compose(&line, level, message, fields, count);
	pthread_mutex_lock(&tap_lock);
	if (the_tap != NULL)
		the_tap->told(the_tap, level, line.text, line.len);
	pthread_mutex_unlock(&tap_lock);
}

void log_set_tap(struct log_tap *tap)
{
	pthread_mutex_lock(&tap_lock);
	__atomic_store_n(&the_tap, tap, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&tap_lock);
}

/* A pipe that is writable takes PIPE_BUF bytes (pipe(7)), which is no less than a line:
 * the write will not block. Setting O_NONBLOCK instead would change the descriptor for
 * whoever shares it. */
static bool can_write(void)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&fd, 1, 0) == 1 && (fd.revents & (POLLOUT | POLLNVAL)) == POLLOUT;
}

/* Whoever logs never waits for whoever reads the log. */
void log_write(enum log_level level, const char *message, const struct log_field *fields,
	       size_t count)
{
	struct timespec deadline;
	struct line line = {.format = __atomic_load_n(&line_format, __ATOMIC_RELAXED)};

	if (__atomic_load_n(&the_tap, __ATOMIC_RELAXED) != NULL)
		tap_tell(level, message, fields, count);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_nsec += PATIENCE_NS;
	deadline.tv_sec += deadline.tv_nsec / (long)NS_PER_S;
	deadline.tv_nsec %= (long)NS_PER_S;
	/* Another process that shares the pipe may fill it between poll and write; then one
	 * of our threads is stuck, and the others go on without. */
	if (pthread_mutex_timedlock(&write_lock, &deadline) != 0) {
		__atomic_fetch_add(&dropped_lines, 1, __ATOMIC_RELAXED);
		return;
	}
	if (can_write()) {
		line_compose(&line, level, message, fields, count,
			     __atomic_exchange_n(&dropped_lines, 0, __ATOMIC_RELAXED));
		while (write(STDERR_FILENO, line.text, line.len) < 0 && errno == EINTR)
			;
	} else {
		__atomic_fetch_add(&dropped_lines, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&write_lock);
}

bool log_gate_pass(struct log_gate *gate, uint64_t now_ns, uint64_t *out_suppressed)
{
	uint64_t opens = __atomic_load_n(&gate->opens_at_ns, __ATOMIC_RELAXED);

	if (now_ns < opens ||
	    !__atomic_compare_exchange_n(&gate->opens_at_ns, &opens, now_ns + NS_PER_S, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&gate->suppressed, 1, __ATOMIC_RELAXED);
		return false;
	}
	*out_suppressed = __atomic_exchange_n(&gate->suppressed, 0, __ATOMIC_RELAXED);
	return true;
}
