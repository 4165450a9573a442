# SPDX-License-Identifier: Apache-2.0
"""The way 'ticket': made by the API, used once, on whichever node (docs/auth-tokens.md)."""

import concurrent.futures
import json
import subprocess
import time

import pytest

from kit import backends, wsraw
from kit.api import Api

ROUTES = [{"path": "/ws/{client_id}", "auth": [{"type": "ticket"}], "subprotocols": ["a", "b"],
           "subprotocol_mismatch": "accept"},
          {"path": "/other/{client_id}", "auth": [{"type": "ticket"}]},
          {"path": "/any", "auth": [{"type": "ticket"}]},
          {"path": "/open/{client_id}"}]


@pytest.fixture
def patient(gateway):
    """A gateway that makes nobody wait for having been wrong."""
    return lambda **options: gateway(**options | {"server": {"auth_failures": 0} | options.get("server", {})})


def make(running, client_id: str = "cp1", status: int = 200, route: str = "ws", **more) -> dict:
    wish = {"route": route, "client_id": client_id} | more
    return Api(running.admin).post("/tickets", json.dumps(wish).encode(), status, type="application/json")


def ask(running, ticket: str | None, target: str = "/ws/cp1", extra: tuple = ()) -> wsraw.Response:
    with running.connect() as client:
        return client.handshake(target if ticket is None else f"{target}?ticket={ticket}", extra=extra)


def reason_of(answer: wsraw.Response) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["reason"]


def test_once(patient):
    running = patient(routes=ROUTES)
    made = make(running)
    assert made["route"] == "ws" and made["client_id"] == "cp1" and made["ttl_ms"] == 30000
    assert abs(made["expires_at"] - time.time() - 30) < 30
    assert ask(running, made["ticket"]).status == 101
    assert reason_of(ask(running, made["ticket"])) == (403, "ticket_unknown")
    assert reason_of(ask(running, None)) == (403, "no_proof")
    assert running.metric("tickets_made_total") == 1
    assert running.metric("tickets_used_total") == 1
    assert running.metric("tickets_unknown_total") == 1
    assert running.metric("tickets") == 0
    assert made["ticket"] not in running.log and made["ticket"].split(".")[1] not in running.log


def test_of_many_at_once_one_is_let_in(patient):
    running = patient(routes=ROUTES, server={"workers": 2})
    ticket = make(running)["ticket"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(running, ticket).status, range(64)))
    assert sorted(set(answers)) == [101, 403] and answers.count(101) == 1


def test_for_one_route_and_one_id(patient):
    running = patient(routes=ROUTES)
    assert reason_of(ask(running, make(running)["ticket"], "/other/cp1")) == (403, "ticket_route")
    assert reason_of(ask(running, make(running)["ticket"], "/ws/cp2")) == (403, "other_client_id")
    ticket = make(running, "who/ever", route="any")["ticket"]
    with running.connect() as client:
        assert client.handshake(f"/any?ticket={ticket}").status == 101
        assert Api(running.admin).inspect("who/ever", route="any")["client_id"] == "who/ever"


def test_its_time(patient):
    running = patient(routes=ROUTES)
    ticket = make(running, ttl="1ms")["ticket"]
    running.wait_metric("tickets_expired_total", 1)
    assert reason_of(ask(running, ticket)) == (403, "ticket_unknown")


def test_groups_and_subprotocol(patient):
    running = patient(routes=ROUTES)
    ticket = make(running, groups=["night", "till"], subprotocol="b")["ticket"]
    with running.connect() as client:
        answer = client.handshake("/ws/cp1", extra=(f"Sec-WebSocket-Protocol: a, b, ticket.{ticket}",))
        assert answer.headers["sec-websocket-protocol"] == "b"
        assert Api(running.admin).inspect("cp1")["groups"] == ["night", "till"]


