/* SPDX-License-Identifier: Apache-2.0
 * A back end over NATS: hears of every client of the route "c" of every gateway, and answers
 * each text message in capitals (of ASCII). Debian: apt-get install gcc libnats-dev
 *
 *   cc -o backend examples/nats-c/backend.c -lnats && ./backend [BROKER] */
#include <ctype.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UP "gatehouse.up."
#define TO "gatehouse.to."

static void check(natsStatus status, const char *what)
{
	if (status == NATS_OK)
		return;
	fprintf(stderr, "backend: %s: %s\n", what, natsStatus_GetText(status));
	exit(1);
}

/* Of the event's attributes; "" if it has none of that name. */
static const char *attribute(natsMsg *event, const char *name)
{
	const char *value = "";

	return natsMsgHeader_Get(event, name, &value) == NATS_OK ? value : "";
}

/* Route and client id are the same in both subjects: "gatehouse.up.c.till-7" is answered at
 * "gatehouse.to.c.till-7", whatever characters they have. */
static void answer(natsConnection *nats, natsMsg *event)
{
	const char *client = natsMsg_GetSubject(event) + strlen(UP);
	int len = natsMsg_GetDataLength(event);
	char *subject = malloc(strlen(TO) + strlen(client) + 1);
	char *capitals = malloc((size_t)len + 1);

	if (subject == NULL || capitals == NULL)
		abort();
	sprintf(subject, TO "%s", client);
	for (int i = 0; i < len; i++)
		capitals[i] = (char)toupper((unsigned char)natsMsg_GetData(event)[i]);
	check(natsConnection_Publish(nats, subject, capitals, len), "publish");
	free(capitals);
	free(subject);
}

int main(int argc, char **argv)
{
	natsConnection *nats;
	natsSubscription *events;
	natsMsg *event;

	check(natsConnection_ConnectTo(&nats, argc > 1 ? argv[1] : NATS_DEFAULT_URL), "connect");
	check(natsConnection_SubscribeSync(&events, nats, UP "c.*"), "subscribe");
	check(natsConnection_Flush(nats), "flush");
	puts("listening");
	fflush(stdout);
	for (;;) {
		natsStatus status = natsSubscription_NextMsg(&event, events, 60000);

		if (status == NATS_TIMEOUT)
			continue;
		check(status, "next event");
		const char *type = attribute(event, "ce-type");

		printf("%s: %s\n", attribute(event, "ce-clientid"), type);
		fflush(stdout);
		if (strcmp(type, "gatehouse.client.message") == 0 &&
		    strcmp(attribute(event, "ce-messagetype"), "text") == 0)
			answer(nats, event);
		natsMsg_Destroy(event);
	}
}
