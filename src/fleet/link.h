/* SPDX-License-Identifier: Apache-2.0
 * link.h - one connected client on the bus: where other nodes and programs reach it.
 *
 * Layer: fleet. Two subscriptions in the loop of the client's worker, of subjects that
 * nobody else has: so the broker itself knows who is connected, and a request to a client
 * that is connected nowhere fails at once. docs/backend-contract.md describes what they
 * take. */
#pragma once

#include "bus/bus.h"

/* Subjects: prefix.route.client_id. */
#define LINK_TO  "gatehouse.to"
#define LINK_CTL "gatehouse.ctl"

/* The header of answers. */
#define LINK_STATUS "Gatehouse-Status"

struct link {
	struct bus_subscription to, ctl;
	bool is_open;
};

struct client;
struct command;

/* 0 or a negative errno. In both cases the client is held as long as a subscription of it
 * exists. */
int link_open(struct client *client);

/* As on_end of a command whose `arg` is a copy of where its answer is wanted, NULL: nowhere. Frees
 * both. */
void link_answer(struct command *command);

/* Harmless if it is not open. */
void link_close(struct client *client);
