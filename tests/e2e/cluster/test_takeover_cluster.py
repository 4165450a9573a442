# SPDX-License-Identifier: Apache-2.0
"""One client, one connection, on three nodes with a broker each: who stays, who is told what,
and that what a broker's absence leaves behind is settled."""

import contextlib
import json
import signal
import threading
import time

import pytest

from kit import api, backends, natsraw, wsraw

TAKEN_OVER = (4001, b"another connection of this client took over")
RACES = 1000


def route(takeover: str = "newest", **more) -> dict:
    return {"path": "/ws/{client_id}", "takeover": takeover} | more


def subject(client_id: str, kind: str = "ctl") -> str:
    return f"gatehouse.{kind}.ws.{client_id}"


class Cluster:
    """Brokers that know one another, and at each a gateway: a, b, c."""

    def __init__(self, brokers, nodes):
        self.brokers, self.nodes = brokers, nodes
        self.clients = [broker.connect() for broker in brokers]

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def ask(self, client_id: str, command: str = "inspect", at: int = 0) -> dict | None:
        """None: it is connected nowhere. What was on its way to one that has just been closed is
        lost, and asked again."""
        def answer():
            with contextlib.suppress(TimeoutError):
                return [self.clients[at].request(subject(client_id),
                                                 json.dumps({"command": command}), timeout=0.5)]
        try:
            (found,) = wsraw.wait_until(answer, "an answer from the client's node")
        except natsraw.NoResponders:
            return None
        assert found.headers["Gatehouse-Status"] == "200", found.body
        return found.json

    def sum(self, metric: str, **labels: str) -> float:
        return sum(node.metric(metric, **labels) for node in self.nodes)

    def wait_sum(self, metric: str, value: float, **labels: str) -> None:
        wsraw.wait_until(lambda: self.sum(metric, **labels) == value,
                         f"{metric}{labels or ''} == {value} in all, is {self.sum(metric, **labels)}")


def hear_one_another(brokers) -> None:
    """Each delivers what was published at each other."""
    clients = [broker.connect() for broker in brokers]
    heard = [client.subscribe("ready") for client in clients]

    def is_heard_by_all() -> bool:
        for number, at in enumerate(clients):
            at.publish("ready", str(number))
            at.flush()
        for client in clients:
            client.flush()
        return all(len({message.body for message in subscription.messages}) == len(brokers)
                   for subscription in heard)

    wsraw.wait_until(is_heard_by_all, "brokers that hear one another")
    for client in clients:
        client.close()


@pytest.fixture
def cluster(gateway, broker):
    """cluster(route, count=3, server=, hook=, **bus) runs it."""
    running = []

    def run(*routes: dict, count: int = 3, server=None, hook=None, **bus) -> Cluster:
        brokers = []
        for _ in range(count):
            ports = [one.route_port for one in brokers]
            port = wsraw.free_port()
            arguments = ["--cluster_name", "test", "--cluster", f"nats://127.0.0.1:{port}"]
            if ports:
                arguments += ["--routes", ",".join(f"nats://127.0.0.1:{other}" for other in ports)]
            brokers.append(broker(arguments=tuple(arguments)))
            brokers[-1].route_port = port
        hear_one_another(brokers)
        hooks = hook and [{"name": "hook", "type": "webhook", "url": hook.url}]
        nodes = [gateway(server={"node": name} | (server or {}), backends=hooks,
                         routes=list(routes) or [route()],
                         bus={"type": "nats", "urls": [one.url], "reconnect_min": "20ms",
                              "reconnect_max": "100ms"} | bus)
                 for name, one in zip("abc", brokers)]
        for node in nodes:
            wsraw.wait_until(lambda: node.metric("bus_connected") == 1, "a bus that is connected")
        running.append(Cluster(brokers, nodes))
        return running[-1]

    yield run
    for one in running:
        one.close()


def open_known(three: Cluster, node: int, client_id: str) -> wsraw.Client:
    """Returns when all brokers know of it."""
    client = three.nodes[node].open(f"/ws/{client_id}")
    for at in range(len(three.clients)):
        wsraw.wait_until(lambda: (three.ask(client_id, at=at) or {}).get("node") == "abc"[node],
                         "a broker that knows of it")
    return client


def expect_takeover(client: wsraw.Client) -> None:
    assert client.read_close() == TAKEN_OVER
    client.send(wsraw.close_frame(TAKEN_OVER[0]))
    assert client.is_closed()


# --- one after the other ---


