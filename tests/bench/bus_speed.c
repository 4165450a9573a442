/* SPDX-License-Identifier: Apache-2.0
 * bus_speed - what a message and a subscription cost on the bus.
 *
 * Usage: bus_speed [NATS-URL]: the embedded bus, and the one over that broker. Prints
 * figures; judges nothing. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "bus/bus.h"

#define MESSAGES      1000000
#define SUBSCRIPTIONS 100000
#define REQUESTS      200000
#define WINDOW        1000  /* requests in flight */
#define UNREAD_MAX    50000 /* messages published but not received */
#define FAN_OUT       1000

static const uint8_t body[128];

struct bench {
	struct bus *bus;
	struct loop *loop;
	uint64_t left; /* until loop_stop; atomic */
	uint64_t to_ask;
};

struct reader {
	struct bus_subscription sub;
	struct bench *bench;
};

/* Without spinning: the time of the processors is what is measured. */
static void pause_shortly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static uint64_t cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NS_PER_US;
}

/* Runs the loop until `left` things have happened. */
static void run(struct bench *bench, const char *what, uint64_t count, uint64_t started_ns,
		uint64_t cpu_before_ns)
{
	if (bench->left > 0)
		loop_run(bench->loop);
	double seconds = (double)(clock_now_ns() - started_ns) / NS_PER_S;
	double cpu_us = (double)(cpu_ns() - cpu_before_ns) / NS_PER_US / (double)count;

	printf("  %-46s %9.0f /s  %6.2f us of CPU each\n", what, (double)count / seconds, cpu_us);
}

static void one_less(struct bench *bench)
{
	if (__atomic_sub_fetch(&bench->left, 1, __ATOMIC_RELAXED) == 0)
		loop_stop(bench->loop);
}

static void on_message(struct bus_subscription *sub, const struct bus_message *message)
{
	struct bench *bench = CONTAINER_OF(sub, struct reader, sub)->bench;

	if (message->reply.len > 0)
		CHECK(bus_reply(bench->bus, message, &(struct bus_message){0}) == 0);
	else
		one_less(bench);
}

static void on_closed(struct bus_subscription *sub)
{
	one_less(CONTAINER_OF(sub, struct reader, sub)->bench);
}

static void publish(struct bus *bus, const struct bus_message *message)
{
	int r;

	while ((r = bus_publish(bus, message)) == -ENOBUFS)
		pause_shortly();
	CHECK(r == 0);
}

static struct bus_message message_to(const char *subject)
{
	return (struct bus_message){.subject = slice_from_text(subject),
				    .body = slice_of(body, sizeof(body))};
}

static void subscribe(struct bench *bench, struct reader *reader, const char *subject)
{
	reader->bench = bench;
	CHECK(bus_subscribe(bench->bus, &reader->sub, bench->loop, slice_from_text(subject),
			    on_message) == 0);
}

static void unsubscribe(struct bench *bench, struct reader *readers, size_t count)
{
	bench->left = count;
	for (size_t i = 0; i < count; i++)
		bus_unsubscribe(&readers[i].sub, on_closed);
	loop_run(bench->loop);
}

/* --- messages --- */

struct publisher {
	struct bench *bench;
	const struct bus_header *headers;
	size_t header_count;
};

static void *publisher_run(void *arg)
{
	const struct publisher *publisher = arg;
	struct bus_message message = message_to("bench.one");

	message.headers = publisher->headers;
	message.header_count = publisher->header_count;
	for (uint64_t left = MESSAGES; left > 0; left--) {
		/* A broker takes no back pressure from the reader. */
		while (__atomic_load_n(&publisher->bench->left, __ATOMIC_RELAXED) >
		       left + UNREAD_MAX)
			pause_shortly();
		publish(publisher->bench->bus, &message);
	}
	return NULL;
}

static void from_another_thread(struct bench *bench, const char *what,
				const struct publisher *publisher)
{
	struct reader reader;
	pthread_t thread;
	uint64_t started_ns = clock_now_ns(), cpu_before_ns = cpu_ns();

	subscribe(bench, &reader, "bench.one");
	bench->left = MESSAGES;
	pthread_create(&thread, NULL, publisher_run, (void *)(uintptr_t)publisher);
	run(bench, what, MESSAGES, started_ns, cpu_before_ns);
	pthread_join(thread, NULL);
	unsubscribe(bench, &reader, 1);
}

/* Each message is published from inside the callback of the one before. */
static void on_ping(struct bus_subscription *sub, const struct bus_message *message)
{
	struct bench *bench = CONTAINER_OF(sub, struct reader, sub)->bench;

	(void)message;
	if (bench->left > 1) {
		struct bus_message next = message_to("bench.ping");

		publish(bench->bus, &next);
	}
	one_less(bench);
}

static void one_at_a_time(struct bench *bench, uint64_t count)
{
	struct reader reader = {.bench = bench};
	struct bus_message message = message_to("bench.ping");

	CHECK(bus_subscribe(bench->bus, &reader.sub, bench->loop, message.subject, on_ping) == 0);
	uint64_t started_ns = clock_now_ns(), cpu_before_ns = cpu_ns();

	bench->left = count;
	publish(bench->bus, &message);
	run(bench, "messages one by one in one loop", count, started_ns, cpu_before_ns);
	unsubscribe(bench, &reader, 1);
}

