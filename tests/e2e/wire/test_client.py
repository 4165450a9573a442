# SPDX-License-Identifier: Apache-2.0
"""An independent client: what the Python package `websockets` makes of the gateway."""

import asyncio
import random

import pytest
import websockets

from kit import wsraw


def connect(running, target: str, **options):
    """In the time of a test, and without pings of its own, whose answers it may be too busy to read."""
    return websockets.connect(running.url(target), ssl=running.tls, open_timeout=wsraw.SECONDS, ping_interval=None, **options)


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_messages_from_nothing_to_1_mib(gateway, kind):
    running = gateway()
    source = random.Random(kind)
    sizes = [0, 1, 2, 1024 * 1024] + [int(2 ** source.uniform(0, 20)) for _ in range(40)]

    async def talk():
        async with connect(running, "/ws/py", max_size=None, compression=None) as ws:
            for size in sizes:
                data = source.randbytes(size)
                message = data.decode("latin-1")[: size // 2] if kind == "text" else data
                await ws.send(message)
                assert await asyncio.wait_for(ws.recv(), wsraw.SECONDS) == message
            await asyncio.wait_for(await ws.ping(b"are you there"), wsraw.SECONDS)
        assert ws.close_code == 1000

    asyncio.run(talk())
    running.wait_metric("connections", 0)


@pytest.mark.tsan
def test_many_clients_at_once(gateway):
    """100 connections over two workers, 20 messages each, several in flight."""
    running = gateway(server={"workers": 2, "handshake_timeout": "1m"})  # they shake hands in one thread

    async def one(number: int):
        async with connect(running, f"/ws/py-{number}", compression=None) as ws:
            wanted = [f"{number}/{n}" for n in range(20)]
            for message in wanted:
                await ws.send(message)
            assert [await asyncio.wait_for(ws.recv(), wsraw.SECONDS) for _ in wanted] == wanted

    async def all_of_them():
        await asyncio.gather(*(one(number) for number in range(100)))

    asyncio.run(all_of_them())
    assert running.metric("messages_received_total") == 2000
    assert running.metric("connections_accepted_total") == 100
    running.wait_metric("connections", 0)


def test_fragments_by_the_client_library(gateway):
    running = gateway()

    async def talk():
        async with connect(running, "/ws/py", compression=None) as ws:
            await ws.send(["a", "ß", "", "c" * 5000])
            assert await asyncio.wait_for(ws.recv(), wsraw.SECONDS) == "aß" + "c" * 5000

    asyncio.run(talk())


def test_offer_of_compression_is_declined(gateway):
    """permessage-deflate is offered by default; without it in the answer all still works."""
    running = gateway()

    async def talk():
        async with connect(running, "/ws/py") as ws:
            assert ws.extensions == []
            await ws.send("x" * 1000)
            assert await asyncio.wait_for(ws.recv(), wsraw.SECONDS) == "x" * 1000

    asyncio.run(talk())


def test_subprotocol_by_the_client_library(gateway):
    running = gateway(routes=[{"path": "/ocpp/{client_id}", "subprotocols": ["ocpp1.6"],
                               "backend": "echo"}])

    async def talk():
        async with connect(running, "/ocpp/CP-1",
                                      subprotocols=["ocpp2.0.1", "ocpp1.6"]) as ws:
            assert ws.subprotocol == "ocpp1.6"

    asyncio.run(talk())


def test_refusal_reaches_the_client_library(gateway):
    running = gateway(server={"max_connections": 1})

    async def talk():
        async with connect(running, "/ws/1"):
            with pytest.raises(websockets.exceptions.InvalidStatusCode) as caught:
                await connect(running, "/ws/2")
            assert caught.value.status_code == 503
            assert caught.value.headers["Gatehouse-Limit"] == "max_connections; current=1; max=1"

    asyncio.run(talk())
