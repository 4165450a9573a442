/* SPDX-License-Identifier: Apache-2.0
 * bus.h - messages by subject: inside this process, or through NATS.
 *
 * Layer: bus (may include base, io). Two implementations with one behaviour: embedded, and
 * a NATS broker. Subjects are exact, without wildcards (bus_subject.h makes them).
 *
 * Threads: publishing is safe from every thread and never blocks. A subscription and a
 * request belong to one loop: their functions are called in its thread, and their
 * callbacks come there, from loop_run only, never from inside the call that asked. No
 * lock is held meanwhile.
 *
 * Order: what one thread publishes to one subject arrives in that order.
 *
 * Memory: messages are copied once, however many subscribers they have here. The copies
 * that wait for loops are at most `pending_max` bytes, and so are those that wait for a
 * broker. Beyond it publishing says -ENOBUFS, and what comes from a broker is dropped and
 * counted: a broker takes no back pressure. All else a bus holds is per subscription and
 * per request. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"
#include "io/loop.h"

struct bus;
struct bus_parcel;
struct bus_topic;

#define BUS_HEADERS_MAX 64

/* The name is a token (RFC 9110, 5.6.2), its case matters. The value has at least one byte,
 * no control characters but tab, and neither begins nor ends with a space or tab. */
struct bus_header {
	struct slice name;
	struct slice value;
};

/* To publish: everything is copied. In a callback: lent until it returns, with headers
 * in any order of names. */
struct bus_message {
	struct slice subject;
	struct slice reply; /* where an answer goes; empty: none is wanted */
	const struct bus_header *headers;
	size_t header_count;
	struct slice body;
};

/* The value of the first header of this name; NULL data if there is none. */
struct slice bus_message_header(const struct bus_message *message, const char *name);

/* --- the bus --- */

struct bus_options {
	size_t pending_max;    /* [bytes] see above; 0: 64 MiB */
	uint32_t requests_max; /* in flight at once; 0: 65,536 */

	/* NATS only. The texts are copied. */
	const char *const *urls; /* "nats://host:port" or "tls://host:port"; the brokers of one
				  * cluster. With tls:// it is TLS or nothing */
	size_t url_count;
	const char *name; /* shown by the broker's monitoring; NULL: "gatehouse" */
	const char *user, *password, *token; /* NULL: none */
	const char *credentials_file;        /* JWT and seed, as `nsc` writes it; NULL: none */
	/* PEM, for tls:// only; read again for each connection. */
	const char *ca_file; /* whose certificates may have signed the broker's, besides those
			      * that the system trusts; NULL: only these */
	const char *cert_file, *key_file; /* shown to the broker; NULL, both or neither: none */
	uint64_t connect_timeout_ns;      /* 0: 2 s */
	uint64_t reconnect_min_ns;        /* the first wait; doubles up to the next; 0: 100 ms */
	uint64_t reconnect_max_ns;        /* 0: 5 s. Half of each wait is drawn at random */
	uint64_t ping_interval_ns;        /* two without answer: the broker is lost; 0: 10 s */
	/* Processes that have the same one share what the broker brings: each message goes to one
	 * of them (its queue group). A token; NULL: one of its own. */
	const char *family;
	uint64_t family_epoch; /* of the process before: bus_family_epoch; else 0 */
	/* It follows another process of its family: it subscribes to nothing, and publishes nothing
	 * that may wait, before bus_begin_subscribing and bus_begin_publishing. */
	bool is_successor;

	/* Called in a thread of the bus when bus_status has changed; may be NULL. It may
	 * read the status, log and post. The embedded bus never calls it. */
	void (*on_status)(void *arg);
	/* Likewise, each time that the broker forbids a subject; `text` is its word, lent. May be
	 * NULL. */
	void (*on_forbidden)(void *arg, const char *text);
	void *arg;
};

/* Returns 0 or -ENOMEM. */
int bus_create_embedded(const struct bus_options *options, struct bus **out_bus);

/* Whether the files for TLS can be used. False: `error` names the field, the file, and what to
 * do; it has nothing of their content. */
bool bus_tls_check(const struct bus_options *options, char *error, size_t error_size);

/* Connects in the background, for ever again; bus_status tells how it goes. Returns 0,
 * -ENOMEM, -EINVAL (no URL, or an option that the library refuses), or what
 * loop_create and pthread_create return. */
int bus_create_nats(const struct bus_options *options, struct bus **out_bus);

/* Every subscription must be closed, every request done, and no loop inside a callback of
 * the bus. What waits for the broker is sent if it is connected and takes it within a
 * second. NULL is fine. */
void bus_destroy(struct bus **bus);

