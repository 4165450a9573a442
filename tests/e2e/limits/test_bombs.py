# SPDX-License-Identifier: Apache-2.0
"""Compressed messages that would become a thousand times as large, by many clients at once."""

import contextlib
import zlib

import pytest

from kit.deflated import RSV1, Deflated
from kit.wsraw import BINARY, CONTINUATION, frame

MIB = 1 << 20


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(bytes(size)) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("mode", ["shared", "window"])
def test_bombs_cost_what_was_sent(gateway, sanitized, mode):
    running = gateway(routes=[{"path": "/ws/{client_id}", "compression": mode}])
    data = bomb(30 * MIB)
    assert len(data) < 31000
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Deflated(running.connect(), f"/ws/{n}")) for n in range(200)]
        before = running.memory()
        for client in clients:
            client.client.send(frame(BINARY, data[:-1], final=False, reserved=RSV1))
        held = running.memory()
        for client in clients:
            client.client.send(frame(CONTINUATION, data[-1:]))
        for client in clients:
            client.client.expect_close(1009)
        if not sanitized:
            assert held - before < 200 * 80000, "what is half sent costs more than twice what was sent"
            assert running.memory() - before < 200 * 80000 + 8 * MIB
    running.wait_metric("connections_closed_total", 200, reason="message_too_big")
