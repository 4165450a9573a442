/* SPDX-License-Identifier: Apache-2.0
 * mailbox.h - posting to a loop that may have ended.
 *
 * Layer: io. loop_post leaves it to the caller that the loop is not destroyed
 * meanwhile. A mailbox takes that over: it is open for as long as its loop takes tasks,
 * and outlives the loop. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "io/loop.h"

struct mailbox {
	pthread_mutex_t mutex;
	struct loop *loop; /* NULL: nobody takes anything */
};

/* Closed. */
void mailbox_init(struct mailbox *mailbox);
void mailbox_finish(struct mailbox *mailbox);

/* In the loop's thread. What was posted before mailbox_close still runs, in loop_run or
 * at the latest in loop_destroy; after it nothing more comes. */
void mailbox_open(struct mailbox *mailbox, struct loop *loop);
void mailbox_close(struct mailbox *mailbox);

/* From any thread. False: closed, and the task stays the caller's. */
bool mailbox_post(struct mailbox *mailbox, struct loop_task *task);
