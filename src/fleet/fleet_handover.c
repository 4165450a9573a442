/* SPDX-License-Identifier: Apache-2.0
 * fleet_handover.c - how two processes come past each other at the broker (fleet_handover.h).
 *
 *	older: commit        what has waited is told, then TOLD
 *	newer: TOLD          subscribes, asks the broker whether it knows, then SUBSCRIBED
 *	older: SUBSCRIBED    ends its subscriptions; what still comes is told; it has left
 *	older: (meanwhile)   asks the broker whether it has all that was published, then PUBLISHED
 *	newer: PUBLISHED     publishes what it has to
 *
 * Whatever the newer one waits for, the end of the road does as well. A question to the broker that
 * has no answer, because it is away, is asked again. */
#include "fleet/fleet_handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "fleet/command/command_road.h"

#define CONFIRM_NS NS_PER_S /* for the broker's answer, and until it is asked again */

/* Brokers of a cluster tell one another who is subscribed: within this time, as a rule. */
#define SPREAD_NS NS_PER_S

/* Nobody is subscribed to it. */
#define SUBJECT "gatehouse.upgrade"

enum bus_word { BUS_WORD_TOLD = 1, BUS_WORD_SUBSCRIBED = 2, BUS_WORD_PUBLISHED = 3 };

struct fleet_handover {
	struct fleet_handover_options options;
	struct command_road *commands;
	/* In home's thread. */
	struct loop_task confirm_task, spread_task;
	struct bus_request request;
	struct timer timer; /* until the next question, or until brokers have told one another */
	bool is_asking;     /* the request waits */
	bool is_waiting;    /* the timer does */
	bool is_spreading;  /* for the brokers */
	bool is_aborted;
	/* Atomic. */
	bool is_subscribing;
	bool is_publishing; /* newer */
	bool has_left;
};

/* --- words --- */

enum word_tag {
	WORD_TAG_WORD = 1,
	WORD_TAG_BROKER = 2, /* text: the name of the broker that knows of the subscriptions */
};

static void say(struct fleet_handover *handover, enum bus_word word, const char *broker)
{
	struct handover_road *road = handover->options.road;
	struct state_writer writer;
	struct buf bytes = {0};

	state_writer_init(&writer, &bytes, 1024);
	state_put_u64(&writer, WORD_TAG_WORD, word);
	state_put_text(&writer, WORD_TAG_BROKER, broker);
	if (writer.error == 0)
		road->tell(road, ROAD_BUS, buf_slice(&bytes));
	buf_finish(&bytes);
}

static bool word_read(struct slice bytes, uint64_t *out_word, struct slice *out_broker)
{
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	*out_word = 0;
	*out_broker = (struct slice){0};
	state_reader_init(&reader, bytes);
	while (is_good && state_next(&reader, &field)) {
		if (field.tag == WORD_TAG_WORD)
			is_good = state_u64(&field, out_word);
		else if (field.tag == WORD_TAG_BROKER)
			*out_broker = field.value;
		else
			is_good = !state_must_understand(field.tag);
	}
	return is_good && !reader.is_bad;
}

/* --- what the broker knows, in home's thread --- */

static struct bus *bus_of(const struct fleet_handover *handover)
{
	return handover->options.fleet->bus;
}

static void home_end(struct fleet_handover *handover)
{
	struct fleet_home *home = handover->options.home;

	home->questions--;
	home->on_gone(home);
}

static void confirmed(struct fleet_handover *handover)
{
	struct bus_status status;

	bus_status(bus_of(handover), &status);
	if (handover->options.is_newer)
		say(handover, BUS_WORD_SUBSCRIBED, status.broker);
	else
		say(handover, BUS_WORD_PUBLISHED, NULL);
}

static void ask_later(struct fleet_handover *handover)
{
	handover->is_waiting = true;
	loop_timer_start(handover->options.home->loop, &handover->timer, CONFIRM_NS);
}

