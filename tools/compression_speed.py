#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What compression costs the gateway: echoes of JSON, a message to many, idle clients, bombs; beside others.

Others are npm's ws and Bun (whose WebSockets are uWebSockets'), each with its compressor that is shared by all clients,
from npm's registry; --without-peers leaves them out. Server and tester have a processor each; cost is the server's whole
CPU time, user and kernel, as tools/benchmark.py has it. 'anew' is the gateway where an echo cannot go back as it came
(clients with a smaller window), 'plain' is without compression. './dev bench --help' has the options."""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request
import zlib

import benchmark
import push
from benchmark import Failure, Sampler

MODULES = benchmark.ROOT / "build" / "peers"
FAN_OUT_SECONDS, FAN_OUT_RATE = 6, 10

WS = """
const {WebSocketServer} = require('ws');
const port = Number(process.argv[2]);
const server = new WebSocketServer({host: '127.0.0.1', port, perMessageDeflate: {threshold: 256, serverNoContextTakeover: true,
  clientNoContextTakeover: true, zlibDeflateOptions: {level: 1}}});
server.on('connection', (socket) => { socket.on('message', (data, isBinary) => socket.send(data, {binary: isBinary}));
  socket.on('error', () => {}); });
require('http').createServer((request, answer) => { const parts = []; request.on('data', (p) => parts.push(p));
  request.on('end', () => { const text = Buffer.concat(parts).toString();
    for (const client of server.clients) client.send(text); answer.end(); }); }).listen(port + 1, '127.0.0.1');
"""
BUN = """
const port = Number(process.argv[2]);
const server = Bun.serve({hostname: '127.0.0.1', port, fetch(request, server) { if (!server.upgrade(request)) return new Response('no'); },
  websocket: {perMessageDeflate: true, open(socket) { socket.subscribe('all'); }, message(socket, data) { socket.send(data, true); }}});
Bun.serve({hostname: '127.0.0.1', port: port + 1, async fetch(request) {
  server.publish('all', await request.text(), true); return new Response('ok'); }});
