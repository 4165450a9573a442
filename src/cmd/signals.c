/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/check.h"
#include "base/log.h"

static const int ends[] = {SIGTERM, SIGINT};

/* They would end the process, and nobody who sends them means that. */
static const struct {
	int number;
	const char *remedy;
} answered[] = {
	{SIGUSR1, "there is no log file to reopen: the log goes to standard error"},
	{SIGALRM, "send SIGTERM to end the gateway"},
	{SIGVTALRM, "send SIGTERM to end the gateway"},
	{SIGPROF, "send SIGTERM to end the gateway"},
	{SIGIO, "send SIGTERM to end the gateway"},
	{SIGPWR, "send SIGTERM to end the gateway"},
};

/* A write that fails says so itself: who writes the log or to a client sees its error. */
static const int ignored[] = {SIGPIPE, SIGXFSZ};

bool signals_is_end(int number)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends[i] == number)
			return true;
	return false;
}

void signals_hold(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int signals_take(void)
{
	sigset_t set;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		sigaddset(&set, ends[i]);
	for (size_t i = 0; i < ARRAY_LEN(answered); i++)
		sigaddset(&set, answered[i].number);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		sigaddset(&set, number);
	/* Before the first thread: all inherit the mask, only we read. */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

void signals_log(int number)
{
	const char *remedy = "send SIGTERM to end the gateway", *name = sigabbrev_np(number);
	char real_time[32], message[64];

	for (size_t i = 0; i < ARRAY_LEN(answered); i++)
		if (answered[i].number == number)
			remedy = answered[i].remedy;
	snprintf(real_time, sizeof(real_time), "RTMIN+%d", number - SIGRTMIN);
	snprintf(message, sizeof(message), "SIG%s: nothing was done",
		 name != NULL ? name : real_time);
	log_warn(message, F_TEXT("remedy", remedy));
}
