/* SPDX-License-Identifier: Apache-2.0
 * doctor_unit.h - made-up machines, and what doctor is asked about them. */
#pragma once

#include "unit.h"

#include "base/units.h"
#include "diag/doctor.h"
#include "diag/doctor_format.h"
#include "diag/plan.h"

#define GIB (UINT64_C(1) << 30)

static inline struct os_value fact(uint64_t value)
{
	return (struct os_value){.is_known = true, .value = value, .source = "/made/up"};
}

/* A machine of which everything is known, and nothing binds but nofile. */
static inline struct os_limits machine(void)
{
	struct os_limits os;

#define UNLIMITED(name, meaning) os.name = fact(OS_UNLIMITED);
	OS_FACTS(UNLIMITED)
	os.nofile_soft = os.nofile_hard = fact(1024);
	os.nr_open = fact(1048576);
	os.open_files = fact(7);
	os.file_max = fact(1600000);
	os.file_used = fact(1000);
	os.memory_total_bytes = fact(24 * GIB);
	os.memory_available_bytes = fact(12 * GIB);
	os.somaxconn = fact(128);
	os.syn_backlog = fact(512);
	os.syn_cookies = fact(1);
	os.conntrack_used = fact(0);
	os.port_low = fact(32768);
	os.port_high = fact(60999);
	return os;
}

struct subject {
	struct plan_facts facts;
	struct config config;
	struct plan plan;
	struct limits limits;
	struct limits_input input;
	struct process process;
	struct doctor_case asked;
	struct doctor_answer answer;
};

static inline void subject_of_gateway(struct subject *subject, uint64_t max_connections,
				      uint64_t wanted)
{
	struct config_report report = {0};

	subject->facts = (struct plan_facts){
		.os = machine(), .cores = 2, .engine = LOOP_ENGINE_EPOLL, .engine_reason = "tried"};
	assert_int_equal(config_load(&(struct config_sources){0}, &report, &subject->config), 0);
	config_report_finish(&report);
	struct config_server server_options = subject->config.server;

	config_finish(&subject->config);
	subject->config = (struct config){.server = server_options};
	subject->config.server.max_connections = max_connections;
	plan_make(&subject->config, &subject->facts, &subject->plan);
	subject->asked = (struct doctor_case){
		.input = &subject->plan.input, .limits = &subject->plan.limits, .wanted = wanted};
	doctor_judge(&subject->asked, &subject->answer);
}

static inline void subject_of_process(struct subject *subject, const struct process *process,
				      uint64_t wanted)
{
	subject->facts.os = machine();
	subject->process = *process;
	doctor_process_input(process, &subject->facts.os, &subject->input);
	limits_build(&subject->input, &subject->limits);
	subject->asked = (struct doctor_case){.input = &subject->input,
					      .limits = &subject->limits,
					      .process = &subject->process,
					      .wanted = wanted};
	doctor_judge(&subject->asked, &subject->answer);
}

/* A server of somebody else. */
static const struct process server = {
	.pid = 77,
	.name = "srv",
	.command = "srv --all",
	.has_descriptors = true,
	.sockets = 52,
	.listening = 2,
	.others = 22,
	.established = 50,
	.listener_count = 1,
	.listeners = {{.address = {.in = {.sin_family = AF_INET, .sin_port = 0x901f}},
		       .queue = 2,
		       .backlog = 128,
		       .has_drops = true,
		       .established = 50}},
};
