# SPDX-License-Identifier: Apache-2.0
"""The HTTP API on the admin listener: what it does, and what it refuses and how. Every
answer is held against docs/openapi.yaml (api.py)."""

import calendar
import concurrent.futures
import json
import re
import socket
import time

import pytest

from kit import api, wsraw

MIB = 1 << 20
ROUTES = [{"path": "/ws/{client_id}"}, {"path": "/ocpp/{client_id}", "name": "chargers",
                                         "subprotocols": ["ocpp1.6"]}]
TOKEN = "3f0c-Right_token~"


def raw(running, request: bytes) -> wsraw.Client:
    client = wsraw.Client(running.admin)
    client.send(request)
    return client


def charger(running, client_id: str) -> wsraw.Client:
    return running.connect().open(f"/ocpp/{client_id}", extra=("Sec-WebSocket-Protocol: ocpp1.6",))


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {api.PREFIX}{path} HTTP/1.1", "Host: 127.0.0.1", *lines,
                        "", ""]).encode()


def answer_of(client: wsraw.Client) -> tuple[wsraw.Response, dict]:
    answer = client.read_response()
    body = json.loads(answer.body)
    api.check_schema(api.SPEC["components"]["schemas"]["Problem"], body)
    return answer, body


# --- messages ---

@pytest.mark.tsan
def test_text_and_binary_reach_the_client(served):
    running, asked = served(server={"workers": 2})
    with running.open("/ws/a") as client:
        told = asked.send("a", "grüße")
        assert client.read_message() == (wsraw.TEXT, "grüße".encode())
        assert told["result"] == "delivered" and told["client_id"] == "a"
        assert told["type"] == "text" and told["bytes"] == len("grüße".encode())
        assert asked.send("a", b"\x00\xff")["type"] == "binary"
        assert client.read_message() == (wsraw.BINARY, b"\x00\xff")
        assert running.metric("messages_sent_total") == 2


@pytest.mark.parametrize("content_type,query,opcode", [
    ("text/plain", "", wsraw.TEXT), ("TEXT/csv", "", wsraw.TEXT),
    ("application/json", "", wsraw.TEXT), ("application/json; charset=UTF-8", "", wsraw.TEXT),
    ("text/plain; charset=us-ascii", "", wsraw.TEXT),
    ("application/octet-stream", "", wsraw.BINARY), (None, "", wsraw.BINARY),
    ("application/x-www-form-urlencoded", "", wsraw.BINARY),
    ("text/plain", "?type=binary", wsraw.BINARY), (None, "?type=text", wsraw.TEXT)])
def test_type_comes_from_the_parameter_or_the_content_type(shared_api, content_type, query, opcode):
    running, asked = shared_api()
    with running.open("/ws/a") as client:
        asked.post(f"/clients/ws/a/messages{query}", b"[1]", type=content_type)
        assert client.read_message() == (opcode, b"[1]")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, MIB])
def test_every_size_up_to_the_limits(shared_api, size):
    running, asked = shared_api()
    with running.open("/ws/a") as client:
        asked.send("a", b"x" * size)
        assert client.read_message() == (wsraw.BINARY, b"x" * size)


def test_order_is_kept(served):
    running, asked = served()
    with running.open("/ws/a") as client:
        for number in range(50):
            asked.send("a", str(number))
        assert [client.read_message()[1] for _ in range(50)] == [b"%d" % n for n in range(50)]


@pytest.mark.parametrize("client_id", [
    "a.b", "..", "a/b", "a b", "a+b", "100%", "ключ", "🔌", "*", ">", "a?b#c", "\"'<>&;", "x" * 255])
def test_any_valid_id_is_reached(served, client_id):
    running, asked = served()
    with running.open(f"/ws/{api.quote(client_id)}") as client:
        assert asked.inspect(client_id)["client_id"] == client_id
        asked.send(client_id, "for you")
        assert client.read_message() == (wsraw.TEXT, b"for you")
        assert [one["client_id"] for one in asked.list()] == [client_id]


def test_one_who_is_not_connected(served):
    running, asked = served(routes=ROUTES)
    running.open("/ws/gone").close()
    running.wait_metric("connections", 0)
    for answer in (asked.send("gone", "x", 404), asked.inspect("gone", 404),
                   asked.close("gone", None, 404), asked.send("gone", "x", 404, route="chargers")):
        assert answer["reason"] == "not_connected" and answer["seen"] == "gone"


def test_routes_are_told_apart(served):
    running, asked = served(routes=ROUTES)
    with running.open("/ws/same") as one, \
            charger(running, "same") as other:
        asked.send("same", "to one")
        asked.send("same", "to other", route="chargers")
        assert one.read_message() == (wsraw.TEXT, b"to one")
        assert other.read_message() == (wsraw.TEXT, b"to other")
        assert asked.inspect("same", route="chargers")["subprotocol"] == "ocpp1.6"
        assert asked.inspect("same")["subprotocol"] is None


