# SPDX-License-Identifier: Apache-2.0
"""Limits, timeouts, rates and the log change under open connections."""

import json
import signal
import time

import pytest

from kit import wsraw
from kit.api import Api
from kit.gateway import assert_refusal, base_config, log_fields, with_nofile
from kit.reload import Changing
from kit.wsraw import PING, TEXT


@pytest.fixture
def changing(gateway, engine):
    """changing(server={}, admin={}, routes=, ...) as gateway(...)."""
    def run(**options) -> Changing:
        running = gateway(**options)
        config = base_config(engine)
        for section in ("server", "admin"):
            config[section] |= options.get(section, {})
        config["server"]["listen"] = f"{running.address[0]}:{running.address[1]}"
        config["admin"]["listen"] = f"{running.admin[0]}:{running.admin[1]}"
        for section in ("routes", "backends"):
            if section in options:
                config[section] = options[section]
        return Changing(running, config)
    return run


def refused(running, **options) -> wsraw.Response:
    with running.connect(**options) as client:
        client.send(wsraw.request("/ws/late"))
        return client.read_response()


def row(running, name: str) -> dict:
    return next(one for one in json.loads(running.get("/limits").body)["limits"] if one["limit"] == name)


@pytest.mark.tsan
def test_max_connections_below_what_is_open(changing):
    """Nobody is cut, and nobody comes in; refusals, health and the table tell of the new limit."""
    it = changing(server={"max_connections": 10})
    clients = [it.running.open(f"/ws/{number}") for number in range(3)]
    it.set(max_connections=2)
    assert_refusal(refused(it.running), "max_connections", 2, 2)
    assert it.running.health()["max_connections"] == 2
    assert row(it.running, "max_connections")["value"] == 2
    for client in clients:
        client.echo(b"still here")
    clients.pop().close()
    it.running.wait_metric("connections", 2)
    assert refused(it.running).status == 503
    it.set(max_connections=3)
    clients.append(it.running.open("/ws/new"))
    assert refused(it.running).status == 503
    for client in clients:
        client.close()


def test_what_the_machine_cannot_hold_is_refused_by_its_name(changing):
    """As at a start; and what else the file has is not in force either."""
    it = changing(server={"max_connections": 10, "ping_interval": "25s"}, prepare=with_nofile(300))
    report = it.try_with(max_connections=100000, ping_interval="24s")
    assert len(report["mistake"]) == 1
    assert "server.max_connections cannot be held: max_connections 100000; limit nofile" in report["mistake"][0]
    assert it.running.health()["max_connections"] == 10
    assert it.try_with(ping_interval="25s")["changed"] == []
    it.set(max_connections=20)
    assert it.running.health()["max_connections"] == 20


@pytest.mark.tsan
def test_connections_of_an_address_are_counted_from_now_on(changing):
    """Those who were there before count, each once."""
    it = changing(server={"workers": 2})
    clients = [it.running.open(f"/ws/{number}") for number in range(4)]
    it.set(max_connections_per_ip=4)
    wsraw.wait_until(lambda: refused(it.running).status == 429, "the limit")
    assert_refusal(refused(it.running), "max_connections_per_ip", 4, 4)
    assert row(it.running, "max_connections_per_ip")["used"] == 4
    clients.pop().close()
    it.running.wait_metric("connections", 3)
    clients.append(it.running.open("/ws/again"))
    assert refused(it.running).status == 429
    # Another part of IPv6 addresses, so another table; then a higher limit; then none.
    it.set(ipv6_prefix=56)
    wsraw.wait_until(lambda: refused(it.running).status == 429, "the limit")
    it.set(max_connections_per_ip=5)
    clients.append(it.running.open("/ws/fifth"))
    assert refused(it.running).status == 429
    it.set(max_connections_per_ip=0)
    clients += [it.running.open(f"/ws/more-{number}") for number in range(5)]
    it.set(max_connections_per_ip=3)
    wsraw.wait_until(lambda: refused(it.running).status == 429, "the limit")
    for client in clients:
        client.echo(b"still here")
        client.close()
    it.running.wait_metric("connections", 0)
    with it.running.open("/ws/one"):
        assert row(it.running, "max_connections_per_ip")["used"] == 1


