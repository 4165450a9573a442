#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A webhook back end with nothing but Python's standard library: checks the signature of each
event, lets every client in but "nobody", and answers each text message in upper case.

Usage: backend.py [PORT]        (default 9000; the secret is in the file `secret` beside it)"""

import base64
import hashlib
import hmac
import http.server
import pathlib
import sys
import time
import urllib.parse

SECRET = pathlib.Path(__file__).with_name("secret").read_text().split()[-1]
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
MAX_AGE_SECONDS = 300


def is_genuine(headers, body: bytes) -> bool:
    """Standard Webhooks: HMAC-SHA256 over "id.timestamp.body", and not too old."""
    timestamp = headers.get("webhook-timestamp", "0")
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    mac = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    is_fresh = timestamp.isdigit() and abs(time.time() - int(timestamp)) < MAX_AGE_SECONDS
    return is_fresh and any(hmac.compare_digest(one, f"v1,{mac}")
                            for one in headers.get("webhook-signature", "").split())


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the connection open for the next event
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not is_genuine(self.headers, body):
            return self.answer(403, b"bad signature\n")
        kind = self.headers["ce-type"].removeprefix("gatehouse.client.")
        client = urllib.parse.unquote(self.headers["ce-clientid"])
        print(f"{client}: {kind}", body if kind == "message" else self.headers["ce-reason"] or "",
              flush=True)
        if kind == "connect" and client == "nobody":
            return self.answer(403, b"nobody is not let in\n")
        if kind == "message" and self.headers["ce-messagetype"] == "text":
            return self.answer(200, body.decode().upper().encode())
        self.answer(204)

    def answer(self, status: int, body: bytes = b""):
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "text/plain; charset=utf-8")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}/events", flush=True)
    server.serve_forever()
