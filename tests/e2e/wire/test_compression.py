# SPDX-License-Identifier: Apache-2.0
"""permessage-deflate over the wire (RFC 7692): what is agreed on, and what is sent then."""

import random
import struct
import zlib

import pytest

from kit import api, deflated
from kit.deflated import RSV1, TAIL, Deflated, records
from kit.wsraw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

NO_WINDOWS = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
ROUTES = [{"path": "/off/{client_id}", "compression": "off"},
          {"path": "/shared/{client_id}", "compression": "shared"},
          {"path": "/window/{client_id}", "compression": "window"},
          {"path": "/wide/{client_id}", "compression": "window", "compression_window_bits": 15},
          {"path": "/ocpp/{client_id}", "preset": "ocpp"}]
OFFERS = ["permessage-deflate", "permessage-deflate; client_max_window_bits",
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
          "permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=8",
          "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15",
          "permessage-deflate; client_max_window_bits=9; server_no_context_takeover",
          "permessage-deflate; server_no_context_takeover; server_max_window_bits=9, "
          "permessage-deflate; server_no_context_takeover, permessage-deflate"]
ROADS = ["/shared/a", "/window/a", "/wide/a"]
SIZES = [0, 1, 2, 16, 64, 255, 256, 257, 1024, 4096, 8192, 16384, 32768, 65536, 131072]


def payload(size: int, number: int) -> bytes:
    """Well and badly compressible ones by turns."""
    if number % 3 == 2:
        return random.Random(number).randbytes(size)
    return records(size, number) if number % 3 else b"*" * size


# --- agreeing ---


ANSWERS = {"/off/a": None, "/shared/a": NO_WINDOWS, "/window/a": "permessage-deflate; client_max_window_bits=12",
           "/wide/a": "permessage-deflate", "/ocpp/a": NO_WINDOWS}


def test_what_a_browser_offers(gateway):
    running = gateway(routes=ROUTES)
    for target, wanted in ANSWERS.items():
        extra = deflated.offer() + (("Sec-WebSocket-Protocol: ocpp2.0.1",) if "ocpp" in target else ())
        with running.connect() as client:
            assert client.handshake(target, extra=extra).headers.get("sec-websocket-extensions") == wanted
        with running.connect() as client:
            assert "sec-websocket-extensions" not in client.handshake(target, extra=extra[1:]).headers


DECLINED = ["permessage-deflate; unknown", "permessage-deflate; server_max_window_bits=7", "x-webkit-deflate-frame",
            "permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=\"9",
            "permessage-deflate; client_max_window_bits; client_max_window_bits", ""]


def test_what_is_declined_goes_on_plain(gateway):
    running = gateway(routes=ROUTES)
    for number, text in enumerate(DECLINED):
        with running.connect() as client:
            response = client.handshake(f"/shared/{number}", extra=deflated.offer(text))
            assert response.status == 101 and "sec-websocket-extensions" not in response.headers
            client.echo(records(1000))


def test_without_an_offer_the_reserved_bit_is_an_error(gateway):
    with gateway(routes=ROUTES).open("/shared/a") as client:
        client.send_frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", reserved=RSV1)
        client.expect_close(1002)


# --- messages ---


@pytest.mark.tsan
@pytest.mark.parametrize("road", ROADS)
def test_echo_of_every_size(gateway, road):
    running = gateway(routes=ROUTES)
    for text in OFFERS:
        with Deflated(running.connect(), road, text) as client:
            for number in range(2 * len(SIZES)):
                message = payload(SIZES[number % len(SIZES)], number)
                went = client.echo(message, TEXT if number % 3 != 2 else BINARY, cuts=number % 4)
                assert went is None or (went < len(message) and len(message) >= 256)


