# SPDX-License-Identifier: Apache-2.0
"""The process runs out of descriptors: named refusals, no spin, no hang, no crash."""

import contextlib
import json
import resource
import time

from kit import wsraw
from kit.gateway import with_nofile


def test_auto_is_what_the_descriptors_allow(gateway):
    """max_connections: auto under a low limit is honest: that many fit, and the next one
    is told which limit binds."""
    running = gateway(prepare=with_nofile(128))
    most = running.health()["max_connections"]
    assert 0 < most <= 128
    binding = json.loads(running.get("/limits").body)["binding"]
    with contextlib.ExitStack() as stack:
        for number in range(most):
            stack.enter_context(running.open(f"/ws/{number}"))
        with running.connect() as extra:
            response = extra.handshake("/ws/extra")
            assert response.status == 503
            assert response.headers["gatehouse-limit"] == f"{binding}; current={most}; max={most}"
        assert running.metric("connections") == most
        assert running.metric("limit_connections", limit=binding) == most


def test_number_beyond_the_descriptors_stops_the_start(start):
    refused = start(server={"max_connections": 1000}, prepare=with_nofile(128))
    assert refused.wait_exit() == 78
    for part in ("max_connections", "1000", "nofile", "128"):
        assert part in refused.log, refused.log


def test_descriptors_run_out_under_way(gateway):
    """Sockets that only hang in the handshake use up the descriptors. Those who come
    then are answered or wait; the gateway neither spins nor dies, and recovers."""
    running = gateway(prepare=with_nofile(96), server={"handshake_timeout": "30s"})
    with contextlib.ExitStack() as stack:
        hanging = [stack.enter_context(running.connect()) for _ in range(150)]
        assert running.get("/health").status == 200
        before = running.cpu_seconds()
        started = time.monotonic()
        while time.monotonic() - started < 2:
            assert running.process.poll() is None
            time.sleep(0.1)
        assert running.cpu_seconds() - before < 0.5, "it spins"
        for client in hanging:
            client.close()
    with wsraw.wait_until(lambda: open_or_none(running), "room again") as client:
        client.echo(b"recovered")


def open_or_none(running):
    client = running.connect()
    with contextlib.suppress(EOFError, OSError):
        if client.handshake().status == 101:
            return client
    client.close()
    return None


def test_good_client_behind_silent_ones_is_told(gateway):
    """Silent sockets hold all descriptors but the reserve. Who comes then with a whole
    request gets words, long before the silent ones time out."""
    running = gateway(prepare=with_nofile(96), server={"handshake_timeout": "1m"})
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(running.connect())
        response = stack.enter_context(running.connect()).handshake("/ws/good")
        assert response.status == 503
        assert response.headers["gatehouse-limit"].startswith("nofile; ")
        assert int(response.headers["retry-after"]) >= 1


def test_limit_that_is_lowered_under_way(gateway, engine):
    """Refusals and the limits table have the number in force, not that of the start. A ring keeps
    the table that it was made with."""
    running = gateway(prepare=with_nofile(256))
    resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (96, 256))
    want = 96 if engine == "epoll" else 256
    rows = {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}
    assert rows["nofile"]["value"] == want
    assert rows["nofile"]["connections"] < want
    if engine == "io_uring":
        return
    assert json.loads(running.get("/limits").body)["connections"] == rows["nofile"]["connections"]
    with contextlib.ExitStack() as stack:
        for number in range(96):
            client = stack.enter_context(running.connect())
            try:
                answer = client.handshake(f"/ws/{number}")
            except (OSError, EOFError, AssertionError):
                continue
            if answer.status == 503:
                break
        assert answer.status == 503
        assert answer.headers["gatehouse-limit"] == "nofile; current=96; max=96"
