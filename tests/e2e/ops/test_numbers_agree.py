# SPDX-License-Identifier: Apache-2.0
"""A load of which every part is known: what /metrics, the API and the event stream, from which the console is, tell of it
is that, in total, by route, by reason, by listener and by client; and so does the next process after a live upgrade."""

import collections
import contextlib
import json
import socket
import struct

import pytest

from kit import api, backends, upgrades, wsraw
from kit.stream import Stream

TALKERS, MESSAGES, PUSHES, SIZE = 6, 5, 2, 100
PER_ADDRESS, WHOLE = TALKERS, 10
OTHER = "127.0.0.2"  # whoever is no talker
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the end is a reset


def counts(**numbers: int) -> collections.Counter:
    return collections.Counter(numbers)


class Load:
    def __init__(self, running):
        self.running, self.api = running, api.Api(running.admin)

    def settle(self) -> None:
        """Nobody is there but the talkers: those that have gone have given their places back."""
        self.running.wait_metric("connections", TALKERS)

    def open(self, target: str, **options) -> wsraw.Client:
        return self.running.connect(source=OTHER).open(target, **options)

    def refused(self, target: str, status: int, source: str = OTHER, **options) -> None:
        with self.running.connect(source=source) as client:
            assert client.handshake(target, **options).status == status

    def block(self, client_id: str) -> None:
        body = {"route": "ends", "client_id": client_id, "for": "10m"}
        self.api.post("/blocks", json.dumps(body).encode(), type="application/json")


# --- ends ---

def broken(data: bytes, code: int):
    def end(_load: Load, client: wsraw.Client, _name: str) -> None:
        client.send(data)
        client.expect_close(code)
    return end


def says_goodbye(_load: Load, client: wsraw.Client, _name: str) -> None:
    client.send(wsraw.close_frame(1000))
    client.expect_close(1000)


def is_reset(_load: Load, client: wsraw.Client, _name: str) -> None:
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def is_closed(load: Load, client: wsraw.Client, name: str) -> None:
    load.api.close(name, route="ends")
    client.expect_close(1000, answer=True)


def is_blocked(load: Load, client: wsraw.Client, name: str) -> None:
    load.block(name)
    client.expect_close(4403, answer=True)


def is_taken_over(load: Load, client: wsraw.Client, name: str) -> None:
    with load.open(f"/ends/{name}") as other:
        client.expect_close(4001, answer=True)
        is_reset(load, other, name)


# Reason, how, and what that is beside one accepted and one end: of those that break a rule no message is whole.
ENDS = [
    ("client_gone", lambda *_: None, {}),
    ("client_closed", says_goodbye, {}),
    ("connection_lost", is_reset, {}),
    ("protocol_error", broken(wsraw.frame(wsraw.TEXT, b"x", key=None), 1002), {}),
    ("invalid_utf8", broken(wsraw.frame(wsraw.TEXT, b"\xff"), 1007), {}),
    ("message_too_big", broken(wsraw.frame(wsraw.BINARY, bytes(2000)), 1009), {}),
    ("requested", is_closed, {}),
    ("blocked", is_blocked, {}),
    ("taken_over", is_taken_over, {"connection_lost": 1}),
]


def make_ends(load: Load) -> collections.Counter:
    """The first reason once, the second twice, ...: so no two have the same number."""
    closed = collections.Counter()
    for times, (reason, end, more) in enumerate(ENDS, 1):
        for number in range(times):
            name = f"{reason}-{number}"
            load.settle()
            with load.open(f"/ends/{name}") as client:
                client.echo(b"here")
                end(load, client, name)
            closed.update({reason: 1} | more)
    return closed


# --- refusals ---

def fill_route(load: Load) -> None:
    with load.open("/full/a"):
        for _ in range(3):
            load.refused("/full/b", 503)


def fill_gateway(load: Load) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(WHOLE - TALKERS):
            stack.enter_context(load.open(f"/ends/filler-{number}"))
        for _ in range(4):
            load.refused("/ends/more", 503)


def guess(load: Load) -> None:
    for status in (401, 401, 429, 429, 429, 429, 429):
        load.refused("/proof/a", status, extra=("Authorization: Basic YTp3cm9uZw==",))


def conflict(load: Load) -> None:
    with load.open("/one/a"):
        for _ in range(2):
            load.refused("/one/a", 409)


def block(load: Load) -> None:
    load.block("kept-out")
    for _ in range(3):
        load.refused("/ends/kept-out", 403)


