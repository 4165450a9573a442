/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/nodes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"

#define SUBJECT     "gatehouse.nodes"
#define INTERVAL_NS (2 * NS_PER_S)
#define SILENCE_NS  (3 * INTERVAL_NS)
#define BODY_MAX    2048 /* [bytes] of what one node says */
#define IS_DEAF     "is_deaf"
#define CONSOLE     "console"

struct node {
	struct list_node node;
	uint64_t heard_ns;
	json_t *facts;
};

struct nodes {
	struct nodes_options options;
	struct bus_subscription subscription;
	struct timer timer;
	struct list_node others;
	size_t count;
	struct log_gate name_gate;
	bool has_namesake;
};

static json_t *own_facts(const struct nodes *nodes)
{
	struct node_facts facts;
	struct bus_status status;

	bus_status(nodes->options.fleet->bus, &status);
	nodes->options.describe(nodes->options.arg, &facts);
	json_t *own = json_pack(
		"{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "node", nodes->options.fleet->node, "run",
		nodes->options.fleet->origin, "version", GATEHOUSE_VERSION, "status", facts.status,
		"connections", (json_int_t)facts.connections, "max_connections",
		(json_int_t)facts.max_connections, "clients", (json_int_t)facts.clients);

	if (own != NULL && facts.console[0] != 0)
		json_object_set_new(own, CONSOLE, json_string(facts.console));
	if (own != NULL && status.is_deaf)
		json_object_set_new(own, IS_DEAF, json_true());
	return own;
}

/* Their clients cannot be told from those that are connected nowhere. */
static void deaf_count(struct nodes *nodes)
{
	uint64_t count = 0;

	for (struct list_node *at = nodes->others.next; at != &nodes->others; at = at->next)
		count += json_is_true(
			json_object_get(CONTAINER_OF(at, struct node, node)->facts, IS_DEAF));
	counter_set(&nodes->options.fleet->deaf_nodes, count);
}

static void publish(const struct nodes *nodes, json_t *facts)
{
	char *text = facts == NULL ? NULL : json_dumps(facts, JSON_COMPACT);

	json_decref(facts);
	if (text != NULL)
		bus_publish_now(nodes->options.fleet->bus,
				&(struct bus_message){.subject = SLICE_LITERAL(SUBJECT),
						      .body = slice_from_text(text)});
	free(text); /* if it was not published: the next one comes soon */
}

static void forget(struct nodes *nodes, struct node *node)
{
	list_remove(&node->node);
	nodes->count--;
	deaf_count(nodes);
	json_decref(node->facts);
	free(node);
}

static void on_timer(struct timer *timer)
{
	struct nodes *nodes = CONTAINER_OF(timer, struct nodes, timer);
	uint64_t now_ns = loop_now(nodes->options.loop);

	for (struct list_node *at = nodes->others.next, *next; at != &nodes->others; at = next) {
		struct node *node = CONTAINER_OF(at, struct node, node);

		next = at->next;
		if (now_ns - node->heard_ns >= SILENCE_NS)
			forget(nodes, node);
	}
	publish(nodes, own_facts(nodes));
	loop_timer_start(nodes->options.loop, timer, INTERVAL_NS);
}

/* --- the others --- */

static const char *text_of(const json_t *facts, const char *key)
{
	return json_string_value(json_object_get(facts, key));
}

static struct node *find(struct nodes *nodes, const char *run)
{
	for (struct list_node *at = nodes->others.next; at != &nodes->others; at = at->next) {
		struct node *node = CONTAINER_OF(at, struct node, node);

		if (strcmp(text_of(node->facts, "run"), run) == 0)
			return node;
	}
	return NULL;
}

static void warn_of_namesake(struct nodes *nodes)
{
	uint64_t suppressed;

	nodes->has_namesake = true;
	if (log_gate_pass(&nodes->name_gate, loop_now(nodes->options.loop), &suppressed))
		log_warn("another node has the name of this one; give each its own (server.node)",
			 F_TEXT("node", nodes->options.fleet->node),
			 F_UINT("suppressed", suppressed));
}

/* Takes over the reference. */
static void keep(struct nodes *nodes, json_t *facts)
{
	struct node *node = find(nodes, text_of(facts, "run"));

	if (node == NULL && nodes->count < NODES_MAX) {
		node = calloc(1, sizeof(*node));
		if (node != NULL) {
			list_append(&nodes->others, &node->node);
			nodes->count++;
			publish(nodes, own_facts(nodes)); /* it does not know of us yet */
		}
	}
	if (node == NULL) {
		json_decref(facts);
		return;
	}
	json_decref(node->facts);
	node->facts = facts;
	node->heard_ns = loop_now(nodes->options.loop);
	deaf_count(nodes);
}

