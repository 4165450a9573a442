/* SPDX-License-Identifier: Apache-2.0
 * The bus over NATS: brokers that go, come back, refuse, or are none; several nodes. */
#include "bus_unit.h"

#include <arpa/inet.h>
#include <malloc.h>

#include "base/counter.h"

/* --- a broker that goes --- */

struct outage {
	struct bus_fixture f;
	struct nats_server server;
	unsigned status_changes; /* atomic */
};

static void on_status(void *arg)
{
	__atomic_fetch_add(&((struct outage *)arg)->status_changes, 1, __ATOMIC_RELAXED);
}

static struct bus *bus_to(const char *url, struct bus_options options)
{
	struct bus *bus = NULL;

	options.urls = &url;
	options.url_count = 1;
	options.reconnect_min_ns = 5 * NS_PER_MS;
	options.reconnect_max_ns = 20 * NS_PER_MS;
	assert_int_equal(bus_create_nats(&options, &bus), 0);
	return bus;
}

static int outage_setup(void **state)
{
	struct outage *o = calloc(1, sizeof(*o));

	nats_server_start(&o->server, 0, NULL, NULL);
	io_fixture_init(&o->f.io, LOOP_ENGINE_EPOLL, 0);
	o->f.is_nats = true;
	o->f.bus = bus_to(
		o->server.url,
		(struct bus_options){.pending_max = 1 << 20, .on_status = on_status, .arg = o});
	SPIN_UNTIL(&o->f.io, bus_is_connected(o->f.bus));
	*state = o;
	return 0;
}

static int outage_teardown(void **state)
{
	struct outage *o = *state;

	assert_int_equal(bus_stats_now(o->f.bus).subscriptions, 0);
	if (!o->f.io.has_timed_out) {
		bus_destroy(&o->f.bus);
		loop_destroy(&o->f.io.loop);
	}
	nats_server_remove(&o->server);
	free(o);
	return 0;
}

static void broker_kill(struct outage *o)
{
	nats_server_kill(&o->server);
	SPIN_UNTIL(&o->f.io, !bus_is_connected(o->f.bus));
}

static void broker_return(struct outage *o)
{
	nats_server_start(&o->server, o->server.port, NULL, NULL);
	SPIN_UNTIL(&o->f.io, bus_is_connected(o->f.bus));
}

static bool detail_has(struct bus *bus, const char *part)
{
	struct bus_status status;

	bus_status(bus, &status);
	return strstr(status.detail, part) != NULL;
}

#define RESTORED 3000

static void test_subscriptions_are_restored(void **state)
{
	struct outage *o = *state;
	struct subscriber *subscribers = calloc(RESTORED + 1, sizeof(*subscribers));
	char subject[32];

	for (unsigned i = 0; i < RESTORED; i++) {
		snprintf(subject, sizeof(subject), "client.%u", i);
		subscriber_open(&subscribers[i], o->f.bus, o->f.io.loop, subject);
	}
	settle(&o->f);
	for (unsigned round = 1; round <= 3; round++) {
		broker_kill(o);
		SPIN_UNTIL(&o->f.io, detail_has(o->f.bus, "no broker can be reached"));
		broker_return(o);
		assert_true(detail_has(o->f.bus, "connected to 127.0.0.1:"));
		for (unsigned i = 0; i < RESTORED; i++) {
			snprintf(subject, sizeof(subject), "client.%u", i);
			assert_int_equal(publish_text(o->f.bus, subject, ""), 0);
		}
		for (unsigned i = 0; i < RESTORED; i++)
			SPIN_UNTIL(&o->f.io, subscribers[i].received == round);
		assert_int_equal(bus_stats_now(o->f.bus).reconnects, round);
	}
	assert_true(__atomic_load_n(&o->status_changes, __ATOMIC_RELAXED) >= 7);
	for (unsigned i = 0; i < RESTORED; i++)
		bus_unsubscribe(&subscribers[i].sub, subscriber_on_closed);
	for (unsigned i = 0; i < RESTORED; i++)
		SPIN_UNTIL(&o->f.io, subscribers[i].closed == 1);
	free(subscribers);
}

