/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/check.h"
#include "base/saturate.h"
#include "base/units.h"
#include "diag/doctor_format.h"
#include "diag/limits_json.h"

/* Listen queues of this size take a burst: it is the kernel's own default. */
#define SOMAXCONN_GOOD 4096

/* --- numbers --- */

char *doctor_size(uint64_t bytes, char out[DOCTOR_NUMBER_MAX])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned unit = 0;
	double value = (double)bytes;

	for (; value >= 1024 && unit < ARRAY_LEN(units) - 1; unit++)
		value /= 1024;
	bool is_whole = value == (double)(uint64_t)value;

	snprintf(out, DOCTOR_NUMBER_MAX, "%.*f %s", is_whole ? 0 : 1, value, units[unit]);
	return out;
}

char *doctor_value(const char *unit, uint64_t value, char out[DOCTOR_NUMBER_MAX])
{
	if (strcmp(unit, "bytes") == 0)
		return doctor_size(value, out);
	if (strcmp(unit, "days") != 0)
		return units_format_grouped(value, out);
	snprintf(out, DOCTOR_NUMBER_MAX, "in %" PRIu64 " day%s", value, value == 1 ? "" : "s");
	return out;
}

/* --- a process as input of the table --- */

/* One ring of a gateway is the admin listener's. */
static uint64_t connection_rings(const struct process *process)
{
	bool is_gateway = strcmp(process->name, "gatehouse") == 0;

	return process->rings - (is_gateway && process->rings > 1);
}

static uint64_t nofile_connections(const struct process *process, const struct os_value *soft)
{
	if (!soft->is_known || soft->value == OS_UNLIMITED)
		return LIMIT_NO_CAP;
	if (process_has_direct_sockets(process))
		return saturating_mul(connection_rings(process), soft->value);
	return saturating_sub(soft->value, process->others + process->rings + process->listening);
}

void doctor_process_input(const struct process *process, const struct os_limits *os,
			  struct limits_input *out_input)
{
	bool is_direct = process_has_direct_sockets(process);
	uint64_t connections = process_connections(process);
	uint64_t rings = connection_rings(process);

	*out_input = (struct limits_input){
		.os = os,
		.engine = is_direct ? LOOP_ENGINE_IO_URING : LOOP_ENGINE_EPOLL,
		.workers = is_direct ? rings : 0,
		.nofile_connections = nofile_connections(process, &os->nofile_soft),
		.is_running = true,
		.connections = connections,
		/* Which ring holds how many nobody tells: the kernel deals them out evenly. */
		.fullest_ring = is_direct ? (connections + rings - 1) / rings : 0,
		.cost = {.bytes = LIMIT_COST_ASSUMED_BYTES},
	};
}

/* --- the verdict --- */

static void say(struct doctor_answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct doctor_answer *answer, const char *format, ...)
{
	size_t at = strlen(answer->verdict);
	va_list args;

	va_start(args, format);
	vsnprintf(answer->verdict + at, sizeof(answer->verdict) - at, format, args);
	va_end(args);
}

static uint64_t held(const struct doctor_case *asked)
{
	const struct limit *binding = limits_binding(asked->limits);

	return binding == NULL ? LIMIT_NO_CAP : binding->connections;
}

/* The number that a configuration asks for, or the question; 0: none does. */
static uint64_t target_of(const struct doctor_case *asked)
{
	const struct config *config = asked->input->config;

	if (asked->wanted != 0)
		return asked->wanted;
	return config == NULL ? 0 : config->server.max_connections;
}

/* "nofile (20,000 per ring)" */
static void say_limit(const struct doctor_case *asked, struct doctor_answer *answer,
		      const struct limit *limit)
{
	char value[DOCTOR_NUMBER_MAX];
	bool is_per_ring = limit->id == LIMIT_ID_NOFILE &&
			   asked->input->engine == LOOP_ENGINE_IO_URING;

	say(answer, "%s", limit_label(limit->id));
	if (limit->state == LIMIT_KNOWN)
		say(answer, " (%s%s%s%s)", doctor_value(limit_unit(limit->id), limit->value, value),
		    is_per_ring ? " per ring" : "", limit->set_by[0] != 0 ? "; " : "",
		    limit->set_by);
}

