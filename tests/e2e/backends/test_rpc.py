# SPDX-License-Identifier: Apache-2.0
"""Calls to clients, in both framings: what services get, what clients and back ends see."""

import concurrent.futures
import contextlib
import json
import pathlib
import re
import signal
import socket
import threading
import time

import pytest

from kit import api, backends, natsraw, wsraw

OCPP = {"path": "/ocpp/{client_id}", "subprotocols": ["ocpp2.1", "ocpp1.6"],
        "subprotocol_mismatch": "accept", "rpc": "ocpp-j"}
JSON_RPC = {"path": "/rpc/{client_id}", "rpc": "json-rpc"}
PLAIN = {"path": "/ws/{client_id}"}
ID = re.compile(r"[0-9a-f]{16}-[0-9a-f]{1,16}")


class Caller(api.Api):
    """Asks in threads, so that the test can play the client meanwhile."""

    def __init__(self, gateway):
        super().__init__(gateway.admin)
        self.pool = concurrent.futures.ThreadPoolExecutor(32)

    def call(self, client_id: str, body, *, route: str = "ocpp") -> concurrent.futures.Future:
        """Of (status, body)."""
        def ask():
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            answer = self.ask("POST", f"/clients/{route}/{api.quote(client_id)}/call", data,
                              headers={"Content-Type": "application/json"})
            return answer.status, json.loads(answer.body)
        return self.pool.submit(ask)

    def reset(self, client_id: str, **more) -> concurrent.futures.Future:
        return self.call(client_id, {"action": "Reset", "payload": {"type": "Soft"}} | more)


class Events:
    """A back end that notes the messages of clients, as (body, ce-rpc)."""

    def __init__(self, answer=None):
        self.hook = backends.Webhook(answer)

    @property
    def messages(self) -> list[tuple[str, str | None]]:
        return [(event.body.decode(), event.headers.get("ce-rpc"))
                for event in self.hook.of("message")]

    def wait(self, count: int) -> list[tuple[str, str | None]]:
        self.hook.wait("message", count)
        return self.messages


@pytest.fixture
def serve(gateway):
    """serve(answer, admin={...}, server={...}, backend={...}, **keys of the OCPP route): (gateway, caller, events)."""
    running = []

    def run(answer=None, *, admin=None, server=None, backend=None, **keys):
        events = Events(answer)
        one = gateway(
            server={"drain_timeout": "3s"} | (server or {}), admin=admin,
            routes=[route | {"backend": "hook"} for route in (OCPP | keys, JSON_RPC, PLAIN)],
            backends=[{"name": "hook", "type": "webhook", "url": events.hook.url} | (backend or {})])
        running.append((one, events))
        return one, Caller(one), events

    yield run
    for one, events in running:
        if not one.has_stopped:
            one.stop()
        events.hook.close()


def read_call(client: wsraw.Client) -> list:
    opcode, data = client.read_message()
    assert opcode == wsraw.TEXT
    frame = json.loads(data)
    assert frame[0] == 2 and ID.fullmatch(frame[1]) and len(frame[1]) <= 36, frame
    return frame


def ping(client: wsraw.Client) -> None:
    """It is well, and nothing waits for it."""
    client.send_frame(wsraw.PING, b"well?")
    assert client.read_frame() == wsraw.Frame(True, 0, wsraw.PONG, b"well?")


def answer(client: wsraw.Client, id: str, payload=None) -> str:
    """A CALLRESULT; returns its text."""
    return say(client, json.dumps([3, id, {} if payload is None else payload]))


def say(client: wsraw.Client, text: str) -> str:
    client.send_frame(wsraw.TEXT, text.encode())
    return text


# --- answers ---

@pytest.mark.tsan
def test_a_call_is_answered(serve):
    gateway, caller, events = serve()
    client = gateway.open("/ocpp/CP%201")
    asked = caller.call("CP 1", {"action": "GetConfiguration",
                                 "payload": {"key": ["é"], "factor": 0.1}, "timeout": "20s"})
    kind, id, action, payload = read_call(client)
    assert (action, payload) == ("GetConfiguration", {"key": ["é"], "factor": 0.1})
    # What the client writes is what is answered, though no double holds these numbers.
    say(client, '[3,"%s",{"energy": 12345678901234567890, "power": 230.10}]' % id)
    status, body = asked.result(wsraw.SECONDS)
    assert status == 200 and body["result"] == "answered"
    assert (body["route"], body["client_id"]) == ("ocpp", "CP 1")
    assert body["payload"] == {"energy": 12345678901234567890, "power": 230.10}
    assert gateway.metric("calls_total", outcome="answered") == 1
    assert gateway.metric("calls_waiting") == 0
    assert gateway.metric("call_duration_seconds_count") == 1
    assert events.messages == []