static void test_what_changes_during_an_outage_holds_after_it(void **state)
{
	struct outage *o = *state;
	struct subscriber gone = {0}, kept = {0}, came = {0};
	struct question question;

	subscriber_open(&gone, o->f.bus, o->f.io.loop, "gone");
	subscriber_open(&kept, o->f.bus, o->f.io.loop, "kept");
	broker_kill(o);
	subscriber_close(&o->f, &gone);
	subscriber_open(&came, o->f.bus, o->f.io.loop, "came");
	assert_int_equal(publish_text(o->f.bus, "came", "published during the outage"), 0);
	broker_return(o);
	SPIN_UNTIL(&o->f.io, came.received == 1);
	assert_string_equal(came.body, "published during the outage");
	assert_int_equal(publish_text(o->f.bus, "kept", "after"), 0);
	SPIN_UNTIL(&o->f.io, kept.received == 1);
	assert_int_equal(ask(&o->f, &question, "gone", "?"), BUS_NO_RESPONDERS);
	subscriber_close(&o->f, &kept);
	subscriber_close(&o->f, &came);
}

static void test_requests_fail_at_once_when_the_broker_is_lost(void **state)
{
	struct outage *o = *state;
	struct subscriber mute = {0};
	struct question before, during;

	subscriber_open(&mute, o->f.bus, o->f.io.loop, "mute");
	assert_int_equal(question_send(&o->f, &before, "mute", "?", 3600 * NS_PER_S), 0);
	SPIN_UNTIL(&o->f.io, mute.received == 1);
	nats_server_kill(&o->server);
	SPIN_UNTIL(&o->f.io, before.done == 1);
	assert_int_equal(before.result, BUS_DISCONNECTED);
	SPIN_UNTIL(&o->f.io, !bus_is_connected(o->f.bus));
	assert_int_equal(ask(&o->f, &during, "mute", "?"), BUS_DISCONNECTED);
	assert_int_equal(store(&o->f, &during, "up", "id", ""), BUS_DISCONNECTED);
	assert_int_equal(bus_stats_now(o->f.bus).disconnects, 3);
	broker_return(o);
	assert_int_equal(ask(&o->f, &during, "nobody", "?"), BUS_NO_RESPONDERS);
	assert_int_equal(mute.received, 1); /* what failed is not sent later */
	subscriber_close(&o->f, &mute);
}

static void test_what_waits_for_the_broker_is_bounded(void **state)
{
	struct outage *o = *state;
	struct subscriber subscriber = {0};
	unsigned accepted = 0;
	char body[16];

	subscriber_open(&subscriber, o->f.bus, o->f.io.loop, "late");
	broker_kill(o);
	for (int r = 0; accepted < 100000; accepted++) {
		snprintf(body, sizeof(body), "%u", accepted);
		r = publish_text(o->f.bus, "late", body);
		if (r < 0) {
			assert_int_equal(r, -ENOBUFS);
			break;
		}
	}
	assert_in_range(accepted, 1000, (1 << 20) / 100);
	assert_int_equal(bus_stats_now(o->f.bus).refused, 1);
	broker_return(o);
	/* On the way back they are larger, and not bounded by what we publish. */
	SPIN_UNTIL(&o->f.io, subscriber.received + bus_stats_now(o->f.bus).dropped == accepted);
	assert_true(subscriber.received > 0);
	assert_int_equal(bus_pending(o->f.bus), 0);
	subscriber_close(&o->f, &subscriber);
}

static void test_what_cannot_wait_is_not_kept_for_a_broker(void **state)
{
	struct outage *o = *state;
	struct subscriber subscriber = {0};
	struct bus_message message = text_message("news", "of now");

	subscriber_open(&subscriber, o->f.bus, o->f.io.loop, "news");
	nats_server_kill(&o->server);
	/* Nor is what was taken in the moment of the loss. */
	for (int r = 0; r != -ENOTCONN;) {
		r = bus_publish_now(o->f.bus, &message);
		assert_true(r == 0 || r == -ENOBUFS || r == -ENOTCONN);
	}
	SPIN_UNTIL(&o->f.io, bus_pending(o->f.bus) == 0);
	broker_return(o);
	assert_int_equal(bus_publish_now(o->f.bus, &message), 0);
	SPIN_UNTIL(&o->f.io, subscriber.received == 1);
	subscriber_close(&o->f, &subscriber);
}

