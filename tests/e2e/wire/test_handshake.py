# SPDX-License-Identifier: Apache-2.0
"""The opening handshake: RFC 6455, 4.2, RFC 9112, and the answers to what is wrong."""

import json

import pytest

from kit import wsraw

ROUTES = [{"path": "/ws/{client_id}", "backend": "echo"},
          {"path": "/ocpp/{client_id}", "subprotocols": ["ocpp2.0.1", "ocpp1.6"], "backend": "echo"}]

# RFC 6455, 1.3 has this pair.
SAMPLE_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.tsan
def test_sample_of_the_rfc(gateway):
    """The key of RFC 6455, 1.3 gets the answer printed there, and nothing beyond it."""
    with gateway().connect() as client:
        client.send(wsraw.request())
        response = client.read_response()
        assert response.status == 101
        assert response.headers["sec-websocket-accept"] == SAMPLE_ACCEPT
        assert "sec-websocket-protocol" not in response.headers
        assert "sec-websocket-extensions" not in response.headers
        client.echo(b"hello", wsraw.TEXT)


GOOD = {
    "lower case names": wsraw.request().replace(b"Sec-WebSocket", b"sec-websocket")
    .replace(b"Upgrade:", b"upgrade:").replace(b"Host", b"host"),
    "upper case names and values": wsraw.request().replace(b"Sec-WebSocket", b"SEC-WEBSOCKET")
    .replace(b": websocket", b": WebSocket").replace(b"Connection: Upgrade", b"CONNECTION: UPGRADE"),
    "no space after the colon": wsraw.request().replace(b": ", b":"),
    "spaces and tabs around values": wsraw.request().replace(b": websocket", b": \t websocket \t"),
    "upgrade as one of many": wsraw.request(drop=("Connection",),
                                            extra=("Connection: keep-alive, Upgrade",)),
    "upgrade in the second header": wsraw.request(
        drop=("Connection",), extra=("Connection: keep-alive", "Connection: upgrade")),
    "a query": wsraw.request("/ws/client-1?token=a%20b&x=/../"),
    "an escaped client id": wsraw.request("/ws/RDAM%20123"),
    "an origin, cookies and a user agent": wsraw.request(
        extra=("Origin: http://example.test", "Cookie: a=b", "User-Agent: x/1")),
    "extensions that we do not know": wsraw.request(
        extra=("Sec-WebSocket-Extensions: foo; bar=1, permessage-deflate",)),
    "60 headers": wsraw.request(extra=tuple(f"X-{n}: {n}" for n in range(55))),
    "a header line of 8,000 bytes": wsraw.request(extra=("X-Long: " + "v" * 7992,)),
    "an IPv6 host": wsraw.request(host="[::1]:8080"),
    "a length of no body": wsraw.request(extra=("Content-Length: 0",)),
    "a key with spare bits": wsraw.request(key="dGhlIHNhbXBsZSBub25jZR=="),
    "an empty line first": b"\r\n" + wsraw.request(),
    "empty lines of both kinds first": b"\n\r\n\n" + wsraw.request(),
    "a ws URL": wsraw.request("ws://gate.example:8500/ws/client-1"),
    "a wss URL in capitals": wsraw.request("WSS://gate.example/ws/client-1?x=y"),
    "an http URL": wsraw.request("http://gate.example/ws/client-1"),
    "an https URL of IPv6": wsraw.request("https://[::1]/ws/client-1"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_handshake(shared, name):
    with shared().connect() as client:
        client.send(GOOD[name])
        assert client.read_response().status == 101
        client.echo(b"x")


@pytest.mark.tsan
def test_handshake_in_single_bytes(gateway):
    with gateway().connect() as client:
        client.send_slowly(wsraw.request())
        assert client.read_response().status == 101
        client.send_slowly(wsraw.frame(wsraw.TEXT, "één".encode()))
        assert client.read_message() == (wsraw.TEXT, "één".encode())


def test_frames_in_the_same_segment_as_the_handshake(gateway):
    with gateway().connect() as client:
        client.send(wsraw.request() + wsraw.frame(wsraw.BINARY, b"1") +
                    wsraw.frame(wsraw.PING, b"2") + wsraw.frame(wsraw.BINARY, b"3" * 70000))
        assert client.read_response().status == 101
        assert client.read_message() == (wsraw.BINARY, b"1")
        assert client.read_frame().opcode == wsraw.PONG
        assert client.read_message() == (wsraw.BINARY, b"3" * 70000)


SUBPROTOCOLS = [
    # what the client offers, what it gets
    (("Sec-WebSocket-Protocol: ocpp1.6",), "ocpp1.6"),
    (("Sec-WebSocket-Protocol: ocpp1.6, ocpp2.0.1",), "ocpp2.0.1"),
    (("Sec-WebSocket-Protocol: ocpp1.6", "Sec-WebSocket-Protocol: ocpp2.0.1"), "ocpp2.0.1"),
    (("Sec-WebSocket-Protocol: ,ocpp1.6,,",), "ocpp1.6"),
    (("Sec-WebSocket-Protocol: ocpp1.6, ocpp1.6",), "ocpp1.6"),
    (("Sec-WebSocket-Protocol: bearer, eyJhbGciOiJIUzI1NiJ9==, ocpp1.6",), "ocpp1.6"),
    (("Sec-WebSocket-Protocol: soap, ocpp2.0.1",), "ocpp2.0.1"),
    (("Sec-WebSocket-Protocol: soap", "Sec-WebSocket-Protocol: ocpp1.6"), "ocpp1.6"),
]


@pytest.mark.parametrize("offer,want", SUBPROTOCOLS)
def test_subprotocol_is_the_routes_first_that_is_offered(shared, offer, want):
    """The route's list is in order of preference; what cannot be read is passed over."""
    with shared(routes=ROUTES).connect() as client:
        response = client.handshake("/ocpp/CP-1", extra=offer)
        assert response.status == 101
        assert response.headers.get("sec-websocket-protocol") == want


BAD = {
    # name: (request, status, header that the answer must have)
    "no such route": (wsraw.request("/nowhere"), 404, None),
    "route without client id": (wsraw.request("/ws/"), 404, None),
    "client id with more path": (wsraw.request("/ws/a/b"), 404, None),
    "plain GET of a route": (b"GET /ws/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 426, ("upgrade", "websocket")),
    "POST to a route": (wsraw.request(method="POST"), 405, ("allow", "GET")),
    "unknown method": (wsraw.request(method="BREW"), 405, ("allow", "GET")),
    "wrong version": (wsraw.request(drop=("Sec-WebSocket-Version",),
                                    extra=("Sec-WebSocket-Version: 8",)),
                      426, ("sec-websocket-version", "13")),
    "version is no number": (wsraw.request(drop=("Sec-WebSocket-Version",),
                                           extra=("Sec-WebSocket-Version: 13x",)),
                             426, ("sec-websocket-version", "13")),
    "no version": (wsraw.request(drop=("Sec-WebSocket-Version",)),
                   426, ("sec-websocket-version", "13")),
    "no host": (wsraw.request(drop=("Host",)), 400, None),
    "two hosts": (wsraw.request(extra=("Host: other",)), 400, None),
    "no key": (wsraw.request(drop=("Sec-WebSocket-Key",)), 400, None),
    "two keys": (wsraw.request(extra=("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",)), 400, None),
    "key too short": (wsraw.request(key="c2hvcnQ="), 400, None),
    "key not base64": (wsraw.request(key="!!!!!!!!!!!!!!!!!!!!!!=="), 400, None),
    "connection without upgrade": (wsraw.request(drop=("Connection",),
                                                 extra=("Connection: keep-alive",)), 400, None),
    "content length": (wsraw.request(extra=("Content-Length: 5",)), 400, None),
    "transfer encoding": (wsraw.request(extra=("Transfer-Encoding: chunked",)), 400, None),
    "two codings": (wsraw.request(extra=("Transfer-Encoding: gzip, chunked",)), 501, None),
    "too many empty lines first": (b"\r\n" * 9 + wsraw.request(), 400, None),
    "a URL with a password": (wsraw.request("ws://a:b@gate.example/ws/a"), 400, None),
    "a URL without a host": (wsraw.request("ws:///ws/a"), 400, None),
    "a URL of another scheme": (wsraw.request("ftp://gate.example/ws/a"), 400, None),
    "bare line feeds": (wsraw.request().replace(b"\r\n", b"\n"), 400, None),
    "folded header": (wsraw.request(extra=("X-Fold: a", " b")), 400, None),
    "space before the colon": (wsraw.request(extra=("X-Space : a",)), 400, None),
    "control character in a value": (wsraw.request(extra=("X-Nul: a\0b",)), 400, None),
    "no colon": (wsraw.request(extra=("nonsense",)), 400, None),
    "TLS to a plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400, None),
    "not HTTP": (b"\x05\x01\x00\r\n\r\n", 400, None),
    "relative target": (wsraw.request("ws/a"), 400, None),
    "HTTP/1.0": (wsraw.request(version="HTTP/1.0"), 400, None),
    "HTTP/2.0": (wsraw.request(version="HTTP/2.0"), 505, None),
    "target of 9,000 bytes": (wsraw.request("/ws/" + "a" * 9000), 414, None),
    "header line of 9,000 bytes": (wsraw.request(extra=("X-Long: " + "v" * 9000,)), 431, None),
    "65 headers": (wsraw.request(extra=tuple(f"X-{n}: {n}" for n in range(60))), 431, None),
    "head of 20,000 bytes": (wsraw.request(extra=tuple(f"X-{n}: {'v' * 4000}" for n in range(5))),
                             431, None),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_handshake_is_answered_by_name(shared, name):
    """The standard's own status, a problem document that says what is wrong, and an end."""
    data, status, header = BAD[name]
    running = shared(routes=ROUTES)
    with running.connect() as client:
        client.send(data)
        response = client.read_response()
        assert response.status == status, response
        assert response.headers["content-type"].split(";")[0] == "application/problem+json"
        problem = json.loads(response.body)
        assert problem["title"] and problem["detail"]
        assert problem.get("status", status) == status
        if header:
            assert header[1] in response.headers[header[0]]
        if status == 426:
            assert response.headers["upgrade"] == "websocket", "RFC 9110, 15.5.22"
        assert client.is_closed()
    running.wait_metric("connections", 0)


MISMATCHES = {
    "another": "Sec-WebSocket-Protocol: soap",
    "none": "",
    "an empty list": "Sec-WebSocket-Protocol:",
    "holes": "Sec-WebSocket-Protocol: a,,b",
    "blanks between": "Sec-WebSocket-Protocol: ocpp1.6 ocpp2.0.1",
    "semicolons between": "Sec-WebSocket-Protocol: ocpp1.6;ocpp2.0.1",
    "quotes": 'Sec-WebSocket-Protocol: "ocpp1.6"',
    "a token that is none": "Sec-WebSocket-Protocol: bearer, eyJhbGciOiJIUzI1NiJ9==",
}


@pytest.mark.parametrize("offer", MISMATCHES.values(), ids=MISMATCHES)
@pytest.mark.parametrize("mismatch", ["refuse", "close", "accept"])
def test_no_common_subprotocol(shared, mismatch, offer):
    """RFC 6455 leaves it open; OCPP-J 2.0.1, 3.2 wants `close`."""
    running = shared(routes=[ROUTES[1] | {"subprotocol_mismatch": mismatch}])
    with running.connect() as client:
        response = client.handshake("/ocpp/CP-1", extra=(offer,) if offer else ())
        assert "sec-websocket-protocol" not in response.headers
        assert response.status == (400 if mismatch == "refuse" else 101)
        if mismatch == "refuse":
            assert "ocpp2.0.1" in json.loads(response.body)["detail"], "say what would do"
        elif mismatch == "close":
            client.expect_close(1002, answer=True)
        else:
            client.echo(b"x")


@pytest.mark.parametrize("offer", MISMATCHES.values(), ids=MISMATCHES)
def test_route_without_subprotocols_takes_any_offer(shared, offer):
    with shared(routes=ROUTES).connect() as client:
        response = client.handshake("/ws/a", extra=(offer,) if offer else ())
        assert response.status == 101
        assert "sec-websocket-protocol" not in response.headers
        client.echo(b"x")
