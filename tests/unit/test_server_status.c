/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "server/server_private.h"

/* Whoever is told that it is ready is let in. */
static void test_ready_is_who_lets_clients_in(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t listening;
		bool is_ready, is_draining;
		enum server_status status;
	} rows[] = {
		{"nobody listens", 0, false, false, SERVER_STARTING},
		{"all listen, clients are refused still", 2, false, false, SERVER_STARTING},
		{"clients are let in, one does not listen", 1, true, false, SERVER_STARTING},
		{"both", 2, true, false, SERVER_READY},
		{"it goes", 2, true, true, SERVER_DRAINING},
		{"it goes before it was there", 2, false, true, SERVER_DRAINING},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server *server = calloc(1, sizeof(*server));

		assert_non_null(server);
		server->worker_count = 2;
		server->listening = rows[i].listening;
		server->public_service.is_ready = rows[i].is_ready;
		server->is_draining = rows[i].is_draining;
		ASSERT_ROW(server_status(server) == rows[i].status, rows[i].name);
		free(server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready_is_who_lets_clients_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