/* Subscriptions that ended are kept until the broker has answered: not for ever. */
static void test_a_broker_that_answers_nothing_is_left(void **state)
{
	struct outage *o = *state;
	struct subscriber *subscribers = calloc(RESTORED, sizeof(*subscribers));
	struct question question;
	char subject[32];

	for (unsigned i = 0; i < RESTORED; i++) {
		snprintf(subject, sizeof(subject), "client.%u", i);
		subscriber_open(&subscribers[i], o->f.bus, o->f.io.loop, subject);
	}
	settle(&o->f);
	kill(o->server.pid, SIGSTOP);
	for (unsigned i = 0; i < RESTORED; i++)
		bus_unsubscribe(&subscribers[i].sub, subscriber_on_closed);
	for (unsigned i = 0; i < RESTORED; i++)
		SPIN_UNTIL(&o->f.io, subscribers[i].closed == 1);
	SPIN_UNTIL(&o->f.io, !bus_is_connected(o->f.bus));
	kill(o->server.pid, SIGCONT);
	SPIN_UNTIL(&o->f.io, bus_is_connected(o->f.bus));
	assert_int_equal(ask(&o->f, &question, "client.0", "?"), BUS_NO_RESPONDERS);
	free(subscribers);
}

/* --- brokers that do not let us in --- */

static void wait_for_detail(struct io_fixture *io, const char *url, struct bus_options options,
			    const char *part)
{
	struct bus *bus = bus_to(url, options);

	SPIN_UNTIL(io, !detail_has(bus, "first time"));
	if (!detail_has(bus, part)) {
		struct bus_status status;

		bus_status(bus, &status);
		fail_msg("'%s' is not in '%s'", part, status.detail);
	}
	bus_destroy(&bus);
}

static void test_wrong_credentials_are_told(void **state)
{
	struct bus_fixture *f = *state;
	struct nats_server server = {0};

	nats_server_start(&server, 0, "gate", "secret");
	wait_for_detail(&f->io, server.url, (struct bus_options){0},
			"the broker refuses the credentials (Authorization Violation)");
	wait_for_detail(&f->io, server.url, (struct bus_options){.user = "gate", .password = "no"},
			"the broker refuses the credentials (Authorization Violation)");
	wait_for_detail(&f->io, server.url,
			(struct bus_options){.user = "gate", .password = "secret"},
			"connected to 127.0.0.1:");
	wait_for_detail(&f->io, server.url,
			(struct bus_options){.credentials_file = "/does/not/exist"},
			"the connection to the broker failed");
	nats_server_remove(&server);
}

#define GATE "authorization { users = [ { user: gate, password: pw, permissions: "

/* A broker with permissions, and a bus of its own to it. */
static void forbidding_open(struct nats_server *server, struct bus_fixture *other,
			    struct bus_fixture *f)
{
	*other = (struct bus_fixture){.io = f->io, .is_nats = true};
	nats_server_start(server, 0, NULL, NULL);
	other->bus = bus_to(server->url, (struct bus_options){.user = "gate", .password = "pw"});
	SPIN_UNTIL(&f->io, bus_is_connected(other->bus));
}

static void forbidding_close(struct nats_server *server, struct bus_fixture *other)
{
	bus_destroy(&other->bus);
	nats_server_remove(server);
}

static bool forbidden_has(struct bus *bus, const char *part)
{
	struct bus_status status;

	bus_status(bus, &status);
	return strstr(status.forbidden, part) != NULL;
}

static void test_what_the_broker_forbids_is_told(void **state)
{
	struct bus_fixture *f = *state;
	struct nats_server server = {.config = GATE "{ subscribe: { deny: \"secret.>\" } } } ] }"};
	struct subscriber subscriber = {0};
	struct bus_fixture other;
	struct bus_status status;

	forbidding_open(&server, &other, f);
	subscriber_open(&subscriber, other.bus, f->io.loop, "secret.one");
	SPIN_UNTIL(&f->io, forbidden_has(other.bus, "to subscribe to 'secret.one'"));
	bus_status(other.bus, &status);
	assert_true(status.is_connected && status.is_deaf);
	assert_int_equal(bus_stats_now(other.bus).forbidden_subjects, 1);
	assert_true(bus_stats_now(other.bus).forbidden >= 1);
	subscriber_close(&other, &subscriber);
	forbidding_close(&server, &other);
}