"""


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    connections: int
    size: int
    load: tuple[str, ...]  # options of the tester


CASES = (
    Case("echo-1k-16-256", "echo, 256 B, 1,000 x 16", 1000, 256, ("--depth", "16", "--duration", "4")),
    Case("echo-1k-16-1k", "echo, 1 KiB, 1,000 x 16", 1000, 1024, ("--depth", "16", "--duration", "4")),
    Case("echo-1k-16-4k", "echo, 4 KiB, 1,000 x 16", 1000, 4096, ("--depth", "16", "--duration", "4")),
    Case("echo-10k-1", "echo, 1 KiB, 10,000 x 1", 10000, 1024, ("--depth", "1", "--duration", "4")),
    Case("echo-16k", "echo, 16 KiB, 100 x 4", 100, 16384, ("--depth", "4", "--duration", "4")),
    Case("fan-out-512", "512 B to 10,000, 10/s: a delivery", 10000, 512, ("--receive", "--hold", str(FAN_OUT_SECONDS + 4))),
    Case("fan-out-1k", "1 KiB to 10,000, 10/s: a delivery", 10000, 1024, ("--receive", "--hold", str(FAN_OUT_SECONDS + 4))),
    Case("idle", "user bytes per idle client, 10,000", 10000, 64, ("--hold", "6")),
)


@dataclasses.dataclass(frozen=True)
class Kind:
    program: str  # "gatehouse", "ws" or "bun"
    mode: str = ""  # of the route
    tester: tuple[str, ...] = ("--compression",)

    def __str__(self) -> str:
        return f"{self.program} {self.mode}{', anew' if '--window-bits' in self.tester else ''}".strip()


PLAIN, SHARED = Kind("gatehouse", "off", ()), Kind("gatehouse", "shared")
ANEW = Kind("gatehouse", "shared", ("--compression", "--window-bits", "14"))
PEERS = (Kind("ws"), Kind("bun"))


class Setting:
    """A directory for what is started."""

    def __init__(self, directory: pathlib.Path, engine: str):
        self.directory, self.engine = directory, engine
        (directory / "ws.js").write_text(WS)
        (directory / "bun.js").write_text(BUN)

    def command(self, kind: Kind, port: int) -> list:
        if kind.program == "ws":
            return ["/usr/bin/env", f"NODE_PATH={MODULES / 'node_modules'}", "node", self.directory / "ws.js", str(port)]
        if kind.program == "bun":
            return [MODULES / "node_modules" / ".bin" / "bun", self.directory / "bun.js", str(port)]
        config = self.directory / f"{port}.yaml"
        config.write_text(json.dumps({
            "server": {"workers": 1, "engine": self.engine, "listen": f"127.0.0.1:{port}"},
            "admin": {"listen": f"127.0.0.1:{port + 1}"}, "log": {"level": "warn"},
            "routes": [{"path": "/ws/{client_id}", "compression": kind.mode}]}))
        return [benchmark.GATEHOUSE, "serve", "-c", config]

    def server(self, kind: Kind) -> benchmark.Server:
        return benchmark.Server(kind.program, self.engine, command=self.command(kind, benchmark.Server.next_port))


def peers_install() -> list[Kind]:
    """Those that npm has."""
    MODULES.mkdir(parents=True, exist_ok=True)
    found = []
    for kind in PEERS:
        if not (MODULES / "node_modules" / kind.program).exists():
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", MODULES, kind.program],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                print(f"without {kind.program}: npm cannot install it", flush=True)
                continue
        found.append(kind)
    return found


# --- a message to many ---


def records(number: int, size: int) -> bytes:
    """A stamp, and JSON behind it."""
    text = b"".join(b'{"id":"%08x","timestamp":"2026-11-30T12:%02d:%02dZ","meter":%d,"value":%d.%d,"unit":"Wh"},' % (
        (number * 2654435761 + i) % 2**32, i % 60, (i * 7 + number) % 60, i % 8, (i * 7919 + number) % 100000, i % 10)
        for i in range(size // 60 + 1))
    return (push.stamped(number, 40) + text)[:size]


def publish(kind: Kind, server: benchmark.Server, case: Case, failures: list[str]) -> None:
    try:
        while server.established() < case.connections:
            time.sleep(0.1)
        time.sleep(1)
        address = f"http://127.0.0.1:{server.port + 1}" + ("/api/v1/broadcast" if kind.program == "gatehouse" else "/")
        start = time.monotonic()
        for number in range(FAN_OUT_SECONDS * FAN_OUT_RATE):
            time.sleep(max(0.0, start + number / FAN_OUT_RATE - time.monotonic()))
            urllib.request.urlopen(urllib.request.Request(
                address, data=records(number + 1, case.size), headers={"Content-Type": "text/plain"}), timeout=60).read()
    except OSError as error:
        failures.append(str(error))


# --- one run ---


def run_tester(case: Case, kind: Kind, server: benchmark.Server) -> dict:
    failures: list[str] = []
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        command = [benchmark.GATEHOUSE, "bench", f"ws://127.0.0.1:{server.port}/ws/dev-{{n}}", "-q", "--engine", "epoll",
                   "--workers", "1", "-c", str(case.connections), "--json", result.name, "--size", f"{case.size}B",
                   "--payload", "json", "--echo-timeout", "60s", *case.load, *kind.tester]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, preexec_fn=benchmark.on_second_processor)
        sender = threading.Thread(target=publish, args=(kind, server, case, failures), daemon=True)
        if case.name.startswith("fan-out"):
            sender.start()
        said = process.communicate()[0]
        if process.returncode != 0 or failures:
            raise Failure(f"{case.name} against {kind}: {' '.join(failures) or said.strip().splitlines()[-1]}")
        return json.load(open(result.name, encoding="utf-8"))


def idle(samples: list, result: dict, case: Case) -> dict[str, float]:
    end = result["started_monotonic_seconds"] + result["connect_seconds"]
    memory = min(s.memory for s in samples if end + 1 <= s.at <= end + result["hold_seconds"] - 0.2)
    return {"cost": (memory - samples[0].memory) / case.connections}


def measure(case: Case, kind: Kind, setting: Setting) -> dict[str, float]:
    server = setting.server(kind)
    try:
        sampler = Sampler(server)
        while not sampler.samples:
            time.sleep(benchmark.SAMPLE_SECONDS)
        result = run_tester(case, kind, server)
        samples = sampler.finish()
    finally:
        server.stop()
    packed = result["compression"]
    figures = (idle(samples, result, case) if case.name == "idle" else
               benchmark.deliveries(samples, result) if case.name.startswith("fan-out") else benchmark.steady(samples, result))
    return figures | {"left": packed["received_percent"] if packed and packed["received_plain_bytes"] else 100}


# --- bombs ---


def mask_frame(payload: bytes) -> bytes:
    """RSV1, binary, with a mask of zeros."""
    return bytes([0xc2]) + bytes([0x80 | 126]) + struct.pack(">H", len(payload)) + bytes(4) + payload


def bomb_client(port: int, number: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(f"GET /ws/bomb-{number} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode())
    return client


def bombs(setting: Setting, clients: int) -> None:
    """Each sends a message of 1 GB that fits into 1 MB, in pieces, all at the same time; then each is closed with 1009."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = mask_frame((packer.compress(bytes(60 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4])
    benchmark.raise_descriptors()
    server = setting.server(SHARED)
    try:
        with contextlib.ExitStack() as stack:
            everybody = [stack.enter_context(bomb_client(server.port, n)) for n in range(clients)]
            for client in everybody:
                while not client.recv(4096).endswith(b"\r\n\r\n"):
                    pass
            before, cpu, start = server.anonymous_bytes(), server.cpu_us(), time.monotonic()
            sampler = Sampler(server)
            for part in range(0, len(bomb), 16384):
                for client in everybody:
                    with contextlib.suppress(ConnectionError):
                        client.sendall(bomb[part:part + 16384])
            closed = 0
            for client in everybody:
                with contextlib.suppress(ConnectionError):
                    closed += b"\x03\xf1" in client.recv(4096)
            samples = sampler.finish()
        peak = max(s.memory for s in samples)
        print(f"{clients:,} bombs of {len(bomb):,} bytes that become {60 << 20:,}: {closed:,} closed with 1009 in "
              f"{time.monotonic() - start:.1f} s; {(server.cpu_us() - cpu) / clients:.0f} us of CPU each; memory "
              f"{before / 2**20:.1f} MiB before, {peak / 2**20:.1f} MiB at most, of which {clients * len(bomb) / 2**20:.1f} MiB "
              "were sent")
    finally:
        server.stop()


