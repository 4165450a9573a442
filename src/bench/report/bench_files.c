/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report/bench_files.h"

#include <errno.h>
#include <string.h>

#include "bench/report/bench_compare.h"
#include "bench/report/bench_html.h"
#include "bench/report/bench_markdown.h"

struct message {
	char *error;
	size_t size;
};

static int open_one(const char *option, const char *path, FILE **file, struct message message)
{
	if (path == NULL)
		return 0;
	*file = fopen(path, "we");
	if (*file != NULL)
		return 0;
	int r = -errno;

	snprintf(message.error, message.size, "--%s: cannot write '%s': %s; nothing was tested",
		 option, path, strerror(-r));
	return r;
}

int bench_files_open(struct bench_files *files, const struct bench_options *options, char *error,
		     size_t error_size)
{
	struct message message = {error, error_size};

	/* First, since --json may name the same file, which is empty once it is open. */
	if (options->compare_path != NULL) {
		files->before = bench_compare_read(options->compare_path, error, error_size);
		if (files->before == NULL)
			return -EINVAL;
	}
	int r = open_one("json", options->json_path, &files->json, message);

	if (r == 0)
		r = open_one("html", options->html_path, &files->html, message);
	return r < 0 ? r : open_one("report", options->report_path, &files->report, message);
}

/* Some file systems tell only at the end that there is no room. */
static int close_one(FILE **file)
{
	int r = *file != NULL && fclose(*file) == EOF ? -errno : 0;

	*file = NULL;
	return r;
}

static int write_one(const char *option, const char *path, FILE **file,
		     int (*write)(const struct bench_report *report, FILE *to),
		     const struct bench_report *report, struct message message)
{
	if (*file == NULL)
		return 0;
	int r = write(report, *file);
	int closed = close_one(file);

	if (r == 0)
		r = closed;
	if (r < 0)
		snprintf(message.error, message.size, "--%s: writing '%s' failed: %s", option, path,
			 strerror(-r));
	return r;
}

int bench_files_write(struct bench_files *files, const struct bench_report *report, char *error,
		      size_t error_size)
{
	const struct bench_options *options = report->setup->options;
	struct message message = {error, error_size};
	int json = write_one("json", options->json_path, &files->json, bench_report_write_json,
			     report, message);
	int html = write_one("html", options->html_path, &files->html, bench_report_write_html,
			     report, message);

	int written = write_one("report", options->report_path, &files->report,
				bench_report_write_markdown, report, message);

	return written < 0 ? written : html < 0 ? html : json;
}

void bench_files_close(struct bench_files *files)
{
	close_one(&files->json);
	close_one(&files->html);
	close_one(&files->report);
	json_decref(files->before);
	files->before = NULL;
}
