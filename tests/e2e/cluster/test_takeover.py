# SPDX-License-Identifier: Apache-2.0
"""A client that connects while it is connected: who stays, who is told what, and that
nobody is counted twice or lost."""

import contextlib
import json
import signal
import socket
import struct
import threading

import pytest

from kit import wsraw

TAKEN_OVER = (4001, b"another connection of this client took over")


def route(takeover: str | None = None, path: str = "/ws/{client_id}", **more) -> dict:
    return {"path": path} | ({"takeover": takeover} if takeover else {}) | more


@pytest.fixture(params=[1, 2], ids=["1 worker", "2 workers"])
def workers(request) -> int:
    return request.param


def run(gateway, workers: int, *routes: dict, **server):
    return gateway(server={"workers": workers} | server, routes=list(routes) or [route()])


def expect_takeover(client: wsraw.Client) -> None:
    assert client.read_close() == TAKEN_OVER
    client.send(wsraw.close_frame(TAKEN_OVER[0]))
    assert client.is_closed()


# --- newest ---


@pytest.mark.tsan
def test_newest_closes_the_older_one_with_code_and_reason(gateway, workers):
    running = run(gateway, workers)
    with running.open("/ws/a") as older, running.open("/ws/b") as other:
        with running.open("/ws/a") as newer:
            newer.echo(b"at once")
            expect_takeover(older)
            newer.echo(b"still there")
            other.echo(b"not meant")
            running.wait_metric("connections_closed_total", 1, reason="taken_over")
            running.wait_metric("connections", 2)
            assert running.metric("clients") == 2
            assert running.metric("takeovers_total") == 1
    running.wait_metric("clients", 0)
    running.wait_metric("connections", 0)


def test_newest_does_not_wait_for_the_older_one(gateway, workers):
    """It is dead: its close frame is never answered."""
    running = run(gateway, workers, close_timeout="10m")
    with running.open("/ws/a") as dead, running.open("/ws/a") as newer:
        newer.echo(b"x")
        assert running.metric("clients") == 1
        assert running.metric("connections") == 2
        dead.close()
        running.wait_metric("connections", 1)
        newer.echo(b"y")


@pytest.mark.tsan
def test_a_late_end_does_not_remove_the_newer_one(gateway, workers):
    running = run(gateway, workers)
    with running.open("/ws/a") as first, running.open("/ws/a") as second:
        assert first.read_close() == TAKEN_OVER
        second.echo(b"x")
        first.close()
        running.wait_metric("connections_closed_total", 1, reason="taken_over")
        assert running.metric("clients") == 1
        # It is found, for it can be taken over.
        with running.open("/ws/a") as third:
            expect_takeover(second)
            third.echo(b"y")
            running.wait_metric("connections", 1)
            assert running.metric("clients") == 1
            assert running.metric("takeovers_total") == 2


def test_a_message_on_its_way_to_the_older_one_comes_before_the_close(gateway):
    running = run(gateway, 1)
    with running.open("/ws/a") as older:
        older.send_frame(wsraw.BINARY, b"x" * 1000)
        assert older.read_message() == (wsraw.BINARY, b"x" * 1000)
        with running.open("/ws/a"):
            # After the close frame nothing is answered any more.
            assert older.read_close() == TAKEN_OVER
            older.send_frame(wsraw.BINARY, b"too late")
            older.send(wsraw.close_frame(1000))
            assert older.is_closed()
    assert running.metric("messages_received_total") == 1


def test_a_stalled_connection_is_taken_over(gateway, workers):
    """It reads nothing, so it learns nothing; its place is free all the same."""
    running = run(gateway, workers, send_queue_max="4KiB", send_timeout="10m",
                  close_timeout="300ms")
    with running.open("/ws/a", receive_buffer=4096) as slow:
        slow.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                slow.send(wsraw.frame(wsraw.BINARY, b"x" * 60000))
        running.wait_metric("stalled_connections", 1)
        with running.open("/ws/a") as newer:
            newer.echo(b"x")
            running.wait_metric("connections_closed_total", 1, reason="taken_over")
            running.wait_metric("connections", 1)
            assert running.metric("stalled_connections") == 0


def test_a_client_that_closed_is_not_taken_over(gateway, workers):
    """Whoever has seen our close frame has left the directory."""
    running = run(gateway, workers, route("oldest"))
    for _ in range(50):
        with running.open("/ws/a") as client:
            client.send(wsraw.close_frame(1000))
            assert client.read_close()[0] == 1000
            with running.open("/ws/a") as again:
                again.send(wsraw.close_frame(1000))
                assert again.read_close()[0] == 1000
    assert running.metric("conflicts_total") == 0


# --- oldest ---


