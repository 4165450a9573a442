/* SPDX-License-Identifier: Apache-2.0
 * test_backends.c - back ends, and what is counted of routes, from one configuration to the next.
 */
#include "unit.h"

#include <stdio.h>

#include "base/counter.h"
#include "route/backends.h"
#include "route/route.h"

/* Nobody listens there, and nobody asks. */
#define HOOK(name, more) "{name: " name ", type: webhook, url: 'http://127.0.0.1:9/'" more "}"
#define NATS(name, more) "{name: " name ", type: nats" more "}"

static struct config config_of(const char *backends)
{
	char text[1024];
	struct config_report report = {0};
	struct config config;

	snprintf(text, sizeof(text),
		 "bus: {type: nats}\nroutes: [{path: '/a/{client_id}', name: a}]\nbackends: [%s]",
		 backends);
	struct slice slice = slice_from_text(text);

	if (config_load(&(struct config_sources){.file = "t", .text = &slice}, &report, &config) <
	    0)
		fail_msg("%.*s", SLICE_ARG(buf_slice(&report.text)));
	return config;
}

static struct backends *make(const char *list)
{
	struct config config = config_of(list);
	struct backend_error error;
	struct backends *backends;

	if (backends_create(&config, "node", NULL, &backends, &error) < 0)
		fail_msg("%s", error.text);
	config_finish(&config); /* nothing of it is kept */
	return backends;
}

static int prepare(struct backends *backends, const char *list, struct backend_set **out_set,
		   struct config *out_config)
{
	struct backend_error error;

	*out_config = config_of(list);
	return backends_prepare(backends, out_config, out_set, &error);
}

static void change(struct backends *backends, const char *list)
{
	struct backend_set *set;
	struct config config;

	assert_int_equal(prepare(backends, list, &set, &config), 0);
	backends_put_in_force(backends, &set);
	assert_null(set);
	config_finish(&config);
}

static const struct event_backend *now(struct backends *backends, const char *name)
{
	return CONTAINER_OF(backend_set_find(backends_in_force(backends), name),
			    const struct event_backend, base);
}

struct names {
	char text[256];
};

static void note(void *arg, const struct event_backend *backend)
{
	struct names *names = arg;
	size_t used = strlen(names->text);

	snprintf(names->text + used, sizeof(names->text) - used, "%s ", backend->name);
}

static void assert_names(struct backends *backends, const char *want)
{
	struct names names = {.text = ""};

	backends_each(backends, note, &names);
	assert_string_equal(names.text, want);
}

static void test_one_of_a_name_stays_and_takes_over_what_has_changed(void **state)
{
	(void)state;
	struct backends *backends = make(HOOK("up", "") ", " NATS("bus", ", connect: ask"));
	const struct event_backend *up = now(backends, "up"), *bus = now(backends, "bus");

	assert_true(counter_read(&bus->tuning.is_asked));
	change(backends,
	       NATS("bus", ", timeout: 7s, retries: 9") ", " HOOK("up", ", queue_max: 8KiB"));
	assert_ptr_equal(now(backends, "up"), up);
	assert_ptr_equal(now(backends, "bus"), bus);
	assert_int_equal(counter_read(&up->tuning.queue_max), 8192);
	assert_int_equal(counter_read(&bus->tuning.timeout_ns), UINT64_C(7000000000));
	assert_int_equal(counter_read(&bus->tuning.retries), 9);
	assert_false(counter_read(&bus->tuning.is_asked));
	assert_names(backends, "up bus ");
	backends_destroy(&backends);
}

static void test_one_that_is_removed_ends_when_nobody_holds_it(void **state)
{
	(void)state;
	struct backends *backends = make(HOOK("a", "") ", " HOOK("b", ""));
	const struct event_backend *a = now(backends, "a");
	const struct backend *held = backend_hold(&a->base);

	change(backends, HOOK("c", ""));
	assert_names(backends, "a c "); /* b had nobody */
	backends_tick(backends);
	assert_names(backends, "a c ");
	/* It comes back: the same one, with what it has counted. */
	change(backends, HOOK("a", ""));
	assert_ptr_equal(now(backends, "a"), a);
	assert_names(backends, "a ");
	change(backends, "");
	backend_let_go(held);
	assert_names(backends, "a ");
	backends_tick(backends);
	assert_names(backends, "");
	backends_destroy(&backends);
}

