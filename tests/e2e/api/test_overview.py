# SPDX-License-Identifier: Apache-2.0
"""What a node does in one document, and what it did in the last hour. Every answer is held against docs/openapi.yaml
(api.py)."""

import pytest

from kit import api, upgrades, wsraw

ROUTES = [{"path": "/ws/{client_id}", "max_connections": 1}, {"path": "/other/{client_id}"}]


def named(items: list[dict], name: str) -> dict:
    (found,) = [item for item in items if item["name"] == name]
    return found


@pytest.mark.tsan
def test_counts_what_the_metrics_count(gateway):
    running = gateway(server={"workers": 2, "node": "one"}, routes=ROUTES)
    asked = api.Api(running.admin)
    with running.open("/ws/a") as client:
        client.echo(b"12345")
        assert running.connect().handshake("/ws/b").status == 503
        assert running.connect().handshake("/nowhere").status == 404
        wsraw.wait_until(lambda: asked.get("/overview")["totals"]["sockets"] == 1, "the refused have gone")
        seen = asked.get("/overview")
    assert (seen["node"], seen["status"], seen["problems"]) == ("one", "ready", [])
    totals = seen["totals"]
    assert (totals["connections"], totals["accepted"], totals["handshake_failures"]) == (1, 1, 1)
    for name in ("messages_received", "messages_sent", "received_bytes", "sent_bytes"):
        assert totals[name] == running.metric(f"{name}_total") > 0
    assert seen["refused"]["routes.max_connections"] == sum(seen["refused"].values()) == 1
    assert set(seen["closed"]) == set(running.metrics("connections_closed_total", by="reason"))
    ws, other = named(seen["routes"], "ws"), named(seen["routes"], "other")
    assert (ws["connections"], ws["accepted"], ws["handshake_failures"], ws["messages_sent"]) == (1, 1, 1, 1)
    assert ws["received_bytes"] == totals["received_bytes"] and not other["connections"] and not ws["closed"]
    assert sum(worker["connections"] for worker in seen["workers"]) == 1 and len(seen["workers"]) == 2
    assert [node["node"] for node in seen["nodes"]] == ["one"]
    wsraw.wait_until(lambda: asked.get("/overview")["closed"]["client_gone"] == 1, "the end is counted")
    assert named(asked.get("/overview")["routes"], "ws")["closed"] == {"client_gone": 1}


def test_tells_of_back_ends_and_of_what_is_wrong(gateway):
    port = wsraw.free_port()  # nobody listens there
    running = gateway(backends=[{"name": "hook", "type": "webhook", "url": f"http://127.0.0.1:{port}/",
                                 "retries": 0, "breaker_failures": 1}],
                      routes=[{"path": "/ws/{client_id}", "backend": "hook"}])
    asked = api.Api(running.admin)
    before = named(asked.get("/overview")["backends"], "hook")
    assert (before["type"], before["state"], before["breaker"], before["attempts"]) == ("webhook", "up", "closed", 0)
    assert running.connect().handshake("/ws/a").status >= 500
    seen = asked.get("/overview")
    hook = named(seen["backends"], "hook")
    assert (hook["state"], hook["breaker"]) == ("down", "open") and hook["failures"] == 1 and hook["attempts"] == 1
    assert seen["status"] == "degraded" and "hook" in seen["problems"][0]


def test_history_has_a_row_from_the_start(gateway):
    running = gateway()
    history = wsraw.wait_until(lambda: (seen := api.Api(running.admin).get("/history"))["rows"] and seen, "a row")
    at = history["columns"].index("at_ms")
    assert history["rows"][0][at] <= api.Api(running.admin).get("/overview")["at_ms"]


def test_a_live_upgrade_keeps_both(gateway):
    upgrades.become_parent_of_orphans()
    running = gateway()
    asked = api.Api(running.admin)
    with running.open() as client:
        client.echo(b"x")
        first = wsraw.wait_until(lambda: asked.get("/history")["rows"], "a row")[0]
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        client.echo(b"y")
        totals = asked.get("/overview")["totals"]
        assert (totals["accepted"], totals["messages_received"], totals["connections"]) == (1, 2, 1)
        node = asked.get("/node")
        for name in ("messages_received", "messages_sent", "received_bytes", "sent_bytes"):
            assert node[name] == totals[name] == running.metric(f"{name}_total"), name
        rows = wsraw.wait_until(lambda: len(rows := asked.get("/history")["rows"]) > 1 and rows, "its own row")
        assert rows[0] == first
        assert [row[2] for row in rows] == sorted(row[2] for row in rows) and rows[-1][2] == 1, "no counter jumps"
        times = [row[0] for row in rows]
        assert times == sorted(set(times)), "no row is there twice"


def test_of_many_routes_each_goes_on_over_upgrades(gateway):
    """The metrics have the last of them in sum alone."""
    upgrades.become_parent_of_orphans()
    running = gateway(routes=[{"path": f"/r{n}/{{client_id}}", "max_connections": 1} for n in range(102)])
    asked = api.Api(running.admin)
    with running.open("/r101/a"):
        assert running.connect().handshake("/r101/b").status == 503
    running.wait_metric("connections_closed_total", 1)
    before = named(asked.get("/overview")["routes"], "r101")
    assert before["handshake_failures"] == 1 and sum(before["closed"].values()) == 1
    for _ in range(2):
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        assert named(asked.get("/overview")["routes"], "r101") == before
    assert running.metric("route_handshake_failures_total") == 1


def test_they_take_no_parameters(gateway):
    asked = api.Api(gateway().admin)
    for path in ("/overview?routes=1", "/history?limit=3"):
        assert asked.get(path, 400)["reason"] == "query"
