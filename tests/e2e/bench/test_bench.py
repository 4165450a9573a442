# SPDX-License-Identifier: Apache-2.0
"""`gatehouse bench` against small servers that are good, bad and hostile."""

import base64
import contextlib
import fcntl
import json
import os
import pty
import re
import resource
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from kit import wsraw
from kit.bench import BINARY_FRAME, CLOSE, PING, PONG, TEXT, frame, good, plain, refuse_with
from kit.gateway import BINARY, with_more_time


# --- good servers ---


def test_connects_holds_and_checks_every_echo(bench, server):
    srv = server(good)
    got = bench(srv.url + "/ws/dev-{n}", "-c", 40, "--hold", "1s", "--message-rate", 10)
    assert got.code == 0, got.out + got.err
    assert got.verdict_held(1.0) == "PASS: 40 of 40 connected, 40 held 1.0 s, 400 echoes, all correct"
    totals = got.json["totals"]
    assert (totals["connected"], totals["held"], totals["closed_cleanly"]) == (40, 40, 40)
    assert totals["sent"] == totals["received"] == 400
    assert got.json["echo_seconds"]["count"] == 400
    assert got.json["handshake_seconds"]["count"] == 40
    paths = sorted(int(head.split()[1].removeprefix("/ws/dev-")) for head in srv.heads)
    assert paths == list(range(1, 41))


@pytest.mark.parametrize("size", ["0", "1", "15", "16", "125", "126", "64KiB", "70000"])
def test_message_sizes(bench, server, size):
    srv = server(good)
    got = with_more_time(lambda limit: bench(srv.url, "-c", 2, "--depth", 1, "--duration", limit, "--size", size),
                         lambda got: got.json["totals"]["received"] > 2)
    assert got.code == 0, got.out + got.err
    assert got.json["totals"]["received"] > 2


@pytest.mark.parametrize("option", [[], ["--binary"]])
def test_keeps_depth_messages_in_flight(bench, server, option):
    deepest = []

    def behave(peer, _number):
        """Echoes only when all that can be in flight has come."""
        peer.upgrade()
        for _ in range(5):
            batch = [peer.receive() for _ in range(8)]
            deepest.append(len(batch))
            for opcode, payload in batch:
                peer.send(opcode, payload)
        peer.echo()

    got = bench(server(behave).url, "-c", 3, "--depth", 8, "--duration", "500ms", *option)
    assert got.code == 0, got.out + got.err
    assert deepest == [8] * 15
    assert got.json["totals"]["sent"] >= 120


def test_every_message_is_another(bench, server):
    seen = []

    def change(opcode, payload):
        seen.append(payload)
        return [(opcode, payload)]

    def behave(peer, _number):
        peer.upgrade()
        peer.echo(change)

    got = bench(server(behave).url, "-c", 4, "--message-rate", 50, "--duration", "500ms")
    assert got.code == 0, got.out
    assert len(seen) == 100 and len(set(seen)) == 100
    assert all(len(payload) == 64 and payload.isascii() for payload in seen)


def test_fragments_pings_and_late_frames_are_no_mistakes(bench, server):
    pongs = []

    def behave(peer, _number):
        peer.upgrade(then=frame(PING, b"first"))
        pongs.append(peer.receive())

        def change(opcode, payload):
            return [(opcode, payload[:10], False), (PING, b"between"), (0, payload[10:])]

        peer.echo(change)

    got = bench(server(behave).url, "-c", 3, "--hold", "300ms", "--message-rate", 20)
    assert got.code == 0, got.out
    assert pongs == [(PONG, b"first")] * 3


def test_headers_and_subprotocols_are_sent(bench, server):
    def behave(peer, _number):
        peer.upgrade(extra=["Sec-WebSocket-Protocol: ocpp2.0.1"])
        peer.echo()

    srv = server(behave)
    got = bench(srv.url, "--header", "Authorization: Basic eDp5", "--header", "X-Trace: 1",
                "--subprotocol", "ocpp2.0.1", "--subprotocol", "ocpp1.6")
    assert got.code == 0, got.out
    head = srv.heads[0]
    assert "\r\nAuthorization: Basic eDp5\r\nX-Trace: 1\r\n" in head + "\r\n"
    assert "Sec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6" in head


