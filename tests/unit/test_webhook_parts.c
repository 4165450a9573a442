/* SPDX-License-Identifier: Apache-2.0
 * The parts of a webhook that need neither socket nor clock: signatures, retry
 * budget, breaker. */
#include "unit.h"

#include <errno.h>

#include "base/clock.h"
#include "webhook/webhook_breaker.h"
#include "webhook/webhook_retry_budget.h"
#include "webhook/webhook_sign.h"

/* --- signatures --- */

/* The first is the reference vector of the Standard Webhooks libraries; the others were
 * computed with Python's hmac. */
#define REFERENCE_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SECOND_SECRET    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct {
	const char *name;
	const char *secrets[2];
	const char *id;
	uint64_t timestamp_s;
	const char *body;
	const char *want;
} vectors[] = {
	{"reference",
	 {REFERENCE_SECRET},
	 "msg_p5jXN8AQM9LWM0D4loKWxJek",
	 1614265330,
	 "{\"test\": 2432232314}",
	 "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	{"empty body",
	 {SECOND_SECRET},
	 "a",
	 0,
	 "",
	 "v1,nyI8u9KtZmFaY8k/GcBnoJXYP7WgQ2vPynpd+JPwAqQ="},
	{"two secrets while one is being changed",
	 {REFERENCE_SECRET, SECOND_SECRET},
	 "msg_p5jXN8AQM9LWM0D4loKWxJek",
	 1614265330,
	 "{\"test\": 2432232314}",
	 "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= "
	 "v1,O4Gjv1HqPqsMrjmczoggs/sWA8gZD0VyHG+fLh4+ktI="},
};

static void test_signatures_are_those_of_the_standard(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct webhook_signer *signer = NULL;
		struct buf out = {0};
		const char *reason;
		size_t bad;

		ASSERT_ROW(webhook_signer_create(vectors[i].secrets,
						 vectors[i].secrets[1] != NULL ? 2 : 1, &signer,
						 &bad, &reason) == 0,
			   vectors[i].name);
		/* Twice: the key must survive its use. */
		for (int round = 0; round < 2; round++) {
			out.len = 0;
			ASSERT_ROW(webhook_sign(signer, slice_from_text(vectors[i].id),
						vectors[i].timestamp_s,
						slice_from_text(vectors[i].body), &out, 4096) == 0,
				   vectors[i].name);
			ASSERT_ROW(slice_equals(buf_slice(&out), slice_from_text(vectors[i].want)),
				   vectors[i].name);
		}
		buf_finish(&out);
		webhook_signer_destroy(&signer);
		assert_null(signer);
	}
}

static void test_signature_that_has_no_room_leaves_nothing(void **state)
{
	const char *const secrets[] = {REFERENCE_SECRET, SECOND_SECRET};
	struct webhook_signer *signer = NULL;
	struct buf out = {0};
	const char *reason;
	size_t bad;

	(void)state;
	assert_int_equal(webhook_signer_create(secrets, 2, &signer, &bad, &reason), 0);
	assert_int_equal(buf_append(&out, "x", 1, 80), 0);
	assert_int_equal(webhook_sign(signer, SLICE_LITERAL("id"), 1, SLICE_LITERAL("b"), &out, 80),
			 -EMSGSIZE);
	assert_int_equal(out.len, 1);
	buf_finish(&out);
	webhook_signer_destroy(&signer);
}

