# SPDX-License-Identifier: Apache-2.0
"""Groups of clients, and messages to many: of a group, of a route, of all."""

import concurrent.futures
import http.client
import json
import signal
import time
import urllib.parse

import pytest

from kit import api, backends, wsraw

TYPE = "Gatehouse-Type"
ROUTES = [{"path": "/ws/{client_id}"}, {"path": "/other/{client_id}"}]
SERVED = {"routes": ROUTES}


def member(group: str, client_id: str, route: str = "ws") -> str:
    return f"/groups/{urllib.parse.quote(group, safe='')}/members/{route}/{api.quote(client_id)}"


def joined(asked: api.Api, group: str, client_id: str, status: int = 200, **where) -> dict:
    answer = asked.ask("PUT", member(group, client_id, **where))
    assert answer.status == status, answer
    return json.loads(answer.body)


def left(asked: api.Api, group: str, client_id: str, status: int = 200, **where) -> dict:
    answer = asked.ask("DELETE", member(group, client_id, **where))
    assert answer.status == status, answer
    return json.loads(answer.body)


def told(asked: api.Api, group: str, message: bytes | str = b"x", **query) -> dict:
    is_text = isinstance(message, str)
    return asked.post(f"/groups/{group}/messages", message.encode() if is_text else message,
                      type="text/plain" if is_text else "application/octet-stream")


def nothing_waits(client: wsraw.Client) -> bool:
    """Has the gateway sent it nothing that came before this?"""
    client.echo(b"is anything before this?")
    return True


# --- who is in ---

@pytest.mark.tsan
def test_members_get_what_is_for_their_group_and_others_do_not(served):
    running, asked = served(server={"workers": 2})
    clients = {name: running.open(f"/ws/{name}") for name in ("a", "b", "c", "d")}
    for name in ("a", "b"):
        assert joined(asked, "night", name)["groups"] == ["night"]
    joined(asked, "day", "b")
    joined(asked, "day", "c")
    assert told(asked, "night", "sleep well") == {
        "result": "delivered", "delivered": 2, "closed_slow_readers": 0, "out_of_memory": 0,
        "published": False}
    assert told(asked, "day", b"\x00up")["delivered"] == 2
    assert clients["a"].read_message() == (wsraw.TEXT, b"sleep well")
    assert clients["b"].read_message() == (wsraw.TEXT, b"sleep well")
    assert clients["b"].read_message() == (wsraw.BINARY, b"\x00up")
    assert clients["c"].read_message() == (wsraw.BINARY, b"\x00up")
    assert asked.get("/groups") == {"groups": [{"name": "day", "members": 2},
                                               {"name": "night", "members": 2}],
                                    "next_after": None}
    assert running.metric("groups") == 2 and running.metric("group_members") == 4
    assert running.metric("fan_out_delivered_total") == 4
    for client in clients.values():
        assert nothing_waits(client)
        client.close()
    running.wait_metric("group_members", 0)
    assert running.metric("groups") == 0


def test_joining_and_leaving_twice_is_harmless(served):
    running, asked = served()
    with running.open("/ws/a") as client:
        assert left(asked, "g", "a")["result"] == "was_no_member"
        assert joined(asked, "g", "a")["result"] == "joined"
        assert joined(asked, "g", "a")["result"] == "already_member"
        assert joined(asked, "h", "a")["groups"] == ["g", "h"]
        assert asked.inspect("a")["groups"] == ["g", "h"]
        assert told(asked, "g")["delivered"] == 1
        assert left(asked, "g", "a") | {"connection_id": 0} == {
            "result": "left", "group": "g", "route": "ws", "client_id": "a", "connection_id": 0,
            "groups": ["h"]}
        assert told(asked, "g")["delivered"] == 0
        assert client.read_message() == (wsraw.BINARY, b"x")
        assert nothing_waits(client)


def test_one_that_is_taken_over_is_in_no_group_any_more(served):
    running, asked = served()
    with running.open("/ws/a") as old:
        joined(asked, "g", "a")
        with running.open("/ws/a") as new:
            old.expect_close(4001, answer=True)
            assert asked.inspect("a")["groups"] == []
            assert told(asked, "g")["delivered"] == 0
            assert running.metric("groups") == 0
            assert nothing_waits(new)


def test_groups_hold_clients_of_several_routes(served):
    running, asked = served()
    with running.open("/ws/a") as one, running.open("/other/a") as other:
        joined(asked, "g", "a")
        joined(asked, "g", "a", route="other")
        assert told(asked, "g", "both")["delivered"] == 2
        assert one.read_message() == other.read_message() == (wsraw.TEXT, b"both")