@pytest.mark.parametrize("payload", [b'{"a":0.1,"b":1e100,"c":9007199254740993}',
                                     b'{"a":1.0000000000000002}'])
def test_numbers_are_sent_with_the_fewest_digits(serve, payload):
    gateway, caller, _ = serve()
    client = gateway.open("/ocpp/CP1")
    asked = caller.call("CP1", b'{"action":"A","payload":%s}' % payload)
    data = client.read_message()[1]
    assert data.endswith(b',"A",%s]' % payload)
    answer(client, json.loads(data)[1])
    assert asked.result(wsraw.SECONDS)[0] == 200


def test_an_error_of_the_client_is_told(serve):
    gateway, caller, _ = serve()
    client = gateway.open("/ocpp/CP1")
    asked = caller.reset("CP1")
    say(client, '[4,"%s","NotSupported","no \\u00fc",{"a":1.50}]' % read_call(client)[1])
    status, body = asked.result(wsraw.SECONDS)
    assert status == 422 and body["reason"] == "client_error"
    assert (body["code"], body["description"], body["details"]) == \
        ("NotSupported", "no ü", {"a": 1.5})
    assert gateway.metric("calls_total", outcome="client_error") == 1


@pytest.mark.parametrize("rest,description,details", [
    (',"no",{}', "no", {}), (',"no"', "no", None), ("", "", None), (',"no","text"', "no", "text"),
    (',"no",null', "no", "null"), (",null,{}", "", {}), (',"",[]', "", []), (',{"a":1}', "", {"a": 1})])
def test_an_error_counts_by_its_code_whatever_firmware_makes_of_the_rest(
        serve, rest, description, details):
    gateway, caller, events = serve()
    client = gateway.open("/ocpp/CP1")
    asked = caller.reset("CP1")
    say(client, '[4,"%s","NotSupported"%s]' % (read_call(client)[1], rest))
    status, body = asked.result(wsraw.SECONDS)
    assert (status, body["code"], body["description"]) == (422, "NotSupported", description)
    assert body.get("details", "null" if details == "null" else None) in (details, None)
    assert events.messages == [] and gateway.metric("calls_total", outcome="malformed_answer") == 0


FRAMED = {"binary": (wsraw.BINARY, b"%b"), "behind a mark": (wsraw.TEXT, b"\xef\xbb\xbf%b"),
          "both": (wsraw.BINARY, b"\xef\xbb\xbf%b"), "line ends": (wsraw.TEXT, b"\r\n%b\r\n"),
          "a C string": (wsraw.TEXT, b"%b\0")}


@pytest.mark.parametrize("framed", FRAMED)
def test_an_answer_counts_however_it_is_framed(serve, framed):
    opcode, around = FRAMED[framed]
    gateway, caller, events = serve()
    client = gateway.open("/ocpp/CP1")
    asked = caller.reset("CP1")
    client.send_frame(opcode, around % (b'[3,"%b",{"status":"Accepted"}]'
                                        % read_call(client)[1].encode()))
    status, body = asked.result(wsraw.SECONDS)
    assert (status, body["payload"]) == (200, {"status": "Accepted"})
    assert events.messages == []


def test_on_a_route_with_rpc_utf8_is_text_in_both_directions(serve):
    """The back end says octet-stream, the client sends binary frames; neither means it."""
    gateway, caller, events = serve(lambda event: backends.Answer(
        200, b'[3,"%b",{}]' % json.loads(event.body)[1].encode(),
        {"Content-Type": "application/octet-stream"})
        if event.type == "message" and event.body[:1] == b"[" else None)
    client = gateway.open("/ocpp/CP1")
    client.send_frame(wsraw.BINARY, b'[2,"a","Heartbeat",{}]')
    assert client.read_message() == (wsraw.TEXT, b'[3,"a",{}]')
    client.send_frame(wsraw.BINARY, b"\xff\xfe")
    plain = gateway.open("/ws/a")
    plain.send_frame(wsraw.BINARY, b"text")
    sent = events.hook.wait("message", 3)
    assert [(event.headers["ce-messagetype"], event.headers.get("ce-rpc")) for event in sent] == \
        [("text", None), ("binary", None), ("binary", None)]
    told = caller.ask("POST", "/clients/ocpp/CP1/messages?type=binary", b'[3,"b",{}]')
    assert told.status == 200 and json.loads(told.body)["type"] == "text"
    assert client.read_message() == (wsraw.TEXT, b'[3,"b",{}]')
    told = caller.ask("POST", "/clients/ocpp/CP1/messages?type=binary", b'[2,"b","Reset",{}]')
    assert told.status == 409 and json.loads(told.body)["reason"] == "use_call"
    told = caller.ask("POST", "/clients/ocpp/CP1/messages", b"\xff")
    assert told.status == 200 and client.read_message() == (wsraw.BINARY, b"\xff")


