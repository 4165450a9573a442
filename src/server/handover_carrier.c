/* SPDX-License-Identifier: Apache-2.0
 * handover_carrier.c - closed, prepared (what is sent waits), open, and closed again. A thread
 * speaks: it empties the queue into the channel. Another hears: until the other process has ended,
 * which it tells once. */
#include "server/handover_carrier.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/state.h"
#include "server/handover_channel.h"
#include "server/handover_format.h"

/* For the other process to take one message. */
#define SPEAK_NS (10 * NS_PER_S)

struct word {
	struct word *next;
	uint16_t kind; /* of the message */
	struct buf body;
};

struct handover_carrier {
	struct handover_channel channel;
	struct handover_ear ear;
	pthread_t speaker, hearer;
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t changed;
	struct word *first, *last;
	bool takes;      /* what is sent */
	bool is_open;    /* there are threads */
	bool is_closing; /* the speaker ends when the queue is empty */
	bool has_ended;  /* atomic: the other has */
};

/* --- sending --- */

static void word_free(struct word *word)
{
	state_wipe(&word->body);
	free(word);
}

/* Takes over the word. False: nobody hears it. */
static bool queue_put(struct handover_carrier *self, struct word *word)
{
	pthread_mutex_lock(&self->mutex);
	bool takes = self->takes && !self->has_ended;

	if (takes) {
		if (self->first == NULL)
			self->first = word;
		else
			self->last->next = word;
		self->last = word;
		pthread_cond_signal(&self->changed);
	}
	pthread_mutex_unlock(&self->mutex);
	if (!takes)
		word_free(word);
	return takes;
}

static bool send(struct handover_carrier *self, uint16_t kind, struct slice body)
{
	struct word *word = calloc(1, sizeof(*word));

	if (word == NULL)
		return false;
	word->kind = kind;
	if (buf_append(&word->body, body.data, body.len, HANDOVER_MESSAGE_MAX) == 0)
		return queue_put(self, word);
	word_free(word);
	return false;
}

bool handover_carrier_send(struct handover_carrier *carrier, struct slice bytes)
{
	return send(carrier, HANDOVER_TELL, bytes);
}

void handover_carrier_send_last(struct handover_carrier *carrier, struct slice body)
{
	send(carrier, HANDOVER_END, body);
}

/* --- the speaker --- */

/* NULL: it is to end. */
static struct word *queue_take(struct handover_carrier *self)
{
	pthread_mutex_lock(&self->mutex);
	while (self->first == NULL && !self->is_closing)
		pthread_cond_wait(&self->changed, &self->mutex);
	struct word *word = self->first;

	if (word != NULL)
		self->first = word->next;
	pthread_mutex_unlock(&self->mutex);
	return word;
}

static void *speak(void *arg)
{
	struct handover_carrier *self = arg;
	struct word *word;

	while ((word = queue_take(self)) != NULL) {
		int r = handover_send(&self->channel, word->kind, buf_slice(&word->body), NULL, 0,
				      clock_now_ns() + SPEAK_NS);

		word_free(word);
		if (r < 0) {
			/* Half of a message may have left: the other must not go on reading. */
			handover_channel_cut(&self->channel);
			break;
		}
	}
	return NULL;
}

/* --- the hearer --- */

static void *hear(void *arg)
{
	struct handover_carrier *self = arg;
	struct handover_message message;
	int r;

	for (;;) {
		r = handover_receive(&self->channel, &message, clock_now_ns() + SPEAK_NS);
		if (r == -ETIMEDOUT)
			continue;
		if (r != 1)
			break;
		if (message.kind == HANDOVER_TELL)
			self->ear.on_told(self->ear.arg, buf_slice(&message.body));
		else if (message.kind == HANDOVER_END && self->ear.on_last != NULL)
			self->ear.on_last(self->ear.arg, buf_slice(&message.body));
		handover_message_finish(&message);
	}
	pthread_mutex_lock(&self->mutex);
	self->has_ended = true;
	pthread_mutex_unlock(&self->mutex);
	self->ear.on_end(self->ear.arg);
	return NULL;
}

/* --- life --- */

struct handover_carrier *handover_carrier_create(void)
{
	struct handover_carrier *self = calloc(1, sizeof(*self));

	if (self == NULL)
		return NULL;
	self->channel.fd = -1;
	self->has_ended = true;
	pthread_mutex_init(&self->mutex, NULL);
	pthread_cond_init(&self->changed, NULL);
	return self;
}

void handover_carrier_destroy(struct handover_carrier **carrier)
{
	struct handover_carrier *self = *carrier;

	if (self == NULL)
		return;
	CHECK(!self->is_open);
	handover_carrier_cancel(self);
	pthread_mutex_destroy(&self->mutex);
	pthread_cond_destroy(&self->changed);
	free(self);
	*carrier = NULL;
}

void handover_carrier_prepare(struct handover_carrier *carrier)
{
	pthread_mutex_lock(&carrier->mutex);
	carrier->takes = true;
	carrier->has_ended = false;
	carrier->is_closing = false;
	pthread_mutex_unlock(&carrier->mutex);
}

void handover_carrier_cancel(struct handover_carrier *carrier)
{
	pthread_mutex_lock(&carrier->mutex);
	carrier->takes = false;
	carrier->has_ended = true;
	struct word *word = carrier->first;

	carrier->first = NULL;
	pthread_mutex_unlock(&carrier->mutex);
	while (word != NULL) {
		struct word *next = word->next;

		word_free(word);
		word = next;
	}
}

bool handover_carrier_open(struct handover_carrier *carrier, struct handover_channel *channel,
			   const struct handover_ear *ear)
{
	CHECK(!carrier->is_open && carrier->takes);
	handover_channel_move(channel, &carrier->channel);
	carrier->ear = *ear;
	if (pthread_create(&carrier->speaker, NULL, speak, carrier) != 0) {
		handover_channel_finish(&carrier->channel);
		handover_carrier_cancel(carrier);
		ear->on_end(ear->arg);
		return false;
	}
	carrier->is_open = true;
	if (pthread_create(&carrier->hearer, NULL, hear, carrier) == 0)
		return true;
	handover_channel_cut(&carrier->channel);
	carrier->hearer = carrier->speaker; /* there is none */
	handover_carrier_close(carrier);
	ear->on_end(ear->arg);
	return false;
}

bool handover_carrier_has_ended(const struct handover_carrier *carrier)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&carrier->mutex;

	pthread_mutex_lock(mutex);
	bool has_ended = carrier->has_ended;
	pthread_mutex_unlock(mutex);
	return has_ended;
}

void handover_carrier_close(struct handover_carrier *carrier)
{
	if (!carrier->is_open)
		return;
	pthread_mutex_lock(&carrier->mutex);
	carrier->is_closing = true;
	pthread_cond_signal(&carrier->changed);
	pthread_mutex_unlock(&carrier->mutex);
	pthread_join(carrier->speaker, NULL);
	handover_channel_cut(&carrier->channel);
	if (!pthread_equal(carrier->hearer, carrier->speaker))
		pthread_join(carrier->hearer, NULL);
	handover_channel_finish(&carrier->channel);
	carrier->is_open = false;
	handover_carrier_cancel(carrier);
}