@pytest.mark.tsan
def test_oldest_refuses_the_newer_one_before_the_upgrade(gateway, workers):
    running = run(gateway, workers, route("oldest", name="tills"))
    with running.open("/ws/t%20%22%f0%9f%98%80") as older:
        with running.connect() as newer:
            response = newer.handshake("/ws/t%20%22%f0%9f%98%80")
            assert response.status == 409
            assert response.headers["content-type"] == "application/problem+json"
            problem = json.loads(response.body)
            assert problem.pop("detail")
            assert problem == {"type": "about:blank", "title": "Conflict", "status": 409, "reason": "conflict",
                               "route": "tills", "client_id": "t \"\U0001f600"}
            assert newer.is_closed()
        older.echo(b"goes on")
        assert running.metric("clients") == 1
        assert running.metric("conflicts_total") == 1
        assert running.metric("handshakes_rejected_total") == 1
        assert running.metric("takeovers_total") == 0
    running.wait_metric("clients", 0)
    with running.open("/ws/t%20%22%f0%9f%98%80") as next_one:
        next_one.echo(b"free again")


def test_a_conflict_takes_no_place(gateway):
    running = run(gateway, 1, route("oldest"), max_connections=2)
    with running.open("/ws/a"):
        for _ in range(5):
            with running.connect() as newer:
                assert newer.handshake("/ws/a").status == 409
        with running.open("/ws/b"), running.connect() as newer:
            assert newer.handshake("/ws/a").status == 409  # also when full: it says more
            assert running.health()["connections"] == 2


# --- many ---


@pytest.mark.tsan
def test_many_are_beside_each_other(gateway, workers):
    running = run(gateway, workers, route("many"))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open("/ws/a")) for _ in range(20)]
        for client in clients:
            client.echo(b"x")
        assert running.metric("clients") == 20
        clients[7].close()
        running.wait_metric("clients", 19)
        clients[19].echo(b"y")
        assert running.metric("takeovers_total") == 0


# --- whose id it is ---


def test_routes_do_not_collide(gateway, workers):
    running = run(gateway, workers, route(path="/a/{client_id}"), route(path="/b/{client_id}"),
                  route("oldest", path="/c/{client_id}"))
    with running.open("/a/x") as a, running.open("/b/x") as b, running.open("/c/x") as c:
        for client in (a, b, c):
            client.echo(b"x")
        assert running.metric("clients") == 3
        with running.open("/b/x"):
            expect_takeover(b)
            a.echo(b"y")


def test_an_encoded_id_is_the_same_client(gateway):
    running = run(gateway, 1)
    with running.open("/ws/a%2Eb") as older, running.open("/ws/a.b") as newer:
        expect_takeover(older)
        newer.echo(b"x")


@pytest.mark.parametrize("one, other", [("a", "A"), ("a.b", "a.c"), ("*", "%3E"), ("a%20", "a"),
                                        ("%C3%A9", "e%CC%81")])
def test_ids_that_only_look_alike_are_two_clients(gateway, one, other):
    """No folding of cases, no wildcards, no normalisation of Unicode."""
    running = run(gateway, 1)
    with running.open(f"/ws/{one}") as first, running.open(f"/ws/{other}") as second:
        first.echo(b"x")
        second.echo(b"y")
        assert running.metric("clients") == 2


def test_a_route_without_an_id_gives_each_connection_its_own(gateway, workers):
    running = run(gateway, workers, route(path="/chat"))
    with contextlib.ExitStack() as stack:
        for client in [stack.enter_context(running.open("/chat")) for _ in range(20)]:
            client.echo(b"x")
        assert running.metric("clients") == 20
        assert running.metric("takeovers_total") == 0


@pytest.mark.parametrize("takeover", ["newest", "oldest"])
def test_a_wrong_subprotocol_takes_nothing_over(gateway, takeover):
    """It is let in only to be told 1002."""
    running = run(gateway, 1, route(takeover, subprotocols=["ocpp1.6"],
                                    subprotocol_mismatch="close"))
    with running.connect() as older, running.connect() as newer:
        good = wsraw.request("/ws/a", extra=("Sec-WebSocket-Protocol: ocpp1.6",))
        older.send(good)
        assert older.read_response().status == 101
        newer.open("/ws/a").expect_close(1002, answer=True)
        older.echo(b"goes on")
        assert running.metric("takeovers_total") == 0
        with running.connect() as again:
            again.send(good)
            assert again.read_response().status == (101 if takeover == "newest" else 409)


# --- places ---


@pytest.mark.tsan
def test_takeover_in_a_full_gateway(gateway, workers):
    """The newer one inherits the older one's place, and nobody else gets in by it."""
    running = run(gateway, workers, max_connections=1, close_timeout="10m")
    with contextlib.ExitStack() as stack:
        older = stack.enter_context(running.open("/ws/a"))
        for _ in range(5):
            newer = stack.enter_context(running.open("/ws/a"))
            newer.echo(b"x")
            assert older.read_close() == TAKEN_OVER
            assert running.health()["connections"] == 1
            with running.connect() as stranger:
                assert stranger.handshake("/ws/b").status == 503
            older = newer
        # The dead ones end late: their places are not given back a second time.
        assert running.metric("connections") == 6
        running.wait_metric("clients", 1)
    running.wait_metric("connections", 0)
    assert running.health()["connections"] == 0
    running.open("/ws/b").close()


