/* SPDX-License-Identifier: Apache-2.0
 * test_backend_nats.c - uplinks of type nats over the embedded bus: what they publish, whom
 * they ask, what waits, and that the owner is told of nothing from inside its own calls. */
#include "bus_unit.h"
#include "presence_unit.h"

#include "route/backend_nats.h"

#define QUEUE_MAX 4096
#define BUS_MAX   16384
#define SUBJECT   "gatehouse.up.ws.a%2Eb"
#define QUESTION  "gatehouse.connect.ws.a%2Eb"

/* A back end, one client of it, what the client's owner was told, and a service. */
struct client {
	struct bus_fixture f;
	struct config_backend config;
	struct event_source source;
	struct event_backend *backend;
	struct mailbox mailbox;
	struct presence *presence;
	struct random_source random;
	struct uplink *uplink;
	bool is_asking_something; /* of the uplink: nobody may be told of anything now */
	unsigned accepted, refused, undecided, rooms, downs, troubles, gone;
	uint32_t status;
	enum uplink_failure failure;
	char text[256]; /* the subprotocol, the refusal's body, or the last detail */
	struct subscriber up;
	char seen[2048]; /* "1 connected|2 message hello|" as they came */
	unsigned events;
	uint64_t sequence; /* of the last one */
	bool is_in_order;
	const struct bus_message *answer; /* to a question; NULL: none */
};

/* --- the owner --- */

static struct client *client_of(const struct uplink *uplink)
{
	struct client *client = uplink->home;

	assert_false(client->is_asking_something);
	return client;
}

static void keep(struct client *client, struct slice text)
{
	snprintf(client->text, sizeof(client->text), "%.*s", SLICE_ARG(text));
}

static void on_accepted(struct uplink *uplink, const struct uplink_acceptance *accepted)
{
	struct client *client = client_of(uplink);

	client->accepted++;
	keep(client, accepted->subprotocol);
}

static void on_refused(struct uplink *uplink, const struct uplink_refusal *refusal)
{
	struct client *client = client_of(uplink);

	client->refused++;
	client->status = refusal->status;
	keep(client, refusal->body);
}

static void on_undecided(struct uplink *uplink, enum uplink_failure failure, const char *detail)
{
	struct client *client = client_of(uplink);

	client->undecided++;
	client->failure = failure;
	keep(client, slice_from_text(detail));
}

static void on_room(struct uplink *uplink)
{
	client_of(uplink)->rooms++;
}

static void ask_to_close(struct client *client);

static void on_down(struct uplink *uplink)
{
	struct client *client = client_of(uplink);

	client->downs++;
	ask_to_close(client);
}

static void on_trouble(const struct uplink *uplink, const char *what, const char *detail)
{
	struct client *client = client_of(uplink);

	(void)what;
	client->troubles++;
	keep(client, slice_from_text(detail));
}

static void on_gone(struct uplink *uplink)
{
	((struct client *)uplink->home)->gone++;
}

static const struct uplink_handler handler = {
	.on_accepted = on_accepted,
	.on_refused = on_refused,
	.on_undecided = on_undecided,
	.on_room = on_room,
	.on_down = on_down,
	.on_trouble = on_trouble,
	.on_gone = on_gone,
};

static void ask_to_open(struct client *client, uint64_t patience_ns)
{
	const struct uplink_request request = {
		.presence = client->presence,
		.head = SLICE_LITERAL("GET / HTTP/1.1\r\n\r\n"),
		.loop = client->f.io.loop,
		.random = &client->random,
		.deadline_ns = clock_now_ns() + patience_ns,
	};

	client->uplink = client->backend->base.ops->open(&client->backend->base, &request);
	assert_non_null(client->uplink);
	client->uplink->handler = &handler;
	client->uplink->owner = client;
	client->uplink->home = client;
	assert_int_equal(client->accepted + client->undecided, 0);
}

