# SPDX-License-Identifier: Apache-2.0
"""Listeners come and go while the gateway runs, and so does their TLS. Their clients stay."""

import concurrent.futures
import os
import socket
import stat

import pytest

from kit import tlsraw, upgrades, wsraw
from kit.gateway import address_of, base_config
from kit.reload import Changing, rewrite


def place() -> str:
    return f"127.0.0.1:{wsraw.free_port()}"


@pytest.fixture
def changing(gateway, engine):
    """changing(listener, ...): a gateway with these; more keys of its section server."""
    def run(*listeners: dict, workers: int = 2, **server) -> Changing:
        config = base_config(engine)
        config["server"] |= {"workers": workers, "listeners": list(listeners)} | server
        del config["server"]["listen"]
        return Changing(gateway(server={"workers": workers, "listeners": list(listeners)} | server,
                                admin=config["admin"]), config)
    return run


def open_at(where: str, target: str, **options) -> wsraw.Client:
    return wsraw.Client(address_of(where), **options).open(target)


def is_refused(where: str) -> bool:
    try:
        with socket.create_connection(address_of(where), timeout=wsraw.SECONDS):
            return False
    except ConnectionRefusedError:
        return True


@pytest.mark.tsan
def test_one_comes_and_another_goes(changing):
    """Its clients stay, nobody else comes by it; the new one takes clients in every worker."""
    old, new = place(), place()
    it = changing({"address": old})
    with open_at(old, "/ws/old") as first:
        it.set(listeners=[{"address": old}, {"address": new}])
        clients = [open_at(new, f"/ws/{number}") for number in range(20)]
        it.set(listeners=[{"address": new}])
        wsraw.wait_until(lambda: is_refused(old), "the end of the old address")
        first.echo(b"still here")
        it.running.wait_metric("connections", 21)
        for client in clients:
            client.echo(b"x")
            client.close()
        it.set(listeners=[{"address": new}, {"address": old}])
        with open_at(old, "/ws/again") as again:
            again.echo(b"x")
        assert len(it.running.logged("not listening any more")) == 1


@pytest.mark.tsan
def test_an_address_that_cannot_be_had_changes_nothing(changing):
    """Nor anything else that the file wants."""
    old, new, taken = place(), place(), place()
    it = changing({"address": old}, ping_interval="25s")
    with socket.create_server(address_of(taken)):
        report = it.try_with(listeners=[{"address": new}, {"address": taken}], ping_interval="24s")
        assert len(report["mistake"]) == 1
        assert f"server.listeners[1].address: cannot listen on {taken}: Address already in use" \
            in report["mistake"][0]
        assert is_refused(new)
        with open_at(old, "/ws/a") as client:
            client.echo(b"x")
    assert it.try_with()["changed"] == []
    it.set(listeners=[{"address": new}, {"address": taken}])
    for where in (new, taken):
        open_at(where, "/ws/b").close()


@pytest.mark.tsan
def test_who_waits_at_one_that_goes_is_let_in(changing):
    """Whoever has connected is answered; the others are refused by the kernel, before anything was sent."""
    old, new = place(), place()
    it = changing({"address": old}, workers=1)

    def come(number: int) -> str:
        try:
            client = wsraw.Client(address_of(old))
        except ConnectionRefusedError:
            return "refused"
        with client:
            return str(client.handshake(f"/ws/{number}").status)

    with concurrent.futures.ThreadPoolExecutor(16) as crowd:
        coming = [crowd.submit(come, number) for number in range(400)]
        it.set(listeners=[{"address": new}])
        outcomes = {one.result() for one in coming}
    assert outcomes <= {"101", "refused"}, outcomes


def test_wide_and_narrow_addresses_follow_each_other(changing):
    """The same port is ours before and after."""
    port = wsraw.free_port()
    narrow, wide = f"127.0.0.1:{port}", f"0.0.0.0:{port}"
    it = changing({"address": narrow})
    for where in (wide, narrow, wide):
        it.set(listeners=[{"address": where}])
        with wsraw.Client(("127.0.0.1", port)).open("/ws/a") as client:
            client.echo(b"x")
    with wsraw.Client(("127.0.0.2", port)).open("/ws/b") as client:
        client.echo(b"x")


