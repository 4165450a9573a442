# SPDX-License-Identifier: Apache-2.0
"""Reads GET /api/v1/stream, and holds each event against docs/openapi.yaml."""

import json
import time

from kit import api, wsraw
from kit.gateway import Gateway

SCHEMAS = {"hello": "StreamHello", "overview": "Overview", "message": "StreamMessage", "log": "StreamLog",
           "dropped": "StreamDropped", "end": "StreamEnd"}


class Stream:
    """One that is open."""

    def __init__(self, running: Gateway, query: str, *, token: str | None = None, version: str = "1.1", **options):
        self.client = wsraw.Client(running.admin, **options)
        lines = [f"GET {api.PREFIX}/stream?{query} HTTP/{version}", "Host: 127.0.0.1",
                 *([f"Authorization: Bearer {token}"] if token else [])]
        self.client.send("\r\n".join([*lines, "", ""]).encode())
        head = self.client.read_until(b"\r\n\r\n").decode()
        assert head.startswith("HTTP/1.1 200 "), head
        assert "\r\ncontent-type: text/event-stream\r\n" in head.lower()
        self.is_chunked = "\r\ntransfer-encoding: chunked\r\n" in head.lower()
        assert self.is_chunked == (version == "1.1")
        self.text = b""
        self.comments = 0
        self.hello = self.next("hello")

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_) -> None:
        self.client.close()

    def _more(self) -> bool:
        """False: that was all, and it said so."""
        if not self.is_chunked:
            self.text += self.client.read(1)
            return True
        size = int(self.client.read_until(b"\r\n"), 16)
        self.text += self.client.read(size + 2)[:-2]
        return size > 0

    def event(self) -> tuple[str, dict] | None:
        """The next one; None: the stream has come to its end."""
        deadline = time.monotonic() + wsraw.SECONDS  # signs of life are none of an event
        while True:
            assert time.monotonic() < deadline, f"no event came; of one: {self.text!r}"
            while b"\n\n" not in self.text:
                if not self._more():
                    assert self.text == b"", "an event was not complete"
                    return None
            one, self.text = self.text.split(b"\n\n", 1)
            if one.startswith(b":"):
                self.comments += 1
                continue
            name, data = one.decode().split("\n")
            assert name.startswith("event: ") and data.startswith("data: ")
            name, body = name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
            api.check_schema(api.SPEC["components"]["schemas"][SCHEMAS[name]], body)
            return name, body

    def next(self, name: str) -> dict:
        """The next one of this name; others are passed over."""
        while (event := self.event()) is not None:
            if event[0] == name:
                return event[1]
        raise AssertionError(f"the stream ended before an event '{name}'")

    def messages(self, count: int) -> list[dict]:
        return [self.next("message") for _ in range(count)]

    def expect_end(self, reason: str) -> None:
        """It says why, and is complete."""
        assert self.next("end") == {"reason": reason}
        assert self.event() is None and self.client.is_closed()
