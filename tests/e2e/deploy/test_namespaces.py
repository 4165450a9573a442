# SPDX-License-Identifier: Apache-2.0
"""Gateway and tester on two hosts: network namespaces, joined by a cable. What loopback
hides is there: one source address, another machine's ports, a name for a wrong port."""

import json
import resource
import subprocess

import pytest

from kit import netns, wsraw
from kit.docker import CONNECTIONS, NOFILE
from kit.gateway import BINARY, run_binary, with_more_time

PORT = 8080      # a namespace has all its ports to itself


def with_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (NOFILE, NOFILE))


class Bench:
    """`gatehouse bench` on a host, under way."""

    def __init__(self, host: netns.Namespace, directory, arguments, prepare):
        self.result_file = directory / "result.json"
        self.log_file = directory / "bench.log"
        with host, self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "bench", *map(str, arguments), "--json", self.result_file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=prepare)

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def wait(self, seconds: float = 60) -> dict:
        """Its result, once it has ended with exit code 0."""
        assert self.process.wait(seconds) == 0, self.log
        return json.loads(self.result_file.read_text())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def tester(tmp_path):
    """tester(host, arguments...) starts one; none survives the test."""
    started = []

    def run(host: netns.Namespace, *arguments, prepare=with_descriptors) -> Bench:
        directory = tmp_path / f"bench-{len(started)}"
        directory.mkdir()
        started.append(Bench(host, directory, arguments, prepare))
        return started[-1]

    try:
        yield run
    finally:
        for one in started:
            one.kill()


def listening_on(host: netns.Namespace) -> dict:
    return {"server": {"listen": f"{host.address}:{PORT}"}, "prepare": with_descriptors}


def test_ten_thousand_connections_across_a_cable(hosts, gateway, tester, engine):
    """Every connection comes, is held, and is echoed; both sides count the same."""
    server_host, tester_host = hosts
    with server_host:
        running = gateway(**listening_on(server_host))
    bench = tester(tester_host, f"ws://{server_host.address}:{PORT}/ws/dev-{{n}}", "--engine", engine,
                   "-c", CONNECTIONS, "--hold", "4s", "--message-rate", "0.5",
                   "--connect-timeout", "60s", "--handshake-timeout", "60s", "--echo-timeout", "60s")

    def all_are_open() -> bool:
        assert bench.process.poll() is None, bench.log
        return running.metric("connections") == CONNECTIONS

    with server_host:
        wsraw.wait_until(all_are_open, "all connections, seen by the gateway", seconds=60)
    result = bench.wait()
    totals, told = result["totals"], result["tester"]

    assert result["passed"], result["verdict"]
    assert told["remote"] == f"{server_host.address}:{PORT}"
    assert told["source_addresses"] == 1
    assert totals["connected"] == totals["held"] == totals["closed_cleanly"] == CONNECTIONS
    assert totals["failed"] == totals["dropped"] == 0
    assert totals["sent"] == totals["received"] >= CONNECTIONS
    assert result["failures"] == []
    with server_host:
        assert running.metric("connections_accepted_total") == CONNECTIONS
        assert running.metric("connections_refused_total") == 0
        assert running.metric("messages_received_total") == totals["sent"]
        running.wait_metric("connections", 0)
        running.wait_metric("connections_closed_total", CONNECTIONS, reason="client_closed")


def test_tester_that_comes_first_waits_for_the_gateway(hosts, gateway, tester, engine):
    server_host, tester_host = hosts
    bench = tester(tester_host, f"ws://{server_host.address}:{PORT}/ws/dev-{{n}}", "--engine", engine,
                   "--wait-ready", f"http://{server_host.address}:{PORT}/health",
                   "--wait-ready-timeout", "60s", "-c", 100, "--depth", 1, "--duration", "200ms")
    # It has asked, and was told by the kernel over there that nothing listens.
    wsraw.wait_until(lambda: server_host.tcp_counter("OutRsts") >= 2, "the first refused questions")
    assert bench.process.poll() is None, bench.log

    with server_host:
        running = gateway(**listening_on(server_host))
    result = bench.wait()
    assert result["passed"], result["verdict"]
    assert result["totals"]["connected"] == result["totals"]["held"] == 100
    with server_host:
        assert running.metric("connections_accepted_total") == 100


def test_tester_waits_for_a_name_that_comes_with_the_gateway(hosts, names, gateway, tester):
    """As between containers: a name is known once its container has started."""
    server_host, tester_host = hosts
    bench = tester(tester_host, f"ws://gateway-test:{PORT}/ws/dev-{{n}}", "--wait-ready",
                   f"http://gateway-test:{PORT}/health", "--wait-ready-timeout", "60s", "-c", 10,
                   prepare=names.take_effect)
    names.wait_read(wsraw.SECONDS)
    with server_host:
        gateway(**listening_on(server_host))
    assert bench.process.poll() is None, bench.log

    names.add("gateway-test", server_host.address)
    result = bench.wait()
    assert result["tester"]["remote"] == f"{server_host.address}:{PORT}"
    assert result["totals"]["connected"] == 10


def ready(url: str, seen: str) -> subprocess.CompletedProcess:
    """Of `gatehouse ready`, with time enough to see that."""
    return with_more_time(lambda limit: run_binary("ready", url, "--timeout", limit),
                          lambda got: seen in got.stdout + got.stderr)


def test_wrong_port_on_the_other_host_is_named(hosts, gateway):
    server_host, tester_host = hosts
    with server_host:
        gateway(**listening_on(server_host))
    with tester_host:
        right = ready(f"http://{server_host.address}:{PORT}/health", "is ready")
        wrong = ready(f"http://{server_host.address}:{PORT + 2}/health", "Connection refused")
    assert right.returncode == 0, right.stderr
    assert wrong.returncode == 1
    assert f":{PORT + 2}/health did not answer 200" in wrong.stderr
    assert "nothing listens there (Connection refused)" in wrong.stderr


def test_admin_port_is_not_on_the_cable(hosts, gateway):
    """By default it listens on the loopback of its own host: another host cannot ask."""
    server_host, tester_host = hosts
    with server_host:
        running = gateway(**listening_on(server_host))
        assert running.get("/metrics").status == 200
        assert running.admin[0] == "127.0.0.1"
    url = f"http://{server_host.address}:{running.admin[1]}/health"
    with tester_host:
        got = ready(url, "Connection refused")
    assert got.returncode == 1
    assert "Connection refused" in got.stderr
