# SPDX-License-Identifier: Apache-2.0
"""A balancer that passes TLS through says in clear, before the ClientHello, for whom it speaks."""

import json
import socket
import ssl

import pytest

from kit import tlsraw, wsraw

V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"
V2 = (b"\r\n\r\n\0\r\nQUIT\n" b"\x21\x11\x00\x0c" + socket.inet_aton("203.0.113.9") + socket.inet_aton("192.0.2.1")
      + (4711).to_bytes(2, "big") + (443).to_bytes(2, "big"))
LOCAL = b"\r\n\r\n\0\r\nQUIT\n" b"\x20\x00\x00\x00"
FORMS = {"v1": V1, "v2": V2}
TRUSTED = {"trusted_proxies": ["127.0.0.1/32"]}


def behind(running, context: ssl.SSLContext, header: bytes, *, cut: int = 0) -> wsraw.Client:
    """A client behind a balancer; `cut`: the header comes in two pieces."""
    client = wsraw.Client(running.address)
    if cut:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send(header[:cut])
        running.wait_metric("sockets", 1)
    client.send(header[cut:])
    client.sock = tlsraw.Sealed(client.sock, context)
    return client


def shown_address(running, name: str) -> str:
    return json.loads(running.get(f"/api/v1/clients/ws/{name}").body)["remote"]["address"]


@pytest.mark.parametrize("cut", (0, 1, 20))
@pytest.mark.parametrize("form", FORMS)
def test_the_client_is_whom_the_header_names(sealed, shown, form, cut):
    running = sealed(**TRUSTED)
    with behind(running, running.tls, FORMS[form], cut=cut).open("/ws/behind") as client:
        client.echo(b"through")
        assert shown_address(running, "behind") == "203.0.113.9"


def test_a_health_check_of_the_balancer_and_none_at_all(sealed):
    running = sealed(**TRUSTED)
    for name, header in (("local", LOCAL), ("none", b"")):
        with behind(running, running.tls, header).open(f"/ws/{name}") as client:
            client.echo(b"through")
            assert shown_address(running, name) == "127.0.0.1"


def test_the_certificate_behind_it_is_the_clients(sealed, shown, authority):
    pair = authority.sign("behind")
    running = sealed({"client_ca_file": str(authority.cert), "client_certificate": "required"},
                     routes=[{"path": "/ws/{client_id}", "backend": "echo",
                              "auth": [{"type": "certificate", "identity": "cn"}]}], **TRUSTED)
    context = tlsraw.client_context(authority.cert, pair=pair)
    with behind(running, context, V2).open("/ws/behind") as client:
        client.echo(b"who I am")
    with behind(running, context, V2) as client:
        client.send(wsraw.request("/ws/somebody-else"))
        assert client.read_response().status in (401, 403)


def test_a_proxy_that_is_to_tell_of_certificates_has_none_of_its_own(sealed, authority):
    """client_certificate_header: proxy: its TLVs count, and the TLS behind its header is its own."""
    pair = authority.sign("behind")
    running = sealed({"client_ca_file": str(authority.cert), "client_certificate": "optional"},
                     routes=[{"path": "/ws/{client_id}", "backend": "echo",
                              "auth": [{"type": "certificate", "identity": "cn"}]}],
                     client_certificate_header="proxy", **TRUSTED)
    with behind(running, tlsraw.client_context(authority.cert, pair=pair), V2) as client:
        client.send(wsraw.request("/ws/behind"))
        assert client.read_response().status in (401, 403)


@pytest.mark.parametrize("header", (b"PROXY TCP4 300.0.0.1 192.0.2.1 1 2\r\n", V2[:12] + b"\x31" + V2[13:]))
def test_a_broken_header_is_closed_and_logged(sealed, header):
    running = sealed(**TRUSTED)
    with wsraw.Client(running.address) as client:
        client.send(header)
        assert client.sock.recv(100) == b""
    assert "PROXY header before it" in running.wait_log("TLS handshake failed")["detail"]


def test_from_anybody_it_is_no_tls(sealed):
    running = sealed()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        behind(running, running.tls, V1)
    running.wait_metric("tls_failures_total", 1, cause="not_tls")