def test_echoed_and_pushed_do_not_mix(served):
    """Frames from two threads leave one after the other."""
    running, asked = served(server={"workers": 2})
    with running.open("/ws/a") as client:
        for _ in range(20):
            client.send_frame(wsraw.BINARY, b"e" * 70_000)
            asked.send("a", b"p" * 70_000)
            got = [client.read_message()[1] for _ in range(2)]
            assert sorted(got) == [b"e" * 70_000, b"p" * 70_000]


# --- the hard cut ---

def fill(running, asked, client_id: str, message: bytes) -> tuple[int, dict]:
    """Sends until the client is cut: how many before, and the answer."""
    for count in range(10_000):
        answer = asked.ask("POST", f"/clients/ws/{client_id}/messages", message)
        if answer.status != 200:
            assert answer.status == 409, answer
            return count, json.loads(answer.body)
    raise AssertionError("never cut")


@pytest.mark.tsan
def test_one_who_does_not_read_is_cut(served):
    """A full queue closes the slow reader and says so; the API and others go on."""
    running, asked = served(server={"send_queue_max": "64KiB"})
    with running.open("/ws/slow", receive_buffer=4096) as slow, running.open("/ws/other") as other:
        count, problem = fill(running, asked, "slow", b"x" * 60_000)
        assert count > 0
        assert problem["reason"] == "slow_reader" and problem["allowed"] == "64KiB"
        assert int(problem["seen"]) + 60_000 > 65536
        running.wait_metric("connections_closed_total", 1, reason="slow_reader")
        assert asked.send("slow", "x", 404)["reason"] == "not_connected"
        asked.send("other", "still here")
        assert other.read_message() == (wsraw.TEXT, b"still here")
        assert slow.buffer == b""


def test_queue_of_one_who_does_not_read_is_seen(served):
    running, asked = served()
    with running.open("/ws/slow", receive_buffer=4096) as slow:
        assert asked.inspect("slow")["queued_bytes"] == 0
        wsraw.wait_until(lambda: asked.send("slow", b"x" * 100_000)
                         and asked.inspect("slow")["queued_bytes"] > 0, "bytes in the queue")
        assert slow.buffer == b""


def test_larger_than_the_queue_reaches_one_who_reads(served):
    running, asked = served(server={"send_queue_max": "4KiB"})
    with running.open("/ws/a") as client:
        asked.send("a", b"x" * 100_000)
        assert client.read_message() == (wsraw.BINARY, b"x" * 100_000)


def test_admin_answers_while_a_client_is_stuck(served):
    """Back pressure of an echo stalls that client's worker for nobody."""
    running, asked = served(server={"send_queue_max": "64KiB", "send_timeout": "1m"})  # longer than a test waits
    with running.open("/ws/stuck", receive_buffer=4096) as stuck:
        wsraw.push(stuck, wsraw.frame(wsraw.BINARY, b"x" * 8192), 8 * MIB, patience=0.2)
        assert asked.inspect("stuck")["queued_bytes"] > 0
        assert fill(running, asked, "stuck", b"x" * 60_000)[1]["reason"] == "slow_reader"
        assert running.health()["status"] == "ready"


# --- close ---

@pytest.mark.tsan
@pytest.mark.parametrize("body,code,reason", [
    (None, 1000, b""), ({}, 1000, b""), ({"code": 4000}, 4000, b""),
    ({"code": 1012, "reason": "gehört dazu"}, 1012, "gehört dazu".encode()),
    ({"reason": "x" * 123}, 1000, b"x" * 123)])
def test_close_with_code_and_reason(served, body, code, reason):
    running, asked = served()
    with running.open("/ws/a") as client:
        told = asked.close("a", body)
        assert told["result"] == "closing" and told["code"] == code
        assert client.read_close() == (code, reason)
        client.send(wsraw.close_frame(code))
        assert client.is_closed()
        running.wait_metric("connections_closed_total", 1, reason="requested")
        asked.close("a", body, 404)
    # Who asked, whatever became of it, and the end of the client itself.
    wsraw.wait_until(lambda: len(running.logged("the API closes a client")) == 2, "two lines")
    told = running.logged("the API closes a client")
    assert [line["status"] for line in told] == ["200", "404"]
    assert {(line["level"], line["route"], line["client_id"], line["access"]) for line in told} == {
        ("info", "ws", "a", "loopback")}
    assert all(re.match(r"127\.0\.0\.1:\d+$", line["asked_by"]) for line in told)
    (ended,) = running.logged("connection closed")
    assert (ended["level"], ended["reason"], ended["client_id"]) == ("info", "requested", "a")


@pytest.mark.parametrize("code", [0, -1, 999, 1004, 1005, 1006, 1010, 1015, 2999, 5000, 65536 + 1000,
                                  2**63 - 1, 1000.5, "1000", None, True, [1000]])
