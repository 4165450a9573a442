# SPDX-License-Identifier: Apache-2.0
"""`gatehouse bench` says who stopped the test: itself, the server, or what is between.

Against the real gateway, and against servers that know nothing of it: one that runs out
of descriptors, one that refuses, closes or never accepts."""

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest

from kit import wsraw
from kit.bench import CLOSE, Outcome, good, plain, refuse_with
from kit.gateway import BINARY, is_sanitized, with_nofile

pytestmark = pytest.mark.once("the tester's verdicts, which others of its tests also come to")


def http(srv, path=""):
    return srv.url.replace("ws://", "http://") + path


def first_connections(limit, refuse):
    """A server for `limit` connections; `refuse` deals with the others."""
    gate = threading.Lock()
    count = [0]

    def behave(peer, number):
        with gate:
            count[0] += 1
            is_full = count[0] > limit
        if is_full:
            refuse(peer, number)
        else:
            good(peer, number)

    return behave


# --- mine ---


def test_own_descriptors_are_named_before_the_start(server):
    """Round one of the story: 10,000 are wanted, nofile is 1024, soft and hard."""
    srv = server(good)
    got = plain(srv.url, "-c", 10000, "--engine", "epoll", preexec_fn=with_nofile(1024))
    assert got.returncode == 1
    first, *rest = got.stderr.splitlines()
    assert first.startswith("gatehouse bench: this tester can open about 9")
    assert first.endswith("connections: its own nofile is 1,024, but 10,000 are wanted; "
                          "nothing was tested")
    assert any("LimitNOFILE=" in line for line in rest)
    assert any("--force" in line for line in rest)
    assert len(rest) < 20, "the cause is on the first screen"
    assert srv.arrivals == [] and got.stdout == ""


@pytest.mark.skipif(is_sanitized(), reason="needs descriptors of its own")
def test_forced_the_verdict_names_own_descriptors(bench, server):
    """With io_uring one worker is asked for: more would have tables of their own."""
    srv = server(good, backlog=1024)
    got = bench(srv.url, "-c", 400, "--workers", 1, "--force", "--quiet", preexec_fn=with_nofile(256))
    assert got.code == 1, got.err
    plateau = got.json["plateau"]
    assert plateau["side"] == "mine" and plateau["limit"] == "nofile"
    assert 180 <= plateau["at"] <= 256
    assert got.verdict.startswith(f"FAIL: plateau at {plateau['at']}: the tester's own nofile is 256;")
    assert got.json["preflight"]["fits"] is False and got.json["preflight"]["forced"] is True
    assert got.json["preflight"]["limit"] == "nofile"
    assert {each["side"] for each in got.json["failures"]} == {"mine"}
    assert "going on anyway (--force)" in got.err
    assert "ulimit -n" in got.out


def test_many_small_rings_hold_what_one_table_cannot(server, tmp_path):
    """With io_uring each worker has a table of its own, so a small nofile is no limit."""
    srv = server(good, backlog=1024)
    path = tmp_path / "result.json"
    got = plain(srv.url, "-c", 400, "--engine", "io_uring", "--json", path,
                preexec_fn=with_nofile(256))
    if "cannot run here" in got.stderr:
        pytest.skip("io_uring is not available here")
    assert got.returncode == 0, got.stderr + got.stdout
    assert "its own nofile is 256 per ring" in got.stdout
    result = json.loads(path.read_text())
    assert result["tester"]["workers"] == 3
    assert result["preflight"]["allowed"] == 3 * (256 - 64)
    assert result["plateau"] is None
    assert result["tester_limits"]["binding"] == "nofile"


def test_source_ports_of_one_address_are_a_limit(server):
    srv = server(good, host="::1")
    got = plain(srv.url, "-c", 200000, "--engine", "auto")
    if "nofile" in got.stderr:
        pytest.skip("descriptors are fewer than ports here")
    assert got.returncode == 1
    assert "its own ip_local_port_range is" in got.stderr
    assert "one source address for this target" in got.stderr
    assert "127.0.0.0/8" in got.stderr
    assert srv.arrivals == []


# --- yours: a gateway ---


@pytest.fixture
def full(gateway):
    """A gateway with room for 40."""
    return gateway(server={"max_connections": 40})


def bench_at(gw, tmp_path, *args):
    path = tmp_path / "bench.json"
    process = plain(gw.url("/ws/dev-{n}"), "--json", path, "--quiet", *args)
    return Outcome(process, path)


