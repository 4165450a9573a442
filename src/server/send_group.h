/* SPDX-License-Identifier: Apache-2.0
 * send_group.h - a message to all members of a group, asked for in the thread of a worker: by a
 * back end's answer to an event of one client, say.
 *
 * Layer: server. What is under way for a worker, and how much it is, counts with what comes by the
 * bus for its clients: at most bus.pending_max and one. */
#pragma once

struct fan_out;
struct fleet_home;

/* fleet->send_to_group */
int send_group(struct fleet_home *home, const struct fan_out *what);
