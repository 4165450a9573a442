# SPDX-License-Identifier: Apache-2.0
"""Certificates, keys, authorities and ticket keys are taken up when their files change, all or nothing, and
nobody who is connected notices."""

import os
import pathlib
import shutil
import signal
import ssl

import pytest

from kit import tlsraw, wsraw
from kit.certificates import Authority, openssl


class Door:
    """A listener with TLS whose files are in a directory of the test."""

    def __init__(self, directory: pathlib.Path, authority: Authority):
        self.directory, self.authority = directory, authority
        self.cert, self.key = directory / "server.pem", directory / "server.key"
        self.count = 0
        self.write(self.sign())
        self.context = tlsraw.client_context(authority.cert)

    def sign(self, **options):
        """A new pair, in files of its own."""
        self.count += 1
        return self.authority.sign(f"server-{self.count}", **options)

    def write(self, pair) -> None:
        """The key first or the certificate first: it may not matter."""
        for source, target in ((pair.cert, self.cert), (pair.key, self.key)):
            shutil.copy(source, self.directory / "next")
            os.replace(self.directory / "next", target)

    def listeners(self, **tls) -> dict:
        return {"listeners": [{"address": "127.0.0.1:0", "tls": {
            "certificates": [{"cert_file": self.cert, "key_file": self.key}], **tls}}]}

    def shown(self, running) -> str:
        """The name in the certificate that a new client is shown."""
        client = wsraw.Client(running.address, tls=self.context)
        subject = dict(field[0] for field in client.sock.tls.getpeercert()["subject"])
        client.sock.close()
        return subject["commonName"]

    def wait_shown(self, running, name: str) -> None:
        wsraw.wait_until(lambda: self.shown(running) == name, lambda: f"{name}, is {self.shown(running)}")


@pytest.fixture
def renewed(tmp_path):
    directory = tmp_path / "tls"
    directory.mkdir()
    return Door(directory, Authority(directory, "ca"))


def renewals(running, outcome: str) -> float:
    return running.metric("renewals_total", what="certificates", outcome=outcome)


def test_a_new_pair_is_taken_up_and_nobody_is_dropped(gateway, renewed):
    running = gateway(server=renewed.listeners())
    assert renewed.shown(running) == "server-1"
    with wsraw.Client(running.address, tls=renewed.context).open() as client:
        renewed.write(renewed.sign())
        renewed.wait_shown(running, "server-2")
        client.echo(b"by the old one")
        subject = dict(field[0] for field in client.sock.tls.getpeercert()["subject"])
        assert subject["commonName"] == "server-1"
    running.wait_metric("renewals_total", 1, what="certificates", outcome="renewed")
    assert running.metric("renewals_failing") == 0


def test_hangup_takes_up_at_once(gateway, renewed):
    running = gateway(server=renewed.listeners())
    renewed.write(renewed.sign())
    running.signal(signal.SIGHUP)
    running.wait_log("the configuration was read again: nothing of it has changed")
    assert renewed.shown(running) == "server-2"


