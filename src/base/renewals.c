/* SPDX-License-Identifier: Apache-2.0
 * renewals.c - looks at files, and lets them be read again.
 *
 * Each entry has the marks of its files as they were when they were last read (or tried). A look
 * that finds other marks notes them and waits; a look that finds the noted ones again renews. */
#include "base/renewals.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

/* After this a failure is tried again, if nothing has changed: what was missing may have been
 * memory. */
#define RETRY_NS (60 * NS_PER_S)

/* What a path leads to; zeroed: nothing that can be seen. */
struct mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

struct entry {
	struct list_node node;
	const char *what;
	bool (*renew)(void *arg, struct renewal_error *out_error);
	void *arg;
	char **files;
	size_t file_count;
	struct mark *read;  /* of each file: as it was when it was read */
	struct mark *seen;  /* as the last look saw it */
	bool has_change;    /* `seen` is not `read` */
	uint64_t failed_ns; /* 0: the last attempt went well */
	/* Below: guarded by the mutex, written by the thread that looks. */
	uint64_t renewed, failed;
	struct renewal_error error; /* "" = none */
};

/* What was counted of those that were removed, so that no number falls. */
#define GONE_MAX 16

struct gone {
	const char *what;
	uint64_t renewed, failed;
};

struct renewals {
	struct list_node entries;
	struct gone gone[GONE_MAX]; /* under the mutex */
	size_t gone_count;
	pthread_mutex_t mutex; /* also of the list, which others walk */
	uint64_t looked_ns;
};

struct renewals *renewals_create(void)
{
	struct renewals *renewals = calloc(1, sizeof(*renewals));

	if (renewals == NULL)
		return NULL;
	list_init(&renewals->entries);
	pthread_mutex_init(&renewals->mutex, NULL);
	return renewals;
}

static struct entry *entry_of(struct list_node *node)
{
	return CONTAINER_OF(node, struct entry, node);
}

static void entry_free(struct entry *entry)
{
	for (size_t i = 0; i < entry->file_count; i++)
		free(entry->files[i]);
	free(entry->files);
	free(entry->read);
	free(entry->seen);
	free(entry);
}

void renewals_destroy(struct renewals **renewals)
{
	struct renewals *self = *renewals;

	if (self == NULL)
		return;
	while (!list_is_empty(&self->entries))
		entry_free(entry_of(list_pop(&self->entries)));
	pthread_mutex_destroy(&self->mutex);
	free(self);
	*renewals = NULL;
}

/* --- marks --- */

static struct mark mark_of(const char *path)
{
	struct stat facts;
	struct mark mark;

	memset(&mark, 0, sizeof(mark)); /* compared as bytes */
	if (stat(path, &facts) == 0) {
		mark.device = facts.st_dev;
		mark.inode = facts.st_ino;
		mark.size = facts.st_size;
		mark.modified = facts.st_mtim;
		mark.changed = facts.st_ctim;
	}
	return mark;
}

/* True: something is not as `marks` has it, which is brought up to date. */
static bool marks_take(const struct entry *entry, struct mark *marks)
{
	bool is_new = false;

	for (size_t i = 0; i < entry->file_count; i++) {
		struct mark mark = mark_of(entry->files[i]);

		is_new |= memcmp(&mark, &marks[i], sizeof(mark)) != 0;
		marks[i] = mark;
	}
	return is_new;
}

/* --- entries --- */

static bool files_copy(struct entry *entry, const struct renewable *renewable)
{
	for (size_t i = 0; i < renewable->file_count; i++) {
		if (renewable->files[i] == NULL || renewable->files[i][0] == 0)
			continue;
		entry->files[entry->file_count] = strdup(renewable->files[i]);
		if (entry->files[entry->file_count] == NULL)
			return false;
		entry->file_count++;
	}
	return true;
}

bool renewals_add(struct renewals *renewals, const struct renewable *renewable)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	size_t room = renewable->file_count + 1;

	CHECK(renewable->file_count <= RENEWAL_FILES_MAX);
	if (entry == NULL)
		return false;
	entry->what = renewable->what;
	entry->renew = renewable->renew;
	entry->arg = renewable->arg;
	entry->files = calloc(room, sizeof(*entry->files));
	entry->read = calloc(room, sizeof(*entry->read));
	entry->seen = calloc(room, sizeof(*entry->seen));
	if (entry->files == NULL || entry->read == NULL || entry->seen == NULL ||
	    !files_copy(entry, renewable)) {
		entry_free(entry);
		return false;
	}
	marks_take(entry, entry->read);
	memcpy(entry->seen, entry->read, entry->file_count * sizeof(*entry->read));
	pthread_mutex_lock(&renewals->mutex);
	list_append(&renewals->entries, &entry->node);
	pthread_mutex_unlock(&renewals->mutex);
	return true;
}

