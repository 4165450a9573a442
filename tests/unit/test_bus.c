/* SPDX-License-Identifier: Apache-2.0
 * The bus, the same on both implementations: messages and subscriptions. */
#include "bus_unit.h"

#include <sched.h>

/* --- what arrives --- */

static const struct {
	const char *name, *value;
} odd_headers[] = {
	{"ce-id", "a%20b"},
	{"ce-subject", "Z\xc3\xbcrich \xe2\x82\xac \xff\xfe\x80"},
	{"ce-subject", "the second, of the same name"},
	{"x-case", "x"},
	{"X-Case", "X"},
	{"x.!#$&'*+^_`|~", "\"quoted\"; a=b: c"},
	{"tab", "a\tb"},
};

static void check_odd_message(struct subscriber *self, const struct bus_message *message)
{
	unsigned found = 0;

	(void)self;
	assert_true(slice_equals(message->subject, SLICE_LITERAL("odd.one")));
	assert_true(slice_equals(message->reply, SLICE_LITERAL("answer.here")));
	assert_true(slice_equals(message->body, slice_of("\0\r\n\xff", 4)));
	assert_int_equal(message->header_count, ARRAY_LEN(odd_headers));
	for (size_t i = 0; i < ARRAY_LEN(odd_headers); i++)
		for (size_t k = 0; k < message->header_count; k++)
			found += slice_equals(message->headers[k].name,
					      slice_from_text(odd_headers[i].name)) &&
				 slice_equals(message->headers[k].value,
					      slice_from_text(odd_headers[i].value));
	assert_int_equal(found, ARRAY_LEN(odd_headers));
	/* Values of one name stay in order. */
	assert_true(slice_equals(bus_message_header(message, "ce-subject"),
				 slice_from_text(odd_headers[1].value)));
	assert_null(bus_message_header(message, "absent").data);
}

static void test_headers_and_body_arrive_as_they_are(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber subscriber = {.on_message = check_odd_message};
	struct bus_header headers[ARRAY_LEN(odd_headers)];
	struct bus_message message = {.subject = SLICE_LITERAL("odd.one"),
				      .reply = SLICE_LITERAL("answer.here"),
				      .headers = headers,
				      .header_count = ARRAY_LEN(headers),
				      .body = slice_of("\0\r\n\xff", 4)};

	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		headers[i] = (struct bus_header){slice_from_text(odd_headers[i].name),
						 slice_from_text(odd_headers[i].value)};
	subscriber_open(&subscriber, f->bus, f->io.loop, "odd.one");
	assert_int_equal(bus_publish(f->bus, &message), 0);
	assert_int_equal(subscriber.received, 0); /* from loop_run only */
	SPIN_UNTIL(&f->io, subscriber.received == 1);
	subscriber_close(f, &subscriber);
	assert_int_equal(bus_pending(f->bus), 0);
}

static size_t last_body_len;
static uint8_t last_body_end;

static void keep_body_len(struct subscriber *self, const struct bus_message *message)
{
	(void)self;
	last_body_len = message->body.len;
	last_body_end = message->body.len > 0 ? message->body.data[message->body.len - 1] : 0;
}

static void test_bodies_from_nothing_to_one_mebibyte(void **state)
{
	struct bus_fixture *f = *state;
	static const size_t sizes[] = {0, 1, 65536, (1 << 20) - 1, 1 << 20};
	struct subscriber subscriber = {.on_message = keep_body_len};
	struct bus_message message = {.subject = SLICE_LITERAL("big")};
	uint8_t *body = calloc(1, (1 << 20) + 1);

	subscriber_open(&subscriber, f->bus, f->io.loop, "big");
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		message.body = slice_of(body, sizes[i]);
		if (sizes[i] > 0)
			body[sizes[i] - 1] = (uint8_t)(i + 1);
		assert_int_equal(bus_publish(f->bus, &message), 0);
		SPIN_UNTIL(&f->io, subscriber.received == i + 1);
		assert_int_equal(last_body_len, sizes[i]);
		assert_int_equal(last_body_end, sizes[i] > 0 ? i + 1 : 0);
	}
	message.body.len = (1 << 20) + 1;
	assert_int_equal(bus_publish(f->bus, &message), -EMSGSIZE);
	message.body.len = 1 << 20; /* headers count too */
	message.headers = &(struct bus_header){SLICE_LITERAL("a"), SLICE_LITERAL("b")};
	message.header_count = 1;
	assert_int_equal(bus_publish(f->bus, &message), -EMSGSIZE);
	subscriber_close(f, &subscriber);
	free(body);
}

