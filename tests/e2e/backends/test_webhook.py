# SPDX-License-Identifier: Apache-2.0
"""Back ends of type webhook: what they are told, what they may answer, and what clients
see when they do not work."""

import concurrent.futures
import contextlib
import gzip
import pathlib
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

import pytest

from kit import api, backends, wsraw
from kit.backends import Answer, RawServer
from kit.gateway import BINARY

# Quick to try again, and patient with a back end that a busy machine holds up.
FAST = {"retries": 1, "retry_min": "1ms", "retry_max": "20ms", "timeout": "20s",
        "connect_timeout": "20s", "breaker_failures": 0}


@pytest.fixture
def raw_server():
    running = []

    def run(serve) -> RawServer:
        running.append(RawServer(serve))
        return running[-1]

    yield run
    for one in running:
        one.close()


@pytest.fixture
def serve(gateway, webhook, raw_server):
    """serve(url, route={...}, **keys of the back end) runs a gateway with that back end. It is
    stopped before the back end is."""
    running = []

    def run(url: str, *, route=None, server=None, **keys):
        running.append(gateway(
            server={"drain_timeout": "3s"} | (server or {}),
            routes=[{"path": "/ws/{client_id}", "backend": "hook"} | (route or {})],
            backends=[{"name": "hook", "type": "webhook", "url": url} | FAST | keys]))
        return running[-1]

    yield run
    for one in running:
        if not one.has_stopped:
            one.stop()


def wait_stopped(gateway) -> None:
    """After a signal."""
    assert gateway.wait_exit() == 0, gateway.log
    gateway.has_stopped = True


def connect_only(answer):
    """An answer for connect events; all others get 204."""
    return lambda event: answer if event.type == "connect" else None


# --- events ---

@pytest.mark.tsan
def test_events_of_a_connection(serve, webhook):
    hook = webhook()
    gateway = serve(hook.url, route={"subprotocols": "[chat]"})
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client = gateway.connect()
    response = client.handshake("/ws/caf%C3%A9%20%221%22?room=a%20b&x", extra=(
        "Origin: https://example.com",
        "Sec-WebSocket-Protocol: chat", f"traceparent: {traceparent}", "tracestate: a=1,b=2"))
    assert response.headers["sec-websocket-protocol"] == "chat"
    client.send_frame(wsraw.TEXT, "é".encode())
    client.send_frame(wsraw.BINARY, b"\0\xff")
    client.send(wsraw.close_frame(1000, b"bye"))
    hook.wait("disconnected")
    assert [event.type for event in hook.events] == [
        "connect", "connected", "message", "message", "disconnected"]
    assert [event.sequence for event in hook.events] == [1, 2, 3, 4, 5]
    sequences = [event.headers["ce-sequence"] for event in hook.events]
    assert sequences == sorted(sequences)
    assert len({event.id for event in hook.events}) == 5
    assert len({event.headers["ce-connectionid"] for event in hook.events}) == 1
    for event in hook.events:
        headers = event.headers
        assert headers["ce-specversion"] == "1.0"
        assert headers["ce-source"].startswith("/gatehouse/")
        assert headers["ce-subject"] == headers["ce-clientid"] == "caf%C3%A9%20%221%22"
        assert event.client == 'café "1"'
        assert headers["ce-route"] == "ws"
        assert headers["ce-subprotocol"] == "chat"
        assert headers["ce-remoteaddress"].startswith("127.0.0.1:")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", headers["ce-time"])
        assert headers["webhook-id"] == event.id
        assert headers["traceparent"] == headers["ce-traceparent"] == traceparent
        assert headers["tracestate"] == headers["ce-tracestate"] == "a=1,b=2"
        assert all(re.fullmatch("ce-[a-z0-9]{1,20}", name) for name in headers
                   if name.startswith("ce-"))
        assert ("ce-path" in headers) == ("ce-query" in headers) == (event.type == "connect")
    asked = hook.of("connect")[0]
    assert urllib.parse.unquote(asked.headers["ce-path"]) == "/ws/caf%C3%A9%20%221%22"
    assert urllib.parse.unquote(asked.headers["ce-query"]) == "room=a%20b&x"
    assert asked.headers["ce-origin"] == "https://example.com"
    assert asked.headers["content-type"] == "message/http"
    assert asked.body.startswith(b"GET /ws/caf%C3%A9%20%221%22?room=a%20b&x HTTP/1.1\r\n")
    assert b"\r\ntracestate: a=1,b=2\r\n" in asked.body and asked.body.endswith(b"\r\n\r\n")
    text, binary = hook.of("message")
    assert (text.body, text.headers["ce-messagetype"]) == ("é".encode(), "text")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert (binary.body, binary.headers["ce-messagetype"]) == (b"\0\xff", "binary")
    assert binary.headers["content-type"] == "application/octet-stream"
    end = hook.of("disconnected")[0].headers
    assert (end["ce-reason"], end["ce-code"]) == ("client_closed", "1000")
    wsraw.wait_until(lambda: gateway.metric("backend_events_total", backend="hook",
                                            outcome="delivered") == 5, "5 events delivered")
    assert gateway.metric("backend_events_waiting", backend="hook") == 0
    assert gateway.metric("backend_request_duration_seconds_count", backend="hook") == 5