def test_list_of_groups_has_pages(served):
    running, asked = served(server={"max_groups_per_client": 100})
    with running.open("/ws/a"):
        names = sorted(f"g{n}" for n in range(25))
        for name in names:
            joined(asked, name, "a")
        found, after = [], ""
        while after is not None:
            page = asked.get("/groups?limit=10" + (f"&after={after}" if after else ""))
            assert len(page["groups"]) <= 10
            found += [group["name"] for group in page["groups"]]
            after = page["next_after"]
        assert found == names
        assert asked.get("/groups?after=g9")["groups"] == []


# --- limits and bad input ---

def test_a_client_is_in_so_many_groups_and_no_more(served):
    running, asked = served(server={"max_groups_per_client": 3})
    with running.open("/ws/a"), running.open("/ws/b"):
        for n in range(3):
            joined(asked, f"g{n}", "a")
        problem = joined(asked, "g3", "a", 409)
        assert problem["reason"] == "max_groups_per_client" and problem["allowed"] == "3"
        assert joined(asked, "g0", "a")["result"] == "already_member"
        joined(asked, "g3", "b")
        left(asked, "g1", "a")
        assert joined(asked, "g3", "a")["groups"] == ["g0", "g2", "g3"]


def test_a_node_has_so_many_groups_and_no_more(served):
    running, asked = served(server={"max_groups": 2})
    with running.open("/ws/a"), running.open("/ws/b"):
        joined(asked, "g0", "a")
        joined(asked, "g1", "a")
        problem = joined(asked, "g2", "b", 503)
        assert problem["reason"] == "max_groups" and problem["allowed"] == "2"
        assert running.metric("groups_refused_total") == 1
        joined(asked, "g1", "b")
        left(asked, "g0", "a")
        assert joined(asked, "g2", "b")["result"] == "joined"
        assert running.metric("groups") == 2


@pytest.mark.parametrize("name", ["a b", "a/b", "*", ">", "ü", "x" * 65, "a\nb", "%", "$"])
def test_a_bad_name_is_refused(shared_api, name):
    running, asked = shared_api()
    with running.open("/ws/a"):
        assert joined(asked, name, "a", 400)["reason"] == "group"
        quoted = urllib.parse.quote(name, safe="")
        assert asked.post(f"/groups/{quoted}/messages", b"x", 400)["reason"] == "group"
        assert asked.get(f"/groups?after={quoted}", 400)["reason"] == "query"


@pytest.mark.parametrize("name", ["..", "a.b", ".", "-", "_", "A-z_0.9", "x" * 64])
def test_a_good_name_is_taken(served, name):
    running, asked = served()
    with running.open("/ws/a") as client:
        assert joined(asked, name, "a")["groups"] == [name]
        assert told(asked, name)["delivered"] == 1
        assert client.read_message() == (wsraw.BINARY, b"x")


def test_bad_requests_are_refused(served):
    running, asked = served(server={"max_message_size": "1000B"})
    with running.open("/ws/a"):
        assert joined(asked, "g", "nobody", 404)["reason"] == "not_connected"
        assert joined(asked, "g", "a", 404, route="none")["reason"] == "no_such_route"
        assert left(asked, "g", "nobody", 404)["reason"] == "not_connected"
        assert asked.post("/groups/g/messages", b"\xff", 400, type="text/plain")["reason"] == \
            "not_utf8"
        assert asked.post("/groups/g/messages", b"x" * 1001, 413)["reason"] == "max_message_size"
        assert asked.post("/groups/g/messages?type=odd", b"", 400)["reason"] == "query"
        for method, path in (("PUT", "/groups"), ("POST", member("g", "a")),
                             ("GET", "/groups/g/messages"), ("GET", member("g", "a"))):
            assert asked.ask(method, path, b"").status == 405
        assert running.metric("groups") == 0


# --- put in by the back end ---

@pytest.fixture
def decided(gateway):
    """decided(Gatehouse-Groups, server options) runs a gateway whose back end lets everybody
    in with this header."""
    hooks, running = [], []

    def run(groups: str, **server):
        hooks.append(backends.Webhook(
            lambda event: backends.Answer(headers={"Gatehouse-Groups": groups})
            if event.type == "connect" else None))
        running.append(gateway(server=server,
                               routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                               backends=[{"name": "hook", "type": "webhook",
                                          "url": hooks[-1].url, "retries": 0}]))
        return running[-1], api.Api(running[-1].admin), hooks[-1]

    yield run
    for one in running:
        one.stop()
    for hook in hooks:
        hook.close()


