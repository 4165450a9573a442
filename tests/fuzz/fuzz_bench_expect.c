/* SPDX-License-Identifier: Apache-2.0
 * fuzz_bench_expect.c - any text as a threshold: it is refused with a sentence, or it
 * is read and can be checked; no spaces or more of them make another threshold. */
#include "fuzz.h"

#include "bench/judge/bench_expect.h"

static struct bench_result result; /* large, and only read */

static bool is_met(const struct bench_expect *expect)
{
	struct bench_check check;

	bench_expect_check(expect, &result, &check);
	CHECK(memchr(check.seen, 0, sizeof(check.seen)) != NULL && check.seen[0] != 0);
	CHECK(strcmp(check.text, expect->text) == 0);
	return check.is_met;
}

/* The same with every space left out; the caller frees. */
static char *squeeze(const char *text)
{
	char *out = malloc(strlen(text) + 1);
	size_t len = 0;

	CHECK(out != NULL);
	for (; *text != 0; text++)
		if (*text != ' ')
			out[len++] = *text;
	out[len] = 0;
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench_expect expect, again;
	char error[512] = "";
	char *text = slice_to_text(slice_of(data, size));

	CHECK(text != NULL);
	int r = bench_expect_parse(text, &expect, error, sizeof(error));

	CHECK((r == 0) == (error[0] == 0));
	if (r == 0) {
		char *squeezed = squeeze(text);

		CHECK(expect.value >= 0);
		CHECK(bench_expect_parse(squeezed, &again, error, sizeof(error)) == 0);
		CHECK(again.metric == expect.metric && again.comparison == expect.comparison);
		CHECK(is_met(&again) == is_met(&expect));
		free(squeezed);
	}
	free(text);
	return 0;
}
