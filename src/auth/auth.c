/* SPDX-License-Identifier: Apache-2.0
 * auth.c - asks all ways of a route.
 *
 * Each way is asked once, while the request is there. The first that is satisfied ends it, and what
 * others have begun is cancelled. If none is, but some said "later", the question goes on as an
 * inquiry, until one of these is satisfied or the last has said no. Of several that say no the one
 * that says most is passed on: a proof that was wrong before one that was missing. */
#include "auth/auth.h"

#include <stdlib.h>
#include <string.h>

#include "auth/pace.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"

/* Each kind of way may be there so many times, at some time. */
#define KINDS     5
#define SLOTS_MAX (KINDS * AUTH_WAYS_MAX)

/* What was counted of a route, from one configuration to the next. A slot is for the first, second,
 * ... way of a name. Made, shared and freed by the thread that makes lists. */
struct tally {
	uint32_t lists; /* that count in it */
	uint32_t slot_count;
	const char *names[SLOTS_MAX];
	/* Atomic. */
	uint64_t counts[SLOTS_MAX][AUTH_VERDICT_COUNT];
	uint64_t no_proof, left;
};

struct auth {
	const char *route;
	struct pace *pace;
	size_t count;
	bool is_left_to_backend;
	struct auth_way *ways[AUTH_WAYS_MAX];
	uint8_t slots[AUTH_WAYS_MAX]; /* of each way, in the tally */
	struct tally *tally;
};

struct asked {
	struct auth_pending pending;
	struct auth_inquiry *inquiry;
	bool is_pending;
};

struct auth_inquiry {
	struct auth *auth;
	auth_done_fn done;
	void *owner;
	struct net_ip client;
	char *client_id; /* of the path; NULL: none */
	size_t waiting;  /* `asked` that are pending */
	bool is_wrong;   /* something that was shown */
	/* The best of those that said no. */
	enum auth_verdict verdict;
	struct auth_result result;
	struct asked asked[AUTH_WAYS_MAX];
};

/* --- the list --- */

struct auth *auth_create(const char *route, struct pace *pace)
{
	struct auth *auth = calloc(1, sizeof(*auth));

	if (auth == NULL)
		return NULL;
	auth->route = route;
	auth->pace = pace;
	auth->tally = calloc(1, sizeof(*auth->tally));
	if (auth->tally == NULL) {
		free(auth);
		return NULL;
	}
	auth->tally->lists = 1;
	return auth;
}

static void tally_leave(struct tally *tally)
{
	CHECK(tally->lists > 0);
	if (--tally->lists == 0)
		free(tally);
}

void auth_destroy(struct auth **auth)
{
	struct auth *self = *auth;

	*auth = NULL;
	if (self == NULL)
		return;
	for (size_t i = 0; i < self->count; i++)
		self->ways[i]->ops->destroy(self->ways[i]);
	tally_leave(self->tally);
	free(self);
}

/* The slot of the n-th of this name, counted from 0. */
static size_t slot_find(struct tally *tally, const char *name, size_t n)
{
	for (size_t i = 0; i < tally->slot_count; i++)
		if (strcmp(tally->names[i], name) == 0 && n-- == 0)
			return i;
	CHECK(tally->slot_count < SLOTS_MAX);
	tally->names[tally->slot_count] = name;
	return tally->slot_count++;
}

static void slots_find(struct auth *auth)
{
	for (size_t i = 0; i < auth->count; i++) {
		const char *name = auth->ways[i]->ops->name;
		size_t n = 0;

		for (size_t k = 0; k < i; k++)
			n += strcmp(auth->ways[k]->ops->name, name) == 0;
		auth->slots[i] = (uint8_t)slot_find(auth->tally, name, n);
	}
}

void auth_continue(struct auth *auth, struct auth *older)
{
	older->tally->lists++;
	tally_leave(auth->tally);
	auth->tally = older->tally;
	slots_find(auth);
}

void auth_add(struct auth *auth, struct auth_way *way)
{
	CHECK(auth->count < AUTH_WAYS_MAX);
	size_t at = auth->count++;

	for (; at > 0 && auth->ways[at - 1]->ops->cost > way->ops->cost; at--)
		auth->ways[at] = auth->ways[at - 1];
	auth->ways[at] = way;
	slots_find(auth);
}

