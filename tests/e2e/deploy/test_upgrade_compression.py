# SPDX-License-Identifier: Apache-2.0
"""Compressed clients go on in a new process, with their windows, in the middle of a message too; in clear and by TLS."""

import contextlib

import pytest

from kit import upgrades
from kit.deflated import RSV1, Deflated, records
from kit.wsraw import CONTINUATION, PING, PONG, TEXT

ROUTES = [{"path": "/shared/{client_id}", "compression": "shared"}, {"path": "/window/{client_id}", "compression": "window"}]


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


@pytest.fixture(params=["plain", "tls"])
def door(request):
    return request.getfixturevalue("sealed_door")() if request.param == "tls" else request.getfixturevalue(
        "plain_door")


def test_windows_go_along(gateway):
    running = gateway(routes=ROUTES)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Deflated(running.connect(), f"/{road}/{n}"))
                   for road in ("shared", "window") for n in range(4)]
        sizes = {}
        for client in clients:
            for number in range(5):
                sizes[client] = client.echo(records(600, number), TEXT)
        halves = [client.deflate(records(900)) for client in clients]
        for client, data in zip(clients, halves):
            client.client.send_frame(TEXT, data[:50], final=False, reserved=RSV1)
            client.client.send_frame(PING)
            assert client.client.read_frame().opcode == PONG  # it was read
        used = running.metric("limit_used", limit="compression_memory")
        assert used == 4 * 8192
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        assert running.metric("connections") == running.metric("compression_connections") == len(clients)
        assert running.metric("limit_used", limit="compression_memory") == used
        for client, data in zip(clients, halves):
            client.client.send_frame(CONTINUATION, data[50:])
            assert client.read()[:2] == (TEXT, records(900))
            for number in range(5):
                size = client.echo(records(600, 5 + number), TEXT)
            assert size < sizes[client] * 1.2, "it refers to nothing any more"
    running.wait_metric("limit_used", 0, limit="compression_memory")
