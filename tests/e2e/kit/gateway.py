# SPDX-License-Identifier: Apache-2.0
"""The real binary, running with a configuration that a test writes, on ports that are free.

GATEHOUSE_BIN names the binary (default: build/dev/gatehouse)."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import ssl
import subprocess

from kit import wsraw

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("GATEHOUSE_BIN", ROOT / "build" / "dev" / "gatehouse"))
ENGINES = ("epoll", "io_uring")
FAULTS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|check failed:")
SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
LOG_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


def base_config(engine: str) -> dict:
    """No ping in any test's time: whoever waits for a message, which may take half a minute, reads nothing else."""
    return {"server": {"listen": f"127.0.0.1:{wsraw.free_port()}", "workers": 1, "engine": engine, "ping_interval": "10m"},
            "admin": {"listen": f"127.0.0.1:{wsraw.free_port()}"}}


def to_yaml(config: dict) -> str:
    """Sections of scalars, and lists of mappings: all that our file knows. None: left out."""
    lines = []
    for section, body in config.items():
        lines.append(f"{section}:")
        for item in body if isinstance(body, list) else [body]:
            mark = "  - " if isinstance(body, list) else "  "
            for key, value in item.items():
                if value is None:
                    continue
                lines.append(f"{mark}{key}: {scalar(value)}")
                mark = "    " if isinstance(body, list) else "  "
    return "\n".join(lines) + "\n"


def scalar(value) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {scalar(item)}" for key, item in value.items()) + "}"
    return str(value)


def log_fields(line: str) -> dict[str, str]:
    if line.startswith("{"):
        return {name: str(value) for name, value in json.loads(line).items()}
    return {name: json.loads(value) if value.startswith('"') else value
            for name, value in LOG_FIELD.findall(line)}


def address_of(text: str) -> tuple[str, int]:
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