static const struct {
	const char *name;
	const char *secret;
	const char *reason;
} bad_secrets[] = {
	{"empty", "", "begin"},
	{"no prefix", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begin"},
	{"a public key", "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begin"},
	{"nothing behind the prefix", "whsec_", "base64"},
	{"no base64", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!!", "base64"},
	{"cut off", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "base64"},
	{"space in front", "whsec_   MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "base64"},
	{"padding in the middle", "whsec_MfKQ=r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64"},
	{"only padding", "whsec_====", "base64"},
	{"23 bytes", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=", "24 to 64"},
	{"66 bytes",
	 "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7"
	 "PD0+P0BB",
	 "24 to 64"},
	{"far too long",
	 "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7"
	 "PD0+P0BBAAAA",
	 "longer"},
};

static void test_bad_secret_is_refused_without_showing_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_secrets); i++) {
		const char *const secrets[] = {REFERENCE_SECRET, bad_secrets[i].secret};
		struct webhook_signer *signer = NULL;
		const char *reason = NULL;
		size_t bad = 99;

		ASSERT_ROW(webhook_signer_create(secrets, 2, &signer, &bad, &reason) == -EINVAL,
			   bad_secrets[i].name);
		ASSERT_ROW(bad == 1 && signer == NULL, bad_secrets[i].name);
		ASSERT_ROW(strstr(reason, bad_secrets[i].reason) != NULL, bad_secrets[i].name);
	}
}

/* --- budget --- */

static void test_retries_stay_a_share_of_the_calls(void **state)
{
	struct retry_budget budget;
	unsigned retries = 0;

	(void)state;
	retry_budget_init(&budget, 10, 5);
	for (int i = 0; i < 1000; i++) {
		retry_budget_deposit(&budget);
		while (retry_budget_withdraw(&budget))
			retries++;
	}
	assert_in_range(retries, 104, 105); /* the burst, and a tenth */
	for (int i = 0; i < 1000; i++)
		retry_budget_deposit(&budget);
	for (retries = 0; retry_budget_withdraw(&budget);)
		retries++;
	assert_int_equal(retries, 5); /* what is not used does not pile up */
}

static void test_budget_of_nothing_allows_no_retry(void **state)
{
	struct retry_budget budget;

	(void)state;
	retry_budget_init(&budget, 0, 0);
	retry_budget_deposit(&budget);
	assert_false(retry_budget_withdraw(&budget));
}

/* --- breaker --- */

enum { T = 1000 }; /* open time; times below count in the same made-up unit */

static void attempt(struct webhook_breaker *breaker, uint64_t now, enum webhook_health health)
{
	uint32_t ticket = webhook_breaker_admit(breaker, now);

	assert_int_not_equal(ticket, 0);
	webhook_breaker_report(breaker, now, ticket, health);
}

static void open_it(struct webhook_breaker *breaker, uint64_t now)
{
	while (breaker->state != WEBHOOK_BREAKER_OPEN)
		attempt(breaker, now, WEBHOOK_ILL);
}

static void test_breaker_opens_after_failures_in_a_row(void **state)
{
	struct webhook_breaker breaker;

	(void)state;
	webhook_breaker_init(&breaker, 3, T, 1);
	for (int i = 0; i < 10; i++) {
		attempt(&breaker, 0, WEBHOOK_ILL);
		attempt(&breaker, 0, WEBHOOK_ILL);
		attempt(&breaker, 0, WEBHOOK_HEALTHY); /* begins anew */
	}
	attempt(&breaker, 0, WEBHOOK_ILL);
	attempt(&breaker, 0, WEBHOOK_UNKNOWN); /* says nothing */
	attempt(&breaker, 0, WEBHOOK_ILL);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_CLOSED);
	attempt(&breaker, 5, WEBHOOK_ILL);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_OPEN);
	assert_int_equal(breaker.opens, 1);
	assert_int_equal(webhook_breaker_admit(&breaker, 5 + T - 1), 0);
	assert_int_equal(webhook_breaker_wait_ns(&breaker, 6), T - 1);
	assert_int_equal(webhook_breaker_wait_ns(&breaker, 5 + T), 0);
}

static void test_breaker_of_zero_failures_never_opens(void **state)
{
	struct webhook_breaker breaker;

	(void)state;
	webhook_breaker_init(&breaker, 0, T, 1);
	for (int i = 0; i < 1000; i++)
		attempt(&breaker, 0, WEBHOOK_ILL);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_CLOSED);
}

