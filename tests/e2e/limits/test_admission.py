# SPDX-License-Identifier: Apache-2.0
"""Limits per address and per second, over all workers; and whose word is believed for
the address of a client."""

import concurrent.futures
import contextlib
import errno
import ipaddress
import json
import struct
import time

import pytest

from kit import wsraw
from kit.gateway import assert_refusal

V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def proxy_v1(source: str, port: int = 40000) -> bytes:
    if ":" in source:
        return f"PROXY TCP6 {source} 2001:db8::1 {port} 443\r\n".encode()
    return f"PROXY TCP4 {source} 192.0.2.1 {port} 443\r\n".encode()


def proxy_v2(source: str, port: int = 40000) -> bytes:
    address = ipaddress.ip_address(source)
    other = ipaddress.ip_address("192.0.2.1" if address.version == 4 else "2001:db8::1")
    body = address.packed + other.packed + struct.pack(">HH", port, 443)
    family = 0x11 if address.version == 4 else 0x21
    return V2_SIGNATURE + struct.pack(">BBH", 0x21, family, len(body)) + body


PROXY_LOCAL = V2_SIGNATURE + struct.pack(">BBH", 0x20, 0, 0)
FORMS = {"v1": proxy_v1, "v2": proxy_v2}


def ask(running, *, before: bytes = b"", extra: tuple[str, ...] = (),
        source: str | None = None) -> tuple[wsraw.Client, wsraw.Response]:
    client = running.connect(source=source)
    client.send(before + wsraw.request(extra=extra))
    return client, client.read_response()


class Crowd(contextlib.ExitStack):
    """Clients that stay until the end."""

    def ask(self, running, **options) -> wsraw.Response:
        client, response = ask(running, **options)
        self.enter_context(client)
        return response

    def statuses(self, running, count: int, **options) -> list[int]:
        return [self.ask(running, **options).status for _ in range(count)]


# --- per address ---


@pytest.mark.tsan
def test_max_connections_per_ip_is_exact_over_two_workers(gateway):
    """Of 20 clients at once from each of three addresses, 4 get in from each."""
    running = gateway(server={"max_connections_per_ip": 4, "workers": 2})
    jobs = [f"127.0.0.{host}" for host in (2, 3, 4) for _ in range(20)]
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(20) as pool:
        results = list(pool.map(lambda source: (source, *ask(running, source=source)),
                                jobs))
        for _, client, _ in results:
            stack.enter_context(client)
        for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            answers = [response for source, _, response in results if source == host]
            assert [r.status for r in answers].count(101) == 4, host
            for response in answers:
                if response.status != 101:
                    assert response.status == 429
                    assert_refusal(response, "max_connections_per_ip", 4, 4)
        assert running.metric("connections") == 12
        assert running.metric("connections_refused_total", limit="max_connections_per_ip") == 48
    running.wait_metric("connections", 0)


def test_a_place_of_an_address_becomes_free_again(gateway):
    running = gateway(server={"max_connections_per_ip": 1, "workers": 2})
    for number in range(100):
        client, response = ask(running)
        with client:
            assert response.status == 101, f"turn {number}"
            other, refused = ask(running)
            other.close()
            assert refused.status == 429
        running.wait_metric("connections", 0)


def test_a_refusal_of_another_limit_takes_no_place_of_the_address(gateway):
    """The gateway is full: those it refuses do not use up their address."""
    running = gateway(server={"max_connections_per_ip": 3, "max_connections": 1})
    with Crowd() as crowd:
        first = running.open("/ws/first")
        assert set(crowd.statuses(running, 10)) == {503}
        first.close()
        running.wait_metric("connections", 0)
        assert crowd.ask(running).status == 101


def test_ipv6_addresses_count_by_prefix(gateway):
    """A client that has a /64 is one client, whichever address of it it uses."""
    running = gateway(server={"max_connections_per_ip": 2, "trusted_proxies": ["127.0.0.1"]})
    with Crowd() as crowd:
        same = [crowd.ask(running, before=proxy_v2(f"2001:db8:1:2::{host}")).status
                for host in ("1", "2", "ffff:3")]
        assert same == [101, 101, 429]
        assert crowd.ask(running, before=proxy_v2("2001:db8:1:3::1")).status == 101


def test_ipv6_prefix_can_be_changed(gateway):
    running = gateway(server={"max_connections_per_ip": 1, "ipv6_prefix": 48,
                              "trusted_proxies": ["127.0.0.1"]})
    with Crowd() as crowd:
        answers = [crowd.ask(running, before=proxy_v1(source)).status for source in
                   ("2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:2::1")]
        assert answers == [101, 429, 101]


