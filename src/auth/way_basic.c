/* SPDX-License-Identifier: Apache-2.0
 * way_basic.c - HTTP Basic (RFC 7617): a name and a secret, of a users file.
 *
 * Keys of devices are compared at once; passwords of people are slow to check, which the hasher
 * does. The file can be renewed while others look at what was read before: each look takes a
 * reference under a lock. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth_type.h"
#include "auth/authorization.h"
#include "auth/hasher.h"
#include "auth/pace.h"
#include "auth/shown.h"
#include "auth/users.h"
#include "base/check.h"
#include "base/clock.h"

struct way_basic {
	struct auth_way base;
	const char *file; /* the configuration's */
	enum secret_format format;
	struct hasher *hasher;
	struct pace *pace;
	pthread_mutex_t mutex;
	struct users *users; /* under the mutex */
};

/* A password that the hasher looks at. */
struct slow_check {
	struct hasher_question question;
	struct auth_pending *pending;
	struct pace *pace;
	struct pace_who who; /* its name is the one below */
	char name[];
};

static struct way_basic *basic_of(const struct auth_way *way)
{
	return CONTAINER_OF((struct auth_way *)(uintptr_t)way, struct way_basic, base);
}

static struct users *users_now(struct way_basic *basic)
{
	pthread_mutex_lock(&basic->mutex);
	struct users *users = users_ref(basic->users);

	pthread_mutex_unlock(&basic->mutex);
	return users;
}

/* --- verdicts --- */

/* The same for a name that is nobody's. */
static enum auth_verdict wrong(struct auth_result *result)
{
	return auth_result_set(result, AUTH_WRONG, "wrong_credentials",
			       "The user name or the secret in Authorization is wrong.");
}

static enum auth_verdict proved(struct auth_result *result, struct slice name)
{
	result->client_id = slice_to_text(name);
	return result->client_id != NULL
		       ? AUTH_PROVED
		       : auth_result_set(result, AUTH_UNAVAILABLE, "out_of_memory",
					 "The gateway is out of memory.");
}

/* Somebody may have guessed, and guessed this. */
static enum auth_verdict guessed(struct pace *pace, const struct pace_who *who, bool is_good,
				 struct auth_result *result)
{
	if (is_good) {
		pace_right(pace, who);
		return proved(result, who->name);
	}
	pace_wrong_name(pace, who);
	return wrong(result);
}

/* --- passwords of people --- */

static void on_checked(struct hasher_question *question, bool is_good)
{
	struct slow_check *check = CONTAINER_OF(question, struct slow_check, question);
	struct auth_pending *pending = check->pending;
	struct auth_result result = {0};
	enum auth_verdict verdict = guessed(check->pace, &check->who, is_good, &result);

	free(check);
	auth_pending_done(pending, verdict, &result);
}

static void slow_cancel(struct auth_pending *pending)
{
	struct slow_check *check = pending->job;

	hasher_cancel(&check->question);
	free(check);
}

/* A name that is in no file may have any bytes, and will not be proved. */
static enum auth_verdict slow_begin(const struct way_basic *basic, const struct pace_who *who,
				    const struct basic_credentials *shown,
				    const struct users_slow *slow,
				    const struct auth_request *request, struct auth_result *result,
				    struct auth_pending *pending)
{
	struct slow_check *check = calloc(1, sizeof(*check) + shown->name.len);

	if (check != NULL) {
		check->question.done = on_checked;
		check->pending = pending;
		check->pace = basic->pace;
		check->who = *who;
		check->who.name = slice_of(check->name, shown->name.len);
		memcpy(check->name, shown->name.data, shown->name.len);
		if (hasher_ask(basic->hasher, &check->question, slow, shown->secret,
			       &request->client, request->mailbox)) {
			pending->job = check;
			pending->cancel = slow_cancel;
			return AUTH_LATER;
		}
	}
	free(check);
	struct hasher_stats stats = hasher_stats(basic->hasher);

	result->current = stats.waiting;
	result->max = stats.max;
	return auth_result_set(result, AUTH_BUSY, "password_queue",
			       "Too many passwords are being checked.");
}

/* --- the way --- */

static enum auth_verdict credentials_check(struct way_basic *basic,
					   const struct basic_credentials *shown,
					   const struct auth_request *request,
					   struct auth_result *result, struct auth_pending *pending)
{
	const struct pace_who who = {.address = request->client,
				     .route = request->route,
				     .name = shown->name,
				     .now_ms = clock_now_ns() / NS_PER_MS};
	struct users *users = users_now(basic);
	enum auth_verdict verdict;
	struct users_slow slow;
	enum users_verdict found = users_check(users, shown->name, shown->secret, &slow);

	if (found == USERS_GOOD)
		verdict = proved(result, shown->name);
	else if (!pace_may_guess(basic->pace, &who))
		verdict = auth_result_paced(result, basic->pace);
	else if (found == USERS_SLOW)
		verdict = slow_begin(basic, &who, shown, &slow, request, result, pending);
	else
		verdict = guessed(basic->pace, &who, found == USERS_GUESSED, result);
	users_unref(&users);
	return verdict;
}

