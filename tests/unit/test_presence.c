/* SPDX-License-Identifier: Apache-2.0
 * test_presence.c - tasks that find a connection or nobody, and connections of the same
 * clients that race on several threads. */
#include "presence_unit.h"

#include <pthread.h>
#include <stdio.h>

#include "session/directory.h"
#include "session/session.h"

/* --- in one thread, with a loop that a test turns by hand --- */

struct probe {
	struct presence_task task;
	struct session *session;
	unsigned runs;
};

static void on_probe(struct presence_task *task, struct session *session)
{
	struct probe *probe = CONTAINER_OF(task, struct probe, task);

	probe->session = session;
	probe->runs++;
}

static void stop(struct loop_task *task);

struct ender {
	struct loop_task task;
	struct loop *loop;
};

static void stop(struct loop_task *task)
{
	loop_stop(CONTAINER_OF(task, struct ender, task)->loop);
}

/* Runs everything that was posted before. */
static void turn(struct loop *loop)
{
	struct ender ender = {.task.run = stop, .loop = loop};

	loop_post(loop, &ender.task);
	loop_run(loop);
}

static struct loop *loop_new(void)
{
	struct loop *loop = NULL;

	assert_int_equal(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &loop),
			 0);
	return loop;
}

static unsigned evictions;

static void count_eviction(struct session *session)
{
	(void)session;
	evictions++;
}

static const struct session_ops counting_ops = {.taken_over = count_eviction};

static struct presence *make(struct mailbox *mailbox, struct session *session)
{
	static char ocpp16[] = "ocpp1.6", ocpp201[] = "ocpp2.0.1";
	static char *names[] = {ocpp201, ocpp16};
	struct presence_facts facts = {
		.route = unit_route_with("ocpp", (struct config_tokens){names, ARRAY_LEN(names)}),
		.client_id = "client-1",
		.subprotocol = SLICE_LITERAL("ocpp1.6"),
		.remote_port = 4711,
		.mailbox = mailbox,
		.session = session,
	};

	assert_true(net_ip_parse(SLICE_LITERAL("192.0.2.7"), &facts.remote));
	struct presence *presence = presence_create(&facts);

	assert_non_null(presence);
	return presence;
}

static void test_facts_are_kept(void **state)
{
	(void)state;
	struct mailbox mailbox;

	mailbox_init(&mailbox);
	struct presence *presence = make(&mailbox, NULL);
	struct net_ip remote = presence_remote(presence);
	char ip[NET_IP_TEXT_MAX];

	assert_string_equal(presence_route_name(presence), "ocpp");
	assert_string_equal(presence->client_id, "client-1");
	assert_string_equal(presence_subprotocol(presence), "ocpp1.6");
	assert_string_equal(net_ip_format(&remote, ip, sizeof(ip)), "192.0.2.7");
	assert_int_equal(presence->remote_port, 4711);
	/* Since 2020, before 2200: the wall clock, in ms. */
	assert_in_range(presence->connected_at_ms, UINT64_C(1577836800000),
			UINT64_C(7258118400000));
	struct presence *other = presence_ref(presence);

	presence_unref(&presence);
	assert_null(presence);
	assert_string_equal(other->client_id, "client-1");
	presence_unref(&other);
	presence_unref(&other);
	mailbox_finish(&mailbox);
}

