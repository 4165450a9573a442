/* SPDX-License-Identifier: Apache-2.0 */
#include "route/secret_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "route/private_file.h"
#include "webhook/webhook_sign.h"

#define REJECT(...) (snprintf(error, error_size, __VA_ARGS__), -EINVAL)

void secrets_finish(struct secrets *secrets)
{
	for (size_t i = 0; i < secrets->count; i++) {
		explicit_bzero(secrets->items[i], strlen(secrets->items[i]));
		free(secrets->items[i]);
	}
	*secrets = (struct secrets){0};
}

/* 0, or -EINVAL and why not. */
static int secret_check(const char *secret, const char *file, size_t line, char *error,
			size_t error_size)
{
	struct webhook_signer *signer = NULL;
	const char *reason;
	size_t bad;
	int r = webhook_signer_create(&secret, 1, &signer, &bad, &reason);

	webhook_signer_destroy(&signer);
	return r == -EINVAL ? REJECT("%s:%zu: the secret %s", file, line, reason) : r;
}

struct reading {
	const char *file;
	struct secrets secrets;
	char *error;
	size_t error_size;
};

static int line_take(void *arg, struct slice line, size_t number)
{
	struct reading *reading = arg;
	struct secrets *secrets = &reading->secrets;
	char *error = reading->error;
	size_t error_size = reading->error_size;

	if (secrets->count == SECRETS_MAX)
		return REJECT("%s:%zu: there are more than %d secrets; remove old ones",
			      reading->file, number, SECRETS_MAX);
	char *secret = slice_to_text(line);

	if (secret == NULL)
		return -ENOMEM;
	secrets->items[secrets->count++] = secret;
	return secret_check(secret, reading->file, number, error, error_size);
}

int secret_file_read(const char *file, struct secrets *out_secrets, char *error, size_t error_size)
{
	struct reading reading = {.file = file, .error = error, .error_size = error_size};

	snprintf(error, error_size, "out of memory");
	int r = private_file_read(file, line_take, &reading, error, error_size);

	if (r == 0 && reading.secrets.count == 0)
		r = REJECT("%s: has no secret; write one in a line, whsec_ and the base64 of 24 to "
			   "64 bytes",
			   file);
	if (r < 0)
		secrets_finish(&reading.secrets);
	else
		*out_secrets = reading.secrets;
	return r;
}