class Gateway:
    """A running gateway. Made by the `gateway` fixture."""

    def __init__(self, directory: pathlib.Path, config: dict, *, env: dict | None = None,
                 arguments: tuple[str, ...] = (), prepare=None, tls: ssl.SSLContext | None = None,
                 program: pathlib.Path = BINARY, launcher: tuple = (), fds: tuple = ()):
        """`tls`: what its clients speak; None: in clear. `program`: where the binary is called. `launcher`: a command
        that becomes it, and inherits the descriptors `fds`."""
        self.tls = tls
        self.config_file = directory / "application.yaml"
        self.config_file.write_text(to_yaml(config))
        self.log_file = directory / "stderr.log"
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*launcher, program, "serve", "-c", self.config_file, *arguments], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=os.environ | (env or {}), preexec_fn=prepare, pass_fds=fds)
        self.address = self.admin = None
        self.has_stopped = False

    # --- its life ---

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def logged(self, message: str) -> list[dict[str, str]]:
        """The fields of each whole log line with this msg."""
        lines = (log_fields(line) for line in self.log.splitlines(keepends=True)
                 if line.endswith("\n"))
        return [fields for fields in lines if fields.get("msg") == message]

    def wait_log(self, message: str) -> dict[str, str]:
        def look():
            found = self.logged(message)
            assert found or self.process.poll() is None, \
                f"the gateway exited with {self.process.returncode}:\n{self.log}"
            return found
        return wsraw.wait_until(look, lambda: f"log line '{message}' in:\n{self.log}")[-1]

    def wait_ready(self) -> "Gateway":
        self.wait_log("ready")
        self.wait_log("listening")
        places = [line["address"] for line in self.logged("listening")]
        self.address = next((address_of(place) for place in places if not place.startswith("unix:")), None)
        self.admin = address_of(self.wait_log("admin listening")["address"])
        return self

    def wait_exit(self, seconds: float = wsraw.SECONDS) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.log}") from None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        """SIGTERM; exit code 0 in time, or 1 if and only if it says that events are lost; nothing reported on
        the way."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait_exit()
        self.has_stopped = True
        has_lost = bool(self.logged("events are lost: their back end did not take them in time"))
        assert code == has_lost, f"exit code {code}:\n{self.log}"
        assert not FAULTS.search(self.log), self.log

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    # --- its clients ---

    def connect(self, **options) -> wsraw.Client:
        """A connection without a handshake of WebSocket."""
        return wsraw.Client(self.address, **{"tls": self.tls} | options)

    def open(self, target: str | None = None, **options) -> wsraw.Client:
        """A WebSocket."""
        return self.connect(**options).open(target)

    def url(self, target: str) -> str:
        return f"{'wss' if self.tls else 'ws'}://{self.address[0]}:{self.address[1]}{target}"

    # --- what it says about itself ---

    def get(self, path: str, *, admin: bool = True) -> wsraw.Response:
        host, port = self.admin if admin else self.address
        connection = http.client.HTTPConnection(host, port, timeout=wsraw.SECONDS)
        if self.tls and not admin:
            connection.sock = self.connect().sock
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return wsraw.Response(answer.status, headers, answer.read())
        finally:
            connection.close()

    def health(self, *, admin: bool = True) -> dict:
        return json.loads(self.get("/health", admin=admin).body)

    def samples(self, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        """Of gatehouse_`name` those that carry these labels: all labels of each, and its value."""
        lines = self.get("/metrics").body.decode().splitlines()
        found = filter(None, (SAMPLE.match(line) for line in lines if line.startswith(f"gatehouse_{name}")))
        samples = [(dict(LABEL.findall(one[2] or "")), float(one[3])) for one in found
                   if one[1] == f"gatehouse_{name}"]
        return [(has, value) for has, value in samples if labels.items() <= has.items()]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of gatehouse_`name` that carry these labels; 0 if none."""
        return sum((value for _, value in self.samples(name, **labels)), 0.0)

    def metrics(self, name: str, by: str, **labels: str) -> dict[str, float]:
        """The same, one sum for each value of the label `by`."""
        sums: dict[str, float] = {}
        for has, value in self.samples(name, **labels):
            sums[has.get(by, "")] = sums.get(has.get(by, ""), 0.0) + value
        return sums

    def wait_metric(self, name: str, value: float, **labels: str) -> None:
        def what():
            return f"gatehouse_{name}{labels or ''} == {value}, is {self.metric(name, **labels)}"
        wsraw.wait_until(lambda: self.metric(name, **labels) == value, what)

    def memory(self) -> int:
        """Resident bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def cpu_seconds(self) -> float:
        """User and system time of all threads."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_sanitized() -> bool:
    """A sanitizer's shadow memory makes figures of memory and time meaningless."""
    return re.search(rb"__(asan|tsan)_init", BINARY.read_bytes()) is not None


def run_binary(*arguments, seconds: float = 30, env: dict | None = None, prefix: tuple = (),
               **options) -> subprocess.CompletedProcess:
    """The program with these arguments, to its end."""
    return subprocess.run([*prefix, BINARY.resolve(), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=seconds, check=False,
                          env=os.environ | (env or {}), **options)


def with_nofile(soft: int, hard: int | None = None):
    """For preexec_fn: a limit on descriptors."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard or soft))


def with_more_time(run, is_good, limits: tuple[str, ...] = ("300ms", "3s", "20s")):
    """run(limit), where the program itself has so much time, again with more while the outcome is
    another: 300 ms are long, but not on every machine. Returns the last outcome."""
    for limit in limits:
        got = run(limit)
        if is_good(got):
            break
    return got


def given_time(check, factors: tuple[int, ...] = (1, 4, 16)) -> None:
    """check(factor), whose program has so many times as long for everything, and which passes the first
    time where there is a processor for it. What a busy machine alone has cut off passes with more time; a
    fault fails each time, and the last one is told."""
    for factor in factors[:-1]:
        with contextlib.suppress(AssertionError, OSError, EOFError):
            check(factor)
            return
    check(factors[-1])


def assert_refusal(response: wsraw.Response, limit: str, current: int, maximum: int) -> None:
    """What every refusal says, in its header and in its problem document."""
    assert response.headers["gatehouse-limit"] == f"{limit}; current={current}; max={maximum}"
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["content-type"].split(";")[0] == "application/problem+json"
    problem = json.loads(response.body)
    assert (problem["limit"], problem["current"], problem["max"]) == (limit, current, maximum)
    assert problem["title"] and problem["node"]
    assert limit in problem["detail"], "the detail names the limit, for whoever reads only that"