@pytest.mark.parametrize("value", ["", "00-0-0-0", "00-" + 32 * "0" + "-b7ad6b7169203331-01",
                                   "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                   "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
def test_a_bad_traceparent_is_not_carried_on(serve, webhook, value):
    hook = webhook()
    gateway = serve(hook.url)
    gateway.connect().open(extra=(f"traceparent: {value}", "tracestate: a=1"))
    event = hook.wait("connect")[0]
    assert not {"traceparent", "ce-traceparent", "tracestate"} & event.headers.keys()


def test_events_are_signed_with_all_secrets(serve, webhook, tmp_path):
    other = "whsec_" + "QUJD" * 8
    hook = webhook(lambda event: Answer(body=b"taken"))
    gateway = serve(hook.url,
                    secret_file=backends.secret_file(tmp_path, backends.SECRET, "", other))
    client = gateway.open()
    client.send_frame(wsraw.TEXT, b"signed")
    assert client.read_message()[1] == b"taken"
    for event in hook.of("connect") + hook.of("message"):
        assert backends.is_signed(event)
        assert backends.is_signed(event, other)
        assert not backends.is_signed(event, "whsec_" + "QUJE" * 8)


def headers_file(directory, *lines: str) -> str:
    name = directory / "headers"
    name.write_text("# of the test\n" + "\n".join(lines) + "\n")
    return str(name)


def test_headers_of_ones_own_go_with_every_request(serve, webhook, tmp_path):
    hook = webhook(lambda event: Answer(body=b"taken") if event.type == "message" else None)
    gateway = serve(hook.url, headers_file=headers_file(
        tmp_path, "Authorization: Bearer s3cret", "", "X-Tenant:  a: b "))
    client = gateway.open()
    client.send_frame(wsraw.TEXT, b"?")
    assert client.read_message()[1] == b"taken"
    client.close()
    hook.wait("disconnected")
    assert len(hook.events) == 4
    for event in hook.events:
        assert event.headers["authorization"] == "Bearer s3cret"
        assert event.headers["x-tenant"] == "a: b"
        assert event.headers["content-length"] == str(len(event.body))
    assert "s3cret" not in gateway.log
    for command in ("config", "check"):
        told = subprocess.run([BINARY, command, "-c", gateway.process.args[
            gateway.process.args.index("-c") + 1]], capture_output=True, text=True)
        assert "s3cret" not in told.stdout + told.stderr


@pytest.mark.parametrize("line,problem", [
    ("Authorization Bearer s3cret", ":3: there is no ':'"), ("X-A:", ":3: header 'X-A' has no value"),
    ("Content-Length: 7", ":3: header 'Content-Length' is set by the gateway itself"),
    ("ce-clientid: s3cret", ":3: header 'ce-clientid' is set by the gateway itself")])
def test_a_bad_headers_file_ends_the_start_with_its_place(start, tmp_path, line, problem):
    gateway = start(routes=[{"path": "/a", "backend": "b"}],
                    backends=[{"name": "b", "type": "webhook", "url": "http://127.0.0.1:9/",
                               "headers_file": headers_file(tmp_path, "X-Good: 1", line)}])
    assert gateway.wait_exit() == 78
    assert "backends[0].headers_file: " in gateway.log and problem in gateway.log
    assert "s3cret" not in gateway.log
    config = gateway.process.args[gateway.process.args.index("-c") + 1]
    checked = subprocess.run([BINARY, "check", "-c", config], capture_output=True, text=True)
    assert checked.returncode == 1 and problem in checked.stderr


@pytest.mark.parametrize("lines,problem", [
    ([], "has no secret"), (["secret"], ":2: the secret"), (["", backends.SECRET, "whsec_AA"], ":4:")])
def test_a_bad_secret_file_ends_the_start_with_its_place(start, tmp_path, lines, problem):
    gateway = start(routes=[{"path": "/a", "backend": "b"}],
                    backends=[{"name": "b", "type": "webhook", "url": "http://127.0.0.1:9/",
                               "secret_file": backends.secret_file(tmp_path, *lines)}])
    assert gateway.wait_exit() == 78
    assert "backends[0].secret_file: " in gateway.log
    assert problem in gateway.log
    assert backends.SECRET not in gateway.log


def test_check_tells_of_unused_back_ends_and_bad_secrets(tmp_path):
    config = tmp_path / "a.yaml"
    config.write_text("backends:\n- {name: idle, type: webhook, url: 'http://h/', "
                      f"secret_file: {backends.secret_file(tmp_path, 'whsec_AAAA')}}}\n")
    checked = subprocess.run([BINARY, "check", "-c", config], capture_output=True,
                             text=True)
    assert checked.returncode == 1, checked.stdout
    assert f"warning: {config}:2:10: no route uses the back end idle\n" in checked.stdout
    assert re.search(rf"{config}:2:\d+: backends\[0\].secret_file: .*:2: the secret ",
                     checked.stderr)


def test_order_of_a_thousand_messages_of_ten_clients(serve, webhook):
    """Delays are random, so that the answers of different clients overtake each other."""
    dice = random.Random(1)

    def answer(event):
        time.sleep(dice.random() * 0.004)
        return Answer(body=event.client.encode() + b" " + event.body) \
            if event.type == "message" else None

    hook = webhook(answer)
    gateway = serve(hook.url)
    clients = [gateway.open(f"/ws/dev-{i}") for i in range(10)]
    for number in range(100):
        for client in clients:
            client.send_frame(wsraw.BINARY, b"%d" % number)
    for i, client in enumerate(clients):
        for number in range(100):
            assert client.read_message()[1] == b"dev-%d %d" % (i, number)
    for i in range(10):
        events = hook.of("message", f"dev-{i}")
        assert [int(event.body) for event in events] == list(range(100))
        assert [event.sequence for event in events] == list(range(3, 103))


@pytest.mark.parametrize("content_type,body,opcode", [
    ("text/plain", b"hello", wsraw.TEXT), ("TEXT/html; charset=utf-8", b"<p>", wsraw.TEXT),
    ("application/json", b"{}", wsraw.TEXT), ("application/json; x=y", b"[]", wsraw.TEXT),
    ("application/vnd.ocpp+json; v=1", b"{}", wsraw.TEXT),
    ("application/jsonx", b"{}", wsraw.BINARY), ("text/plain", b"\xff", wsraw.BINARY),
    ("application/octet-stream", b"text", wsraw.BINARY), (None, b"none", wsraw.BINARY)])
def test_an_answer_is_text_if_it_says_so_and_is(serve, webhook, content_type, body, opcode):
    headers = {} if content_type is None else {"Content-Type": content_type}
    hook = webhook(lambda event: Answer(body=body, headers=headers))
    client = serve(hook.url).open()
    client.send_frame(wsraw.TEXT, b"?")
    assert client.read_message() == (opcode, body)


# --- a gateway without a socket ---

def test_a_webhook_that_gets_no_socket_is_not_down(serve, raw_server):
    """The descriptor limit is lowered while it runs; the back end closes each connection."""
    bodies = []

    def serve_one(connection: socket.socket) -> None:
        request = backends.read_request(connection)
        if b"gatehouse.client.message" in request:
            bodies.append(request.partition(b"\r\n\r\n")[2])
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    gateway = serve(raw_server(serve_one).url, breaker_failures=1, on_failure="close")
    client = gateway.open()
    gateway.wait_metric("backend_events_total", 1, type="connected", outcome="delivered")
    pid = gateway.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))  # fewer than are open
    client.send_frame(wsraw.TEXT, b"1")
    line = gateway.wait_log("an event waits for room in the gateway")
    assert "nofile; 3 allowed" in line["error"] and line["backend"] == "hook"
    client.send_frame(wsraw.TEXT, b"2")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    gateway.wait_metric("backend_events_total", 2, type="message", outcome="delivered")
    assert bodies == [b"1", b"2"]
    assert gateway.metric("backend_failures_total", backend="hook", cause="no_socket") > 0
    assert gateway.metric("backend_breaker_opens_total", backend="hook") == 0
    client.close()


