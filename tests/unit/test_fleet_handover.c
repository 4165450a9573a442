/* SPDX-License-Identifier: Apache-2.0
 * test_fleet_handover.c - clients move from one process to the next while the broker brings
 * messages and questions for them: none is lost, none comes twice, and none finds nobody. */
#include "fleet_unit.h"

#include "fleet/fleet_handover.h"

#define CLIENTS 40

struct road {
	struct handover_road base;
	struct road *other;
};

/* One of the two processes. */
struct process {
	struct road road;
	struct node node;
	struct bus *bus;
	struct fleet_handover *handover;
	struct config_server server;
	struct rpc_stats stats;
};

struct device {
	struct session session;
	struct process *process;
	unsigned count, last; /* messages; the number of the last */
	unsigned doubled, backwards;
};

struct world {
	struct bus_fixture *f; /* whose bus is of those who ask */
	struct process older, newer;
	struct device from[CLIENTS], to[CLIENTS];
	struct config config;
	struct config_route route;
	struct client_route client_route;
	struct ruleset ruleset;
	bool is_silent; /* the road has ended */
};

static struct world *world;

static bool tell(struct handover_road *base, enum road_kind kind, struct slice bytes)
{
	if (!world->is_silent)
		road_hear(&CONTAINER_OF(base, struct road, base)->other->base, kind, bytes);
	return !world->is_silent;
}

/* --- clients --- */

static int push(struct session *session, const struct message *message)
{
	struct device *device = CONTAINER_OF(session, struct device, session);
	char text[16];

	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(message->bytes));
	unsigned number = (unsigned)strtoul(text, NULL, 10);

	device->count++;
	device->doubled += number == device->last;
	device->backwards += number < device->last;
	device->last = MAX(device->last, number);
	return 0;
}

static struct fleet_home *home_of(struct session *session)
{
	return &CONTAINER_OF(session, struct device, session)->process->node.home;
}

static size_t queued(const struct session *session)
{
	(void)session;
	return 0;
}

static bool is_held_back(const struct session *session)
{
	(void)session;
	return false;
}

static bool compression(const struct session *session, struct session_compression *out)
{
	(void)session;
	(void)out;
	return false;
}

static bool tls(const struct session *session, struct session_tls *out)
{
	(void)session;
	*out = (struct session_tls){.version = "TLSv1.3", .suite = "TLS_AES_128_GCM_SHA256"};
	return true;
}

static const struct session_ops ops = {.compression = compression,
				       .tls = tls,
				       .push = push,
				       .home = home_of,
				       .queued = queued,
				       .is_held_back = is_held_back};

static void device_init(struct device *device, struct process *process, unsigned number)
{
	struct presence *older = NULL;
	char id[16];

	snprintf(id, sizeof(id), "c%u", number);
	device->process = process;
	device->session = (struct session){.ops = &ops};
	device->session.presence = presence_create(
		&(struct presence_facts){.route = &world->client_route,
					 .client_id = id,
					 .mailbox = &process->node.mailbox,
					 .session = &device->session});
	assert_non_null(device->session.presence);
	device->session.presence->connection_id = number + 1;
	assert_true(directory_enter(process->node.fleet.directory, device->session.presence,
				    DIRECTORY_MANY, &older));
}

static void leave(struct device *device)
{
	session_leave(&device->session, &device->process->node);
	presence_unref(&device->session.presence);
}

/* --- processes --- */

static void process_init(struct process *process, const char *name, bool is_newer)
{
	process->bus = bus_make(true, &(struct bus_options){.family = "0123456789abcdef",
							    .is_successor = is_newer});
	process->node.fleet = (struct fleet){
		.node = name,
		.directory = directory_create(),
		.bus = process->bus,
		.is_clustered = true,
		.commands = &process->node.stats,
		.rpc = &process->stats,
		.groups = group_registry_create(10),
		.origin = "same",
	};
	fleet_take_limits(&process->node.fleet, &world->config);
	mailbox_init(&process->node.mailbox);
	mailbox_open(&process->node.mailbox, world->f->io.loop);
	fleet_home_init(&process->node.home, &process->node.fleet, world->f->io.loop, nobody_waits);
	process->node.home.random = &process->node.random;
	process->road.base.tell = tell;
	assert_int_equal(fleet_handover_create(
				 &(struct fleet_handover_options){
					 .fleet = &process->node.fleet,
					 .road = &process->road.base,
					 .home = &process->node.home,
					 .is_newer = is_newer,
				 },
				 &process->handover),
			 0);
}

static void process_finish(struct process *process)
{
	fleet_home_abort(&process->node.home);
	SPIN_UNTIL(&world->f->io, fleet_home_is_idle(&process->node.home));
	mailbox_close(&process->node.mailbox);
	mailbox_finish(&process->node.mailbox);
	fleet_home_finish(&process->node.home);
	bus_destroy(&process->bus);
	fleet_handover_destroy(&process->handover);
	group_registry_destroy(&process->node.fleet.groups);
	directory_destroy(&process->node.fleet.directory);
}

