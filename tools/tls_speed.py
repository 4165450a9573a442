#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What TLS costs the gateway: handshakes, idle clients, echoes, a message to many; beside the floor.

The floor (tests/bench/bare_tls.c) is the shortest server that returns bytes through OpenSSL, on epoll. Server and
tester have a processor each; cost is the server's whole CPU time, user and kernel, as tools/benchmark.py has it. Every
round runs all servers once; the medians are of the rounds, and so are the ratios, each of two runs of the same round.
'off' is tls.detach: off, where each connection keeps its OpenSSL object. './dev bench --help' has the options."""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import benchmark
import push
from benchmark import Failure, Sampler

BARE = benchmark.ROOT / "build" / "release" / "tests" / "bench" / "bare_tls"
FAN_OUT_SECONDS, FAN_OUT_RATE, FAN_OUT_SIZE = 6, 10, 128


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    connections: int
    load: tuple[str, ...]  # options of the tester
    target: float  # of the ratio to the floor
    key: str = "ec"

    @property
    def is_handshake(self) -> bool:
        return self.name.startswith("handshake")


# Few at once, so that all but these can be resumed.
IN_A_ROW = ("--in-flight", "32", "--hold", "8")
CASES = (
    Case("handshake-ec", "full handshake, ECDSA P-256", 10000, IN_A_ROW, 1.10),
    Case("handshake-ec-resumed", "resumed, ECDSA", 10000, (*IN_A_ROW, "--tls-resume"), 1.10),
    Case("handshake-rsa", "full handshake, RSA 2048", 10000, IN_A_ROW, 1.10, "rsa"),
    Case("handshake-rsa-resumed", "resumed, RSA", 10000, (*IN_A_ROW, "--tls-resume"), 1.10, "rsa"),
    Case("echo-100-1", "echo, 64 B, 100 x 1", 100, ("--depth", "1", "--duration", "5"), 1.05),
    Case("echo-1k-16", "echo, 64 B, 1,000 x 16", 1000, ("--depth", "16", "--duration", "5"), 1.05),
    Case("echo-10k-1", "echo, 64 B, 10,000 x 1", 10000, ("--depth", "1", "--duration", "5"), 1.05),
    Case("echo-16k", "echo, 16 KiB, 100 x 4", 100, ("--depth", "4", "--size", "16KiB", "--duration", "5"), 1.05),
    Case("fan-out", "128 B to 10,000, 10/s: a delivery", 10000,
         ("--receive", "--hold", str(FAN_OUT_SECONDS + 4)), 1.05),
)
MEMORY_TARGETS = {"on": 600, "off": 15000}


@dataclasses.dataclass(frozen=True)
class Kind:
    program: str  # "bare" or "gatehouse"
    engine: str
    detach: str = "on"

    def __str__(self) -> str:
        return f"{self.engine}{', off' if self.detach == 'off' else ''}"


FLOOR = Kind("bare", "epoll")
OURS = (Kind("gatehouse", "io_uring"), Kind("gatehouse", "epoll"),
        Kind("gatehouse", "io_uring", "off"), Kind("gatehouse", "epoll", "off"))


class Setting:
    """Certificates, in a directory of their own."""

    def __init__(self, directory: pathlib.Path, tls_version: str | None):
        self.directory, self.tls_version = directory, tls_version
        self.pairs = {key: benchmark.certificate(directory, key) for key in benchmark.KEYS}


class Server(benchmark.Server):
    """The floor, or a gateway with one worker, on the first processor."""

    def __init__(self, kind: Kind, setting: Setting, key: str):
        cert_file, key_file = setting.pairs[key]
        port = benchmark.Server.next_port
        self.config = setting.directory / f"{port}.yaml"
        self.config.write_text(json.dumps({
            "server": {"workers": 1, "engine": kind.engine, "listeners": [
                {"address": f"127.0.0.1:{port}", "tls": {
                    "certificates": [{"cert_file": cert_file, "key_file": key_file}], "detach": kind.detach}}]},
            "admin": {"listen": f"127.0.0.1:{port + 1}"}, "log": {"level": "warn"}}))
        super().__init__(kind.program, kind.engine, command=(
            [BARE, str(port), cert_file, key_file] if kind.program == "bare" else
            [benchmark.GATEHOUSE, "serve", "-c", self.config]))


def tester_command(case: Case, server: Server, setting: Setting, result: str) -> list:
    command = [benchmark.GATEHOUSE, "bench", f"wss://127.0.0.1:{server.port}/ws/dev-{{n}}", "-q", "--engine", "epoll",
               "--workers", "1", "-c", str(case.connections), "--insecure", "--json", result,
               "--handshake-timeout", "2m", *case.load]
    if setting.tls_version is not None:
        command += ["--tls-version", setting.tls_version]
    return command + (["--raw-echo"] if server.kind == "bare" and "--receive" not in command else [])


# --- a message to many ---


class Frames:
    """The floor's second port: what is written there goes to each."""

    def __init__(self, server: Server):
        self.socket = socket.create_connection(("127.0.0.1", server.port + 1), timeout=60)

    def send(self, _target: str, body: bytes) -> int:
        self.socket.sendall(bytes([0x81]) + (bytes([len(body)]) if len(body) < 126 else
                                             b"\x7e" + len(body).to_bytes(2, "big")) + body)
        return 0

    def finish(self) -> None:
        self.socket.close()


