# SPDX-License-Identifier: Apache-2.0
"""The catalogue TC-E2E-01..10: each scenario passes against a good gateway and fails against one that is broken in
the way that it is there to find."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
import yaml

from kit import upgrades, wsraw
from kit.bench import TEXT
from kit.examples import EXAMPLES, Program
from kit.gateway import BINARY, ROOT, with_more_time

pytestmark = pytest.mark.once("the tester's verdicts, which others of its tests also come to")

SCENARIOS = ROOT / "scenarios"
CATALOGUE = {path.stem.split("-")[2]: path for path in sorted(SCENARIOS.glob("tc-e2e-*.yaml"))}
IS_TIME = re.compile(r"\d(ns|us|ms|s|m)$")
STREAM = {"name": "echo-durable", "type": "nats", "durable": "true", "stream": "UP", "retry_min": "20ms",
          "retry_max": "200ms"}
BUS = {"type": "nats", "reconnect_min": "10ms", "reconnect_max": "50ms"}


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


def expectations(number: str) -> list[str]:
    """As the file has them, but for times, which a busy machine does not keep."""
    return [re.sub(r"[\d.]+(ns|us|ms|s|m)$", "60s", one) if IS_TIME.search(one) else one
            for one in yaml.safe_load(CATALOGUE[number].read_text())["expect"]]


class Outcome:
    def __init__(self, process, path: pathlib.Path):
        self.code, self.text = process.returncode, process.stdout + process.stderr
        self.json = json.loads(path.read_text()) if path.exists() and path.stat().st_size else {}
        self.verdict = process.stdout.strip().rsplit("\n", 1)[-1]
        self.unmet = {row["expect"].split("=")[0].split("<")[0].split(">")[0]
                      for row in self.json.get("checks", []) if not row["met"]}
        self.totals = self.json.get("totals", {})


@pytest.fixture
def play(engine, tmp_path):
    """play(number, place, option...) runs a scenario of the catalogue against what listens at `place`, (host,
    port), and has its API at `api`."""
    def run(number: str, place, *options, api=None, target="/ws/dev-{n}", seconds=100) -> Outcome:
        path = tmp_path / "result.json"
        scenario = yaml.safe_load(CATALOGUE[number].read_text())
        words = [BINARY, "bench", "--quiet", "--engine", engine, "--json", path, "--scenario", CATALOGUE[number],
                 f"ws://{place[0]}:{place[1]}{target}"]
        if "wait-ready" in scenario:
            words += ["--wait-ready", f"http://{place[0]}:{place[1]}/health"]
        if "api" in scenario:
            words += ["--api", f"http://{api[0]}:{api[1]}"]
        for one in expectations(number):
            words += ["--expect", one]
        return Outcome(subprocess.run([str(word) for word in (*words, *options)], capture_output=True, text=True,
                                      timeout=seconds, check=False), path)
    return run


def passed(got: Outcome, number: str) -> None:
    assert got.code == 0, got.text
    assert got.verdict.startswith("PASS: all "), got.text
    assert got.json["asked"]["scenario"] == CATALOGUE[number].stem
    assert all(act["done"] for act in got.json["acts"])


def failed(got: Outcome, *unmet: str) -> None:
    """It says FAIL, and these expectations are among those that are not met."""
    assert got.code == 1 and got.verdict.startswith("FAIL: "), got.text
    assert set(unmet) <= got.unmet, got.text


def test_the_catalogue_is_whole():
    assert sorted(CATALOGUE) == [f"{number:02}" for number in range(1, 11)]
    page = (ROOT / "docs" / "scenarios.md").read_text()
    for number, path in CATALOGUE.items():
        header = path.read_text().split("\nname: ")[0]
        assert "# Proves " in header and "# Good: PASS" in header, path
        assert f"--scenario scenarios/{path.name}" in header, path
        assert f"TC-E2E-{number}" in page and path.name in page, path


# --- 01, 02, 04, 05, 06, 07: one gateway that nobody disturbs ---

SMALL = {
    "01": ["-c", 40, "--rate", 200, "--hold", "200ms"],
    "02": ["-c", 20, "--hold", "500ms", "--message-rate", 20],
    "04": ["-c", 40, "--batch", 10, "--batch-pause", "20ms", "--hold", "500ms", "--message-rate", 4],
    "05": ["-c", 30, "--push-messages", 20, "--push-rate", 40, "--hold", "2s"],
    "06": ["-c", 40, "--size", "16KiB", "--hold", "5s"],
    "07": ["-c", 200, "--in-flight", 200, "--hold", "1s", "--cut-after", "200ms"],
}


@pytest.mark.parametrize("number", sorted(SMALL))
def test_in_small(play, gateway, number):
    def run(hold):
        running = gateway(server={"send_timeout": "500ms"})
        got = play(number, running.address, *SMALL[number], *(["--hold", hold] if hold else []), api=running.admin)
        running.wait_metric("connections", 0)
        return got
    passed(with_more_time(run, lambda got: got.code == 0, (None, "20s")), number)


@pytest.mark.rare
@pytest.mark.parametrize("number", sorted(SMALL))
def test_in_full(play, gateway, number):
    running = gateway(server={"workers": 2})
    passed(play(number, running.address, api=running.admin), number)


def test_01_who_is_turned_away(play, fake):
    bad = fake(admit=lambda _, number: number != 7)
    failed(play("01", bad.address, *SMALL["01"]), "connected", "failed", "refused", "held")


@pytest.mark.parametrize("kind", ["lost", "doubled", "changed", "overtaken"])
def test_02_a_message_that_is(play, fake, kind):
    held = []

    def echo(_, number, opcode, payload):
        """Of the fourth client, the third message."""
        held.extend([payload] if number == 3 and len(held) < 4 else [])
        if number != 3 or payload not in held or held.index(payload) != 2:
            late = [(opcode, held[2])] if kind == "overtaken" and number == 3 and payload == held[-1] \
                and len(held) == 4 else []
            return [(opcode, payload), *late]
        changed = bytes([payload[-1] ^ 1])
        return {"lost": [], "overtaken": [], "doubled": [(opcode, payload)] * 2,
                "changed": [(opcode, payload[:-1] + changed)]}[kind]

    options = ["--echo-timeout", "2s"] if kind == "lost" else []
    got = play("02", fake(echo=echo).address, *SMALL["02"], *options)
    failed(got, "held")
    assert len(got.json["failures"]) == 1, got.text


def test_04_a_gateway_with_fewer_places(play, gateway):
    running = gateway(server={"max_connections": 30})
    failed(play("04", running.address, *SMALL["04"]), "connected", "held")


@pytest.mark.parametrize("kind, unmet", [("lost", "missing"), ("lost at the end", "delivered"),
                                         ("doubled", "duplicates"), ("overtaken", "late"), ("without", "unstamped")])
def test_05_a_delivery_that_is(play, fake, kind, unmet):
    bodies = []

    def api(self, path, body):
        assert path == "/api/v1/broadcast?route=ws"
        bodies.append(body)
        odd, *others = self.all_peers()
        number = len(bodies)
        for peer in others:
            peer.send(TEXT, body)
        mine = [body]
        if number == (20 if kind == "lost at the end" else 5):
            mine = {"doubled": [body, body], "without": [b"?" * 128]}.get(kind, [])
        if number == 6 and kind == "overtaken":
            mine = [body, bodies[4]]
        for one in mine:
            odd.send(TEXT, one)
        return 200

    bad = fake(api=api)
    failed(play("05", bad.address, *SMALL["05"], api=bad.address), unmet)


def test_05_an_api_that_fails_in_between(play, fake):
    bad = fake(api=lambda self, _path, body: self.send_all(body) or (200 if len(self.calls) < 7 else 503))
    got = play("05", bad.address, *SMALL["05"], api=bad.address)
    failed(got)
    assert "pushing stopped: message 8 of 20: HTTP 503" in got.verdict
    assert got.json["push"] == {"messages": 7, "problem": got.json["push"]["problem"]}


def test_06_a_gateway_that_keeps_them(play, gateway):
    running = gateway(server={"send_timeout": "60s"})
    failed(play("06", running.address, *SMALL["06"], "--hold", "1s"), "slow_closed")


def test_07_a_gateway_that_stays_broken(play, fake):
    bad = fake(admit=lambda _, number: number < 60)
    failed(play("07", bad.address, "-c", 40, "--in-flight", 40, "--hold", "1s", "--cut-after", "200ms"),
           "failed", "reopened", "held")


# --- 03: reconnect ---


def test_03_in_small(play, gateway, tmp_path):
    def run(hold):
        running = gateway(server={"drain_retry_after": "1s"})
        return play("03", running.address, "-c", 40, "--hold", hold, "--message-rate", 10, "--report",
                    tmp_path / "report.md", "--html", tmp_path / "page.html", api=running.admin)
    got = with_more_time(run, lambda got: got.code == 0, ("4s", "12s", "40s"))
    passed(got, "03")
    assert [(row["kind"], row["code"], row["label"]) for row in got.json["interruptions"]] \
        == [("closed", 1012, "retry-after=N")]
    assert got.json["step_seconds"]["comeback"]["count"] == 40
    report, page = ((tmp_path / name).read_text() for name in ("report.md", "page.html"))
    assert "| disconnected, to come back | 40 |\n| came back | 40 |\n| away at the end | 0 |\n" in report
    assert re.search(r"\| `call: POST /api/v1/drain` \| \d\.\d\d–\d\.\d\d s \| done \| HTTP 202 \|", report)
    assert "<dt>Came back</dt>" in page and "<h2>Acts</h2>" in page and "How those who came back were ended" in page


def test_03_by_tls(gateway, engine, sealed_door, authority, tmp_path):
    """Each with the ticket of its session."""
    running = gateway(server=sealed_door().open({"listen": f"127.0.0.1:{wsraw.free_port()}", "workers": 1,
                                                 "engine": engine, "drain_retry_after": "1s"}),
                      admin={"listen": f"127.0.0.1:{wsraw.free_port()}"})
    path = tmp_path / "result.json"
    common = [BINARY, "bench", "--quiet", "--engine", engine, "--json", path, "--scenario", CATALOGUE["03"],
             f"wss://127.0.0.1:{running.address[1]}/ws/dev-{{n}}", "--ca", authority.cert, "--tls-resume", "-c", 10,
             "--message-rate", 10, "--wait-ready", f"http://127.0.0.1:{running.admin[1]}/health", "--api",
             f"http://127.0.0.1:{running.admin[1]}", "--expect", "lost==0", "--expect", "away==0", "--expect", "resumed>=90%"]

    def run(hold: str) -> Outcome:
        words = map(str, (*common, "--hold", hold))
        return Outcome(subprocess.run(list(words), capture_output=True, text=True, timeout=100, check=False), path)

    got = with_more_time(run, lambda got: got.code == 0, ("5s", "15s", "40s"))
    assert got.code == 0 and got.totals["reconnected"] == 10, got.text


@pytest.mark.rare
def test_03_in_full(play, gateway):
    running = gateway(server={"workers": 2})
    passed(play("03", running.address, api=running.admin), "03")


@pytest.mark.parametrize("wait", [b"retry-after=1", b""])
def test_03_a_gateway_that_does_not_take_them_back(play, fake, wait):
    def api(self, *_):
        self.close_all(1012, wait)
        return 202

    bad = fake(api=api, admit=lambda _, number: number < 20)
    got = play("03", bad.address, "-c", 20, "--hold", "2500ms", "--message-rate", 10, api=bad.address)
    failed(got, "reconnected", "away", "held", "comeback.max")
    assert got.totals["away"] == got.totals["disconnected"] == 20
    assert got.totals["retried"] >= (1 if wait else 20)
    assert "20 dropped: did not come back before the end" in got.verdict


def test_03_waits_as_long_as_it_is_asked(play, fake):
    """And not all come in the same moment."""
    def api(self, *_):
        self.close_all(1012, b"retry-after=2")
        return 202

    def run(hold: str) -> Outcome:
        good = fake(api=api)
        got = play("03", good.address, "-c", 20, "--hold", hold, "--message-rate", 10, "--expect", "away==0",
                   api=good.address)
        got.arrivals = sorted(good.server.arrivals)
        return got

    got = with_more_time(run, lambda got: got.json["step_seconds"]["comeback"]["count"] == 20, ("4s", "12s", "40s"))
    back = got.json["step_seconds"]["comeback"]
    assert back["count"] == 20 and back["p50"] >= 2, got.text
    assert got.arrivals[-1] - got.arrivals[-20] > 0.02


def test_03_waits_as_long_as_a_refusal_asks(play, fake):
    """By Retry-After: without it they would come again after 0.1 s."""
    def api(self, *_):
        self.close_all(1012, b"")
        return 202

    def run(hold: str) -> Outcome:
        full = fake(api=api, admit=lambda _, number: number not in range(20, 40), refusal=["Retry-After: 2"])
        return play("03", full.address, "-c", 20, "--hold", hold, "--message-rate", 10, "--expect", "away==0",
                    api=full.address)

    got = with_more_time(run, lambda got: got.json["step_seconds"]["comeback"]["count"] == 20, ("4s", "12s", "40s"))
    assert got.totals["retried"] == 20, got.text
    back = got.json["step_seconds"]["comeback"]
    assert back["count"] == 20 and back["p50"] >= 2, got.text


# --- 08: a deploy ---


def heir_of(gateway) -> int:
    """The process that serves this configuration, and is not the first."""
    def look():
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if str(gateway.config_file).encode() in words and int(path.parent.name) != gateway.process.pid:
                    return int(path.parent.name)
        return 0
    return wsraw.wait_until(look, "the new process")


DEPLOY = ["-c", 40, "--hold", "2s", "--message-rate", 10]


def deploy(play, gateway, *options):
    running = gateway()
    got = play("08", running.address, *options, api=running.admin)
    if got.json["acts"][0]["done"]:
        upgrades.follow(running, heir_of(running))
        assert upgrades.wait_former(running) == 0
    return got


def test_08_in_small(play, gateway):
    got = with_more_time(lambda hold: deploy(play, gateway, "-c", 40, "--message-rate", 10, "--hold", hold),
                         lambda got: got.code == 0, ("2s", "12s"))
    passed(got, "08")
    assert len(got.json["acts"]) == 3


@pytest.mark.rare
def test_08_in_full(play, gateway):
    passed(deploy(play, gateway), "08")


def test_08_a_program_that_is_not_there(play, gateway, tmp_path):
    program = upgrades.Program(tmp_path)
    running = gateway(program=program.path)
    program.remove()
    got = play("08", running.address, *DEPLOY, api=running.admin)
    failed(got)
    assert "the act 'call: POST /api/v1/upgrade' failed: HTTP 500: " in got.verdict
    assert [act["seen"] for act in got.json["acts"][1:]] == ["was not reached"] * 2
    assert got.totals["dropped"] == 0, "nothing else has happened"


def test_08_a_deploy_that_drops_one(play, fake):
    def api(self, path, _):
        if path == "/api/v1/upgrade":
            self.close_all(1001, b"", count=1)
        return 200

    bad = fake(api=api)
    failed(play("08", bad.address, *DEPLOY, api=bad.address), "dropped", "held")


# --- 09: the broker ---


class Durable:
    """A broker with streams, the example's back end, and what kills the one and starts it again."""

    def __init__(self, broker, directory: pathlib.Path, change=None):
        self.broker = broker(jetstream=True)
        self.pid_file = directory / "broker.pid"
        source = (EXAMPLES / "nats-durable" / "backend.py").read_text()
        script = directory / "backend.py"
        script.write_text(change(source) if change else source)
        assert change is None or script.read_text() != source
        self.program = Program(sys.executable, script, f"127.0.0.1:{self.broker.port}")
        words = ["nats-server", "-a", "127.0.0.1", "-p", self.broker.port, *self.broker.arguments]
        self.stop = f"kill -KILL {self.broker.process.pid}"
        self.start = f"{' '.join(map(str, words))} >/dev/null 2>&1 & echo $! > {self.pid_file}"

    def close(self) -> None:
        self.program.close()
        if self.pid_file.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(self.pid_file.read_text()), signal.SIGKILL)