/* The broker knows of its clients. */
static void settle_older(void)
{
	struct question question = {0};
	struct bus_message message = text_message("nobody.is.here", "");

	assert_int_equal(bus_publish_checked(world->older.bus, &question.request, world->f->io.loop,
					     &message, 2 * GIVE_UP_NS, question_on_done),
			 0);
	SPIN_UNTIL(&world->f->io, question.done == 1);
	assert_int_equal(question.result, BUS_TAKEN);
}

static int world_setup(void **state)
{
	world = calloc(1, sizeof(*world));
	bus_setup(state);
	world->f = *state;
	world->route = (struct config_route){.name = (char *)(uintptr_t) "ws",
					     .takeover = CONFIG_TAKEOVER_MANY};
	world->ruleset.references = 1;
	world->client_route = (struct client_route){&world->route, &world->ruleset};
	world->config.routes = &world->route;
	world->config.route_count = 1;
	world->config.server.max_message_size = 4 << 20;
	world->config.server.max_groups_per_client = 10;
	world->config.bus.announce_interval = 3600000;
	world->older.road.other = &world->newer.road;
	world->newer.road.other = &world->older.road;
	process_init(&world->older, "gate", false);
	process_init(&world->newer, "gate", true);
	SPIN_UNTIL(&world->f->io,
		   bus_is_connected(world->older.bus) && bus_is_connected(world->newer.bus));
	for (unsigned i = 0; i < CLIENTS; i++) {
		device_init(&world->from[i], &world->older, i);
		assert_int_equal(
			fleet_client_enter(&world->older.node.home, &world->from[i].session), 0);
	}
	settle_older();
	return 0;
}

static int world_teardown(void **state)
{
	*state = world->f;
	process_finish(&world->older);
	process_finish(&world->newer);
	bus_teardown(state);
	free(world);
	return 0;
}

static void clients_move(void)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct device *from = &world->from[i], *to = &world->to[i];
		struct state_writer writer;
		struct buf state = {0};

		state_writer_init(&writer, &state, 1 << 20);
		client_export(&from->session, &writer);
		device_init(to, &world->newer, i);
		assert_int_equal(
			client_import(&world->newer.node.home, &to->session, buf_slice(&state)), 0);
		buf_finish(&state);
		to->last = from->last;
	}
}

static void clients_forget(void)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct device *from = &world->from[i];

		client_forget(&from->session);
		presence_detach(from->session.presence);
		directory_leave(world->older.node.fleet.directory, from->session.presence);
		client_thaw(&world->to[i].session);
	}
}

/* --- those who ask --- */

static struct {
	struct question question;
	unsigned asked, lost, next;
	unsigned sent; /* to each client */
} load;

static void ask_one(void)
{
	struct bus_message message = {.body = SLICE_LITERAL("{\"command\":\"inspect\"}")};
	char subject[64];

	if (load.asked > 0 && load.question.done == 0)
		return;
	load.lost += load.asked > 0 && load.question.result != BUS_ANSWERED;
	snprintf(subject, sizeof(subject), "gatehouse.ctl.ws.c%u", load.next++ % CLIENTS);
	message.subject = slice_from_text(subject);
	load.question.done = 0;
	load.asked++;
	assert_int_equal(bus_request(world->f->bus, &load.question.request, world->f->io.loop,
				     &message, 2 * GIVE_UP_NS, question_on_done),
			 0);
}

static void send_all(void)
{
	char subject[64], body[16];

	snprintf(body, sizeof(body), "%u", ++load.sent);
	for (unsigned i = 0; i < CLIENTS; i++) {
		snprintf(subject, sizeof(subject), "gatehouse.to.ws.c%u", i);
		assert_int_equal(publish_text(world->f->bus, subject, body), 0);
	}
}

/* One after the other, as the world goes on. */
static bool goes_on(void)
{
	ask_one();
	send_all();
	return true;
}

static void go_on_until(bool (*is_over)(void))
{
	SPIN_UNTIL(&world->f->io, goes_on() && is_over());
}

static bool is_older_heard(void)
{
	return world->from[CLIENTS - 1].count > 20;
}

static bool has_left(void)
{
	return fleet_handover_has_left(world->older.handover);
}

static bool is_newer_heard(void)
{
	static unsigned mark;

	if (mark == 0)
		mark = load.sent;
	return load.sent > mark + 50 && load.asked > 100;
}

static bool has_all(unsigned i)
{
	return world->from[i].count + world->to[i].count == load.sent;
}

static void end_of_load(void)
{
	SPIN_UNTIL(&world->f->io, load.question.done == 1);
	load.lost += load.question.result != BUS_ANSWERED;
	for (unsigned i = 0; i < CLIENTS; i++)
		SPIN_UNTIL(&world->f->io, has_all(i));
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_int_equal(world->from[i].doubled + world->to[i].doubled, 0);
		assert_int_equal(world->from[i].backwards, 0);
	}
	assert_int_equal(load.lost, 0);
}

