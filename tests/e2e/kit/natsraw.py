# SPDX-License-Identifier: Apache-2.0
"""A NATS client over a plain socket, written by hand from the protocol's description, and
a broker to talk to. The client shares no code with the gateway or any library.

It reads only while somebody waits for a message or an answer."""

import base64
import collections
import contextlib
import dataclasses
import itertools
import json
import pathlib
import re
import select
import signal
import socket
import ssl
import subprocess
import threading
import time

from kit import wsraw

LISTENING = re.compile(r"Listening for client connections on (\S+):(\d+)")


class NoResponders(Exception):
    """Nobody is subscribed to what was asked."""


@dataclasses.dataclass
class Message:
    subject: str
    reply: str  # "": no answer is wanted
    headers: dict[str, str]  # their case matters; of a name that comes twice the first
    body: bytes
    status: int | None = None  # of the broker itself: 503 = no responders

    @property
    def json(self):
        return json.loads(self.body)


def parse_headers(data: bytes) -> tuple[int | None, dict[str, str]]:
    first, *lines = data.decode().split("\r\n")
    assert first.startswith("NATS/1.0"), data
    status = first[len("NATS/1.0"):].split()
    headers: dict[str, str] = {}
    for line in filter(None, lines):
        name, value = line.split(":", 1)
        headers.setdefault(name, value.strip())
    return int(status[0]) if status else None, headers


