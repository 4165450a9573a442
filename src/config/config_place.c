/* SPDX-License-Identifier: Apache-2.0
 * config_place.c - where a listener is: an address and a port, or a unix socket. */
#include <stdio.h>
#include <string.h>

#include "config/config_option.h"

#define UNIX_SCHEME "unix:"

_Static_assert(CONFIG_PLACE_TEXT_MAX > sizeof(UNIX_SCHEME) + CONFIG_UNIX_PATH_MAX &&
		       CONFIG_PLACE_TEXT_MAX >= NET_ADDR_TEXT_MAX,
	       "a place does not fit");

/* NULL, or what is wrong with the path of a socket (static text). */
static const char *path_problem(struct slice path)
{
	if (path.len == 0 || path.data[0] != '/')
		return "has no absolute path; write unix:/run/gatehouse/gatehouse.sock";
	if (path.len > CONFIG_UNIX_PATH_MAX)
		return "has a path of more than 107 bytes, which no unix socket can have; write a "
		       "shorter one";
	if (path.data[path.len - 1] == '/')
		return "is a directory; write the name of the socket in it too";
	for (size_t i = 0; i < path.len; i++)
		if (path.data[i] < ' ' || path.data[i] == 0x7f || path.data[i] == '"' ||
		    path.data[i] == '\\')
			return "has a path with a character that has no place there; write it "
			       "without control characters, '\"' and '\\'";
	return NULL;
}

static bool unix_parse(struct slice text, struct config_place *out_place,
		       struct config_problem *out_problem)
{
	struct slice path = slice_of(text.data + strlen(UNIX_SCHEME),
				     text.len - strlen(UNIX_SCHEME));
	const char *wrong = path_problem(path);
	char seen[CONFIG_QUOTE_MAX];

	if (wrong != NULL) {
		config_problem_set(out_problem, "%s %s", config_quote(text, seen), wrong);
		return false;
	}
	*out_place = (struct config_place){0};
	memcpy(out_place->unix_path, path.data, path.len);
	return true;
}

bool config_place_parse(struct slice text, struct config_place *out_place,
			struct config_problem *out_problem)
{
	char seen[CONFIG_QUOTE_MAX];
	struct config_place place = {0};

	if (text.len >= strlen(UNIX_SCHEME) &&
	    memcmp(text.data, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0)
		return unix_parse(text, out_place, out_problem);
	const char *wrong = net_addr_parse(text, &place.addr);

	if (wrong != NULL) {
		config_problem_set(out_problem, "%s %s", config_quote(text, seen), wrong);
		return false;
	}
	*out_place = place;
	return true;
}

char *config_place_format(const struct config_place *place, char out[CONFIG_PLACE_TEXT_MAX])
{
	if (place->unix_path[0] == 0)
		return net_addr_format(&place->addr, out, CONFIG_PLACE_TEXT_MAX);
	snprintf(out, CONFIG_PLACE_TEXT_MAX, UNIX_SCHEME "%s", place->unix_path);
	return out;
}

bool config_listener_has(const struct config_listener *listener,
			 enum config_listener_option_number option)
{
	bool is_unix = listener->address.unix_path[0] != 0;

	switch (option) {
	case CONFIG_OPTION_listeners_mode:
	case CONFIG_OPTION_listeners_owner:
		return is_unix;
	case CONFIG_OPTION_listeners_ipv6_only:
		return !is_unix && listener->address.addr.sa.sa_family == AF_INET6 &&
		       net_addr_is_wildcard(&listener->address.addr);
	default:
		return true;
	}
}