def test_codes_that_no_server_sends(shared_api, code):
    running, asked = shared_api()
    with running.open("/ws/a") as client:
        problem = asked.close("a", {"code": code}, 400)
        assert problem["reason"] == "close_code" and "3000..4999" in problem["allowed"]
        client.echo(b"still open")


@pytest.mark.parametrize("body,status,reason", [
    (b"{", 400, "json"), (b"[]", 400, "json"), (b"1", 400, "json"), (b'{"code":1000}x', 400, "json"),
    (b'{"code":1000,"code":1001}', 400, "json"), (b'{"reason":"\xff"}', 400, "json"),
    (b'{"reason":"a\\u0000b"}', 400, "json"), (b"[" * 100_000, 400, "json"),
    (b'{"cod":1000}', 400, "member"), (b'{"reason":1}', 400, "close_reason"),
    (b'{"reason":"' + b"x" * 124 + b'"}', 400, "close_reason"),
    (b'{"reason":"' + "ü".encode() * 62 + b'"}', 400, "close_reason")])
def test_close_bodies_that_are_not_what_they_say(shared_api, body, status, reason):
    running, asked = shared_api()
    with running.open("/ws/a") as client:
        path = "/clients/ws/a/close"
        assert asked.post(path, body, status, type="application/json")["reason"] == reason
        assert asked.post(path, body, 415, type="text/plain")["reason"] == "content_type"
        client.echo(b"still open")


# --- inspect, list, node ---

def test_inspect_tells_the_facts(served):
    running, asked = served(server={"workers": 2})
    before = time.time() - 1
    with running.open("/ws/a") as client:
        facts = asked.inspect("a")
        assert (facts["route"], facts["client_id"]) == ("ws", "a")
        assert facts["remote"] == {"address": "127.0.0.1", "port": client.sock.getsockname()[1]}
        seen = time.strptime(facts["connected_at"][:19], "%Y-%m-%dT%H:%M:%S")
        assert before - 1 <= calendar.timegm(seen) <= time.time() + 1
        assert facts["connected_seconds"] <= 10
        assert asked.send("a", "x")["connection_id"] == facts["connection_id"]


@pytest.mark.tsan
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_have_everyone_once(served, limit):
    running, asked = served(routes=ROUTES, server={"workers": 2})
    clients = [running.open(f"/ws/c-{n}") for n in range(30)]
    clients += [charger(running, f"d-{n}") for n in range(10)]
    ids = [one["client_id"] for one in asked.list(limit=limit)]
    assert sorted(ids) == sorted([f"c-{n}" for n in range(30)] + [f"d-{n}" for n in range(10)])
    assert {one["client_id"] for one in asked.list(limit=limit, route="chargers")} == \
        {f"d-{n}" for n in range(10)}
    assert {one["client_id"] for one in asked.list(limit=limit, prefix="c-1")} == \
        {"c-1"} | {f"c-{n}" for n in range(10, 20)}
    assert asked.list(limit=limit, route="ws", prefix="d") == []
    for client in clients:
        client.close()


def test_largest_page(served, sanitized):
    """Ids of 255 bytes that JSON doubles, as many as one page may have."""
    count = 100 if sanitized else 999
    running, asked = served()
    clients = [running.open("/ws/" + api.quote(f"{n:03}" + '"' * 252)) for n in range(count)]
    page = asked.get("/clients?limit=1000")
    assert len(page["clients"]) == count and page["next_cursor"] is None
    for client in clients:
        client.close()


@pytest.mark.parametrize("query,seen", [
    ("limit=0", "0"), ("limit=1001", "1001"), ("limit=-1", "-1"), ("limit=x", "x"), ("limit=", ""),
    ("limit=99999999999999999999", "99999999999999999999"), ("cursor=x", "x"), ("cursor=", ""),
    ("cursor=" + "G" * 32, "G" * 32), ("lim=1", "lim=1"), ("limit=1&limit=1", "limit=1"),
    ("prefix=%FF", "prefix=%FF"), ("prefix=%00", "prefix=%00"), ("&", "")])
def test_bad_queries_are_named(shared_api, query, seen):
    _, asked = shared_api()
    problem = asked.get(f"/clients?{query}", 400)
    assert problem["reason"] == "query" and problem["seen"] == seen


def test_node(served):
    running, asked = served(routes=ROUTES, server={"workers": 2, "max_connections": 100})
    with running.open("/ws/a") as client:
        client.echo(b"x")
        node = asked.get("/node")
        assert node["status"] == "ready" and node["workers"] == 2 and node["connections"] == 1
        assert node["max_connections"] == 100 and node["messages_received"] == 1
        assert node["routes"] == [{"name": "ws", "path": "/ws/{client_id}", "rpc": None},
                                  {"name": "chargers", "path": "/ocpp/{client_id}", "rpc": None}]
        assert f"engine={node['engine']}" in running.log


