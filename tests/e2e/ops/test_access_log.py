# SPDX-License-Identifier: Apache-2.0
"""The access log: a line for each connection that ends, and for each handshake that is refused; and what a file that is
moved, full or nobody's does to it."""

import base64
import contextlib
import json
import os
import time

import pytest
import yaml

from kit import api, wsraw
from kit.backends import Answer, Webhook
from kit.gateway import log_fields, run_binary
from kit.reload import Changing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def serve(gateway, tmp_path):
    """serve(file, **keys of log): its lines go to the file, or with None where the others go."""
    def run(file, *, routes=None, backends=None, server=None, **log):
        options = {"access": "true", "access_file": file or "", "access_rate": 0} | log
        return gateway(
            server={"close_timeout": "200ms"} | (server or {}), backends=backends,
            routes=routes or [{"path": "/ws/{client_id}", "backend": "echo"}],
            arguments=tuple(word for key, value in options.items()
                            for word in (f"--log-{key.replace('_', '-')}", str(value))))
    return run


def lines(file, count: int) -> list[dict]:
    def look():
        found = [log_fields(line) for line in file.read_text().splitlines() if line] if file.exists() else []
        return found if len(found) >= count else None
    found = wsraw.wait_until(look, f"{count} lines in {file}")
    assert len(found) == count, found
    return found


@pytest.mark.tsan
def test_a_line_when_a_connection_ends(serve, tmp_path):
    file = tmp_path / "access.log"
    running = serve(file)
    client = running.connect()
    assert client.handshake("/ws/caf%C3%A9?token=secret", extra=(
        f"traceparent: {PARENT}", "User-Agent: probe/1 \"x\"")).status == 101
    number = api.Api(running.admin).inspect("café")["connection_id"]
    client.echo(b"12345")
    client.echo(b"x" * 1000)
    client.send_frame(wsraw.CLOSE, b"\x0f\xa1")  # 4001
    client.read_close()
    line, = lines(file, 1)
    assert line.items() >= {
        "msg": "access", "connection_id": str(number), "route": "ws", "client_id": "café", "status": "101",
        "remote": "%s:%d" % client.sock.getsockname()[:2], "trace_id": PARENT.split("-")[1],
        "reason": "client_closed", "code": "4001", "messages_received": "2", "messages_sent": "2",
        "path": "/ws/caf%C3%A9", "tls": "-", "user_agent": 'probe/1 "x"'}.items()
    assert 1000 < int(line["sent_bytes"]) < 1100 and int(line["received_bytes"]) > int(line["sent_bytes"])
    assert int(line["duration_ms"]) < 60000
    assert "secret" not in file.read_text() + running.log
    running.wait_metric("access_log_lines_total", 1)


