#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a message, a handshake and an idle connection cost the gateway, beside the floor.

Server and tester have a processor each. Cost is the server's whole CPU time, user and
kernel, from /proc/PID/task/*/schedstat, over the part of a run in which it was steady:
it stays comparable on a noisy machine, where rates do not. The floor (tests/bench/
bare_echo.c) is the shortest server that returns bytes, under the same load from the
same tester. Every round runs all servers once; the medians are of the rounds, and so
are the ratios, each of two runs of the same round. './dev bench --help' has the options."""

import argparse
import dataclasses
import glob
import json
import os
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
GATEHOUSE = ROOT / "build" / "release" / "gatehouse"
BARE = ROOT / "build" / "release" / "tests" / "bench" / "bare_echo"
FIRST_PORT = 18480
ENGINES = ("io_uring", "epoll")
SAMPLE_SECONDS = 0.01
START_SECONDS = 10
QUIET_SECONDS = 0.5  # the server is idle when it used no CPU for so long


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    connections: int
    load: tuple[str, ...]  # options of the tester
    target: float  # microseconds, or bytes


SCENARIOS = (
    Scenario("handshake", "per handshake, 10,000 in a row", 10000, ("--hold", "2"), 16.0),
    Scenario("echo-1k-16", "per echo, 64 B, 1,000 x 16", 1000, ("--depth", "16", "--duration", "5"), 0.45),
    Scenario("echo-10k-1", "per echo, 64 B, 10,000 x 1", 10000, ("--depth", "1", "--duration", "5"), 7.5),
    Scenario("echo-100-1", "per echo, 64 B, 100 x 1", 100, ("--depth", "1", "--duration", "5"), 5.3),
    Scenario("echo-16k", "per echo, 16 KiB, 100 x 4", 100,
             ("--depth", "4", "--size", "16KiB", "--duration", "5"), 7.0),
)
MEMORY_TARGET = 250
KEYS = {"ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"), "rsa": ("-newkey", "rsa:2048")}


class Failure(Exception):
    """The benchmark cannot go on; the text says why."""


def run_as(program: str, main) -> None:
    """Ends this process with what main returns, or with the reason why it cannot go on."""
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"{program}: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def raise_descriptors() -> None:
    """To what this process may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def certificate(directory: pathlib.Path, key: str) -> tuple[str, str]:
    """One for 127.0.0.1, signed by itself: the files of it and of its key."""
    cert_file, key_file = directory / f"{key}.pem", directory / f"{key}.key"
    subprocess.run(["openssl", "req", "-x509", *KEYS[key], "-nodes", "-keyout", key_file, "-out", cert_file, "-days", "90",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True,
                   capture_output=True)
    return str(cert_file), str(key_file)


class Server:
    """A gateway or a floor, pinned to the first processor if it is not said otherwise. Each has ports of its own: a
    ring that is torn down holds its listener for a moment after the process is gone."""

    next_port = FIRST_PORT

    def __init__(self, kind: str, engine: str, workers: int = 1, command: list | None = None,
                 cpu: int | None = 0):
        self.kind, self.engine = kind, engine
        self.port = Server.next_port
        Server.next_port += 2
        if command is None:
            command = ([BARE, engine, str(self.port)] if kind == "bare" else
                       [GATEHOUSE, "serve", "--listen", f"127.0.0.1:{self.port}", "--admin-listen",
                        f"127.0.0.1:{self.port + 1}", "--engine", engine, "--workers", str(workers),
                        "--log-level", "warn"])
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        preexec_fn=lambda: cpu is None or os.sched_setaffinity(0, {cpu}))
        self.wait_listening()

    def wait_listening(self) -> None:
        suffix = f":{self.port:04X}"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"{self.kind} {self.engine} ended: {self.process.stderr.read().decode()}")
            with open("/proc/net/tcp", encoding="ascii") as lines:
                if any(f[1].endswith(suffix) and f[3] == "0A" for f in map(str.split, lines)):
                    return
            time.sleep(0.02)
        raise Failure(f"{self.kind} {self.engine} did not listen within {START_SECONDS} s")

    def established(self) -> int:
        """Connections of clients."""
        suffix = f":{self.port:04X}"
        with open("/proc/net/tcp", encoding="ascii") as lines:
            return sum(f[1].endswith(suffix) and f[3] == "01" for f in map(str.split, lines))

    def cpu_us(self) -> float:
        total = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/schedstat"):
            try:
                with open(path, encoding="ascii") as file:
                    total += int(file.read().split()[0])
            except FileNotFoundError:
                pass  # a thread that has just ended
        return total / 1000

    def anonymous_bytes(self) -> int:
        """Private memory of the program itself; pages of libraries are not its own."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"RssAnon:\s+(\d+) kB", file.read()).group(1)) * 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL if self.kind == "bare" else signal.SIGTERM)
        self.process.wait(timeout=30)
        self.process.stderr.close()


@dataclasses.dataclass
class Sample:
    at: float  # time.monotonic
    cpu_us: float
    memory: int


class Sampler(threading.Thread):
    """Looks at the server until it is told to stop."""

    def __init__(self, server: Server):
        super().__init__()
        self.server, self.samples, self.done = server, [], threading.Event()
        self.start()

    def run(self) -> None:
        while not self.done.is_set():
            try:
                self.samples.append(Sample(time.monotonic(), self.server.cpu_us(),
                                           self.server.anonymous_bytes()))
            except (OSError, AttributeError):
                return  # the server has ended, which the tester will say better
            self.done.wait(SAMPLE_SECONDS)

    def finish(self) -> list[Sample]:
        self.done.set()
        self.join()
        return self.samples

    @staticmethod
    def cpu_at(samples: list[Sample], when: float) -> float:
        """Between the two samples around that moment, on a straight line."""
        for before, after in zip(samples, samples[1:]):
            if before.at <= when <= after.at:
                part = (when - before.at) / (after.at - before.at)
                return before.cpu_us + part * (after.cpu_us - before.cpu_us)
        raise Failure("the sampler did not cover the run")


def deliveries(samples: list, result: dict) -> dict[str, float]:
    """All of the CPU from the first message to the last, also the publisher's side of the server."""
    start = result["started_monotonic_seconds"]
    points = [p for p in result["series"] if p["received"] > 0 and p["at"] < result["connect_seconds"] +
              result["hold_seconds"] - 0.5]
    first, last = points[0], max(points, key=lambda p: (p["received"], -p["at"]))
    cpu = Sampler.cpu_at(samples, start + last["at"]) - Sampler.cpu_at(samples, start + first["at"])
    return {"cost": cpu / (last["received"] - first["received"])}


def on_second_processor() -> None:
    os.sched_setaffinity(0, {1 if os.cpu_count() > 1 else 0})


def run_tester(scenario: Scenario, server: Server) -> dict:
    """The tester's JSON, from the second processor."""
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        command = [GATEHOUSE, "bench", f"ws://127.0.0.1:{server.port}/ws/dev-{{n}}", "-q", "--engine", "epoll",
                   "--workers", "1", "-c", str(scenario.connections), "--json", result.name, *scenario.load]
        if server.kind == "bare":
            command.append("--raw-echo")
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                             preexec_fn=on_second_processor)
        if run.returncode != 0:
            raise Failure(f"{scenario.name} against {server.kind} {server.engine}: "
                          f"{(run.stdout + run.stderr).strip().splitlines()[-1]}")
        return json.load(open(result.name, encoding="utf-8"))


def plateau(samples: list[Sample], after: float) -> Sample:
    """The first sample from which on the server was idle."""
    later = [s for s in samples if s.at >= after]
    for sample in later:
        rest = [s for s in later if sample.at <= s.at <= sample.at + QUIET_SECONDS]
        if rest[-1].at - sample.at > QUIET_SECONDS * 0.9 and rest[-1].cpu_us - sample.cpu_us < 1000:
            return sample
    raise Failure("the server did not come to rest after the handshakes")


def measure(scenario: Scenario, kind: str, engine: str) -> dict[str, float]:
    server = Server(kind, engine)
    try:
        sampler = Sampler(server)
        while not sampler.samples:
            time.sleep(SAMPLE_SECONDS)
        result = run_tester(scenario, server)
        samples = sampler.finish()
    finally:
        server.stop()
    start = result["started_monotonic_seconds"]
    if scenario.name == "handshake":
        rest = plateau(samples, start + result["connect_seconds"])
        return {"cost": (rest.cpu_us - samples[0].cpu_us) / scenario.connections,
                "memory": (rest.memory - samples[0].memory) / scenario.connections}
    return steady(samples, result)


def steady(samples: list[Sample], result: dict) -> dict[str, float]:
    """Of echoes. The first second has handshakes in it, the last may be short."""
    start = result["started_monotonic_seconds"]
    points = [p for p in result["series"] if p["at"] > result["connect_seconds"] + 1][:-1]
    first, last = points[0], points[-1]
    cpu = Sampler.cpu_at(samples, start + last["at"]) - Sampler.cpu_at(samples, start + first["at"])
    return {"cost": cpu / (last["received"] - first["received"]),
            "rate": (last["received"] - first["received"]) / (last["at"] - first["at"])}


def show(scenario: Scenario, rounds: list[dict[tuple[str, str], dict[str, float]]]) -> None:
    for engine in ENGINES:
        ours = statistics.median(r["gatehouse", engine]["cost"] for r in rounds)
        floor = statistics.median(r["bare", engine]["cost"] for r in rounds)
        ratio = statistics.median(r["gatehouse", engine]["cost"] / r["bare", engine]["cost"] for r in rounds)
        print(f"{scenario.title:34} {engine:9} {ours:9.2f} {floor:9.2f} {ratio:7.2f} {scenario.target:8.2f}")
    if scenario.name == "handshake":
        for engine in ENGINES:
            memory = statistics.median(r["gatehouse", engine]["memory"] for r in rounds)
            print(f"{'user bytes per idle connection':34} {engine:9} {memory:9.0f} {'-':>9} {'-':>7} "
                  f"{MEMORY_TARGET:8}")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3; medians of these")
    parser.add_argument("--only", choices=[s.name for s in SCENARIOS], action="append", metavar="NAME",
                        help="only this scenario, may be repeated: " + ", ".join(s.name for s in SCENARIOS))
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes a number from 1 on")
    print("Server CPU in microseconds, user and kernel; one worker; the floor only returns bytes.")
    print(f"{'':34} {'engine':9} {'gatehouse':>9} {'floor':>9} {'ratio':>7} {'target':>8}")
    for scenario in SCENARIOS:
        if options.only and scenario.name not in options.only:
            continue
        rounds = [{(kind, engine): measure(scenario, kind, engine)
                   for engine in ENGINES for kind in ("bare", "gatehouse")} for _ in range(options.rounds)]
        show(scenario, rounds)
    return 0


if __name__ == "__main__":
    run_as("./dev bench", main)