/* Of those to the same broker the others go on, and each message is counted once. */
static void test_what_the_broker_forbids_is_not_taken(void **state)
{
	struct bus_fixture *f = *state;
	struct nats_server server = {.config = GATE "{ publish: { deny: \"no.>\" } } } ] }"};
	uint64_t taken = 0, forbidden = 0, unconfirmed = 0;
	const struct bus_fate fate = {&taken, &forbidden, &unconfirmed};
	struct bus_fixture other;

	forbidding_open(&server, &other, f);
	for (unsigned i = 0; i < 100; i++) {
		char subject[32];

		snprintf(subject, sizeof(subject), "%s.%u", i % 4 == 0 ? "no" : "yes", i);
		struct bus_message message = text_message(subject, "body");

		assert_int_equal(bus_publish_counted(other.bus, &message, &fate), 0);
	}
	SPIN_UNTIL(&f->io, counter_read(&taken) == 75 && counter_read(&forbidden) == 25);
	assert_int_equal(bus_stats_now(other.bus).forbidden, 25);
	assert_int_equal(bus_stats_now(other.bus).broker_pending_bytes, 0);
	assert_true(forbidden_has(other.bus, "in all 25 subjects to publish to and 0 to"));
	struct bus_message again = text_message("no.0", "body"),
			   good = text_message("yes.0", "body");

	assert_int_equal(bus_publish_counted(other.bus, &again, &fate), -EACCES);
	assert_int_equal(bus_publish_counted(other.bus, &good, &fate), 0);
	SPIN_UNTIL(&f->io, counter_read(&taken) == 76);
	assert_int_equal(counter_read(&forbidden), 25);
	assert_int_equal(counter_read(&unconfirmed), 0);
	forbidding_close(&server, &other);
}

static void test_a_question_that_the_broker_forbids_ends_at_once(void **state)
{
	struct bus_fixture *f = *state;
	struct nats_server server = {.config = GATE "{ publish: { deny: \"no.>\" } } } ] }"};
	struct question question = {0};
	struct bus_message to_no = text_message("no.body", "?"), to_yes = text_message("yes", "?");
	struct bus_fixture other;

	forbidding_open(&server, &other, f);
	assert_int_equal(question_send(&other, &question, "no.body", "?", 60 * NS_PER_S), 0);
	SPIN_UNTIL(&f->io, question.done == 1);
	assert_int_equal(question.result, BUS_FORBIDDEN);
	/* Whether it is so still can be asked without an answer to it. */
	assert_int_equal(bus_publish_checked(other.bus, &question.request, f->io.loop, &to_no,
					     60 * NS_PER_S, question_on_done),
			 0);
	SPIN_UNTIL(&f->io, question.done == 2);
	assert_int_equal(question.result, BUS_FORBIDDEN);
	assert_int_equal(bus_publish_checked(other.bus, &question.request, f->io.loop, &to_yes,
					     60 * NS_PER_S, question_on_done),
			 0);
	SPIN_UNTIL(&f->io, question.done == 3);
	assert_int_equal(question.result, BUS_TAKEN);
	forbidding_close(&server, &other);
}

static void test_without_answers_a_question_ends_at_once(void **state)
{
	struct bus_fixture *f = *state;
	struct nats_server server = {.config = GATE "{ subscribe: { deny: \"_INBOX.>\" } } } ] }"};
	struct question question = {0};
	struct bus_fixture other;

	forbidding_open(&server, &other, f);
	SPIN_UNTIL(&f->io, forbidden_has(other.bus, "to subscribe to '_INBOX."));
	assert_int_equal(question_send(&other, &question, "any", "?", 3600 * NS_PER_S), 0);
	SPIN_UNTIL(&f->io, question.done == 1);
	assert_int_equal(question.result, BUS_FORBIDDEN);
	forbidding_close(&server, &other);
}

/* Nor does one that was asked before wait in vain; whether a message is taken is told all the same.
 */
static void test_questions_end_when_answers_are_forbidden(void **state)
{
	struct bus_fixture *f = *state;
	struct nats_server server = {.config = GATE "{ subscribe: \">\" } } ] }"};
	struct bus_message message = text_message("any", "");
	struct question asked, stored, checked = {0};
	struct subscriber mute = {0};
	struct bus_fixture other;
	char config[96];

	forbidding_open(&server, &other, f);
	subscriber_open(&mute, other.bus, f->io.loop, "mute");
	settle(&other);
	assert_int_equal(question_send(&other, &asked, "mute", "?", 3600 * NS_PER_S), 0);
	assert_int_equal(store_send(&other, &stored, "mute", "id", "", 3600 * NS_PER_S), 0);
	SPIN_UNTIL(&f->io, mute.received == 2);
	assert_int_equal(asked.done + stored.done, 0);
	server.config = GATE "{ subscribe: { deny: \"_INBOX.>\" } } } ] }";
	nats_server_write_config(&server, config, sizeof(config));
	kill(server.pid, SIGHUP);
	SPIN_UNTIL(&f->io, asked.done == 1 && stored.done == 1);
	assert_int_equal(asked.result, BUS_FORBIDDEN);
	assert_int_equal(stored.result, BUS_FORBIDDEN);
	assert_int_equal(bus_publish_checked(other.bus, &checked.request, f->io.loop, &message,
					     3600 * NS_PER_S, question_on_done),
			 0);
	SPIN_UNTIL(&f->io, checked.done == 1);
	assert_int_equal(checked.result, BUS_TAKEN);
	subscriber_close(&other, &mute);
	forbidding_close(&server, &other);
}

