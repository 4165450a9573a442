#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Live upgrades in a row under clients that talk: what they notice, how long nobody is served, and what is left behind.

Exit 1 if a client was closed, or an echo was lost, doubled, wrong or out of its turn: of each message the tester knows
which one is the next. './dev bench --help' has the options."""

import argparse
import contextlib
import json
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

import benchmark
from benchmark import Failure


def status_of(pid: int) -> int:
    """Resident bytes; 0: it has gone."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def descriptors_of(pid: int) -> int:
    with contextlib.suppress(OSError):
        return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
    return 0


class Memory(threading.Thread):
    """The most that both processes together ever had."""

    def __init__(self):
        super().__init__(daemon=True)
        self.pids: list[int] = []
        self.most = 0
        self.is_over = False

    def run(self):
        while not self.is_over:
            self.most = max(self.most, sum(status_of(pid) for pid in self.pids[-2:]))
            time.sleep(0.005)


def write_config(options: argparse.Namespace, directory: str, port: int) -> str:
    """Options of a gateway behind one listener."""
    lines = ["server:"]
    if options.tls:
        cert, key = benchmark.certificate(pathlib.Path(directory), "ec")
        lines += ["  listeners:", f"    - address: 127.0.0.1:{port}",
                  f"      tls: {{certificates: [{{cert_file: {cert}, key_file: {key}}}]}}"]
    else:
        lines += [f"  listen: 127.0.0.1:{port}"]
    lines += [f"  engine: {options.engine}", f"  workers: {options.workers}", "admin:",
              f"  listen: 127.0.0.1:{port + 1}", "log:", "  level: warn"]
    file = pathlib.Path(directory) / "gatehouse.yaml"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


def ask(port: int, path: str, method: str = "GET", seconds: float = 60) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    with urllib.request.urlopen(request, timeout=seconds) as answer:
        return answer.read()


def await_true(condition, what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def has_ended(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[0] == "Z"
    return True


def connections_of(port: int) -> int:
    with contextlib.suppress(OSError):
        return json.loads(ask(port, "/api/v1/node"))["connections"]
    return -1


def await_settled(port: int, clients: int) -> None:
    """All are connected, or no more come."""
    seen, since = -1, time.monotonic()
    while seen < clients and (seen <= 0 or time.monotonic() - since < 3):
        count = connections_of(port)
        if count != seen:
            seen, since = count, time.monotonic()
        time.sleep(0.05)


def upgrades(options: argparse.Namespace, admin: int, memory: Memory) -> list[dict]:
    done = []
    for _ in range(options.upgrades):
        said = json.loads(ask(admin, "/api/v1/upgrade", "POST"))
        former = memory.pids[-1]
        memory.pids.append(said["pid"])
        await_true(lambda pid=former: has_ended(pid), "the end of the process before")
        time.sleep(options.pause)
        done.append(said | {"rss": status_of(said["pid"]), "fds": descriptors_of(said["pid"])})
    return done


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def show(options: argparse.Namespace, done: list[dict], result: dict, memory: Memory) -> bool:
    totals = result["totals"]
    still = [one["still_ms"] for one in done]
    bad = {name: totals[name] for name in ("failed", "dropped", "missing", "late", "repeated") if totals[name]}
    print(f"{options.engine:9}{'tls' if options.tls else 'plain':6} {len(done)} upgrades under {options.clients} clients, "
          f"{totals['received']} of {totals['sent']} echoes right; wrong: {bad or 'nothing'}")
    print(f"{'':15} nobody served {middle(still)} ms (median), {max(still)} ms (most); moved "
          f"{min(one['moved'] for one in done)} at least, stayed {max(one['stayed'] for one in done)} at most; "
          f"took {middle([one['took_ms'] for one in done])} ms")
    print(f"{'':15} longest wait for an echo {result['echo_seconds']['max'] * 1000:.0f} ms, p99 "
          f"{result['echo_seconds']['p99'] * 1000:.1f} ms")
    print(f"{'':15} resident {done[0]['rss'] / 2**20:.1f} MiB after the first, {done[-1]['rss'] / 2**20:.1f} MiB after the "
          f"last, both processes {memory.most / 2**20:.1f} MiB at most; descriptors {done[0]['fds']}, {done[-1]['fds']}")
    return not bad and totals["sent"] == totals["received"]


def measure(options: argparse.Namespace) -> bool:
    port = benchmark.FIRST_PORT + 300
    memory = Memory()
    with tempfile.TemporaryDirectory() as directory:
        config = write_config(options, directory, port)
        first = subprocess.Popen([options.binary, "serve", "-c", config])
        memory.pids.append(first.pid)
        tester = None
        try:
            await_true(lambda: connections_of(port + 1) == 0, "a gateway that is ready")
            hold = options.upgrades * (options.pause + options.clients / 10000) + 10
            tester = subprocess.Popen([
                options.binary, "bench", f"{'wss' if options.tls else 'ws'}://127.0.0.1:{port}/ws/{{n}}", "--insecure"][
                    :None if options.tls else -1] + [
                "-c", str(options.clients), "--message-rate", str(options.rate), "--size", str(options.size), "--hold",
                f"{int(hold * 1000)}ms", "--json", f"{directory}/result.json", "-q"], stdout=subprocess.DEVNULL)
            await_settled(port + 1, options.clients)
            memory.start()
            time.sleep(2)
            done = upgrades(options, port + 1, memory)
            if tester.wait(hold + 120) not in (0, 1):
                raise Failure("the tester could not test")
            memory.is_over = True
            return show(options, done, json.loads(pathlib.Path(f"{directory}/result.json").read_text()), memory)
        finally:
            memory.is_over = True
            if tester is not None and tester.poll() is None:
                tester.kill()
            with contextlib.suppress(ProcessLookupError):
                subprocess.run(["kill", "-TERM", str(memory.pids[-1])], check=False)
            first.send_signal(signal.SIGTERM)
            first.wait()
            await_true(lambda: has_ended(memory.pids[-1]), "the end of the last process")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench --upgrade", description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=10000, help="default %(default)s")
    parser.add_argument("--upgrades", type=int, default=20, help="in a row, default %(default)s")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two, default %(default)s")
    parser.add_argument("--rate", type=float, default=1, help="messages per second of each client, default %(default)s")
    parser.add_argument("--size", type=int, default=64, help="bytes of a message, default %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="of the gateway, default %(default)s")
    parser.add_argument("--engine", choices=benchmark.ENGINES, help="default: each")
    parser.add_argument("--only", choices=("plain", "tls"), help="default: each")
    parser.add_argument("--binary", default=benchmark.GATEHOUSE, help="default: the release that is built")
    options = parser.parse_args()
    benchmark.raise_descriptors()
    is_good = True
    for options.engine in [options.engine] if options.engine else benchmark.ENGINES:
        for door in [options.only] if options.only else ("plain", "tls"):
            options.tls = door == "tls"
            is_good &= measure(options)
    return 0 if is_good else 1


if __name__ == "__main__":
    benchmark.run_as("./dev bench --upgrade", main)
