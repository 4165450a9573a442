/* SPDX-License-Identifier: Apache-2.0
 * bus_request.c - requests and their outcomes (bus_private.h). A request is in a slot from the
 * call until somebody settles it: an answer, the word that nobody is there, its timer, a cancel.
 * Whoever takes it out of its slot, under the lock, is the one; the outcome is told in the loop
 * of who asked, once. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/hex.h"
#include "bus/bus_private.h"

#define NO_SLOT UINT32_MAX

/* A token names a slot and how often it was used, so that a late answer finds nobody. */
static uint64_t token_make(const struct requests *requests, uint32_t index)
{
	return (uint64_t)requests->slots[index].generation << 32 | (index + 1);
}

/* --- the table; the lock is held --- */

static int slots_grow(struct requests *requests)
{
	uint32_t count = MIN(MAX(requests->slot_count * 2, UINT32_C(64)), requests->slot_max);

	if (requests->slot_count >= requests->slot_max)
		return -EAGAIN;
	struct request_slot *slots = realloc(requests->slots, count * sizeof(*slots));

	if (slots == NULL)
		return -ENOMEM;
	for (uint32_t i = requests->slot_count; i < count; i++)
		slots[i] = (struct request_slot){.next_free = i + 1 < count ? i + 1 : NO_SLOT};
	requests->first_free = requests->slot_count;
	requests->slots = slots;
	requests->slot_count = count;
	return 0;
}

static struct bus_request *slot_take(struct requests *requests, uint32_t index)
{
	struct request_slot *slot = &requests->slots[index];
	struct bus_request *request = slot->request;

	slot->request = NULL;
	slot->generation++;
	slot->next_free = requests->first_free;
	requests->first_free = index;
	requests->in_flight--;
	return request;
}

/* NULL: it has its outcome already. */
static struct bus_request *slot_find(const struct requests *requests, uint64_t token)
{
	uint32_t index = (uint32_t)token - 1;

	if (index >= requests->slot_count || token != token_make(requests, index))
		return NULL;
	return requests->slots[index].request;
}

/* --- the table --- */

static int requests_add(struct bus *bus, struct bus_request *request)
{
	struct requests *requests = &bus->requests;
	int r = 0;

	pthread_mutex_lock(&requests->mutex);
	if (requests->in_flight >= requests->slot_max)
		r = -EAGAIN; /* the limit has become less than there are slots */
	else if (requests->first_free == NO_SLOT)
		r = slots_grow(requests);
	if (r == 0) {
		uint32_t index = requests->first_free;

		requests->first_free = requests->slots[index].next_free;
		requests->slots[index].request = request;
		request->token = token_make(requests, index);
		requests->in_flight++;
	}
	pthread_mutex_unlock(&requests->mutex);
	return r;
}

/* Whoever gets the request here, and nobody else, decides its outcome. */
static struct bus_request *requests_take(struct bus *bus, uint64_t token)
{
	struct requests *requests = &bus->requests;

	pthread_mutex_lock(&requests->mutex);
	struct bus_request *request = slot_find(requests, token);

	if (request != NULL)
		slot_take(requests, (uint32_t)token - 1);
	pthread_mutex_unlock(&requests->mutex);
	return request;
}

bool requests_is_waiting(struct bus *bus, uint64_t token)
{
	pthread_mutex_lock(&bus->requests.mutex);
	bool is_waiting = slot_find(&bus->requests, token) != NULL;

	pthread_mutex_unlock(&bus->requests.mutex);
	return is_waiting;
}

/* --- outcomes --- */

static const char *result_text(enum bus_result result)
{
	static const char *const texts[] = {
		[BUS_ANSWERED] = "answered",
		[BUS_STORED] = "stored",
		[BUS_TAKEN] = "taken",
		[BUS_NO_RESPONDERS] = "nobody is subscribed to the subject",
		[BUS_TIMED_OUT] = "no answer came in time",
		[BUS_DISCONNECTED] = "the broker is not connected",
		[BUS_REFUSED] = "the broker refused the message",
		[BUS_FORBIDDEN] = "the broker's permissions forbid it to this gateway; see /health",
		[BUS_NO_MEMORY] = "no room for the answer: too many bytes are waiting",
		[BUS_CANCELLED] = "cancelled",
	};

	return texts[result];
}

/* What a stream says: {"stream":"S","seq":1} or {"error":{"description":"..."}}. */
static enum bus_result stream_answer_read(struct slice body, char *reason, size_t reason_size)
{
	json_t *root = json_loadb((const char *)body.data, body.len, 0, NULL);
	const char *description = json_string_value(
		json_object_get(json_object_get(root, "error"), "description"));
	bool is_stored = description == NULL && json_is_string(json_object_get(root, "stream")) &&
			 json_is_integer(json_object_get(root, "seq"));

