/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/start.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "auth/auth_type.h"
#include "fleet/fleet.h"
#include "os/os_limits.h"
#include "route/backends.h"
#include "server/server.h"
#include "server/server_doors.h"
#include "server/server_access.h"
#include "server/server_tracing.h"

struct preparation {
	const struct config *config;
	struct start *start; /* NULL: it runs already */
	struct api_token *token;
	void (*on_problem)(void *arg, const struct start_problem *problem);
	void *arg;
	size_t problems;
};

static void tell(struct preparation *preparation, const struct start_problem *problem)
{
	preparation->problems += !problem->is_warning;
	preparation->on_problem(preparation->arg, problem);
}

static void tell_text(struct preparation *preparation, const char *text)
{
	tell(preparation, &(struct start_problem){.message = text});
}

static void on_mistake(void *arg, const char *text)
{
	tell_text(arg, text);
}

static void on_warning(void *arg, const char *text)
{
	tell(arg, &(struct start_problem){.message = text, .is_warning = true});
}

void start_problem_print(const struct start_problem *problem, FILE *to)
{
	fputs(problem->message, to);
	for (size_t i = 0; i < problem->field_count; i++) {
		const struct log_field *field = &problem->fields[i];

		fprintf(to, "%s %s ", i == 0 ? ":" : ";", field->key);
		if (field->kind == LOG_FIELD_UINT)
			fprintf(to, "%" PRIu64, field->number);
		else
			fputs(field->text, to);
	}
	fputc('\n', to);
}

/* --- the machine --- */

enum loop_engine start_engine(const struct config *config)
{
	switch (config->server.engine) {
	case CONFIG_ENGINE_IO_URING:
		return LOOP_ENGINE_IO_URING;
	case CONFIG_ENGINE_EPOLL:
		return LOOP_ENGINE_EPOLL;
	case CONFIG_ENGINE_AUTO:
		break;
	}
	return LOOP_ENGINE_AUTO;
}

static bool engine_choose(struct preparation *preparation)
{
	struct plan_facts *facts = &preparation->start->facts;
	int r = loop_engine_choose(start_engine(preparation->config), &facts->engine,
				   &facts->engine_reason);
	const struct log_field fields[] = {
		F_TEXT("reason", facts->engine_reason),
		F_TEXT("error", strerror(-r)),
		F_TEXT("remedy", "set server.engine to auto or epoll"),
	};

	if (r < 0)
		tell(preparation,
		     &(struct start_problem){.message = "server.engine: io_uring cannot be used",
					     .fields = fields,
					     .field_count = ARRAY_LEN(fields)});
	return r >= 0;
}

/* Which limit is in the way. */
void start_tell_plan(const struct plan *plan, bool is_auto,
		     void (*on_problem)(void *arg, const struct start_problem *problem), void *arg)
{
	const struct limit *limit = limits_binding(&plan->limits);
	uint64_t wanted = MAX(plan->max_connections, UINT64_C(1));
	char remedies[LIMIT_REMEDY_LINE_MAX];
	const struct log_field fields[] = {
		F_UINT("max_connections", plan->max_connections),
		F_TEXT("limit", limit_label(limit->id)),
		F_UINT("value", limit->value),
		F_UINT("allows", limit->connections),
		F_TEXT("set_by", limit_origin(limit)),
		F_TEXT("remedy", limit_remedy_line(&plan->input, limit, wanted, remedies)),
	};

	on_problem(arg,
		   &(struct start_problem){.message = is_auto ? "the limits of this machine "
								"leave no room for "
								"connections"
							      : "server.max_connections cannot "
								"be held",
					   .fields = fields,
					   .field_count = ARRAY_LEN(fields)});
}

static void on_plan(void *arg, const struct start_problem *problem)
{
	tell(arg, problem);
}

static void machine_check(struct preparation *preparation)
{
	struct start *start = preparation->start;

	if (!engine_choose(preparation))
		return;
	plan_facts_read(start->facts.engine, start->facts.engine_reason, &start->facts);
	start->facts.certificate_expires_at = server_doors_expire_at(preparation->config);
	plan_make(preparation->config, &start->facts, &start->plan);
	if (!start->plan.fits)
		start_tell_plan(&start->plan, preparation->config->server.max_connections == 0,
				on_plan, preparation);
}

/* --- files and ports --- */

static void files_check(struct preparation *preparation)
{
	const struct config *config = preparation->config;
	struct api_token_error token_error;
	struct backend_error backend_error;
	struct fleet_error bus_error;
	struct server_error server_error;

	if (!api_token_load(&config->admin, preparation->token, &token_error))
		tell_text(preparation, token_error.text);
	if (!fleet_bus_check(config, &bus_error))
		tell_text(preparation, bus_error.text);
	for (size_t i = 0; i < config->backend_count; i++)
		if (backends_check_one(config, i, &backend_error) < 0)
			tell_text(preparation, backend_error.text);
	if (server_tracing_check(config, &server_error) < 0)
		tell_text(preparation, server_error.text);
	if (server_access_check(config, &server_error) < 0)
		tell_text(preparation, server_error.text);
	auth_table_check(config, on_mistake, on_warning, preparation);
}

static void on_door(void *arg, const struct server_error *error, bool is_warning)
{
	struct start_problem problem = {.message = error->text,
					.is_other_gateway = error->is_other_gateway,
					.is_warning = is_warning && !error->is_other_gateway};

	tell(arg, &problem);
}

size_t start_prepare_again(const struct config *config, struct api_token *out_token,
			   void (*on_problem)(void *arg, const struct start_problem *problem),
			   void *arg)
{
	struct preparation preparation = {
		.config = config, .token = out_token, .on_problem = on_problem, .arg = arg};

	files_check(&preparation);
	server_doors_check_tls(config, on_door, &preparation);
	return preparation.problems;
}

size_t start_prepare(const struct config *config, struct start *start,
		     void (*on_problem)(void *arg, const struct start_problem *problem), void *arg)
{
	return start_prepare_with(config, NULL, start, on_problem, arg);
}

size_t start_prepare_with(const struct config *config, const struct handover_sockets *sockets,
			  struct start *start,
			  void (*on_problem)(void *arg, const struct start_problem *problem),
			  void *arg)
{
	struct preparation preparation = {.config = config,
					  .start = start,
					  .token = &start->token,
					  .on_problem = on_problem,
					  .arg = arg};

	os_limits_raise_nofile();
	files_check(&preparation);
	machine_check(&preparation);
	server_doors_check(config, sockets, on_door, &preparation);
	return preparation.problems;
}
