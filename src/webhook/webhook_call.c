/* SPDX-License-Identifier: Apache-2.0
 * The life of a call, in the webhook's thread: queued, flying, perhaps sleeping and queued
 * again, ended. It is in the list of its state. */
#include "webhook/webhook_private.h"

#include <stdarg.h>
#include <stdio.h>

static void on_timer(struct timer *timer);

/* --- the end --- */

static void go_home(struct loop_task *task)
{
	struct webhook_call *call = CONTAINER_OF(task, struct webhook_call, own.task);

	call->on_done(call);
}

/* The call may be gone when it returns. */
static void call_unref(struct webhook_call *call)
{
	struct webhook *webhook = call->own.webhook;

	if (!reference_drop(&call->own.refs))
		return;
	/* Its place is free before on_done runs, which may want it for the next call. */
	if (__atomic_sub_fetch(&webhook->admitted, 1, __ATOMIC_ACQ_REL) == ADMISSION_CLOSED)
		loop_stop(webhook->loop);
	call->own.task.run = go_home;
	loop_post(call->loop, &call->own.task);
}

static void call_end(struct webhook_call *call, enum webhook_outcome outcome)
{
	list_remove(&call->own.node);
	loop_timer_stop(call->own.webhook->loop, &call->own.timer);
	call->own.state = WEBHOOK_CALL_ENDED;
	call->outcome = outcome;
	counter_add(&call->own.webhook->stats.calls_done[outcome], 1);
	call_unref(call);
}

/* Ends a call that is not flying, for a reason that lies not in the last attempt. */
static void call_end_for(struct webhook_call *call, enum webhook_outcome outcome,
			 enum webhook_cause cause)
{
	call->cause = cause;
	counter_add(&call->own.webhook->stats.failures[cause], 1);
	call_end(call, outcome);
}

static void __attribute__((format(printf, 2, 3)))
error_append(struct webhook_call *call, const char *format, ...)
{
	size_t len = strlen(call->error);
	va_list args;

	va_start(args, format);
	vsnprintf(call->error + len, sizeof(call->error) - len, format, args);
	va_end(args);
}

static void end_past_deadline(struct webhook_call *call)
{
	if (call->attempts == 0)
		error_append(call, "the deadline of the call passed while it waited for its turn; "
				   "the back end is slow, or may be sent too few calls at once");
	else
		error_append(call, "; the deadline passed before attempt %u", call->attempts + 1);
	call_end_for(call, WEBHOOK_FAILED, WEBHOOK_CAUSE_DEADLINE);
}

static void end_at_open_breaker(struct webhook_call *call, uint64_t now_ns)
{
	struct webhook *webhook = call->own.webhook;

	call->retry_after_ns = webhook_breaker_wait_ns(&webhook->breaker, now_ns);
	if (call->attempts > 0) {
		error_append(call, "; not tried again, because too many calls fail");
		call_end(call, call->outcome);
		return;
	}
	error_append(
		call,
		"not sent: %u calls in a row failed, so the back end gets none but a probe now "
		"and then; the next in %llu ms",
		webhook->rules.options.breaker_failures,
		(unsigned long long)(call->retry_after_ns / NS_PER_MS));
	call_end_for(call, WEBHOOK_OPEN, WEBHOOK_CAUSE_BREAKER);
}

/* --- an attempt --- */

static void wake_at(struct webhook_call *call, uint64_t at_ns)
{
	struct loop *loop = call->own.webhook->loop;
	uint64_t now_ns = loop_now(loop);

	loop_timer_start(loop, &call->own.timer, at_ns > now_ns ? at_ns - now_ns : 0);
}

static void call_queue(struct webhook_call *call)
{
	call->own.state = WEBHOOK_CALL_QUEUED;
	list_append(&call->own.webhook->queued, &call->own.node);
	if (call->deadline_ns != 0)
		wake_at(call, call->deadline_ns);
}

static void note_breaker(struct webhook *webhook)
{
	counter_set(&webhook->stats.breaker_state, webhook->breaker.state);
	counter_set(&webhook->stats.breaker_opens, webhook->breaker.opens);
}

/* Of the attempt that is under way. */
static size_t trail_at(const struct webhook_call *call)
{
	return MIN(call->attempts, (uint32_t)WEBHOOK_TRAIL_MAX) - 1;
}