def test_unix_sockets(changing, tmp_path):
    first, path = place(), tmp_path / "s"
    it = changing({"address": first})

    def connect() -> wsraw.Client:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        return sock

    def is_served() -> bool:
        with connect() as sock:
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return sock.makefile("rb").readline().startswith(b"HTTP/1.1 200")

    it.set(listeners=[{"address": first}, {"address": f"unix:{path}"}])
    assert is_served()
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    inode = path.stat().st_ino
    it.set(listeners=[{"address": first}, {"address": f"unix:{path}", "mode": "0600"}])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_ino == inode, "it is the same socket"
    assert is_served()
    report = it.try_with(listeners=[{"address": first}, {"address": f"unix:{path}", "owner": "nobody-at-all"}])
    assert "there is no user nobody-at-all on this machine" in report["mistake"][0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    it.set(listeners=[{"address": first}])
    assert not path.exists()
    it.set(listeners=[{"address": first}, {"address": f"unix:{path}"}])
    assert is_served()


@pytest.mark.tsan
def test_tls_comes_and_goes_at_an_address(changing, authority, pair):
    where, context = place(), tlsraw.client_context(authority.cert)
    it = changing({"address": where})
    with open_at(where, "/ws/plain") as plain:
        it.set(listeners=[{"address": where, "tls": {"certificates": [pair.files]}}])
        with open_at(where, "/ws/sealed", tls=context) as sealed:
            plain.echo(b"still here")
            sealed.echo(b"x")
            it.set(listeners=[{"address": where}])
            with open_at(where, "/ws/plain-again") as again:
                for client in (plain, sealed, again):
                    client.echo(b"x")
    assert not it.running.samples("certificate_expires_timestamp_seconds")


def test_tls_that_is_changed(changing, authority, pair, tmp_path):
    """Other certificates from now on; who comes back is known by its ticket; and one that cannot be used changes
    nothing."""
    where, other = place(), authority.sign("other-gateway")
    it = changing({"address": where, "tls": {"certificates": [pair.files]}}, ping_interval="25s")

    def shown(session=None) -> tuple:
        """Whose certificate, and what to come back with."""
        sock = socket.create_connection(address_of(where), timeout=wsraw.SECONDS)
        client = tlsraw.Sealed(sock, context, session=session)
        try:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
            return client.tls.getpeercert()["subject"], client.tls.session, client.tls.session_reused
        finally:
            client.close()

    context = tlsraw.client_context(authority.cert)
    subject, session, _ = shown()
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    report = it.try_with(listeners=[{"address": where, "tls": {"certificates": [
        {"cert_file": str(bad), "key_file": str(pair.key)}]}}], ping_interval="24s")
    assert "server.listeners[0].tls.certificates[0].cert_file" in report["mistake"][0]
    assert it.try_with()["changed"] == []
    assert shown()[0] == subject
    it.set(listeners=[{"address": where, "tls": {"certificates": [other.files]}}])
    assert shown()[0] != subject
    assert shown(session)[2], "it is known by its ticket"


def test_the_admin_listener_moves(changing):
    it = changing({"address": place()})
    old, new = it.config["admin"]["listen"], place()
    taken = place()
    with socket.create_server(address_of(taken)):
        assert "admin.listen: cannot listen on" in it.try_with("admin", listen=taken)["mistake"][0]
    it.set("admin", listen=new)
    wsraw.wait_until(lambda: is_refused(old), "the end of the old address")
    it.running.admin = address_of(new)
    assert it.running.health()["status"] == "ready"


@pytest.mark.tsan
def test_again_and_again(changing):
    """Nothing is left over of those that went."""
    addresses = [place() for _ in range(4)]
    it = changing({"address": addresses[0]})

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{it.running.process.pid}/fd"))

    with open_at(addresses[0], "/ws/a") as client:
        before = descriptors()
        for turn in range(12):
            chosen = addresses[turn % 4:] if turn % 3 else addresses[:2]
            it.try_with(listeners=[{"address": where} for where in chosen])
            client.echo(b"x")
        it.set(listeners=[{"address": addresses[0]}])
        wsraw.wait_until(lambda: descriptors() == before, lambda: f"{before} descriptors, are {descriptors()}")


def test_after_an_upgrade(changing, engine):
    """Of sockets that another process has opened each goes, also those beyond one for each worker; and the limits are
    in force where the connections are now."""
    upgrades.become_parent_of_orphans()
    old, new = place(), place()
    it = changing({"address": old}, workers=3, max_connections=10)
    it.config["server"]["workers"] = 1
    rewrite(it.running, it.config)
    with open_at(old, "/ws/old") as first:
        upgrades.upgrade(it.running)
        it.running.former.wait(wsraw.SECONDS)
        first.echo(b"by the new process")
        it.set(listeners=[{"address": new}], max_connections=1)
        wsraw.wait_until(lambda: is_refused(old), "the end of the old address")
        first.echo(b"still here")
        with wsraw.Client(address_of(new)) as client:
            assert client.handshake("/ws/new").status == 503
        it.set(max_connections=2, max_connections_per_ip=1)
        with wsraw.Client(address_of(new)) as client:
            assert client.handshake("/ws/new").status == 429
        it.set(listeners=[{"address": new}, {"address": old}], max_connections_per_ip=0)
        open_at(old, "/ws/again").close()


def test_a_unix_socket_whose_file_was_removed_is_made_anew(changing, tmp_path):
    """Nobody could connect any more; who was there stays."""
    first, path = place(), tmp_path / "s"
    it = changing({"address": first}, {"address": f"unix:{path}"})

    def status_line(sock: socket.socket) -> bytes:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        return sock.recv(12)

    with socket.socket(socket.AF_UNIX) as old, socket.socket(socket.AF_UNIX) as new:
        old.connect(str(path))
        path.unlink()
        report = it.try_with()
        assert not any(report.values()), report
        new.connect(str(path))
        assert status_line(new) == status_line(old) == b"HTTP/1.1 200"
    it.set(listeners=[{"address": first}])
    assert not path.exists()