@pytest.fixture
def durable(broker, tmp_path):
    made = []

    def make(change=None) -> Durable:
        directory = tmp_path / f"durable-{len(made)}"
        directory.mkdir()
        made.append(Durable(broker, directory, change))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def talk(play, durable, gateway):
    """talk(hold, change=, start=): the scenario 09; `start`: what starts the broker again."""
    def run(hold, *options, change=None, start=None) -> Outcome:
        parts = durable(change)
        running = gateway(bus=BUS | {"urls": f"[{parts.broker.url}]"},
                          server={"drain_timeout": "300ms"},
                          routes=[{"path": "/ws/{client_id}", "backend": "echo-durable"}], backends=[STREAM])
        got = play("09", running.address, *(["--hold", hold] if hold else []), *options, "--hook",
                   f"stop-broker={parts.stop}", "--hook", f"start-broker={start or parts.start}", api=running.admin)
        if start is None:
            wsraw.wait_until(lambda: running.health()["status"] == "ready", "the broker's return")
        else:
            running.signal(signal.SIGTERM)  # what waits for the broker is lost, and it says so
            running.wait_exit()
            running.has_stopped = True
        return got
    return run


def test_09_in_small(talk):
    got = with_more_time(lambda hold: talk(hold, "-c", 10, "--message-rate", 10, "--expect", "duplicates<=50%"),
                         lambda got: got.code == 0, ("3s", "12s"))
    passed(got, "09")
    assert got.totals["sent"] == got.totals["received"] > 0 and got.totals["missing"] == 0