def test_the_back_end_does_not_see_it(patient):
    hook = backends.Webhook()
    running = patient(routes=[ROUTES[0] | {"backend": "hook"}],
                      backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
    ticket = make(running)["ticket"]
    assert ask(running, ticket).status == 101
    event = hook.wait("connect")[0]
    body = event.body.decode()
    assert ticket.split(".")[1] not in body and f"?ticket={'*' * len(ticket)} HTTP" in body
    assert event.headers["ce-query"] == f"ticket={'*' * len(ticket)}"
    hook.wait("disconnected")
    hook.close()


NO_WISHES = [
    ({}, 400, "route"),
    ({"route": "ws"}, 400, "client_id"),
    ({"route": "ws", "client_id": ""}, 400, "client_id"),
    ({"route": "ws", "client_id": "a\u0001"}, 400, "client_id"),
    ({"route": "ws", "client_id": "x" * 256}, 400, "client_id"),
    ({"route": "nowhere", "client_id": "a"}, 404, "no_such_route"),
    ({"route": "open", "client_id": "a"}, 409, "no_ticket_way"),
    ({"route": "ws", "client_id": "a", "ttl": 30}, 400, "ttl"),
    ({"route": "ws", "client_id": "a", "ttl": "0s"}, 400, "ttl"),
    ({"route": "ws", "client_id": "a", "ttl": "6m"}, 400, "ttl"),
    ({"route": "ws", "client_id": "a", "groups": "a"}, 400, "groups"),
    ({"route": "ws", "client_id": "a", "groups": ["a,b"]}, 400, "group"),
    ({"route": "ws", "client_id": "a", "subprotocol": "a b"}, 400, "subprotocol"),
    ({"route": "ws", "client_id": "a", "more": 1}, 400, "member"),
    ([], 400, "json"),
]


def test_what_is_asked_wrongly(patient):
    running = patient(routes=ROUTES)
    for wish, status, reason in NO_WISHES:
        answer = Api(running.admin).post("/tickets", json.dumps(wish).encode(), status, type="application/json")
        assert answer["reason"] == reason, wish
    assert running.metric("tickets_made_total") == 0


def test_no_more_than_there_is_room_for(patient):
    running = patient(routes=ROUTES, admin={"tickets_max": 3})
    made = [make(running, ttl="5m")["ticket"] for _ in range(3)]
    answer = make(running, status=503)
    assert answer["reason"] == "tickets_max" and answer["allowed"] == "3"
    assert running.metric("tickets_refused_total") == 1
    assert running.metric("limit_used", limit="tickets_max") == 3
    assert running.metric("limit", limit="tickets_max") == 3
    assert ask(running, made[1]).status == 101
    make(running)


# --- a cluster ---


@pytest.fixture
def two(patient, broker):
    """Two gateways at one broker."""
    bus = {"type": "nats", "urls": [broker().url]}
    one = patient(routes=ROUTES, bus=bus, server={"node": "one"})
    other = patient(routes=ROUTES, bus=bus, server={"node": "other"})
    for running in (one, other):
        running.wait_metric("bus_connected", 1)
    return one, other


def test_made_here_used_there_once(two):
    one, other = two
    ticket = make(one, groups=["night"])["ticket"]
    with other.connect() as client:
        assert client.handshake(f"/ws/cp1?ticket={ticket}").status == 101
        assert Api(other.admin).inspect("cp1")["groups"] == ["night"]
        assert Api(other.admin).inspect("cp1")["node"] == "other"
    for running in two:
        assert reason_of(ask(running, ticket)) == (403, "ticket_unknown")
    assert one.metric("tickets_used_total") == 1 and other.metric("tickets_used_total") == 0
    ticket = make(one)["ticket"]
    assert reason_of(ask(other, ticket, "/other/cp1")) == (403, "ticket_route")


def test_shown_to_both_at_once_one_lets_in(two):
    one, other = two
    for _ in range(10):
        ticket = make(one)["ticket"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: ask(two[i % 2], ticket).status, range(8)))
        assert answers.count(101) == 1 and set(answers) == {101, 403}


def test_it_dies_with_its_node(two):
    one, other = two
    ticket = make(one)["ticket"]
    one.stop()
    assert reason_of(ask(other, ticket)) == (403, "ticket_unknown")


# --- a client of others ---


NODE = """
const [url, ...protocols] = process.argv.slice(1);
const socket = new WebSocket(url, protocols);
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => { console.log(JSON.stringify([socket.protocol, event.data])); socket.close(1000); };
socket.onerror = () => { console.log("error"); process.exitCode = 1; };
"""


def test_as_a_browser_does_it(patient):
    running = patient(routes=ROUTES)
    for with_query in (True, False):
        ticket = make(running)["ticket"]
        arguments = [running.url(f"/ws/cp1?ticket={ticket}")] if with_query \
            else [running.url("/ws/cp1"), "a", f"ticket.{ticket}"]
        done = subprocess.run(["node", "--experimental-websocket", "-e", NODE, *arguments],
                              capture_output=True, text=True, timeout=120)
        assert json.loads(done.stdout) == ["" if with_query else "a", "hello"], done