static void *garbage_run(void *arg)
{
	int listener = *(int *)arg;
	static const char garbage[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd))
		CHECK(write(fd, garbage, sizeof(garbage) - 1) > 0);
	return NULL;
}

static void test_what_is_not_a_broker_is_told(void **state)
{
	struct bus_fixture *f = *state;
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;
	char url[64];

	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	snprintf(url, sizeof(url), "nats://127.0.0.1:%u", ntohs(addr.sin_port));
	wait_for_detail(&f->io, url, (struct bus_options){0}, "no broker can be reached");
	assert_int_equal(listen(listener, 16), 0);
	pthread_create(&thread, NULL, garbage_run, &listener);
	wait_for_detail(&f->io, url, (struct bus_options){0}, "what answers is not a NATS broker");
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
}

static void test_options_that_cannot_work_are_refused(void **state)
{
	struct bus *bus = NULL;

	(void)state;
	assert_int_equal(bus_create_nats(&(struct bus_options){0}, &bus), -EINVAL);
	assert_null(bus);
}

/* --- several nodes --- */

/* A second bus on the same broker, in the same loop: another node. */
static void test_messages_cross_nodes(void **state)
{
	struct bus_fixture *f = *state;
	struct bus_fixture other = {.io = f->io, .is_nats = true};
	struct subscriber here = {0}, there = {0};
	struct question question;

	other.bus = bus_to(bus_server.url, (struct bus_options){0});
	SPIN_UNTIL(&f->io, bus_is_connected(other.bus));
	subscriber_open(&here, f->bus, f->io.loop, "node");
	subscriber_open(&there, other.bus, f->io.loop, "node");
	settle(&other);
	settle(f);
	assert_int_equal(publish_text(f->bus, "node", "to both"), 0);
	SPIN_UNTIL(&f->io, here.received == 1 && there.received == 1);
	subscriber_close(f, &here);
	settle(f);
	assert_int_equal(publish_text(f->bus, "node", "to the other"), 0);
	SPIN_UNTIL(&f->io, there.received == 2);
	assert_string_equal(there.body, "to the other");
	subscriber_close(&other, &there);
	settle(&other);
	assert_int_equal(ask(f, &question, "node", "?"), BUS_NO_RESPONDERS);
	assert_int_equal(here.received, 1);
	bus_destroy(&other.bus);
}

/* A node that goes takes its interest with it: nothing stale is left. */
static void test_a_node_s_end_is_known_at_once(void **state)
{
	struct bus_fixture *f = *state;
	struct bus_fixture other = {.io = f->io, .is_nats = true};
	struct subscriber there = {0};
	struct question question;

	other.bus = bus_to(bus_server.url, (struct bus_options){0});
	SPIN_UNTIL(&f->io, bus_is_connected(other.bus));
	subscriber_open(&there, other.bus, f->io.loop, "node");
	settle(&other);
	bus_unsubscribe(&there.sub, subscriber_on_closed);
	SPIN_UNTIL(&f->io, there.closed == 1);
	bus_destroy(&other.bus);
	SPIN_UNTIL(&f->io,
		   ask_within(f, &question, "node", "?", ASK_AGAIN_NS) == BUS_NO_RESPONDERS);
	assert_int_equal(there.received, 0);
}

/* --- subscriptions that end while messages for them come --- */

#define ENDS 500

static struct {
	struct bus *bus;
	bool is_over; /* atomic */
} flood;

/* Large: libnats copies a body between finding its subscription and using it. */
static void *flood_run(void *arg)
{
	static uint8_t body[60000];
	struct bus_message message = {.subject = SLICE_LITERAL("churn"),
				      .body = slice_of(body, sizeof(body))};

	(void)arg;
	while (!__atomic_load_n(&flood.is_over, __ATOMIC_RELAXED)) {
		int r = bus_publish(flood.bus, &message);

		CHECK(r == 0 || r == -ENOBUFS);
		if (r < 0)
			sched_yield();
	}
	return NULL;
}