static bool is_good(const json_t *facts)
{
	static const char *const texts[] = {"node", "run", "version", "status"};
	static const char *const numbers[] = {"connections", "max_connections", "clients"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (text_of(facts, texts[i]) == NULL)
			return false;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (!json_is_integer(json_object_get(facts, numbers[i])))
			return false;
	return true;
}

/* People are led there. */
static bool is_console(const json_t *console)
{
	const char *text = json_string_value(console);

	return text != NULL && strlen(text) <= NODE_CONSOLE_MAX &&
	       (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0);
}

static void take(struct nodes *nodes, json_t *facts)
{
	const char *run = text_of(facts, "run");

	if (!is_console(json_object_get(facts, CONSOLE)))
		json_object_del(facts, CONSOLE);

	if (strcmp(run, nodes->options.fleet->origin) == 0) {
		json_decref(facts);
		return;
	}
	if (strcmp(text_of(facts, "node"), nodes->options.fleet->node) == 0)
		warn_of_namesake(nodes);
	if (strcmp(text_of(facts, "status"), "left") != 0) {
		keep(nodes, facts);
		return;
	}
	struct node *node = find(nodes, run);

	if (node != NULL)
		forget(nodes, node);
	json_decref(facts);
}

static void on_message(struct bus_subscription *subscription, const struct bus_message *message)
{
	struct nodes *nodes = CONTAINER_OF(subscription, struct nodes, subscription);

	if (message->body.len > BODY_MAX)
		return;
	json_t *facts = json_loadb((const char *)message->body.data, message->body.len,
				   JSON_REJECT_DUPLICATES, NULL);

	if (is_good(facts))
		take(nodes, facts);
	else
		json_decref(facts); /* somebody else's noise */
}

/* --- life --- */

int nodes_open(const struct nodes_options *options, struct nodes **out_nodes)
{
	struct nodes *nodes = calloc(1, sizeof(*nodes));

	if (nodes == NULL)
		return -ENOMEM;
	nodes->options = *options;
	list_init(&nodes->others);
	loop_timer_init(&nodes->timer, on_timer);
	int r = bus_subscribe(options->fleet->bus, &nodes->subscription, options->loop,
			      SLICE_LITERAL(SUBJECT), on_message);

	if (r < 0) {
		free(nodes);
		return r;
	}
	on_timer(&nodes->timer);
	*out_nodes = nodes;
	return 0;
}

static void on_closed(struct bus_subscription *subscription)
{
	struct nodes *nodes = CONTAINER_OF(subscription, struct nodes, subscription);
	struct nodes_options options = nodes->options;

	free(nodes);
	options.on_closed(options.arg);
}

void nodes_hand_over(struct nodes **nodes)
{
	struct nodes *self = *nodes;

	*nodes = NULL;
	loop_timer_stop(self->options.loop, &self->timer);
	while (!list_is_empty(&self->others))
		forget(self, CONTAINER_OF(list_pop(&self->others), struct node, node));
	bus_unsubscribe(&self->subscription, on_closed);
}

void nodes_close(struct nodes **nodes)
{
	json_t *facts = own_facts(*nodes);

	if (facts != NULL)
		json_object_set_new(facts, "status", json_string("left"));
	publish(*nodes, facts);
	nodes_hand_over(nodes);
}

/* --- the list --- */

static void append(json_t *list, json_t *facts, double age_s, bool is_self)
{
	json_t *copy = json_copy(facts);

	json_object_del(copy, "run");
	json_object_set_new(copy, "is_self", json_boolean(is_self));
	json_object_set_new(copy, "heard_seconds_ago", json_real(age_s));
	json_array_append_new(list, copy);
}

json_t *nodes_json(const struct nodes *nodes)
{
	json_t *list = json_array(), *own = own_facts(nodes);
	uint64_t now_ns = loop_now(nodes->options.loop);

	if (own != NULL && nodes->has_namesake)
		json_object_set_new(own, "has_namesake", json_true());
	append(list, own, 0, true);
	json_decref(own);
	for (struct list_node *at = nodes->others.next; at != &nodes->others; at = at->next) {
		const struct node *node = CONTAINER_OF(at, struct node, node);

		append(list, node->facts, (double)(now_ns - node->heard_ns) / NS_PER_S, false);
	}
	return list;
}
