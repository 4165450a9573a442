/* SPDX-License-Identifier: Apache-2.0
 * webhook_rules.c - what the options of a webhook come to, and their change while it works: other
 * rules are made by whoever wants them, and taken over by the webhook's thread between two turns
 * of its loop (webhook.h). */
#include "webhook/webhook_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define USER_AGENT "gatehouse/" GATEHOUSE_VERSION

static int signer_make(const struct webhook_options *options, struct webhook_rules *rules,
		       char *error, size_t size)
{
	const char *reason;
	size_t bad;

	if (options->secret_count == 0)
		return 0;
	int r = webhook_signer_create(options->secrets, options->secret_count, &rules->signer, &bad,
				      &reason);

	if (r == -EINVAL)
		snprintf(error, size, "secret %zu of %zu %s", bad + 1, options->secret_count,
			 reason);
	return r;
}

/* The texts; secrets are the signer's. */
static int options_copy(const struct webhook_options *options, struct webhook_rules *rules)
{
	const char *agent = options->user_agent != NULL ? options->user_agent : USER_AGENT;
	bool has_ca_file = options->ca_file != NULL;

	rules->options = *options;
	rules->options.secrets = NULL;
	rules->options.headers = NULL;
	rules->options.url = strdup(options->url);
	rules->options.user_agent = strdup(agent);
	rules->options.ca_file = has_ca_file ? strdup(options->ca_file) : NULL;
	if (rules->options.url == NULL || rules->options.user_agent == NULL ||
	    (has_ca_file && rules->options.ca_file == NULL))
		return -ENOMEM;
	return 0;
}

int webhook_rules_make(const struct webhook_options *options, struct webhook_rules *out_rules,
		       char *error, size_t size)
{
	*out_rules = (struct webhook_rules){0};
	int r = options_copy(options, out_rules);

	if (r == 0)
		r = webhook_static_lines_write(&out_rules->static_lines, options);
	if (r == 0)
		r = signer_make(options, out_rules, error, size);
	return r;
}

void webhook_rules_finish(struct webhook_rules *rules)
{
	webhook_signer_destroy(&rules->signer);
	if (rules->static_lines.len > 0)
		explicit_bzero(rules->static_lines.data, rules->static_lines.len);
	buf_finish(&rules->static_lines);
	free((char *)rules->options.url);
	free((char *)rules->options.user_agent);
	free((char *)rules->options.ca_file);
	*rules = (struct webhook_rules){0};
}

/* --- change --- */

struct webhook_change {
	struct webhook_rules rules; /* the new ones, then the older ones */
	struct webhook *webhook;
	struct loop_task task;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool is_done; /* guarded by the mutex */
};

int webhook_change_prepare(const struct webhook_options *options,
			   struct webhook_change **out_change, char *error, size_t error_size)
{
	int r = webhook_check(options, error, error_size);

	if (r < 0)
		return r;
	struct webhook_change *change = calloc(1, sizeof(*change));

	if (change == NULL)
		return -ENOMEM;
	pthread_mutex_init(&change->mutex, NULL);
	pthread_cond_init(&change->changed, NULL);
	r = webhook_rules_make(options, &change->rules, error, error_size);
	if (r < 0)
		webhook_change_discard(&change);
	else
		*out_change = change;
	return r;
}

void webhook_change_discard(struct webhook_change **change)
{
	struct webhook_change *self = *change;

	*change = NULL;
	if (self == NULL)
		return;
	webhook_rules_finish(&self->rules);
	pthread_cond_destroy(&self->changed);
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

static void take_over(struct webhook *webhook, struct webhook_rules *rules)
{
	const struct webhook_options *options = &rules->options;
	bool is_elsewhere = strcmp(options->url, webhook->rules.options.url) != 0;
	struct webhook_rules older = webhook->rules;

	webhook->rules = *rules;
	*rules = older;
	options = &webhook->rules.options;
	webhook_breaker_tune(&webhook->breaker, options->breaker_failures,
			     options->breaker_open_ms * NS_PER_MS, options->breaker_probes);
	if (is_elsewhere)
		webhook_breaker_close(&webhook->breaker);
	counter_set(&webhook->stats.breaker_state, webhook->breaker.state);
	counter_set(&webhook->admitted_max, (uint64_t)options->max_in_flight + options->queue_max);
	webhook_curl_tune(webhook);
	webhook_settle(webhook);
}

static void run(struct loop_task *task)
{
	struct webhook_change *change = CONTAINER_OF(task, struct webhook_change, task);

	take_over(change->webhook, &change->rules);
	pthread_mutex_lock(&change->mutex);
	change->is_done = true;
	pthread_cond_signal(&change->changed);
	pthread_mutex_unlock(&change->mutex);
}

void webhook_change_apply(struct webhook *webhook, struct webhook_change **change)
{
	struct webhook_change *self = *change;

	self->webhook = webhook;
	self->task.run = run;
	loop_post(webhook->loop, &self->task);
	pthread_mutex_lock(&self->mutex);
	while (!self->is_done)
		pthread_cond_wait(&self->changed, &self->mutex);
	pthread_mutex_unlock(&self->mutex);
	webhook_change_discard(change);
}
