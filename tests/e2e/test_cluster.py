# SPDX-License-Identifier: Apache-2.0
"""Three gateways and three brokers on hosts of their own: what works across nodes, and what
is left when a gateway, a broker or a cable dies."""

import json
import shutil

import pytest

import wsraw
from cluster import (BROKERS, GATEWAYS, SECONDS, Cluster, Node, brokers_on_a_network, wait_until)
from conftest import ENGINES, FAULTS
from natsraw import Client

TAKEN_OVER = (4001, b"another connection of this client took over")
ROUTE = {"path": "/ws/{client_id}"}
STREAM = "EVENTS"
DURABLE = {"name": "events", "type": "nats", "durable": "true", "stream": STREAM}


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
    """bus(n) is a NATS client at the n-th broker."""
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


# --- a broker dies ---


def test_a_gateway_whose_broker_dies_goes_to_another(cluster):
    """And serves its clients meanwhile."""
    nodes = cluster.start()
    lost = cluster.brokers.of(nodes[0].host)
    with nodes[0].open("/ws/client") as client:
        lost.kill()
        wait_until(lambda: nodes[0].logged("the bus is not connected"), "the loss in the log")
        client.echo(b"still served")
        nodes[0].wait_health("ready")
        assert cluster.brokers.of(nodes[0].host) not in (lost, None)


def test_without_any_broker_health_says_so_and_clients_stay(cluster):
    nodes = cluster.start()
    clients = [node.open("/ws/client") for node in nodes]
    cluster.brokers.kill()
    for node, client in zip(nodes, clients):
        node.wait_health("degraded", "the bus is not connected: ")
        client.echo(b"still served")
    cluster.brokers.start()
    for node, client in zip(nodes, clients):
        node.wait_health("ready")
        client.echo(b"still served")
        client.close()


# --- a cable breaks ---


def test_a_gateway_that_is_cut_off_says_so_and_comes_back(cluster):
    nodes = cluster.start()
    cluster.isolate(nodes[0])
    nodes[0].wait_health("degraded", "the bus is not connected: ")
    for node in nodes[1:]:
        assert node.health()["status"] == "ready"
    cluster.network.heal()
    nodes[0].wait_health("ready")


# --- bad credentials ---


def test_a_broker_that_refuses_the_credentials_is_named_in_health_and_log(cluster):
    node = cluster.begin(GATEWAYS[0], bus={"user": "somebody-else"})
    node.wait_log("admin listening")
    health = node.wait_health("degraded", "refuses the credentials")
    assert any(reason for reason in health["reasons"] if "bus" in reason), health
    assert "refuses the credentials" in node.log
    assert "in-tests-only" not in node.log and "in-tests-only" not in json.dumps(health)
