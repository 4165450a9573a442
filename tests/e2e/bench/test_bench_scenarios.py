# SPDX-License-Identifier: Apache-2.0
"""`gatehouse bench`: load shapes and scenarios, against the gateway and against small
servers that see what comes when."""

import contextlib
import json
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

from kit.bench import CLOSE, Server, good
from kit.gateway import BINARY, ROOT

SCENARIOS = ROOT / "scenarios"

# What makes each of them small; their thresholds of time do not hold on a busy machine.
SMALL = {
    "connect-storm": ["-c", 200, "--in-flight", 200, "--hold", "100ms"],
    "churn": ["-c", 20, "--lifetime", "200ms", "--hold", "1s", "--message-rate", 10],
}


class Outcome:
    def __init__(self, process, path):
        self.code = process.returncode
        self.text = process.stdout + process.stderr
        self.json = json.loads(path.read_text()) if path.exists() and path.stat().st_size else {}
        self.totals = self.json.get("totals")


@pytest.fixture
def bench(engine, tmp_path):
    def run(*args):
        path = tmp_path / "result.json"
        words = [BINARY, "bench", "--quiet", "--engine", engine, "--json", path, *args]
        return Outcome(subprocess.run([str(word) for word in words], capture_output=True,
                                      text=True, timeout=60, check=False), path)

    return run


@pytest.fixture
def server():
    servers = []

    def make(behave):
        servers.append(Server(behave))
        return servers[-1]

    yield make
    for each in servers:
        each.close()


# --- scenarios ---


def test_the_scenarios_are_these():
    others = {path.stem for path in SCENARIOS.glob("*") if not path.stem.startswith("tc-e2e-")}
    assert others == set(SMALL) | {"tls-storm"}, "test_catalogue.py has the catalogue, test_bench_tls.py the storm"
    for path in SCENARIOS.glob("*"):
        text = path.read_text()
        assert f"\nname: {path.stem}\n" in text and "\ndescription: " in text
        assert "\nexpect:\n" in text
        if path.stem not in ("tls-storm", "tc-e2e-09-broker-lost"):  # the example's port
            assert "\nurl: ws://127.0.0.1:8080/ws/dev-{n}\n" in text, "the default port and route"


@pytest.mark.parametrize("name", sorted(SMALL))
def test_each_scenario_in_small(bench, gateway, name):
    running = gateway(server={"send_timeout": "500ms"})
    expect = ["--expect", "connected==100%", "--expect", "echoed==100%", "--expect", "dropped==0"]
    if name == "connect-storm":
        expect = ["--expect", "held==100%"]
    host, port = running.address
    got = bench(running.url("/ws/dev-{n}"), *SMALL[name], *expect, "--scenario",
                SCENARIOS / f"{name}.yaml", "--wait-ready", f"http://{host}:{port}/health")
    assert got.code == 0, got.text
    assert got.json["asked"]["scenario"] == name
    assert f"\nScenario   {name}: " in got.text
    assert got.totals["held"] + got.totals["slow_closed"] == got.json["asked"]["connections"]
    accepted = got.totals["connected"] + got.totals["reopened"]
    assert running.metric("connections_accepted_total") == accepted
    running.wait_metric("connections", 0)


def files(tmp_path):
    """Each with what must be said about it."""
    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return [
        (tmp_path / "missing.yaml", "cannot read", "No such file"),
        (tmp_path, "cannot read", "Is a directory"),
        (write("empty.yaml", b""), "empty.yaml: has no options"),
        (write("large.yaml", b"#" * (64 << 20)), "large.yaml' is over 16384 bytes"),
        (write("binary.yaml", BINARY.read_bytes()[:4096]), "binary.yaml:1:"),
        (write("latin1.yaml", b"hold: 1s\nname: caf\xe9\n"), "latin1.yaml:2:10: not UTF-8"),
        (write("key.yaml", b"url: ws://h/\nmesage-rate: 1\n"),
         "key.yaml:2:1: unknown option 'mesage-rate'", "did you mean message-rate?"),
        (write("type.yaml", b"url: ws://h/\nconnections:\n  - 5\n"), "type.yaml:3:3: connections:"),
        (write("range.yaml", b"url: ws://h/\nhold: -1s\n"), "range.yaml:2:7: hold: '-1s'"),
        (write("expect.yaml", b"expect:\n  - held==100%\n  - hold==1\n"), "expect.yaml:3:5: expect:"),
        (write("twice.yaml", b"hold: 1s\nurl: ws://h/\nhold: 1s\n"),
         "twice.yaml:3:1: 'hold' is already given in line 1"),
    ]


