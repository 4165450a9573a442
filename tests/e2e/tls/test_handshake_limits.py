# SPDX-License-Identifier: Apache-2.0
"""How many TLS handshakes are under way at once, and begin in a second: who comes beyond waits, and is seen."""

import contextlib
import json
import socket
import ssl
import threading

import pytest

from kit import tlsraw, wsraw


def listeners(pair) -> dict:
    return {"listeners": [{"address": "127.0.0.1:0", "tls": {"certificates": [pair.files]}}]}


def hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        tlsraw.client_context(None).wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


def begun(running, *, leave_out: int = 0) -> socket.socket:
    """A client in the middle of its handshake: it has sent its ClientHello, perhaps without the last bytes."""
    sock = socket.create_connection(running.address, timeout=wsraw.SECONDS)
    sock.sendall(hello()[:-leave_out or None])
    return sock


def rows(running) -> dict:
    return {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}


def test_beyond_tls_handshakes_max_clients_wait_and_then_come_in(gateway, pair, authority):
    running = gateway(server=listeners(pair) | {"tls_handshakes_max": 2, "handshake_timeout": "30s"})
    context = tlsraw.client_context(authority.cert)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(begun(running)) for _ in range(2)]
        running.wait_metric("tls_handshakes_under_way", 2)
        assert rows(running)["tls_handshakes_max"]["used"] == 2
        came_in = []

        def come() -> None:
            with wsraw.Client(running.address, tls=context).open() as client:
                client.echo(b"in at last")
                came_in.append(True)

        thread = threading.Thread(target=come)
        thread.start()
        running.wait_metric("tls_handshakes_waiting", 1)
        assert "1 now" in rows(running)["tls_handshakes_max"]["note"]
        assert not came_in
        slow[0].close()
        thread.join(wsraw.SECONDS)
        assert came_in
    running.wait_metric("tls_waited_total", 1, limit="tls_handshakes_max")
    running.wait_metric("tls_handshakes_under_way", 0)
    running.wait_metric("tls_handshakes_waiting", 0)


def test_who_has_sent_no_whole_client_hello_takes_no_place(gateway, pair, authority):
    """Else a few that send one byte each would keep out all others."""
    running = gateway(server=listeners(pair) | {"tls_handshakes_max": 2, "handshake_timeout": "60s", "workers": 1})
    with contextlib.ExitStack() as stack:
        for leave_out in (1, 1, len(hello()) - 1, len(hello()) - 5):
            stack.enter_context(begun(running, leave_out=leave_out))
        with wsraw.Client(running.address, tls=tlsraw.client_context(authority.cert)).open() as client:
            client.echo(b"in at once")
        assert running.metric("tls_handshakes_under_way") == 0
    running.wait_metric("tls_failures_total", 4, cause="closed")


@pytest.mark.parametrize("leave_out", (0, 1))
def test_a_handshake_that_is_never_complete_is_cut_and_counted(gateway, pair, leave_out):
    running = gateway(server=listeners(pair) | {"handshake_timeout": "300ms"})
    with begun(running, leave_out=leave_out) as sock:
        while sock.recv(100):  # perhaps an alert
            pass
    running.wait_metric("tls_failures_total", 1, cause="timeout")


def test_beyond_tls_handshake_rate_clients_wait(gateway, pair, authority):
    running = gateway(server=listeners(pair) | {"tls_handshake_rate": 5})
    context = tlsraw.client_context(authority.cert)
    with contextlib.ExitStack() as stack:
        for number in range(12):
            client = stack.enter_context(wsraw.Client(running.address, tls=context).open(f"/ws/{number}"))
            client.echo(b"in")
    assert running.metric("tls_waited_total", limit="tls_handshake_rate") >= 1
    assert running.metric("tls_handshakes_total") == 12
    assert rows(running)["tls_handshake_rate"]["value"] == 5