@pytest.mark.parametrize("engine", ["epoll", "io_uring"])
def test_each_proves_who_it_is(server, tmp_path, engine):
    srv = server(good)
    got = plain(srv.url + "/{n}", "-c", 3, "--engine", engine, "--basic", "cp-{n}:pw{n}")
    assert got.returncode == 0, got.stdout + got.stderr
    proofs = {head.split()[1]: re.search("Authorization: (.*)", head).group(1) for head in srv.heads}
    assert proofs == {f"/{n}": "Basic " + base64.b64encode(f"cp-{n}:pw{n}".encode()).decode()
                      for n in (1, 2, 3)}
    tokens = tmp_path / "tokens"
    tokens.write_text("first\nsecond\n")
    srv = server(good)
    got = plain(srv.url + "/{n}", "-c", 3, "--engine", engine, "--token-file", tokens)
    assert got.returncode == 0, got.stdout + got.stderr
    proofs = {head.split()[1]: re.search("Authorization: (.*)", head).group(1).strip() for head in srv.heads}
    assert proofs == {"/1": "Bearer first", "/2": "Bearer second", "/3": "Bearer first"}
    missing = plain(srv.url, "--token-file", tmp_path / "none")
    assert missing.returncode == 1 and "--token-file: cannot read" in missing.stderr


INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "103 with fields": b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n",
    "three": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 199 \r\n\r\n",
}


@pytest.mark.parametrize("name", INTERIM)
def test_answers_before_the_answer_are_passed_over(bench, server, name):
    """RFC 9110, 15.2: any number of 1xx may come before the final answer."""
    def upgraded(peer, _number):
        peer.upgrade(before=INTERIM[name])
        peer.echo()

    def refused(peer, _number):
        peer.read_head()
        for byte in INTERIM[name]:
            peer.sock.sendall(bytes([byte]))
        peer.answer("503 Service Unavailable", [], b"full")

    got = bench(server(upgraded).url, "-c", 3, "--message-rate", 10, "--hold", "300ms")
    assert got.code == 0, got.out + got.err
    assert got.json["totals"]["connected"] == 3
    got = bench(server(refused).url, "-c", 1)
    assert got.code == 1
    failure = got.only_failure()
    assert (failure["kind"], failure["code"]) == ("http", 503)


def test_ipv6_target(bench, server):
    srv = server(good, host="::1")
    got = bench(srv.url + "/x", "-c", 3, "--message-rate", 10, "--duration", "300ms")
    assert got.code == 0, got.out + got.err
    assert f"Host: [::1]:{srv.port}" in srv.heads[0]


def test_the_rate_is_of_those_that_came_up(bench, server):
    """Those that never did, and how long it took to give them up, do not count."""
    def some_never_answer(peer, number):
        if number % 2 == 0:
            peer.read_head()
            peer.sock.recv(1)  # until the tester gives up
            return
        peer.upgrade()
        peer.echo()

    got = bench(server(some_never_answer).url, "-c", 20, "--handshake-timeout", "2s")
    assert got.code == 1
    totals, seconds = got.json["totals"], got.json["connected_seconds"]
    assert (totals["connected"], totals["failed"]) == (10, 10)
    assert got.json["connect_seconds"] >= 2 > seconds > 0
    assert got.json["connected_per_second"] == pytest.approx(10 / seconds, rel=0.01)
    assert f"({10 / seconds:.0f}/s), 10 failed, the last outcome after " in got.out


def test_the_series_has_a_point_when_all_are_up_and_when_they_end(bench, server):
    """Else the report would draw a line from nothing to all of them over a second in which they were up."""
    got = bench(server(good).url, "-c", 10, "--hold", "2500ms")
    assert got.code == 0, got.out + got.err
    first, *_, before_last, last = got.json["series"]
    assert first["connected"] == 10
    assert got.json["connect_seconds"] <= first["at"] < got.json["connect_seconds"] + 0.5
    assert before_last["closed_cleanly"] == 0 and last["closed_cleanly"] == 10
    assert before_last["at"] > first["at"] + 2.4