/* "http://host/path" of "http://user:password@host/path?query". */
static void url_without_secrets(const char *url, char *out, size_t size)
{
	const char *scheme_end = strstr(url, "://");
	const char *host = scheme_end == NULL ? url : scheme_end + strlen("://");
	const char *at = memrchr(host, '@', strcspn(host, "/?#"));
	const char *rest = at == NULL ? host : at + 1;

	snprintf(out, size, "%.*s%.*s", (int)(host - url), url, (int)strcspn(rest, "?#"), rest);
}

static void trail_begin(struct webhook_call *call)
{
	struct webhook_trail *trail = call->trail;

	if (trail == NULL)
		return;
	url_without_secrets(call->own.webhook->rules.options.url, trail->url, sizeof(trail->url));
	trail->count = call->attempts;
	memset(&trail->attempts[trail_at(call)], 0, sizeof(trail->attempts[0]));
	trail->attempts[trail_at(call)].begun_ns = clock_wall_ns();
}

static void trail_end(struct webhook_call *call, enum webhook_cause cause)
{
	struct webhook_trail *trail = call->trail;

	if (trail == NULL)
		return;
	trail->attempts[trail_at(call)].ended_ns = clock_wall_ns();
	trail->attempts[trail_at(call)].status = call->status;
	trail->attempts[trail_at(call)].cause = cause;
}

static void call_fly(struct webhook_call *call)
{
	struct webhook *webhook = call->own.webhook;

	if (call->attempts == 0)
		retry_budget_deposit(&webhook->budget);
	else
		counter_add(&webhook->stats.retries, 1);
	call->attempts++;
	trail_begin(call);
	call->own.state = WEBHOOK_CALL_FLYING;
	list_append(&webhook->flying, &call->own.node);
	counter_add(&webhook->stats.attempts, 1);
	counter_set(&webhook->stats.in_flight, ++webhook->in_flight);
}

static void attempt(struct webhook_call *call)
{
	struct webhook *webhook = call->own.webhook;
	uint64_t now_ns = clock_now_ns();
	uint64_t limit_ms = webhook->rules.options.timeout_ms;

	if (call->deadline_ns != 0) {
		if (now_ns >= call->deadline_ns) {
			end_past_deadline(call);
			return;
		}
		limit_ms = MIN(limit_ms, (call->deadline_ns - now_ns) / NS_PER_MS + 1);
	}
	uint32_t ticket = webhook_breaker_admit(&webhook->breaker, now_ns);

	note_breaker(webhook);
	if (ticket == 0) {
		end_at_open_breaker(call, now_ns);
		return;
	}
	call->error[0] = 0;
	call->status = 0;
	if (webhook_transfer_begin(webhook, call, ticket, limit_ms) < 0) {
		webhook_breaker_report(&webhook->breaker, now_ns, ticket, WEBHOOK_UNKNOWN);
		error_append(call, "the gateway is out of memory for another request");
		call_end_for(call, WEBHOOK_FAILED, WEBHOOK_CAUSE_INTERNAL);
		return;
	}
	call_fly(call);
}

void webhook_dispatch(struct webhook *webhook)
{
	while (webhook->in_flight < webhook->rules.options.max_in_flight &&
	       !list_is_empty(&webhook->queued)) {
		struct webhook_call *call = CONTAINER_OF(webhook->queued.next, struct webhook_call,
							 own.node);

		list_remove(&call->own.node);
		loop_timer_stop(webhook->loop, &call->own.timer);
		attempt(call);
	}
}

static void call_landed(struct webhook_call *call, uint32_t ticket, enum webhook_health health)
{
	struct webhook *webhook = call->own.webhook;

	list_remove(&call->own.node);
	counter_set(&webhook->stats.in_flight, --webhook->in_flight);
	webhook_breaker_report(&webhook->breaker, clock_now_ns(), ticket, health);
	note_breaker(webhook);
}

