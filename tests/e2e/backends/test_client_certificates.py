# SPDX-License-Identifier: Apache-2.0
"""What the connect event says of a client's certificate: as a trusted proxy tells it, and only then."""

import base64
import json
import ssl
import struct
import subprocess
import urllib.parse

import pytest

from kit import tlsraw, wsraw
from kit.backends import Webhook
from kit.certificates import Authority

NAMES = "DNS:cp-1.example,URI:urn:ocpp:CP-1,IP:192.0.2.1,email:ops@example.org"
V2 = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.fixture
def webhook():
    running = Webhook()
    yield running
    running.close()


@pytest.fixture
def pair(tmp_path):
    return Authority(tmp_path, "charger-ca").sign("CP-1", NAMES)


@pytest.fixture
def serve(gateway, webhook):
    """serve(rule, trusted) runs a gateway whose events go to `webhook`; stopped before that is."""
    running = []

    def run(rule: str = "none", trusted: str = "127.0.0.1"):
        running.append(gateway(
            server={"trusted_proxies": [trusted], "client_certificate_header": rule},
            routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
            backends=[{"name": "hook", "type": "webhook", "url": webhook.url}]))
        return running[-1]

    yield run
    for one in running:
        one.stop()


def der_of(pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.cert.read_text())


def openssl_says(pair, *what: str) -> str:
    """The value behind '=' of one line of openssl x509."""
    out = subprocess.run(["openssl", "x509", "-noout", "-nameopt", "RFC2253", "-in", pair.cert, *what],
                         check=True, capture_output=True, text=True).stdout
    return out.split("=", 1)[1].strip()


def said(event) -> dict[str, str]:
    """What the event says of TLS and certificates."""
    return {name.removeprefix("ce-"): urllib.parse.unquote(value) for name, value in event.headers.items()
            if name == "ce-tls" or name.startswith("ce-peercert")}


def assert_all_of(pair, event) -> None:
    got = said(event)
    assert got["peercertfingerprint"] == openssl_says(pair, "-fingerprint", "-sha256").replace(":", "").lower()
    assert got["peercertserial"] == openssl_says(pair, "-serial")
    assert got["peercertsubject"] == openssl_says(pair, "-subject") == "CN=CP-1"
    assert got["peercertissuer"] == openssl_says(pair, "-issuer") == "CN=charger-ca"
    assert got["peercertcn"] == "CP-1"
    assert sorted(got["peercertsans"].split(" ")) == [
        "DNS:cp-1.example", "IP:192.0.2.1", "URI:urn:ocpp:CP-1", "email:ops@example.org"]
    assert got["peercertnotafter"].endswith("Z")
    assert "peercertleftout" not in got


def fields_of(rule: str, pair) -> tuple[str, ...]:
    encoded = base64.b64encode(der_of(pair)).decode()
    return {
        "client-cert": (f"Client-Cert: :{encoded}:", "Client-Cert-Chain: :MAMBAgM=:"),
        "x-ssl-client-cert": ("X-SSL-Client-Verify: SUCCESS",
                              "X-SSL-Client-Cert: " + urllib.parse.quote(pair.cert.read_text(), safe="")),
        "x-forwarded-client-cert": (
            'X-Forwarded-Client-Cert: Subject="CN=forged",Hash=' + "a" * 64
            + ';Cert="' + urllib.parse.quote(pair.cert.read_text(), safe="") + '";Subject="CN=CP-1"',),
    }[rule]


@pytest.mark.parametrize("rule", ["client-cert", "x-ssl-client-cert", "x-forwarded-client-cert"])
def test_a_trusted_proxy_is_believed_by_the_rule(serve, webhook, pair, rule):
    gateway = serve(rule)
    with gateway.connect().open("/ws/CP-1", extra=fields_of(rule, pair)):
        [event] = webhook.wait("connect")
        assert_all_of(pair, event)
        assert said(event)["tls"] == "yes"
        [connected] = webhook.wait("connected")
        assert said(connected) == {}, "facts are of the connect event alone"