def test_newest_takes_over_from_another_node(cluster):
    three = cluster()
    a, b, _ = three.nodes
    with open_known(three, 0, "x") as older, a.open("/ws/y") as other:
        with b.open("/ws/x") as newer:
            newer.echo(b"at once")
            expect_takeover(older)
            newer.echo(b"still there")
            wsraw.wait_until(lambda: three.ask("x", at=2), "a broker that knows of it")
            other.echo(b"not meant")
            found = three.ask("x", at=2)
            assert (found["node"], found["generation"]) == ("b", 2)
            assert api.Api(three.nodes[2].admin).get("/clients/ws/x")["node"] == "b"
            assert (a.metric("claims_lost_total"), b.metric("takeovers_total")) == (1, 1)
            assert three.sum("claims_unanswered_total") == 0
            assert three.sum("clients") == 2
    three.wait_sum("clients", 0)
    assert three.ask("x") is None


def test_back_and_forth(cluster):
    three = cluster()
    previous = open_known(three, 0, "x")
    for turn in range(1, 30):
        current = open_known(three, turn % 3, "x")
        expect_takeover(previous)
        previous = current
    previous.echo(b"the last one")
    assert three.ask("x")["generation"] == 30
    previous.close()


def test_a_late_end_does_not_remove_the_newer_one(cluster):
    three = cluster(server={"close_timeout": "10m"})
    a, b, _ = three.nodes
    with open_known(three, 0, "x") as older, open_known(three, 1, "x") as newer:
        assert older.read_close() == TAKEN_OVER  # and is not answered
        assert a.metric("connections") == 1
        older.close()
        a.wait_metric("connections_closed_total", 1, reason="taken_over")
        newer.echo(b"x")
        for at in range(3):
            assert three.ask("x", at=at)["node"] == "b"


def test_oldest_keeps_out_on_another_node(cluster):
    three = cluster(route("oldest"))
    a, b, _ = three.nodes
    with open_known(three, 0, "till") as first:
        with b.connect() as second:
            answer = second.handshake("/ws/till")
            assert answer.status == 409
            assert answer.headers["content-type"] == "application/problem+json"
            problem = json.loads(answer.body)
            assert (problem["route"], problem["client_id"]) == ("ws", "till")
            assert second.is_closed()
        first.echo(b"not disturbed")
        assert b.metric("conflicts_total") == 1
        b.wait_metric("sockets", 0)
    three.wait_sum("clients", 0)
    wsraw.wait_until(lambda: three.ask("till", at=1) is None, "b's broker knows that it is free")
    with b.open("/ws/till") as second:
        second.echo(b"now")


def test_many_are_not_asked_about(cluster):
    three = cluster(route("many"))
    clients = [node.open("/ws/x") for node in three.nodes]
    for client in clients:
        client.echo(b"all of us")
    assert three.sum("clients") == 3
    assert three.sum("bus_requests_total") == 0
    assert three.sum("claims_lost_total") == 0
    for client in clients:
        client.close()


def test_ids_that_a_node_made_are_not_asked_about(cluster):
    three = cluster({"path": "/chat"})
    with three.nodes[0].open("/chat") as client:
        client.echo(b"in")
        assert three.sum("bus_requests_total") == three.sum("claims_announced_total") == 0


def test_one_that_is_told_1002_takes_nothing_over(cluster):
    three = cluster(route(subprotocols=["v1"], subprotocol_mismatch="close"))
    a, b, _ = three.nodes
    with a.connect().open("/ws/x", extra=("Sec-WebSocket-Protocol: v1",)) as first:
        wsraw.wait_until(lambda: three.ask("x", at=1), "a broker that knows of it")
        with b.connect() as second:
            assert second.handshake("/ws/x", extra=("Sec-WebSocket-Protocol: v2",)).status == 101
            second.expect_close(1002, answer=True)
        first.echo(b"not disturbed")
    assert three.sum("claims_lost_total") == 0


# --- with a back end that decides ---


@pytest.fixture
def hook():
    """It refuses the client `bad`."""
    one = backends.Webhook(lambda event: backends.Answer(403) if event.client == "bad"
                           else backends.Answer(body=event.body))
    yield one
    one.close()


def test_the_back_end_decides_before_other_nodes_are_asked(hook, cluster):
    three = cluster(route(backend="hook"), hook=hook)
    a, b, _ = three.nodes
    with open_known(three, 0, "x") as older:
        with b.connect() as refused:
            assert refused.handshake("/ws/bad").status == 403
        assert b.metric("bus_requests_total") == 0
        with b.open("/ws/x") as newer:
            expect_takeover(older)
            newer.echo(b"through the back end")
            hook.wait("connected", 2, client="x")
            (end,) = hook.wait("disconnected", client="x")
            assert end.headers["ce-reason"] == "taken_over"
            assert a.metric("clients") == 0


