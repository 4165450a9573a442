# SPDX-License-Identifier: Apache-2.0
"""What happens to clients that are silent."""

import time

import pytest

from kit import wsraw
from kit.gateway import given_time
from kit.wsraw import PING, PONG, TEXT


@pytest.mark.parametrize("sent", [b"", wsraw.request()[:40]], ids=["nothing", "half a request"])
def test_handshake_timeout(gateway, sent):
    """408 or nothing, then the end; not before its time."""
    running = gateway(server={"handshake_timeout": "500ms"})
    started = time.monotonic()
    with running.connect() as client:
        client.send(sent)
        try:
            assert client.read_response().status == 408
        except EOFError:
            pass
        assert client.is_closed()
        assert 0.45 <= time.monotonic() - started
    running.wait_metric("connections", 0)


def test_slowloris_cannot_stretch_the_handshake(gateway):
    """A byte now and then does not move the deadline."""
    running = gateway(server={"handshake_timeout": "500ms"})
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
    def check(factor: int) -> None:
        running = gateway(server={"ping_interval": f"{400 * factor}ms", "pong_timeout": f"{400 * factor}ms"})
        with running.open() as client:
            for _ in range(3):
                got = client.read_frame()
                assert got.opcode == PING
                client.send_frame(PONG, got.payload)
            client.echo(b"alive", TEXT)

    given_time(check)


def test_pings_come_every_interval_also_below_the_pong_timeout(gateway):
    """A quick answer is not waited for until pong_timeout: six pings in far less than six of those."""
    running = gateway(server={"ping_interval": "200ms", "pong_timeout": "1m"})
    with running.open() as client:
        started = time.monotonic()
        for _ in range(6):
            got = client.read_frame()
            assert got.opcode == PING
            client.send_frame(PONG, got.payload)
        assert 1.0 <= time.monotonic() - started < 60


def test_no_pong_below_the_interval_ends_it_all_the_same(gateway):
    running = gateway(server={"ping_interval": "200ms", "pong_timeout": "1s"})
    started = time.monotonic()
    with running.open() as client:
        assert client.read_frame().opcode == PING
        code, _ = client.read_close()
        assert code == 1001 and time.monotonic() - started >= 1.1
    running.wait_metric("connections_closed_total", 1, reason="pong_timeout")
    assert running.metric("pings_sent_total") == 1


def test_no_pong_ends_the_connection(gateway):
    running = gateway(server={"ping_interval": "400ms", "pong_timeout": "400ms"})
    started = time.monotonic()
    with running.open() as client:
        assert client.read_frame().opcode == PING
        try:
            client.read_close()
        except EOFError:
            pass
        assert client.is_closed()
        assert 0.75 <= time.monotonic() - started
    running.wait_metric("connections_closed_total", 1, reason="pong_timeout")
    running.wait_metric("connections", 0)


def test_busy_client_is_not_pinged(gateway):
    """Any traffic shows life: over 2.5 intervals of steady messages no ping comes."""
    def check(factor: int) -> None:
        running = gateway(server={"ping_interval": f"{400 * factor}ms", "pong_timeout": f"{400 * factor}ms"})
        with running.open() as client:
            end = time.monotonic() + 1.0 * factor
            while time.monotonic() < end:
                client.echo(b"tick")  # fails if a ping comes instead
                time.sleep(0.02)

    given_time(check)


def test_silence_without_pings_ends_at_the_idle_timeout(gateway):
    """idle_timeout counts messages: answering pings does not move it."""
    running = gateway(server={"ping_interval": "200ms", "pong_timeout": "1m", "idle_timeout": "1s"})
    with running.open() as client:
        started = time.monotonic()
        client.echo(b"the last message")
        got = client.read_frame()
        while got.opcode == PING:
            client.send_frame(PONG, got.payload)
            got = client.read_frame()
        assert got.opcode == wsraw.CLOSE
        assert 0.9 <= time.monotonic() - started
        client.send(wsraw.close_frame(1000))
        assert client.is_closed()
    running.wait_metric("connections_closed_total", 1, reason="idle_timeout")


def test_messages_move_the_idle_timeout(gateway):
    def check(factor: int) -> None:
        running = gateway(server={"idle_timeout": f"{500 * factor}ms"})
        with running.open() as client:
            end = time.monotonic() + 1.2 * factor
            while time.monotonic() < end:
                client.echo(b"tick")
                time.sleep(0.05)

    given_time(check)


def test_peer_that_never_answers_our_close(gateway):
    """A silent peer is cut off after close_timeout, not before."""
    running = gateway(server={"idle_timeout": "200ms", "close_timeout": "500ms"})
    started = time.monotonic()
    with running.open() as client:
        client.read_close()
        assert client.is_closed()
        assert 0.65 <= time.monotonic() - started  # idle_timeout and then close_timeout
    running.wait_metric("connections", 0)


def test_peer_that_keeps_its_socket_after_the_close(gateway):
    """Both sides have said close, but the peer never closes TCP: the place is free."""
    running = gateway(server={"close_timeout": "500ms"})
    with running.open() as client:
        client.send(wsraw.close_frame(1000))
        running.wait_metric("connections", 0)
        assert client.read_close()[0] == 1000


def test_peer_that_broke_the_protocol_and_stays(gateway):
    running = gateway(server={"close_timeout": "500ms"})
    with running.open() as client:
        client.send(wsraw.frame(TEXT, b"x", key=None))
        assert client.read_close()[0] == 1002
        running.wait_metric("connections", 0)
