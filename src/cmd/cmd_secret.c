/* SPDX-License-Identifier: Apache-2.0
 * cmd_secret.c - gatehouse secret: makes a line of a users file. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "auth/users.h"
#include "base/check.h"
#include "base/random.h"

static const char usage[] =
	"Usage: gatehouse secret [--password] NAME\n\n"
	"Prints a line for a users file (routes[].auth[].users_file): NAME with a new key, drawn\n"
	"at random, of which the line has but the digest. The key itself goes to standard error,\n"
	"once. It has 20 characters, so that it is one for secret_format: ocpp too.\n\n"
	"  --password  Read a password from standard input instead, up to the end of its first\n"
	"              line, without showing it on a terminal; the line has its yescrypt hash.\n"
	"              For people: a device should have a key, which is checked much faster.\n\n"
	"Exit: 0 the line was printed; 1 it could not be made; 2 wrong usage.\n";

/* 120 bits of letters, digits, '-' and '_', which OCPP's passwordString has as well. */
#define KEY_LEN 20

struct request {
	const char *name;
	bool is_password;
};

static int usage_fail(const char *what, const char *value)
{
	fprintf(stderr, "gatehouse secret: %s%s\n'gatehouse secret --help' tells what there is\n",
		what, value);
	return EXIT_USAGE;
}

/* EXIT_GOOD: go on. */
static int arguments_read(int argc, char **argv, struct request *out)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--password") == 0)
			out->is_password = true;
		else if (argv[i][0] == '-')
			return usage_fail("unknown option ", argv[i]);
		else if (out->name != NULL)
			return usage_fail("one NAME is enough, not also ", argv[i]);
		else
			out->name = argv[i];
	}
	return out->name == NULL ? usage_fail("the NAME is missing", "") : EXIT_GOOD;
}

/* --- the secret --- */

static void key_draw(char out[KEY_LEN + 1])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct random_source random = {0};

	_Static_assert(sizeof(digits) - 1 == 64, "six bits each");
	random_fill(&random, out, KEY_LEN);
	for (size_t i = 0; i < KEY_LEN; i++)
		out[i] = digits[(uint8_t)out[i] % 64];
	out[KEY_LEN] = 0;
	OPENSSL_cleanse(&random, sizeof(random));
}

static void echo_set(const struct termios *before, bool is_on)
{
	struct termios changed = *before;

	if (!is_on)
		changed.c_lflag &= (tcflag_t)~ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &changed);
}

/* The first line; what is longer than `size` shows as too long. */
static bool line_read(char *out, size_t size)
{
	struct termios before;
	bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;

	if (is_terminal) {
		fputs("Password: ", stderr);
		echo_set(&before, false);
	}
	setvbuf(stdin, NULL, _IONBF, 0); /* no copy of it stays there */
	size_t len = 0;
	int c;

	while ((c = getchar()) != EOF && c != '\n' && len < size - 1)
		out[len++] = (char)c;
	if (is_terminal) {
		echo_set(&before, true);
		fputc('\n', stderr);
	}
	len -= len > 0 && out[len - 1] == '\r';
	out[len] = 0;
	return strlen(out) == len;
}

/* --- the line --- */

/* As a users file is read: what would be refused there is not printed. */
static int line_print(const struct request *request, const char *secret)
{
	char line[USERS_NAME_MAX + 2 + SECRET_CRYPTED_MAX];
	struct users_error error;
	struct users *users;
	int len = snprintf(line, sizeof(line), "%s:%s\n", request->name, secret);

	if (strchr(request->name, ':') != NULL || strchr(request->name, '\n') != NULL ||
	    (size_t)len >= sizeof(line) ||
	    users_parse("line", slice_of(line, (size_t)len), SECRET_TEXT, &users, &error) < 0) {
		fprintf(stderr,
			"gatehouse secret: the NAME '%.64s' cannot be one: 1 to 255 bytes of UTF-8 "
			"without ':', control characters, '#' at its beginning and white space "
			"around\n",
			request->name);
		return EXIT_FAILED;
	}
	users_unref(&users);
	fputs(line, stdout);
	return EXIT_GOOD;
}

static int key_make(const struct request *request)
{
	char key[KEY_LEN + 1], text[SECRET_DIGEST_TEXT_MAX];
	uint8_t digest[SECRET_DIGEST_LEN];

	key_draw(key);
	secret_digest(slice_from_text(key), SECRET_TEXT, digest);
	int code = line_print(request, secret_digest_format(digest, text));

	if (code == EXIT_GOOD)
		fprintf(stderr, "the key of %s, shown once: %s\n", request->name, key);
	OPENSSL_cleanse(key, sizeof(key));
	return code;
}

static int password_make(const struct request *request)
{
	char password[SECRET_CRYPT_MAX + 2], crypted[SECRET_CRYPTED_MAX];
	int code = EXIT_FAILED;

	if (!line_read(password, sizeof(password)) || password[0] == 0)
		fputs("gatehouse secret: there is no password in the first line of standard "
		      "input\n",
		      stderr);
	else if (!secret_crypt_new(password, crypted))
		fprintf(stderr,
			"gatehouse secret: crypt(3) makes no hash of it; a password has at most %d "
			"bytes\n",
			SECRET_CRYPT_MAX);
	else
		code = line_print(request, crypted);
	OPENSSL_cleanse(password, sizeof(password));
	return code;
}

int cmd_secret(int argc, char **argv)
{
	struct request request = {0};

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_GOOD;
	}
	int code = arguments_read(argc, argv, &request);

	if (code != EXIT_GOOD)
		return code;
	return request.is_password ? password_make(&request) : key_make(&request);
}