static const struct {
	const char *name;
	struct slice subject, reply;
	struct bus_header header;
	size_t header_count;
} bad_messages[] = {
	{"no subject", .subject = SLICE_LITERAL("")},
	{"space", .subject = SLICE_LITERAL("a b")},
	{"line end", .subject = SLICE_LITERAL("a\r\nPUB b 0\r\n")},
	{"NUL", .subject = SLICE_LITERAL("a\0b")},
	{"wildcard", .subject = SLICE_LITERAL("a.*")},
	{"all", .subject = SLICE_LITERAL("a.>")},
	{"empty token", .subject = SLICE_LITERAL("a..b")},
	{"first empty", .subject = SLICE_LITERAL(".a")},
	{"last empty", .subject = SLICE_LITERAL("a.")},
	{"not ASCII", .subject = SLICE_LITERAL("\xc3\xbc")},
	{"reply", .subject = SLICE_LITERAL("a"), .reply = SLICE_LITERAL("b c")},
#define BAD_HEADER(what, name, value)                                                         \
	{                                                                                     \
		what, SLICE_LITERAL("a"), {0}, {SLICE_LITERAL(name), SLICE_LITERAL(value)}, 1 \
	}
	BAD_HEADER("header name", "a:b", "c"),
	BAD_HEADER("no header name", "", "c"),
	BAD_HEADER("empty header", "a", ""),
	BAD_HEADER("line end in header name", "a\r\nb", "c"),
	BAD_HEADER("line end in header", "a", "b\r\nc: d"),
	BAD_HEADER("NUL in header", "a", "b\0c"),
	BAD_HEADER("space before header", "a", " b"),
	BAD_HEADER("tab behind header", "a", "b\t"),
	BAD_HEADER("broker's own header", "Status", "503"),
	{"too many headers", .subject = SLICE_LITERAL("a"), .header_count = BUS_HEADERS_MAX + 1},
};

static void test_what_cannot_be_sent_is_refused(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber subscriber;
	struct question question;

	for (size_t i = 0; i < ARRAY_LEN(bad_messages); i++) {
		struct bus_message message = {.subject = bad_messages[i].subject,
					      .reply = bad_messages[i].reply,
					      .headers = &bad_messages[i].header,
					      .header_count = bad_messages[i].header_count};

		ASSERT_ROW(bus_publish(f->bus, &message) == -EINVAL, bad_messages[i].name);
		ASSERT_ROW(bus_request(f->bus, &question.request, f->io.loop, &message, NS_PER_S,
				       question_on_done) == -EINVAL,
			   bad_messages[i].name);
	}
	assert_int_equal(bus_subscribe(f->bus, &subscriber.sub, f->io.loop, SLICE_LITERAL("a.*"),
				       subscriber_on_message),
			 -EINVAL);
	assert_int_equal(bus_stats_now(f->bus).published, 0);
}

static void test_subjects_are_exact(void **state)
{
	struct bus_fixture *f = *state;
	static const char *const others[] = {"a", "a.b.c", "A.b", "a.b%20", "a-b", "b.a"};
	struct subscriber subscriber = {0};

	subscriber_open(&subscriber, f->bus, f->io.loop, "a.b");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(publish_text(f->bus, others[i], "not mine"), 0);
	assert_int_equal(publish_text(f->bus, "a.b", "mine"), 0);
	SPIN_UNTIL(&f->io, subscriber.received == 1);
	assert_string_equal(subscriber.body, "mine");
	subscriber_close(f, &subscriber);
}

/* --- threads --- */

#define PUBLISHERS    4
#define PER_PUBLISHER 2000

static struct publisher {
	pthread_t thread;
	struct bus *bus;
	unsigned number;
	unsigned next; /* that must arrive */
} publishers[PUBLISHERS];

static void *publish_numbers(void *arg)
{
	struct publisher *publisher = arg;
	char body[32];

	for (unsigned i = 0; i < PER_PUBLISHER; i++) {
		snprintf(body, sizeof(body), "%u %u", publisher->number, i);
		CHECK(publish_text(publisher->bus, "numbers", body) == 0);
	}
	return NULL;
}