def test_a_name_alone(serve, webhook):
    gateway = serve("x-ssl-client-cn")
    with gateway.connect().open("/ws/CP-1", extra=("X-SSL-Client-Verify: 0", "X-SSL-Client-CN: CP 1 \xe4",)) as client:
        assert said(webhook.wait("connect")[0]) == {"tls": "yes", "peercertleftout": "1"}, "that is no UTF-8"
        client.close()
    with gateway.connect().open("/ws/CP-2", extra=("X-SSL-Client-Verify: 0", "X-SSL-Client-CN: CP 2")):
        assert said(webhook.wait("connect", client="CP-2")[0]) == {"tls": "yes", "peercertcn": "CP 2"}


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">BH", kind, len(value)) + value


def proxy_header(*tlvs: bytes) -> bytes:
    body = bytes([192, 0, 2, 7, 192, 0, 2, 99]) + struct.pack(">HH", 40000, 443) + b"".join(tlvs)
    return V2 + b"\x21\x11" + struct.pack(">H", len(body)) + body


def ssl_tlv(*parts: bytes, flags: int = 7, verify: int = 0) -> bytes:
    return tlv(0x20, struct.pack(">BI", flags, verify) + b"".join(parts))


def test_the_proxy_protocol_is_believed_by_the_rule(serve, webhook, pair):
    gateway = serve("proxy")
    for name, header, want in [
        ("cn", ssl_tlv(tlv(0x21, b"TLSv1.3"), tlv(0x22, b"CP-1")), {"tls": "TLSv1.3", "peercertcn": "CP-1"}),
        ("none", ssl_tlv(tlv(0x21, b"TLSv1.2"), flags=1, verify=10), {"tls": "TLSv1.2"}),
        ("not-verified", ssl_tlv(tlv(0x22, b"CP-1"), verify=10), {"tls": "yes"}),
        ("plain", ssl_tlv(tlv(0x22, b"CP-1"), flags=0), {}),
        ("nothing", b"", {}),
    ]:
        with gateway.connect() as client:
            client.send(proxy_header(header))
            client.open(f"/ws/{name}", extra=fields_of("client-cert", pair))
            assert said(webhook.wait("connect", client=name)[0]) == want, name
    with gateway.connect() as client:
        client.send(proxy_header(ssl_tlv(tlv(0x21, b"TLSv1.3"), tlv(0x28, der_of(pair)))))
        client.open("/ws/all")
        assert_all_of(pair, webhook.wait("connect", client="all")[0])


def test_without_a_rule_nothing_is_believed(serve, webhook, pair):
    """And what a trusted proxy sends is passed on as it was."""
    gateway = serve()
    with gateway.connect().open("/ws/CP-1", extra=fields_of("client-cert", pair)):
        [event] = webhook.wait("connect")
        assert said(event) == {}
        assert b"Client-Cert: :" in event.body
    with gateway.connect() as client:
        client.send(proxy_header(ssl_tlv(tlv(0x21, b"TLSv1.3"), tlv(0x22, b"CP-1"))))
        client.open("/ws/CP-2")
        assert said(webhook.wait("connect", client="CP-2")[0]) == {}


def test_nobody_else_is_believed(serve, webhook, pair):
    """What others claim does not even reach the back end, where somebody might believe it."""
    gateway = serve("client-cert", trusted="192.0.2.1")
    forged = fields_of("client-cert", pair) + fields_of("x-ssl-client-cert", pair) \
        + ("X-Forwarded-Client-Cert: Hash=x", "X-SSL-Client-CN: CP-1", "X-Forwarded-Proto: https")
    with gateway.connect().open("/ws/CP-1", extra=("X-First: 1", *forged, "X-Last: 2")):
        [event] = webhook.wait("connect")
        assert said(event) == {}
        lines = event.body.decode().split("\r\n")
        assert [line for line in lines if "lient-C" in line or "SSL" in line] == []
        assert lines[0] == "GET /ws/CP-1 HTTP/1.1" and lines[-2:] == ["", ""]
        assert {"X-First: 1", "X-Last: 2", "X-Forwarded-Proto: https"} <= set(lines)


