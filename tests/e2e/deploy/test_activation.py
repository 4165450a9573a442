# SPDX-License-Identifier: Apache-2.0
"""Listeners whose sockets the service manager has opened: by their names or addresses, and shared by all workers."""

import contextlib
import os
import signal
import socket

import pytest

from kit import service, upgrades, wsraw


@pytest.fixture
def sockets(tmp_path):
    """(a socket of IP, another one, one with a path), listening."""
    with wsraw.listen() as one, wsraw.listen() as other, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "gatehouse.sock"))
        local.listen(16)
        yield one, other, local


def address(sock) -> str:
    name = sock.getsockname()
    return f"unix:{name}" if isinstance(name, str) else f"{name[0]}:{name[1]}"


@pytest.mark.parametrize("name", ["server.listen", "gatehouse.socket", ""])
def test_by_name_or_by_address(gateway, sockets, name):
    """With several workers, which share the one socket."""
    one, *_ = sockets
    running = gateway(server={"listen": address(one), "workers": 3}, **service.activated({name: one}))
    clients = [running.open() for _ in range(30)]
    for client in clients:
        client.echo(b"served")
    assert running.health()["connections"] == 30
    assert running.logged("listening")[0]["address"] == address(one)
    for client in clients:
        client.close()


def test_whoever_comes_while_nobody_serves_waits(gateway, sockets):
    """The socket is the manager's: between two processes its queue has the clients."""
    one, *_ = sockets
    given = service.activated({"server.listen": one})
    gateway(server={"listen": address(one)}, **given).stop()
    with wsraw.Client(one.getsockname()) as early:
        early.send(wsraw.request("/ws/early"))
        second = gateway(server={"listen": address(one)}, **given)
        assert early.read_response().status == 101
        early.echo(b"waited")
        assert second.metric("connections") == 1


def test_all_kinds(gateway, sockets):
    """Two listeners, one with a path, whose file is not the gateway's to remove; and the admin's."""
    one, other, local = sockets
    running = gateway(server={"workers": 2, "listeners": [{"address": address(one)}, {"address": address(local)}]},
                      admin={"listen": address(other)},
                      **service.activated({"server.listeners[0]": one, "admin.listen": other, "any": local}))
    with running.open() as client, socket.socket(socket.AF_UNIX) as by_path:
        client.echo(b"served")
        by_path.settimeout(wsraw.SECONDS)
        by_path.connect(local.getsockname())
        by_path.sendall(wsraw.request("/ws/local"))
        assert by_path.recv(4096).startswith(b"HTTP/1.1 101")
        assert running.get("/readyz").status == 200
    running.stop()
    assert os.path.exists(local.getsockname())


def test_those_that_are_not_given_are_opened(gateway, sockets):
    one, *_ = sockets
    port = wsraw.free_port()
    gateway(server={"workers": 2, "listeners": [{"address": f"127.0.0.1:{port}"}, {"address": address(one)}]},
            **service.activated({"gatehouse.socket": one}))
    for place in (("127.0.0.1", port), one.getsockname()):
        with wsraw.Client(place).open() as client:
            client.echo(b"served")


def test_those_of_another_process_are_left_alone(gateway, sockets):
    one, *_ = sockets
    running = gateway(**service.activated({"server.listen": one}, pid="1"))
    with running.open() as client:
        client.echo(b"served")


@pytest.mark.parametrize("name, is_listen, said", [
    ("server.listen", False, "and server.listen is 127.0.0.1:"),
    ("gatehouse.socket", False, "is no listener's; there are server.listen 127.0.0.1:"),
    ("admin.listen", True, "and admin.listen is 127.0.0.1:")])
def test_what_fits_nowhere(start, sockets, name, is_listen, said):
    """The gateway does not start, and says what is where."""
    one, *_ = sockets
    running = start(server={"listen": address(one)} if is_listen else {}, **service.activated({name: one}))
    assert running.wait_exit() == 78
    assert said in running.log and address(one) in running.log and "ListenStream=" in running.log, running.log


def test_two_for_one(start, sockets):
    one, *_ = sockets
    with contextlib.closing(one.dup()) as again:
        running = start(server={"listen": address(one)},
                        **service.activated({"server.listen": one, "gatehouse.socket": again}))
    assert running.wait_exit() == 78
    assert "are both for server.listen" in running.log


def test_no_stream_socket(start):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        running = start(**service.activated({"server.listen": datagrams}))
        assert running.wait_exit() == 78
    assert "is no stream socket that listens" in running.log


def test_a_drain_ends_with_the_socket_open(gateway, sockets):
    """SIGTERM lets go of it; the next process has it again."""
    one, *_ = sockets
    given = service.activated({"server.listen": one})
    running = gateway(server={"listen": address(one), "drain_spread": "100ms"}, **given)
    with running.open() as client:
        running.signal(signal.SIGTERM)
        assert client.read_close()[0] == 1012
        client.send(wsraw.close_frame(1012))
        assert running.wait_exit() == 0
    running.has_stopped = True
    with gateway(server={"listen": address(one)}, **given).open() as client:
        client.echo(b"served")


def test_an_upgrade_hands_them_on(gateway, sockets):
    """The next process has them from this one, and leaves the file alone too."""
    one, _, local = sockets
    upgrades.become_parent_of_orphans()
    running = gateway(server={"workers": 2, "listeners": [{"address": address(one)}, {"address": address(local)}]},
                      **service.activated({"server.listeners[0]": one, "server.listeners[1]": local}))
    with running.open() as client:
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        client.echo(b"still here")
    with running.open() as client, socket.socket(socket.AF_UNIX) as by_path:
        client.echo(b"served")
        by_path.settimeout(wsraw.SECONDS)
        by_path.connect(local.getsockname())
        by_path.sendall(wsraw.request("/ws/local"))
        assert by_path.recv(4096).startswith(b"HTTP/1.1 101")
    running.stop()
    assert os.path.exists(local.getsockname())