void auth_leave_to_backend(struct auth *auth)
{
	auth->is_left_to_backend = true;
}

bool auth_is_left_to_backend(const struct auth *auth)
{
	return auth->is_left_to_backend;
}

const struct auth_way *auth_way_at(const struct auth *auth, size_t index)
{
	return index < auth->count ? auth->ways[index] : NULL;
}

void auth_hide(const struct auth *auth, const struct http_head *head, uint8_t *data)
{
	for (size_t i = 0; i < auth->count; i++)
		if (auth->ways[i]->ops->hide != NULL)
			auth->ways[i]->ops->hide(auth->ways[i], head, data);
}

/* --- the question --- */

static bool is_wrong(enum auth_verdict verdict)
{
	return verdict == AUTH_WRONG || verdict == AUTH_FORBIDDEN;
}

/* How much a refusal says, so that the most telling of several is passed on. */
static int weight(enum auth_verdict verdict)
{
	static const int weights[AUTH_VERDICT_COUNT] = {
		[AUTH_NO_PROOF] = 1, [AUTH_WRONG] = 2,       [AUTH_FORBIDDEN] = 3,
		[AUTH_PACED] = 4,    [AUTH_UNAVAILABLE] = 5, [AUTH_BUSY] = 6,
	};

	CHECK(weights[verdict] > 0);
	return weights[verdict];
}

static void inquiry_free(struct auth_inquiry *inquiry)
{
	for (size_t i = 0; i < AUTH_WAYS_MAX; i++)
		if (inquiry->asked[i].is_pending)
			inquiry->asked[i].pending.cancel(&inquiry->asked[i].pending);
	auth_result_finish(&inquiry->result);
	free(inquiry->client_id);
	free(inquiry);
}

static void refusal_keep(struct auth_inquiry *inquiry, enum auth_verdict verdict,
			 struct auth_result *result)
{
	if (weight(verdict) <= weight(inquiry->verdict)) {
		auth_result_finish(result);
		return;
	}
	auth_result_finish(&inquiry->result);
	inquiry->verdict = verdict;
	inquiry->result = *result;
	*result = (struct auth_result){0};
}

enum auth_verdict auth_result_paced(struct auth_result *result, const struct pace *pace)
{
	result->current = result->max = pace_max(pace);
	return auth_result_set(result, AUTH_PACED, "auth_failures",
			       "Too many wrong proofs came from this address.");
}

/* Something that is wrong is counted, whatever else becomes of the question. False: it is over the
 * limit. */
static bool count_wrong(const struct auth_inquiry *inquiry)
{
	struct auth *auth = inquiry->auth;
	const struct pace_who who = {.address = inquiry->client,
				     .route = auth->route,
				     .now_ms = clock_now_ns() / NS_PER_MS};

	return !inquiry->is_wrong || pace_wrong_address(auth->pace, &who);
}

/* Who goes away before the answer has shown what it has shown. */
void auth_cancel(struct auth_inquiry **inquiry)
{
	if (*inquiry != NULL) {
		(void)count_wrong(*inquiry);
		inquiry_free(*inquiry);
	}
	*inquiry = NULL;
}

/* No way is satisfied. */
static enum auth_verdict refuse(struct auth_inquiry *inquiry)
{
	struct auth *auth = inquiry->auth;
	bool is_paced = !count_wrong(inquiry);

	if (auth->is_left_to_backend) {
		counter_add(&auth->tally->left, 1);
		auth_result_finish(&inquiry->result);
		return AUTH_PROVED;
	}
	if (inquiry->verdict == AUTH_NO_PROOF) {
		counter_add(&auth->tally->no_proof, 1);
		auth_result_set(&inquiry->result, AUTH_NO_PROOF, "no_proof",
				"This route is for clients that prove who they are, and the "
				"request has no proof of any kind that it takes.");
	}
	/* Beyond the limit nothing is said of it. */
	if (is_paced && is_wrong(inquiry->verdict))
		inquiry->verdict = auth_result_paced(&inquiry->result, auth->pace);
	return inquiry->verdict;
}

/* What one way says. True: the question is answered, by *verdict and *result. */
static bool take_verdict(struct auth_inquiry *inquiry, size_t index, enum auth_verdict *verdict,
			 struct auth_result *result)
{
	struct auth *auth = inquiry->auth;

