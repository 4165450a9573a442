# SPDX-License-Identifier: Apache-2.0
"""Several listeners: plain and TLS, IPv4 and IPv6, unix sockets; and what is said where one cannot be had."""

import contextlib
import grp
import http.client
import json
import os
import pwd
import socket
import stat

import pytest

from kit import tlsraw, wsraw
from kit.gateway import address_of, run_binary, to_yaml


def free_port(family=socket.AF_INET, host="127.0.0.1") -> int:
    with socket.socket(family) as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]


class ByPath(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=wsraw.SECONDS)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def get(path, target="/health", headers=None) -> http.client.HTTPResponse:
    connection = ByPath(path)
    connection.request("GET", target, headers=headers or {})
    return connection.getresponse()


UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


@pytest.fixture
def listening(gateway):
    """listening([listener, ...], workers=) is ready; its addresses are those of the log, in their order."""
    def run(listeners, *, admin=None, **server):
        running = gateway(server={"listeners": listeners, **server}, admin=admin or {})
        running.places = [line["address"] for line in running.logged("listening")]
        return running
    return run


@pytest.mark.parametrize("workers", [1, 3])
def test_plain_tls_and_unix_side_by_side(listening, pair, authority, tmp_path, workers):
    path = tmp_path / "gatehouse.sock"
    running = listening([{"address": "127.0.0.1:0"},
                         {"address": "127.0.0.1:0", "tls": {"certificates": [pair.files]}},
                         {"address": f"unix:{path}", "mode": "0600"}], workers=workers)
    assert running.places[2] == f"unix:{path}"
    assert [line["tls"] for line in running.logged("listening")] == ["no", "yes", "no"]
    context = tlsraw.client_context(authority.cert)
    for number in range(4 * workers):
        with wsraw.Client(address_of(running.places[0])).open(f"/ws/a{number}") as client:
            client.echo(b"in clear")
        with wsraw.Client(address_of(running.places[1]), tls=context).open(f"/ws/b{number}") as client:
            client.echo(b"sealed")
        assert get(path).status == 200
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    running.stop()
    assert not path.exists()


def test_an_upgrade_through_a_unix_socket(listening, tmp_path):
    path = tmp_path / "s"
    running = listening([{"address": f"unix:{path}"}], max_connections_per_ip=1)
    answers = [get(path, f"/ws/c{number}", UPGRADE) for number in range(3)]
    assert [answer.status for answer in answers] == [101] * 3  # they share no address
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    clients = json.loads(running.get("/api/v1/clients").body)["clients"]
    assert {client["remote"]["address"] for client in clients} == {"unix:"}


def test_who_comes_again_by_a_unix_socket_inherits_no_address(listening, tmp_path):
    """It has none; when it goes, it may give back what it never had to nobody."""
    path = tmp_path / "s"
    running = listening([{"address": f"unix:{path}"}], max_connections=1, max_connections_per_ip=1)
    answers = [get(path, "/ws/same", UPGRADE) for _ in range(3)]
    assert [answer.status for answer in answers] == [101] * 3
    for answer in answers:
        answer.close()
    wsraw.wait_until(lambda: running.metric("connections") == 0, "all to be gone")
    assert get(path, "/ws/other", UPGRADE).status == 101


def test_a_proxy_beside_it_is_believed_if_it_is_named(listening, tmp_path):
    path = tmp_path / "s"
    forwarded = UPGRADE | {"X-Forwarded-For": "192.0.2.7"}
    trusting = listening([{"address": f"unix:{path}"}], trusted_proxies=['"unix:"'])
    client = get(path, "/ws/a", forwarded)
    assert client.status == 101
    clients = json.loads(trusting.get("/api/v1/clients").body)["clients"]
    assert [client["remote"]["address"] for client in clients] == ["192.0.2.7"]
    trusting.stop()
    wary = listening([{"address": f"unix:{path}"}], trusted_proxies=["127.0.0.0/8"])
    client = get(path, "/ws/a", forwarded)
    assert client.status == 101
    clients = json.loads(wary.get("/api/v1/clients").body)["clients"]
    assert [client["remote"]["address"] for client in clients] == ["unix:"]


