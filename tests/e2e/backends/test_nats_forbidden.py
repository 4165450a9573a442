# SPDX-License-Identifier: Apache-2.0
"""A broker whose permissions forbid the gateway something: nothing that was refused counts as delivered,
and people are told what is missing."""

import json
import signal

import pytest

from kit import api, natsraw, wsraw

BUS = {"type": "nats", "user": "gate", "reconnect_min": "5ms", "reconnect_max": "20ms"}
PASSWORD = {"GATEHOUSE_BUS_PASSWORD": "pw"}
EVERYTHING = '">"'
BUT_EVENTS = '["gatehouse.ctl.>", "gatehouse.to.>", "gatehouse.connect.>", "gatehouse.nodes", "gatehouse.blocks", "_INBOX.>"]'


def permissions(publish: str = EVERYTHING, subscribe: str = EVERYTHING) -> str:
    return ("authorization { users = [ {user: admin, password: pw}, {user: gate, password: pw, "
            f"permissions: {{publish: {publish}, subscribe: {subscribe}}}}} ] }}\n")


@pytest.fixture
def serve(gateway):
    def run(on: natsraw.Broker, *, route=None, **keys):
        running = gateway(
            server={"drain_timeout": "1s", "close_timeout": "200ms"},
            bus=BUS | {"urls": f"[{on.url}]"},
            routes=[{"path": "/ws/{client_id}", "backend": "up"} | (route or {})],
            backends=[{"name": "up", "type": "nats", "retries": 1, "retry_min": "1ms",
                       "retry_max": "50ms", "timeout": "2s"} | keys], env=PASSWORD)
        wsraw.wait_until(lambda: running.metric("bus_connected") == 1, "the broker")
        return running
    return run


def events(gateway, outcome: str, kind: str = "message") -> float:
    return gateway.metric("backend_events_total", backend="up", type=kind, outcome=outcome)


def why(gateway) -> str:
    return " ".join(gateway.health()["reasons"])


def allow_all(broker: natsraw.Broker) -> None:
    """As an operator does: the configuration is mended and read again, the connections stay."""
    (broker.directory / "nats.conf").write_text(permissions())
    broker.process.send_signal(signal.SIGHUP)
    wsraw.wait_until(lambda: "Reloaded" in broker.log, "the broker has read it")


def is_reached(service, subject: str) -> bool:
    try:
        return service.request(subject, b"hello").headers["Gatehouse-Status"] == "200"
    except natsraw.NoResponders:
        return False


@pytest.mark.tsan
def test_nothing_that_was_refused_counts_as_delivered(serve, broker):
    gateway = serve(broker(config=permissions(publish=BUT_EVENTS)))
    client = gateway.open()
    for number in range(20):
        client.send_frame(wsraw.TEXT, b"%d" % number)
    wsraw.wait_until(lambda: "to publish to 'gatehouse.up.ws." in why(gateway), "why")
    assert gateway.health()["status"] == "degraded"
    line = gateway.wait_log("the broker forbids this gateway a subject; allow its user to publish "
                            "and to subscribe to gatehouse.> and _INBOX.>")
    assert line["level"] == "warn"
    assert line["broker_says"].startswith('Permissions Violation for Publish to "gatehouse.up.ws.')
    wsraw.wait_until(lambda: gateway.metric("backend_events_waiting", backend="up")
                     + events(gateway, "refused") + events(gateway, "refused", "connected") == 21,
                     "all of them refused or kept")
    assert gateway.metric("bus_forbidden_total") >= 1
    assert gateway.metric("bus_forbidden_subjects") == 1
    assert events(gateway, "delivered") == events(gateway, "delivered", "connected") == 0
    client.close()


def test_what_waits_is_delivered_once_the_broker_allows_it(serve, broker):
    nats = broker(config=permissions(publish=BUT_EVENTS))
    gateway = serve(nats)
    client = gateway.open("/ws/a")
    wsraw.wait_until(lambda: gateway.health()["status"] == "degraded", "degraded")
    for number in range(10):
        client.send_frame(wsraw.TEXT, b"%d" % number)
    gateway.wait_metric("backend_events_waiting", 10, backend="up")
    with nats.connect(user="admin", password="pw") as service:
        up = service.subscribe("gatehouse.up.ws.a")
        allow_all(nats)
        bodies = [up.next_message().body for _ in range(10)]
    assert bodies == [b"%d" % number for number in range(10)]
    wsraw.wait_until(lambda: gateway.health()["status"] == "ready", "ready")
    wsraw.wait_until(lambda: events(gateway, "delivered") == 10, "ten delivered")
    assert events(gateway, "refused") == 0
    client.close()


