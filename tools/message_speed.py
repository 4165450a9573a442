#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What messages cost the gateway on each of their ways: echo, webhook, API, groups, NATS; and what
a client costs on the bus.

Usage: tools/message_speed.py [--engine NAME] [--only NAME]... [--clients N] [GATEHOUSE]

The gateway has the first processor, with one worker; tester, back end, broker and sender share the
second. So CPU per message (the gateway's whole process, user and kernel) is the figure to compare;
where the others are slower than the gateway the rate is theirs. What this build or machine does not
have is left out, and said."""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import benchmark
import push
import webhook_speed

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATIENCE = 60
PAYLOAD = 64
SERVER_CPU, OTHER_CPU = 0, 1 if (os.cpu_count() or 1) > 1 else 0


class Missing(Exception):
    """What this case needs is not there."""


def wait(what: str, condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"message_speed: still not after {PATIENCE} s: {what}")
        time.sleep(0.01)


def pinned(processor: int):
    return lambda: os.sched_setaffinity(0, {processor})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Gateway:
    """A gateway on ports that are free; a context."""

    def __init__(self, setting: "Setting", *, backend: str = "", bus: str = ""):
        self.directory = tempfile.TemporaryDirectory()
        config = pathlib.Path(self.directory.name, "gatehouse.yaml")
        name = "echo" if not backend else "one"
        config.write_text(
            f"server: {{listen: '127.0.0.1:0', workers: 1, engine: {setting.engine}}}\n"
            "admin: {listen: '127.0.0.1:0'}\n"
            f"routes: [{{path: '/ws/{{client_id}}', backend: {name}}}]\n"
            + (f"backends: [{{name: one, {backend}}}]\n" if backend else "")
            + (f"bus: {{{bus}}}\n" if bus else ""))
        checked = subprocess.run([setting.binary, "check", "-c", config], capture_output=True,
                                 text=True, check=False)
        if checked.returncode != 0:
            raise Missing((checked.stdout + checked.stderr).strip().splitlines()[0])
        self.process = subprocess.Popen([setting.binary, "serve", "-c", config], text=True,
                                        stderr=subprocess.PIPE, preexec_fn=pinned(SERVER_CPU))
        self.address = self.admin = None
        for line in self.process.stderr:
            if found := re.search(r"msg=\"?(admin )?listening\"? address=(\S+):(\d+)", line):
                address = (found[2], int(found[3]))
                self.admin, self.address = (address, self.address) if found[1] else (self.admin, address)
            if " msg=ready " in line:
                break
        else:
            raise Missing("the gateway does not start")
        # From here on nobody reads its log.
        self.log = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.wait()
        self.process.stderr.close()
        self.directory.cleanup()

    cpu_us = benchmark.Server.cpu_us
    anonymous_bytes = benchmark.Server.anonymous_bytes

    def get(self, path: str) -> str:
        connection = http.client.HTTPConnection(*self.admin, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def metric(self, name: str, label: str = "") -> float:
        """Of all samples, or of those with that label."""
        return sum(float(value) for labels, value in
                   re.findall(rf"^gatehouse_{name}({{.*}})? (\S+)$", self.get("/metrics"), re.M)
                   if label in labels)

    def api(self, is_kept: bool = True) -> push.Api:
        return push.Api(f"http://{self.admin[0]}:{self.admin[1]}", is_kept=is_kept)

    def wait_clients(self, count: int) -> None:
        wait(f"{count} connections", lambda: self.metric("connections") == count)


class Tester:
    """`gatehouse bench` against a gateway; a context that waits for its end."""

    def __init__(self, setting: "Setting", gateway: Gateway, clients: int, *options: str):
        self.result = tempfile.NamedTemporaryFile(suffix=".json")
        self.process = subprocess.Popen(
            [setting.binary, "bench", f"ws://127.0.0.1:{gateway.address[1]}/ws/dev-{{n}}", "--quiet",
             "--engine", "epoll", "--workers", "1", "-c", str(clients), "--json", self.result.name,
             *options], stdout=subprocess.PIPE, text=True, preexec_fn=pinned(OTHER_CPU))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def finish(self) -> dict:
        said = self.process.communicate()[0]
        if self.process.returncode != 0:
            raise SystemExit(f"message_speed: {said.strip().splitlines()[-1]}")
        return json.load(open(self.result.name, encoding="utf-8"))


class Broker:
    """nats-server on a port that stays its own; a context."""

    def __init__(self):
        if shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin") is None:
            raise Missing("nats-server is not installed")
        self.port, self.monitor = free_port(), free_port()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["/usr/sbin/nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-m", str(self.monitor)],
            stderr=subprocess.DEVNULL, preexec_fn=pinned(OTHER_CPU))
        wait("the broker answers", lambda: self.subscriptions() >= 0)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def bus(self) -> str:
        return f"type: nats, urls: ['nats://127.0.0.1:{self.port}']"

    def subscriptions(self) -> int:
        """-1: it does not answer yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.monitor, timeout=PATIENCE)
        try:
            connection.request("GET", "/subsz")
            return json.loads(connection.getresponse().read())["num_subscriptions"]
        except ConnectionError:
            return -1
        finally:
            connection.close()


