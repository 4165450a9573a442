#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A back end for chargers that speak OCPP 1.6-J, with nothing but Python's standard library.

Usage: backend.py [PORT]                         answers the chargers (default 9200)
       backend.py call CHARGER ACTION [JSON]     asks one and prints its answer, e.g.
                                                 call CP-1 Reset '{"type": "Soft"}'

charger.py is a charger to try both with. The second form needs no back end: the gateway's API does it (default http://127.0.0.1:8131/api/v1,
or as GATEHOUSE_API says). It checks no signatures; examples/webhook-backend shows how."""

import datetime
import http.server
import itertools
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

API = os.environ.get("GATEHOUSE_API", "http://127.0.0.1:8131/api/v1")
RESULT, ERROR = 3, 4
SUBPROTOCOL = "ocpp1.6"
HEARTBEAT_SECONDS = 300
CARDS = {"DEADBEEF", "12345678"}  # who may charge
transactions = itertools.count(1)


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def card_info(payload: dict) -> dict:
    return {"status": "Accepted" if payload.get("idTag") in CARDS else "Invalid"}


# What a charger may call, and the answer.
ACTIONS = {
    "BootNotification": lambda _: {"status": "Accepted", "currentTime": now(),
                                   "interval": HEARTBEAT_SECONDS},
    "Heartbeat": lambda _: {"currentTime": now()},
    "Authorize": lambda payload: {"idTagInfo": card_info(payload)},
    "StartTransaction": lambda payload: {"transactionId": next(transactions),
                                         "idTagInfo": card_info(payload)},
    "StopTransaction": lambda _: {},
    "MeterValues": lambda _: {},
    "StatusNotification": lambda _: {},
    "FirmwareStatusNotification": lambda _: {},
    "DiagnosticsStatusNotification": lambda _: {},
    "DataTransfer": lambda _: {"status": "UnknownVendorId"},
}


def answer_to(message) -> list | None:
    """What goes back to the charger; None: nothing."""
    match message:
        case [2, str(number), str(action), dict(payload)]:
            if action not in ACTIONS:
                return [ERROR, number, "NotImplemented", f"{action} is not known here", {}]
            return [RESULT, number, ACTIONS[action](payload)]
        case [2, str(number), *_]:
            return [ERROR, number, "FormationViolation", "a call is [2, id, action, payload]", {}]
    return None  # an answer to nobody's call, or no OCPP


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the connection open for the next event
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["ce-type"].removeprefix("gatehouse.client.")
        charger = urllib.parse.unquote(self.headers["ce-clientid"])
        print(f"{charger}: {kind}", body.decode(errors="replace") if kind == "message" else "",
              flush=True)
        if kind == "connect" and self.headers["ce-subprotocol"] != SUBPROTOCOL:
            return self.answer(400, {"title": f"chargers speak {SUBPROTOCOL} here"})
        self.answer(200, self.result(body) if kind == "message" else None)

    def result(self, body: bytes) -> list | None:
        try:
            return answer_to(json.loads(body))
        except ValueError:
            return None

    def answer(self, status: int, result) -> None:
        """A body goes to the charger, as text since it is JSON."""
        body = b"" if result is None else json.dumps(result).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def call(charger: str, action: str, payload: str = "{}") -> None:
    body = json.dumps({"action": action, "payload": json.loads(payload)}).encode()
    request = urllib.request.Request(
        f"{API}/clients/ocpp/{urllib.parse.quote(charger, safe='')}/call", body,
        {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            print(answer.read().decode())
    except urllib.error.HTTPError as refused:
        sys.exit(refused.read().decode())


def serve(port: str = "9200") -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}/events", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:2] == ["call"]:
        call(*sys.argv[2:])
    else:
        serve(*sys.argv[1:])
