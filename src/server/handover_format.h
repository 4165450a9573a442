/* SPDX-License-Identifier: Apache-2.0
 * handover_format.h - the words of the two processes of a handover, in the order in which they are
 * said.
 *
 * Layer: server, for handover_*.c and worker_*.c. Bodies are fields (base/state.h): an older and a
 * newer version understand each other as long as HANDOVER_FORMAT is the same. It changes only
 * where nothing else helps; then there is no handover between the two, and the old process says
 * so and goes on. Numbers are never used for something else. */
#pragma once

#define HANDOVER_FORMAT UINT64_C(1)

/* The variable by which the new process learns the number of its end. */
#define HANDOVER_VARIABLE "GATEHOUSE_HANDOVER_FD"

enum handover_kind {
	HANDOVER_HELLO = 1,  /* new: its format and version */
	HANDOVER_DOORS = 2,  /* old: listening sockets, up to HANDOVER_FDS_MAX in one */
	HANDOVER_OFFER = 3,  /* old: that were all, and what else the new one must know to start */
	HANDOVER_READY = 4,  /* new: it has started, and stands still */
	HANDOVER_CONNS = 5,  /* old: connections, each with its descriptor */
	HANDOVER_STATE = 6,  /* old: that were all, and the state of the whole */
	HANDOVER_TAKEN = 7,  /* new: it has all but those that it names */
	HANDOVER_COMMIT = 8, /* old: they are yours */
	HANDOVER_THANKS = 9, /* new: they are mine. Until this is sent it has moved nothing. */
	HANDOVER_REFUSED = 10,  /* new: why it cannot; it ends */
	HANDOVER_GIVEN_UP = 11, /* old: it goes on itself; the new one ends */
	HANDOVER_TELL = 12,     /* either, after THANKS: what came for what the other has */
	HANDOVER_END = 13,      /* old: it ends, and these are its last counts */
};

/* HELLO, OFFER */
enum handover_hello_tag {
	HANDOVER_TAG_FORMAT = 1,  /* number */
	HANDOVER_TAG_VERSION = 2, /* text */
	HANDOVER_TAG_PID = 3,
	HANDOVER_TAG_DEADLINE = 4,   /* [ms] left until the old one gives up */
	HANDOVER_TAG_HAS_BUS = 5,    /* the old one is connected to its broker */
	HANDOVER_TAG_HAS_KEYS = 6,   /* the old one has keys for all its tokens */
	HANDOVER_TAG_ORIGIN = 7,     /* text: fleet->origin */
	HANDOVER_TAG_RUN_ID = 9,     /* text: what ids of events begin with */
	HANDOVER_TAG_BUS_EPOCH = 10, /* number: bus_family_epoch */
	HANDOVER_TAG_LAST_ID = 8,    /* the highest connection_id so far */
};

/* DOORS: one record for each descriptor, in their order. */
enum handover_door_tag {
	HANDOVER_TAG_DOOR = 1,  /* record */
	HANDOVER_TAG_PLACE = 2, /* text: the address as it is configured */
	HANDOVER_TAG_IS_ADMIN = 3,
	HANDOVER_TAG_IPV6_ONLY = 4,
	HANDOVER_TAG_DEVICE = 5, /* of a unix socket's file */
	HANDOVER_TAG_INODE = 6,
};

/* CONNS: one record for each descriptor, in their order, and before them by which listener they
 * came, which stays the same until there is another. TAKEN has marks. */
enum handover_conn_tag {
	HANDOVER_TAG_CONN = 1,  /* record */
	HANDOVER_TAG_MARK = 2,  /* the old one's number for it */
	HANDOVER_TAG_STATE = 3, /* record, of conn_export */
	HANDOVER_TAG_LISTENER =
		4, /* text: its address as it is configured. Empty, or left out: unknown */
};

/* REFUSED, GIVEN_UP */
enum handover_why_tag {
	HANDOVER_TAG_WHY = 1,     /* text: a sentence */
	HANDOVER_TAG_OUTCOME = 2, /* number of enum handover_outcome, where it is one of these */
};

/* STATE, END */
enum handover_state_tag {
	HANDOVER_TAG_EXTRA = 1,   /* bytes of whoever made the server: counters */
	HANDOVER_TAG_TICKETS = 2, /* record, of tickets_export */
	HANDOVER_TAG_TLS = 3,     /* record: of one listener with TLS */
	HANDOVER_TAG_BLOCKS = 4,  /* record, of blocks_export */
	HANDOVER_TAG_ACCEPTS = 5, /* number, of accept_rate_export */
	HANDOVER_TAG_PACE = 6,    /* record, of pace_export */
};

enum handover_tls_tag {
	HANDOVER_TAG_TLS_PLACE = 1,   /* text: the address as it is configured */
	HANDOVER_TAG_TLS_KEYS = 2,    /* bytes: what seals its session tickets, newest first */
	HANDOVER_TAG_TLS_KEY_AGE = 3, /* [ns] of the newest */
};