class Setting:
    def __init__(self, binary: str, engine: str, clients: int):
        self.binary, self.engine, self.clients = binary, engine, clients

    def show(self, what: str, count: int, seconds: float, cpu_us: float, note: str = "") -> None:
        print(f"{what:44} {self.engine:9} {count / seconds:11,.0f} {cpu_us / count:9.2f}  {note}",
              flush=True)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


# --- up, and back ---


def echo(setting: Setting) -> None:
    with Gateway(setting) as gateway:
        sampler = benchmark.Sampler(gateway)
        with Tester(setting, gateway, 1000, "--depth", "16", "--duration", "5") as tester:
            result = tester.finish()
        samples = sampler.finish()
    points = [p for p in result["series"] if p["at"] > result["connect_seconds"] + 1][:-1]
    first, last = points[0], points[-1]
    start = result["started_monotonic_seconds"]
    cpu = sampler.cpu_at(samples, start + last["at"]) - sampler.cpu_at(samples, start + first["at"])
    setting.show("echo, 1,000 x 16 in flight", last["received"] - first["received"],
                 last["at"] - first["at"], cpu, "up and down count as one")


def back_end(answer: bytes, listener: socket.socket) -> None:
    os.sched_setaffinity(0, {OTHER_CPU})
    webhook_speed.ANSWER = answer
    webhook_speed.serve(listener)


def flood(gateway: Gateway, clients: int, messages: int) -> tuple[list[socket.socket], float, float]:
    """Each client sends all its messages at once: the sockets, CPU and time at the start."""
    sockets = [webhook_speed.connect(gateway.address, number) for number in range(clients)]
    cpu, started = gateway.cpu_us(), time.monotonic()
    for client in sockets:
        client.sendall(webhook_speed.FRAME * messages)
    return sockets, cpu, started


def webhook(setting: Setting) -> None:
    """100 clients with 200 messages each; the back end answers each with 2 bytes, or nothing."""
    clients, messages = 100, 200
    for what, answer in (("answered", webhook_speed.ANSWER),
                         ("only up", b"HTTP/1.1 204 No Content\r\n\r\n")):
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        server = multiprocessing.Process(target=back_end, args=(answer, listener), daemon=True)
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        try:
            with Gateway(setting, backend=f"type: webhook, url: '{url}', max_in_flight: 64") as gateway:
                sockets, cpu, started = flood(gateway, clients, messages)
                if what == "answered":
                    for client in sockets:
                        left = 4 * messages  # a head of two bytes, and "ok"
                        while left:
                            left -= len(client.recv(left)) or sys.exit("a connection was closed")
                else:
                    wait("all events", lambda: gateway.metric("backend_events_total", "message")
                         >= clients * messages)
                seconds, cpu = time.monotonic() - started, gateway.cpu_us() - cpu
                for client in sockets:
                    client.close()
        finally:
            server.kill()
            listener.close()
        setting.show(f"webhook, {what}, 100 clients", clients * messages, seconds, cpu)


def nats_up(setting: Setting) -> None:
    """Clients send; a subscriber counts what the broker hands on."""
    clients, messages = 100, 1000
    with Broker() as broker, Gateway(setting, bus=broker.bus, backend="type: nats") as gateway:
        reader = socket.create_connection(("127.0.0.1", broker.port), timeout=PATIENCE)
        reader.sendall(b'CONNECT {"verbose":false,"headers":true}\r\nSUB gatehouse.up.> 1\r\nPING\r\n')
        seen = b""
        while b"PONG\r\n" not in seen:
            seen += reader.recv(65536)
        sockets, cpu, started = flood(gateway, clients, messages)
        got, tail = 0, b""
        while got < clients * messages:
            data = tail + reader.recv(1 << 20)
            got += data.count(b"gatehouse.client.message")
            tail = data[-(len(b"gatehouse.client.message") - 1):]
        seconds, cpu = time.monotonic() - started, gateway.cpu_us() - cpu
        for client in sockets:
            client.close()
        reader.close()
    setting.show("NATS, up, 100 clients", clients * messages, seconds, cpu)


