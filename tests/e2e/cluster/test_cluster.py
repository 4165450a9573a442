# SPDX-License-Identifier: Apache-2.0
"""Three gateways and three brokers on hosts of their own: what works across nodes, and what
is left when a gateway, a broker or a cable dies."""

import json
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from kit import wsraw
from kit.cluster import (BROKERS, GATEWAYS, NAMES, SECONDS, Cluster, Node, brokers_on_a_network, wait_until)
from kit.gateway import ENGINES, FAULTS
from kit.natsraw import Client, Message, NoResponders

TAKEN_OVER = (4001, b"another connection of this client took over")
ROUTE = {"path": "/ws/{client_id}"}
STREAM = "EVENTS"
DURABLE = {"name": "events", "type": "nats", "durable": "true", "stream": STREAM,
           "timeout": "1s", "retry_min": "20ms", "retry_max": "300ms"}


@pytest.fixture(scope="module")
def brokers(tmp_path_factory):
    """While it lasts, this thread is on the tester's host."""
    for program in ("nats-server", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    try:
        context = brokers_on_a_network(tmp_path_factory.mktemp("brokers"))
        with context as running:
            yield running
    except PermissionError as error:
        pytest.skip(f"not allowed to make network namespaces: {error}")


@pytest.fixture
def cluster(brokers, engine, usable_engines, tmp_path):
    """Two gateways with the engine and one with the other, if it runs here. Whatever a test
    breaks is whole again for the next one."""
    network, broker_set = brokers
    others = [name for name in ENGINES if name != engine and not usable_engines[name]]
    made = Cluster(network, broker_set, tmp_path, [engine, *(others or [engine]), engine])
    try:
        yield made
        made.stop()
        for node in made.started:
            assert not FAULTS.search(node.log), node.log
    finally:
        made.kill()
        network.heal()
        broker_set.start()


@pytest.fixture
def bus(brokers):
    """bus(n) is a NATS client at the n-th broker, which drops those that are silent for two seconds."""
    opened = []

    def connect(number: int) -> Client:
        opened.append(brokers[1].all[number].connect())
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


@pytest.fixture
def stream(brokers):
    """Keeps all events from clients, on each broker."""
    brokers[1].wait_store()
    with brokers[1].all[0].connect() as client:
        client.stream_create(STREAM, ["gatehouse.up.>"], num_replicas=len(BROKERS))
    yield STREAM
    brokers[1].start()
    brokers[1].wait_store()
    with brokers[1].all[0].connect() as client:
        client.jetstream(f"STREAM.DELETE.{STREAM}")


# --- what is said over the bus ---


def status_of(answer: Message) -> int:
    return int(answer.headers["Gatehouse-Status"])


def control(client: Client, client_id: str, command: str, *, within: float = SECONDS,
            **more) -> tuple[int, dict]:
    answer = client.request(f"gatehouse.ctl.ws.{client_id}", json.dumps({"command": command} | more),
                            timeout=within)
    return status_of(answer), answer.json


def send(client: Client, client_id: str, text: str) -> int:
    return status_of(client.request(f"gatehouse.to.ws.{client_id}", text))


def is_there(client: Client, client_id: str) -> bool:
    try:
        return control(client, client_id, "inspect", within=0.5)[0] == 200
    except (NoResponders, TimeoutError):
        return False


def wait_there(client: Client, *client_ids: str) -> None:
    """Until whoever is at the same broker can reach them."""
    for client_id in client_ids:
        wait_until(lambda: is_there(client, client_id), f"{client_id} on the bus")


def wait_known(bus, *client_ids: str) -> None:
    """Until they can be reached from every broker, and so from every node."""
    for number in range(len(BROKERS)):
        with bus(number) as client:
            wait_there(client, *client_ids)


def wait_heard(bus, listener, subject: str) -> None:
    """Until what is published there, at whatever broker, comes to the listener."""
    for number in range(len(BROKERS)):
        with bus(number) as client:
            def is_heard() -> bool:
                client.publish(subject, str(number))
                try:
                    return listener.next_message(0.5).body == str(number).encode()
                except TimeoutError:
                    return False
            wait_until(is_heard, f"{subject} to be heard")


def wait_gone(client: Client, client_id: str) -> None:
    """Nobody is subscribed for it: this is answered at once, not by a time-out."""
    def look():
        try:
            client.request(f"gatehouse.to.ws.{client_id}", "to nobody", timeout=0.5)
        except NoResponders:
            return True
        except TimeoutError:
            pass
        return False
    wait_until(look, f"no responders for {client_id}")


def device(number: int) -> str:
    return f"dev-{number}"


def connect_each(nodes: list[Node]) -> list[wsraw.Client]:
    """dev-0 at the first node, dev-1 at the second, ..."""
    return [node.open(f"/ws/{device(number)}") for number, node in enumerate(nodes)]


def close(clients: list[wsraw.Client]) -> None:
    for client in clients:
        client.close()


def read_text(client: wsraw.Client) -> str:
    opcode, payload = client.read_message()
    assert opcode == wsraw.TEXT
    return payload.decode()


# --- whole ---


def test_messages_reach_a_client_from_every_broker_and_every_node(cluster, bus):
    nodes = cluster.start()
    clients = connect_each(nodes)
    wait_known(bus, *map(device, range(3)))
    for number in range(3):
        sender = bus(number)
        for target in range(3):
            assert send(sender, device(target), f"broker {number}") == 200
            nodes[number].api.send(device(target), f"node {number}")
    for client in clients:
        got = [read_text(client) for _ in range(6)]
        assert got == [text for number in range(3)
                       for text in (f"broker {number}", f"node {number}")]
    close(clients)


def test_nobody_is_reached_where_nobody_is(cluster, bus):
    nodes = cluster.start()
    with pytest.raises(NoResponders):
        bus(0).request("gatehouse.to.ws.nobody", "x")
    for node in nodes:
        assert node.api.send("nobody", "x", 404)["reason"] == "not_connected"


def test_a_client_is_inspected_and_closed_from_another_node(cluster, bus):
    nodes = cluster.start()
    clients = connect_each(nodes)
    wait_known(bus, device(0))
    facts = lasting(nodes[0].api.inspect(device(0)))
    assert lasting(nodes[1].api.inspect(device(0))) == facts
    status, seen = control(bus(2), device(0), "inspect")
    assert (status, lasting(seen)) == (200, facts)
    nodes[2].api.close(device(0), {"code": 4321, "reason": "moved"})
    assert clients[0].read_close() == (4321, b"moved")
    close(clients)
    wait_gone(bus(1), device(0))
    nodes[1].api.inspect(device(0), 404)


def lasting(facts: dict) -> dict:
    """Without what changes with time."""
    return {name: value for name, value in facts.items() if name != "connected_seconds"}


def test_events_of_all_nodes_reach_a_subscriber_at_any_broker(cluster, bus):
    listener = bus(1).subscribe("gatehouse.up.ws.*")
    wait_heard(bus, listener, "gatehouse.up.ws.nobody")
    nodes = cluster.start(backends=[{"name": "events", "type": "nats"}],
                          routes=[ROUTE | {"backend": "events"}])
    clients = connect_each(nodes)
    for number in range(20):
        for client in clients:
            client.send_frame(wsraw.TEXT, str(number).encode())
    close(clients)
    bodies: dict[str, list[str]] = {device(number): [] for number in range(3)}
    ended = set()
    while ended != set(bodies):
        event = listener.next_message(SECONDS)
        if event.subject == "gatehouse.up.ws.nobody":
            continue
        client_id, kind = event.headers["ce-clientid"], event.headers["ce-type"]
        assert event.subject == f"gatehouse.up.ws.{client_id}"
        if kind == "gatehouse.client.message":
            bodies[client_id].append(event.body.decode())
        elif kind == "gatehouse.client.disconnected":
            ended.add(client_id)
    assert bodies == {client_id: list(map(str, range(20))) for client_id in bodies}


def test_a_call_crosses_nodes_and_brings_the_client_s_answer_back(cluster, bus):
    nodes = cluster.start(routes=[ROUTE | {"rpc": "json-rpc"}])
    with nodes[0].open(f"/ws/{device(0)}") as client, ThreadPoolExecutor() as threads:
        wait_known(bus, device(0))
        call = {"method": "reboot", "params": {"hard": True}}
        by_api = threads.submit(nodes[2].api.post, f"/clients/ws/{device(0)}/call",
                                json.dumps(call).encode(), type="application/json")
        answer_call(client, call, {"by": "node"})
        assert by_api.result()["payload"] == {"by": "node"}
        by_bus = threads.submit(control, bus(2), device(0), "call", **call)
        answer_call(client, call, {"by": "broker"})
        status, body = by_bus.result()
        assert status == 200 and body["payload"] == {"by": "broker"}


def answer_call(client: wsraw.Client, call: dict, result: dict) -> None:
    question = json.loads(read_text(client))
    assert call.items() <= question.items()
    client.send_frame(wsraw.TEXT, json.dumps(
        {"jsonrpc": "2.0", "id": question["id"], "result": result}).encode())


def test_groups_and_broadcasts_reach_members_on_every_node_once(cluster, bus):
    nodes = cluster.start()
    clients = connect_each(nodes)
    sender = bus(0)
    wait_known(bus, *map(device, range(3)))
    for number in (0, 1):  # by a node where the member is not
        nodes[2].api.ask("PUT", f"/groups/tills/members/ws/{device(number)}")
    wait_until(lambda: sum("gatehouse.group.tills" in subjects(cluster, node) for node in nodes) == 2,
               "two nodes with members")
    for text in ("1", "2"):
        sender.publish("gatehouse.group.tills", text)
    sender.publish("gatehouse.all.ws", "all")
    # What one broker got from one client stays in its order.
    assert [read_text(clients[number]) for number in (0, 1, 0, 1, 0, 1)] == \
        ["1", "1", "2", "2", "all", "all"]
    assert read_text(clients[2]) == "all"
    nodes[1].api.ask("DELETE", f"/groups/tills/members/ws/{device(0)}")
    wait_until(lambda: "gatehouse.group.tills" not in subjects(cluster, nodes[0]), "no members")
    nodes[0].api.post("/groups/tills/messages", b"to one", type="text/plain; charset=utf-8")
    assert read_text(clients[1]) == "to one"
    for client in clients:
        client.echo(b"nothing behind it")
    close(clients)


def subjects(cluster: Cluster, node: Node) -> set[str]:
    broker = cluster.brokers.of(node.host)
    return (broker and broker.subjects_of(node.host)) or set()


def test_the_newest_connection_takes_over_on_whatever_node(cluster, bus):
    nodes = cluster.start()
    older = nodes[0].open("/ws/one")
    for node in (nodes[1], nodes[2], nodes[0], nodes[0], nodes[1]):
        newer = node.open("/ws/one")
        assert older.read_close() == TAKEN_OVER
        older.close()
        older = newer
    wait_known(bus, "one")
    for text in ("1", "2", "3"):
        assert send(bus(0), "one", text) == 200
        assert read_text(older) == text
    for node in nodes:
        node.wait_metric("clients", 1 if node is nodes[1] else 0)
    older.close()


RACES = 100


def test_of_those_that_come_to_all_nodes_at_once_one_is_left(cluster):
    """A hundred clients, each at three nodes in the same moment."""
    nodes = cluster.start()
    racers = [[node.connect() for node in nodes] for _ in range(RACES)]
    for number, three in enumerate(racers):
        for client in three:
            client.send(wsraw.request(f"/ws/racer-{number}"))
    for three in racers:
        for client in three:
            assert client.read_response().status == 101
    wait_until(lambda: sum(node.metric("clients") for node in nodes) == RACES, "one of each")
    left = 0
    for number, three in enumerate(racers):
        asked = nodes[number % 3]
        wait_until(lambda: api_send(asked, f"racer-{number}", "the winner") == 200, "its broker to know it")
        for client in three:
            frame = client.read_frame()
            if frame.opcode == wsraw.TEXT:
                assert frame.payload == b"the winner"
                client.echo(b"still there")
                left += 1
            else:
                assert frame.payload == struct.pack(">H", TAKEN_OVER[0]) + TAKEN_OVER[1]
        close(three)
    assert left == RACES


# --- a gateway dies ---


def test_a_killed_gateway_leaves_no_entry_and_its_clients_come_back_elsewhere(cluster, bus):
    nodes = cluster.start()
    clients = connect_each(nodes)
    wait_there(bus(0), *map(device, range(3)))
    wait_until(lambda: nodes[1].nodes() == set(NAMES.values()), "three nodes")
    sender = bus(0)
    nodes[0].kill()
    assert clients[0].is_closed()
    for number in range(len(BROKERS)):
        wait_gone(bus(number), device(0))
    for node in nodes[1:]:
        assert node.api.send(device(0), "to nobody", 404)["reason"] == "not_connected"
    # The others never noticed.
    assert send(sender, device(1), "still there") == 200
    assert read_text(clients[1]) == "still there"
    with nodes[1].open(f"/ws/{device(0)}") as again:
        wait_known(bus, device(0))
        assert send(bus(0), device(0), "1") == 200
        nodes[2].api.send(device(0), "2")
        assert [read_text(again) for _ in range(2)] == ["1", "2"]
    wait_until(lambda: nodes[1].nodes() == {NAMES[node.host] for node in nodes[1:]},
               "the dead node to be forgotten")
    close(clients)


def test_a_killed_gateway_is_whole_after_its_restart(cluster, bus):
    nodes = cluster.start()
    sender = bus(0)
    with nodes[0].open(f"/ws/{device(0)}"):
        wait_there(sender, device(0))
        nodes[0].kill()
    wait_gone(sender, device(0))
    again = cluster.restart(nodes[0])
    with again.open(f"/ws/{device(0)}") as client:
        wait_known(bus, device(0))
        nodes[1].api.send(device(0), "back")
        assert read_text(client) == "back"


def test_a_call_to_a_client_whose_gateway_dies_ends_with_a_reason(cluster, bus):
    nodes = cluster.start(routes=[ROUTE | {"rpc": "json-rpc"}])
    with nodes[0].open(f"/ws/{device(0)}") as client, ThreadPoolExecutor() as threads:
        wait_known(bus, device(0))
        call = json.dumps({"method": "reboot"}).encode()
        path = f"/clients/ws/{device(0)}/call"
        answer = threads.submit(nodes[1].api.post, path, call, 502, type="application/json")
        assert json.loads(read_text(client))["method"] == "reboot"
        nodes[0].kill()
        problem = answer.result()  # much sooner than admin.call_timeout
        assert (problem["reason"], problem["was_sent"]) == ("connection_lost", True)


# --- a broker dies ---


def test_after_the_death_of_a_broker_all_subscriptions_are_at_another(cluster, bus):
    nodes = cluster.start()
    clients = connect_each(nodes)
    for number, node in enumerate(nodes):
        node.api.ask("PUT", f"/groups/tills/members/ws/{device(number)}")
        wait_until(lambda: "gatehouse.group.tills" in subjects(cluster, node), "a member")
    lost = cluster.brokers.of(nodes[0].host)
    away = [node for node in nodes if cluster.brokers.of(node.host) is lost]
    before = {node.host: wanted(lost.subjects_of(node.host)) for node in away}
    assert f"gatehouse.to.ws.{device(0)}" in before[nodes[0].host]
    lost.kill()
    for node in away:
        wait_until(lambda: node.metric("bus_reconnects_total") > 0, f"{node.host} to reconnect")
        node.wait_health("ready")
        broker = cluster.brokers.of(node.host)
        assert broker is not lost
        wait_until(lambda: wanted(broker.subjects_of(node.host)) == before[node.host],
                   f"all subscriptions of {node.host} at {broker.name}")
        assert node.logged("the bus is not connected") and node.logged("the bus is connected")
    sender = bus(next(number for number, one in enumerate(cluster.brokers.all) if one is not lost))
    wait_there(sender, *map(device, range(3)))
    for number, client in enumerate(clients):
        assert send(sender, device(number), f"to {number}") == 200
        assert read_text(client) == f"to {number}"
    sender.publish("gatehouse.group.tills", "to all")
    for client in clients:
        assert read_text(client) == "to all"
        client.echo(b"never interrupted")
    close(clients)


def wanted(subjects: set[str]) -> set[str]:
    """Without the inbox, whose name a connection chooses."""
    return {subject for subject in subjects if not subject.startswith("_INBOX.")}


def test_brokers_restart_one_after_the_other_and_nobody_is_lost(cluster, bus):
    nodes = cluster.start()
    clients = connect_each(nodes)
    for broker in cluster.brokers.all:
        broker.kill()
        cluster.brokers.start()
        for node in nodes:
            wait_connected(node)
        sender = bus(0)
        wait_there(sender, *map(device, range(3)))
        for number, client in enumerate(clients):
            assert send(sender, device(number), broker.name) == 200
            assert read_text(client) == broker.name
        sender.close()
    close(clients)


def wait_connected(node: Node) -> None:
    """With the loss of a broker behind it, if there was one: a broker tells, and no cable is
    cut."""
    wait_until(lambda: node.metric("bus_connected") == 1 and node.metric("bus_requests_in_flight") == 0,
               f"a broker for {node.host}")


def test_what_was_answered_with_delivered_is_there_once_though_a_broker_dies(cluster):
    """Sequence numbers from another node, without a pause, while its broker dies."""
    nodes = cluster.start()
    with nodes[0].open(f"/ws/{device(0)}") as client:
        wait_until(lambda: api_send(nodes[1], device(0), "first") == 200, "it on the bus")
        first = read_text(client)
        answers: list[int] = []
        while len(answers) < 40 or answers[-20:] != [200] * 20:
            if len(answers) == 20:
                cluster.brokers.of(nodes[1].host).kill()
            answers.append(api_send(nodes[1], device(0), str(len(answers))))
            assert len(answers) < 5000
        last = len(answers) - 1
        got = []
        while not got or got[-1] != last:
            got.append(int(read_text(client)))
        assert first == "first" and got == sorted(set(got)), "twice, or out of order"
        assert {number for number, status in enumerate(answers) if status == 200} <= set(got)
        assert set(answers) <= {200, 404, 503, 504}, set(answers)


def api_send(node: Node, client_id: str, text: str) -> int:
    return node.api.ask("POST", f"/clients/ws/{client_id}/messages", text.encode(),
                        headers={"Content-Type": "text/plain; charset=utf-8"}).status


def test_without_any_broker_health_says_so_and_clients_stay(cluster, bus):
    nodes = cluster.start()
    clients = connect_each(nodes)
    cluster.brokers.kill()
    for node, client in zip(nodes, clients):
        assert node.wait_health("degraded", "bus")
        client.echo(b"still served")
    cluster.brokers.start()
    for node in nodes:
        node.wait_health("ready")
    sender = bus(2)
    wait_there(sender, *map(device, range(3)))
    for number, client in enumerate(clients):
        assert send(sender, device(number), "again") == 200
        assert read_text(client) == "again"
    close(clients)


# --- a cable breaks ---


def test_a_gateway_that_is_cut_off_from_its_broker_goes_to_another(cluster, bus):
    """The old broker knows nothing of it for a while: nothing is delivered twice."""
    nodes = cluster.start()
    with nodes[0].open(f"/ws/{device(0)}") as client:
        lost = cluster.brokers.of(nodes[0].host)
        cluster.network.cut(nodes[0].host, lost.address)
        wait_until(lambda: cluster.brokers.of(nodes[0].host) not in (lost, None)
                   or nodes[0].metric("bus_reconnects_total") == 1, "another broker")
        nodes[0].wait_health("ready")
        number = next(number for number, one in enumerate(cluster.brokers.all)
                      if one is not lost and one.subjects_of(nodes[0].host) is not None)
        sender = bus(number)
        wait_there(sender, device(0))
        for text in map(str, range(10)):
            assert send(sender, device(0), text) == 200
        cluster.network.heal()
        wait_until(lambda: lost.subjects_of(nodes[0].host) is None, f"{lost.name} to forget it")
        assert send(bus(number), device(0), "10") == 200
        assert [read_text(client) for _ in range(11)] == list(map(str, range(11)))
        client.echo(b"nothing behind it")


def test_of_a_client_on_both_sides_of_a_cut_exactly_one_is_left(cluster, bus):
    nodes = cluster.start()
    sender = bus(0)
    with nodes[0].open("/ws/both") as cut_off, nodes[0].open("/ws/alone") as alone:
        wait_there(sender, "both", "alone")
        cluster.isolate(nodes[0])
        nodes[0].wait_health("degraded", "bus")
        with nodes[1].open("/ws/both") as newer:
            cut_off.echo(b"knows nothing of it")
            sender = bus(0)
            wait_there(sender, "both")
            assert send(sender, "both", "to the newer one") == 200
            assert read_text(newer) == "to the newer one"
            cluster.network.heal()
            assert cut_off.read_close() == TAKEN_OVER
            nodes[0].wait_health("ready")
            sender = bus(0)
            wait_known(bus, "both", "alone")
            for node in nodes:
                node.api.send("both", node.host)
            assert [read_text(newer) for _ in nodes] == [node.host for node in nodes]
            newer.echo(b"still there")
        alone.echo(b"still there")
        assert send(sender, "alone", "back") == 200
        assert read_text(alone) == "back"


def test_what_changed_during_a_cut_holds_after_it(cluster, bus):
    nodes = cluster.start()
    sender = bus(0)
    with nodes[0].open("/ws/stays") as stays, nodes[0].open("/ws/leaves") as leaves:
        wait_there(sender, "stays", "leaves")
        broker = cluster.brokers.of(nodes[0].host)
        cluster.isolate(nodes[0])
        nodes[0].wait_health("degraded", "the bus is not connected")
        # See Network.give_up_early.
        wait_until(lambda: broker.subjects_of(nodes[0].host) is None,
                   f"{broker.name} to miss {nodes[0].host}")
        sender = bus(0)
        # Whether that is said at once or found by a time-out is up to the brokers meanwhile.
        with pytest.raises((NoResponders, TimeoutError)):
            sender.request("gatehouse.to.ws.stays", "not reached", timeout=0.5)
        leaves.close()
        nodes[0].wait_metric("clients", 1)
        with nodes[0].open("/ws/comes") as comes:
            cluster.network.heal()
            nodes[0].wait_health("ready")
            sender = bus(0)
            wait_there(sender, "stays", "comes")
            for client_id, client in (("stays", stays), ("comes", comes)):
                assert send(sender, client_id, client_id) == 200
                assert read_text(client) == client_id
            wait_gone(sender, "leaves")


# --- acknowledged events ---


def bodies_of(client: Client, client_id: str) -> list[int]:
    """What a client sent, as the stream has it."""
    return [int(message.body) for message in client.stream_messages(STREAM)
            if message.subject == f"gatehouse.up.ws.{client_id}"
            and message.headers["ce-type"] == "gatehouse.client.message"]


def stored(client: Client) -> int:
    """Messages of the stream; 0 while nobody leads it."""
    try:
        return client.jetstream(f"STREAM.INFO.{STREAM}")["state"]["messages"]
    except (NoResponders, TimeoutError, AssertionError):
        return 0


def send_numbers(clients: list[wsraw.Client], first: int, end: int) -> None:
    for number in range(first, end):
        for client in clients:
            client.send_frame(wsraw.TEXT, str(number).encode())


def test_every_event_is_stored_once_and_in_order_though_the_leader_dies(cluster, bus, stream):
    nodes = cluster.start(backends=[DURABLE], routes=[ROUTE | {"backend": DURABLE["name"]}])
    clients = connect_each(nodes)
    send_numbers(clients, 0, 50)
    leader = cluster.brokers.leader(STREAM)
    witness = bus(next(number for number, one in enumerate(cluster.brokers.all)
                       if one is not leader))
    wait_until(lambda: stored(witness) > 60, "some of them stored")
    before = failures(nodes)
    leader.kill()
    send_numbers(clients, 50, 100)
    for client in clients:
        client.send(wsraw.close_frame(1000))
    # connected and disconnected are events too
    wait_until(lambda: stored(witness) >= 3 * (100 + 2), "all of them stored")
    for number in range(3):
        assert bodies_of(witness, device(number)) == list(range(100))
    assert failures(nodes) > before, "nothing had to be sent again"
    for node in nodes:
        node.wait_metric("backend_events_total", 102, outcome="delivered")
    close(clients)


def failures(nodes: list[Node]) -> float:
    """Durable messages that had no acknowledgement."""
    return sum(node.metric(f"bus_{cause}_total") for node in nodes
               for cause in ("no_responders", "timeouts", "disconnects"))


def test_what_clients_send_during_a_cut_is_stored_once_and_in_order(cluster, bus, stream):
    nodes = cluster.start(backends=[DURABLE], routes=[ROUTE | {"backend": DURABLE["name"]}])
    with nodes[0].open(f"/ws/{device(0)}") as client:
        send_numbers([client], 0, 50)
        witness = bus(0)
        wait_until(lambda: stored(witness) > 10, "some of them stored")
        cluster.isolate(nodes[0])
        send_numbers([client], 50, 100)
        nodes[0].wait_health("degraded", "the bus is not connected")
        send_numbers([client], 100, 150)
        cluster.network.heal()
        client.send(wsraw.close_frame(1000))
        witness = bus(0)
        wait_until(lambda: stored(witness) >= 150 + 2, "all of them stored")
        assert bodies_of(witness, device(0)) == list(range(150))


def test_a_killed_gateway_leaves_no_gap_in_what_is_stored(cluster, bus, stream):
    nodes = cluster.start(backends=[DURABLE], routes=[ROUTE | {"backend": DURABLE["name"]}])
    with nodes[0].open(f"/ws/{device(0)}") as client:
        witness = bus(0)
        send_numbers([client], 0, 2000)
        wait_until(lambda: stored(witness) > 100, "some of them stored")
        nodes[0].kill()
    numbers = bodies_of(witness, device(0))
    assert len(numbers) >= 100
    assert numbers == list(range(len(numbers)))


# --- bad credentials ---


def test_a_broker_that_refuses_the_credentials_is_named_in_health_and_log(cluster):
    node = cluster.begin(GATEWAYS[0], bus={"user": "somebody-else"})
    node.wait_log("admin listening")
    health = node.wait_health("degraded", "refuses the credentials")
    assert any(reason for reason in health["reasons"] if "bus" in reason), health
    assert "refuses the credentials" in node.log
    assert "in-tests-only" not in node.log and "in-tests-only" not in json.dumps(health)
