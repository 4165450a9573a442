/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/phases.h"

#include "conn/phase_asking.h"
#include "conn/phase_body.h"
#include "conn/phase_closing.h"
#include "conn/phase_end.h"
#include "conn/phase_head.h"
#include "conn/phase_open.h"
#include "conn/phase_proving.h"
#include "conn/phase_refusing.h"
#include "conn/phase_stream.h"

const struct conn_phase *const conn_phases[CONN_PHASE_COUNT] = {
	[CONN_HEAD] = &phase_head,         [CONN_BODY] = &phase_body,
	[CONN_ANSWER] = &phase_answer,     [CONN_PROVING] = &phase_proving,
	[CONN_REFUSING] = &phase_refusing, [CONN_ASKING] = &phase_asking,
	[CONN_OPEN] = &phase_open,         [CONN_CLOSING] = &phase_closing,
	[CONN_FLUSH] = &phase_flush,       [CONN_LINGER] = &phase_linger,
	[CONN_STREAM] = &phase_stream,     [CONN_GONE] = &phase_gone,
};