def test_a_stale_unix_socket_is_replaced(listening, tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    listening([{"address": f"unix:{path}"}])
    assert get(path).status == 200


def test_a_living_unix_socket_is_left_alone(start, tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        running = start(server={"listeners": [{"address": f"unix:{path}"}]})
        assert running.wait_exit() == 78
        assert f"server.listeners[0].address: cannot listen on unix:{path}: Address already in use by" in running.log
        assert path.exists()
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(path))


def test_a_file_that_is_no_socket_is_left_alone(start, tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")
    running = start(server={"listeners": [{"address": f"unix:{path}"}]})
    assert running.wait_exit() == 78
    assert "there is a file that is no socket" in running.log
    assert path.read_text() == "precious"


def test_the_owner_of_a_unix_socket(listening, start, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    path = tmp_path / "s"
    listening([{"address": f"unix:{path}", "owner": "nobody:daemon"}])
    assert path.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert path.stat().st_gid == grp.getgrnam("daemon").gr_gid
    running = start(server={"listeners": [{"address": f"unix:{tmp_path}/t", "owner": "nosuchuser"}]})
    assert running.wait_exit() == 78
    assert "there is no user nosuchuser on this machine" in running.log


@pytest.mark.parametrize("ipv6_only", [False, True])
def test_any_ipv6_takes_ipv4_if_it_is_not_told_otherwise(listening, ipv6_only):
    running = listening([{"address": '"[::]:0"', "ipv6_only": str(ipv6_only).lower()}])
    port = address_of(running.places[0])[1]
    assert running.logged("listening")[0]["takes"] == ("IPv6 only" if ipv6_only else "IPv6 and IPv4")
    with wsraw.Client(("::1", port)).open() as client:
        client.echo(b"by IPv6")
    if ipv6_only:
        with pytest.raises(ConnectionRefusedError):
            wsraw.Client(("127.0.0.1", port))
    else:
        with wsraw.Client(("127.0.0.1", port)).open() as client:
            client.echo(b"by IPv4")


def test_both_families_on_one_port(listening):
    port = free_port()
    running = listening([{"address": f"127.0.0.1:{port}"}, {"address": f'"[::1]:{port}"'}])
    for host in ("127.0.0.1", "::1"):
        with wsraw.Client((host, port)).open(f"/ws/{'six' if ':' in host else 'four'}") as client:
            client.echo(b"there")
    assert len(running.places) == 2


def test_a_port_in_use_is_named_among_several(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = start(server={"listeners": [{"address": "127.0.0.1:0"}, {"address": f"127.0.0.1:{port}"}]})
        assert running.wait_exit() == 78
    assert f"server.listeners[1].address: cannot listen on 127.0.0.1:{port}: Address already in use" in running.log


def test_the_admin_listener_by_tls(gateway, pair, authority):
    running = gateway(admin={"tls": {"certificates": [pair.files]}})
    sealed = wsraw.Client(running.admin, tls=tlsraw.client_context(authority.cert))
    sealed.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert sealed.read_response().status == 200
    # In clear: a 400 that says so, and nothing of what is asked for.
    plain = wsraw.Client(running.admin)
    plain.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = plain.read_response()
    assert answer.status == 400 and b"gatehouse_" not in answer.body


def test_many_listeners_hold_what_was_planned(listening):
    """Each costs a descriptor in every worker, and with io_uring some sockets that accept."""
    running = listening([{"address": "127.0.0.1:0"}] * 16, workers=2, max_connections=100)
    with contextlib.ExitStack() as stack:
        for number in range(100):
            place = address_of(running.places[number % 16])
            client = stack.enter_context(wsraw.Client(place).open(f"/ws/{number}"))
            client.echo(b"held")
        assert running.metric("connections") == 100


def test_check_sees_them_all(tmp_path, pair):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        file = tmp_path / "f.yaml"
        file.write_text(to_yaml({"server": {"listeners": [
            {"address": f"127.0.0.1:{taken.getsockname()[1]}"}, {"address": "unix:/nosuchdirectory/s"},
            {"address": "127.0.0.1:0", "tls": {"certificates": [pair.files]}}]},
            "admin": {"listen": "127.0.0.1:0"}}))
        done = run_binary("check", "-c", file)
    assert done.returncode == 1
    assert "server.listeners[0].address: cannot listen on 127.0.0.1:" in done.stderr
    assert "server.listeners[1].address: cannot listen on unix:/nosuchdirectory/s: No such file" in done.stderr
    assert "2 mistakes" in done.stderr
