/* SPDX-License-Identifier: Apache-2.0
 * test_client_scan.c - which clients are wanted, and the first of all of them in an order: page by
 * page, while clients come and go, and one scan after the other. */
#include "io_unit.h"
#include "presence_unit.h"

#include "admin/api/client_scan.h"

#define CLIENTS 3000
#define WALL_MS 1800000000000

static struct presence *make(const char *route, const char *client_id, const char *ip)
{
	struct presence_facts facts = {.route = unit_route(route), .client_id = client_id};

	assert_true(net_ip_parse(slice_from_text(ip), &facts.remote));
	struct presence *presence = presence_create(&facts);

	assert_non_null(presence);
	return presence;
}

/* --- the filter --- */

static const struct {
	const char *name;
	const char *address;
	bool is_wanted;
	struct client_filter filter; /* until_ms 0: any */
} filters[] = {
	{"all", NULL, true},
	{"route", NULL, true, {.route = "ws"}},
	{"other route", NULL, false, {.route = "w"}},
	{"prefix", NULL, true, {.prefix = "Till-"}},
	{"prefix in another case", NULL, false, {.prefix = "till-"}},
	{"prefix longer than the id", NULL, false, {.prefix = "Till-42x"}},
	{"contains", NULL, true, {.contains = "ILL-4"}},
	{"contains all", NULL, true, {.contains = "Till-42"}},
	{"contains the end", NULL, true, {.contains = "2"}},
	{"contains more", NULL, false, {.contains = "42x"}},
	{"both", NULL, true, {.prefix = "T", .contains = "l-"}},
	{"address", "192.0.2.7", true},
	{"net", "192.0.2.0/24", true},
	{"net beside", "192.0.3.0/24", false},
	{"IPv6 of all", "::/0", false},
	{"since then", NULL, true, {.since_ms = WALL_MS}},
	{"since later", NULL, false, {.since_ms = WALL_MS + 1}},
	{"until then", NULL, false, {.until_ms = WALL_MS}},
	{"until later", NULL, true, {.until_ms = WALL_MS + 1}},
	{"slow enough", NULL, true, {.min_rate = 5}},
	{"too slow", NULL, false, {.min_rate = 50}},
};

static void test_each_filter(void **state)
{
	(void)state;
	struct presence *presence = make("ws", "Till-42", "192.0.2.7");
	const struct client_moment moment = {100 * NS_PER_S, WALL_MS + 20000};

	presence->connected_at_ms = WALL_MS;
	for (int i = 0; i < 100; i++)
		traffic_add_message(&presence->traffic, i % 2 == 0 ? TRAFFIC_IN : TRAFFIC_OUT,
				    moment.now_ns);
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		struct client_filter filter = filters[i].filter;

		if (filter.until_ms == 0)
			filter.until_ms = UINT64_MAX;
		filter.has_address = filters[i].address != NULL;
		if (filter.has_address)
			assert_null(net_prefix_parse(slice_from_text(filters[i].address),
						     &filter.address));
		ASSERT_ROW(client_filter_wants(&filter, presence, &moment) == filters[i].is_wanted,
			   filters[i].name);
	}
	presence_unref(&presence);
}

static void test_sorts_have_names(void **state)
{
	(void)state;
	char all[256] = "";

	for (unsigned sort = CLIENT_SORT_NONE + 1; sort < CLIENT_SORT_COUNT; sort++) {
		assert_int_equal(client_sort_find(client_sort_label(sort)), sort);
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
			 sort == CLIENT_SORT_NONE + 1 ? "" : ", ", client_sort_label(sort));
	}
	assert_string_equal(client_sort_labels(), all);
	assert_int_equal(client_sort_find(""), CLIENT_SORT_COUNT);
	assert_int_equal(client_sort_find("Rate"), CLIENT_SORT_COUNT);
}

/* --- scans --- */

struct scan_fixture {
	struct io_fixture io;
	struct directory *directory;
	struct presence *all[CLIENTS];
	struct client_scans scans;
	/* Of the last page. */
	struct client_rank ranks[CLIENTS];
	size_t count;
	uint64_t matched, looked_at;
	bool is_end;
	unsigned done;
};

static struct scan_fixture fixture;

/* Many are alike in what they are sorted by. */
static int set_up(void **state)
{
	struct scan_fixture *f = *state = &fixture;

	*f = (struct scan_fixture){.directory = directory_create()};
	io_fixture_init(&f->io, LOOP_ENGINE_EPOLL, 16);
	client_scans_init(&f->scans);
	for (unsigned i = 0; i < CLIENTS; i++) {
		char id[16];
		struct presence *older;

		snprintf(id, sizeof(id), "c%u", i);
		f->all[i] = make(i % 3 == 0 ? "third" : "ws", id, "192.0.2.1");
		f->all[i]->connected_at_ms = WALL_MS + i / 7;
		traffic_add_bytes(&f->all[i]->traffic, TRAFFIC_IN, i * 2654435761U % 1000,
				  clock_now_ns());
		assert_true(directory_enter(f->directory, f->all[i], DIRECTORY_MANY, &older));
	}
	return 0;
}

static int tear_down(void **state)
{
	struct scan_fixture *f = *state;

	for (size_t i = 0; i < CLIENTS; i++) {
		if (f->all[i] == NULL)
			continue;
		directory_leave(f->directory, f->all[i]);
		presence_unref(&f->all[i]);
	}
	directory_destroy(&f->directory);
	loop_destroy(&f->io.loop);
	return 0;
}

