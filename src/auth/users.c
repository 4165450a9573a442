/* SPDX-License-Identifier: Apache-2.0
 * users.c - a table of names by a keyed hash, read from lines.
 *
 * The text of the file is not kept: names and crypt(3)'s hashes are copied into one run of memory,
 * which is wiped at the end, as the text is. */
#include "auth/users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/check.h"
#include "base/file.h"
#include "base/random.h"
#include "base/reference.h"
#include "base/siphash.h"
#include "base/unicode.h"
#include "proto/utf8.h"

struct user {
	struct slice name; /* in `texts`; data NULL: the place is free */
	uint8_t secret_count;
	struct secret secrets[USERS_SECRETS_MAX];
};

struct users {
	uint32_t references; /* atomic */
	enum secret_format format;
	size_t count;
	size_t size; /* places: a power of two, at least twice as many as users */
	struct user *places;
	uint8_t *texts;
	size_t texts_len, texts_cap;
	struct slice example; /* crypted, of whichever user; data NULL: nobody has one */
	struct siphash_key key;
	uint8_t nobody[SECRET_DIGEST_LEN]; /* at random: the digest of nothing that is known */
};

/* --- the table --- */

static struct user *place_of(const struct users *users, struct slice name)
{
	if (name.data == NULL)
		name = SLICE_LITERAL("");
	size_t at = siphash(&users->key, name) & (users->size - 1);

	while (users->places[at].name.data != NULL && !slice_equals(users->places[at].name, name))
		at = (at + 1) & (users->size - 1);
	return &users->places[at];
}

/* What was made room for. */
static struct slice text_keep(struct users *users, struct slice text)
{
	CHECK(users->texts_len + text.len <= users->texts_cap);
	uint8_t *to = users->texts + users->texts_len;

	memcpy(to, text.data, text.len);
	users->texts_len += text.len;
	return slice_of(to, text.len);
}

static struct users *users_create(enum secret_format format, size_t lines, size_t bytes)
{
	struct users *users = calloc(1, sizeof(*users));
	struct random_source random = {0};

	if (users == NULL)
		return NULL;
	users->references = 1;
	users->format = format;
	users->size = 16;
	while (users->size < 2 * lines)
		users->size *= 2;
	users->places = calloc(users->size, sizeof(struct user));
	users->texts_cap = bytes;
	users->texts = malloc(bytes + 1);
	random_fill(&random, &users->key, sizeof(users->key));
	random_fill(&random, users->nobody, sizeof(users->nobody));
	if (users->places == NULL || users->texts == NULL)
		users_unref(&users);
	return users;
}

struct users *users_ref(struct users *users)
{
	reference_take(&users->references);
	return users;
}

void users_unref(struct users **users)
{
	struct users *self = *users;

	*users = NULL;
	if (self == NULL || !reference_drop(&self->references))
		return;
	if (self->places != NULL)
		OPENSSL_cleanse(self->places, self->size * sizeof(struct user));
	if (self->texts != NULL)
		OPENSSL_cleanse(self->texts, self->texts_cap);
	free(self->places);
	free(self->texts);
	free(self);
}

size_t users_count(const struct users *users)
{
	return users->count;
}

/* --- lines --- */

struct reading {
	struct users *users;
	const char *file;
	size_t line;
	struct users_error *error;
};

static int reject(const struct reading *reading, const char *what)
{
	snprintf(reading->error->text, sizeof(reading->error->text), "%s:%zu: the line %s",
		 reading->file, reading->line, what);
	return -EINVAL;
}

static bool is_same_secret(const struct secret *a, const struct secret *b)
{
	return a->kind == b->kind && slice_equals(a->crypt, b->crypt) &&
	       secret_digest_equals(a->digest, b->digest);
}

static int secret_add(const struct reading *reading, struct user *user, struct secret *secret)
{
	for (size_t i = 0; i < user->secret_count; i++)
		if (is_same_secret(&user->secrets[i], secret))
			return 0;
	if (user->secret_count == USERS_SECRETS_MAX)
		return reject(reading, "is the third secret of its name; an old and a new one are "
				       "possible, remove the oldest");
	if (secret->kind == SECRET_CRYPT) {
		secret->crypt = text_keep(reading->users, secret->crypt);
		reading->users->example = secret->crypt;
	}
	user->secrets[user->secret_count++] = *secret;
	return 0;
}

static int secrets_take(const struct reading *reading, struct user *user, struct slice texts)
{
	struct slice text;
	int r = 0;

	while (r == 0 && slice_next(&texts, '|', &text)) {
		struct secret secret;
		const char *problem = secret_parse(text, reading->users->format, &secret);

		r = problem == NULL ? secret_add(reading, user, &secret) : reject(reading, problem);
		OPENSSL_cleanse(&secret, sizeof(secret));
	}
	return r;
}