def test_a_proxy_is_believed_from_now_on(changing):
    it = changing(server={"max_connections_per_ip": 1})
    api = Api(it.running.admin)

    def seen(name: str) -> str:
        with it.running.connect() as client:
            assert client.handshake(f"/ws/{name}", extra=("X-Forwarded-For: 192.0.2.7",)).status == 101
            address = api.inspect(name)["remote"]["address"]
        it.running.wait_metric("connections", 0)
        return address

    assert seen("before") == "127.0.0.1"
    it.set(trusted_proxies=["127.0.0.1"])
    assert seen("during") == "192.0.2.7"
    it.set(trusted_proxies=[])
    assert seen("after") == "127.0.0.1"


@pytest.mark.tsan
def test_an_idle_client_is_pinged_by_the_new_interval(changing):
    it = changing(server={"ping_interval": "1h"})
    with it.running.open() as client:
        client.echo(b"x")
        it.set(ping_interval="200ms")
        assert client.read_frame().opcode == PING


def test_an_idle_client_is_closed_by_the_new_timeout(changing):
    it = changing(server={"ping_interval": 0})
    with it.running.open() as client:
        it.set(idle_timeout="300ms")
        client.expect_close(1001, answer=True)
    it.running.wait_metric("connections_closed_total", 1, reason="idle_timeout")


@pytest.mark.tsan
def test_rates_are_switched_on_and_off(changing):
    it = changing()
    with it.running.open("/ws/fast") as client:
        for number in range(20):
            client.echo(b"%d" % number)
        it.set(message_rate=1, message_burst=1)
        client.send(b"".join(wsraw.frame(wsraw.BINARY, b"%d" % number) for number in range(30)))
        it.running.wait_metric("rate_held_connections", 1)
        it.set(message_rate=0, message_burst=0)
        for number in range(30):
            assert client.read_message() == (wsraw.BINARY, b"%d" % number)
        it.running.wait_metric("rate_held_connections", 0)
        it.set(message_rate=1, message_burst=1, message_rate_action="close")
        client.send(wsraw.frame(wsraw.BINARY, b"1") + wsraw.frame(wsraw.BINARY, b"2"))
        assert client.read_message() == (wsraw.BINARY, b"1")
        client.expect_close(1008, answer=True)


def test_a_smaller_max_message_size(changing):
    it = changing()
    with it.running.open("/ws/a") as whole, it.running.open("/ws/b") as half:
        whole.echo(b"x" * 5000)
        # The half that is there is more than the new limit allows.
        half.send(wsraw.frame(TEXT, b"x" * 9000)[:6000])
        whole.echo(b"x")
        it.set(max_message_size="4KiB")
        whole.echo(b"x" * 4096)
        half.send(b"x" * 3010)
        half.expect_close(1009)
        whole.send_frame(TEXT, b"x" * 5000)
        whole.expect_close(1009)


def test_connections_come_at_the_new_rate(changing):
    it = changing()
    it.set(accept_rate=1, accept_burst=1)
    with it.running.open("/ws/first"):
        assert_refusal(refused(it.running), "accept_rate", 1, 1)
        it.set(accept_rate=0)
        with it.running.open("/ws/second"):
            pass


def test_a_new_handshake_timeout(changing):
    it = changing(server={"handshake_timeout": "10m"})
    it.set(handshake_timeout="300ms")
    with it.running.connect() as client:
        assert client.is_closed()


def test_the_log_changes_level_and_format(changing):
    it = changing()

    def closed(number: int) -> list[str]:
        with it.running.open(f"/ws/log-{number}"):
            pass
        it.running.wait_metric("connections", 0)
        return [line for line in it.running.log.splitlines() if f"log-{number}" in line]

    assert closed(1) == []
    it.set("log", level="debug")
    assert log_fields(wsraw.wait_until(lambda: closed(2), "a line of level debug")[-1])["level"] == "debug"
    it.set("log", level="debug", format="json")
    assert json.loads(wsraw.wait_until(lambda: closed(3), "a line")[-1])["client_id"] == "log-3"
    it.set("log", level="info", format="logfmt")
    assert closed(4) == []


