# SPDX-License-Identifier: Apache-2.0
"""Connections by TLS from the first byte to the last: what they carry, how they end, what is said of those
that fail, and what is counted. On both engines, with the SSL object given up and kept."""

import http.client
import socket
import ssl

import pytest

from kit import tlsraw, wsraw
from kit.api import Api


@pytest.fixture(params=["on", "off"])
def sealed(gateway, pair, authority, request):
    """A gateway that listens by TLS, with `detach` as the parameter says; its clients need `context`."""
    tls = {"certificates": [pair.files], "detach": request.param}
    running = gateway(server={"listeners": [{"address": "127.0.0.1:0", "tls": tls}]})
    running.context = tlsraw.client_context(authority.cert)
    running.is_detached = request.param == "on"
    return running


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_messages_of_all_sizes_and_a_proper_end(sealed, authority, version):
    context = tlsraw.client_context(authority.cert, minimum=version, maximum=version)
    with wsraw.Client(sealed.address, tls=context).open() as client:
        for size in [0, 1, 125, 16384, 16385, 70000, 1000000]:
            client.echo(b"m" * size)
        sealed.wait_metric("tls_connections", 1)
        assert sealed.metric("tls_connections_attached") == (0 if sealed.is_detached else 1)
        listed = Api(sealed.admin).list()[0]
        agreed = Api(sealed.admin).inspect(listed["client_id"])["tls"]
        assert agreed["version"] == client.sock.tls.version() and agreed["suite"].startswith("TLS_")
        client.send_frame(wsraw.CLOSE, b"\x03\xe8")
        client.expect_close(1000)
        assert client.is_closed()
        assert not client.sock.is_truncated
    sealed.wait_metric("tls_connections", 0)
    assert sealed.metric("tls_handshakes_total") == 1
    assert sealed.metric("tls_truncated_total") == 0


def test_an_end_without_goodbye_is_counted(sealed):
    with wsraw.Client(sealed.address, tls=sealed.context).open() as client:
        client.echo(b"here")
        client.sock.sock.shutdown(socket.SHUT_WR)
        sealed.wait_metric("tls_truncated_total", 1)
        sealed.wait_metric("connections_closed_total", 1, reason="client_gone")


def test_plain_http_is_told_what_is_spoken(sealed):
    connection = http.client.HTTPConnection(*sealed.address, timeout=wsraw.SECONDS)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    assert answer.status == 400
    assert "here TLS is spoken" in answer.read().decode()
    assert sealed.metric("tls_failures_total", cause="plain_http") == 1


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
def test_an_old_version_is_a_security_event(sealed):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        wsraw.Client(sealed.address, tls=context)
    sealed.wait_metric("tls_failures_total", 1, cause="version")
    line = sealed.logged("TLS handshake failed")[0]
    assert (line["event"], line["cause"], line["version"]) == ("security", "version", "TLSv1.1")
    assert (line["alert"], line["alert_from"]) == ("70", "gatehouse")


def test_a_forged_record_ends_it_with_an_alert(sealed):
    with wsraw.Client(sealed.address, tls=sealed.context).open() as client:
        client.echo(b"good")
        client.sock.sock.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
            client.sock.recv(100)
    sealed.wait_metric("connections_closed_total", 1, reason="tls_failed")
    assert sealed.metric("tls_failures_total", cause="record") == 1