# --- broadcast ---

@pytest.mark.tsan
def test_broadcast_reaches_all_of_a_route_or_of_all(served):
    running, asked = served(routes=ROUTES, server={"workers": 2})
    ones = [running.open(f"/ws/a-{n}") for n in range(20)]
    others = [charger(running, f"b-{n}") for n in range(10)]
    told = asked.post("/broadcast?route=chargers", b"to some", type="text/plain")
    assert told == {"result": "delivered", "delivered": 10, "closed_slow_readers": 0,
                    "out_of_memory": 0, "published": False}
    assert asked.post("/broadcast", b"to all", type="text/plain")["delivered"] == 30
    for client in others:
        assert client.read_message() == (wsraw.TEXT, b"to some")
    for client in ones + others:
        assert client.read_message() == (wsraw.TEXT, b"to all")
        client.close()


def test_broadcast_takes_many_turns_and_others_go_on(served, sanitized):
    """More clients than one turn serves, coming and going meanwhile."""
    count = 300 if sanitized else 3000
    running, asked = served(server={"workers": 1})
    clients = [running.open(f"/ws/m-{n}") for n in range(count)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool, running.open("/ws/busy") as busy:
        sent = [pool.submit(asked.post, "/broadcast", b"x" * 1000) for _ in range(4)]
        for client in clients[::3]:
            client.close()
        busy.send_frame(wsraw.TEXT, b"mine")
        got = [busy.read_message() for _ in range(5)]
        assert (wsraw.TEXT, b"mine") in got
        assert all(count // 2 <= one.result()["delivered"] <= count + 1 for one in sent)
    for number, client in enumerate(clients):
        if number % 3:
            assert [client.read_message()[1] for _ in range(4)] == [b"x" * 1000] * 4
            client.close()


def test_broadcast_cuts_the_slow_and_serves_the_rest(served):
    running, asked = served(server={"send_queue_max": "64KiB"})
    with running.open("/ws/slow", receive_buffer=4096), running.open("/ws/good") as good:
        for _ in range(1000):
            told = asked.post("/broadcast", b"x" * 60_000)
            assert good.read_message() == (wsraw.BINARY, b"x" * 60_000)
            if told["closed_slow_readers"]:
                break
        assert told["closed_slow_readers"] == 1 and told["delivered"] == 1
        running.wait_metric("connections_closed_total", 1, reason="slow_reader")


# --- bad requests ---

@pytest.mark.parametrize("method,path,status,allow", [
    ("GET", "", 404, None), ("GET", "/", 404, None), ("GET", "/nothing", 404, None),
    ("POST", "/nothing", 404, None), ("GET", "/node/", 404, None), ("GET", "//node", 404, None),
    ("GET", "/clients/ws", 404, None), ("GET", "/clients/ws/", 404, None),
    ("GET", "/clients//x", 404, None), ("GET", "/clients/ws/x/y", 404, None),
    ("POST", "/node", 405, "GET, HEAD, OPTIONS"), ("DELETE", "/clients", 405, "GET, HEAD, OPTIONS"),
    ("PUT", "/clients/ws/x", 405, "GET, HEAD, OPTIONS"), ("GET", "/broadcast", 405, "POST, OPTIONS"),
    ("GET", "/clients/ws/x/messages", 405, "POST, OPTIONS"),
    ("OPTIONS", "/broadcast", 204, "POST, OPTIONS"), ("HEAD", "/broadcast", 405, "POST, OPTIONS"),
    ("OPTIONS", "/groups/g/members/ws/x", 204, "PUT, DELETE, OPTIONS"),
    ("OPTIONS", "/nothing", 404, None), ("x" * 2000, "/node", 405, "GET, HEAD, OPTIONS")])
def test_unknown_paths_and_methods(shared_api, method, path, status, allow):
    _, asked = shared_api()
    answer = asked.ask(method, path)
    assert answer.status == status and answer.headers.get("allow") == allow


def test_head_is_get_without_the_body(served):
    _, asked = served()
    answer = asked.ask("HEAD", "/clients")
    assert answer.status == 200 and answer.body == b"" and int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("target,reason", [
    ("/clients/wss/a", "no_such_route"), ("/clients/ws/%00", "client_id"),
    ("/clients/ws/a%0Ab", "client_id"), ("/clients/ws/%FF", "client_id"),
    ("/clients/ws/%", "client_id"), ("/clients/ws/%4", "client_id"), ("/clients/ws/%GG", "client_id"),
    ("/clients/ws/" + "x" * 256, "client_id"), ("/clients/ws/" + "%41" * 256, "client_id"),
    ("/clients/ws/%ED%A0%80", "client_id")])
def test_names_that_cannot_be(shared_api, target, reason):
    _, asked = shared_api()
    assert asked.get(target, 404 if reason == "no_such_route" else 400)["reason"] == reason
    assert asked.post(f"{target}/messages", b"x", 404 if reason == "no_such_route" else 400)[
        "reason"] == reason


def test_id_of_ten_thousand_characters(served):
    running, _ = served()
    with raw(running, head("GET", "/clients/ws/" + "x" * 10_000)) as client:
        assert client.read_response().status == 414


@pytest.mark.parametrize("body,headers,status,reason", [
    (b"\xff\xfe", {"Content-Type": "text/plain"}, 400, "not_utf8"),
    (b"\xed\xa0\x80", {"Content-Type": "application/json"}, 400, "not_utf8"),
    (b"x", {"Content-Type": "text/plain; charset=iso-8859-1"}, 415, "charset"),
    (b"x", {"Content-Encoding": "gzip"}, 415, "content_encoding"),
    (b"x" * 1001, {}, 413, "max_message_size")])
def test_bodies_that_are_not_what_they_say(served, body, headers, status, reason):
    running, asked = served(server={"max_message_size": "1000B"})
    with running.open("/ws/a") as client:
        for path in ("/clients/ws/a/messages", "/broadcast"):
            answer = asked.ask("POST", path, body, headers=headers)
            assert answer.status == status and json.loads(answer.body)["reason"] == reason
        assert asked.post("/broadcast?type=json", b"{}", 400)["seen"] == "json"
        client.echo(b"nothing came before this")


@pytest.mark.parametrize("lines,body,status,part", [
    ((), b"", 411, "length"), (("Transfer-Encoding: gzip, chunked",), b"", 501, "chunked"),
    (("Transfer-Encoding: chunked, gzip",), b"", 400, "chunked"),
    (("Transfer-Encoding: chunked",), b"x\r\n", 400, "does not begin with its size"),
    (("Transfer-Encoding: chunked",), b"1\r\nab\r\n0\r\n\r\n", 400, "longer than its size"),
    (("Transfer-Encoding: chunked",), b"1\nx\n0\n\n", 400, "hexadecimal"),
    (("Transfer-Encoding: chunked",), b"1;" + b"e" * 5000, 400, "extensions"),
    (("Transfer-Encoding: chunked",), b"0\r\n" + b"T: x\r\n" * 2000, 400, "trailers"),
    (("Transfer-Encoding: chunked",), b"1001\r\n" + b"x" * 4097, 413, "more than"),
    (("Transfer-Encoding: chunked",), b"1\r\nx\r\n" * 4097, 413, "more than 4096"),
    (("Content-Length: x",), b"", 400, "not a number"), (("Content-Length: -1",), b"", 400, "not a number"),
    (("Content-Length: 1", "Content-Length: 1"), b"x", 400, "more than one"),
    (("Content-Length: 4097",), b"", 413, "4097"),
    (("Content-Length: 99999999999999999999999999",), b"", 413, "18446744073709551615 or more"),
    (("Content-Length: 1", "Transfer-Encoding: chunked"), b"", 400, "both"),
    (("Content-Length: 5", "Expect: a miracle"), b"", 417, "100-continue")])
def test_lengths_that_are_missing_or_wrong(shared_api, lines, body, status, part):
    running, _ = shared_api(admin={"max_body": "4KiB"})
    with running.open("/ws/a") as other, \
            raw(running, head("POST", "/clients/ws/a/messages", *lines) + body) as client:
        answer, problem = answer_of(client)
        assert answer.status == status and part in problem["detail"]
        if status == 413:
            assert "admin.max_body allows 4KiB" in problem["detail"]
        other.echo(b"nothing came before this")


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;n=%d\r\n%s\r\n" % (len(part), n, part)
                    for n, part in enumerate(parts)) + b"0\r\nX-Sum: 1\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("how", ["whole", "in pieces", "in single bytes"])
def test_chunked_bodies(shared_api, size, how):
    """Also of the largest size; and the connection goes on behind the last chunk."""
    running, _ = shared_api(admin={"max_body": "4KiB"}, server={"max_message_size": "4KiB"})
    lines = ("Transfer-Encoding: chunked", "Content-Type: text/plain")
    body = b"x" * (40 if how == "in single bytes" else 600 if size < 4096 else 4096)
    data = head("POST", "/clients/ws/a/messages", *lines) + chunks(body, size)
    with running.open("/ws/a") as client, raw(running, b"") as poster:
        for _ in range(2):
            if how == "in single bytes":
                poster.send_slowly(data)
            else:
                step = len(data) if how == "whole" else 100
                for at in range(0, len(data), step):
                    poster.send(data[at:at + step])
            assert poster.read_response().status == 200
            assert client.read_message() == (wsraw.TEXT, body)
        poster.send(data * 3)
        assert [poster.read_response().status for _ in range(3)] == [200] * 3


def test_chunked_body_of_http_1_0_is_refused(served):
    running, _ = served()
    data = head("POST", "/broadcast", "Transfer-Encoding: chunked").replace(b"1.1", b"1.0")
    with raw(running, data + b"0\r\n\r\n") as client:
        answer, problem = answer_of(client)
        assert answer.status == 400 and "HTTP/1.0" in problem["detail"]
        assert client.is_closed()


def test_expect_continue(served):
    running, _ = served()
    lines = ("Content-Length: 5", "Expect: 100-continue", "Content-Type: text/plain")
    with running.open("/ws/a") as client, \
            raw(running, head("POST", "/clients/ws/a/messages", *lines)) as poster:
        assert poster.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        poster.send(b"hello")
        assert poster.read_response().status == 200
        assert client.read_message() == (wsraw.TEXT, b"hello")


def test_body_byte_by_byte_and_more_than_it(served):
    running, _ = served()
    request = head("POST", "/clients/ws/a/messages", "Content-Length: 5") + b"hello" + b"GET / HTTP"
    with running.open("/ws/a") as client, wsraw.Client(running.admin) as poster:
        poster.send_slowly(request)
        assert poster.read_response().status == 200
        assert client.read_message() == (wsraw.BINARY, b"hello")


@pytest.mark.tsan
def test_slow_body_is_timed_out(served):
    running, _ = served(server={"handshake_timeout": "1s"})
    with raw(running, head("POST", "/broadcast", "Content-Length: 5") + b"hell") as client:
        answer, problem = answer_of(client)
        assert answer.status == 408 and "handshake_timeout" in problem["detail"]


def test_one_who_leaves_within_the_body(served):
    running, asked = served(admin={"max_calls": 1})
    raw(running, head("POST", "/broadcast", "Content-Length: 5") + b"hell").close()
    wsraw.wait_until(lambda: asked.ask("POST", "/broadcast", b"x").status == 200,
                     "the place of the one who left")


@pytest.mark.tsan
def test_those_who_do_not_wait_for_their_answer(served):
    """Half are gone when the answer comes; nothing is lost or counted twice."""
    running, asked = served(server={"workers": 2}, admin={"max_calls": 1000})
    request = head("POST", "/clients/ws/a/messages", "Content-Length: 1") + b"x"
    with running.open("/ws/a") as client:
        for number in range(100):
            poster = raw(running, request)
            if number % 2:
                poster.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            poster.close()
        wsraw.wait_until(lambda: running.metric("messages_sent_total") > 0, "a message")
        assert asked.get("/node")["status"] == "ready"
        client.send_frame(wsraw.BINARY, b"end")
        while client.read_message()[1] != b"end":
            pass


CALLED = [{"path": "/ws/{client_id}", "rpc": "json-rpc"}]


def call(client_id: str) -> bytes:
    body = b'{"method": "m", "params": {}}'
    return head("POST", f"/clients/ws/{client_id}/call", "Content-Type: application/json",
                f"Content-Length: {len(body)}") + body


def test_as_many_as_max_calls(served):
    """The place is kept by a call whose client does not answer; it is free when that has gone."""
    running, asked = served(admin={"max_calls": 2}, routes=CALLED)
    with running.open("/ws/a") as a, running.open("/ws/b") as b:
        waiting = [raw(running, call(name)) for name in ("a", "b")]
        for client in (a, b):
            assert client.read_message()[0] == wsraw.TEXT
        problem = wsraw.wait_until(
            lambda: (answer := asked.ask("POST", "/broadcast", b"x")).status == 503
            and json.loads(answer.body), "a refusal")
        assert problem["limit"] == "max_calls" and problem["max"] == 2
        assert asked.get("/node")["status"] == "ready"  # needs no place
        assert running.metric("api_calls") == 2
        assert running.metric("api_calls_refused_total") >= 1
    for client in waiting:
        assert client.read_response().status == 502
        client.close()
    wsraw.wait_until(lambda: asked.ask("POST", "/broadcast", b"x").status == 200, "a free place")
    running.wait_metric("api_calls", 0)


def test_half_bodies_keep_no_places(served):
    """Named after the fault: as many half-sent bodies as there are places kept everybody out."""
    running, asked = served(admin={"max_calls": 2})
    half = [raw(running, head("POST", "/broadcast", "Content-Length: 5") + b"hell")
            for _ in range(20)]
    for _ in range(5):
        assert asked.ask("POST", "/broadcast", b"x").status == 200
    assert running.metric("api_calls_refused_total") == 0
    half[0].send(b"o")
    assert half[0].read_response().status == 200
    for client in half:
        client.close()


FOREIGN = {
    "another site": ("Sec-Fetch-Site: cross-site",),
    "another port of this machine": ("Sec-Fetch-Site: same-site",),
    "a word that nobody knows": ("Sec-Fetch-Site: moon",),
    "an origin": ("Origin: http://evil.example",),
    "no origin at all": ("Origin: null",),
}


@pytest.mark.parametrize("fields", FOREIGN.values(), ids=FOREIGN)
def test_pages_from_elsewhere_are_refused(served, fields):
    running, _ = served()
    for method, path in (("GET", "/node"), ("POST", "/broadcast")):
        with raw(running, head(method, path, "Content-Length: 0", *fields)) as client:
            answer, problem = answer_of(client)
            assert (answer.status, problem["reason"]) == (403, "no_token")


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_pages_of_its_own_and_what_people_type_are_served(served, site):
    running, _ = served()
    with raw(running, head("GET", "/node", f"Sec-Fetch-Site: {site}")) as client:
        assert client.read_response().status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "localhost.evil.example"])