@pytest.mark.parametrize("groups,want", [
    ("a, b", ["a", "b"]), ("one", ["one"]), (" x.1 ,,x_2,\tx-3 , ", ["x.1", "x_2", "x-3"]),
    ("twice,twice", ["twice"]), ("", []), (" , ", [])])
def test_the_back_end_puts_a_client_in_groups(decided, groups, want):
    running, asked, hook = decided(groups)
    with running.open("/ws/a") as client:
        assert asked.inspect("a")["groups"] == want
        for group in want:
            assert told(asked, group, group)["delivered"] == 1
            assert client.read_message() == (wsraw.TEXT, group.encode())
    running.wait_metric("groups", 0)


@pytest.mark.parametrize("groups", ["a b", "a/b", "*", "x" * 65, "a, b, c, d", "good, \xe4"])
def test_groups_that_cannot_be_are_an_answer_that_is_wrong(decided, groups):
    running, asked, hook = decided(groups, max_groups_per_client=3)
    response = running.connect().handshake("/ws/a")
    assert response.status == 502 and b"'hook'" in response.body
    assert hook.wait("disconnected")[0].headers["ce-reason"] == "refused"
    assert "Gatehouse-Groups" in running.wait_log("a back end's decision cannot be carried out")["error"]
    assert running.metric("connections") == running.metric("clients") == 0
    assert running.metric("groups") == 0


def test_a_client_for_whose_group_there_is_no_room_stays_out(decided):
    running, asked, hook = decided("a, b", max_groups=1)
    response = running.connect().handshake("/ws/a")
    assert response.status == 503 and b"max_groups" in response.body
    assert hook.wait("disconnected")[0].headers["ce-reason"] == "refused"
    assert running.metric("connections") == running.metric("clients") == 0
    assert running.metric("groups") == running.metric("group_members") == 0


# --- many ---

def in_four(work, count: int) -> list:
    """work(range) for each of four parts of range(count), at once; all results."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return [item for part in pool.map(work, (range(n, count, 4) for n in range(4)))
                for item in part or ()]


def open_many(running, count: int) -> list[wsraw.Client]:
    """m-0, m-1 and so on, in this order. From four addresses: one has 28,000 ports, and tests beside this one
    want some too."""
    opened = in_four(lambda part: [(n, running.open(f"/ws/m-{n}", source=f"127.0.0.{2 + n % 4}"))
                                   for n in part], count)
    return [client for _, client in sorted(opened, key=lambda one: one[0])]


def join_many(running, group: str, count: int) -> None:
    """As joined(), without looking at each answer's schema."""
    def some(part: range) -> None:
        connection = http.client.HTTPConnection(*running.admin, timeout=wsraw.SECONDS)
        for n in part:
            connection.request("PUT", api.PREFIX + member(group, f"m-{n}"))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
        connection.close()
    in_four(some, count)


def echo_while(busy: wsraw.Client, work: concurrent.futures.Future) -> float:
    """Echoes until the work is done; [s] the slowest took."""
    slowest = 0.0
    while not work.done():
        started = time.monotonic()
        busy.echo(b"mine")
        slowest = max(slowest, time.monotonic() - started)
    return slowest


def test_ten_thousand_members_get_it_while_other_traffic_flows(served, sanitized):
    """One worker, so that all is in each other's way. The frame is not copied: of what waits
    for the members the gateway holds one, and not a copy each."""
    count = 500 if sanitized else 10_000
    payload = b"x" * 16_384
    running, asked = served(server={"workers": 1})
    clients = open_many(running, count)
    join_many(running, "all", count)
    before = running.memory()
    with concurrent.futures.ThreadPoolExecutor(2) as pool, running.open("/ws/busy") as busy:
        for fan_outs in range(1, 6):  # a machine that stalls may hold up those once
            started = time.monotonic()
            sent = pool.submit(told, asked, "all", payload)
            slowest = echo_while(busy, sent)
            took = time.monotonic() - started
            assert sent.result()["delivered"] == count
            assert asked.get("/groups")["groups"] == [{"name": "all", "members": count}]
            for client in clients:
                assert client.read_message() == (wsraw.BINARY, payload)
            if not sanitized:
                assert running.memory() - before < count * len(payload) / 4
            if sanitized or slowest < took / 2:
                break
        else:
            pytest.fail(f"the fan-out held up the others: {slowest:.3f} s of {took:.3f} s")
    assert running.metric("fan_out_delivered_total") == fan_outs * count
    for client in clients:
        client.close()
    running.wait_metric("groups", 0)


