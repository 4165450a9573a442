/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_tls.h"

#include <stdio.h>

#include "base/check.h"

/* Set in a code: the server complained of us. */
#define FROM_PEER 0x100

struct row {
	int code;
	enum bench_side side;
	const char *text;
	const char *advice;
};

#define OURS(name)   TLS_TROUBLE_##name
#define THEIRS(name) (TLS_TROUBLE_##name | FROM_PEER)

static const struct row rows[] = {
	/* What we do not accept of it. */
	{OURS(NOT_TLS), BENCH_MINE, "what the server answered is no TLS",
	 "plain HTTP, or something else, is spoken at that port: is it a ws:// (http://) URL, or "
	 "is TLS at another port?"},
	{OURS(ISSUER), BENCH_MINE,
	 "the server's certificate is vouched for by nobody that this tester believes",
	 "--ca FILE names the authority that signed it; --insecure believes any"},
	{OURS(WRONG_NAME), BENCH_YOURS, "the server has no certificate for the name in the URL",
	 "the host of the URL must be among the certificate's names (subjectAltName); --insecure "
	 "believes any"},
	{OURS(EXPIRED), BENCH_YOURS, "the server's certificate has expired",
	 "renew it; if it is new, has the server read it, and is this machine's clock right?"},
	{OURS(NOT_YET_VALID), BENCH_YOURS, "the server's certificate is not valid yet",
	 "is the clock right, here and where the certificate was made?"},
	{OURS(REVOKED), BENCH_YOURS, "the server's certificate is revoked", "renew it"},
	{OURS(CERTIFICATE), BENCH_YOURS, "the server's certificate is not accepted",
	 "'openssl verify' says more; --insecure believes any"},
	{OURS(VERSION), BENCH_YOURS, "no version of TLS in common",
	 "without --tls-version 1.2 and 1.3 are offered; older ones never"},
	{OURS(SUITE), BENCH_YOURS, "no cipher suite, group or signature algorithm in common",
	 "suites with AES-GCM or ChaCha20, and X25519, P-256 and P-384 are offered"},
	{OURS(CLOSED), BENCH_YOURS, "the server ended the connection in the handshake",
	 "is TLS spoken at that port? Its log may say more"},
	{OURS(RECORD), BENCH_YOURS, "a record of the server's broke the protocol", NULL},
	{OURS(MEMORY), BENCH_MINE, "the tester's memory is out", NULL},
	/* What it does not accept of us. */
	{THEIRS(NO_CERTIFICATE), BENCH_MINE, "the server wants a client certificate",
	 "--cert FILE and --key FILE show one"},
	{THEIRS(ISSUER), BENCH_MINE,
	 "the server does not know the issuer of the client certificate",
	 "--cert must be signed by an authority of the server's (client_ca_file); its chain "
	 "belongs in the same file"},
	{THEIRS(EXPIRED), BENCH_MINE, "the server says that the client certificate has expired",
	 "renew what --cert names"},
	{THEIRS(REVOKED), BENCH_MINE, "the server says that the client certificate is revoked",
	 "renew what --cert names"},
	{THEIRS(CERTIFICATE), BENCH_MINE, "the server does not accept the client certificate",
	 "its log says more; --cert must be for clients, and be signed by an authority of the "
	 "server's"},
	{THEIRS(SERVER_NAME), BENCH_YOURS, "the server has no certificate for the name in the URL",
	 "use a name in the URL that it has one for"},
	{THEIRS(VERSION), BENCH_YOURS, "the server speaks none of the versions of TLS offered",
	 "without --tls-version 1.2 and 1.3 are offered; older ones never"},
	{THEIRS(SUITE), BENCH_YOURS,
	 "the server found no cipher suite in common, or wants a client certificate",
	 "a server of TLS 1.2 says the same of both: try --cert and --key, and look into its log"},
	{THEIRS(ALPN), BENCH_YOURS, "the server has no protocol above TLS in common",
	 "http/1.1 is what WebSockets begin with; is it a port for HTTP/2 alone?"},
	{THEIRS(RECORD), BENCH_YOURS, "the server found a record of ours broken", NULL},
};

static const struct row other = {0, BENCH_YOURS, "TLS failed", "the server's log may say more"};

static const struct row *row_of(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == code)
			return &rows[i];
	return &other;
}

int bench_tls_code(const struct tls_failure *failure)
{
	return (int)failure->trouble | (failure->is_from_peer ? FROM_PEER : 0);
}

enum bench_side bench_tls_side(int code)
{
	return row_of(code)->side;
}

const char *bench_tls_text(int code)
{
	return row_of(code)->text;
}

const char *bench_tls_advice(int code)
{
	return row_of(code)->advice;
}

void bench_tls_explain(const struct tls_failure *failure, char *out, size_t size)
{
	const struct row *row = row_of(bench_tls_code(failure));

	snprintf(out, size, "TLS: %s (%s)%s%s", row->text, failure->reason,
		 row->advice == NULL ? "" : "; ", row->advice == NULL ? "" : row->advice);
}
