# SPDX-License-Identifier: Apache-2.0
"""What back ends, services on the broker and other nodes notice of an upgrade: nothing. Events and messages are
neither lost nor doubled, questions find their clients, and calls are answered to who asked."""

import contextlib
import json
import threading
import time

import pytest

from kit import api, natsraw, upgrades, wsraw
from kit.backends import Answer

CLIENTS = 30
UPGRADES = 3


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


class Worker(threading.Thread):
    """Does something again and again, until it is stopped."""

    def __init__(self, work):
        super().__init__()
        self.work = work
        self.failure: Exception | None = None
        self.is_over = threading.Event()

    def run(self):
        try:
            while not self.is_over.is_set():
                self.work()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def stop(self) -> None:
        self.is_over.set()
        self.join()
        if self.failure is not None:
            raise self.failure


@contextlib.contextmanager
def going_on(*works):
    workers = [Worker(work) for work in works]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.is_over.set()
        for worker in workers:
            worker.join()
    for worker in workers:
        worker.stop()


class Senders:
    """Clients that send numbered messages, each no more than AHEAD for which the back end has no time yet: else a slow
    one would be busy for minutes with those of a few seconds. `taken` tells how many it has had of all."""

    AHEAD = 20

    def __init__(self, clients: list[wsraw.Client], taken=None):
        self.clients = clients
        self.sent = [0] * len(clients)
        self.taken = taken or (lambda: sum(self.sent))

    def send(self) -> None:
        time.sleep(0.002)
        if sum(self.sent) - self.taken() >= self.AHEAD * len(self.clients):
            return
        for number, client in enumerate(self.clients):
            client.send_frame(wsraw.TEXT, b"%d" % self.sent[number])
            self.sent[number] += 1


def check_sequences(events) -> None:
    """By client: each id once, and the numbers of the events without a gap, in the order in which they came."""
    seen: dict[str, int] = {}
    ids = [event.id for event in events]
    assert len(ids) == len(set(ids)), "some came twice"
    for event in events:
        assert event.sequence == seen.get(event.client, 0) + 1, \
            f"{event.client}: {event.sequence} after {seen.get(event.client, 0)}"
        seen[event.client] = event.sequence


def open_all(stack, running, count: int = CLIENTS, path: str = "/ws") -> list[wsraw.Client]:
    return [stack.enter_context(running.open(f"{path}/c{number}")) for number in range(count)]


@pytest.mark.tsan
def test_webhook_events_come_once_and_in_order(gateway, webhook):
    back = webhook(lambda event: Answer(200, event.body, {"Content-Type": "text/plain"})
                   if event.type == "message" else None)
    running = gateway(server={"workers": 2}, backends=[{"name": "up", "type": "webhook", "url": back.url}],
                      routes=[{"path": "/ws/{client_id}", "backend": "up"}])
    with contextlib.ExitStack() as stack:
        clients = open_all(stack, running)
        senders = Senders(clients, lambda: len(back.of("message")))
        with going_on(senders.send):
            for _ in range(UPGRADES):
                time.sleep(0.1)
                upgrades.upgrade(running)
                assert upgrades.wait_former(running) == 0
            time.sleep(0.1)
        for number, client in enumerate(clients):
            for index in range(senders.sent[number]):
                assert client.read_message() == (wsraw.TEXT, b"%d" % index)
        connections = {event.headers["ce-connectionid"] for event in back.of("connected")}
        for client in clients:
            client.close()
        back.wait("disconnected", CLIENTS)
    check_sequences(back.events)
    assert len(back.of("connected")) == len(back.of("connect")) == CLIENTS
    assert {event.headers["ce-connectionid"] for event in back.events} >= connections
    assert len({event.headers["ce-connectionid"] for event in back.events}) == CLIENTS


def test_a_request_under_way_is_ended_by_the_process_that_began_it(gateway, webhook):
    may_end = threading.Event()

    def answer(event):
        if event.type != "message":
            return None
        assert may_end.wait(wsraw.SECONDS)
        return Answer(200, b"to " + event.body, {"Content-Type": "text/plain"})

    back = webhook(answer)
    running = gateway(backends=[{"name": "up", "type": "webhook", "url": back.url}],
                      routes=[{"path": "/ws/{client_id}", "backend": "up"}])
    with running.open("/ws/a") as client:
        client.send_frame(wsraw.TEXT, b"one")
        client.send_frame(wsraw.TEXT, b"two")
        back.wait("message", 1)
        upgrades.upgrade(running)
        client.send_frame(wsraw.TEXT, b"three")
        may_end.set()
        for text in (b"to one", b"to two", b"to three"):
            assert client.read_message() == (wsraw.TEXT, text)
        assert upgrades.wait_former(running) == 0
        assert [event.body for event in back.of("message")] == [b"one", b"two", b"three"]
        wsraw.wait_until(lambda: running.metric("backend_events_total", backend="up", type="message",
                                                outcome="delivered") == 3, "all are counted, once")


