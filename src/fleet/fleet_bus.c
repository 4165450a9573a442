/* SPDX-License-Identifier: Apache-2.0
 * fleet_bus.c - the fleet's bus (fleet.h): made as the configuration says, with its secrets; its
 * comings and goings for the log. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/hex.h"
#include "base/random.h"
#include "config/config_secret.h"
#include "fleet/fleet.h"
#include "fleet/fleet_handover.h"

struct secrets {
	struct config_text password;
	struct config_text token;
};

static bool secrets_load(const struct config_bus *config, struct secrets *out_secrets,
			 struct fleet_error *out_error)
{
	return config_secret_load(CONFIG_OPTION_bus_password, &config->password_file,
				  &config->password, &out_secrets->password, out_error->text,
				  sizeof(out_error->text)) &&
	       config_secret_load(CONFIG_OPTION_bus_token, &config->token_file, &config->token,
				  &out_secrets->token, out_error->text, sizeof(out_error->text));
}

static const char *text_or_null(const struct config_text *text)
{
	return text->text[0] == 0 ? NULL : text->text;
}

static void heed_status(struct fleet *fleet, struct bus *bus)
{
	struct bus_status status;

	bus_status(bus, &status);
	if (status.is_connected) {
		__atomic_fetch_add(&fleet->connects, 1, __ATOMIC_RELEASE);
		log_info("the bus is connected", F_TEXT("broker", status.detail));
	} else {
		log_warn("the bus is not connected", F_TEXT("reason", status.detail));
	}
}

/* A change is heeded once, by whoever finds both it and the bus: its first ones may come
 * before its maker has it. */
static void heed_change(struct fleet *fleet)
{
	struct bus *bus = __atomic_load_n(&fleet->bus, __ATOMIC_SEQ_CST);

	if (bus != NULL && __atomic_exchange_n(&fleet->has_change, false, __ATOMIC_SEQ_CST))
		heed_status(fleet, bus);
}

/* In a thread of the bus. */
static void on_status(void *arg)
{
	struct fleet *fleet = arg;

	__atomic_store_n(&fleet->has_change, true, __ATOMIC_SEQ_CST);
	heed_change(fleet);
}

/* In a thread of the bus. */
static void on_forbidden(void *arg, const char *text)
{
	struct fleet *fleet = arg;
	uint64_t suppressed;

	if (log_gate_pass(&fleet->forbidden_gate, clock_now_ns(), &suppressed))
		log_warn("the broker forbids this gateway a subject; allow its user to publish and "
			 "to "
			 "subscribe to gatehouse.> and _INBOX.>",
			 F_TEXT("broker_says", text), F_UINT("suppressed", suppressed));
}

static bool tls_check(const struct config_bus *config, const struct bus_options *options,
		      struct fleet_error *out_error)
{
	static const char section[] = "bus.";
	char *text = out_error->text + strlen(section);
	size_t size = sizeof(out_error->text) - strlen(section);

	if (!config_secret_check(CONFIG_OPTION_bus_key_file, &config->key_file, out_error->text,
				 sizeof(out_error->text)))
		return false;
	memcpy(out_error->text, section, strlen(section));
	if (!bus_tls_check(options, text, size))
		return false;
	out_error->text[0] = 0;
	return true;
}

/* What the bus reads itself. */
static void files_fill(const struct config_bus *config, struct bus_options *options)
{
	options->credentials_file = text_or_null(&config->credentials_file);
	options->ca_file = text_or_null(&config->ca_file);
	options->cert_file = text_or_null(&config->cert_file);
	options->key_file = text_or_null(&config->key_file);
}

/* All that can be wrong with them before a broker is asked. */
static bool files_check(const struct config_bus *config, const struct bus_options *options,
			struct secrets *out_secrets, struct fleet_error *out_error)
{
	return secrets_load(config, out_secrets, out_error) &&
	       config_secret_check(CONFIG_OPTION_bus_credentials_file, &config->credentials_file,
				   out_error->text, sizeof(out_error->text)) &&
	       tls_check(config, options, out_error);
}

static int nats_open(struct fleet *fleet, const struct config_bus *config,
		     struct bus_options options, struct bus **out_bus,
		     struct fleet_error *out_error)
{
	const char *items[CONFIG_URLS_MAX];
	struct secrets secrets;

