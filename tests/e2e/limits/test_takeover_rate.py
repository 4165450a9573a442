# SPDX-License-Identifier: Apache-2.0
"""Two devices that were given one id throw each other out: they are told of, and paced."""

import json
import time

import pytest

from kit.backends import Webhook
from kit.gateway import assert_refusal

WARNING = "a client is taken over again and again: two devices with one id, or one that comes " \
          "back after 4001"


def come(running, target: str):
    """The connection, and the status of its handshake."""
    client = running.connect()
    return client, client.handshake(target)


def test_two_devices_with_one_id_are_paced_and_told_of(gateway):
    running = gateway(server={"takeover_rate": 5})
    with running.open("/ws/other") as other:
        current, answer = come(running, "/ws/twin-7")
        assert answer.status == 101
        for _ in range(5):
            newer, answer = come(running, "/ws/twin-7")
            assert answer.status == 101
            current.expect_close(4001, answer=True)
            current.close()
            current = newer
        refused, answer = come(running, "/ws/twin-7")
        assert answer.status == 429
        assert_refusal(answer, "takeover_rate", 5, 5)
        refused.close()
        current.echo(b"the one that is there stays")
        other.echo(b"nobody else is meant")
        running.open("/ws/twin-8").close()
        current.close()
        running.wait_metric("clients", 1)
        running.open("/ws/twin-7").close()
    line = running.wait_log(WARNING)
    assert (line["route"], line["client_id"]) == ("ws", "twin-7")
    assert line["remote"].startswith("127.0.0.1:") and line["older"] == "127.0.0.1"
    assert int(line["older_port"]) > 0
    assert running.metric("takeovers_total") == 5
    assert running.metric("takeovers_repeated_total") == 3
    assert running.metric("connections_refused_total", limit="takeover_rate") == 1


@pytest.mark.parametrize("engine", ["epoll"])  # it is about time, which is the same for both
def test_slower_than_the_pace_they_are_told_of_all_the_same(gateway, engine):
    """Half a second for each is what the pace allows for ever."""
    running = gateway(server={"takeover_rate": 120})
    current, _ = come(running, "/ws/twin-7")
    for _ in range(5):
        assert not running.logged(WARNING)
        time.sleep(0.51)
        newer, answer = come(running, "/ws/twin-7")
        assert answer.status == 101
        current.close()
        current = newer
    line = running.wait_log(WARNING)
    assert (line["route"], line["client_id"]) == ("ws", "twin-7")
    assert running.metric("takeovers_repeated_total") == 1
    current.close()


def test_one_that_comes_back_is_no_pair(gateway):
    running = gateway()
    clients = [running.open("/ws/a") for _ in range(3)]
    running.wait_metric("takeovers_total", 2)
    assert not running.logged(WARNING)
    assert running.metric("takeovers_repeated_total") == 0
    for client in clients:
        client.close()


def test_back_end_is_not_asked_for_them(gateway):
    hook = Webhook()
    try:
        running = gateway(server={"takeover_rate": 2},
                          routes=[{"path": "/up/{client_id}", "backend": "hook"}],
                          backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
        clients = [come(running, "/up/twin") for _ in range(8)]
        statuses = [answer.status for _, answer in clients]
        assert statuses == [101] * 3 + [429] * 5
        hook.wait("connect", 3)
        assert len(hook.of("connect")) == 3
        for client, _ in clients:
            client.close()
        hook.wait("disconnected", 3)
        running.stop()
    finally:
        hook.close()


@pytest.mark.parametrize("takeover", ["many", "oldest"])
def test_other_policies_have_no_pace(gateway, takeover):
    running = gateway(server={"takeover_rate": 1},
                      routes=[{"path": "/ws/{client_id}", "takeover": takeover}])
    clients = [come(running, "/ws/a") for _ in range(6)]
    statuses = [answer.status for _, answer in clients]
    assert statuses == ([101] * 6 if takeover == "many" else [101] + [409] * 5)


def test_row_of_the_limits_table(gateway):
    rows = {row["limit"]: row for row in json.loads(gateway().get("/limits").body)["limits"]}
    row = rows["takeover_rate"]
    assert (row["state"], row["value"]) == ("known", 30)
    assert {"place": "configuration", "text": "server.takeover_rate: 60"} in row["remedies"]
    rows = {row["limit"]: row for row in json.loads(
        gateway(server={"takeover_rate": 0}).get("/limits").body)["limits"]}
    assert rows["takeover_rate"]["state"] == "off"
