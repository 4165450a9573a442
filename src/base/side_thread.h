/* SPDX-License-Identifier: Apache-2.0
 * side_thread.h - a thread that does for others what would make them wait, and sleeps until there
 * is something to do: how it begins, sleeps and ends.
 *
 * Layer: base. Lies in its owner's memory. Work passes under the mutex, which is the owner's to
 * use. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct side_thread {
	pthread_mutex_t mutex; /* guards is_ending, and what the owner says */
	pthread_cond_t changed;
	bool is_ending; /* `run` is to return when it sees this */
	pthread_t thread;
};

/* Signals are for the main thread: this one gets none. 0, or a negative errno: then there is
 * nothing to end. */
int side_thread_start(struct side_thread *side, void *(*run)(void *arg), void *arg);

/* Under the mutex, in the thread: until it is woken; perhaps for nothing. */
void side_thread_sleep(struct side_thread *side);

/* Under the mutex: there is something to do. */
void side_thread_wake(struct side_thread *side);

/* Waits until it has returned; nobody else knows of it any more. With `patience_s` other than 0 at
 * most so long: false, it hangs, and what it uses must never be freed. */
bool side_thread_end(struct side_thread *side, unsigned patience_s);