def test_names_that_point_here_read_no_metrics(served, host):
    """DNS rebinding: the page of that name would be of the same origin."""
    running, _ = served()
    for path, want in (("/metrics", 403), ("/limits", 403), ("/health", 200)):
        with wsraw.Client(running.admin) as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert client.read_response().status == want
    for good in ("localhost", "127.0.0.1:1", "[::1]:9"):
        with wsraw.Client(running.admin) as client:
            client.send(f"GET /metrics HTTP/1.1\r\nHost: {good}\r\n\r\n".encode())
            assert client.read_response().status == 200


@pytest.mark.tsan
def test_many_at_once(served):
    running, asked = served(server={"workers": 2})
    clients = {f"c-{n}": running.open(f"/ws/c-{n}") for n in range(20)}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: asked.send(f"c-{n % 20}", str(n)), range(400)))
        assert all(answer["result"] == "delivered" for answer in answers)
        pages = pool.map(lambda _: len(asked.list(limit=7)), range(16))
        assert list(pages) == [20] * 16
    for name, client in clients.items():
        got = sorted(int(client.read_message()[1]) for _ in range(20))
        assert got == list(range(int(name[2:]), 400, 20))
        client.close()


def test_client_that_disconnects_meanwhile(served):
    """Each answer is one of three; none is left out and nothing breaks."""
    running, asked = served(server={"workers": 2})
    stop = time.monotonic() + 1.5
    seen = set()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        def press(_):
            while time.monotonic() < stop:
                seen.add(asked.ask("POST", "/clients/ws/flaky/messages", b"x").status)
        pressing = [pool.submit(press, n) for n in range(4)]
        while time.monotonic() < stop:
            running.open("/ws/flaky").close()
        for one in pressing:
            one.result()
    assert seen <= {200, 404} and 200 in seen
    running.wait_metric("connections", 0)


