/* SPDX-License-Identifier: Apache-2.0 */
#include "io/mailbox.h"

void mailbox_init(struct mailbox *mailbox)
{
	pthread_mutex_init(&mailbox->mutex, NULL);
	mailbox->loop = NULL;
}

void mailbox_finish(struct mailbox *mailbox)
{
	pthread_mutex_destroy(&mailbox->mutex);
}

static void set_loop(struct mailbox *mailbox, struct loop *loop)
{
	pthread_mutex_lock(&mailbox->mutex);
	mailbox->loop = loop;
	pthread_mutex_unlock(&mailbox->mutex);
}

void mailbox_open(struct mailbox *mailbox, struct loop *loop)
{
	set_loop(mailbox, loop);
}

void mailbox_close(struct mailbox *mailbox)
{
	set_loop(mailbox, NULL);
}

bool mailbox_post(struct mailbox *mailbox, struct loop_task *task)
{
	pthread_mutex_lock(&mailbox->mutex);
	bool is_open = mailbox->loop != NULL;

	if (is_open)
		loop_post(mailbox->loop, task);
	pthread_mutex_unlock(&mailbox->mutex);
	return is_open;
}