static unsigned backwards(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < CLIENTS; i++)
		count += world->to[i].backwards;
	return count;
}

static void test_nothing_is_lost_or_doubled_and_nobody_is_missed(void **state)
{
	(void)state;
	memset(&load, 0, sizeof(load));
	go_on_until(is_older_heard);
	fleet_handover_pause(world->older.handover);
	io_run_for(&world->f->io, 20 * NS_PER_MS);
	clients_move();
	fleet_handover_commit(world->older.handover);
	clients_forget();
	go_on_until(has_left);
	go_on_until(is_newer_heard);
	end_of_load();
	/* Those that come one after the other, with time between, are not mixed up as a rule. */
	printf("%u asked, %u sent to each of %u, %u out of their order\n", load.asked, load.sent,
	       CLIENTS, backwards());
	world->is_silent = true;
	for (unsigned i = 0; i < CLIENTS; i++) {
		presence_unref(&world->from[i].session.presence);
		leave(&world->to[i]);
	}
}

static void test_a_handover_that_comes_to_nothing(void **state)
{
	struct question question;

	(void)state;
	memset(&load, 0, sizeof(load));
	go_on_until(is_older_heard);
	fleet_handover_pause(world->older.handover);
	send_all();
	send_all();
	clients_move();
	fleet_handover_abandon(world->older.handover);
	for (unsigned i = 0; i < CLIENTS; i++)
		leave(&world->to[i]);
	go_on_until(is_older_heard);
	end_of_load();
	assert_int_equal(world->to[0].count, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		leave(&world->from[i]);
	SPIN_UNTIL(&world->f->io, fleet_home_is_idle(&world->older.node.home));
	SPIN_UNTIL(&world->f->io, ask_within(world->f, &question, "gatehouse.ctl.ws.c1", "{}",
					     ASK_AGAIN_NS) == BUS_NO_RESPONDERS);
}

/* The older one dies right after the commit. */
static void test_the_newer_one_begins_alone(void **state)
{
	struct question question;

	(void)state;
	clients_move();
	fleet_handover_pause(world->older.handover);
	world->is_silent = true;
	fleet_handover_commit(world->older.handover);
	clients_forget();
	for (unsigned i = 0; i < CLIENTS; i++)
		presence_unref(&world->from[i].session.presence);
	road_end(&world->newer.road.base);
	SPIN_UNTIL(&world->f->io,
		   ask_within(world->f, &question, "gatehouse.ctl.ws.c1",
			      "{\"command\":\"inspect\"}", ASK_AGAIN_NS) == BUS_ANSWERED);
	for (unsigned i = 0; i < CLIENTS; i++)
		leave(&world->to[i]);
}

static const struct {
	const char *name;
	const char *subject, *reply;
	size_t header_count;
	struct bus_header headers[2];
	const char *body;
} messages[] = {
	{"all",
	 "a.b",
	 "_INBOX.1",
	 2,
	 {{SLICE_LITERAL("A"), SLICE_LITERAL("1")}, {SLICE_LITERAL("A"), SLICE_LITERAL("2")}},
	 "body"},
	{"nothing but a subject", "a", "", 0, {{{0}, {0}}}, ""},
};

static void test_messages_come_out_as_they_went_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		const struct bus_message message = {
			.subject = slice_from_text(messages[i].subject),
			.reply = slice_from_text(messages[i].reply),
			.headers = messages[i].headers,
			.header_count = messages[i].header_count,
			.body = slice_from_text(messages[i].body),
		};
		struct bus_header headers[BUS_HEADERS_MAX];
		struct bus_message read;
		struct buf bytes = {0};

		assert_int_equal(bus_message_write(&bytes, &message), 0);
		assert_true(bus_message_read(buf_slice(&bytes), headers, &read));
		assert_true(slice_equals(read.subject, message.subject));
		assert_true(slice_equals(read.reply, message.reply));
		assert_true(slice_equals(read.body, message.body));
		assert_int_equal(read.header_count, message.header_count);
		for (size_t j = 0; j < read.header_count; j++) {
			assert_true(slice_equals(headers[j].name, message.headers[j].name));
			assert_true(slice_equals(headers[j].value, message.headers[j].value));
		}
		for (size_t cut = 0; cut < bytes.len; cut++)
			bus_message_read(slice_of(bytes.data, cut), headers, &read);
		buf_finish(&bytes);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		leave(&world->from[i]);
}

#define TEST(test)                                                      \
	{                                                               \
#test, test, world_setup, world_teardown, &bus_kinds[1] \
	}

int main(void)
{
	struct CMUnitTest tests[] = {
		TEST(test_nothing_is_lost_or_doubled_and_nobody_is_missed),
		TEST(test_a_handover_that_comes_to_nothing),
		TEST(test_the_newer_one_begins_alone),
		TEST(test_messages_come_out_as_they_went_in),
	};

	return RUN_BUS_TESTS(tests);
}