static enum auth_verdict check(const struct auth_way *way, const struct auth_request *request,
			       struct auth_result *out_result, struct auth_pending *out_pending)
{
	struct basic_credentials shown;
	struct slice base64;

	switch (authorization_find(request->head, request->data, "Basic", &base64)) {
	case AUTHORIZATION_NONE:
		return AUTH_NO_PROOF;
	case AUTHORIZATION_BAD:
		return auth_result_set(out_result, AUTH_WRONG, "bad_authorization",
				       "There is more than one Authorization.");
	case AUTHORIZATION_FOUND:
		break;
	}
	if (!basic_credentials_read(base64, &shown))
		return auth_result_set(out_result, AUTH_WRONG, "bad_authorization",
				       "The credentials of Authorization: Basic are not the base64 "
				       "of NAME:SECRET, or longer than 1024 bytes.");
	enum auth_verdict verdict = credentials_check(basic_of(way), &shown, request, out_result,
						      out_pending);

	basic_credentials_wipe(&shown);
	return verdict;
}

static const char *challenge(const struct auth_way *way)
{
	return basic_of(way)->format == SECRET_OCPP
		       ? "Basic realm=\"gatehouse\""
		       : "Basic realm=\"gatehouse\", charset=\"UTF-8\"";
}

static void destroy(struct auth_way *way)
{
	struct way_basic *basic = basic_of(way);

	users_unref(&basic->users);
	pthread_mutex_destroy(&basic->mutex);
	free(basic);
}

/* --- the file --- */

static const char *file_of(const struct auth_way *way)
{
	return basic_of(way)->file;
}

static int renew(struct auth_way *way, struct auth_error *error)
{
	struct way_basic *basic = basic_of(way);
	struct users_error problem;
	struct users *users;
	bool is_open;
	int r = users_read(basic->file, basic->format, &users, &is_open, &problem);

	if (r < 0) {
		snprintf(error->text, sizeof(error->text), "%s", problem.text);
		return r;
	}
	pthread_mutex_lock(&basic->mutex);
	struct users *before = basic->users;

	basic->users = users;
	pthread_mutex_unlock(&basic->mutex);
	users_unref(&before);
	return 0;
}

static void hide(const struct auth_way *way, const struct http_head *head, uint8_t *data)
{
	static const struct shown_rules shown = {.places = SHOWN_BIT(HEADER), .scheme = "Basic"};

	(void)way;
	shown_hide(&shown, head, data);
}

static const struct auth_way_ops ops = {
	.name = "basic",
	.cost = AUTH_COST_HASH,
	.challenge = challenge,
	.check = check,
	.file = file_of,
	.renew = renew,
	.hide = hide,
	.destroy = destroy,
};

static enum secret_format format_of(const struct config_auth *config)
{
	return config->secret_format == CONFIG_SECRET_FORMAT_OCPP ? SECRET_OCPP : SECRET_TEXT;
}

static int file_read(const struct auth_wanted *wanted, struct users **out_users,
		     struct auth_error *error)
{
	const struct config_auth *config = auth_wanted_config(wanted);
	struct users_error problem;
	bool is_open;
	size_t used = auth_place_write(wanted, CONFIG_OPTION_auth_users_file, "users_file",
				       error->text, sizeof(error->text));
	int r = users_read(config->users_file.text, format_of(config), out_users, &is_open,
			   &problem);

	if (r < 0)
		snprintf(error->text + used, sizeof(error->text) - used, "%s", problem.text);
	else if (is_open)
		snprintf(error->warning, sizeof(error->warning),
			 "%.*s%s can be read by everybody on this machine; chmod o-r it", (int)used,
			 error->text, config->users_file.text);
	return r;
}

static int create(const struct auth_wanted *wanted, struct auth_way **out_way,
		  struct auth_error *error)
{
	const struct config_auth *config = auth_wanted_config(wanted);
	struct way_basic *basic = calloc(1, sizeof(*basic));

	if (basic == NULL) {
		snprintf(error->text, sizeof(error->text), "out of memory");
		return -ENOMEM;
	}
	int r = file_read(wanted, &basic->users, error);

	if (r < 0) {
		free(basic);
		return r;
	}
	basic->base.ops = &ops;
	basic->file = config->users_file.text;
	basic->format = format_of(config);
	basic->hasher = wanted->world->hasher;
	basic->pace = wanted->world->pace;
	pthread_mutex_init(&basic->mutex, NULL);
	*out_way = &basic->base;
	return 0;
}

static int check_only(const struct auth_wanted *wanted, struct auth_error *error)
{
	struct users *users;
	int r = file_read(wanted, &users, error);

	if (r == 0)
		users_unref(&users);
	return r;
}

const struct auth_type auth_type_basic = {.name = "basic", .create = create, .check = check_only};
