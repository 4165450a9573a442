# SPDX-License-Identifier: Apache-2.0
"""Back ends of type nats: what services get, who decides, and what becomes of events while
the broker is away."""

import collections
import json
import re
import select
import threading
import urllib.parse

import pytest

from kit import natsraw, wsraw

FAST = {"retries": 1, "retry_min": "1ms", "retry_max": "20ms", "timeout": "2s"}
BUS = {"type": "nats", "reconnect_min": "5ms", "reconnect_max": "20ms"}
STREAM = "UP"


@pytest.fixture
def serve(gateway, broker):
    """serve(broker, route={...}, bus={...}, server={...}, **keys of the back end)"""
    def run(on: natsraw.Broker, *, route=None, bus=None, server=None, **keys):
        running = gateway(
            server={"drain_timeout": "3s", "close_timeout": "200ms"} | (server or {}), bus=BUS | {"urls": f"[{on.url}]"} | (bus or {}),
            routes=[{"path": "/ws/{client_id}", "backend": "up"} | (route or {})],
            backends=[{"name": "up", "type": "nats"} | FAST | keys])
        wait_health(running, "ready")
        return running
    return run


@pytest.fixture
def stream(broker):
    """A broker whose stream UP stores all events."""
    started = broker(jetstream=True)
    with started.connect() as client:
        client.stream_create(STREAM, ["gatehouse.up.>"])
    return started


def wait_health(gateway, status: str) -> None:
    """As the broker goes and comes."""
    wsraw.wait_until(lambda: gateway.health()["status"] == status, status)


def kind(message: natsraw.Message) -> str:
    return message.headers["ce-type"].removeprefix("gatehouse.client.")


def stored(broker: natsraw.Broker) -> list[natsraw.Message]:
    with broker.connect() as client:
        return client.stream_messages(STREAM)


def count_stored(broker: natsraw.Broker) -> int:
    with broker.connect() as client:
        return client.jetstream(f"STREAM.INFO.{STREAM}")["state"]["messages"]


def delivered(gateway) -> float:
    return gateway.metric("backend_events_total", backend="up", outcome="delivered")


def outcomes(gateway) -> dict[str, float]:
    """What became of the events, and what waits still."""
    counts = gateway.metrics("backend_events_total", "outcome", backend="up")
    return counts | {"waiting": gateway.metric("backend_events_waiting", backend="up"),
                     "pending bytes": gateway.metric("bus_broker_pending_bytes")}


def wait_delivered(gateway, count: int) -> None:
    wsraw.wait_until(lambda: delivered(gateway) == count,
                     lambda: f"{count} delivered events: {outcomes(gateway)}")


def check_streams(messages: list[natsraw.Message]) -> dict[str, list[bytes]]:
    """Each connection's events are there once, without a gap, in order. The bodies of the
    messages of each client."""
    sequences = collections.defaultdict(list)
    bodies = collections.defaultdict(list)
    for message in messages:
        sequences[message.headers["ce-connectionid"]].append(int(message.headers["ce-sequence"]))
        if kind(message) == "message":
            bodies[message.headers["ce-clientid"]].append(message.body)
    for connection, seen in sequences.items():
        assert seen == list(range(1, len(seen) + 1)), connection
    assert len({message.headers["ce-id"] for message in messages}) == len(messages)
    return bodies


# --- events ---