def test_payload_memory_is_another(changing):
    it = changing(server={"payload_memory": "64MiB"})
    it.set(payload_memory="32MiB")
    assert row(it.running, "payload_memory")["value"] == 32 << 20
    with it.running.open() as client:
        client.echo(b"x" * 100000)


def test_the_api_has_other_limits_and_a_token(changing, tmp_path):
    it = changing()
    api = Api(it.running.admin)
    with it.running.open("/ws/a"):
        api.send("a", b"x" * 2000)
        it.set("admin", max_body="1KiB")
        assert api.ask("POST", "/clients/ws/a/messages", b"x" * 2000,
                       headers={"Content-Type": "application/octet-stream"}).status == 413
        token = tmp_path / "token"
        token.write_text("a-token-that-nobody-guesses\n")
        token.chmod(0o600)
        it.set("admin", token_file=str(token))
        assert api.ask("GET", "/node").status == 401
        Api(it.running.admin, "a-token-that-nobody-guesses").get("/node")


def test_groups_have_other_limits(changing):
    it = changing()
    api = Api(it.running.admin)
    with it.running.open("/ws/a"):
        it.set(max_groups=1, max_groups_per_client=5)
        assert api.ask("PUT", "/groups/one/members/ws/a").status in (200, 201)
        assert json.loads(api.ask("PUT", "/groups/two/members/ws/a").body)["reason"] == "max_groups"
        it.set(max_groups=10, max_groups_per_client=1)
        assert json.loads(api.ask("PUT", "/groups/two/members/ws/a").body)["reason"] == "max_groups_per_client"


def test_the_end_takes_no_longer_than_it_may_by_now(changing):
    it = changing(server={"drain_timeout": "1h", "close_timeout": "10m"})
    with it.running.open() as client:
        it.set(drain_timeout="300ms")
        started = time.monotonic()
        it.running.signal(signal.SIGTERM)
        assert client.read_close()[0] == 1001  # and it is not answered
        it.running.wait_exit()
        assert time.monotonic() - started >= 0.25
    assert it.running.logged("drain_timeout has passed: cutting what is left")


def test_what_needs_a_restart_is_not_changed(changing):
    """It is told, and the gateway is what it was."""
    it = changing(server={"workers": 1, "node": "here"})
    assert it.try_with(workers=3, node="there")["needs_restart"] == ["server.workers", "server.node"]
    node = Api(it.running.admin).get("/node")
    assert node["name"] == "here"
    assert len(it.running.samples("worker_connections")) <= 1
    assert it.try_with()["needs_restart"] == ["server.workers", "server.node"]


ROWS = {"accept_rate": 71, "takeover_rate": 72, "message_rate": 73, "auth_failures": 75, "password_queue": 76,
        "refuse_browsers_max": 77, "keep_alive_max": 78, "tls_handshakes_max": 79, "tls_handshake_rate": 80}


def test_the_table_of_limits_follows(changing, tmp_path, authority, pair):
    """With what the workers and the rest go by."""
    users = tmp_path / "users"
    users.write_text("a:plain:0123456789abcdef0123\n")
    users.chmod(0o600)
    it = changing(routes=[{"name": "ws", "path": "/ws/{client_id}",
                           "refuse_browsers": "close", "auth": [{"type": "basic", "users_file": users}]}])
    where = f"127.0.0.1:{wsraw.free_port()}"
    it.config["server"].pop("listen")
    it.set(listeners=[{"address": f"{it.running.address[0]}:{it.running.address[1]}"},
                      {"address": where, "tls": {"certificates": [pair.files]}}], **ROWS)
    it.set("admin", tickets_max=81, streams_max=82)
    for name, value in (ROWS | {"tickets_max": 81, "streams_max": 82}).items():
        assert row(it.running, name)["value"] == value, row(it.running, name)
