# SPDX-License-Identifier: Apache-2.0
"""`gatehouse bench --receive`: what services push, judged by its stamps."""

import json
import subprocess
import sys
import time

import pytest

from kit.bench import CLOSE, TEXT, Server
from kit.gateway import BINARY, ROOT

sys.path.insert(0, str(ROOT / "tools"))
import push  # noqa: E402


class Receiver:
    """A tester that runs while the test pushes."""

    def __init__(self, engine, path, *args):
        self.path = path / "result.json"
        self.page = path / "result.html"
        words = [BINARY, "bench", "--quiet", "--receive", "--engine", engine, "--json", self.path,
                 "--html", self.page, *args]
        self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)

    def finish(self):
        self.text = self.process.communicate(timeout=60)[0]
        self.code = self.process.returncode
        self.json = json.loads(self.path.read_text())
        return self

    def counts(self):
        return {name: self.json["totals"][name]
                for name in ("received", "missing", "late", "repeated", "unstamped")}


@pytest.fixture
def receive(engine, tmp_path):
    running = []

    def run(*args):
        running.append(Receiver(engine, tmp_path, *args))
        return running[-1]

    yield run
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


@pytest.fixture
def pushing_server():
    """A server that sends each client these payloads and waits for the close."""
    servers = []

    def make(payloads):
        def behave(peer, _number):
            peer.upgrade()
            for payload in payloads:
                peer.send(TEXT, payload.encode())
            while (got := peer.receive())[0] != CLOSE:
                pass
            peer.send(*got)
        servers.append(Server(behave))
        return servers[-1]

    yield make
    for each in servers:
        each.close()


def road(gateway):
    return push.Api(f"http://{gateway.admin[0]}:{gateway.admin[1]}")


def test_messages_of_the_api_are_all_seen_in_order(receive, gateway):
    running = gateway()
    receiver = receive(running.url("/ws/dev-{n}"), "-c", 10, "--hold", "3s", "--expect",
                       "received==200", "--expect", "missing==0", "--expect", "late==0",
                       "--expect", "repeated==0", "--expect", "p99<3s")
    running.wait_metric("connections", 10)
    pushed = push.push(road(running), "clients/ws/dev-{n}/messages", clients=10, messages=20,
                       size=200)
    assert pushed[:2] == (200, 200)
    got = receiver.finish()
    assert got.code == 0, got.text
    assert got.counts() == {"received": 200, "missing": 0, "late": 0, "repeated": 0,
                            "unstamped": 0}
    assert got.json["totals"]["sent"] == 0
    latency = got.json["push_seconds"]
    assert latency["count"] == 200 and 0 < latency["p50"] <= latency["p99"] < 3
    assert 0 < got.json["receive_seconds"] <= pushed[2] + 1
    assert sum(p["push_seconds"]["count"] for p in got.json["series"]) == 200
    assert "\nReceived   200 messages in " in got.text and "\nPush  " in got.text
    page = got.page.read_text()
    assert "Push p50" in page and "Push latency over time" in page
    assert "0 missing, 0 late, 0 repeated" in page


def test_a_broadcast_reaches_each_once(receive, gateway):
    running = gateway()
    receiver = receive(running.url("/ws/dev-{n}"), "-c", 25, "--hold", "3s")
    running.wait_metric("connections", 25)
    assert push.push(road(running), "broadcast?route=ws", messages=30)[:2] == (30, 750)
    got = receiver.finish()
    assert got.code == 0, got.text
    assert got.counts()["received"] == 750
    assert got.text.splitlines()[-1].endswith("750 messages received, 0 missing, 0 late, 0 repeated")


def test_gaps_late_and_repeated_ones_are_counted(receive, pushing_server):
    numbers = (1, 2, 4, 3, 3, 9)
    server = pushing_server([f"gh1 {number} 1" for number in numbers])
    got = receive(f"{server.url}/{{n}}", "-c", 2, "--hold", "1s").finish()
    assert got.code == 1, got.text
    assert got.counts() == {"received": 12, "missing": 8, "late": 2, "repeated": 2, "unstamped": 0}
    assert "12 messages received, 8 missing, 2 late, 2 repeated" in got.text


def test_what_has_no_usable_stamp_is_received_without_latency(receive, pushing_server):
    future = time.time_ns() + 3600 * 10**9
    server = pushing_server(["", "hello", "gh1 7", f"gh1 7 {future}", "x" * 5000, "gh1 7 1"])
    got = receive(f"{server.url}/{{n}}", "-c", 1, "--hold", "1s", "--expect", "unstamped==5").finish()
    assert got.code == 0, got.text
    assert got.counts() == {"received": 6, "missing": 0, "late": 0, "repeated": 0, "unstamped": 5}
    assert got.json["push_seconds"]["count"] == 1


def test_nothing_received_is_no_success(receive, gateway):
    running = gateway()
    got = receive(running.url("/ws/dev-{n}"), "-c", 1, "--hold", "100ms").finish()
    assert got.code == 1, got.text
    assert "0 messages received" in got.text


def test_slow_readers_neither_read_nor_send(receive, gateway):
    running = gateway()
    receiver = receive(running.url("/ws/dev-{n}"), "-c", 10, "--slow-readers", "20%", "--hold", "2s")
    running.wait_metric("connections", 10)
    assert push.push(road(running), "broadcast?route=ws", messages=5)[0] == 5
    got = receiver.finish()
    assert got.code == 0, got.text
    # Whether the first came before the hold began, when all read, is nobody's promise.
    assert 8 * 5 <= got.counts()["received"] <= 10 * 5
    assert got.json["totals"]["held"] == 10
    assert running.metric("messages_received_total") == 0


def test_a_client_that_comes_anew_begins_anew(receive, gateway):
    """With --lifetime: what it missed meanwhile is not missing."""
    running = gateway()
    receiver = receive(running.url("/ws/dev-{n}"), "-c", 5, "--lifetime", "100ms", "--hold", "2s")
    running.wait_metric("connections", 5)
    push.push(road(running), "broadcast?route=ws", messages=100, rate=100)
    got = receiver.finish()
    assert got.code == 0, got.text
    assert got.json["totals"]["reopened"] > 0
    assert 0 < got.counts()["received"] <= 500
