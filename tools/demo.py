#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""TC-E2E-04: the gateway holds 10,000 connections, and three counts of them agree.

Counted while they are held: by the tester (what it opened and kept), by the gateway
(its metric) and by the kernel (established sockets on the gateway's port, server's
side). './dev demo --help' has the options."""

import argparse
import dataclasses
import json
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "build" / "release" / "gatehouse"
CONFIG = ROOT / "config" / "application.yaml"
OUT = ROOT / "build" / "demo"
START_SECONDS = 20
STOP_SECONDS = 30
MESSAGES_PER_HOLD = 3  # how often each connection sends while it is held
ESTABLISHED = "01"  # in /proc/net/tcp


class Failure(Exception):
    """The demo cannot go on; the text says why."""


@dataclasses.dataclass
class Sample:
    """Both counts at about the same moment."""

    at: float
    gateway: int
    kernel: int


def fetch(url: str) -> tuple[int, str]:
    """(status, body); status 0 if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)


def kernel_count(port: int) -> int:
    """Established sockets whose local port is this one: the server's ends. The table is
    no snapshot - while it is read, sockets that come and go can make it repeat a line -
    so each pair of addresses counts once."""
    suffix = f":{port:04X}"
    pairs = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines)
                for line in lines:
                    _, local, remote, state, _ = line.split(None, 4)
                    if state == ESTABLISHED and local.endswith(suffix):
                        pairs.add((local, remote))
        except FileNotFoundError:
            continue  # a kernel without IPv6
    return len(pairs)


class Gateway:
    def __init__(self):
        self.log = OUT / "gateway.log"
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C is for us, we stop the gateway ourselves.
            self.process = subprocess.Popen([BINARY, "serve", "-c", CONFIG], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=ROOT, start_new_session=True)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def port(self, message: str) -> int:
        """The port in the log line with this msg."""
        found = re.search(rf"msg={message} .*?address=\S*:(\d+)", self.said())
        if not found:
            raise Failure(f"the gateway's log has no line msg={message} with an address:\n{self.said()}")
        return int(found[1])

    def wait_healthy(self) -> tuple[int, int]:
        """Returns its two ports once /health answers 200."""
        deadline = time.monotonic() + START_SECONDS
        state = "not ready"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"the gateway did not start (exit {self.process.returncode}). It said:\n"
                              f"{self.said()}")
            if re.search(r"\bmsg=ready\b", self.said()):
                port, admin = self.port("listening"), self.port('"admin listening"')
                status, state = fetch(f"http://127.0.0.1:{port}/health")
                if status == 200:
                    return port, admin
            time.sleep(0.05)
        raise Failure(f"no /health after {START_SECONDS} s: {state}. The gateway said:\n{self.said()}")

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"the gateway did not stop in {STOP_SECONDS} s after SIGTERM") from None


class Sampler(threading.Thread):
    """Takes both counts about once a second until told to stop."""

    def __init__(self, port: int, admin: int):
        super().__init__(daemon=True)
        self.port, self.admin = port, admin
        self.samples: list[Sample] = []
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.is_set():
            _, metrics = fetch(f"http://127.0.0.1:{self.admin}/metrics")
            gauge = re.search(r"^gatehouse_connections (\d+)", metrics, re.MULTILINE)
            if gauge:
                self.samples.append(Sample(time.monotonic(), int(gauge[1]), kernel_count(self.port)))
            self.is_over.wait(1.0)

    def stop(self) -> None:
        self.is_over.set()
        self.join()

    def while_held(self, hold: float) -> list[Sample]:
        """The samples of the hold: from the first with the highest count on, without
        the last tenth, in which the tester may be closing already."""
        peak = max((sample.gateway for sample in self.samples), default=0)
        since = next((sample.at for sample in self.samples if sample.gateway == peak), 0.0)
        return [sample for sample in self.samples if since <= sample.at <= since + hold * 0.9]


def run_tester(port: int, options: argparse.Namespace) -> tuple[int, dict]:
    """The exit code and the report."""
    report = OUT / "bench.json"
    report.unlink(missing_ok=True)
    rate = MESSAGES_PER_HOLD / options.hold
    command = [BINARY, "bench", f"ws://127.0.0.1:{port}/ws/dev-{{n}}", "-c", str(options.connections),
               "--hold", str(options.hold), "--message-rate", f"{rate:.3f}", "--json", report]
    print("==", "gatehouse", *(str(word) for word in command[1:]), flush=True)
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as process:
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
    return code, json.loads(report.read_text()) if report.exists() else {}


def judge(options: argparse.Namespace, code: int, report: dict, held: list[Sample]) -> list[str]:
    """Prints the counts; returns what is wrong."""
    wanted = options.connections
    totals = report.get("totals", {})
    lowest = Sample(0, min((sample.gateway for sample in held), default=0),
                    min((sample.kernel for sample in held), default=0))
    highest = Sample(0, max((sample.gateway for sample in held), default=0),
                     max((sample.kernel for sample in held), default=0))
    print(f"\nConnections while they were held ({len(held)} samples, lowest to highest):")
    print(f"  the tester's count    {totals.get('held', 0):>9,}  opened and kept, of {wanted:,}")
    print(f"  the gateway's count   {lowest.gateway:>9,}  to {highest.gateway:,}, gatehouse_connections")
    print(f"  the kernel's count    {lowest.kernel:>9,}  to {highest.kernel:,}, established, "
          "server's side")
    print(f"Messages: {totals.get('sent', 0):,} sent, {totals.get('received', 0):,} echoed "
          "and compared\n")
    problems = []
    if code != 0:
        problems.append(f"the tester's verdict is bad (exit {code})")
    if totals.get("held") != wanted:
        problems.append(f"the tester held {totals.get('held')} connections, not {wanted}")
    if {lowest.gateway, highest.gateway, lowest.kernel, highest.kernel} != {wanted}:
        problems.append("the three counts do not agree")
    if totals.get("sent", 0) < wanted or totals.get("sent") != totals.get("received"):
        problems.append("not every connection sent a message, or not every message was echoed")
    return problems


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev demo", add_help=False)
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--hold", type=int, default=30)
    options = parser.parse_args()
    if options.connections < 1 or options.hold < 5:
        parser.error("--connections must be at least 1, --hold at least 5 (seconds)")
    return options


def demo(options: argparse.Namespace, gateway: Gateway) -> list[str]:
    port, admin = gateway.wait_healthy()
    print(f"== the gateway is healthy on port {port}, metrics on {admin}, log in {gateway.log}", flush=True)
    if kernel_count(port):
        raise Failure(f"somebody is connected to port {port} already; the counts could not agree")
    sampler = Sampler(port, admin)
    sampler.start()
    try:
        code, report = run_tester(port, options)
    finally:
        sampler.stop()
    return judge(options, code, report, sampler.while_held(options.hold))


def main() -> int:
    options = parse_arguments()
    OUT.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    gateway = Gateway()
    try:
        problems = demo(options, gateway)
        code = gateway.stop()
        if code != 0:
            problems.append(f"the gateway exited with {code}; its log is {gateway.log}")
    except Failure as failure:
        problems = [str(failure)]
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    finally:
        if gateway.process.poll() is None:
            gateway.stop()
    if problems:
        print("TC-E2E-04 FAILED: " + "; ".join(problems))
        return 1
    print(f"TC-E2E-04 PASSED: {options.connections:,} connections connected, stayed for "
          f"{options.hold} s and were echoed; all three counts agree; the gateway stopped with exit 0")
    return 0


if __name__ == "__main__":
    sys.exit(main())