# --- per second ---


@pytest.mark.tsan
def test_accept_rate_lets_a_burst_in_and_then_the_rate(gateway):
    running = gateway(server={"accept_rate": 1, "accept_burst": 5, "workers": 2})
    with Crowd() as crowd:
        start = time.monotonic()
        answers = [crowd.ask(running) for _ in range(30)]
        elapsed = time.monotonic() - start
        accepted = [response.status for response in answers].count(101)
        assert 5 <= accepted <= 5 + elapsed + 1
        refused = [response for response in answers if response.status != 101]
        assert refused
        for response in refused:
            assert response.status == 429
            assert_refusal(response, "accept_rate", 1, 1)
        assert running.metric("connections_refused_total", limit="accept_rate") == len(refused)
        # The bucket fills again: the next one comes in by itself.
        wsraw.wait_until(lambda: crowd.ask(running).status == 101, "the rate to allow one more")


def test_refusals_of_a_full_gateway_take_nothing_of_the_rate(gateway):
    running = gateway(server={"accept_rate": 1, "accept_burst": 3, "max_connections": 1})
    with Crowd() as crowd:
        first = running.open("/ws/first")
        assert set(crowd.statuses(running, 20)) == {503}
        first.close()
        running.wait_metric("connections", 0)
        assert crowd.ask(running).status == 101


# --- while it starts ---


def answer_of(address: tuple[str, int]) -> wsraw.Response | None:
    """None while nobody answers there."""
    try:
        with wsraw.Client(address) as client:
            return client.handshake("/ws/early")
    except (ConnectionRefusedError, ConnectionResetError):
        return None
    except OSError as error:
        if error.errno in (errno.ECONNREFUSED, errno.EADDRNOTAVAIL):
            return None
        raise


def test_who_comes_before_it_is_ready_is_told_so(start):
    """With many workers the first listens long before the last. It must not take clients
    yet; and it must say why."""
    port = wsraw.free_port()
    running = start(server={"listen": f"127.0.0.1:{port}", "workers": 200})
    first = wsraw.wait_until(lambda: answer_of(("127.0.0.1", port)), "an answer")
    assert first.status == 503
    assert first.headers["gatehouse-limit"].startswith("starting; ")
    assert json.loads(first.body)["limit"] == "starting"
    running.wait_ready()
    assert answer_of(("127.0.0.1", port)).status == 101
    assert running.metric("connections_refused_total", limit="starting") >= 1
    running.stop()


# --- whose word is believed ---


def client_in_log(running) -> str:
    return wsraw.wait_until(lambda: running.logged("connection closed"),
                            "the end in the log")[-1]["remote"]


def closed_client(running, **options) -> str:
    """The address that the gateway took a client for."""
    client, response = ask(running, **options)
    with client:
        assert response.status == 101, response
        client.echo(b"through the proxy")
    return client_in_log(running)


def proxied(gateway, trusted: list[str]):
    return gateway(server={"trusted_proxies": trusted}, arguments=("--log-level", "debug"))


def test_without_proxies_the_log_has_the_peer(gateway):
    running = gateway(arguments=("--log-level", "debug"))
    client, response = ask(running, source="127.0.0.7",
                           extra=("X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9"))
    with client:
        assert response.status == 101
        port = client.sock.getsockname()[1]
    assert client_in_log(running) == f"127.0.0.7:{port}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("source, shown", [("203.0.113.9", "203.0.113.9:40000"),
                                           ("2001:db8::9", "[2001:db8::9]:40000")])
@pytest.mark.tsan
def test_proxy_header_of_a_trusted_proxy_names_the_client(gateway, form, source, shown):
    running = proxied(gateway, ["127.0.0.0/8"])
    assert closed_client(running, before=FORMS[form](source)) == shown


def test_proxy_header_in_single_bytes(gateway):
    running = proxied(gateway, ["127.0.0.1"])
    for form in FORMS.values():
        with running.connect() as client:
            client.send_slowly(form("203.0.113.9") + wsraw.request("/ws/slow"))
            assert client.read_response().status == 101
            client.echo(b"in single bytes")
        assert client_in_log(running) == "203.0.113.9:40000"


