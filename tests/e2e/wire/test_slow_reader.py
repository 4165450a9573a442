# SPDX-License-Identifier: Apache-2.0
"""Clients that send but do not read."""

import select
import time

import pytest

from kit import wsraw
from kit.gateway import given_time

MIB = 1024 * 1024


@pytest.mark.tsan
def test_gateway_stops_taking_from_one_who_does_not_read(gateway, sanitized):
    """What is taken is bounded by queue and socket buffers, and so is our memory."""
    running = gateway(server={"send_queue_max": "64KiB", "send_timeout": "1m"})
    before = running.memory()
    with running.open("/ws/slow", receive_buffer=4096) as slow, running.open("/ws/other") as other:
        taken = wsraw.push(slow, wsraw.frame(wsraw.BINARY, b"x" * 8192), 64 * MIB)
        assert taken < 32 * MIB, "no back pressure"
        if not sanitized:
            assert running.memory() - before < 8 * MIB
        other.echo(b"others are served")


@pytest.mark.parametrize("size", [8192, 512 * 1024], ids=["many messages", "large messages"])
def test_slow_reader_is_closed_and_counted(gateway, size):
    """One who takes nothing for send_timeout is closed for it, by name; the place is free."""
    running = gateway(server={"send_queue_max": "64KiB", "send_timeout": "500ms"})
    with running.open("/ws/slow", receive_buffer=4096) as slow:
        wsraw.push(slow, wsraw.frame(wsraw.BINARY, b"x" * size), 64 * MIB)
        running.wait_metric("connections", 0)
        assert running.metric("connections_closed_total", reason="slow_reader") == 1
    said = running.wait_log("connection closed")
    assert (said["level"], said["reason"], said["client_id"]) == ("info", "slow_reader", "slow")


def test_message_larger_than_the_queue_reaches_one_who_reads(gateway):
    running = gateway(server={"send_queue_max": "4KiB", "max_message_size": "1MiB"})
    with running.open("/ws/big") as client:
        client.echo(b"x" * MIB)
        client.echo(b"and on")


def test_one_who_reads_slowly_but_steadily_stays(gateway):
    """Progress, however small, is not silence: three send_timeouts of trickling. Before
    that the client itself pauses for far less than one."""
    def check(factor: int) -> None:
        running = gateway(server={"send_queue_max": "64KiB", "send_timeout": f"{factor}s"})
        with running.open("/ws/trickle", receive_buffer=4096) as client:
            wsraw.push(client, wsraw.frame(wsraw.BINARY, b"x" * 8192), 64 * MIB, patience=0.1)
            end = time.monotonic() + 3.1 * factor
            while time.monotonic() < end:
                assert client.sock.recv(4096), "closed although it reads"
                time.sleep(0.02)
            assert running.metric("connections") == 1

    given_time(check)


def test_reader_who_pauses_gets_everything(gateway):
    """Back pressure is not loss: after a pause every byte arrives, in order."""
    running = gateway()
    message = wsraw.frame(wsraw.BINARY, bytes(range(256)) * 16)
    with running.open("/ws/pause", receive_buffer=8192) as client:
        sent = wsraw.push(client, message, 256 * 1024)
        whole = sent // len(message)
        for _ in range(whole):
            assert client.read_message() == (wsraw.BINARY, bytes(range(256)) * 16)


def test_many_slow_readers_share_bounded_memory(gateway, sanitized):
    running = gateway(server={"send_queue_max": "64KiB", "send_timeout": "1m", "workers": 2})
    before = running.memory()
    clients = [running.open(f"/ws/s-{n}", receive_buffer=4096) for n in range(50)]
    data = wsraw.frame(wsraw.BINARY, b"x" * 8192)
    for client in clients:
        client.sock.setblocking(False)
    end = time.monotonic() + 2
    sent = [0] * len(clients)
    while time.monotonic() < end:
        _, writable, _ = select.select([], [client.sock for client in clients], [], 0.1)
        for number, client in enumerate(clients):
            if client.sock in writable:
                try:
                    sent[number] += client.sock.send(data[sent[number] % len(data):])
                except (BlockingIOError, ConnectionResetError, BrokenPipeError):
                    pass
    if not sanitized:
        assert running.memory() - before < 50 * 4 * 65536 + 8 * MIB
    for client in clients:
        client.close()
    running.wait_metric("connections", 0)
