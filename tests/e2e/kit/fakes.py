# SPDX-License-Identifier: Apache-2.0
"""What looks like a gateway with its API, on one port, and does one thing wrong."""

import contextlib
import json
import struct
import threading
import time

from kit import wsraw
from kit.bench import CLOSE, TEXT, Server, frame


class FakeGateway:
    """Answers /health and /api/v1/..., and echoes to WebSockets. What it does wrong is up to the functions that it
    is given: echo(self, number, opcode, payload) returns the answers to a message; api(self, path, body) a
    status; admit(self, number) False to refuse, with the headers of `refusal`."""

    def __init__(self, *, echo=None, api=None, admit=None, refusal=(), tls=None):
        self.echo = echo or (lambda _self, _number, opcode, payload: [(opcode, payload)])
        self.api = api or (lambda _self, _path, _body: 200)
        self.admit = admit or (lambda _self, _number: True)
        self.refusal = refusal
        self.lock = threading.Lock()
        self.peers = {}
        self.calls: list[tuple[str, bytes]] = []
        self.tokens: list[str | None] = []
        self.count = 0
        self.server = Server(self.behave, tls=tls)
        self.address = ("127.0.0.1", self.server.port)

    def behave(self, peer, _number) -> None:
        head = peer.read_head()
        if "upgrade: websocket" not in head.lower():
            self.answer(peer, head)
            return
        with self.lock:
            number, self.count = self.count, self.count + 1
        if not self.admit(self, number):
            peer.answer("503 Service Unavailable", self.refusal)
            return
        peer.read_head = lambda: head  # it has been read
        peer.upgrade()
        with self.lock:
            self.peers[number] = peer
        try:
            peer.echo(lambda opcode, payload: self.echo(self, number, opcode, payload))
        finally:
            with self.lock:
                self.peers.pop(number, None)

    def answer(self, peer, head: str) -> None:
        method, path, _ = head.split("\r\n")[0].split(" ")
        self.tokens.append(peer.header("Authorization"))
        body = peer.read(int(peer.header("Content-Length") or 0))
        status = 200
        if method == "POST":
            status = self.api(self, path, body)
            self.calls.append((path, body))
        peer.answer(f"{status} Whatever", ["Content-Type: application/json"], json.dumps({"status": "ready"}).encode())

    def all_peers(self) -> list:
        with self.lock:
            return [peer for _, peer in sorted(self.peers.items())]

    def send_all(self, payload: bytes) -> None:
        for peer in self.all_peers():
            with contextlib.suppress(OSError):
                peer.send(TEXT, payload)

    def close_all(self, code: int, reason: bytes, count: int | None = None) -> None:
        for peer in self.all_peers()[:count]:
            with contextlib.suppress(OSError):
                peer.sock.sendall(frame(CLOSE, struct.pack(">H", code) + reason))

    def wait_peers(self, count: int, seconds: float = wsraw.SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while len(self.all_peers()) < count and time.monotonic() < deadline:
            time.sleep(0.01)

    def close(self) -> None:
        self.server.close()
