# SPDX-License-Identifier: Apache-2.0
"""Who is in a group, and messages to all of many but one."""

import pytest

from kit import api, wsraw

ROUTES = [{"path": "/ws/{client_id}", "takeover": "many"}, {"path": "/other/{client_id}"}]
SERVED = {"routes": ROUTES}
TEXT = "text/plain"


def join(asked: api.Api, group: str, client_id: str, route: str = "ws") -> None:
    answer = asked.ask("PUT", f"/groups/{group}/members/{route}/{api.quote(client_id)}")
    assert answer.status == 200, answer


def members(asked: api.Api, group: str, limit: int) -> list[str]:
    """All pages, each of which is full but the last ones."""
    found, cursor = [], ""
    while True:
        page = asked.get(f"/groups/{group}/members?limit={limit}{cursor}")
        assert page["group"] == group and len(page["members"]) <= limit
        found += [one["client_id"] for one in page["members"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def nothing_waits(client: wsraw.Client) -> bool:
    client.echo(b"is anything before this?")
    return True


# --- members ---

@pytest.mark.tsan
@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_members_have_pages(served, limit):
    running, asked = served(server={"workers": 3})
    clients = [running.open(f"/{'ws' if n % 2 else 'other'}/c-{n}") for n in range(14)]
    names = [f"c-{n}" for n in range(14)]
    for n in range(12):
        join(asked, "night", f"c-{n}", "ws" if n % 2 else "other")
    assert sorted(members(asked, "night", limit)) == sorted(names[:12])
    for n in range(0, 12, 3):
        clients[n].close()
    running.wait_metric("connections", 10)
    wsraw.wait_until(lambda: asked.get("/groups")["groups"] == [{"name": "night", "members": 8}], "they have left")
    found = members(asked, "night", limit)
    assert sorted(found) == sorted(names[n] for n in range(12) if n % 3)
    assert members(asked, "nobody", limit) == []
    facts = asked.get("/groups/night/members")["members"][0]
    seen = asked.inspect(facts["client_id"], route=facts["route"])
    assert set(facts) <= set(seen) and facts["connection_id"] == seen["connection_id"]
    for n, client in enumerate(clients):
        if n % 3 or n >= 12:
            client.close()


def test_bad_members_are_named(served):
    _, asked = served()
    for query, seen in [("limit=0", "0"), ("cursor=x", "x"), ("cursor=" + "0" * 32, "0" * 32), ("after=a", "after=a"),
                        ("cursor=0000000g" + "0" * 16, "0000000g" + "0" * 16)]:
        problem = asked.get(f"/groups/g/members?{query}", 400)
        assert problem["reason"] == "query" and problem["seen"] == seen
    # Of a worker that there is not: the end.
    assert asked.get(f"/groups/g/members?cursor=ffffffff{'f' * 16}") == {
        "group": "g", "members": [], "next_cursor": None}
    assert asked.get("/groups/a%2Fb/members", 400)["reason"] == "group"
    assert asked.ask("POST", "/groups/g/members", b"").status == 405


# --- all but one ---

@pytest.mark.tsan
def test_all_but_one(served):
    running, asked = served(server={"workers": 2})
    long = "x" * 255
    first = running.open("/ws/a")
    clients = {name: running.open(f"/ws/{api.quote(name)}") for name in ("a", "b/c", "d e", long)}
    other = running.open("/other/a")
    for name in clients:
        join(asked, "g", name)  # of the two that are "a", the newest
    assert asked.post("/broadcast?except=ws%2Fa&route=ws", b"1", type=TEXT)["delivered"] == 3
    assert asked.post("/broadcast?except=ws/b/c", b"2", type=TEXT)["delivered"] == 5
    assert asked.post("/groups/g/messages?except=ws/d+e", b"3", type=TEXT)["delivered"] == 3
    assert asked.post(f"/groups/g/messages?except=ws/{long}", b"4", type=TEXT)["delivered"] == 3
    assert asked.post("/groups/g/messages?except=other/a", b"5", type=TEXT)["delivered"] == 4
    assert asked.post("/broadcast?except=ws/nobody", b"6", type=TEXT)["delivered"] == 6
    for client, told in [(first, "26"), (clients["a"], "23456"), (clients["b/c"], "13456"),
                         (clients["d e"], "12456"), (clients[long], "12356"), (other, "26")]:
        assert "".join(client.read_message()[1].decode() for _ in told) == told
        assert nothing_waits(client)
        client.close()


def test_one_who_is_no_client_is_named(served):
    _, asked = served()
    for except_, seen in [("a", "a"), ("", ""), ("/a", "/a"), ("ws/", "ws/"), ("ws/" + "x" * 256, "ws/" + "x" * 256)]:
        for path in ("/broadcast", "/groups/g/messages"):
            problem = asked.post(f"{path}?except={except_}", b"x", 400, type=TEXT)
            assert problem["reason"] == "query" and "ws/till-7" in problem["allowed"]
            assert problem["seen"] == seen or problem["seen"].startswith(seen[:40])
    assert asked.post("/broadcast?except=no/a", b"x", 404, type=TEXT)["reason"] == "no_such_route"
    assert asked.post("/broadcast?except=ws/" + "x" * 400, b"x", 400, type=TEXT)["reason"] == "query"


def test_all_but_one_over_the_bus(gateway, broker):
    """From the API of another node, and from a program."""
    hub, nodes = broker(), []
    for number in range(2):
        running = gateway(routes=ROUTES, server={"node": f"gate-{number}", "workers": 2},
                          bus={"type": "nats", "urls": [hub.url], "reconnect_max": "100ms"})
        running.wait_metric("bus_connected", 1)
        nodes.append((running, api.Api(running.admin)))
    (here, asked), (there, asked_there) = nodes

    with here.open("/ws/a") as a, there.open("/ws/a") as a_too, there.open("/ws/b%2Fc") as b, hub.connect() as nats:
        join(asked_there, "g", "b/c")
        join(asked_there, "g", "a")
        wsraw.settle([a_too, b], lambda text: asked.post("/groups/g/messages", text, type=TEXT))
        wsraw.settle([a, a_too, b], lambda text: nats.publish("gatehouse.all.ws", text))
        asked.post("/broadcast?except=ws/a", b"1", type=TEXT)
        asked.post("/groups/g/messages?except=ws/b/c", b"2", type=TEXT)
        nats.publish("gatehouse.all.ws", "3", {"Gatehouse-Except": "ws/b%2Fc"})
        nats.publish("gatehouse.group.g", "4", {"Gatehouse-Except": "ws/a"})
        nats.publish("gatehouse.all.ws", "no", {"Gatehouse-Except": "nobody"})
        wsraw.wait_until(lambda: here.metric("fan_out_refused_total") >= 1, "it is refused")
        nats.publish("gatehouse.all.ws", "5")
        assert sorted(a.read_message()[1] for _ in range(2)) == [b"3", b"5"]
        assert sorted(a_too.read_message()[1] for _ in range(3)) == [b"2", b"3", b"5"]
        assert sorted(b.read_message()[1] for _ in range(3)) == [b"1", b"4", b"5"]
        assert nothing_waits(a) and nothing_waits(a_too) and nothing_waits(b)
        assert "Gatehouse-Except" in here.logged("a message for many is refused")[0]["error"]
