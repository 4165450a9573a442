# SPDX-License-Identifier: Apache-2.0
"""One account for all that clients make the gateway keep: server.payload_memory."""

import contextlib
import http.client
import json
import os
import pathlib
import threading
import time

import pytest

from kit import wsraw
from kit.api import Api
from kit.backends import Answer, Webhook

KIB = 1024
MIB = 1024 * KIB
LIMIT = 2 * MIB
SERVER = {"payload_memory": "2MiB", "send_timeout": "2s", "workers": 2}


class Watch:
    """The highest use that was seen, while the test goes on."""

    def __init__(self, gateway):
        self.gateway, self.highest, self.is_over = gateway, 0, False
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.is_over:
            self.highest = max(self.highest, used(self.gateway))
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()


def used(gateway) -> int:
    return int(gateway.metric("limit_used", limit="payload_memory"))


def ended(gateway) -> int:
    """By the limit's name: closed or refused."""
    return int(gateway.metric("connections_closed_total", reason="payload_memory") +
               gateway.metric("connections_refused_total", limit="payload_memory"))


def open_or_refused(gateway, target: str, **options) -> wsraw.Client | None:
    client = gateway.connect(**options)
    answer = client.handshake(target)
    if answer.status == 101:
        return client
    assert answer.status == 503 and answer.headers["gatehouse-limit"].startswith("payload_memory;")
    client.close()
    return None


def assert_goes_on(gateway, watch: Watch) -> None:
    """What was seen stayed near the limit, and whoever comes next is served."""
    assert watch.highest <= LIMIT + LIMIT // 2
    served = []

    def is_served() -> bool:
        client = open_or_refused(gateway, "/ws/next")
        if client is not None:
            with client:
                client.echo(b"x" * KIB)
                served.append(True)
        return bool(served)

    wsraw.wait_until(is_served, "a new client is served")
    assert gateway.metric("limit", limit="payload_memory") == LIMIT


