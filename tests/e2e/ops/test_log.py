# SPDX-License-Identifier: Apache-2.0
"""The log gives back what was put in, and nothing in it can forge a line or drive a terminal."""

import contextlib
import urllib.parse

import pytest

from kit import api, wsraw
from kit.backends import Answer, Webhook
from kit.gateway import log_fields

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


# --- whose line is it? ---

IDENTITY = ("connection_id", "route", "client_id", "remote")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = PARENT.split("-")[1]


def of_connections(gateway) -> list[dict]:
    """All lines that are told of a connection."""
    lines = (log_fields(line) for line in gateway.log.splitlines())
    return [line for line in lines if "remote" in line or "client_id" in line]


def check_identity(line: dict, remote: str, client_id: str, route: str) -> None:
    assert [line.get(key) for key in ("route", "client_id", "remote", "trace_id")] == \
        [route, client_id, remote, TRACE_ID], line
    assert line["connection_id"].isdigit()


def test_every_line_of_a_connection_has_the_same_ids(gateway):
    """A client that is accepted, refused for its proof, refused by its back end, reads slowly, breaks the rules, closes,
    and is taken over: whatever the log has of it is found by any of its ids."""
    hook = Webhook(lambda event: Answer(503) if event.client == "down" and event.type == "connect" else
                   Answer(400) if event.type == "message" and event.body == b"no" else None)
    running = gateway(
        env={"GATEHOUSE_LOG_LEVEL": "debug"}, server={"send_queue_max": "4KiB", "send_timeout": "100ms", "close_timeout": "200ms"},
        routes=[{"path": "/echo/{client_id}", "name": "echo", "backend": "echo"},
                {"path": "/hook/{client_id}", "name": "hook", "backend": "hook"},
                {"path": "/one/{client_id}", "name": "one", "backend": "echo", "takeover": "oldest"},
                {"path": "/proof/{client_id}", "name": "proof", "backend": "echo",
                 "auth": [{"type": "ticket"}]}],
        backends=[{"name": "hook", "type": "webhook", "url": hook.url, "retries": 0}])
    who, there = {}, []

    def come(client_id: str, route: str, **options):
        client = running.connect(**options)
        there.append(client)
        who["%s:%d" % client.sock.getsockname()[:2]] = (client_id, route)
        return client, client.handshake(f"/{route}/{client_id}", extra=(f"traceparent: {PARENT}",)).status

    assert come("a", "echo")[1] == 101
    assert come("a", "echo")[1] == 101  # taken over
    there[0].read_close()
    there[0].close()
    running.wait_metric("connections_closed_total", 1, reason="taken_over")
    assert come("b", "one")[1] == 101 and come("b", "one")[1] == 409
    assert come("c", "proof")[1] in (401, 403)
    assert come("down", "hook")[1] == 503
    refused, _ = come("d", "hook")
    refused.send_frame(wsraw.TEXT, b"no")
    running.wait_log("an event was refused")
    slow, _ = come("slow", "echo", receive_buffer=1024)
    with contextlib.suppress(OSError):
        for _ in range(2000):
            slow.send_frame(wsraw.BINARY, b"x" * 60000)
    running.wait_metric("connections_closed_total", 1, reason="slow_reader")
    rude, _ = come("rude", "echo")
    rude.send(b"\xff\xff")
    running.wait_metric("connections_closed_total", 1, reason="protocol_error")
    closing, _ = come("e", "echo")
    assert api.Api(running.admin).close("e", route="echo")
    closing.read_close()
    running.wait_metric("connections_closed_total", 1, reason="requested")
    running.stop()
    hook.close()
    seen = of_connections(running)
    for line in seen:
        if line["msg"] != "the API closes a client":
            check_identity(line, line["remote"], *who[line["remote"]])
    assert {line["msg"] for line in seen} >= {
        "connection opened", "connection closed", "client is connected already", "client not let in: no good proof",
        "an event was refused", "bad frame", "the API closes a client"}
    assert len({line["connection_id"] for line in seen if line["msg"] == "connection closed"}) == \
        len([line for line in seen if line["msg"] == "connection closed"])


def test_the_number_is_that_of_the_api(gateway):
    running = gateway(env={"GATEHOUSE_LOG_LEVEL": "debug", "GATEHOUSE_LOG_FORMAT": "json"})
    with running.open("/ws/a"):
        number = api.Api(running.admin).inspect("a")["connection_id"]
        assert running.wait_log("connection opened")["connection_id"] == str(number)
        assert "trace_id" not in running.logged("connection opened")[0]
