/* SPDX-License-Identifier: Apache-2.0
 * config_bus.c - what must hold between the options of the bus. */
#include <string.h>

#include "base/check.h"
#include "config/config_option.h"

static bool is_tls(const struct config_text *url)
{
	return strncmp(url->text, "tls://", strlen("tls://")) == 0;
}

/* One mistyped URL must not make a node talk in clear. */
static void schemes_check(const struct config *config, struct config_report *report)
{
	const struct config_urls *urls = &config->bus.urls;
	const struct config_text *first = &urls->items[0];
	char place[CONFIG_PLACE_MAX];

	for (size_t i = 1; i < urls->count; i++) {
		const struct config_text *other = &urls->items[i];

		if (is_tls(other) == is_tls(first))
			continue;
		config_report_add(report,
				  "%sbus.urls: of %s and %s one goes in clear; write tls:// in all "
				  "URLs, or nats:// in all",
				  config_origin_format(config, CONFIG_OPTION_bus_urls, place),
				  first->text, other->text);
		report->of_flags += config_is_only_from_flags(config, CONFIG_OPTION_bus_urls);
		return;
	}
}

static bool is_set(const struct config *config, enum config_option_number option)
{
	const struct config_text *file = (const void *)((const char *)config +
							config_options[option].offset);

	return file->text[0] != 0;
}

static void tls_only_check(const struct config *config, enum config_option_number option,
			   struct config_report *report)
{
	const struct config_text *url = &config->bus.urls.items[0];
	char place[CONFIG_PLACE_MAX];

	if (!is_set(config, option) || is_tls(url))
		return;
	config_report_add(report,
			  "%sbus.%s: is of no use with %s in bus.urls; write tls:// there, or "
			  "remove this",
			  config_origin_format(config, option, place), config_options[option].key,
			  url->text);
	report->of_flags += config_is_only_from_flags(config, option) &&
			    config_is_only_from_flags(config, CONFIG_OPTION_bus_urls);
}

static void partner_check(const struct config *config, enum config_option_number option,
			  enum config_option_number partner, struct config_report *report)
{
	char place[CONFIG_PLACE_MAX];

	if (!is_set(config, option) || is_set(config, partner))
		return;
	config_report_add(report, "%sbus.%s: needs bus.%s too; set both or neither",
			  config_origin_format(config, option, place), config_options[option].key,
			  config_options[partner].key);
	report->of_flags += config_is_only_from_flags(config, option) &&
			    config_is_only_from_flags(config, partner);
}

void config_bus_check(const struct config *config, struct config_report *report)
{
	static const enum config_option_number tls_options[] = {
		CONFIG_OPTION_bus_ca_file,
		CONFIG_OPTION_bus_cert_file,
		CONFIG_OPTION_bus_key_file,
	};

	schemes_check(config, report);
	for (size_t i = 0; i < ARRAY_LEN(tls_options); i++)
		tls_only_check(config, tls_options[i], report);
	partner_check(config, CONFIG_OPTION_bus_cert_file, CONFIG_OPTION_bus_key_file, report);
	partner_check(config, CONFIG_OPTION_bus_key_file, CONFIG_OPTION_bus_cert_file, report);
}