static void test_good_probes_close_the_breaker(void **state)
{
	struct webhook_breaker breaker;

	(void)state;
	webhook_breaker_init(&breaker, 2, T, 2);
	open_it(&breaker, 0);
	uint32_t first = webhook_breaker_admit(&breaker, T);
	uint32_t second = webhook_breaker_admit(&breaker, T);

	assert_int_equal(breaker.state, WEBHOOK_BREAKER_HALF_OPEN);
	assert_int_not_equal(first, 0);
	assert_int_not_equal(second, 0);
	assert_int_equal(webhook_breaker_admit(&breaker, T), 0); /* no third */
	webhook_breaker_report(&breaker, T, first, WEBHOOK_HEALTHY);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_HALF_OPEN);
	webhook_breaker_report(&breaker, T, second, WEBHOOK_HEALTHY);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_CLOSED);
	attempt(&breaker, T, WEBHOOK_ILL); /* counts from zero */
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_CLOSED);
}

static void test_bad_probe_opens_the_breaker_again(void **state)
{
	struct webhook_breaker breaker;

	(void)state;
	webhook_breaker_init(&breaker, 1, T, 2);
	open_it(&breaker, 0);
	uint32_t slow = webhook_breaker_admit(&breaker, T);

	attempt(&breaker, T, WEBHOOK_ILL);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_OPEN);
	assert_int_equal(breaker.opens, 2);
	webhook_breaker_report(&breaker, T, slow, WEBHOOK_HEALTHY); /* too late to matter */
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_OPEN);
	assert_int_equal(webhook_breaker_admit(&breaker, 2 * T - 1), 0);
	assert_int_not_equal(webhook_breaker_admit(&breaker, 2 * T), 0);
}

static void test_probe_without_result_gives_its_place_back(void **state)
{
	struct webhook_breaker breaker;

	(void)state;
	webhook_breaker_init(&breaker, 1, T, 1);
	open_it(&breaker, 0);
	attempt(&breaker, T, WEBHOOK_UNKNOWN);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_HALF_OPEN);
	attempt(&breaker, T, WEBHOOK_HEALTHY);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_CLOSED);
}

/* A hundred were under way when it opened: their ends are neither probes nor failures of the
 * next period. */
static void test_what_began_before_does_not_count(void **state)
{
	struct webhook_breaker breaker;
	uint32_t before[100];

	(void)state;
	webhook_breaker_init(&breaker, 3, T, 1);
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		before[i] = webhook_breaker_admit(&breaker, 0);
	for (size_t i = 0; i < 50; i++)
		webhook_breaker_report(&breaker, 1, before[i], WEBHOOK_ILL);
	assert_int_equal(breaker.opens, 1);
	uint32_t probe = webhook_breaker_admit(&breaker, 1 + T);

	for (size_t i = 50; i < 100; i++)
		webhook_breaker_report(&breaker, 1 + T, before[i],
				       i % 2 == 0 ? WEBHOOK_ILL : WEBHOOK_HEALTHY);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_HALF_OPEN);
	webhook_breaker_report(&breaker, 1 + T, probe, WEBHOOK_HEALTHY);
	assert_int_equal(breaker.state, WEBHOOK_BREAKER_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures_are_those_of_the_standard),
		cmocka_unit_test(test_signature_that_has_no_room_leaves_nothing),
		cmocka_unit_test(test_bad_secret_is_refused_without_showing_it),
		cmocka_unit_test(test_retries_stay_a_share_of_the_calls),
		cmocka_unit_test(test_budget_of_nothing_allows_no_retry),
		cmocka_unit_test(test_breaker_opens_after_failures_in_a_row),
		cmocka_unit_test(test_breaker_of_zero_failures_never_opens),
		cmocka_unit_test(test_good_probes_close_the_breaker),
		cmocka_unit_test(test_bad_probe_opens_the_breaker_again),
		cmocka_unit_test(test_probe_without_result_gives_its_place_back),
		cmocka_unit_test(test_what_began_before_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
