# SPDX-License-Identifier: Apache-2.0
"""Several requests on one HTTP connection: RFC 9112, 9.3, on both listeners."""

import contextlib
import email.utils
import http.client
import json
import resource
import time

import pytest

from kit import wsraw

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
NOPE = b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n"


def admin_client(running) -> wsraw.Client:
    return wsraw.Client(running.admin)


@pytest.mark.tsan
@pytest.mark.parametrize("listener", ["public", "admin"])
def test_requests_one_after_the_other(gateway, listener):
    running = gateway()
    with running.connect() if listener == "public" else admin_client(running) as client:
        for _ in range(5):
            client.send(HEALTH)
            response = client.read_response()
            assert response.status == 200 and json.loads(response.body)["status"] == "ready"
            assert response.headers["connection"] == "keep-alive"
            assert response.headers["keep-alive"] == "timeout=5"
        client.send(NOPE)
        assert client.read_response().status == 404
        client.send(LIVE)
        assert client.read_response().status == 200
        if listener == "public":
            assert running.metric("http_kept") == 1
            assert running.metric("http_requests_total") == 6
            assert running.metric("sockets_accepted_total") == 1
    running.wait_metric("http_kept", 0)


VERSIONS = {
    # name: (request, is kept)
    "HTTP/1.1": (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", True),
    "HTTP/1.1, close": (b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False),
    "HTTP/1.1, close in a list": (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n", False),
    "HTTP/1.0": (b"GET /livez HTTP/1.0\r\n\r\n", False),
    "HTTP/1.0, keep-alive": (b"GET /livez HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True),
    "HEAD": (b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n", True),
    "OPTIONS": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", True),
    "nothing there": (NOPE, True),
    "a route without an upgrade": (b"GET /ws/a HTTP/1.1\r\nHost: x\r\n\r\n", True),
    "a body of no bytes": (b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", True),
    "a body that nobody reads": (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", False),
    "a chunked body that nobody reads": (
        b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False),
    "no request": (b"GET /livez\r\n\r\n", False),
    "an upgrade that is none": (wsraw.request(drop=("Sec-WebSocket-Key",)), False),
    "an upgrade to nowhere": (wsraw.request("/nope"), False),
}


@pytest.mark.parametrize("name", VERSIONS)
def test_who_is_kept(shared, name):
    """What cannot be read to its end, or was no request, ends the connection."""
    data, is_kept = VERSIONS[name]
    with shared().connect() as client:
        client.send(data)
        if name == "HEAD":
            assert b"\r\nConnection: keep-alive\r\n" in client.read_until(b"\r\n\r\n")
        else:
            response = client.read_response()
            assert response.headers["connection"].endswith("keep-alive" if is_kept else "close")
        if is_kept:
            client.send(LIVE)
            assert client.read_response().status == 200
        else:
            assert client.is_closed()


@pytest.mark.parametrize("listener", ["public", "admin"])
def test_pipelined_requests_are_answered_in_order(gateway, listener):
    running = gateway()
    with running.connect() if listener == "public" else admin_client(running) as client:
        client.send((HEALTH + NOPE + b"\r\n" + LIVE) * 100)
        for _ in range(100):
            assert [client.read_response().status for _ in range(3)] == [200, 404, 200]


def test_requests_in_single_bytes(gateway):
    with gateway().connect() as client:
        client.send_slowly(HEALTH * 2 + LIVE)
        assert [client.read_response().status for _ in range(3)] == [200] * 3


def test_pipelined_requests_of_one_who_reads_nothing_are_bounded(gateway):
    """One answer at a time: who does not take it is not read any more."""
    running = gateway()
    with wsraw.Client(running.admin, receive_buffer=4096) as client:
        client.sock.settimeout(2)
        ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
        before = running.memory()
        sent = 0
        with pytest.raises((TimeoutError, ConnectionError)):
            while sent < 64 << 20:
                client.sock.sendall(ask * 2000)
                sent += len(ask) * 2000
        assert running.memory() - before < 16 << 20
        assert running.get("/livez").status == 200


def test_last_requests_of_one_who_half_closes_are_answered(gateway):
    with gateway().connect() as client:
        client.send(HEALTH + NOPE + LIVE)
        client.sock.shutdown(wsraw.socket.SHUT_WR)
        assert [client.read_response().status for _ in range(3)] == [200, 404, 200]
        assert client.is_closed()


def test_upgrade_after_requests(gateway):
    running = gateway()
    with running.connect() as client:
        client.send(HEALTH)
        assert client.read_response().status == 200
        client.open("/ws/late")
        client.echo(b"x")
        assert running.metric("http_kept") == 0
        assert running.metric("connections") == 1


def test_upgrade_and_frames_pipelined_behind_a_request(gateway):
    with gateway().connect() as client:
        client.send(HEALTH + wsraw.request() + wsraw.frame(wsraw.BINARY, b"early"))
        assert client.read_response().status == 200
        assert client.read_response().status == 101
        assert client.read_message() == (wsraw.BINARY, b"early")


def test_idle_connection_is_closed_without_a_word(gateway):
    running = gateway(server={"keep_alive_timeout": "1s"})
    with running.connect() as client:
        client.send(LIVE)
        assert client.read_response().headers["keep-alive"] == "timeout=1"
        client.send(b"\r\n")  # the end of a body, for some clients
        start = time.monotonic()
        assert client.is_closed()
        assert time.monotonic() - start > 0.5
    assert running.metric("handshake_timeouts_total") == 0


def test_next_request_has_a_time_limit_from_its_first_byte(gateway):
    running = gateway(server={"handshake_timeout": "300ms"})
    with running.connect() as client:
        client.send(LIVE)
        assert client.read_response().status == 200
        client.send(LIVE[:-4])
        response = client.read_response()
        assert (response.status, response.headers["connection"]) == (408, "close")
        assert client.is_closed()
    assert running.metric("handshake_timeouts_total") == 1


def test_kept_connections_are_bounded(gateway):
    """Those beyond keep_alive_max are answered all the same, and closed."""
    running = gateway(server={"keep_alive_max": 2})
    with running.connect() as one, running.connect() as two, running.connect() as three:
        for client, connection in ((one, "keep-alive"), (two, "keep-alive"), (three, "close")):
            client.send(LIVE)
            response = client.read_response()
            assert (response.status, response.headers["connection"]) == (200, connection)
        assert three.is_closed()
        assert running.metric("http_kept") == 2
        assert running.metric("http_kept_refused_total") == 1
        one.close()
        running.wait_metric("http_kept", 1)
        with running.connect() as four:
            four.send(LIVE)
            assert four.read_response().headers["connection"] == "keep-alive"


def test_kept_connections_leave_descriptors_for_handshakes(gateway):
    """With few descriptors fewer are kept than keep_alive_max, and the log says so."""
    running = gateway(prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)))
    line = running.wait_log("fewer HTTP connections can be kept than server.keep_alive_max")
    kept = int(line["kept"])
    assert 0 < kept < int(line["keep_alive_max"]) == 256
    with contextlib.ExitStack() as stack:
        for number in range(kept + 1):
            client = stack.enter_context(running.connect())
            client.send(LIVE)
            connection = client.read_response().headers["connection"]
            assert connection == ("keep-alive" if number < kept else "close")


def test_nobody_is_kept_if_none_may_be(gateway):
    with gateway(server={"keep_alive_max": 0}).connect() as client:
        client.send(LIVE + LIVE)
        assert client.read_response().headers["connection"] == "close"
        assert client.is_closed()


def test_kept_connections_do_not_hold_up_the_end(gateway):
    running = gateway(server={"drain_timeout": "60s"})
    with running.connect() as client, admin_client(running) as admin:
        for asking in (client, admin):
            asking.send(LIVE)
            assert asking.read_response().status == 200
        start = time.monotonic()
        running.stop()
        assert time.monotonic() - start < 30
        assert client.is_closed() and admin.is_closed()


def test_many_calls_of_a_library_on_one_connection(gateway):
    """As programs use it: calls with bodies, errors between, one connection."""
    running = gateway()
    with running.open("/ws/dev-1") as client:
        connection = http.client.HTTPConnection(*running.admin, timeout=wsraw.SECONDS)
        sockets = set()
        for number in range(20):
            body = b"message %d" % number
            connection.request("POST", "/api/v1/clients/ws/dev-1/messages", body,
                               {"Content-Type": "text/plain"})
            sockets.add(connection.sock)
            answer = connection.getresponse()
            answer.read()
            assert answer.status in (200, 202, 204), answer.status
            assert client.read_message() == (wsraw.TEXT, body)
            connection.request("GET", "/api/v1/clients/ws/nobody")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 404
        connection.close()
        assert len(sockets) == 1


@pytest.mark.parametrize("target", ["/", "/health", "/ws/a", "/nope", "*", "/metrics",
                                    "/api/v1/clients", "/api/v1/broadcast"])
@pytest.mark.parametrize("listener", ["public", "admin"])
def test_options_is_answered_everywhere(shared, listener, target):
    """HAProxy's default check is OPTIONS / with HTTP/1.0."""
    running = shared()
    with running.connect() if listener == "public" else admin_client(running) as client:
        client.send(f"OPTIONS {target} HTTP/1.0\r\n\r\n".encode())
        response = client.read_response()
        assert response.status == 204 and "content-length" not in response.headers
        allow = response.headers["allow"].split(", ")
        assert allow[-1] == "OPTIONS"
        assert ("POST" in allow) == (listener == "admin" and target == "/api/v1/broadcast")
        assert client.is_closed()


@pytest.mark.parametrize("data", [HEALTH, NOPE, b"nonsense\r\n\r\n", wsraw.request(),
                                  wsraw.request("/nope")],
                         ids=["health", "nope", "nonsense", "upgrade", "bad upgrade"])
def test_every_answer_has_a_date(shared, data):
    with shared().connect() as client:
        client.send(data)
        date = client.read_response().headers["date"]
        when = email.utils.parsedate_to_datetime(date)
        assert email.utils.format_datetime(when, usegmt=True) == date
        assert abs(when.timestamp() - time.time()) < 5
