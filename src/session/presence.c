/* SPDX-License-Identifier: Apache-2.0 */
#include "session/presence.h"

#include <pthread.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/reference.h"
#include "base/slab.h"
#include "session/session.h"

/* Of all presences of the process: any thread may be the last to let one go. */
static struct slab memory;

static void memory_init(void)
{
	slab_init(&memory);
}

/* --- what lies behind the client id --- */

/* What subprotocol_code says: none; the last one, that it is behind the address; else which of the
 * route's list, from 1 on. */
#define SUBPROTOCOL_NONE 0
#define SUBPROTOCOL_OWN  UINT8_MAX

#define IP_LEN    ((size_t)NET_IP_BITS / 8)
#define IP_V4_LEN (IP_LEN - NET_IP_V4_BITS / 8)

static size_t ip_len(const struct presence *presence)
{
	return presence->is_v4 ? IP_V4_LEN : IP_LEN;
}

/* Where the address is. */
static char *ip_at(struct presence *presence)
{
	return presence->client_id + strlen(presence->client_id) + 1;
}

static const char *const_ip_at(const struct presence *presence)
{
	return presence->client_id + strlen(presence->client_id) + 1;
}

/* Both ids, and whether it is sampled. */
#define TRACE_LEN (TRACE_ID_LEN + TRACE_SPAN_ID_LEN + 1)

/* Where the trace is, if there is one; else what is behind it. */
static const char *trace_at(const struct presence *presence)
{
	return const_ip_at(presence) + ip_len(presence);
}

static const char *behind_trace(const struct presence *presence)
{
	return trace_at(presence) + (presence->has_trace ? TRACE_LEN : 0);
}

/* Of the part of a proof before its subject. */
#define PROOF_LEN (sizeof(const char *) + sizeof(uint64_t))

/* Where the proof is, if there is one. */
static const char *proof_at(const struct presence *presence)
{
	const char *at = behind_trace(presence);

	return presence->subprotocol_code == SUBPROTOCOL_OWN ? at + strlen(at) + 1 : at;
}

/* Where the attributes are, if there are some: two bytes of length, and the block. */
static const char *attributes_at(const struct presence *presence)
{
	const char *at = proof_at(presence);

	return presence->has_proof ? at + PROOF_LEN + strlen(at + PROOF_LEN) + 1 : at;
}

struct slice presence_attributes(const struct presence *presence)
{
	const char *at = attributes_at(presence);
	uint16_t len;

	if (!presence->has_attributes)
		return (struct slice){0};
	memcpy(&len, at, sizeof(len));
	return slice_of(at + sizeof(len), len);
}

/* Where the note is, if there is one: as the attributes. */
static const char *note_at(const struct presence *presence)
{
	const char *at = attributes_at(presence);

	return presence->has_attributes ? at + sizeof(uint16_t) + presence_attributes(presence).len
					: at;
}

struct slice presence_note(const struct presence *presence)
{
	const char *at = note_at(presence);
	uint16_t len;

	if (!presence->has_note)
		return (struct slice){0};
	memcpy(&len, at, sizeof(len));
	return slice_of(at + sizeof(len), len);
}

/* All of it. At least that of the struct, with its padding: ids are not empty. */
static size_t size_of(const struct presence *presence)
{
	const char *end = note_at(presence);

	if (presence->has_note)
		end += sizeof(uint16_t) + presence_note(presence).len;
	return (size_t)(end - (const char *)presence);
}

static bool has_trace(const struct presence_facts *facts)
{
	return facts->trace != NULL && trace_context_is_set(facts->trace);
}