@pytest.mark.tsan
def test_events_of_a_connection(serve, broker):
    nats = broker()
    gateway = serve(nats, route={"subprotocols": "[chat]"})
    with nats.connect() as service:
        up = service.subscribe("gatehouse.up.>")
        traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        client = gateway.connect()
        client.handshake("/ws/caf%C3%A9%20%221%22", extra=(
            "Sec-WebSocket-Protocol: chat", f"traceparent: {traceparent}", "tracestate: a=1,b=2"))
        client.send_frame(wsraw.TEXT, "é".encode())
        client.send_frame(wsraw.BINARY, b"\0\xff")
        client.send_frame(wsraw.BINARY, b"")
        client.send(wsraw.close_frame(1000, b"bye"))
        events = [up.next_message() for _ in range(5)]
        assert not up.has_message()
    assert [kind(event) for event in events] == [
        "connected", "message", "message", "message", "disconnected"]
    assert [event.headers["ce-sequence"] for event in events] == [
        f"{number:020}" for number in range(1, 6)]
    assert len({event.headers["ce-id"] for event in events}) == 5
    assert len({event.headers["ce-connectionid"] for event in events}) == 1
    for event in events:
        headers = event.headers
        assert event.subject == "gatehouse.up.ws.caf%C3%A9%20%221%22" and event.reply == ""
        assert headers["ce-specversion"] == "1.0"
        assert headers["ce-source"].startswith("/gatehouse/")
        assert headers["ce-subject"] == headers["ce-clientid"] == "caf%C3%A9%20%221%22"
        assert headers["ce-route"] == "ws"
        assert headers["ce-subprotocol"] == "chat"
        assert headers["ce-remoteaddress"].startswith("127.0.0.1:")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", headers["ce-time"])
        assert headers["traceparent"] == headers["ce-traceparent"] == traceparent
        assert headers["tracestate"] == headers["ce-tracestate"] == "a=1,b=2"
        assert all(headers.values())
    texts = [(event.body, event.headers.get("ce-messagetype"), event.headers["Content-Type"])
             for event in events]
    assert texts == [
        (b"", None, "application/octet-stream"),
        ("é".encode(), "text", "text/plain; charset=utf-8"),
        (b"\0\xff", "binary", "application/octet-stream"),
        (b"", "binary", "application/octet-stream"),
        (b"", None, "application/octet-stream")]
    end = events[-1].headers
    assert (end["ce-reason"], end["ce-code"]) == ("client_closed", "1000")
    wait_delivered(gateway, 5)
    assert gateway.metric("backend_events_total", backend="up", type="message") == 3
    assert gateway.metric("backend_events_waiting", backend="up") == 0


@pytest.mark.parametrize("client_id", ["a.b", "*", ">", "a b", "gatehouse.up.ws.x", "%41",
                                       "\U0001f600", "..", "x" * 255])
def test_no_id_reaches_the_subject_of_another(serve, broker, client_id):
    nats = broker()
    gateway = serve(nats)
    with nats.connect() as service:
        up = service.subscribe("gatehouse.up.ws.*")
        gateway.open("/ws/" + urllib.parse.quote(client_id, safe=""))
        subject = up.next_message().subject
    assert urllib.parse.unquote(subject.removeprefix("gatehouse.up.ws.")) == client_id
    assert re.fullmatch(r"(?:[A-Za-z0-9_-]|%[0-9A-F]{2})+", subject.rsplit(".", 1)[1])


def test_what_the_broker_never_takes_is_refused_and_nothing_else(serve, broker):
    """max_payload counts the headers too."""
    nats = broker(config="max_payload: 65536\n")
    gateway = serve(nats)
    with nats.connect() as service:
        up = service.subscribe("gatehouse.up.>")
        client = gateway.open()
        client.send_frame(wsraw.BINARY, bytes(65536))
        client.send_frame(wsraw.BINARY, b"next")
        events = [up.next_message() for _ in range(2)]
    assert [event.body for event in events] == [b"", b"next"]
    assert [int(event.headers["ce-sequence"]) for event in events] == [1, 3]
    assert gateway.metric("backend_events_total", backend="up", outcome="refused") == 1
    assert "larger than the broker takes" in gateway.wait_log("an event was refused")["error"]


def test_the_end_of_the_gateway_is_told(serve, stream):
    gateway = serve(stream, durable="true")
    clients = [gateway.open() for _ in range(20)]
    wait_delivered(gateway, 20)
    gateway.stop()
    ends = [message for message in stored(stream) if kind(message) == "disconnected"]
    assert len(ends) == len(clients)
    assert {message.headers["ce-reason"] for message in ends} == {"drain"}


# --- the decision ---

class Decider:
    """A service that answers each question with what `answer` makes of it, or not at all."""

    def __init__(self, broker: natsraw.Broker, answer):
        self.questions: list[natsraw.Message] = []
        self.client = broker.connect()
        self.asked = self.client.subscribe("gatehouse.connect.>")
        self.answer = answer
        self.is_ending = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while not self.is_ending:
            try:
                question = self.asked.next_message(0.05)
            except TimeoutError:
                continue
            self.questions.append(question)
            made = self.answer(question)
            if made is not None:
                self.client.answer(question, made[0], made[1])

    def close(self) -> None:
        self.is_ending = True
        self.thread.join()
        self.client.close()


