# SPDX-License-Identifier: Apache-2.0
"""A client that sends every prefix of a valid session and stops: silent, half closed, gone or by a
reset. Each is answered what its bytes deserve and no more, ended in time, and leaves nothing."""

import contextlib
import re
import socket
import struct

import pytest

from kit import backends, wsraw
from kit.gateway import SAMPLE, given_time
from kit.wsraw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

# [ms] Time enough for a machine that stalls to read what has come; each prefix waits for one of them.
TIMES = {"handshake_timeout": 1500, "ping_interval": 1000, "pong_timeout": 1500, "close_timeout": 1000}
NO_HANDSHAKE = -1  # at the end of no step: the head is not whole
GAUGE = re.compile(r"^# TYPE (gatehouse_\w+) gauge$", re.MULTILINE)
OTHER_GAUGES = ("gatehouse_limit", "gatehouse_build", "gatehouse_loop", "gatehouse_worker")


def session(before: bytes, path: str, *steps: tuple[bytes, list]) -> list[tuple[bytes, list]]:
    """Steps of bytes to send, and the frames that a step which is whole is answered with."""
    return [(before + wsraw.request(path, extra=("Sec-WebSocket-Protocol: ocpp1.6",)), []), *steps]


CALL = b'[2,"19223201","Heartbeat",{}]'
RESULT = b'[3,"19223201",{}]'
CLOSING = (wsraw.close_frame(1000, b"bye"), [(CLOSE, struct.pack(">H", 1000))])
ECHO = (
    (frame(TEXT, "grüße".encode()), [(TEXT, "grüße".encode())]),
    (frame(TEXT, b"in ", final=False), []),
    (frame(PING, b"between"), [(PONG, b"between")]),
    (frame(CONTINUATION, b"pieces"), [(TEXT, b"in pieces")]),
    (frame(BINARY, bytes(range(130))), [(BINARY, bytes(range(130)))]),
    (frame(PONG, b"unasked"), []),
    CLOSING,
)
SESSIONS = {
    "echo": session(b"", "/ws/p-NUMB", *ECHO),
    "behind a proxy": session(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n", "/ws/p-NUMB", *ECHO),
    "webhook": session(b"", "/hook/p-NUMB", (frame(TEXT, b"hello"), [(TEXT, b"answer")]),
                       (frame(BINARY, b"\0\1"), [(TEXT, b"answer")]), CLOSING),
    "OCPP calls": session(b"", "/ocpp/p-NUMB", (frame(TEXT, CALL), [(TEXT, RESULT)]),
                          (frame(TEXT, CALL), [(TEXT, RESULT)]), CLOSING),
}
BACKED = ("webhook", "OCPP calls")


def answer(event):
    if event.type != "message":
        return None
    return backends.Answer(200, RESULT if event.body == CALL else b"answer", {"Content-Type": "text/plain"})


@pytest.fixture
def prefixed(gateway):
    """prefixed(factor): with so many times as long for everything."""
    hooks = []
    running = []

    def run(factor: int):
        hooks.append(backends.Webhook(answer))
        times = {name: f"{factor * milliseconds}ms" for name, milliseconds in TIMES.items()}
        running.append(gateway(
            server=times | {"trusted_proxies": ["127.0.0.1"]},
            routes=[{"path": "/ws/{client_id}", "subprotocols": ["ocpp1.6"]},
                    {"path": "/hook/{client_id}", "subprotocols": ["ocpp1.6"], "backend": "hook"},
                    {"path": "/ocpp/{client_id}", "subprotocols": ["ocpp1.6"], "backend": "hook", "rpc": "ocpp-j"}],
            backends=[{"name": "hook", "type": "webhook", "url": hooks[-1].url}]))
        return running[-1]

    yield run
    for one in running:
        one.stop()
    for hook in hooks:
        hook.close()


def gauges(running) -> dict[str, float]:
    """Each gauge that tells of clients, summed over its labels."""
    page = running.get("/metrics").body.decode()
    sums = {name: 0.0 for name in GAUGE.findall(page) if not name.startswith(OTHER_GAUGES)}
    for line in page.splitlines():
        sample = SAMPLE.match(line)
        if sample and sample[1] in sums:
            sums[sample[1]] += float(sample[3])
    return sums


def steps_whole(steps: list, length: int) -> int:
    """How many steps lie whole in the first `length` bytes, less one: that of the handshake."""
    whole = NO_HANDSHAKE
    for sent, _ in steps:
        length -= len(sent)
        if length < 0:
            break
        whole += 1
    return whole


def bytes_of(steps: list, number: int) -> bytes:
    return b"".join(sent for sent, _ in steps).replace(b"NUMB", b"%04d" % number)


def read_all(client: wsraw.Client) -> bytes:
    """All until the gateway ends the connection."""
    with contextlib.suppress(ConnectionResetError):
        while True:
            try:
                client.read(1 << 30)
            except EOFError:
                break
    return client.buffer


def frames_in(data: bytes) -> list[tuple[int, bytes]]:
    """Of the gateway, its own pings left out."""
    found = []
    while data:
        length, start = data[1], 2
        if length == 126:
            (length,), start = struct.unpack(">H", data[2:4]), 4
        assert len(data) >= start + length, "the last frame is not whole"
        found.append((data[0] & 15, data[start:start + length]))
        data = data[start + length:]
    return [(opcode, payload) for opcode, payload in found if opcode != PING]


def judge(steps: list, length: int, got: bytes, may_lack: bool) -> None:
    """`may_lack`: a back end's answers may come too late for a client that is leaving."""
    whole = steps_whole(steps, length)
    if whole == NO_HANDSHAKE:
        assert got == b"" or re.match(rb"HTTP/1\.1 4\d\d ", got), got
        return
    if may_lack and got == b"":
        return  # before the back end has let it in
    head, _, rest = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), got
    frames = frames_in(rest)
    want = [one for _, answers in steps[1:whole + 1] for one in answers]
    if may_lack:
        left = iter(want)
        assert all(one in left for one in frames if one[0] != CLOSE), (frames, want)
        return
    assert frames[:len(want)] == want
    assert [opcode for opcode, _ in frames[len(want):]] in ([], [CLOSE])