@pytest.mark.parametrize("reply,payload", [
    ('"jsonrpc":"2.0","result":1,"error":null', 1), ('"jsonrpc":"2.0","error":null,"result":null', None),
    ('"result":1,"error":null', 1), ('"jsonrpc":null,"result":[]', [])])
def test_json_rpc_null_is_nothing_and_an_answer_needs_no_version(serve, reply, payload):
    gateway, caller, events = serve()
    client = gateway.open("/rpc/a")
    asked = caller.call("a", {"method": "m"}, route="rpc")
    say(client, '{"id":"%s",%s}' % (json.loads(client.read_message()[1])["id"], reply))
    status, body = asked.result(wsraw.SECONDS)
    assert (status, body["payload"]) == (200, payload)
    assert events.messages == []


def test_json_rpc(serve):
    gateway, caller, events = serve()
    client = gateway.open("/rpc/a")

    def asks(body, reply: str):
        asked = caller.call("a", body, route="rpc")
        sent = json.loads(client.read_message()[1])
        say(client, '{"jsonrpc":"2.0","id":%s,%s}' % (json.dumps(sent["id"]), reply))
        return sent, asked.result(wsraw.SECONDS)

    sent, (status, body) = asks({"method": "add", "params": [1, 2]}, '"result":3')
    assert (sent["method"], sent["params"]) == ("add", [1, 2])
    assert (status, body["payload"]) == (200, 3)
    sent, (status, body) = asks({"method": "none"}, '"result":null')
    assert "params" not in sent and (status, body["payload"]) == (200, None)
    sent, (status, body) = asks({"method": "x", "params": {}},
                                '"error":{"code":-32601,"message":"no such method"}')
    assert status == 422
    assert (body["code"], body["description"]) == (-32601, "no such method")
    assert "details" not in body
    for text, mark in (('{"jsonrpc":"2.0","id":1,"method":"up"}', None),
                       ('{"jsonrpc":"2.0","id":1,"result":1}', "unknown"),
                       ('[{"jsonrpc":"2.0","method":"up"}]', "malformed")):
        say(client, text)
        assert events.wait(1)[-1] == (text, mark)
        events.hook.events.clear()


# --- turns ---

@pytest.mark.tsan
def test_calls_go_one_at_a_time(serve):
    gateway, caller, _ = serve()
    client = gateway.open("/ocpp/CP1")
    asked = [caller.call("CP1", {"action": f"A{i}"}) for i in range(10)]
    gateway.wait_metric("calls_waiting", 10)
    seen = []
    for _ in range(10):
        _, id, action, payload = read_call(client)
        assert payload == {}
        ping(client)
        answer(client, id, {"to": action})
        seen.append(action)
    results = [one.result(wsraw.SECONDS) for one in asked]
    assert [body["payload"]["to"] for _, body in results] == [f"A{i}" for i in range(10)]
    assert sorted(seen) == [f"A{i}" for i in range(10)]


def test_a_full_queue_refuses(serve):
    gateway, caller, _ = serve(call_queue_max=1)
    client = gateway.open("/ocpp/CP1")
    asked = [caller.reset("CP1") for _ in range(2)]
    gateway.wait_metric("calls_waiting", 2)
    status, body = caller.reset("CP1").result(wsraw.SECONDS)
    assert (status, body["reason"], body["allowed"]) == (503, "queue_full", "1")
    for _ in asked:
        answer(client, read_call(client)[1])
    assert [one.result(wsraw.SECONDS)[0] for one in asked] == [200, 200]