/* What it forbids it has read, too. */
static void on_confirmed(struct bus_request *request, const struct bus_outcome *outcome)
{
	struct fleet_handover *handover = CONTAINER_OF(request, struct fleet_handover, request);

	handover->is_asking = false;
	if (outcome->result == BUS_TAKEN || outcome->result == BUS_FORBIDDEN)
		confirmed(handover);
	else if (!handover->is_aborted) {
		ask_later(handover);
		return;
	}
	home_end(handover);
}

static void ask_broker(struct fleet_handover *handover)
{
	struct fleet_home *home = handover->options.home;
	int r = bus_publish_checked(bus_of(handover), &handover->request, home->loop,
				    &(struct bus_message){.subject = SLICE_LITERAL(SUBJECT)},
				    CONFIRM_NS, on_confirmed);

	handover->is_asking = r == 0;
	if (r < 0)
		ask_later(handover);
}

static void left(void *arg)
{
	struct fleet_handover *handover = arg;

	__atomic_store_n(&handover->has_left, true, __ATOMIC_RELEASE);
}

static void on_timer(struct timer *timer)
{
	struct fleet_handover *handover = CONTAINER_OF(timer, struct fleet_handover, timer);

	handover->is_waiting = false;
	if (!handover->is_spreading) {
		ask_broker(handover);
		return;
	}
	bus_leave(bus_of(handover), left, handover);
	home_end(handover);
}

/* Nobody waits for a broker any more. */
static void on_abort(struct fleet_home *home)
{
	struct fleet_handover *handover = home->handover;

	handover->is_aborted = true;
	if (handover->is_asking)
		bus_request_cancel(&handover->request);
	if (!handover->is_waiting)
		return;
	loop_timer_stop(home->loop, &handover->timer);
	handover->is_waiting = false;
	home_end(handover);
}

static void on_confirm(struct loop_task *task)
{
	struct fleet_handover *handover = CONTAINER_OF(task, struct fleet_handover, confirm_task);

	struct fleet_home *home = handover->options.home;

	home->handover = handover;
	home->on_abort = on_abort;
	home->questions++;
	ask_broker(handover);
}

static void on_spread(struct loop_task *task)
{
	struct fleet_handover *handover = CONTAINER_OF(task, struct fleet_handover, spread_task);
	struct fleet_home *home = handover->options.home;

	home->questions++;
	handover->is_spreading = handover->is_waiting = true;
	loop_timer_start(home->loop, &handover->timer, handover->is_aborted ? 0 : SPREAD_NS);
}

/* --- older --- */

static void bring(void *arg, const struct bus_message *message)
{
	struct fleet_handover *handover = arg;
	struct handover_road *road = handover->options.road;
	struct buf bytes = {0};

	if (bus_message_write(&bytes, message) == 0)
		road->tell(road, ROAD_MESSAGE, buf_slice(&bytes));
	buf_finish(&bytes);
}

/* By another broker of a cluster than ours ours hears of it a moment later. */
static void subscribed(struct fleet_handover *handover, struct slice broker)
{
	struct fleet_home *home = handover->options.home;
	struct bus_status status;

	bus_status(bus_of(handover), &status);
	if (slice_equals(broker, slice_from_text(status.broker)))
		bus_leave(bus_of(handover), left, handover);
	else
		loop_post(home->loop, &handover->spread_task);
}

static void on_word_older(void *arg, struct slice bytes)
{
	struct fleet_handover *handover = arg;
	uint64_t word;
	struct slice broker;

	if (word_read(bytes, &word, &broker) && word == BUS_WORD_SUBSCRIBED &&
	    !__atomic_exchange_n(&handover->is_subscribing, true, __ATOMIC_ACQ_REL))
		subscribed(handover, broker);
}

/* --- newer --- */

static void begin_subscribing(struct fleet_handover *handover)
{
	if (__atomic_exchange_n(&handover->is_subscribing, true, __ATOMIC_ACQ_REL))
		return;
	bus_begin_subscribing(bus_of(handover));
	loop_post(handover->options.home->loop, &handover->confirm_task);
}

