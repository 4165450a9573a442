# SPDX-License-Identifier: Apache-2.0
"""What happens, told while it happens: GET /api/v1/stream. Each event is held against docs/openapi.yaml (kit/stream.py)."""

import json
import socket
import threading
import time

import pytest
import yaml

from kit import tlsraw, upgrades, wsraw
from kit.api import Api, quote
from kit.deflated import Deflated
from kit.gateway import assert_refusal
from kit.reload import Changing, reload, rewrite
from kit.stream import Stream

TOKEN = "3f0c-Right_token~"
CALL = b'[2,"7","Authorize",{"idTag":"04A2B3","id":7}]'
PLAIN = {"tail_bodies": "plain"}


def ask(running, query: str, *lines: str) -> tuple[wsraw.Response, dict]:
    client = wsraw.Client(running.admin)
    client.send("\r\n".join([f"GET /api/v1/stream?{query} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode())
    with client:
        answer = client.read_response()
        return answer, json.loads(answer.body)


# --- what it tells ---

@pytest.mark.tsan
def test_messages_of_one_client(gateway):
    """Both ways, from when it comes until it is gone; nothing of another, nothing that is secret."""
    running = gateway(server={"workers": 2})
    with Stream(running, "tail=ws/a%2Fb&body_bytes=30") as stream:
        assert stream.hello["tail"] == {"route": "ws", "client_id": "a/b", "sample": 50, "body_bytes": 30,
                                        "bodies": "redacted"}
        with running.open("/ws/other") as other, running.open("/ws/a%2Fb") as client:
            other.echo(b"not of him", wsraw.TEXT)
            client.echo(CALL, wsraw.TEXT)
            client.echo(b"\x00\xff")
            client.send_frame(wsraw.PING, b"beat")
            client.read_frame()
            client.send(wsraw.close_frame(4000, b"bye"))
            client.read_close()
        seen = stream.messages(10)
    assert {one["client_id"] for one in seen} == {"a/b"} and len({one["connection_id"] for one in seen}) == 1
    assert [(one["type"], one["direction"]) for one in seen] == [
        ("open", "in"), ("text", "in"), ("text", "out"), ("binary", "in"), ("binary", "out"), ("ping", "in"),
        ("pong", "out"), ("close", "in"), ("close", "out"), ("end", "in")]
    for one in seen[1:3]:
        assert one["bytes"] == len(CALL) and one["cut"] and one["redacted"]
        assert one["text"] == '[2,"7","Authorize",{"idTag":"***","id":7}]'[:30]
    assert [one["withheld"] for one in seen[3:5]] == ["binary", "binary"] and seen[3]["bytes"] == 2
    assert seen[7]["code"] == 4000 and seen[7]["reason"] == "bye"
    assert seen[9]["reason"] == "client_closed"


def test_the_longest_client_id(gateway):
    running = gateway()
    client_id = "é" * 127 + "x"
    with Stream(running, "tail=ws/" + quote(client_id)) as stream, running.open("/ws/" + quote(client_id)):
        assert stream.next("message")["client_id"] == client_id


def test_messages_of_a_route(gateway):
    """All its clients', and no others'; each copy of what is sent to many; no pings. Also of a route that comes later."""
    routes = [{"name": "one", "path": "/one/{client_id}"}, {"name": "two", "path": "/two/{client_id}"}]
    running = gateway(routes=routes)
    with Stream(running, "tail=one") as stream, running.open("/two/x") as two:
        two.echo(b'{"of": 2}', wsraw.TEXT)
        with running.open("/one/a") as a, running.open("/one/b") as b:
            a.send_frame(wsraw.PING)
            a.read_frame()
            assert Api(running.admin).ask("POST", "/broadcast?route=one", b'{"to": "all"}',
                                          headers={"Content-Type": "text/plain"}).status == 200
            for client in (a, b):
                assert client.read_message() == (wsraw.TEXT, b'{"to": "all"}')
            seen = stream.messages(4)
    assert [one["type"] for one in seen] == ["open", "open", "text", "text"]
    assert {one["client_id"] for one in seen[2:]} == {"a", "b"}
    assert {(one["text"], one["direction"]) for one in seen[2:]} == {('{"to": "all"}', "out")}


def test_what_is_no_json_is_not_shown(gateway):
    running = gateway()
    hostile = [b"password=hunter2", b'{"password": "hunter2"', b'\xef\xbb\xbf[1', b"[" * 65 + b"]" * 65,
               b'{"a": "' + b"x" * 66000 + b'"}', b""]
    with Stream(running, "tail=ws&sample=1000") as stream, running.open("/ws/a") as client:
        assert stream.next("message")["type"] == "open"
        for body in hostile:
            client.echo(body, wsraw.TEXT)
        for body in hostile:
            for one in stream.messages(2):
                assert one["bytes"] == len(body) and "text" not in one and not one["cut"]
                assert one["withheld"] == ("too_large" if len(body) > 65536 else "not_json")


@pytest.mark.parametrize("bodies", ["plain", "off"])
def test_all_or_nothing(gateway, bodies):
    running = gateway(admin={"tail_bodies": bodies})
    text = '\x00\x1b[31m"\u2028\u202e </script>é'.encode()
    with Stream(running, "tail=ws&body_bytes=4096") as stream, running.open("/ws/a") as client:
        assert stream.next("message")["type"] == "open"
        client.echo(text, wsraw.TEXT)
        client.echo(b"\x00\xfe")
        one, _, two, _ = stream.messages(4)
    if bodies == "plain":
        assert one["text"].encode() == text and two["base64"] == "AP4="
    else:
        assert one["withheld"] == two["withheld"] == "tail_bodies"
    assert one["bytes"] == len(text) and two["bytes"] == 2


def test_rules_of_the_configuration(gateway):
    running = gateway(admin={"tail_redact": ['"*phrase*"', "card"]})
    sent = '{"passPhrase": 1, "Card": {"no": 2}, "cards": 3, "\\u0063ard": [4], "card": "5"}'
    with Stream(running, "tail=ws") as stream, running.open("/ws/a") as client:
        assert stream.next("message")["type"] == "open"
        client.echo(sent.encode(), wsraw.TEXT)
        assert stream.next("message")["text"] == \
            '{"passPhrase": "***", "Card": "***", "cards": 3, "\\u0063ard": "***", "card": "***"}'


def test_a_compressed_message_is_shown_plain(gateway):
    running = gateway(routes=[{"name": "ws", "path": "/ws/{client_id}", "compression": "shared",
                               "compression_min_size": "1B"}])
    text = b'{"many": "' + b"a" * 500 + b'"}'
    with Stream(running, "tail=ws/z&body_bytes=4096") as stream, running.connect() as client:
        compressed = Deflated(client, "/ws/z")
        assert stream.next("message")["type"] == "open"
        assert compressed.echo(text, wsraw.TEXT, cuts=2) < 100
        for one in stream.messages(2):
            assert one["text"].encode() == text and one["bytes"] == len(text)


@pytest.mark.tsan
def test_the_log(gateway):
    """From a level on; no line of its own causes another."""
    running = gateway(server={"workers": 2})
    with Stream(running, "log=warn") as stream, Stream(running, "log=debug") as more:
        assert stream.hello["log"] == "warn" and more.hello["log"] == "info"  # that of the log
        asked = Api(running.admin)
        with running.open("/ws/a") as client:
            assert asked.ask("POST", "/clients/ws/a/close").status == 200
            client.read_close()
        lines = [more.next("log"), more.next("log")]
        assert {line["text"] for line in lines} == {"the API closes a client", "connection closed"}
        assert all(line["level"] == "info" and line["fields"]["client_id"] == "a" for line in lines)
        running.signal(1)  # the configuration is read again: that is told to each of them, or not
        assert more.next("log")["level"] == "info"
        assert running.metric("stream_events_total") < 12


def test_a_log_that_tells_more_from_now_on(gateway):
    """The level of the log is changed under a stream that wanted more than there was."""
    running = gateway()
    with Stream(running, "log=debug") as stream:
        assert stream.hello["log"] == "info"
        config = yaml.safe_load(running.config_file.read_text())
        rewrite(running, config | {"log": config.get("log", {}) | {"level": "debug"}})
        assert not reload(running)["mistake"]
        with running.open("/ws/a"):
            while (line := stream.next("log"))["text"] != "connection opened":
                assert line["level"] in ("debug", "info"), line
            assert line["level"] == "debug" and line["fields"]["client_id"] == "a"


def test_overview(gateway):
    running = gateway()
    with Stream(running, "overview=1s") as stream, running.open("/ws/a") as client:
        client.echo(b"one")
        while stream.next("overview")["totals"]["messages_received"] < 1:
            pass


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_by_tls_and_by_old_clients(gateway, pair, authority, version):
    running = gateway(admin={"tls": {"certificates": [pair.files]}})
    with Stream(running, "tail=ws", version=version, tls=tlsraw.client_context(authority.cert)) as stream:
        with running.open("/ws/a") as client:
            client.echo(b"[1]", wsraw.TEXT)
        assert [one["type"] for one in stream.messages(3)] == ["open", "text", "text"]
    running.wait_log("a tail has ended")


# --- who may, and how many ---

def test_bad_queries(gateway):
    running = gateway()
    for query, seen in [("", None), ("overview=10", "10"), ("overview=999ms", "999ms"), ("overview=2m", "2m"),
                        ("log=all", "all"), ("tail=", ""), ("tail=/a", "/a"), ("tail=a/", "a/"),
                        ("tail=x&sample=0", "0"), ("tail=x&sample=1001", "1001"), ("tail=x&body_bytes=4097", "4097"),
                        ("log=info&sample=5", "5"), ("tail=%ff", "tail=%ff"), ("tale=x", "tale=x"),
                        ("tail=a&tail=b", "tail=b"), ("tail=" + "x" * 65, "x" * 65), ("tail=x/" + "y" * 256, None)]:
        answer, problem = ask(running, query)
        assert answer.status == 400 and problem["reason"] == "query", (query, problem)
        assert seen is None or problem["seen"] == seen, (query, problem)
        assert "known here" in problem["detail"] or "allowed" in problem or "tail" in problem["detail"]
    assert running.metric("streams") == 0
    client = wsraw.Client(running.admin)
    client.send(b"HEAD /api/v1/stream?log=info HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ") and client.is_closed()


def test_token_and_origin(gateway):
    running = gateway(env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    for lines in ((), ("Authorization: Bearer wrong",), ("Authorization: Basic eDp5",)):
        answer, _ = ask(running, "tail=ws", *lines)
        assert answer.status == 401 and "www-authenticate" in answer.headers
    with Stream(running, "tail=ws", token=TOKEN):
        assert running.wait_log("the API shows messages")["access"] == "token"


def test_no_foreign_page(gateway):
    running = gateway()
    for line in ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site"):
        answer, problem = ask(running, "tail=ws", line)
        assert answer.status == 403 and problem["reason"] == "no_token"
    assert running.metric("streams") == 0


def test_as_many_as_streams_max(gateway):
    """Those beyond are refused by name; a place is free again when its stream has gone."""
    running = gateway(admin={"streams_max": 2})
    with Stream(running, "log=info"), Stream(running, "tail=ws/a"):
        answer, _ = ask(running, "log=info")
        assert answer.status == 503
        assert_refusal(answer, "streams_max", 2, 2)
        assert running.metric("streams") == running.metric("limit_used", limit="streams_max") == 2
        assert running.metric("streams_refused_total") == 1
    running.wait_metric("streams", 0)
    assert running.metric("streams_ended_total", reason="client") == 2
    with Stream(running, "log=info"):
        pass


def test_whoever_watches_is_named(gateway):
    running = gateway()
    with Stream(running, "tail=ws/a"):
        line = running.wait_log("the API shows messages")
        assert (line["route"], line["client_id"], line["access"]) == ("ws", "a", "loopback")
        assert line["asked_by"].startswith("127.0.0.1:") and line["bodies"] == "redacted"
    line = running.wait_log("a tail has ended")
    assert (line["reason"], line["shown"]) == ("client", "0")


# --- what is left out ---

def test_no_more_than_the_sample(gateway):
    """What is left out is counted: nothing is lost silently."""
    running = gateway(server={"workers": 2}, admin=PLAIN)
    count, sample, began = 2000, 10, time.monotonic()
    with Stream(running, f"tail=ws&sample={sample}") as stream, running.open("/ws/a") as client:
        client.send(b"".join(wsraw.frame(wsraw.TEXT, b"x%d" % n) for n in range(count)))
        for _ in range(count):
            client.read_frame()
        shown = dropped = 0
        while shown + dropped < 2 * count + 1:
            name, body = stream.event()
            shown += name == "message"
            dropped += body["count"] if name == "dropped" else 0
        seconds = int(time.monotonic() - began) + 2  # of the clock, the first and the last in part
        assert shown + dropped == 2 * count + 1 and sample <= shown <= sample * seconds
        assert running.metric("stream_dropped_total", of="message") == dropped


def test_slow_reader(gateway):
    """One that takes nothing holds up nobody, costs no more than its queue, and is closed in time."""
    running = gateway(admin=PLAIN, server={"send_timeout": "1s"})
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(running.admin)
    small.sendall(b"GET /api/v1/stream?tail=ws&sample=1000&body_bytes=4096 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    running.wait_metric("streams", 1)
    is_over = threading.Event()

    def talk():
        with running.open("/ws/a") as client:
            while not is_over.is_set():
                for _ in range(50):
                    client.echo(b"x" * 4000, wsraw.TEXT)
    thread = threading.Thread(target=talk)
    thread.start()
    try:
        running.wait_metric("streams_ended_total", 1, reason="slow_reader")
    finally:
        is_over.set()
        thread.join()
    assert running.metric("stream_dropped_total", of="message") > 0
    assert running.metric("limit_used", limit="payload_memory") < 4 << 20
    small.close()


# --- its end ---

def test_the_token_changes(gateway, tmp_path):
    """A stream that was let in by the old one ends; one that stays the same goes on."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    running = gateway(admin={"token_file": file})
    with Stream(running, "tail=ws", token=TOKEN) as stream:
        reload(running)
        with running.open("/ws/a") as client:
            client.echo(b"[1]", wsraw.TEXT)
        assert stream.messages(3)[1]["text"] == "[1]"
        file.write_text(TOKEN + "2")
        reload(running)
        stream.expect_end("token")
    answer, _ = ask(running, "log=info", f"Authorization: Bearer {TOKEN}")
    assert answer.status == 401


def test_the_rules_change(gateway):
    """Nobody goes on to see what may be seen no more; whoever reads the log is not concerned."""
    running = gateway()
    it = Changing(running, yaml.safe_load(running.config_file.read_text()))
    with Stream(it.running, "tail=ws") as stream, Stream(it.running, "log=info") as log:
        it.set("admin", tail_bodies="off")
        stream.expect_end("rules")
        assert log.next("log")
    with Stream(it.running, "tail=ws") as stream:
        assert stream.hello["tail"]["bodies"] == "off"


def test_shutdown(gateway):
    running = gateway()
    with Stream(running, "log=info") as stream, Stream(running, "tail=ws") as tail:
        running.signal(15)
        stream.expect_end("shutdown")
        tail.expect_end("shutdown")
    assert running.wait_exit() == 0


def test_live_upgrade(gateway):
    """The old process says that another one is to be asked, which goes on with the client."""
    upgrades.become_parent_of_orphans()
    running = gateway(server={"workers": 2})
    with running.open("/ws/a") as client:
        with Stream(running, "tail=ws/a&log=info") as stream:
            client.echo(b"[1]", wsraw.TEXT)
            assert stream.next("message")["text"] == "[1]"
            upgrades.upgrade(running)
            stream.expect_end("upgrade")

        def reopened() -> Stream | None:
            """The old process sends away whoever still comes to it."""
            try:
                return Stream(running, "tail=ws/a")
            except AssertionError as error:
                assert "HTTP/1.1 503 " in str(error)
                return None
        with wsraw.wait_until(reopened, "a stream of the new process") as stream:
            client.echo(b"[2]", wsraw.TEXT)
            assert stream.next("message")["text"] == "[2]"
    assert upgrades.wait_former(running) == 0
