/* SPDX-License-Identifier: Apache-2.0
 * metrics_before.c - the page is kept as it is, with a sorted list of where its samples lie. */
#include "admin/metrics/metrics_before.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics_text.h"

/* "name{labels}" and what was counted. */
struct sample {
	struct slice series;
	struct slice value; /* a number, as text */
};

struct metrics_before {
	pthread_mutex_t mutex;
	char *page; /* NULL: nothing was before */
	struct sample *samples;
	size_t count;
	struct buf held; /* of this process; empty: none */
};

struct metrics_before *metrics_before_create(void)
{
	struct metrics_before *self = calloc(1, sizeof(*self));

	if (self != NULL)
		pthread_mutex_init(&self->mutex, NULL);
	return self;
}

void metrics_before_destroy(struct metrics_before **before)
{
	struct metrics_before *self = *before;

	if (self == NULL)
		return;
	pthread_mutex_destroy(&self->mutex);
	free(self->page);
	free(self->samples);
	buf_finish(&self->held);
	free(self);
	*before = NULL;
}

/* --- a page --- */

/* What "# TYPE" said last. */
struct family {
	struct slice name;
	bool is_counted; /* a counter or a histogram, and not of the process */
};

static bool starts(struct slice text, const char *start)
{
	size_t len = strlen(start);

	return text.len >= len && memcmp(text.data, start, len) == 0;
}

/* True: the line was one of these. */
static bool family_read(struct slice line, struct family *family)
{
	static const char mark[] = "# TYPE ";
	struct slice rest = line;

	if (line.len == 0 || line.data[0] != '#')
		return false;
	if (!starts(line, mark))
		return true;
	rest = slice_of(line.data + strlen(mark), line.len - strlen(mark));
	slice_next(&rest, ' ', &family->name);
	family->is_counted = (slice_equals(rest, SLICE_LITERAL("counter")) ||
			      slice_equals(rest, SLICE_LITERAL("histogram"))) &&
			     !starts(family->name, "process_");
	return true;
}

/* A sample ends in a blank and its number; a label may have blanks. */
static bool sample_read(struct slice line, struct sample *out)
{
	const uint8_t *blank = memrchr(line.data, ' ', line.len);

	if (blank == NULL)
		return false;
	out->series = slice_of(line.data, (size_t)(blank - line.data));
	out->value = slice_of(blank + 1, line.len - out->series.len - 1);
	return out->value.len > 0 && out->value.len < 32;
}

static int compare(struct slice a, struct slice b)
{
	int r = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

	return r != 0 ? r : a.len < b.len ? -1 : a.len > b.len;
}

static int compare_samples(const void *a, const void *b)
{
	return compare(((const struct sample *)a)->series, ((const struct sample *)b)->series);
}

void metrics_before_take(struct metrics_before *before, struct slice page)
{
	char *copy = slice_to_text(page);
	struct sample *samples = calloc(slice_count_lines(page) + 1, sizeof(*samples));
	struct family family = {0};
	size_t count = 0;

	if (copy == NULL || samples == NULL) {
		free(copy);
		free(samples);
		return;
	}
	struct slice rest = slice_of(copy, page.len), line;

	while (slice_next(&rest, '\n', &line))
		if (line.len > 0 && !family_read(line, &family) && family.is_counted)
			count += sample_read(line, &samples[count]);
	qsort(samples, count, sizeof(*samples), compare_samples);
	pthread_mutex_lock(&before->mutex);
	free(before->page);
	free(before->samples);
	before->page = copy;
	before->samples = samples;
	before->count = count;
	pthread_mutex_unlock(&before->mutex);
}

/* --- adding --- */

static bool is_whole(struct slice value)
{
	return memchr(value.data, '.', value.len) == NULL &&
	       memchr(value.data, 'e', value.len) == NULL;
}

