/* SPDX-License-Identifier: Apache-2.0
 * crypt_cost.c - settings as crypt(5) has them, as far as they are about cost. */
#include "auth/crypt_cost.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/check.h"

/* [bytes] of scrypt's block for each r. */
#define SCRYPT_BLOCK 128

/* Of crypt(3)'s digits; negative: none. */
static int digit_value(char c)
{
	static const char digits[] =
		"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *at = c == 0 ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* rounds=N$ stands before the salt, or does not. */
static const char *sha512_problem(const char *setting)
{
	static const char key[] = "rounds=";
	uint64_t rounds = 0;

	if (strncmp(setting, key, strlen(key)) != 0)
		return NULL;
	for (setting += strlen(key); *setting >= '0' && *setting <= '9'; setting++)
		rounds = MIN(rounds * 10 + (uint64_t)(*setting - '0'),
			     (uint64_t)CRYPT_COST_SHA512_ROUNDS + 1);
	return *setting == '$' && rounds <= CRYPT_COST_SHA512_ROUNDS
		       ? NULL
		       : "has a hash whose rounds= is no number up to 1000000: to check it would "
			 "take seconds; make one with fewer, or with gatehouse secret --password";
}

static const char *bcrypt_problem(const char *setting)
{
	bool is_number = setting[0] >= '0' && setting[0] <= '9' && setting[1] >= '0' &&
			 setting[1] <= '9';

	return is_number && (setting[0] - '0') * 10 + setting[1] - '0' <= CRYPT_COST_BCRYPT_LOG2
		       ? NULL
		       : "has a bcrypt hash whose cost is no number up to 14: to check it would "
			 "take seconds; make one with less, or with gatehouse secret --password";
}

static bool is_dear(int log2_n, uint64_t r)
{
	return log2_n < 0 || log2_n > 32 || r == 0 ||
	       r > (CRYPT_COST_SCRYPT_BYTES / SCRYPT_BLOCK) >> log2_n;
}

/* jNR$, as crypt_gensalt(3) writes it: the usual flavour, then log2 N and r, each less one. Numbers
 * that need more than a digit begin with one of 48 or more, and are far beyond what is taken. */
static const char *yescrypt_problem(const char *setting)
{
	int n = setting[0] == 'j' ? digit_value(setting[1]) : -1;
	int r = n < 0 ? -1 : digit_value(setting[2]);

	return r >= 0 && setting[3] == '$' && !is_dear(n + 1, (uint64_t)r + 1)
		       ? NULL
		       : "has a yescrypt hash with other parameters than crypt_gensalt(3) gives it "
			 "up to a cost of 8 (128 MiB); make one with less, or with gatehouse "
			 "secret --password";
}

/* Of five digits, the lowest first; 0: there are not so many. */
static uint64_t five_digits(const char *text)
{
	uint64_t value = 0;

	for (int i = 0; i < 5; i++) {
		int digit = digit_value(text[i]);

		if (digit < 0)
			return 0;
		value |= (uint64_t)digit << (6 * i);
	}
	return value;
}

/* N, then r and p. */
static const char *scrypt_problem(const char *setting)
{
	int n = digit_value(setting[0]);
	uint64_t r = n < 0 ? 0 : five_digits(setting + 1);
	uint64_t p = r == 0 ? 0 : five_digits(setting + 6);

	return p == 1 && !is_dear(n, r)
		       ? NULL
		       : "has an scrypt hash with p other than 1, or more than 128 MiB (a cost of "
			 "8); make one with less, or with gatehouse secret --password";
}

const char *crypt_cost_problem(const char *crypted)
{
	static const struct {
		const char *prefix;
		const char *(*problem)(const char *setting);
	} kinds[] = {
		{"$y$", yescrypt_problem}, {"$gy$", yescrypt_problem}, {"$7$", scrypt_problem},
		{"$2a$", bcrypt_problem},  {"$2b$", bcrypt_problem},   {"$2y$", bcrypt_problem},
		{"$6$", sha512_problem},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strncmp(crypted, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].problem(crypted + strlen(kinds[i].prefix));
	return "has a hash of a kind whose cost is not known here; make one with gatehouse secret "
	       "--password";
}
