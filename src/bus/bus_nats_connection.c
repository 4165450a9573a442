/* SPDX-License-Identifier: Apache-2.0
 * What calls libnats, and what it calls.
 *
 * libnats gives no word on when the last callback of a connection has returned. So a
 * callback knows its connection by a number only, and finds it in a list, under a lock,
 * as long as it is there. The lock is taken by libnats's one delivery thread for each
 * message, and by hardly anybody else. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "bus/bus_nats.h"
#include "bus/deadline.h"

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t closed;
	struct list_node links;
	uint64_t last_serial;
} live = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {&live.links, &live.links}, 0};

/* With the lock held. NULL: closed. */
static struct nats_link *link_find(const void *closure)
{
	for (struct list_node *node = live.links.next; node != &live.links; node = node->next) {
		struct nats_link *link = CONTAINER_OF(node, struct nats_link, node);

		if (link->serial == (uintptr_t)closure)
			return link;
	}
	return NULL;
}

static void *link_closure(const struct nats_link *link)
{
	return (void *)(uintptr_t)link->serial;
}

static void link_add(struct nats_link *link)
{
	pthread_mutex_lock(&live.mutex);
	link->serial = ++live.last_serial;
	list_append(&live.links, &link->node);
	pthread_mutex_unlock(&live.mutex);
}

static void link_remove(struct nats_link *link)
{
	pthread_mutex_lock(&live.mutex);
	list_remove(&link->node);
	pthread_mutex_unlock(&live.mutex);
}

/* --- callbacks, on threads of libnats --- */

/* Returns the count with the values of one name added, or -1 if they are too many. */
static int values_add(natsMsg *msg, const char *name, struct bus_header *headers, int count)
{
	const char **values;
	int value_count;

	if (natsMsgHeader_Values(msg, name, &values, &value_count) != NATS_OK)
		return count;
	for (int i = 0; i < value_count && count >= 0; i++) {
		if (count == BUS_HEADERS_MAX) {
			count = -1;
			break;
		}
		headers[count++] = (struct bus_header){slice_from_text(name),
						       slice_from_text(values[i])};
	}
	free(values);
	return count;
}

/* The slices lie in `msg`. Returns how many, or -1 if they are too many. */
static int headers_read(natsMsg *msg, struct bus_header *headers)
{
	const char **names;
	int name_count, count = 0;

	if (natsMsgHeader_Keys(msg, &names, &name_count) != NATS_OK)
		return 0;
	for (int i = 0; i < name_count && count >= 0; i++)
		count = values_add(msg, names[i], headers, count);
	free(names);
	return count;
}

static bool message_read(natsMsg *msg, struct bus_header *headers, struct bus_message *out_message)
{
	int count = headers_read(msg, headers);
	const char *reply = natsMsg_GetReply(msg);

	if (count < 0)
		return false;
	*out_message = (struct bus_message){
		.subject = slice_from_text(natsMsg_GetSubject(msg)),
		.reply = slice_from_text(reply != NULL ? reply : ""),
		.headers = headers,
		.header_count = (size_t)count,
		.body = slice_of(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)),
	};
	return true;
}

static void on_topic_message(natsConnection *connection, natsSubscription *subscription,
			     natsMsg *msg, void *closure)
{
	struct bus_header headers[BUS_HEADERS_MAX];
	struct bus_message message;

	(void)connection;
	(void)subscription;
	pthread_mutex_lock(&live.mutex);
	struct nats_link *link = link_find(closure);

	if (link != NULL && message_read(msg, headers, &message))
		inflow_take(&link->nats->bus, &message);
	else if (link != NULL)
		BUS_COUNT(&link->nats->bus, dropped);
	pthread_mutex_unlock(&live.mutex);
	natsMsg_Destroy(msg);
}

static void answer_take(struct bus *bus, natsMsg *msg)
{
	struct bus_header headers[BUS_HEADERS_MAX];
	struct bus_message message;
	uint64_t token = requests_token(bus, slice_from_text(natsMsg_GetSubject(msg)));

	if (natsMsg_IsNoResponders(msg))
		requests_complete(bus, token, BUS_NO_RESPONDERS);
	else if (message_read(msg, headers, &message))
		requests_answer(bus, token, &message);
	else
		requests_complete(bus, token, BUS_NO_MEMORY);
}

static void on_inbox_message(natsConnection *connection, natsSubscription *subscription,
			     natsMsg *msg, void *closure)
{
	(void)connection;
	(void)subscription;
	pthread_mutex_lock(&live.mutex);
	struct nats_link *link = link_find(closure);

	if (link != NULL)
		answer_take(&link->nats->bus, msg);
	pthread_mutex_unlock(&live.mutex);
	natsMsg_Destroy(msg);
}