# Name; how; limits that refused; failures by route; let in, and gone without a word, by route.
REFUSALS = [
    ("max_connections_per_ip", lambda load: load.refused("/ends/a", 429, "127.0.0.1"),
     counts(max_connections_per_ip=1), {"ends": counts(limit=1)}, {}),
    ("routes.max_connections", fill_route, counts(**{"routes.max_connections": 3}), {"full": counts(limit=3)}, {"full": 1}),
    ("max_connections", fill_gateway, counts(max_connections=4), {"ends": counts(limit=4)}, {"ends": WHOLE - TALKERS}),
    ("auth_failures", guess, counts(auth_failures=5), {"proof": counts(proof=2, limit=5)}, {}),
    ("conflict", conflict, counts(), {"one": counts(conflict=2)}, {"one": 1}),
    ("blocked", block, counts(), {"ends": counts(blocked=3)}, {}),
    ("origin", lambda load: load.refused("/origin/a", 403, extra=("Origin: http://evil.test",)),
     counts(), {"origin": counts(origin=1)}, {}),
    ("request", lambda load: load.refused("/speaks/a", 400), counts(), {"speaks": counts(request=1)}, {}),
    ("backend_refused", lambda load: load.refused("/hook/unwanted", 403), counts(), {"hook": counts(backend_refused=1)}, {}),
    ("backend_failed", lambda load: load.refused("/hook/broken", 500), counts(), {"hook": counts(backend_failed=1)}, {}),
    ("of no route", lambda load: load.refused("/nowhere", 404), counts(), {"": counts(nowhere=1)}, {}),
]


def make_refusals(load: Load) -> tuple[collections.Counter, dict, collections.Counter]:
    limits, failed, came = collections.Counter(), collections.defaultdict(collections.Counter), collections.Counter()
    for _, refuse, by, routes, others in REFUSALS:
        load.settle()
        refuse(load)
        limits.update(by)
        came.update(others)
        for route, reasons in routes.items():
            failed[route].update(reasons)
    return limits, failed, came


# --- what is told ---

def by_metrics(running) -> dict:
    """In the form of the overview, as far as they have it both."""
    def nested(name: str, label: str) -> dict[str, dict]:
        found = collections.defaultdict(dict)
        for labels, value in running.samples(name):
            if value:
                found[labels["route"]][labels[label]] = value
        return found

    totals = {name: running.metric(f"{name}_total") for name in ("messages_received", "messages_sent", "received_bytes", "sent_bytes")}
    totals |= {"accepted": running.metric("connections_accepted_total"), "connections": running.metric("connections"),
               "handshake_failures": running.metric("handshakes_rejected_total"), "sockets": running.metric("sockets")}
    closed, failed = nested("route_connections_closed_total", "reason"), nested("route_handshake_failures_total", "reason")
    numbers = {"accepted": "connections_accepted_total", "connections": "connections"}
    numbers |= {name: f"{name}_total" for name in ("messages_received", "messages_sent", "received_bytes", "sent_bytes")}
    columns = {name: running.metrics(f"route_{metric}", "route") for name, metric in numbers.items()}
    routes = {route: {name: column[route] for name, column in columns.items()} |
              {"closed": closed[route], "handshake_failures": sum(failed[route].values())} for route in columns["accepted"]}
    return {"totals": totals, "refused": running.metrics("connections_refused_total", "limit"),
            "closed": running.metrics("connections_closed_total", "reason"), "routes": routes}


def by_overview(seen: dict, like: dict) -> dict:
    assert sum(worker["connections"] for worker in seen["workers"]) == seen["totals"]["connections"]
    return {"totals": {name: seen["totals"][name] for name in like["totals"]}, "refused": seen["refused"], "closed": seen["closed"],
            "routes": {route.pop("name"): route for route in seen["routes"]}}


