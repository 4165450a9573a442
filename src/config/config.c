/* SPDX-License-Identifier: Apache-2.0
 * config.c - puts defaults, file, environment and flags together. */
#include "config/config_option.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define PIPE_WAIT_MS   5000
#define DEFAULT_PATH   "/ws/{client_id}"

void config_finish(struct config *config)
{
	for (size_t i = 0; i < CONFIG_LIST_COUNT; i++)
		config_list_finish(&config_lists[i], config);
	config_values_finish(config_options, CONFIG_OPTION_COUNT, config);
	free(config->file);
	config_report_finish(&config->warnings);
	*config = (struct config){0};
}

static void default_route_add(struct config *config, struct config_report *report)
{
	const struct config_list *list = &config_lists[CONFIG_LIST_routes];
	char *path = strdup(DEFAULT_PATH);
	char *name = config_path_name(DEFAULT_PATH);

	if (path == NULL || name == NULL || !config_list_allocate(list, config, 1)) {
		free(path);
		free(name);
		config_report_add(report, "routes: out of memory");
		return;
	}
	struct config_route *route = config_list_add(list, config);

	route->path = path;
	route->name = name;
}

void config_text_apply(struct config *config, const struct config_option *option,
		       struct config_origin origin, struct slice name, const char *value,
		       struct config_report *report)
{
	struct config_problem problem;

	config->origins[option - config_options] = origin;
	if (!config_value_apply(option, slice_from_text(value), config, &problem))
		config_report_add(report, "%.*s: %s", SLICE_ARG(name), problem.text);
}

static void flags_apply(struct config *config, const struct config_flag *flags, size_t count,
			struct config_report *report)
{
	size_t before = report->count;

	for (size_t i = 0; i < count; i++) {
		const struct config_option *option = config_option_by_flag(flags[i].name);
		char usual[CONFIG_NAME_MAX];

		CHECK(option != NULL);
		struct config_origin origin = {
			.kind = CONFIG_FROM_FLAG,
			.is_other_form = flags[i].name.len !=
					 strlen(config_option_flag(option, usual)),
		};

		config_text_apply(config, option, origin, flags[i].name, flags[i].value, report);
	}
	report->of_flags += report->count - before;
}

/* Returns 0 with the whole file in *out_text, or a negative errno. */
static int descriptor_read(int fd, struct buf *out_text)
{
	for (;;) {
		uint8_t *room = buf_reserve(out_text, 4096, FILE_BYTES_MAX + 8192);

		if (room == NULL)
			return -ENOMEM;
		/* A pipe or a terminal may never have anything; a file is always ready. */
		int ready = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, PIPE_WAIT_MS);

		if (ready == 0)
			return -ETIMEDOUT;
		ssize_t got = ready < 0 ? -1 : read(fd, room, 4096);

		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (got == 0)
			return 0;
		out_text->len += got > 0 ? (size_t)got : 0;
		if (out_text->len > FILE_BYTES_MAX)
			return -EFBIG;
	}
}

static int file_read(const char *file, struct buf *out_text)
{
	/* Without O_NONBLOCK the open of a pipe waits for its writer. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	int r = descriptor_read(fd, out_text);

	close(fd);
	return r;
}

static const char *file_advice(int error)
{
	switch (error) {
	case ENOENT:
		return "check the name given with -c, or leave -c out for the defaults";
	case EACCES:
		return "let the user of this process read it";
	case EISDIR:
		return "name a file";
	default:
		return "name a readable file";
	}
}

static void sha256_write(struct slice text, char out_digits[CONFIG_SHA256_TEXT])
{
	uint8_t digest[(CONFIG_SHA256_TEXT - 1) / 2];
	unsigned size = 0;

	if (EVP_Digest(text.data, text.len, digest, &size, EVP_sha256(), NULL) != 1)
		return; /* memory is out: no digest */
	CHECK(size == sizeof(digest));
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out_digits + 2 * i, 3, "%02x", digest[i]);
}

static void file_apply(struct config *config, const char *file, const struct slice *given,
		       struct config_report *report)
{
	struct buf content = {0};
	struct slice text = given != NULL ? *given : (struct slice){0};
	int r = given == NULL ? file_read(file, &content) : text.len > FILE_BYTES_MAX ? -EFBIG : 0;

	if (given == NULL)
		text = buf_slice(&content);
	if (r == -EFBIG)
		config_report_add(report, "%s: is larger than %zu bytes; write a smaller file",
				  file, FILE_BYTES_MAX);
	else if (r == -ETIMEDOUT)
		config_report_add(report,
				  "%s: is a pipe or a terminal and nothing came for %d ms; name a "
				  "file or let something write to it",
				  file, PIPE_WAIT_MS);
	else if (r < 0)
		config_report_add(report, "%s: cannot be read: %s; %s", file, strerror(-r),
				  file_advice(-r));
	else
		config_yaml_apply(config, file, text, report);
	if (r == 0)
		sha256_write(text, config->file_sha256);
	buf_finish(&content);
	config->file = strdup(file);
	if (config->file == NULL)
		config_report_add(report, "%s: out of memory", file);
}

int config_load(const struct config_sources *sources, struct config_report *report,
		struct config *out_config)
{
	struct config config = {0};
	size_t before = report->count;

	config_defaults_apply(config_options, CONFIG_OPTION_COUNT, &config);
	if (sources->file != NULL)
		file_apply(&config, sources->file, sources->text, report);
	if (sources->environment != NULL)
		config_environment_apply(&config, sources->environment, report);
	flags_apply(&config, sources->flags, sources->flag_count, report);
	if (report->count == before) {
		config_listeners_check(&config, report);
		config_admin_check(&config, report);
		config_bus_check(&config, report);
		config_backends_check(&config, report);
		config_auth_check(&config, report);
		config_profiles_check(&config, report);
	}
	if (config.route_count == 0 && report->count == before)
		default_route_add(&config, report);
	config_listener_from_listen(&config);
	config_clashes_check(&config, report);
	if (report->count != before) {
		config_finish(&config);
		return -EINVAL;
	}
	config_warn(&config);
	*out_config = config;
	return 0;
}
