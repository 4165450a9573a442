/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/check.h"
#include "bench/client/bench_error.h"
#include "bench/load/bench_url.h"

/* --- the file of tokens --- */

/* Reads all of it into proof->text. 0 or a negative errno. */
static int text_read(int fd, struct bench_proof *proof)
{
	struct stat facts;
	ssize_t n = 1;

	if (fstat(fd, &facts) < 0)
		return -errno;
	if (S_ISDIR(facts.st_mode))
		return -EISDIR;
	if ((uint64_t)facts.st_size > BENCH_TOKEN_FILE_MAX)
		return -EFBIG;
	size_t size = (size_t)facts.st_size, len = 0;

	proof->text = malloc(size + 1);
	if (proof->text == NULL)
		return -ENOMEM;
	while (len < size && n > 0) {
		n = read(fd, proof->text + len, size - len);
		len += n > 0 ? (size_t)n : 0;
	}
	proof->text_len = len;
	return n < 0 ? -errno : 0;
}

/* Empty lines are passed over. */
static int tokens_find(const char *path, struct bench_proof *proof, char *error, size_t size)
{
	struct slice text = slice_of(proof->text, proof->text_len), line;

	proof->tokens = calloc(MAX(slice_count_lines(text), 1), sizeof(*proof->tokens));
	if (proof->tokens == NULL)
		return bench_fail(-ENOMEM, error, size, "--token-file: memory is out");
	for (size_t number = 1; slice_next_line(&text, &line); number++) {
		if (line.len > BENCH_TOKEN_MAX)
			return bench_fail(
				-EINVAL, error, size,
				"--token-file: line %zu of '%s' is %zu bytes long, %d are the "
				"most",
				number, path, line.len, BENCH_TOKEN_MAX);
		if (!bench_is_token(line))
			return bench_fail(
				-EINVAL, error, size,
				"--token-file: line %zu of '%s' has a character that no token "
				"has; a line holds a token and nothing else",
				number, path);
		if (line.len > 0)
			proof->tokens[proof->token_count++] = line;
	}
	if (proof->token_count == 0)
		return bench_fail(-EINVAL, error, size, "--token-file: '%s' has no token in it",
				  path);
	return 0;
}

int bench_proof_load(const struct bench_options *options, struct bench_proof *proof, char *error,
		     size_t error_size)
{
	const char *path = options->token_path;

	*proof = (struct bench_proof){.basic = options->basic};
	if (path == NULL)
		return 0;
	/* Not to wait for the writer of a pipe. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r = fd < 0 ? -errno : text_read(fd, proof);

	if (fd >= 0)
		close(fd);
	if (r < 0)
		return bench_fail(r, error, error_size, "--token-file: cannot read '%s': %s", path,
				  strerror(-r));
	return tokens_find(path, proof, error, error_size);
}

void bench_proof_finish(struct bench_proof *proof)
{
	if (proof->text != NULL)
		explicit_bzero(proof->text, proof->text_len);
	free(proof->text);
	free(proof->tokens);
	*proof = (struct bench_proof){0};
}

/* --- the header --- */

static size_t basic_write(const struct bench_proof *proof, uint64_t number, char *out)
{
	char text[BENCH_BASIC_MAX * 8 / 3 + 1];
	size_t len = bench_number_write(proof->basic, number, text);
	size_t at = (size_t)snprintf(out, BENCH_PROOF_MAX, "Authorization: Basic ");

	base64_write(text, len, out + at);
	at += BASE64_ENCODED_LEN(len);
	explicit_bzero(text, len);
	return at + (size_t)snprintf(out + at, BENCH_PROOF_MAX - at, "\r\n");
}

size_t bench_proof_write(const struct bench_proof *proof, uint64_t number,
			 char out[BENCH_PROOF_MAX])
{
	_Static_assert(BENCH_BASIC_MAX * 8 / 3 * 4 / 3 + 64 <= BENCH_PROOF_MAX, "either fits");
	if (proof->basic != NULL)
		return basic_write(proof, number, out);
	out[0] = 0;
	if (proof->token_count == 0)
		return 0;
	struct slice token = proof->tokens[(number - 1) % proof->token_count];

	return (size_t)snprintf(out, BENCH_PROOF_MAX, "Authorization: Bearer %.*s\r\n",
				SLICE_ARG(token));
}