def test_a_webhook_that_gets_no_port_is_not_down(hosts, serve, raw_server):
    """All local ports towards the back end are taken; to others there are some."""
    ports = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")
    bodies, held = [], []

    def serve_one(connection: socket.socket) -> None:
        request = backends.read_request(connection)
        if b"gatehouse.client.message" in request:
            bodies.append(request.partition(b"\r\n\r\n")[2])
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    with hosts[0] as here:
        here.ip("link", "set", "lo", "up")
        hook = raw_server(serve_one)
        gateway = serve(hook.url, breaker_failures=1, on_failure="close")
        client = gateway.open()
        gateway.wait_metric("backend_events_total", 1, type="connected", outcome="delivered")
        before = ports.read_text()
        ports.write_text("50000 50007")
        with pytest.raises(OSError, match="assign requested address"):
            while len(held) < 100:
                held.append(socket.create_connection(hook.listener.getsockname()))
        client.send_frame(wsraw.TEXT, b"1")
        line = gateway.wait_log("an event waits for room in the gateway")
        assert "net.ipv4.ip_local_port_range; 50000 to 50007" in line["error"]
        ports.write_text(before)
        gateway.wait_metric("backend_events_total", 1, type="message", outcome="delivered")
        assert bodies == [b"1"]
        assert gateway.metric("backend_breaker_opens_total", backend="hook") == 0
        client.close()
        gateway.stop()
    for one in held:
        one.close()


# --- shapes of answers ---

CHUNKED = b"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
SHAPES = {
    "trailers": CHUNKED + b"\r\n3\r\nabc\r\n0\r\nETag: \"1\"\r\nX-Sum: 2\r\n\r\n",
    "chunk extensions": CHUNKED + b"\r\n1;a=b\r\na\r\n2\r\nbc\r\n0;end\r\n\r\n",
    "gzip": CHUNKED + b"Content-Encoding: gzip\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (len(gzip.compress(b"abc")), gzip.compress(b"abc")),
}


