# SPDX-License-Identifier: Apache-2.0
"""Limits on the number of connections: exact, and named in every refusal."""

import concurrent.futures
import contextlib
import json
import re

import pytest

from kit import wsraw
from kit.gateway import ROOT, assert_refusal


def try_open(running, number: int) -> tuple[wsraw.Client, wsraw.Response]:
    client = running.connect()
    return client, client.handshake(f"/ws/c-{number}")


@pytest.mark.tsan
def test_max_connections_is_exact_over_two_workers(gateway):
    """With 10 places and 60 clients at once, 10 get in, whichever worker they meet."""
    running = gateway(server={"max_connections": 10, "workers": 2})
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(20) as pool:
        results = list(pool.map(lambda number: try_open(running, number), range(60)))
        for client, _ in results:
            stack.enter_context(client)
        statuses = [response.status for _, response in results]
        assert (statuses.count(101), statuses.count(503)) == (10, 50)
        for client, response in results:
            if response.status == 503:
                assert_refusal(response, "max_connections", 10, 10)
                assert client.is_closed()
            else:
                client.echo(b"one of ten")
        assert running.metric("connections") == 10
        assert running.health()["connections"] == 10
        assert running.health()["max_connections"] == 10
        assert running.metric("connections_refused_total", limit="max_connections") == 50
        assert running.metric("limit", limit="max_connections") == 10
        assert running.metric("limit_used", limit="max_connections") == 10
    running.wait_metric("connections", 0)


@pytest.mark.tsan
def test_a_place_that_becomes_free_is_given_again(gateway):
    """Turnover must not leak places: 200 connections one after the other through 2."""
    running = gateway(server={"max_connections": 2, "workers": 2})
    with running.open("/ws/stays") as stays:
        for number in range(200):
            client = wsraw.wait_until(lambda: open_or_none(running, number), "a free place")
            client.echo(b"%d" % number)
            client.close()
        stays.echo(b"still here")
    running.wait_metric("connections", 0)
    assert running.metric("connections_accepted_total") >= 201


def open_or_none(running, number: int) -> wsraw.Client | None:
    client, response = try_open(running, number)
    if response.status == 101:
        return client
    client.close()
    return None


def test_connections_in_the_handshake_do_not_pass_the_limit(gateway):
    """Clients that have not finished their handshake cannot be used to overshoot."""
    running = gateway(server={"max_connections": 5})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(20)]
        for client in clients:
            client.send(wsraw.request()[:-2])
        for client in clients:
            client.send(b"\r\n")
        statuses = [client.read_response().status for client in clients]
        assert statuses.count(101) <= 5
        assert running.metric("connections") == statuses.count(101)


def test_health_answers_at_the_limit(gateway):
    """A full gateway is still a healthy one, and says so on both ports."""
    running = gateway(server={"max_connections": 1})
    with running.open():
        for admin in (True, False):
            response = running.get("/health", admin=admin)
            assert response.status == 200
            assert json.loads(response.body)["connections"] == 1


def test_more_than_the_machine_can_hold_stops_the_start(start):
    """Exit 78, and the message names the limit that binds, its value, and what to do."""
    refused = start(server={"max_connections": 16000000, "workers": 1})
    assert refused.wait_exit() == 78
    assert "max_connections" in refused.log and "16000000" in refused.log
    assert re.search(r"nofile|memory", refused.log, re.IGNORECASE), refused.log


def test_refusals_are_in_the_log_without_flooding_it(gateway):
    running = gateway(server={"max_connections": 1})
    with running.open():
        for number in range(100):
            client, response = try_open(running, number)
            assert response.status == 503
            client.close()
        lines = [line for line in running.log.splitlines() if "max_connections" in line
                 and "refused" in line]
        assert 1 <= len(lines) < 20, running.log


LIMITS = {
    "max_connections", "max_connections_per_ip", "routes.max_connections", "accept_rate", "takeover_rate",
    "message_rate", "byte_rate", "keep_alive_max", "refuse_browsers_max", "auth_failures", "password_queue",
    "compression_memory", "tickets_max", "streams_max", "blocks_max", "tls_handshakes_max", "tls_handshake_rate", "certificate_expiry",
    "backends.pending_max",
    "payload_memory", "nofile", "nofile.hard",
    "fs.nr_open", "fs.file-max", "cgroup.memory", "memory", "pids.max", "nf_conntrack_max",
    "ip_local_port_range", "somaxconn", "tcp_max_syn_backlog", "tcp_syncookies", "tcp_mem",
    "ListenOverflows", "ListenDrops", "io_uring", "memlock",
}