@pytest.mark.parametrize("road", ROADS)
def test_a_thousand_messages_of_a_kind(gateway, road):
    """Many at once, as one writes that does not wait."""
    with Deflated(gateway(routes=ROUTES).connect(), road) as client:
        for begin in range(0, 1000, 50):
            messages = [records(100 + 7 * number, number) for number in range(begin, begin + 50)]
            client.client.send(b"".join(frame(TEXT, client.deflate(m), reserved=RSV1) for m in messages))
            for message in messages:
                assert client.read()[:2] == (TEXT, message)


def test_every_block_type(gateway):
    running = gateway(routes=ROUTES)
    for level, strategy in ((0, 0), (1, 0), (9, 0), (6, zlib.Z_FIXED), (6, zlib.Z_HUFFMAN_ONLY), (6, zlib.Z_RLE)):
        for road in ROADS:
            with Deflated(running.connect(), road, level=level, strategy=strategy) as client:
                for size in (0, 5, 300, 70000):
                    client.echo(records(size, size))


HELLO = [("7.2.3.1", "f248cdc9c90700"), ("7.2.3.3 stored", "000500faff48656c6c6f00"),
         ("7.2.3.4 final block", "f348cdc9c9070000"), ("7.2.3.5 two blocks", "f248050000 00ffffcac9c90700"),
         ("a final block at the end", "f348cdc9c90700")]


@pytest.mark.parametrize("road", ROADS[:2])
def test_examples_of_the_rfc(gateway, road):
    with Deflated(gateway(routes=ROUTES).connect(), road) as client:
        for cuts in range(3):
            for name, data in HELLO:
                client.send_compressed(bytes.fromhex(data), TEXT, cuts)
                assert client.read() == (TEXT, b"Hello", None), name


def test_example_of_a_message_that_refers_to_another(gateway):
    with Deflated(gateway(routes=ROUTES).connect(), "/window/a") as client:
        for data in ("f248cdc9c90700", "f200110000", "f200110000"):
            client.send_compressed(bytes.fromhex(data), TEXT)
            assert client.read() == (TEXT, b"Hello", None)


@pytest.mark.parametrize("road", ROADS[:2])
def test_empty_messages(gateway, road):
    with Deflated(gateway(routes=ROUTES).connect(), road) as client:
        client.echo(b"", TEXT)
        client.send_compressed(b"\x00", TEXT)
        assert client.read() == (TEXT, b"", None)
        client.send_compressed(b"", BINARY)
        assert client.read() == (BINARY, b"", None)
        client.echo(records(1000))


@pytest.mark.parametrize("road", ROADS[:2])
def test_plain_messages_between_compressed_ones(gateway, road):
    """Each message says whether it is compressed; a plain one is no part of any context."""
    with Deflated(gateway(routes=ROUTES).connect(), road) as client:
        for number in range(20):
            client.echo(records(600, number))
            client.client.send_frame(BINARY, records(700, -number))
            assert client.read()[:2] == (BINARY, records(700, -number))


@pytest.mark.parametrize("road", ROADS[:2])
def test_control_frames_between_fragments(gateway, road):
    with Deflated(gateway(routes=ROUTES).connect(), road) as client:
        data = client.deflate(records(5000))
        for place in range(0, len(data), 200):
            client.client.send_frame(CONTINUATION if place else TEXT, data[place:place + 200], final=False,
                                     reserved=0 if place else RSV1)
            client.client.send_frame(PING, b"%d" % place)
        client.client.send_frame(CONTINUATION)
        for place in range(0, len(data), 200):
            got = client.client.read_frame()
            assert (got.opcode, got.reserved, got.payload) == (PONG, 0, b"%d" % place)
        assert client.read()[1] == records(5000)


@pytest.mark.parametrize("road", ROADS[:2])
def test_byte_by_byte(gateway, road):
    with Deflated(gateway(routes=ROUTES).connect(), road) as client:
        client.client.send_slowly(frame(TEXT, client.deflate(records(400)), reserved=RSV1))
        assert client.read()[1] == records(400)


