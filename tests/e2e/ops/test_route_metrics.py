# SPDX-License-Identifier: Apache-2.0
"""What is counted of each route: on the path of messages and of each connection, by every worker for itself."""

import copy
import re
import threading

import pytest
import yaml

from kit import api, backends, reload, upgrades, wsraw
from kit.gateway import ROOT

ONE_ID = {"path": "/one/{client_id}", "takeover": "oldest"}


def closed_by_route(running) -> float:
    return sum(value for _, value in running.samples("route_connections_closed_total"))


@pytest.mark.tsan
def test_traffic_is_counted_by_route(gateway):
    running = gateway(server={"workers": 2}, routes=[{"path": "/a/{client_id}"}, {"path": "/b/{client_id}"}])
    clients = [running.open(f"/a/{n}") for n in range(5)]
    for client in clients:
        client.echo(b"12345")
    with running.open("/b/0") as other:
        other.echo(b"1")
        other.echo(b"2")
        assert running.metric("route_connections", route="a") == 5
        assert running.metric("route_messages_received_total", route="a") == 5
        assert running.metric("route_messages_sent_total", route="b") == 2
        # A masked frame has a head of 6 bytes, ours of 2.
        assert running.metric("route_received_bytes_total", route="a") == 5 * 11
        assert running.metric("route_sent_bytes_total", route="b") == 2 * 3
    for client in clients:
        client.close()
    running.wait_metric("route_connections_closed_total", 5, route="a", reason="client_gone")
    running.wait_metric("route_connections_closed_total", 1, route="b", reason="client_gone")
    for name in ("connections_accepted_total", "messages_received_total", "messages_sent_total", "received_bytes_total",
                 "sent_bytes_total", "connections_closed_total"):
        by_route = sum(value for _, value in running.samples(f"route_{name}"))
        assert by_route == running.metric(name) > 0, name
    running.wait_metric("route_connection_duration_seconds_count", 5, route="a")
    assert running.metric("route_connection_duration_seconds_bucket", route="a", le="5") == 5
    assert running.metric("route_handshake_failures_total") == 0


def test_failed_handshakes_are_counted_by_reason(gateway, tmp_path):
    decide, answered = threading.Event(), backends.Answer(403)

    def answer(event):
        if event.client == "slow":
            decide.wait(wsraw.SECONDS)
        return {"unwanted": answered, "broken": backends.Answer(500)}.get(event.client)

    webhook = backends.Webhook(answer)
    users = tmp_path / "users"
    users.write_text("a:plain:b\n")
    users.chmod(0o600)
    running = gateway(
        backends=[{"name": "hook", "type": "webhook", "url": webhook.url, "retries": 0},
                  {"name": "none", "type": "webhook", "url": f"http://127.0.0.1:{wsraw.free_port()}/", "retries": 0}],
        routes=[{"path": "/full/{client_id}", "max_connections": 1},
                {"path": "/origin/{client_id}", "origins": "same"},
                {"path": "/speaks/{client_id}", "subprotocols": ["x"]},
                {"path": "/proof/{client_id}", "auth": [{"type": "basic", "users_file": str(users)}]},
                {"path": "/hook/{client_id}", "backend": "hook"},
                {"path": "/none/{client_id}", "backend": "none"}, ONE_ID])

    def refused(target: str, status: int, **options) -> None:
        assert running.connect().handshake(target, **options).status == status

    with running.open("/full/a"), running.open("/one/a"):
        refused("/full/b", 503)
        refused("/one/a", 409)
        refused("/origin/a", 403, extra=("Origin: http://evil.test",))
        refused("/speaks/a", 400)
        refused("/proof/a", 401)
        refused("/hook/unwanted", 403)
        refused("/hook/broken", 500)
        refused("/none/a", 503)
        refused("/nowhere", 404)
        api.Api(running.admin).post("/blocks", b'{"route": "one", "client_id": "bad", "for": "1m"}', type="application/json")
        refused("/one/bad", 403)
        gone = running.connect()
        gone.send(wsraw.request("/hook/slow"))
        webhook.wait("connect", client="slow")
        gone.close()
        running.wait_metric("route_handshake_failures_total", 1, route="hook", reason="client_gone")
        decide.set()
        found = {(labels["route"], labels["reason"]): value
                 for labels, value in running.samples("route_handshake_failures_total") if value}
    assert found == {("full", "limit"): 1, ("one", "conflict"): 1, ("one", "blocked"): 1, ("origin", "origin"): 1, ("speaks", "request"): 1,
                     ("proof", "proof"): 1, ("hook", "backend_refused"): 1,
                     ("hook", "backend_failed"): 1, ("none", "backend_failed"): 1,
                     ("hook", "client_gone"): 1}
    assert running.metric("route_connections_accepted_total") == 2
    webhook.close()