def check_totals(told: dict, limits: collections.Counter, failed: dict, closed: collections.Counter, came: collections.Counter) -> None:
    """What was made, and nothing else."""
    ends = sum(closed.values())
    whole = closed + counts(client_gone=sum(came.values()))
    assert {reason: count for reason, count in told["closed"].items() if count} == whole
    assert {limit: count for limit, count in told["refused"].items() if count} == limits
    totals = told["totals"]
    assert (totals["connections"], totals["sockets"]) == (TALKERS, TALKERS)
    assert totals["accepted"] == TALKERS + sum(whole.values())
    assert totals["handshake_failures"] == sum(sum(reasons.values()) - reasons["limit"] for reasons in failed.values())
    talk, rest = told["routes"]["talk"], told["routes"]["ends"]
    assert (talk["messages_received"], talk["messages_sent"]) == (TALKERS * MESSAGES, TALKERS * (MESSAGES + PUSHES))
    # The head of a masked frame has 6 bytes, ours has 2.
    assert (talk["received_bytes"], talk["sent_bytes"]) == (talk["messages_received"] * (SIZE + 6), talk["messages_sent"] * (SIZE + 2))
    assert rest["closed"] == closed + counts(client_gone=came["ends"]) and rest["accepted"] == ends + came["ends"]
    for route, has in told["routes"].items():
        assert has["handshake_failures"] == sum(failed[route].values()), route
        assert has["accepted"] == has["connections"] + sum(has["closed"].values()), route
    for name in set(totals) - {"sockets", "handshake_failures"}:
        assert sum(route[name] for route in told["routes"].values()) == totals[name], name


def check_clients(load: Load) -> None:
    """One by one, in the list and alone."""
    clients = load.api.list(route="talk")
    assert len(clients) == TALKERS
    wanted = {"messages_received": MESSAGES, "messages_sent": MESSAGES + PUSHES, "received_bytes": MESSAGES * (SIZE + 6),
              "sent_bytes": (MESSAGES + PUSHES) * (SIZE + 2)}
    for client in clients:
        for counters in (client["counters"], load.api.inspect(client["client_id"], route="talk")["counters"]):
            assert {name: counters[name] for name in wanted} == wanted


def check_listeners(running, told: dict) -> None:
    for name, whole in (("connections", "connections"), ("sockets_accepted_total", "sockets_accepted_total"),
                        ("connections_accepted_total", "connections_accepted_total"),
                        ("handshakes_rejected_total", "handshakes_rejected_total"),
                        ("connections_refused_total", "connections_refused_total")):
        assert running.metric(f"listener_{name}") == running.metric(whole) > 0, name
    assert running.metric("listener_connections_refused_total") == sum(told["refused"].values())


@pytest.mark.tsan
def test_all_tell_of_a_known_load_what_it_was(gateway, tmp_path):
    upgrades.become_parent_of_orphans()
    webhook = backends.Webhook(lambda event: {"unwanted": backends.Answer(403), "broken": backends.Answer(500)}.get(event.client))
    users = tmp_path / "users"
    users.write_text("a:plain:b\n")
    users.chmod(0o600)
    running = gateway(
        server={"workers": 2, "max_connections": WHOLE, "max_connections_per_ip": PER_ADDRESS, "auth_failures": 2,
                "max_message_size": "1000B"},
        backends=[{"name": "hook", "type": "webhook", "url": webhook.url, "retries": 0}],
        routes=[{"path": "/talk/{client_id}"}, {"path": "/ends/{client_id}"}, {"path": "/full/{client_id}", "max_connections": 1},
                {"path": "/one/{client_id}", "takeover": "oldest"}, {"path": "/origin/{client_id}", "origins": "same"},
                {"path": "/speaks/{client_id}", "subprotocols": ["x"]}, {"path": "/hook/{client_id}", "backend": "hook"},
                {"path": "/proof/{client_id}", "auth": [{"type": "basic", "users_file": str(users)}]}])
    load = Load(running)
    with contextlib.ExitStack() as stack:
        talkers = [stack.enter_context(running.open(f"/talk/{number}")) for number in range(TALKERS)]
        for client in talkers * MESSAGES:
            client.echo(bytes(SIZE))
        for number in list(range(TALKERS)) * PUSHES:
            load.api.send(str(number), bytes(SIZE), route="talk")
        for client in talkers * PUSHES:
            assert client.read_message() == (wsraw.BINARY, bytes(SIZE))
        closed = make_ends(load)
        limits, failed, came = make_refusals(load)
        load.settle()
        running.wait_metric("sockets", TALKERS)
        told = by_metrics(running)
        check_totals(told, limits, failed, closed, came)
        assert by_overview(load.api.get("/overview"), told) == told
        with Stream(running, "overview=1s") as stream:
            assert by_overview(stream.next("overview"), told) == told
        node = load.api.get("/node")
        for name in ("connections", "messages_received", "messages_sent", "received_bytes", "sent_bytes"):
            assert node[name] == told["totals"][name], name
        check_clients(load)
        check_listeners(running, told)
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        assert by_metrics(running) == told == by_overview(load.api.get("/overview"), told), "the next process tells the same"
        check_clients(load)
        check_listeners(running, told)
    webhook.close()