@pytest.fixture
def decider():
    running = []

    def run(broker: natsraw.Broker, answer) -> Decider:
        running.append(Decider(broker, answer))
        return running[-1]

    yield run
    for one in running:
        one.close()


def test_a_service_lets_a_client_in_and_chooses_its_subprotocol(serve, broker, decider):
    nats = broker()
    service = decider(nats, lambda question: (b"", {"Gatehouse-Subprotocol": "two"}))
    gateway = serve(nats, connect="ask", route={"subprotocols": "[one, two]"})
    with nats.connect() as watcher:
        up = watcher.subscribe("gatehouse.up.>")
        response = gateway.connect().handshake(
            "/ws/a.b?token=x", extra=("Sec-WebSocket-Protocol: one, two",))
        assert response.status == 101
        assert response.headers["sec-websocket-protocol"] == "two"
        connected = up.next_message()
    question = service.questions[0]
    assert question.subject == "gatehouse.connect.ws.a%2Eb"
    assert question.body.startswith(b"GET /ws/a.b?token=x HTTP/1.1\r\n")
    assert question.body.endswith(b"\r\n\r\n")
    assert question.headers["Content-Type"] == "message/http"
    assert kind(question) == "connect" and int(question.headers["ce-sequence"]) == 1
    assert connected.headers["ce-subprotocol"] == "two"
    assert int(connected.headers["ce-sequence"]) == 2


def test_a_service_puts_a_client_in_groups(serve, broker, decider):
    nats = broker()
    decider(nats, lambda question: (b"", {"Gatehouse-Groups": "day, night"}))
    gateway = serve(nats, connect="ask")
    with gateway.open("/ws/x") as client, nats.connect() as sender:
        assert gateway.metric("group_members") == 2

        def is_told() -> bool:
            sender.publish("gatehouse.group.night", "sleep")
            return client.sock in select.select([client.sock], [], [], 0.1)[0]
        wsraw.wait_until(is_told, "what is for the group")
        assert client.read_message() == (wsraw.TEXT, b"sleep")


@pytest.mark.parametrize("headers,status", [
    ({"Gatehouse-Status": "403", "Content-Type": "text/plain"}, 403),
    ({"Gatehouse-Status": "503", "Content-Type": "text/plain"}, 503),
    ({"Gatehouse-Status": "302"}, 502), ({"Gatehouse-Status": "no"}, 502),
    ({"Gatehouse-Status": "1000"}, 502), ({"Gatehouse-Subprotocol": "not offered"}, 502),
    ({"Gatehouse-Groups": "no name"}, 502)])
def test_a_service_refuses(serve, broker, decider, headers, status):
    nats = broker()
    decider(nats, lambda question: (b"because", headers))
    gateway = serve(nats, connect="ask")
    with nats.connect() as watcher:
        up = watcher.subscribe("gatehouse.up.>")
        response = gateway.connect().handshake("/ws/x")
        assert response.status == status
        if "Content-Type" in headers:
            assert response.body == b"because"
            assert response.headers["content-type"] == "text/plain"
        wsraw.wait_until(lambda: gateway.metric("connections") == 0, "its place given back")
        if status != 502 or "Gatehouse-Status" in headers:
            assert not up.has_message()


def test_a_service_challenges_and_says_when_to_come_again(serve, broker, decider):
    nats = broker()
    decider(nats, lambda question: (b"", {
        "Gatehouse-Status": "401", "WWW-Authenticate": 'Basic realm="x"', "Retry-After": "9"}))
    response = serve(nats, connect="ask").connect().handshake("/ws/x")
    assert response.status == 401
    assert response.headers["www-authenticate"] == 'Basic realm="x"'
    assert response.headers["retry-after"] == "9"


def test_nobody_is_there_to_decide(serve, broker):
    gateway = serve(broker(), connect="ask")
    response = gateway.connect().handshake("/ws/x")
    assert response.status == 503
    assert b"The back end 'up' cannot be reached." in response.body


def test_nobody_decides_in_time(serve, broker, decider):
    nats = broker()
    decider(nats, lambda question: None)
    gateway = serve(nats, connect="ask", server={"handshake_timeout": "1s"})
    assert gateway.connect().handshake("/ws/x").status == 504


