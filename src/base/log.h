/* SPDX-License-Identifier: Apache-2.0
 * log.h - one line per event on standard error, as logfmt or JSON.
 *
 * Layer: base. Thread-safe: a line leaves in one write(2). Never blocks: while standard
 * error takes nothing, lines are dropped, and the next one says how many. Lines over
 * 4 KiB are cut and marked. Layers below `server` log at debug only: they return errors
 * and let the caller judge them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

enum log_field_kind { LOG_FIELD_TEXT, LOG_FIELD_UINT };

struct log_field {
	const char *key;
	enum log_field_kind kind;
	const char *text; /* TEXT; NULL prints "-" */
	uint64_t number;  /* UINT */
};

#define F_TEXT(key, value) ((struct log_field){(key), LOG_FIELD_TEXT, (value), 0})
#define F_UINT(key, value) ((struct log_field){(key), LOG_FIELD_UINT, NULL, (uint64_t)(value)})

/* From any thread; info and logfmt until then. A line that is being made has one of both formats.
 */
void log_configure(enum log_level lowest, enum log_format format);
bool log_is_on(enum log_level level);

void log_write(enum log_level level, const char *message, const struct log_field *fields,
	       size_t count);

/* The same line, with its newline, for somewhere else. Returns its length. */
#define LOG_LINE_MAX 4096 /* [bytes] */
size_t log_line_write(char out[LOG_LINE_MAX], enum log_level level, const char *message,
		      const struct log_field *fields, size_t count);

#define LOG_AT(level, message, ...)                                            \
	do {                                                                   \
		if (log_is_on(level)) {                                        \
			const struct log_field fields_[] = {__VA_ARGS__};      \
			log_write(level, message, fields_,                     \
				  sizeof(fields_) / sizeof(struct log_field)); \
		}                                                              \
	} while (0)

/* log_info("listening", F_TEXT("address", text), F_UINT("workers", 2)); */
#define log_debug(message, ...) LOG_AT(LOG_LEVEL_DEBUG, message, ##__VA_ARGS__)
#define log_info(message, ...)  LOG_AT(LOG_LEVEL_INFO, message, ##__VA_ARGS__)
#define log_warn(message, ...)  LOG_AT(LOG_LEVEL_WARN, message, ##__VA_ARGS__)
#define log_error(message, ...) LOG_AT(LOG_LEVEL_ERROR, message, ##__VA_ARGS__)

/* --- whoever reads along --- */

#define LOG_EVENT_MAX 4096 /* [bytes] */

/* Gets each line that is on, also one that standard error did not take, as a JSON object:
 * {"at_ms": since the epoch, "level", "text", "fields": {...}}; one that was cut has "cut": true.
 * In whichever thread logs, one after the other: must be short, must not block and must not log. */
struct log_tap {
	void (*told)(struct log_tap *tap, enum log_level level, const char *event, size_t len);
};

/* From any thread; NULL: nobody does. When this returns, the one before is told nothing any more.
 */
void log_set_tap(struct log_tap *tap);

/* "info"; static text. */
const char *log_level_name(enum log_level level);
enum log_level log_lowest(void);

/* For events that can come in floods: passes the first of each second and counts
 * the rest. Zero-initialise; thread-safe. */
struct log_gate {
	uint64_t opens_at_ns; /* atomic */
	uint64_t suppressed;  /* atomic */
};

/* True: log now, with *out_suppressed events left out since the last line. */
bool log_gate_pass(struct log_gate *gate, uint64_t now_ns, uint64_t *out_suppressed);