def test_windows_make_messages_smaller(gateway):
    sizes = {}
    for road in ROADS:
        with Deflated(gateway(routes=ROUTES).connect(), road) as client:
            sizes[road] = [client.echo(records(500, number), TEXT) for number in range(10)][-1]
    assert sizes["/window/a"] < sizes["/shared/a"] * 0.8
    assert sizes["/wide/a"] < sizes["/shared/a"] * 0.8


def test_small_and_incompressible_ones_go_as_they_are(gateway):
    running = gateway(routes=[{"path": "/ws/{client_id}", "compression": "shared", "compression_min_size": "300B"}])
    with Deflated(running.connect(), "/ws/a") as client:
        assert client.echo(b"a" * 299) is None
        assert client.echo(b"a" * 300) < 30
        assert client.echo(random.Random(1).randbytes(5000)) is None
    assert running.metric("compression_not_smaller_total") == 1


def test_a_message_to_many_counts_as_one_to_one(gateway):
    """Among them those that a few bytes less make no smaller frame, whose head is longer than what was saved."""
    running = gateway(routes=[{"path": "/ws/{client_id}", "compression": "shared", "compression_min_size": "16B"}])
    asked = api.Api(running.admin)
    payloads = [random.Random(size).randbytes(100) + b"*" * size for size in range(4, 20)] + [records(70000)]
    names = [f"compression_{name}_total" for name in ("sent_bytes", "sent_plain_bytes", "saved_bytes", "not_smaller")]

    def counted(path: str) -> list[float]:
        before = [running.metric(name) for name in names]
        for payload in payloads:
            asked.post(path, payload, type="application/octet-stream")
            assert client.read()[:2] == (BINARY, payload)
        return [running.metric(name) - was for name, was in zip(names, before)]

    with Deflated(running.connect(), "/ws/a") as client:
        sent, plain, saved, kept = counted("/clients/ws/a/messages")
        assert saved == plain - sent > 0 and 0 < kept < len(payloads) - 1
        assert counted("/broadcast?route=ws") == [sent, plain, saved, kept]


def test_levels_and_bits(gateway):
    ways = [(level, bits) for level in (1, 6, 9) for bits in (9, 11, 15)]
    running = gateway(routes=[{"path": f"/{level}-{bits}/{{client_id}}", "compression": "window",
                               "compression_level": level, "compression_window_bits": bits} for level, bits in ways])
    for level, bits in ways:
        with Deflated(running.connect(), f"/{level}-{bits}/a") as client:
            assert client.answer.get("client_max_window_bits") == (None if bits == 15 else str(bits))
            for number in range(30):
                client.echo(records(200 * number, number))


# --- what is wrong ---


BROKEN = [("block type 3", b"\x07\x00"), ("cut short", b"\xf2\x48\xcd"), ("noise", b"\xff" * 30),
          ("its tail not cut off", b"\xf2\x48\xcd\xc9\xc9\x07\x00" + TAIL),
          ("bytes behind", b"\xf2\x48\xcd\xc9\xc9\x07\x00\x05\x05")]


@pytest.mark.parametrize("road", ROADS[:2])
def test_what_cannot_be_decoded(gateway, road):
    running = gateway(routes=ROUTES)
    for name, data in BROKEN:
        with Deflated(running.connect(), road) as client:
            client.send_compressed(data, TEXT, cuts=1)
            code, reason = client.client.read_close()
            assert code == 1007 and b"cannot be decoded" in reason, name
            assert client.client.is_closed()
    running.wait_metric("connections_closed_total", len(BROKEN), reason="invalid_compression")


def test_a_client_that_keeps_its_window_all_the_same(gateway):
    """It has agreed not to; the reason says so."""
    with Deflated(gateway(routes=ROUTES).connect(), "/shared/a") as client:
        client.answer.pop("client_no_context_takeover")
        client.echo(records(500))
        client.send(records(500))
        code, reason = client.client.read_close()
        assert code == 1007 and b"client_no_context_takeover" in reason


