/* SPDX-License-Identifier: Apache-2.0
 * tls_handover.h - a detached stream, with its keys, for another process to go on with.
 *
 * Layer: tls. Belongs to the stream's thread.
 *
 * A nonce must not be used twice, so of the two that have the keys one may use them at most. From
 * tls_stream_export on a stream is at rest, and an imported one is so from its beginning: whatever
 * would seal or open is a CHECK. tls_stream_rouse ends that, in the new process when the handover
 * is settled, or in the old one when it has come to nothing; docs/tls-records.md says why that is
 * enough. */
#pragma once

#include "base/state.h"
#include "tls/tls_stream.h"

/* Writes the fields of the stream, which is at rest then. 0; -EBUSY: it has its SSL object, or has
 * failed; else what went wrong in the writer. The bytes hold keys: state_wipe. */
int tls_stream_export(struct tls_stream *stream, struct state_writer *writer);

/* Of the fields of tls_stream_export, all that the reader has. 0; -ENOMEM; -EPROTO: that is no
 * stream, or one with something that this version does not know. */
int tls_stream_import(struct state_reader *reader, struct tls_stream **out_stream);

/* It is the one to be used. Harmless on one that is not at rest. */
void tls_stream_rouse(struct tls_stream *stream);

/* Its close_notify was made; the peer's came. */
bool tls_stream_has_ended(const struct tls_stream *stream);
bool tls_stream_has_stopped(const struct tls_stream *stream);
