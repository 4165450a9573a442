# SPDX-License-Identifier: Apache-2.0
"""The log gives back what was put in, and nothing in it can forge a line or drive a terminal."""

import urllib.parse

import pytest

from kit import wsraw

IDS = ["M\u00fcller-7", "\u5145\u7535-1", "\U0001f50c", "a b", 'say "x" \\ y', "line\u2028end",
       "\u202eright to left", "\ufeffmark"]


@pytest.mark.parametrize("form", ["json", "logfmt"])
def test_client_ids_come_back_as_they_are(gateway, form):
    """Named after the fault: a JSON line decoded to another id than the API's."""
    running = gateway(env={"GATEHOUSE_LOG_LEVEL": "debug", "GATEHOUSE_LOG_FORMAT": form})
    for client_id in IDS:
        running.open("/ws/" + urllib.parse.quote(client_id, safe="")).close()
    running.wait_metric("connections_closed_total", len(IDS))
    wsraw.wait_until(lambda: running.log.count("connection closed") == len(IDS), "all are logged")
    raw = running.log_file.read_bytes().decode()
    seen = [line["client_id"] for line in running.logged("connection closed")]
    assert sorted(seen) == sorted(IDS)
    assert "M\u00fcller-7" in raw and "\u5145\u7535-1" in raw, "text is written as it is"
    assert not {"\u2028", "\u202e", "\ufeff"} & set(raw)


def test_bytes_that_are_no_text_are_shown(gateway):
    running = gateway(env={"GATEHOUSE_LOG_FORMAT": "json"})
    with running.connect() as client:
        client.send(wsraw.request("/nothing", extra=("User-Agent: a\u00ff\u0080b",)))
        assert client.read_response().status == 404
    assert running.wait_log("request rejected")["user_agent"] == "a\\xff\\x80b"


@pytest.mark.parametrize("client_id", ["%C2%80", "a%C2%85", "%C2%9Fb", "%00", "%1b", "%7f"])
def test_ids_have_no_control_characters(gateway, client_id):
    running = gateway()
    with running.connect() as client:
        answer = client.handshake("/ws/" + client_id)
        assert answer.status == 400
        assert b"control character" in answer.body
