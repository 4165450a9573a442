/* SPDX-License-Identifier: Apache-2.0
 * bus_nats_options.c - what libnats is told before it connects to one broker.
 *
 * Made anew for each attempt: the name that its certificate must bear is that of one broker,
 * and files that were renewed are read again. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "bus/bus_nats.h"

#define HOST_MAX 256

/* --- for libnats --- */

bool nats_url_is_tls(const char *url)
{
	return strncmp(url, "tls://", strlen("tls://")) == 0;
}

/* "a" of tls://a:4222, "::1" of tls://[::1]:4222. False: too long, or none. */
static bool host_of(const char *url, char out_host[HOST_MAX])
{
	const char *scheme = strstr(url, "://"), *user = strrchr(url, '@');
	const char *host = user != NULL ? user + 1 : scheme != NULL ? scheme + 3 : url;
	size_t len = host[0] == '[' ? strcspn(++host, "]") : strcspn(host, ":/");

	if (len == 0 || len >= HOST_MAX)
		return false;
	memcpy(out_host, host, len);
	out_host[len] = 0;
	return true;
}

/* The scheme alone means nothing to libnats (3.4): with a broker that has no TLS it would go
 * on in clear. The name is given, as it compares that of an IPv6 URL with its brackets,
 * and not at all if it was built so. */
static natsStatus tls_fill(natsOptions *nats, const struct bus_options *options, const char *url)
{
	char host[HOST_MAX];

	if (!host_of(url, host))
		return NATS_INVALID_ARG;
	natsStatus s = natsOptions_SetSecure(nats, true);

	if (s == NATS_OK)
		s = natsOptions_SetExpectedHostname(nats, host);
	if (s == NATS_OK && options->ca_file != NULL)
		s = natsOptions_LoadCATrustedCertificates(nats, options->ca_file);
	if (s == NATS_OK && options->cert_file != NULL)
		s = natsOptions_LoadCertificatesChain(nats, options->cert_file, options->key_file);
	return s;
}

static natsStatus credentials_fill(natsOptions *nats, const struct bus_options *options)
{
	natsStatus s = NATS_OK;

	if (options->user != NULL)
		s = natsOptions_SetUserInfo(nats, options->user,
					    options->password != NULL ? options->password : "");
	if (s == NATS_OK && options->token != NULL)
		s = natsOptions_SetToken(nats, options->token);
	if (s == NATS_OK && options->credentials_file != NULL)
		s = natsOptions_SetUserCredentialsFromFiles(nats, options->credentials_file, NULL);
	return s;
}

static natsStatus behaviour_fill(natsOptions *nats, const struct bus_options *options)
{
	natsStatus s = natsOptions_SetName(nats,
					   options->name != NULL ? options->name : "gatehouse");

	if (s == NATS_OK)
		s = natsOptions_SetTimeout(nats,
					   (int64_t)(options->connect_timeout_ns / NS_PER_MS));
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(nats,
						(int64_t)(options->ping_interval_ns / NS_PER_MS));
	if (s == NATS_OK)
		s = natsOptions_SetMaxPingsOut(nats, 2);
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(nats, false);
	/* They come in clear, before TLS: whoever is in between could send us anywhere. */
	if (s == NATS_OK)
		s = natsOptions_SetIgnoreDiscoveredServers(nats, true);
	if (s == NATS_OK)
		s = natsOptions_UseGlobalMessageDelivery(nats, true);
	if (s == NATS_OK)
		s = natsOptions_SetSendAsap(nats, false); /* see on_flush */
	if (s == NATS_OK)
		s = natsOptions_SetWriteDeadline(nats, NATS_WRITE_DEADLINE_MS);
	return s;
}

static natsStatus options_fill(natsOptions *nats, const struct bus_options *options,
			       const char *url)
{
	natsStatus s = natsOptions_SetURL(nats, url);

	if (s == NATS_OK)
		s = behaviour_fill(nats, options);
	if (s == NATS_OK)
		s = credentials_fill(nats, options);
	if (s == NATS_OK && nats_url_is_tls(url))
		s = tls_fill(nats, options, url);
	return s;
}