@pytest.mark.rare
def test_09_in_full(talk):
    passed(talk(None), "09")


def test_09_a_broker_that_stays_away(talk):
    got = talk("2s", "-c", 10, "--message-rate", 10, "--echo-timeout", "500ms", start="true")
    failed(got, "dropped", "lost", "echoed")
    assert "the act 'await: /health 200' failed: HTTP 503" in got.verdict


def test_09_a_back_end_that_loses_one(talk):
    line = 'elif headers.get("ce-type") == "gatehouse.client.message":'

    def lose(source: str) -> str:
        return source.replace(line, line[:-1] + " and next(broker.events) != 7:").replace(
            "        self.line()  # INFO", "        self.events = itertools.count(1)\n        self.line()")

    got = talk("3s", "-c", 4, "--message-rate", 10, "--echo-timeout", "1s", change=lose)
    failed(got, "lost", "echoed")


# --- 10: a node ---


@pytest.fixture
def pair_of_nodes(play, gateway, broker):
    """pair_of_nodes(hold, one={...}): the scenario 10; `one`: options of the node that is left."""
    def run(hold, *options, one=None) -> Outcome:
        urls = f"[{broker().url}]"
        first, second = (gateway(bus=BUS | {"urls": urls}, server={"node": name} | more)
                         for name, more in (("one", one or {}), ("two", {})))
        for node in (first, second):
            wsraw.wait_until(lambda node=node: node.health()["status"] == "ready", "the bus")
        host, port = second.address
        got = play("10", first.address, *(["--hold", hold] if hold else []), *options, "--node", f"{host}:{port}",
                   "--hook", f"lose-node=kill -KILL {second.process.pid}", api=first.admin)
        assert second.wait_exit() == -signal.SIGKILL
        second.has_stopped = True
        return got
    return run


