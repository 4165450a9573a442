# SPDX-License-Identifier: Apache-2.0
"""The story that Gatehouse began with, as tests: 10,000 connections were wanted, 1,000
came up, and nothing said why. Three limits stood in line. Each must be named at once."""

import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import time

import pytest

from kit import wsraw
from kit.gateway import BINARY, with_nofile

WANTED = 10000
PATIENCE = 3 * wsraw.SECONDS


def bench(*arguments: str, prepare=None, **options) -> subprocess.Popen:
    return subprocess.Popen([BINARY, "bench", *arguments], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=prepare, env=os.environ | {"NO_COLOR": "1"}, **options)


def run_bench(*arguments: str, prepare=None) -> tuple[int, str, str]:
    tester = bench(*arguments, prepare=prepare)
    out, err = tester.communicate(timeout=PATIENCE)
    return tester.returncode, out, err


def verdict_of(out: str) -> str:
    return out.rstrip().splitlines()[-1]


def number_in(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found, f"no {pattern!r} in:\n{text}"
    return int(found[1].replace(",", ""))


# --- round one: the tester's own descriptor limit ---


def test_round_one_the_tester_says_at_once_what_its_own_limit_allows(gateway, engine):
    running = gateway(server={"max_connections": WANTED})
    code, out, err = run_bench(running.url("/ws/dev-{n}"), "-c", str(WANTED), "--engine", "epoll",
                               prepare=with_nofile(1024, 1024))
    assert code == 1
    assert 900 <= number_in(r"can open about ([\d,]+) connections", err) <= 1024
    assert "its own nofile is 1,024" in err
    needed = number_in(r"LimitNOFILE=(\d+)", err)
    assert needed >= WANTED
    assert "nothing was tested" in err
    assert running.metric("sockets_accepted_total") == 0, "it said so before it began"


def test_round_one_forced_names_the_limit_in_the_verdict(gateway, tmp_path):
    running = gateway(server={"max_connections": WANTED})
    report = tmp_path / "report.json"
    code, out, err = run_bench(running.url("/ws/dev-{n}"), "-c", str(WANTED), "--engine", "epoll",
                               "--force", "--json", str(report),
                               prepare=with_nofile(1024, 1024))
    assert code == 1
    verdict = verdict_of(out)
    at = number_in(r"plateau at ([\d,]+): the tester's own nofile is 1,024", verdict)
    assert 900 <= at < 1024
    plateau = json.loads(report.read_text())["plateau"]
    assert (plateau["at"], plateau["side"], plateau["limit"]) == (at, "mine", "nofile")


def test_round_one_a_soft_limit_is_raised_without_being_asked(gateway):
    """ulimit -n 1024 with a higher hard limit needs no advice: it is raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f"the hard limit is {hard} already")
    running = gateway(server={"max_connections": 3000})
    code, out, _ = run_bench(running.url("/ws/dev-{n}"), "-c", "2500", "--engine", "epoll",
                             prepare=with_nofile(1024, 4096))
    assert code == 0, out
    assert verdict_of(out).startswith("PASS: 2,500 of 2,500 connected")


# --- round two: asked before it was ready, and at the wrong port ---


def free_port_behind(port: int) -> int:
    """The nearest one: a slip of the pen, as 8081 for 8080."""
    for other in range(port + 1, 65536):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", other))
            return other
    raise AssertionError(f"no port behind {port} is free")


def test_round_two_the_tester_waits_for_a_gateway_that_is_not_there_yet(start):
    port = wsraw.free_port()
    tester = bench(f"ws://127.0.0.1:{port}/ws/dev-{{n}}", "-c", "500", "--wait-ready",
                   f"http://127.0.0.1:{port}/health")
    assert "waiting" in tester.stderr.readline(), "it says what it waits for"
    running = start(server={"listen": f"127.0.0.1:{port}"}).wait_ready()
    out, err = tester.communicate(timeout=PATIENCE)
    assert tester.returncode == 0, out + err
    assert verdict_of(out).startswith("PASS: 500 of 500 connected")
    running.stop()


def health_status(port: int) -> int | None:
    """None while nothing listens."""
    try:
        with wsraw.Client(("127.0.0.1", port)) as client:
            client.send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            return client.read_response().status
    except (ConnectionRefusedError, ConnectionResetError, EOFError):
        return None


def test_round_two_health_is_503_until_it_is_ready(start):
    """The admin port listens first; with many workers it takes a while until all do."""
    port = wsraw.free_port()
    running = start(server={"workers": 200}, admin={"listen": f"127.0.0.1:{port}"})
    statuses = []
    wsraw.wait_until(lambda: statuses.append(health_status(port)) or statuses[-1] == 200,
                     "health to be 200")
    answers = [status for status in statuses if status is not None]
    assert answers[0] == 503 and set(answers) == {200, 503}, statuses
    running.wait_ready()
    running.stop()


def test_round_two_the_wrong_port_is_named(gateway):
    """Nothing listens there: what was meant is one number away, and must be said."""
    running = gateway()
    wrong = free_port_behind(running.address[1])
    code, out, _ = run_bench(f"ws://127.0.0.1:{wrong}/ws/dev-{{n}}", "-c", "100")
    assert code == 1
    assert f"nothing listens on 127.0.0.1:{wrong}" in verdict_of(out)
    assert f"127.0.0.1:{running.address[1]}" in out, "which ports do listen"
    code, _, err = run_bench(running.url("/ws/dev-{n}"), "-c", "100", "--wait-ready",
                             f"http://127.0.0.1:{wrong}/health", "--wait-ready-timeout", "500ms")
    assert code == 1
    assert f"127.0.0.1:{wrong}" in err and "refused" in err


def test_round_two_the_admin_port_is_told_from_the_public_one(gateway):
    """Health is answered on both ports, but clients belong on one of them."""
    running = gateway()
    host, port = running.admin
    code, out, _ = run_bench(f"ws://{host}:{port}/ws/dev-{{n}}", "-c", "20", "--wait-ready",
                             f"http://{host}:{port}/health")
    assert code == 1
    assert "HTTP 404" in verdict_of(out)


# --- round three: a limit behind a larger number ---


def test_round_three_exactly_the_limit_is_held_and_the_rest_is_told(gateway, tmp_path, sanitized):
    running = gateway(server={"max_connections": 1000, "workers": 2})
    memory = running.memory()
    report = tmp_path / "report.json"
    tester = bench(running.url("/ws/dev-{n}"), "-c", str(WANTED), "--hold", "2", "--json",
                   str(report))
    wsraw.wait_until(lambda: running.metric("connections_refused_total",
                                            limit="max_connections") == WANTED - 1000,
                     "9,000 refusals", seconds=PATIENCE)
    assert running.metric("connections") == 1000
    grown, cpu, wall = running.memory() - memory, running.cpu_seconds(), time.monotonic()
    out, _ = tester.communicate(timeout=PATIENCE)
    cpu, wall = running.cpu_seconds() - cpu, time.monotonic() - wall
    assert tester.returncode == 1
    assert "plateau at 1,000: the server's max_connections" in verdict_of(out)
    result = json.loads(report.read_text())
    assert result["totals"]["held"] == 1000 and result["totals"]["failed"] == WANTED - 1000
    assert result["plateau"]["side"] == "yours"
    assert (result["plateau"]["at"], result["plateau"]["limit"]) == (1000, "max_connections")
    # While they are held nothing spins, and the refused have left nothing behind.
    assert cpu < 0.5 * wall + 0.1
    if not sanitized:
        assert grown < 32 << 20, f"{grown} bytes for 1,000 connections and 9,000 refusals"
    running.wait_metric("connections", 0)


# --- the configuration that hid it ---


@pytest.mark.parametrize("text, said", [
    ("routes:\n  - path: /ws/{client_id}\n  - path: /ws/{client_id}\n", "is the same route as"),
    ("routes:\n  - path: /metrics\n", "is a path that the gateway answers itself"),
    ("server:\n  max_connections: 10000\n  max_connections: 1000\n", "is given twice"),
    ("server:\n  max_connections: 10000\nmax_connections: 1000\n", "belongs under 'server:'"),
    ("server:\n  max_connections: 10000\n  MaxConnections: 1000\n", "there is no such key"),
], ids=["same route twice", "metrics path", "limit twice", "limit at the top", "other spelling"])
def test_what_cannot_both_be_meant_stops_the_start(tmp_path, text, said):
    file = tmp_path / "application.yaml"
    file.write_text(text)
    done = subprocess.run([BINARY, "serve", "-c", file], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 78
    line = next(line for line in done.stderr.splitlines() if said in line)
    assert re.match(rf"{re.escape(str(file))}:\d+:\d+: ", line), line


# --- and nothing else caps them ---


@pytest.mark.parametrize("engine, count", [("epoll", 19000), ("io_uring", 60000)], indirect=["engine"])
def test_one_process_each_side_holds_what_its_descriptors_allow(gateway, engine, count, sanitized,
                                                                tmp_path):
    """With nofile 20,000: 19,000 on epoll, and 60,000 on io_uring, whose connections
    take no descriptor."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if sanitized:
        pytest.skip("the sanitizers' memory per connection is another")
    if hard != resource.RLIM_INFINITY and hard < 20000:
        pytest.skip(f"the hard limit on descriptors is {hard}")
    running = gateway(server={"max_connections": count, "workers": "auto"},
                      prepare=with_nofile(20000, 20000))
    report = tmp_path / "report.json"
    code, out, err = run_bench(running.url("/ws/dev-{n}"), "-c", str(count), "--hold", "2",
                               "--message-rate", "0.5", "--engine", engine, "--json", str(report),
                               "--handshake-timeout", "60s", "--echo-timeout", "60s",
                               prepare=with_nofile(20000, 20000))
    assert code == 0, out + err
    totals = json.loads(report.read_text())["totals"]
    assert totals["connected"] == totals["held"] == count
    assert totals["sent"] == totals["received"] >= count // 2
    assert running.metric("connections_accepted_total") == count