def raw_answers(answers: dict[str, bytes], seen: list[str]):
    """For raw_server: what follows the request's "ce-type: gatehouse.client.", or 204."""
    def serve_one(connection: socket.socket) -> None:
        while True:
            kind = re.search(rb"ce-type: gatehouse\.client\.(\w+)",
                             backends.read_request(connection))[1].decode()
            seen.append(kind)
            connection.sendall(answers.get(kind, b"HTTP/1.1 204 No Content\r\n\r\n"))
    return serve_one


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"],
                         ids=["alone", "after_hints"])
def test_a_whole_answer_is_taken_once_whatever_its_shape(serve, raw_server, shape, before):
    seen = []
    hook = raw_server(raw_answers(
        {"message": before + b"HTTP/1.1 200 OK\r\n" + SHAPES[shape]}, seen))
    gateway = serve(hook.url, retries=5)
    client = gateway.open()
    for _ in range(3):
        client.send_frame(wsraw.TEXT, b"?")
        assert client.read_message() == (wsraw.TEXT, b"abc")
    assert seen.count("message") == 3
    gateway.wait_metric("backend_events_total", 3, type="message", outcome="delivered")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_refusal_is_passed_on_whatever_its_shape(serve, raw_server, shape):
    seen = []
    hook = raw_server(raw_answers({"connect": b"HTTP/1.1 403 No\r\n" + SHAPES[shape]}, seen))
    answer = serve(hook.url, retries=5).connect().handshake()
    assert (answer.status, answer.body) == (403, b"abc")
    assert seen == ["connect"]


def test_an_answer_in_an_unknown_encoding_is_told_and_not_passed_on(serve, webhook):
    hook = webhook(lambda event: Answer(body=b"abc", headers={"Content-Encoding": "squeeze"})
                   if event.type == "message" and event.body == b"1" else Answer(body=b"good"))
    gateway = serve(hook.url, retries=5)
    client = gateway.open()
    client.send_frame(wsraw.TEXT, b"1")
    client.send_frame(wsraw.TEXT, b"2")
    assert client.read_message()[1] == b"good"
    assert [event.body for event in hook.of("message")] == [b"1", b"2"]
    gateway.wait_log("an answer cannot be read")
    assert "Content-Encoding 'squeeze'" in gateway.log
    gateway.wait_metric("backend_events_total", 1, type="message",
                        outcome="answer_unreadable")


def test_a_compressed_answer_is_held_to_answer_max_when_decoded(serve, webhook):
    """1,000 bytes on the wire, a million for the client."""
    bomb = gzip.compress(b"x" * 1_000_000)
    assert len(bomb) < 2000
    hook = webhook(lambda event: Answer(body=bomb, headers={"Content-Encoding": "gzip"})
                   if event.type == "message" else None)
    gateway = serve(hook.url, answer_max="64KiB")
    client = gateway.open()
    client.send_frame(wsraw.TEXT, b"?")
    gateway.wait_metric("backend_events_total", 1, type="message",
                        outcome="answer_too_big")
    assert len(hook.of("message")) == 1
    client.close()


def test_an_empty_answer_sends_nothing(serve, webhook):
    hook = webhook(lambda event: Answer(body=b"" if event.body == b"1" else b"2"))
    client = serve(hook.url).open()
    client.send_frame(wsraw.TEXT, b"1")
    client.send_frame(wsraw.TEXT, b"2")
    assert client.read_message()[1] == b"2"


# --- the connect event ---

def test_a_refusal_is_passed_on(serve, webhook):
    hook = webhook(connect_only(Answer(401, b'{"why":"unknown"}',
                                       {"Content-Type": "application/json"})))
    gateway = serve(hook.url)
    response = gateway.connect().handshake()
    assert response.status == 401
    assert response.headers["content-type"] == "application/json"
    assert response.body == b'{"why":"unknown"}'
    gateway.wait_metric("sockets", 0)
    assert [event.type for event in hook.events] == ["connect"]
    assert gateway.metric("connections_accepted_total") == 0
    assert gateway.metric("connections_closed_total") == 0