def test_10_in_small(pair_of_nodes):
    got = with_more_time(lambda hold: pair_of_nodes(hold, "-c", 40, "--message-rate", 5, "--expect", "lost<=20"),
                         lambda got: got.code == 0, ("2s", "12s"))
    passed(got, "10")
    assert got.totals["disconnected"] == got.totals["reconnected"] == 20
    assert got.totals["sent"] - got.totals["received"] <= 20, "one of each client at most"


@pytest.mark.rare
def test_10_in_full(pair_of_nodes):
    passed(pair_of_nodes(None), "10")


def test_10_no_room_at_the_other(pair_of_nodes):
    got = pair_of_nodes("2s", "-c", 40, "--message-rate", 5, one={"max_connections": 30})
    failed(got, "away", "held")
    assert got.totals["away"] >= 10


# --- what a test needs, and does not have ---


def test_an_api_that_nobody_has_is_told_before(play, fake):
    place = fake().address
    got = play("03", place, "-c", 5, api=("127.0.0.1", 1))
    assert got.code == 1 and got.json == {}
    assert "--api http://127.0.0.1:1: nothing listens there" in got.text and "nothing was tested" in got.text


@pytest.mark.parametrize("given, code", [(None, 1), ("wrong" * 8, 1), ("right" * 8, 0)])
def test_a_token(play, gateway, tmp_path, given, code):
    """Only the API sees it."""
    (tmp_path / "token").write_text("right" * 8 + "\n")
    (tmp_path / "token").chmod(0o600)
    running = gateway(admin={"token_file": tmp_path / "token"})
    options = []
    if given:
        (tmp_path / "given").write_text(given + "\n")
        options = ["--api-token-file", tmp_path / "given"]
    got = play("05", running.address, *SMALL["05"], *options, api=running.admin)
    assert got.code == code, got.text
    assert given is None or given not in got.text
    if code:
        assert "HTTP 401: " in got.text and "--api-token-file gives the token" in got.text