	if (!is_stored)
		snprintf(reason, reason_size, "%s",
			 description != NULL ? description : "the answer is not a stream's");
	json_decref(root);
	return is_stored ? BUS_STORED : BUS_REFUSED;
}

static void result_count(struct bus *bus, enum bus_result result)
{
	if (result == BUS_NO_RESPONDERS)
		BUS_COUNT(bus, no_responders);
	else if (result == BUS_TIMED_OUT)
		BUS_COUNT(bus, timeouts);
	else if (result == BUS_DISCONNECTED)
		BUS_COUNT(bus, disconnects);
}

/* In the loop's thread, with the request out of the table. */
static void request_finish(struct bus_request *request)
{
	struct bus_parcel *answer = request->answer;
	struct bus_outcome outcome = {request->result, NULL,
				      answer != NULL ? &answer->message : NULL};
	char reason[160] = "";

	loop_timer_stop(request->loop, &request->timer);
	if (request->is_durable && answer != NULL)
		outcome.result = stream_answer_read(answer->message.body, reason, sizeof(reason));
	if (outcome.result == BUS_STORED)
		outcome.answer = NULL;
	outcome.reason = reason[0] != 0 ? reason : result_text(outcome.result);
	result_count(request->bus, outcome.result);
	request->on_done(request, &outcome);
	parcel_unref(answer);
}

static void on_outcome(struct loop_task *task)
{
	request_finish(CONTAINER_OF(task, struct bus_request, task));
}

static void on_timeout(struct timer *timer)
{
	struct bus_request *request = CONTAINER_OF(timer, struct bus_request, timer);

	if (requests_take(request->bus, request->token) == NULL)
		return; /* its outcome is on its way */
	request->result = BUS_TIMED_OUT;
	request_finish(request);
}

static void outcome_post(struct bus_request *request, enum bus_result result)
{
	request->result = result;
	loop_post(request->loop, &request->task);
}

void requests_complete(struct bus *bus, uint64_t token, enum bus_result result)
{
	struct bus_request *request = requests_take(bus, token);

	if (request != NULL)
		outcome_post(request, result);
}

void requests_answer(struct bus *bus, uint64_t token, const struct bus_message *answer)
{
	struct bus_request *request = requests_take(bus, token);

	if (request == NULL)
		return;
	if (parcel_create(bus, &bus->stats.loop_pending_bytes, answer, 0, &request->answer) < 0) {
		outcome_post(request, BUS_NO_MEMORY);
		return;
	}
	parcel_fill(request->answer, answer, 0);
	outcome_post(request, BUS_ANSWERED);
}

void requests_settle(struct bus *bus, uint64_t token, bool is_delivered)
{
	struct bus_request *request = NULL;

	pthread_mutex_lock(&bus->requests.mutex);
	request = slot_find(&bus->requests, token);
	if (request != NULL && is_delivered && !request->is_durable)
		request = NULL; /* waits for the answer */
	if (request != NULL)
		slot_take(&bus->requests, (uint32_t)token - 1);
	pthread_mutex_unlock(&bus->requests.mutex);
	if (request != NULL)
		outcome_post(request, is_delivered ? BUS_STORED : BUS_NO_RESPONDERS);
}

void requests_taken(struct bus *bus, uint64_t token)
{
	pthread_mutex_lock(&bus->requests.mutex);
	struct bus_request *request = slot_find(&bus->requests, token);
	bool has_ended = request != NULL && request->is_checked;

	if (has_ended)
		slot_take(&bus->requests, (uint32_t)token - 1);
	pthread_mutex_unlock(&bus->requests.mutex);
	if (has_ended)
		outcome_post(request, BUS_TAKEN);
}

static void fail_many(struct bus *bus, enum bus_result result, bool is_answer_only)
{
	struct requests *requests = &bus->requests;

	pthread_mutex_lock(&requests->mutex);
	for (uint32_t i = 0; i < requests->slot_count; i++) {
		const struct bus_request *request = requests->slots[i].request;

		if (request != NULL && !(is_answer_only && request->is_checked))
			outcome_post(slot_take(requests, i), result);
	}
	pthread_mutex_unlock(&requests->mutex);
}

void requests_fail_all(struct bus *bus, enum bus_result result)
{
	fail_many(bus, result, false);
}

void requests_fail_answers(struct bus *bus, enum bus_result result)
{
	fail_many(bus, result, true);
}

uint64_t requests_token(const struct bus *bus, struct slice subject)
{
	uint64_t token = 0;

	if (subject.len != INBOX_LEN || memcmp(subject.data, bus->inbox, INBOX_PREFIX_LEN) != 0)
		return 0;
	struct slice digits = slice_of(subject.data + INBOX_PREFIX_LEN,
				       INBOX_LEN - INBOX_PREFIX_LEN);

	return hex_read(digits, &token) ? token : 0;
}

/* --- asking --- */