def test_without_a_broker_nobody_decides_but_accept_goes_on(serve, broker):
    nats = broker()
    asking = serve(nats, connect="ask")
    accepting = serve(nats)
    nats.kill()
    for gateway in (asking, accepting):
        wait_health(gateway, "degraded")
    assert asking.connect().handshake("/ws/x").status == 503
    accepting.open("/ws/x").close()


# --- durable ---

def test_a_message_counts_when_the_stream_has_it(serve, stream):
    gateway = serve(stream, durable="true", stream=STREAM)
    client = gateway.open("/ws/dev")
    for number in range(50):
        client.send_frame(wsraw.TEXT, str(number).encode())
    wait_delivered(gateway, 51)
    messages = stored(stream)
    assert check_streams(messages)["dev"] == [str(number).encode() for number in range(50)]
    assert all(message.headers["Nats-Msg-Id"] == message.headers["ce-id"] for message in messages)


def test_durable_events_wait_for_a_stream(serve, broker):
    nats = broker(jetstream=True)
    gateway = serve(nats, durable="true")
    client = gateway.open("/ws/dev")
    client.send_frame(wsraw.TEXT, b"kept")
    trouble = gateway.wait_log("an event waits for its back end")
    assert trouble["backend"] == "up" and "nobody is subscribed" in trouble["error"]
    gateway.wait_metric("backend_events_waiting", 2, backend="up")
    with nats.connect() as service:
        service.stream_create(STREAM, ["gatehouse.up.>"])
    wait_delivered(gateway, 2)
    assert check_streams(stored(nats))["dev"] == [b"kept"]


def test_another_stream_is_not_the_one(serve, stream):
    gateway = serve(stream, durable="true", stream="OTHER")
    gateway.open("/ws/dev")
    assert "expected stream" in gateway.wait_log("an event waits for its back end")["error"]
    assert stored(stream) == []
    gateway.signal(15)
    assert gateway.wait_exit() == 1
    gateway.has_stopped = True
    assert stored(stream) == []


def test_close_instead_of_waiting(serve, broker):
    gateway = serve(broker(jetstream=True), durable="true", on_failure="close")
    client = gateway.open("/ws/dev")
    code, reason = client.read_close()
    assert (code, reason) == (1013, b"back end up is not available")
    wsraw.wait_until(lambda: gateway.metric("backend_events_total", backend="up",
                                            outcome="dropped") == 2, "both events dropped")
    client.close()
    gateway.wait_metric("connections_closed_total", 1, reason="backend_down")


def test_clients_that_leave_events_behind_are_kept_out_at_pending_max(serve, broker):
    """They come, send and go while nothing takes their events: what they leave is bounded."""
    nats = broker(jetstream=True)
    gateway = serve(nats, durable="true", pending_max="64KiB", queue_max="1MiB")
    stays, count, body = gateway.open("/ws/stays"), 0, b"x" * 2000
    refused = None
    while refused is None:
        client = gateway.connect()
        response = client.handshake(f"/ws/goes-{count}")
        if response.status != 101:
            refused = response
        else:
            client.send_frame(wsraw.BINARY, body)
            client.send(wsraw.close_frame(1000))
            assert client.read_close()[0] == 1000
            count += 1
        client.close()
    assert refused.status == 503
    problem = json.loads(refused.body)
    assert problem["limit"] == "backends.pending_max" and problem["max"] == 65536
    assert 65536 <= problem["current"] < 65536 + 4000 and 15 <= count <= 33
    assert "raise backends[].pending_max" in problem["detail"]
    assert gateway.metric("connections_refused_total", limit="backends.pending_max") == 1
    assert gateway.metric("backend_pending_bytes", backend="up") == problem["current"]
    assert gateway.metric("limit_used", limit="backends.pending_max") == problem["current"]
    stays.send_frame(wsraw.BINARY, b"who is in stays in")
    with nats.connect() as client:
        client.stream_create(STREAM, ["gatehouse.up.>"])
    wait_delivered(gateway, 2 + 3 * count)
    assert gateway.metric("backend_pending_bytes", backend="up") == 0
    gateway.open("/ws/later").close()
    bodies = check_streams(stored(nats))
    assert bodies["stays"] == [b"who is in stays in"]
    assert all(bodies[f"goes-{number}"] == [body] for number in range(count))


CLIENTS, MESSAGES, LARGE = 8, 150, 200


