# SPDX-License-Identifier: Apache-2.0
"""The new process of a handover, played: says and hears the messages of src/server/handover_format.h, and
goes wrong where it is told to. Imported by programs that kit.upgrades.Program.python writes."""

import array
import os
import socket
import struct

HELLO, DOORS, OFFER, READY, CONNS, STATE, TAKEN, COMMIT, THANKS, REFUSED, GIVEN_UP = range(1, 12)
MAGIC = 0x67486f76
HEAD = struct.Struct("<IHHQ")
FORMAT = 1


def field(tag: int, value: bytes | int | str) -> bytes:
    if isinstance(value, int):
        value = value.to_bytes((value.bit_length() + 7) // 8, "little")
    if isinstance(value, str):
        value = value.encode()
    return struct.pack("<HI", tag, len(value)) + value


def fields(body: bytes) -> list[tuple[int, bytes]]:
    found = []
    while body:
        tag, length = struct.unpack_from("<HI", body)
        found.append((tag, body[6:6 + length]))
        body = body[6 + length:]
    return found


class Heir:
    def __init__(self):
        self.sock = socket.socket(fileno=int(os.environ["GATEHOUSE_HANDOVER_FD"]))
        self.fds: list[int] = []
        self.marks: list[int] = []

    def say(self, kind: int, body: bytes = b"") -> None:
        self.sock.sendall(HEAD.pack(MAGIC, kind, 0, len(body)) + body)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part, control, _, _ = self.sock.recvmsg(size - len(data), 4096)
            if not part:
                raise EOFError
            data += part
            for level, kind, value in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(value[:len(value) - len(value) % fds.itemsize])
                    self.fds += fds
        return data

    def hear(self) -> tuple[int, bytes]:
        magic, kind, _, length = HEAD.unpack(self._read(HEAD.size))
        assert magic == MAGIC
        body = self._read(length)
        if kind == CONNS:
            self.marks += [int.from_bytes(value, "little") for tag, record in fields(body) if tag == 1
                           for inner, value in fields(record) if inner == 2]
        return kind, body

    def hear_until(self, wanted: int) -> bytes:
        while True:
            kind, body = self.hear()
            assert kind != GIVEN_UP, body
            if kind == wanted:
                return body

    # --- the steps ---

    def hello(self, version: int = FORMAT, name: str = "played") -> None:
        self.say(HELLO, field(1, version) + field(2, name) + field(3, os.getpid()))

    def greet(self) -> None:
        self.hello()
        self.hear_until(OFFER)

    def ready(self) -> None:
        self.greet()
        self.say(READY)

    def state(self) -> None:
        self.ready()
        self.hear_until(STATE)

    def taken(self) -> None:
        self.state()
        self.say(TAKEN)

    def refuse_all(self) -> None:
        self.state()
        self.say(TAKEN, b"".join(field(2, mark) for mark in self.marks))

    def commit(self) -> None:
        self.taken()
        self.hear_until(COMMIT)
