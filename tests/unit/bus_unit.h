/* SPDX-License-Identifier: Apache-2.0
 * bus_unit.h - what the tests of bus/ share: a bus of either kind with a loop in the
 * test's thread, subscribers that count, and requests that keep their outcome. */
#pragma once

#include "io_unit.h"
#include "nats_unit.h"

#include <pthread.h>

#include "bus/bus.h"

struct bus_fixture {
	struct io_fixture io;
	struct bus *bus;
	bool is_nats;
};

static struct nats_server bus_server; /* of the whole program */

static inline struct bus *bus_make(bool is_nats, const struct bus_options *options)
{
	struct bus_options all = *options;
	const char *urls[] = {bus_server.url};
	struct bus *bus = NULL;

	all.urls = urls;
	all.url_count = 1;
	assert_int_equal(is_nats ? bus_create_nats(&all, &bus) : bus_create_embedded(&all, &bus),
			 0);
	return bus;
}

static inline bool bus_is_connected(struct bus *bus)
{
	struct bus_status status;

	bus_status(bus, &status);
	return status.is_connected;
}

static inline struct bus_stats bus_stats_now(struct bus *bus)
{
	struct bus_stats stats;

	bus_stats(bus, &stats);
	return stats;
}

static inline uint64_t bus_pending(struct bus *bus)
{
	struct bus_stats stats = bus_stats_now(bus);

	return stats.loop_pending_bytes + stats.broker_pending_bytes;
}

/* --- subscribers --- */

struct subscriber {
	struct bus_subscription sub;
	struct bus *bus;
	void *owner; /* the test's */
	void (*on_message)(struct subscriber *self, const struct bus_message *message);
	unsigned received, closed;
	char body[64]; /* of the last message, cut */
};

static inline void subscriber_on_message(struct bus_subscription *sub,
					 const struct bus_message *message)
{
	struct subscriber *self = CONTAINER_OF(sub, struct subscriber, sub);

	self->received++;
	snprintf(self->body, sizeof(self->body), "%.*s", SLICE_ARG(message->body));
	if (self->on_message != NULL)
		self->on_message(self, message);
}

static inline void subscriber_on_closed(struct bus_subscription *sub)
{
	CONTAINER_OF(sub, struct subscriber, sub)->closed++;
}

static inline void subscriber_open(struct subscriber *self, struct bus *bus, struct loop *loop,
				   const char *subject)
{
	self->bus = bus;
	self->received = self->closed = 0;
	assert_int_equal(bus_subscribe(bus, &self->sub, loop, slice_from_text(subject),
				       subscriber_on_message),
			 0);
}

static inline void subscriber_close(struct bus_fixture *f, struct subscriber *self)
{
	bus_unsubscribe(&self->sub, subscriber_on_closed);
	SPIN_UNTIL(&f->io, self->closed == 1);
}

/* --- messages --- */

static inline struct bus_message text_message(const char *subject, const char *body)
{
	return (struct bus_message){.subject = slice_from_text(subject),
				    .body = slice_from_text(body)};
}

static inline int publish_text(struct bus *bus, const char *subject, const char *body)
{
	struct bus_message message = text_message(subject, body);

	return bus_publish(bus, &message);
}

/* --- requests --- */

struct question {
	struct bus_request request;
	unsigned done;
	enum bus_result result;
	char reason[200];
	char answer[1024]; /* its beginning */
};

static inline void question_on_done(struct bus_request *request, const struct bus_outcome *outcome)
{
	struct question *question = CONTAINER_OF(request, struct question, request);

	question->done++;
	question->result = outcome->result;
	snprintf(question->reason, sizeof(question->reason), "%s", outcome->reason);
	question->answer[0] = 0;
	if (outcome->answer != NULL)
		snprintf(question->answer, sizeof(question->answer), "%.*s",
			 SLICE_ARG(outcome->answer->body));
}

static inline int question_send(struct bus_fixture *f, struct question *question,
				const char *subject, const char *body, uint64_t timeout_ns)
{
	struct bus_message message = text_message(subject, body);

	question->done = 0;
	return bus_request(f->bus, &question->request, f->io.loop, &message, timeout_ns,
			   question_on_done);
}