static void say_next(const struct doctor_case *asked, struct doctor_answer *answer)
{
	const struct limit *next = limits_next(asked->limits);
	char number[DOCTOR_NUMBER_MAX];

	if (next != NULL)
		say(answer, "; next would be %s at %s", limit_label(next->id),
		    units_format_grouped(next->connections, number));
}

static void say_held(const struct doctor_case *asked, struct doctor_answer *answer)
{
	const struct limit *binding = limits_binding(asked->limits);
	char number[DOCTOR_NUMBER_MAX];

	if (asked->own_problem != NULL)
		say(answer,
		    "%s (pid %d) does not tell its own limits, max_connections among them (%s); "
		    "as far as the kernel knows, it",
		    asked->process->name, (int)asked->process->pid, asked->own_problem);
	else if (asked->process != NULL)
		say(answer, "%s (pid %d)", asked->process->name, (int)asked->process->pid);
	else
		say(answer, "This machine and configuration");
	if (binding == NULL) {
		say(answer, ": no limit that could be read caps connections");
		return;
	}
	say(answer, " %s %s connections; the limit that binds is ",
	    asked->process != NULL ? "can hold" : "hold",
	    units_format_grouped(binding->connections, number));
	say_limit(asked, answer, binding);
	say_next(asked, answer);
}

/* `auto` only repeats what it was taken from. */
static bool is_in_the_way(const struct doctor_case *asked, const struct limit *row, uint64_t target)
{
	return row->connections < target &&
	       !(asked->limits->is_auto && row->id == LIMIT_ID_MAX_CONNECTIONS);
}

static void say_unfit(const struct doctor_case *asked, struct doctor_answer *answer)
{
	const char *separator = "";
	char number[DOCTOR_NUMBER_MAX];

	if (asked->wanted != 0)
		say(answer, "no: ");
	else if (target_of(asked) == 0)
		say(answer, "there is no room for connections: ");
	else
		say(answer,
		    "server.max_connections %s (%s) cannot be held, serve would not start: ",
		    units_format_grouped(answer->target, number),
		    asked->limits->rows[LIMIT_ID_MAX_CONNECTIONS].set_by);
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = &asked->limits->rows[asked->limits->order[i]];

		if (!is_in_the_way(asked, row, answer->target))
			continue;
		say(answer, "%s%s allows %s", separator, limit_label(row->id),
		    units_format_grouped(row->connections, number));
		if (row->set_by[0] != 0)
			say(answer, " (%s)", row->set_by);
		separator = ", ";
	}
}

static void say_used_up(const struct doctor_case *asked, struct doctor_answer *answer)
{
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = &asked->limits->rows[asked->limits->order[i]];

		if (limit_percent(row) < DOCTOR_USED_UP)
			continue;
		answer->is_good = false;
		say(answer, "; %s is %u%% used", limit_label(row->id), limit_percent(row));
	}
}

/* The kernel lets one more wait than the backlog says. */
static void say_full_queues(const struct doctor_case *asked, struct doctor_answer *answer)
{
	const struct process *process = asked->process;
	char address[NET_ADDR_TEXT_MAX];

	for (size_t i = 0; process != NULL && i < process->listener_count; i++) {
		const struct process_listener *listener = &process->listeners[i];

		if (listener->queue <= listener->backlog)
			continue;
		answer->is_good = false;
		say(answer, "; the queue of %s is full: %u wait, its backlog is %u",
		    net_addr_format(&listener->address, address, sizeof(address)), listener->queue,
		    listener->backlog);
	}
}

/* True: there is nothing else to say. */
static bool say_nothing_there(const struct process *process, struct doctor_answer *answer)
{
	if (process == NULL || process->state == PROCESS_RUNS)
		return false;
	say(answer, "%s (pid %d) is %s", process->name, (int)process->pid,
	    process->state == PROCESS_IS_ZOMBIE
		    ? "a zombie: it has ended and holds nothing."
		    : "a thread of the kernel: it has no descriptors and no listeners.");
	return true;
}