def test_a_time_out_frees_the_turn(serve):
    gateway, caller, events = serve()
    client = gateway.open("/ocpp/CP1")
    first = caller.reset("CP1", timeout="3s")
    first_id = read_call(client)[1]
    queued = caller.reset("CP1", timeout="1ms")
    status, body = queued.result(wsraw.SECONDS)
    assert (status, body["reason"], body["was_sent"]) == (504, "timed_out", False)
    second = caller.reset("CP1")
    status, body = first.result(wsraw.SECONDS)
    assert (status, body["reason"], body["was_sent"]) == (504, "timed_out", True)
    second_id = read_call(client)[1]
    late = answer(client, first_id, {"status": "Accepted"})
    assert events.wait(1) == [(late, "late")]
    answer(client, second_id)
    assert second.result(wsraw.SECONDS)[0] == 200
    assert gateway.metric("rpc_marked_total", mark="late") == 1


def test_a_call_ends_before_its_request_does(serve):
    gateway, caller, _ = serve(admin={"call_timeout": "4s"})
    client = gateway.open("/ocpp/CP1")
    asked = [caller.reset("CP1"), caller.reset("CP1", timeout="4s")]
    read_call(client)
    for one in asked:
        status, body = one.result(wsraw.SECONDS)
        assert (status, body["reason"]) == (504, "timed_out")


# --- clients that err ---

def test_answers_to_no_call(serve):
    """A device that answers twice, or with a wrong id."""
    gateway, caller, events = serve()
    client = gateway.open("/ocpp/CP1")
    early = answer(client, "0123456789abcdef-1")
    asked = caller.reset("CP1")
    id = read_call(client)[1]
    wrong = answer(client, id + "0")
    error = say(client, '[4,"-1","RpcFrameworkError","",{}]')
    assert not asked.done()
    answer(client, id, {"status": "Accepted"})
    assert asked.result(wsraw.SECONDS)[1]["payload"] == {"status": "Accepted"}
    again = answer(client, id, {"status": "Rejected"})
    own = say(client, '[2,"1","Heartbeat",{}]')
    assert events.wait(5) == [(early, "unknown"), (wrong, "unknown"), (error, "unknown"),
                              (again, "unknown"), (own, None)]


def test_answers_that_cannot_be_read(serve):
    gateway, caller, events = serve()
    client = gateway.open("/ocpp/CP1")
    sent = []
    for bad in ('[3,"%s"]', '[3,"%s",[]]', '[4,"%s",1]', '[3,"%s",{"a":}]'):
        asked = caller.reset("CP1")
        sent.append(say(client, bad % read_call(client)[1]))
        status, body = asked.result(wsraw.SECONDS)
        assert (status, body["reason"], body["was_sent"]) == (502, "malformed_answer", True)
    for text in ("", "hello", "{}", '[9,"1",{}]', '["3","1",{}]', '[2,"%s","A",{}]' % ("x" * 37),
                 "[" * 100000, '[3,"\\ud800",{}]'):
        sent.append(say(client, text))
    assert events.wait(len(sent)) == [(text, "malformed") for text in sent]
    client.send_frame(wsraw.BINARY, b"\0\xff")
    events.hook.wait("message", len(sent) + 1)
    assert "ce-rpc" not in events.hook.of("message")[-1].headers
    ping(client)