int nats_options_create(const struct bus_options *options, const char *url,
			natsOptions **out_options, char *reason, size_t reason_size)
{
	natsOptions *nats;

	if (nats_url_is_tls(url) && !bus_tls_check(options, reason, reason_size))
		return -EINVAL;
	/* No spinning on its locks: the processors are the workers'. An error would say that
	 * libnats is open already. */
	nats_Open(0);
	snprintf(reason, reason_size, "out of memory");
	if (natsOptions_Create(&nats) != NATS_OK)
		return -ENOMEM;
	natsStatus s = options_fill(nats, options, url);

	if (s != NATS_OK) {
		snprintf(reason, reason_size, "what is set for the broker cannot be used: %s",
			 natsStatus_GetText(s));
		natsOptions_Destroy(nats);
		return -EINVAL;
	}
	*out_options = nats;
	return 0;
}

/* --- a copy --- */

static const size_t texts[] = {
	offsetof(struct bus_options, name),     offsetof(struct bus_options, user),
	offsetof(struct bus_options, password), offsetof(struct bus_options, token),
	offsetof(struct bus_options, ca_file),  offsetof(struct bus_options, cert_file),
	offsetof(struct bus_options, key_file), offsetof(struct bus_options, credentials_file),
	offsetof(struct bus_options, family),
};

static char **text_at(struct bus_options *options, size_t i)
{
	return (char **)((char *)options + texts[i]);
}

/* False: memory is out; what is there can be finished. */
static bool texts_copy(struct bus_options *copy)
{
	bool is_good = true;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char **text = text_at(copy, i);

		if (*text == NULL)
			continue;
		*text = strdup(*text);
		is_good &= *text != NULL;
	}
	return is_good;
}

static bool urls_copy(struct bus_options *copy)
{
	const char *const *from = copy->urls;
	char **urls = calloc(copy->url_count, sizeof(*urls));
	bool is_good = urls != NULL;

	for (size_t i = 0; urls != NULL && i < copy->url_count; i++) {
		urls[i] = strdup(from[i]);
		is_good &= urls[i] != NULL;
	}
	copy->urls = (const char *const *)urls;
	return is_good;
}

/* libnats is asked now whether it takes them, so that a mistake ends the start. */
static int options_check(const struct bus_options *options)
{
	int r = 0;

	for (size_t i = 0; i < options->url_count && r == 0; i++) {
		natsOptions *made = NULL;
		char reason[256];

		r = nats_options_create(options, options->urls[i], &made, reason, sizeof(reason));
		natsOptions_Destroy(made);
	}
	return r;
}

static uint64_t default_to(uint64_t ns, uint64_t default_ns)
{
	return ns > 0 ? ns : default_ns;
}

int nats_options_copy(const struct bus_options *from, struct bus_options *out_copy)
{
	struct bus_options copy = *from;

	copy.connect_timeout_ns = default_to(from->connect_timeout_ns, 2 * NS_PER_S);
	copy.reconnect_min_ns = default_to(from->reconnect_min_ns, 100 * NS_PER_MS);
	copy.reconnect_max_ns = default_to(from->reconnect_max_ns, 5 * NS_PER_S);
	copy.ping_interval_ns = default_to(from->ping_interval_ns, 10 * NS_PER_S);
	if (from->url_count == 0)
		return -EINVAL;
	bool is_good = texts_copy(&copy);

	is_good &= urls_copy(&copy);
	int r = is_good ? options_check(&copy) : -ENOMEM;

	if (r < 0)
		nats_options_finish(&copy);
	else
		*out_copy = copy;
	return r;
}

void nats_options_finish(struct bus_options *copy)
{
	char **urls = (char **)(uintptr_t)copy->urls;

	for (size_t i = 0; urls != NULL && i < copy->url_count; i++)
		free(urls[i]);
	free(urls);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(*text_at(copy, i));
	*copy = (struct bus_options){0};
}

void nats_urls_shuffle(struct bus_options *copy)
{
	const char **urls = (const char **)(uintptr_t)copy->urls;
	struct random_source random = {0};

	for (size_t i = copy->url_count - 1; i > 0; i--) {
		size_t other = random_u32(&random) % (i + 1);
		const char *url = urls[i];

		urls[i] = urls[other];
		urls[other] = url;
	}
}