/* Under the mutex. */
static void remember(struct renewals *renewals, const struct entry *entry)
{
	size_t i = 0;

	if (entry->renewed == 0 && entry->failed == 0)
		return;
	while (i < renewals->gone_count && strcmp(renewals->gone[i].what, entry->what) != 0)
		i++;
	CHECK(i < GONE_MAX); /* there are a few kinds */
	if (i == renewals->gone_count)
		renewals->gone[renewals->gone_count++] = (struct gone){.what = entry->what};
	renewals->gone[i].renewed += entry->renewed;
	renewals->gone[i].failed += entry->failed;
}

void renewals_remove(struct renewals *renewals, const void *arg)
{
	for (struct list_node *node = renewals->entries.next, *next; node != &renewals->entries;
	     node = next) {
		next = node->next;
		if (entry_of(node)->arg != arg)
			continue;
		pthread_mutex_lock(&renewals->mutex);
		list_remove(node);
		remember(renewals, entry_of(node));
		pthread_mutex_unlock(&renewals->mutex);
		entry_free(entry_of(node));
	}
}

/* --- renewing --- */

static void tell(const struct entry *entry, bool is_good, bool is_known)
{
	if (is_good)
		log_info("files were read again", F_TEXT("what", entry->what),
			 F_TEXT("file", entry->file_count > 0 ? entry->files[0] : "none"),
			 F_UINT("files", entry->file_count));
	else if (!is_known)
		log_error("files were changed and cannot be used: what was read before stays in "
			  "use",
			  F_TEXT("what", entry->what), F_TEXT("error", entry->error.text));
}

static bool entry_renew(struct renewals *renewals, struct entry *entry, uint64_t now_ns)
{
	struct renewal_error error = {0};

	/* Before they are read: what changes meanwhile is seen next time. */
	marks_take(entry, entry->read);
	memcpy(entry->seen, entry->read, entry->file_count * sizeof(*entry->read));
	entry->has_change = false;
	bool is_good = entry->renew(entry->arg, &error);

	CHECK(is_good || error.text[0] != 0);
	if (is_good)
		error.text[0] = 0;
	bool is_known = strcmp(error.text, entry->error.text) == 0;

	pthread_mutex_lock(&renewals->mutex);
	entry->renewed += is_good;
	entry->failed += !is_good;
	entry->error = error;
	pthread_mutex_unlock(&renewals->mutex);
	entry->failed_ns = is_good ? 0 : now_ns;
	tell(entry, is_good, is_known);
	return is_good;
}

static void entry_look(struct renewals *renewals, struct entry *entry, uint64_t now_ns)
{
	bool is_new = marks_take(entry, entry->seen);

	if (is_new)
		entry->has_change = memcmp(entry->seen, entry->read,
					   entry->file_count * sizeof(*entry->read)) != 0;
	bool is_settled = entry->has_change && !is_new;
	bool is_retry = entry->failed_ns != 0 && now_ns - entry->failed_ns >= RETRY_NS;

	if (is_settled || is_retry)
		entry_renew(renewals, entry, now_ns);
}

void renewals_tick(struct renewals *renewals, uint64_t now_ns)
{
	if (renewals->looked_ns != 0 && now_ns - renewals->looked_ns < RENEWALS_INTERVAL_NS)
		return;
	renewals->looked_ns = now_ns;
	for (struct list_node *node = renewals->entries.next; node != &renewals->entries;
	     node = node->next)
		entry_look(renewals, entry_of(node), now_ns);
}

size_t renewals_all(struct renewals *renewals, uint64_t now_ns)
{
	size_t failed = 0;

	for (struct list_node *node = renewals->entries.next; node != &renewals->entries;
	     node = node->next)
		failed += !entry_renew(renewals, entry_of(node), now_ns);
	return failed;
}

void renewals_each(struct renewals *renewals,
		   void (*each)(void *arg, const struct renewal_state *state), void *arg)
{
	pthread_mutex_lock(&renewals->mutex);
	for (struct list_node *node = renewals->entries.next; node != &renewals->entries;
	     node = node->next) {
		const struct entry *entry = entry_of(node);

		each(arg, &(struct renewal_state){
				  .what = entry->what,
				  .first_file = entry->file_count > 0 ? entry->files[0] : "",
				  .renewed = entry->renewed,
				  .failed = entry->failed,
				  .error = entry->error.text[0] == 0 ? NULL : entry->error.text,
			  });
	}
	for (size_t i = 0; i < renewals->gone_count; i++)
		each(arg, &(struct renewal_state){.what = renewals->gone[i].what,
						  .first_file = "",
						  .renewed = renewals->gone[i].renewed,
						  .failed = renewals->gone[i].failed});
	pthread_mutex_unlock(&renewals->mutex);
}