/* libnats 3.4 uses a subscription that it has found without holding it, so one that was
 * freed at once when it ended broke the heap. Freed memory is filled, so that its use
 * cannot pass unseen. */
static void test_a_subscription_outlives_what_libnats_reads_for_it(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber subscriber = {0};
	pthread_t thread;

	mallopt(M_PERTURB, 0x5a);
	flood.bus = bus_to(bus_server.url, (struct bus_options){.pending_max = 1 << 20});
	SPIN_UNTIL(&f->io, bus_is_connected(flood.bus));
	pthread_create(&thread, NULL, flood_run, NULL);
	for (unsigned i = 0; i < ENDS; i++) {
		subscriber_open(&subscriber, f->bus, f->io.loop, "churn");
		SPIN_UNTIL(&f->io, subscriber.received > 0);
		subscriber_close(f, &subscriber);
	}
	__atomic_store_n(&flood.is_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	bus_destroy(&flood.bus);
	mallopt(M_PERTURB, 0);
}

/* --- streams --- */

static void test_same_id_is_stored_once_and_refusals_are_told(void **state)
{
	struct bus_fixture *f = *state;
	struct question question;

	assert_int_equal(ask(f, &question, "$JS.API.STREAM.CREATE.once",
			     "{\"name\":\"once\",\"subjects\":[\"once.*\"],\"max_msgs\":2,"
			     "\"discard\":\"new\"}"),
			 BUS_ANSWERED);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(store(f, &question, "once.a", "same", ""), BUS_STORED);
	assert_int_equal(store(f, &question, "once.a", "other", "not-once"), BUS_REFUSED);
	assert_string_equal(question.reason, "expected stream does not match");
	assert_int_equal(store(f, &question, "once.a", "second", "once"), BUS_STORED);
	assert_int_equal(store(f, &question, "once.a", "third", "once"), BUS_REFUSED);
	assert_string_equal(question.reason, "maximum messages exceeded");
	assert_int_equal(ask(f, &question, "$JS.API.STREAM.DELETE.once", ""), BUS_ANSWERED);
}

static void answer_nonsense(struct subscriber *self, const struct bus_message *message)
{
	struct bus_message answer = text_message("", "{\"ok\":true}");

	assert_int_equal(bus_reply(self->bus, message, &answer), 0);
}

static void test_only_a_stream_s_answer_counts_as_stored(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber impostor = {.on_message = answer_nonsense};
	struct question question;

	subscriber_open(&impostor, f->bus, f->io.loop, "up.x");
	assert_int_equal(store(f, &question, "up.x", "id", ""), BUS_REFUSED);
	assert_string_equal(question.reason, "the answer is not a stream's");
	subscriber_close(f, &impostor);
}

#define ON_OUTAGE(test)                                          \
	{                                                        \
#test, test, outage_setup, outage_teardown, NULL \
	}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_OUTAGE(test_subscriptions_are_restored),
		ON_OUTAGE(test_what_changes_during_an_outage_holds_after_it),
		ON_OUTAGE(test_requests_fail_at_once_when_the_broker_is_lost),
		ON_OUTAGE(test_what_waits_for_the_broker_is_bounded),
		ON_OUTAGE(test_what_cannot_wait_is_not_kept_for_a_broker),
		ON_OUTAGE(test_a_broker_that_answers_nothing_is_left),
		ON_NATS(test_wrong_credentials_are_told),
		ON_NATS(test_what_the_broker_forbids_is_told),
		ON_NATS(test_what_the_broker_forbids_is_not_taken),
		ON_NATS(test_a_question_that_the_broker_forbids_ends_at_once),
		ON_NATS(test_without_answers_a_question_ends_at_once),
		ON_NATS(test_questions_end_when_answers_are_forbidden),
		ON_NATS(test_what_is_not_a_broker_is_told),
		cmocka_unit_test(test_options_that_cannot_work_are_refused),
		ON_NATS(test_messages_cross_nodes),
		ON_NATS(test_a_node_s_end_is_known_at_once),
		ON_NATS(test_a_subscription_outlives_what_libnats_reads_for_it),
		ON_NATS(test_same_id_is_stored_once_and_refusals_are_told),
		ON_NATS(test_only_a_stream_s_answer_counts_as_stored),
	};
	if (!nats_server_is_installed()) {
		printf("1..0 # skip: there is no " NATS_SERVER "\n");
		return 0;
	}
	return RUN_BUS_TESTS(tests);
}