def test_a_client_behind_an_honest_proxy_claims_nothing(serve, webhook, pair):
    """The proxy has said by the PROXY protocol whom it speaks for: the fields are the client's own."""
    gateway = serve("client-cert")
    with gateway.connect() as client:
        client.send(proxy_header())
        client.open("/ws/CP-1", extra=fields_of("client-cert", pair))
        assert said(webhook.wait("connect")[0]) == {}


@pytest.mark.parametrize("rule", ["none", "client-cert", "proxy"])
def test_what_it_claims_does_not_reach_the_back_end(serve, webhook, pair, rule):
    gateway = serve(rule)
    with gateway.connect() as client:
        client.send(proxy_header())
        client.open("/ws/CP-1", extra=("X-First: 1", *fields_of("client-cert", pair), "X-SSL-Client-CN: CP-1"))
        [event] = webhook.wait("connect")
        lines = event.body.decode().split("\r\n")
        assert [line for line in lines if "lient-C" in line or "SSL" in line] == []
        assert "X-First: 1" in lines


@pytest.mark.parametrize("rule, fields, what", [
    ("client-cert", ("Client-Cert: :MAMBAgM=:",), "not X.509"),
    ("client-cert", ("Client-Cert: MAMBAgM=",), "RFC 9440"),
    ("client-cert", ("Client-Cert: :MAMBAgM=:", "Client-Cert: :MAMBAgM=:"), "more than once"),
    ("x-ssl-client-cert", ("X-SSL-Client-Cert: MAMBAgM=",), "X-SSL-Client-Verify"),
    ("x-forwarded-client-cert", ("X-Forwarded-Client-Cert: CP-1",), "X-Forwarded-Client-Cert"),
])
def test_what_cannot_be_read_is_refused(serve, webhook, rule, fields, what):
    """A proxy that tells rubbish is set up wrongly, and whoever looks at it should know why."""
    gateway = serve(rule)
    with gateway.connect() as client:
        response = client.handshake("/ws/CP-1", extra=fields)
        assert response.status == 400
        assert what in json.loads(response.body)["detail"]
    assert webhook.events == []


@pytest.mark.parametrize("tlvs, what", [
    (ssl_tlv(tlv(0x22, b"a"), tlv(0x22, b"b")), "twice"),
    (tlv(0x20, b"\1"), "less than 5 bytes"),
    (ssl_tlv(tlv(0x28, b"0\x03\x01\x02\x03")), "a certificate that is none"),
    (tlv(3, b"abcd"), "checksum (CRC32c)"),
])
def test_a_proxy_header_that_cannot_be_read_is_refused(serve, tlvs, what):
    gateway = serve("proxy")
    with gateway.connect() as client:
        client.send(proxy_header(tlvs) + wsraw.request("/ws/CP-1"))
        response = client.read_response()
        assert response.status == 400
        assert what in json.loads(response.body)["detail"]


# --- as a proof ---


@pytest.fixture
def prove(gateway):
    """prove(profile, rule, auth) runs a gateway behind a proxy, which is the test; with the back end echo."""
    def run(profile: int | str, rule: str, auth: list):
        return gateway(
            server={"trusted_proxies": ["127.0.0.1"], "client_certificate_header": rule},
            routes=[{"path": "/ocpp/{client_id}", "preset": "ocpp", "security_profile": profile, "auth": auth}])
    return run


def answer_to(gateway, target: str, *extra: str, before: bytes = b"") -> tuple[int, str | None]:
    with gateway.connect() as client:
        client.send(before)
        response = client.handshake(target, extra=("Sec-WebSocket-Protocol: ocpp1.6", *extra))
        return response.status, json.loads(response.body).get("reason") if response.body else None


def test_a_proxys_word_is_a_proof(prove, pair):
    """Of profile 3, with nothing less."""
    gateway = prove(3, "client-cert", [{"type": "certificate"}])
    shown = fields_of("client-cert", pair)
    assert answer_to(gateway, "/ocpp/CP-1", *shown) == (101, None)
    assert answer_to(gateway, "/ocpp/CP-2", *shown) == (403, "other_client_id")
    assert answer_to(gateway, "/ocpp/CP-1", "X-Forwarded-Proto: https") == (403, "client_certificate_required")
    assert answer_to(gateway, "/ocpp/CP-1") == (403, "tls_required")
    assert answer_to(gateway, "/ocpp/CP-1", *fields_of("x-ssl-client-cert", pair)) == (403, "tls_required")
    assert answer_to(gateway, "/ocpp/CP-1", *shown, before=proxy_header()) == (403, "tls_required")
    assert gateway.metric("auth_total", way="certificate", outcome="proved") == 1
    assert gateway.metric("auth_total", way="certificate", outcome="forbidden") == 1


