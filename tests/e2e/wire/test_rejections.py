# SPDX-License-Identifier: Apache-2.0
"""What the log says of requests that were rejected: enough to find who sent them."""

import socket
import ssl

import pytest

from kit import wsraw
from kit.backends import Answer, Webhook

REJECTED = "request rejected"


def test_log_names_what_was_asked_for(gateway):
    """Path and host, so that the operator finds the device, and its program; no query, which
    may have secrets."""
    running = gateway()
    with running.connect() as client:
        client.send(wsraw.request("/opcc/CP-0815?token=secret", host="csms.example",
                                  extra=("User-Agent: charger/1.2 (x)",)))
        assert client.read_response().status == 404
    line = running.wait_log(REJECTED)
    assert (line["status"], line["path"], line["host"]) == ("404", "/opcc/CP-0815", "csms.example")
    assert line["user_agent"] == "charger/1.2 (x)"
    assert "secret" not in running.log


def test_log_escapes_and_cuts_what_clients_send(gateway):
    running = gateway()
    with running.connect() as client:
        client.send(wsraw.request("/" + "p" * 300,
                                  extra=('User-Agent: a" status=200 \tb' + "u" * 300,)))
        assert client.read_response().status == 404
    line = running.wait_log(REJECTED)
    assert line["path"] == "/" + "p" * 199 + "..."
    assert line["user_agent"].startswith('a" status=200 \tb') and len(line["user_agent"]) == 203
    assert line["status"] == "404"


def test_log_names_the_path_of_a_request_that_breaks_off(gateway):
    running = gateway(server={"handshake_timeout": "200ms"})
    with running.connect() as client:
        client.send(b"GET /ws/slow HTTP/1.1\r\nHost: h")
        assert client.read_response().status == 408
    assert running.wait_log(REJECTED)["path"] == "/ws/slow"


def test_log_of_what_is_no_request_has_no_path(gateway):
    running = gateway()
    with running.connect() as client:
        client.send(b"\x05\x01\x00")
        assert client.read_response().status == 400
    line = running.wait_log(REJECTED)
    assert (line["path"], line["host"], line["user_agent"]) == ("-", "-", "-")


def tls_hello() -> bytes:
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="gate.example").do_handshake()
    return outgoing.read()


@pytest.mark.plain
def test_tls_on_the_plain_port_is_told(gateway):
    """wss: where ws: is served, the most frequent wrong setting."""
    running = gateway()
    hello = tls_hello()
    for data in (hello, hello[:3]):
        with running.connect() as client:
            client.send(data)
            response = client.read_response()
            assert response.status == 400 and b"TLS" in response.body
            assert client.is_closed()
    line = running.wait_log(REJECTED)
    assert "TLS" in line["detail"] and "ws:" in line["detail"]
    assert running.metric("tls_hellos_total") == 2
    assert running.metric("handshakes_rejected_total") == 2


@pytest.mark.plain
def test_tls_client_ends_at_once_on_the_plain_port(gateway):
    context = ssl.create_default_context()
    with socket.create_connection(gateway().address, wsraw.SECONDS) as sock:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(sock, server_hostname="gate.example")


MERGING = [{"path": "/ocpp/{client_id}", "backend": "echo", "merge_slashes": "true"},
           {"path": "/ws/{client_id}", "backend": "echo"}]


@pytest.mark.parametrize("target, status", [
    ("//ocpp//CP-1", 101), ("/ocpp/CP-1/", 101), ("//ocpp///CP-1//?x=//", 101),
    ("ws://h//ocpp//CP-1/", 101), ("/ocpp//", 404), ("//ws/CP-1", 404), ("/ws/CP-1/", 404),
])
def test_slashes_are_merged_where_the_route_says_so(shared, target, status):
    running = shared(routes=MERGING)
    with running.connect() as client:
        assert client.handshake(target).status == status
        if status == 101:
            client.echo(b"x")
            assert running.get("/api/v1/clients/ocpp/CP-1").status == 200


def test_426_of_a_back_end_names_the_upgrade(gateway):
    """RFC 9110, 15.5.22: whoever says it."""
    hook = Webhook(lambda event: Answer(426) if event.type == "connect" else None)
    try:
        running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "b"}],
                          backends=[{"name": "b", "type": "webhook", "url": hook.url}])
        for is_plain in (False, True):
            with running.connect() as client:
                if is_plain:
                    client.send(b"GET /ws/a HTTP/1.1\r\nHost: h\r\n\r\n")
                    response = client.read_response()
                else:
                    response = client.handshake("/ws/a")
                assert response.status == 426
                assert response.headers["upgrade"] == "websocket"
                assert response.headers["sec-websocket-version"] == "13"
                assert "Upgrade" in response.headers["connection"]
    finally:
        hook.close()