static void on_closed(natsConnection *connection, void *closure)
{
	(void)connection;
	pthread_mutex_lock(&live.mutex);
	struct nats_link *link = link_find(closure);

	if (link != NULL) {
		link->is_closed = true;
		pthread_cond_broadcast(&live.closed);
	}
	if (link != NULL && link->is_leaving) {
		loop_post(link->nats->loop, &link->nats->left);
	} else if (link != NULL) {
		link->nats->lost_serial = link->serial;
		if (!link->nats->is_lost_posted)
			loop_post(link->nats->loop, &link->nats->lost);
		link->nats->is_lost_posted = true;
	}
	pthread_mutex_unlock(&live.mutex);
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
		     void *closure)
{
	/* libnats gives the error that this is about to the thread; that of the connection may be
	 * a later one already. */
	const char *said = nats_GetLastError(NULL), *text = NULL;
	enum forbidden_kind kind;
	struct slice subject;

	(void)subscription;
	natsConnection_GetLastError(connection, &text);
	pthread_mutex_lock(&live.mutex);
	struct nats_link *link = link_find(closure);

	/* At least one message is gone; libnats does not tell of each. */
	if (link != NULL && status == NATS_SLOW_CONSUMER)
		BUS_COUNT(&link->nats->bus, dropped);
	else if (link != NULL && status == NATS_NOT_PERMITTED && said != NULL &&
		 bus_forbidden_parse(slice_from_text(said), &kind, &subject))
		nats_settle_forbidden(link->nats, kind, subject, said);
	else if (link != NULL)
		bus_nats_complain(link->nats,
				  text != NULL && *text != 0 ? text : natsStatus_GetText(status));
	pthread_mutex_unlock(&live.mutex);
}

bool nats_link_has_fault(const struct nats_link *link, char *out, size_t size)
{
	const char *text = NULL;

	if (natsConnection_GetLastError(link->connection, &text) == NATS_OK)
		return false;
	snprintf(out, size, "%s", text != NULL ? text : "");
	return true;
}

bool nats_link_is_lost(struct bus_nats *nats)
{
	pthread_mutex_lock(&live.mutex);
	bool is_lost = nats->link.connection != NULL && nats->lost_serial == nats->link.serial;

	nats->is_lost_posted = false;
	pthread_mutex_unlock(&live.mutex);
	return is_lost;
}

/* --- opening and closing --- */

/* What libnats ends in time itself is ended by it, which tells more. */
#define GRACE_NS (100 * NS_PER_MS)

static natsStatus inbox_subscribe(struct nats_link *link)
{
	char inbox[INBOX_LEN + 1];

	snprintf(inbox, sizeof(inbox), "%s*", link->nats->bus.inbox);
	return natsConnection_Subscribe(&link->inbox, link->connection, inbox, on_inbox_message,
					link_closure(link));
}

static natsStatus link_connect(struct nats_link *link, natsOptions *options)
{
	void *closure = link_closure(link);
	natsStatus s = natsOptions_SetClosedCB(options, on_closed, closure);

	if (s == NATS_OK)
		s = natsOptions_SetErrorHandler(options, on_error, closure);
	if (s == NATS_OK)
		s = natsConnection_Connect(&link->connection, options);
	return s == NATS_OK ? inbox_subscribe(link) : s;
}

/* As link_connect, but it ends in time whatever the broker does. */
static bool link_connect_in_time(struct nats_link *link, natsOptions *options,
				 struct nats_failure *out_failure)
{
	uint64_t start_ns = clock_now_ns();
	uint64_t timeout_ns = link->nats->options.connect_timeout_ns;
	struct deadline deadline;
	int r = deadline_start(&deadline, timeout_ns + GRACE_NS);

	if (r < 0) {
		snprintf(out_failure->reason, sizeof(out_failure->reason), "no timer: %s",
			 strerror(-r));
		return false;
	}
	natsStatus s = link_connect(link, options);

	deadline_stop(&deadline);
	if (s != NATS_OK)
		nats_failure_explain(s, clock_now_ns() - start_ns >= timeout_ns, out_failure);
	return s == NATS_OK;
}

void nats_link_swap(struct nats_link *link, struct nats_link *leaving)
{
	pthread_mutex_lock(&live.mutex);
	list_remove(&link->node);
	list_remove(&leaving->node);
	struct nats_link older = *link;

	*link = *leaving;
	*leaving = older;
	list_append(&live.links, &link->node);
	list_append(&live.links, &leaving->node);
	leaving->is_leaving = true;
	bool is_closed = leaving->is_closed;

	pthread_mutex_unlock(&live.mutex);
	if (is_closed)
		loop_post(link->nats->loop, &link->nats->left);
}

static bool link_open(struct nats_link *link, struct bus_nats *nats, const char *url,
		      struct nats_failure *out_failure)
{
	*out_failure = (struct nats_failure){.was_reached = true};
	natsOptions *options;

	if (nats_options_create(&nats->options, url, &options, out_failure->reason,
				sizeof(out_failure->reason)) < 0)
		return false;
	*link = (struct nats_link){.nats = nats, .is_tls = nats_url_is_tls(url)};
	link_add(link);
	bool is_open = link_connect_in_time(link, options, out_failure);

