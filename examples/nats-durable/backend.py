#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A back end that loses nothing: it takes the clients' messages from a stream of NATS, sends each back to its
client, and tells the stream that it is done with only when the gateway has said that it is delivered. So
whatever dies meanwhile, broker, gateway or this program, a message is answered in the end, perhaps twice.

It speaks the protocol of NATS itself, as there is no client for it in Python's library.

Usage: backend.py [HOST:PORT of the broker]        (default 127.0.0.1:4222; nats-server -js)"""

import itertools
import json
import os
import socket
import sys
import time

STREAM, CONSUMER = "UP", "echo"
ACK_SECONDS = 2  # what is not done by then is given to us again
SECOND_NS = 1_000_000_000


class Broker:
    """One connection. OSError or EOFError when it ends."""

    def __init__(self, address: tuple[str, int]):
        self.socket = socket.create_connection(address, 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(None)
        self.stream = self.socket.makefile("rb")
        self.inbox = f"_INBOX.{os.urandom(8).hex()}"
        self.numbers = itertools.count(1)
        self.line()  # INFO
        self.write("CONNECT " + json.dumps({"verbose": False, "headers": True, "no_responders": True,
                                            "lang": "python", "version": "1"}))
        self.write(f"SUB {self.inbox}.* 1")

    def write(self, line: str, body: bytes | None = None) -> None:
        self.socket.sendall(line.encode() + b"\r\n" + (b"" if body is None else body + b"\r\n"))

    def publish(self, subject: str, body: bytes = b"", reply: str = "", head: bytes = b"") -> None:
        sizes = f"{len(head)} {len(head) + len(body)}" if head else f"{len(body)}"
        self.write(f"{'HPUB' if head else 'PUB'} {subject} {reply} {sizes}", head + body)

    def line(self) -> str:
        line = self.stream.readline()
        if not line:
            raise EOFError("the broker has closed")
        return line.decode().rstrip("\r\n")

    def messages(self):
        """(subject, reply, headers, body), for ever."""
        while True:
            verb, *words = self.line().split(" ")
            if verb == "PING":
                self.write("PONG")
            elif verb == "-ERR":
                raise OSError(" ".join(words))
            elif verb in ("MSG", "HMSG"):
                head_size = int(words[-2]) if verb == "HMSG" else 0
                data = self.stream.read(int(words[-1]) + 2)[:-2]
                lines = data[:head_size].decode().split("\r\n")
                headers = dict(line.split(":", 1) for line in lines[1:] if ":" in line)
                headers = {name: value.strip() for name, value in headers.items()}
                headers["status"] = lines[0].removeprefix("NATS/1.0").strip()[:3]
                reply = words[2] if len(words) == (5 if head_size else 4) else ""
                yield words[0], reply, headers, data[head_size:]

    def ask(self, api: str, body: dict) -> dict:
        """Of JetStream."""
        inbox = f"{self.inbox}.{next(self.numbers)}"
        self.publish(f"$JS.API.{api}", json.dumps(body).encode(), inbox)
        for subject, _, headers, answer in self.messages():
            if subject == inbox:
                if headers["status"] == "503":
                    raise OSError("the broker has no streams: start it with -js")
                return json.loads(answer)
        raise EOFError


def prepare(broker: Broker) -> None:
    """Stream and consumer, unless they are there. They outlive broker and back end."""
    for api, body in ((f"STREAM.CREATE.{STREAM}", {"name": STREAM, "subjects": ["gatehouse.up.>"], "storage": "file"}),
                      (f"CONSUMER.DURABLE.CREATE.{STREAM}.{CONSUMER}", {"stream_name": STREAM, "config": {
                          "durable_name": CONSUMER, "deliver_subject": f"deliver.{CONSUMER}", "ack_policy": "explicit",
                          "ack_wait": ACK_SECONDS * SECOND_NS, "max_ack_pending": 10000}})):
        answer = broker.ask(api, body)
        if "error" in answer and "already" not in answer["error"]["description"]:
            raise OSError(answer["error"]["description"])
    broker.write(f"SUB deliver.{CONSUMER} 2")


def serve(broker: Broker) -> None:
    under_way: dict[str, str] = {}  # our inbox for it: how to tell the stream
    for subject, reply, headers, body in broker.messages():
        if subject in under_way:  # what became of an answer
            done = under_way.pop(subject)
            is_delivered = headers.get("Gatehouse-Status") == "200"
            # Else the client is away just now, or reads too slowly: in a second once more.
            broker.publish(done, b"+ACK" if is_delivered else b'-NAK {"delay": %d}' % SECOND_NS)
        elif headers.get("ce-type") == "gatehouse.client.message":
            inbox = f"{broker.inbox}.{next(broker.numbers)}"
            under_way[inbox] = reply
            _, _, route, client = subject.split(".")
            head = f"NATS/1.0\r\nGatehouse-Type: {headers['ce-messagetype']}\r\n\r\n".encode()
            broker.publish(f"gatehouse.to.{route}.{client}", body, inbox, head)
        elif reply:
            broker.publish(reply, b"+ACK")  # connected, disconnected


def main() -> None:
    host, port = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:4222").rsplit(":", 1)
    while True:
        try:
            broker = Broker((host, int(port)))
            prepare(broker)
            print(f"listening at {host}:{port}", flush=True)
            serve(broker)
        except (OSError, EOFError) as error:
            print(f"{error}; again in half a second", file=sys.stderr, flush=True)
            time.sleep(0.5)


if __name__ == "__main__":
    main()
