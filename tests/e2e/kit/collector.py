# SPDX-License-Identifier: Apache-2.0
"""A collector of traces (OTLP/HTTP, JSON), which takes nothing that is not of the shape of opentelemetry-proto's
ExportTraceServiceRequest in its JSON encoding."""

from __future__ import annotations

import dataclasses
import http.server
import json
import re
import threading

from kit import wsraw

TRACE_ID = re.compile(r"[0-9a-f]{32}")
SPAN_ID = re.compile(r"[0-9a-f]{16}")
INT64 = re.compile(r"-?[0-9]{1,19}")
VALUES = {"stringValue": str, "boolValue": bool, "intValue": str, "doubleValue": float}


@dataclasses.dataclass
class Span:
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict
    events: list[tuple[str, dict]]
    links: list[tuple[str, str]]
    state: str
    error: str | None
    start: int
    end: int
    resource: dict

    @property
    def context(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


# --- the shape ---

def members(what: dict, required: set[str], optional: set[str] = frozenset()) -> None:
    assert isinstance(what, dict), what
    assert required <= set(what) <= required | optional, f"{sorted(what)} are not {required} and some of {optional}"


def attributes_of(rows: list) -> dict:
    found = {}
    for row in rows:
        members(row, {"key", "value"})
        assert row["key"] not in found, f"{row['key']} is there twice"
        (kind, value), = row["value"].items()
        assert isinstance(value, VALUES[kind]), row
        if kind == "intValue":
            assert INT64.fullmatch(value), row
            value = int(value)
        found[row["key"]] = value
    return found


def event_of(row: dict) -> tuple[str, dict]:
    members(row, {"timeUnixNano", "name"}, {"attributes"})
    assert INT64.fullmatch(row["timeUnixNano"])
    return row["name"], attributes_of(row.get("attributes", []))


def link_of(row: dict) -> tuple[str, str]:
    members(row, {"traceId", "spanId"}, {"attributes"})
    assert TRACE_ID.fullmatch(row["traceId"]) and SPAN_ID.fullmatch(row["spanId"]), row
    return row["traceId"], row["spanId"]


def span_of(row: dict, resource: dict) -> Span:
    members(row, {"traceId", "spanId", "kind", "name", "startTimeUnixNano", "endTimeUnixNano"},
            {"parentSpanId", "traceState", "attributes", "events", "links", "status"})
    assert TRACE_ID.fullmatch(row["traceId"]) and set(row["traceId"]) != {"0"}, row
    assert SPAN_ID.fullmatch(row["spanId"]) and set(row["spanId"]) != {"0"}, row
    assert row.get("parentSpanId", "") == "" or SPAN_ID.fullmatch(row["parentSpanId"]), row
    assert row["kind"] in range(1, 6), row
    start, end = int(row["startTimeUnixNano"]), int(row["endTimeUnixNano"])
    assert isinstance(row["startTimeUnixNano"], str) and 0 < start <= end, row
    status = row.get("status", {})
    members(status, set(), {"code", "message"})
    assert status.get("code", 0) in (0, 1, 2), row
    return Span(row["name"], row["kind"], row["traceId"], row["spanId"], row.get("parentSpanId", ""),
                attributes_of(row.get("attributes", [])), [event_of(each) for each in row.get("events", [])],
                [link_of(each) for each in row.get("links", [])], row.get("traceState", ""),
                status.get("message", "") if status.get("code") == 2 else None, start, end, resource)


def spans_of(body: bytes) -> list[Span]:
    request = json.loads(body)
    members(request, {"resourceSpans"})
    spans = []
    for resource_spans in request["resourceSpans"]:
        members(resource_spans, {"resource", "scopeSpans"})
        members(resource_spans["resource"], {"attributes"})
        resource = attributes_of(resource_spans["resource"]["attributes"])
        for scope_spans in resource_spans["scopeSpans"]:
            members(scope_spans, {"scope", "spans"})
            members(scope_spans["scope"], {"name", "version"})
            spans += [span_of(row, resource) for row in scope_spans["spans"]]
    return spans


# --- the collector ---

class Collector:
    """`answers` are given before 200: (status, headers, body) each. `hold`: an event that every request waits for."""

    def __init__(self, *, port: int = 0, answers: list | None = None, hold: threading.Event | None = None, tls=None):
        self.spans: list[Span] = []
        self.requests: list[dict[str, str]] = []  # their headers
        self.problems: list[str] = []
        self.answers = list(answers or [])
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append({name.lower(): value for name, value in self.headers.items()})
                if hold is not None:
                    hold.wait()
                status, headers, answer = collector.answers.pop(0) if collector.answers else (200, {}, b"{}")
                if status == 200:
                    collector._take(self, body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # whoever asks has gone

        self.server = Server(("127.0.0.1", port), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _take(self, request, body: bytes) -> None:
        try:
            assert request.path == "/v1/traces", request.path
            assert request.headers["Content-Type"] == "application/json"
            self.spans += spans_of(body)
        except (AssertionError, KeyError, ValueError) as problem:
            self.problems.append(f"{problem!r} in {body[:2000]!r}")

    def named(self, name: str) -> list[Span]:
        assert not self.problems, self.problems
        return [span for span in list(self.spans) if span.name == name]

    def wait(self, name: str, count: int = 1) -> list[Span]:
        wsraw.wait_until(lambda: len(self.named(name)) >= count or None,
                         lambda: f"{count} of '{name}' among {[span.name for span in self.spans]}")
        return self.named(name)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self) -> "Collector":
        return self

    def __exit__(self, *_) -> None:
        self.close()
