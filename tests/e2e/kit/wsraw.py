# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client over a plain socket, written by hand from RFC 6455, that can
also do everything wrong. It shares no code with the gateway or any library."""

import base64
import contextlib
import dataclasses
import errno
import hashlib
import itertools
import os
import pathlib
import random
import select
import socket
import ssl
import struct
import time

from kit import tlsraw

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
numbers = itertools.count(1)
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; the socket module has no name for it before Python 3.12
# How long anything is waited for. It costs time only where something is broken: a machine with many tests
# beside each other, and builds, and fuzzers, may stand still for longer than one thinks.
SECONDS = float(os.environ.get("GATEHOUSE_TEST_PATIENCE", "60"))


@dataclasses.dataclass
class Response:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclasses.dataclass
class Frame:
    is_final: bool
    reserved: int
    opcode: int
    payload: bytes


def mask_bytes(payload: bytes, key: bytes) -> bytes:
    count = len(payload)
    pad = (key * (count // 4 + 1))[:count]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(count, "big")


def length_bytes(length: int, mask_bit: int) -> bytes:
    if length < 126:
        return bytes([mask_bit | length])
    if length < 65536:
        return bytes([mask_bit | 126]) + struct.pack(">H", length)
    return bytes([mask_bit | 127]) + struct.pack(">Q", length)


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0,
          key: bytes | None = b"\x37\xfa\x21\x3d") -> bytes:
    """A client's frame; `key` None leaves out the mask, as only a server may."""
    first = bytes([(final << 7) | (reserved << 4) | opcode])
    if key is None:
        return first + length_bytes(len(payload), 0) + payload
    return first + length_bytes(len(payload), 0x80) + key + mask_bytes(payload, key)