def test_what_the_process_before_could_not_tell_of_is_sent_again(gateway, webhook):
    """It is killed while a request is under way: the same event comes once more, with the same id."""
    is_first = threading.Event()
    never = threading.Event()

    def answer(event):
        if event.type == "message" and not is_first.is_set():
            is_first.set()
            never.wait(wsraw.SECONDS)
        return None

    back = webhook(answer)
    running = gateway(backends=[{"name": "up", "type": "webhook", "url": back.url}],
                      routes=[{"path": "/ws/{client_id}", "backend": "up"}])
    with running.open("/ws/a") as client:
        client.send_frame(wsraw.TEXT, b"one")
        client.send_frame(wsraw.TEXT, b"two")
        back.wait("message", 1)
        upgrades.upgrade(running)
        running.former.kill()
        running.former.wait()
        messages = back.wait("message", 3)
        never.set()
        assert [event.body for event in messages] == [b"one", b"one", b"two"]
        assert messages[0].id == messages[1].id != messages[2].id


# --- the broker ---

def nats_gateway(gateway, broker, **sections):
    nats = broker(jetstream=True)
    bus = {"type": "nats", "urls": f"[{nats.url}]", "reconnect_min": "5ms", "reconnect_max": "20ms"}
    running = gateway(bus=bus, **sections)
    wsraw.wait_until(lambda: running.metric("bus_connected") == 1, "the broker")
    return running, nats


def wait_reached(service, subject: str) -> None:
    def is_reached() -> bool:
        with contextlib.suppress(natsraw.NoResponders):
            return service.request(subject, b'{"command": "inspect"}').headers["Gatehouse-Status"] == "200"
        return False
    wsraw.wait_until(is_reached, "the broker knows of the client")


class Asker:
    """Asks clients through the broker, one after the other."""

    def __init__(self, service, count: int):
        self.service = service
        self.count = count
        self.asked = 0

    def ask(self) -> None:
        subject = f"gatehouse.ctl.ws.c{self.asked % self.count}"
        answer = self.service.request(subject, b'{"command": "inspect"}')
        assert answer.headers["Gatehouse-Status"] == "200", answer.body
        self.asked += 1


class Publisher:
    """Sends numbered messages to clients through the broker, and waits for no answer."""

    def __init__(self, service, count: int):
        self.service = service
        self.count = count
        self.sent = 0

    def publish(self) -> None:
        for number in range(self.count):
            self.service.publish(f"gatehouse.to.ws.c{number}", b"%d" % self.sent)
        self.sent += 1
        self.service.flush()
        time.sleep(0.005)


# All the time, of all clients: with a back end that is more than the thread sanitizer's program gets done.
@pytest.mark.parametrize("backend", [pytest.param("echo", marks=pytest.mark.tsan), "plain", "durable"])
def test_the_broker_finds_all_clients_all_the_time(gateway, broker, backend):
    sections = {"server": {"workers": 2}, "routes": [{"path": "/ws/{client_id}"}]}
    if backend != "echo":
        sections |= {"routes": [{"path": "/ws/{client_id}", "backend": "up"}],
                     "backends": [{"name": "up", "type": "nats", "durable": str(backend == "durable").lower()}]}
    running, nats = nats_gateway(gateway, broker, **sections)
    with contextlib.ExitStack() as stack:
        asking, publishing, counting, service = (stack.enter_context(nats.connect()) for _ in range(4))
        service.stream_create("UP", ["gatehouse.up.>"])
        clients = open_all(stack, running)
        for number in range(CLIENTS):
            wait_reached(asking, f"gatehouse.ctl.ws.c{number}")
        asker, publisher = Asker(asking, CLIENTS), Publisher(publishing, CLIENTS)
        senders = Senders(clients if backend != "echo" else [], lambda: counting.stream_count("UP"))
        with going_on(asker.ask, publisher.publish, senders.send):
            for _ in range(UPGRADES):
                time.sleep(0.1)
                upgrades.upgrade(running)
                assert upgrades.wait_former(running) == 0
            wsraw.wait_until(lambda: asker.asked > 20, "more than 20 questions")
        for client in clients:
            got = [int(client.read_message()[1]) for _ in range(publisher.sent)]
            assert sorted(got) == list(range(publisher.sent))
        for number in range(CLIENTS):
            wait_reached(asking, f"gatehouse.ctl.ws.c{number}")
        for client in clients:
            client.close()
        if backend == "echo":
            return
        expected = sum(senders.sent) + 2 * CLIENTS
        wsraw.wait_until(lambda: service.stream_count("UP") >= expected, "all events are stored")
        messages = service.stream_messages("UP")
        assert len(messages) == expected
        seen: dict[str, int] = {}
        for message in messages:
            sequence = int(message.headers["ce-sequence"])
            assert sequence == seen.get(message.subject, 0) + 1, message.subject
            seen[message.subject] = sequence


