/* SPDX-License-Identifier: Apache-2.0
 * The bus on three brokers, one of which dies: what is stored, and who is still found. */
#include "bus_unit.h"

#define NODES    3
#define URL_SIZE 64

/* For what may be lost while a broker is, and is asked again. */
#define TRY_NS (5 * NS_PER_S)

struct cluster {
	struct bus_fixture f, other; /* two buses; one loop, that of f */
	struct nats_server servers[NODES];
	char configs[NODES][512];
	char urls[NODES][URL_SIZE];
};

/* Brokers find each other at an address that only this process uses. */
static void config_write(char *out, size_t size, unsigned index)
{
	unsigned pid = (unsigned)getpid();
	char host[32];

	snprintf(host, sizeof(host), "127.%u.%u.%u", 64 + (pid >> 16 & 63), pid >> 8 & 255,
		 pid & 255);
	snprintf(out, size,
		 "server_name: n%u\ncluster { name: unit, listen: \"%s:%u\", routes: ["
		 "\"nats://%s:6001\", \"nats://%s:6002\", \"nats://%s:6003\"] }\n",
		 index + 1, host, 6001 + index, host, host, host);
}

static struct bus *bus_on(char urls[NODES][URL_SIZE])
{
	const char *list[NODES] = {urls[0], urls[1], urls[2]};
	struct bus_options options = {.urls = list,
				      .url_count = NODES,
				      .reconnect_min_ns = 5 * NS_PER_MS,
				      .reconnect_max_ns = 100 * NS_PER_MS};
	struct bus *bus = NULL;

	assert_int_equal(bus_create_nats(&options, &bus), 0);
	return bus;
}

/* A stream with a replica on each broker; it is not there before they have a leader. */
static void stream_create(struct cluster *c)
{
	struct question question;

	for (;;) {
		ask_within(&c->f, &question, "$JS.API.STREAM.CREATE.events",
			   "{\"name\":\"events\",\"subjects\":[\"up.>\"],\"num_replicas\":3,"
			   "\"allow_direct\":true}",
			   TRY_NS);
		if (question.result == BUS_ANSWERED && strstr(question.answer, "\"error\"") == NULL)
			return;
		io_run_for(&c->f.io, 50 * NS_PER_MS);
	}
}

static int cluster_setup(void **state)
{
	struct cluster *c = calloc(1, sizeof(*c));

	for (unsigned i = 0; i < NODES; i++) {
		config_write(c->configs[i], sizeof(c->configs[i]), i);
		c->servers[i].config = c->configs[i];
		nats_server_start(&c->servers[i], 0, NULL, NULL);
		snprintf(c->urls[i], URL_SIZE, "%s", c->servers[i].url);
	}
	io_fixture_init(&c->f.io, LOOP_ENGINE_EPOLL, 0);
	c->f.bus = bus_on(c->urls);
	c->other = (struct bus_fixture){.io = c->f.io, .bus = bus_on(c->urls)};
	SPIN_UNTIL(&c->f.io, bus_is_connected(c->f.bus) && bus_is_connected(c->other.bus));
	*state = c;
	return 0;
}

static int cluster_teardown(void **state)
{
	struct cluster *c = *state;

	if (!c->f.io.has_timed_out) {
		bus_destroy(&c->f.bus);
		bus_destroy(&c->other.bus);
		loop_destroy(&c->f.io.loop);
	}
	for (unsigned i = 0; i < NODES; i++)
		nats_server_remove(&c->servers[i]);
	free(c);
	return 0;
}

/* The broker that the first bus talks to, for ever. */
static void its_broker_kill(struct cluster *c)
{
	uint64_t before = bus_stats_now(c->f.bus).reconnects;
	struct bus_status status;

	bus_status(c->f.bus, &status);
	for (unsigned i = 0; i < NODES; i++)
		if (strstr(c->urls[i], strrchr(status.detail, ':')) != NULL)
			nats_server_kill(&c->servers[i]);
	SPIN_UNTIL(&c->f.io, bus_stats_now(c->f.bus).reconnects > before);
}

/* --- what is stored --- */

#define EVENTS    400
#define IN_FLIGHT 8

struct publisher {
	struct question question;
	struct timer again;
	struct events *events;
	unsigned number;
};

struct events {
	struct cluster *c;
	unsigned next, stored, failed;
	struct publisher publishers[IN_FLIGHT];
};

static void event_on_done(struct bus_request *request, const struct bus_outcome *outcome);

static void event_send(struct publisher *p)
{
	struct cluster *c = p->events->c;
	char id[16], body[16];

	snprintf(id, sizeof(id), "id-%u", p->number);
	snprintf(body, sizeof(body), "%u", p->number);
	struct bus_message message = text_message("up.client", body);

	if (bus_publish_durable(c->f.bus, &p->question.request, c->f.io.loop, &message,
				slice_from_text(id), slice_from_text("events"), 2 * NS_PER_S,
				event_on_done) < 0)
		loop_timer_start(c->f.io.loop, &p->again, 20 * NS_PER_MS);
}