def test_plateau_at_the_gateways_max_connections(full, tmp_path):
    """Round three of the story."""
    limits = f"http://{full.admin[0]}:{full.admin[1]}/limits"
    got = bench_at(full, tmp_path, "-c", 200, "--hold", "200ms", "--limits", limits)
    assert got.code == 1, got.err
    assert got.verdict_held(0.2).startswith("FAIL: plateau at 40: the server's max_connections; "
                                            "40 of 200 connected, 40 held 0.2 s; 160 refused: HTTP 503")
    assert got.json["plateau"] == {"at": 40, "side": "yours", "limit": "max_connections",
                                   "text": "plateau at 40: the server's max_connections"}
    rows = {row["limit"]: row for row in got.json["server_limits"]["limits"]}
    assert rows["max_connections"]["used"] == rows["max_connections"]["value"] == 40
    assert got.json["server_note"] == f"the server's own, from {limits}"
    assert "server.max_connections: 200" in got.out
    failure = got.only_failure()
    assert failure["side"] == "yours"
    assert 0 <= failure["first_s"] <= failure["last_s"] <= got.json["total_seconds"]


def test_without_limits_url_the_header_is_enough(full, tmp_path):
    got = bench_at(full, tmp_path, "-c", 100)
    assert got.code == 1
    assert got.json["plateau"]["text"] == "plateau at 40: the server's max_connections"
    assert got.json["server_limits"] is None and got.json["server_note"] == ""


def test_a_gateway_full_of_others_is_a_plateau_at_none(full, tmp_path):
    others = [full.open(f"/ws/{number}") for number in range(40)]
    got = bench_at(full, tmp_path, "-c", 10)
    assert got.verdict.startswith("FAIL: plateau at 0: the server's max_connections; 0 of 10")
    for client in others:
        client.close()


def test_thousands_are_separated_for_people(gateway, tmp_path):
    gw = gateway(server={"max_connections": 1000})
    got = bench_at(gw, tmp_path, "-c", 1500)
    assert got.verdict.startswith("FAIL: plateau at 1,000: the server's max_connections; "
                                  "1,000 of 1,500 connected, 1,000 held")
    assert got.json["plateau"]["at"] == 1000
    assert "500 refused" in got.verdict


def test_all_connected_is_no_plateau(full, tmp_path):
    got = bench_at(full, tmp_path, "-c", 40, "--hold", "100ms")
    assert got.code == 0, got.out
    assert got.json["plateau"] is None and got.json["checks"] == []
    assert got.verdict_held(0.1) == "PASS: 40 of 40 connected, 40 held 0.1 s"


# --- yours: any other server ---

OUT_OF_DESCRIPTORS = """
import asyncio, sys, websockets

async def echo(ws):
    async for message in ws:
        await ws.send(message)

async def main():
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with websockets.serve(echo, "127.0.0.1", 0, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()

asyncio.run(main())
"""


@pytest.fixture
def small_server():
    """A foreign server in a process of its own, which can open 64 descriptors."""
    process = subprocess.Popen([sys.executable, "-c", OUT_OF_DESCRIPTORS],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               preexec_fn=with_nofile(64))
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def test_a_foreign_server_out_of_descriptors_is_seen_through(bench, small_server):
    process, port = small_server
    got = bench(f"ws://127.0.0.1:{port}/", "-c", 120, "--connect-timeout", "2s",
                "--handshake-timeout", "1s", "--quiet")
    assert got.code == 1
    plateau = got.json["plateau"]
    assert (plateau["side"], plateau["limit"]) == ("yours", "nofile"), got.out
    assert 40 <= plateau["at"] <= 64
    assert f"pid {process.pid}, uses 64 of 64" in plateau["text"]
    assert f"pid {process.pid}" in got.json["server_note"]
    assert got.json["server_limits"]["binding"] == "nofile"
    assert {each["side"] for each in got.json["failures"]} == {"between"}
    assert "LimitNOFILE=" in got.out


def test_a_refusal_that_names_nothing_is_said_to(bench, server):
    refuse = refuse_with("503 Service Unavailable", b"busy")
    got = bench(server(first_connections(10, refuse)).url, "-c", 30, "--hold", "100ms")
    assert got.code == 1
    assert got.json["plateau"] == {
        "at": 10, "side": "yours", "limit": None,
        "text": "plateau at 10: the server refuses with HTTP 503 and names no limit"}