def test_groups_hear_what_others_publish(gateway, broker):
    running, nats = nats_gateway(gateway, broker, routes=[{"path": "/ws/{client_id}"}])
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(nats.connect())
        clients = open_all(stack, running, 5)
        for number in range(5):
            assert api.Api(running.admin).ask("PUT", f"/groups/night/members/ws/c{number}").status == 200
        wsraw.settle(clients, lambda text: service.publish("gatehouse.group.night", text))
        for _ in range(2):
            upgrades.upgrade(running)
            assert upgrades.wait_former(running) == 0
            service.publish("gatehouse.group.night", b"sleep")
            for client in clients:
                assert client.read_message() == (wsraw.TEXT, b"sleep")
            api.Api(running.admin).post("/groups/night/messages", b"well", type="text/plain")
            for client in clients:
                assert client.read_message() == (wsraw.TEXT, b"well")


def test_messages_for_all_reach_all_of_them_once(gateway):
    """By the API, one after the other, while clients move from worker to worker and process to process."""
    running = gateway(server={"workers": 2}, routes=[{"path": "/ws/{client_id}"}])
    with contextlib.ExitStack() as stack:
        clients = open_all(stack, running)
        sent = []

        def send() -> None:
            answer = api.Api(running.admin).post("/broadcast", b"%d" % len(sent), type="text/plain")
            sent.append(answer["delivered"])

        with going_on(send):
            for _ in range(UPGRADES):
                time.sleep(0.05)
                upgrades.upgrade(running)
                assert upgrades.wait_former(running) == 0
        assert sent == [CLIENTS] * len(sent)
        for client in clients:
            got = [int(client.read_message()[1]) for _ in sent]
            assert got == list(range(len(sent)))


def test_other_nodes_notice_nothing(gateway, broker):
    running, nats = nats_gateway(gateway, broker, server={"node": "first"}, routes=[{"path": "/ws/{client_id}"}])
    other = gateway(server={"node": "second"}, bus={"type": "nats", "urls": f"[{nats.url}]"},
                    routes=[{"path": "/ws/{client_id}"}])
    ask_other = api.Api(other.admin)
    wsraw.wait_until(lambda: len(ask_other.get("/cluster")["nodes"]) == 2, "both nodes")
    with nats.connect() as service, running.open("/ws/a") as client:
        said = service.subscribe("gatehouse.nodes")
        wait_reached(service, "gatehouse.ctl.ws.a")
        before = ask_other.get("/clients/ws/a")
        with going_on(lambda: ask_other.get("/clients/ws/a")):
            upgrades.upgrade(running)
            assert upgrades.wait_former(running) == 0
        after = ask_other.get("/clients/ws/a")
        assert (after["connection_id"], after["generation"], after["node"]) == \
            (before["connection_id"], before["generation"], "first")
        assert {node["node"] for node in ask_other.get("/cluster")["nodes"]} == {"first", "second"}
        statuses = []
        while said.has_message():
            facts = said.next_message().json
            statuses += [facts["status"]] if facts["node"] == "first" else []
        assert "left" not in statuses
        assert not any(node.get("has_namesake") for node in ask_other.get("/cluster")["nodes"])
        # Elsewhere it comes again, and is taken over as ever.
        with other.open("/ws/a"):
            assert client.read_close()[0] == 4001


# --- calls ---

RPC = [{"path": "/ocpp/{client_id}", "rpc": "ocpp-j"}]


def read_call(client) -> tuple[str, str]:
    _, text = client.read_message()
    kind, number, action, _ = json.loads(text)
    assert kind == 2
    return number, action


def answer_call(client, number: str, result: dict) -> None:
    client.send_frame(wsraw.TEXT, json.dumps([3, number, result]).encode())


def test_a_call_that_was_asked_for_over_http_is_answered_there(gateway):
    running = gateway(routes=RPC)
    with running.open("/ocpp/a") as client:
        answers = []

        def ask(action: str) -> None:
            answers.append(api.Api(running.admin).post(
                "/clients/ocpp/a/call", json.dumps({"action": action, "timeout": "20s"}).encode(),
                type="application/json"))

        threads = [threading.Thread(target=ask, args=(action,)) for action in ("Reset", "Next")]
        threads[0].start()
        number, action = read_call(client)
        assert action == "Reset"
        threads[1].start()
        wsraw.wait_until(lambda: running.metric("calls_waiting") == 2, "both wait")
        upgrades.upgrade(running)
        answer_call(client, number, {"status": "Accepted"})
        number, action = read_call(client)
        assert action == "Next"
        answer_call(client, number, {"status": "Too"})
        for thread in threads:
            thread.join(wsraw.SECONDS)
        assert sorted(answer["payload"]["status"] for answer in answers) == ["Accepted", "Too"]
        assert upgrades.wait_former(running) == 0


def test_a_call_that_was_asked_for_over_the_broker_is_answered_there(gateway, broker):
    running, nats = nats_gateway(gateway, broker, routes=RPC)
    with nats.connect() as service, running.open("/ocpp/a") as client:
        wait_reached(service, "gatehouse.ctl.ocpp.a")
        inbox = service.subscribe("answers.here")
        service.publish("gatehouse.ctl.ocpp.a", b'{"command": "call", "action": "Reset", "timeout": "20s"}',
                        reply="answers.here")
        number, _ = read_call(client)
        upgrades.upgrade(running)
        answer_call(client, number, {"status": "Accepted"})
        assert inbox.next_message().json["payload"] == {"status": "Accepted"}
        assert upgrades.wait_former(running) == 0
