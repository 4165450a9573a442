# SPDX-License-Identifier: Apache-2.0
"""Clients of a gateway whose process becomes another one: none is closed, and no message is lost, doubled or
reordered."""

import contextlib

import selectors
import threading
import time

import pytest

from kit import upgrades, wsraw


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


@pytest.fixture(params=["plain", "tls"])
def door(request, plain_door, sealed_door):
    return plain_door if request.param == "plain" else sealed_door()


class Talkers(threading.Thread):
    """Clients that talk: each sends numbered messages, a few ahead of the echoes, and notices every one that
    is missing, double, or not in its turn; and how long the longest silence was."""

    AHEAD = 4

    def __init__(self, clients: list[wsraw.Client]):
        super().__init__()
        self.clients = clients
        self.sent = [0] * len(clients)
        self.got = [0] * len(clients)
        self.heard = [0.0] * len(clients)
        self.silence = 0.0
        self.failure: str | None = None
        self.is_over = False

    def run(self):
        try:
            self._talk()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = repr(error)

    def _send(self, number: int) -> None:
        payload = b"%d:" % self.sent[number] + b"." * (self.sent[number] % 300)
        self.clients[number].send_frame(wsraw.BINARY, payload)
        self.sent[number] += 1

    def _talk(self):
        selector = selectors.DefaultSelector()
        for number, client in enumerate(self.clients):
            selector.register(client.sock, selectors.EVENT_READ, number)
            self.heard[number] = time.monotonic()
            for _ in range(self.AHEAD):
                self._send(number)
        deadline = None
        while self.got != self.sent:
            assert deadline is None or time.monotonic() < deadline, "some echoes never came"
            for key, _ in selector.select(0.05):
                self._hear(key.data)
            if self.is_over and deadline is None:
                deadline = time.monotonic() + wsraw.SECONDS

    def _hear(self, number: int) -> None:
        client = self.clients[number]
        client.buffer += client.sock.recv(65536) or self._closed(number)
        while self._has_frame(client.buffer):
            opcode, payload = client.read_message()
            index = int(payload.split(b":")[0])
            assert (opcode, index) == (wsraw.BINARY, self.got[number]), \
                f"client {number} wants {self.got[number]} and gets {index}"
            self.got[number] += 1
            now = time.monotonic()
            self.silence = max(self.silence, now - self.heard[number])
            self.heard[number] = now
            if not self.is_over:
                self._send(number)

    def _closed(self, number: int):
        raise EOFError(f"client {number} was closed")

    @staticmethod
    def _has_frame(data: bytes) -> bool:
        if len(data) < 2:
            return False
        length, head = data[1] & 127, 2
        if length == 126:
            if len(data) < 4:
                return False
            length, head = int.from_bytes(data[2:4], "big"), 4
        return len(data) >= head + length

    def stop(self) -> None:
        self.is_over = True
        self.join()
        assert self.failure is None, self.failure


def set_option(running, old: str, new: str) -> None:
    text = running.config_file.read_text()
    assert old in text
    running.config_file.write_text(text.replace(old, new))



@pytest.mark.tsan
def test_talk_goes_on(gateway):
    """Through several upgrades, with messages under way in both directions."""
    running = gateway(server={"workers": 2})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open(f"/ws/{n}")) for n in range(40)]
        talk = Talkers(clients)
        talk.start()
        try:
            for _ in range(4):
                said = upgrades.upgrade(running)
                assert (said["moved"], said["stayed"]) == (40, 0), running.log
                assert upgrades.wait_former(running) == 0
        finally:
            talk.stop()
        assert running.metric("connections") == 40
        assert running.metric("connections_closed_total") == 0
        received = running.metric("messages_received_total")
        assert received == running.metric("messages_sent_total") == sum(talk.got)


def test_engine_changes_and_back(gateway, engine):
    running = gateway(server={"workers": 2})
    other = {"epoll": "io_uring", "io_uring": "epoll"}[engine]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open()) for _ in range(20)]
        talk = Talkers(clients)
        talk.start()
        try:
            set_option(running, f"engine: {engine}", f"engine: {other}")
            assert upgrades.upgrade(running)["moved"] == 20
            assert upgrades.wait_former(running) == 0
            set_option(running, f"engine: {other}", f"engine: {engine}")
            assert upgrades.upgrade(running)["moved"] == 20
        finally:
            talk.stop()
    assert upgrades.wait_former(running) == 0


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_workers_change(gateway, before, after):
    running = gateway(server={"workers": before})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open()) for _ in range(20)]
        talk = Talkers(clients)
        talk.start()
        try:
            set_option(running, f"workers: {before}", f"workers: {after}")
            assert upgrades.upgrade(running)["moved"] == 20
        finally:
            talk.stop()
    assert upgrades.wait_former(running) == 0


def test_half_a_message_and_a_fragment(gateway):
    running = gateway()
    with running.open() as half, running.open() as fragments:
        whole = wsraw.frame(wsraw.TEXT, "grün und weiß ".encode() * 50)
        cut = 301
        half.send(whole[:cut])
        fragments.send_frame(wsraw.BINARY, b"one,", final=False)
        upgrades.upgrade(running)
        half.send(whole[cut:])
        assert half.read_message() == (wsraw.TEXT, "grün und weiß ".encode() * 50)
        fragments.send_frame(wsraw.PING, b"between")
        assert fragments.read_frame().opcode == wsraw.PONG
        fragments.send_frame(wsraw.CONTINUATION, b"two")
        assert fragments.read_message() == (wsraw.BINARY, b"one,two")
    assert upgrades.wait_former(running) == 0


def test_slow_reader_gets_all(gateway):
    """What waits to be sent goes along."""
    running = gateway(server={"send_queue_max": "1MiB"})
    with running.open(receive_buffer=4096) as slow:
        data = wsraw.frame(wsraw.BINARY, b"x" * 4096)
        sent = wsraw.push(slow, data, 512 * len(data)) // len(data)
        upgrades.upgrade(running)
        for _ in range(sent):
            assert slow.read_message() == (wsraw.BINARY, b"x" * 4096)
    assert upgrades.wait_former(running) == 0


def test_handshake_under_way_is_finished(gateway):
    """By the old process: whoever has begun is answered."""
    running = gateway()
    with running.connect() as client, running.connect() as late:
        asked = wsraw.request("/ws/half")
        client.send(asked[:30])
        late.send(b"G")
        said = upgrades.upgrade(running)
        assert said["stayed"] == 2
        client.send(asked[30:])
        assert client.read_response().status in (101, 503)
    assert upgrades.wait_former(running) == 0


def test_leaks_nothing(gateway, sanitized):
    """Ten in a row: as many descriptors as before, and no more memory than one has."""
    running = gateway(server={"workers": 2})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open()) for _ in range(50)]
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        wsraw.wait_until(lambda: running.logged("upgrade: the process before has ended"), "its end is noticed")
        fds, memory = running.metric("process_open_fds"), running.memory()
        for _ in range(9):
            upgrades.upgrade(running)
            assert upgrades.wait_former(running) == 0
        wsraw.wait_until(lambda: running.metric("process_open_fds") <= fds + 2, lambda: running.log)
        if not sanitized:
            assert running.memory() < memory * 1.5
        for client in clients:
            client.echo(b"still here")
