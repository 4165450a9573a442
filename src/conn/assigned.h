/* SPDX-License-Identifier: Apache-2.0
 * assigned.h - what a back end says of a client that it lets in: its id, its attributes.
 *
 * Layer: conn. Pure functions of the fields Gatehouse-Client-Id and Gatehouse-Attributes, whose
 * values are percent-encoded as those of events are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "session/attributes.h"
#include "session/presence.h"

struct assigned {
	char client_id[PRESENCE_CLIENT_ID_MAX + 1]; /* "": none */
	uint8_t attributes[ATTRIBUTES_BYTES_MAX];   /* a block */
	size_t attributes_len;
};

/* "CP%200042". False: it is none, and `problem` says why, with what was seen and what is allowed.
 */
bool assigned_id_read(struct slice text, struct assigned *out, char *problem, size_t size);

/* "tenant=acme, name=J%C3%B6rg", as in the field Baggage of the W3C. `max` is in bytes of names
 * and values, and at most half of ATTRIBUTES_BYTES_MAX. False: as above. */
bool assigned_attributes_read(struct slice list, size_t max, struct assigned *out, char *problem,
			      size_t size);
