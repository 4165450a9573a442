# SPDX-License-Identifier: Apache-2.0
"""The security profiles of OCPP, with charge points that others wrote: each lets in by its own, and by
nothing less."""

import base64
import json
import ssl

import pytest

from kit import backends, tlsraw, wsraw
from kit.certificates import Authority
from kit.chargers import PROGRAMS
from kit.gateway import address_of

KEY, OLD_KEY = "00" + "a1b2c3d4" * 4 + "ffff", "0f" * 16  # octets, of which some are no text
BOOT = {"chargePointVendor": "Gatehouse", "chargePointModel": "test"}
BOOTED = {"currentTime": "2026-11-24T00:00:00.000Z", "interval": 300, "status": "Accepted"}
# Of the white paper of OCPP 1.6, and how OpenSSL calls them.
SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}


@pytest.fixture(scope="module")
def operator(tmp_path_factory) -> Authority:
    """That signs for the chargers; none of them is trusted for the gateway."""
    return Authority(tmp_path_factory.mktemp("operator"), "operator")


@pytest.fixture
def csms():
    def answer(event):
        if event.type != "message":
            return None
        return backends.Answer(200, json.dumps([3, json.loads(event.body)[1], BOOTED]).encode(),
                               {"Content-Type": "application/json"})
    running = backends.Webhook(answer)
    yield running
    running.close()


