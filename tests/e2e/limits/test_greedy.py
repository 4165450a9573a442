# SPDX-License-Identifier: Apache-2.0
"""Clients that take all that they can get do not keep the others waiting; and what clients sent in time
counts, however late the gateway comes to read it."""

import contextlib
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

from kit import wsraw
from kit.gateway import given_time

GREEDY = pathlib.Path(__file__).parents[1] / "kit" / "greedy.py"
ECHO = [{"path": "/ws/{client_id}", "backend": "echo"}]


@contextlib.contextmanager
def greedy(gateway, count: int):
    process = subprocess.Popen([sys.executable, GREEDY, str(gateway.address[1]), str(count)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
        assert process.poll() is None, "the gateway has cut them"
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def worked_seconds(gateway) -> float:
    """Processor time of the gateway's threads."""
    tasks = pathlib.Path(f"/proc/{gateway.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def health_seconds(gateway) -> float:
    """A new client's whole request: how long the gateway worked meanwhile, for others or for it. While it
    has no processor, nothing of it can be in anybody's way."""
    begin = worked_seconds(gateway)
    assert gateway.get("/health", admin=False).status == 200
    return worked_seconds(gateway) - begin


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


@pytest.mark.parametrize("count", [8, 50, 2000])
def test_new_client_does_not_wait_for_greedy_ones(gateway, count):
    """Within 100 ms of work, where a quiet machine gives 5: the median, since on a busy machine the client of
    any single request may find no processor for longer; and none may wait as long as they go on."""
    running = gateway(server={"max_connections": 4000}, routes=ECHO)
    with greedy(running, count):
        received = running.metric("received_bytes_total")
        waits = [health_seconds(running) for _ in range(30)]
        assert running.metric("received_bytes_total") > received, "they were read as well"
    assert median(waits) < 0.1, f"{sorted(waits)}"
    assert max(waits) < 3, f"{sorted(waits)}"


def test_clients_beside_greedy_ones_are_not_cut(gateway):
    """Nine: one more than io_uring has memory for at once. Their pongs are read, and their echoes come."""
    def check(factor: int) -> None:
        running = gateway(server={"ping_interval": f"{factor}s", "pong_timeout": f"{2 * factor}s"}, routes=ECHO)
        others = [running.open(f"/ws/other-{n}") for n in range(4)]
        with greedy(running, 9):
            until = time.monotonic() + 4 * factor
            while time.monotonic() < until:
                for client in others:
                    say(client, b"hello")
        assert running.metric("connections_closed_total", reason="pong_timeout") == 0

    given_time(check)


def test_lag_and_busy_share_of_each_worker(gateway):
    running = gateway(server={"workers": 2}, routes=ECHO)
    with greedy(running, 8):
        for worker in ("0", "1"):
            wsraw.wait_until(lambda worker=worker: running.metric("loop_lag_seconds_count", worker=worker) > 0,
                             f"worker {worker} measures its lag")
        before = running.metric("loop_busy_seconds_total")
        wsraw.wait_until(lambda: running.metric("loop_busy_seconds_total") > before, "the workers are busy")
    assert running.metric("loop_busy_seconds_total") <= running.cpu_seconds() + 0.1
    assert running.metric("loop_lag_seconds_sum") < running.metric("loop_lag_seconds_count"), "a second in the mean"


# --- what was sent in time counts ---


def say(client, text: bytes) -> None:
    """Answers pings until the echo comes."""
    client.send_frame(wsraw.TEXT, text)
    hear(client, text)


def hear(client, text: bytes) -> None:
    while (frame := client.read_frame()).opcode == wsraw.PING:
        client.send_frame(wsraw.PONG, frame.payload)
    assert (frame.opcode, frame.payload) == (wsraw.TEXT, text)


def stand_still(gateway, seconds: float, meanwhile) -> None:
    """As a frozen machine does."""
    gateway.signal(signal.SIGSTOP)
    try:
        meanwhile()
        time.sleep(seconds)  # what is tested is that this time passes
    finally:
        gateway.signal(signal.SIGCONT)


def test_pongs_that_came_in_time_count_after_a_stall(gateway):
    def check(factor: int) -> None:
        running = gateway(server={"ping_interval": "1s", "pong_timeout": f"{factor}s"}, routes=ECHO)
        clients = [running.open(f"/ws/client-{n}") for n in range(100)]
        for client in clients:
            assert client.read_frame().opcode == wsraw.PING
        stand_still(running, factor + 1.5, lambda: [client.send_frame(wsraw.PONG, b"") for client in clients])
        for client in clients:
            say(client, b"still here")
        assert running.metric("connections_closed_total") == 0

    given_time(check)


def test_message_that_came_in_time_counts_after_a_stall(gateway):
    def check(factor: int) -> None:
        running = gateway(server={"idle_timeout": f"{2 * factor}s"}, routes=ECHO)
        client = running.open("/ws/client")
        stand_still(running, 2 * factor + 1, lambda: client.send_frame(wsraw.TEXT, b"hello"))
        hear(client, b"hello")

    given_time(check)


def test_head_that_came_in_time_counts_after_a_stall(gateway):
    def check(factor: int) -> None:
        running = gateway(server={"handshake_timeout": f"{factor}s"}, routes=ECHO)
        client = running.connect()
        running.wait_metric("sockets", 1)
        stand_still(running, factor + 1, lambda: client.send(wsraw.request("/ws/client")))
        assert client.read_response().status == 101

    given_time(check)


# --- messages to many ---


def data_segments(client) -> int:
    """That came for this client: what left in one send comes as one."""
    info = client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int.from_bytes(info[152:156], "little")  # tcpi_data_segs_in


def test_messages_to_many_that_wait_go_together(gateway):
    """The more of them wait, the less each costs, or the gateway would fall behind and stay there: here more
    clients than one turn of a worker delivers to, and messages that came while it stood still."""
    count, messages = 1200, 40
    running = gateway(server={"max_connections": 4000}, routes=ECHO)
    clients = [running.open(f"/ws/client-{n}") for n in range(count)]
    before = [data_segments(client) for client in clients]
    services = [wsraw.Client(running.admin) for _ in range(messages)]
    running.signal(signal.SIGSTOP)
    try:
        for number, service in enumerate(services):
            body = b"message %d" % number
            service.send(b"POST /api/v1/broadcast HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
                         b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    finally:
        running.signal(signal.SIGCONT)
    for service in services:
        answer = service.read_response()
        assert (answer.status, json.loads(answer.body)["delivered"]) == (200, count)
    expected = {b"message %d" % number for number in range(messages)}
    orders = set()
    for client in clients:
        heard = tuple(client.read_frame().payload for _ in range(messages))
        assert set(heard) == expected
        orders.add(heard)
    assert len(orders) == 1, "all hear them in the same order"
    sends = [data_segments(client) - old for client, old in zip(clients, before)]
    assert sorted(sends)[count // 2] <= messages // 4, f"sends for each client: {sorted(sends)}"