RESERVED = [("RSV2", [(TEXT, True, 2)]), ("RSV3", [(TEXT, True, 1)]), ("RSV1 and 2", [(TEXT, True, 6)]),
            ("on a ping", [(PING, True, 4)]), ("on a close", [(CLOSE, True, 4)]),
            ("on a continuation", [(TEXT, False, 4), (CONTINUATION, True, 4)]),
            ("late", [(TEXT, False, 0), (CONTINUATION, True, 4)])]


def test_reserved_bits_elsewhere(gateway):
    running = gateway(routes=ROUTES)
    for number, (_, frames) in enumerate(RESERVED):
        with Deflated(running.connect(), f"/shared/{number}") as client:
            for opcode, final, reserved in frames:
                client.client.send_frame(opcode, b"", final=final, reserved=reserved)
            client.client.expect_close(1002)


@pytest.mark.parametrize("road", ROADS[:2])
def test_text_must_be_utf8_once_it_is_decoded(gateway, road):
    for message in (b"\xff" * 300, b"a" * 300 + "€".encode()[:2]):
        with Deflated(gateway(routes=ROUTES).connect(), road) as client:
            client.echo("κόσμε 🚪".encode() * 30, TEXT, cuts=3)
            client.send(message, TEXT)
            client.client.expect_close(1007)


# --- limits ---


@pytest.mark.parametrize("cuts", [0, 5])
@pytest.mark.parametrize("road", ROADS[:2])
def test_the_limit_is_of_what_is_decoded(gateway, road, cuts):
    running = gateway(routes=ROUTES, server={"max_message_size": "100KiB"})
    for size in (102399, 102400):
        with Deflated(running.connect(), road) as client:
            client.echo(bytes(size), cuts=cuts)
            client.echo(random.Random(1).randbytes(size), cuts=cuts)
    for message in (bytes(102401), random.Random(1).randbytes(102401), bytes(20 << 20)):
        with Deflated(running.connect(), road) as client:
            client.send(message, cuts=cuts)
            client.client.expect_close(1009)


def test_a_message_of_empty_blocks_has_an_end(gateway):
    running = gateway(routes=ROUTES, server={"max_message_size": "100KiB"})
    with Deflated(running.connect(), "/shared/a") as client:
        client.send_compressed(b"\x00\x00\x00\xff\xff" * 15000 + b"\x00")
        assert client.read() == (BINARY, b"", None)
        client.client.send(frame(BINARY, b"\x00\x00\x00\xff\xff" * 10000, final=False, reserved=RSV1))
        client.client.send(frame(CONTINUATION, b"\x00\x00\x00\xff\xff" * 20000, final=False)[:14])
        client.client.expect_close(1009)


def test_bombs_count_as_what_they_become(gateway):
    running = gateway(routes=ROUTES, server={"byte_rate": "1MiB", "message_rate_action": "close"})
    with Deflated(running.connect(), "/shared/a") as client:
        client.send(bytes(1 << 20))
        client.send(bytes(1 << 20))
        got = client.client.read_frame()
        while got.opcode != CLOSE:
            got = client.client.read_frame()
        assert struct.unpack(">H", got.payload[:2])[0] == 1008


def test_windows_only_while_there_is_memory(gateway):
    running = gateway(routes=ROUTES, server={"compression_memory": "20KiB"})
    first = [Deflated(running.connect(), f"/window/{n}") for n in range(3)]
    assert ["client_no_context_takeover" in client.answer for client in first] == [False, False, True]
    assert running.metric("compression_windows_refused_total") == 1
    assert running.metric("compression_windows") == 4
    assert running.metric("compression_connections") == 3
    assert running.metric("limit_used", limit="compression_memory") == 16384
    for client in first:
        client.echo(records(3000))
    first[0].client.close()
    running.wait_metric("limit_used", 8192, limit="compression_memory")
    with Deflated(running.connect(), "/window/new") as client:
        assert "client_no_context_takeover" not in client.answer
        client.echo(records(3000))
    for client in first:
        client.client.close()
    running.wait_metric("limit_used", 0, limit="compression_memory")
    assert running.metric("compression_windows") == running.metric("compression_connections") == 0
