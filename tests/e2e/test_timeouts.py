# SPDX-License-Identifier: Apache-2.0
"""What happens to clients that are silent."""

import time

import pytest

import wsraw
from wsraw import PING, PONG, TEXT


@pytest.mark.parametrize("sent", [b"", wsraw.request()[:40]], ids=["nothing", "half a request"])
def test_handshake_timeout(gateway, sent):
    """408 or nothing, then the end; not before its time."""
    running = gateway(server={"handshake_timeout": "1s"})
    with running.connect() as client:
        started = time.monotonic()
        client.send(sent)
        try:
            assert client.read_response().status == 408
        except EOFError:
            pass
        assert client.is_closed()
        assert 0.9 <= time.monotonic() - started
    running.wait_metric("connections", 0)


def test_slowloris_cannot_stretch_the_handshake(gateway):
    """A byte now and then does not move the deadline."""
    running = gateway(server={"handshake_timeout": "1s"})
    with running.connect() as client:
        client.sock.settimeout(0.1)

        def is_ended() -> bool:
            try:
                client.send(b"G")
                return client.sock.recv(4096) is not None  # 408 or the end
            except TimeoutError:
                return False
            except (ConnectionResetError, BrokenPipeError):
                return True

        wsraw.wait_until(is_ended, "the end of the connection")


@pytest.mark.tsan
def test_idle_client_is_pinged_and_stays(gateway):
    """An idle client that answers pings lives; the answer needs no payload of its own."""
    running = gateway(server={"ping_interval": "1s", "pong_timeout": "1s"})
    with running.open() as client:
        for _ in range(3):
            got = client.read_frame()
            assert got.opcode == PING
            client.send_frame(PONG, got.payload)
        client.echo(b"alive", TEXT)


def test_no_pong_ends_the_connection(gateway):
    running = gateway(server={"ping_interval": "1s", "pong_timeout": "1s"})
    with running.open() as client:
        started = time.monotonic()
        assert client.read_frame().opcode == PING
        try:
            client.read_close()
        except EOFError:
            pass
        assert client.is_closed()
        assert 1.8 <= time.monotonic() - started
    running.wait_metric("connections_closed_total", 1, reason="pong_timeout")
    running.wait_metric("connections", 0)


def test_busy_client_is_not_pinged(gateway):
    """Any traffic shows life: over 2.5 intervals of steady messages no ping comes."""
    running = gateway(server={"ping_interval": "1s", "pong_timeout": "1s"})
    with running.open() as client:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            client.echo(b"tick")  # fails if a ping comes instead
            time.sleep(0.02)


def test_closing_handshake_has_a_time_limit(gateway):
    """A peer that broke the protocol and then keeps its socket open is cut off."""
    running = gateway()
    with running.open() as client:
        client.send(wsraw.frame(TEXT, b"x", key=None))
        assert client.read_close()[0] == 1002
        running.wait_metric("connections", 0)


def test_peer_that_never_reads_its_close(gateway):
    """Our FIN is answered, but the client sends on for ever: the place becomes free."""
    running = gateway()
    with running.open() as client:
        client.send(wsraw.close_frame(1000))
        running.wait_metric("connections", 0)
        assert client.read_close()[0] == 1000
