/* SPDX-License-Identifier: Apache-2.0
 * fuzz_users.c - the input as a users file, in both formats. */
#include "fuzz.h"

#include <errno.h>

#include "auth/users.h"

/* Nobody comes in with an empty name, and asking changes nothing. */
static void users_ask(const struct users *users, struct slice text)
{
	struct users_slow slow, again;
	struct slice name, rest = text;

	CHECK(users_count(users) > 0);
	CHECK(users_check(users, (struct slice){0}, text, &slow) != USERS_GOOD);
	if (!slice_next(&rest, ':', &name) || rest.data == NULL)
		return;
	enum users_verdict verdict = users_check(users, name, rest, &slow);

	CHECK(users_check(users, name, rest, &again) == verdict);
	if (verdict != USERS_SLOW)
		return;
	CHECK(slow.count > 0 && slow.count <= USERS_SECRETS_MAX && slow.count == again.count);
	for (size_t i = 0; i < slow.count; i++)
		CHECK(slow.crypted[i].len > 20 && slow.crypted[i].data[0] == '$');
}

static void users_read_text(struct slice text, enum secret_format format)
{
	struct users_error error = {.text = ""};
	struct users *users = NULL;
	int r = users_parse("users", text, format, &users, &error);

	CHECK(r == 0 || r == -EINVAL);
	CHECK((r == 0) == (users != NULL) && (r == 0) == (error.text[0] == 0));
	if (r < 0)
		CHECK(strncmp(error.text, "users:", 6) == 0);
	else
		users_ask(users, text);
	users_unref(&users);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);

	users_read_text(slice_of(copy, size), SECRET_TEXT);
	users_read_text(slice_of(copy, size), SECRET_OCPP);
	free(copy);
	return 0;
}