static void publishers_start(struct bus *bus)
{
	for (unsigned i = 0; i < PUBLISHERS; i++) {
		publishers[i] = (struct publisher){.bus = bus, .number = i};
		pthread_create(&publishers[i].thread, NULL, publish_numbers, &publishers[i]);
	}
}

static void publishers_join(void)
{
	for (unsigned i = 0; i < PUBLISHERS; i++)
		pthread_join(publishers[i].thread, NULL);
}

static void check_number(struct subscriber *self, const struct bus_message *message)
{
	char *end;
	unsigned long number = strtoul(self->body, &end, 10);

	(void)message;
	CHECK(number < PUBLISHERS);
	CHECK(strtoul(end, NULL, 10) == publishers[number].next);
	publishers[number].next++;
}

static void test_each_publisher_s_order_is_kept(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber subscriber = {.on_message = check_number};

	subscriber_open(&subscriber, f->bus, f->io.loop, "numbers");
	publishers_start(f->bus);
	SPIN_UNTIL(&f->io, subscriber.received == PUBLISHERS * PER_PUBLISHER);
	publishers_join();
	subscriber_close(f, &subscriber);
	assert_int_equal(bus_stats_now(f->bus).delivered, PUBLISHERS * PER_PUBLISHER);
}

#define READERS            3
#define SUBS_PER_READER    5
#define MESSAGES_TO_READER 500

/* A loop in a thread of its own, with several subscriptions to one subject. */
struct reader {
	pthread_t thread;
	struct bus *bus;
	struct loop *loop;
	struct subscriber subscribers[SUBS_PER_READER];
	unsigned closed;
	bool is_ready; /* atomic */
};

static void reader_on_closed(struct bus_subscription *sub)
{
	struct reader *reader = CONTAINER_OF(sub, struct subscriber, sub)->owner;

	if (++reader->closed == SUBS_PER_READER)
		loop_stop(reader->loop);
}

static void reader_on_message(struct subscriber *self, const struct bus_message *message)
{
	CHECK(slice_equals(message->body, SLICE_LITERAL("to all")));
	if (self->received == MESSAGES_TO_READER)
		bus_unsubscribe(&self->sub, reader_on_closed);
}

static void *reader_run(void *arg)
{
	struct reader *reader = arg;

	CHECK(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &reader->loop) == 0);
	for (size_t i = 0; i < SUBS_PER_READER; i++) {
		reader->subscribers[i].on_message = reader_on_message;
		reader->subscribers[i].owner = reader;
		subscriber_open(&reader->subscribers[i], reader->bus, reader->loop, "everybody");
	}
	__atomic_store_n(&reader->is_ready, true, __ATOMIC_RELEASE);
	loop_run(reader->loop);
	loop_destroy(&reader->loop);
	return NULL;
}

static bool reader_is_ready(const struct reader *reader)
{
	return __atomic_load_n(&reader->is_ready, __ATOMIC_ACQUIRE);
}

static void test_one_subject_reaches_subscribers_in_many_loops(void **state)
{
	struct bus_fixture *f = *state;
	struct reader readers[READERS] = {0};

	for (size_t i = 0; i < READERS; i++) {
		readers[i].bus = f->bus;
		pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]);
	}
	for (size_t i = 0; i < READERS; i++)
		SPIN_UNTIL(&f->io, reader_is_ready(&readers[i]));
	for (size_t i = 0; i < MESSAGES_TO_READER; i++)
		assert_int_equal(publish_text(f->bus, "everybody", "to all"), 0);
	for (size_t i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	for (size_t i = 0; i < READERS * SUBS_PER_READER; i++)
		assert_int_equal(
			readers[i / SUBS_PER_READER].subscribers[i % SUBS_PER_READER].received,
			MESSAGES_TO_READER);
	SPIN_UNTIL(&f->io, bus_pending(f->bus) == 0);
}

/* --- unsubscribing --- */

#define ROUNDS 1000

static bool flood_is_over; /* atomic */

static void *flood(void *arg)
{
	struct bus *bus = arg;

	while (!__atomic_load_n(&flood_is_over, __ATOMIC_RELAXED)) {
		int r = publish_text(bus, "short.life", "wave");

		CHECK(r == 0 || r == -ENOBUFS);
	}
	return NULL;
}

/* In memory of its own, so that the sanitizer sees any use after on_closed. */
struct short_life {
	struct bus_subscription sub;
	unsigned *received, *closed;
	unsigned wanted;
	bool is_over;
};

