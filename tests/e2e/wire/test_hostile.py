# SPDX-License-Identifier: Apache-2.0
"""Clients that mean harm: the gateway stays up, its memory bounded, others served."""

import contextlib
import random
import struct

import pytest

from kit import wsraw
from kit.wsraw import BINARY, CONTINUATION, PING, TEXT, frame

MIB = 1024 * 1024


@pytest.fixture
def attacked(gateway, sanitized):
    """A gateway with a bystander, who must be served all along; and its memory."""
    running = gateway(server={"max_message_size": "1MiB", "handshake_timeout": "30s"})
    before = running.memory()
    with running.open("/ws/bystander") as bystander:
        yield running
        bystander.echo(b"served all along")
        if not sanitized:
            assert running.memory() - before < 48 * MIB


@pytest.mark.tsan
def test_random_bytes_instead_of_a_handshake(attacked):
    source = random.Random(1)
    for _ in range(200):
        with attacked.connect() as client, contextlib.suppress(OSError):
            client.send(source.randbytes(source.randint(1, 3000)))


@pytest.mark.tsan
def test_random_bytes_after_the_handshake(attacked):
    source = random.Random(2)
    for number in range(200):
        with attacked.open(f"/ws/r-{number}") as client, contextlib.suppress(OSError):
            client.send(source.randbytes(source.randint(1, 3000)))
    attacked.wait_metric("connections", 1)


def test_good_traffic_with_one_bit_flipped(attacked):
    """A whole conversation, broken in one place each time."""
    source = random.Random(3)
    good = (wsraw.request() + frame(TEXT, "grüße".encode(), final=False) + frame(PING, b"p") +
            frame(CONTINUATION, b"x" * 300) + frame(BINARY, b"y" * 70000) + wsraw.close_frame(1000))
    for _ in range(300):
        bad = bytearray(good)
        bad[source.randrange(2000)] ^= 1 << source.randrange(8)
        with attacked.connect() as client, contextlib.suppress(OSError):
            client.send(bytes(bad))
    attacked.wait_metric("connections", 1)


def test_announced_lengths_cost_nothing(attacked, sanitized):
    """100 clients announce the largest message allowed and send 10 bytes of it."""
    before = attacked.memory()
    head = bytes([0x82, 0xff]) + struct.pack(">Q", MIB) + b"\0\0\0\0" + b"x" * 10
    with contextlib.ExitStack() as stack:
        for number in range(100):
            stack.enter_context(attacked.open(f"/ws/big-{number}")).send(head)
        attacked.wait_metric("connections", 101)
        if not sanitized:
            assert attacked.memory() - before < 8 * MIB


def test_a_million_empty_fragments(attacked):
    """Fragments without content never end and never grow anything."""
    with attacked.open("/ws/fragments") as client:
        client.send_frame(TEXT, b"a", final=False)
        chunk = frame(CONTINUATION, b"", final=False) * 10000
        for _ in range(20):
            client.send(chunk)
        client.send_frame(CONTINUATION, b"z")
        assert client.read_message() == (TEXT, b"az")


def test_fragments_of_one_byte(attacked):
    with attacked.open("/ws/fragments") as client:
        client.send(frame(BINARY, b"x", final=False) + frame(CONTINUATION, b"x", final=False) * 20000 +
                    frame(CONTINUATION, b"x"))
        assert client.read_message() == (BINARY, b"x" * 20002)


def test_flood_of_pings_that_nobody_reads(attacked):
    """Answers to pings queue up: that queue has a cap too."""
    with attacked.open("/ws/pings", receive_buffer=4096) as client:
        client.sock.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                client.send(frame(PING, b"p" * 125) * 100)


def test_two_hundred_half_open_handshakes(attacked):
    """Slowloris: each sends half a head and stays. Others get in."""
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(attacked.connect()).send(wsraw.request()[:100])
        with attacked.open("/ws/late") as late:
            late.echo(b"in")


def test_endless_head(attacked):
    """A head that never ends is refused at its limit."""
    with attacked.connect() as client:
        client.send(b"GET /ws/x HTTP/1.1\r\nHost: x\r\n")
        with contextlib.suppress(OSError):
            for n in range(10000):
                client.send(b"X-%d: %s\r\n" % (n, b"v" * 1000))


def test_connect_and_vanish(attacked):
    """1,000 connections that are reset at once."""
    for _ in range(1000):
        client = attacked.connect()
        client.sock.setsockopt(wsraw.socket.SOL_SOCKET, wsraw.socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        client.close()
    attacked.wait_metric("connections", 1)


@pytest.mark.parametrize("path", ["/ws/%2e%2e", "/ws/%00", "/ws/" + "%41" * 500, "/ws/%zz", "/ws/%",
                                  "//ws/a", "/ws/a#fragment", "/ws/\x7f", "*", "http://x/ws/a"],
                         ids=lambda path: path[:12])
def test_strange_targets_get_an_answer(attacked, path):
    with attacked.connect() as client:
        client.send(wsraw.request(path))
        assert client.read_response().status in (101, 400, 404, 414)