static void ask_to_send(struct client *client, const char *text, size_t len)
{
	struct message message = {.is_text = true, .bytes = slice_of(text, len)};

	client->is_asking_something = true;
	assert_int_equal(client->backend->base.ops->message(client->uplink, &message), 0);
	client->is_asking_something = false;
}

static void say(struct client *client, const char *text)
{
	ask_to_send(client, text, strlen(text));
}

static void ask_to_close(struct client *client)
{
	client->is_asking_something = true;
	client->backend->base.ops->close(client->uplink, &(struct uplink_end){"over", 1000});
	client->is_asking_something = false;
}

/* The client is in, and its connected event is made. */
static void enter(struct client *client)
{
	ask_to_open(client, 2 * GIVE_UP_NS);
	SPIN_UNTIL(&client->f.io, client->accepted == 1);
	client->is_asking_something = true;
	client->backend->base.ops->connected(client->uplink, client->presence);
	client->is_asking_something = false;
}

static void wait_gone(struct client *client)
{
	SPIN_UNTIL(&client->f.io, client->gone == 1);
	assert_int_equal(client->backend->stats.waiting, 0);
}

static uint64_t ended(const struct client *client, enum event_type type, enum event_outcome outcome)
{
	return client->backend->stats.events[type][outcome];
}

/* --- the service --- */

static void on_event(struct subscriber *self, const struct bus_message *message)
{
	struct client *client = self->owner;
	struct slice type = bus_message_header(message, "ce-type");
	struct slice number = bus_message_header(message, "ce-sequence");
	char *text = slice_to_text(number);
	uint64_t sequence = strtoull(text, NULL, 10);
	size_t used = strlen(client->seen);

	free(text);
	client->events++;
	client->is_in_order &= sequence > client->sequence;
	client->sequence = sequence;
	assert_true(type.len > strlen("gatehouse.client."));
	snprintf(client->seen + used, sizeof(client->seen) - used, "%u %s %.*s|",
		 (unsigned)sequence, (const char *)type.data + strlen("gatehouse.client."),
		 (int)MIN(message->body.len, (size_t)8), (const char *)message->body.data);
}

static void listen_to(struct client *client, const char *subject,
		      void (*on_message)(struct subscriber *, const struct bus_message *))
{
	client->up.owner = client;
	client->up.on_message = on_message;
	subscriber_open(&client->up, client->f.bus, client->f.io.loop, subject);
}

static void on_question(struct subscriber *self, const struct bus_message *message)
{
	struct client *client = self->owner;

	assert_true(slice_equals(bus_message_header(message, "Content-Type"),
				 SLICE_LITERAL("message/http")));
	assert_true(slice_equals(message->body, SLICE_LITERAL("GET / HTTP/1.1\r\n\r\n")));
	if (client->answer != NULL)
		assert_int_equal(bus_reply(client->f.bus, message, client->answer), 0);
}

/* --- */

static void backend_make(struct client *client)
{
	const struct config config = {.backends = &client->config, .backend_count = 1};
	const struct backend_world world = {&config, &client->source, client->f.bus};
	struct backend_error error;

	assert_int_equal(backend_nats.create(&world, 0, &client->backend, &error), 0);
}

static void client_start(struct client *client)
{
	io_fixture_init(&client->f.io, LOOP_ENGINE_EPOLL, 0);
	client->f.bus = bus_make(false, &(struct bus_options){.pending_max = BUS_MAX});
	client->config.name = (char *)(uintptr_t) "up"; /* only read */
	client->config.type = CONFIG_BACKEND_NATS;
	client->config.queue_max = QUEUE_MAX;
	client->config.timeout = 3600000;
	client->config.retries = 1;
	client->config.retry_min = client->config.retry_max = 2;
	event_source_init(&client->source, "node");
	backend_make(client);
	client->presence = presence_create(&(struct presence_facts){
		.route = unit_route("ws"), .client_id = "a.b", .mailbox = &client->mailbox});
	assert_non_null(client->presence);
	client->is_in_order = true;
}

