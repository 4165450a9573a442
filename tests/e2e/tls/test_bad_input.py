# SPDX-License-Identifier: Apache-2.0
"""What comes to a port for TLS and is none, is broken, too much, or of somebody else. Each is refused by name,
counted, and costs the others nothing."""

import contextlib
import socket
import ssl
import struct
import time

import pytest

from kit import certificates, tlsraw, wsraw

ALERT, HANDSHAKE, CHANGE_CIPHER, DATA = 21, 22, 20, 23
RECORD_OVERFLOW, PROTOCOL_VERSION = 22, 70
HANDSHAKE_FAILURE = 40


def record(kind: int, payload: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(payload)) + payload


def hello_bytes() -> bytes:
    """A record with a ClientHello, as Python makes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        tlsraw.client_context(None).wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def hello_of(version: int) -> bytes:
    """One that speaks at most this version, and offers an old suite."""
    body = struct.pack(">H", version) + bytes(32) + b"\0" + b"\0\4\0\x2f\xc0\x2f" + b"\1\0"
    return record(HANDSHAKE, b"\1" + len(body).to_bytes(3, "big") + body, min(version, 0x0301))


def read_all(client: wsraw.Client) -> bytes:
    """Until the gateway closes."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.sock.recv(65536):
            data += part
    return data


def alert_in(data: bytes) -> int | None:
    """The last one in clear."""
    found = None
    while len(data) >= 5:
        kind, _, length = struct.unpack(">BHH", data[:5])
        if kind == ALERT and length == 2:
            found = data[6]
        data = data[5 + length:]
    return found


def assert_served(running) -> None:
    """Nobody else is the worse for it, and nothing is left of it."""
    running.wait_metric("sockets", 0)
    with running.open() as client:
        client.echo(b"served")
    running.wait_metric("sockets", 0)
    assert running.metric("tls_handshakes_under_way") == 0


# --- no TLS ---


@pytest.mark.tsan
@pytest.mark.parametrize("data", [wsraw.request("/ws/a"), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /x HTTP/1.0\r\n\r\n"],
                         ids=["upgrade", "get", "post"])
def test_plain_http_is_told(sealed, data):
    running = sealed()
    with running.connect(tls=None) as client:
        client.send(data)
        answer = client.read_response()
        assert answer.status == 400 and b"wss:" in answer.body and b"https:" in answer.body
        assert client.is_closed()
    running.wait_metric("tls_failures_total", 1, cause="plain_http")
    assert running.wait_log("TLS handshake failed")["cause"] == "plain_http"
    assert_served(running)


@pytest.mark.parametrize("data", [bytes(100), b"\x80\x2e\1\0\2\0\x15\0\0\0\x10" + bytes(37), b"SSH-2.0-x\r\n",
                                  record(DATA, b"x" * 50), record(99, b"x"), b"\xff" * 4096],
                         ids=["zeroes", "SSL 2", "ssh", "data first", "no such kind", "ones"])
def test_what_is_no_tls(sealed, data):
    running = sealed()
    with running.connect(tls=None) as client:
        client.send(data)
        read_all(client)
    wsraw.wait_until(lambda: running.metric("tls_failures_total") == 1, "it to be counted")
    assert_served(running)


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302], ids=["SSL 3", "TLS 1.0", "TLS 1.1"])
def test_old_hellos(sealed, version):
    running = sealed()
    with running.connect(tls=None) as client:
        client.send(hello_of(version))
        # SSL 3 knew no protocol_version.
        assert alert_in(read_all(client)) == (HANDSHAKE_FAILURE if version == 0x0300 else PROTOCOL_VERSION)
    running.wait_metric("tls_failures_total", 1, cause="version")
    assert running.wait_log("TLS handshake failed")["event"] == "security"
    assert_served(running)


# --- a hello in pieces ---


class InBytes:
    """Each byte in a segment of its own."""

    def __init__(self, sock):
        self.sock = sock

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def sendall(self, data) -> None:
        for value in data:
            self.sock.sendall(bytes([value]))


