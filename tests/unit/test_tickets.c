/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "auth/tickets.h"
#include "auth/way_ticket.h"
#include "base/clock.h"

#define HOUR_MS 3600000

static const struct ticket_facts facts = {
	.route = "ws", .client_id = "cp1", .groups = "a,b", .subprotocol = "ocpp1.6"};

static enum ticket_result take(struct tickets *tickets, const char *text, const char *route)
{
	struct ticket ticket = {0};
	enum ticket_result result = tickets_take(tickets, slice_from_text(text), route, &ticket);

	assert_true((result == TICKET_TAKEN) == (ticket.client_id != NULL));
	ticket_finish(&ticket);
	return result;
}

static void test_once(void **state)
{
	struct tickets *tickets = tickets_create("node1", 10);
	char text[TICKET_TEXT_MAX + 1];
	struct ticket ticket;
	struct tickets_stats stats;

	(void)state;
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, text), 0);
	assert_int_equal(tickets_take(tickets, slice_from_text(text), "ws", &ticket), TICKET_TAKEN);
	assert_string_equal(ticket.client_id, "cp1");
	assert_string_equal(ticket.groups, "a,b");
	assert_string_equal(ticket.subprotocol, "ocpp1.6");
	ticket_finish(&ticket);
	assert_int_equal(take(tickets, text, "ws"), TICKET_UNKNOWN);
	tickets_stats(tickets, &stats);
	assert_int_equal(stats.waiting, 0);
	assert_int_equal(stats.made, 1);
	assert_int_equal(stats.taken, 1);
	assert_int_equal(stats.unknown, 1);
	tickets_destroy(&tickets);
}

/* Shown on another route it is good for nothing, and is not good for its own any more. */
static void test_for_one_route(void **state)
{
	struct tickets *tickets = tickets_create("node1", 10);
	char text[TICKET_TEXT_MAX + 1];

	(void)state;
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, text), 0);
	assert_int_equal(take(tickets, text, "admin"), TICKET_ROUTE);
	assert_int_equal(take(tickets, text, "ws"), TICKET_UNKNOWN);
	tickets_destroy(&tickets);
}

static void test_its_end(void **state)
{
	struct tickets *tickets = tickets_create("node1", 10);
	char text[TICKET_TEXT_MAX + 1];
	struct tickets_stats stats = {0};

	(void)state;
	assert_int_equal(tickets_make(tickets, &facts, 0, text), 0);
	assert_int_equal(take(tickets, text, "ws"), TICKET_UNKNOWN);
	tickets_stats(tickets, &stats);
	assert_int_equal(stats.expired, 1);
	assert_int_equal(stats.waiting, 0);
	/* And nobody has to ask for it. */
	assert_int_equal(tickets_make(tickets, &facts, 0, text), 0);
	for (uint64_t until_ns = clock_now_ns() + GIVE_UP_NS; stats.expired < 2;) {
		assert_true(clock_now_ns() < until_ns);
		usleep(2000);
		tickets_stats(tickets, &stats);
	}
	assert_int_equal(stats.waiting, 0);
	tickets_destroy(&tickets);
}

static void test_no_more_than_max(void **state)
{
	struct tickets *tickets = tickets_create("node1", 3);
	char texts[3][TICKET_TEXT_MAX + 1], other[TICKET_TEXT_MAX + 1] = "";
	struct tickets_stats stats;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, texts[i]), 0);
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, other), -ENOSPC);
	assert_string_equal(other, "");
	tickets_stats(tickets, &stats);
	assert_int_equal(stats.refused, 1);
	assert_int_equal(stats.waiting, 3);
	assert_int_equal(take(tickets, texts[1], "ws"), TICKET_TAKEN);
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, other), 0);
	assert_int_equal(take(tickets, texts[0], "ws"), TICKET_TAKEN);
	assert_int_equal(take(tickets, texts[2], "ws"), TICKET_TAKEN);
	assert_int_equal(take(tickets, other, "ws"), TICKET_TAKEN);
	tickets_destroy(&tickets);
}

/* Another one in any of its characters is another ticket, and leaves this one as it was. */
static void test_nobody_guesses(void **state)
{
	struct tickets *tickets = tickets_create("node1", 10);
	char text[TICKET_TEXT_MAX + 1], other[TICKET_TEXT_MAX + 2];

	(void)state;
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, text), 0);
	for (size_t i = 0; i < strlen(text); i++) {
		snprintf(other, sizeof(other), "%s", text);
		other[i] = other[i] == 'A' ? 'B' : 'A';
		assert_int_not_equal(take(tickets, other, "ws"), TICKET_TAKEN);
		snprintf(other, sizeof(other), "%s", text);
		other[i] = 0;
		assert_int_equal(take(tickets, other, "ws"), TICKET_UNKNOWN);
	}
	snprintf(other, sizeof(other), "%sA", text);
	assert_int_equal(take(tickets, other, "ws"), TICKET_UNKNOWN);
	assert_int_equal(take(tickets, "", "ws"), TICKET_UNKNOWN);
	assert_int_equal(take(tickets, text, "ws"), TICKET_TAKEN);
	tickets_destroy(&tickets);
}

