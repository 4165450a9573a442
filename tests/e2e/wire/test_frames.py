# SPDX-License-Identifier: Apache-2.0
"""Frames, messages and the closing handshake over the wire: RFC 6455, 5 to 8."""

import struct

import pytest

from kit import wsraw
from kit.wsraw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_frame, frame

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024]


@pytest.mark.tsan
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_echo_of_every_length_form(shared, size, opcode):
    with shared().open() as client:
        client.echo(bytes(ord("a") + n % 26 for n in range(size)), opcode)
        client.echo(b"again")


@pytest.mark.parametrize("key", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"])
def test_echo_with_every_mask(shared, key):
    payload = bytes(range(256)) * 5
    with shared().open() as client:
        client.send_frame(BINARY, payload, key=key)
        assert client.read_message() == (BINARY, payload)


@pytest.mark.tsan
def test_many_frames_in_one_segment_keep_their_order(gateway):
    with gateway().open() as client:
        client.send(b"".join(frame(TEXT, b"%d" % n) for n in range(500)))
        for n in range(500):
            assert client.read_message() == (TEXT, b"%d" % n)


def test_message_in_fragments(gateway):
    parts = [b"one ", b"", b"two ", b"x" * 70000]
    with gateway().open() as client:
        client.send_frame(TEXT, parts[0], final=False)
        for part in parts[1:]:
            client.send_frame(CONTINUATION, part, final=False)
        client.send_frame(CONTINUATION)
        assert client.read_message() == (TEXT, b"".join(parts))
        client.echo(b"next")


def test_character_cut_between_fragments(gateway):
    """A text may be cut inside a character, only the whole has to be UTF-8."""
    text = "κόσμε 🚪".encode()
    with gateway().open() as client:
        client.send_frame(TEXT, text[:1], final=False)
        for value in text[1:-1]:
            client.send_frame(CONTINUATION, bytes([value]), final=False)
        client.send_frame(CONTINUATION, text[-1:])
        assert client.read_message() == (TEXT, text)


def test_control_frames_between_fragments(gateway):
    """A ping inside a message is answered at once, before the message is whole."""
    with gateway().open() as client:
        client.send_frame(TEXT, b"a", final=False)
        client.send_frame(PING, b"here")
        got = client.read_frame()
        assert (got.opcode, got.payload, got.is_final) == (PONG, b"here", True)
        client.send_frame(PONG, b"nobody asked")
        client.send_frame(CONTINUATION, b"b")
        assert client.read_message() == (TEXT, b"ab")


@pytest.mark.parametrize("size", [0, 1, 125])
def test_ping_is_answered_with_its_payload(shared, size):
    with shared().open() as client:
        client.send_frame(PING, b"p" * size)
        got = client.read_frame()
        assert (got.opcode, got.payload) == (PONG, b"p" * size)


def raw(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes([first, second]) + rest


KEY = b"\1\2\3\4"
HALF_EURO = "€".encode()[:2]

VIOLATIONS = {
    # name: (bytes, close code)
    "frame without a mask": (frame(TEXT, b"hi", key=None), 1002),
    "reserved bit 1": (frame(TEXT, b"hi", reserved=4), 1002),
    "reserved bit 2": (frame(TEXT, b"hi", reserved=2), 1002),
    "reserved bit 3": (frame(TEXT, b"hi", reserved=1), 1002),
    **{f"opcode {opcode:#x}": (frame(opcode, b""), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "fragmented ping": (frame(PING, b"", final=False), 1002),
    "fragmented close": (frame(CLOSE, b"", final=False), 1002),
    "ping of 126 bytes": (frame(PING, b"p" * 126), 1002),
    "close of 126 bytes": (close_frame(1000, b"r" * 124), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "text inside a message": (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
    "5 bytes in the 16-bit form": (raw(0x82, 0xfe, b"\0\5" + KEY), 1002),
    "5 bytes in the 64-bit form": (raw(0x82, 0xff, struct.pack(">Q", 5) + KEY), 1002),
    "65535 bytes in the 64-bit form": (raw(0x82, 0xff, struct.pack(">Q", 65535) + KEY), 1002),
    "length with the top bit": (raw(0x82, 0xff, b"\xff" * 8 + KEY), 1002),
    "not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "overlong slash": (frame(TEXT, b"\xc0\xaf"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "beyond U+10FFFF": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "ends inside a character": (frame(TEXT, HALF_EURO), 1007),
    "ends inside a character, in fragments": (frame(TEXT, HALF_EURO, final=False) +
                                              frame(CONTINUATION), 1007),
    "bad byte in an unfinished message": (frame(TEXT, b"ok \xff", final=False), 1007),
    "bad byte in an unfinished frame": (frame(TEXT, b"ok \xff" + b"x" * 1000)[:20], 1007),
    "bad byte over a fragment's edge": (frame(TEXT, HALF_EURO, final=False) +
                                        frame(CONTINUATION, b"x", final=False), 1007),
    "announces one byte too many": (raw(0x82, 0xff, struct.pack(">Q", 65537) + KEY), 1009),
    "announces 1 GB": (raw(0x82, 0xff, struct.pack(">Q", 1 << 30) + KEY), 1009),
    "announces 2^63 - 1": (raw(0x82, 0xff, struct.pack(">Q", (1 << 63) - 1) + KEY), 1009),
    "too big in fragments": (frame(BINARY, b"x" * 40000, final=False) +
                             frame(CONTINUATION, b"x" * 40000), 1009),
    "close with one byte": (frame(CLOSE, b"\x03"), 1002),
    "close reason not UTF-8": (close_frame(1000, b"\xff"), 1007),
    **{f"close code {code}": (close_frame(code), 1002)
       for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)},
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violation_is_closed_with_its_code(shared, name):
    """The code of RFC 6455, 7.4.1, then the end; the gateway goes on for others."""
    data, code = VIOLATIONS[name]
    running = shared(server={"max_message_size": "64KiB"})
    with running.open("/ws/other") as other, running.open("/ws/bad") as bad:
        bad.send(data)
        bad.expect_close(code)
        other.echo(b"still here")
    running.wait_metric("connections", 0)


REASONS = {
    # name: (bytes, the reason of the close frame)
    "reserved bit": (frame(TEXT, b"hi", reserved=4),
                     "a reserved bit is set but no extension was agreed"),
    "opcode": (frame(3), "the opcode is unknown"),
    "fragmented ping": (frame(PING, final=False), "a control frame is fragmented"),
    "no mask": (frame(TEXT, b"hi", key=None), "a frame from a client is not masked"),
    "ping of 126 bytes": (frame(PING, b"p" * 126), "a control frame has more than 125 bytes"),
    "long form": (raw(0x82, 0xfe, b"\0\5" + KEY),
                  "the payload's length is not in its shortest form"),
    "top bit": (raw(0x82, 0xff, b"\xff" * 8 + KEY), "the payload's length has its highest bit set"),
    "continuation": (frame(CONTINUATION),
                     "a continuation frame without a message to continue"),
    "text inside a message": (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"),
                              "a new message before the last fragment of the one under way"),
    "close code 1005": (close_frame(1005), "a close frame has no valid code"),
    "close reason": (close_frame(1000, b"\xff"), "the reason of a close is not UTF-8"),
    "not UTF-8": (frame(TEXT, b"\xff"), "a text is not UTF-8"),
    "half a character": (frame(TEXT, HALF_EURO), "a text ends inside a UTF-8 character"),
    "too big": (frame(BINARY, b"x" * 65537), "the message is over max_message_size (65536 bytes)"),
}


@pytest.mark.parametrize("name", REASONS)
def test_close_says_what_was_wrong(shared, name):
    """Whoever can mend the client sees nothing but the close frame."""
    data, reason = REASONS[name]
    with shared(server={"max_message_size": "64KiB"}).open() as client:
        client.send(data)
        assert client.read_close()[1] == reason.encode()


def test_continuation_after_the_end(gateway):
    with gateway().open() as client:
        client.send(frame(TEXT, b"a", final=False) + frame(CONTINUATION, b"b") +
                    frame(CONTINUATION, b"c"))
        assert client.read_message() == (TEXT, b"ab")
        client.expect_close(1002)


def test_violation_after_good_messages(gateway):
    """What came before the mistake is still answered."""
    with gateway().open() as client:
        client.send(frame(TEXT, b"good") + frame(TEXT, b"bad", key=None))
        assert client.read_message() == (TEXT, b"good")
        client.expect_close(1002)


@pytest.mark.tsan
@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
def test_close_is_answered_with_its_code(shared, code):
    running = shared()
    with running.open() as client:
        client.send(close_frame(code, "adiós".encode()))
        client.expect_close(code)
    running.wait_metric("connections", 0)


def test_close_without_a_code(gateway):
    """Answered by a close that is empty too, or by 1000."""
    with gateway().open() as client:
        client.send(close_frame())
        assert client.read_close()[0] in (None, 1000)
        assert client.is_closed()


def test_nothing_is_echoed_after_a_close(gateway):
    with gateway().open() as client:
        client.send(frame(TEXT, b"before") + close_frame(1000) + frame(TEXT, b"after"))
        assert client.read_message() == (TEXT, b"before")
        client.expect_close(1000)


def test_message_of_exactly_the_limit(gateway):
    with gateway(server={"max_message_size": "64KiB"}).open() as client:
        client.echo(b"x" * 65536)
        client.send_frame(BINARY, b"x" * 65537)
        client.expect_close(1009)


def test_counters_of_messages_and_bytes(gateway):
    running = gateway()
    with running.open() as client:
        for n in range(10):
            client.echo(b"12345678")
        running.wait_metric("messages_received_total", 10)
        running.wait_metric("messages_sent_total", 10)
        assert running.metric("received_bytes_total") >= 80
        assert running.metric("sent_bytes_total") >= 80


def test_peer_vanishes_without_a_close(gateway):
    """A reset in the middle of a frame: the place is free again."""
    running = gateway()
    client = running.open()
    running.wait_metric("connections", 1)
    client.send(frame(BINARY, b"x" * 1000)[:500])
    client.sock.setsockopt(wsraw.socket.SOL_SOCKET, wsraw.socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    running.wait_metric("connections", 0)