static void short_life_on_closed(struct bus_subscription *sub)
{
	struct short_life *life = CONTAINER_OF(sub, struct short_life, sub);

	++*life->closed;
	free(life);
}

static void short_life_end(struct short_life *life)
{
	life->is_over = true;
	bus_unsubscribe(&life->sub, short_life_on_closed);
}

static void short_life_on_message(struct bus_subscription *sub, const struct bus_message *message)
{
	struct short_life *life = CONTAINER_OF(sub, struct short_life, sub);

	assert_false(life->is_over);
	assert_int_equal(message->body.len, 4);
	++*life->received;
	if (life->wanted > 0 && --life->wanted == 0)
		short_life_end(life);
}

/* A short backlog: what is tested is the leaving, not how long a flood can be. */
static int setup_flood(void **state)
{
	return bus_setup_with(state, &(struct bus_options){.pending_max = 1 << 18});
}

/* Every third ends at once, the others from inside their first or second message. */
static void test_unsubscribe_while_messages_are_in_flight(void **state)
{
	struct bus_fixture *f = *state;
	unsigned received = 0, wanted = 0, closed = 0;
	pthread_t threads[2];

	flood_is_over = false;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, flood, f->bus);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct short_life *life = malloc(sizeof(*life));

		*life = (struct short_life){
			.received = &received, .closed = &closed, .wanted = i % 3};
		assert_int_equal(bus_subscribe(f->bus, &life->sub, f->io.loop,
					       SLICE_LITERAL("short.life"), short_life_on_message),
				 0);
		wanted += life->wanted;
		if (life->wanted == 0)
			short_life_end(life);
		SPIN_UNTIL(&f->io, closed + 20 > i);
	}
	SPIN_UNTIL(&f->io, closed == ROUNDS);
	__atomic_store_n(&flood_is_over, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(received, wanted);
	SPIN_UNTIL(&f->io, bus_pending(f->bus) == 0);
}

static void test_no_message_after_unsubscribe(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber leaving = {0}, staying = {0};

	subscriber_open(&leaving, f->bus, f->io.loop, "both");
	subscriber_open(&staying, f->bus, f->io.loop, "both");
	assert_int_equal(publish_text(f->bus, "both", "1"), 0);
	bus_unsubscribe(&leaving.sub, subscriber_on_closed);
	assert_int_equal(leaving.closed, 0); /* from loop_run only */
	SPIN_UNTIL(&f->io, staying.received == 1 && leaving.closed == 1);
	assert_int_equal(leaving.received, 0);
	subscriber_open(&leaving, f->bus, f->io.loop, "both");
	assert_int_equal(publish_text(f->bus, "both", "2"), 0);
	SPIN_UNTIL(&f->io, staying.received == 2 && leaving.received == 1);
	subscriber_close(f, &leaving);
	subscriber_close(f, &staying);
}

static void on_message_publish_on(struct subscriber *self, const struct bus_message *message)
{
	(void)message;
	assert_int_equal(publish_text(self->bus, "chain.2", "from a callback"), 0);
	assert_int_equal(((struct subscriber *)self->owner)->received, 0);
}

static void test_publish_from_inside_a_callback(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber last = {0}, first = {.on_message = on_message_publish_on, .owner = &last};

	subscriber_open(&first, f->bus, f->io.loop, "chain.1");
	subscriber_open(&last, f->bus, f->io.loop, "chain.2");
	assert_int_equal(publish_text(f->bus, "chain.1", ""), 0);
	SPIN_UNTIL(&f->io, last.received == 1);
	subscriber_close(f, &first);
	subscriber_close(f, &last);
}

#define MANY 20000

static void test_many_subjects_at_once(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber *many = calloc(MANY, sizeof(*many));
	char subject[32];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(subject, sizeof(subject), "many.client-%u", i);
		subscriber_open(&many[i], f->bus, f->io.loop, subject);
	}
	assert_int_equal(bus_stats_now(f->bus).subscriptions, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(subject, sizeof(subject), "many.client-%u", i);
		assert_int_equal(publish_text(f->bus, subject, subject), 0);
	}
	SPIN_UNTIL(&f->io, bus_stats_now(f->bus).delivered == MANY);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(subject, sizeof(subject), "many.client-%u", i);
		assert_string_equal(many[i].body, subject);
		bus_unsubscribe(&many[i].sub, subscriber_on_closed);
	}
	for (unsigned i = 0; i < MANY; i++)
		SPIN_UNTIL(&f->io, many[i].closed == 1);
	free(many);
}