def format_headers(headers: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(["NATS/1.0", *lines, "", ""]).encode()


class Subscription:
    def __init__(self, client: "Client", number: int, subject: str):
        self.client, self.number, self.subject = client, number, subject
        self.messages: collections.deque[Message] = collections.deque()

    def next_message(self, timeout: float = wsraw.SECONDS) -> Message:
        """The next one in the order of their coming; TimeoutError if none comes in time."""
        deadline = time.monotonic() + timeout
        while not self.messages:
            self.client.receive(deadline, f"a message to {self.subject}")
        return self.messages.popleft()

    def has_message(self) -> bool:
        """Has one come by now? What was published before, through the same broker, has."""
        self.client.flush()
        return bool(self.messages)

    def close(self) -> None:
        del self.client.subscriptions[self.number]
        self.client.write(f"UNSUB {self.number}\r\n".encode())
        self.client.flush()


class Client:
    """One connection to a broker. Every wait ends in time, with an error."""

    def __init__(self, address: tuple[str, int], *, tls: ssl.SSLContext | None = None,
                 is_alive: bool = False, **options):
        """`options` go into CONNECT: user=, password= (sent as pass), auth_token=, name=.
        `is_alive`: a broker that pings may hear a pong at any time, also while nobody reads."""
        self.sock = socket.create_connection(address, wsraw.SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.writing = threading.Lock()
        self.ended = threading.Event()
        self.buffer = b""
        self.pongs = 0
        self.numbers = itertools.count(1)
        self.subscriptions: dict[int, Subscription] = {}
        deadline = time.monotonic() + wsraw.SECONDS
        verb, _, text = self.read_line(deadline, "INFO").partition(" ")
        assert verb == "INFO", verb
        self.info = json.loads(text)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        if "password" in options:
            options["pass"] = options.pop("password")
        hello = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True,
                 "echo": True, "lang": "python", "version": "1", "protocol": 1} | options
        self.write(f"CONNECT {json.dumps(hello)}\r\n".encode())
        self.inbox = f"_INBOX.{self.info['server_id']}.{self.info['client_id']}"
        self.answers = itertools.count(1)
        self.flush()
        if is_alive:
            threading.Thread(target=self.stay_alive, daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        with self.writing:
            self.sock.close()

    def stay_alive(self) -> None:
        with contextlib.suppress(OSError):
            while not self.ended.wait(0.3):
                self.write(b"PONG\r\n")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # --- what one does with it ---

    def subscribe(self, subject: str, queue: str = "") -> Subscription:
        """Once it returns, the broker knows. `subject` may have wildcards."""
        subscription = Subscription(self, next(self.numbers), subject)
        self.subscriptions[subscription.number] = subscription
        self.write(f"SUB {subject} {queue} {subscription.number}\r\n".encode())
        self.flush()
        return subscription

    def publish(self, subject: str, body: bytes | str = b"", headers: dict[str, str] | None = None,
                reply: str = "") -> None:
        body = body.encode() if isinstance(body, str) else body
        head = format_headers(headers) if headers else b""
        sizes = f"{len(head)} {len(head) + len(body)}" if headers else f"{len(body)}"
        verb = "HPUB" if headers else "PUB"
        self.write(f"{verb} {subject} {reply} {sizes}\r\n".encode() + head + body + b"\r\n")

    def answer(self, question: Message, body: bytes | str = b"",
               headers: dict[str, str] | None = None) -> None:
        assert question.reply, f"{question.subject} wants no answer"
        self.publish(question.reply, body, headers)

    def request(self, subject: str, body: bytes | str = b"", headers: dict[str, str] | None = None,
                timeout: float = wsraw.SECONDS) -> Message:
        """The first answer. NoResponders, or TimeoutError."""
        inbox = f"{self.inbox}.{next(self.answers)}"
        subscription = self.subscribe(inbox)
        try:
            self.publish(subject, body, headers, reply=inbox)
            answer = subscription.next_message(timeout)
        finally:
            subscription.close()
        if answer.status == 503:
            raise NoResponders(subject)
        return answer

    def flush(self) -> None:
        """Returns once the broker has dealt with all that was written, and all that it had to
        deliver by then has been read."""
        deadline, want = time.monotonic() + wsraw.SECONDS, self.pongs + 1
        self.write(b"PING\r\n")
        while self.pongs < want:
            self.receive(deadline, "PONG")

    # --- streams ---

    def jetstream(self, api: str, body: dict | None = None) -> dict:
        """$JS.API.<api>; an error is an AssertionError. Asked again while nobody answers: so it
        is while brokers elect a leader. Only for what may be asked twice."""
        def ask() -> dict | None:
            try:
                return self.request(f"$JS.API.{api}", json.dumps(body) if body else b"",
                                    timeout=1).json
            except TimeoutError:
                return None
        answer = wsraw.wait_until(ask, f"an answer of JetStream to {api}")
        assert "error" not in answer, f"{api}: {answer['error']}"
        return answer

    def stream_create(self, name: str, subjects: list[str], **options) -> None:
        self.jetstream(f"STREAM.CREATE.{name}",
                       {"name": name, "subjects": subjects, "storage": "file"} | options)

    def stream_count(self, name: str) -> int:
        return self.jetstream(f"STREAM.INFO.{name}")["state"]["messages"]

    def stream_messages(self, name: str) -> list[Message]:
        """All that a stream holds, in its order, one request for each."""
        state = self.jetstream(f"STREAM.INFO.{name}")["state"]
        if state["messages"] == 0:
            return []
        assert state["last_seq"] - state["first_seq"] + 1 == state["messages"], "some are gone"
        return [self.stream_message(name, number)
                for number in range(state["first_seq"], state["last_seq"] + 1)]

    def stream_message(self, name: str, number: int) -> Message:
        stored = self.jetstream(f"STREAM.MSG.GET.{name}", {"seq": number})["message"]
        headers = base64.b64decode(stored.get("hdrs", ""))
        return Message(stored["subject"], "", parse_headers(headers)[1] if headers else {},
                       base64.b64decode(stored.get("data", "")))

    # --- bytes ---

    def write(self, data: bytes) -> None:
        with self.writing:
            self.sock.sendall(data)

    def fill(self, deadline: float, what: str) -> None:
        poll = select.poll()  # unlike select, for descriptors of any number
        poll.register(self.sock, select.POLLIN)
        has_some = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0
        if not has_some and not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError(f"{what} did not come")
        data = self.sock.recv(262144)
        if not data:
            raise EOFError(f"the broker closed while {what} was awaited: {self.buffer[:200]!r}")
        self.buffer += data

    def read_line(self, deadline: float, what: str) -> str:
        while b"\r\n" not in self.buffer:
            self.fill(deadline, what)
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode()

    def read(self, count: int, deadline: float, what: str) -> bytes:
        while len(self.buffer) < count:
            self.fill(deadline, what)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def receive(self, deadline: float, what: str) -> None:
        """Reads one operation and deals with it."""
        verb, *words = self.read_line(deadline, what).split(" ")
        if verb in ("MSG", "HMSG"):
            self.receive_message(verb == "HMSG", words)
        elif verb == "PING":
            self.write(b"PONG\r\n")
        elif verb == "PONG":
            self.pongs += 1
        elif verb == "-ERR":
            raise AssertionError(f"the broker says {' '.join(words)}")
        else:
            assert verb in ("+OK", "INFO"), verb

    def receive_message(self, has_headers: bool, words: list[str]) -> None:
        """[H]MSG <subject> <sid> [reply] [<size of headers>] <size>, and then the bytes."""
        sizes = 2 if has_headers else 1
        head_size, size = ([0] + [int(word) for word in words[-sizes:]])[-2:]
        subject, number, *reply = words[:-sizes]
        deadline = time.monotonic() + wsraw.SECONDS
        data = self.read(size + 2, deadline, "the rest of a message")[:-2]
        status, headers = parse_headers(data[:head_size]) if has_headers else (None, {})
        subscription = self.subscriptions.get(int(number))
        if subscription:
            subscription.messages.append(
                Message(subject, reply[0] if reply else "", headers, data[head_size:], status))


class Broker:
    """A nats-server on 127.0.0.1; after a kill it can start again on its port, with its streams."""

    def __init__(self, directory: pathlib.Path, *, jetstream: bool = False,
                 arguments: tuple[str, ...] = (), config: str = ""):
        """`config`: what else is to stand in its configuration file."""
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.arguments = ["-js", "-sd", str(directory / "store")] if jetstream else []
        self.arguments += arguments
        if config:
            (directory / "nats.conf").write_text(config)
            self.arguments += ["-c", str(directory / "nats.conf")]
        self.port = wsraw.free_port()
        self.starts = 0
        self.process: subprocess.Popen | None = None
        self.start()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def start(self) -> "Broker":
        """Returns when it takes connections."""
        self.starts += 1
        self.log_file = self.directory / f"broker-{self.starts}.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def is_ready() -> bool:
            assert self.process.poll() is None, f"nats-server exited:\n{self.log}"
            return "Server is ready" in self.log
        wsraw.wait_until(is_ready, f"a broker that is ready:\n{self.log}")
        self.port = int(LISTENING.search(self.log)[2])
        return self

    def connect(self, **options) -> Client:
        return Client(self.address, **options)

    def pause(self) -> None:
        """It holds its connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        wsraw.wait_until(lambda: all(") T " in (task / "stat").read_text()
                                     for task in tasks.iterdir()), "all its threads to stop")

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; harmless if it has ended."""
        self.process.kill()
        self.process.wait()
