/* SPDX-License-Identifier: Apache-2.0 */
#include "route/backends.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/counter.h"
#include "route/backend_nats.h"
#include "route/backend_webhook.h"

const struct backend_type *const backend_types[] = {
	[CONFIG_BACKEND_WEBHOOK] = &backend_webhook,
	[CONFIG_BACKEND_NATS] = &backend_nats,
};

/* One entry of a configuration: a new back end, or a change of one that there is. */
struct member {
	struct event_backend *backend;
	void *prepared; /* the type's; not of a new one */
	bool is_new;
};

struct backend_set {
	struct backends *backends;
	const struct config *config; /* NULL once it is in force */
	size_t count;
	struct member members[];
};

struct backends {
	struct event_source source;
	struct bus *bus;
	struct backend_set *in_force;
	struct list_node all; /* changed under the mutex; new ones in front */
	pthread_mutex_t mutex;
};

static const struct backend_type *type_of(const struct config *config, size_t index)
{
	return backend_types[config->backends[index].type];
}

static struct event_backend *backend_of(struct list_node *node)
{
	return CONTAINER_OF(node, struct event_backend, node);
}

/* --- who holds one --- */

static struct event_backend *held_of(const struct backend *backend)
{
	return CONTAINER_OF((struct backend *)(uintptr_t)backend, struct event_backend, base);
}

const struct backend *backend_hold(const struct backend *backend)
{
	if (backend->ops != NULL)
		held_of(backend)->holders++;
	return backend;
}

void backend_let_go(const struct backend *backend)
{
	if (backend->ops == NULL)
		return;
	CHECK(held_of(backend)->holders > 0);
	held_of(backend)->holders--;
}

/* --- a set --- */

static int fail_for_memory(struct backend_error *out_error)
{
	snprintf(out_error->text, sizeof(out_error->text), "out of memory");
	return -ENOMEM;
}

/* One that is on its way out comes back. */
static struct event_backend *find(const struct backends *backends, const char *name,
				  const struct backend_type *type)
{
	for (struct list_node *node = backends->all.next; node != &backends->all; node = node->next)
		if (backend_of(node)->type == type && strcmp(backend_of(node)->name, name) == 0)
			return backend_of(node);
	return NULL;
}

static int prepare(const struct backend_type *type, const struct backend_world *world, size_t index,
		   void **out_prepared, struct backend_error *out_error)
{
	*out_prepared = NULL;
	return type->prepare == NULL ? 0 : type->prepare(world, index, out_prepared, out_error);
}

static int member_make(const struct backends *backends, const struct config *config, size_t index,
		       struct member *member, struct backend_error *out_error)
{
	const struct backend_world world = {config, &backends->source, backends->bus};
	const struct backend_type *type = type_of(config, index);

	member->backend = find(backends, config->backends[index].name, type);
	member->is_new = member->backend == NULL;
	int r = member->is_new ? type->create(&world, index, &member->backend, out_error)
			       : prepare(type, &world, index, &member->prepared, out_error);

	if (r == 0)
		member->backend->holders++;
	return r;
}

int backends_prepare(struct backends *backends, const struct config *config,
		     struct backend_set **out_set, struct backend_error *out_error)
{
	size_t count = config->backend_count;
	struct backend_set *set = calloc(1, sizeof(*set) + count * sizeof(set->members[0]));
	int r = 0;

	if (set == NULL)
		return fail_for_memory(out_error);
	set->backends = backends;
	set->config = config;
	while (set->count < count && r == 0) {
		r = member_make(backends, config, set->count, &set->members[set->count], out_error);
		set->count += r == 0;
	}
	if (r < 0)
		backend_set_discard(&set);
	else
		*out_set = set;
	return r;
}

void backend_set_discard(struct backend_set **set)
{
	struct backend_set *self = *set;

	*set = NULL;
	if (self == NULL)
		return;
	for (size_t i = 0; i < self->count; i++) {
		const struct member *member = &self->members[i];
		struct event_backend *backend = member->backend;

		CHECK(backend->holders > 0);
		backend->holders--;
		if (member->prepared != NULL)
			backend->type->discard(member->prepared);
		if (member->is_new && self->config != NULL)
			backend->type->destroy(backend);
	}
	free(self);
}

const struct backend *backend_set_find(const struct backend_set *set, const char *name)
{
	if (strcmp(name, CONFIG_ECHO) == 0)
		return &backend_echo;
	for (size_t i = 0; i < set->count; i++)
		if (strcmp(set->members[i].backend->name, name) == 0)
			return &set->members[i].backend->base;
	CHECK(false);
}

/* --- in force --- */

static void member_put(struct backends *backends, const struct config *config, size_t index,
		       struct member *member)
{
	struct event_backend *backend = member->backend;

	pthread_mutex_lock(&backends->mutex);
	backend->is_in_force = true;
	if (member->is_new) { /* others are found behind it */
		backend->node.prev = &backends->all;
		backend->node.next = backends->all.next;
		backends->all.next->prev = &backend->node;
		backends->all.next = &backend->node;
	}
	pthread_mutex_unlock(&backends->mutex);
	if (member->is_new)
		return;
	event_backend_tune(backend, &config->backends[index]);
	backend->type->change(backend, &config->backends[index], member->prepared);
	member->prepared = NULL;
}