	if (*verdict == AUTH_PROVED)
		*verdict = auth_proof_check(inquiry->client_id, result);
	result->way = *verdict == AUTH_NO_PROOF ? NULL : auth->ways[index];
	if (*verdict != AUTH_NO_PROOF)
		counter_add(&auth->tally->counts[auth->slots[index]][*verdict], 1);
	if (*verdict == AUTH_PROVED)
		return true;
	inquiry->is_wrong |= is_wrong(*verdict);
	refusal_keep(inquiry, *verdict, result);
	return false;
}

void auth_pending_done(struct auth_pending *pending, enum auth_verdict verdict,
		       struct auth_result *result)
{
	struct asked *asked = CONTAINER_OF(pending, struct asked, pending);
	struct auth_inquiry *inquiry = asked->inquiry;

	CHECK(asked->is_pending && verdict != AUTH_LATER);
	asked->is_pending = false;
	inquiry->waiting--;
	bool is_answered = take_verdict(inquiry, (size_t)(asked - inquiry->asked), &verdict,
					result);

	if (!is_answered && inquiry->waiting > 0)
		return;
	if (!is_answered) {
		verdict = refuse(inquiry);
		*result = inquiry->result;
		inquiry->result = (struct auth_result){0};
	}
	auth_done_fn done = inquiry->done;
	void *owner = inquiry->owner;

	inquiry_free(inquiry);
	done(owner, verdict, result);
	auth_result_finish(result);
}

/* AUTH_LATER: some way waits. */
static enum auth_verdict ask_all(struct auth_inquiry *inquiry, const struct auth_request *request,
				 struct auth_result *out_result)
{
	struct auth *auth = inquiry->auth;

	for (size_t i = 0; i < auth->count; i++) {
		struct asked *asked = &inquiry->asked[i];
		struct auth_result result = {0};
		enum auth_verdict verdict = auth->ways[i]->ops->check(auth->ways[i], request,
								      &result, &asked->pending);

		if (verdict == AUTH_LATER) {
			CHECK(asked->pending.cancel != NULL);
			asked->inquiry = inquiry;
			asked->is_pending = true;
			inquiry->waiting++;
		} else if (take_verdict(inquiry, i, &verdict, &result)) {
			*out_result = result;
			return verdict;
		}
	}
	if (inquiry->waiting > 0)
		return AUTH_LATER;
	enum auth_verdict verdict = refuse(inquiry);

	*out_result = inquiry->result;
	inquiry->result = (struct auth_result){0};
	return verdict;
}

enum auth_verdict auth_ask(struct auth *auth, const struct auth_request *request, auth_done_fn done,
			   void *owner, struct auth_result *out_result,
			   struct auth_inquiry **out_inquiry)
{
	struct auth_inquiry *inquiry = calloc(1, sizeof(*inquiry));
	char *client_id = request->client_id == NULL ? NULL : strdup(request->client_id);

	if (inquiry == NULL || (request->client_id != NULL && client_id == NULL)) {
		free(inquiry);
		free(client_id);
		return auth_result_set(out_result, AUTH_UNAVAILABLE, "out_of_memory",
				       "The gateway is out of memory.");
	}
	*inquiry = (struct auth_inquiry){.auth = auth,
					 .done = done,
					 .owner = owner,
					 .client = request->client,
					 .client_id = client_id,
					 .verdict = AUTH_NO_PROOF};
	enum auth_verdict verdict = ask_all(inquiry, request, out_result);

	if (verdict == AUTH_LATER)
		*out_inquiry = inquiry;
	else
		inquiry_free(inquiry);
	return verdict;
}

/* --- what was found --- */

uint64_t auth_count(const struct auth *auth, size_t index, enum auth_verdict verdict)
{
	CHECK(index < auth->count && verdict < AUTH_VERDICT_COUNT);
	return counter_read(&auth->tally->counts[auth->slots[index]][verdict]);
}

uint64_t auth_count_no_proof(const struct auth *auth)
{
	return counter_read(&auth->tally->no_proof);
}

uint64_t auth_count_left(const struct auth *auth)
{
	return counter_read(&auth->tally->left);
}