/* By the older one's word, or because it has ended: the bus may be told once. */
static void begin_publishing(struct fleet_handover *handover)
{
	if (!__atomic_exchange_n(&handover->is_publishing, true, __ATOMIC_ACQ_REL))
		bus_begin_publishing(bus_of(handover));
}

static void on_word_newer(void *arg, struct slice bytes)
{
	struct fleet_handover *handover = arg;
	uint64_t word;
	struct slice broker;

	if (!word_read(bytes, &word, &broker))
		return;
	if (word == BUS_WORD_TOLD)
		begin_subscribing(handover);
	else if (word == BUS_WORD_PUBLISHED)
		begin_publishing(handover);
}

static void on_end_newer(void *arg)
{
	struct fleet_handover *handover = arg;

	begin_subscribing(handover);
	begin_publishing(handover);
}

static void on_message(void *arg, struct slice bytes)
{
	struct fleet_handover *handover = arg;
	struct bus_header headers[BUS_HEADERS_MAX];
	struct bus_message message;

	if (bus_message_read(bytes, headers, &message))
		bus_bring(bus_of(handover), &message);
}

/* --- both --- */

static void listen_to(struct fleet_handover *handover)
{
	struct handover_road *road = handover->options.road;

	if (!handover->options.is_newer) {
		road_listen(road, ROAD_BUS,
			    &(struct road_ear){.on_told = on_word_older, .arg = handover});
		return;
	}
	road_listen(road, ROAD_BUS,
		    &(struct road_ear){
			    .on_told = on_word_newer, .on_end = on_end_newer, .arg = handover});
	road_listen(road, ROAD_MESSAGE, &(struct road_ear){.on_told = on_message, .arg = handover});
}

int fleet_handover_create(const struct fleet_handover_options *options,
			  struct fleet_handover **out_handover)
{
	struct fleet_handover *handover = calloc(1, sizeof(*handover));

	if (handover == NULL)
		return -ENOMEM;
	handover->options = *options;
	handover->confirm_task.run = on_confirm;
	handover->spread_task.run = on_spread;
	loop_timer_init(&handover->timer, on_timer);
	handover->commands = options->is_newer
				     ? command_road_create_newer(options->road, options->fleet,
								 options->home)
				     : command_road_create_older(options->road);
	if (handover->commands == NULL) {
		free(handover);
		return -ENOMEM;
	}
	listen_to(handover);
	/* Calls that come along find it. */
	if (options->is_newer)
		__atomic_store_n(&options->fleet->command_road, handover->commands,
				 __ATOMIC_RELEASE);
	*out_handover = handover;
	return 0;
}

void fleet_handover_destroy(struct fleet_handover **handover)
{
	struct fleet_handover *self = *handover;

	*handover = NULL;
	if (self == NULL)
		return;
	CHECK(!self->is_asking && !self->is_waiting);
	struct command_road *own = self->commands;

	/* A later one may be in its place. */
	__atomic_compare_exchange_n(&self->options.fleet->command_road, &own, NULL, false,
				    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	command_road_destroy(&self->commands);
	free(self);
}

void fleet_handover_pause(struct fleet_handover *handover)
{
	bus_hold(bus_of(handover));
}

void fleet_handover_abandon(struct fleet_handover *handover)
{
	bus_release(bus_of(handover));
}

void fleet_handover_commit(struct fleet_handover *handover)
{
	struct fleet *fleet = handover->options.fleet;

	CHECK(!handover->options.is_newer);
	__atomic_store_n(&fleet->command_road, handover->commands, __ATOMIC_RELEASE);
	__atomic_store_n(&fleet->has_moved, true, __ATOMIC_RELEASE);
	bus_bequeath(fleet->bus, &(struct bus_heir){.bring = bring, .arg = handover});
	say(handover, BUS_WORD_TOLD, NULL);
	loop_post(handover->options.home->loop, &handover->confirm_task);
	if (!fleet->is_clustered)
		left(handover);
}

bool fleet_handover_has_left(const struct fleet_handover *handover)
{
	return __atomic_load_n(&handover->has_left, __ATOMIC_ACQUIRE);
}
