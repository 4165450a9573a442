# SPDX-License-Identifier: Apache-2.0
"""routes[].max_connections: exact over all workers, and inherited by who takes over."""

import concurrent.futures
import contextlib
import json

import pytest

from kit import wsraw
from kit.backends import Webhook
from kit.gateway import assert_refusal

LIMIT = "routes.max_connections"
ROUTES = [{"path": "/small/{client_id}", "backend": "echo", "max_connections": 2},
          {"path": "/other/{client_id}", "backend": "echo"}]


def refused(running, target, **options):
    with running.connect() as client:
        return client.handshake(target, **options)


def test_full_route_refuses_and_others_do_not(gateway):
    running = gateway(routes=ROUTES)
    with running.open("/small/a") as first, running.open("/small/b"):
        assert running.metric("route_connections", route="small") == 2
        response = refused(running, "/small/c")
        assert response.status == 503
        assert_refusal(response, LIMIT, 2, 2)
        assert "routes[].max_connections" in json.loads(response.body)["detail"]
        with running.open("/other/c") as other:
            other.echo(b"x")
        rows = {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}
        assert (rows[LIMIT]["value"], rows[LIMIT]["used"]) == (2, 2)
        assert "'small'" in rows[LIMIT]["note"]
        assert running.metric("connections_refused_total", limit=LIMIT) == 1
        assert running.metric("route_connections_refused_total", route="small") == 1
        assert running.metric("limit_used", limit=LIMIT) == 2
        first.send(wsraw.close_frame(1000))
        first.expect_close(1000)
        running.wait_metric("route_connections", 1, route="small")
        running.open("/small/c").echo(b"x")
    line = running.wait_log("connection refused")
    assert (line["limit"], line["current"], line["max"]) == (LIMIT, "2", "2")
    running.wait_metric("connections", 0)
    assert running.metric("route_connections") == 0


def test_who_takes_over_inherits_the_place(gateway):
    running = gateway(routes=ROUTES)
    with running.open("/small/a") as older, running.open("/small/b"):
        for _ in range(3):
            newer = running.open("/small/a")
            older.expect_close(4001, answer=True)
            newer.echo(b"x")
            assert refused(running, "/small/c").status == 503
            older = newer
        assert running.metric("route_connections", route="small") == 2
        older.close()
    running.wait_metric("route_connections", 0, route="small")


@pytest.mark.parametrize("takeover, status", [("oldest", 409), ("many", 503)])
def test_who_takes_nothing_over_inherits_nothing(gateway, takeover, status):
    running = gateway(routes=[ROUTES[0] | {"takeover": takeover, "max_connections": 1}])
    with running.open("/small/a") as client:
        assert refused(running, "/small/a").status == status
        client.echo(b"x")
        assert running.metric("route_connections") == 1


def test_a_request_that_is_refused_gives_its_place_back(gateway):
    running = gateway(routes=[ROUTES[0] | {"origins": "same", "subprotocols": ["a"]}])
    for _ in range(5):
        assert refused(running, "/small/a").status == 400
        assert refused(running, "/small/a", extra=("Origin: https://evil.example",)).status == 403
    assert running.metric("route_connections") == 0
    with running.connect() as client, running.connect() as other:
        for one, name in ((client, "a"), (other, "b")):
            one.open(f"/small/{name}", extra=("Sec-WebSocket-Protocol: a",))


def test_exact_over_workers(gateway):
    running = gateway(server={"workers": 2}, routes=[ROUTES[0] | {"max_connections": 20}])
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(60)]

        def ask(number: int) -> int:
            return clients[number].handshake(f"/small/{number}").status

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            statuses = list(pool.map(ask, range(60)))
        assert statuses.count(101) == 20 and statuses.count(503) == 40
        assert running.metric("route_connections") == 20
    running.wait_metric("route_connections", 0)