static int setup(void **state)
{
	struct client *client = calloc(1, sizeof(*client));

	client_start(client);
	*state = client;
	return 0;
}

static int teardown(void **state)
{
	struct client *client = *state;

	if (client->up.bus != NULL)
		subscriber_close(&client->f, &client->up);
	assert_int_equal(bus_stats_now(client->f.bus).requests_in_flight, 0);
	presence_unref(&client->presence);
	client->backend->type->destroy(client->backend);
	bus_destroy(&client->f.bus);
	loop_destroy(&client->f.io.loop);
	free(client);
	return 0;
}

/* Another configuration than the one that setup made it from. */
static void reconfigure(struct client *client, enum config_connect connect, bool is_durable,
			enum config_on_failure on_failure)
{
	client->backend->type->destroy(client->backend);
	client->config.connect = connect;
	client->config.durable = is_durable ? CONFIG_SWITCH_TRUE : CONFIG_SWITCH_FALSE;
	client->config.on_failure = on_failure;
	backend_make(client);
}

static void test_a_client_comes_in_unasked_and_its_events_are_published(void **state)
{
	struct client *client = *state;

	listen_to(client, SUBJECT, on_event);
	enter(client);
	say(client, "hello");
	ask_to_close(client);
	assert_int_equal(client->gone, 1); /* the bus had room for all of it */
	SPIN_UNTIL(&client->f.io, client->events == 3);
	assert_string_equal(client->seen, "1 connected |2 message hello|3 disconnected |");
	assert_string_equal(client->text, "");
	assert_int_equal(ended(client, EVENT_CONNECT, EVENT_DELIVERED), 0);
	assert_int_equal(ended(client, EVENT_MESSAGE, EVENT_DELIVERED), 1);
	wait_gone(client);
}

static const struct {
	const char *name;
	const char *status; /* NULL: the header is left out */
	const char *subprotocol;
	bool has_service, has_answer;
	unsigned accepted, refused, undecided;
	uint32_t want_status;
	enum uplink_failure failure;
	const char *text;
} decisions[] = {
	{"no status", NULL, NULL, true, true, 1, 0, 0, 0, 0, ""},
	{"204", "204", "chat", true, true, 1, 0, 0, 0, 0, "chat"},
	{"403", "403", NULL, true, true, 0, 1, 0, 403, 0, "because"},
	{"599", "599", NULL, true, true, 0, 1, 0, 599, 0, "because"},
	{"redirect", "302", NULL, true, true, 0, 0, 1, 0, UPLINK_BROKEN,
	 "Gatehouse-Status of the answer is not 2xx, 4xx or 5xx"},
	{"no number", "2x0", NULL, true, true, 0, 0, 1, 0, UPLINK_BROKEN,
	 "Gatehouse-Status of the answer is not 2xx, 4xx or 5xx"},
	{"four digits", "2000", NULL, true, true, 0, 0, 1, 0, UPLINK_BROKEN,
	 "Gatehouse-Status of the answer is not 2xx, 4xx or 5xx"},
	{"nobody", NULL, NULL, false, false, 0, 0, 1, 0, UPLINK_DOWN,
	 "nobody is subscribed to the subject"},
	{"silence", NULL, NULL, true, false, 0, 0, 1, 0, UPLINK_LATE, "no answer came in time"},
};

