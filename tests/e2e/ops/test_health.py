# SPDX-License-Identifier: Apache-2.0
"""Health, metrics and limits as a supervisor and as Prometheus see them."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import threading

import pytest

from kit import wsraw
from kit.gateway import SAMPLE

HTTP_BODY_MAX = 4 << 20  # of the server's http_reply.h

REQUIRED = {
    # metric: type
    "connections": "gauge",
    "connections_accepted_total": "counter",
    "connections_refused_total": "counter",
    "connections_closed_total": "counter",
    "messages_received_total": "counter",
    "messages_sent_total": "counter",
    "received_bytes_total": "counter",
    "sent_bytes_total": "counter",
    "handshake_duration_seconds": "histogram",
    "limit": "gauge",
    "limit_used": "gauge",
    "build_info": "gauge",
}


@pytest.mark.tsan
@pytest.mark.parametrize("port", ["public", "admin"])
def test_health_on_both_ports(gateway, port):
    running = gateway(server={"max_connections": 100})
    with running.open():
        running.wait_metric("connections", 1)
        for path in ("/health", "/readyz", "/livez"):
            assert running.get(path, admin=port == "admin").status == 200, path
        response = running.get("/health", admin=port == "admin")
        assert response.headers["content-type"].split(";")[0] == "application/json"
        health = json.loads(response.body)
    assert health["status"] == "ready"
    assert health["reasons"] == []
    assert (health["connections"], health["max_connections"]) == (1, 100)
    assert 0 <= health["uptime_seconds"] < 3600
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", health["version"])


def test_version_is_the_same_everywhere(gateway):
    running = gateway()
    version = running.health()["version"]
    assert running.metric("build_info", version=version) == 1
    told = subprocess.run([running.process.args[0], "version"], capture_output=True, text=True,
                          check=True).stdout
    assert told == f"gatehouse {version}\n"


@pytest.mark.parametrize("request_line,status", [
    ("GET /nothing HTTP/1.1", 404), ("POST /health HTTP/1.1", 405), ("DELETE /metrics HTTP/1.1", 405),
    ("GET /metrics HTTP/3.0", 505), ("nonsense", 400)])
def test_admin_port_refuses_by_name(gateway, request_line, status):
    running = gateway()
    with wsraw.Client(running.admin) as client:
        client.send(f"{request_line}\r\nHost: localhost\r\n\r\n".encode())
        response = client.read_response()
        assert response.status == status
        assert response.headers["content-type"].split(";")[0] == "application/problem+json"


def test_head_of_health_has_no_body(gateway):
    running = gateway()
    for address in (running.admin, running.address):
        with wsraw.Client(address) as client:
            client.send(b"HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
            assert client.is_closed()


def test_metrics_are_not_public(gateway):
    """The public port tells strangers nothing but health."""
    running = gateway()
    for path in ("/metrics", "/limits"):
        assert running.get(path, admin=False).status == 404


def test_metrics_pass_promtool(gateway):
    running = gateway()
    with running.open() as client:
        client.echo(b"so that there is something to count")
        response = running.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    promtool = shutil.which("promtool")
    assert promtool, "promtool is not installed: './dev test' provides it"
    check = subprocess.run([promtool, "check", "metrics"], input=response.body, capture_output=True,
                           check=False)
    assert check.returncode == 0 and not check.stderr, check.stderr.decode()


def test_metrics_of_the_most_back_ends_and_routes_are_whole(gateway, start):
    """As many as the configuration allows, with the longest names: the page has room for them,
    whatever their numbers grow to."""
    routes = [{"path": f"/{i}/{{client_id}}", "name": f"{i:b<64}", "backend": "echo"} for i in range(1001)]
    backends = [{"name": f"{i:a<64}", "type": "webhook", "url": "http://127.0.0.1:9/"}
                for i in range(101)]
    refused = start(backends=backends)
    assert refused.wait_exit() == 78
    assert "backends: has 101 entries; write at most 100" in refused.log
    refused = start(routes=routes)
    assert refused.wait_exit() == 78
    assert "routes: has 1001 entries; write at most 1000" in refused.log
    page = gateway(backends=backends[:100], routes=routes[:1000]).get("/metrics").body
    lines = page.decode().splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    for line in lines:
        assert SAMPLE.match(line) or re.match(r"# (HELP|TYPE) \w+ \S", line), line
    assert page.endswith(b"\n") and lines[-1].startswith("process_max_fds ")
    for backend in backends[:100]:
        family = f'gatehouse_backend_request_duration_seconds_count{{backend="{backend["name"]}"}} 0'
        assert family in samples
    # Of so many routes some have their details together, with an empty label.
    ended = [line for line in samples if line.startswith("gatehouse_route_connections_closed_total{")]
    assert len({line.split('"')[1] for line in ended}) == 101 and sum('route=""' in line for line in ended) > 20
    assert len(page) + len(samples) * len(str(2**64)) < HTTP_BODY_MAX


def test_metrics_have_what_is_promised(gateway):
    running = gateway()
    with running.open("/ws/no-such-label") as client:
        client.echo(b"x")
        text = running.get("/metrics").body.decode()
    for name, kind in REQUIRED.items():
        assert f"# TYPE gatehouse_{name} {kind}\n" in text, name
        assert f"# HELP gatehouse_{name} " in text, name
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
                 "process_max_fds", "process_start_time_seconds", "process_virtual_memory_bytes"):
        assert re.search(rf"^{name} [0-9.e+]+$", text, re.MULTILINE), name
    assert "no-such-label" not in text, "client ids do not belong in metrics"


def test_handshake_histogram_is_cumulative(gateway):
    running = gateway()
    for n in range(5):
        running.open(f"/ws/{n}").close()
    running.wait_metric("handshake_duration_seconds_count", 5)
    text = running.get("/metrics").body.decode()
    counts = [float(value) for value in
              re.findall(r'^gatehouse_handshake_duration_seconds_bucket\{.*\} (\S+)$', text, re.MULTILINE)]
    assert counts == sorted(counts) and counts[-1] == 5


def test_closed_connections_are_counted_by_reason(gateway):
    running = gateway()
    with running.open() as client:
        client.send(wsraw.frame(wsraw.TEXT, b"x", key=None))
        client.expect_close(1002)
    running.wait_metric("connections_closed_total", 1, reason="protocol_error")
    with running.open() as client:
        client.send(wsraw.close_frame(1000))
        client.expect_close(1000)
    running.wait_metric("connections_closed_total", 1, reason="client_closed")
    assert running.metric("connections_closed_total") == 2


def test_limits_table(gateway):
    """Every limit with its value, the connections that it allows, and the way to raise it."""
    running = gateway(server={"max_connections": 77})
    with running.open():
        running.wait_metric("connections", 1)
        table = json.loads(running.get("/limits").body)
    rows = {row["limit"]: row for row in table["limits"]}
    assert {"max_connections", "nofile", "fs.file-max", "memory"} <= rows.keys()
    assert rows["max_connections"]["value"] == rows["max_connections"]["connections"] == 77
    assert table["binding"] == "max_connections" and table["next"] in rows
    assert table["used"] == rows["max_connections"]["used"] == 1
    assert table["connections"] == 77
    assert rows["max_connections"]["remedies"] == [
        {"place": "configuration", "text": "server.max_connections: 154"}]
    for name, row in rows.items():
        assert row["connections"] is None or row["connections"] >= 77, name
        assert row["state"] == "known" or row["value"] is None, name
        assert row["state"] not in ("unknown", "off") or row["note"], name


@pytest.mark.tsan
def test_scrapes_while_connections_come_and_go(gateway):
    """The admin thread reads what the workers write: the sums stay true."""
    running = gateway(server={"workers": 2})
    for n in range(50):
        with running.open(f"/ws/{n}") as client:
            client.echo(b"x")
            assert running.metric("connections_accepted_total") == n + 1
            assert running.health()["status"] == "ready"


def test_health_says_draining(gateway):
    """While a client takes its time to answer the close: 503, and why, for the balancer."""
    running = gateway(server={"drain_timeout": "1m", "close_timeout": "1m"})
    with running.open() as client:
        running.signal(signal.SIGTERM)
        assert client.read_close()[0] == 1001
        for path in ("/health", "/readyz"):
            response = running.get(path)
            assert response.status == 503, path
        health = running.health()
        assert health["status"] == "draining" and health["reasons"]
        assert running.get("/livez").status == 200, "a draining gateway is alive"
        client.send(wsraw.close_frame(1001))
        assert running.wait_exit() == 0


def test_health_is_degraded_whatever_bytes_a_broker_says(gateway):
    """One byte that is no UTF-8 must not hide the reason, and with it that there is one."""
    with wsraw.listen() as listener:
        def refuse():
            with contextlib.suppress(OSError):
                while True:
                    peer = listener.accept()[0]
                    with peer, contextlib.suppress(OSError):
                        peer.sendall(b'INFO {"server_id":"x","version":"2.10.0","headers":true,"max_payload":1048576}\r\n')
                        peer.recv(65536)
                        peer.sendall(b"-ERR 'no \xff\xfe\x1b[31m'\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        running = gateway(bus={"type": "nats", "urls": f"[nats://127.0.0.1:{listener.getsockname()[1]}]",
                               "reconnect_min": "5ms", "reconnect_max": "20ms"})
        wsraw.wait_until(lambda: "no ??" in str(running.health()["reasons"]), "the broker's words")
        assert running.get("/health").status == 503
        assert running.health()["status"] == "degraded"
        problem = running.get("/api/v1/clients/ws/nobody", admin=True)
        assert (problem.status, json.loads(problem.body)["reason"]) == (503, "bus")


def test_admin_survives_garbage_and_silence(gateway):
    running = gateway(server={"handshake_timeout": "1m"})  # longer than a test waits
    silent = [wsraw.Client(running.admin) for _ in range(50)]
    with wsraw.Client(running.admin) as client:
        client.send(bytes(range(256)) * 20)
    assert running.get("/health").status == 200
    for client in silent:
        client.close()
