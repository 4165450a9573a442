# SPDX-License-Identifier: Apache-2.0
"""One test for each bug that was found, named after it."""

import contextlib
import fcntl
import http.client
import os
import resource
import signal
import socket
import subprocess
import threading

import pytest

from kit import wsraw
from kit.gateway import BINARY


def ask_until_gone(address: tuple[str, int]) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        while True:
            with contextlib.closing(http.client.HTTPConnection(*address, timeout=5)) as one:
                one.request("GET", "/metrics")
                one.getresponse().read()


@pytest.mark.tsan
def test_metrics_read_workers_that_were_freed(gateway):
    """The admin listener answers until the end, also while the workers are joined."""
    for _ in range(3):
        running = gateway(server={"workers": 64})
        askers = [threading.Thread(target=ask_until_gone, args=(running.admin,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        running.stop()
        for asker in askers:
            asker.join()


def test_lingering_admin_client_delays_the_end(gateway):
    """A client that keeps its answered connection open does not hold the gateway."""
    running = gateway(server={"close_timeout": "10m"})
    with wsraw.Client(running.admin) as client:
        client.send(b"GET /health HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
        assert client.read_response().status == 200
        running.stop()


@pytest.mark.parametrize("path, headers, status", [
    ("/none", "", 404), ("/ws/a", "", 426), ("/ws/a", "Upgrade: websocket\r\n", 405)])
def test_head_of_a_rejection_has_a_body(gateway, path, headers, status):
    running = gateway()
    with running.connect() as client:
        client.send(f"HEAD {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n".encode())
        head = client.read_until(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), head
        assert client.is_closed()


@pytest.mark.parametrize("count", [50, 5000])
def test_half_close_behind_back_pressure_loses_messages(gateway, count):
    """What was sent before the end of the stream is answered, also if reading had
    stopped when the end came. The gateway sleeps meanwhile, so that all comes at once."""
    running = gateway(server={"send_queue_max": "4KiB"})
    with running.open("/ws/half") as client:
        client.echo(b"awake")
        running.signal(signal.SIGSTOP)
        client.send(wsraw.frame(wsraw.BINARY, b"x" * 100) * count)
        client.sock.shutdown(socket.SHUT_WR)
        running.signal(signal.SIGCONT)
        for _ in range(count):
            assert client.read_frame().payload == b"x" * 100
        assert client.is_closed()
    running.wait_metric("connections", 0)
    assert running.metric("stalled_connections") == running.metric("partial_connections") == 0


def test_plan_takes_more_workers_than_descriptors_allow(start):
    """A number that nofile cannot hold is refused by that name, before any thread."""
    refused = start(server={"workers": "auto", "max_connections": 500000},
                    prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024)))
    assert refused.wait_exit() == 78
    said = refused.logged("server.max_connections cannot be held")
    assert said and said[0]["limit"] == "nofile"


def test_frames_behind_a_request_without_subprotocol_are_lost(gateway):
    """A close frame that comes with the request counts: nobody waits for another."""
    running = gateway(server={"close_timeout": "10m"},
                      routes=[{"path": "/ws", "subprotocols": ["mine"],
                               "subprotocol_mismatch": "close"}])
    with running.connect() as client:
        client.send(wsraw.request("/ws") + wsraw.close_frame(1000))
        assert client.read_response().status == 101
        assert client.read_close()[0] == 1002
        assert client.is_closed()


def test_help_of_serve_says_usage_twice():
    done = subprocess.run([BINARY, "serve", "--help"], capture_output=True, text=True,
                          timeout=20, check=True)
    assert done.stdout.count("Usage:") == 1


def test_half_closed_client_still_gets_the_last_words(gateway):
    """The answer, and a close frame, reach one who has said all it wanted to say."""
    running = gateway()
    with running.connect() as client:
        client.sock.sendall(b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n")
        client.sock.shutdown(socket.SHUT_WR)
        assert read_all(client.sock).startswith(b"HTTP/1.1 404 ")
    with running.open("/ws/half") as client:
        client.sock.sendall(b"\x83\x80aaaa")  # a reserved opcode
        client.sock.shutdown(socket.SHUT_WR)
        reason = b"the opcode is unknown"
        assert read_all(client.sock) == b"\x88" + bytes([2 + len(reason)]) + b"\x03\xea" + reason


def read_all(sock) -> bytes:
    data = b""
    while part := sock.recv(65536):
        data += part
    return data


def is_ready(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError, ConnectionResetError), \
            wsraw.Client(("127.0.0.1", port)) as client:
        client.send(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
        return client.read_response().status == 200
    return False


def test_log_that_nobody_reads_stops_nobody(engine):
    """Standard error is a full pipe: clients are served, and SIGTERM ends it all the same."""
    port = wsraw.free_port()
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen([BINARY, "serve", "--listen", f"127.0.0.1:{port}", "--admin-listen",
                           f"127.0.0.1:{wsraw.free_port()}", "--engine", engine, "--log-level", "debug"],
                          stderr=writer) as process:
        os.close(writer)
        try:
            wsraw.wait_until(lambda: is_ready(port), "ready")
            for number in range(200):  # a line each: more than the pipe holds
                with wsraw.Client(("127.0.0.1", port)) as client:
                    assert client.handshake(f"/ws/{number}").status == 101
                    client.echo(b"served")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
            os.close(reader)