static void decision_check(struct client *client, size_t row)
{
	const char *name = decisions[row].name;
	struct bus_header headers[2];
	size_t count = 0;

	if (decisions[row].status != NULL)
		headers[count++] = (struct bus_header){SLICE_LITERAL("Gatehouse-Status"),
						       slice_from_text(decisions[row].status)};
	if (decisions[row].subprotocol != NULL)
		headers[count++] = (struct bus_header){SLICE_LITERAL("Gatehouse-Subprotocol"),
						       slice_from_text(decisions[row].subprotocol)};
	struct bus_message answer = {
		.headers = headers, .header_count = count, .body = SLICE_LITERAL("because")};

	client->answer = decisions[row].has_answer ? &answer : NULL;
	reconfigure(client, CONFIG_CONNECT_ASK, false, CONFIG_ON_FAILURE_WAIT);
	if (decisions[row].has_service)
		listen_to(client, QUESTION, on_question);
	ask_to_open(client, decisions[row].has_service && !decisions[row].has_answer
				    ? 100 * NS_PER_MS
				    : 2 * GIVE_UP_NS);
	SPIN_UNTIL(&client->f.io, client->accepted + client->refused + client->undecided == 1);
	ASSERT_ROW(client->accepted == decisions[row].accepted, name);
	ASSERT_ROW(client->refused == decisions[row].refused, name);
	ASSERT_ROW(client->undecided == decisions[row].undecided, name);
	ASSERT_ROW(client->status == decisions[row].want_status, name);
	ASSERT_ROW(client->failure == decisions[row].failure, name);
	ASSERT_ROW(strcmp(client->text, decisions[row].text) == 0, name);
	if (client->accepted == 1)
		ask_to_close(client); /* nobody is subscribed to its end, which is no matter */
	wait_gone(client);
}

static void test_a_service_decides(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
		if (i > 0) {
			teardown(state);
			setup(state);
		}
		decision_check(*state, i);
	}
}

static void test_durable_events_wait_until_they_are_taken(void **state)
{
	struct client *client = *state;

	reconfigure(client, CONFIG_CONNECT_ACCEPT, true, CONFIG_ON_FAILURE_WAIT);
	enter(client);
	say(client, "one");
	say(client, "two");
	SPIN_UNTIL(&client->f.io, client->troubles > 2);
	assert_string_equal(client->text, "nobody is subscribed to the subject");
	assert_int_equal(client->backend->stats.waiting, 3);
	ask_to_close(client);
	listen_to(client, SUBJECT, on_event);
	wait_gone(client);
	SPIN_UNTIL(&client->f.io, client->events == 4);
	assert_string_equal(client->seen,
			    "1 connected |2 message one|3 message two|4 disconnected |");
}

static void test_what_is_given_up_closes_the_connection(void **state)
{
	struct client *client = *state;

	reconfigure(client, CONFIG_CONNECT_ACCEPT, true, CONFIG_ON_FAILURE_CLOSE);
	enter(client);
	say(client, "one");
	wait_gone(client);
	assert_int_equal(client->downs, 1);
	assert_int_equal(ended(client, EVENT_CONNECTED, EVENT_DROPPED), 1);
	assert_int_equal(ended(client, EVENT_MESSAGE, EVENT_DROPPED), 1);
	assert_int_equal(ended(client, EVENT_DISCONNECTED, EVENT_DROPPED), 1);
}

/* The loop does not run meanwhile, so nothing leaves the bus. */
static void test_a_full_bus_fills_the_queue_and_then_holds_up_the_client(void **state)
{
	struct client *client = *state;
	char text[512] = "";
	unsigned count = 0;

	listen_to(client, SUBJECT, on_event);
	enter(client);
	while (!client->uplink->is_full) {
		ask_to_send(client, text, sizeof(text));
		assert_true(++count < 2 * (BUS_MAX + QUEUE_MAX) / sizeof(text));
	}
	assert_true(client->backend->stats.waiting >= QUEUE_MAX / (2 * sizeof(text)));
	assert_true(client->backend->stats.waiting < count);
	assert_int_equal(client->rooms, 0);
	SPIN_UNTIL(&client->f.io, client->events == 1 + count);
	assert_true(client->is_in_order);
	assert_int_equal(client->sequence, 1 + count);
	assert_int_equal(client->rooms, 1);
	assert_false(client->uplink->is_full);
	assert_int_equal(ended(client, EVENT_MESSAGE, EVENT_DELIVERED), count);
	ask_to_close(client);
	wait_gone(client);
}

