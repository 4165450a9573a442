# SPDX-License-Identifier: Apache-2.0
"""Clients reached from other nodes and over NATS: two gateways and a real broker. What the
API does is in test_api.py; here it does the same from the node that has not got the client."""

import json
import os
import signal
import socket

import pytest

from kit import api, natsraw, wsraw

PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
STATUS = "Gatehouse-Status"
TYPE = "Gatehouse-Type"
ODD_IDS = ["a.b", "a b", "*", ">", "a.*", "a.>", "..", "%2E", "%", "a/b", "🔌", "ключ", "$SYS", "x" * 255,
           "é" * 127]


def token(name: str) -> str:
    """As docs/backend-contract.md says."""
    return "".join(chr(byte) if byte in PLAIN else f"%{byte:02X}" for byte in name.encode())


def to(client_id: str, route: str = "ws") -> str:
    return f"gatehouse.to.{token(route)}.{token(client_id)}"


def ctl(client_id: str, route: str = "ws") -> str:
    return f"gatehouse.ctl.{token(route)}.{token(client_id)}"


class Node:
    """A gateway and its API."""

    def __init__(self, running):
        self.running, self.api = running, api.Api(running.admin)


@pytest.fixture
def nodes(gateway, broker):
    """nodes(count, broker options) starts gateways that share a broker: (broker, [nodes])."""
    def run(count: int = 2, *, options: dict | None = None, **config) -> tuple:
        hub = broker(**(options or {}))
        bus = {"type": "nats", "urls": [hub.url], "reconnect_max": "100ms"} | config.pop("bus", {})
        found = [Node(gateway(server={"node": f"gate-{number}"} | config.get("server", {}), bus=bus,
                              **{name: value for name, value in config.items()
                                 if name != "server"}))
                 for number in range(count)]
        for node in found:
            wait_connected(node)
        return hub, found
    return run


def wait_connected(node: Node) -> None:
    node.running.wait_metric("bus_connected", 1)


def ends_without_responders(nats: natsraw.Client, subject: str) -> bool:
    def ask() -> bool:
        try:
            nats.request(subject, '{"command": "inspect"}', timeout=0.2)
            return False
        except natsraw.NoResponders:
            return True
        except TimeoutError:
            return False
    return wsraw.wait_until(ask, f"nobody at {subject}")


def wait_reachable(nats: natsraw.Client, client_id: str, route: str = "ws") -> None:
    """The broker hears of a client a moment after its 101."""
    def ask() -> bool:
        try:
            return nats.request(ctl(client_id, route), '{"command": "inspect"}').headers[STATUS] == "200"
        except natsraw.NoResponders:
            return False
    wsraw.wait_until(ask, f"{client_id!r} on the bus")


def answered(answer: natsraw.Message) -> tuple[int, dict]:
    body = json.loads(answer.body)
    if int(answer.headers[STATUS]) >= 400:
        api.check_schema(api.SPEC["components"]["schemas"]["Problem"], body)
        assert body["status"] == int(answer.headers[STATUS])
    return int(answer.headers[STATUS]), body


# --- from the other node ---

@pytest.mark.tsan
def test_any_node_sends_inspects_and_closes(nodes):
    hub, (here, there) = nodes()
    with here.running.open("/ws/a") as client, hub.connect() as nats:
        wait_reachable(nats, "a")
        told = there.api.send("a", "grüße")
        assert told["result"] == "delivered" and told["client_id"] == "a" and told["type"] == "text"
        assert client.read_message() == (wsraw.TEXT, "grüße".encode())
        assert there.api.send("a", b"\x00\xff")["type"] == "binary"
        assert client.read_message() == (wsraw.BINARY, b"\x00\xff")
        seen = there.api.inspect("a")
        assert seen["node"] == "gate-0" and seen["client_id"] == "a"
        mine = here.api.inspect("a")
        assert {name: value for name, value in seen.items() if name != "connected_seconds"} == \
            {name: value for name, value in mine.items() if name != "connected_seconds"}
        assert there.api.close("a", {"code": 4001, "reason": "moved"})["code"] == 4001
        assert client.read_close() == (4001, b"moved")
        assert here.running.metric("commands_total", command="send", outcome="done") == 2
        assert there.running.metric("commands_total", command="send") == 0


def test_a_client_that_is_nowhere_is_not_connected_at_once(nodes):
    hub, (here, there) = nodes()
    with here.running.open("/ws/a"), hub.connect() as nats:
        wait_reachable(nats, "a")
        for node in (here, there):
            for answer in (node.api.send("b", "x", 404), node.api.inspect("b", 404),
                           node.api.close("b", None, 404)):
                assert answer["reason"] == "not_connected" and answer["seen"] == "b"
        with pytest.raises(natsraw.NoResponders):
            nats.request(to("b"), "x")
        assert there.running.metric("commands_total", outcome="not_connected") == 3