def test_drain_with_requests_under_way(served):
    running, asked = served(server={"workers": 2})
    with running.open("/ws/a"), raw(running, head("POST", "/broadcast", "Content-Length: 5")):
        asked.send("a", "x")
        running.stop()


# --- who may ask ---

def test_with_a_token_nobody_else_is_answered(served):
    running, nobody = served(env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    right = api.Api(running.admin, TOKEN)
    assert right.get("/node")["status"] == "ready"
    with running.open("/ws/a") as client:
        right.send("a", "hello")
        assert client.read_message() == (wsraw.TEXT, b"hello")
    for asked, challenge in ((nobody, 'Bearer realm="gatehouse"'),
                             (api.Api(running.admin, TOKEN[:-1]), "invalid_token"),
                             (api.Api(running.admin, TOKEN + "x"), "invalid_token"),
                             (api.Api(running.admin, "x" * 6000), "invalid_token")):
        for method, path in (("GET", "/node"), ("GET", "/nothing"), ("POST", "/broadcast")):
            answer = asked.ask(method, path)
            assert answer.status == 401 and challenge in answer.headers["www-authenticate"]
    for path in ("/health", "/metrics", "/limits"):
        assert running.get(path).status == 200
    assert TOKEN not in running.log


def test_body_of_one_without_the_token_is_not_read(served):
    running, _ = served(env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    with raw(running, head("POST", "/broadcast", "Content-Length: 1000000")) as client:
        assert answer_of(client)[0].status == 401


def test_token_from_a_file(served, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    running, nobody = served(admin={"token_file": file})
    assert nobody.ask("GET", "/node").status == 401
    assert api.Api(running.admin, TOKEN).ask("GET", "/node").status == 200


@pytest.mark.parametrize("content,mode,part", [
    (TOKEN, 0o644, "everybody on this machine"), ("", 0o600, "does not hold a secret"),
    (None, 0, "cannot be opened")])
def test_token_file_that_cannot_be_used_stops_the_start(start, tmp_path, content, mode, part):
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    running = start(admin={"token_file": file})
    assert running.wait_exit() == 78
    assert part in running.log and str(file) in running.log and TOKEN not in running.log


def test_without_a_token_only_loopback_is_answered(hosts, gateway):
    here, there = hosts
    with here:
        running = gateway(admin={"listen": f"{here.address}:8081"})
        problem = api.Api(running.admin).get("/node", 403)
        assert "GATEHOUSE_ADMIN_TOKEN" in problem["detail"]
    with there:
        asked = api.Api((here.address, 8081))
        assert asked.get("/node", 403)["reason"] == "no_token"
        assert asked.post("/broadcast", b"x", 403)["reason"] == "no_token"
        assert running.get("/health").status == 200
    with here:
        running.stop()


def test_with_a_token_others_are_answered_too(hosts, gateway):
    here, there = hosts
    with here:
        running = gateway(admin={"listen": f"{here.address}:8081"},
                          env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    with there:
        assert api.Api((here.address, 8081), TOKEN).get("/node")["status"] == "ready"
    with here:
        running.stop()


@pytest.mark.parametrize("lines", [
    ("Origin: http://evil.example",), ("Origin: null",), ("X-Forwarded-For: 192.0.2.7",),
    ("Forwarded: for=192.0.2.7",), ("Via: 1.1 proxy",)])
def test_without_a_token_no_page_and_no_proxy_is_answered(served, lines):
    """They come from loopback too, for somebody who is elsewhere."""
    running, _ = served()
    with raw(running, head("GET", "/node", *lines)) as client:
        assert answer_of(client)[0].status == 403


def test_without_a_token_no_other_name_is_answered(served):
    running, _ = served()
    for host, status in (("evil.example:8081", 403), ("localhost:8081", 200), ("127.0.0.1", 200),
                         ("[::1]:8081", 200)):
        with raw(running, f"GET /api/v1/node HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()) as client:
            assert client.read_response().status == status, host


def test_the_public_listener_has_no_api(served):
    running, _ = served()
    assert running.get("/api/v1/node", admin=False).status == 404


# --- what is described ---

# What is not answered with 200 here: the route knows no calls, nor proofs; of a stream nothing is wanted.
OTHERS = {"/clients/{route}/{client_id}/actions": (b'{"actions": [{"send": {"text": "x"}}]}', 200),
          "/clients/{route}/{client_id}/call": (b'{"action": "Reset"}', 409),
          "/clients/{route}/{client_id}/renew": (b'{"expires_at": 99999999999}', 409),
          "/stream": (None, 400),
          "/blocks/{block}": (None, 404), "POST /blocks": (b'{"address": "192.0.2.7", "for": "1m"}', 200),
          "/tickets": (b'{"route": "ws", "client_id": "a"}', 409),
          "POST /drain": (b"{}", 202), "DELETE /drain": (None, 409)}


# An upgrade has tests of its own: afterwards the process is another one.
@pytest.mark.parametrize("method,path", [one for one in api.operations() if one != ("POST", "/upgrade")])
def test_everything_described_is_there(served, method, path):
    running, asked = served()
    body, status = OTHERS.get(path, OTHERS.get(f"{method} {path}", (b"{}", 200)))
    with running.open("/ws/a"):
        target = path.format(route="ws", client_id="a", group="g", block=16 * "1")
        assert asked.ask(method, target, body if method == "POST" else None,
                         headers={"Content-Type": "application/json"}).status == status


def test_every_reason_is_described():
    """Those of the code are those of the document."""
    folder = api.SPEC_FILE.parent.parent / "src"
    source = "".join(file.read_text() for file in
                     sorted([*folder.glob("admin/api/api*.c"), *folder.glob("fleet/**/*.c"),
                             *folder.glob("auth/*.[ch]"), *folder.glob("conn/*.c"),
                             folder / "session" / "call_table.h", folder / "server" / "handover.h"]))
    reasons = api.SPEC["components"]["schemas"]["Problem"]["properties"]["reason"]["enum"]
    missing = [one for one in reasons if f'"{one}"' not in source]
    assert missing == []


def test_every_reason_of_the_api_is_in_both_documents():
    """The third argument of each call; where it depends, both that it may be."""
    folder = api.SPEC_FILE.parent.parent / "src" / "admin" / "api"
    calls = re.findall(r"api_problem\((.*?)\);", "".join(file.read_text() for file in folder.glob("*.c")), re.DOTALL)
    words = {word for call in calls for word in re.findall(r'"([a-z_]+)"', re.split(r",\s*", call, maxsplit=3)[2])}
    described = set(api.SPEC["components"]["schemas"]["Problem"]["properties"]["reason"]["enum"])
    table = (api.SPEC_FILE.parent / "api.md").read_text().split("## What is wrong")[1]
    assert {"query", "starting", "under_way"} <= words
    assert words <= described and [one for one in sorted(words) if f"`{one}`" not in table] == []
