#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A paced drain, held against its plan: when each client was let go, and when they would come back.

Exit 1 if the number of those let go was ever further from the plan than a tenth of all, or the last one later than a
tenth of the time. './dev bench --help' has the options."""

import argparse
import json
import re
import select
import socket
import time
import urllib.request

import benchmark
from benchmark import Failure

REASON = re.compile(rb"\x88.\x03\xf4retry-after=(\d+)", re.S)  # a close frame with 1012
ANSWER = b"\x88\x82\0\0\0\0\x03\xf4"  # ours, by a mask of zeros
PING, PONG = b"\x89\x00", b"\x8a\x80\0\0\0\0"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
BATCH = 500  # handshakes at once
TENTHS = 10


class Fleet:
    """WebSockets that answer a close frame, and note when it came."""

    def __init__(self, address: tuple[str, int], count: int):
        self.poll = select.epoll()
        self.socks: dict[int, socket.socket] = {}
        self.closes: list[tuple[float, int]] = []  # (when, N)
        for begin in range(0, count, BATCH):
            self.open(address, range(begin, min(begin + BATCH, count)))

    def open(self, address: tuple[str, int], numbers: range) -> None:
        socks = []
        for number in numbers:
            sock = socket.create_connection(address, timeout=60)
            sock.sendall(f"GET /ws/drain-{number} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
            socks.append(sock)
        for sock in socks:
            if not sock.recv(1024).startswith(b"HTTP/1.1 101"):
                raise Failure("a client was not let in")
            sock.setblocking(False)
            self.socks[sock.fileno()] = sock
            self.poll.register(sock, select.EPOLLIN)

    def listen(self, deadline: float) -> None:
        while self.socks and time.monotonic() < deadline:
            for fd, _ in self.poll.poll(0.05):
                sock = self.socks[fd]
                frames = sock.recv(256)
                if frames.startswith(PING):
                    sock.sendall(PONG)
                    frames = frames.removeprefix(PING)
                if not frames:
                    continue
                said = REASON.match(frames)
                if said is None:
                    raise Failure(f"a client was told something else than 1012 and retry-after: {frames!r}")
                del self.socks[fd]
                self.closes.append((time.monotonic(), int(said[1])))
                sock.sendall(ANSWER)
                self.poll.unregister(sock)
                sock.close()


def ask(port: int, body: dict | None = None) -> dict:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/drain",
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def counts_of(times: list[float], over: float, parts: int) -> list[int]:
    counts = [0] * parts
    for when in times:
        counts[max(0, min(parts - 1, int(when / over * parts)))] += 1
    return counts


def worst_of(times: list[float], over: float) -> float:
    """How far from the plan the number of those let go ever was, as a part of all."""
    return max(max(abs((number + 1) / len(times) - min(1, when / over)), abs(number / len(times) - min(1, when / over)))
               for number, when in enumerate(sorted(times)))


def show(closes: list[tuple[float, int]], begin: float, options: argparse.Namespace) -> bool:
    times = [when - begin for when, _ in closes]
    returns = [when + wait for when, (_, wait) in zip(times, closes)]
    counts = counts_of(times, options.over, TENTHS)
    worst, last = worst_of(times, options.over), max(times)
    seconds = counts_of(returns, max(returns) + 1, int(max(returns)) + 1)
    even = len(closes) / TENTHS
    print(f"{options.engine:9} let go in each tenth of {options.over:g} s: {' '.join(map(str, counts))} "
          f"(plan {even:g}; {100 * (min(counts) / even - 1):+.1f}% .. {100 * (max(counts) / even - 1):+.1f}%)")
    print(f"{'':9} furthest from the plan {100 * worst:.2f}% of all; the last after {last:.2f} s")
    print(f"{'':9} they would come back within {max(returns):.0f} s, at most {max(seconds)} in one second "
          f"({len(closes) / max(returns):.0f} on average)")
    return worst <= 0.1 and last <= 1.1 * options.over + 1


def measure(options: argparse.Namespace) -> bool:
    port = benchmark.Server.next_port
    server = benchmark.Server("gatehouse", options.engine, cpu=None, command=[
        options.binary, "serve", "--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{port + 1}", "--engine",
        options.engine, "--workers", str(options.workers), "--log-level", "warn", "--drain-retry-after",
        f"{int(1000 * options.over)}ms"])
    try:
        fleet = Fleet(("127.0.0.1", port), options.clients)
        begin, cpu = time.monotonic(), server.cpu_us()
        ask(port + 1, {"over": f"{int(1000 * options.over)}ms"})
        fleet.listen(begin + 2 * options.over + 30)
        if fleet.socks:
            raise Failure(f"{len(fleet.socks)} clients were not let go")
        state = ask(port + 1)
        if state["closed"] != options.clients or state["state"] != "done":
            raise Failure(f"the gateway counts otherwise: {state}")
        is_good = show(fleet.closes, begin, options)
        print(f"{'':9} CPU time of the gateway {(server.cpu_us() - cpu) / 1e6:.2f} s")
        return is_good
    finally:
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench --drain", description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=10000, help="default %(default)s")
    parser.add_argument("--over", type=float, default=30, help="seconds, default %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="of the gateway, default %(default)s")
    parser.add_argument("--engine", choices=benchmark.ENGINES, help="default: each")
    parser.add_argument("--binary", default=benchmark.GATEHOUSE, help="default: the release that is built")
    options = parser.parse_args()
    benchmark.raise_descriptors()
    is_good = True
    for options.engine in [options.engine] if options.engine else benchmark.ENGINES:
        is_good &= measure(options)
    return 0 if is_good else 1


if __name__ == "__main__":
    benchmark.run_as("./dev bench --drain", main)
