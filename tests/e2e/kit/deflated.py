# SPDX-License-Identifier: Apache-2.0
"""A client that speaks permessage-deflate (RFC 7692) over a wsraw.Client, by zlib, and can do everything
wrong. What it sends may be cut into frames anywhere."""

import random
import zlib

from kit.wsraw import BINARY, CONTINUATION, TEXT, Client

RSV1 = 4
TAIL = b"\x00\x00\xff\xff"


def offer(text: str = "permessage-deflate; client_max_window_bits") -> tuple[str, ...]:
    return (f"Sec-WebSocket-Extensions: {text}",)


def parameters(answer: str) -> dict[str, str | None]:
    """Of an answer to an offer; asserts that it is one, with no parameter twice."""
    name, *rest = (part.strip() for part in answer.split(";"))
    assert name == "permessage-deflate", answer
    pairs = [part.partition("=")[::2] for part in rest]
    assert len({name for name, _ in pairs}) == len(pairs), answer
    return {name: value or None for name, value in pairs}


class Deflated:
    """`client` has its 101 still to come: open() sends the request."""

    def __init__(self, client: Client, target: str | None = None, text: str | None = None, *, level: int = 6,
                 strategy: int = zlib.Z_DEFAULT_STRATEGY, bits: int = 15):
        self.client = client
        response = client.handshake(target, extra=offer(text) if text else offer())
        assert response.status == 101, response
        self.answer = parameters(response.headers["sec-websocket-extensions"])
        self.level, self.strategy = level, strategy
        self.out_bits = min(bits, int(self.answer.get("client_max_window_bits") or 15))
        self.in_bits = int(self.answer.get("server_max_window_bits") or 15)
        self.out, self.incoming = self.compressor(), self.decompressor()

    def __enter__(self) -> "Deflated":
        return self

    def __exit__(self, *_) -> None:
        self.client.close()

    def compressor(self):
        return zlib.compressobj(self.level, zlib.DEFLATED, -max(9, self.out_bits), 8, self.strategy)

    def decompressor(self):
        return zlib.decompressobj(-self.in_bits)

    def deflate(self, payload: bytes) -> bytes:
        if "client_no_context_takeover" in self.answer:
            self.out = self.compressor()
        data = self.out.compress(payload) + self.out.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(TAIL)
        return data[:-4]

    def inflate(self, payload: bytes) -> bytes:
        if "server_no_context_takeover" in self.answer:
            self.incoming = self.decompressor()
        plain = self.incoming.decompress(payload + TAIL)
        assert not self.incoming.eof, "a final block"
        assert not self.incoming.unconsumed_tail
        return plain

    def send_compressed(self, data: bytes, opcode: int = BINARY, cuts: int = 0) -> None:
        """Compressed already; in one frame more than there are cuts, at random places."""
        places = sorted(random.randint(0, len(data)) for _ in range(cuts))
        parts = [data[a:b] for a, b in zip([0, *places], [*places, len(data)])]
        for number, part in enumerate(parts):
            self.client.send_frame(CONTINUATION if number else opcode, part, final=number == cuts,
                                   reserved=0 if number else RSV1)

    def send(self, payload: bytes, opcode: int = BINARY, cuts: int = 0) -> None:
        self.send_compressed(self.deflate(payload), opcode, cuts)

    def read(self) -> tuple[int, bytes, int | None]:
        """The next message: opcode, payload, and how many bytes it had compressed; None: it was plain."""
        got = self.client.read_frame()
        assert got.is_final and got.opcode in (TEXT, BINARY) and got.reserved in (0, RSV1), got
        if got.reserved == 0:
            return got.opcode, got.payload, None
        return got.opcode, self.inflate(got.payload), len(got.payload)

    def echo(self, payload: bytes, opcode: int = BINARY, cuts: int = 0) -> int | None:
        self.send(payload, opcode, cuts)
        back = self.read()
        assert back[:2] == (opcode, payload)
        return back[2]


def records(size: int, seed: int = 0) -> bytes:
    """Of so many bytes, as services send them; ASCII."""
    source = random.Random(seed)
    out = b""
    while len(out) < size:
        out += b'{"id":%d,"time":"2026-11-30T12:%02d:%02dZ","value":%d.%d,"unit":"kWh"},' % (
            source.randrange(10 ** 6), source.randrange(60), source.randrange(60), source.randrange(1000),
            source.randrange(10))
    return out[:size]