class InRecords(InBytes):
    """What shakes hands in clear comes in records of a few bytes."""

    size = 7

    def sendall(self, data) -> None:
        data = bytes(data)
        while data:
            kind, version, length = struct.unpack(">BHH", data[:5])
            payload, data = data[5:5 + length], data[5 + length:]
            if kind != HANDSHAKE or payload[0] != 1:
                self.sock.sendall(record(kind, payload, version))
                continue
            for start in range(0, length, self.size):
                self.sock.sendall(record(kind, payload[start:start + self.size], version))


@pytest.mark.parametrize("pieces", [InBytes, InRecords])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_handshake_in_pieces(sealed, shown, pieces, version):
    running = sealed()
    context = tlsraw.client_context(shown.ca, minimum=version, maximum=version)
    sock = socket.create_connection(running.address, wsraw.SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.closing(tlsraw.Sealed(pieces(sock), context)) as tls:
        tls.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert tls.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert running.metric("tls_failures_total") == 0
    assert_served(running)


@pytest.mark.parametrize("sent", ["nothing", "a byte", "half a hello", "a hello"])
def test_who_goes_on_no_more(sealed, sent):
    """Closed at its time, and counted as such."""
    hello = hello_bytes()
    data = {"nothing": b"", "a byte": hello[:1], "half a hello": hello[:100], "a hello": hello}[sent]
    running = sealed(handshake_timeout="500ms")
    started = time.monotonic()
    with running.connect(tls=None) as client:
        client.send(data)
        read_all(client)
        assert time.monotonic() - started >= 0.45
    running.wait_metric("handshake_timeouts_total", 1)
    if sent != "nothing":  # of whom nobody knows whether TLS was meant
        running.wait_metric("tls_failures_total", 1, cause="timeout")
    running.wait_metric("sockets", 0)


@pytest.mark.parametrize("data, alert", [
    (record(HANDSHAKE, b"")[:3] + b"\xff\xff" + bytes(100), RECORD_OVERFLOW),
    (record(HANDSHAKE, b"\1\xff\xff\xff" + bytes(1000)), None),
], ids=["record", "message"])
def test_oversized_hellos(sealed, data, alert, sanitized):
    """Nobody waits for 16 MiB of them."""
    running = sealed(handshake_timeout="3s")
    before = running.memory()
    with running.connect(tls=None) as client:
        client.send(data)
        got = alert_in(read_all(client))
        assert alert is None or got == alert
    assert sanitized or running.memory() - before < 8 << 20
    wsraw.wait_until(lambda: running.metric("tls_failures_total") == 1, "it to be counted")
    assert_served(running)


@pytest.mark.parametrize("flood", [record(ALERT, b"\1\0"), record(HANDSHAKE, b""), record(CHANGE_CIPHER, b"\1"),
                                   record(DATA, b"")], ids=["warnings", "empty", "change cipher", "empty data"])
@pytest.mark.parametrize("before", [b"", hello_bytes()], ids=["at first", "behind a hello"])
def test_floods_in_the_handshake(sealed, before, flood):
    running = sealed(handshake_timeout="3s")
    with running.connect(tls=None) as client:
        with contextlib.suppress(ConnectionError):
            client.send(before)
            for _ in range(200):
                client.send(flood * 100)
        with contextlib.suppress(ConnectionError):
            read_all(client)
    wsraw.wait_until(lambda: running.metric("tls_failures_total") == 1, "it to be counted")
    assert_served(running)


# --- behind the handshake ---


@pytest.mark.tsan
@pytest.mark.parametrize("detach", ["on", "off"])
@pytest.mark.parametrize("data", [b"\0" * 64, record(DATA, b"x" * 64), record(HANDSHAKE, b"x" * 64),
                                  record(DATA, b"x" * 3), record(DATA, bytes(16500)), b"GET / HTTP/1.1\r\n\r\n"],
                         ids=["zeroes", "forged", "forged handshake", "short", "too long", "clear"])
def test_garbage_behind_the_handshake(sealed, data, detach):
    running = sealed({"detach": detach})
    with running.open("/ws/a") as client:
        client.echo(b"so far")
        client.sock.sock.sendall(data)
        with pytest.raises((ssl.SSLError, EOFError, ConnectionResetError)):
            while True:
                client.read_frame()
    running.wait_metric("connections", 0)
    assert running.metric("tls_failures_total") == 1
    line = running.wait_log("TLS failed")
    assert line["cause"] == "record" or (detach, line["cause"]) == ("off", "not_tls")
    assert line["alert_from"] == "gatehouse"
    assert_served(running)


@pytest.mark.parametrize("detach", ["on", "off"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_one_bit_of_a_record(sealed, shown, version, detach):
    """Wherever it is, the message does not come, and the connection ends."""
    running = sealed({"detach": detach})
    context = tlsraw.client_context(shown.ca, minimum=version, maximum=version)
    for place in (0, 3, 5, 12, 20, -1):
        with running.connect(tls=context).open() as client:
            client.sock.tls.write(wsraw.frame(wsraw.TEXT, b"hello, hello, hello"))
            sent = bytearray(client.sock.outgoing.read())
            sent[place] ^= 1
            client.sock.sock.sendall(sent)
            client.sock.sock.shutdown(socket.SHUT_WR)
            with pytest.raises((ssl.SSLError, EOFError, ConnectionResetError)):
                client.read_frame()
    assert running.metric("messages_received_total") == 0
    assert_served(running)


@pytest.mark.parametrize("detach", ["on", "off"])
def test_half_a_record_and_the_end(sealed, detach):
    running = sealed({"detach": detach})
    with running.open("/ws/a") as client:
        client.sock.tls.write(wsraw.frame(wsraw.TEXT, b"x" * 1000))
        client.sock.sock.sendall(client.sock.outgoing.read()[:500])
        client.sock.sock.close()
    running.wait_metric("connections", 0)
    assert running.metric("messages_received_total") == 0
    running.wait_metric("tls_truncated_total", 1)
    assert_served(running)


@pytest.mark.parametrize("detach", ["on", "off"])
def test_who_leaves_without_close_notify_is_counted(sealed, detach):
    running = sealed({"detach": detach})
    with running.open("/ws/a") as client:
        client.sock.sock.shutdown(socket.SHUT_WR)
        running.wait_metric("tls_truncated_total", 1)
    with running.open("/ws/b"):
        pass
    running.wait_metric("connections", 0)
    assert running.metric("tls_truncated_total") == 1


def test_no_protocol_in_common(sealed, shown):
    running = sealed()
    context = tlsraw.client_context(shown.ca)
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        running.connect(tls=context)
    running.wait_metric("tls_failures_total", 1, cause="alpn")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with running.connect(tls=context) as client:
        assert client.sock.tls.selected_alpn_protocol() == "http/1.1"
        client.open("/ws/a").echo(b"agreed")


# --- certificates of clients ---


@pytest.fixture(scope="module")
def strangers(tmp_path_factory, authority):
    """Certificates that are good for nothing, by name."""
    directory = tmp_path_factory.mktemp("strangers")
    other = certificates.Authority(directory, "other")
    return {"another authority's": other.sign("stranger", names="DNS:stranger"),
            "expired": authority.sign("expired", names="DNS:expired", days=-1)}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name, cause", [("another authority's", "issuer"), ("expired", "expired")])
@pytest.mark.parametrize("option", ["required", "optional"])
def test_wrong_certificates_of_clients(sealed, shown, strangers, name, cause, version, option):
    """Who shows one must show a good one."""
    running = sealed({"client_certificate": option, "client_ca_file": shown.ca})
    context = tlsraw.client_context(shown.ca, minimum=version, maximum=version, pair=strangers[name])
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        running.connect(tls=context).open("/ws/a")
    running.wait_metric("tls_failures_total", 1, cause=cause)
    line = running.wait_log("TLS handshake failed")
    assert (line["cause"], line["alert_from"]) == (cause, "gatehouse")
    assert running.metric("connections_accepted_total") == 0


def test_a_chain_of_a_hundred(sealed, shown, tmp_path, sanitized):
    """Refused for its length, or for its size, but not believed, and not dear."""
    above = certificates.Authority(tmp_path, "chain-0")
    chain = above.cert.read_text()
    leaf = above.sign("leaf", names="DNS:leaf")
    leaf.cert.write_text(leaf.cert.read_text() + chain * 100)
    running = sealed({"client_certificate": "required", "client_ca_file": shown.ca})
    before = running.memory()
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        running.connect(tls=tlsraw.client_context(shown.ca, pair=leaf)).open("/ws/a")
    wsraw.wait_until(lambda: running.metric("tls_failures_total") == 1, "it to be counted")
    assert sanitized or running.memory() - before < 8 << 20