def test_closing_what_is_too_many_is_a_plateau(bench, server):
    def refuse(peer, _number):
        peer.upgrade()
        peer.send(CLOSE, struct.pack(">H", 1013) + b"full")
        peer.receive()

    got = bench(server(first_connections(10, refuse)).url, "-c", 60, "--rate", 200, "--hold",
                "300ms")
    assert got.code == 1
    plateau = got.json["plateau"]
    assert (plateau["at"], plateau["side"], plateau["limit"]) == (10, "yours", None)
    assert plateau["text"] == ('plateau at 10: the server ends the others: closed with 1013 '
                               '"full"')
    assert got.json["totals"]["held"] == 10


def test_a_listener_that_never_accepts_is_seen_by_the_kernel(bench):
    with wsraw.listen(1) as listener:
        got = bench(f"ws://127.0.0.1:{listener.getsockname()[1]}/", "-c", 12,
                    "--connect-timeout", "1500ms", "--handshake-timeout", "1500ms")
    assert got.code == 1
    assert got.json["kernel"]["ListenOverflows"] > 0
    assert got.json["plateau"]["side"] == "yours"
    assert got.json["plateau"]["limit"] == "listen backlog"
    assert f"pid {os.getpid()}, does not accept" in got.json["plateau"]["text"]
    assert {each["side"] for each in got.json["failures"]} == {"between"}


def test_a_server_that_stops_to_listen(bench, server):
    servers = []

    def behave(peer, number):
        if number == 4:
            servers[0].close()
        good(peer, number)

    servers.append(server(behave))
    got = bench(servers[0].url, "-c", 40, "--rate", 100, "--hold", "100ms")
    assert got.code == 1
    plateau = got.json["plateau"]
    assert plateau["side"] == "yours" and 4 <= plateau["at"] < 40
    assert plateau["at"] == got.json["totals"]["connected"]


def test_slips_in_between_are_no_plateau(bench, server):
    """Every fifth is refused, but the others come up all the while."""
    def behave(peer, number):
        if number % 5 == 0:
            refuse_with("500 Oops")(peer, number)
        else:
            good(peer, number)

    got = bench(server(behave).url, "-c", 100, "--hold", "100ms")
    assert got.code == 1
    assert got.json["plateau"] is None
    assert got.verdict.startswith("FAIL: 80 of 100 connected")


def test_the_wrong_port_is_named_as_such(bench, server):
    srv = server(good)
    with wsraw.listen() as unused:
        port = unused.getsockname()[1]
    got = bench(f"ws://127.0.0.1:{port}/", "-c", 5)
    assert got.code == 1
    assert got.verdict.startswith(
        f"FAIL: nothing listens on 127.0.0.1:{port} (connection refused): is that the right port?")
    assert " listen" in got.verdict.split("?")[1], "what does listen is said"
    assert got.json["plateau"] is None
    assert srv.arrivals == []


def test_our_own_request_is_known_when_it_comes_back(bench, server):
    """An echo service, or a connection that met itself: both say GET to us."""
    def echo(peer, _number):
        peer.read_head()
        peer.sock.sendall(peer.head + b"\r\n\r\n")

    got = bench(server(echo).url, "-c", 3)
    assert got.code == 1
    failure, = got.json["failures"]
    assert failure["count"] == 3
    assert "our own request came back" in failure["text"]


def test_the_port_of_another_service_is_named_as_such(gateway, tmp_path):
    """Round two of the story: the admin listener's port, which answers HTTP."""
    gw = gateway()
    path = tmp_path / "bench.json"
    got = Outcome(plain(f"ws://{gw.admin[0]}:{gw.admin[1]}/ws/1", "-c", 3, "--json", path), path)
    assert got.code == 1
    assert got.verdict.startswith("FAIL: an HTTP server answered, but not as a WebSocket: check "
                                  "port and path; 0 of 3 connected")
    assert got.json["plateau"] is None


# --- the server's limits are not to be trusted ---


def answer_limits(body, status="200 OK"):
    return refuse_with(status, body)


def hung(peer, _number):
    peer.read_head()
    peer.read(1)


def endless(peer, _number):
    peer.read_head()
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.sock.sendall(b"{" * 65536)