/* A presence is as long as its facts, so each must be found where the others end. */
static void test_facts_of_every_length(void **state)
{
	(void)state;
	static char first[] = "a.v1", second[] = "b.v2";
	static char *names[] = {first, second};
	const struct client_route *route = unit_route_with(
		"lengths", (struct config_tokens){names, ARRAY_LEN(names)});
	static const char *const ips[] = {"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1",
					  "::",        "::1",     "fe80::ffff:1"};
	char own[300];

	memset(own, 'o', sizeof(own));
	/* NULL: as many bytes of `own` as the row says. */
	static const struct {
		const char *name, *text;
		size_t own_len;
	} subprotocols[] = {
		{"none", "", 0},          {"the route's first", "a.v1", 0},
		{"its last", "b.v2", 0},  {"of one byte", NULL, 1},
		{"of its own", NULL, 17}, {"longer than a slab", NULL, 299},
	};

	static char long_subject[PRESENCE_SUBJECT_MAX + 1];
	static const struct presence_proof no_subject = {.way = "basic"},
					   some = {"token", "CN=x", UINT64_MAX},
					   longest = {"certificate", long_subject, 1};
	static const struct presence_proof *const proofs[] = {NULL, &no_subject, NULL, &some,
							      &longest};

	memset(long_subject, 's', PRESENCE_SUBJECT_MAX);
	for (size_t id_len = 1; id_len <= PRESENCE_CLIENT_ID_MAX; id_len++) {
		char id[PRESENCE_CLIENT_ID_MAX + 1] = {0};
		size_t i = id_len % ARRAY_LEN(subprotocols), k = id_len % ARRAY_LEN(ips);
		struct slice want = subprotocols[i].text == NULL
					    ? slice_of(own, subprotocols[i].own_len)
					    : slice_from_text(subprotocols[i].text);
		const struct presence_proof *proof = proofs[id_len % ARRAY_LEN(proofs)];
		struct presence_facts facts = {.route = route,
					       .client_id = id,
					       .subprotocol = want,
					       .remote_port = 65535,
					       .proof = proof};
		struct presence_proof proved;

		memset(id, 'i', id_len);
		assert_true(net_ip_parse(slice_from_text(ips[k]), &facts.remote));
		struct presence *presence = presence_create(&facts);

		assert_non_null(presence);
		const char *subprotocol = presence_subprotocol(presence);
		struct net_ip remote = presence_remote(presence);

		ASSERT_ROW(strcmp(presence->client_id, id) == 0, subprotocols[i].name);
		ASSERT_ROW((subprotocol == NULL) == (want.len == 0), subprotocols[i].name);
		ASSERT_ROW(subprotocol == NULL || slice_equals(slice_from_text(subprotocol), want),
			   subprotocols[i].name);
		ASSERT_ROW(net_ip_equals(&remote, &facts.remote), ips[k]);
		assert_int_equal(presence->remote_port, 65535);
		assert_true(presence_proof(presence, &proved) == (proof != NULL));
		if (proof != NULL) {
			assert_ptr_equal(proved.way, proof->way);
			assert_string_equal(proved.subject,
					    proof->subject == NULL ? id : proof->subject);
			assert_true(proved.expires_at_s == proof->expires_at_s);
		}
		presence_unref(&presence);
	}
}

/* The subprotocol and the id may lie in the caller's memory for as long as the call takes. */
static void test_texts_are_copied(void **state)
{
	(void)state;
	char id[] = "a", chosen[] = "chat.v2";
	struct presence *presence = presence_create(
		&(struct presence_facts){.route = unit_route("ws"),
					 .client_id = id,
					 .subprotocol = slice_from_text(chosen)});

	assert_non_null(presence);
	memset(id, 'x', strlen(id));
	memset(chosen, 'x', strlen(chosen));
	assert_string_equal(presence_subprotocol(presence), "chat.v2");
	assert_string_equal(presence->client_id, "a");
	presence_unref(&presence);
}

static void test_a_task_finds_the_session_or_nobody(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct mailbox mailbox;
	struct session session = {.ops = &counting_ops};
	struct probe before = {.task.run = on_probe}, after = {.task.run = on_probe};

	mailbox_init(&mailbox);
	mailbox_open(&mailbox, loop);
	struct presence *presence = make(&mailbox, &session), *kept = presence_ref(presence);

	assert_true(presence_post(presence, &before.task));
	assert_int_equal(before.runs, 0); /* never from inside the call */
	turn(loop);
	assert_int_equal(before.runs, 1);
	assert_ptr_equal(before.session, &session);

	/* The connection ends; a task that is on its way keeps the presence. */
	after.session = &session;
	assert_true(presence_post(kept, &after.task));
	presence_unref(&kept);
	presence_detach(presence);
	presence_unref(&presence);
	turn(loop);
	assert_int_equal(after.runs, 1);
	assert_null(after.session);
	mailbox_close(&mailbox);
	loop_destroy(&loop);
	mailbox_finish(&mailbox);
}

