/* SPDX-License-Identifier: Apache-2.0
 * config_backends.c - what must hold for back ends, and between them and routes. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "config/config_option.h"

/* Of an event on the bus: its subject and headers. */
#define HEADERS_ROOM (16 * CONFIG_KIB)

const struct config_backend *config_backend_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->backend_count; i++)
		if (strcmp(config->backends[i].name, name) == 0)
			return &config->backends[i];
	return NULL;
}

bool config_backend_is_used(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (strcmp(config->routes[i].backend, name) == 0)
			return true;
	return false;
}

/* One at a time to a broker, one more while it is exchanged, and what a name look-up takes. */
#define BUS_SOCKETS 4

/* To a collector, with what its thread sleeps on; of the access log, with the one that comes next.
 */
#define TRACING_SOCKETS 5
#define ACCESS_FILES    2

uint64_t config_backend_sockets(const struct config *config)
{
	uint64_t sockets = config->bus.type == CONFIG_BUS_NATS ? BUS_SOCKETS : 0;

	sockets += config->tracing.url.text[0] != 0 ? TRACING_SOCKETS : 0;
	sockets += config->log.access_file.text[0] != 0 ? ACCESS_FILES : 0;
	for (size_t i = 0; i < config->backend_count; i++)
		if (config->backends[i].type == CONFIG_BACKEND_WEBHOOK &&
		    config_backend_is_used(config, config->backends[i].name))
			sockets += config->backends[i].max_in_flight;
	return sockets;
}

/* What is behind one of the schemes; `url` itself if it has none of them. */
static struct slice behind_scheme(struct slice url, const char *const *schemes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(schemes[i]);

		if (url.len >= len && memcmp(url.data, schemes[i], len) == 0)
			return slice_of(url.data + len, url.len - len);
	}
	return url;
}

static bool has_bad_byte(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= 0x20 || text.data[i] >= 0x7f || text.data[i] == '"' ||
		    text.data[i] == '\\')
			return true;
	return false;
}

static bool has_byte(struct slice text, char byte)
{
	return text.len > 0 && memchr(text.data, byte, text.len) != NULL;
}

const char *config_url_problem(struct slice url)
{
	const char *const schemes[] = {"http://", "https://"};
	struct slice rest = behind_scheme(url, schemes, ARRAY_LEN(schemes));

	if (rest.len == url.len)
		return "does not start with http:// or https://; write a URL such as "
		       "http://127.0.0.1:9000/events";
	if (rest.len == 0 || strchr("/?#:", rest.data[0]) != NULL)
		return "has no host; write a URL such as http://127.0.0.1:9000/events";
	if (has_bad_byte(rest))
		return "has a space or a character that no URL can have; write it percent-encoded";
	return has_byte(rest, '#') ? "has a '#', which is never sent; remove it and the rest"
				   : NULL;
}

/* Of HOST, HOST:PORT or [ADDRESS]:PORT. With a port that is none libnats finds no broker, and says
 * no more than that. */
static bool has_good_port(struct slice authority)
{
	char end = authority.data[0] == '[' ? ']' : ':';
	const uint8_t *at = memchr(authority.data, end, authority.len);
	uint64_t port;

	if (at == NULL)
		return end == ':';
	at += end == ']';
	size_t len = authority.len - (size_t)(at - authority.data);

	return len == 0 ||
	       (*at == ':' && units_parse_count(slice_of(at + 1, len - 1), &port) == UNITS_OK &&
		port >= 1 && port <= UINT16_MAX);
}

const char *config_broker_problem(struct slice url)
{
	const char *const schemes[] = {"nats://", "tls://"};
	struct slice rest = behind_scheme(url, schemes, ARRAY_LEN(schemes));

	if (rest.len == url.len)
		return "does not start with nats:// or tls://; write a URL such as "
		       "nats://10.0.0.1:4222";
	if (rest.len == 0 || rest.data[0] == ':')
		return "has no host; write a URL such as nats://10.0.0.1:4222";
	if (has_byte(rest, '@'))
		return "has a user in it; write bus.user and bus.password_file instead";
	if (url.len >= CONFIG_TEXT_MAX)
		return "is too long; write at most 511 bytes";
	if (has_bad_byte(rest) || has_byte(rest, '/') || has_byte(rest, ',') ||
	    has_byte(rest, '?') || has_byte(rest, '#'))
		return "has a character that has no place there; write nats://HOST:PORT or "
		       "tls://HOST:PORT";
	return has_good_port(rest) ? NULL
				   : "has no port from 1 to 65535 behind its host; write one, such "
				     "as nats://10.0.0.1:4222 or nats://[::1]:4222";
}

