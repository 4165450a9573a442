/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/deadline.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

/* Again and again: a signal that comes between two system calls interrupts neither. */
#define REPEAT_NS (50 * NS_PER_MS)

#ifndef sigev_notify_thread_id /* glibc names it only lately */
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void on_signal(int number)
{
	(void)number;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S),
				 .tv_nsec = (long)(ns % NS_PER_S)};
}

int deadline_start(struct deadline *deadline, uint64_t after_ns)
{
	/* Without SA_RESTART, which is the point of it. */
	struct sigaction action = {.sa_handler = on_signal};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG};
	struct itimerspec times = {.it_value = timespec_of(after_ns > 0 ? after_ns : 1),
				   .it_interval = timespec_of(REPEAT_NS)};

	event.sigev_notify_thread_id = gettid();
	CHECK(sigaction(SIGURG, &action, NULL) == 0);
	if (timer_create(CLOCK_MONOTONIC, &event, &deadline->timer) < 0)
		return -errno;
	CHECK(timer_settime(deadline->timer, 0, &times, NULL) == 0);
	return 0;
}

void deadline_stop(struct deadline *deadline)
{
	CHECK(timer_delete(deadline->timer) == 0);
}
