# SPDX-License-Identifier: Apache-2.0
"""What is counted of each listener: who came, who came in, who did not and why, over reloads and live upgrades."""

import contextlib
import socket

import pytest
import yaml

from kit import reload, tlsraw, upgrades, wsraw
from kit.gateway import ROOT, address_of


def place() -> str:
    return f"127.0.0.1:{wsraw.free_port()}"


def of(running, name: str) -> dict[str, float]:
    return running.metrics(f"listener_{name}_total", "listener")


def open_by(running) -> dict[str, float]:
    return running.metrics("listener_connections", "listener")


def come(where: str, target: str, **options) -> int:
    with wsraw.Client(address_of(where), **options) as client:
        return client.handshake(target).status


@pytest.mark.tsan
def test_each_listener_has_its_numbers(gateway, tmp_path, pair, authority):
    plain, sealed, path = place(), place(), str(tmp_path / "door")
    running = gateway(server={"workers": 2, "handshake_timeout": "1s", "listeners": [
        {"address": plain}, {"address": sealed, "tls": {"certificates": [pair.files]}}, {"address": f"unix:{path}"}]},
        routes=[{"path": "/ws/{client_id}"}, {"path": "/one/{client_id}", "max_connections": 1}])
    by_tls = {"tls": tlsraw.client_context(authority.cert)}
    with contextlib.ExitStack() as stack:
        for number in range(3):
            stack.enter_context(wsraw.Client(address_of(plain)).open(f"/ws/{number}"))
        stack.enter_context(wsraw.Client(address_of(sealed), **by_tls).open("/one/a"))
        assert come(sealed, "/one/b", **by_tls) == 503
        assert come(plain, "/nowhere") == 404
        with socket.create_connection(address_of(sealed)) as stranger:
            stranger.sendall(b"\x16\x03\x01\x00\x05nope!")
            assert stranger.recv(100) is not None
        with wsraw.Client(address_of(plain)) as late:
            late.send(b"GET /ws/late HTTP/1.1\r\n")
            running.wait_metric("listener_handshake_timeouts_total", 1, listener=plain)
        listeners = [plain, sealed, f"unix:{path}"]
        wanted = {"sockets_accepted": (5, 3, 0), "connections_accepted": (3, 1, 0), "connections_refused": (0, 1, 0),
                  "tls_failures": (0, 1, 0), "accept_errors": (0, 0, 0)}
        for name, counts in wanted.items():
            wsraw.wait_until(lambda name=name, counts=counts: of(running, name) == dict(zip(listeners, counts, strict=True)),
                             lambda name=name: f"{name}: {of(running, name)}")
        assert open_by(running) == {plain: 3, sealed: 1, f"unix:{path}": 0}
        # Beside the 404 the one that was late, which got 408.
        assert of(running, "handshakes_rejected")[plain] == 2
        for name, whole in (("sockets_accepted", "sockets_accepted_total"), ("connections_accepted", "connections_accepted_total"),
                            ("handshakes_rejected", "handshakes_rejected_total"), ("handshake_timeouts", "handshake_timeouts_total"),
                            ("connections_refused", "connections_refused_total")):
            assert sum(of(running, name).values()) == running.metric(whole), name
        assert sum(of(running, "tls_failures").values()) == running.metric("tls_failures_total")
    wsraw.wait_until(lambda: set(open_by(running).values()) == {0}, lambda: str(open_by(running)))


def test_numbers_go_on_where_it_was_taken_out(gateway):
    """By its address; a listener that comes in its stead begins with nothing."""
    first, second = place(), place()
    running = gateway(server={"listeners": [{"address": first}]})
    with wsraw.Client(address_of(first)).open("/ws/a") as stays:
        config = yaml.safe_load(running.config_file.read_text())
        for places in ([second], [second, first]):
            config["server"]["listeners"] = [{"address": one} for one in places]
            reload.rewrite(running, config)
            assert not reload.reload(running)["mistake"]
            assert open_by(running)[first] == 1, "wherever it came by, it is there"
        stays.echo(b"x")
        assert come(first, "/ws/b") == 101
        assert come(second, "/ws/c") == 101
        wsraw.wait_until(lambda: of(running, "connections_accepted") == {first: 2, second: 1},
                         lambda: str(of(running, "connections_accepted")))


def test_numbers_go_on_in_a_live_upgrade(gateway):
    upgrades.become_parent_of_orphans()
    where = place()
    running = gateway(server={"listeners": [{"address": where}]})
    with wsraw.Client(address_of(where)).open("/ws/a") as client:
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        client.echo(b"y")
        assert come(where, "/ws/b") == 101
        wsraw.wait_until(lambda: of(running, "connections_accepted") == {where: 2}, lambda: str(of(running, "connections_accepted")))


def test_who_moves_to_another_process_stays_counted_to_its_listener(gateway, pair, authority):
    """Also to one that the new process does not have, and over a second upgrade."""
    upgrades.become_parent_of_orphans()
    sealed, plain, leaving = place(), place(), place()
    listeners = [{"address": leaving}, {"address": sealed, "tls": {"certificates": [pair.files]}}, {"address": plain}]
    running = gateway(server={"workers": 2, "listeners": listeners})
    with contextlib.ExitStack() as stack:
        def comes(where: str, client: str, **options) -> wsraw.Client:
            return stack.enter_context(wsraw.Client(address_of(where), **options).open(f"/ws/{client}"))

        sealed_one = comes(sealed, "sealed", tls=tlsraw.client_context(authority.cert))
        others = [comes(where, f"{name}-{number}") for number in range(3) for where, name in ((plain, "plain"), (leaving, "leaving"))]
        wanted = {leaving: 3, sealed: 1, plain: 3}
        assert open_by(running) == wanted
        config = yaml.safe_load(running.config_file.read_text())
        config["server"]["listeners"] = listeners[1:]
        reload.rewrite(running, config)
        for _ in range(2):
            assert upgrades.upgrade(running)["moved"] == 7
            assert upgrades.wait_former(running) == 0
            assert open_by(running) == wanted
            assert running.metric("connections") == 7
        for client in (sealed_one, *others):
            client.echo(b"y")
        assert of(running, "tls_failures") == {sealed: 0, plain: 0, leaving: 0}
        sealed_one.sock.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        wsraw.wait_until(lambda: of(running, "tls_failures") == {sealed: 1, plain: 0, leaving: 0},
                         lambda: str(of(running, "tls_failures")))
        others[0].close()
        wsraw.wait_until(lambda: open_by(running) == {sealed: 0, plain: 2, leaving: 3}, lambda: str(open_by(running)))


def test_there_are_as_many_series_as_the_reference_says(gateway):
    running = gateway(server={"listeners": [{"address": place()}, {"address": place()}]})
    text = " ".join((ROOT / "docs/metrics.md").read_text().split())
    series = [line for line in running.get("/metrics").body.decode().splitlines() if line.startswith("gatehouse_listener_")]
    assert f"and {len(series) // 2} for each listener" in text and len(series) % 2 == 0