def test_how_each_ends(serve, tmp_path):
    file = tmp_path / "access.log"
    hook = Webhook(lambda event: Answer(403) if event.client == "no" and event.type == "connect" else None)
    running = serve(file, routes=[{"path": "/ws/{client_id}", "name": "ws", "backend": "echo"},
                                  {"path": "/hook/{client_id}", "name": "hook", "backend": "hook"}],
                    backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
    first = running.open("/ws/a")
    with running.open("/ws/a"):
        first.read_close()  # taken over
        first.close()
        assert api.Api(running.admin).close("a", {"code": 4444, "reason": "x"})
    with running.connect() as client:
        assert client.handshake("/hook/no", extra=("User-Agent: " + "u" * 200,)).status == 403
    with running.connect() as client:
        assert client.handshake("/nowhere").status == 404
    with running.open("/ws/rude") as client:
        client.send(b"\xff\xff")
        client.read_close()
    assert running.get("/health", admin=False).status == 200  # no line
    running.stop()
    hook.close()
    seen = sorted((line["client_id"], line["status"], line["reason"], line.get("code"), line["path"])
                  for line in lines(file, 5))
    assert seen == [("-", "404", "no_such_route", None, "/nowhere"), ("a", "101", "requested", "4444", "/ws/a"),
                    ("a", "101", "taken_over", "4001", "/ws/a"), ("no", "403", "backend_refused", None, "/hook/no"),
                    ("rude", "101", "protocol_error", "1002", "/ws/rude")], seen
    assert max(len(line["user_agent"].encode()) for line in lines(file, 5)) == 128


def test_who_is_refused_at_the_last_moment_has_one_line(serve, tmp_path):
    file = tmp_path / "access.log"
    hook = Webhook(lambda event: Answer(200, headers={"Gatehouse-Groups": event.client}) if event.type == "connect" else None)
    running = serve(file, server={"max_groups": 1}, routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                    backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
    with running.open("/ws/one"):
        with running.connect() as client:
            assert client.handshake("/ws/two").status == 503
    running.stop()
    hook.close()
    refused, ended = lines(file, 2)
    assert refused.items() >= {"client_id": "two", "status": "503", "reason": "max_groups"}.items()
    assert ended.items() >= {"client_id": "one", "status": "101"}.items()


def test_who_is_refused_before_he_is_anybody_has_the_id_of_his_path(serve, tmp_path):
    file, users = tmp_path / "access.log", tmp_path / "users"
    users.write_text("a:plain:b\n")
    users.chmod(0o600)
    running = serve(file, routes=[{"path": "/ws/{client_id}", "origins": "same", "subprotocols": ["x"]},
                                  {"path": "/proof/{client_id}", "auth": [{"type": "basic", "users_file": str(users)}]}])
    api.Api(running.admin).post("/blocks", b'{"route": "ws", "client_id": "bad", "for": "1m"}', type="application/json")
    for target, status, extra in (("/ws/bad", 403, ()), ("/ws/page", 403, ("Origin: http://evil.test",)), ("/ws/dumb", 400, ()),
                                  ("/proof/a", 401, ())):
        with running.connect() as client:
            assert client.handshake(target, extra=extra).status == status
    assert [(line["client_id"], line["status"], line["reason"]) for line in lines(file, 4)] == \
        [("bad", "403", "blocked"), ("page", "403", "origin_foreign"), ("dumb", "400", "subprotocol"), ("a", "401", "no_proof")]


def test_every_refusal_says_why(serve, tmp_path):
    file, users = tmp_path / "access.log", tmp_path / "users"
    users.write_text("a:plain:secret\n")
    users.chmod(0o600)
    hook = Webhook(lambda event: Answer({"five": 500, "four": 404}.get(event.client, 200),
                                        headers={"Gatehouse-Client-Id": "%"} if event.client == "bad" else {}))
    gone = Webhook(None)
    gone.close()
    running = serve(file, routes=[
        {"path": "/old/{client_id}", "takeover": "oldest"},
        {"path": "/proof/{client_id}", "auth": [{"type": "basic", "users_file": str(users)}], "subprotocols": ["x"]},
        {"path": "/hook/{client_id}", "backend": "hook"}, {"path": "/down/{client_id}", "backend": "down"}],
        backends=[{"name": "hook", "type": "webhook", "url": hook.url}, {"name": "down", "type": "webhook", "url": gone.url}])
    known = ("Authorization: Basic " + base64.b64encode(b"a:secret").decode(),)
    rows = [("/old/a", (), 409, "a", "conflict"), ("/old/%", (), 400, "-", "client_id"), ("/none", (), 404, "-", "no_such_route"),
            ("/proof/a", known, 400, "a", "subprotocol"),  # when its password has been looked at, in another thread
            ("/hook/four", (), 404, "four", "backend_refused"), ("/hook/five", (), 500, "five", "backend_failed"),
            ("/hook/bad", (), 502, "bad", "backend_failed"), ("/down/a", (), 503, "a", "backend_down")]
    with running.open("/old/a"):
        for target, extra, status, _, reason in rows:
            with running.connect() as client:
                response = client.handshake(target, extra=extra)
                assert response.status == status, (target, response)
                if target not in ("/hook/four", "/hook/five"):  # their answers are the back end's own
                    assert json.loads(response.body)["reason"] == reason, (target, response)
        for text, status, reason in ((b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n", 404, "no_such_path"),
                                     (b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method"),
                                     (b"GET /old/b HTTP/1.1\r\nHost: x\r\n\r\n", 426, "upgrade_required"),
                                     (b"GET / HTTP/2.0\r\n\r\n", 505, "bad_request"),
                                     (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n", 400, "trusted_proxies")):
            with running.connect() as client:
                client.send(text)
                assert client.read_response().status == status
                rows.append((None, None, status, "-", reason))
    running.stop()
    hook.close()
    assert [(int(line["status"]), line["client_id"], line["reason"]) for line in lines(file, len(rows) + 1)][:-1] == \
        [(status, client_id, reason) for _, _, status, client_id, reason in rows]


def test_with_the_other_lines_as_json(serve):
    running = serve(None, format="json")
    running.open("/ws/a").close()
    line = running.wait_log("access")
    assert line["client_id"] == "a" and line["reason"] in ("client_gone", "connection_lost")
    assert json.loads(next(line for line in running.log.splitlines() if '"access"' in line))["duration_ms"] >= 0


def test_a_file_that_is_moved_is_made_anew(serve, tmp_path):
    file, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    running = serve(file)
    running.open("/ws/a").close()
    lines(file, 1)
    file.rename(moved)

    def comes_back() -> bool:
        running.open("/ws/b").close()
        return file.exists()

    wsraw.wait_until(comes_back, "a new file")
    running.stop()
    everybody = moved.read_text() + file.read_text()
    assert everybody.count("\n") == running_lines(everybody) and "client_id=b" in file.read_text()


def running_lines(text: str) -> int:
    return sum(line.startswith("time=") and " msg=access " in line for line in text.splitlines())


def test_a_full_disk_drops_lines_and_nothing_else(serve):
    running = serve("/dev/full")
    for number in range(50):
        with running.open(f"/ws/{number}") as client:
            client.echo(b"x")
    running.wait_metric("access_log_dropped_total", 50, reason="disk")
    assert running.metric("access_log_lines_total") == 0
    assert "No space left" in running.wait_log(
        "the access log cannot be written; its lines are dropped and counted, or go on in the file that was moved, "
        "and nothing else waits for it")["error"]


def test_a_pipe_that_nobody_reads(serve, tmp_path):
    """Ten thousand lines are more than it holds; the rest is dropped, and who comes is served."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    running = serve(fifo)
    for number in range(600):
        with running.connect() as client:
            assert client.handshake("/nowhere/" + "x" * 100).status == 404
    wsraw.wait_until(lambda: running.metric("access_log_dropped_total", reason="disk") > 0, "lines are dropped")
    with running.open("/ws/a") as client:
        client.echo(b"x")
    os.close(reader)


def test_a_storm_has_a_bound(serve, tmp_path):
    file, count, rate = tmp_path / "access.log", 100, 5
    running = serve(file, access_rate=rate)
    began = time.monotonic()
    for _ in range(count):
        with running.connect() as client:
            assert client.handshake("/nowhere").status == 404
    seconds = int(time.monotonic() - began) + 2  # of the clock, the first and the last in part
    wsraw.wait_until(lambda: running.metric("access_log_dropped_total", reason="rate") +
                     running.metric("access_log_lines_total") == count, "all are counted")
    dropped = running.metric("access_log_dropped_total", reason="rate")
    running.stop()
    assert rate <= len(file.read_text().splitlines()) == count - dropped <= rate * seconds


def test_it_is_turned_on_and_off_by_a_reload(gateway, tmp_path):
    file, other = tmp_path / "access.log", tmp_path / "other.log"
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "echo"}])
    changing = Changing(running, yaml.safe_load(running.config_file.read_text()))
    with contextlib.closing(running.open("/ws/before")):
        assert not changing.try_with("log", access="true", access_file=str(file))["mistake"]
    assert lines(file, 1)[0].items() >= {"client_id": "before", "path": "-", "user_agent": "-"}.items()
    running.wait_metric("access_log_lines_total", 1)
    assert not changing.try_with("log", access_file=str(other))["mistake"]
    assert running.metric("access_log_lines_total") == 1  # of the file before
    running.open("/ws/b").close()
    lines(other, 1)
    assert changing.try_with("log", access_file="/nowhere/x")["mistake"]
    assert not changing.try_with("log", access="false")["mistake"]
    running.open("/ws/c").close()
    running.wait_metric("connections", 0)
    running.stop()
    lines(other, 1)


def test_a_file_that_cannot_be_is_told(tmp_path):
    file = tmp_path / "application.yaml"
    file.write_text("log:\n  access: true\n  access_file: /nowhere/access.log\n")
    checked = run_binary("check", "-c", file)
    assert checked.returncode != 0
    assert f"{file}:3:16: log.access_file: /nowhere/access.log cannot be written: No such file or directory" in \
        checked.stdout + checked.stderr


def test_who_checks_makes_no_file(tmp_path):
    """It would be that of whoever checks, as a rule root."""
    file, log = tmp_path / "application.yaml", tmp_path / "access.log"
    file.write_text(f"log:\n  access: true\n  access_file: {log}\n")
    assert run_binary("check", "-c", file).returncode == 0
    assert not log.exists()