# --- down ---


def pushed(setting: Setting, what: str, gateway: Gateway, road, target: str, *, receivers: int,
           clients: int, messages: int, deliveries: int, rate: float = 0) -> None:
    """Sends, and shows what a delivered message costs. `road` may be a function that makes it,
    once all receivers are connected."""
    expected = clients * messages * deliveries
    hold = 5 + (clients * messages / rate if rate else clients * messages / 1000)
    with Tester(setting, gateway, receivers, "--receive", "--hold", f"{hold * 1000:.0f}ms",
                "--expect", f"received=={expected}", "--expect", "missing==0") as tester:
        gateway.wait_clients(receivers)
        if callable(road):
            road = road()
        cpu = gateway.cpu_us()
        push.push(road, target, clients=clients, messages=messages, size=PAYLOAD, rate=rate)
        wait("all messages", lambda: gateway.metric("messages_sent_total") >= expected)
        cpu = gateway.cpu_us() - cpu
        result = tester.finish()
    latency = result["push_seconds"]
    setting.show(what, expected, result["receive_seconds"], cpu,
                 f"p50 {milliseconds(latency['p50'])}, p99 {milliseconds(latency['p99'])}")


def api_down(setting: Setting) -> None:
    for what, is_kept in (("a connection each", False), ("one connection", True)):
        with Gateway(setting) as gateway:
            pushed(setting, f"API, to one client each, {what}", gateway, gateway.api(is_kept),
                   "clients/ws/dev-{n}/messages", receivers=100, clients=100, messages=50,
                   deliveries=1)


def read_answer(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or sys.exit("a connection was closed")
    head, body = data.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"message_speed: {data.decode(errors='replace')}")
    left = int(re.search(rb"Content-Length: (\d+)", head)[1]) - len(body)
    while left > 0:
        left -= len(connection.recv(left)) or sys.exit("a connection was closed")