static inline int store_send(struct bus_fixture *f, struct question *question, const char *subject,
			     const char *id, const char *stream, uint64_t timeout_ns)
{
	struct bus_message message = text_message(subject, "event");

	question->done = 0;
	return bus_publish_durable(f->bus, &question->request, f->io.loop, &message,
				   slice_from_text(id), slice_from_text(stream), timeout_ns,
				   question_on_done);
}

static inline enum bus_result ask_within(struct bus_fixture *f, struct question *question,
					 const char *subject, const char *body, uint64_t timeout_ns)
{
	assert_int_equal(question_send(f, question, subject, body, timeout_ns), 0);
	SPIN_UNTIL(&f->io, question->done == 1);
	return question->result;
}

/* Of what may be lost on the way, and is asked again. */
#define ASK_AGAIN_NS (200 * NS_PER_MS)

/* Of what has its end, whatever it is: the test gives up before the question does. */
static inline enum bus_result ask(struct bus_fixture *f, struct question *question,
				  const char *subject, const char *body)
{
	return ask_within(f, question, subject, body, 2 * GIVE_UP_NS);
}

static inline enum bus_result store(struct bus_fixture *f, struct question *question,
				    const char *subject, const char *id, const char *stream)
{
	assert_int_equal(store_send(f, question, subject, id, stream, 2 * GIVE_UP_NS), 0);
	SPIN_UNTIL(&f->io, question->done == 1);
	return question->result;
}

/* The broker has seen what this bus posted before. */
static inline void settle(struct bus_fixture *f)
{
	struct question question;

	assert_int_equal(ask(f, &question, "nobody.is.here", ""), BUS_NO_RESPONDERS);
}

/* --- each test once per kind --- */

static inline int bus_setup_with(void **state, const struct bus_options *options)
{
	struct bus_fixture *f = calloc(1, sizeof(*f));

	f->is_nats = *(bool *)*state;
	io_fixture_init(&f->io, LOOP_ENGINE_EPOLL, 0);
	f->bus = bus_make(f->is_nats, options);
	SPIN_UNTIL(&f->io, bus_is_connected(f->bus));
	*state = f;
	return 0;
}

static inline int bus_setup(void **state)
{
	return bus_setup_with(state, &(struct bus_options){0});
}

static inline int bus_teardown(void **state)
{
	struct bus_fixture *f = *state;
	struct bus_stats stats = bus_stats_now(f->bus);

	if (!f->io.has_timed_out) { /* else its objects are still open */
		assert_int_equal(stats.subscriptions, 0);
		assert_int_equal(stats.requests_in_flight, 0);
		bus_destroy(&f->bus);
		loop_destroy(&f->io.loop);
	}
	free(f);
	return 0;
}

static bool bus_kinds[] __attribute__((unused)) = {false, true};

#define ON_EMBEDDED(test)                                                       \
	{                                                                       \
#test "/embedded", test, bus_setup, bus_teardown, &bus_kinds[0] \
	}
#define ON_NATS(test)                                                       \
	{                                                                   \
#test "/nats", test, bus_setup, bus_teardown, &bus_kinds[1] \
	}
#define ON_BOTH_BUSES(test) ON_EMBEDDED(test), ON_NATS(test)

/* Without the server its rows are left out, and that is said. */
static inline size_t bus_keep_possible(struct CMUnitTest *tests, size_t count)
{
	size_t kept = 0;

	if (nats_server_is_installed()) {
		nats_server_start(&bus_server, 0, NULL, NULL);
		return count;
	}
	fprintf(stderr, "the bus over NATS is not tested: there is no " NATS_SERVER "\n");
	for (size_t i = 0; i < count; i++)
		if (tests[i].initial_state != &bus_kinds[1])
			tests[kept++] = tests[i];
	return kept;
}

#define RUN_BUS_TESTS(tests)                                                              \
	({                                                                                \
		size_t kept_ = bus_keep_possible(tests, ARRAY_LEN(tests));                \
		int failed_ = _cmocka_run_group_tests("tests", tests, kept_, NULL, NULL); \
		nats_server_remove(&bus_server);                                          \
		failed_;                                                                  \
	})
