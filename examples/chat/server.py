#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A chat room with nothing but Python's standard library: serves the page, gets every client's
messages as events of the gateway, and sends them to all through the gateway's API.

Usage: server.py [PORT [API]]        (default 9100 http://127.0.0.1:8121/api/v1)

It checks no signatures; examples/webhook-backend shows how."""

import http.server
import json
import pathlib
import sys
import threading
import urllib.parse
import urllib.request

PAGE = pathlib.Path(__file__).with_name("index.html")
PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 9100
API = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8121/api/v1"
NAME_MAX = 40
one_at_a_time = threading.Lock()


def ask(path: str, body: dict | None = None) -> dict:
    """A request to the gateway's API: with a body a POST, which the clients get as text."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{API}/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def tell_all(message: dict) -> None:
    ask("broadcast?route=chat", message)


def tell_who_is_here() -> None:
    with one_at_a_time:  # else an older list could be told after a newer one
        here = ask("clients?route=chat&limit=1000")["clients"]
        tell_all({"people": sorted(client["client_id"] for client in here)})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path.split("?")[0] == "/":
            self.answer(200, PAGE.read_bytes(), "text/html; charset=utf-8")
        else:
            self.answer(404, b"only the page is here\n")

    def do_POST(self):
        """An event. The next one of the same client comes when this one is answered."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = urllib.parse.unquote(self.headers["ce-clientid"])
        kind = self.headers["ce-type"].removeprefix("gatehouse.client.")
        if kind == "connect" and len(name) > NAME_MAX:
            return self.answer(403, f"a name has at most {NAME_MAX} characters\n".encode())
        if kind == "message" and self.headers["ce-messagetype"] == "text":
            tell_all({"from": name, "text": body.decode()})
        elif kind in ("connected", "disconnected"):
            tell_who_is_here()
        self.answer(204)

    def answer(self, status: int, body: bytes = b"", content_type: str = "text/plain"):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    print(f"the page is at http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()