static void test_of_another_node(void **state)
{
	struct tickets *one = tickets_create("node1", 10), *two = tickets_create("node2", 10);
	char text[TICKET_TEXT_MAX + 1], odd[TICKET_TEXT_MAX + 1];
	struct slice origin;

	(void)state;
	assert_int_equal(tickets_make(one, &facts, HOUR_MS, text), 0);
	assert_int_equal(take(two, text, "ws"), TICKET_FOREIGN);
	assert_true(ticket_origin(slice_from_text(text), &origin));
	assert_true(slice_equals(origin, SLICE_LITERAL("node1")));
	snprintf(odd, sizeof(odd), "%s", text);
	odd[2] = '>'; /* would be a subject for everybody */
	assert_false(ticket_origin(slice_from_text(odd), &origin));
	assert_int_equal(take(two, odd, "ws"), TICKET_UNKNOWN);
	tickets_destroy(&one);
	tickets_destroy(&two);
}

#define THREADS 4
#define EACH    2000

struct race {
	struct tickets *tickets;
	char (*texts)[TICKET_TEXT_MAX + 1];
	size_t taken;
};

static void *run(void *arg)
{
	struct race *race = arg;

	for (size_t i = 0; i < EACH; i++)
		race->taken += take(race->tickets, race->texts[i], "ws") == TICKET_TAKEN;
	return NULL;
}

/* However many show it at once, one gets in. */
static void test_once_for_all_threads(void **state)
{
	struct tickets *tickets = tickets_create("node1", EACH);
	char(*texts)[TICKET_TEXT_MAX + 1] = calloc(EACH, sizeof(*texts));
	struct race races[THREADS];
	pthread_t threads[THREADS];
	size_t taken = 0;

	(void)state;
	for (size_t i = 0; i < EACH; i++)
		assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, texts[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		races[i] = (struct race){.tickets = tickets, .texts = texts};
		pthread_create(&threads[i], NULL, run, &races[i]);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		taken += races[i].taken;
	}
	assert_int_equal(taken, EACH);
	tickets_destroy(&tickets);
	free(texts);
}

/* --- the way --- */

static void test_way(void **state)
{
	static const struct shown_rules shown = {.places = SHOWN_BIT(QUERY), .query = "ticket"};
	struct tickets *tickets = tickets_create("node1", 10);
	struct auth_way *way = ticket_way_create(&shown, tickets, NULL);
	char text[TICKET_TEXT_MAX + 1], request[512];
	struct http_head head;
	struct http_error error;
	struct auth_pending pending;
	struct auth_result result = {0};
	struct auth_request asked = {.head = &head, .data = (uint8_t *)request, .route = "ws"};
	size_t used;

	(void)state;
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, text), 0);
	snprintf(request, sizeof(request), "GET /ws?ticket=%s HTTP/1.1\r\nHost: a\r\n\r\n", text);
	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(http_head_parse(&head, &http_limits_default, (uint8_t *)request,
					 strlen(request), &used, &error),
			 HTTP_OK);
	assert_int_equal(way->ops->check(way, &asked, &result, &pending), AUTH_PROVED);
	assert_string_equal(result.client_id, "cp1");
	assert_string_equal(result.groups, "a,b");
	auth_result_finish(&result);
	assert_int_equal(way->ops->check(way, &asked, &result, &pending), AUTH_WRONG);
	assert_string_equal(result.reason, "ticket_unknown");
	way->ops->hide(way, &head, (uint8_t *)request);
	assert_null(strstr(request, "node1"));
	assert_non_null(strstr(request, "/ws?ticket=***"));
	way->ops->destroy(way);
	tickets_destroy(&tickets);
}

/* --- in the next process --- */

/* In the stead of `tickets`, which forgets them. */
static struct tickets *pass_on(struct tickets **tickets)
{
	struct tickets *next = tickets_create("node1", 1);
	char text[TICKET_TEXT_MAX + 1];
	struct buf buf = {0};
	struct state_writer writer;
	struct state_reader reader;

	state_writer_init(&writer, &buf, 1 << 20);
	tickets_export(*tickets, &writer);
	assert_int_equal(writer.error, 0);
	assert_int_equal(tickets_make(*tickets, &facts, HOUR_MS, text), -EXDEV);
	state_reader_init(&reader, buf_slice(&buf));
	assert_int_equal(tickets_import(next, &reader), 0);
	tickets_forget(*tickets);
	buf_finish(&buf);
	return next;
}

