#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A charger that speaks OCPP 1.6-J: boots, sends heartbeats, and accepts whatever it is asked.

Usage: charger.py [NAME [URL]]     (default CP-1 ws://127.0.0.1:8130/ocpp; apt-get install python3-websockets)"""

import asyncio
import json
import sys
import urllib.parse

import websockets

NAME = sys.argv[1] if len(sys.argv) > 1 else "CP-1"
URL = sys.argv[2] if len(sys.argv) > 2 else "ws://127.0.0.1:8130/ocpp"
CALL, RESULT = 2, 3


async def call(socket, number: int, action: str, payload: dict) -> None:
    print(f"{action}: {payload}", flush=True)
    await socket.send(json.dumps([CALL, str(number), action, payload]))


async def heartbeats(socket, seconds: int) -> None:
    number = 2
    while True:
        await asyncio.sleep(seconds)
        await call(socket, number, "Heartbeat", {})
        number += 1


async def connected() -> None:
    async with websockets.connect(f"{URL}/{urllib.parse.quote(NAME, safe='')}",
                                  subprotocols=["ocpp1.6"]) as socket:
        await call(socket, 1, "BootNotification",
                   {"chargePointVendor": "Example", "chargePointModel": "One"})
        beats = None
        async for text in socket:
            match json.loads(text):
                case [2, str(number), str(action), dict(payload)]:
                    print(f"asked: {action} {payload}", flush=True)
                    await socket.send(json.dumps([RESULT, number, {"status": "Accepted"}]))
                case [3, "1", dict(boot)]:
                    print(f"boot: {boot['status']}", flush=True)
                    beats = beats or asyncio.create_task(heartbeats(socket, boot["interval"]))
                case other:
                    print(f"answered: {other}", flush=True)


async def main() -> None:
    """Chargers come again for as long as it takes."""
    while True:
        try:
            await connected()
            print("the connection ended", flush=True)
        except (OSError, websockets.WebSocketException) as problem:
            print(f"no connection: {problem}", flush=True)
        await asyncio.sleep(1)


asyncio.run(main())
