# SPDX-License-Identifier: Apache-2.0
"""`gatehouse bench wss://` against a gateway of ours, both with the same engine."""

import json
import subprocess

import pytest

from kit import wsraw
from kit.certificates import Authority
from kit.gateway import BINARY, run_binary


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "authority")


@pytest.fixture
def front_door(gateway, authority):
    """A gateway whose one listener speaks TLS; front_door(tls={...}, **config)."""
    def start(tls: dict | None = None, **config):
        pair = authority.sign("server")
        address = f"127.0.0.1:{wsraw.free_port()}"
        listener = {"address": address, "tls": {"certificates": [pair.files]} | (tls or {})}
        server = {"listen": None, "listeners": [listener]} | config.pop("server", {})
        running = gateway(server=server, **config)
        running.front = f"wss://{address}"
        return running

    return start


@pytest.fixture
def bench(engine, authority, tmp_path):
    def run(url, *args, code=0):
        path = tmp_path / "result.json"
        words = [BINARY, "bench", url, "-q", "--engine", engine, "--json", path, "--ca", authority.cert, *args]
        got = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, check=False)
        assert got.returncode == code, got.stdout + got.stderr
        return json.loads(path.read_text())

    return run


@pytest.mark.parametrize("detach", ["on", "off"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_every_echo_is_right(bench, front_door, detach, version):
    running = front_door({"detach": detach})
    for load in (["--depth", 8, "--duration", "500ms"], ["--message-rate", 20, "--hold", "500ms", "--size", "70000"]):
        got = bench(running.front + "/ws/{n}", "-c", 20, "--tls-version", version, "--binary", *load)
        assert got["totals"]["received"] == got["totals"]["sent"] > 0
        assert got["totals"]["closed_cleanly"] == 20
        assert got["tls"]["version"] == f"TLSv{version}"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_fleet_comes_back_with_its_tickets(bench, front_door, version):
    running = front_door()
    got = bench(running.front + "/ws/{n}", "-c", 50, "--tls-resume", "--tls-version", version, "--hold", "5s",
                "--cut-after", "200ms", "--in-flight", 50, "--expect", "reopened==100%", "--expect", "resumed==100%",
                "--expect", "held==100%")
    assert got["totals"]["resumed"] == 50
    running.wait_metric("connections", 0)


def test_tickets_let_in(bench, front_door):
    running = front_door(routes=[{"path": "/ws/{client_id}", "name": "ws", "auth": [{"type": "ticket"}]}])
    tickets = "http://{}:{}/api/v1/tickets".format(*running.admin)
    got = bench(running.front + "/ws/dev-{n}", "-c", 10, "--ticket-url", tickets, "--ticket-body",
                '{"route": "ws", "client_id": "dev-{n}"}', "--message-rate", 10, "--hold", "300ms")
    assert got["totals"]["connected"] == 10 and got["step_seconds"]["ticket"]["count"] == 10
    refused = bench(running.front + "/ws/dev-{n}", "-c", 1, code=1)
    assert (refused["failures"][0]["kind"], refused["failures"][0]["code"]) == ("http", 403)


def test_wants_a_certificate(bench, front_door, authority):
    running = front_door({"client_ca_file": authority.cert, "client_certificate": "required"})
    client = authority.sign("client")
    got = bench(running.front + "/ws/{n}", "-c", 5, "--cert", client.cert, "--key", client.key)
    assert got["totals"]["connected"] == 5
    [failure] = bench(running.front + "/ws/{n}", "--tls-version", "1.3", code=1)["failures"]
    assert (failure["kind"], failure["side"]) == ("tls", "mine")
    assert "the server wants a client certificate" in failure["text"]


def test_the_wrong_scheme_on_each_side(bench, front_door, authority):
    running = front_door()
    refused = run_binary("bench", running.front.replace("wss:", "ws:") + "/ws/{n}", "-q")
    assert refused.returncode == 1 and "HTTP 400" in refused.stdout
    plain = "wss://{}:{}/health".format(*running.admin)
    [failure] = bench(plain, code=1)["failures"]
    assert (failure["kind"], failure["side"]) == ("tls", "mine"), failure
    ready = run_binary("ready", running.front.replace("wss:", "https:") + "/readyz", "--ca", authority.cert,
                       "--timeout", "20s")
    assert ready.returncode == 0, ready.stderr


def test_doctor_looks_at_a_process_that_speaks_tls(front_door):
    """Its admin listener is asked in clear; a listener for TLS is a socket like others."""
    running = front_door()
    got = run_binary("doctor", "--pid", str(running.process.pid), "--json")
    answer = json.loads(got.stdout)
    addresses = [listener["address"] for listener in answer["process"]["listeners"]]
    assert running.front.removeprefix("wss://") in addresses
    assert "TLS is spoken" not in got.stdout


def test_doctor_says_what_it_cannot_ask(front_door, authority):
    pair = authority.sign("admin")
    running = front_door(admin={"tls": {"certificates": [pair.files]}})
    got = run_binary("doctor", "--pid", str(running.process.pid))
    assert "TLS is spoken there, which this command does not" in got.stdout, got.stdout + got.stderr