/* The same of one that is to be made. */
static size_t size_for(const struct presence_facts *facts, uint8_t code)
{
	const struct presence_proof *proof = facts->proof;
	size_t size = offsetof(struct presence, client_id) + strlen(facts->client_id) + 1 +
		      (net_ip_is_v4(&facts->remote) ? IP_V4_LEN : IP_LEN);

	if (has_trace(facts))
		size += TRACE_LEN;
	if (code == SUBPROTOCOL_OWN)
		size += facts->subprotocol.len + 1;
	if (proof != NULL)
		size += PROOF_LEN + (proof->subject == NULL ? 0 : strlen(proof->subject)) + 1;
	if (facts->attributes.len > 0)
		size += sizeof(uint16_t) + facts->attributes.len;
	if (facts->note.len > 0)
		size += sizeof(uint16_t) + facts->note.len;
	return size;
}

static uint8_t subprotocol_code_of(const struct presence_facts *facts)
{
	const struct config_tokens *ours = &facts->route->config->subprotocols;

	if (facts->subprotocol.len == 0)
		return SUBPROTOCOL_NONE;
	for (size_t i = 0; i < MIN(ours->count, (size_t)SUBPROTOCOL_OWN - 1); i++)
		if (slice_equals(facts->subprotocol, slice_from_text(ours->items[i])))
			return (uint8_t)(i + 1);
	return SUBPROTOCOL_OWN;
}

const char *presence_subprotocol(const struct presence *presence)
{
	unsigned code = presence->subprotocol_code;

	if (code == SUBPROTOCOL_NONE)
		return NULL;
	return code == SUBPROTOCOL_OWN ? behind_trace(presence)
				       : presence->route->config->subprotocols.items[code - 1];
}

struct net_ip presence_remote(const struct presence *presence)
{
	struct net_ip ip = {.bytes[10] = 0xff, .bytes[11] = 0xff};
	size_t len = ip_len(presence);

	memcpy(ip.bytes + IP_LEN - len, const_ip_at(presence), len);
	return ip;
}

bool presence_trace(const struct presence *presence, struct trace_context *out_trace)
{
	const char *at = trace_at(presence);

	if (!presence->has_trace)
		return false;
	memcpy(out_trace->trace_id, at, TRACE_ID_LEN);
	memcpy(out_trace->span_id, at + TRACE_ID_LEN, TRACE_SPAN_ID_LEN);
	out_trace->is_sampled = at[TRACE_LEN - 1] != 0;
	return true;
}

bool presence_proof(const struct presence *presence, struct presence_proof *out_proof)
{
	const char *at = proof_at(presence);

	if (!presence->has_proof)
		return false;
	memcpy(&out_proof->way, at, sizeof(out_proof->way));
	memcpy(&out_proof->expires_at_s, at + sizeof(out_proof->way),
	       sizeof(out_proof->expires_at_s));
	out_proof->subject = at[PROOF_LEN] == 0 ? presence->client_id : at + PROOF_LEN;
	return true;
}

void presence_look(const struct presence *presence, uint64_t now_ns, uint64_t wall_ms,
		   struct traffic_picture *out_picture)
{
	uint64_t since_ms = presence->connected_at_ms;

	traffic_look(&presence->traffic, now_ns,
		     wall_ms > since_ms ? (wall_ms - since_ms) * NS_PER_MS : 0, out_picture);
}

/* --- life --- */

static void proof_write(char *to, const struct presence_proof *proof)
{
	const char *subject = proof->subject == NULL ? "" : proof->subject;

	memcpy(to, &proof->way, sizeof(proof->way));
	memcpy(to + sizeof(proof->way), &proof->expires_at_s, sizeof(proof->expires_at_s));
	memcpy(to + PROOF_LEN, subject, strlen(subject) + 1);
}

static void block_write(char *to, struct slice block)
{
	uint16_t len = (uint16_t)block.len;

	memcpy(to, &len, sizeof(len));
	memcpy(to + sizeof(len), block.data, len);
}

static void trace_write(char *to, const struct trace_context *trace)
{
	memcpy(to, trace->trace_id, TRACE_ID_LEN);
	memcpy(to + TRACE_ID_LEN, trace->span_id, TRACE_SPAN_ID_LEN);
	to[TRACE_LEN - 1] = (char)trace->is_sampled;
}

