#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends messages to clients as a service does, each with the stamp that
`gatehouse bench --receive` reads: "gh1 NUMBER TIME", the number counted from 1 for each client,
the time in ns since 1970.

Usage: push.py [OPTIONS] TARGET

TARGET is a path of the API, such as 'broadcast?route=ws' or 'clients/ws/dev-{n}/messages', or
with --nats a subject, such as 'gatehouse.to.ws.dev-{n}'. {n} becomes 1 to --clients in turn."""

import argparse
import http.client
import json
import pathlib
import socket
import sys
import time
import urllib.parse


def stamped(number: int, size: int) -> bytes:
    """At least as long as its stamp."""
    stamp = f"gh1 {number} {time.time_ns()}"
    return f"{stamp} ".ljust(size, ".")[:max(size, len(stamp))].encode()


class Api:
    """Through the HTTP API, a request for each message, all on one connection or each on its own."""

    def __init__(self, url: str, token: str | None = None, is_kept: bool = True):
        parts = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=60)
        self.is_kept = is_kept
        self.headers = {"Content-Type": "text/plain; charset=utf-8"}
        if token is not None:
            self.headers["Authorization"] = f"Bearer {token}"

    def send(self, target: str, body: bytes) -> int:
        """To how many clients it was delivered."""
        try:
            self.connection.request("POST", f"/api/v1/{target}", body=body, headers=self.headers)
            answer = self.connection.getresponse()
            text = answer.read()
        finally:
            if not self.is_kept:
                self.connection.close()
        if answer.status == 404:
            return 0
        if answer.status != 200:
            raise SystemExit(f"push.py: {target}: {answer.status} {text.decode(errors='replace')}")
        return json.loads(text).get("delivered", 1)  # to one client it has no number

    def finish(self) -> None:
        self.connection.close()


class Nats:
    """Published to a broker, which tells nothing about who got it."""

    def __init__(self, address: str):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\n')
        self.flush()

    def send(self, target: str, body: bytes) -> int:
        self.socket.sendall(b"PUB %s %d\r\n%s\r\n" % (target.encode(), len(body), body))
        return 0

    def flush(self) -> None:
        """Until the broker has taken what was sent."""
        self.socket.sendall(b"PING\r\n")
        seen = b""
        while b"PONG\r\n" not in seen:
            more = self.socket.recv(65536)
            if not more or b"-ERR" in seen:
                raise SystemExit(f"push.py: the broker says {seen.decode(errors='replace')}")
            seen += more

    def finish(self) -> None:
        self.flush()
        self.socket.close()


def push(road: Api | Nats, target: str, *, clients: int = 1, messages: int = 1, size: int = 64,
         rate: float = 0) -> tuple[int, int, float]:
    """How many were sent, how many clients they were delivered to, and the seconds it took."""
    started = time.monotonic()
    sent = delivered = 0
    for number in range(1, messages + 1):
        for n in range(1, clients + 1):
            if rate > 0:
                time.sleep(max(0.0, started + sent / rate - time.monotonic()))
            delivered += road.send(target.replace("{n}", str(n)), stamped(number, size))
            sent += 1
    road.finish()
    return sent, delivered, time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("target", metavar="TARGET")
    parser.add_argument("--api", default="http://127.0.0.1:8081", help="default %(default)s")
    parser.add_argument("--token-file", type=pathlib.Path, help="of the API")
    parser.add_argument("--nats", metavar="HOST:PORT", help="to this broker instead")
    parser.add_argument("--clients", type=int, default=1, help="{n} is 1 to so many")
    parser.add_argument("--messages", type=int, default=1, help="for each client")
    parser.add_argument("--size", type=int, default=64, help="bytes of each (default 64)")
    parser.add_argument("--rate", type=float, default=0, help="per second (default: no pause)")
    given = parser.parse_args()
    token = given.token_file.read_text().strip() if given.token_file else None
    road = Nats(given.nats) if given.nats else Api(given.api, token)
    sent, delivered, seconds = push(road, given.target, clients=given.clients, size=given.size,
                                    messages=given.messages, rate=given.rate)
    print(f"{sent} sent, {delivered} delivered, in {seconds:.2f} s ({sent / seconds:.0f}/s)")
    sys.exit(0 if given.nats or delivered > 0 else 1)


if __name__ == "__main__":
    main()