static void test_nothing_is_posted_to_a_worker_that_has_ended(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct mailbox mailbox;
	struct session session = {.ops = &counting_ops};
	struct probe early = {.task.run = on_probe}, late = {.task.run = on_probe};

	mailbox_init(&mailbox);
	mailbox_open(&mailbox, loop);
	struct presence *presence = make(&mailbox, &session);

	assert_true(presence_post(presence, &early.task));
	presence_detach(presence);
	mailbox_close(&mailbox);
	assert_false(presence_post(presence, &late.task));
	loop_destroy(&loop); /* runs what was posted in time */
	assert_int_equal(early.runs, 1);
	assert_null(early.session);
	assert_int_equal(late.runs, 0);
	assert_false(presence_post(presence, &late.task));
	struct presence *evicted = presence_ref(presence);

	evictions = 0;
	presence_evict(&evicted);
	assert_null(evicted);
	assert_int_equal(evictions, 0);
	assert_int_equal(presence->references, 1);
	presence_unref(&presence);
	mailbox_finish(&mailbox);
}

static void test_eviction_tells_the_session_once_and_only_if_it_is_there(void **state)
{
	(void)state;
	for (unsigned is_there = 0; is_there < 2; is_there++) {
		struct loop *loop = loop_new();
		struct mailbox mailbox;
		struct session session = {.ops = &counting_ops};

		evictions = 0;
		mailbox_init(&mailbox);
		mailbox_open(&mailbox, loop);
		struct presence *presence = make(&mailbox, &session);
		struct presence *evicted = presence_ref(presence);

		presence_evict(&evicted);
		assert_int_equal(evictions, 0);
		if (!is_there)
			presence_detach(presence);
		turn(loop);
		assert_int_equal(evictions, is_there);
		presence_unref(&presence);
		mailbox_close(&mailbox);
		loop_destroy(&loop);
		mailbox_finish(&mailbox);
	}
}

/* --- workers that race for the same few clients, and others that post to them --- */

enum { WORKERS = 3, POSTERS = 2, IDS = 5, PER_WORKER = 4, STEPS = 4000, TASKS = 4000 };

struct link {
	struct session session;
	struct racer *worker;
	bool is_open;
	bool is_taken_over;
};

struct racer {
	pthread_t thread;
	struct mailbox mailbox;
	struct loop *loop;
	struct loop_task step;
	unsigned steps;
	uint32_t random;
	struct link links[PER_WORKER];
	uint64_t opened, told;
};

static struct directory *raced;
static uint64_t replaced;      /* atomic */
static uint64_t tasks_taken;   /* atomic */
static uint64_t tasks_run;     /* atomic */
static uint64_t tasks_refused; /* atomic */
static unsigned workers_left;  /* atomic */

static uint32_t draw(uint32_t *random)
{
	*random = *random * 1664525 + 1013904223;
	return *random >> 8;
}

static void link_close(struct link *link)
{
	struct presence *presence = link->session.presence;

	link->is_open = false;
	presence_detach(presence);
	directory_leave(raced, presence);
	presence_unref(&link->session.presence);
}

static void on_taken_over(struct session *session)
{
	struct link *link = CONTAINER_OF(session, struct link, session);

	CHECK(link->is_open && !link->is_taken_over && pthread_self() == link->worker->thread);
	link->is_taken_over = true;
	link->worker->told++;
	link_close(link);
}

static const struct session_ops race_ops = {.taken_over = on_taken_over};

static void link_open(struct racer *racer, struct link *link)
{
	char id[8];
	struct presence *older, *popped;

	snprintf(id, sizeof(id), "id-%u", draw(&racer->random) % IDS);
	*link = (struct link){.session.ops = &race_ops, .worker = racer, .is_open = true};
	link->session.presence = presence_create(
		&(struct presence_facts){.route = unit_route("ws"),
					 .client_id = id,
					 .mailbox = &racer->mailbox,
					 .session = &link->session});
	CHECK(link->session.presence != NULL);
	CHECK(directory_enter(raced, link->session.presence, DIRECTORY_NEWEST, &older));
	racer->opened++;
	while ((popped = directory_pop(&older)) != NULL) {
		__atomic_fetch_add(&replaced, 1, __ATOMIC_RELAXED);
		presence_evict(&popped);
	}
}