def test_wrong_arguments_are_refused_alike_from_both_nodes(nodes):
    hub, (here, there) = nodes()
    with here.running.open("/ws/a"), hub.connect() as nats:
        wait_reachable(nats, "a")
        for body in ({"code": 1005}, {"code": "x"}, {"reason": "x" * 124}, {"who": 1}):
            assert here.api.close("a", body, 400) == there.api.close("a", body, 400)


def test_a_client_that_moves_is_found_where_it_is(nodes):
    hub, (here, there) = nodes()
    with hub.connect() as nats:
        for home, other in ((here, there), (there, here), (here, there)):
            with home.running.open("/ws/a") as client:
                wait_reachable(nats, "a")
                for node in (here, there):
                    assert node.api.inspect("a")["node"] == home.api.get("/node")["name"]
                    node.api.send("a", "hello")
                    assert client.read_message() == (wsraw.TEXT, b"hello")
            home.running.wait_metric("clients", 0)
            own = other.running.metric("bus_subscriptions")  # a node's, that has no client
            wsraw.wait_until(lambda: home.running.metric("bus_subscriptions") <= own, "no subscription left")


def test_order_is_kept_from_another_node(nodes):
    hub, (here, there) = nodes()
    with here.running.open("/ws/a") as client, hub.connect() as nats:
        wait_reachable(nats, "a")
        for number in range(50):
            there.api.send("a", str(number))
        assert [client.read_message()[1] for _ in range(50)] == [b"%d" % n for n in range(50)]


def test_a_message_larger_than_the_broker_takes(nodes):
    hub, (here, there) = nodes(options={"config": "max_payload: 65536\n"})
    with here.running.open("/ws/a") as client, hub.connect() as nats:
        wait_reachable(nats, "a")
        assert there.api.send("a", b"x" * 65537, 413)["reason"] == "max_payload"
        assert here.api.send("a", b"x" * 65537)["bytes"] == 65537  # needs no broker
        assert len(client.read_message()[1]) == 65537


def test_the_reason_why_a_slow_reader_did_not_get_it(nodes):
    hub, (here, there) = nodes(server={"send_queue_max": "64KiB"})
    client = wsraw.Client(here.running.address, receive_buffer=4096)
    client.open("/ws/a")
    with client, hub.connect() as nats:
        wait_reachable(nats, "a")

        def send() -> int:
            answer = there.api.ask("POST", "/clients/ws/a/messages", b"x" * 60_000)
            return answer.status != 200 and answer
        answer = wsraw.wait_until(send, "a message too many")
        assert answer.status == 409 and json.loads(answer.body)["reason"] == "slow_reader"
        here.running.wait_metric("connections_closed_total", 1, reason="slow_reader")


# --- the broker goes ---

def test_while_the_broker_is_away(nodes):
    hub, (here, there) = nodes()
    with here.running.open("/ws/a") as client, hub.connect() as nats:
        wait_reachable(nats, "a")
        hub.kill()
        for node in (here, there):
            node.running.wait_metric("bus_connected", 0)
        answer = there.api.send("a", "x", 503)
        assert answer["reason"] == "bus" and "broker is away" in answer["detail"]
        here.api.send("a", "own clients need none")
        assert client.read_message() == (wsraw.TEXT, b"own clients need none")
        with here.running.open("/ws/late") as late:
            hub.start()
            for node in (here, there):
                wait_connected(node)
            with hub.connect() as again:
                for one, client_id in ((client, "a"), (late, "late")):
                    wait_reachable(again, client_id)
                    there.api.send(client_id, "back")
                    assert one.read_message() == (wsraw.TEXT, b"back")


def test_a_broker_that_answers_nothing(nodes):
    hub, (here, there) = nodes(admin={"call_timeout": "300ms"})
    with here.running.open("/ws/a"), hub.connect() as nats:
        wait_reachable(nats, "a")
        hub.pause()
        try:
            assert there.api.ask("GET", "/clients/ws/a").status == 504
            assert there.running.metric("api_calls") <= 1
        finally:
            hub.resume()
        wsraw.wait_until(lambda: there.running.metric("api_calls") == 0, "no call left")


