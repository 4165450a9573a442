# SPDX-License-Identifier: Apache-2.0
"""A socket whose bytes go through TLS, for tests that know no more of it than of a plain one: it may be
polled, half closed, reset, and filled until nothing goes in."""

import contextlib
import io
import pathlib
import socket
import ssl

RECORD_MAX = 16384


def client_context(authority: pathlib.Path | None, **options) -> ssl.SSLContext:
    """That trusts this authority; None: anybody. `options`: minimum=, maximum= versions, ciphers= of TLS 1.2,
    pair= a certificate of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority)
    if "minimum" in options:
        context.minimum_version = options["minimum"]
    if "maximum" in options:
        context.maximum_version = options["maximum"]
    if "ciphers" in options:
        context.set_ciphers(options["ciphers"])
    if options.get("pair"):
        context.load_cert_chain(options["pair"].cert, options["pair"].key)
    return context


class Bytes(io.RawIOBase):
    """What http.client reads from."""

    def __init__(self, sealed: "Sealed"):
        self.sealed = sealed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.sealed.recv(len(buffer))
        buffer[:len(data)] = data
        return len(data)


class Sealed:
    """Over a connected socket, which it owns. The handshake is done when it is made."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str = "localhost", session=None):
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)
        self.unsent = b""  # sealed, and not taken yet
        self.is_truncated = False  # it ended without close_notify
        self.shake()

    def __getattr__(self, name):
        """Whatever has nothing to do with bytes: settimeout, setsockopt, fileno, getsockname ..."""
        return getattr(self.sock, name)

    def shake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                if not self.pull():
                    raise ConnectionResetError("closed in the handshake") from None
            except ssl.SSLError:
                self.flush()
                raise
        self.flush()

    def pull(self) -> bool:
        """False: the end."""
        data = self.sock.recv(65536)
        self.incoming.write(data) if data else self.incoming.write_eof()
        return bool(data)

    def flush(self) -> None:
        """All of it, as long as the socket's time-out lets it."""
        self.unsent += self.outgoing.read()
        if self.unsent:
            self.sock.sendall(self.unsent)
            self.unsent = b""

    def sendall(self, data) -> None:
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view[:RECORD_MAX]):]
            self.flush()

    def send(self, data) -> int:
        """What fits into one record, if the one before it is gone; BlockingIOError if it is not."""
        if self.unsent:
            self.unsent = self.unsent[self.sock.send(self.unsent):]
            if self.unsent:
                return 0
        count = self.tls.write(data[:RECORD_MAX])
        self.unsent = self.outgoing.read()
        with contextlib.suppress(BlockingIOError):
            self.unsent = self.unsent[self.sock.send(self.unsent):]
        return count

    def read_ready(self, size: int) -> bytes | None:
        """What has come, up to `size`; None: nothing yet. b"": the end."""
        parts = []
        while size > 0:
            try:
                part = self.tls.read(size)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as error:
                self.is_truncated |= isinstance(error, ssl.SSLEOFError)
                part = b""
            if not part:
                return b"".join(parts)
            parts.append(part)
            size -= len(part)
        return b"".join(parts) or None

    def recv(self, size: int) -> bytes:
        while (data := self.read_ready(size)) is None:
            with contextlib.suppress(OSError):
                self.flush()  # an answer to a KeyUpdate
            self.pull()
        return data

    def makefile(self, *_args, **_kwargs) -> io.BufferedReader:
        return io.BufferedReader(Bytes(self))

    def shutdown(self, how: int) -> None:
        """As one who has no more to say, and listens."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        with contextlib.suppress(OSError):
            self.flush()
        self.sock.shutdown(how)

    def close(self) -> None:
        if self.sock.fileno() >= 0:
            with contextlib.suppress(ssl.SSLError, OSError):
                self.sock.setblocking(False)
                self.tls.unwrap()
            with contextlib.suppress(OSError):
                self.flush()
        self.sock.close()
