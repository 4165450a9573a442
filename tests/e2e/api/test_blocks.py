# SPDX-License-Identifier: Apache-2.0
"""Clients and addresses that are kept out for a time: closed at once, refused when they come again, on all nodes."""

import base64
import json

import pytest

from kit import api, backends, upgrades, wsraw

ROUTES = [{"path": "/ws/{client_id}", "takeover": "many"}, {"path": "/other/{client_id}"}]
PROXY = {"workers": 2, "trusted_proxies": ["127.0.0.0/8"]}


class Blocks(api.Api):
    def block(self, status: int = 200, **what) -> dict:
        return self.post("/blocks", json.dumps({"for": "10m"} | what).encode(), status, type="application/json")

    def unblock(self, number: str, status: int = 200) -> dict:
        answer = self.ask("DELETE", f"/blocks/{number}")
        assert answer.status == status, answer
        return json.loads(answer.body)

    def blocks(self, limit: int = 100) -> list[dict]:
        found, cursor = [], ""
        while True:
            page = self.get(f"/blocks?limit={limit}{cursor}")
            found += page["blocks"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"


@pytest.fixture
def served(gateway):
    def run(**options):
        running = gateway(**({"routes": ROUTES} | options))
        return running, Blocks(running.admin)
    return run


def come(running, target: str, address: str | None = None) -> tuple[wsraw.Client, wsraw.Response]:
    client = running.connect()
    return client, client.handshake(target, extra=() if address is None else (f"X-Forwarded-For: {address}",))


def status(running, target: str, address: str | None = None) -> int:
    client, answer = come(running, target, address)
    client.close()
    return answer.status


def assert_closed(client: wsraw.Client, seconds: int = 600) -> None:
    code, reason = client.read_close()
    head, _, left = reason.decode().partition("; retry-after=")
    assert (code, head) == (4403, "blocked") and seconds - 30 <= int(left) <= seconds
    client.close()


# --- who is listed ---

def test_the_list_of_what_keeps_somebody_out(served):
    """By client, address and route; page by page too, also where most are of somebody else."""
    running, asked = served()
    made = {name: asked.block(**what)["id"] for name, what in {
        "a": {"route": "ws", "client_id": "a"}, "a elsewhere": {"route": "other", "client_id": "a"},
        "one": {"address": "192.0.2.7"}, "net": {"address": "192.0.2.0/24"}, "net of ws": {"address": "192.0.0.0/16", "route": "ws"},
        "six": {"address": "2001:db8::/32"}, "unix": {"address": "unix:"}}.items()}
    for number in range(300):
        asked.block(route="other", client_id=f"n-{number}")

    def found(query: str, limit: int = 100) -> set[str]:
        numbers, cursor = [], ""
        while cursor is not None:
            page = asked.get(f"/blocks?{query}&limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
            assert len(page["blocks"]) == limit or page["next_cursor"] is None
            numbers += [one["id"] for one in page["blocks"]]
            cursor = page["next_cursor"]
        assert numbers == sorted(numbers)
        return {name for name, number in made.items() if number in numbers} | \
            {number for number in numbers if number not in made.values()}

    for query, want in [
            ("route=ws&client_id=a", {"a"}), ("route=other&client_id=a", {"a elsewhere"}), ("route=ws&client_id=b", set()),
            ("address=192.0.2.7", {"one", "net", "net of ws"}), ("address=192.0.2.8", {"net", "net of ws"}),
            ("address=192.0.3.1&route=ws", {"net of ws"}), ("address=192.0.3.1&route=other", set()),
            ("address=2001:db8:1::1", {"six"}), ("address=unix:", {"unix"}),
            ("route=ws&client_id=a&address=192.0.2.8", {"a", "net", "net of ws"}),
            ("route=ws", {"a", "one", "net", "net of ws", "six", "unix"})]:
        for limit in (1, 2, 100):
            assert found(query, limit) == want, (query, limit)
    assert len(found("route=other", 50)) == 305 and len(asked.blocks(limit=7)) == 307


@pytest.mark.parametrize("query, seen", [
    ("client_id=a", "a"), ("route=ws&client_id=", ""), ("route=nobody", "nobody"), ("address=192.0.2.0/24", "192.0.2.0/24"),
    ("address=here", "here"), ("address=", ""), ("client=a", "client=a")])
def test_a_list_of_nobody_in_particular(served, query, seen):
    _, asked = served()
    answer = asked.ask("GET", f"/blocks?{query}")
    problem = json.loads(answer.body)
    assert answer.status == (404 if "nobody" in query else 400) and problem.get("seen") == seen, problem


# --- who is kept out ---

@pytest.mark.tsan
def test_a_client_is_closed_and_kept_out(served):
    running, asked = served(server={"workers": 2})
    clients = [running.open("/ws/a"), running.open("/ws/a")]
    others = [running.open("/ws/b"), running.open("/other/a")]
    made = asked.block(route="ws", client_id="a", reason="sends rubbish")
    assert made["closed"] == 2 and (made["route"], made["client_id"], made["address"]) == ("ws", "a", None)
    assert 590 <= made["expires_in"] <= 600 and made["reason"] == "sends rubbish"
    for client in clients:
        assert_closed(client)
    client, answer = come(running, "/ws/a")
    problem = json.loads(answer.body)
    assert answer.status == 403 and problem["reason"] == "blocked" and "rubbish" not in answer.body.decode()
    assert 590 <= int(answer.headers["retry-after"]) <= 600
    for other in others:
        other.echo(b"still here")
        other.close()
    running.wait_metric("connections_closed_total", 2, reason="blocked")
    assert running.metric("blocked_total") == 1 and running.metric("blocks") == 1
    assert running.metric("limit_used", limit="blocks_max") == 1
    line = running.logged("a blocked client was not let in")[0]
    assert (line["block"], line["reason"], line["client_id"]) == (made["id"], "sends rubbish", "a")
    assert running.logged("the API blocks a client")[0]["block"] == made["id"]
    # Once more is no second one, and another time.
    again = asked.block(route="ws", client_id="a", **{"for": "20m"})
    assert again["id"] == made["id"] and again["reason"] is None and again["expires_in"] > 1100
    assert [one["id"] for one in asked.blocks()] == [made["id"]]
    assert asked.unblock(made["id"])["result"] == "removed"
    assert asked.unblock(made["id"], 404)["reason"] == "no_such_block"
    assert asked.blocks() == [] and running.metric("blocks") == 0
    running.open("/ws/a").close()


@pytest.mark.tsan
def test_an_address_is_that_of_the_client(served):
    """Not that of the proxy in front of it; on all routes, or on one."""
    running, asked = served(server=PROXY)
    clients = {name: come(running, f"/ws/{name}", address)[0] for name, address in
               [("a", "192.0.2.7"), ("b", "192.0.2.200"), ("c", "198.51.100.1"), ("d", "2001:db8:1::1"),
                ("e", "2001:db8:2::1")]}
    direct = running.open("/ws/direct")
    made = [asked.block(address="192.0.2.0/25"), asked.block(address="2001:db8:1::/48"),
            asked.block(address="198.51.100.1", route="other")]
    assert [one["closed"] for one in made] == [1, 1, 0]
    assert [one["address"] for one in made] == ["192.0.2.0/25", "2001:db8:1::/48", "198.51.100.1"]
    assert_closed(clients.pop("a"))
    assert_closed(clients.pop("d"))
    for target, address, want in [
            ("/ws/x", "192.0.2.127", 403), ("/ws/x", "192.0.2.128", 101), ("/other/x", "192.0.2.1", 403),
            ("/ws/x", "2001:db8:1:ffff::9", 403), ("/ws/x", "2001:db8:2::1", 101), ("/ws/x", None, 101),
            ("/ws/x", "198.51.100.1", 101), ("/other/x", "198.51.100.1", 403), ("/ws/x", "::ffff:192.0.2.1", 403)]:
        assert status(running, target, address) == want, (target, address)
    assert running.get("/health").status == 200  # the admin listener is nobody's business
    asked.block(address="127.0.0.1")
    assert_closed(direct)
    assert status(running, "/ws/x") == 403 and len(asked.blocks(limit=3)) == 4
    assert status(running, "/ws/x", "203.0.113.9") == 101
    for client in clients.values():
        client.close()


def test_a_block_ends(served):
    running, asked = served()
    asked.block(route="ws", client_id="a", **{"for": "1s"})
    assert status(running, "/ws/a") == 403
    wsraw.wait_until(lambda: status(running, "/ws/a") == 101, "the block's end")
    running.wait_metric("blocks_expired_total", 1)
    assert asked.blocks() == []


def test_nobody_else_is_asked_about_one_who_is_blocked(served):
    hook = backends.Webhook()
    try:
        running, asked = served(routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                                backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
        asked.block(route="ws", client_id="a")
        assert status(running, "/ws/a") == 403
        running.open("/ws/b").close()
        hook.wait("connect")
        assert [event.client for event in hook.of("connect")] == ["b"]
        client = running.open("/ws/c")
        asked.block(route="ws", client_id="c")
        assert_closed(client)
        headers = hook.wait("disconnected", client="c")[0].headers
        assert (headers["ce-reason"], headers["ce-code"]) == ("blocked", "4403")
    finally:
        hook.close()


def test_one_who_is_blocked_while_others_are_asked_stays_out(served):
    """The back end has let it in meanwhile."""
    held, running = [], None

    def decide(event):
        if event.client == "a" and not held:
            held.append(asked.block(route="ws", client_id="a"))
        return backends.Answer()

    hook = backends.Webhook(decide)
    try:
        running, asked = served(routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                                backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
        assert status(running, "/ws/a") == 403 and held[0]["closed"] == 0
        running.wait_metric("connections", 0)
    finally:
        hook.close()


def test_one_who_is_refused_for_two_reasons_is_answered_once(served, tmp_path):
    """A name that is proved is looked at late: behind whatever else may be wrong by then."""
    users = tmp_path / "users"
    users.write_text("bad:plain:secret\ngood:plain:secret\n")
    users.chmod(0o600)
    running, asked = served(routes=[{"path": "/ws", "subprotocols": ["x"], "auth": [{"type": "basic", "users_file": str(users)}]}])
    asked.block(route="ws", client_id="bad")
    for name, offered, expected in (("bad", (), 403), ("bad", ("Sec-WebSocket-Protocol: x",), 403), ("good", (), 400),
                                    ("good", ("Sec-WebSocket-Protocol: x",), 101)):
        proof = "Authorization: Basic " + base64.b64encode(f"{name}:secret".encode()).decode()
        with running.connect() as client:
            assert client.handshake("/ws", extra=(proof, *offered)).status == expected, (name, offered)
            assert expected == 101 or client.is_closed()


def test_pages_learn_it_by_a_close_code(served):
    running, asked = served(routes=[{"path": "/ws/{client_id}", "refuse_browsers": "close"}])
    asked.block(route="ws", client_id="a")
    client = running.connect()
    assert client.handshake("/ws/a", extra=("Origin: https://example.org",)).status == 101
    code, reason = client.read_close()
    assert code == 4403 and reason.startswith(b"blocked; retry-after=")


# --- bad input, and too many ---

BAD = [
    ({}, "target"), ({"route": "ws"}, "target"), ({"route": "ws", "client_id": "a", "address": "192.0.2.1"}, "target"),
    ({"client_id": "a"}, "route"), ({"route": 1, "client_id": "a"}, "route"), ({"route": "ws", "client_id": ""}, "client_id"),
    ({"route": "ws", "client_id": "x" * 256}, "client_id"), ({"route": "ws", "client_id": "a\nb"}, "client_id"),
    ({"route": "ws", "client_id": None}, "client_id"), ({"address": "192.0.2"}, "address"), ({"address": 7}, "address"),
    ({"address": "0.0.0.0/0"}, "address"), ({"address": "10.0.0.0/7"}, "address"), ({"address": "::/0"}, "address"),
    ({"address": "2001::/15"}, "address"), ({"address": "192.0.2.1/24"}, "address"), ({"address": "192.0.2.1", "for": "500ms"}, "for"),
    ({"address": "192.0.2.1", "for": "366d"}, "for"), ({"address": "192.0.2.1", "for": 600}, "for"),
    ({"address": "192.0.2.1", "for": "1m30s"}, "for"), ({"address": "192.0.2.1", "for": None}, "for"),
    ({"address": "192.0.2.1", "reason": "x" * 201}, "reason"), ({"address": "192.0.2.1", "reason": "a\u0000"}, "json"),
    ({"address": "192.0.2.1", "reason": "a\tb"}, "reason"), ({"address": "192.0.2.1", "until": "x"}, "member")]


def test_bad_blocks_are_named(served):
    running, asked = served()
    for what, reason in BAD:
        assert asked.block(400, **what)["reason"] == reason, what
    assert asked.block(404, route="no", client_id="a")["reason"] == "no_such_route"
    assert asked.post("/blocks", b'{"address": "192.0.2.1"}', 400, type="application/json")["seen"] == "nothing"
    assert asked.post("/blocks", b"[]", 400, type="application/json")["reason"] == "json"
    assert asked.post("/blocks", b"{}", 415, type="text/plain")["reason"] == "content_type"
    for number in ("x", "0" * 15, "g" * 16, "0" * 17):
        assert asked.unblock(number, 400)["reason"] == "block"
    assert asked.unblock("0" * 16, 404)["reason"] == "no_such_block"
    for query in ("limit=0", "cursor=x", "after=1"):
        assert asked.get(f"/blocks?{query}", 400)["reason"] == "query"
    assert asked.blocks() == [] and status(running, "/ws/a") == 101


def test_so_many_and_no_more(served):
    running, asked = served(admin={"blocks_max": 3})
    made = [asked.block(route="ws", client_id=f"c-{n}") for n in range(3)]
    full = asked.block(503, address="192.0.2.1")
    assert full["reason"] == "blocks_max" and full["allowed"] == "3"
    asked.block(route="ws", client_id="c-1", **{"for": "1h"})  # one that is there
    asked.unblock(made[0]["id"])
    asked.block(address="192.0.2.1")
    assert len(asked.blocks(limit=1)) == 3 and running.metric("blocks_refused_total") == 1
    rows = {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}
    assert (rows["blocks_max"]["value"], rows["blocks_max"]["used"]) == (3, 3)


# --- what they survive ---

def test_they_survive_a_reload_and_an_upgrade(served):
    upgrades.become_parent_of_orphans()
    running, asked = served()
    kept = asked.block(route="ws", client_id="a", reason="kept")
    gone = asked.block(address="192.0.2.0/24")
    asked.unblock(gone["id"])
    assert asked.post("/reload")["outcome"] == "same"
    assert status(running, "/ws/a") == 403
    assert upgrades.upgrade(running)["moved"] == 0
    assert upgrades.wait_former(running) == 0
    assert [(one["id"], one["reason"]) for one in asked.blocks()] == [(kept["id"], "kept")]
    assert status(running, "/ws/a") == 403 and status(running, "/ws/b") == 101


# --- the cluster ---

def test_all_nodes_keep_it_out(gateway, broker):
    """Also one that comes later, and one that was away."""
    hub = broker()

    def node(name: str):
        running = gateway(routes=ROUTES, server={"node": name, "workers": 2},
                          bus={"type": "nats", "urls": [hub.url], "reconnect_max": "100ms"})
        running.wait_metric("bus_connected", 1)
        return running, Blocks(running.admin)

    (here, asked), (there, asked_there) = node("here"), node("there")
    client = there.open("/ws/a")
    made = asked.block(route="ws", client_id="a", reason="everywhere")
    assert made["closed"] == 0
    assert_closed(client)
    assert status(there, "/ws/a") == 403
    assert asked_there.blocks()[0]["reason"] == "everywhere"
    # One that is new learns of it.
    late, asked_late = node("late")
    wsraw.wait_until(lambda: [one["id"] for one in asked_late.blocks()] == [made["id"]], "the new node hears of it")
    assert status(late, "/ws/a") == 403
    # Any node may take it back, and all hear of that.
    asked_late.unblock(made["id"])
    for running, caller in ((here, asked), (there, asked_there)):
        wsraw.wait_until(lambda: caller.blocks() == [], "it is removed")
        assert status(running, "/ws/a") == 101
    # While the broker is away each has its own; then all have all, and the later change holds.
    twice = asked.block(route="ws", client_id="b")
    wsraw.wait_until(lambda: asked_there.blocks() != [], "it is there")
    hub.kill()
    for running in (here, there, late):
        running.wait_metric("bus_connected", 0)
    asked_there.unblock(twice["id"])
    alone = asked.block(address="203.0.113.0/24")
    hub.start()
    for running in (here, there, late):
        running.wait_metric("bus_connected", 1)
    for caller in (asked, asked_there, asked_late):
        wsraw.wait_until(lambda: [one["id"] for one in caller.blocks()] == [alone["id"]], "all have the same")
