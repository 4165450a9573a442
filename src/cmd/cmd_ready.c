/* SPDX-License-Identifier: Apache-2.0
 * cmd_ready.c - gatehouse ready: waits until a gateway says that it is ready; for scripts and
 * containers. */
#include "cmd/cmd.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/suggest.h"
#include "base/units.h"
#include "bench/load/bench_ready.h"
#include "tls/tls_context.h"

#define TIMEOUT_FLAG   "--timeout"
#define DEFAULT_MS     2000
#define TIMEOUT_MAX_MS UINT64_C(86400000)

struct question {
	const char *url_text;
	struct bench_url url;
	uint64_t timeout_ms;
	struct tls_client_options tls;
	bool wants_help;
};

/* For https; each but the last takes a file. */
static const char *const tls_flags[] = {"--ca", "--cert", "--key", "--insecure"};
#define INSECURE 3

static const char help[] =
	"Usage: gatehouse ready URL [OPTIONS]\n\n"
	"Asks an http or https URL, again and again, until it answers 200. For health checks of\n"
	"containers and for scripts: it needs nothing but this program.\n\n"
	"  gatehouse ready http://127.0.0.1:8080/health\n\n"
	"Options:\n"
	"  --timeout TIME\n      Give up after this, at most 1d (default 2s).\n"
	"  --ca FILE\n      https: believe servers that these authorities vouch for (PEM; "
	"default:\n"
	"      the system's).\n"
	"  --insecure\n      https: believe any server.\n"
	"  --cert FILE, --key FILE\n      https: show this client certificate (PEM).\n"
	"  --help\n      Print this.\n\n"
	"Exit: 0 it is ready; 1 it is not, and standard error says what was seen; 2 wrong\n"
	"usage.\n";

static bool usage_fail(const char *subject, const char *problem)
{
	fprintf(stderr, "gatehouse ready: %s %s\n'gatehouse ready --help' describes it\n", subject,
		problem);
	return false;
}

static bool unknown_fail(const char *text)
{
	struct suggest suggest = {
		.seen = slice_of(text, strcspn(text, "=")),
	};
	char hint[SUGGEST_HINT_MAX], problem[sizeof(hint) + 32];

	suggest_offer(&suggest, TIMEOUT_FLAG);
	suggest_offer(&suggest, "--help");
	for (size_t i = 0; i < ARRAY_LEN(tls_flags); i++)
		suggest_offer(&suggest, tls_flags[i]);
	snprintf(problem, sizeof(problem), "is not an option%s", suggest_hint(&suggest, hint));
	return usage_fail(text, problem);
}

static bool timeout_read(struct question *question, const char *value)
{
	if (value == NULL)
		return usage_fail(TIMEOUT_FLAG, "needs a value such as 2s");
	enum units_result r = units_parse_duration_ms(slice_from_text(value),
						      &question->timeout_ms);

	if (r != UNITS_OK) {
		fprintf(stderr, "gatehouse ready: " TIMEOUT_FLAG ": '%s' %s\n", value,
			units_explain(r, "duration"));
		return false;
	}
	if (question->timeout_ms == 0 || question->timeout_ms > TIMEOUT_MAX_MS) {
		fprintf(stderr, "gatehouse ready: " TIMEOUT_FLAG ": %s is not in 1ms..1d\n", value);
		return false;
	}
	return true;
}

static bool url_read(struct question *question, const char *text)
{
	if (text[0] == '-')
		return unknown_fail(text);
	if (question->url_text != NULL)
		return usage_fail(text, "is a second URL; it asks one");
	const char *problem = bench_url_parse(text, "http", &question->url);

	if (problem == NULL && strchr(question->url.path, '{') != NULL)
		problem = "has {n}, but no connection here has a number";
	if (problem != NULL)
		return usage_fail(text, problem);
	question->url_text = text;
	return true;
}

