# SPDX-License-Identifier: Apache-2.0
"""What a client sees that comes while the gateway is stopping."""

import json
import signal
import threading

import pytest

from kit import wsraw
from kit.gateway import assert_refusal


@pytest.fixture
def stopping(gateway):
    """(a gateway that waits for its last client's close frame, that client)"""
    running = gateway(server={"close_timeout": "1m", "drain_timeout": "1m", "workers": 2})
    last = running.open("/ws/last")
    running.signal(signal.SIGTERM)
    assert last.read_close() == (1001, b"server is shutting down")
    yield running, last
    last.send(wsraw.close_frame(1001))
    assert running.wait_exit() == 0
    last.close()


@pytest.mark.tsan
def test_upgrades_are_refused_by_name(stopping):
    running, _ = stopping
    for number in range(8):
        with running.connect() as client:
            answer = client.handshake(f"/ws/{number}")
            assert answer.status == 503
            assert_refusal(answer, "draining", 1, 0)
            assert client.is_closed()
    assert running.metric("connections_refused_total", limit="draining") == 8


def test_health_says_so_on_both_ports(stopping):
    running, _ = stopping
    for is_admin in (False, True):
        for path in ("/health", "/readyz"):
            answer = running.get(path, admin=is_admin)
            assert answer.status == 503
            assert json.loads(answer.body)["status"] == "draining"


def test_answers_are_the_last_ones(stopping):
    """No connection is kept: a probe that stays would be waited for."""
    running, _ = stopping
    with running.connect() as client:
        client.send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.read_response().headers["connection"] == "close"
        assert client.is_closed()


def test_silent_ones_are_not_waited_for(stopping):
    running, _ = stopping
    with running.connect() as silent, running.connect() as half:
        half.send(b"GET /ws/h HTTP/1.1\r\n")
        assert half.read_response().status == 408
        assert silent.is_closed()


def test_a_crowd_at_the_door_does_not_hold_up_the_end(stopping):
    """Probes and clients that come again and again, and some that say nothing."""
    running, last = stopping
    is_over = threading.Event()
    seen: set[int] = set()

    def come() -> None:
        while not is_over.is_set():
            try:
                with running.connect() as silent, running.connect() as client:
                    seen.add(client.handshake("/ws/late").status)
                    silent.close()
            except (OSError, EOFError, AssertionError):
                is_over.wait(0.01)

    crowd = [threading.Thread(target=come) for _ in range(4)]
    for thread in crowd:
        thread.start()
    try:
        running.wait_metric("connections", 1)
        wsraw.wait_until(lambda: 503 in seen, "refusals")
        last.send(wsraw.close_frame(1001))
        assert running.wait_exit() == 0
    finally:
        is_over.set()
        for thread in crowd:
            thread.join()
    assert seen == {503}
