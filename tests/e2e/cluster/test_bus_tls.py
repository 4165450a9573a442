# SPDX-License-Identifier: Apache-2.0
"""TLS to the broker: what goes over it, who is let in, who is not, and what is said of it."""

import contextlib
import os
import re
import socket
import ssl
import subprocess
import threading

import pytest

from kit import certificates, natsraw, wsraw
from kit.gateway import BINARY

SECRET = b"not to be read on the way"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """An authority that nobody trusts."""
    return certificates.Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def good(authority):
    """What a broker on this machine needs."""
    return authority.sign("good")


def tls(pair: certificates.Pair, clients: certificates.Pair | None = None) -> tuple:
    """Arguments of a broker; it wants certificates of `clients`, if given."""
    verify = ("--tlsverify", "--tlscacert", str(clients.cert)) if clients else ()
    return ("--tls", "--tlscert", str(pair.cert), "--tlskey", str(pair.key), *verify)


def context(authority: certificates.Pair) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.cert))


def bus(port: int, **options) -> dict:
    return {"type": "nats", "urls": [f"tls://localhost:{port}"], "reconnect_min": "5ms",
            "reconnect_max": "50ms"} | options


def up(gateway, **options):
    """A gateway whose events go to the bus."""
    return gateway(routes=[{"path": "/ws/{client_id}", "backend": "up"}],
                   backends=[{"name": "up", "type": "nats"}], **options)


def wait_ready(running) -> None:
    wsraw.wait_until(lambda: running.health()["status"] == "ready", "ready")


def wait_reason(running, part: str) -> str:
    """Degraded, and why; nothing of a key in it."""
    def look() -> str | None:
        health = running.health()
        told = [reason for reason in health.get("reasons", []) if part in reason]
        return told[0] if told and health["status"] == "degraded" else None
    reason = wsraw.wait_until(look, f"degraded because of '{part}': {running.health()}")
    assert "PRIVATE" not in reason + running.log
    return reason