static void verdict_make(const struct doctor_case *asked, struct doctor_answer *answer)
{
	char number[DOCTOR_NUMBER_MAX];
	bool fits = held(asked) >= answer->target;

	answer->is_good = fits && asked->own_problem == NULL;
	if (asked->obstacle != NULL) {
		answer->is_good = false;
		say(answer, "%s", asked->obstacle);
	} else if (!fits) {
		say_unfit(asked, answer);
	} else {
		if (asked->wanted != 0)
			say(answer,
			    asked->own_problem == NULL ? "yes: %s fit. "
						       : "that cannot be known of %s. ",
			    units_format_grouped(asked->wanted, number));
		say_held(asked, answer);
	}
	say_used_up(asked, answer);
	say_full_queues(asked, answer);
	say(answer, ".");
}

/* --- the changes --- */

size_t doctor_remedies(const struct doctor_case *asked, const struct limit *limit,
		       uint64_t connections, struct limit_remedy out[LIMIT_REMEDIES_MAX])
{
	if (asked->own_table != NULL)
		return limits_json_remedies(asked->own_table, limit, connections, out);
	return limit_remedies(asked->input, limit, connections, out);
}

/* [bytes] of the line itself, without what a "#" says about it. */
static size_t line_len(const char *text)
{
	size_t len = strcspn(text, "#");

	while (len > 0 && text[len - 1] == ' ')
		len--;
	return len;
}

static bool is_same_line(const struct limit_remedy *one, const struct limit_remedy *other)
{
	size_t len = line_len(one->text);

	return strcmp(one->place, other->place) == 0 && len == line_len(other->text) &&
	       memcmp(one->text, other->text, len) == 0;
}

static void change_add(struct doctor_answer *answer, enum limit_id id, bool is_advice,
		       const struct limit_remedy *remedy)
{
	/* One line may help against two limits: server.max_connections makes more rings. */
	for (size_t i = 0; i < answer->change_count; i++) {
		struct limit_remedy *there = &answer->changes[i].remedy;

		if (!is_same_line(there, remedy))
			continue;
		if (strlen(there->text) < strlen(remedy->text)) /* which beats the file */
			*there = *remedy;
		return;
	}
	if (answer->change_count < DOCTOR_CHANGES_MAX)
		answer->changes[answer->change_count++] = (struct doctor_change){id, is_advice,
										 *remedy};
}

static void remedies_add(const struct doctor_case *asked, const struct limit *row,
			 struct doctor_answer *answer)
{
	struct limit_remedy remedies[LIMIT_REMEDIES_MAX];
	size_t count = doctor_remedies(asked, row, answer->target, remedies);

	for (size_t i = 0; i < count; i++)
		change_add(answer, row->id, false, &remedies[i]);
}

static void advice_add(const struct doctor_case *asked, enum limit_id id, const char *key,
		       struct doctor_answer *answer)
{
	const struct limit *row = &asked->limits->rows[id];
	struct limit_remedy remedy = {.place = "sysctl"};

	if (row->state != LIMIT_KNOWN || row->value >= SOMAXCONN_GOOD ||
	    row->value >= answer->target)
		return;
	snprintf(remedy.text, sizeof(remedy.text), "sysctl -w %s=%d", key, SOMAXCONN_GOOD);
	change_add(answer, id, true, &remedy);
}

static void changes_find(const struct doctor_case *asked, struct doctor_answer *answer)
{
	const struct limit *cookies = &asked->limits->rows[LIMIT_ID_SYN_COOKIES];

	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = &asked->limits->rows[asked->limits->order[i]];

		if (is_in_the_way(asked, row, answer->target))
			remedies_add(asked, row, answer);
	}
	advice_add(asked, LIMIT_ID_SOMAXCONN, "net.core.somaxconn", answer);
	if (cookies->state == LIMIT_KNOWN && cookies->value == 0)
		advice_add(asked, LIMIT_ID_SYN_BACKLOG, "net.ipv4.tcp_max_syn_backlog", answer);
}

void doctor_judge(const struct doctor_case *asked, struct doctor_answer *out_answer)
{
	*out_answer = (struct doctor_answer){.target = target_of(asked)};
	if (out_answer->target == 0 && held(asked) == 0)
		out_answer->target = 1;
	if (say_nothing_there(asked->process, out_answer))
		return;
	verdict_make(asked, out_answer);
	changes_find(asked, out_answer);
}
