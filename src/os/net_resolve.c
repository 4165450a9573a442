/* SPDX-License-Identifier: Apache-2.0 */
#include "os/net_resolve.h"

#include <netdb.h>
#include <string.h>

const char *net_resolve(const char *host, uint16_t port, struct net_addr *out)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *answers;
	int r = getaddrinfo(host, NULL, &hints, &answers);

	if (r != 0)
		return gai_strerror(r);
	const char *problem = "the name has neither an IPv4 nor an IPv6 address";

	for (const struct addrinfo *a = answers; a != NULL; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(*out))
			continue;
		*out = (struct net_addr){0};
		memcpy(out, a->ai_addr, a->ai_addrlen);
		net_addr_set_port(out, port);
		problem = NULL;
		break;
	}
	freeaddrinfo(answers);
	return problem;
}