static int line_take(const struct reading *reading, struct slice line)
{
	struct users *users = reading->users;
	struct slice name;

	if (unicode_has_control(line))
		return reject(reading, "has a control character");
	if (!utf8_is_valid(line.data, line.len))
		return reject(reading, "is not UTF-8");
	if (memchr(line.data, ':', line.len) == NULL)
		return reject(reading, "has no ':'; write NAME:SECRET");
	slice_next(&line, ':', &name);
	if (name.len == 0)
		return reject(reading, "has no name before the ':'");
	if (name.len > USERS_NAME_MAX)
		return reject(reading, "has a name of more than 255 bytes");
	if (slice_trim(name).len != name.len)
		return reject(reading, "has white space at an end of the name");
	struct user *user = place_of(users, name);

	if (user->name.data == NULL) {
		user->name = text_keep(users, name);
		users->count++;
	}
	return secrets_take(reading, user, line);
}

static struct slice without_mark(struct slice text)
{
	static const uint8_t mark[] = {0xef, 0xbb, 0xbf};

	return text.len >= sizeof(mark) && memcmp(text.data, mark, sizeof(mark)) == 0
		       ? slice_of(text.data + sizeof(mark), text.len - sizeof(mark))
		       : text;
}

int users_parse(const char *file, struct slice text, enum secret_format format,
		struct users **out_users, struct users_error *error)
{
	struct reading reading = {.file = file, .error = error};
	struct slice line;
	int r = 0;

	text = without_mark(text);
	reading.users = users_create(format, slice_count_lines(text), text.len);
	if (reading.users == NULL) {
		snprintf(error->text, sizeof(error->text), "%s: out of memory", file);
		return -ENOMEM;
	}
	while (r == 0 && slice_next_line(&text, &line)) {
		reading.line++;
		if (slice_trim(line).len > 0 && line.data[0] != '#')
			r = line_take(&reading, line);
	}
	if (r == 0 && reading.users->count == 0) {
		snprintf(
			error->text, sizeof(error->text),
			"%s: has no user; write NAME:SECRET in a line (gatehouse secret NAME makes "
			"one)",
			file);
		r = -EINVAL;
	}
	if (r == 0)
		*out_users = reading.users;
	else
		users_unref(&reading.users);
	return r;
}

/* --- the file --- */

int users_read(const char *file, enum secret_format format, struct users **out_users,
	       bool *out_is_open, struct users_error *error)
{
	struct file_content content;
	int r = file_load(file, USERS_FILE_MAX, &content);

	if (r == -EFBIG)
		snprintf(error->text, sizeof(error->text), "%s is larger than %zu MiB", file,
			 USERS_FILE_MAX >> 20);
	else if (r == -ESPIPE)
		snprintf(error->text, sizeof(error->text), "%s is no file", file);
	else if (r < 0)
		snprintf(error->text, sizeof(error->text),
			 "%s cannot be read: %s; let the user of this process read it", file,
			 strerror(-r));
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	*out_is_open = (content.mode & S_IROTH) != 0;
	r = users_parse(file, slice_of(content.data, content.len), format, out_users, error);
	OPENSSL_cleanse(content.data, content.len);
	free(content.data);
	return r;
}

/* --- asking --- */

/* Every place is compared, also such as are empty. */
static enum users_verdict digest_check(const struct users *users, const struct user *user,
				       const uint8_t digest[SECRET_DIGEST_LEN])
{
	enum users_verdict verdict = USERS_WRONG;

	for (size_t i = 0; i < USERS_SECRETS_MAX; i++) {
		const struct secret *secret = &user->secrets[i];
		bool has_one = i < user->secret_count && secret->kind == SECRET_DIGEST;
		bool is_same = secret_digest_equals(has_one ? secret->digest : users->nobody,
						    digest);

		if (has_one && is_same && verdict != USERS_GOOD)
			verdict = secret->is_guessable ? USERS_GUESSED : USERS_GOOD;
	}
	return verdict;
}

static void slow_fill(const struct users *users, const struct user *user, struct users_slow *out)
{
	*out = (struct users_slow){0};
	for (size_t i = 0; i < user->secret_count; i++)
		if (user->secrets[i].kind == SECRET_CRYPT)
			out->crypted[out->count++] = user->secrets[i].crypt;
	if (user->secret_count == 0 && users->example.data != NULL) {
		out->crypted[out->count++] = users->example;
		out->is_vain = true;
	}
}

enum users_verdict users_check(const struct users *users, struct slice name, struct slice secret,
			       struct users_slow *out_slow)
{
	uint8_t digest[SECRET_DIGEST_LEN];
	const struct user *user = place_of(users, name);
	bool can_be = secret_digest(secret, users->format, digest);
	enum users_verdict verdict = digest_check(users, user, digest);

	OPENSSL_cleanse(digest, sizeof(digest));
	if (can_be && verdict != USERS_WRONG)
		return verdict;
	slow_fill(users, user, out_slow);
	if (out_slow->count == 0)
		return USERS_WRONG;
	/* crypt(3) reads up to the first NUL. */
	if (secret.len > SECRET_CRYPT_MAX || memchr(secret.data, 0, secret.len) != NULL)
		out_slow->is_vain = true;
	return USERS_SLOW;
}