/* The bus counts in its memory what becomes of what it has passed on. */
static void test_one_that_waits_for_an_outcome_stays(void **state)
{
	(void)state;
	struct backends *backends = make(NATS("bus", ""));
	struct event_backend *bus = (struct event_backend *)(uintptr_t)now(backends, "bus");

	counter_add(&bus->stats.begun, 2);
	counter_add(&bus->stats.events[EVENT_MESSAGE][EVENT_DELIVERED], 1);
	change(backends, "");
	backends_tick(backends);
	assert_names(backends, "bus ");
	counter_add(&bus->stats.events[EVENT_MESSAGE][EVENT_UNCONFIRMED], 1);
	backends_tick(backends);
	assert_names(backends, "");
	backends_destroy(&backends);
}

static void test_another_type_is_another_back_end(void **state)
{
	(void)state;
	struct backends *backends = make(HOOK("up", ""));
	const struct event_backend *hook = now(backends, "up");
	const struct backend *held = backend_hold(&hook->base);

	change(backends, NATS("up", ""));
	assert_ptr_not_equal(now(backends, "up"), hook);
	assert_names(backends, "up "); /* numbers are of the one in force */
	backend_let_go(held);
	backends_destroy(&backends);
}

static void test_what_is_discarded_was_never_there(void **state)
{
	(void)state;
	struct backends *backends = make(HOOK("up", ""));
	const struct event_backend *up = now(backends, "up");
	uint64_t queue_max = counter_read(&up->tuning.queue_max);
	struct backend_set *set = NULL;
	struct config config;

	assert_int_equal(prepare(backends, HOOK("up", ", queue_max: 8KiB") ", " HOOK("new", ""),
				 &set, &config),
			 0);
	assert_non_null(backend_set_find(set, "new"));
	backend_set_discard(&set);
	backend_set_discard(&set);
	config_finish(&config);
	assert_int_equal(counter_read(&up->tuning.queue_max), queue_max);
	assert_names(backends, "up ");
	/* The second of them cannot be made: the first is given back. */
	assert_true(prepare(backends, HOOK("new", "") ", " HOOK("bad", ", secret_file: /missing"),
			    &set, &config) < 0);
	config_finish(&config);
	assert_names(backends, "up ");
	backends_destroy(&backends);
}

/* --- loads --- */

static void count(void *arg, const char *name, const struct route_load *load)
{
	(void)name;
	*(size_t *)arg += !load->is_unused;
}

static void test_a_route_goes_on_with_its_numbers(void **state)
{
	(void)state;
	struct route_loads *loads = route_loads_create(1);
	size_t found = 0;

	assert_non_null(loads);
	struct route_load *a = route_loads_take(loads, "a"), *b = route_loads_take(loads, "b");

	counter_add(&a->connections, 3);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(route_loads_take(loads, "a"), a);
	assert_int_equal(route_loads_connections(loads, "a"), 3);
	assert_int_equal(route_loads_connections(loads, "c"), 0);
	route_loads_give(loads, a);
	route_loads_give(loads, b);
	route_loads_each(loads, count, &found);
	assert_int_equal(found, 1);
	assert_int_equal(route_loads_connections(loads, "a"), 3);
	route_loads_give(loads, a);
	found = 0;
	route_loads_each(loads, count, &found);
	assert_int_equal(found, 0);
	route_loads_destroy(&loads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_of_a_name_stays_and_takes_over_what_has_changed),
		cmocka_unit_test(test_one_that_is_removed_ends_when_nobody_holds_it),
		cmocka_unit_test(test_one_that_waits_for_an_outcome_stays),
		cmocka_unit_test(test_another_type_is_another_back_end),
		cmocka_unit_test(test_what_is_discarded_was_never_there),
		cmocka_unit_test(test_a_route_goes_on_with_its_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