def test_who_finds_no_room_in_a_group_was_not_let_in(gateway):
    webhook = backends.Webhook(lambda event: backends.Answer(200, headers={"Gatehouse-Groups": event.client})
                               if event.type == "connect" else None)
    running = gateway(server={"workers": 1, "max_groups": 1}, backends=[{"name": "hook", "type": "webhook", "url": webhook.url}],
                      routes=[{"path": "/a/{client_id}", "backend": "hook"}])
    with running.open("/a/one"):
        assert running.connect().handshake("/a/two").status == 503
        assert running.metric("route_connections_accepted_total") == running.metric("connections_accepted_total") == 1
        assert running.metric("route_handshake_failures_total", route="a", reason="request") == 1
        assert running.metric("route_handshake_failures_total") == running.metric("handshakes_rejected_total") == 1
    running.wait_metric("connections_closed_total", 1)
    running.wait_metric("route_connection_duration_seconds_count", 1)
    webhook.close()


def test_numbers_go_on_when_the_configuration_changes(gateway):
    running = gateway(routes=[{"path": "/a/{client_id}"}])
    before = yaml.safe_load(running.config_file.read_text())
    after = copy.deepcopy(before)
    after["routes"].insert(0, {"path": "/b/{client_id}", "backend": "echo"})
    with running.open("/a/1") as client:
        client.echo(b"x")
        reload.rewrite(running, after)
        assert reload.reload(running)["changed"]
        client.echo(b"y")
        assert running.metric("route_messages_received_total", route="a") == 2
        with running.open("/b/1") as other:
            other.echo(b"z")
        assert running.metric("route_messages_received_total", route="b") == 1
        reload.rewrite(running, before)
        assert reload.reload(running)["changed"]
        running.wait_metric("route_connections_closed_total", 1, route="b")  # what was seen of it last stays
        wsraw.wait_until(lambda: [route["name"] for route in api.Api(running.admin).get("/overview")["routes"]] == ["a"], "b has gone")
        reload.rewrite(running, after)
        assert reload.reload(running)["changed"]
        with running.open("/b/2") as other:
            other.echo(b"z")
        assert running.metric("route_messages_received_total", route="b") == 2, "and goes on"


def test_numbers_go_on_in_a_live_upgrade(gateway):
    upgrades.become_parent_of_orphans()
    running = gateway(routes=[{"path": "/a/{client_id}"}])
    with running.open("/a/1") as client:
        client.echo(b"x")
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        client.echo(b"y")
        assert running.metric("route_messages_received_total", route="a") == 2
        assert running.metric("route_connections_accepted_total", route="a") == 1
        assert running.metric("route_connections", route="a") == 1
    running.wait_metric("route_connection_duration_seconds_count", 1, route="a")
    assert running.metric("route_connections_closed_total", route="a") == 1


def test_what_a_removed_route_has_counted_goes_on_in_a_live_upgrade(gateway):
    """However often; one that is removed by the upgrade itself, too; and one that comes again goes on."""
    upgrades.become_parent_of_orphans()
    running = gateway(routes=[{"path": f"/{name}/{{client_id}}"} for name in ("a", "gone", "going")])
    whole = yaml.safe_load(running.config_file.read_text())

    def counted(name: str) -> tuple[float, ...]:
        return tuple(running.metric(f"route_{what}", **labels, route=name) for what, labels in (
            ("connections_accepted_total", {}), ("messages_received_total", {}), ("sent_bytes_total", {}),
            ("connections_closed_total", {"reason": "client_gone"}), ("connection_duration_seconds_count", {}), ("connections", {})))

    for name in ("gone", "going"):
        with running.open(f"/{name}/1") as client:
            client.echo(b"x")
        running.wait_metric("route_connection_duration_seconds_count", 1, route=name)
    seen = counted("gone")
    assert seen == (1, 1, 3, 1, 1, 0) == counted("going")
    del whole["routes"][1]
    reload.rewrite(running, whole)
    assert reload.reload(running)["changed"]
    reload.rewrite(running, whole | {"routes": whole["routes"][:1]})
    for _ in range(2):
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        assert counted("gone") == seen == counted("going")
        assert sum(value for _, value in running.samples("route_messages_received_total")) == running.metric("messages_received_total") == 2
        assert closed_by_route(running) == running.metric("connections_closed_total") == 2
    assert [route["name"] for route in api.Api(running.admin).get("/overview")["routes"]] == ["a"], "it shows what there is"
    reload.rewrite(running, whole)
    assert reload.reload(running)["changed"]
    with running.open("/going/1") as client:
        client.echo(b"x")
    running.wait_metric("route_messages_received_total", 2, route="going")
    assert counted("gone") == seen


def test_there_are_as_many_series_as_the_reference_says(gateway):
    text = " ".join((ROOT / "docs/metrics.md").read_text().split())
    base, route, detail, backend = map(int, re.search(
        r"about (\d+) series, (\d+) for each route and (\d+) more for each of the first 100, (\d+) for each back end", text).groups())
    port = wsraw.free_port()
    running = gateway(backends=[{"name": "hook", "type": "webhook", "url": f"http://127.0.0.1:{port}/"}],
                      routes=[{"path": "/a/{client_id}", "backend": "hook"}])
    series = [line for line in running.get("/metrics").body.decode().splitlines() if not line.startswith("#")]
    of_route = sum('route="a"' in line for line in series)
    of_backend = sum('backend="hook"' in line for line in series)
    assert (of_route, of_backend) == (route + detail, backend)
    assert 0.9 * base < len(series) - of_route - of_backend < 1.1 * base