def test_closing_handshakes_are_made_some_at_a_time(bench, server):
    """All at once, most of many would be given up before the other side came to them."""
    clients, at_once = 300, 256
    closing, released = [], threading.Event()

    def behave(peer, number):
        peer.upgrade()
        assert peer.receive()[0] == CLOSE
        closing.append(number)
        released.wait()
        peer.send(CLOSE, b"\x03\xe8")

    def release():
        wsraw.wait_until(lambda: len(closing) >= at_once, f"{at_once} close frames")
        time.sleep(0.3)  # that no more come can only be seen by waiting
        seen.append(len(closing))
        released.set()

    seen = []
    watcher = threading.Thread(target=release)
    watcher.start()
    got = bench(server(behave).url, "-c", clients, "--hold", "100ms", "--workers", 1)
    watcher.join()
    assert got.code == 0, got.out + got.err
    assert seen == [at_once]
    assert got.json["totals"]["closed_cleanly"] == clients


def test_a_server_that_answers_no_close_frame_is_done_with_soon(bench, server):
    def behave(peer, _number):
        peer.upgrade()
        while True:
            peer.receive()

    started = time.monotonic()
    got = bench(server(behave).url, "-c", 300, "--hold", "100ms", "--workers", 1)
    assert got.code == 0, got.out + got.err
    totals = got.json["totals"]
    assert (totals["held"], totals["closed_cleanly"]) == (300, 0)
    assert 10 <= time.monotonic() - started < 30  # 256, and the rest


def test_many_clients_of_one_id_are_told_of_the_number(bench, gateway):
    """Each takes over from the one before, or is refused: {n} was forgotten."""
    hint = "{n} in the URL becomes its number"
    running = gateway(routes=[{"path": "/newest/{client_id}", "takeover": "newest"},
                              {"path": "/oldest/{client_id}", "takeover": "oldest"}])
    got = bench(running.url("/newest/me"), "-c", 5, "--hold", "500ms")
    assert got.code == 1 and "closed with 4001" in got.out and hint in got.out
    got = bench(running.url("/oldest/me"), "-c", 5, "--hold", "500ms")
    assert got.code == 1 and "HTTP 409" in got.out and hint in got.out
    got = bench(running.url("/newest/dev-{n}"), "-c", 5, "--hold", "100ms")
    assert got.code == 0 and hint not in got.out


def test_rate_spaces_the_connections(bench, server):
    srv = server(good)
    got = bench(srv.url, "-c", 21, "--rate", 50)
    assert got.code == 0, got.out
    assert srv.arrivals[-1] - srv.arrivals[0] >= 0.3  # the first may be noted late
    assert got.json["connect_seconds"] >= 0.39


def test_message_latency_counts_from_the_planned_time(bench, server):
    """A server that stalls once delays all that was planned meanwhile, and the figures
    say so (no coordinated omission)."""

    def behave(peer, _number):
        peer.upgrade()
        opcode, payload = peer.receive()
        time.sleep(0.5)
        peer.send(opcode, payload)
        peer.echo()

    got = bench(server(behave).url, "--message-rate", 100, "--duration", "1s")
    assert got.code == 0, got.out
    assert got.json["echo_seconds"]["max"] >= 0.5
    # Some 50 of 100 messages were planned in the stall, evenly over it.
    assert got.json["echo_seconds"]["p90"] >= 0.3


# --- servers that refuse ---


def test_refused_by_tcp(bench):
    with wsraw.listen() as unused:
        port = unused.getsockname()[1]
    got = bench(f"ws://127.0.0.1:{port}/", "-c", 5)
    assert got.code == 1
    failure = got.only_failure()
    assert (failure["kind"], failure["count"]) == ("connect", 5)
    assert got.verdict.startswith(f"FAIL: nothing listens on 127.0.0.1:{port} (connection refused)")
    assert got.verdict.endswith("0 of 5 connected; 5 failed: connect: ECONNREFUSED "
                                "(Connection refused)")
    assert "nothing listens there" in got.out


def test_gatehouse_limit_is_named(bench, server):
    gate = threading.Lock()
    count = [0]

    def behave(peer, _number):
        with gate:
            count[0] += 1
            is_full = count[0] > 3
        if not is_full:
            good(peer, 0)
            return
        peer.read_head()
        body = json.dumps({"title": "Full", "detail": "3 of 3 connections are in use"}).encode()
        peer.answer("503 Service Unavailable",
                    ["Gatehouse-Limit: max_connections; current=3; max=3", "Retry-After: 5",
                     "Content-Type: application/problem+json"], body)

    got = bench(server(behave).url, "-c", 10, "--hold", "200ms")
    assert got.code == 1
    assert got.verdict_held(0.2) == (
        "FAIL: plateau at 3: the server's max_connections; 3 of 10 connected, 3 held 0.2 s; 7 refused: HTTP 503 "
        "(Gatehouse-Limit: max_connections; current=3; max=3)")
    failure = got.only_failure()
    assert failure["example"] == "3 of 3 connections are in use"
    assert failure["before_open"] is True
    assert "3 of 3 connections are in use" in got.out