struct bus_status {
	bool is_connected;
	char detail[256]; /* the broker, or why there is none */
	char broker[64];  /* its own name; "": none, or the bus is embedded */
	/* What the broker forbids of what was tried, in a sentence; "": nothing, as far as is
	 * known. Meanwhile the rest works. */
	char forbidden[320];
	bool is_deaf; /* it forbids subscriptions: what is asked here does not arrive */
};

void bus_status(struct bus *bus, struct bus_status *out_status);

/* From any thread: grows when another connection to a broker is made. A broker may take the one
 * before for alive, so those are no family any more: it would go on to give it messages. */
uint64_t bus_family_epoch(const struct bus *bus);

/* X(name, help); all only rise. */
#define BUS_COUNTERS(X)                                                                           \
	X(published, "messages accepted by bus_publish and bus_reply, and requests")              \
	X(delivered, "calls of on_message")                                                       \
	X(requests, "requests and durable messages sent")                                         \
	X(no_responders, "of these, failed because nobody is subscribed")                         \
	X(timeouts, "of these, not answered in time")                                             \
	X(disconnects, "of these, failed because the broker was lost")                            \
	X(refused, "messages refused with -ENOBUFS or -EAGAIN: pending_max or requests_max")      \
	X(dropped, "messages lost after they were accepted or received: no room, or the broker's" \
		   " limits")                                                                     \
	X(reconnects, "connections to a broker after the first")                                  \
	X(forbidden, "messages and subscriptions that the broker forbids (Permissions Violation)")

/* X(name, help); now. */
#define BUS_GAUGES(X)                                                                     \
	X(subscriptions, "open subscriptions")                                            \
	X(requests_in_flight, "requests without an outcome yet")                          \
	X(loop_pending_bytes, "messages that wait for a loop; at most pending_max")       \
	X(broker_pending_bytes, "messages that wait for the broker; at most pending_max") \
	X(forbidden_subjects, "subjects that the broker forbids, as far as is known; see the log")

#define BUS_STATS_FIELD(name, help) uint64_t name;
struct bus_stats {
	BUS_COUNTERS(BUS_STATS_FIELD)
	BUS_GAUGES(BUS_STATS_FIELD)
};

/* From any thread, both > 0. What waits, or is in flight, stays, also if it is more. */
void bus_set_limits(struct bus *bus, size_t pending_max, uint32_t requests_max);

void bus_stats(struct bus *bus, struct bus_stats *out_stats);

/* --- two processes of one family, of which the newer takes over from the older (0025) ---
 *
 * With the embedded bus nobody else exists, and all of this does nothing. */

/* Older: what the broker brings from now on waits, and is not dealt with; what was there before is
 * on its way to its loops. From any thread; returns when that is so. */
void bus_hold(struct bus *bus);

/* Older: nothing comes of it. What has waited is dealt with. */
void bus_release(struct bus *bus);

/* Where the older one's messages go. From any thread, in the order in which they came. */
struct bus_heir {
	void (*bring)(void *arg, const struct bus_message *message);
	void *arg;
};

/* Older, after bus_hold: what has waited, and what comes, is brought to the heir, and to whoever is
 * still subscribed here. The broker hears of no subscription that ends, before bus_leave. */
void bus_bequeath(struct bus *bus, const struct bus_heir *heir);

/* Older: the heir is subscribed. Ends what the broker has of subscriptions that have ended here,
 * and has the rest on a connection of its own. on_left comes once, in a thread of the bus, when the
 * last message has been brought; at the latest from bus_destroy. */
void bus_leave(struct bus *bus, void (*on_left)(void *arg), void *arg);

/* Newer: a message that the older one brings. As if the broker had; from any thread. */
void bus_bring(struct bus *bus, const struct bus_message *message);

/* Newer: its clients are its own; all that the older one has published has been sent. */
void bus_begin_subscribing(struct bus *bus);
void bus_begin_publishing(struct bus *bus);

/* --- publish --- */

/* 0: accepted; with no subscriber it goes nowhere, as in NATS. -EINVAL: a bad subject or
 * header. -EMSGSIZE: more than the broker takes (1 MiB with headers, if it says no
 * other). -ENOBUFS: pending_max is reached; try again later. -ENOMEM. */
int bus_publish(struct bus *bus, const struct bus_message *message);

/* Numbers that go up by one for a message. */
struct bus_fate {
	uint64_t *taken;       /* the broker has it; with the embedded bus: at once */
	uint64_t *forbidden;   /* by the broker: it is gone */
	uint64_t *unconfirmed; /* it was on its way when the broker was lost, and may be there */
};

/* As bus_publish; what becomes of the message is counted once it is known. They are touched
 * until bus_destroy. -EACCES: the broker forbids the subject, as it said before; try with
 * bus_publish_checked whether that has changed. */