static void texts_write(struct presence *presence, const struct presence_facts *facts)
{
	memcpy(presence->client_id, facts->client_id, strlen(facts->client_id) + 1);
	size_t len = ip_len(presence);
	char *end = ip_at(presence) + len;

	memcpy(end - len, facts->remote.bytes + IP_LEN - len, len);
	if (presence->has_trace) {
		trace_write(end, facts->trace);
		end += TRACE_LEN;
	}
	if (presence->subprotocol_code == SUBPROTOCOL_OWN) {
		memcpy(end, facts->subprotocol.data, facts->subprotocol.len);
		end[facts->subprotocol.len] = 0;
		end += facts->subprotocol.len + 1;
	}
	if (facts->proof != NULL)
		proof_write(end, facts->proof);
	if (facts->attributes.len > 0)
		block_write((char *)(uintptr_t)attributes_at(presence), facts->attributes);
	if (facts->note.len > 0)
		block_write((char *)(uintptr_t)note_at(presence), facts->note);
}

struct presence *presence_create(const struct presence_facts *facts)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	size_t id_len = strlen(facts->client_id);
	uint8_t code = subprotocol_code_of(facts);
	bool is_v4 = net_ip_is_v4(&facts->remote);

	CHECK(id_len > 0 && id_len <= PRESENCE_CLIENT_ID_MAX &&
	      strlen(facts->route->config->name) <= PRESENCE_ROUTE_MAX);
	CHECK(facts->proof == NULL || facts->proof->subject == NULL ||
	      strlen(facts->proof->subject) <= PRESENCE_SUBJECT_MAX);
	CHECK(attributes_are_good(facts->attributes) && facts->note.len <= PRESENCE_NOTE_MAX);
	pthread_once(&once, memory_init);
	struct presence *presence = slab_get(&memory, size_for(facts, code));

	if (presence == NULL)
		return NULL;
	*presence = (struct presence){
		.route = facts->route,
		.subprotocol_code = code,
		.is_v4 = is_v4,
		.connected_at_ms = (clock_wall_ns() / NS_PER_MS) & PRESENCE_TIME_MAX,
		.has_trace = has_trace(facts),
		.has_proof = facts->proof != NULL,
		.has_attributes = facts->attributes.len > 0,
		.has_note = facts->note.len > 0,
		.remote_port = facts->remote_port,
		.references = 1,
		.mailbox = facts->mailbox,
		.session = facts->session,
	};
	ruleset_ref(facts->route->ruleset);
	texts_write(presence, facts);
	return presence;
}

struct presence *presence_ref(struct presence *presence)
{
	reference_take(&presence->references);
	return presence;
}

void presence_unref(struct presence **presence)
{
	struct presence *self = *presence;

	*presence = NULL;
	if (self == NULL || !reference_drop(&self->references))
		return;
	struct ruleset *ruleset = self->route->ruleset;

	traffic_finish(&self->traffic);
	slab_put(&memory, self, size_of(self));
	ruleset_unref(&ruleset);
}

static void run_task(struct loop_task *loop_task)
{
	struct presence_task *task = CONTAINER_OF(loop_task, struct presence_task, loop_task);
	struct presence *presence = task->presence;

	task->run(task, presence->session);
	presence_unref(&presence);
}

bool presence_post(struct presence *presence, struct presence_task *task)
{
	task->presence = presence_ref(presence);
	task->loop_task.run = run_task;
	if (mailbox_post(presence->mailbox, &task->loop_task))
		return true;
	presence_unref(&task->presence);
	return false;
}

static void run_eviction(struct loop_task *task)
{
	struct presence *presence = CONTAINER_OF(task, struct presence, task);

	if (presence->session != NULL)
		presence->session->ops->taken_over(presence->session);
	presence_unref(&presence);
}

void presence_evict(struct presence **older)
{
	struct presence *presence = *older;

	*older = NULL;
	presence->task.run = run_eviction;
	if (!mailbox_post(presence->mailbox, &presence->task))
		presence_unref(&presence);
}