@pytest.mark.parametrize("how", ["foreign key", "password", "no pem", "half a file", "gone", "expired"])
def test_a_broken_pair_changes_nothing_and_is_named(gateway, renewed, how):
    running = gateway(server=renewed.listeners())
    whole = renewed.cert.read_bytes()
    file = renewed.cert
    if how == "foreign key":
        shutil.copy(renewed.sign().key, renewed.key)
        file = renewed.key
    elif how == "password":
        openssl("pkey", "-in", renewed.key, "-aes256", "-passout", "pass:secret", "-out", renewed.key.with_suffix(".new"))
        renewed.key.with_suffix(".new").rename(renewed.key)
        file = renewed.key
    elif how == "no pem":
        renewed.cert.write_text("rubbish")
    elif how == "half a file":
        renewed.cert.write_bytes(whole[:len(whole) // 2])
    elif how == "gone":
        renewed.cert.unlink()
    else:
        renewed.write(renewed.sign(days=-1))
        file = "a new one ended"
    running.wait_metric("renewals_failing", 1, what="certificates")
    assert renewals(running, "failed") == 1 and renewals(running, "renewed") == 0
    health = running.health()
    assert health["status"] == "ready"
    assert len(health["reasons"]) == 1 and str(file) in health["reasons"][0]
    assert "server.listeners[0].tls" in health["reasons"][0]
    assert running.get("/readyz").status == 200
    said = running.wait_log("files were changed and cannot be used: what was read before stays in use")
    assert said["level"] == "error" and str(file) in said["error"]
    assert renewed.shown(running) == "server-1"
    mended = renewed.sign()
    renewed.write(mended)
    renewed.wait_shown(running, mended.name)
    running.wait_metric("renewals_failing", 0, what="certificates")
    assert running.health()["reasons"] == []


def test_a_link_that_is_moved_as_kubernetes_does_it(gateway, renewed, tmp_path):
    """..data is a link to a directory of this version; the files are links into ..data."""
    mount = tmp_path / "mount"
    mount.mkdir()

    def version(name, pair):
        (mount / name).mkdir()
        shutil.copy(pair.cert, mount / name / "tls.crt")
        shutil.copy(pair.key, mount / name / "tls.key")
        (mount / "..data_tmp").symlink_to(name)
        (mount / "..data_tmp").rename(mount / "..data")

    version("..v1", renewed.sign())
    for name in ("tls.crt", "tls.key"):
        (mount / name).symlink_to(f"..data/{name}")
    renewed.cert, renewed.key = mount / "tls.crt", mount / "tls.key"
    running = gateway(server=renewed.listeners())
    assert renewed.shown(running) == "server-2"
    version("..v2", renewed.sign())
    renewed.wait_shown(running, "server-3")


def test_authorities_of_clients_are_taken_up(gateway, renewed, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = Authority(tmp_path / "old", "old"), Authority(tmp_path / "new", "new")
    authorities = tmp_path / "clients.pem"
    shutil.copy(old.cert, authorities)
    running = gateway(server=renewed.listeners(client_ca_file=authorities, client_certificate="required"))
    context = tlsraw.client_context(renewed.authority.cert, pair=new.sign("client"))

    def comes_in() -> bool:
        try:
            with wsraw.Client(running.address, tls=context).open() as client:
                client.echo(b"in")
            return True
        except (ssl.SSLError, OSError, AssertionError, EOFError):
            return False

    assert not comes_in()
    assert running.metric("tls_failures_total", cause="issuer") >= 1
    authorities.write_bytes(old.cert.read_bytes() + new.cert.read_bytes())
    wsraw.wait_until(comes_in, lambda: "the new authority's client to come in")


def ticket(running, renewed, session=None) -> tuple[ssl.SSLSession | None, bool]:
    """A session to come back with, and whether this one was resumed."""
    client = wsraw.Client(running.address, tls=renewed.context, session=session)
    client.open().echo(b"x")  # the ticket of TLS 1.3 has come by then
    found = client.sock.tls.session, client.sock.tls.session_reused
    client.sock.close()
    return found


def test_nodes_that_share_keys_resume_each_others_sessions(gateway, renewed, tmp_path):
    keys = tmp_path / "tickets"
    first, second = os.urandom(80), os.urandom(80)
    keys.write_bytes(first)
    renewed.context.maximum_version = ssl.TLSVersion.TLSv1_2
    one = gateway(server=renewed.listeners(ticket_key_file=keys))
    other = gateway(server=renewed.listeners(ticket_key_file=keys))
    session, is_resumed = ticket(one, renewed)
    assert not is_resumed
    assert session.ticket_lifetime_hint == 12 * 3600
    assert ticket(other, renewed, session)[1]
    assert other.metric("tls_handshakes_total", kind="resumed") == 1

    # A new key seals, the old one opens; then the old one is gone.
    keys.write_bytes(second + first)
    other.signal(signal.SIGHUP)
    other.wait_log("the configuration was read again: nothing of it has changed")
    assert ticket(other, renewed, session)[1]
    keys.write_bytes(second)
    other.signal(signal.SIGHUP)
    wsraw.wait_until(lambda: len(other.logged("the configuration was read again: nothing of it has changed")) == 2,
                     lambda: "the second reading")
    assert not ticket(other, renewed, session)[1]


def test_a_node_without_shared_keys_resumes_its_own(gateway, renewed):
    one, other = gateway(server=renewed.listeners()), gateway(server=renewed.listeners())
    session, _ = ticket(one, renewed)
    assert ticket(one, renewed, session)[1]
    assert not ticket(other, renewed, session)[1]


def test_ticket_keys_of_a_wrong_length_change_nothing(gateway, start, renewed, tmp_path):
    keys = tmp_path / "tickets"
    keys.write_bytes(os.urandom(81))
    running = start(server=renewed.listeners(ticket_key_file=keys))
    assert running.wait_exit() == 78
    assert "does not have 80, 160 or 240 bytes" in running.log and "ticket_key_file" in running.log
    keys.write_bytes(os.urandom(80))
    running = gateway(server=renewed.listeners(ticket_key_file=keys))
    keys.write_bytes(b"")
    running.wait_metric("renewals_failing", 1, what="certificates")
    assert "80, 160 or 240 bytes" in running.health()["reasons"][0]