static void test_what_fills_the_queue_but_not_the_bus_holds_up_nobody(void **state)
{
	struct client *client = *state;
	char text[QUEUE_MAX + 1] = "";

	enter(client);
	ask_to_send(client, text, sizeof(text));
	assert_false(client->uplink->is_full);
	assert_int_equal(ended(client, EVENT_MESSAGE, EVENT_DELIVERED), 1);
	ask_to_close(client);
	wait_gone(client);
}

static void test_what_can_never_be_sent_is_refused_and_the_next_follows(void **state)
{
	struct client *client = *state;
	size_t size = (1 << 20) + 1;
	char *large = calloc(1, size);

	listen_to(client, SUBJECT, on_event);
	enter(client);
	ask_to_send(client, large, size);
	say(client, "next");
	SPIN_UNTIL(&client->f.io, client->events == 2);
	assert_string_equal(client->seen, "1 connected |3 message next|");
	assert_string_equal(client->text, "the message is larger than the broker takes");
	assert_int_equal(ended(client, EVENT_MESSAGE, EVENT_REFUSED), 1);
	assert_int_equal(client->rooms, 1);
	ask_to_close(client);
	wait_gone(client);
	free(large);
}

static void test_a_client_that_goes_before_it_is_let_in_leaves_no_event(void **state)
{
	struct client *client = *state;

	ask_to_open(client, 2 * GIVE_UP_NS);
	ask_to_close(client);
	wait_gone(client);
	assert_int_equal(client->accepted, 0);
	for (unsigned type = 0; type < EVENT_TYPE_COUNT; type++)
		assert_int_equal(ended(client, type, EVENT_DELIVERED), 0);
}

static void test_a_client_that_goes_while_it_is_decided_takes_its_question_back(void **state)
{
	struct client *client = *state;

	reconfigure(client, CONFIG_CONNECT_ASK, false, CONFIG_ON_FAILURE_WAIT);
	listen_to(client, QUESTION, on_question);
	ask_to_open(client, 2 * GIVE_UP_NS);
	SPIN_UNTIL(&client->f.io, client->up.received == 1);
	ask_to_close(client);
	wait_gone(client);
	assert_int_equal(client->accepted + client->undecided, 0);
	assert_int_equal(ended(client, EVENT_CONNECT, EVENT_DROPPED), 1);
	assert_int_equal(ended(client, EVENT_DISCONNECTED, EVENT_DELIVERED), 0);
}

static void test_what_waits_is_dropped_by_abort(void **state)
{
	struct client *client = *state;

	reconfigure(client, CONFIG_CONNECT_ACCEPT, true, CONFIG_ON_FAILURE_WAIT);
	enter(client);
	say(client, "one");
	SPIN_UNTIL(&client->f.io, client->troubles > 0);
	ask_to_close(client);
	client->backend->base.ops->abort(client->uplink);
	wait_gone(client);
	assert_int_equal(ended(client, EVENT_MESSAGE, EVENT_DROPPED), 1);
	assert_int_equal(ended(client, EVENT_DISCONNECTED, EVENT_DROPPED), 1);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_client_comes_in_unasked_and_its_events_are_published),
		TEST(test_a_service_decides),
		TEST(test_durable_events_wait_until_they_are_taken),
		TEST(test_what_is_given_up_closes_the_connection),
		TEST(test_a_full_bus_fills_the_queue_and_then_holds_up_the_client),
		TEST(test_what_fills_the_queue_but_not_the_bus_holds_up_nobody),
		TEST(test_what_can_never_be_sent_is_refused_and_the_next_follows),
		TEST(test_a_client_that_goes_before_it_is_let_in_leaves_no_event),
		TEST(test_a_client_that_goes_while_it_is_decided_takes_its_question_back),
		TEST(test_what_waits_is_dropped_by_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
