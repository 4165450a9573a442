# SPDX-License-Identifier: Apache-2.0
"""A firewall of a network namespace that does nothing but track connections: `nft add rule ip f in ct state new,established
accept` without nft, which few machines for tests have."""

import os
import socket
import struct

NETLINK_NETFILTER, NF_TABLES = 12, 10
REQUEST, ACK, CREATE = 0x1, 0x4, 0x400
BATCH_BEGIN, BATCH_END = 0x10, 0x11
NEW_TABLE, NEW_CHAIN, NEW_RULE = 0, 3, 6
NESTED, ERROR = 0x8000, 2
INPUT, REGISTER, STATE, ACCEPT = 1, 1, 0, 1


def attribute(number: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, number) + value + b"\0" * (-len(value) % 4)


def text(number: int, value: str) -> bytes:
    return attribute(number, value.encode() + b"\0")


def number_of(number: int, value: int) -> bytes:
    return attribute(number, struct.pack(">I", value))


def nested(number: int, *values: bytes) -> bytes:
    return attribute(number | NESTED, b"".join(values))


def message(kind: int, flags: int, number: int, family: int, resource: int, body: bytes = b"") -> bytes:
    head = struct.pack("=BBH", family, 0, socket.htons(resource))
    return struct.pack("=IHHII", 16 + len(head) + len(body), kind, REQUEST | flags, number, 0) + head + body


def track() -> None:
    """In the namespace that this thread is in; it goes with that. OSError: the kernel has none."""
    expression = nested(1, text(1, "ct"), nested(2, number_of(1, REGISTER), number_of(2, STATE)))
    steps = [
        (NEW_TABLE, text(1, "f")),
        (NEW_CHAIN, text(1, "f") + text(3, "in") + nested(4, number_of(1, INPUT), number_of(2, 0)) + number_of(5, ACCEPT)
         + text(7, "filter")),
        (NEW_RULE, text(1, "f") + text(2, "in") + nested(4, expression)),
    ]
    batch = message(BATCH_BEGIN, 0, 0, 0, NF_TABLES)
    for at, (kind, body) in enumerate(steps, 1):
        batch += message(NF_TABLES << 8 | kind, ACK | CREATE, at, socket.AF_INET, 0, body)
    batch += message(BATCH_END, 0, len(steps) + 1, 0, NF_TABLES)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as link:
        link.settimeout(10)
        link.send(batch)
        answered = 0
        while answered < len(steps):
            answer = link.recv(65536)
            while answer:
                length, kind = struct.unpack_from("=IH", answer)
                if kind == ERROR:
                    error = -struct.unpack_from("=i", answer, 16)[0]
                    if error != 0:
                        raise OSError(error, os.strerror(error))
                    answered += 1
                answer = answer[(length + 3) & ~3:]