class Recorder(threading.Thread):
    """Lets one connection after the other through to a port, and keeps all their bytes."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self.target, self.bytes, self.sockets = port, bytearray(), []
        self.listener = wsraw.listen()
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.target))
                self.sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self.relay, args=pair, daemon=True).start()

    def relay(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.bytes += data
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        for one in (self.listener, *self.sockets):
            one.close()


@pytest.mark.tsan
def test_messages_both_ways_and_nothing_in_clear(gateway, broker, authority, good, tmp_path):
    nats = broker(arguments=tls(good) + ("--user", "gate", "--pass", "a-password"))
    recorder = Recorder(nats.port)
    password = tmp_path / "password"
    password.write_text("a-password\n")
    password.chmod(0o600)
    running = up(gateway, bus=bus(recorder.port, ca_file=authority.cert, user="gate",
                                  password_file=password))
    wait_ready(running)
    assert running.wait_log("the bus is connected")["broker"].endswith(" over TLS")
    sent = [SECRET + b"%d" % number * number for number in range(200)]
    with nats.connect(tls=context(authority), user="gate", password="a-password") as service:
        events = service.subscribe("gatehouse.up.ws.one")
        client = running.open("/ws/one")
        for body in sent:
            client.send_frame(wsraw.BINARY, body)
        assert [events.next_message().body for _ in range(201)] == [b"", *sent]  # connected first
        for number in range(100):
            answer = service.request("gatehouse.to.ws.one", SECRET + b" %d" % number)
            assert answer.headers["Gatehouse-Status"] == "200"
            assert client.read_message() == (wsraw.TEXT, SECRET + b" %d" % number)
        client.close()
    running.stop()
    recorder.close()
    assert len(recorder.bytes) > 300 * len(SECRET)
    assert recorder.bytes.startswith(b"INFO {")  # the broker begins, as it does in clear
    for word in (SECRET, b"PUB ", b"CONNECT", b"a-password", b"gatehouse.", b"PING"):
        assert word not in recorder.bytes, word


def test_the_system_may_trust_the_authority(gateway, broker, authority, good):
    nats = broker(arguments=tls(good))
    running = gateway(bus=bus(nats.port), env={"SSL_CERT_FILE": str(authority.cert)})
    wait_ready(running)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_address_as_name(gateway, broker, authority, host):
    pair = authority.sign("address", f"IP:{host.strip('[]')}")
    nats = broker(arguments=("-a", host.strip("[]"), *tls(pair)))
    running = gateway(bus=bus(0, urls=[f'"tls://{host}:{nats.port}"'], ca_file=authority.cert))
    wait_ready(running)


def test_both_sides_show_a_certificate(gateway, broker, authority, good):
    nats = broker(arguments=tls(good, authority))
    client = authority.sign("client", "DNS:client")
    running = gateway(bus=bus(nats.port, ca_file=authority.cert, **client.files))
    wait_ready(running)
    running.stop()
    assert "TLS handshake error" not in nats.log


# --- refused ---

def check_refused(gateway, broker, authority, good, wrong: dict, part: str, **options) -> None:
    """Told, and tried again: a good broker in its place is found."""
    nats = broker(**wrong)
    running = gateway(bus=bus(nats.port, ca_file=authority.cert, **options))
    wait_reason(running, part)
    assert running.metric("bus_connected") == 0
    nats.kill()
    nats.arguments = list(tls(good))
    nats.start()
    wait_ready(running)


def test_a_certificate_of_a_stranger(gateway, broker, authority, good, stranger):
    check_refused(gateway, broker, authority, good, {"arguments": tls(stranger.sign("good"))},
                  "the broker's certificate is refused (20:unable to get local issuer")


def test_a_certificate_for_another_name(gateway, broker, authority, good):
    pair = authority.sign("elsewhere", "DNS:elsewhere.example,IP:127.0.0.1")
    check_refused(gateway, broker, authority, good, {"arguments": tls(pair)},
                  "the broker's certificate is refused (62:hostname mismatch:expected=localhost")


def test_a_certificate_that_has_expired(gateway, broker, authority, good):
    pair = authority.sign("old", days=-1)
    check_refused(gateway, broker, authority, good, {"arguments": tls(pair)},
                  "the broker's certificate is refused (10:certificate has expired")


def test_a_broker_without_tls(gateway, broker, authority, good):
    """Nothing is said to it in clear."""
    check_refused(gateway, broker, authority, good, {},
                  "the broker has no TLS, but its URL is tls://")


def test_a_client_certificate_that_is_not_shown(gateway, broker, authority, good):
    check_refused(gateway, broker, authority, good, {"arguments": tls(good, authority)},
                  "it may want a client certificate")


def test_a_client_certificate_of_a_stranger(gateway, broker, authority, good, stranger):
    client = stranger.sign("client", "DNS:client")
    check_refused(gateway, broker, authority, good, {"arguments": tls(good, authority)},
                  "it may want a client certificate", **client.files)


def test_the_good_one_of_several_brokers_is_found(gateway, broker, authority, good, stranger):
    wrong, plain = broker(arguments=tls(stranger.sign("good"))), broker()
    nats = broker(arguments=tls(good))
    urls = [f"tls://localhost:{one.port}" for one in (wrong, plain, nats)]
    running = gateway(bus=bus(0, urls=urls, ca_file=authority.cert))
    wait_ready(running)
    nats.kill()
    wait_reason(running, "the bus is not connected: the broker")
    nats.start()
    wait_ready(running)


def test_a_broker_that_falls_silent_in_the_handshake(gateway, authority):
    """It does not hold up the end either."""
    with wsraw.listen() as listener:
        port = listener.getsockname()[1]
        held = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(listener.accept()[0])
                    held[-1].sendall(b'INFO {"server_id":"x","version":"2.10.0","proto":1,"port":1,'
                                     b'"headers":true,"max_payload":1048576,"tls_required":true}\r\n')
        thread = threading.Thread(target=serve)
        thread.start()
        running = gateway(bus=bus(port, ca_file=authority.cert, connect_timeout="200ms"))
        wait_reason(running, "the TLS handshake with the broker failed (no end of it in time)")
        wsraw.wait_until(lambda: len(held) >= 3, "it is tried again")
        running.stop()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in held:
            one.close()


# --- renewed ---

def is_sent(service: natsraw.Client, body: bytes) -> bool:
    try:
        answer = service.request("gatehouse.to.ws.one", body)
    except natsraw.NoResponders:
        return False
    assert answer.headers["Gatehouse-Status"] == "200"
    return True


def test_a_broker_returns_with_a_renewed_certificate(gateway, broker, authority):
    nats = broker(arguments=tls(authority.sign("renewed")))
    running = up(gateway, bus=bus(nats.port, ca_file=authority.cert))
    wait_ready(running)
    with running.open("/ws/one") as client:
        nats.kill()
        wait_reason(running, "no broker can be reached")
        authority.sign("renewed")
        nats.start()
        wait_ready(running)
        with nats.connect(tls=context(authority)) as service:
            wsraw.wait_until(lambda: is_sent(service, b"after"), "the broker to know the client")
        assert client.read_message() == (wsraw.TEXT, b"after")


def test_renewed_files_are_read_for_the_next_connection(gateway, broker, authority, good, stranger,
                                                        tmp_path):
    nats = broker(arguments=tls(good, authority))
    mine = certificates.Pair(tmp_path, "mine")

    def put(pair: certificates.Pair) -> None:
        for source, target in ((pair.cert, mine.cert), (pair.key, mine.key)):
            fresh = tmp_path / "fresh"
            fresh.write_bytes(source.read_bytes())
            fresh.chmod(0o600)
            fresh.replace(target)
    put(stranger.sign("mine"))
    running = gateway(bus=bus(nats.port, ca_file=authority.cert, **mine.files))
    wait_reason(running, "it may want a client certificate")
    mine.cert.unlink()
    wait_reason(running, f"cert_file: {mine.cert} cannot be opened: No such file or directory")
    put(authority.sign("mine"))
    wait_ready(running)


# --- files that cannot be used ---

BAD_FILES = {
    "missing": ({"ca_file": "{dir}/none"}, "bus.ca_file: {dir}/none cannot be opened: No such "
                "file or directory; let the user of this process read it, or name another file"),
    "directory": ({"ca_file": "{dir}"}, "bus.ca_file: {dir} is not a file; name one"),
    "garbage": ({"ca_file": "{garbage}"}, "bus.ca_file: {garbage} holds no certificates (no "
                "certificate or crl found); write them in PEM"),
    "pipe": ({"ca_file": "{pipe}"}, "bus.ca_file: {pipe} is not a file; name one"),
    "garbage for a certificate": (
        {"cert_file": "{garbage}", "key_file": "{key}"}, "bus.cert_file: {garbage} holds no "
        "certificate that can be used (no start line); write it in PEM, and those of its issuers "
        "behind it"),
    "garbage for a key": (
        {"cert_file": "{cert}", "key_file": "{garbage}"}, "bus.key_file: {garbage} holds no "
        "private key that can be used"),
    "the key of another": (
        {"cert_file": "{cert}", "key_file": "{other}"}, "bus.key_file: {other} is not the key of "
        "the certificate in {cert}; name the one that is"),
    "a key with a password": (
        {"cert_file": "{cert}", "key_file": "{locked}"}, "bus.key_file: {locked} holds no private "
        "key that can be used"),
    "a key that everybody may read": (
        {"cert_file": "{cert}", "key_file": "{open}"}, "bus.key_file: {open} has mode 0644, so "
        "that everybody on this machine may read or write it; take that away (chmod o-rw)"),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory, authority, good):
    """The words in braces of BAD_FILES."""
    directory = tmp_path_factory.mktemp("files")
    garbage, pipe = directory / "garbage", directory / "pipe"
    garbage.write_text("s3cret garbage\n")
    garbage.chmod(0o600)
    os.mkfifo(pipe)
    opened, locked = directory / "open.key", directory / "locked.key"
    opened.write_bytes(good.key.read_bytes())
    opened.chmod(0o644)
    certificates.openssl("pkcs8", "-topk8", "-in", good.key, "-passout", "pass:s3cret", "-out",
                         locked)
    locked.chmod(0o600)
    return {"dir": directory, "garbage": garbage, "pipe": pipe, "open": opened, "locked": locked,
            "cert": good.cert, "key": good.key, "other": authority.key}


@pytest.mark.parametrize("case", BAD_FILES)
def test_files_that_cannot_be_used(start, places, case):
    options, want = BAD_FILES[case]
    running = start(bus=bus(1, **{key: path.format(**places) for key, path in options.items()}))
    assert running.wait_exit() == 78
    want = want.format(**places)
    assert want in running.log
    assert not re.search("PRIVATE|s3cret", running.log)
    checked = subprocess.run([BINARY, "check", "-c", running.config_file],
                             capture_output=True, text=True, timeout=20, check=False,
                             stdin=subprocess.DEVNULL)
    assert checked.returncode == 1
    assert want in checked.stderr


@pytest.mark.parametrize("options,want", [
    ({"urls": ["tls://a:1", "nats://b:2"]}, "of tls://a:1 and nats://b:2 one goes in clear"),
    ({"urls": ["nats://b:2"], "ca_file": "/x"}, "bus.ca_file: is of no use with nats://b:2"),
    ({"cert_file": "/x"}, "bus.cert_file: needs bus.key_file too")])
def test_options_that_contradict_each_other(start, options, want):
    running = start(bus=bus(1, **options))
    assert running.wait_exit() == 78
    assert want in running.log
