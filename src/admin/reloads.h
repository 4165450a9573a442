/* SPDX-License-Identifier: Apache-2.0
 * reloads.h - who asked by the API that the configuration be read again, and waits.
 *
 * Layer: admin. The main thread reads; all who wait when it begins get one answer, by way of the
 * loops that have their requests. As many may wait as the API takes requests (admin.max_calls).
 * Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct http_later;
struct reloads;

/* NULL: memory is out. */
struct reloads *reloads_create(void);
/* NULL is fine. Nobody waits any more. */
void reloads_destroy(struct reloads **reloads);

/* It is wanted: `later` is answered when it has been done, from its beginning. False: memory is
 * out, or nothing is read any more; the request stays the caller's. */
bool reloads_ask(struct reloads *reloads, struct http_later *later);

/* Does anybody wait? */
bool reloads_are_asked(struct reloads *reloads);

/* In the main thread: those who wait are moved to the list, which is empty. */
void reloads_take(struct reloads *reloads, struct list_node *out_taken);

/* In the main thread: it has not been done yet; they wait on. The list is empty afterwards. */
void reloads_give_back(struct reloads *reloads, struct list_node *taken);

/* Answers and frees them. `text` is the body, JSON; NULL: memory is out. */
void reloads_answer(struct list_node *taken, unsigned status, const char *text);

/* The process ends: nothing is read any more, and who waits is told so. */
void reloads_close(struct reloads *reloads);
