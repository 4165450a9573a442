/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/tls_end.h"

#include <stdio.h>

#include "conn/conn_log.h"
#include "conn/hull.h"
#include "conn/phase_end.h"
#include "conn/refuse.h"
#include "io/tcp_tls.h"

/* Old versions are what attackers ask for, and old devices. */
static const char *remedy_of(enum tls_trouble trouble)
{
	switch (trouble) {
	case TLS_TROUBLE_VERSION:
		return "update the client: TLS 1.2 is the oldest that is spoken";
	case TLS_TROUBLE_SUITE:
		return "let the client offer a suite with AES-GCM or ChaCha20-Poly1305 that fits "
		       "the "
		       "kind of certificate here";
	case TLS_TROUBLE_PLAIN_HTTP:
		return "connect with https: or wss:";
	case TLS_TROUBLE_NO_CERTIFICATE:
		return "give the client a certificate, or make client_certificate optional";
	case TLS_TROUBLE_ISSUER:
	case TLS_TROUBLE_CERTIFICATE:
		return "the side that did not believe the other's certificate needs its "
		       "authority's "
		       "(here: client_ca_file)";
	case TLS_TROUBLE_EXPIRED:
		return "renew the certificate";
	default:
		return NULL;
	}
}

static void failure_log(struct conn *conn, const struct tls_failure *failure)
{
	uint64_t suppressed;
	char alert[16];

	if (!log_gate_pass(&conn->home->service->tls_gate, loop_now(conn->home->loop), &suppressed))
		return;
	snprintf(alert, sizeof(alert), "%d", failure->alert);
	conn_log_warn(
		conn, failure->was_secured ? "TLS failed" : "TLS handshake failed",
		F_TEXT("event", "security"), F_TEXT("cause", tls_trouble_label(failure->trouble)),
		F_TEXT("detail", failure->reason), F_TEXT("version", failure->version),
		F_TEXT("alert", failure->alert < 0 ? NULL : alert),
		F_TEXT("alert_from", failure->alert < 0      ? NULL
				     : failure->is_from_peer ? "client"
							     : "gatehouse"),
		F_TEXT("remedy", remedy_of(failure->trouble)), F_UINT("suppressed", suppressed));
}

void conn_tls_log(struct conn *conn)
{
	failure_log(conn, tcp_tls_failure(&conn->tcp));
}

void conn_tls_late(struct conn *conn)
{
	static const struct tls_failure late = {.trouble = TLS_TROUBLE_TIMEOUT,
						.reason = "not complete within "
							  "server.handshake_timeout",
						.alert = -1};

	if (tcp_tls_timed_out(&conn->tcp))
		failure_log(conn, &late);
}

void conn_tls_preamble_bad(struct conn *conn, const char *error)
{
	struct tls_failure failure = {.trouble = TLS_TROUBLE_OTHER, .alert = -1};

	snprintf(failure.reason, sizeof(failure.reason), "the PROXY header before it %s", error);
	failure_log(conn, &failure);
	conn_cut(conn, CLOSE_TLS);
}

void conn_tls_linger(struct conn *conn)
{
	conn_set_reason(conn, CLOSE_TLS);
	if (tcp_tls_failure(&conn->tcp)->trouble == TLS_TROUBLE_CLOSED)
		conn_cut(conn, CLOSE_TLS);
	else
		conn_linger(conn);
}

void conn_tls_answer(struct conn *conn)
{
	if (tcp_tls_failure(&conn->tcp)->trouble == TLS_TROUBLE_PLAIN_HTTP)
		conn_reject(conn, 400, "plain_http",
			    "This is plain HTTP, but here TLS is spoken: connect with https: or "
			    "wss:.");
	else
		conn_tls_linger(conn);
}
