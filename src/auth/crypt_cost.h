/* SPDX-License-Identifier: Apache-2.0
 * crypt_cost.h - what it costs to check a password against a hash of crypt(3), as the hash says.
 *
 * Layer: auth. Pure. The hash names its own cost, and checking has one thread for all: one line of
 * a users file with a slip in it must not hold up everybody for minutes, or take all memory. */
#pragma once

#include <stdint.h>

/* The most that is taken of each kind: about a second, and 128 MiB. */
#define CRYPT_COST_SHA512_ROUNDS 1000000               /* $6$rounds=N$; 5000 if it does not say */
#define CRYPT_COST_BCRYPT_LOG2   14                    /* $2b$NN$: 2^NN */
#define CRYPT_COST_SCRYPT_BYTES  (UINT64_C(128) << 20) /* $y$, $gy$, $7$: 128 * N * r */

/* `crypted`: of a kind that crypt(3) knows (crypt_checksalt). NULL, or what is wrong with its cost
 * as the end of a sentence; static text. */
const char *crypt_cost_problem(const char *crypted);