def close_after_request(peer, _number):
    peer.read_head()


def reset_after_accept(peer, _number):
    peer.read_head()
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def garbage(peer, _number):
    peer.read_head()
    peer.sock.sendall(b"\x00\xff\x1b[2J no HTTP at all\r\n\r\n")


def wrong_accept(peer, _number):
    peer.upgrade(accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    peer.read(1)


def unasked_subprotocol(peer, _number):
    peer.upgrade(extra=["Sec-WebSocket-Protocol: soap"])
    peer.read(1)


def endless_head(peer, _number):
    peer.read_head()
    peer.sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
    while True:
        peer.sock.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


def endless_body(peer, _number):
    peer.read_head()
    peer.sock.sendall(b"HTTP/1.1 500 Oops\r\n\r\n")
    while True:
        peer.sock.sendall(b"all is lost " * 1000)


def half_a_body(peer, _number):
    peer.read_head()
    peer.sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nno entry")
    peer.read(1)


def silent(peer, _number):
    peer.read_head()
    peer.read(1)


@pytest.mark.parametrize("behave, kind, code, example", [
    (refuse_with("404 Not Found", b"no such route"), "http", 404, "no such route"),
    (refuse_with("401 Unauthorized", b"", then_close=False), "http", 401, ""),
    (refuse_with("200 OK", b"<html>"), "http", 200, "<html>"),
    (endless_body, "http", 500, "all is lost"),
    (half_a_body, "http", 403, "no entry"),
    (close_after_request, "handshake_lost", 0, ""),
    (reset_after_accept, "handshake_lost", 104, ""),
    (garbage, "bad_handshake", 0, "???[2J no HTTP"),
    (wrong_accept, "bad_handshake", 0, "HTTP/1.1 101"),
    (unasked_subprotocol, "bad_handshake", 0, "HTTP/1.1 101"),
    (endless_head, "bad_handshake", 0, "HTTP/1.1 101"),
    (silent, "handshake_timeout", 0, ""),
], ids=lambda value: getattr(value, "__name__", None))
def test_bad_handshakes_are_told_apart(bench, server, behave, kind, code, example):
    limit = {silent: "400ms", half_a_body: "2s"}.get(behave, "20s")  # these two wait for it
    got = bench(server(behave).url, "-c", 3, "--handshake-timeout", limit)
    assert got.code == 1, got.out
    failure = got.only_failure()
    assert (failure["kind"], failure["count"]) == (kind, 3)
    assert failure["code"] == code
    assert failure["example"].startswith(example)
    assert got.json["totals"]["connected"] == 0
    assert "\x1b" not in got.out


def test_closed_before_the_request_is_read(bench, server):
    """Whether that shows as FIN, reset or broken pipe is a matter of time."""
    got = bench(server(lambda peer, number: None).url, "-c", 10)
    assert got.code == 1
    assert {failure["kind"] for failure in got.json["failures"]} == {"handshake_lost"}
    assert sum(failure["count"] for failure in got.json["failures"]) == 10


def test_full_backlog_is_a_connect_time_out(bench):
    """Nobody accepts: the kernel takes a few connections, then answers no SYN."""
    with wsraw.listen(0) as listener:
        got = bench(f"ws://127.0.0.1:{listener.getsockname()[1]}/", "-c", 6,
                    "--connect-timeout", "500ms", "--handshake-timeout", "500ms")
    assert got.code == 1
    kinds = {failure["kind"]: failure["count"] for failure in got.json["failures"]}
    assert set(kinds) == {"connect_timeout", "handshake_timeout"}
    assert sum(kinds.values()) == 6


# --- servers that break what is open ---


def other_content(opcode, payload):
    return [(opcode, payload[:-1] + bytes([payload[-1] ^ 1]))]


def other_stamp(opcode, payload):
    return [(opcode, bytes([payload[0] ^ 1]) + payload[1:])]


def other_kind(_opcode, payload):
    return [(BINARY_FRAME, payload)]


def shorter(opcode, payload):
    return [(opcode, payload[:-1])]


def twice(opcode, payload):
    return [(opcode, payload), (opcode, payload)]


def first_again(memory):
    def change(opcode, payload):
        memory.append(payload)
        return [(opcode, memory[0])]

    return change


# What comes twice may be so late that the next message is awaited.
@pytest.mark.parametrize("change, labels", [
    (other_content, ["other content"]),
    (other_stamp, ["another message"]),
    (other_kind, ["binary came for a text message"]),
    (shorter, ["shorter"]),
    (twice, ["while none was awaited", "another message"]),
    (first_again([]), ["another message"]),
], ids=["content", "stamp", "opcode", "length", "twice", "repeated"])
def test_wrong_echo(bench, server, change, labels):
    def behave(peer, _number):
        peer.upgrade()
        peer.echo(change)

    got = bench(server(behave).url, "-c", 2, "--message-rate", 20, "--duration", "500ms")
    assert got.code == 1, got.out
    failures = [each for each in got.json["failures"] if any(label in each["label"] for label in labels)]
    assert failures and failures[0]["kind"] == "wrong_echo", got.json["failures"]
    assert got.json["totals"]["held"] == 0
    assert got.json["totals"]["dropped"] == 2


def test_echo_of_another_connection_is_wrong(bench, server):
    peers = threading.Barrier(2)
    payloads = {}

    def behave(peer, number):
        peer.upgrade()
        opcode, payloads[number] = peer.receive()
        peers.wait(5)
        peer.send(opcode, payloads[1 - number])
        peer.echo()

    got = bench(server(behave).url, "-c", 2, "--depth", 1, "--duration", "1s")
    assert got.code == 1
    assert got.only_failure()["label"].startswith("another message")


def test_late_echo_is_a_failure(bench, server):
    def behave(peer, number):
        peer.upgrade()
        while number == 0:
            peer.receive()
        peer.echo()

    got = with_more_time(lambda limit: bench(server(behave).url, "-c", 5, "--message-rate", 10, "--duration",
                                             "300ms", "--echo-timeout", limit),
                         lambda got: got.json["totals"]["held"] == 4, ("400ms", "4s", "20s"))
    assert got.code == 1
    failure = got.only_failure()
    assert (failure["kind"], failure["count"]) == ("echo_timeout", 1)
    assert got.json["totals"]["held"] == 4
    assert ", 4 held" in got.verdict and "1 dropped: echo: time out" in got.verdict


def test_close_code_and_reason_are_told(bench, server):
    def behave(peer, number):
        peer.upgrade()
        if number >= 3:
            peer.echo()
            return
        for _ in range(2):
            peer.send(*peer.receive())
        peer.send(CLOSE, struct.pack(">H", 1013) + b"try again later")
        while peer.receive()[0] != CLOSE:
            pass

    got = bench(server(behave).url, "-c", 5, "--message-rate", 20, "--duration", "500ms")
    assert got.code == 1
    failure = got.only_failure()
    assert (failure["kind"], failure["code"], failure["count"]) == ("closed", 1013, 3)
    assert '3 dropped: closed with 1013 "try again later"' in got.verdict
    assert got.json["totals"]["held"] == 2


def lost_by_fin(peer):
    peer.sock.shutdown(socket.SHUT_WR)
    peer.read(1)


def lost_by_reset(peer):
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def masked_frame(peer):
    peer.sock.sendall(b"\x81\x85kkkkhello")
    peer.read(1)


def announced_exabyte(peer):
    peer.sock.sendall(b"\x82\x7f\x10" + bytes(7) + b"x" * 100)
    peer.read(1)


def broken_text(peer):
    peer.sock.sendall(frame(TEXT, b"\xff\xfe"))
    peer.read(1)


@pytest.mark.parametrize("finish, kind, code", [
    (lost_by_fin, "lost", 0),
    (lost_by_reset, "lost", 104),
    (masked_frame, "bad_frame", 1002),
    (announced_exabyte, "bad_frame", 1009),
    (broken_text, "bad_frame", 1007),
], ids=lambda value: getattr(value, "__name__", None))
def test_broken_streams_are_told_apart(bench, server, finish, kind, code):
    def behave(peer, _number):
        peer.upgrade()
        finish(peer)

    got = bench(server(behave).url, "-c", 3, "--hold", "500ms")
    assert got.code == 1
    failure = got.only_failure()
    assert (failure["kind"], failure["code"], failure["count"]) == (kind, code, 3)
    assert got.json["totals"]["dropped"] == 3


def test_causes_do_not_grow_with_a_servers_fantasy(bench, server):
    def behave(peer, number):
        peer.upgrade()
        peer.send(CLOSE, struct.pack(">H", 3000 + number) + f"reason {number}".encode())
        peer.read(1)

    got = bench(server(behave).url, "-c", 100, "--hold", "300ms")
    assert got.code == 1
    assert len(got.json["failures"]) <= 32
    assert sum(failure["count"] for failure in got.json["failures"]) == 100


# --- before the test ---


def test_waits_until_ready(bench, server):
    answers = []

    def behave(peer, _number):
        if b"/health" not in peer.read_head().encode():
            return
        answers.append(1)
        peer.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.answer("503 Service Unavailable" if len(answers) < 3 else "200 OK", [],
                    b'{"status":"starting"}')

    got = bench(server(good).url, "--wait-ready", server(behave).url.replace("ws", "http") +
                "/health")
    assert got.code == 0, got.out + got.err
    assert len(answers) == 3


def wait_in_vain(url, seen):
    """With time enough to see that."""
    return with_more_time(lambda limit: plain("ws://127.0.0.1:1/", "--wait-ready", url,
                                              "--wait-ready-timeout", limit),
                          lambda got: seen in got.stderr)


@pytest.mark.parametrize("behave, seen", [
    (refuse_with("503 Service Unavailable", b'{"reasons":["worker 1 does not listen"]}'),
     "worker 1 does not listen"),
    (refuse_with("404 Not Found"), "is this the right port"),
    (refuse_with("403 Forbidden"), "HTTP 403"),
    (garbage, "not HTTP"),
    (close_after_request, "without an answer"),
])
def test_waiting_in_vain_tells_what_was_seen(server, behave, seen):
    url = server(behave).url.replace("ws", "http") + "/health"
    got = wait_in_vain(url, seen)
    assert got.returncode == 1
    assert re.search(r"did not answer 200 within (0\.3|3\.0|20\.0) s", got.stderr), got.stderr
    assert seen in got.stderr


def test_waiting_for_nobody_tells_so():
    with wsraw.listen() as unused:
        port = unused.getsockname()[1]
    got = wait_in_vain(f"http://127.0.0.1:{port}/health", "Connection refused")
    assert got.returncode == 1
    assert "Connection refused" in got.stderr


def test_unwritable_json_is_found_before_the_test(server, tmp_path):
    srv = server(good)
    path = tmp_path / "missing" / "result.json"
    got = plain(srv.url, "--json", path)
    assert got.returncode == 1
    assert str(path) in got.stderr and "nothing was tested" in got.stderr
    assert srv.arrivals == []


def test_descriptor_limit_is_named_before_the_start(server):
    srv = server(good)
    got = plain(srv.url, "-c", 500, "--engine", "epoll",
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)))
    assert got.returncode == 1
    assert "its own nofile is 256, but 500 are wanted; nothing was tested" in got.stderr
    assert "ulimit -n" in got.stderr and "--force" in got.stderr
    assert srv.arrivals == []


