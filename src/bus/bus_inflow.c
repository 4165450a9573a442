/* SPDX-License-Identifier: Apache-2.0
 * bus_inflow.c - where a message of the broker's goes: to who is subscribed here; while this
 * process hands over to another one, into a list that waits; and once that has the clients, to it
 * (bus.h).
 *
 * The mutex is held while one message is dealt with. So behind bus_hold nothing more is on its way
 * to a loop, and what has waited is dealt with before what comes next. */
#include "bus/bus_private.h"

static void deliver(struct bus *bus, const struct bus_message *message)
{
	if (topics_deliver(bus, message, 0) < 0)
		BUS_COUNT(bus, dropped);
}

static void keep(struct bus *bus, const struct bus_message *message)
{
	struct bus_inflow *inflow = &bus->inflow;
	struct bus_parcel *parcel;

	if (parcel_create(bus, &bus->stats.loop_pending_bytes, message, 0, &parcel) < 0) {
		BUS_COUNT(bus, dropped);
		return;
	}
	parcel_fill(parcel, message, 0);
	parcel->next = NULL;
	*inflow->end = parcel;
	inflow->end = &parcel->next;
}

static void deal_with(struct bus *bus, const struct bus_message *message)
{
	struct bus_inflow *inflow = &bus->inflow;

	if (inflow->course == BUS_COURSE_HELD) {
		keep(bus, message);
		return;
	}
	if (inflow->course == BUS_COURSE_BEQUEATHED)
		inflow->heir.bring(inflow->heir.arg, message);
	deliver(bus, message);
}

void inflow_take(struct bus *bus, const struct bus_message *message)
{
	pthread_mutex_lock(&bus->inflow.mutex);
	deal_with(bus, message);
	pthread_mutex_unlock(&bus->inflow.mutex);
}

/* With the mutex held. */
static void list_reset(struct bus_inflow *inflow)
{
	inflow->first = NULL;
	inflow->end = &inflow->first;
}

static void go_on(struct bus *bus, enum bus_course course)
{
	struct bus_inflow *inflow = &bus->inflow;

	pthread_mutex_lock(&inflow->mutex);
	inflow->course = course;
	for (struct bus_parcel *parcel = inflow->first, *next; parcel != NULL; parcel = next) {
		next = parcel->next;
		deal_with(bus, &parcel->message);
		parcel_unref(parcel);
	}
	list_reset(inflow);
	pthread_mutex_unlock(&inflow->mutex);
}

void bus_hold(struct bus *bus)
{
	pthread_mutex_lock(&bus->inflow.mutex);
	bus->inflow.course = BUS_COURSE_HELD;
	pthread_mutex_unlock(&bus->inflow.mutex);
}

void bus_release(struct bus *bus)
{
	go_on(bus, BUS_COURSE_OWN);
}

void bus_bequeath(struct bus *bus, const struct bus_heir *heir)
{
	if (bus->transport->bequeath != NULL)
		bus->transport->bequeath(bus);
	pthread_mutex_lock(&bus->inflow.mutex);
	bus->inflow.heir = *heir;
	pthread_mutex_unlock(&bus->inflow.mutex);
	go_on(bus, BUS_COURSE_BEQUEATHED);
}

void bus_leave(struct bus *bus, void (*on_left)(void *arg), void *arg)
{
	if (bus->transport->leave != NULL)
		bus->transport->leave(bus, on_left, arg);
	else
		on_left(arg);
}

void bus_bring(struct bus *bus, const struct bus_message *message)
{
	inflow_take(bus, message);
}

void bus_begin_subscribing(struct bus *bus)
{
	if (bus->transport->begin != NULL)
		bus->transport->begin(bus, false);
}

void bus_begin_publishing(struct bus *bus)
{
	if (bus->transport->begin != NULL)
		bus->transport->begin(bus, true);
}

void inflow_init(struct bus *bus)
{
	bus->inflow = (struct bus_inflow){.course = BUS_COURSE_OWN};
	pthread_mutex_init(&bus->inflow.mutex, NULL);
	list_reset(&bus->inflow);
}

void inflow_finish(struct bus *bus)
{
	for (struct bus_parcel *parcel = bus->inflow.first, *next; parcel != NULL; parcel = next) {
		next = parcel->next;
		parcel_unref(parcel);
	}
	pthread_mutex_destroy(&bus->inflow.mutex);
}
