# SPDX-License-Identifier: Apache-2.0
"""Servers for `gatehouse bench` that are good, bad and hostile, and what it says of them.

They are raw sockets, so that a wrong answer can be made byte for byte."""

import base64
import contextlib
import hashlib
import json
import re
import socket
import struct
import subprocess
import threading
import time

from kit import wsraw
from kit.gateway import BINARY

TEXT, BINARY_FRAME, CLOSE, PING, PONG = 1, 2, 8, 9, 10


# --- a WebSocket server made of a function per connection ---


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""
        self.head = b""

    def read(self, count):
        while len(self.data) < count:
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionError("end of stream")
            self.data += more
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def read_head(self):
        while b"\r\n\r\n" not in self.data:
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionError("end of stream")
            self.data += more
        self.head, self.data = self.data.split(b"\r\n\r\n", 1)
        return self.head.decode()

    def header(self, name):
        for line in self.head.decode().split("\r\n")[1:]:
            key, value = line.split(":", 1)
            if key.lower() == name.lower():
                return value.strip()
        return None

    def answer(self, status, headers=(), body=b""):
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def upgrade(self, accept=None, extra=(), then=b"", before=b""):
        """`before`: what comes ahead of the answer, as 100 does."""
        self.read_head()
        self.sock.sendall(before)
        key = self.header("Sec-WebSocket-Key")
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Accept: {accept or base64.b64encode(digest).decode()}", *extra]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + then)

    def receive(self):
        """One unfragmented frame: (opcode, payload)."""
        first, second = self.read(2)
        assert second & 0x80, "a client masks"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.read(8))
        key = self.read(4)
        masked = self.read(length)
        wide = int.from_bytes(masked, "big") ^ int.from_bytes(
            (key * (length // 4 + 1))[:length], "big")
        return first & 0x0F, wide.to_bytes(length, "big")

    def send(self, opcode, payload, is_final=True):
        self.sock.sendall(frame(opcode, payload, is_final))

    def echo(self, change=lambda opcode, payload: [(opcode, payload)]):
        """Echoes until the client closes; `change` makes the answers to a message."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                self.send(CLOSE, payload)
                return
            if opcode in (TEXT, BINARY_FRAME):
                for answer in change(opcode, payload):
                    self.send(*answer)


def frame(opcode, payload, is_final=True):
    head = bytes([(0x80 if is_final else 0) | opcode])
    if len(payload) < 126:
        head += bytes([len(payload)])
    elif len(payload) < 65536:
        head += bytes([126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([127]) + struct.pack(">Q", len(payload))
    return head + payload


class Server:
    """Runs behave(peer, number) in a thread per connection; numbers count from 0. `tls`: an
    ssl.SSLContext, by which each is sealed first; what fails then is in `tls_failures`."""

    def __init__(self, behave, host="127.0.0.1", backlog=512, tls=None):
        self.behave = behave
        self.tls, self.tls_failures, self.resumed = tls, [], []
        self.heads = []
        self.arrivals = []
        self.listener = wsraw.listen(backlog, host)
        self.port = self.listener.getsockname()[1]
        scheme = "ws" if tls is None else "wss"
        self.url = f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        number = 0
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.arrivals.append(time.monotonic())
                threading.Thread(target=self.serve, args=(sock, number), daemon=True).start()
                number += 1

    def serve(self, sock, number):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is not None:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError as error:
                self.tls_failures.append(str(error))
                sock.close()
                return
            self.resumed.append(sock.session_reused)
        peer = Peer(sock)
        with sock, contextlib.suppress(OSError, ConnectionError):
            self.behave(peer, number)
        self.heads.append(peer.head.decode())

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def good(peer, _number):
    peer.upgrade()
    peer.echo()


def refuse_with(status, body=b"", then_close=True):
    def behave(peer, _number):
        peer.read_head()
        peer.answer(status, [], body)
        if not then_close:
            peer.read(1)

    return behave


# --- what the tester says ---


class Outcome:
    def __init__(self, process, json_path):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr
        self.verdict = self.out.strip().splitlines()[-1] if self.out.strip() else ""
        text = json_path.read_text() if json_path.exists() else ""
        self.json = json.loads(text) if text else {}

    def verdict_held(self, seconds):
        """The verdict, its "held N s" as asked for: a machine that is busy may have held longer."""
        def held(found):
            assert float(found[1]) >= seconds, self.verdict
            return f"held {seconds:.1f} s"
        return re.sub(r"held (\d+\.\d) s", held, self.verdict)

    def only_failure(self):
        assert len(self.json["failures"]) == 1, self.json["failures"]
        return self.json["failures"][0]


def plain(*args, **kwargs):
    return subprocess.run([str(word) for word in (BINARY, "bench", *args)], capture_output=True,
                          text=True, timeout=60, check=False, **kwargs)