void backends_put_in_force(struct backends *backends, struct backend_set **set)
{
	struct backend_set *next = *set, *before = backends->in_force;

	*set = NULL;
	pthread_mutex_lock(&backends->mutex);
	for (size_t i = 0; before != NULL && i < before->count; i++)
		before->members[i].backend->is_in_force = false;
	pthread_mutex_unlock(&backends->mutex);
	for (size_t i = 0; i < next->count; i++)
		member_put(backends, next->config, i, &next->members[i]);
	next->config = NULL;
	backends->in_force = next;
	backend_set_discard(&before);
	backends_tick(backends);
}

const struct backend_set *backends_in_force(const struct backends *backends)
{
	return backends->in_force;
}

int backends_read_again(struct backends *backends, const struct config *config, size_t index,
			struct backend_error *out_error)
{
	const struct backend_world world = {config, &backends->source, backends->bus};
	const struct backend_type *type = type_of(config, index);
	struct event_backend *backend = find(backends, config->backends[index].name, type);
	void *prepared;
	int r = prepare(type, &world, index, &prepared, out_error);

	CHECK(backend != NULL);
	if (r == 0)
		type->change(backend, &config->backends[index], prepared);
	return r;
}

/* --- life --- */

int backends_create(const struct config *config, const char *node, struct bus *bus,
		    struct backends **out_backends, struct backend_error *out_error)
{
	struct backends *backends = calloc(1, sizeof(*backends));
	struct backend_set *set;

	if (backends == NULL)
		return fail_for_memory(out_error);
	backends->bus = bus;
	list_init(&backends->all);
	pthread_mutex_init(&backends->mutex, NULL);
	event_source_init(&backends->source, node);
	int r = backends_prepare(backends, config, &set, out_error);

	if (r < 0) {
		backends_destroy(&backends);
		return r;
	}
	backends_put_in_force(backends, &set);
	*out_backends = backends;
	return 0;
}

int backends_check_one(const struct config *config, size_t index, struct backend_error *out_error)
{
	const struct backend_type *type = type_of(config, index);

	return type->check == NULL ? 0 : type->check(config, index, out_error);
}

static void backend_end(struct backends *backends, struct event_backend *backend)
{
	pthread_mutex_lock(&backends->mutex);
	list_remove(&backend->node);
	pthread_mutex_unlock(&backends->mutex);
	backend->type->destroy(backend);
}

void backends_tick(struct backends *backends)
{
	for (struct list_node *node = backends->all.next, *next; node != &backends->all;
	     node = next) {
		struct event_backend *backend = backend_of(node);

		next = node->next;
		if (backend->holders == 0 && backend_stats_are_settled(&backend->stats))
			backend_end(backends, backend);
	}
}

void backends_destroy(struct backends **backends)
{
	struct backends *self = *backends;

	if (self == NULL)
		return;
	backend_set_discard(&self->in_force);
	while (!list_is_empty(&self->all)) {
		CHECK(backend_of(self->all.next)->holders == 0);
		backend_end(self, backend_of(self->all.next));
	}
	pthread_mutex_destroy(&self->mutex);
	free(self);
	*backends = NULL;
}

/* --- numbers --- */

/* Under the lock: has one in force, or one that came later, its name? */
static bool is_outshone(const struct backends *backends, const struct event_backend *backend)
{
	if (backend->is_in_force)
		return false;
	for (struct list_node *node = backends->all.next; node != &backends->all;
	     node = node->next) {
		const struct event_backend *other = backend_of(node);

		if (other == backend)
			return false;
		if (strcmp(other->name, backend->name) == 0)
			return true;
	}
	return false;
}

void backends_each(struct backends *backends,
		   void (*each)(void *arg, const struct event_backend *backend), void *arg)
{
	pthread_mutex_lock(&backends->mutex);
	for (struct list_node *node = backends->all.prev; node != &backends->all; node = node->prev)
		if (!is_outshone(backends, backend_of(node)))
			each(arg, backend_of(node));
	pthread_mutex_unlock(&backends->mutex);
}

bool event_backend_is_down(const struct event_backend *backend)
{
	return backend->type->is_down != NULL && backend->type->is_down(backend);
}

uint64_t event_backend_oldest_ns(const struct event_backend *backend, uint64_t now_ns)
{
	/* Looking takes its locks. */
	struct event_waits *waits = (struct event_waits *)(uintptr_t)&backend->stats.waits;
	uint64_t oldest_ns = event_waits_oldest_ns(waits);

	return oldest_ns == 0 || oldest_ns > now_ns ? 0 : now_ns - oldest_ns;
}

void backends_trace_to(struct backends *backends, struct tracer *tracer)
{
	backends->source.tracer = tracer;
}

/* --- from process to process --- */

struct event_road *backends_take_road(struct backends *backends, struct event_road *road)
{
	return __atomic_exchange_n(&backends->source.road, road, __ATOMIC_ACQ_REL);
}

const char *backends_run_id(const struct backends *backends)
{
	return backends->source.run_id;
}

bool backends_keep_run_id(struct backends *backends, struct slice run_id)
{
	return event_source_keep_run_id(&backends->source, run_id);
}