def test_the_back_end_hears_of_one_that_was_kept_out(hook, cluster):
    three = cluster(route("oldest", backend="hook"), hook=hook)
    with open_known(three, 0, "x") as first:
        with three.nodes[1].connect() as second:
            assert second.handshake("/ws/x").status == 409
        (end,) = hook.wait("disconnected", client="x")
        assert end.headers["ce-reason"] == "refused"
        first.echo(b"not disturbed")
    three.wait_sum("connections", 0)


# --- races ---


def race(three: Cluster, ids: list[str]) -> list[list[wsraw.Client]]:
    """Opens each id at all nodes at once; then the next. In the order of nodes."""
    start = threading.Barrier(len(three.nodes))
    opened: list[list[wsraw.Client]] = [[] for _ in three.nodes]

    def run(node: int) -> None:
        for client_id in ids:
            start.wait(wsraw.SECONDS)
            opened[node].append(three.nodes[node].open(f"/ws/{client_id}"))

    threads = [threading.Thread(target=run, args=[node]) for node in range(len(three.nodes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(clients) == len(ids) for clients in opened)
    return opened


def test_a_thousand_races_on_three_nodes(cluster):
    """Of three that come at once two are closed, whichever; nothing stale is left."""
    # A question to one that has just been closed is lost between brokers: then time decides.
    three = cluster(claim_timeout="100ms", server={"workers": 2})
    subscriptions = three.sum("bus_subscriptions")
    ids = [f"racer-{i}" for i in range(RACES)]
    opened = race(three, ids)
    three.wait_sum("clients", RACES)
    assert three.sum("takeovers_total") <= 2 * RACES
    assert three.sum("claims_lost_total") == 2 * RACES
    nodes = dict.fromkeys("abc", 0)
    for i, client_id in enumerate(ids):
        holder = three.ask(client_id, at=i % 3)["node"]
        nodes[holder] += 1
        for at, clients in enumerate(opened):
            if "abc"[at] == holder:
                clients[i].echo(client_id.encode())
            else:
                expect_takeover(clients[i])
    for at, node in enumerate(three.nodes):
        assert node.metric("clients") == nodes["abc"[at]]
    for i in range(0, RACES, RACES // 20):
        for node in three.nodes:
            api.Api(node.admin).get(f"/clients/ws/{ids[i]}")
    for clients in opened:
        for client in clients:
            client.close()
    three.wait_sum("clients", 0)
    three.wait_sum("bus_subscriptions", subscriptions)
    for i, client_id in enumerate(ids):
        assert three.ask(client_id, at=i % 3) is None


def test_one_client_races_for_many_rounds(cluster):
    """It comes back before the last round is settled."""
    three = cluster(claim_timeout="100ms", server={"workers": 2})
    opened = race(three, ["x"] * 100)
    three.wait_sum("clients", 1)
    last = [client for clients in opened for client in clients]
    holder = three.ask("x")["node"]
    assert [node.metric("clients") for node in three.nodes] == [holder == name for name in "abc"]
    wsraw.wait_until(lambda: three.sum("connections_closed_total", reason="taken_over")
                     + three.sum("connections") == 300, "all are accounted for")
    for client in last:
        client.close()
    three.wait_sum("clients", 0)
    assert three.ask("x") is None


def test_oldest_races(cluster):
    """One of three gets in, or those who got in at once are settled to one."""
    three = cluster(route("oldest"))
    start = threading.Barrier(3)
    kept: list[wsraw.Client] = []

    def run(node) -> None:
        for i in range(200):
            start.wait(wsraw.SECONDS)
            client = node.connect()
            if client.handshake(f"/ws/{i}").status == 101:
                kept.append(client)
            else:
                client.close()

    threads = [threading.Thread(target=run, args=[node]) for node in three.nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    three.wait_sum("clients", 200)
    assert three.sum("conflicts_total") + three.sum("claims_lost_total") == 400
    assert len(kept) + three.sum("conflicts_total") == 600
    for i in range(200):
        assert three.ask(str(i), at=i % 3) is not None
    for client in kept:
        client.close()


# --- without a broker ---


@pytest.mark.parametrize("takeover,survivor", [("newest", "a"), ("oldest", "b")])
def test_let_in_without_a_broker_and_settled_later(cluster, takeover, survivor):
    two = cluster(route(takeover), count=2, claim_timeout="1m")  # longer than a test waits
    a, b = two.nodes
    two.brokers[0].kill()
    a.wait_metric("bus_connected", 0)
    with b.open("/ws/x") as at_b:
        wsraw.wait_until(lambda: two.ask("x", at=1), "a broker that knows of it")
        wsraw.wait_until(lambda: time.time() * 1000 > two.ask("x", "holder", at=1)["since"] + 1,
                         "the next millisecond")
        with a.open("/ws/x") as at_a:  # nobody waits for a broker that is known to be away
            at_a.echo(b"let in")
            at_b.echo(b"not disturbed")
            assert a.metric("claims_unanswered_total") == 1
            two.brokers[0].start()
            expect_takeover(at_b if survivor == "a" else at_a)
            (at_a if survivor == "a" else at_b).echo(b"stays")
            two.wait_sum("clients", 1)
            assert two.ask("x", at=1)["node"] == survivor


@pytest.mark.parametrize("count", [3, 1500])
def test_all_are_announced_again_when_a_broker_is_back(cluster, count):
    """Also more than are visited in one turn of the loop."""
    one = cluster(count=1, announce_interval="24h")
    node, nats = one.nodes[0], one.brokers[0]
    clients = [node.open(f"/ws/{i}") for i in range(count)]
    node.wait_metric("claims_announced_total", 2 * count)
    nats.kill()
    node.wait_metric("bus_connected", 0)
    nats.start()
    with nats.connect() as client:
        heard = client.subscribe(subject("*"))
        claims = [heard.next_message() for _ in range(count)]
        assert {claim.subject for claim in claims} == {subject(str(i)) for i in range(count)}
        assert all(claim.json["command"] == "claim" and not claim.json["is_reply"]
                   for claim in claims)
    node.wait_metric("claims_announced_total", 3 * count)
    for client in clients:
        client.close()


def test_slow_announcements_settle_what_nothing_else_has(cluster):
    """The brokers were parted, and no gateway has noticed."""
    two = cluster(count=2, announce_interval="1s")
    a, b = two.nodes
    for one in two.brokers:
        one.pause()
    # Paused brokers answer nothing: both clients are let in late, with announcements lost.
    with two.nodes[0].open("/ws/x") as first, two.nodes[1].open("/ws/x") as second:
        first.echo(b"in")
        second.echo(b"in")
        assert two.sum("claims_unanswered_total") == 2
        for one in two.brokers:
            one.resume()
        expect_takeover(first)
        second.echo(b"stays")
        two.wait_sum("clients", 1)
        assert (a.metric("clients"), b.metric("clients")) == (0, 1)


# --- other nodes, played by hand ---


def claim(node: str, since: int, **more) -> str:
    return json.dumps({"command": "claim", "node": node, "since": since, "connection_id": 1,
                       "generation": 1, "is_reply": False} | more)


@pytest.fixture
def alone(cluster):
    def run(*routes, **bus) -> Cluster:
        return cluster(*routes, count=1, **bus)
    return run


class Holder(threading.Thread):
    """Answers the questions for one client with a claim."""

    def __init__(self, broker, client_id: str, body: str):
        super().__init__()
        self.client = broker.connect()
        self.questions = self.client.subscribe(subject(client_id))
        self.body = body
        self.start()

    def run(self) -> None:
        question = self.questions.next_message()
        assert question.json == {"command": "holder"}
        self.client.answer(question, self.body, {"Gatehouse-Status": "200"})
        self.client.flush()
        self.announced = self.questions.next_message().json

    def end(self) -> dict:
        self.join()
        self.client.close()
        return self.announced


def test_what_a_holder_says_counts(alone):
    """The newer one has the next generation, and is later, whatever the clocks say."""
    one = alone()
    ahead = int(time.time() * 1000) + 3_600_000
    holder = Holder(one.brokers[0], "x", json.dumps(
        {"node": "z", "since": ahead, "connection_id": 7, "generation": 41}))
    with one.nodes[0].open("/ws/x") as client:
        announced = holder.end()
        assert announced == {"command": "claim", "node": "a", "since": ahead + 1, "generation": 42,
                             "connection_id": announced["connection_id"], "is_reply": False}
        found = one.ask("x")
        assert (found["generation"], found["connection_id"]) == (42, announced["connection_id"])
        client.echo(b"x")


@pytest.mark.parametrize("answer", ["", "{", "[]", "{}", '{"node":"z","since":-1}',
                                    '{"node":"z","since":"1","connection_id":1,"generation":1}'])
def test_a_holder_that_says_nothing_good_keeps_nobody_out(alone, answer):
    one = alone(route("oldest"))
    holder = Holder(one.brokers[0], "x", answer)
    with one.nodes[0].open("/ws/x") as client:
        assert holder.end()["generation"] == 1
        client.echo(b"x")


def test_a_silent_holder_keeps_nobody_out_for_long(alone):
    one = alone(claim_timeout="200ms")
    one.clients[0].subscribe(subject("x"))
    begin = time.monotonic()
    with one.nodes[0].open("/ws/x") as client:
        assert time.monotonic() - begin >= 0.2
        client.echo(b"x")
        assert one.nodes[0].metric("claims_unanswered_total") == 1


def test_handshake_timeout_ends_the_wait_too(alone):
    one = alone(claim_timeout="1m", server={"handshake_timeout": "1s"})
    one.clients[0].subscribe(subject("x"))
    with one.nodes[0].open("/ws/x") as client:
        client.echo(b"let in")


def test_what_is_sent_meanwhile_is_not_lost(alone):
    one = alone(claim_timeout="200ms")
    one.clients[0].subscribe(subject("x"))
    with one.nodes[0].connect() as client:
        client.send(wsraw.request("/ws/x"))
        client.send(wsraw.frame(wsraw.BINARY, b"early" * 10000))
        assert client.read_response().status == 101
        assert client.read_message() == (wsraw.BINARY, b"early" * 10000)


def test_a_client_that_goes_away_meanwhile(alone):
    one = alone(claim_timeout="1m")
    node = one.nodes[0]
    questions = one.clients[0].subscribe(subject("x"))
    with node.connect() as client:
        client.send(wsraw.request("/ws/x"))
        question = questions.next_message()
        assert node.metric("connections") == 1 and node.metric("clients") == 0
    node.wait_metric("sockets", 0)
    node.wait_metric("connections", 0)
    assert node.metric("bus_requests_in_flight") == 0
    one.clients[0].answer(question, claim("z", 1), {"Gatehouse-Status": "200"})
    assert node.metric("clients") == 0


def test_drain_meanwhile(alone):
    one = alone(claim_timeout="1m")
    node = one.nodes[0]
    questions = one.clients[0].subscribe(subject("x"))
    with node.connect() as client:
        client.send(wsraw.request("/ws/x"))
        questions.next_message()
        node.signal(signal.SIGTERM)
        answer = client.read_response()
        assert answer.status == 503 and answer.headers["gatehouse-limit"].startswith("draining")
    assert node.wait_exit() == 0


# --- announcements ---


def test_it_is_announced_again_and_again(alone):
    one = alone(claim_timeout="50ms", announce_interval="1s")
    announcements = one.clients[0].subscribe(subject("x"))
    with one.nodes[0].open("/ws/x"):
        assert announcements.next_message().json == {"command": "holder"}
        first = announcements.next_message().json
        assert (first["command"], first["is_reply"]) == ("claim", False)
        for _ in range(3):
            assert announcements.next_message().json == first


def test_the_stronger_claim_is_told_and_a_reply_is_never_answered(alone):
    one = alone()
    nats = one.clients[0]
    with open_known(one, 0, "x") as client:
        own = one.ask("x", "holder")
        heard = nats.subscribe(subject("x"))
        # By the same broker and loop: what the gateway says comes in this order.
        nats.publish(subject("x"), claim("z", own["since"] - 5000, is_reply=True))
        nats.publish(subject("x"), claim("z", own["since"] - 5000))
        told = [heard.next_message().json for _ in range(3)]
        replies = [one for one in told if one["node"] == "a" and one["is_reply"]]
        while not replies:  # what it announces by itself may come between
            told = [heard.next_message().json]
            replies = [one for one in told if one["is_reply"] and one["node"] == "a"]
        assert len(replies) == 1 and replies[0]["since"] == own["since"]
        assert one.ask("x", "holder") == own
        client.echo(b"stays")
        nats.publish(subject("x"), claim("z", own["since"] + 5000))
        expect_takeover(client)


NOISE = [
    "", "{", "[]", '{"command":"claim"}', '{"command":"claim","node":"z"}',
    claim("z", -1), claim("z", 1 << 48), claim("z", 1 << 47, generation="1"),
    claim("z", 1 << 47, more=1), claim("z", 1 << 47).replace('"z"', "[]"),
]


def test_noise_closes_nobody(alone):
    one = alone()
    with open_known(one, 0, "x") as client:
        for noise in NOISE:
            one.clients[0].publish(subject("x"), noise)
            answer = one.clients[0].request(subject("x"), noise)
            assert answer.headers["Gatehouse-Status"] == "400", noise
            client.echo(b"stays")


def test_many_heed_no_claim(alone):
    one = alone(route("many"))
    with open_known(one, 0, "x") as client:
        one.clients[0].request(subject("x"), claim("z", 1 << 47))
        client.echo(b"stays")
