# SPDX-License-Identifier: Apache-2.0
"""What an idle client costs in user memory, and that a storm of them leaves none of it behind."""

import subprocess

import pytest

from kit import wsraw
from kit.gateway import BINARY

CLIENTS = 8000
# Enough that what the process grows by once, its code among it, hardly counts for each.
COUNTED = 2 * CLIENTS
PATIENCE = 3 * wsraw.SECONDS

# [bytes] Resident memory, all that the process itself grows by included, for each of COUNTED. 32 of them are
# what is counted of each client (session/traffic.h).
CLIENT_MAX = 332

# [bytes] What may stay: a spare chunk of each pool, and what malloc's pages share with others.
LEFT_MAX = 1 << 20


class Storm:
    """Clients that come all at once and stay until it ends."""

    def __init__(self, running, clients=CLIENTS, options=()):
        self.running = running
        self.clients = clients
        self.tester = subprocess.Popen(
            [BINARY, "bench", running.url("/ws/dev-{n}"), "-q", "-c", str(clients), "--in-flight", str(CLIENTS),
             "--hold", "600s", "--engine", "epoll", *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def __enter__(self):
        self.wait(self.clients)
        return self

    def __exit__(self, *_):
        self.tester.terminate()
        self.tester.wait(PATIENCE)
        self.wait(0)

    def wait(self, count):
        wsraw.wait_until(lambda: self.running.metric("connections") == count, f"{count} clients", seconds=PATIENCE)


@pytest.fixture(autouse=True)
def plain(sanitized):
    if sanitized:
        pytest.skip("the sanitizers' memory per connection is another")


@pytest.mark.parametrize("options", [(), ("--compression",)], ids=["plain", "compression: shared"])
def test_an_idle_client_costs_what_its_facts_take(gateway, options):
    """Compression included, where no window is kept: it must fit into the same."""
    running = gateway(server={"workers": 1, "max_connections": COUNTED},
                      routes=[{"path": "/ws/{client_id}", "compression": "shared"}])
    running.metric("connections")  # what an answer needs is there
    before = running.memory()
    with Storm(running, COUNTED, options):
        assert running.metric("compression_connections") == (COUNTED if options else 0)

        def each() -> float:
            return (running.memory() - before) / COUNTED
        # What the storm was lent is given back after a second or two.
        wsraw.wait_until(lambda: each() <= CLIENT_MAX, lambda: f"{CLIENT_MAX} bytes each, are {each()}")


def test_storms_leave_no_memory_behind(gateway):
    running = gateway(server={"workers": 1, "max_connections": CLIENTS})
    running.metric("connections")
    before = running.memory()
    for _ in range(3):
        with Storm(running):
            pass
    # Buffers are given back after a second or two without use, malloc's free pages after some more.
    wsraw.wait_until(lambda: running.memory() - before <= LEFT_MAX,
                     f"no more than {LEFT_MAX} bytes left", seconds=PATIENCE)
