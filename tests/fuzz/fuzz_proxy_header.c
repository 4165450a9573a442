/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/net_ip.h"
#include "proto/proxy_header.h"
#include "proto/proxy_tls.h"

struct outcome {
	enum proxy_result result;
	struct proxy_header header;
	size_t used;
	const char *error;
};

static void slice_check(struct slice part, struct slice whole)
{
	CHECK(part.len == 0 || (part.data >= whole.data && part.len <= whole.len &&
				part.data + part.len <= whole.data + whole.len));
}

static void tls_check(struct slice tlvs)
{
	struct proxy_tls tls = {.is_tls = true};
	const char *problem = proxy_tls_read(tlvs, &tls);

	if (problem != NULL) {
		CHECK(tls.is_tls && tls.version.data == NULL);
		return;
	}
	CHECK(tls.is_tls || !tls.has_certificate);
	CHECK(tls.has_certificate || !tls.is_verified);
	slice_check(tls.version, tlvs);
	slice_check(tls.suite, tlvs);
	slice_check(tls.common_name, tlvs);
	slice_check(tls.certificate, tlvs);
	slice_check(tls.server_name, tlvs);
}

/* Every call sees the bytes at another place, and none behind them. */
static struct outcome parse(const uint8_t *data, size_t len)
{
	static const char untouched[] = "untouched";
	struct outcome out = {.header = {.has_source = true}, .used = SIZE_MAX, .error = untouched};
	uint8_t *copy = fuzz_copy(data, len);

	out.result = proxy_header_parse(copy, len, &out.header, &out.used, &out.error);
	if (out.result == PROXY_OK) {
		slice_check(out.header.tlvs, slice_of(copy, out.used));
		tls_check(out.header.tlvs);
	}
	free(copy);
	CHECK((out.result == PROXY_OK) == (out.used != SIZE_MAX));
	CHECK((out.result == PROXY_BAD) == (out.error != untouched));
	return out;
}

static void same_check(const struct outcome *a, const struct outcome *b)
{
	CHECK(a->result == b->result);
	if (a->result == PROXY_BAD)
		CHECK(a->error == b->error);
	if (a->result != PROXY_OK)
		return;
	CHECK(a->used == b->used && a->header.has_source == b->header.has_source);
	CHECK(a->header.tlvs.len == b->header.tlvs.len);
	if (!a->header.has_source)
		return;
	struct net_ip a_ip = net_ip_of(&a->header.source), b_ip = net_ip_of(&b->header.source);

	CHECK(net_ip_equals(&a_ip, &b_ip));
	CHECK(net_addr_port(&a->header.source) == net_addr_port(&b->header.source));
}

static void result_check(const struct outcome *out, const uint8_t *data, size_t size)
{
	size_t least = size > 0 && data[0] == 'P' ? sizeof("PROXY UNKNOWN\r\n") - 1 : 16;
	size_t most = size > 0 && data[0] == 'P' ? PROXY_V1_MAX : PROXY_HEADER_MAX;

	switch (out->result) {
	case PROXY_ABSENT:
		CHECK(size > 0);
		break;
	case PROXY_MORE:
		CHECK(size < most);
		break;
	case PROXY_OK:
		CHECK(out->used >= least && out->used <= most && out->used <= size);
		break;
	case PROXY_BAD:
		CHECK(out->error != NULL && size > strlen("PROXY "));
		break;
	}
}

/* What is written in version 1 for this source is read as the same source. */
static void rewrite_check(const struct net_addr *source)
{
	char text[PROXY_V1_MAX + 1], ip_text[INET6_ADDRSTRLEN];
	bool is_v6 = source->sa.sa_family == AF_INET6;
	const void *bytes = &source->in.sin_addr;

	CHECK(is_v6 || source->sa.sa_family == AF_INET);
	if (is_v6)
		bytes = &source->in6.sin6_addr;
	CHECK(inet_ntop(source->sa.sa_family, bytes, ip_text, sizeof(ip_text)) != NULL);
	int len = snprintf(text, sizeof(text), "PROXY %s %s %s %u 0\r\n", is_v6 ? "TCP6" : "TCP4",
			   ip_text, ip_text, net_addr_port(source));
	struct outcome want = {PROXY_OK, {true, *source, {0}}, (size_t)len, NULL};
	struct outcome got = parse((const uint8_t *)text, (size_t)len);

	same_check(&want, &got);
	CHECK(got.header.source.sa.sa_family == source->sa.sa_family);
}

/* Until the answer is known it is PROXY_MORE; from then on it stays the same. */
static void cuts_check(const struct outcome *whole, const uint8_t *data, size_t size)
{
	uint32_t seed = (uint32_t)size;
	bool is_known = false;

	for (size_t len = 0; len < size; len += fuzz_cut(&seed, size - len)) {
		struct outcome part = parse(data, len);

		CHECK(!is_known || part.result != PROXY_MORE);
		is_known = part.result != PROXY_MORE;
		if (is_known)
			same_check(whole, &part);
		if (whole->result == PROXY_OK)
			CHECK(is_known == (len >= whole->used));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = parse(data, size);

	result_check(&whole, data, size);
	cuts_check(&whole, data, size);
	if (whole.result != PROXY_OK)
		return 0;
	if (whole.header.has_source)
		rewrite_check(&whole.header.source);
	/* What follows the header changes nothing. */
	uint8_t *other = fuzz_copy(data, size);

	for (size_t i = whole.used; i < size; i++)
		other[i] = (uint8_t)~other[i];
	struct outcome again = parse(other, size);
	struct outcome alone = parse(data, whole.used);

	same_check(&whole, &again);
	same_check(&whole, &alone);
	free(other);
	return 0;
}
