/* SPDX-License-Identifier: Apache-2.0
 * webhook_socket.c - sockets for libcurl, and what it means if there is none.
 *
 * A process without descriptors, or a machine without ports, cannot reach anybody; libcurl
 * reports that as it reports a back end that is down. To take it for that would open the breaker
 * of a back end that is well. */
#include "webhook/webhook_private.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

curl_socket_t webhook_socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct webhook_transfer *transfer = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	(void)purpose;
	transfer->socket_error = fd < 0 ? errno : 0;
	transfer->peer_len = MIN(address->addrlen, (socklen_t)sizeof(transfer->peer));
	memcpy(&transfer->peer, &address->addr, transfer->peer_len);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* The errno of what is tried now; 0: it goes well. */
static int try_socket(int family, const struct sockaddr *peer, socklen_t peer_len)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? errno : 0;

	if (fd >= 0 && peer_len > 0 && connect(fd, peer, peer_len) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static bool is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* There is no address of ours for this peer, or no port: only the latter is about us. A datagram
 * has ports of its own, and needs the address as well. */
static bool is_out_of_ports(const struct webhook_transfer *transfer)
{
	long error = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
	return error == EADDRNOTAVAIL && transfer->peer_len > 0 &&
	       try_socket(transfer->peer.ss_family, (const struct sockaddr *)&transfer->peer,
			  transfer->peer_len) == 0;
}

int webhook_socket_error(const struct webhook_transfer *transfer, CURLcode result)
{
	int error = transfer->socket_error;

	switch (result) {
	case CURLE_COULDNT_CONNECT:
		if (is_exhaustion(error))
			return error;
		return is_out_of_ports(transfer) ? EADDRNOTAVAIL : 0;
	/* Looking up a name, and reading certificates, takes descriptors too. */
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
		error = try_socket(AF_INET, NULL, 0);
		return is_exhaustion(error) ? error : 0;
	default:
		return 0;
	}
}

static void ports_read(char *out, size_t size)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned low, high;

	snprintf(out, size, "not known");
	if (file == NULL)
		return;
	if (fscanf(file, "%u %u", &low, &high) == 2)
		snprintf(out, size, "%u to %u", low, high);
	fclose(file);
}

void webhook_socket_describe(int error, char *out, size_t size)
{
	static const char start[] =
		"the gateway has no socket for another request to the back end: ";
	struct rlimit nofile = {0};
	char ports[32];

	switch (error) {
	case EMFILE:
		getrlimit(RLIMIT_NOFILE, &nofile);
		snprintf(out, size,
			 "%sits descriptors are used up (nofile; %llu allowed); raise the limit "
			 "(ulimit -n, LimitNOFILE=)",
			 start, (unsigned long long)nofile.rlim_cur);
		break;
	case ENFILE:
		snprintf(out, size,
			 "%sthe machine is out of files (fs.file-max); raise it (sysctl -w "
			 "fs.file-max=N)",
			 start);
		break;
	case EADDRNOTAVAIL:
		ports_read(ports, sizeof(ports));
		snprintf(out, size,
			 "%sno local port is free (net.ipv4.ip_local_port_range; %s); widen it, or "
			 "let "
			 "the back end keep its connections open",
			 start, ports);
		break;
	default:
		snprintf(out, size, "%s%s; give it more memory", start, strerror(error));
		break;
	}
}
