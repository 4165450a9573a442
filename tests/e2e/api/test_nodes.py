# SPDX-License-Identifier: Apache-2.0
"""The list of nodes, and what is said of the bus between them."""

import json

import pytest

from kit import api, wsraw
from kit.gateway import run_binary


def bus(broker, **options) -> dict:
    return {"type": "nats", "urls": [broker.url], "reconnect_min": "20ms",
            "reconnect_max": "200ms"} | options


def names(gateway) -> list[str]:
    return [node["node"] for node in api.Api(gateway.admin).get("/cluster")["nodes"]]


def test_alone_with_the_embedded_bus(gateway):
    running = gateway(server={"node": "one"})
    with running.open():
        cluster = api.Api(running.admin).get("/cluster")
    assert cluster["bus"]["type"] == "embedded" and cluster["bus"]["connected"]
    (own,) = cluster["nodes"]
    assert (own["node"], own["is_self"], own["clients"]) == ("one", True, 1)
    assert running.metric("bus_connected") == 1


def test_nodes_find_one_another_and_leave(gateway, broker):
    nats = broker()
    first = gateway(server={"node": "first"}, bus=bus(nats))
    second = gateway(server={"node": "second"}, bus=bus(nats))
    wsraw.wait_until(lambda: names(first) == ["first", "second"], "the second is heard")
    wsraw.wait_until(lambda: names(second) == ["second", "first"], "the first is heard")
    second.stop()
    wsraw.wait_until(lambda: names(first) == ["first"], "the second says that it leaves")


def test_where_the_others_have_their_consoles(gateway, broker):
    """As each says itself; what leads nowhere, or to something else than a page, is not passed on."""
    nats = broker()
    first = gateway(server={"node": "first"}, bus=bus(nats))
    second = gateway(server={"node": "second"}, bus=bus(nats), admin={"console_url": "https://gw-2.example:8081/console"})

    def consoles(running) -> dict:
        return {node["node"]: node.get("console") for node in api.Api(running.admin).get("/cluster")["nodes"]}

    wanted = {"first": None, "second": "https://gw-2.example:8081/console"}
    for running in (first, second):
        wsraw.wait_until(lambda one=running: consoles(one) == wanted, "each tells the other")
    with nats.connect() as client:
        for number, console in enumerate(["javascript:alert(1)", 7, "http://" + "x" * 300, "http://good.example/"]):
            def is_heard(name=f"n{number}", console=console) -> bool:
                client.publish("gatehouse.nodes", json.dumps({"node": name, "run": name, "version": "1", "status": "ready",
                                                              "connections": 1, "max_connections": 2, "clients": 1,
                                                              "console": console}).encode())
                return name in consoles(first)
            wsraw.wait_until(is_heard, "heard")
        assert [consoles(first).get(f"n{number}") for number in range(4)] == [None, None, None, "http://good.example/"]


@pytest.mark.parametrize("url, word", [("gw-1.example", "http://"), ("https://user:secret@gw-1/console", "user"),
                                       ("https://gw-1/console?x=1", "query"), ("https://gw-1/#/x", "#"), ("https://", "host")])
def test_a_console_url_that_is_none(url, word):
    done = run_binary("check", "--admin-console-url", url)
    assert done.returncode == 2 and "admin.console_url: " in done.stderr and word in done.stderr and "secret" not in done.stderr, done


def test_two_nodes_with_one_name_are_told(gateway, broker):
    nats = broker()
    first = gateway(server={"node": "same"}, bus=bus(nats))
    gateway(server={"node": "same"}, bus=bus(nats))
    line = first.wait_log("another node has the name of this one; give each its own (server.node)")
    assert line["node"] == "same"
    assert api.Api(first.admin).get("/cluster")["nodes"][0]["has_namesake"] is True


def test_noise_among_the_nodes_is_ignored(gateway, broker):
    nats = broker()
    running = gateway(server={"node": "one"}, bus=bus(nats))
    wsraw.wait_until(lambda: running.health()["status"] == "ready", "connected")
    with nats.connect() as client:
        for noise in (b"", b"[]", b"{", b'{"node": 1}', b"\xff" * 4000,
                      b'{"node":"x","run":"y","version":"1","status":"ready"}'):
            client.publish("gatehouse.nodes", noise)
        def is_heard() -> bool:
            """Its subscription may reach the broker a moment after it is ready."""
            client.publish("gatehouse.nodes", b'{"node":"two","run":"y","version":"1",'
                           b'"status":"ready","connections":1,"max_connections":2,"clients":1}')
            return names(running) == ["one", "two"]
        wsraw.wait_until(is_heard, "the good one")


def test_degraded_while_there_is_no_broker(gateway, broker):
    nats = broker()
    running = gateway(server={"node": "one"}, bus=bus(nats))
    wsraw.wait_until(lambda: running.get("/health").status == 200, "connected")
    nats.kill()
    wsraw.wait_until(lambda: running.get("/health").status == 503, "the broker is lost")
    health = running.health()
    assert health["status"] == "degraded"
    assert any("the bus is not connected" in reason for reason in health["reasons"])
    assert running.get("/livez").status == 200
    assert running.get("/readyz").status == 200, "new clients are served"
    with running.open() as client:
        client.echo(b"served")
    assert running.metric("bus_connected") == 0
    nats.start()
    wsraw.wait_until(lambda: running.health()["status"] == "ready", "connected again")
    assert running.metric("bus_reconnects_total") == 1


def test_a_node_may_be_unready_without_its_broker(gateway, broker):
    nats = broker()
    running = gateway(server={"node": "one", "ready_without_backends": "false"}, bus=bus(nats))
    wsraw.wait_until(lambda: running.get("/readyz").status == 200, "connected")
    nats.kill()
    for admin in (True, False):
        wsraw.wait_until(lambda a=admin: running.get("/readyz", admin=a).status == 503, "unready")
    assert running.get("/livez").status == 200
    nats.start()
    wsraw.wait_until(lambda: running.get("/readyz").status == 200, "connected again")


def test_a_broker_that_refuses_the_password(gateway, broker, tmp_path):
    nats = broker(arguments=["--user", "gate", "--pass", "house"])
    running = gateway(bus=bus(nats, user="gate"), env={"GATEHOUSE_BUS_PASSWORD": "wrong"})
    wsraw.wait_until(lambda: "uthoriz" in str(running.health()["reasons"]), "the reason is told")
    assert "wrong" not in running.log
    secret = tmp_path / "password"
    secret.write_text("house\n")
    secret.chmod(0o600)
    good = gateway(bus=bus(nats, user="gate", password_file=str(secret)))
    wsraw.wait_until(lambda: good.health()["status"] == "ready", "connected")
