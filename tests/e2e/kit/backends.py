# SPDX-License-Identifier: Apache-2.0
"""Back ends for tests: HTTP servers in threads, and what they were sent."""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import http.server
import os
import socket
import threading
import time
import urllib.parse

import pytest

from kit import wsraw

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclasses.dataclass
class Event:
    """One request, as it came; header names in lower case."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def type(self) -> str:
        return self.headers["ce-type"].removeprefix("gatehouse.client.")

    @property
    def id(self) -> str:
        return self.headers["ce-id"]

    @property
    def client(self) -> str:
        return urllib.parse.unquote(self.headers["ce-clientid"])

    @property
    def sequence(self) -> int:
        return int(self.headers["ce-sequence"])


@dataclasses.dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def is_signed(event: Event, secret: str = SECRET) -> bool:
    """Standard Webhooks 1.0, written from its text."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((event.headers["webhook-id"].encode(),
                        event.headers["webhook-timestamp"].encode(), event.body))
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    age = time.time() - int(event.headers["webhook-timestamp"])
    return abs(age) < 300 and f"v1,{mac}" in event.headers["webhook-signature"].split(" ")


class Webhook:
    """An HTTP/1.1 server on a free port. `answer(event)` says what each event gets: an Answer,
    None for 204, or an exception of its own choice, which breaks the connection."""

    def __init__(self, answer=None, port: int = 0):
        self.events: list[Event] = []
        self.answer = answer or (lambda event: None)
        self.lock = threading.Condition()  # of the two above and below; told of each event
        self.connections: set[socket.socket] = set()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                with owner.lock:
                    owner.connections.add(self.connection)

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                event = Event({name.lower(): value for name, value in self.headers.items()},
                              self.rfile.read(length), self.path)
                with owner.lock:
                    owner.events.append(event)
                    owner.lock.notify_all()
                try:
                    answer = owner.answer(event) or Answer(204)
                except ConnectionError:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                               b"\1\0\0\0\0\0\0\0")
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(answer.body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", port or wsraw.free_port()), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/events"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def of(self, kind: str, client: str | None = None) -> list[Event]:
        with self.lock:
            return self._of(kind, client)

    def _of(self, kind: str, client: str | None) -> list[Event]:
        return [event for event in self.events
                if event.type == kind and client in (None, event.client)]

    def wait(self, kind: str, count: int = 1, client: str | None = None,
             seconds: float = wsraw.SECONDS) -> list[Event]:
        with self.lock:
            self.lock.wait_for(lambda: len(self._of(kind, client)) >= count, seconds)
            found = self._of(kind, client)
        assert len(found) >= count, f"not within {seconds} s: {count} events '{kind}', there are {len(found)}"
        return found

    def close(self) -> None:
        """Takes no more, and breaks what is under way."""
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class RawServer:
    """Runs `serve(connection)` in a thread for each connection; what it raises ends it."""

    def __init__(self, serve):
        self.listener = wsraw.listen()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.serve = serve
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self.listener.accept()[0]
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), connection:
            self.serve(connection)

    def close(self) -> None:
        self.listener.close()


def read_request(connection: socket.socket) -> bytes:
    """One whole request; raises EOFError at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or _end()
    head, body = data.split(b"\r\n\r\n", 1)
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                   if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536) or _end()
    return head + b"\r\n\r\n" + body


def _end():
    raise EOFError


def secret_file(directory, *secrets: str) -> str:
    name = os.path.join(directory, "secrets")
    with open(name, "w") as file:
        file.write("# of the test\n" + "\n".join(secrets) + "\n")
    return name


@pytest.fixture
def webhook():
    """webhook(answer) runs a back end, until the test is over."""
    running = []

    def run(answer=None, **options) -> Webhook:
        running.append(Webhook(answer, **options))
        return running[-1]

    yield run
    for one in running:
        one.close()