static void name_check(const struct config *config, size_t index, struct config_report *report)
{
	const struct config_backend *backend = &config->backends[index];
	const struct config_origin *origin = &backend->given[CONFIG_OPTION_backends_name];

	if (strcmp(backend->name, CONFIG_ECHO) == 0)
		config_report_add(report,
				  "%s:%u:%u: backends[%zu].name: " CONFIG_ECHO
				  " is built in; write another name",
				  config->file, origin->line, origin->column, index);
	const struct config_backend *first = config_backend_find(config, backend->name);

	if (first == backend)
		return;
	const struct config_origin *other = &first->given[CONFIG_OPTION_backends_name];

	config_report_add(report,
			  "%s:%u:%u: backends[%zu].name: %s is the name of backends[%zu] at "
			  "%s:%u:%u too; write another",
			  config->file, origin->line, origin->column, index, backend->name,
			  (size_t)(first - config->backends), config->file, other->line,
			  other->column);
}

static void webhook_check(const struct config *config, size_t index, struct config_report *report)
{
	const struct config_backend *backend = &config->backends[index];
	const struct config_origin *origin = &backend->given[CONFIG_OPTION_backends_type];

	if (backend->url == NULL)
		config_report_add(
			report,
			"%s:%u:%u: backends[%zu].url: is missing; write it, such as 'url: %s'",
			config->file, origin->line, origin->column, index,
			config_option_example(&config_backend_options[CONFIG_OPTION_backends_url]));
}

static void nats_check(const struct config *config, size_t index, struct config_report *report)
{
	const struct config_backend *backend = &config->backends[index];
	const struct config_origin *type = &backend->given[CONFIG_OPTION_backends_type];
	const struct config_origin *stream = &backend->given[CONFIG_OPTION_backends_stream];

	if (config->bus.type != CONFIG_BUS_NATS)
		config_report_add(report,
				  "%s:%u:%u: backends[%zu].type: nats needs a broker, but bus.type "
				  "is embedded; write nats there, and its URLs in bus.urls",
				  config->file, type->line, type->column, index);
	if (config->bus.pending_max < config->server.max_message_size + HEADERS_ROOM)
		config_report_add(
			report,
			"%s:%u:%u: backends[%zu].type: of messages of server.max_message_size "
			"(%" PRIu64 " bytes) not one fits into bus.pending_max (%" PRIu64
			" bytes); make that at least 16KiB larger, or the messages smaller",
			config->file, type->line, type->column, index,
			config->server.max_message_size, config->bus.pending_max);
	if (backend->stream != NULL && backend->durable == CONFIG_SWITCH_FALSE)
		config_report_add(report,
				  "%s:%u:%u: backends[%zu].stream: %s stores nothing without "
				  "durable; write 'durable: true' too, or remove it",
				  config->file, stream->line, stream->column, index,
				  backend->stream);
}

static void retry_check(const struct config *config, size_t index, struct config_report *report)
{
	const struct config_backend *backend = &config->backends[index];
	const struct config_origin *min = &backend->given[CONFIG_OPTION_backends_retry_min];
	const struct config_origin *max = &backend->given[CONFIG_OPTION_backends_retry_max];
	const struct config_origin *origin = max->kind == CONFIG_FROM_FILE ? max : min;

	if (backend->retry_min > backend->retry_max)
		config_report_add(report,
				  "%s:%u:%u: backends[%zu].retry_max: %llums is less than "
				  "retry_min: %llums; write at least as much",
				  config->file, origin->line, origin->column, index,
				  (unsigned long long)backend->retry_max,
				  (unsigned long long)backend->retry_min);
}

static void route_check(const struct config *config, size_t index, struct config_report *report)
{
	const struct config_route *route = &config->routes[index];
	const struct config_origin *origin = &route->given[CONFIG_OPTION_routes_backend];
	struct suggest suggest = {.seen = slice_from_text(route->backend)};
	char hint[SUGGEST_HINT_MAX];

	if (strcmp(route->backend, CONFIG_ECHO) == 0 ||
	    config_backend_find(config, route->backend) != NULL)
		return;
	suggest_offer(&suggest, CONFIG_ECHO);
	for (size_t i = 0; i < config->backend_count; i++)
		suggest_offer(&suggest, config->backends[i].name);
	config_report_add(report,
			  "%s:%u:%u: routes[%zu].backend: %s is unknown; write " CONFIG_ECHO
			  " or the name of an entry of backends%s",
			  config->file, origin->line, origin->column, index, route->backend,
			  suggest_hint(&suggest, hint));
}

void config_backends_check(const struct config *config, struct config_report *report)
{
	for (size_t i = 0; i < config->backend_count; i++) {
		name_check(config, i, report);
		retry_check(config, i, report);
		if (config->backends[i].type == CONFIG_BACKEND_NATS)
			nats_check(config, i, report);
		else
			webhook_check(config, i, report);
	}
	for (size_t i = 0; i < config->route_count; i++)
		route_check(config, i, report);
}