static void on_again(struct timer *timer)
{
	event_send(CONTAINER_OF(timer, struct publisher, again));
}

static void event_next(struct publisher *p)
{
	p->number = p->events->next++;
	if (p->number < EVENTS)
		event_send(p);
}

static void event_on_done(struct bus_request *request, const struct bus_outcome *outcome)
{
	struct publisher *p = CONTAINER_OF(request, struct publisher, question.request);

	if (outcome->result == BUS_STORED) {
		p->events->stored++;
		event_next(p);
		return;
	}
	p->events->failed++;
	loop_timer_start(p->events->c->f.io.loop, &p->again, 20 * NS_PER_MS);
}

/* The first EVENTS bodies of the stream, counted. Any replica answers, the last one of them
 * perhaps a moment late. */
static void stored_count(struct cluster *c, unsigned out_counts[EVENTS])
{
	struct question question;
	char request[32];

	for (unsigned sequence = 1; sequence <= EVENTS; sequence++) {
		snprintf(request, sizeof(request), "{\"seq\":%u}", sequence);
		while (ask_within(&c->f, &question, "$JS.API.DIRECT.GET.events", request, TRY_NS) !=
			       BUS_ANSWERED ||
		       question.answer[0] == 0)
			io_run_for(&c->f.io, 5 * NS_PER_MS);
		unsigned long number = strtoul(question.answer, NULL, 10);

		assert_true(number < EVENTS);
		out_counts[number]++;
	}
}

static void test_every_event_is_stored_once_though_a_broker_dies(void **state)
{
	struct cluster *c = *state;
	struct events events = {.c = c};
	unsigned counts[EVENTS] = {0};

	stream_create(c);
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		events.publishers[i].events = &events;
		loop_timer_init(&events.publishers[i].again, on_again);
		event_next(&events.publishers[i]);
	}
	SPIN_UNTIL(&c->f.io, events.stored > EVENTS / 4);
	its_broker_kill(c);
	SPIN_UNTIL(&c->f.io, events.stored == EVENTS);
	assert_true(events.failed > 0);
	stored_count(c, counts);
	for (unsigned i = 0; i < EVENTS; i++)
		if (counts[i] != 1)
			fail_msg("event %u is stored %u times", i, counts[i]);
}

/* --- who is found --- */

#define CLIENTS 100

static void subscriber_answers(struct subscriber *self, const struct bus_message *message)
{
	struct bus_message answer = text_message("", "here");

	assert_int_equal(bus_reply(self->bus, message, &answer), 0);
}

static bool all_are_found(struct cluster *c, bool wait)
{
	uint64_t timeout_ns = wait ? TRY_NS : 2 * GIVE_UP_NS;
	struct question question;
	char subject[32];

	for (unsigned i = 0; i < CLIENTS; i++) {
		snprintf(subject, sizeof(subject), "client.%u", i);
		while (ask_within(&c->other, &question, subject, "?", timeout_ns) != BUS_ANSWERED) {
			if (!wait)
				return false;
			io_run_for(&c->f.io, 5 * NS_PER_MS);
		}
	}
	return true;
}

static void test_every_subscriber_is_found_after_its_broker_died(void **state)
{
	struct cluster *c = *state;
	struct subscriber *subscribers = calloc(CLIENTS, sizeof(*subscribers));
	char subject[32];

	for (unsigned i = 0; i < CLIENTS; i++) {
		snprintf(subject, sizeof(subject), "client.%u", i);
		subscribers[i].on_message = subscriber_answers;
		subscriber_open(&subscribers[i], c->f.bus, c->f.io.loop, subject);
	}
	assert_true(all_are_found(c, true));
	its_broker_kill(c);
	SPIN_UNTIL(&c->f.io, bus_is_connected(c->other.bus));
	assert_true(all_are_found(c, true));
	assert_true(all_are_found(c, false));
	for (unsigned i = 0; i < CLIENTS; i++)
		bus_unsubscribe(&subscribers[i].sub, subscriber_on_closed);
	for (unsigned i = 0; i < CLIENTS; i++)
		SPIN_UNTIL(&c->f.io, subscribers[i].closed == 1);
	free(subscribers);
}

#define ON_CLUSTER(test) cmocka_unit_test_setup_teardown(test, cluster_setup, cluster_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CLUSTER(test_every_event_is_stored_once_though_a_broker_dies),
		ON_CLUSTER(test_every_subscriber_is_found_after_its_broker_died),
	};

	if (!nats_server_is_installed()) {
		print_message("1..0 # SKIP there is no " NATS_SERVER "\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