def test_a_bad_scenario_is_named_with_its_place(tmp_path):
    for path, *parts in files(tmp_path):
        got = subprocess.run([BINARY, "bench", "--scenario", path], capture_output=True, text=True,
                             timeout=20, check=False)
        assert got.returncode == 2, path
        assert all(part in got.stderr for part in parts), got.stderr
        assert got.stdout == ""


def test_flags_go_first_and_lists_replace(bench, server, tmp_path):
    srv = server(good)
    path = tmp_path / "s.yaml"
    path.write_text("url: ws://127.0.0.1:1/\nconnections: 9\nheader: ['X-From: file']\n"
                    "expect: [connected==0]\n")
    got = bench("-c", 3, "--header", "X-From: flag", "--scenario", path, srv.url + "/x",
                "--expect", "connected==3")
    assert got.code == 0, got.text
    assert len(srv.arrivals) == 3
    assert "X-From: flag" in srv.heads[0] and "file" not in srv.heads[0]


# --- how connections come ---


@pytest.mark.parametrize("workers", [1, 2])
def test_a_batch_waits_for_the_one_before_and_pauses(bench, server, workers):
    srv = server(good)
    got = bench(srv.url, "-c", 18, "--batch", 6, "--batch-pause", "300ms", "--workers", workers)
    assert got.code == 0, got.text
    # All of a batch are up, so accepted, before the pause begins.
    for first in (6, 12):
        assert srv.arrivals[first] - srv.arrivals[first - 1] >= 0.3, srv.arrivals


def test_a_batch_goes_on_when_some_of_the_last_failed(bench, server):
    def behave(peer, number):
        if number % 3 == 0:
            peer.read_head()
            peer.answer("503 Service Unavailable")
            return
        good(peer, number)

    got = bench(server(behave).url, "-c", 9, "--batch", 3)
    assert got.code == 1
    assert (got.totals["connected"], got.totals["failed"]) == (6, 3), got.text


def test_handshakes_in_flight_are_so_many(bench, server):
    """Each is answered only when three wait; a fourth would be seen."""
    together = threading.Barrier(3, timeout=20)
    waiting, most, lock = [0], [0], threading.Lock()

    def behave(peer, _number):
        with lock:
            waiting[0] += 1
            most[0] = max(most[0], waiting[0])
        together.wait()
        with lock:
            waiting[0] -= 1
        peer.upgrade()
        peer.echo()

    got = bench(server(behave).url, "-c", 12, "--in-flight", 3)
    assert got.code == 0, got.text
    assert most[0] == 3


# --- churn ---


@pytest.mark.parametrize("traffic", [["--message-rate", 50], ["--depth", 4], []])
def test_churn_replaces_connections_without_a_loss(bench, gateway, traffic):
    running = gateway()
    got = bench(running.url("/ws/c-{n}"), "-c", 20, "--lifetime", "200ms", "--hold", "1s", *traffic)
    assert got.code == 0, got.text
    totals = got.totals
    assert totals["connected"] == totals["held"] == totals["closed_cleanly"] == 20
    # In 1 s each lives 0.1 to 0.3 s; a busy machine only delays.
    assert totals["retired"] == totals["reopened"] >= 20
    assert totals["sent"] == totals["received"]
    assert (totals["received"] > 0) == bool(traffic)
    assert got.json["handshake_seconds"]["count"] == 20 + totals["reopened"]
    assert running.metric("connections_accepted_total") == 20 + totals["reopened"]
    running.wait_metric("connections", 0)
    assert running.metric("connections_closed_total", reason="client_closed") \
        == running.metric("connections_accepted_total")


def test_what_cannot_be_reopened_is_a_failure(bench, server):
    def behave(peer, number):
        if number < 5:
            good(peer, number)
            return
        peer.read_head()
        peer.answer("429 Too Many Requests")

    got = bench(server(behave).url, "-c", 5, "--lifetime", "100ms", "--hold", "20s")
    assert got.code == 1
    assert got.totals["retired"] == got.totals["failed"] == 5, got.text
    assert (got.totals["reopened"], got.totals["held"]) == (0, 0)
    assert [(row["kind"], row["code"], row["count"]) for row in got.json["failures"]] \
        == [("http", 429, 5)]
    assert got.json["total_seconds"] < 20, "with none left there is nothing to hold"


# --- slow readers ---