# --- all of it ---


def show(case: Case, kinds: list[Kind], rounds: list[dict[Kind, dict[str, float]]]) -> None:
    for kind in kinds:
        cost = statistics.median(r[kind]["cost"] for r in rounds)
        ratio = statistics.median(r[kind]["cost"] / r[PLAIN]["cost"] for r in rounds)
        left = statistics.median(r[kind]["left"] for r in rounds)
        more = f"{cost - statistics.median(r[PLAIN]['cost'] for r in rounds):+9.0f}" if case.name == "idle" else f"{ratio:9.2f}"
        print(f"{case.title:36} {str(kind):24} {cost:9.2f} {more} {left:7.1f}%", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench --compression", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3; medians of these")
    names = [c.name for c in CASES] + ["bombs"]
    parser.add_argument("--only", choices=names, action="append", metavar="NAME",
                        help="only this case, may be repeated: " + ", ".join(names))
    parser.add_argument("--engine", choices=benchmark.ENGINES, default="io_uring", help="of the gateway; default io_uring")
    parser.add_argument("--without-peers", action="store_true", help="the gateway alone")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes a number from 1 on")
    kinds = [PLAIN, SHARED, ANEW, *([] if options.without_peers else peers_install())]
    print("Server CPU in microseconds, user and kernel; one worker; to plain: a ratio, of bytes a difference.")
    print(f"{'':36} {'':24} {'cost':>9} {'to plain':>9} {'left':>8}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        setting = Setting(pathlib.Path(directory), options.engine)
        for case in CASES:
            if not options.only or case.name in options.only:
                show(case, kinds, [{kind: measure(case, kind, setting) for kind in kinds} for _ in range(options.rounds)])
        if not options.only or "bombs" in options.only:
            bombs(setting, 1000)
    return 0


if __name__ == "__main__":
    benchmark.run_as("./dev bench --compression", main)