def test_a_proxy_headers_word_is_a_proof(prove):
    gateway = prove(3, "proxy", [{"type": "certificate"}])
    good = proxy_header(ssl_tlv(tlv(0x22, b"CP-1")))
    assert answer_to(gateway, "/ocpp/CP-1", before=good) == (101, None)
    assert answer_to(gateway, "/ocpp/CP-2", before=good) == (403, "other_client_id")
    assert answer_to(gateway, "/ocpp/CP-1", before=proxy_header(ssl_tlv(tlv(0x22, b"CP-1"), verify=1))) \
        == (403, "client_certificate_required")


def test_tls_of_a_proxy_is_enough_for_a_password(prove, tmp_path):
    """Of profile 2."""
    users = tmp_path / "users"
    users.write_text("CP-1:" + "0f" * 16 + "\n")
    users.chmod(0o600)
    gateway = prove(2, "none", [{"type": "basic", "users_file": users}])
    password = "Authorization: Basic " + base64.b64encode(b"CP-1:" + b"\x0f" * 16).decode()
    assert answer_to(gateway, "/ocpp/CP-1", password, "X-Forwarded-Proto: https") == (101, None)
    assert answer_to(gateway, "/ocpp/CP-1", password) == (403, "tls_required")
    assert answer_to(gateway, "/ocpp/CP-1", password, "X-Forwarded-Proto: http") == (403, "tls_required")
    assert answer_to(gateway, "/ocpp/CP-1", password, "X-Forwarded-Proto: http, https") == (403, "tls_required")
    assert answer_to(gateway, "/ocpp/CP-1", password, "X-Forwarded-Proto: https", before=proxy_header()) \
        == (403, "tls_required"), "the client's own word"
    logged = gateway.wait_log("client not let in: no good proof")
    assert (logged["event"], logged["reason"], logged["client_id"]) == ("security", "tls_required", "CP-1")
    assert "Basic" not in gateway.log


@pytest.mark.parametrize("rule", ["none", "client-cert"])
def test_the_tls_of_a_proxy_is_nobodys_proof(gateway, authority, tmp_path, rule):
    """Whatever a client makes it write of where it comes from, and if it writes nothing."""
    ours, users = authority.sign("gateway"), tmp_path / "users"
    users.write_text("CP-1:" + "0f" * 16 + "\n")
    users.chmod(0o600)
    auth = {2: {"type": "basic", "users_file": users}, 3: {"type": "certificate"}}
    tls = {"certificates": [ours.files], "client_ca_file": authority.cert, "client_certificate": "optional"}
    running = gateway(
        server={"listeners": [{"address": "127.0.0.1:0", "tls": tls}], "trusted_proxies": ["127.0.0.1"],
                "client_certificate_header": rule},
        tls=tlsraw.client_context(authority.cert, pair=authority.sign("CP-1")),
        routes=[{"path": f"/{profile}/{{client_id}}", "preset": "ocpp", "security_profile": profile,
                 "auth": [auth[profile]]} for profile in auth])
    password = "Authorization: Basic " + base64.b64encode(b"CP-1:" + b"\x0f" * 16).decode()
    for extra in ((), ("X-Forwarded-For: 192.0.2.1",), ("X-Forwarded-For: 127.0.0.1",), ("X-Forwarded-For: unknown",),
                  ("Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.7")):
        assert answer_to(running, "/3/CP-1", *extra) == (403, "tls_required"), extra
        assert answer_to(running, "/2/CP-1", password, *extra) == (403, "tls_required"), extra
    assert answer_to(running, "/2/CP-1", password, "X-Forwarded-Proto: https") == (101, None)
