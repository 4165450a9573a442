#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Where the user bytes of an idle client go, and what is left of them when all have gone.

First part by part, with the gateway's own code in a process of its own (tests/bench/client_ledger.c); then in a
whole gateway, per client: while all are there, at the highest, and of the memory of the process what
remains after each storm is over. 'private' is all that the process alone has, 'resident' with the pages of
its files. './dev bench --help' has the options."""

import argparse
import collections
import contextlib
import re
import subprocess
import sys
import time
import urllib.request

import benchmark

LEDGER = benchmark.ROOT / "build" / "release" / "tests" / "bench" / "client_ledger"
REST_SECONDS = 6  # the memory has not changed for so long: what a storm leaves is given back after some
WAIT_SECONDS = 120


def kinds(pid: int) -> dict[str, int]:
    """Private bytes by what they are mapped as."""
    sums: dict[str, int] = collections.defaultdict(int)
    kind = ""
    with open(f"/proc/{pid}/smaps", encoding="ascii") as lines:
        for line in lines:
            head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)", line)
            if head:
                name = head.group(1).strip()
                kind = (name.strip("[]") if name.startswith("[") else
                        "ring" if "io_uring" in name else "files" if name else "pools, arenas, buffers")
            elif line.startswith("Private_Dirty:"):
                sums[kind] += int(line.split()[1]) * 1024
    return sums


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024


def rest(server: benchmark.Server, is_there) -> tuple[int, int]:
    """Private bytes once they stay as they are, and the highest ones until then."""
    deadline = time.monotonic() + WAIT_SECONDS
    last, since, highest = -1, time.monotonic(), 0
    while time.monotonic() < deadline:
        now = server.anonymous_bytes()
        highest = max(highest, now)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since >= REST_SECONDS and is_there():
            return now, highest
        time.sleep(0.02)
    raise benchmark.Failure("the gateway's memory did not come to rest")


@contextlib.contextmanager
def tester(server: benchmark.Server, options: argparse.Namespace):
    command = [str(benchmark.GATEHOUSE), "bench", f"ws://127.0.0.1:{server.port}/ws/dev-{{n}}", "-q", "-c",
               str(options.clients), "--hold", "600s"]
    if options.storm:
        command += ["--in-flight", str(options.clients)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)


def connections(server: benchmark.Server) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port + 1}/metrics", timeout=WAIT_SECONDS) as answer:
        page = answer.read().decode()
    return int(re.search(r"^gatehouse_connections (\d+)$", page, re.MULTILINE).group(1))


def storm(server: benchmark.Server, options: argparse.Namespace, base: tuple[int, int], name: str) -> None:
    """Fills the gateway, lets it rest, and empties it."""
    with tester(server, options) as process:
        def all_there() -> bool:
            if process.poll() is not None:
                raise benchmark.Failure("the tester ended: " + process.stdout.read().strip()[-300:])
            return connections(server) == options.clients

        full, highest = rest(server, all_there)
        whole = resident(server.process.pid)
    left, _ = rest(server, lambda: connections(server) == 0)
    print(f"{name:22} {(full - base[0]) / options.clients:10.1f} {(highest - base[0]) / options.clients:10.1f} "
          f"{(whole - base[1]) / options.clients:10.1f} {(left - base[0]) / 1024:10.0f}", flush=True)


def gateway(engine: str, options: argparse.Namespace) -> None:
    server = benchmark.Server("gatehouse", engine, workers=options.workers)
    try:
        private, _ = rest(server, lambda: True)
        base, before = (private, resident(server.process.pid)), kinds(server.process.pid)
        for number in range(1, options.storms + 1):
            storm(server, options, base, f"{engine}, {'storm' if options.storm else 'fill'} {number}")
        after = kinds(server.process.pid)
        left = ", ".join(f"{kind} {(after[kind] - before[kind]) // 1024}" for kind in sorted(after)
                         if after[kind] - before[kind] >= 8192)
        print(f"{'':22} left, KiB: {left or 'nothing'}")
    finally:
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench --ledger", description=__doc__.split("\n\n")[0])
    parser.add_argument("--clients", type=int, default=10000, help="default %(default)s")
    parser.add_argument("--workers", type=int, default=1,
                        help="of the gateway, default %(default)s; one holds as many as it may have descriptors")
    parser.add_argument("--storms", type=int, default=2, help="one after the other, default %(default)s")
    parser.add_argument("--storm", action="store_true", help="all handshakes at once, not 256 for each worker")
    parser.add_argument("--engine", choices=benchmark.ENGINES, action="append", help="default: each")
    options = parser.parse_args()
    if min(options.clients, options.workers, options.storms) < 1:
        parser.error("numbers begin with 1")
    subprocess.run([LEDGER, str(options.clients)], check=True)
    print(f"\n{'bytes a client':22} {'private':>10} {'highest':>10} {'resident':>10} {'left, KiB':>10}", flush=True)
    for engine in options.engine or benchmark.ENGINES:
        gateway(engine, options)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except benchmark.Failure as failure:
        print(f"./dev bench --ledger: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
