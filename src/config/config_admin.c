/* SPDX-License-Identifier: Apache-2.0
 * config_admin.c - what must hold of the options of the admin listener. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/config_option.h"

/* NULL: nothing. Others put a place on the page behind it. */
static const char *console_url_problem(struct slice url)
{
	const char *wrong = config_url_problem(url);

	if (wrong != NULL)
		return wrong;
	if (memchr(url.data, '@', url.len) != NULL)
		return "has a user in it, which all nodes would see; leave it out";
	return memchr(url.data, '?', url.len) != NULL
		       ? "has a query; write the address of the page alone, such as "
			 "https://gw-1.example:8081/console"
		       : NULL;
}

void config_admin_check(const struct config *config, struct config_report *report)
{
	const struct slice url = slice_from_text(config->admin.console_url.text);
	const char *wrong = url.len == 0 ? NULL : console_url_problem(url);
	char place[CONFIG_PLACE_MAX], seen[CONFIG_QUOTE_MAX];

	if (wrong == NULL)
		return;
	bool has_user = memchr(url.data, '@', url.len) != NULL; /* a password is not repeated */

	config_report_add(report, "%sadmin.console_url: %s %s",
			  config_origin_format(config, CONFIG_OPTION_admin_console_url, place),
			  has_user ? "what is given" : config_quote(url, seen), wrong);
	report->of_flags += config_is_only_from_flags(config, CONFIG_OPTION_admin_console_url);
}