/* The message with its reply subject goes out. An error is returned only if the request
 * could be taken back: else its outcome is on its way. */
static int request_send(struct bus_request *request, const struct bus_message *message)
{
	struct bus *bus = request->bus;
	const struct bus_sending how = {.token = request->token, .may_wait = false};
	struct bus_message with_reply = *message;
	char inbox[INBOX_LEN + 1];

	snprintf(inbox, sizeof(inbox), "%s%016" PRIx64, bus->inbox, request->token);
	if (!request->is_checked)
		with_reply.reply = slice_of(inbox, INBOX_LEN);
	if (!request->is_checked && __atomic_load_n(&bus->has_no_inbox, __ATOMIC_RELAXED)) {
		requests_complete(bus, request->token, BUS_FORBIDDEN);
		return 0;
	}
	int r = bus->transport->publish(bus, &with_reply, &how);

	if (r == 0)
		return 0;
	if (r == -ENOTCONN)
		requests_complete(bus, request->token, BUS_DISCONNECTED);
	else if (requests_take(bus, request->token) != NULL)
		return r;
	return 0;
}

static int request_start(struct bus *bus, struct bus_request *request,
			 const struct bus_message *message, uint64_t timeout_ns)
{
	int r = message->reply.len > 0 ? -EINVAL : bus_message_check(bus, message);

	if (r < 0)
		return r;
	r = requests_add(bus, request);
	if (r == 0) {
		loop_timer_start(request->loop, &request->timer, timeout_ns);
		r = request_send(request, message);
	}
	if (r == 0) {
		BUS_COUNT(bus, requests);
		BUS_COUNT(bus, published);
		return 0;
	}
	loop_timer_stop(request->loop, &request->timer);
	if (r == -EAGAIN || r == -ENOBUFS)
		BUS_COUNT(bus, refused);
	return r;
}

int bus_request(struct bus *bus, struct bus_request *request, struct loop *loop,
		const struct bus_message *message, uint64_t timeout_ns,
		void (*on_done)(struct bus_request *request, const struct bus_outcome *outcome))
{
	*request = (struct bus_request){
		.task.run = on_outcome, .bus = bus, .loop = loop, .on_done = on_done};
	loop_timer_init(&request->timer, on_timeout);
	return request_start(bus, request, message, timeout_ns);
}

int bus_publish_durable(struct bus *bus, struct bus_request *request, struct loop *loop,
			const struct bus_message *message, struct slice message_id,
			struct slice stream, uint64_t timeout_ns,
			void (*on_done)(struct bus_request *request,
					const struct bus_outcome *outcome))
{
	struct bus_header headers[BUS_HEADERS_MAX];
	struct bus_message durable = *message;
	size_t count = message->header_count;

	if (count > BUS_HEADERS_MAX - 2 || message_id.len == 0)
		return -EINVAL;
	if (count > 0)
		memcpy(headers, message->headers, count * sizeof(headers[0]));
	headers[count++] = (struct bus_header){SLICE_LITERAL("Nats-Msg-Id"), message_id};
	if (stream.len > 0)
		headers[count++] = (struct bus_header){SLICE_LITERAL("Nats-Expected-Stream"),
						       stream};
	durable.headers = headers;
	durable.header_count = count;
	*request = (struct bus_request){.task.run = on_outcome,
					.bus = bus,
					.loop = loop,
					.on_done = on_done,
					.is_durable = true};
	loop_timer_init(&request->timer, on_timeout);
	return request_start(bus, request, &durable, timeout_ns);
}

int bus_publish_checked(struct bus *bus, struct bus_request *request, struct loop *loop,
			const struct bus_message *message, uint64_t timeout_ns,
			void (*on_done)(struct bus_request *request,
					const struct bus_outcome *outcome))
{
	*request = (struct bus_request){.task.run = on_outcome,
					.bus = bus,
					.loop = loop,
					.on_done = on_done,
					.is_checked = true};
	loop_timer_init(&request->timer, on_timeout);
	return request_start(bus, request, message, timeout_ns);
}

void bus_request_cancel(struct bus_request *request)
{
	requests_complete(request->bus, request->token, BUS_CANCELLED);
}

/* --- life --- */

void requests_init(struct bus *bus, uint32_t max)
{
	bus->requests = (struct requests){.slot_max = max, .first_free = NO_SLOT};
	pthread_mutex_init(&bus->requests.mutex, NULL);
}

void requests_set_max(struct bus *bus, uint32_t max)
{
	pthread_mutex_lock(&bus->requests.mutex);
	bus->requests.slot_max = max;
	pthread_mutex_unlock(&bus->requests.mutex);
}

void requests_finish(struct bus *bus)
{
	CHECK(bus->requests.in_flight == 0);
	free(bus->requests.slots);
	pthread_mutex_destroy(&bus->requests.mutex);
}