/* How long to wait before the next attempt, if there may be one; else says why not. */
static bool may_try_again(struct webhook_call *call, const struct verdict *verdict,
			  uint64_t *out_delay_ns)
{
	struct webhook *webhook = call->own.webhook;
	const struct webhook_options *options = &webhook->rules.options;

	if (verdict->retry == RETRY_NEVER || call->own.is_last)
		return false;
	if (verdict->retry == RETRY_IF_ALLOWED && !call->may_retry) {
		error_append(call, "; not tried again, because the call does not allow it");
		return false;
	}
	if (call->attempts > options->retries) {
		error_append(call, "; attempts made: %u, allowed: %u", call->attempts,
			     options->retries + 1);
		return false;
	}
	uint64_t delay_ns = backoff_ns(options->retry_min_ms * NS_PER_MS,
				       options->retry_max_ms * NS_PER_MS, call->attempts,
				       random_u32(&webhook->random));

	delay_ns = MAX(delay_ns, call->retry_after_ns);
	if (call->deadline_ns != 0 && clock_now_ns() + delay_ns >= call->deadline_ns) {
		error_append(call, "; the deadline leaves no time for attempt %u",
			     call->attempts + 1);
		return false;
	}
	/* The budget spares the back end, which has not seen an attempt that failed on our side. */
	if (verdict->health != WEBHOOK_UNKNOWN && !retry_budget_withdraw(&webhook->budget)) {
		counter_add(&webhook->stats.retries_denied, 1);
		error_append(call,
			     "; not tried again, because retries are limited to %u %% of calls",
			     options->retry_budget_percent);
		return false;
	}
	*out_delay_ns = delay_ns;
	return true;
}

void webhook_call_attempt_ended(struct webhook *webhook, struct webhook_call *call,
				const struct verdict *verdict, uint32_t ticket)
{
	uint64_t delay_ns;

	call_landed(call, ticket, verdict->health);
	trail_end(call, verdict->cause);
	if (call->status >= 100 && call->status < 600)
		counter_add(&webhook->stats.answers[call->status / 100], 1);
	if (verdict->outcome != WEBHOOK_OK)
		counter_add(&webhook->stats.failures[verdict->cause], 1);
	call->outcome = verdict->outcome;
	call->cause = verdict->cause;
	/* Bounded, for whoever sends the event again later too: a back end may ask for years. */
	call->retry_after_ns = MIN(verdict->retry_after_ns,
				   webhook->rules.options.retry_after_max_ms * NS_PER_MS);
	if (!may_try_again(call, verdict, &delay_ns)) {
		call_end(call, verdict->outcome);
		return;
	}
	call->own.state = WEBHOOK_CALL_SLEEPING;
	list_append(&webhook->sleeping, &call->own.node);
	wake_at(call, clock_now_ns() + delay_ns);
}

/* --- what comes from outside --- */

static void on_timer(struct timer *timer)
{
	struct webhook_call *call = CONTAINER_OF(timer, struct webhook_call, own.timer);
	struct webhook *webhook = call->own.webhook;

	list_remove(&call->own.node);
	if (call->own.state == WEBHOOK_CALL_QUEUED)
		end_past_deadline(call);
	else
		call_queue(call);
	webhook_settle(webhook);
}

static void call_cancel(struct webhook_call *call)
{
	if (call->own.state == WEBHOOK_CALL_ENDED)
		return;
	if (call->own.state == WEBHOOK_CALL_FLYING) {
		call_landed(call, webhook_transfer_abort(call), WEBHOOK_UNKNOWN);
		trail_end(call, WEBHOOK_CAUSE_CANCELLED);
	}
	snprintf(call->error, sizeof(call->error), "the call was cancelled");
	call_end_for(call, WEBHOOK_CANCELLED, WEBHOOK_CAUSE_CANCELLED);
}

void webhook_call_arrive(struct loop_task *task)
{
	struct webhook_call *call = CONTAINER_OF(task, struct webhook_call, own.task);
	struct webhook *webhook = call->own.webhook;

	loop_timer_init(&call->own.timer, on_timer);
	call_queue(call);
	if (webhook->is_cancelling)
		call_cancel(call);
	webhook_settle(webhook);
}

void webhook_call_cancel(struct loop_task *task)
{
	struct webhook_call *call = CONTAINER_OF(task, struct webhook_call, own.cancel_task);
	struct webhook *webhook = call->own.webhook;

	call_cancel(call);
	call_unref(call);
	webhook_settle(webhook);
}

void webhook_call_yield(struct loop_task *task)
{
	struct webhook_call *call = CONTAINER_OF(task, struct webhook_call, own.yield_task);
	struct webhook *webhook = call->own.webhook;

	call->own.is_last = true;
	if (call->own.state != WEBHOOK_CALL_FLYING)
		call_cancel(call);
	call_unref(call);
	webhook_settle(webhook);
}

static void cancel_list(struct list_node *head)
{
	while (!list_is_empty(head))
		call_cancel(CONTAINER_OF(head->next, struct webhook_call, own.node));
}

void webhook_cancel_all(struct webhook *webhook)
{
	webhook->is_cancelling = true;
	cancel_list(&webhook->queued);
	cancel_list(&webhook->sleeping);
	cancel_list(&webhook->flying);
	webhook_settle(webhook);
}
