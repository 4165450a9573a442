#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a message through a webhook back end costs the gateway.

Usage: webhook_speed.py [GATEHOUSE]        (default build/release/gatehouse)

The back end is the shortest HTTP server that a process of Python can be; it answers each event
with the two bytes "ok". Each row is one number of clients, each of which sends its messages at
once and reads the answers. CPU is that of the gateway's process, user and kernel."""

import multiprocessing
import os
import pathlib
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
PAYLOAD = 64
FRAME = bytes([0x82, 0x80 | PAYLOAD, 0, 0, 0, 0]) + bytes(PAYLOAD)
ROWS = ((1, 4000), (10, 1000), (100, 200), (1000, 20))  # clients, messages of each
CONFIG = """
server: {{listen: 127.0.0.1:0, workers: 1, engine: {engine}}}
admin: {{listen: 127.0.0.1:0}}
routes: [{{path: '/ws/{{client_id}}', backend: hook}}]
backends: [{{name: hook, type: webhook, url: 'http://127.0.0.1:{port}/', max_in_flight: 64}}]
"""


def serve(listener: socket.socket) -> None:
    selector = selectors.EpollSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection = listener.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ, bytearray())
                continue
            data = key.fileobj.recv(65536)
            key.data.extend(data)
            end = key.data.find(b"\r\n\r\n")
            if not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()
            elif end >= 0 and len(key.data) >= end + 4 + int(LENGTH.search(key.data)[1]):
                key.data.clear()
                key.fileobj.sendall(ANSWER)


def cpu_seconds(pid: int) -> float:
    return sum(int(path.read_text().split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def resident_bytes(pid: int) -> int:
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def connect(address: tuple[str, int], number: int) -> socket.socket:
    client = socket.create_connection(address)
    client.sendall(f"GET /ws/{number} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += client.recv(4096)
    assert b" 101 " in answer, answer
    return client


def measure(pid: int, address: tuple[str, int], clients: int, messages: int) -> str:
    before = resident_bytes(pid)
    sockets = [connect(address, number) for number in range(clients)]
    idle = (resident_bytes(pid) - before) / clients
    cpu, started = cpu_seconds(pid), time.monotonic()
    for client in sockets:
        client.sendall(FRAME * messages)
    for client in sockets:
        left = 4 * messages  # an answer: a head of two bytes, and "ok"
        while left:
            left -= len(client.recv(left)) or sys.exit("the gateway closed a connection")
    count, seconds = clients * messages, time.monotonic() - started
    cpu = cpu_seconds(pid) - cpu
    for client in sockets:
        client.close()
    return (f"{clients:7} {count:9} {count / seconds:11.0f} {cpu / count * 1e6:15.1f}"
            f" {idle:17.0f}")


def run(binary: str, engine: str, port: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory, "gatehouse.yaml")
        config.write_text(CONFIG.format(engine=engine, port=port))
        gateway = subprocess.Popen([binary, "serve", "-c", config], stderr=subprocess.PIPE,
                                   text=True)
        try:
            address = None
            for line in gateway.stderr:
                found = re.search(r"msg=listening address=(\S+):(\d+)", line)
                address = (found[1], int(found[2])) if found else address
                if " msg=ready " in line:
                    break
            for clients, messages in ROWS:
                print(f"{engine:9}", measure(gateway.pid, address, clients, messages), flush=True)
        finally:
            gateway.terminate()
            gateway.wait()


def main() -> None:
    binary = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build" / "release" / "gatehouse")
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = multiprocessing.Process(target=serve, args=(listener,), daemon=True)
    server.start()
    print("engine    clients  messages  messages/s  CPU/message, us  bytes/connection")
    for engine in ("io_uring", "epoll"):
        run(binary, engine, listener.getsockname()[1])


if __name__ == "__main__":
    main()