static void fan_out(struct bench *bench)
{
	struct reader *readers = calloc(FAN_OUT, sizeof(*readers));
	struct bus_message message = message_to("bench.group");

	for (size_t i = 0; i < FAN_OUT; i++)
		subscribe(bench, &readers[i], "bench.group");
	uint64_t started_ns = clock_now_ns(), cpu_before_ns = cpu_ns();

	bench->left = MESSAGES;
	for (size_t i = 0; i < MESSAGES / FAN_OUT; i++)
		publish(bench->bus, &message);
	run(bench, "deliveries, 1 message to 1,000 subscribers", MESSAGES, started_ns,
	    cpu_before_ns);
	unsubscribe(bench, readers, FAN_OUT);
	free(readers);
}

/* --- requests --- */

struct asker {
	struct bus_request request;
	struct bench *bench;
};

static void ask(struct asker *asker);

static void on_done(struct bus_request *request, const struct bus_outcome *outcome)
{
	struct asker *asker = CONTAINER_OF(request, struct asker, request);

	CHECK(outcome->result == BUS_ANSWERED);
	if (asker->bench->to_ask > 0)
		ask(asker);
	one_less(asker->bench);
}

static void ask(struct asker *asker)
{
	struct bus_message message = message_to("bench.one");

	asker->bench->to_ask--;
	CHECK(bus_request(asker->bench->bus, &asker->request, asker->bench->loop, &message,
			  60 * NS_PER_S, on_done) == 0);
}

static void requests(struct bench *bench, size_t window, uint64_t count, const char *what)
{
	struct asker *askers = calloc(window, sizeof(*askers));
	struct reader reader;

	subscribe(bench, &reader, "bench.one");
	uint64_t started_ns = clock_now_ns(), cpu_before_ns = cpu_ns();

	bench->left = bench->to_ask = count;
	for (size_t i = 0; i < window; i++) {
		askers[i].bench = bench;
		ask(&askers[i]);
	}
	run(bench, what, count, started_ns, cpu_before_ns);
	unsubscribe(bench, &reader, 1);
	free(askers);
}

/* --- subscriptions --- */

static void subscriptions(struct bench *bench)
{
	struct reader *readers = calloc(SUBSCRIPTIONS, sizeof(*readers));
	uint64_t started_ns = clock_now_ns(), cpu_before_ns = cpu_ns();
	struct mallinfo2 before = mallinfo2();
	char subject[64];

	for (unsigned i = 0; i < SUBSCRIPTIONS; i++) {
		snprintf(subject, sizeof(subject), "gatehouse.to.ocpp.charger-%06u", i);
		subscribe(bench, &readers[i], subject);
	}
	bench->left = SUBSCRIPTIONS;
	for (unsigned i = 0; i < SUBSCRIPTIONS; i++) {
		snprintf(subject, sizeof(subject), "gatehouse.to.ocpp.charger-%06u", i);
		struct bus_message message = message_to(subject);

		publish(bench->bus, &message);
	}
	run(bench, "subscribe, and one message to each of 100,000", SUBSCRIPTIONS, started_ns,
	    cpu_before_ns);
	struct mallinfo2 after = mallinfo2();
	size_t taken = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;

	printf("  %-46s %9zu bytes, and %zu in the subscriber\n", "memory per subscription",
	       taken / SUBSCRIPTIONS, sizeof(struct bus_subscription));
	unsubscribe(bench, readers, SUBSCRIPTIONS);
	free(readers);
}

static void measure(const char *name, struct bus *bus, uint64_t one_by_one)
{
	struct bench bench = {.bus = bus};
	const struct bus_header headers[] = {
		{SLICE_LITERAL("ce-specversion"), SLICE_LITERAL("1.0")},
		{SLICE_LITERAL("ce-id"), SLICE_LITERAL("node-1-17-4711")},
		{SLICE_LITERAL("ce-source"), SLICE_LITERAL("/gatehouse/node-1/ocpp")},
		{SLICE_LITERAL("ce-type"), SLICE_LITERAL("gatehouse.client.message")},
		{SLICE_LITERAL("ce-subject"), SLICE_LITERAL("charger-000001")},
		{SLICE_LITERAL("ce-sequence"), SLICE_LITERAL("4711")},
	};

	CHECK(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &bench.loop) == 0);
	printf("%s\n", name);
	subscriptions(&bench);
	from_another_thread(&bench, "messages of 128 bytes from another thread",
			    &(struct publisher){&bench, NULL, 0});
	from_another_thread(&bench, "the same with 6 headers",
			    &(struct publisher){&bench, headers, ARRAY_LEN(headers)});
	one_at_a_time(&bench, one_by_one);
	fan_out(&bench);
	requests(&bench, WINDOW, REQUESTS, "requests and answers, 1,000 in flight");
	requests(&bench, 1, one_by_one, "requests and answers, one by one");
	loop_destroy(&bench.loop);
}

int main(int argc, char **argv)
{
	struct bus_options options = {.urls = (const char *const *)argv + 1, .url_count = 1};
	struct bus_status status = {0};
	struct bus *bus;

	setvbuf(stdout, NULL, _IOLBF, 0);
	CHECK(bus_create_embedded(&options, &bus) == 0);
	measure("embedded", bus, MESSAGES);
	bus_destroy(&bus);
	if (argc < 2)
		return 0;
	CHECK(bus_create_nats(&options, &bus) == 0);
	while (!status.is_connected) {
		pause_shortly();
		bus_status(bus, &status);
	}
	measure(status.detail, bus, 20000);
	bus_destroy(&bus);
	return 0;
}