def test_a_challenge_and_when_to_come_again_are_passed_on(serve, raw_server):
    refusal = (b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a b\"\r\nRetry-After: 120\r\n"
               b"WWW-Authenticate: Bearer\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
    hook = raw_server(raw_answers({"connect": refusal}, []))
    response = serve(hook.url).connect().handshake()
    assert response.status == 401
    assert response.headers["www-authenticate"] == 'Basic realm="a b", Bearer'
    assert response.headers["retry-after"] == "120"
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("value", [b"a\x01b", b"b\xe4sic", b"x" * 400, b""],
                         ids=["control", "latin-1", "long", "empty"])
def test_a_challenge_that_is_no_plain_value_is_left_out(serve, raw_server, value):
    refusal = (b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %b\r\nRetry-After: 7\r\n"
               b"Content-Length: 2\r\n\r\nno" % value)
    hook = raw_server(raw_answers({"connect": refusal}, []))
    response = serve(hook.url).connect().handshake()
    assert (response.status, response.body) == (401, b"no")
    assert "www-authenticate" not in response.headers
    assert response.headers["retry-after"] == "7"


def test_a_server_error_is_tried_again_and_then_passed_on(serve, webhook):
    hook = webhook(connect_only(Answer(503, b"later", {"Content-Type": "text/plain"})))
    response = serve(hook.url).connect().handshake()
    assert (response.status, response.body) == (503, b"later")
    assert len(hook.of("connect")) == 2
    assert len({event.id for event in hook.of("connect")}) == 1


def test_a_refused_client_gives_its_place_back(serve, webhook):
    hook = webhook(lambda event: Answer(403) if event.client == "bad" else None)
    gateway = serve(hook.url, server={"max_connections": 1})
    for _ in range(3):
        assert gateway.connect().handshake("/ws/bad").status == 403
    client = gateway.open("/ws/good")
    assert gateway.connect().handshake("/ws/late").status == 503
    assert gateway.metric("connections") == 1
    client.close()


def test_a_refused_client_takes_over_from_nobody(serve, webhook):
    """Whoever knows an id must not be able to throw out its client."""
    refuse = threading.Event()
    hook = webhook(lambda event: Answer(403) if event.type == "connect" and refuse.is_set()
                   else Answer(body=event.body))
    gateway = serve(hook.url)
    client = gateway.open("/ws/one")
    refuse.set()
    assert gateway.connect().handshake("/ws/one").status == 403
    client.echo(b"still here")


def test_takeover_after_the_decision(serve, webhook):
    hook = webhook()
    gateway = serve(hook.url)
    first = gateway.open("/ws/one")
    connected = hook.wait("connected")[0]  # events of two connections have no order
    second = gateway.open("/ws/one")
    first.expect_close(4001, answer=True)
    end = hook.wait("disconnected")[0]
    assert end.headers["ce-reason"] == "taken_over"
    assert end.headers["ce-code"] == "4001"
    assert end.headers["ce-connectionid"] == connected.headers["ce-connectionid"]
    second.close()


def test_of_two_that_are_decided_on_at_once_the_oldest_stays(serve, webhook):
    """takeover: oldest. Nobody was connected when they asked, so both reach the back end."""
    both = threading.Barrier(2)

    def answer(event):
        if event.type == "connect":
            both.wait(wsraw.SECONDS)

    hook = webhook(answer)
    gateway = serve(hook.url, route={"takeover": "oldest"})
    clients = [gateway.connect(), gateway.connect()]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda client: client.handshake("/ws/one"), clients))
    assert sorted(answer.status for answer in answers) == [101, 409]
    end = hook.wait("disconnected")[0]
    assert end.headers["ce-reason"] == "refused"
    assert gateway.metric("connections") == 1
    winner = clients[[answer.status for answer in answers].index(101)]
    winner.close()


@pytest.mark.parametrize("ours", [None, "[b, c]"])
def test_the_back_end_chooses_the_subprotocol(serve, webhook, ours):
    hook = webhook(connect_only(Answer(headers={"Gatehouse-Subprotocol": "b"})))
    gateway = serve(hook.url, route={"subprotocols": ours} if ours else None)
    client = gateway.connect()
    response = client.handshake(extra=("Sec-WebSocket-Protocol: c, b",))
    assert response.status == 101
    assert response.headers["sec-websocket-protocol"] == "b"
    assert hook.wait("connected")[0].headers["ce-subprotocol"] == "b"


def test_a_subprotocol_that_was_not_offered_is_no_choice(serve, webhook):
    hook = webhook(connect_only(Answer(headers={"Gatehouse-Subprotocol": "z"})))
    response = serve(hook.url).connect().handshake(extra=("Sec-WebSocket-Protocol: a",))
    assert response.status == 502
    assert b"hook" in response.body
    assert hook.wait("disconnected")[0].headers["ce-reason"] == "refused"


@pytest.mark.tsan
def test_nobody_decides_in_time(serve, webhook):
    never = threading.Event()
    hook = webhook(lambda event: never.wait(20) and None)
    gateway = serve(hook.url, server={"handshake_timeout": "1s"}, timeout="10s")
    response = gateway.connect().handshake()
    assert response.status == 504
    assert response.headers["content-type"] == "application/problem+json"
    assert b"'hook'" in response.body
    gateway.wait_metric("sockets", 0)
    never.set()
    gateway.stop()


def test_nobody_is_there_to_decide(serve):
    with wsraw.listen() as free:
        port = free.getsockname()[1]
    gateway = serve(f"http://127.0.0.1:{port}/")
    response = gateway.connect().handshake()
    assert response.status == 503
    assert b"'hook'" in response.body
    assert str(port).encode() not in response.body, "the address is nobody's business"
    assert str(port) in gateway.wait_log("a back end did not decide")["error"]