def stay_silent(_client) -> None:
    pass


def half_close(client) -> None:
    client.sock.shutdown(socket.SHUT_WR)


def reset(client) -> None:
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def leave(client) -> None:
    client.close()


@pytest.mark.parametrize("stop", [stay_silent, half_close, pytest.param(reset, marks=pytest.mark.tsan), leave])
@pytest.mark.parametrize("name", SESSIONS)
def test_every_prefix_of_a_session(prefixed, name, stop):
    given_time(lambda factor: check_prefixes(prefixed(factor), name, stop))


def check_prefixes(running, name, stop) -> None:
    steps = SESSIONS[name]
    before = gauges(running)
    total = len(bytes_of(steps, 0))
    with contextlib.ExitStack() as stack:
        clients = []
        for length in range(total + 1):
            client = stack.enter_context(running.connect())
            with contextlib.suppress(ConnectionError):  # closed by an answer to what came first
                client.send(bytes_of(steps, length)[:length])
                stop(client)
            clients.append(client)
        for length, client in enumerate(clients):
            if stop in (stay_silent, half_close):
                is_leaving = stop is half_close or length == total
                judge(steps, length, read_all(client), may_lack=is_leaving and name in BACKED)
    wsraw.wait_until(lambda: gauges(running) == before, lambda: f"{gauges(running)} is {before}")
    assert running.metric("connections_closed_total") == running.metric("connections_accepted_total")
    with running.connect() as client:
        client.open("/ws/after", extra=("Sec-WebSocket-Protocol: ocpp1.6",)).echo(b"served")


@pytest.mark.parametrize("name", SESSIONS)
def test_every_prefix_byte_by_byte(prefixed, name):
    """Where one segment ends and the next begins changes nothing."""
    given_time(lambda factor: check_byte_by_byte(prefixed(factor), name))


def check_byte_by_byte(running, name) -> None:
    steps = SESSIONS[name]
    before = gauges(running)
    ends = [sum(len(sent) for sent, _ in steps[:count]) for count in range(1, len(steps) + 1)]
    lengths = sorted({end + more for end in ends for more in (-1, 0, 1)} - {ends[-1] + 1})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in lengths]
        for length, client in zip(lengths, clients):
            client.send_slowly(bytes_of(steps, length)[:length])
        for length, client in zip(lengths, clients):
            may_lack = name in BACKED and length == ends[-1]
            judge(steps, length, read_all(client), may_lack)
    wsraw.wait_until(lambda: gauges(running) == before, lambda: f"{gauges(running)} is {before}")


# --- requests behind one another on one HTTP connection ---

MESSAGE = (b"/api/v1/clients/ws/nobody/messages HTTP/1.1\r\nHost: localhost\r\n"
           b"Content-Type: text/plain; charset=utf-8\r\n")
REQUESTS = {
    "public": [
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n", 204),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200),
    ],
    "admin": [
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"POST " + MESSAGE + b"Content-Length: 5\r\n\r\nhello", 404),
        (b"POST " + MESSAGE + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n", 404),
        (b"GET /api/v1/clients HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
    ],
}


def statuses_in(data: bytes) -> list[int]:
    """Of the answers; each is whole."""
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\nContent-Length: (\d+)", head)
        size = int(length[1]) if length else 0
        assert head.startswith(b"HTTP/1.1 ") and len(rest) >= size, data
        found.append(int(head[9:12]))
        data = rest[size:]
    return found


@pytest.mark.parametrize("stop", [stay_silent, half_close, pytest.param(reset, marks=pytest.mark.tsan), leave])
@pytest.mark.parametrize("listener", REQUESTS)
def test_every_prefix_of_requests(gateway, listener, stop):
    def check(factor: int) -> None:
        times = {name: f"{1500 * factor}ms" for name in ("handshake_timeout", "keep_alive_timeout")}
        check_requests(gateway(server=times), listener, stop)

    given_time(check)


def check_requests(running, listener, stop) -> None:
    before = gauges(running)
    total = sum(len(sent) for sent, _ in REQUESTS[listener])
    for start in range(0, total + 1, 200):  # fewer than are kept, see server.keep_alive_max
        stop_after(running, listener, range(start, min(start + 200, total + 1)), stop)
        wsraw.wait_until(lambda: gauges(running) == before, lambda: f"{gauges(running)} is {before}")


def stop_after(running, listener: str, lengths: range, stop) -> None:
    """A connection for each of these prefixes."""
    requests = REQUESTS[listener]
    with contextlib.ExitStack() as stack:
        clients = []
        for length in lengths:
            client = running.connect() if listener == "public" else wsraw.Client(running.admin)
            clients.append(stack.enter_context(client))
            clients[-1].send(b"".join(sent for sent, _ in requests)[:length])
            stop(clients[-1])
        if stop in (reset, leave):
            return
        for length, client in zip(lengths, clients):
            whole = steps_whole(requests, length) + 1
            got = statuses_in(read_all(client))
            assert got[:whole] == [status for _, status in requests[:whole]], length
            assert got[whole:] in ([], [400], [408]), length