	natsOptions_Destroy(options);
	if (!is_open)
		nats_link_close(link);
	return is_open;
}

/* What a broker that answers has against us says more than that others are away. Of several the
 * same is told each time, whatever their order. */
static bool tells_more(const struct nats_failure *failure, const struct nats_failure *than)
{
	if (failure->was_reached != than->was_reached)
		return failure->was_reached;
	return than->reason[0] == 0 || strcmp(failure->reason, than->reason) < 0;
}

bool nats_link_open(struct nats_link *link, struct bus_nats *nats, struct nats_failure *out_failure)
{
	const struct bus_options *options = &nats->options;

	*out_failure = (struct nats_failure){0};
	nats_urls_shuffle(&nats->options);
	for (size_t i = 0; i < options->url_count; i++) {
		struct nats_failure failure;

		if (link_open(link, nats, options->urls[i], &failure))
			return true;
		if (tells_more(&failure, out_failure))
			*out_failure = failure;
	}
	return false;
}

static void ended_free(struct nats_link *link)
{
	while (link->ended_count > 0)
		natsSubscription_Destroy(link->ended[--link->ended_count]);
}

#define CLOSE_S 2

/* natsConnection_Close returns at once if another thread of libnats closes already, and that one
 * may still wait for the one that reads. The callback comes behind it. */
static void close_and_wait(struct nats_link *link)
{
	struct timespec until;

	if (link->connection == NULL)
		return;
	natsConnection_Close(link->connection);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_S;
	pthread_mutex_lock(&live.mutex);
	while (!link->is_closed && pthread_cond_timedwait(&live.closed, &live.mutex, &until) == 0)
		;
	pthread_mutex_unlock(&live.mutex);
}

void nats_link_close(struct nats_link *link)
{
	close_and_wait(link);
	link_remove(link);
	ended_free(link);
	natsSubscription_Destroy(link->inbox);
	natsConnection_Destroy(link->connection);
	link->inbox = NULL;
	link->connection = NULL;
}

void nats_link_url(const struct nats_link *link, char *out, size_t size)
{
	char url[256] = "";

	natsConnection_GetConnectedUrl(link->connection, url, sizeof(url));
	const char *host = strrchr(url, '@');
	const char *plain = strstr(url, "://");

	host = host != NULL ? host + 1 : plain != NULL ? plain + 3 : url;
	snprintf(out, size, "%s", host);
}

/* --- using it --- */

natsStatus nats_link_subscribe(struct nats_link *link, const char *subject,
			       natsSubscription **out_subscription)
{
	return natsConnection_QueueSubscribe(out_subscription, link->connection, subject,
					     link->nats->queue_group, on_topic_message,
					     link_closure(link));
}

natsStatus nats_link_resubscribe_inbox(struct nats_link *link)
{
	nats_link_unsubscribe(link, link->inbox);
	link->inbox = NULL;
	return inbox_subscribe(link);
}

/* The thread of libnats that reads finds the subscription of a message and uses it without
 * holding it (3.4 does): what is freed at once may be in its hands. It reads in order, so
 * after the answer to a later ping it has done with it. */
void nats_link_unsubscribe(struct nats_link *link, natsSubscription *subscription)
{
	if (subscription == NULL)
		return;
	natsSubscription_Unsubscribe(subscription);
	link->ended[link->ended_count++] = subscription;
	if (link->ended_count < NATS_ENDED_MAX)
		return;
	if (nats_link_flush(link, NATS_WRITE_DEADLINE_MS) != NATS_OK) {
		close_and_wait(link);
		ended_free(link);
	}
}

natsStatus nats_link_flush(struct nats_link *link, unsigned timeout_ms)
{
	natsStatus s = natsConnection_FlushTimeout(link->connection, timeout_ms);

	if (s == NATS_OK)
		ended_free(link);
	return s;
}

/* The texts of a parcel end with a NUL. */
static const char *text_of(struct slice text)
{
	return (const char *)text.data;
}

natsStatus nats_link_send(struct nats_link *link, const struct bus_message *message)
{
	const char *reply = message->reply.len > 0 ? text_of(message->reply) : NULL;
	int body_len = (int)message->body.len;
	natsMsg *msg;

	if (message->header_count == 0 && reply == NULL)
		return natsConnection_Publish(link->connection, text_of(message->subject),
					      message->body.data, body_len);
	if (message->header_count == 0)
		return natsConnection_PublishRequest(link->connection, text_of(message->subject),
						     reply, message->body.data, body_len);
	natsStatus s = natsMsg_Create(&msg, text_of(message->subject), reply,
				      text_of(message->body), body_len);

	if (s != NATS_OK)
		return s;
	for (size_t i = 0; s == NATS_OK && i < message->header_count; i++)
		s = natsMsgHeader_Add(msg, text_of(message->headers[i].name),
				      text_of(message->headers[i].value));
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(link->connection, msg);
	natsMsg_Destroy(msg);
	return s;
}