@pytest.mark.tsan
def test_members_may_come_and_go_during_the_fan_out(served, sanitized):
    count = 200 if sanitized else 2000
    running, asked = served(server={"workers": 2})
    clients = open_many(running, count)
    join_many(running, "g", count)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(told, asked, "g", b"x" * 2000) for _ in range(4)]
        for client in clients[::3]:
            client.close()
        for n in range(1, 100, 3):
            left(asked, "g", f"m-{n}")
            joined(asked, "g", f"m-{n}")
        assert all(count // 2 <= one.result()["delivered"] <= count for one in sent)
    running.wait_metric("group_members", count - len(clients[::3]))
    running.wait_metric("connections", count - len(clients[::3]))
    assert told(asked, "g", "last")["delivered"] == count - len(clients[::3])
    for number, client in enumerate(clients):
        if number % 3:
            while client.read_message() != (wsraw.TEXT, b"last"):
                pass
            client.close()


def test_a_slow_member_is_cut_and_holds_nobody_back(served):
    running, asked = served(server={"send_queue_max": "256KiB", "send_timeout": "1m"})
    good = [running.open(f"/ws/m-{n}") for n in range(20)]
    with running.open("/ws/slow", receive_buffer=4096):
        join_many(running, "g", 20)
        joined(asked, "g", "slow")
        payload = b"x" * 50_000
        for rounds in range(1, 1000):
            answer = told(asked, "g", payload)
            for client in good:
                assert client.read_message() == (wsraw.BINARY, payload)
            assert answer["delivered"] + answer["closed_slow_readers"] == 21
            if answer["closed_slow_readers"]:
                break
        assert answer["closed_slow_readers"] == 1
        running.wait_metric("connections_closed_total", 1, reason="slow_reader")
        assert running.metric("fan_out_cut_total") == 1
        assert told(asked, "g", payload)["delivered"] == 20
        assert rounds > 5, "the queue alone holds five"
    for client in good:
        client.close()


# --- the cluster ---

@pytest.fixture
def nodes(gateway, broker):
    """nodes(config) starts two gateways on one broker: (broker, [(gateway, its API)])."""
    def run(**config):
        hub = broker()
        found = []
        for number in range(2):
            server = {"node": f"gate-{number}", "workers": 2} | config.get("server", {})
            running = gateway(routes=ROUTES, server=server,
                              bus={"type": "nats", "urls": [hub.url], "reconnect_max": "100ms"})
            running.wait_metric("bus_connected", 1)
            found.append((running, api.Api(running.admin)))
        return hub, found
    return run


def test_a_message_to_a_group_reaches_its_members_on_every_node_once(nodes):
    hub, [(here, asked), (there, asked_there)] = nodes()
    with here.open("/ws/a") as a, here.open("/ws/b") as b, there.open("/ws/c") as c, \
            there.open("/ws/d") as d:
        joined(asked, "g.1", "a")
        joined(asked_there, "g.1", "c")
        joined(asked_there, "g.1", "d")
        wsraw.settle([a, c, d], lambda text: told(asked, "g.1", text))
        answer = told(asked, "g.1", b"\x00once")
        assert answer["delivered"] == 1 and answer["published"] is True
        for client in (a, c, d):
            assert client.read_message() == (wsraw.BINARY, b"\x00once")
            assert nothing_waits(client)
        assert nothing_waits(b)
        assert asked.get("/groups")["groups"] == [{"name": "g.1", "members": 1}]
        assert asked_there.get("/groups")["groups"] == [{"name": "g.1", "members": 2}]


def test_a_broadcast_reaches_the_clients_of_every_node_once(nodes):
    hub, [(here, asked), (there, _)] = nodes()
    with here.open("/ws/a") as a, there.open("/ws/b") as b, there.open("/other/c") as c:
        wsraw.settle([a, b], lambda text: asked.post("/broadcast?route=ws", text, type="text/plain"))
        assert nothing_waits(c)
        wsraw.settle([c], lambda text: asked.post("/broadcast?route=other", text, type="text/plain"))
        answer = asked.post("/broadcast", b"to all", type="text/plain")
        assert answer["delivered"] == 1 and answer["published"] is True
        for client in (a, b, c):
            assert client.read_message() == (wsraw.TEXT, b"to all")
            assert nothing_waits(client)


def test_a_program_on_the_bus_reaches_groups_and_routes(nodes):
    hub, [(here, asked), (there, asked_there)] = nodes()
    with here.open("/ws/a") as a, there.open("/ws/b") as b, hub.connect() as nats:
        joined(asked, "g.1", "a")
        joined(asked_there, "g.1", "b")
        wsraw.settle([a, b], lambda text: nats.publish("gatehouse.group.g%2E1", text))
        nats.publish("gatehouse.group.g%2E1", "to the group")
        nats.publish("gatehouse.all.ws", b"\xff", {TYPE: "binary"})
        nats.publish("gatehouse.all.other", "nobody's")
        for client in (a, b):
            assert sorted(client.read_message() for _ in range(2)) == [
                (wsraw.TEXT, b"to the group"), (wsraw.BINARY, b"\xff")]
            assert nothing_waits(client)


@pytest.mark.parametrize("worker", ["one", "two"])
def test_messages_for_many_do_not_overtake_each_other(gateway, broker, worker):
    """A large one takes several turns of a worker's loop, small ones that follow a part of one."""
    hub, count, large = broker(), 30, b"x" * 300_000
    running = gateway(routes=ROUTES, bus={"type": "nats", "urls": [hub.url]},
                      server={"workers": 1 if worker == "one" else 2})
    running.wait_metric("bus_connected", 1)
    clients = open_many(running, count)
    join_many(running, "g", count)
    with hub.connect() as nats:
        wsraw.settle(clients, lambda text: nats.publish("gatehouse.group.g", text))
        sent = [large, b"1", b"2", large, b"3"]
        for body in sent:
            nats.publish("gatehouse.group.g", body, {TYPE: "binary"})
        for client in clients:
            assert [client.read_message()[1] for _ in sent] == sent
            client.close()
    running.wait_metric("group_members", 0)


def test_what_is_no_message_on_the_bus_is_refused_and_counted(nodes):
    hub, [(here, asked), _] = nodes(server={"max_message_size": "1000B"})
    with here.open("/ws/a") as a, hub.connect() as nats:
        joined(asked, "g", "a")
        wsraw.settle([a], lambda text: nats.publish("gatehouse.group.g", text))
        for count, (body, headers) in enumerate(
                [(b"\xff", {}), (b"x" * 1001, {}), (b"x", {TYPE: "odd"})], 1):
            nats.publish("gatehouse.group.g", body, headers)
            here.wait_metric("fan_out_refused_total", count)
        assert here.logged("a message for many is refused")[0]["group"] == "g"
        assert nothing_waits(a)


def test_a_node_is_subscribed_only_while_it_has_members(nodes):
    hub, [(here, asked), _] = nodes()
    idle = here.metric("bus_subscriptions")
    with here.open("/ws/a"):
        here.wait_metric("clients", 1)
        connected = here.metric("bus_subscriptions")
        assert connected > idle
        joined(asked, "g", "a")
        here.wait_metric("bus_subscriptions", connected + 1)
        left(asked, "g", "a")
        here.wait_metric("bus_subscriptions", connected)
        joined(asked, "g", "a")
    here.wait_metric("bus_subscriptions", idle)


def test_messages_from_the_bus_do_not_disturb_the_end(nodes):
    """They come until the last client is gone; the gateway must exit 0 all the same."""
    hub, [(here, asked), _] = nodes(server={"close_timeout": "100ms"})
    clients = [here.open(f"/ws/c-{n}") for n in range(50)]
    with hub.connect() as nats:
        for n in range(50):
            joined(asked, "g", f"c-{n}")
        wsraw.settle(clients[:1], lambda text: nats.publish("gatehouse.group.g", text))
        here.signal(signal.SIGTERM)
        while here.process.poll() is None:
            for subject in ("gatehouse.group.g", "gatehouse.all.ws"):
                nats.publish(subject, b"x" * 1000)
    here.stop()
    for client in clients:
        client.close()


def test_join_and_leave_work_from_any_node_and_over_the_bus(nodes):
    hub, [(here, asked), (there, asked_there)] = nodes()
    with there.open("/ws/a") as a, hub.connect() as nats:
        def is_known() -> bool:
            return asked.ask("GET", "/clients/ws/a").status == 200
        wsraw.wait_until(is_known, "the client, from the other node")
        assert joined(asked, "g", "a")["result"] == "joined"
        assert asked.inspect("a")["groups"] == ["g"]
        assert asked_there.get("/groups")["groups"] == [{"name": "g", "members": 1}]
        assert left(asked, "g", "a")["result"] == "left"
        answer = nats.request("gatehouse.ctl.ws.a", '{"command": "join", "group": "h"}')
        assert answer.headers["Gatehouse-Status"] == "200" and answer.json["groups"] == ["h"]
        answer = nats.request("gatehouse.ctl.ws.a", '{"command": "join", "group": "a b"}')
        assert answer.headers["Gatehouse-Status"] == "400" and answer.json["reason"] == "group"
        answer = nats.request("gatehouse.ctl.ws.a", '{"command": "join"}')
        assert answer.headers["Gatehouse-Status"] == "400" and answer.json["reason"] == "group"