def test_slow_readers_are_closed_and_the_others_go_on(bench, gateway):
    running = gateway(server={"send_timeout": "300ms", "send_queue_max": "64KiB"})
    got = bench(running.url("/ws/s-{n}"), "-c", 30, "--slow-readers", "10%", "--size", "16KiB",
                "--hold", "5s", "--message-rate", 5)
    assert got.code == 0, got.text
    totals = got.totals
    assert (totals["slow_closed"], totals["held"], totals["dropped"]) == (3, 27, 0)
    assert totals["sent"] == totals["received"] == 27 * 25
    assert running.metric("connections_closed_total", reason="slow_reader") == 3
    assert sum(row["count"] for row in got.json["slow_reader_ends"]) == 3
    assert got.json["failures"] == []
    assert "3 that did not read were closed by the other side" in got.text


def test_a_server_may_keep_slow_readers(bench, server):
    got = bench(server(good).url, "-c", 4, "--slow-readers", "50%", "--hold", "300ms",
                "--message-rate", 10)
    assert got.code == 0, got.text
    assert (got.totals["held"], got.totals["slow_closed"]) == (4, 0)
    assert got.totals["sent"] == got.totals["received"] == 2 * 3


def test_the_close_code_for_a_slow_reader_is_told(bench, server):
    def behave(peer, _number):
        peer.upgrade()
        peer.receive()
        peer.send(CLOSE, struct.pack(">H", 1013) + b"too slow")
        while peer.receive()[0] != CLOSE:
            pass

    got = bench(server(behave).url, "-c", 2, "--slow-readers", "100%", "--hold", "300ms")
    assert got.code == 0, got.text
    (end,) = got.json["slow_reader_ends"]
    assert (end["kind"], end["code"], end["label"], end["count"]) == ("closed", 1013, "too slow", 2)


def test_many_slow_readers_that_are_closed_at_the_end_do_not_hold_it_up(bench, server):
    """Each is told only when it reads again, at the end; more of them than close at once."""
    def behave(peer, _number):
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.upgrade()
        peer.receive()  # the hold has begun, and nobody reads there any more
        peer.send(CLOSE, struct.pack(">H", 1013) + b"too slow")
        never.wait(2)  # longer than the hold; TCP stays open that long

    never = threading.Event()

    got = bench(server(behave).url, "-c", 300, "--workers", 1, "--slow-readers", "100%", "--hold", "300ms")
    assert got.code == 0, got.text
    assert (got.totals["slow_closed"], got.totals["held"], got.totals["dropped"]) == (300, 0, 0)


# --- source addresses ---


def test_testers_at_once_have_source_addresses_of_their_own(gateway, engine):
    """Of more than 1,000 connections each: the kernel is slow where one address has many ports in use."""
    running = gateway()
    words = [str(BINARY), "bench", "--quiet", "-c", "1001", "--engine", engine]
    with contextlib.ExitStack() as stack:
        testers = [stack.enter_context(subprocess.Popen([*words, running.url(f"/ws/t{i}-{{n}}")], text=True,
                                                        stdout=subprocess.PIPE)) for i in range(2)]
        said = [tester.communicate(timeout=60)[0] for tester in testers]
    assert [tester.returncode for tester in testers] == [0, 0], said
    first = {re.search(r", 1 source address from (127\.\d+\.\d+\.\d+) on$", text, re.MULTILINE)[1] for text in said}
    assert len(first) == 2 and "127.0.0.1" not in first, first


# --- latency ---


@pytest.mark.parametrize("size, rate", [("64", 100), ("256KiB", 40)])
def test_a_stall_counts_for_all_that_was_planned_in_it(bench, server, size, rate):
    """One second of two: half of the messages wait, for half a second on average. The large
    ones fill every buffer, so that most of them cannot even be sent in the stall."""
    def behave(peer, _number):
        peer.upgrade()
        opcode, payload = peer.receive()
        time.sleep(1)
        peer.send(opcode, payload)
        peer.echo()

    got = bench(server(behave).url, "--message-rate", rate, "--duration", "2s", "--size", size)
    assert got.code == 0, got.text
    echo = got.json["echo_seconds"]
    assert echo["count"] == 2 * rate
    assert echo["max"] >= 1
    assert echo["p90"] >= 0.75, "a fifth of the delayed ones, those with over 0.8 s to wait"
    assert echo["mean"] >= 0.24

    series = got.json["series"]
    assert sum(point["echo_seconds"]["count"] for point in series) == 2 * rate
    assert sum(point["handshake_seconds"]["count"] for point in series) == 1
    assert max(point["echo_seconds"]["max"] for point in series) >= 1
    assert all(point["tester_cpu"] >= 0 for point in series)
    assert [point["at"] for point in series] == sorted({point["at"] for point in series})