@pytest.mark.tsan
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_client_that_goes_away_cancels_the_question(serve, webhook, how):
    go_on = threading.Event()
    hook = webhook(lambda event: go_on.wait(20) and None)
    gateway = serve(hook.url, server={"max_connections": 1}, timeout="10s")
    client = gateway.connect()
    client.send(wsraw.request())
    hook.wait("connect")
    if how == "reset":
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    gateway.wait_metric("sockets", 0)
    gateway.wait_metric("backend_in_flight", 0, backend="hook")
    gateway.wait_metric("backend_events_waiting", 0, backend="hook")
    go_on.set()
    gateway.open("/ws/next").close()
    assert gateway.metric("connections_accepted_total") == 1


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_ip"])
def test_a_place_that_becomes_free_during_the_decision_is_taken(serve, webhook, limit):
    """It asked while its older connection had the only place; when the answer comes that one is
    gone, so there is nothing to inherit, but a free place."""
    go_on = threading.Event()

    def answer(event):
        if event.type == "connect" and len(hook.of("connect")) == 2:
            go_on.wait(20)
        return Answer(body=event.body) if event.type == "message" else None

    hook = webhook(answer)
    gateway = serve(hook.url, server={limit: 1}, timeout="10s")
    older, newer = gateway.open("/ws/dev"), gateway.connect()
    newer.send(wsraw.request("/ws/dev"))
    hook.wait("connect", 2)
    older.send(wsraw.close_frame(1000))
    assert older.read_close()[0] == 1000
    older.close()
    gateway.wait_metric("connections_closed_total", 1)
    go_on.set()
    assert newer.read_response().status == 101
    newer.echo(b"in")
    assert gateway.metric("connections") == 1
    refused = gateway.connect().handshake("/ws/other")
    assert refused.headers["gatehouse-limit"] == f"{limit}; current=1; max=1"


def test_what_a_client_sends_early_is_kept(serve, webhook):
    go_on = threading.Event()
    hook = webhook(lambda event: go_on.wait(20) and Answer(body=event.body))
    gateway = serve(hook.url, timeout="10s")
    client = gateway.connect()
    client.send(wsraw.request() + wsraw.frame(wsraw.TEXT, b"first"))
    hook.wait("connect")
    client.send(wsraw.frame(wsraw.TEXT, b"second") * 2)
    assert not hook.of("message")
    go_on.set()
    assert client.read_response().status == 101
    assert [client.read_message()[1] for _ in range(3)] == [b"first", b"second", b"second"]


# --- failures ---

@pytest.mark.parametrize("trouble", ["500", "reset"])
def test_a_failed_event_is_tried_again_with_its_id(serve, webhook, trouble):
    def answer(event):
        if event.type != "message" or len(hook.of("message")) >= 4:
            return Answer(body=event.body)
        if trouble == "reset":
            raise ConnectionResetError
        return Answer(500)

    hook = webhook(answer)
    gateway = serve(hook.url)
    client = gateway.open()
    client.echo(b"x" * 1000)
    client.echo(b"y")
    tries = hook.of("message")
    assert len({event.id for event in tries[:4]}) == 1
    assert {event.body for event in tries[:4]} == {b"x" * 1000}
    assert tries[4].body == b"y"
    assert gateway.metric("backend_retries_total", backend="hook") >= 1


@pytest.mark.tsan
def test_down_and_wait(serve, webhook):
    """Messages wait in their order, also those of a client that has gone, and nothing is
    lost when the back end comes back on its port."""
    hook = webhook()
    gateway = serve(hook.url, breaker_failures=3, breaker_open="50ms")
    stays, goes = gateway.open("/ws/stays"), gateway.open("/ws/goes")
    hook.wait("connected", 2)
    hook.close()
    for i in range(20):
        stays.send_frame(wsraw.TEXT, b"%d" % i)
        goes.send_frame(wsraw.TEXT, b"%d" % i)
    wsraw.wait_until(lambda: gateway.metric("messages_received_total") == 40, "40 messages")
    goes.close()
    wsraw.wait_until(lambda: gateway.health()["status"] == "degraded", "degraded")
    health = gateway.get("/health")
    assert health.status == 503
    assert b"the back end hook does not answer" in health.body
    assert gateway.get("/livez").status == gateway.get("/readyz").status == 200
    assert gateway.metric("backend_breaker_opens_total", backend="hook") >= 1
    again = webhook(lambda event: Answer(body=event.body), port=hook.port)
    assert [stays.read_message()[1] for _ in range(20)] == [b"%d" % i for i in range(20)]
    again.wait("disconnected", 1, "goes")
    for client in ("stays", "goes"):
        bodies = [event.body for event in again.of("message", client)]
        assert bodies == [b"%d" % i for i in range(20)]
    assert again.of("disconnected", "goes")[0].sequence == 23
    wsraw.wait_until(lambda: gateway.health()["status"] == "ready", "ready again")
    stays.close()