def test_a_message_of_a_client_that_the_next_call_cuts_off(serve):
    """A malformed answer frees the turn for a call that no longer fits, so the client is cut as a
    slow reader in the middle of its own message: it once brought the gateway down."""
    mib = 1 << 20
    kernel = int(pathlib.Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
    pushes = kernel // mib + 2
    gateway, caller, events = serve(
        server={"max_message_size": f"{pushes + 4}MiB", "send_queue_max": f"{pushes + 1}MiB"},
        admin={"max_body": f"{pushes + 4}MiB"})
    client = gateway.open("/ocpp/CP1", receive_buffer=4096)
    first = caller.reset("CP1")
    id = read_call(client)[1]
    for _ in range(pushes):
        caller.send("CP1", b"x" * mib, route="ocpp")
    large = {"action": "DataTransfer", "payload": {"data": "x" * ((pushes + 2) * mib)}}
    second = caller.call("CP1", large)
    gateway.wait_metric("calls_waiting", 2)
    say(client, f'[3,"{id}"]')
    assert first.result(wsraw.SECONDS)[1]["reason"] == "malformed_answer"
    status, body = second.result(wsraw.SECONDS)
    assert (status, body["reason"]) == (502, "connection_lost")
    assert events.hook.wait("disconnected")[0].headers["ce-reason"] == "slow_reader"
    gateway.open("/ocpp/CP1").close()


def test_types_5_and_6_are_of_ocpp_2_1(serve):
    gateway, _, events = serve()
    texts = ['[6,"1","NotifyPeriodicEventStream",{}]', '[5,"1","FormatViolation","",{}]']
    for subprotocol, mark in (("ocpp2.1", None), ("ocpp1.6", "malformed")):
        client = gateway.connect()
        client.handshake(f"/ocpp/{subprotocol}",
                         extra=(f"Sec-WebSocket-Protocol: {subprotocol}",))
        for text in texts:
            say(client, text)
        assert events.wait(2) == [(text, mark) for text in texts]
        events.hook.events.clear()


@pytest.mark.tsan
@pytest.mark.parametrize("end", ["close", "cut", "takeover", "api"])
def test_a_client_that_leaves_in_the_middle(serve, end):
    gateway, caller, _ = serve()
    client = gateway.open("/ocpp/CP1")
    asked = [caller.reset("CP1"), caller.reset("CP1")]
    gateway.wait_metric("calls_waiting", 2)
    id = read_call(client)[1]
    if end == "close":
        client.send(wsraw.close_frame(1000))
    elif end == "cut":
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    elif end == "takeover":
        newer = gateway.open("/ocpp/CP1")
    else:
        caller.close("CP1", route="ocpp")
    outcomes = []
    for one in asked:
        status, body = one.result(wsraw.SECONDS)
        assert (status, body["reason"]) == (502, "connection_lost")
        outcomes.append(body["was_sent"])
    assert sorted(outcomes) == [False, True]
    assert gateway.metric("calls_total", outcome="connection_lost") == 2
    assert gateway.metric("calls_waiting") == 0
    if end == "takeover":  # the older one's call is unknown to the newer one
        answer(newer, id)
        third = caller.reset("CP1")
        answer(newer, read_call(newer)[1])
        assert third.result(wsraw.SECONDS)[0] == 200


def test_a_gateway_that_stops_ends_calls(serve):
    """The other client keeps it from ending before the answer has left."""
    gateway, caller, _ = serve()
    client, other = gateway.open("/ocpp/CP1"), gateway.open("/ocpp/CP2")
    asked = caller.reset("CP1")
    read_call(client)
    gateway.signal(signal.SIGTERM)
    client.expect_close(1001, answer=True)
    status, body = asked.result(wsraw.SECONDS)
    assert (status, body["reason"]) == (502, "connection_lost")
    other.expect_close(1001, answer=True)
    assert gateway.wait_exit() == 0
    gateway.has_stopped = True


# --- requests that err ---

BAD_REQUESTS = [
    (b"", "call"),
    (b"{}", "call"),
    (b"[]", "json"),
    (b'{"action": "Reset", "payload": {}', "json"),
    (b'{"action": "Reset", "action": "Reset"}', "json"),
    (b'{"action": "\xff"}', "json"),
    (b'{"action": 7}', "call"),
    (b'{"action": ""}', "call"),
    (b'{"action": "A", "method": "m"}', "call"),
    (b'{"action": "A", "payload": []}', "call"),
    (b'{"action": "A", "payload": null}', "call"),
    (b'{"action": "A", "params": {}}', "call"),
    (b'{"method": "m", "params": 7}', "call"),
    (b'{"action": "A", "wait": true}', "member"),
    (b'{"action": "A", "timeout": 30}', "timeout"),
    (b'{"action": "A", "timeout": "30"}', "timeout"),
    (b'{"action": "A", "timeout": "0s"}', "timeout"),
    (b'{"action": "A", "timeout": "31s"}', "timeout"),
    (b'{"method": "m"}', "framing"),
]


def test_bad_requests(serve):
    gateway, caller, _ = serve()
    client = gateway.open("/ocpp/CP1")
    for body, reason in BAD_REQUESTS:
        status, problem = caller.call("CP1", body).result(wsraw.SECONDS)
        assert (status, problem["reason"]) == (400, reason), (body, problem)
        ping(client)


def test_calls_that_cannot_be_made(serve):
    gateway, caller, _ = serve(admin={"max_body": "2MiB"})
    plain, rpc, ocpp = (gateway.open(path) for path in ("/ws/a", "/rpc/a", "/ocpp/a"))
    big = {"action": "A", "payload": {"a": "x" * 1048576}}
    for route, client_id, body, want in (
            ("ocpp", "nobody", {"action": "A"}, (404, "not_connected")),
            ("none", "a", {"action": "A"}, (404, "no_such_route")),
            ("ws", "a", {"action": "A"}, (409, "no_rpc")),
            ("rpc", "a", {"action": "A"}, (400, "framing")),
            ("ocpp", "a", big, (413, "max_message_size"))):
        status, problem = caller.call(client_id, body, route=route).result(wsraw.SECONDS)
        assert (status, problem["reason"]) == want, problem
    for client in (plain, rpc, ocpp):
        ping(client)


# --- other nodes ---

@pytest.fixture
def nodes(gateway, broker):
    """(broker, two gateways that share it)"""
    hub = broker()
    found = [gateway(server={"node": f"gate-{number}"}, bus={"type": "nats", "urls": [hub.url]},
                     admin={"call_timeout": "5s"}, routes=[OCPP]) for number in range(2)]
    for one in found:
        one.wait_metric("bus_connected", 1)
    return hub, found


@contextlib.contextmanager
def reachable(gateway, hub, client_id: str):
    """A client, once the broker has heard of it."""
    def is_known() -> bool:
        with contextlib.suppress(natsraw.NoResponders):
            service.request(f"gatehouse.ctl.ocpp.{client_id}", '{"command": "inspect"}')
            return True
        return False

    with gateway.open(f"/ocpp/{client_id}") as client, hub.connect() as service:
        wsraw.wait_until(is_known, f"{client_id} on the bus")
        yield client, service


@pytest.mark.tsan
def test_any_node_calls_a_client(nodes):
    hub, (here, there) = nodes
    with reachable(here, hub, "CP%201") as (client, _):
        check_calls_from(there, here, client)


def check_calls_from(there, here, client: wsraw.Client) -> None:
    caller = Caller(there)
    asked = caller.reset("CP 1")
    answer(client, read_call(client)[1], {"status": "Accepted"})
    status, body = asked.result(wsraw.SECONDS)
    assert (status, body["payload"]) == (200, {"status": "Accepted"})
    assert here.metric("calls_total", outcome="answered") == 1
    assert there.metric("calls_total") == 0
    asked = caller.reset("CP 1")
    read_call(client)
    status, body = asked.result(wsraw.SECONDS)
    assert (status, body["reason"], body["was_sent"]) == (504, "timed_out", True)
    asked = caller.reset("CP 1")
    read_call(client)
    client.close()
    status, body = asked.result(wsraw.SECONDS)
    assert (status, body["reason"], body["was_sent"]) == (502, "connection_lost", True)


def test_calls_over_the_bus(nodes):
    hub, (here, _) = nodes
    subject = "gatehouse.ctl.ocpp.CP1"
    with reachable(here, hub, "CP1") as (client, service):
        def ask(body: dict) -> tuple[str, dict]:
            inbox = service.request(subject, json.dumps({"command": "call"} | body))
            return inbox.headers["Gatehouse-Status"], inbox.json

        status, body = ask({"action": "A", "timeout": "50ms"})
        assert (status, body["reason"], body["was_sent"]) == ("504", "timed_out", True)
        read_call(client)
        status, body = ask({"method": "m"})
        assert (status, body["reason"]) == ("400", "framing")
        # A call that is sent as a message is refused here too.
        told = service.request("gatehouse.to.ocpp.CP1", '[2,"1","Reset",{}]')
        assert (told.headers["Gatehouse-Status"], told.json["reason"]) == ("409", "use_call")
        service.publish("gatehouse.to.ocpp.CP1", '[2,"1","Reset",{}]')
        here.wait_metric("commands_total", 2, command="send", outcome="refused")
        service.publish("gatehouse.to.ocpp.CP1", '[3,"1",{}]')
        assert client.read_message() == (wsraw.TEXT, b'[3,"1",{}]')


# --- what services send ---

def test_a_call_is_no_message(serve):
    gateway, caller, _ = serve()
    ocpp, rpc, plain = (gateway.open(path) for path in ("/ocpp/a", "/rpc/a", "/ws/a"))
    request = '{"jsonrpc":"2.0","id":1,"method":"m"}'
    call = '[2,"1","Reset",{}]'
    for route, text in (("ocpp", call), ("rpc", request)):
        assert caller.send("a", text, 409, route=route)["reason"] == "use_call"
    for client, route, texts in (
            (ocpp, "ocpp", ['[3,"1",{}]', '[4,"1","InternalError","",{}]', "hello", request]),
            (rpc, "rpc", ['{"jsonrpc":"2.0","id":1,"result":1}',
                          '{"jsonrpc":"2.0","method":"m"}', call]),
            (plain, "ws", [call, request])):
        for text in texts:
            caller.send("a", text, route=route)
            assert client.read_message() == (wsraw.TEXT, text.encode())
    # Called binary it is one all the same.
    assert caller.send("a", call.encode(), 409, route="ocpp")["reason"] == "use_call"


def test_a_call_to_many_leaves_out_whom_it_would_call(serve):
    gateway, caller, _ = serve()
    ocpp, rpc, plain = (gateway.open(path) for path in ("/ocpp/a", "/rpc/a", "/ws/a"))

    def broadcast(text: str) -> int:
        return caller.post("/broadcast?type=text", text.encode())["delivered"]

    call = '[2,"1","Reset",{}]'
    assert broadcast(call) == 2
    for client in (rpc, plain):
        assert client.read_message() == (wsraw.TEXT, call.encode())
    assert broadcast('{"jsonrpc":"2.0","id":1,"method":"m"}') == 2
    assert broadcast("all") == 3
    ocpp.read_message()
    assert ocpp.read_message() == (wsraw.TEXT, b"all")
    assert rpc.read_message() == (wsraw.TEXT, b"all")


def test_a_call_of_a_webhook_is_dropped(serve):
    """Its answers to the client's calls go through."""
    def reply(event):
        if event.type != "message":
            return None
        id = json.loads(event.body)[1]
        frame = [2, id, "Reset", {}] if id == "drop" else [3, id, {}]
        return backends.Answer(200, json.dumps(frame).encode(),
                               {"Content-Type": "application/json"})

    gateway, _, _ = serve(reply, answer_timeout="100ms")
    client = gateway.open("/ocpp/a")
    for id in ("1", "drop", "2"):
        say(client, json.dumps([2, id, "Heartbeat", {}]))
    for id in ("1", "2"):
        assert json.loads(client.read_message()[1]) == [3, id, {}]
    assert gateway.wait_log("a back end's call was not sent")["backend"] == "hook"


# --- calls of the client ---

def heartbeat(client: wsraw.Client, id: str) -> str:
    return say(client, f'[2,"{id}","Heartbeat",{{}}]')


def wait_open(gateway, delivered: int, waiting: int) -> None:
    """So many messages are with the back end, so many wait behind an open call."""
    wsraw.wait_until(lambda: gateway.metric("backend_events_total", type="message",
                                            outcome="delivered") == delivered, "the first")
    gateway.wait_metric("backend_events_waiting", waiting, backend="hook")


@pytest.mark.tsan
@pytest.mark.parametrize("kind", ["[3,%s,{}]", '[4,%s,"InternalError","",{}]', "[3,%s]"])
def test_a_second_call_of_a_client_waits_for_the_answer_to_the_first(serve, kind):
    gateway, caller, events = serve()
    client = gateway.open("/ocpp/CP1")
    sent = [heartbeat(client, "\\u0041"), heartbeat(client, "2")]
    client.send_frame(wsraw.BINARY, b"behind it")
    wait_open(gateway, 1, 2)
    asked = caller.reset("CP1")  # what the gateway itself has asked is not held up
    answer(client, read_call(client)[1], {"status": "Accepted"})
    assert asked.result(wsraw.SECONDS)[0] == 200
    caller.send("CP1", kind % '"2"', route="ocpp")  # not this one
    wait_open(gateway, 1, 2)
    caller.send("CP1", kind % '"A"', route="ocpp")
    assert [body for body, _ in events.wait(3)] == sent + ["behind it"]
    assert len(events.messages) == 3
    assert [client.read_message()[1].decode() for _ in range(2)] == [kind % '"2"', kind % '"A"']


def test_the_answer_of_a_webhook_opens_the_way_for_the_next_call(serve):
    gateway, _, events = serve(
        lambda event: backends.Answer(200, b'[3,"%s",{}]' % json.loads(event.body)[1].encode(),
                                      {"Content-Type": "application/json"})
        if event.type == "message" else None)
    client = gateway.open("/ocpp/CP1")
    sent = [heartbeat(client, str(number)) for number in range(20)]
    assert [client.read_message()[1].decode() for _ in sent] == [
        f'[3,"{number}",{{}}]' for number in range(20)]
    assert [body for body, _ in events.wait(20)] == sent
    assert gateway.metric("backend_calls_unanswered_total") == 0


def test_a_call_without_an_answer_holds_up_the_next_for_answer_timeout_only(serve):
    gateway, _, events = serve(answer_timeout="200ms")
    client = gateway.open("/ocpp/CP1")
    sent = [heartbeat(client, str(number)) for number in range(3)]
    assert [body for body, _ in events.wait(3)] == sent
    gateway.wait_metric("backend_calls_unanswered_total", 3, backend="hook")
    line = gateway.logged("a client's call was not answered")[0]
    assert (line["backend"], line["route"], line["client_id"]) == ("hook", "ocpp", "CP1")


def test_a_call_waits_for_its_answer_only_once_the_back_end_has_it(serve):
    """While the back end is away its time does not run, and when that is back the next waits."""
    back = threading.Event()
    gateway, caller, events = serve(
        lambda event: None if back.is_set() else backends.Answer(500)
        if event.type == "message" else None, answer_timeout="20s",
        backend={"retries": 0, "retry_min": "10ms", "retry_max": "50ms", "breaker_failures": 0})
    client = gateway.open("/ocpp/CP1")
    first, second = heartbeat(client, "1"), heartbeat(client, "2")
    events.wait(5)
    assert {body for body, _ in events.messages} == {first}
    back.set()
    wait_open(gateway, 1, 1)
    assert {body for body, _ in events.messages} == {first}
    caller.send("CP1", '[3,"1",{}]', route="ocpp")
    wsraw.wait_until(lambda: events.messages[-1][0] == second, "the second call")
    assert gateway.metric("backend_calls_unanswered_total") == 0


def test_a_call_that_was_late_at_the_back_end_is_not_unanswered(serve):
    back = threading.Event()
    gateway, caller, events = serve(
        lambda event: None if back.is_set() else backends.Answer(500)
        if event.type == "message" else None, answer_timeout="100ms",
        backend={"retries": 0, "retry_min": "10ms", "retry_max": "50ms", "breaker_failures": 0})
    client = gateway.open("/ocpp/CP1")
    sent = time.monotonic()
    heartbeat(client, "1")
    wsraw.wait_until(lambda: time.monotonic() > sent + 0.5, "five times the time-out")
    assert gateway.metric("backend_calls_unanswered_total") == 0
    back.set()
    gateway.wait_metric("backend_calls_unanswered_total", 1)


def test_a_call_that_the_back_end_refuses_holds_up_nothing(serve):
    gateway, _, events = serve(
        lambda event: backends.Answer(400) if event.type == "message" else None)
    client = gateway.open("/ocpp/CP1")
    sent = [heartbeat(client, str(number)) for number in range(3)]
    assert [body for body, _ in events.wait(3)] == sent


def test_calls_that_wait_go_up_when_their_client_leaves(serve):
    gateway, _, events = serve()
    client = gateway.open("/ocpp/CP1")
    sent = [heartbeat(client, str(number)) for number in range(3)]
    wait_open(gateway, 1, 2)
    client.close()
    events.hook.wait("disconnected")
    assert [body for body, _ in events.messages] == sent


def test_a_client_that_calls_on_and_on_is_held_up(serve):
    gateway, caller, events = serve(backend={"queue_max": "4KiB"})
    client = gateway.open("/ocpp/CP1")
    sent = [heartbeat(client, str(number).zfill(8)) for number in range(200)]
    gateway.wait_metric("stalled_connections", 1)
    assert gateway.metric("backend_events_waiting", backend="hook") < 64, "4 KiB of them"
    for number in range(len(sent)):
        events.wait(number + 1)
        caller.send("CP1", f'[3,"{str(number).zfill(8)}",{{}}]', route="ocpp")
    assert [body for body, _ in events.messages] == sent
    gateway.wait_metric("stalled_connections", 0)


def test_json_rpc_knows_no_such_rule(serve):
    gateway, _, events = serve()
    client = gateway.open("/rpc/one")
    sent = [say(client, '{"jsonrpc":"2.0","id":%d,"method":"m"}' % number) for number in range(3)]
    assert [body for body, _ in events.wait(3)] == sent
