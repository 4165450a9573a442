/* SPDX-License-Identifier: Apache-2.0
 * limit_rows_tls.c - the rows about TLS. */
#include <inttypes.h>

#include "diag/limit_rows.h"

#define DAY_S INT64_C(86400)

/* False: the row is off. */
static bool has_tls(const struct limits_input *input, struct limit *row)
{
	if (!config_speaks_tls(input->config))
		limit_row_off(row, "no listener speaks TLS");
	return row->state == LIMIT_KNOWN;
}

static bool begin(const struct limits_input *input, struct limit *row, const char *source,
		  enum config_option_number option)
{
	return limit_row_begin_option(input, row, source, option) && has_tls(input, row);
}

void limit_build_tls_handshakes(const struct limits_input *input, struct limit *row)
{
	if (!begin(input, row, LIMIT_OPTION(server, tls_handshakes_max)))
		return;
	row->value = config_tls_handshakes_max(input->config, input->workers);
	limit_row_use(row, input->tls_shaking);
	if (input->config->server.tls_handshakes_max == 0)
		limit_note(row, "auto: %d for each worker", CONFIG_TLS_HANDSHAKES_AUTO);
	limit_note(row, "further ones wait, %" PRIu64 " now, until server.handshake_timeout",
		   input->tls_waiting);
}

void limit_build_tls_handshake_rate(const struct limits_input *input, struct limit *row)
{
	if (!begin(input, row, LIMIT_OPTION(server, tls_handshake_rate)))
		return;
	row->value = input->config->server.tls_handshake_rate;
	if (row->value == 0)
		limit_row_off(row, "0: handshakes begin as fast as clients come");
	else
		limit_note(row, "further ones wait, unread, until server.handshake_timeout");
}

void limit_build_certificate(const struct limits_input *input, struct limit *row)
{
	int64_t left = input->certificate_expires_at - input->wall_s;

	if (!limit_row_begin(input, row, "certificates of server.listeners and admin.tls") ||
	    !has_tls(input, row))
		return;
	if (input->certificate_expires_at == 0) {
		row->state = LIMIT_UNKNOWN;
		limit_note(row, "no certificate could be read");
		return;
	}
	row->value = left > 0 ? (uint64_t)(left / DAY_S) : 0;
	if (left <= 0)
		limit_note(row, "it has ended: clients refuse it");
	else
		limit_note(row,
			   "the first ends in %" PRIu64 " days; whoever renews it in time has "
			   "nothing else to do: changed files are read again",
			   row->value);
}