static void on_done(void *arg, const struct client_scan_result *result)
{
	struct scan_fixture *f = arg;

	f->count = result->count;
	f->matched = result->matched;
	f->looked_at = result->looked_at;
	f->is_end = result->is_end;
	f->done++;
	for (size_t i = 0; i < result->count; i++) {
		f->ranks[i] = result->rows[i].rank;
		assert_true(result->rows[i].presence->connection_id ==
			    result->rows[i].rank.connection_id);
	}
	loop_stop(f->io.loop);
}

static void start(struct scan_fixture *f, const struct client_filter *filter,
		  const struct client_order *order)
{
	assert_int_equal(
		client_scan_start(&f->scans, f->io.loop, f->directory, filter, order, on_done, f),
		0);
}

static void scan(struct scan_fixture *f, const struct client_filter *filter,
		 const struct client_order *order)
{
	unsigned before = f->done;

	start(f, filter, order);
	assert_int_equal(f->done, before); /* never from inside the call */
	while (f->done == before)
		loop_run(f->io.loop);
}

static uint64_t key_of(const struct presence *presence, enum client_sort sort)
{
	return sort == CLIENT_SORT_CONNECTED_AT ? presence->connected_at_ms
						: presence->traffic.bytes[TRAFFIC_IN];
}

static int compare_up(const void *a, const void *b)
{
	const struct client_rank *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->connection_id < y->connection_id ? -1 : 1;
}

static int compare_down(const void *a, const void *b)
{
	return -compare_up(a, b);
}

/* All pages, one behind the other, are all clients in their order. */
static void check_pages(struct scan_fixture *f, enum client_sort sort, bool is_ascending,
			size_t limit)
{
	static struct client_rank want[CLIENTS];
	const struct client_filter filter = CLIENT_FILTER_ALL;
	struct client_order order = {.sort = sort, .is_ascending = is_ascending, .limit = limit};
	size_t seen = 0;

	for (size_t i = 0; i < CLIENTS; i++)
		want[i] = (struct client_rank){key_of(f->all[i], sort), f->all[i]->connection_id};
	qsort(want, CLIENTS, sizeof(want[0]), is_ascending ? compare_up : compare_down);
	do {
		scan(f, &filter, &order);
		assert_int_equal(f->looked_at, CLIENTS);
		assert_int_equal(f->matched, CLIENTS);
		assert_true(f->count > 0 && seen + f->count <= CLIENTS);
		assert_memory_equal(f->ranks, want + seen, f->count * sizeof(want[0]));
		seen += f->count;
		order.has_after = true;
		order.after = f->ranks[f->count - 1];
	} while (!f->is_end);
	assert_int_equal(seen, CLIENTS);
}

static void test_pages_are_all_clients_in_their_order(void **state)
{
	struct scan_fixture *f = *state;

	check_pages(f, CLIENT_SORT_RECEIVED_BYTES, false, 700);
	check_pages(f, CLIENT_SORT_RECEIVED_BYTES, true, 1000);
	check_pages(f, CLIENT_SORT_CONNECTED_AT, false, CLIENTS);
	check_pages(f, CLIENT_SORT_CONNECTED_AT, true, 999);
}

static void test_a_filter_counts_and_an_empty_page_is_the_end(void **state)
{
	struct scan_fixture *f = *state;
	struct client_filter filter = CLIENT_FILTER_ALL;
	struct client_order order = {.sort = CLIENT_SORT_SENT_BYTES, .limit = 1};

	snprintf(filter.route, sizeof(filter.route), "third");
	scan(f, &filter, &order);
	assert_int_equal(f->matched, CLIENTS / 3);
	assert_true(f->count == 1 && !f->is_end);
	snprintf(filter.route, sizeof(filter.route), "none");
	scan(f, &filter, &order);
	assert_true(f->matched == 0 && f->count == 0 && f->is_end);
}

/* Those that leave while it runs are let go; whoever was found is kept for the answer. */
static void test_clients_leave_while_it_runs(void **state)
{
	struct scan_fixture *f = *state;
	const struct client_filter filter = CLIENT_FILTER_ALL;
	const struct client_order order = {.sort = CLIENT_SORT_CONNECTED_AT, .limit = 50};

	start(f, &filter, &order);
	for (size_t i = 0; i < CLIENTS; i += 2) {
		directory_leave(f->directory, f->all[i]);
		presence_unref(&f->all[i]);
	}
	while (f->done == 0)
		loop_run(f->io.loop);
	assert_int_equal(f->count, 50);
	assert_true(f->looked_at >= CLIENTS / 2);
}

static void test_two_run_and_the_others_wait(void **state)
{
	struct scan_fixture *f = *state;
	const struct client_filter filter = CLIENT_FILTER_ALL;
	const struct client_order order = {.sort = CLIENT_SORT_RATE, .limit = 10};

	for (int i = 0; i < 5; i++)
		start(f, &filter, &order);
	assert_int_equal(f->scans.running_count, CLIENT_SCANS_MAX);
	assert_false(list_is_empty(&f->scans.waiting));
	while (f->done < 5)
		loop_run(f->io.loop);
	assert_int_equal(f->scans.running_count, 0);
	assert_true(list_is_empty(&f->scans.waiting) && list_is_empty(&f->scans.running));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_filter),
		cmocka_unit_test(test_sorts_have_names),
		cmocka_unit_test_setup_teardown(test_pages_are_all_clients_in_their_order, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_filter_counts_and_an_empty_page_is_the_end,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clients_leave_while_it_runs, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_two_run_and_the_others_wait, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
