# SPDX-License-Identifier: Apache-2.0
"""Clients that take all that they can get: python3 greedy.py PORT COUNT

Each opens a WebSocket, writes small frames as fast as the gateway takes them, and reads its echoes in between.
Says "ready" when all of them have written, then goes on until its standard input ends."""

import base64
import os
import select
import socket
import sys

FRAME = b"\x81" + bytes([0x80 | 100]) + b"\0\0\0\0" + b"x" * 100
BURST = FRAME * 200


class Client:
    def __init__(self, port: int, number: int):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.rest = memoryview(b"")
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET /ws/greedy-{number} HTTP/1.1\r\nHost: greedy\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())

    def open(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.sock.recv(4096)
            assert part, "closed before the handshake was done"
            head += part
        assert head.startswith(b"HTTP/1.1 101 "), head
        self.sock.setblocking(False)

    def write(self) -> None:
        if not self.rest:
            self.rest = memoryview(BURST)
        self.rest = self.rest[self.sock.send(self.rest):]

    def read(self) -> None:
        if not self.sock.recv(1 << 18):
            raise ConnectionError("closed by the gateway")


def main() -> None:
    port, count = int(sys.argv[1]), int(sys.argv[2])
    clients = {}
    for first in range(0, count, 100):
        batch = [Client(port, number) for number in range(first, min(first + 100, count))]
        for client in batch:
            client.open()
            clients[client.sock.fileno()] = client
    poll = select.epoll()
    for fd in clients:
        poll.register(fd, select.EPOLLIN | select.EPOLLOUT)
    poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    silent = set(clients)
    while True:
        for fd, events in poll.poll(maxevents=256):
            if fd not in clients:
                return
            if events & select.EPOLLIN:
                clients[fd].read()
            if events & select.EPOLLOUT:
                clients[fd].write()
                if silent:
                    silent.discard(fd)
                    if not silent:
                        print("ready", flush=True)


if __name__ == "__main__":
    main()