/* --- bounds --- */

static int setup_small(void **state)
{
	return bus_setup_with(state, &(struct bus_options){.pending_max = 4096});
}

static int publish_until_refused(struct bus *bus, const char *subject, unsigned *count)
{
	int r = 0;

	for (*count = 0; *count < 1000000; ++*count) {
		r = publish_text(bus, subject, "0123456789012345678901234567890123456789");
		if (r < 0)
			break;
	}
	return r;
}

/* Nobody runs the loop meanwhile: what waits for it is bounded. */
static void test_embedded_publish_beyond_pending_max_is_refused(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber subscriber = {0};
	unsigned count;

	subscriber_open(&subscriber, f->bus, f->io.loop, "slow");
	for (unsigned round = 1; round <= 3; round++) {
		assert_int_equal(publish_until_refused(f->bus, "slow", &count), -ENOBUFS);
		assert_in_range(count, 5, 4096 / 40);
		assert_int_equal(bus_stats_now(f->bus).refused, round);
		assert_true(bus_pending(f->bus) <= 4096);
		subscriber.received = 0;
		SPIN_UNTIL(&f->io, subscriber.received == count);
		assert_int_equal(bus_pending(f->bus), 0);
	}
	assert_int_equal(bus_stats_now(f->bus).dropped, 0);
	subscriber_close(f, &subscriber);
}

/* A broker takes no back pressure: what finds no room is dropped, and counted. */
static void test_nats_messages_beyond_pending_max_are_dropped(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber subscriber = {0};
	uint64_t give_up_at = clock_now_ns() + GIVE_UP_NS;
	unsigned published = 0;

	subscriber_open(&subscriber, f->bus, f->io.loop, "slow");
	while (bus_stats_now(f->bus).dropped == 0 && clock_now_ns() < give_up_at) {
		int r = publish_text(f->bus, "slow", "0123456789012345678901234567890123456789");

		published += r == 0;
		assert_true(r == 0 || r == -ENOBUFS);
		sched_yield();
	}
	assert_true(bus_stats_now(f->bus).loop_pending_bytes <= 4096);
	assert_true(bus_stats_now(f->bus).dropped > 0);
	SPIN_UNTIL(&f->io, subscriber.received + bus_stats_now(f->bus).dropped == published);
	assert_true(subscriber.received > 0);
	subscriber_close(f, &subscriber);
	assert_int_equal(bus_pending(f->bus), 0);
}

static void test_destroy_of_nothing_is_fine(void **state)
{
	struct bus *bus = NULL;

	(void)state;
	bus_destroy(&bus);
	assert_null(bus);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH_BUSES(test_headers_and_body_arrive_as_they_are),
		ON_BOTH_BUSES(test_bodies_from_nothing_to_one_mebibyte),
		ON_BOTH_BUSES(test_what_cannot_be_sent_is_refused),
		ON_BOTH_BUSES(test_subjects_are_exact),
		ON_BOTH_BUSES(test_each_publisher_s_order_is_kept),
		ON_BOTH_BUSES(test_one_subject_reaches_subscribers_in_many_loops),
		{"test_unsubscribe_while_messages_are_in_flight/embedded",
		 test_unsubscribe_while_messages_are_in_flight, setup_flood, bus_teardown,
		 &bus_kinds[0]},
		{"test_unsubscribe_while_messages_are_in_flight/nats",
		 test_unsubscribe_while_messages_are_in_flight, setup_flood, bus_teardown,
		 &bus_kinds[1]},
		ON_BOTH_BUSES(test_no_message_after_unsubscribe),
		ON_BOTH_BUSES(test_publish_from_inside_a_callback),
		ON_BOTH_BUSES(test_many_subjects_at_once),
		{"test_embedded_publish_beyond_pending_max_is_refused",
		 test_embedded_publish_beyond_pending_max_is_refused, setup_small, bus_teardown,
		 &bus_kinds[0]},
		{"test_nats_messages_beyond_pending_max_are_dropped",
		 test_nats_messages_beyond_pending_max_are_dropped, setup_small, bus_teardown,
		 &bus_kinds[1]},
		cmocka_unit_test(test_destroy_of_nothing_is_fine),
	};
	return RUN_BUS_TESTS(tests);
}