class Station:
    """A gateway with a route of one profile, on a port with TLS and on one without."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.tls, self.plain = (address_of(one["address"]) for one in gateway.logged("listening"))

    def url(self, profile: int) -> str:
        if profile == 1:
            return f"ws://127.0.0.1:{self.plain[1]}/ocpp"
        return f"wss://localhost:{self.tls[1]}/ocpp"

    def connect(self, context: ssl.SSLContext | None) -> wsraw.Client:
        return wsraw.Client(self.tls if context else self.plain, tls=context)


@pytest.fixture
def station(gateway, csms, operator, pair, authority, tmp_path):
    """station(profile, **keys of the route)"""
    rsa = authority.sign("gateway-rsa", kind="rsa")
    users = tmp_path / "chargers"
    users.write_text(f"CP 1:{KEY}\nCP 1:{OLD_KEY}\nCP2:{KEY}\n")
    users.chmod(0o600)
    running = []

    def run(profile: int, **route) -> Station:
        tls = {"certificates": [pair.files, rsa.files], "client_ca_file": operator.cert,
               "client_certificate": "optional"}
        if profile < 3:
            route.setdefault("auth", [{"type": "basic", "users_file": users}])
        running.append(gateway(
            server={"listeners": [{"address": "127.0.0.1:0", "tls": tls}, {"address": "127.0.0.1:0"}]},
            routes=[{"path": "/ocpp/{client_id}", "preset": "ocpp", "security_profile": profile,
                     "backend": "csms"} | route],
            backends=[{"name": "csms", "type": "webhook", "url": csms.url}]))
        return Station(running[-1])

    yield run
    for one in running:
        one.stop()


def basic(user: str, key: str) -> str:
    return "Authorization: Basic " + base64.b64encode(user.encode() + b":" + bytes.fromhex(key)).decode()


def reason(response: wsraw.Response) -> tuple[int, str]:
    return response.status, json.loads(response.body)["reason"]


def handshake(client: wsraw.Client, target: str, *extra: str) -> wsraw.Response:
    with client:
        return client.handshake(target, extra=("Sec-WebSocket-Protocol: ocpp1.6", *extra))


@pytest.mark.parametrize("library", PROGRAMS)
@pytest.mark.parametrize("profile", [1, 2, 3])
def test_a_charger_of_others_on_each_profile(station, charger, csms, operator, authority, profile, library):
    running = station(profile)
    options = {"profile": profile}
    if profile < 3:
        options["password"] = KEY
    else:
        own = operator.sign("CP 1")
        options |= {"cert": own.cert, "key": own.key}
    if profile > 1:
        options["ca"] = authority.cert
    cp = charger(running.url(profile), "CP 1", "ocpp1.6", library, **options)
    cp.expect("open", "ocpp1.6", seconds=2 * wsraw.SECONDS)  # node starts first
    cp.call("BootNotification", BOOT)
    cp.expect("answer", BOOTED)
    [connect] = csms.of("connect")
    assert (connect.headers.get("ce-tls") is None) == (profile == 1)
    assert connect.headers.get("ce-peercertcn") == ("CP%201" if profile == 3 else None)
    way = "certificate" if profile == 3 else "basic"
    assert connect.headers["ce-authway"] == way
    assert running.gateway.metric("auth_total", way=way, outcome="proved") == 1
    cp.finish()


@pytest.mark.parametrize("profile", [1, 2])
def test_old_and_new_key_are_good_at_once_and_no_other(station, authority, profile):
    running = station(profile)
    context = tlsraw.client_context(authority.cert) if profile == 2 else None
    for key in (KEY, OLD_KEY):
        assert handshake(running.connect(context), "/ocpp/CP%201", basic("CP 1", key)).status == 101
    for target, extra, want in [
        ("/ocpp/CP%201", (), (401, "no_proof")),
        ("/ocpp/CP%201", (basic("CP 1", "ab" * 16),), (401, "wrong_credentials")),
        ("/ocpp/CP%201", (basic("CP2", KEY),), (403, "other_client_id")),
    ]:
        assert reason(handshake(running.connect(context), target, *extra)) == want


@pytest.mark.parametrize("profile", [2, 3])
def test_there_is_no_way_down_to_a_plain_connection(station, csms, profile):
    running = station(profile)
    response = handshake(running.connect(None), "/ocpp/CP%201", basic("CP 1", KEY),
                         "X-Forwarded-Proto: https", "X-SSL-Client-CN: CP 1", "X-SSL-Client-Verify: SUCCESS")
    assert reason(response) == (403, "tls_required")
    assert f"security profile {profile}" in json.loads(response.body)["detail"]
    logged = running.gateway.wait_log("client not let in: no good proof")
    assert (logged["event"], logged["reason"], logged["client_id"]) == ("security", "tls_required", "CP 1")
    assert csms.events == []


def test_there_is_no_way_down_to_a_password(station, csms, authority):
    running = station(3)
    response = handshake(running.connect(tlsraw.client_context(authority.cert)), "/ocpp/CP%201",
                         basic("CP 1", KEY))
    assert reason(response) == (403, "client_certificate_required")
    assert running.gateway.wait_log("client not let in: no good proof")["event"] == "security"
    assert csms.events == []


def test_a_certificate_is_good_for_its_own_name(station, operator, authority):
    running = station(3)
    context = tlsraw.client_context(authority.cert, pair=operator.sign("CP 1"))
    assert handshake(running.connect(context), "/ocpp/CP%201").status == 101
    assert reason(handshake(running.connect(context), "/ocpp/CP%202")) == (403, "other_client_id")
    assert running.gateway.metric("auth_total", way="certificate", outcome="forbidden") == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_strangers_certificate_is_none(station, tmp_path, operator, authority, version):
    running = station(3)
    for own in (Authority(tmp_path, "stranger").sign("CP 1"), operator.sign("CP 1", days=-1)):
        context = tlsraw.client_context(authority.cert, pair=own, maximum=version)
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            handshake(running.connect(context), "/ocpp/CP%201")
    assert running.gateway.metric("handshakes_rejected_total") == 0, "it did not come so far"


@pytest.mark.parametrize("identity, names, target", [
    ("san_dns", "DNS:other.example,DNS:cp-7.example", "cp-7.example"),
    ("san_uri", "URI:urn:cp:7", "urn:cp:7"),
])
def test_other_identities(station, operator, authority, identity, names, target):
    running = station(3, auth=[{"type": "certificate", "identity": identity}])
    context = tlsraw.client_context(authority.cert, pair=operator.sign("CP 1", names))
    assert handshake(running.connect(context), f"/ocpp/{target}").status == 101
    assert reason(handshake(running.connect(context), "/ocpp/CP%201"))[0] == 403


def test_a_map_is_read_again_when_it_changes(station, operator, authority, tmp_path):
    """So a charger gets a new certificate: both are in the map until the old one is not used any more."""
    mapped = tmp_path / "certificates"
    mapped.write_text("CN=old serial => CP 1\n")
    running = station(3, auth=[{"type": "certificate", "map_file": mapped}])
    old = tlsraw.client_context(authority.cert, pair=operator.sign("old serial"))
    new = tlsraw.client_context(authority.cert, pair=operator.sign("new serial"))
    assert handshake(running.connect(old), "/ocpp/CP%201").status == 101
    assert reason(handshake(running.connect(new), "/ocpp/CP%201")) == (403, "unknown_certificate")
    mapped.write_text("CN=old serial => CP 1\nCN=new serial => CP 1\n")
    wsraw.wait_until(lambda: handshake(running.connect(new), "/ocpp/CP%201").status == 101,
                     lambda: running.gateway.log)
    assert handshake(running.connect(old), "/ocpp/CP%201").status == 101
    mapped.write_text("rubbish\n")
    wsraw.wait_until(lambda: f"{mapped}:1: the line has no '=>'" in running.gateway.log,
                     lambda: running.gateway.log)
    assert handshake(running.connect(new), "/ocpp/CP%201").status == 101, "a mistake changes nothing"


@pytest.mark.parametrize("suite", SUITES)
def test_the_suites_of_the_white_paper(station, operator, authority, suite):
    running = station(3)
    context = tlsraw.client_context(authority.cert, pair=operator.sign("CP 1"), ciphers=SUITES[suite],
                                    maximum=ssl.TLSVersion.TLSv1_2)
    with running.connect(context) as client:
        assert client.sock.tls.cipher()[0] == SUITES[suite]
        client.open("/ocpp/CP%201", extra=("Sec-WebSocket-Protocol: ocpp1.6",))
        client.send_frame(wsraw.TEXT, json.dumps([2, "1", "BootNotification", BOOT]).encode())
        assert json.loads(client.read_message()[1]) == [3, "1", BOOTED]


def test_a_charger_without_a_subprotocol_is_told_1002(station, authority):
    """As OCPP-J asks: it is let in, and closed at once."""
    running = station(2)
    with running.connect(tlsraw.client_context(authority.cert)) as client:
        response = client.handshake("//ocpp//CP%201/", extra=(basic("CP 1", KEY),))
        assert response.status == 101
        assert "sec-websocket-protocol" not in response.headers
        assert client.read_close()[0] == 1002