def rows_of(running) -> dict[str, dict]:
    return {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}


def test_limits_lists_every_limit_whatever_is_known_of_it(gateway):
    """None is left out: what cannot be read says why, what is not set says so."""
    running = gateway(server={"max_connections": 30, "accept_rate": 1000})
    table = json.loads(running.get("/limits").body)
    assert table["binding"] == "max_connections" and table["connections"] == 30
    assert table["limits"][0]["limit"] == table["binding"]
    assert table["limits"][1]["limit"] == table["next"]
    rows = rows_of(running)
    assert rows.keys() == LIMITS
    for name, row in rows.items():
        assert row["state"] in ("known", "unlimited", "unknown", "off"), name
        assert row["scope"] in ("gateway", "process", "container", "machine", "network"), name
        assert row["source"], name
        assert row["state"] == "known" or row["value"] is None, name
        assert row["state"] == "known" or row["note"] or row["state"] == "unlimited", name
        if row["kind"] == "caps" and row["connections"] is not None:
            assert row["cost"], name
    assert rows["accept_rate"]["value"] == 1000
    assert rows["max_connections_per_ip"]["state"] == "off"


def test_the_table_in_the_docs_is_whole(gateway):
    text = (ROOT / "docs" / "limits.md").read_text()
    for name, row in rows_of(gateway()).items():
        assert f"| `{name}` | {row['scope']} | {row['kind']} |" in text


def test_limits_show_what_is_used_now(gateway):
    running = gateway(server={"max_connections": 30, "max_connections_per_ip": 20})
    with contextlib.ExitStack() as stack:
        for number in range(5):
            stack.enter_context(running.open(f"/ws/{number}"))
        for number in range(3):
            client = stack.enter_context(running.connect(source="127.0.0.9"))
            client.open(f"/ws/other-{number}")
        rows = rows_of(running)
        assert rows["max_connections"]["used"] == 8
        assert rows["max_connections_per_ip"]["used"] == 5
        assert rows["nofile"]["used"] >= 8
        assert running.metric("limit_used", limit="max_connections") == 8
        assert running.metric("limit", limit="max_connections_per_ip") == 20


def test_remedies_are_ready_to_paste(gateway):
    running = gateway(server={"max_connections": 30})
    rows = rows_of(running)
    assert {"place": "configuration", "text": "server.max_connections: 60"} in \
        rows["max_connections"]["remedies"]


def test_remedies_are_for_as_many_connections_as_asked(gateway):
    running = gateway(server={"max_connections": 30})
    table = json.loads(running.get("/limits?connections=777").body)
    assert {"place": "configuration", "text": "server.max_connections: 777"} in \
        table["limits"][0]["remedies"]


@pytest.mark.parametrize("query", ["connections", "connections=", "connections=0", "x=1",
                                   "connections=1&x=2", "connections=-1", "connections=16000001",
                                   "connections=99999999999999999999"])
def test_limits_with_another_query_is_refused_with_the_reason(gateway, query):
    response = gateway().get(f"/limits?{query}")
    assert response.status == 400
    assert "connections=N" in json.loads(response.body)["detail"]


def test_a_limit_that_is_nearly_used_up_is_warned_of_once(gateway):
    """At 80 and at 95 percent; and again only after it has fallen."""
    running = gateway(server={"max_connections": 20})
    with contextlib.ExitStack() as stack:
        for number in range(16):
            stack.enter_context(running.open(f"/ws/{number}"))
        warning = running.wait_log("a limit is over 80 percent used")
        assert (warning["limit"], warning["used"], warning["value"]) == \
            ("max_connections", "16", "20")
        assert "server.max_connections: 40" in warning["remedy"]
        for number in range(16, 20):
            stack.enter_context(running.open(f"/ws/{number}"))
        warning = running.wait_log("a limit is over 95 percent used")
        assert (warning["limit"], warning["used"]) == ("max_connections", "20")

    def warned(percent: int) -> int:
        return sum(fields["limit"] == "max_connections"
                   for fields in running.logged(f"a limit is over {percent} percent used"))

    assert (warned(80), warned(95)) == (1, 1)


def test_start_says_what_binds_and_what_would_be_next(gateway):
    ready = gateway(server={"max_connections": 50}).logged("ready")[0]
    assert (ready["max_connections"], ready["limit"]) == ("50", "max_connections")
    assert ready["next_limit"] in LIMITS - {"max_connections"}
    assert int(ready["next_limit_allows"]) > 50
    ready = gateway().logged("ready")[0]
    assert ready["limit"] in LIMITS - {"max_connections"}, "auto is taken from another limit"