@pytest.mark.parametrize("behave, note", [
    (answer_limits(b"<html>hello</html>"), "its answer is no JSON object"),
    (answer_limits(b"[1, 2]"), "its answer is no JSON object"),
    (answer_limits(b"{}"), "its answer has no limits in it"),
    (answer_limits(b'{"limits": 7}'), "its answer has no limits in it"),
    (answer_limits(b"", "404 Not Found"), "HTTP 404"),
    (answer_limits(b"{" * 50000), "its answer is no JSON object"),
    (endless, "its answer is no JSON object"),
    (hung, "no answer in time"),
    (lambda peer, number: None, ""),
], ids=["html", "array", "empty", "number", "404", "deep", "endless", "hung", "closed"])
def test_rubbish_for_limits_is_a_note(server, tmp_path, behave, note):
    path = tmp_path / "result.json"
    began = time.monotonic()
    got = plain(server(good).url, "-c", 3, "--hold", "100ms", "--json", path, "--limits",
                http(server(behave), "/limits"))
    assert got.returncode == 0, got.stderr + got.stdout
    assert time.monotonic() - began < 20
    result = json.loads(path.read_text())
    assert result["server_limits"] is None
    assert result["server_note"].startswith("--limits http://127.0.0.1:")
    assert note in result["server_note"]


def test_hostile_rows_are_made_harmless(server, tmp_path):
    rows = [{"limit": "\x1b[2J", "kind": "caps", "value": 5, "used": 5},
            {"limit": "seats", "kind": "caps", "value": 5, "used": 5,
             "remedies": [{"place": "\x1b[2J", "text": "x\n\x07" * 3}, 7, {"place": 1}]},
            {"limit": 5}, "text", None, {"limit": "x", "kind": [], "value": -1, "used": 1e99}]
    body = json.dumps({"limits": rows, "binding": {}}).encode()
    srv = server(first_connections(5, refuse_with("503 Service Unavailable")))
    path = tmp_path / "result.json"
    got = plain(srv.url, "-c", 12, "--hold", "100ms", "--json", path, "--limits",
                http(server(answer_limits(body)), "/limits"))
    assert got.returncode == 1
    plateau = json.loads(path.read_text())["plateau"]
    assert (plateau["at"], plateau["limit"]) == (5, "seats")
    assert plateau["text"].endswith("uses 5 of 5)")
    assert "\x1b" not in got.stdout and "\x07" not in got.stdout


def test_nobody_at_the_limits_url_is_a_note(server):
    with wsraw.listen() as unused:
        port = unused.getsockname()[1]
    got = plain(server(good).url, "--hold", "100ms", "--limits", f"http://127.0.0.1:{port}/limits")
    assert got.returncode == 0
    assert "nothing listens there" in got.stdout


# --- expectations ---


def test_expectations_decide_the_exit_code(bench, server):
    srv = server(first_connections(8, refuse_with("503 Service Unavailable")))
    got = bench(srv.url, "-c", 10, "--hold", "100ms", "--expect", "connected>=80%", "--expect",
                "dropped==0", "--expect", "handshake.p99<10s")
    assert got.code == 0, got.out
    assert got.verdict.startswith("PASS: plateau at 8: ")
    assert "all 3 expectations met" in got.verdict
    assert got.json["passed"] is True
    assert [check["met"] for check in got.json["checks"]] == [True] * 3
    assert got.json["checks"][0] == {"expect": "connected>=80%", "seen": "80% (8 of 10)",
                                     "met": True}


def test_an_expectation_that_is_not_met_fails(bench, server):
    got = bench(server(good).url, "-c", 3, "--message-rate", 20, "--duration", "300ms",
                "--expect", "echoed==100%", "--expect", "p99<1us", "--expect", "max<1ns")
    assert got.code == 1
    assert got.verdict.startswith("FAIL: expected p99<1us, saw ")
    assert "(and 1 more not met)" in got.verdict
    assert "NOT MET  p99<1us" in got.out
    assert [check["met"] for check in got.json["checks"]] == [True, False, False]


def test_an_interrupted_test_fails_whatever_was_expected(server):
    process = subprocess.Popen([BINARY, "bench", server(good).url, "-c", "3", "--hold", "60s",
                                "--expect", "connected==100%"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr.readline().startswith("connected   connected 3 of 3")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 1
    assert out.strip().splitlines()[-1].startswith("FAIL: all 1 expectations met; 3 of 3")
    assert "interrupted" in out


@pytest.mark.parametrize("args, message", [
    (["--expect", "conected==100%"], "did you mean connected?"),
    (["--expect", "p99<50"], "needs a unit"),
    (["--expect", "held~5"], "where one of == != < <= > >= is needed"),
    (["--expect"], "needs a value"),
    (["--limits", "ftp://h/"], "--limits: the URL"),
    (["--limits", "http://h/{n}"], "asked once for all"),
    (["--force=1"], "neither true nor false"),
])
def test_wrong_usage_is_explained(args, message):
    got = plain("ws://127.0.0.1:1/", *args)
    assert got.returncode == 2, got.stderr
    assert message in got.stderr
    assert len(got.stderr.strip().splitlines()) == 1