/* True if argv[*i] is one of tls_flags; *i moves to its value, if it has one. */
static bool is_tls_flag(struct question *question, int argc, char **argv, int *i, bool *is_good)
{
	const char **files[] = {&question->tls.ca_file, &question->tls.cert_file,
				&question->tls.key_file};
	const char *arg = argv[*i];

	if (strcmp(arg, tls_flags[INSECURE]) == 0)
		return question->tls.is_insecure = true;
	for (size_t k = 0; k < ARRAY_LEN(files); k++) {
		size_t len = strlen(tls_flags[k]);

		if (strncmp(arg, tls_flags[k], len) != 0 || (arg[len] != 0 && arg[len] != '='))
			continue;
		*files[k] = arg[len] == '=' ? arg + len + 1 : ++*i < argc ? argv[*i] : NULL;
		if (*files[k] == NULL)
			*is_good = usage_fail(tls_flags[k], "needs the name of a file");
		return true;
	}
	return false;
}

/* What must hold between them. */
static bool arguments_check(struct question *question)
{
	struct tls_client_options *tls = &question->tls;

	if (question->url_text == NULL)
		return usage_fail("no URL given,", "such as http://127.0.0.1:8080/health");
	if (!question->url.is_tls && (tls->ca_file != NULL || tls->cert_file != NULL ||
				      tls->key_file != NULL || tls->is_insecure))
		return usage_fail(question->url_text,
				  "does not begin with https://, but options for TLS are given");
	if (tls->key_file != NULL && tls->cert_file == NULL)
		return usage_fail("--key", "needs --cert, the certificate that it is the key of");
	if (tls->ca_file != NULL && tls->is_insecure)
		return usage_fail("--ca and --insecure",
				  "exclude each other: the server is checked, or is not");
	if (tls->key_file == NULL)
		tls->key_file = tls->cert_file;
	return true;
}

static bool arguments_read(struct question *question, int argc, char **argv)
{
	size_t flag_len = strlen(TIMEOUT_FLAG);
	bool is_good = true;

	for (int i = 1; i < argc && is_good && !question->wants_help; i++) {
		const char *arg = argv[i];

		if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
			question->wants_help = true;
		else if (strcmp(arg, TIMEOUT_FLAG) == 0)
			is_good = timeout_read(question, ++i < argc ? argv[i] : NULL);
		else if (strncmp(arg, TIMEOUT_FLAG "=", flag_len + 1) == 0)
			is_good = timeout_read(question, arg + flag_len + 1);
		else if (!is_tls_flag(question, argc, argv, &i, &is_good))
			is_good = url_read(question, arg);
	}
	return is_good && (question->wants_help || arguments_check(question));
}

/* False: the files for TLS cannot be used, and it is said why. */
static bool tls_make(const struct question *question, struct tls_context **out_tls)
{
	struct tls_error error;

	if (!question->url.is_tls)
		return true;
	*out_tls = tls_client_context_create(&question->tls, &error);
	if (*out_tls == NULL)
		fprintf(stderr, "gatehouse ready: %s\n", error.text);
	return *out_tls != NULL;
}

int cmd_ready(int argc, char **argv)
{
	/* A signal ends the program at once: there is nothing to put in order. */
	static const volatile sig_atomic_t never_interrupted;
	struct question question = {.timeout_ms = DEFAULT_MS};
	struct tls_context *tls = NULL;
	char error[3584];

	if (!arguments_read(&question, argc, argv))
		return EXIT_USAGE;
	if (question.wants_help) {
		fputs(help, stdout);
		return EXIT_GOOD;
	}
	if (!tls_make(&question, &tls))
		return EXIT_FAILED;
	int r = bench_ready_wait(&question.url, tls, question.timeout_ms, NULL, &never_interrupted,
				 error, sizeof(error));

	tls_context_unref(&tls);
	if (r < 0) {
		fprintf(stderr, "gatehouse ready: %s\n", error);
		return EXIT_FAILED;
	}
	printf("%s is ready\n", question.url_text);
	return EXIT_GOOD;
}