def test_soft_descriptor_limit_is_raised(server):
    got = plain(server(good).url, "-c", 300, "--engine", "epoll", "--hold", "100ms",
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 1024)))
    assert got.returncode == 0, got.stderr + got.stdout


@pytest.mark.parametrize("args, message", [
    ([], "no URL given"),
    (["wss://localhost/", "--key", "x"], "needs --cert"),
    (["ws://localhost/", "--ca", "x"], "is for TLS"),
    (["http://localhost/"], "does not begin with ws://"),
    (["ws://h:0/"], "not in 1..65535"),
    (["ws://h/{m}"], "brace"),
    (["ws://h/", "-c", "0"], "0 is not in 1..16000000"),
    (["ws://h/", "-c", "ten"], "'ten' is not a whole number"),
    (["ws://h/", "--hold", "1 fortnight"], "unknown unit"),
    (["ws://h/", "--message-rate", "-1"], "'-1' is not a number"),
    (["ws://h/", "--message-rate", "nan"], "'nan' is not a number"),
    (["ws://h/", "--size", "17MiB"], "17MiB is not in 0..16777216 bytes"),
    (["ws://h/", "--engine", "kqueue"], "none of auto, io_uring, epoll"),
    (["ws://h/", "--header", "X: a\r\nY: b"], "line break"),
    (["ws://h/", "--header", "Host: b"], "set by the handshake itself"),
    (["ws://h/", "--subprotocol", "a b"], "not a token"),
    (["ws://h/", "--subprotocol", "ab", "--subprotocol", "c", "--subprotocol", "ab"],
     "'ab' is given twice"),
    (["ws://h/", "--depth", "2", "--size", "8"], "no room for its send time"),
    (["ws://h/", "--depth", "2", "--message-rate", "1"], "exclude each other"),
    (["ws://h/", "--duration", "2s"], "needs --depth or"),
    (["ws://h/", "--fast"], "unknown option '--fast'"),
    (["ws://h/", "--quiet=1"], "neither true nor false"),
    (["ws://h/", "-c"], "needs a value"),
    (["ws://h/", "ws://i/"], "already given"),
])
def test_wrong_usage_is_explained(args, message):
    got = plain(*args)
    assert got.returncode == 2, got.stderr
    assert message in got.stderr
    assert len(got.stderr.strip().splitlines()) == 1