static void sum_write(struct buf *out, const struct sample *now, const struct sample *then)
{
	char a[32], b[32];

	snprintf(a, sizeof(a), "%.*s", SLICE_ARG(now->value));
	snprintf(b, sizeof(b), "%.*s", SLICE_ARG(then->value));
	if (is_whole(now->value) && is_whole(then->value))
		PRINT(out, "%.*s %" PRIu64 "\n", SLICE_ARG(now->series),
		      (uint64_t)strtoull(a, NULL, 10) + (uint64_t)strtoull(b, NULL, 10));
	else
		PRINT(out, "%.*s %.6f\n", SLICE_ARG(now->series),
		      strtod(a, NULL) + strtod(b, NULL));
}

static void line_add(const struct metrics_before *before, struct slice line, struct buf *out)
{
	struct sample now;
	const struct sample *then = NULL;

	if (sample_read(line, &now))
		then = bsearch(&now, before->samples, before->count, sizeof(now), compare_samples);
	if (then != NULL)
		sum_write(out, &now, then);
	else
		PRINT(out, "%.*s\n", SLICE_ARG(line));
}

void metrics_before_add(struct metrics_before *before, struct buf *page)
{
	struct slice rest = buf_slice(page), line;
	struct family family = {0};
	struct buf sum = {0};

	pthread_mutex_lock(&before->mutex);
	bool has_any = before->count > 0;

	while (has_any && slice_next(&rest, '\n', &line)) {
		if (line.len == 0)
			continue;
		if (family_read(line, &family) || !family.is_counted)
			PRINT(&sum, "%.*s\n", SLICE_ARG(line));
		else
			line_add(before, line, &sum);
	}
	pthread_mutex_unlock(&before->mutex);
	/* Without memory the page is better than none. */
	if (sum.len == 0)
		return;
	buf_finish(page);
	*page = sum;
}

/* --- a page that stays --- */

void metrics_before_hold(struct metrics_before *before, struct slice page)
{
	struct buf held = {0};

	if (buf_append(&held, page.data, page.len, METRICS_PAGE_MAX) < 0)
		return;
	pthread_mutex_lock(&before->mutex);
	buf_finish(&before->held);
	before->held = held;
	pthread_mutex_unlock(&before->mutex);
}

void metrics_before_release(struct metrics_before *before)
{
	pthread_mutex_lock(&before->mutex);
	buf_finish(&before->held);
	pthread_mutex_unlock(&before->mutex);
}

bool metrics_before_held(struct metrics_before *before, struct buf *out)
{
	pthread_mutex_lock(&before->mutex);
	bool is_held = before->held.len > 0;

	if (is_held)
		buf_append(out, before->held.data, before->held.len, METRICS_PAGE_MAX);
	pthread_mutex_unlock(&before->mutex);
	return is_held;
}

/* --- one number --- */

static uint64_t value_of(const struct sample *sample)
{
	char text[32];

	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(sample->value));
	return strtoull(text, NULL, 10);
}

/* Under the mutex. NULL: there is none. */
static const struct sample *find(const struct metrics_before *before, const char *series)
{
	const struct sample wanted = {.series = slice_from_text(series)};

	return before->count == 0 ? NULL
				  : bsearch(&wanted, before->samples, before->count, sizeof(wanted),
					    compare_samples);
}

uint64_t metrics_before_count(struct metrics_before *before, const char *series)
{
	pthread_mutex_lock(&before->mutex);
	const struct sample *found = find(before, series);
	uint64_t count = found == NULL ? 0 : value_of(found);

	pthread_mutex_unlock(&before->mutex);
	return count;
}

bool metrics_before_has(struct metrics_before *before, const char *series)
{
	pthread_mutex_lock(&before->mutex);
	bool has_it = find(before, series) != NULL;

	pthread_mutex_unlock(&before->mutex);
	return has_it;
}

static bool is_of(struct slice series, const char *name)
{
	size_t len = strlen(name);

	return starts(series, name) && (series.len == len || series.data[len] == '{');
}

uint64_t metrics_before_sum(struct metrics_before *before, const char *name)
{
	uint64_t sum = 0;

	pthread_mutex_lock(&before->mutex);
	for (size_t i = 0; i < before->count; i++)
		if (is_of(before->samples[i].series, name))
			sum += value_of(&before->samples[i]);
	pthread_mutex_unlock(&before->mutex);
	return sum;
}
