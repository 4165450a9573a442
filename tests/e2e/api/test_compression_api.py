# SPDX-License-Identifier: Apache-2.0
"""Compression seen from the API and the bus: messages to one and to many, plain ones by wish, what inspect shows."""

import contextlib

import pytest

from kit import natsraw, wsraw
from kit.deflated import Deflated, records
from kit.wsraw import BINARY, TEXT

ROUTES = [{"path": "/ws/{client_id}", "compression": "shared"}, {"path": "/win/{client_id}", "compression": "window"}]
SERVED = {"routes": ROUTES}
OFFERS = ["permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits=9",
          "permessage-deflate; server_no_context_takeover; client_no_context_takeover"]


def test_inspect_shows_what_was_agreed_on(served):
    running, asked = served()
    with running.open("/ws/plain"), Deflated(running.connect(), "/ws/a", OFFERS[1]), \
            Deflated(running.connect(), "/win/a", OFFERS[0]):
        assert asked.inspect("plain")["compression"] is None
        assert asked.inspect("a")["compression"] == {
            "extension": "permessage-deflate", "to_client": {"window_bits": 9, "keeps_window": False},
            "from_client": {"window_bits": 15, "keeps_window": False}}
        assert asked.inspect("a", route="win")["compression"] == {
            "extension": "permessage-deflate", "to_client": {"window_bits": 12, "keeps_window": True},
            "from_client": {"window_bits": 12, "keeps_window": True}}


def test_one_message_can_be_kept_plain(served):
    running, asked = served()
    with Deflated(running.connect(), "/ws/a") as shared, Deflated(running.connect(), "/win/a") as window:
        for client, route in ((shared, "ws"), (window, "win")):
            for number in range(6):
                wish = ("no", "yes", None)[number % 3]
                headers = {} if wish is None else {"Gatehouse_Compress": wish}
                message = records(900, number)
                asked.post(f"/clients/{route}/a/messages", message, type="text/plain", **headers)
                got = client.read()
                assert got[:2] == (TEXT, message) and (got[2] is None) == (wish == "no")
        refused = asked.post("/clients/ws/a/messages", b"x", 400, type="text/plain", Gatehouse_Compress="perhaps")
        assert refused["reason"] == "compress" and refused["seen"] == "perhaps"


@pytest.mark.tsan
def test_a_message_to_many_is_right_for_each(served):
    """Compressed once for each size of window; windows that are kept go on behind it."""
    running, asked = served(server={"workers": 2})
    with contextlib.ExitStack() as stack:
        plain = [stack.enter_context(running.open(f"/ws/plain-{n}")) for n in range(3)]
        packed = [stack.enter_context(Deflated(running.connect(), f"/{route}/{n}", OFFERS[n % 3]))
                  for route in ("ws", "win") for n in range(9)]
        for number in range(8):
            message = records(300 + 400 * number, number)
            headers = {"Gatehouse_Compress": "no"} if number == 5 else {}
            assert asked.post("/broadcast", message, type="text/plain", **headers)["delivered"] == 21
            for client in plain:
                assert client.read_message() == (TEXT, message)
            for client in packed:
                got = client.read()
                assert got[:2] == (TEXT, message) and (got[2] is None) == (number == 5)
                client.echo(records(500, number))
        assert asked.post("/broadcast", b"small", type="text/plain")["delivered"] == 21
        for client in packed:
            assert client.read() == (TEXT, b"small", None)


def test_the_same_by_the_bus(gateway, broker):
    hub = broker()
    with hub.connect() as nats:
        running = gateway(routes=ROUTES, bus={"type": "nats", "urls": [hub.url]})
        with Deflated(running.connect(), "/win/a") as client:
            def reachable():
                try:
                    return nats.request("gatehouse.ctl.win.a", '{"command": "inspect"}').headers["Gatehouse-Status"] == "200"
                except natsraw.NoResponders:
                    return False
            wsraw.wait_until(reachable, "the client on the bus")
            for number in range(6):
                wish = {} if number % 2 else {"Gatehouse-Compress": "no"}
                subject = "gatehouse.to.win.a" if number < 4 else "gatehouse.all.win"
                message = records(900, number)
                nats.publish(subject, message, {"Gatehouse-Type": "binary"} | wish)
                got = client.read()
                assert got[:2] == (BINARY, message) and (got[2] is None) == bool(wish)
            answer = nats.request("gatehouse.to.win.a", b"x", {"Gatehouse-Compress": "perhaps"})
            assert answer.headers["Gatehouse-Status"] == "400" and answer.json["reason"] == "compress"
