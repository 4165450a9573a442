#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A storm over TLS: a fleet is cut at once and comes back with its tickets, while others go on.

What counts is what those others feel: the latency of their echoes, and of /health, second by second, before the cut
and until the last of the fleet is there again. Gateway, the fleet's tester (niced, as it stands for machines elsewhere)
and the others' share this machine. './dev bench --help' has the options."""

import argparse
import json
import pathlib
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import benchmark
import tls_speed
from benchmark import Failure

CUT_AFTER = 10
ECHO_RATE = 2  # a second, of each of the others


class Health(threading.Thread):
    """Asks 20 times a second; (when, how long it took) of each answer."""

    def __init__(self, url: str):
        super().__init__(daemon=True)
        self.url, self.answers, self.done = url, [], threading.Event()
        self.start()

    def run(self) -> None:
        while not self.done.wait(0.05):
            start = time.monotonic()
            try:
                with urllib.request.urlopen(self.url, timeout=60) as answer:
                    answer.read()
            except urllib.error.HTTPError as error:
                error.read()
            except OSError:
                pass  # counts with its time
            self.answers.append((start, time.monotonic() - start))


def gateway(options: argparse.Namespace, setting: tls_speed.Setting) -> benchmark.Server:
    cert_file, key_file = setting.pairs[options.key]
    port = benchmark.Server.next_port
    config = setting.directory / "storm.yaml"
    config.write_text(json.dumps({
        "server": {"workers": options.workers, "engine": options.engine, "handshake_timeout": "10m", "listeners": [
            {"address": f"127.0.0.1:{port}", "tls": {
                "certificates": [{"cert_file": cert_file, "key_file": key_file}]}}]},
        "admin": {"listen": f"127.0.0.1:{port + 1}"}, "log": {"level": "warn"}}))
    return benchmark.Server("gatehouse", options.engine, command=[benchmark.GATEHOUSE, "serve", "-c", config], cpu=None)


def tester(server: benchmark.Server, result: str, count: int, *load: str, nice: int = 0) -> subprocess.Popen:
    command = ["nice", "-n", str(nice), benchmark.GATEHOUSE, "bench", f"wss://127.0.0.1:{server.port}/ws/{load[0]}-{{n}}",
               "-q", "--insecure", "-c", str(count), "--json", result, *load[1:]]
    return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def finish(name: str, process: subprocess.Popen, result: str) -> dict:
    said = process.communicate()[0]
    if process.returncode != 0:
        raise Failure(f"{name}: {said.strip().splitlines()[-1]}")
    return json.loads(pathlib.Path(result).read_text(encoding="utf-8"))


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


def show(fleet: dict, others: dict, health: Health) -> None:
    cut = fleet["started_monotonic_seconds"] + fleet["connect_seconds"] + CUT_AFTER
    back = cut + fleet["step_seconds"]["comeback"]["max"]
    start = others["started_monotonic_seconds"]
    points = [p for p in others["series"] if p["echo_seconds"]["count"] > 0]
    for name, begin, end in (("before the cut", cut - CUT_AFTER + 1, cut), ("while they come back", cut, back)):
        echoes = [p["echo_seconds"] for p in points if begin <= start + p["at"] <= end + 1]
        asked = [took for when, took in health.answers if begin <= when <= end]
        print(f"{name:22} {end - begin:7.1f} s   echo p50 {1000 * percentile([e['p50'] for e in echoes], 50):7.1f} ms, p99 "
              f"{1000 * percentile([e['p99'] for e in echoes], 50):7.1f} ms (worst second "
              f"{1000 * max((e['p99'] for e in echoes), default=float('nan')):7.1f} ms)   "
              f"/health p99 {1000 * percentile(asked, 99):7.1f} ms, max {1000 * max(asked, default=float('nan')):7.1f} ms")
    totals, comeback = fleet["totals"], fleet["step_seconds"]["comeback"]
    print(f"came back: {totals['reopened']:,} of {totals['cut']:,}, {totals['resumed']:,} of {totals['offered']:,} sessions resumed; "
          f"p50 {comeback['p50']:.1f} s, p99 {comeback['p99']:.1f} s, last {comeback['max']:.1f} s")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench --tls-storm", description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=20000, help="of the fleet, default %(default)s")
    parser.add_argument("--others", type=int, default=1000, help="that go on, default %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="of the gateway, default %(default)s")
    parser.add_argument("--engine", choices=benchmark.ENGINES, default="io_uring",
                        help="default %(default)s: there a descriptor limit of 20,000 is none")
    parser.add_argument("--key", choices=tuple(benchmark.KEYS), default="ec", help="the certificate's, default %(default)s")
    parser.add_argument("--hold", type=int, default=90, help="seconds that the fleet stays, default %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        here = pathlib.Path(directory)
        server = gateway(options, tls_speed.Setting(here, None))
        try:
            fleet = tester(server, here / "fleet.json", options.clients, "fleet", "--tls-resume", "--in-flight",
                           str(options.clients), "--handshake-timeout", "10m", "--hold", str(options.hold), "--cut-after",
                           str(CUT_AFTER), "--expect", "reopened==100%", nice=5)
            while server.established() < options.clients:
                if fleet.poll() is not None:
                    break
                time.sleep(0.2)
            health = Health(f"http://127.0.0.1:{server.port + 1}/health")
            others = tester(server, here / "others.json", options.others, "other", "--message-rate", str(ECHO_RATE),
                            "--hold", str(options.hold - 5), "--handshake-timeout", "10m", "--echo-timeout", "10m",
                            "--expect", "echoed==100%")
            fleet_result = finish("the fleet", fleet, here / "fleet.json")
            others_result = finish("the others", others, here / "others.json")
            health.done.set()
            show(fleet_result, others_result, health)
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    benchmark.run_as("./dev bench --tls-storm", main)