	files_fill(config, &options);
	if (!files_check(config, &options, &secrets, out_error))
		return -EINVAL;
	for (size_t i = 0; i < config->urls.count; i++)
		items[i] = config->urls.items[i].text;
	options.urls = items;
	options.url_count = config->urls.count;
	options.user = text_or_null(&config->user);
	options.password = text_or_null(&secrets.password);
	options.token = text_or_null(&secrets.token);
	options.connect_timeout_ns = config->connect_timeout * NS_PER_MS;
	options.reconnect_min_ns = config->reconnect_min * NS_PER_MS;
	options.reconnect_max_ns = config->reconnect_max * NS_PER_MS;
	options.ping_interval_ns = config->ping_interval * NS_PER_MS;
	options.on_status = on_status;
	options.on_forbidden = on_forbidden;
	options.arg = fleet;
	return bus_create_nats(&options, out_bus);
}

bool fleet_bus_check(const struct config *config, struct fleet_error *out_error)
{
	struct bus_options options = {0};
	struct secrets secrets;

	if (config->bus.type != CONFIG_BUS_NATS)
		return true;
	files_fill(&config->bus, &options);
	return files_check(&config->bus, &options, &secrets, out_error);
}

static void name_make(char out[33])
{
	struct random_source random = {0};
	uint64_t words[2];

	random_fill(&random, words, sizeof(words));
	snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, words[0], words[1]);
}

/* By which this process knows its own messages, also from one of the same node's name. */
static void origin_make(struct fleet *fleet)
{
	if (!fleet->is_successor)
		name_make(fleet->origin);
}

bool fleet_succeed(struct fleet *fleet, struct slice origin)
{
	if (origin.len != sizeof(fleet->origin) - 1)
		return false;
	for (size_t i = 0; i < origin.len; i++)
		if (hex_value_lower(origin.data[i]) < 0)
			return false;
	memcpy(fleet->origin, origin.data, origin.len);
	fleet->origin[origin.len] = 0;
	fleet->is_successor = true;
	return true;
}

void fleet_take_limits(struct fleet *fleet, const struct config *config)
{
	struct fleet_limits *limits = &fleet->limits;

	counter_set(&limits->max_message_size, config->server.max_message_size);
	counter_set(&limits->send_queue_max, config->server.send_queue_max);
	counter_set(&limits->max_groups, config->server.max_groups);
	counter_set(&limits->max_groups_per_client, config->server.max_groups_per_client);
	counter_set(&limits->call_timeout_ns, config->admin.call_timeout * NS_PER_MS);
	counter_set(&limits->pending_max, config->bus.pending_max);
	counter_set(&limits->claim_timeout_ns, config->bus.claim_timeout * NS_PER_MS);
	counter_set(&limits->announce_interval_ns, config->bus.announce_interval * NS_PER_MS);
}

int fleet_bus_open(struct fleet *fleet, const struct config *config, struct fleet_error *out_error)
{
	struct bus_options options = {
		.pending_max = config->bus.pending_max,
		.requests_max = (uint32_t)config->bus.requests_max,
		.name = fleet->node,
		.is_successor = fleet->is_successor,
	};
	struct bus *bus = NULL;

	out_error->text[0] = 0;
	origin_make(fleet);
	options.family = fleet->origin;
	options.family_epoch = fleet->bus_epoch;
	fleet->is_clustered = config->bus.type == CONFIG_BUS_NATS;
	int r = fleet->is_clustered ? nats_open(fleet, &config->bus, options, &bus, out_error)
				    : bus_create_embedded(&options, &bus);

	if (r < 0 && out_error->text[0] == 0)
		snprintf(out_error->text, sizeof(out_error->text),
			 "the bus could not be made: %s; check bus.urls and the other options of "
			 "bus, and the limits on memory and threads",
			 strerror(-r));
	__atomic_store_n(&fleet->bus, bus, __ATOMIC_SEQ_CST);
	heed_change(fleet);
	return r;
}

void fleet_bus_close(struct fleet *fleet)
{
	struct bus *bus = fleet->bus;

	__atomic_store_n(&fleet->bus, NULL, __ATOMIC_RELEASE);
	bus_destroy(&bus);
}
