# SPDX-License-Identifier: Apache-2.0
"""What a connection is in the middle of goes on in the new process, and what has no place there is finished by the
old one."""

import base64
import http.client
import json
import time

import pytest

from kit import deflated, tokens, upgrades, wsraw
from kit.api import Api


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


def edit(running, old: str, new: str) -> None:
    text = running.config_file.read_text()
    assert old in text
    running.config_file.write_text(text.replace(old, new))


def test_client_of_a_route_that_is_gone(gateway):
    """The old process serves it as long as it may, and says goodbye; the others have moved."""
    running = gateway(server={"drain_timeout": "2s"},
                      routes=[{"path": "/ws/{client_id}", "name": "kept"}, {"path": "/old/{client_id}", "name": "gone"}])
    with running.open("/ws/a") as kept, running.open("/old/a") as gone:
        edit(running, "/old/{client_id}", "/other/{client_id}")
        edit(running, "name: gone", "name: other")
        said = upgrades.upgrade(running)
        assert (said["moved"], said["stayed"]) == (1, 1)
        gone.echo(b"served on")
        kept.echo(b"moved")
        assert gone.read_close()[0] == 1001
        assert upgrades.wait_former(running) == 0
        kept.echo(b"still there")
        assert running.metric("connections") == 1


def test_a_kept_connection_does_not_keep_whom_it_asks(gateway):
    """A scraper, or a program that blocks clients, would talk to the old process for as long as that has a client; what it
    changes there would be lost."""
    running = gateway(server={"drain_timeout": "60s"}, routes=[{"path": "/ws/{client_id}"}, {"path": "/old/{client_id}", "name": "gone"}])
    with running.open("/old/a"):
        edit(running, "/old/{client_id}", "/other/{client_id}")
        edit(running, "name: gone", "name: other")
        for address in (running.admin, running.address):
            kept = http.client.HTTPConnection(*address, timeout=wsraw.SECONDS)
            kept.request("GET", "/health")
            assert kept.getresponse().read() and kept.sock is not None
            if address == running.admin:
                admin = kept
        upgrades.upgrade(running)
        for connection in (admin, kept):
            assert connection.sock.recv(1) == b"", "it ends"
        assert running.former.poll() is None, "the old process has its client yet"
        assert Api(running.admin).post("/blocks", b'{"route": "ws", "client_id": "b", "for": "1m"}', type="application/json")
    assert upgrades.wait_former(running) == 0


def test_client_of_a_route_with_another_name(gateway):
    running = gateway(routes=[{"path": "/ws/{client_id}", "name": "before"}])
    with running.open("/ws/a") as client:
        edit(running, "name: before", "name: after")
        assert upgrades.upgrade(running)["moved"] == 1
        client.echo(b"moved")
    assert upgrades.wait_former(running) == 0


@pytest.mark.parametrize("kind", ["shared", "window"])
def test_compression_goes_on(gateway, kind):
    """What is said refers to what was said before, in another process; and a message may be cut."""
    running = gateway(routes=[{"path": "/ws/{client_id}", "compression": kind}])
    with deflated.Deflated(running.connect(), "/ws/a") as client:
        for number in range(3):
            client.echo(b"the same words again and again: %d" % number)
            cut = wsraw.frame(wsraw.BINARY, client.deflate(b"the same words, cut: %d" % number),
                              reserved=deflated.RSV1)
            client.client.send(cut[:len(cut) // 2])
            assert upgrades.upgrade(running)["moved"] == 1
            assert upgrades.wait_former(running) == 0
            client.client.send(cut[len(cut) // 2:])
            assert client.read()[:2] == (wsraw.BINARY, b"the same words, cut: %d" % number)
        assert running.metric("compression_connections") == 1
        assert running.metric("compression_windows") == (2 if kind == "window" else 0)


def test_an_upgrade_lets_nobody_in_faster(gateway):
    """What was used of accept_rate is used in the new process, too."""
    running = gateway(server={"accept_rate": 1, "accept_burst": 20})
    began = time.monotonic()

    def come() -> int:
        statuses = []
        while not statuses or statuses[-1] == 101:
            with running.connect() as client:
                statuses.append(client.handshake("/ws/a").status)
        assert statuses[-1] == 429
        return len(statuses) - 1

    accepted = come()
    assert accepted >= 20
    upgrades.upgrade(running)
    assert upgrades.wait_former(running) == 0
    accepted += come()
    assert accepted <= 20 + (time.monotonic() - began)


def test_an_upgrade_lets_nobody_guess_more(gateway, tmp_path):
    """Wrong proofs count on; who has proved who it is comes in all the while."""
    users = tmp_path / "users"
    users.write_text("a:plain:right\n")
    users.chmod(0o600)
    running = gateway(server={"auth_failures": 1},
                      routes=[{"path": "/ws/{client_id}", "auth": [{"type": "basic", "users_file": str(users)}]}])

    def shows(password: str, source: str) -> int:
        proof = base64.b64encode(f"a:{password}".encode()).decode()
        with running.connect(source=source) as client:
            return client.handshake("/ws/a", extra=(f"Authorization: Basic {proof}",)).status

    assert shows("right", "127.0.0.2") == 101
    assert [shows("wrong", "127.0.0.3") for _ in range(2)] == [401, 429]
    for paced in (1, 2):
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        assert running.metric("auth_total", outcome="paced") == paced
        assert shows("wrong", "127.0.0.3") == 429
        assert shows("right", "127.0.0.2") == 101


def test_a_proof_ends_when_it_ends(gateway, tmp_path):
    """It can be renewed in the new process, by the same client and by nobody else."""
    key = tokens.Key("ES256", "key")
    running = gateway(routes=[{"path": "/ws/{client_id}", "auth": [
        {"type": "token", "issuer": tokens.ISSUER, "audience": tokens.AUDIENCE, "renew_by_message": "true",
         "jwks_file": tokens.jwks_file(tmp_path, key)}]}])

    def renew(token: str) -> dict:
        client.send_frame(wsraw.TEXT, json.dumps({"gatehouse": "renew", "token": token}).encode())
        return json.loads(client.read_message()[1])

    with running.connect() as client:
        client.open("/ws/cp1", extra=(f"Authorization: Bearer {key.token(seconds=600)}",))
        client.echo(b"counted")
        before = Api(running.admin).inspect("cp1")
        assert upgrades.upgrade(running)["moved"] == 1
        assert upgrades.wait_former(running) == 0
        after = Api(running.admin).inspect("cp1")
        same = ("auth", "connection_id", "generation", "connected_at", "expires_at", "remote", "counters")
        assert [before.get(name) for name in same] == [after.get(name) for name in same]
        assert before["counters"]["messages_sent"] == 1
        assert after["rates"]["messages_received_per_second"] > 0
        assert renew(key.token("cp2", seconds=600)) == {"gatehouse": "not_renewed", "reason": "other_client"}
    with running.connect() as client:
        client.open("/ws/cp1", extra=(f"Authorization: Bearer {key.token(seconds=600)}",))
        assert upgrades.upgrade(running)["moved"] == 1
        assert upgrades.wait_former(running) == 0
        # Long enough for an upgrade on a busy machine to be over before it is.
        assert renew(key.token(seconds=8))["gatehouse"] == "renewed"
        assert upgrades.upgrade(running)["moved"] == 1
        assert client.read_close() == (4401, b"proof expired")
    assert upgrades.wait_former(running) == 0