def assert_comes_back(gateway) -> None:
    wsraw.wait_until(lambda: used(gateway) < LIMIT // 2, "the memory is given back")


def test_unfinished_messages(gateway):
    """Named after the fault: the 62nd unfinished message of 1 MiB ended a process in 64 MiB."""
    running = gateway(server=SERVER)
    part = wsraw.frame(wsraw.BINARY, b"z" * 512 * KIB)[:-1]
    with contextlib.ExitStack() as stack, Watch(running) as watch:
        for number in range(40):
            client = open_or_refused(running, f"/ws/{number}")
            if client is not None:
                stack.enter_context(client)
                with contextlib.suppress(OSError):
                    client.sock.settimeout(0.5)
                    client.sock.sendall(part)
        wsraw.wait_until(lambda: ended(running) > 0, "holders are closed by name")
        assert running.metric("memory_stops_total") > 0, "nobody was held back before"
        assert_goes_on(running, watch)
    assert_comes_back(running)
    assert running.logged("payload memory is used up: a connection that holds much is closed") or \
        running.metric("connections_refused_total", limit="payload_memory") > 0


def test_the_closed_are_told_why(gateway):
    running = gateway(server=SERVER | {"workers": 1})
    part = wsraw.frame(wsraw.BINARY, b"z" * MIB)[:900 * KIB]
    with running.open("/ws/a") as first, running.open("/ws/b") as second, \
            running.open("/ws/c") as third:
        for client in (first, second, third):
            client.sock.settimeout(1)
            with contextlib.suppress(OSError):
                client.sock.sendall(part)
        wsraw.wait_until(lambda: ended(running) > 0, "one is closed by name")
        codes = []
        for client in (first, second, third):
            with contextlib.suppress(OSError, AssertionError, EOFError):
                client.sock.settimeout(0.5)
                codes.append(client.read_close())
        assert (1013, b"out of memory for messages") in codes


def test_many_honest_large_messages_all_arrive(gateway):
    """Together they are more than there is: they are stopped, and go on one after the other."""
    running = gateway(server=SERVER | {"payload_memory": "8MiB", "send_timeout": "30s",
                                       "workers": 1})
    message = wsraw.frame(wsraw.BINARY, b"h" * 256 * KIB)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open(f"/ws/{n}")) for n in range(60)]
        threads = []

        def finish(client):
            client.sock.settimeout(30)
            client.sock.sendall(message[len(message) // 2:])
            assert client.read_message() == (wsraw.BINARY, b"h" * 256 * KIB)
            arrived.append(client)

        arrived: list = []
        for client in clients:
            threads.append(threading.Thread(target=lambda c=client: c.sock.sendall(
                message[:len(message) // 2])))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        threads = [threading.Thread(target=finish, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(arrived) == len(clients)
    assert ended(running) == 0
    assert running.metric("memory_stops_total") > 0


def test_queues_of_pushed_messages(gateway):
    running = gateway(server=SERVER | {"send_queue_max": "1MiB"})
    api = Api(running.admin)
    with contextlib.ExitStack() as stack, Watch(running) as watch:
        for number in range(24):
            stack.enter_context(running.open(f"/ws/slow-{number}", receive_buffer=4096))
        for _ in range(20):
            for number in range(24):
                api.ask("POST", f"/clients/ws/slow-{number}/messages", b"p" * 256 * KIB,
                        headers={"Content-Type": "application/octet-stream"})
            if running.metric("connections_closed_total", reason="payload_memory") > 0:
                break
        assert running.metric("connections_closed_total", reason="payload_memory") > 0
        assert_goes_on(running, watch)
    assert_comes_back(running)


def test_input_that_is_held(gateway):
    """Echoes that nobody takes, and what comes behind them."""
    running = gateway(server=SERVER | {"send_queue_max": "256KiB", "send_timeout": "1m"})
    data = wsraw.frame(wsraw.BINARY, b"e" * 32 * KIB)
    with contextlib.ExitStack() as stack, Watch(running) as watch:
        for number in range(24):
            client = open_or_refused(running, f"/ws/{number}", receive_buffer=4096)
            if client is not None:
                stack.enter_context(client)
                wsraw.push(client, data, 16 * MIB, patience=0.1)
        wsraw.wait_until(lambda: ended(running) > 0, "holders are closed by name")
        assert_goes_on(running, watch)
    assert_comes_back(running)


def test_messages_behind_a_back_end_that_hangs(gateway):
    release = threading.Event()

    def answer(event):
        if event.type == "message":
            release.wait(60)
        return Answer(204)

    hook = Webhook(answer)
    try:
        running = gateway(
            server=SERVER,
            routes=[{"path": "/up/{client_id}", "backend": "hook"}, {"path": "/ws/{client_id}"}],
            backends=[{"name": "hook", "type": "webhook", "url": hook.url, "queue_max": "1MiB",
                       "timeout": "1m"}])
        data = wsraw.frame(wsraw.BINARY, b"u" * 16 * KIB)
        with contextlib.ExitStack() as stack, Watch(running) as watch:
            for number in range(24):
                client = running.connect()
                answer = client.handshake(f"/up/{number}")
                if answer.status == 101:
                    stack.enter_context(client)
                    wsraw.push(client, data, MIB - 64 * KIB, patience=0.1)
                else:
                    assert answer.headers["gatehouse-limit"].split(";")[0] in (
                        "payload_memory", "backends.pending_max")
                    client.close()
            assert_goes_on(running, watch)
            assert ended(running) + running.metric("connections_refused_total",
                                                   limit="backends.pending_max") > 0
        release.set()
        assert_comes_back(running)
        running.stop()
    finally:
        release.set()
        hook.close()


def test_bodies_of_the_api(gateway):
    running = gateway(server=SERVER, admin={"max_body": "1MiB"})
    with contextlib.ExitStack() as stack, Watch(running) as watch:
        answers = []
        for _ in range(8):
            connection = http.client.HTTPConnection(*running.admin, timeout=5)
            stack.callback(connection.close)
            connection.putrequest("POST", "/api/v1/clients/ws/nobody/messages")
            connection.putheader("Content-Type", "application/octet-stream")
            connection.putheader("Content-Length", str(MIB))
            connection.endheaders()
            with contextlib.suppress(OSError):
                connection.send(b"b" * (MIB - 1))
            connection.sock.settimeout(0.3)
            with contextlib.suppress(OSError, http.client.HTTPException):
                answers.append(connection.getresponse())
        assert answers, "nobody was refused"
        for answer in answers:
            assert answer.status == 503
            assert answer.headers["Gatehouse-Limit"].startswith("payload_memory;")
            assert json.loads(answer.read())["limit"] == "payload_memory"
        assert_goes_on(running, watch)
    assert_comes_back(running)


def test_row_of_the_limits_table(gateway):
    running = gateway(server=SERVER)
    rows = {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}
    row = rows["payload_memory"]
    assert (row["state"], row["value"], row["unit"]) == ("known", LIMIT, "bytes")
    assert row["source"] == "server.payload_memory"
    assert "room for 2 messages of max_message_size" in row["note"]
    assert {"place": "configuration", "text": f"server.payload_memory: {2 * LIMIT}"} in row["remedies"]


# --- in a container ---

V1, V2 = pathlib.Path("/sys/fs/cgroup/memory"), pathlib.Path("/sys/fs/cgroup")


@pytest.fixture
def container():
    """container(bytes): a memory cgroup of this size; what it returns is run in the child."""
    if (V1 / "memory.limit_in_bytes").exists():
        root, knob = V1, "memory.limit_in_bytes"
    elif (V2 / "cgroup.controllers").exists():
        root, knob = V2, "memory.max"
    else:
        pytest.skip("no memory cgroups here")
    made = []

    def make(size: int):
        path = root / f"gatehouse-test-{os.getpid()}-{len(made)}"
        try:
            path.mkdir()
            made.append(path)
            (path / knob).write_text(str(size))
        except OSError as problem:
            pytest.skip(f"no memory cgroup can be made here: {problem}")
        return lambda: (path / "cgroup.procs").write_text(str(os.getpid()))

    yield make

    def is_gone(path) -> bool:
        with contextlib.suppress(OSError):
            path.rmdir()
        return not path.exists()

    for path in made:
        wsraw.wait_until(lambda: is_gone(path), f"{path} is empty")


def test_container_with_the_defaults_outlives_its_clients(container, gateway, sanitized):
    """64 MiB, max_connections and payload_memory auto, 120 clients with 1 MiB each."""
    if sanitized:
        pytest.skip("a sanitizer's memory does not fit")
    running = gateway(server={"workers": 1}, prepare=container(64 * MIB))
    promised = running.metric("limit_connections", limit="cgroup.memory")
    maximum = running.metric("limit", limit="payload_memory")
    assert 8 * MIB < maximum < 20 * MIB
    assert promised * 6144 + maximum <= 64 * MIB
    part = wsraw.frame(wsraw.BINARY, b"z" * MIB)[:-1]
    with contextlib.ExitStack() as stack:
        for number in range(120):
            client = open_or_refused(running, f"/ws/{number}")
            if client is not None:
                stack.enter_context(client)
                client.sock.settimeout(0.2)
                with contextlib.suppress(OSError):
                    client.sock.sendall(part)
        wsraw.wait_until(lambda: ended(running) > 0, "holders are closed by name")
        assert running.process.poll() is None
    wsraw.wait_until(lambda: used(running) < maximum // 2, "the memory is given back")
    wsraw.wait_until(lambda: running.memory() < 32 * MIB, "and goes back to the system")
    with running.open("/ws/after") as client:
        client.echo(b"still here")