def test_trouble_with_the_last_event_of_a_client_that_is_gone(serve, webhook):
    """Nobody owns it any more when the back end does not take it; the log tells of it all the same."""
    hook = webhook()
    gateway = serve(hook.url)
    clients = [gateway.open(f"/ws/{number}") for number in range(3)]
    hook.wait("connected", 3)
    hook.close()
    for client in clients:
        client.send(wsraw.close_frame(1000))
        client.read_close()
    assert gateway.wait_log("an event waits for its back end")["client_id"] in ("-", "0", "1", "2")
    again = webhook(port=hook.port)
    again.wait("disconnected", 3)


def test_down_and_close(serve, webhook):
    hook = webhook()
    gateway = serve(hook.url, on_failure="close")
    client = gateway.open()
    hook.wait("connected")
    hook.close()
    client.send_frame(wsraw.TEXT, b"lost")
    code, reason = client.read_close()
    assert (code, reason) == (1013, b"back end hook is not available")
    client.close()
    gateway.wait_metric("connections_closed_total", 1, reason="backend_down")
    gateway.wait_metric("backend_events_total", 1, backend="hook", type="disconnected",
                        outcome="dropped")
    assert gateway.metric("backend_events_total", backend="hook", type="message",
                          outcome="dropped") == 1


@pytest.mark.tsan
def test_a_slow_back_end_holds_up_its_client(serve, webhook):
    """The client's socket is not read, so its own send buffer fills; memory is bounded, pings
    and time-outs do not hit the client, and then all comes in order."""
    go_on = threading.Event()
    hook = webhook(lambda event: event.type == "message" and go_on.wait(30) and None)
    gateway = serve(hook.url, queue_max="64KiB", timeout="30s",
                    server={"ping_interval": "100ms", "pong_timeout": "100ms",
                            "send_timeout": "100ms", "idle_timeout": "200ms"})
    client = gateway.connect()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    client.open()
    before = gateway.memory()
    client.sock.setblocking(False)
    payload = wsraw.frame(wsraw.BINARY, bytes(8192))
    sent = bytearray()
    total = 0
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 0.5 and total < 200 * 2**20:
        with contextlib.suppress(BlockingIOError):
            if not sent:
                sent += payload
            done = client.sock.send(sent)
            del sent[:done]
            total += done
            quiet_since = time.monotonic()
    assert total < 40 * 2**20, "the client can send without end"
    assert gateway.metric("stalled_connections") == 1
    assert gateway.memory() - before < 60 * 2**20
    go_on.set()
    client.sock.settimeout(wsraw.SECONDS)
    client.send(bytes(sent))
    count = (total + len(sent)) // len(payload)
    events = hook.wait("message", count, seconds=3 * wsraw.SECONDS)
    assert [event.sequence for event in events] == list(range(3, 3 + count))
    gateway.wait_metric("stalled_connections", 0)


def test_a_back_end_that_never_answers_a_message(serve, webhook):
    never = threading.Event()
    hook = webhook(lambda event: event.type == "message" and never.wait(20) and None)
    gateway = serve(hook.url, timeout="1s", on_failure="close")
    client = gateway.open()
    client.send_frame(wsraw.TEXT, b"?")
    assert client.read_close()[0] == 1013
    assert gateway.metric("backend_failures_total", backend="hook", cause="timeout") >= 1
    never.set()