def publish(server: Server, connections: int, failures: list[str]) -> None:
    """Once all are there, at the rate."""
    try:
        while server.established() < connections:
            time.sleep(0.1)
        time.sleep(1)
        with contextlib.closing(Closable(Frames(server) if server.kind == "bare" else
                                         push.Api(f"http://127.0.0.1:{server.port + 1}"))) as road:
            start = time.monotonic()
            for number in range(FAN_OUT_SECONDS * FAN_OUT_RATE):
                time.sleep(max(0.0, start + number / FAN_OUT_RATE - time.monotonic()))
                road.send("broadcast", push.stamped(number + 1, FAN_OUT_SIZE))
    except (OSError, SystemExit) as error:
        failures.append(str(error))


class Closable:
    def __init__(self, road):
        self.road, self.send, self.close = road, road.send, road.finish


# --- one run ---


def run_tester(case: Case, server: Server, setting: Setting) -> dict:
    failures: list[str] = []
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        process = subprocess.Popen([str(word) for word in tester_command(case, server, setting, result.name)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   preexec_fn=benchmark.on_second_processor)
        sender = threading.Thread(target=publish, args=(server, case.connections, failures), daemon=True)
        if case.name == "fan-out":
            sender.start()
        said = process.communicate()[0]
        if process.returncode != 0 or failures:
            raise Failure(f"{case.name} against {server.kind} {server.engine}: "
                          f"{' '.join(failures) or said.strip().splitlines()[-1]}")
        return json.load(open(result.name, encoding="utf-8"))


def handshakes(samples: list, result: dict, case: Case) -> dict[str, float]:
    """Of an idle gateway half a second is next to nothing."""
    end = result["started_monotonic_seconds"] + result["connect_seconds"]
    spent = Sampler.cpu_at(samples, end + 0.5) - samples[0].cpu_us
    # What the handshakes left over is given back some seconds later.
    idle = min(s.memory for s in samples if end + 1 <= s.at <= end + result["hold_seconds"] - 0.2)
    return {"cost": spent / case.connections, "memory": (idle - samples[0].memory) / case.connections,
            "resumed": result["totals"]["resumed"] / case.connections}


def measure(case: Case, kind: Kind, setting: Setting) -> dict[str, float]:
    server = Server(kind, setting, case.key)
    try:
        sampler = Sampler(server)
        while not sampler.samples:
            time.sleep(benchmark.SAMPLE_SECONDS)
        result = run_tester(case, server, setting)
        samples = sampler.finish()
    finally:
        server.stop()
    if case.is_handshake:
        return handshakes(samples, result, case)
    return benchmark.deliveries(samples, result) if case.name == "fan-out" else benchmark.steady(samples, result)


# --- all of it ---


def show(case: Case, kinds: list[Kind], rounds: list[dict[Kind, dict[str, float]]]) -> None:
    for kind in kinds:
        ours = statistics.median(r[kind]["cost"] for r in rounds)
        floor = statistics.median(r[FLOOR]["cost"] for r in rounds)
        ratio = statistics.median(r[kind]["cost"] / r[FLOOR]["cost"] for r in rounds)
        resumed = f"  {rounds[0][kind]['resumed']:.1%} resumed" if case.name.endswith("resumed") else ""
        print(f"{case.title:34} {str(kind):14} {ours:9.2f} {floor:9.2f} {ratio:7.2f} {case.target:8.2f}{resumed}")
    if case.name == "handshake-ec":
        for kind in kinds:
            memory = statistics.median(r[kind]["memory"] for r in rounds)
            floor = statistics.median(r[FLOOR]["memory"] for r in rounds)
            print(f"{'user bytes per idle client':34} {str(kind):14} {memory:9.0f} {floor:9.0f} {memory / floor:7.2f} "
                  f"{MEMORY_TARGETS[kind.detach]:8}")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench --tls", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3; medians of these")
    parser.add_argument("--only", choices=[c.name for c in CASES], action="append", metavar="NAME",
                        help="only this case, may be repeated: " + ", ".join(c.name for c in CASES))
    parser.add_argument("--tls-version", choices=("1.2", "1.3"), help="default: what both sides like best, 1.3")
    parser.add_argument("--detach", choices=("on", "off", "both"), default="on", help="of the gateway; default on")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes a number from 1 on")
    kinds = [k for k in OURS if options.detach in ("both", k.detach)]
    print("Server CPU in microseconds, user and kernel; one worker; the floor is OpenSSL on epoll.")
    print(f"{'':34} {'engine':14} {'gatehouse':>9} {'floor':>9} {'ratio':>7} {'target':>8}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        setting = Setting(pathlib.Path(directory), options.tls_version)
        for case in CASES:
            if options.only and case.name not in options.only:
                continue
            show(case, kinds, [{kind: measure(case, kind, setting) for kind in (FLOOR, *kinds)}
                               for _ in range(options.rounds)])
    return 0


if __name__ == "__main__":
    benchmark.run_as("./dev bench --tls", main)