def test_it_stops_while_a_question_waits(nodes):
    hub, (here, there) = nodes(admin={"call_timeout": "1h"})
    with hub.connect() as nats:
        nats.subscribe(ctl("nobody"))
        with wsraw.Client(there.running.admin) as asking:
            asking.send(f"GET {api.PREFIX}/clients/ws/nobody HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            there.running.wait_metric("bus_requests_in_flight", 1)
            there.running.stop()


# --- programs on the bus ---

@pytest.mark.tsan
def test_a_message_by_nats(nodes):
    hub, (node, ) = nodes(1)
    with node.running.open("/ws/a") as client, hub.connect() as nats:
        wait_reachable(nats, "a")
        nats.publish(to("a"), "one way")
        assert client.read_message() == (wsraw.TEXT, b"one way")
        status, told = answered(nats.request(to("a"), "answered"))
        assert (status, told["result"], told["bytes"]) == (200, "delivered", 8)
        assert client.read_message() == (wsraw.TEXT, b"answered")
        for kind, opcode in (("text", wsraw.TEXT), ("binary", wsraw.BINARY)):
            assert answered(nats.request(to("a"), b"[1]", {TYPE: kind}))[1]["type"] == kind
            assert client.read_message() == (opcode, b"[1]")
        nats.request(to("a"), b"")
        assert client.read_message() == (wsraw.TEXT, b"")


def test_messages_that_are_none(nodes):
    hub, (node, ) = nodes(1, server={"max_message_size": "1KiB"})
    with node.running.open("/ws/a") as client, hub.connect() as nats:
        wait_reachable(nats, "a")
        for body, headers, status, reason in (
                (b"\xff", {}, 400, "not_utf8"), (b"\xed\xa0\x80", {TYPE: "text"}, 400, "not_utf8"),
                (b"x", {TYPE: "Binary"}, 400, "type"), (b"x", {TYPE: "json"}, 400, "type"),
                (b"x" * 1025, {}, 413, "max_message_size")):
            got, problem = answered(nats.request(to("a"), body, headers))
            assert (got, problem["reason"]) == (status, reason)
            nats.publish(to("a"), body, headers)
        nats.request(to("a"), "good")
        assert client.read_message() == (wsraw.TEXT, b"good")  # and nothing of the others
        assert node.running.metric("commands_total", command="send", outcome="refused") == 10


def test_commands_by_nats(nodes):
    hub, (node, ) = nodes(1)
    with node.running.open("/ws/a") as client, hub.connect() as nats:
        wait_reachable(nats, "a")
        status, seen = answered(nats.request(ctl("a"), '{"command": "inspect"}'))
        assert status == 200 and seen["client_id"] == "a" and seen["node"] == "gate-0"
        api.check_schema(api.SPEC["components"]["schemas"]["InspectedClient"], seen)
        status, told = answered(nats.request(
            ctl("a"), '{"command": "close", "code": 3000, "reason": "enough"}'))
        assert (status, told["result"]) == (200, "closing")
        api.check_schema(api.SPEC["components"]["schemas"]["Closing"], told)
        assert client.read_close() == (3000, b"enough")
        node.running.wait_metric("clients", 0)
        assert ends_without_responders(nats, ctl("a"))


NO_COMMANDS = [
    (b"", "json"), (b"{", "json"), (b"[]", "json"), (b"null", "json"), (b'"close"', "json"),
    (b"\xff", "json"), (b'{"command": "close"', "json"), (b'{"command":"inspect"} x', "json"),
    (b'{"command":"inspect","command":"close"}', "json"), (b"[" * 100_000, "json"),
    (b'{"command": "cl\\u0000se"}', "json"), (b'{"command": "inspect\\u0000"}', "json"),
    (b"{}", "command"), (b'{"command": 1}', "command"), (b'{"command": null}', "command"),
    (b'{"command": "Close"}', "command"), (b'{"command": "send"}', "command"),
    (b'{"command": "unknown"}', "command"), (b'{"command": ""}', "command"),
    (b'{"command": "' + b"x" * 10_000 + b'"}', "command"),
    (b'{"command": "inspect", "code": 1}', "member"), (b'{"command": "close", "": 1}', "member"),
    (b'{"command": "close", "code, reason": 1}', "member"),
    (b'{"command": "close", "' + "é".encode() * 5_000 + b'": 1}', "member"),
    (b'{"command": "close", "code": 1006}', "close_code"),
    (b'{"command": "close", "code": 1e3}', "close_code"),
    (b'{"command": "close", "code": 99999999999}', "close_code"),
    (b'{"command": "close", "code": null}', "close_code"),
    (b'{"command": "close", "reason": 1}', "close_reason"),
    (b'{"command": "close", "reason": "' + b"x" * 10_000 + b'"}', "close_reason"),
]


def test_commands_that_are_none(nodes):
    hub, (node, ) = nodes(1)
    with node.running.open("/ws/a") as client, hub.connect() as nats:
        wait_reachable(nats, "a")
        for body, reason in NO_COMMANDS:
            status, problem = answered(nats.request(ctl("a"), body))
            assert (status, problem["reason"]) == (400, reason), body[:60]
            nats.publish(ctl("a"), body)
            client.echo(b"still there")


# --- ids ---

def test_no_id_reaches_another_one(nodes):
    """Each of them is there, on one node or the other, and gets what is for it and nothing else."""
    hub, both = nodes()
    clients = {}
    with hub.connect() as nats:
        for number, client_id in enumerate(ODD_IDS):
            clients[client_id] = both[number % 2].running.open(f"/ws/{api.quote(client_id)}")
        for client_id in ODD_IDS:
            wait_reachable(nats, client_id)
        for number, client_id in enumerate(ODD_IDS):
            both[number // 2 % 2].api.send(client_id, f"api {client_id}")
            nats.publish(to(client_id), f"nats {client_id}")
            nats.flush()
            assert both[0].api.inspect(client_id)["client_id"] == client_id
        for client_id, client in clients.items():
            got = {client.read_message()[1].decode() for _ in range(2)}
            assert got == {f"api {client_id}", f"nats {client_id}"}
            client.close()


@pytest.mark.parametrize("raw", ["%00", "a%00b", "x" * 256, "x" * 10_000, "%ff", "%0a"])
def test_ids_that_are_none_reach_nobody(nodes, raw):
    hub, (here, there) = nodes()
    with hub.connect() as nats:
        seen = nats.subscribe("gatehouse.ctl.>")
        answer = there.api.ask("GET", f"/clients/ws/{raw}")
        assert answer.status in (400, 414, 431)
        assert not seen.has_message()


def test_ids_with_wildcards_match_only_themselves(nodes):
    hub, (here, there) = nodes()
    with here.running.open("/ws/a"), here.running.open("/ws/b"), hub.connect() as nats:
        wait_reachable(nats, "a")
        wait_reachable(nats, "b")
        for client_id in ("*", ">", "a.>", "%61", "A", "a "):
            assert there.api.close(client_id, None, 404)["reason"] == "not_connected"
        assert here.running.metric("clients") == 2


# --- clients and nodes that come and go ---

def test_a_node_that_dies_while_it_is_asked(start, nodes):
    """Its clients are not connected any more: told at once, and soon after the first question."""
    hub, (there, ) = nodes(1)
    dying = start(server={"node": "gate-9"}, bus={"type": "nats", "urls": [hub.url]}).wait_ready()
    with dying.open("/ws/a"), hub.connect() as nats:
        wait_reachable(nats, "a")
        dying.process.send_signal(signal.SIGSTOP)
        os.waitpid(dying.process.pid, os.WUNTRACED)  # all of its threads stand still
        with wsraw.Client(there.running.admin) as asking:
            asking.send(f"GET {api.PREFIX}/clients/ws/a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            there.running.wait_metric("bus_requests_in_flight", 1)
            dying.process.kill()
            dying.process.wait()
            answer = asking.read_response()
        assert answer.status == 404 and "any more" in json.loads(answer.body)["detail"]
        assert there.api.inspect("a", 404)["reason"] == "not_connected"


def test_all_connections_of_one_id_get_messages(nodes):
    """takeover: many. One answer comes, from whichever was first."""
    hub, both = nodes(routes=[{"path": "/ws/{client_id}", "takeover": "many"}])
    with both[0].running.open("/ws/a") as one, both[1].running.open("/ws/a") as other, \
            hub.connect() as nats:
        def have_both() -> bool:
            nats.publish(to("a"), "first")
            return all(node.running.metric("messages_sent_total") > 0 for node in both)
        wsraw.wait_until(have_both, "the broker to know of both")
        assert answered(nats.request(to("a"), "last"))[0] == 200
        for client in (one, other):
            assert wsraw.wait_until(lambda: client.read_message()[1] == b"last", "the message")


def test_a_client_that_goes_in_the_middle(nodes):
    """Questions meet the end of the connection: each is answered, and soon."""
    hub, (here, there) = nodes()
    with hub.connect() as nats:
        for _ in range(10):
            client = here.running.open("/ws/a")
            wait_reachable(nats, "a")
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            assert there.api.ask("POST", "/clients/ws/a/messages", b"x").status in (200, 404)
            here.running.wait_metric("clients", 0)
            assert ends_without_responders(nats, ctl("a"))


def test_many_clients_leave_no_subscription_behind(nodes):
    hub, (here, there) = nodes()
    before = here.running.metric("bus_subscriptions")
    clients = [here.running.open(f"/ws/{number}") for number in range(200)]
    here.running.wait_metric("bus_subscriptions", before + 2 * 200 + 1)  # and their route's
    for client in clients:
        client.close()
    here.running.wait_metric("bus_subscriptions", before)


def test_alone_no_client_costs_a_subscription(gateway):
    running = gateway()
    before = running.metric("bus_subscriptions")
    with running.open("/ws/a"):
        assert running.metric("bus_subscriptions") == before