int bus_publish_counted(struct bus *bus, const struct bus_message *message,
			const struct bus_fate *fate);

/* For what a later message makes up for: it waits for no broker, and is dropped if that is lost
 * in this moment. -ENOTCONN: there is none; else as bus_publish. */
int bus_publish_now(struct bus *bus, const struct bus_message *message);

/* Publishes `answer` to where `question` wants it; answer->subject is ignored. -EDESTADDRREQ
 * if it wants no answer, else as bus_publish. */
int bus_reply(struct bus *bus, const struct bus_message *question,
	      const struct bus_message *answer);

/* --- subscribe --- */

/* Lies in the subscriber's memory. No field is the caller's to touch. */
struct bus_subscription {
	struct loop *loop;
	struct bus_topic *topic;
	void (*on_message)(struct bus_subscription *sub, const struct bus_message *message);
	void (*on_closed)(struct bus_subscription *sub);
	union {
		struct list_node node; /* while subscribed: among the topic's */
		struct loop_task task; /* while closing */
	};
	uint32_t holders; /* atomic: itself, and every message on its way */
	bool is_closing;
};

/* Returns 0, -EINVAL (subject) or -ENOMEM. The embedded bus delivers from now on; NATS once
 * the broker knows, before anything that this thread publishes later. */
int bus_subscribe(struct bus *bus, struct bus_subscription *sub, struct loop *loop,
		  struct slice subject,
		  void (*on_message)(struct bus_subscription *sub,
				     const struct bus_message *message));

/* No on_message after this call. on_closed comes once; only then may the memory go. */
void bus_unsubscribe(struct bus_subscription *sub, void (*on_closed)(struct bus_subscription *sub));

/* --- request --- */

enum bus_result {
	BUS_ANSWERED,      /* outcome->answer is the first answer */
	BUS_STORED,        /* durable only: the stream has it (embedded: a subscriber had it) */
	BUS_TAKEN,         /* checked only: the broker has it */
	BUS_NO_RESPONDERS, /* nobody is subscribed, on any node */
	BUS_TIMED_OUT,
	BUS_DISCONNECTED, /* the broker is away, or was lost while waiting */
	BUS_REFUSED,      /* by the broker or its stream: see outcome->reason */
	BUS_FORBIDDEN,    /* by the broker's permissions: the message, or all answers */
	BUS_NO_MEMORY,    /* an answer came, and there was no room for it */
	BUS_CANCELLED,
};

struct bus_outcome {
	enum bus_result result;
	const char *reason;               /* for people, never NULL */
	const struct bus_message *answer; /* NULL but with BUS_ANSWERED and BUS_REFUSED */
};

/* Lies in the requester's memory. No field is the caller's to touch. */
struct bus_request {
	struct loop_task task;
	struct timer timer;
	struct bus *bus;
	struct loop *loop;
	void (*on_done)(struct bus_request *request, const struct bus_outcome *outcome);
	struct bus_parcel *answer;
	uint64_t token;
	enum bus_result result;
	bool is_durable;
	bool is_checked;
};

/* Publishes, and waits for the first answer. on_done comes once, in any case; only then may
 * the memory go. message->reply must be empty. When the broker is lost, requests in
 * flight fail at once. Later answers are ignored. Returns 0, what bus_publish returns, or
 * -EAGAIN if requests_max are in flight; then on_done does not come. */
int bus_request(struct bus *bus, struct bus_request *request, struct loop *loop,
		const struct bus_message *message, uint64_t timeout_ns,
		void (*on_done)(struct bus_request *request, const struct bus_outcome *outcome));

/* Publishes a message that counts as taken only when a JetStream stream has acknowledged
 * it: BUS_STORED. Sent again with the same `message_id`, it is stored once. `stream`, if
 * not empty, must be the stream that takes it. The rest is as with bus_request; at most
 * BUS_HEADERS_MAX - 2 headers. */
int bus_publish_durable(struct bus *bus, struct bus_request *request, struct loop *loop,
			const struct bus_message *message, struct slice message_id,
			struct slice stream, uint64_t timeout_ns,
			void (*on_done)(struct bus_request *request,
					const struct bus_outcome *outcome));

/* Publishes, and waits until it is known whether the broker has taken the message: BUS_TAKEN or
 * BUS_FORBIDDEN, if it is not lost before. Who answers is not waited for. */
int bus_publish_checked(struct bus *bus, struct bus_request *request, struct loop *loop,
			const struct bus_message *message, uint64_t timeout_ns,
			void (*on_done)(struct bus_request *request,
					const struct bus_outcome *outcome));

/* on_done still comes: with BUS_CANCELLED, or with what was there first. */
void bus_request_cancel(struct bus_request *request);