def test_on_failure_close_applies(serve, broker):
    gateway = serve(broker(config=permissions(publish=BUT_EVENTS)), on_failure="close")
    client = gateway.open()
    wsraw.wait_until(lambda: gateway.health()["status"] == "degraded", "degraded")
    client.send_frame(wsraw.TEXT, b"1")
    assert client.read_close()[0] == 1013
    assert "permissions" in gateway.wait_log("an event was dropped")["error"]


def test_a_forbidden_question_is_undecided_at_once(serve, broker):
    gateway = serve(broker(config=permissions(
        publish='["gatehouse.up.>", "gatehouse.nodes", "gatehouse.blocks"]')), connect="ask")
    answer = gateway.connect().handshake("/ws/a")
    assert answer.status == 503
    assert "permissions" in gateway.wait_log("a back end did not decide")["error"]
    wsraw.wait_until(lambda: "to publish to 'gatehouse.connect.ws.a'" in why(gateway), "why")


def test_forbidden_subscriptions_are_told_and_tried_again(serve, broker):
    nats = broker(config=permissions(subscribe='"_INBOX.>"'))
    gateway = serve(nats)
    client = gateway.open("/ws/a")
    wsraw.wait_until(lambda: "to subscribe to" in why(gateway), "why")
    assert gateway.health()["status"] == "degraded"
    line = gateway.wait_log("the broker forbids this gateway a subject; allow its user to publish "
                            "and to subscribe to gatehouse.> and _INBOX.>")
    assert "Permissions Violation for Subscription to" in line["broker_says"]
    wsraw.wait_until(lambda: gateway.metric("bus_forbidden_subjects") >= 2,
                     "gatehouse.to and gatehouse.ctl of a")
    # What is here is found; of what is elsewhere nobody can tell.
    one = api.Api(gateway.admin)
    assert one.ask("GET", "/clients/ws/a").status == 200
    elsewhere = one.ask("GET", "/clients/ws/b")
    assert (elsewhere.status, json.loads(elsewhere.body)["reason"]) == (503, "bus")
    assert "is not known" in json.loads(elsewhere.body)["detail"]
    allow_all(nats)
    with nats.connect(user="admin", password="pw") as service:
        wsraw.wait_until(lambda: is_reached(service, "gatehouse.to.ws.a"), "the client is found")
    assert client.read_message() == (wsraw.TEXT, b"hello")
    wsraw.wait_until(lambda: gateway.health()["status"] == "ready", "ready")
    assert one.ask("GET", "/clients/ws/b").status == 404
    client.close()


@pytest.mark.parametrize(("group", "is_good"), [("gatehouse.*", True), ("others.*", False)])
def test_permissions_may_name_the_queue_groups(serve, broker, group, is_good):
    """All subscriptions are in a group of the node's own."""
    nats = broker(config=permissions(subscribe=f'["gatehouse.> {group}", "_INBOX.>"]'))
    gateway = serve(nats)
    client = gateway.open("/ws/a")
    if is_good:
        with nats.connect(user="admin", password="pw") as service:
            wsraw.wait_until(lambda: is_reached(service, "gatehouse.to.ws.a"), "the client")
        assert gateway.metric("bus_forbidden_subjects") == 0
    else:
        wsraw.wait_until(lambda: "to subscribe to" in why(gateway), "why")
    client.close()


def test_other_nodes_know_whom_the_broker_forbids_to_hear(gateway, broker):
    """The node that is asked may do everything; the one that has the client may not subscribe."""
    nats = broker(config=permissions(subscribe='["_INBOX.>", "gatehouse.nodes", "gatehouse.blocks"]'))
    bus = {"urls": f"[{nats.url}]"}
    deaf = gateway(server={"node": "deaf"}, bus=BUS | bus, env=PASSWORD)
    asked = api.Api(gateway(server={"node": "asked"}, bus=BUS | bus | {"user": "admin"},
                            env=PASSWORD).admin)
    wsraw.wait_until(lambda: len(asked.get("/cluster")["nodes"]) == 2, "both nodes")
    client = deaf.open("/ws/a")

    def answer() -> tuple[int, str]:
        got = asked.ask("GET", "/clients/ws/a")
        return got.status, json.loads(got.body)["reason"]
    wsraw.wait_until(lambda: answer() == (503, "bus"), "it cannot be known")
    assert [node.get("is_deaf", False) for node in asked.get("/cluster")["nodes"]] == [False, True]
    client.close()


def test_without_answers_questions_fail_at_once(serve, broker):
    gateway = serve(broker(config=permissions(subscribe='"gatehouse.>"')))
    wsraw.wait_until(lambda: "to subscribe to '_INBOX." in why(gateway), "why")
    answer = api.Api(gateway.admin).ask("GET", "/clients/ws/a")
    assert (answer.status, json.loads(answer.body)["reason"]) == (503, "bus")
    assert "permissions" in json.loads(answer.body)["detail"]