def test_a_trusted_proxy_need_not_send_a_header(gateway):
    """Health checks come without one, or with LOCAL; a proxy may speak HTTP only."""
    running = proxied(gateway, ["127.0.0.1"])
    assert closed_client(running).startswith("127.0.0.1:")
    assert closed_client(running, before=PROXY_LOCAL).startswith("127.0.0.1:")
    assert closed_client(running, before=b"PROXY UNKNOWN\r\n").startswith("127.0.0.1:")
    with running.connect() as client:
        client.send(PROXY_LOCAL + b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.read_response().status == 200


@pytest.mark.parametrize("form", FORMS)
def test_proxy_header_of_anybody_else_is_refused_with_the_reason(gateway, form):
    running = proxied(gateway, ["192.0.2.0/24"])
    client, response = ask(running, before=FORMS[form]("203.0.113.9"))
    with client:
        assert response.status == 400
        assert "server.trusted_proxies" in json.loads(response.body)["detail"]
        assert client.is_closed()


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 300.0.0.1 192.0.2.1 1 2\r\n", b"PROXY TCP4 192.0.2.9 192.0.2.1 1 99999\r\n",
    b"PROXY " + b"x" * 200, V2_SIGNATURE + b"\x31\x11\0\x0c" + b"\0" * 12,
    V2_SIGNATURE + b"\x21\x11\xff\xff" + b"\0" * 100,
], ids=["address", "port", "endless", "version", "long"])
def test_broken_proxy_header_is_refused(gateway, header):
    running = proxied(gateway, ["127.0.0.1"])
    with running.connect() as client:
        client.send(header)
        response = client.read_response()
        assert response.status == 400
        assert json.loads(response.body)["detail"].startswith("The PROXY header ")
    assert running.metric("connections") == 0


def test_half_a_proxy_header_times_out(gateway):
    running = gateway(server={"trusted_proxies": ["127.0.0.1"], "handshake_timeout": "1s"})
    with running.connect() as client:
        client.send(proxy_v2("203.0.113.9")[:14])
        assert client.read_response().status == 408


@pytest.mark.parametrize("extra, shown", [
    (("X-Forwarded-For: 203.0.113.9",), "203.0.113.9"),
    (("X-Forwarded-For: 198.51.100.1, 203.0.113.9, 10.1.2.3",), "203.0.113.9"),
    (("Forwarded: for=198.51.100.1", "Forwarded: for=203.0.113.9;proto=https"), "203.0.113.9"),
    (('Forwarded: for="[2001:db8::9]:4711"',), "2001:db8::9"),
    (("Forwarded: for=203.0.113.9", "X-Forwarded-For: 203.0.113.9"), "203.0.113.9"),
    (("Forwarded: for=203.0.113.9", "X-Forwarded-For: 198.51.100.1"), "127.0.0.1"),
    (("X-Forwarded-For: unknown",), "127.0.0.1"),
])
def test_forwarded_of_a_trusted_proxy_names_the_client(gateway, extra, shown):
    running = proxied(gateway, ["127.0.0.1", "10.0.0.0/8"])
    assert closed_client(running, extra=extra).split(":4")[0].startswith(shown)


def test_forwarded_of_anybody_else_is_not_believed(gateway):
    """Else a client could get around its limit, or use up that of another."""
    running = gateway(server={"max_connections_per_ip": 2, "trusted_proxies": ["192.0.2.1"]})
    with Crowd() as crowd:
        answers = [crowd.ask(running, extra=(f"X-Forwarded-For: 203.0.113.{number}",)).status
                   for number in range(4)]
        assert answers == [101, 101, 429, 429]


def test_limits_per_address_see_the_client_behind_the_proxy(gateway):
    running = gateway(server={"max_connections_per_ip": 2, "trusted_proxies": ["127.0.0.1"]})
    with Crowd() as crowd:
        for form in ("203.0.113.1", "203.0.113.2"):
            answers = [crowd.ask(running, extra=(f"X-Forwarded-For: {form}",)).status
                       for _ in range(3)]
            assert answers == [101, 101, 429], form
        # One proxy behind the other: PROXY from the first, Forwarded through both.
        assert crowd.ask(running, before=proxy_v1("127.0.0.1"),
                         extra=("X-Forwarded-For: 203.0.113.1",)).status == 429


def test_health_is_answered_beside_a_route_that_takes_every_name(gateway):
    """A route /{client_id} also matches /health; the health check is meant."""
    running = gateway(routes=[{"path": "/{client_id}"}])
    assert running.get("/health", admin=False).status == 200
    assert running.get("/livez", admin=False).status == 200
    assert running.get("/other", admin=False).status == 426
    with running.open("/other") as client:
        client.echo(b"a client called other")
