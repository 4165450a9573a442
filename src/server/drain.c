/* SPDX-License-Identifier: Apache-2.0 */
#include "server/drain.h"

#include "base/check.h"
#include "base/counter.h"

const char *drain_state_name(enum drain_state state)
{
	static const char *const names[] = {
		[DRAIN_NONE] = "none",           [DRAIN_WAITING] = "waiting",
		[DRAIN_UNDER_WAY] = "under_way", [DRAIN_DONE] = "done",
		[DRAIN_CANCELLED] = "cancelled",
	};

	CHECK((size_t)state < ARRAY_LEN(names));
	return names[state];
}

void drain_init(struct drain *drain, bool *is_draining, bool *is_refusing)
{
	*drain = (struct drain){.is_draining = is_draining, .is_refusing = is_refusing};
	drain->view.plan.scope.percent = 100;
	pthread_mutex_init(&drain->mutex, NULL);
}

void drain_finish(struct drain *drain)
{
	pthread_mutex_destroy(&drain->mutex);
}

/* --- under the lock --- */

static bool is_full(const struct drain_view *view)
{
	return drain_scope_is_full(&view->plan.scope);
}

/* It can be cancelled, or has its pace changed. */
static bool is_on(const struct drain_view *view)
{
	return view->state == DRAIN_WAITING || view->state == DRAIN_UNDER_WAY ||
	       (view->state == DRAIN_DONE && is_full(view));
}

static void flag_set(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

static void move_on(struct drain *drain, uint64_t now_ns)
{
	struct drain_view *view = &drain->view;

	if (view->state != DRAIN_WAITING || now_ns < view->plan.begin_ns)
		return;
	view->state = DRAIN_UNDER_WAY;
	if (is_full(view))
		flag_set(drain->is_refusing, true);
}

/* Readiness was taken away with the first order for all: that is not waited for twice. */
static uint64_t begin_of(const struct drain *drain, const struct drain_order *order,
			 uint64_t now_ns)
{
	const struct drain_view *view = &drain->view;
	uint64_t since_ns = is_on(view) && is_full(view) ? view->asked_ns : now_ns;

	return MAX(now_ns, since_ns + order->delay_ns);
}

static void start(struct drain *drain, const struct drain_order *order, uint64_t now_ns)
{
	struct drain_view *view = &drain->view;
	uint64_t begin_ns = begin_of(drain, order, now_ns);

	drain_plan_init(&view->plan, &order->scope, &drain->random);
	view->plan.begin_ns = begin_ns;
	view->plan.end_ns = begin_ns + order->over_ns;
	view->plan.patience_ns = order->patience_ns;
	view->plan.retry_after_s = order->retry_after_s;
	view->plan.last_id = order->last_id;
	view->state = DRAIN_WAITING;
	view->number++;
	view->asked_ns = now_ns;
	view->is_ending |= order->is_ending;
	counter_add(&drain->started, 1);
	if (is_full(view))
		flag_set(drain->is_draining, true);
	move_on(drain, now_ns);
}

/* --- for all threads --- */

enum drain_answer drain_begin(struct drain *drain, const struct drain_order *order, uint64_t now_ns)
{
	struct drain_view *view = &drain->view;
	enum drain_answer answer = DRAIN_STARTED;

	pthread_mutex_lock(&drain->mutex);
	move_on(drain, now_ns);
	bool is_same = is_on(view) && drain_scope_is_same(&view->plan.scope, &order->scope);

	if (is_same && !order->is_ending) {
		drain_plan_pace(&view->plan, now_ns, order->over_ns);
		answer = DRAIN_CHANGED;
	} else if (view->is_ending) {
		answer = DRAIN_ENDING;
	} else if (is_on(view) && !order->is_ending && !drain_scope_is_full(&order->scope)) {
		answer = DRAIN_CONFLICT;
	} else {
		start(drain, order, now_ns);
	}
	pthread_mutex_unlock(&drain->mutex);
	return answer;
}

enum drain_answer drain_cancel(struct drain *drain, uint64_t now_ns)
{
	struct drain_view *view = &drain->view;
	enum drain_answer answer = DRAIN_STOPPED;

	pthread_mutex_lock(&drain->mutex);
	if (view->is_ending) {
		answer = DRAIN_ENDING;
	} else if (!is_on(view)) {
		answer = DRAIN_IDLE;
	} else {
		if (is_full(view)) {
			flag_set(drain->is_refusing, false);
			flag_set(drain->is_draining, false);
		}
		view->state = DRAIN_CANCELLED;
		view->done_ns = now_ns;
		counter_add(&drain->cancelled, 1);
	}
	pthread_mutex_unlock(&drain->mutex);
	return answer;
}

void drain_end(struct drain *drain)
{
	pthread_mutex_lock(&drain->mutex);
	drain->view.is_ending = true;
	flag_set(drain->is_draining, true);
	pthread_mutex_unlock(&drain->mutex);
}

bool drain_look(struct drain *drain, uint64_t now_ns, struct drain_view *out_view)
{
	pthread_mutex_lock(&drain->mutex);
	move_on(drain, now_ns);
	*out_view = drain->view;
	bool is_due = is_on(&drain->view);
	pthread_mutex_unlock(&drain->mutex);
	return is_due;
}

bool drain_complete(struct drain *drain, uint64_t number, uint64_t now_ns)
{
	struct drain_view *view = &drain->view;

	pthread_mutex_lock(&drain->mutex);
	bool is_news = view->number == number && view->state == DRAIN_UNDER_WAY;

	if (is_news) {
		view->state = DRAIN_DONE;
		view->done_ns = now_ns;
		counter_add(&drain->done, 1);
	}
	pthread_mutex_unlock(&drain->mutex);
	return is_news;
}