GARBAGE = {
    "noise": b"\x00\x01garbage\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "short body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    "redirect loop": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100000,
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_at_the_connect_event(serve, raw_server, kind):
    def answer(connection):
        backends.read_request(connection)
        connection.sendall(GARBAGE[kind])

    gateway = serve(raw_server(answer).url)
    response = gateway.connect().handshake()
    assert response.status in (502, 503), response
    assert b"'hook'" in response.body


@pytest.mark.tsan
@pytest.mark.parametrize("kind", ["connect", "message"])
def test_an_answer_of_100_megabytes(serve, raw_server, kind):
    def answer(connection):
        while True:
            request = backends.read_request(connection)
            if f"gatehouse.client.{kind}\r\n".encode() in request:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
                for _ in range(100):
                    connection.sendall(bytes(1000000))
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    gateway = serve(raw_server(answer).url)
    before = gateway.memory()
    client = gateway.connect()
    response = client.handshake()
    assert response.status == (502 if kind == "connect" else 101)
    if kind == "message":
        client.send_frame(wsraw.TEXT, b"?")
        gateway.wait_metric("backend_events_total", 1, backend="hook", type="message",
                            outcome="answer_too_big")
        client.send_frame(wsraw.PING, b"alive")
        assert client.read_frame().opcode == wsraw.PONG
    assert gateway.memory() - before < 40 * 2**20


def test_a_refused_message_is_not_sent_again(serve, webhook):
    hook = webhook(lambda event: Answer(422) if event.body == b"bad" else Answer(body=event.body))
    gateway = serve(hook.url)
    client = gateway.open()
    client.send_frame(wsraw.TEXT, b"bad")
    client.echo(b"good")
    assert [event.body for event in hook.of("message")] == [b"bad", b"good"]
    assert gateway.metric("backend_events_total", type="message", outcome="refused") == 1


def test_a_slow_reader_does_not_pile_up_answers(serve, webhook):
    """Answers that a client does not take stop the questions."""
    all_sent = threading.Event()

    def answer(event):
        assert event.type != "message" or all_sent.wait(wsraw.SECONDS)
        return Answer(body=bytes(500000))

    hook = webhook(answer)
    gateway = serve(hook.url, queue_max="1MiB",
                    server={"send_queue_max": "64KiB", "ping_interval": 0})
    client = gateway.connect(receive_buffer=4096).open()
    for _ in range(100):
        client.send_frame(wsraw.TEXT, b"more")
    gateway.wait_metric("messages_received_total", 100)
    all_sent.set()
    hook.wait("message")
    gateway.wait_metric("backend_in_flight", 0)
    assert len(hook.of("message")) < 60
    assert gateway.metric("backend_events_waiting") > 40
    for _ in range(100):
        assert len(client.read_message()[1]) == 500000
    assert len(hook.of("message")) == 100


# --- the end ---

@pytest.mark.parametrize("how,reason,code", [
    ("close", "client_closed", 4321), ("no code", "client_closed", 1005),
    ("fin", "client_gone", 1006), ("reset", "connection_lost", 1006),
    ("protocol", "protocol_error", 1002)])
def test_the_end_of_a_connection_is_told(serve, webhook, how, reason, code):
    hook = webhook()
    client = serve(hook.url).open()
    hook.wait("connected")
    if how == "close":
        client.send(wsraw.close_frame(4321))
    elif how == "no code":
        client.send(wsraw.close_frame())
    elif how == "protocol":
        client.send_frame(wsraw.TEXT, b"unmasked", key=None)
    elif how == "reset":
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how != "close" and how != "no code" and how != "protocol":
        client.close()
    end = hook.wait("disconnected")[0]
    assert (end.headers["ce-reason"], end.headers["ce-code"]) == (reason, str(code))
    assert end.sequence == 3


@pytest.mark.tsan
def test_drain_tells_the_end_and_waits_for_it(serve, webhook):
    def answer(event):
        if event.type == "disconnected":
            time.sleep(0.2)

    hook = webhook(answer)
    gateway = serve(hook.url)
    clients = [gateway.open(f"/ws/{i}") for i in range(5)]
    hook.wait("connected", 5)
    gateway.signal(signal.SIGTERM)
    for client in clients:
        client.expect_close(1001, answer=True)
    wait_stopped(gateway)
    ends = hook.of("disconnected")
    assert {event.client for event in ends} == {str(i) for i in range(5)}
    assert {event.headers["ce-reason"] for event in ends} == {"drain"}


@pytest.mark.tsan
def test_drain_does_not_wait_longer_than_drain_timeout(serve, webhook):
    never = threading.Event()
    hook = webhook(lambda event: event.type == "message" and never.wait(30) and None)
    gateway = serve(hook.url, timeout="30s", server={"drain_timeout": "500ms"})
    client, asking = gateway.open(), gateway.connect()
    client.send_frame(wsraw.TEXT, b"?")
    hook.wait("message")
    started = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_exit() == 1, gateway.log
    gateway.has_stopped = True
    assert time.monotonic() - started < 5
    (line,) = gateway.logged("events are lost: their back end did not take them in time")
    assert (line["backend"], line["events"]) == ("hook", "2")  # the message, and the end
    never.set()
    asking.close()


def test_a_second_signal_tells_what_is_lost(serve, webhook):
    never = threading.Event()
    hook = webhook(lambda event: event.type == "message" and never.wait(30) and None)
    gateway = serve(hook.url, timeout="30s", server={"drain_timeout": "1m"})
    client = gateway.open()
    for _ in range(3):
        client.send_frame(wsraw.TEXT, b"?")
    hook.wait("message")
    gateway.wait_metric("messages_received_total", 3)
    gateway.signal(signal.SIGTERM)
    assert client.read_close()[0] == 1001
    client.close()
    gateway.wait_metric("backend_events_waiting", 4, backend="hook")
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_exit() == 1
    gateway.has_stopped = True
    (line,) = gateway.logged("events are lost: their back end did not take them in time")
    assert (line["backend"], line["events"]) == ("hook", "4")
    never.set()


def test_drain_refuses_whoever_waits_for_the_decision(serve, webhook):
    never = threading.Event()
    hook = webhook(lambda event: never.wait(30) and None)
    gateway = serve(hook.url, timeout="30s")
    client = gateway.connect()
    client.send(wsraw.request())
    hook.wait("connect")
    gateway.signal(signal.SIGTERM)
    assert client.read_response().status == 503
    wait_stopped(gateway)
    never.set()


def test_a_broadcast_finds_the_clients_of_a_back_end(serve, webhook):
    """Once their route was read from where such a connection keeps its uplink."""
    hook = webhook(lambda event: None)
    running = serve(hook.url)
    with running.open("/ws/a") as client:
        told = api.Api(running.admin).post("/broadcast?route=ws", b"to all", type="text/plain")
        assert told["delivered"] == 1
        assert client.read_message() == (wsraw.TEXT, b"to all")