def close_frame(code: int | None = None, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


def request(target: str | None = None, *, host: str = "gatehouse.test",
            key: str = "dGhlIHNhbXBsZSBub25jZQ==", method: str = "GET", version: str = "HTTP/1.1",
            drop: tuple[str, ...] = (), extra: tuple[str, ...] = ()) -> bytes:
    """An opening handshake; `drop` names headers to leave out, `extra` are lines to add.
    Without a target each is for a client of its own: one that is there would be taken over."""
    if target is None:
        target = f"/ws/client-{next(numbers)}"
    headers = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    lines = [f"{method} {target} {version}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name not in drop]
    return "\r\n".join([*lines, *extra, "", ""]).encode("latin-1")


def accept_value(key: str) -> str:
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def connect(sock: socket.socket, address: tuple[str, int]) -> None:
    """Waits for a port of ours, if other tests, which may have tens of thousands of connections, have them all."""
    def is_connected() -> bool:
        try:
            sock.connect(address)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            return False
        return True
    wait_until(is_connected, "a local port")


class Client:
    """One TCP connection, or one of TLS. Every wait ends after SECONDS with an error."""

    def __init__(self, address: tuple[str, int], *, source: str | None = None,
                 receive_buffer: int | None = None, tls: ssl.SSLContext | None = None, **options):
        """`options`: of tlsraw.Sealed."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(SECONDS)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            # The port is chosen at connect, per destination: one in TIME_WAIT towards another stays free for this.
            self.sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            self.sock.bind((source, 0))
        connect(self.sock, address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tlsraw.Sealed(self.sock, tls, **options)
        self.buffer = b""

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # --- bytes ---

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_slowly(self, data: bytes) -> None:
        """Each byte in a segment of its own."""
        for value in data:
            self.sock.sendall(bytes([value]))

    def _fill(self) -> None:
        data = self.sock.recv(262144)
        if not data:
            raise EOFError(f"the gateway closed; unread before that: {self.buffer[:200]!r}")
        self.buffer += data

    def read(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self._fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._fill()
        return self.read(self.buffer.index(mark) + len(mark))

    def is_closed(self, seconds: float = SECONDS) -> bool:
        """Does the gateway end the connection in time, without sending more?"""
        self.sock.settimeout(seconds)
        try:
            return self.buffer == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(SECONDS)

    # --- HTTP ---

    def read_response(self) -> Response:
        lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {}
        for line in lines[1:-2]:
            name, value = line.split(":", 1)
            assert name.lower() not in headers, f"header twice: {name}"
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        return Response(int(status), headers, self.read(length))

    def handshake(self, target: str | None = None, **options) -> Response:
        key = base64.b64encode(os.urandom(16)).decode()
        self.send(request(target, key=key, **options))
        response = self.read_response()
        if response.status == 101:
            assert response.headers["upgrade"].lower() == "websocket"
            assert response.headers["connection"].lower() == "upgrade"
            assert response.headers["sec-websocket-accept"] == accept_value(key)
        return response

    def open(self, target: str | None = None, **options) -> "Client":
        response = self.handshake(target, **options)
        assert response.status == 101, response
        return self

    # --- frames ---

    def send_frame(self, opcode: int, payload: bytes = b"", **options) -> None:
        self.send(frame(opcode, payload, **options))

    def read_frame(self) -> Frame:
        first, second = self.read(2)
        assert not second & 0x80, "a server must not mask"
        length = second & 0x7f
        if length == 126:
            length = struct.unpack(">H", self.read(2))[0]
            assert length >= 126, "not the shortest form"
        elif length == 127:
            length = struct.unpack(">Q", self.read(8))[0]
            assert length >= 65536, "not the shortest form"
        return Frame(bool(first & 0x80), first >> 4 & 7, first & 15, self.read(length))

    def read_message(self) -> tuple[int, bytes]:
        """The next whole message; asserts that nothing else comes before it."""
        got = self.read_frame()
        assert got.opcode in (TEXT, BINARY), got
        opcode, payload = got.opcode, got.payload
        while not got.is_final:
            got = self.read_frame()
            assert got.opcode == CONTINUATION, got
            payload += got.payload
        return opcode, payload

    def echo(self, payload: bytes, opcode: int = BINARY) -> None:
        """Sends a message and asserts that it comes back."""
        self.send_frame(opcode, payload)
        assert self.read_message() == (opcode, payload)

    def read_close(self) -> tuple[int | None, bytes]:
        """The close frame that comes next: (code or None, reason)."""
        got = self.read_frame()
        assert got.opcode == CLOSE, got
        assert got.is_final and len(got.payload) != 1, got
        if not got.payload:
            return None, b""
        return struct.unpack(">H", got.payload[:2])[0], got.payload[2:]

    def expect_close(self, code: int, *, answer: bool = False) -> None:
        """A close frame with this code, then the end of the connection; `answer` if the
        gateway began it and so waits for our close frame."""
        got, reason = self.read_close()
        assert got == code, f"closed with {got} {reason!r}, not {code}"
        if answer:
            self.send(close_frame(code))
        assert self.is_closed()


def wait_until(condition, what, seconds: float = SECONDS):
    """Polls until condition() is true and returns its value, less and less often: asking costs what others wait for.
    `what` is told if it never is; a function is asked only then, and so tells how things are in the end."""
    deadline, pause = time.monotonic() + seconds, 0.003
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, \
            f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(pause)
        pause = min(1.2 * pause, 0.025)


def settle(clients: list[Client], send) -> None:
    """Interest reaches a broker a moment after the joining: send(text) goes on until all of them get what it sends.
    Each has read all of that in the end, since what comes by one road comes in its order."""
    def is_heard(client: Client, text: bytes) -> bool:
        while client.buffer or select.select([client.sock], [], [], 0.05)[0]:
            if client.read_message()[1] == text:
                return True
        return False

    def are_there() -> bool:
        text = b"warm %d" % next(numbers)
        send(text)
        return all([is_heard(client, text) for client in clients])
    wait_until(are_there, "all of them hear what is sent to them")


def own_ports():
    """Ports that the kernel gives to nobody who asks for any: clients of other tests, thousands of them, or
    what is left of them for a minute, may have all the others. Each process that tests beside others has its
    own, one after the other, from anywhere on."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if low < 12000:
        return itertools.repeat(0)
    share = (low - 10000) // 16
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
    first, begin = 10000 + worker * share, random.randrange(share)
    return (first + (begin + number) % share for number in itertools.count())


PORTS = own_ports()


def free_port(host: str = "127.0.0.1") -> int:
    """One on which nothing listens, now or soon."""
    for _ in range(1000):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, next(PORTS)))
            return probe.getsockname()[1]
    raise AssertionError("no port is free")


def listen(backlog: int = 128, host: str = "127.0.0.1") -> socket.socket:
    """On a port of its own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, free_port(host)), family=family, backlog=backlog)


def push(client: Client, data: bytes, limit: int, patience: float = 0.5) -> int:
    """Sends until the gateway takes no more for `patience` seconds, or `limit` bytes;
    returns how many bytes it took."""
    client.sock.setblocking(False)
    sent = 0
    while sent < limit and select.select([], [client.sock], [], patience)[1]:
        try:
            sent += client.sock.send(data[sent % len(data):])
        except (ConnectionResetError, BrokenPipeError):
            break
    client.sock.settimeout(SECONDS)
    return sent
