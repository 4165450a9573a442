# SPDX-License-Identifier: Apache-2.0
"""Certificates are renewed again and again below clients that stay and clients that come."""

import os
import shutil
import subprocess

import pytest

from kit import tlsraw, wsraw
from kit.gateway import BINARY

PATIENCE = 5 * wsraw.SECONDS
RENEWALS, BROKEN = 20, 10  # so many, the one of this number with a key that is another's


def renewals(running, outcome: str) -> float:
    return running.metric("renewals_total", what="certificates", outcome=outcome)


def replace(source, target) -> None:
    shutil.copy(source, target.with_suffix(".next"))
    os.replace(target.with_suffix(".next"), target)


def name_shown(running) -> str:
    with running.connect() as client:
        subject = dict(field[0] for field in client.sock.tls.getpeercert()["subject"])
    return subject["commonName"]


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.rare)])
def test_twenty_renewals_drop_nobody(gateway, authority, tmp_path, count):
    pairs = [authority.sign(f"renewed-{number}") for number in range(RENEWALS + 1)]
    cert, key = tmp_path / "server.pem", tmp_path / "server.key"
    replace(pairs[0].cert, cert)
    replace(pairs[0].key, key)
    listener = {"address": "127.0.0.1:0", "tls": {"certificates": [{"cert_file": cert, "key_file": key}]}}
    running = gateway(server={"listeners": [listener], "max_connections": count + 100,
                              "handshake_timeout": "60s"},
                      routes=[{"path": "/ws/{client_id}", "backend": "echo"}],
                      tls=tlsraw.client_context(authority.cert))
    # Clients that come all the time, and go: some of them in the very moment.
    fleet, visitors = (subprocess.Popen(
        [BINARY, "bench", running.url(f"/ws/{name}-{{n}}"), "--ca", authority.cert, "--handshake-timeout", "60s",
         "--echo-timeout", "60s", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env=os.environ | {"NO_COLOR": "1"}) for name, options in (
            ("stays", ["-c", str(count), "--hold", "1h", "--message-rate", "0.2"]),
            ("comes", ["-c", "20", "--hold", "1h", "--lifetime", "500ms"])))
    try:
        wsraw.wait_until(lambda: running.metric("connections_accepted_total") >= count + 20, "the fleet", PATIENCE)
        good = 0
        for number in range(1, RENEWALS + 1):
            replace(pairs[number].cert, cert)
            if number == BROKEN:
                wsraw.wait_until(lambda: renewals(running, "failed") >= 1, "the broken one to be found")
                assert name_shown(running) == f"renewed-{number - 1}"
                reasons = running.health()["reasons"]
                assert len(reasons) == 1 and str(key) in reasons[0]
                continue
            replace(pairs[number].key, key)
            wsraw.wait_until(lambda: name_shown(running) == f"renewed-{number}", lambda: f"renewal {number}")
            good += 1
        assert renewals(running, "renewed") >= good
        received = running.metric("messages_received_total")
        wsraw.wait_until(lambda: running.metric("messages_received_total") > received + count / 10,
                         "the fleet goes on")
        assert not any(running.metrics("tls_failures_total", "cause").values()), running.metrics(
            "tls_failures_total", "cause")
    finally:
        for tester in (fleet, visitors):
            tester.terminate()
    said = [tester.communicate(timeout=PATIENCE)[0] for tester in (fleet, visitors)]
    assert f"Connected  {count:,} of {count:,}" in said[0] and " 0 dropped" in said[0], said[0]
    assert ", 0 failed" in said[0] and ", 0 failed" in said[1], "\n".join(said)