def test_help_names_every_option():
    got = plain("--help")
    assert got.returncode == 0
    for option in ("--connections", "--rate", "--hold", "--message-rate", "--depth", "--json",
                   "--wait-ready", "--subprotocol", "--header", "--expect", "--limits",
                   "--force"):
        assert option in got.stdout


# --- during the test ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_early_with_a_report(server, number):
    process = subprocess.Popen([BINARY, "bench", server(good).url, "-c", "5", "--hold", "60s"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr.readline().startswith("connected   connected 5 of 5")
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 1
    assert out.strip().splitlines()[-1].startswith("FAIL: 5 of 5 connected, 5 held ")
    assert " 60." not in out.strip().splitlines()[-1]
    assert "interrupted before the end" in out


def test_several_workers_share_the_connections(bench, server):
    srv = server(good)
    got = bench(srv.url + "/{n}", "-c", 31, "--workers", 3, "--message-rate", 10,
                "--duration", "300ms")
    assert got.code == 0, got.out
    assert got.json["tester"]["workers"] == 3
    assert sorted(int(head.split()[1][1:]) for head in srv.heads) == list(range(1, 32))


def test_terminal_line_is_rewritten_in_its_width(server):
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    process = subprocess.Popen([BINARY, "bench", server(good).url, "-c", "3", "--hold",
                                "1200ms"],
                               stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    seen = b""
    with contextlib.suppress(OSError):  # EIO: the tester has closed its end
        while data := os.read(leader, 4096):
            seen += data
    os.close(leader)
    assert process.wait(20) == 0
    lines = seen.replace(b"\r\n", b"").split(b"\r\033[K")[1:]
    assert len(lines) >= 4  # connected, two or more while holding, held
    assert all(len(line) == 59 for line in lines), lines
    assert seen.count(b"\n") == 2


def test_quiet_prints_no_progress(server):
    got = plain(server(good).url, "--quiet", "--hold", "100ms")
    assert got.returncode == 0
    assert got.stderr == ""


def test_nothing_left_to_hold_ends_the_test(bench, server):
    """A server that is killed in the hold must not cost the rest of it."""
    def behave(peer, _number):
        peer.upgrade()
        peer.receive()

    began = time.monotonic()
    got = bench(server(behave).url, "-c", 3, "--workers", 2, "--message-rate", 5, "--duration",
                "40s")
    assert time.monotonic() - began < 20
    assert got.code == 1
    assert got.verdict.startswith("FAIL: 3 of 3 connected, all 3 dropped after ")
    assert "interrupted" not in got.verdict
    assert got.json["hold_seconds"] < 20


def test_json_error_keeps_its_reason(server):
    got = plain(server(good).url, "-q", "--hold", "100ms", "--json", "/dev/full")
    assert got.returncode == 1
    assert got.stderr == ("gatehouse bench: --json: writing '/dev/full' failed: "
                          "No space left on device\n")