static void test_they_go_on_in_the_next_process(void **state)
{
	(void)state;
	static const struct ticket_facts bare = {.route = "ws", .client_id = "cp2"};
	struct tickets *tickets = tickets_create("node1", 10);
	char first[TICKET_TEXT_MAX + 1], second[TICKET_TEXT_MAX + 1], over[TICKET_TEXT_MAX + 1],
		used[TICKET_TEXT_MAX + 1], third[TICKET_TEXT_MAX + 1];
	struct ticket ticket;

	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, first), 0);
	assert_int_equal(tickets_make(tickets, &bare, HOUR_MS, second), 0);
	assert_int_equal(tickets_make(tickets, &facts, 0, over), 0);
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, used), 0);
	assert_int_equal(take(tickets, used, "ws"), TICKET_TAKEN);
	struct tickets *next = pass_on(&tickets);

	/* Each once, for both together. */
	assert_int_equal(take(tickets, first, "ws"), TICKET_MOVED);
	assert_int_equal(tickets_take(next, slice_from_text(first), "ws", &ticket), TICKET_TAKEN);
	assert_string_equal(ticket.client_id, "cp1");
	assert_string_equal(ticket.groups, "a,b");
	assert_string_equal(ticket.subprotocol, "ocpp1.6");
	ticket_finish(&ticket);
	assert_int_equal(take(next, first, "ws"), TICKET_UNKNOWN);
	assert_int_equal(take(next, over, "ws"), TICKET_UNKNOWN);
	assert_int_equal(take(next, used, "ws"), TICKET_UNKNOWN);
	assert_int_equal(take(next, second, "admin"), TICKET_ROUTE);
	assert_int_equal(tickets_make(next, &bare, HOUR_MS, third), 0);
	assert_int_equal(take(next, third, "ws"), TICKET_TAKEN);
	tickets_destroy(&tickets);
	tickets_destroy(&next);
}

/* Nothing came of the handover: nothing is lost, and nothing was used up meanwhile. */
static void test_they_are_taken_back(void **state)
{
	(void)state;
	struct tickets *tickets = tickets_create("node1", 10);
	char text[TICKET_TEXT_MAX + 1], later[TICKET_TEXT_MAX + 1];
	struct buf buf = {0};
	struct state_writer writer;

	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, text), 0);
	state_writer_init(&writer, &buf, 1 << 20);
	tickets_export(tickets, &writer);
	assert_int_equal(take(tickets, text, "ws"), TICKET_MOVED);
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, later), -EXDEV);
	tickets_take_back(tickets);
	assert_int_equal(take(tickets, text, "ws"), TICKET_TAKEN);
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, later), 0);
	assert_int_equal(take(tickets, later, "ws"), TICKET_TAKEN);
	buf_finish(&buf);
	tickets_destroy(&tickets);
}

/* With any bit turned: taken over, or refused with nothing kept. */
static void test_garbled(void **state)
{
	(void)state;
	struct tickets *tickets = tickets_create("node1", 10);
	char text[TICKET_TEXT_MAX + 1];
	struct buf buf = {0};
	struct state_writer writer;
	size_t refused = 0;

	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, text), 0);
	state_writer_init(&writer, &buf, 1 << 20);
	tickets_export(tickets, &writer);
	for (size_t bit = 0; bit < 8 * buf.len; bit++) {
		struct tickets *next = tickets_create("node1", 10);
		struct state_reader reader;
		struct tickets_stats stats;

		buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		state_reader_init(&reader, buf_slice(&buf));
		int r = tickets_import(next, &reader);

		tickets_stats(next, &stats);
		assert_true(r == 0 || r == -EBADMSG || r == -ENOTSUP);
		assert_true(r == 0 || stats.waiting == 0);
		refused += r < 0;
		buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		tickets_destroy(&next);
	}
	assert_true(refused > 0);
	buf_finish(&buf);
	tickets_destroy(&tickets);
}

/* Those that were made stay good, in a larger table and in a smaller one. */
static void test_the_limit_changes(void **state)
{
	struct tickets *tickets = tickets_create("node1", 2);
	static const size_t sizes[] = {100, 3, 100};
	char text[30][TICKET_TEXT_MAX + 1];
	size_t made = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		tickets_set_max(tickets, sizes[i]);
		for (size_t k = 0; k < 10 && made < sizes[i]; k++)
			assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, text[made++]), 0);
	}
	assert_int_equal(made, 20);
	tickets_set_max(tickets, 20);
	assert_int_equal(tickets_make(tickets, &facts, HOUR_MS, text[made]), -ENOSPC);
	while (made > 0)
		assert_int_equal(take(tickets, text[--made], "ws"), TICKET_TAKEN);
	tickets_destroy(&tickets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_for_one_route),
		cmocka_unit_test(test_its_end),
		cmocka_unit_test(test_no_more_than_max),
		cmocka_unit_test(test_nobody_guesses),
		cmocka_unit_test(test_of_another_node),
		cmocka_unit_test(test_once_for_all_threads),
		cmocka_unit_test(test_way),
		cmocka_unit_test(test_they_go_on_in_the_next_process),
		cmocka_unit_test(test_they_are_taken_back),
		cmocka_unit_test(test_garbled),
		cmocka_unit_test(test_the_limit_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
