/* SPDX-License-Identifier: Apache-2.0
 * bus_nats_failure.c - what libnats reports, in words that help. */
#include <stdio.h>
#include <string.h>

#include "bus/bus_nats.h"

#define HANDSHAKE "SSL handshake error: "

/* Of "(conn.c:733): SSL handshake error: 10:certificate has expired:depth=0" the end. */
static const char *detail_of(natsStatus s)
{
	const char *text = nats_GetLastError(NULL);
	const char *behind_place = text != NULL ? strstr(text, "): ") : NULL;

	if (behind_place != NULL && text[0] == '(')
		text = behind_place + 3;
	if (s == NATS_SSL_ERROR && text != NULL && strncmp(text, HANDSHAKE, strlen(HANDSHAKE)) == 0)
		text += strlen(HANDSHAKE);
	return text != NULL ? text : natsStatus_GetText(s);
}

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static const char *failure_name(natsStatus s, const char *detail)
{
	switch (s) {
	case NATS_NO_SERVER:
		return "no broker can be reached";
	case NATS_CONNECTION_AUTH_FAILED:
		return "the broker refuses the credentials";
	case NATS_SECURE_CONNECTION_WANTED:
		return "the broker has no TLS, but its URL is tls://";
	case NATS_SSL_ERROR:
		return has(detail, ":depth=") || has(detail, ":expected=")
			       ? "the broker's certificate is refused"
			       : "the TLS handshake with the broker failed";
	case NATS_PROTOCOL_ERROR:
		/* With TLS 1.3 this is all that one learns. */
		return has(detail, "'PONG', got ''")
			       ? "the broker hung up: it may want a client certificate, or another"
			       : "what answers is not a NATS broker";
	default:
		return "the connection to the broker failed";
	}
}

void nats_failure_explain(natsStatus s, bool is_late, struct nats_failure *out_failure)
{
	const char *detail = detail_of(s);

	out_failure->was_reached = s != NATS_NO_SERVER;
	if (s == NATS_SSL_ERROR && is_late)
		detail = "no end of it in time";
	snprintf(out_failure->reason, sizeof(out_failure->reason), "%s (%s)",
		 failure_name(s, detail), detail);
}
