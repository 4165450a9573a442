/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook_breaker.h"

#include "base/check.h"

void webhook_breaker_init(struct webhook_breaker *breaker, uint32_t failures_max, uint64_t open_ns,
			  uint32_t probes_max)
{
	CHECK(probes_max >= 1);
	*breaker = (struct webhook_breaker){
		.failures_max = failures_max,
		.probes_max = probes_max,
		.open_ns = open_ns,
		.state = WEBHOOK_BREAKER_CLOSED,
		.period = 1,
	};
}

static void enter(struct webhook_breaker *breaker, enum webhook_breaker_state state)
{
	breaker->state = state;
	if (++breaker->period == 0)
		breaker->period = 1;
	breaker->failures = 0;
	breaker->probes = 0;
	breaker->good = 0;
}

void webhook_breaker_tune(struct webhook_breaker *breaker, uint32_t failures_max, uint64_t open_ns,
			  uint32_t probes_max)
{
	CHECK(probes_max >= 1);
	breaker->failures_max = failures_max;
	breaker->open_ns = open_ns;
	breaker->probes_max = probes_max;
	if (failures_max == 0)
		webhook_breaker_close(breaker);
	else if (breaker->state == WEBHOOK_BREAKER_HALF_OPEN)
		enter(breaker,
		      WEBHOOK_BREAKER_HALF_OPEN); /* those under way were of other numbers */
}

void webhook_breaker_close(struct webhook_breaker *breaker)
{
	if (breaker->state != WEBHOOK_BREAKER_CLOSED)
		enter(breaker, WEBHOOK_BREAKER_CLOSED);
	breaker->failures = 0;
}

static void open_for_a_while(struct webhook_breaker *breaker, uint64_t now_ns)
{
	enter(breaker, WEBHOOK_BREAKER_OPEN);
	breaker->opens_until_ns = now_ns + breaker->open_ns;
	breaker->opens++;
}

uint32_t webhook_breaker_admit(struct webhook_breaker *breaker, uint64_t now_ns)
{
	if (breaker->state == WEBHOOK_BREAKER_OPEN) {
		if (now_ns < breaker->opens_until_ns)
			return 0;
		enter(breaker, WEBHOOK_BREAKER_HALF_OPEN);
	}
	if (breaker->state == WEBHOOK_BREAKER_HALF_OPEN) {
		if (breaker->probes == breaker->probes_max)
			return 0;
		breaker->probes++;
	}
	return breaker->period;
}

static void report_when_closed(struct webhook_breaker *breaker, uint64_t now_ns,
			       enum webhook_health health)
{
	if (health == WEBHOOK_HEALTHY)
		breaker->failures = 0;
	if (health != WEBHOOK_ILL || breaker->failures_max == 0)
		return;
	if (++breaker->failures >= breaker->failures_max)
		open_for_a_while(breaker, now_ns);
}

static void report_probe(struct webhook_breaker *breaker, uint64_t now_ns,
			 enum webhook_health health)
{
	if (health == WEBHOOK_UNKNOWN)
		breaker->probes--; /* its place is free for another */
	else if (health == WEBHOOK_ILL)
		open_for_a_while(breaker, now_ns);
	else if (++breaker->good == breaker->probes_max)
		enter(breaker, WEBHOOK_BREAKER_CLOSED);
}

void webhook_breaker_report(struct webhook_breaker *breaker, uint64_t now_ns, uint32_t ticket,
			    enum webhook_health health)
{
	if (ticket != breaker->period)
		return;
	if (breaker->state == WEBHOOK_BREAKER_CLOSED)
		report_when_closed(breaker, now_ns, health);
	else
		report_probe(breaker, now_ns, health);
}

uint64_t webhook_breaker_wait_ns(const struct webhook_breaker *breaker, uint64_t now_ns)
{
	if (breaker->state != WEBHOOK_BREAKER_OPEN || now_ns >= breaker->opens_until_ns)
		return 0;
	return breaker->opens_until_ns - now_ns;
}
