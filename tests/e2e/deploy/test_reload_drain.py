# SPDX-License-Identifier: Apache-2.0
"""A reload and a drain of the same clients."""

from kit import wsraw
from kit.api import Api
from kit.gateway import base_config
from kit.reload import rewrite

WS = {"path": "/ws/{client_id}"}
OLD = {"path": "/old/{client_id}"}


def take_out(running, engine: str, *routes: dict) -> None:
    """These routes are left."""
    config = base_config(engine)
    config["server"]["listen"] = "{}:{}".format(*running.address)
    config["admin"]["listen"] = "{}:{}".format(*running.admin)
    rewrite(running, config | {"routes": list(routes)})
    assert Api(running.admin).post("/reload")["outcome"] == "changed"


def drain(running, body: bytes, status: int) -> dict:
    return Api(running.admin).post("/drain", body, status, type="application/json")


def test_clients_that_stayed_of_a_route_can_be_let_go(gateway, engine):
    running = gateway(routes=[WS, OLD])
    with running.open("/old/a") as old, running.open("/ws/a") as other:
        take_out(running, engine, WS)
        old.echo(b"it stays")
        drain(running, b'{"route": "old", "over": "0"}', 202)
        assert old.read_close()[0] == 1012
        other.echo(b"not meant")
    wsraw.wait_until(lambda: Api(running.admin).get("/drain")["state"] == "done", lambda: "the end of the drain")
    running.wait_metric("route_connections", 0, route="old")
    assert drain(running, b'{"route": "old"}', 404)["reason"] == "no_such_route"


def test_a_removed_route_is_closed_at_its_own_pace_while_all_are_drained(gateway, engine):
    """The drain is cancelled, and its clients go all the same."""
    running = gateway(routes=[WS, OLD | {"on_removed": "close"}])
    with running.open("/old/a") as old, running.open("/ws/a") as other:
        drain(running, b'{"over": "10m"}', 202)
        take_out(running, engine, WS)
        Api(running.admin).ask("DELETE", "/drain")
        assert old.read_close()[0] == 1012
        other.echo(b"it stays")
