# SPDX-License-Identifier: Apache-2.0
"""What one client may send: message_rate, message_burst, byte_rate, message_rate_action."""

import json
import time

import pytest

from kit import wsraw
from kit.api import Api


def burst(count: int) -> bytes:
    return b"".join(wsraw.frame(wsraw.BINARY, b"%d" % number) for number in range(count))


def read_numbers(client, count: int) -> None:
    for number in range(count):
        assert client.read_message() == (wsraw.BINARY, b"%d" % number)


def test_a_fast_client_is_slowed_down_and_loses_nothing(gateway):
    running = gateway(server={"message_rate": 50, "message_burst": 10})
    with running.open() as client, running.open() as other:
        start = time.monotonic()
        client.send(burst(60))
        other.echo(b"of another client, which is not held back")
        read_numbers(client, 60)
        assert time.monotonic() - start >= 0.95 * (60 - 10) / 50
        client.echo(b"and on")
    running.wait_metric("rate_held_connections", 0)
    assert running.metric("rate_holds_total") >= 1
    assert running.metric("stalls_total") == running.metric("rate_holds_total")


def test_held_back_is_seen_in_inspect_and_limits(gateway):
    running = gateway(server={"message_rate": 1, "message_burst": 2})
    asked = Api(running.admin)
    with running.open("/ws/fast") as client, running.open("/ws/calm") as calm:
        client.send(burst(1000))
        read_numbers(client, 2)
        running.wait_metric("rate_held_connections", 1)
        assert asked.inspect("fast")["held_back"] is True
        calm.echo(b"x")
        assert asked.inspect("calm")["held_back"] is False
        rows = {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}
        assert rows["message_rate"]["value"] == 1 and rows["byte_rate"]["state"] == "off"
        assert "held back now, for their messages or bytes: 1" in rows["message_rate"]["note"]
        # TCP holds it back in the end: what is kept of it is bounded.
        wsraw.push(client, wsraw.frame(wsraw.BINARY, b"z" * 60000), 64 * 1048576)
        assert running.metric("messages_received_total") < 60
    running.wait_metric("connections", 0)


def test_pings_before_the_next_message_are_answered(gateway):
    running = gateway(server={"message_rate": 1, "message_burst": 1})
    with running.open() as client:
        client.send(burst(1) + wsraw.frame(wsraw.PING, b"1") + wsraw.frame(wsraw.BINARY, b"late") +
                    wsraw.frame(wsraw.PING, b"2"))
        read_numbers(client, 1)
        frame = client.read_frame()
        assert (frame.opcode, frame.payload) == (wsraw.PONG, b"1")
        assert client.read_message() == (wsraw.BINARY, b"late")
        frame = client.read_frame()
        assert (frame.opcode, frame.payload) == (wsraw.PONG, b"2")


def test_bytes(gateway):
    """A message is larger than the rate: it is let through, and the next waits the longer. Meanwhile
    no pong is missed."""
    running = gateway(server={"byte_rate": "64KiB", "ping_interval": "200ms", "pong_timeout": "200ms"})
    with running.open() as client:
        start = time.monotonic()
        for number in range(4):
            client.send_frame(wsraw.BINARY, bytes([number]) * 65536)
        for number in range(4):
            while (frame := client.read_frame()).opcode == wsraw.PING:
                client.send_frame(wsraw.PONG, frame.payload)
            assert (frame.opcode, frame.payload) == (wsraw.BINARY, bytes([number]) * 65536)
        assert time.monotonic() - start >= 1.9
    running.wait_metric("connections", 0)
    assert running.metric("connections_closed_total", reason="pong_timeout") == 0
    assert running.metric("rate_holds_total") >= 1


@pytest.mark.parametrize("keys, flood, label, text", [
    ({"message_rate": 5}, burst(6), "message_rate", b"more messages than message_rate allows"),
    ({"byte_rate": "2KiB"}, wsraw.frame(wsraw.BINARY, b"x" * 1000) * 3, "byte_rate",
     b"more bytes than byte_rate allows"),
])
def test_close_instead(gateway, keys, flood, label, text):
    running = gateway(server={**keys, "message_rate_action": "close"})
    with running.open() as client, running.open() as other:
        other.echo(b"x")
        client.send(flood)
        while (frame := client.read_frame()).opcode == wsraw.BINARY:
            pass
        assert frame.opcode == wsraw.CLOSE
        assert frame.payload == (1008).to_bytes(2, "big") + text
        assert client.is_closed()
        other.echo(b"still here")
    running.wait_metric("connections_closed_total", 1, reason=label)
    assert running.metric("rate_holds_total") == 0


def test_a_client_that_is_held_back_can_be_closed_and_drained(gateway):
    running = gateway(server={"message_rate": 1})
    asked = Api(running.admin)
    with running.open("/ws/a") as first, running.open("/ws/b") as second:
        for client in (first, second):
            client.send(burst(5) + wsraw.close_frame(1000))
        running.wait_metric("rate_held_connections", 2)
        asked.close("a")
        read_numbers(first, 1)
        first.expect_close(1000)
        running.wait_metric("connections", 1)
        running.stop()
        read_numbers(second, 1)
        second.expect_close(1001)