static void run_step(struct loop_task *task)
{
	struct racer *racer = CONTAINER_OF(task, struct racer, step);
	struct link *link = &racer->links[draw(&racer->random) % PER_WORKER];

	if (!link->is_open)
		link_open(racer, link);
	else if (draw(&racer->random) % 4 == 0)
		link_close(link);
	if (++racer->steps < STEPS || __atomic_load_n(&tasks_taken, __ATOMIC_RELAXED) < TASKS) {
		loop_post(racer->loop, &racer->step);
		return;
	}
	for (size_t i = 0; i < PER_WORKER; i++)
		if (racer->links[i].is_open)
			link_close(&racer->links[i]);
	loop_stop(racer->loop);
}

static void *race(void *arg)
{
	struct racer *racer = arg;

	CHECK(loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &racer->loop) == 0);
	mailbox_open(&racer->mailbox, racer->loop);
	racer->step.run = run_step;
	loop_post(racer->loop, &racer->step);
	loop_run(racer->loop);
	mailbox_close(&racer->mailbox);
	loop_destroy(&racer->loop);
	__atomic_sub_fetch(&workers_left, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void on_raced_task(struct presence_task *task, struct session *session)
{
	if (session != NULL) {
		struct link *link = CONTAINER_OF(session, struct link, session);

		CHECK(link->is_open && link->session.presence == task->presence);
		CHECK(pthread_self() == link->worker->thread);
	}
	__atomic_fetch_add(&tasks_run, 1, __ATOMIC_RELAXED);
	free(task);
}

static void post_one(const char *id, struct presence **kept)
{
	struct presence *found = directory_find(raced, "ws", id);

	/* Later also to those that are long gone, up to the end of their worker. */
	if (found == NULL)
		found = presence_ref(*kept);
	struct presence_task *task = calloc(1, sizeof(*task));

	CHECK(task != NULL);
	task->run = on_raced_task;
	if (presence_post(found, task)) {
		__atomic_fetch_add(&tasks_taken, 1, __ATOMIC_RELAXED);
	} else {
		__atomic_fetch_add(&tasks_refused, 1, __ATOMIC_RELAXED);
		free(task);
	}
	presence_unref(kept);
	*kept = found;
}

static void *post(void *arg)
{
	uint32_t random = (uint32_t)(uintptr_t)arg;
	char id[8];
	struct presence *kept = NULL;
	unsigned after_end = 0;

	while (kept == NULL && __atomic_load_n(&workers_left, __ATOMIC_ACQUIRE) > 0)
		kept = directory_find(raced, "ws", "id-0");
	while (kept != NULL && after_end < 10) {
		after_end += __atomic_load_n(&workers_left, __ATOMIC_ACQUIRE) == 0;
		snprintf(id, sizeof(id), "id-%u", draw(&random) % IDS);
		post_one(id, &kept);
	}
	presence_unref(&kept);
	return NULL;
}

static void test_races_leave_one_and_lose_nothing(void **state)
{
	(void)state;
	static struct racer racers[WORKERS];
	pthread_t posters[POSTERS];
	uint64_t opened = 0, told = 0;

	raced = directory_create();
	workers_left = WORKERS;
	for (size_t i = 0; i < WORKERS; i++) {
		racers[i].random = (uint32_t)i + 1;
		mailbox_init(&racers[i].mailbox);
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (uintptr_t i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&posters[i], NULL, post, (void *)(i + 77)), 0);
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(racers[i].thread, NULL);
	for (size_t i = 0; i < POSTERS; i++)
		pthread_join(posters[i], NULL);
	for (size_t i = 0; i < WORKERS; i++) {
		opened += racers[i].opened;
		told += racers[i].told;
		mailbox_finish(&racers[i].mailbox);
	}
	assert_int_equal(directory_count(raced), 0);
	assert_int_equal(tasks_run, tasks_taken);
	assert_true(tasks_taken > 0 && tasks_refused > 0);
	assert_true(replaced > 0 && told <= replaced && told > 0);
	assert_true(replaced < opened);
	directory_destroy(&raced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts_are_kept),
		cmocka_unit_test(test_facts_of_every_length),
		cmocka_unit_test(test_texts_are_copied),
		cmocka_unit_test(test_a_task_finds_the_session_or_nobody),
		cmocka_unit_test(test_nothing_is_posted_to_a_worker_that_has_ended),
		cmocka_unit_test(test_eviction_tells_the_session_once_and_only_if_it_is_there),
		cmocka_unit_test(test_races_leave_one_and_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