def api_many(setting: Setting) -> None:
    """Services that ask in parallel, each on a connection that it keeps, a write for a request: so
    the gateway has work, and the price of waking it up is shared."""
    count, rounds, clients = 64, 200, 100
    with Gateway(setting) as gateway, \
            Tester(setting, gateway, clients, "--receive", "--hold", "15s"):
        gateway.wait_clients(clients)
        asking = [socket.create_connection(gateway.admin, PATIENCE) for _ in range(count)]
        requests = []
        for number in range(count):
            body = push.stamped(1, PAYLOAD)
            requests.append(f"POST /api/v1/clients/ws/dev-{number + 1}/messages HTTP/1.1\r\n"
                            f"Host: 127.0.0.1\r\nContent-Type: text/plain\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        cpu, started = gateway.cpu_us(), time.monotonic()
        for _ in range(rounds):
            for connection, request in zip(asking, requests):
                connection.sendall(request)
            for connection in asking:
                read_answer(connection)
        seconds, cpu = time.monotonic() - started, gateway.cpu_us() - cpu
        for connection in asking:
            connection.close()
    setting.show(f"API, to one client each, {count} connections", count * rounds, seconds, cpu)


def nats_down(setting: Setting) -> None:
    clients = 100
    with Broker() as broker, Gateway(setting, bus=broker.bus) as gateway:
        def connected() -> push.Nats:
            if broker.subscriptions() < clients:
                raise Missing("the gateway makes no subscription for a client")
            return push.Nats(f"127.0.0.1:{broker.port}")

        pushed(setting, "NATS, to one client each", gateway, connected, "gatehouse.to.ws.dev-{n}",
               receivers=clients, clients=clients, messages=500, deliveries=1)


def fan_out(setting: Setting) -> None:
    """One message to all clients, twice a second."""
    with Gateway(setting) as gateway:
        pushed(setting, f"API, broadcast to {setting.clients:,}", gateway, gateway.api(),
               "broadcast?route=ws", receivers=setting.clients, clients=1, messages=20,
               deliveries=setting.clients, rate=2)


def join_all(gateway: Gateway, clients: int) -> None:
    """Makes all clients members of the group "all"."""
    for number in range(1, clients + 1):
        connection = http.client.HTTPConnection(*gateway.admin, timeout=PATIENCE)
        try:
            connection.request("PUT", f"/api/v1/groups/all/members/ws/dev-{number}")
            answer = connection.getresponse()
            if answer.status not in (200, 201, 204):
                raise SystemExit(f"message_speed: joining a group: {answer.status} {answer.read()!r}")
        finally:
            connection.close()


def groups(setting: Setting) -> None:
    for what, bus in (("embedded", False), ("NATS", True)):
        with contextlib.ExitStack() as stack:
            broker = stack.enter_context(Broker()) if bus else None
            gateway = stack.enter_context(Gateway(setting, bus=broker.bus if broker else ""))
            if '"groups"' not in gateway.get("/api/v1/groups"):
                raise Missing("the API has no groups")

            def joined(gateway=gateway, broker=broker):
                join_all(gateway, setting.clients)
                return push.Nats(f"127.0.0.1:{broker.port}") if broker else gateway.api()

            # The tester holds while all join, one request each.
            target = "gatehouse.group.all" if broker else "groups/all/messages"
            pushed(setting, f"group of {setting.clients:,}, {what}", gateway, joined, target,
                   receivers=setting.clients, clients=1, messages=20, deliveries=setting.clients,
                   rate=20 / (10 + setting.clients / 500))


# --- what a client costs ---


def memory(setting: Setting) -> None:
    with contextlib.ExitStack() as stack:
        for what, bus in (("embedded", False), ("NATS", True)):
            broker = stack.enter_context(Broker()) if bus else None
            with Gateway(setting, bus=broker.bus if broker else "") as gateway:
                before = gateway.anonymous_bytes()
                with Tester(setting, gateway, setting.clients, "--hold", "3") as tester:
                    gateway.wait_clients(setting.clients)
                    each = (gateway.anonymous_bytes() - before) / setting.clients
                    tester.finish()
            print(f"{f'bytes per client, {setting.clients:,}, bus {what}':44} {setting.engine:9} "
                  f"{'':11} {each:9.0f}", flush=True)


def restore(setting: Setting) -> None:
    """From the start of the broker's process until it has all subscriptions."""
    with Broker() as broker, Gateway(setting, bus=broker.bus) as gateway:
        with Tester(setting, gateway, setting.clients, "--hold", "15") as tester:
            gateway.wait_clients(setting.clients)
            whole = broker.subscriptions()
            if whole < setting.clients:
                raise Missing(f"{whole} subscriptions for {setting.clients} clients")
            broker.stop()
            wait("degraded", lambda: json.loads(gateway.get("/health"))["status"] == "degraded")
            cpu = gateway.cpu_us()
            started = time.monotonic()
            broker.start()
            wait("all subscriptions", lambda: broker.subscriptions() >= whole)
            seconds, cpu = time.monotonic() - started, gateway.cpu_us() - cpu
            tester.finish()
    setting.show(f"restoring {whole:,} subscriptions", whole, seconds, cpu,
                 f"{seconds:.2f} s from the broker's start, the wait before the next attempt included")


CASES = {case.__name__.replace("_", "-"): case for case in
         (echo, webhook, nats_up, api_down, api_many, nats_down, fan_out, groups, memory, restore)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--engine", choices=benchmark.ENGINES, action="append",
                        help="may be repeated; default: each")
    parser.add_argument("--only", choices=CASES, action="append", metavar="NAME",
                        help="may be repeated: " + ", ".join(CASES))
    parser.add_argument("--clients", type=int, default=10000,
                        help="where there are many (default %(default)s)")
    parser.add_argument("binary", nargs="?", default=str(benchmark.GATEHOUSE), metavar="GATEHOUSE")
    given = parser.parse_args()
    print(f"{'':44} {'engine':9} {'messages/s':>11} {'CPU, us':>9}")
    for name, case in CASES.items():
        if given.only and name not in given.only:
            continue
        for engine in given.engine or benchmark.ENGINES:
            try:
                case(Setting(given.binary, engine, given.clients))
            except Missing as what:
                print(f"{name:44} {engine:9} left out: {what}", flush=True)


if __name__ == "__main__":
    main()
