/* SPDX-License-Identifier: Apache-2.0 */
#include "route/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "webhook/webhook_sign.h"

#define FILE_BYTES_MAX 16384

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

static int line_take(struct slice text, const char *file, size_t line, struct secrets *secrets,
		     char *error, size_t error_size)
{
	text.len -= text.len > 0 && text.data[text.len - 1] == '\r';
	text = slice_trim(text);
	if (text.len == 0 || text.data[0] == '#')
		return 0;
	if (secrets->count == SECRETS_MAX)
		return REJECT("%s:%zu: there are more than %d secrets; remove old ones", file, line,
			      SECRETS_MAX);
	char *secret = slice_to_text(text);

	if (secret == NULL)
		return -ENOMEM;
	secrets->items[secrets->count++] = secret;
	return secret_check(secret, file, line, error, error_size);
}

static int lines_take(struct slice text, const char *file, struct secrets *secrets, char *error,
		      size_t error_size)
{
	struct slice part;
	int r = 0;

	for (size_t line = 1; r == 0 && slice_next(&text, '\n', &part); line++)
		r = line_take(part, file, line, secrets, error, error_size);
	if (r == 0 && secrets->count == 0)
		return REJECT("%s: has no secret; write one in a line, whsec_ and the base64 of "
			      "24 to 64 bytes",
			      file);
	return r;
}

/* The whole file, or -errno. O_NONBLOCK: a pipe without a writer must not hold up the start. */
static ssize_t content_read(const char *file, uint8_t *to, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : 1;
	size_t len = 0;

	while (got > 0 && len < size) {
		got = read(fd, to + len, size - len);
		len += got > 0 ? (size_t)got : 0;
	}
	int r = got < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return r < 0 ? r : (ssize_t)len;
}

int secret_file_read(const char *file, struct secrets *out_secrets, char *error, size_t error_size)
{
	uint8_t text[FILE_BYTES_MAX + 1];
	struct secrets secrets = {0};
	ssize_t len = content_read(file, text, sizeof(text));

	snprintf(error, error_size, "out of memory");
	if (len < 0)
		return REJECT("%s cannot be read: %s; let the user of this process read it", file,
			      strerror((int)-len));
	if (len > FILE_BYTES_MAX)
		return REJECT("%s is larger than %d bytes; name a file with secrets", file,
			      FILE_BYTES_MAX);
	int r = lines_take(slice_of(text, (size_t)len), file, &secrets, error, error_size);

	explicit_bzero(text, sizeof(text));
	if (r < 0)
		secrets_finish(&secrets);
	else
		*out_secrets = secrets;
	return r;
}