def test_dead_fleet_does_not_lock_itself_out(gateway, workers):
    running = run(gateway, workers, max_connections=50, close_timeout="200ms")
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            for number in range(50):
                stack.enter_context(running.open(f"/ws/{number}")).echo(b"x")
        running.wait_metric("connections", 50)
        assert running.metric("clients") == 50
        assert running.metric("connections_refused_total") == 0


def test_takeover_of_the_place_of_an_address(gateway, workers):
    """From the same address only; from another one it needs a place there."""
    running = run(gateway, workers, max_connections_per_ip=1, close_timeout="10m")
    with contextlib.ExitStack() as stack:
        stack.enter_context(running.open("/ws/a", source="127.0.0.2"))
        newer = stack.enter_context(running.open("/ws/a", source="127.0.0.2"))
        stack.enter_context(running.open("/ws/b", source="127.0.0.3"))
        moved = stack.enter_context(running.connect(source="127.0.0.3"))
        assert moved.handshake("/ws/a").status == 429
        newer.echo(b"is still there")
        stranger = stack.enter_context(running.connect(source="127.0.0.2"))
        assert stranger.handshake("/ws/c").status == 429
    running.wait_metric("connections", 0)
    for address in ("127.0.0.2", "127.0.0.3"):
        with running.open("/ws/c", source=address) as client:
            client.echo(b"all places are free")
        running.wait_metric("connections", 0)


@pytest.mark.parametrize("takeover", ["oldest", "many"])
def test_without_takeover_nothing_is_inherited(gateway, takeover):
    running = run(gateway, 1, route(takeover), max_connections=1)
    with running.open("/ws/a") as first, running.connect() as second:
        assert second.handshake("/ws/a").status == (409 if takeover == "oldest" else 503)
        first.echo(b"x")


# --- races ---


def reset(sock: socket.socket) -> None:
    """The end without a FIN's politeness."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def race(running, count: int, threads: int, allowed: tuple[int, ...]) -> list[wsraw.Client]:
    """`count` connections of one client, from all threads at once; those that were let in."""
    opened, failures = [], []

    def connect_some() -> None:
        try:
            for _ in range(count // threads):
                client = running.connect()
                response = client.handshake("/ws/racer")
                assert response.status in allowed, response
                if response.status == 101:
                    opened.append(client)
                else:
                    client.close()
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    crowd = [threading.Thread(target=connect_some) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert not failures, failures
    return opened


def end_of(client: wsraw.Client) -> tuple[int | None, bytes] | None:
    """The close frame, or None if an echo comes back: it is the one that stayed."""
    client.send_frame(wsraw.BINARY, b"?")
    got = client.read_frame()
    if got.opcode == wsraw.BINARY:
        return None
    return struct.unpack(">H", got.payload[:2])[0], got.payload[2:]


@pytest.mark.tsan
def test_a_thousand_races_leave_one(gateway, workers):
    running = run(gateway, workers, close_timeout="10m", takeover_rate=0)
    clients = race(running, 1000, 8, (101,))
    assert len(clients) == 1000
    running.wait_metric("clients", 1)
    assert running.metric("takeovers_total") == 999
    ends = [end_of(client) for client in clients]
    assert ends.count(None) == 1
    assert ends.count(TAKEN_OVER) == 999
    for client in clients:
        client.close()
    running.wait_metric("connections", 0)
    assert running.metric("clients") == 0
    assert running.health()["connections"] == 0


def test_races_for_the_only_place(gateway, workers):
    running = run(gateway, workers, max_connections=1, close_timeout="10m", takeover_rate=0)
    with running.open("/ws/racer"):
        clients = race(running, 400, 8, (101,))
        running.wait_metric("clients", 1)
        assert running.health()["connections"] == 1
        assert [end_of(client) for client in clients].count(None) == 1
        for client in clients:
            reset(client.sock)
    running.wait_metric("connections", 0)
    assert running.health()["connections"] == 0
    running.open("/ws/other").close()


def test_races_under_oldest_let_one_in(gateway, workers):
    running = run(gateway, workers, route("oldest"))
    clients = race(running, 400, 8, (101, 409))
    assert len(clients) == 1
    assert end_of(clients[0]) is None
    assert running.metric("conflicts_total") == 399
    clients[0].close()
    running.wait_metric("clients", 0)


@pytest.mark.tsan
def test_drain_while_takeovers_are_under_way(gateway, workers):
    """Every old one is closed, as taken over or drained; the exit is clean and in time."""
    running = run(gateway, workers, close_timeout="500ms", takeover_rate=0)
    stop = threading.Event()
    refused = []

    def come_again(name: str) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, EOFError):
            while not stop.is_set():
                client = stack.enter_context(running.connect())
                status = client.handshake(f"/ws/{name}").status
                if status != 101:
                    refused.append(status)
                    return

    crowd = [threading.Thread(target=come_again, args=(f"c-{number % 3}",)) for number in range(6)]
    for thread in crowd:
        thread.start()
    try:
        wsraw.wait_until(lambda: running.metric("takeovers_total") > 100, "takeovers")
        running.signal(signal.SIGTERM)
        assert running.wait_exit() == 0
    finally:
        stop.set()
        for thread in crowd:
            thread.join()
    assert set(refused) <= {503}
    running.stop()