class Sender(threading.Thread):
    """A client that numbers its messages, and is held up where the gateway does not read."""

    def __init__(self, gateway, number: int, size: int = 0, messages: int = MESSAGES):
        super().__init__()
        self.client = gateway.open(f"/ws/dev-{number}")
        self.client.sock.settimeout(60)
        self.bodies = [f"{index}".encode().ljust(size) for index in range(messages)]

    def run(self) -> None:
        for body in self.bodies:
            self.client.send_frame(wsraw.BINARY, body)


def senders_start(gateway, **options) -> list[Sender]:
    senders = [Sender(gateway, number, **options) for number in range(CLIENTS)]
    for sender in senders:
        sender.start()
    return senders


def check_all_there(broker: natsraw.Broker, senders: list[Sender]) -> None:
    bodies = check_streams(stored(broker))
    for number, sender in enumerate(senders):
        assert bodies[f"dev-{number}"] == sender.bodies


@pytest.mark.tsan
@pytest.mark.parametrize("how", ["kill", "pause"])
def test_durable_messages_outlive_their_broker(serve, stream, how):
    """Three times in the middle of the stream: each message is there once, in order."""
    # Only a broker that is paused is found out by pings: a busy machine may take longer for one, too.
    bus = {"ping_interval": "500ms"} if how == "pause" else None
    gateway = serve(stream, durable="true", queue_max="4KiB", bus=bus)
    senders = senders_start(gateway)
    total = CLIENTS * (1 + MESSAGES)
    for part in (1, 2, 3):
        wsraw.wait_until(lambda want=total * part // 5: delivered(gateway) >= want, f"part {part}")
        if how == "kill":
            stream.kill()
        else:
            stream.pause()
        wait_health(gateway, "degraded")
        if how == "kill":
            stream.start()
        else:
            stream.resume()
        wait_health(gateway, "ready")
    wait_delivered(gateway, total)
    for sender in senders:
        sender.join()
    check_all_there(stream, senders)
    assert gateway.metric("backend_events_total", backend="up", outcome="dropped") == 0


# --- plain ---

def stop_while_away(serve, broker, **server):
    """A gateway that is told to end with messages for a broker that is away."""
    gateway = serve(broker, server=server)
    client = gateway.open("/ws/dev")
    # On its way it would be lost with the broker.
    wait_delivered(gateway, 1)
    broker.kill()
    wait_health(gateway, "degraded")
    for number in range(10):
        client.send_frame(wsraw.BINARY, b"%d" % number)
    gateway.wait_metric("messages_received_total", 10)
    gateway.wait_metric("backend_events_waiting", 0, backend="up")  # the bus has them
    assert delivered(gateway) == 1 and gateway.metric("bus_broker_pending_bytes") > 1000
    gateway.signal(15)
    assert client.read_close()[0] == 1001
    client.close()
    return gateway


def test_at_the_end_what_the_bus_has_waits_for_its_broker(serve, stream):
    gateway = stop_while_away(serve, stream, drain_timeout="1m")
    gateway.wait_metric("connections", 0)
    assert gateway.process.poll() is None
    stream.start()
    assert gateway.wait_exit() == 0
    gateway.has_stopped = True
    assert check_streams(stored(stream))["dev"] == [b"%d" % number for number in range(10)]
    assert [kind(message) for message in stored(stream)][-1] == "disconnected"


def test_the_end_does_not_wait_for_a_broker_for_ever(serve, stream):
    gateway = stop_while_away(serve, stream, drain_timeout="500ms")
    assert gateway.wait_exit() == 1
    gateway.has_stopped = True
    (line,) = gateway.logged("drain_timeout has passed: what waits for the broker is lost")
    assert int(line["bytes"]) > 1000
    (line,) = gateway.logged("events are lost: their back end did not take them in time")
    assert (line["backend"], line["events"]) == ("up", "11")  # the messages, and the end


def test_a_second_signal_tells_what_the_bus_has_for_its_broker(serve, stream):
    gateway = stop_while_away(serve, stream, drain_timeout="1m")
    gateway.wait_metric("connections", 0)
    gateway.signal(15)
    assert gateway.wait_exit() == 1
    gateway.has_stopped = True
    (line,) = gateway.logged("what waits for the broker is lost")
    assert int(line["bytes"]) > 1000


def test_a_broker_that_is_away_holds_up_no_end_without_messages(serve, broker):
    nats = broker()
    gateway = serve(nats, server={"drain_timeout": "1h"})
    nats.kill()
    wait_health(gateway, "degraded")
    gateway.signal(15)
    assert gateway.wait_exit() == 0
    gateway.has_stopped = True


def test_plain_messages_wait_for_their_broker_and_hold_up_their_clients(serve, stream):
    """What is published while the broker is away is bounded, and all of it comes."""
    gateway = serve(stream, queue_max="64KiB", bus={"pending_max": "256KiB"},
                    server={"max_message_size": "32KiB"})
    idle = gateway.open("/ws/idle")
    # Stored is not enough: while the gateway does not know, it is on its way, and counts as unconfirmed.
    wait_delivered(gateway, 1)
    stream.kill()
    wait_health(gateway, "degraded")
    senders = senders_start(gateway, size=30000, messages=LARGE)
    wsraw.wait_until(lambda: gateway.metric("stalled_connections") == CLIENTS, "all held up")
    received = gateway.metric("messages_received_total")
    assert received * 30000 < 256 * 1024 + CLIENTS * 2 * 65536
    assert gateway.metric("backend_events_waiting", backend="up") >= CLIENTS * 2
    idle.send_frame(wsraw.PING, b"still here")
    assert idle.read_frame().opcode == wsraw.PONG
    assert gateway.metric("messages_received_total") == received
    stream.start()
    for sender in senders:
        sender.join(wsraw.SECONDS)
    total = 1 + CLIENTS * (1 + LARGE)
    wsraw.wait_until(lambda: count_stored(stream) == total,
                     lambda: f"{total} stored, are {count_stored(stream)}: {outcomes(gateway)}")
    wait_delivered(gateway, total)
    check_all_there(stream, senders)
    assert gateway.metric("backend_events_total", backend="up", outcome="dropped") == 0


def test_plain_messages_on_their_way_may_be_lost_and_none_comes_twice(serve, stream):
    """The broker is killed in the middle: what comes is in order, and the last of it is there."""
    gateway = serve(stream)
    senders = senders_start(gateway, messages=2000)
    wsraw.wait_until(lambda: delivered(gateway) > CLIENTS * 200, "the first of them")
    stream.kill()
    wait_health(gateway, "degraded")
    stream.start()
    for sender in senders:
        sender.join(wsraw.SECONDS)
    wait_health(gateway, "ready")
    last = [gateway.open(f"/ws/last-{number}") for number in range(3)]
    # Of those that were on their way nobody knows, and so they count.
    wsraw.wait_until(lambda: delivered(gateway) + gateway.metric(
        "backend_events_total", backend="up", outcome="unconfirmed")
        == CLIENTS * 2001 + len(last), lambda: f"each of them counted once: {outcomes(gateway)}")
    with stream.connect() as client:
        for number in range(len(last)):
            wsraw.wait_until(lambda n=number: client.jetstream(
                f"STREAM.INFO.{STREAM}", {"subjects_filter": f"gatehouse.up.ws.last-{n}"}
            )["state"].get("subjects"), "the last events")
    sequences = collections.defaultdict(list)
    for message in stored(stream):
        sequences[message.headers["ce-connectionid"]].append(int(message.headers["ce-sequence"]))
    assert len(sequences) == CLIENTS + len(last)
    for seen in sequences.values():
        assert all(before < after for before, after in zip(seen, seen[1:]))


def test_plain_messages_close_where_they_must_not_wait(serve, stream):
    gateway = serve(stream, queue_max="64KiB", bus={"pending_max": "128KiB"}, on_failure="close",
                    server={"max_message_size": "32KiB"})
    client = gateway.open("/ws/dev")
    wait_delivered(gateway, 1)
    stream.kill()
    wait_health(gateway, "degraded")
    for _ in range(8):
        client.send_frame(wsraw.BINARY, bytes(30000))
    assert client.read_close()[0] == 1013
    assert "bus.pending_max" in gateway.wait_log("an event was dropped")["error"]


def test_a_type_for_which_there_is_no_bus(start):
    gateway = start(routes=[{"path": "/", "backend": "up"}],
                    backends=[{"name": "up", "type": "nats"}])
    assert gateway.wait_exit() == 78
    assert "backends[0].type: nats needs a broker, but bus.type is embedded" in gateway.log
