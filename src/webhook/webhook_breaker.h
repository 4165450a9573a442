/* SPDX-License-Identifier: Apache-2.0
 * webhook_breaker.h - stops asking a back end that does not work, and tries it now and then.
 *
 * Layer: webhook. Pure: the caller brings the time. One thread.
 *
 * Closed: all may pass; so many failures in a row open it. Open: none may pass, for open_ns.
 * Half open: so many probes may pass; all good closes it, one failure opens it again. */
#pragma once

#include <stdint.h>

enum webhook_breaker_state {
	WEBHOOK_BREAKER_CLOSED,
	WEBHOOK_BREAKER_OPEN,
	WEBHOOK_BREAKER_HALF_OPEN,
};

/* What an attempt says of the back end's health. */
enum webhook_health { WEBHOOK_HEALTHY, WEBHOOK_ILL, WEBHOOK_UNKNOWN /* it was cancelled */ };

struct webhook_breaker {
	uint32_t failures_max; /* in a row; 0: never opens */
	uint32_t probes_max;   /* at least 1 */
	uint64_t open_ns;

	enum webhook_breaker_state state;
	/* Grows with each change of state, never 0. What began in an earlier period says
	 * nothing about this one. */
	uint32_t period;
	uint32_t failures; /* closed: in a row */
	uint32_t probes;   /* half open: begun and not without result */
	uint32_t good;     /* half open: probes that went well */
	uint64_t opens_until_ns;
	uint64_t opens; /* how often it has opened */
};

void webhook_breaker_init(struct webhook_breaker *breaker, uint32_t failures_max, uint64_t open_ns,
			  uint32_t probes_max);

/* Other numbers, from now on; what it has counted stays. */
void webhook_breaker_tune(struct webhook_breaker *breaker, uint32_t failures_max, uint64_t open_ns,
			  uint32_t probes_max);

/* Everything may pass again: it is about another back end. */
void webhook_breaker_close(struct webhook_breaker *breaker);

/* May an attempt begin? 0: no; else the ticket to report it with. */
uint32_t webhook_breaker_admit(struct webhook_breaker *breaker, uint64_t now_ns);

/* Each admitted attempt is reported once. */
void webhook_breaker_report(struct webhook_breaker *breaker, uint64_t now_ns, uint32_t ticket,
			    enum webhook_health health);

/* How long until an attempt may be admitted again; 0: it depends on probes under way, or the
 * breaker is closed. */
uint64_t webhook_breaker_wait_ns(const struct webhook_breaker *breaker, uint64_t now_ns);
