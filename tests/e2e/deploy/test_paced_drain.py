# SPDX-License-Identifier: Apache-2.0
"""Clients are let go at a pace: by SIGTERM with drain_spread, and by the API."""

import concurrent.futures
import contextlib
import json
import re
import select
import signal
import threading
import time

import pytest

from kit import api, backends, wsraw
from kit.gateway import assert_refusal, given_time, run_binary

REASON = re.compile(rb"retry-after=(\d+)")


class Crowd:
    """Clients that answer a close frame, and note when it came and what it said."""

    def __init__(self, gateway, count: int, target: str = "/ws/{}"):
        self.clients = [gateway.open(target.format(number)) for number in range(count)]
        self.left = {client.sock.fileno(): number for number, client in enumerate(self.clients)}
        self.closes: list[tuple[float, int, int, bytes]] = []  # (time, number, code, reason)

    def listen(self, until) -> None:
        """Until `until()` is true, or nobody is left."""
        deadline = time.monotonic() + wsraw.SECONDS
        while self.left and not until():
            assert time.monotonic() < deadline, f"{len(self.left)} are left"
            for fd in select.select(list(self.left), [], [], 0.01)[0]:
                number = self.left.pop(fd)
                code, reason = self.clients[number].read_close()
                self.closes.append((time.monotonic(), number, code, reason))
                self.clients[number].send(wsraw.close_frame(code))

    def wait_all(self) -> None:
        self.listen(lambda: False)

    def close(self) -> None:
        for client in self.clients:
            client.close()


@pytest.fixture
def crowd():
    crowds = []

    def gather(*args, **options) -> Crowd:
        crowds.append(Crowd(*args, **options))
        return crowds[-1]

    yield gather
    for one in crowds:
        one.close()


def order(gateway, status: int = 202, **what) -> dict:
    return api.Api(gateway.admin).post("/drain", json.dumps(what).encode(), status, type="application/json")


def look(gateway) -> dict:
    return api.Api(gateway.admin).get("/drain")


def cancel(gateway, status: int = 200) -> dict:
    answer = api.Api(gateway.admin).ask("DELETE", "/drain")
    assert answer.status == status, answer
    return json.loads(answer.body)


def wait_state(gateway, state: str) -> dict:
    wsraw.wait_until(lambda: look(gateway)["state"] == state, lambda: f"{state}, is {look(gateway)}")
    return look(gateway)


def tenths(closes, begin: float, over: float) -> list[int]:
    counts = [0] * 10
    for when, *_ in closes:
        counts[min(9, max(0, int((when - begin) / over * 10)))] += 1
    return counts


# --- by SIGTERM ---

@pytest.mark.tsan
def test_sigterm_spreads_the_closes(gateway, crowd):
    """In time, over the clients, and over the moment to come back; nobody else is let in meanwhile."""
    def check(factor: int) -> None:
        spread = 4 * factor
        running = gateway(server={"workers": 2, "drain_spread": f"{spread}s", "drain_retry_after": "1000s"})
        everybody = crowd(running, 300)
        begin = time.monotonic()
        running.signal(signal.SIGTERM)
        everybody.listen(lambda: len(everybody.closes) >= 20)
        with running.connect() as late:
            answer = late.handshake("/ws/late")
            assert answer.status == 503 and answer.headers["gatehouse-limit"].startswith("draining")
        health = running.health()
        assert health["status"] == "draining" and health["drain"]["ends_process"]
        assert 0 < health["drain"]["left"] < 300 and health["drain"]["eta_seconds"] <= spread
        everybody.wait_all()
        assert running.wait_exit() == 0
        assert {code for _, _, code, _ in everybody.closes} == {1012}
        waits = [int(REASON.fullmatch(reason)[1]) for *_, reason in everybody.closes]
        assert all(1 <= wait <= 1000 for wait in waits)
        assert min(waits) < 300 and max(waits) > 700 and len(set(waits)) > 100
        # Wide enough for a machine that stalls for a second, and far from all at once or all at the end.
        counts = tenths(everybody.closes, begin, spread)
        assert sum(counts[:5]) > 75 and sum(counts[5:]) > 75 and max(counts) < 200, counts
        # Neither the order in which they came nor the reverse: about half are ahead of their neighbour.
        numbers = [number for _, number, _, _ in everybody.closes]
        rises = sum(after > before for before, after in zip(numbers, numbers[1:]))
        assert 75 < rises < 225, rises
        done = running.logged("drain: done")
        assert done and done[-1]["closed"] == "300"

    # A machine that stalls for a second moves some tenths of a short spread, and hardly any of a long one.
    given_time(check, factors=(1, 4))


def test_readiness_goes_before_the_first_close(gateway):
    """With drain_delay: not ready, but whoever comes is let in; then the first is closed."""
    running = gateway(server={"drain_delay": "1h", "drain_spread": "1s"})
    with running.open() as client:
        running.signal(signal.SIGTERM)
        wsraw.wait_until(lambda: running.get("/readyz").status == 503, "not ready")
        assert running.health()["drain"]["state"] == "waiting"
        client.echo(b"still here")
        with running.open() as late:
            late.echo(b"welcome")
            running.signal(signal.SIGTERM)
            assert running.wait_exit() == 1, "the second one ends it at once"
    running.has_stopped = True


def test_delay_without_spread(gateway):
    running = gateway(server={"drain_delay": "1s"})
    with running.open() as client:
        running.signal(signal.SIGTERM)
        wsraw.wait_until(lambda: running.get("/readyz").status == 503, "not ready")
        client.echo(b"still here")
        client.expect_close(1001, answer=True)
        assert running.wait_exit() == 0


def test_ends_when_the_last_has_left(gateway):
    """Whoever goes by himself is not waited for."""
    running = gateway(server={"drain_spread": "1h"})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open()) for _ in range(10)]
        running.signal(signal.SIGTERM)
        running.wait_log("draining")
        for client in clients:
            client.send(wsraw.close_frame(1000))
        assert running.wait_exit() == 0


def test_the_pace_of_the_end_can_be_changed(gateway, crowd):
    running = gateway(server={"drain_spread": "1h"})
    everybody = crowd(running, 20)
    running.signal(signal.SIGTERM)
    running.wait_log("drain: ordered")
    assert cancel(running, 409)["reason"] == "ending"
    assert order(running, 409, percent=20)["reason"] == "ending"
    assert order(running, over="100ms")["ends_process"]
    everybody.wait_all()
    assert running.wait_exit() == 0


def test_one_that_says_nothing_is_cut_in_the_end(start):
    """It was told, but does not answer: not all were let go."""
    running = start(server={"drain_spread": "100ms", "drain_timeout": "1s", "close_timeout": "1m"}).wait_ready()
    with running.open() as silent:
        running.signal(signal.SIGTERM)
        assert silent.read_close()[0] == 1012
        assert running.wait_exit() == 1
    assert running.logged("not all clients were let go in time")


# --- by the API ---

def test_a_full_one_keeps_the_process(gateway, crowd):
    """Nobody is left and nobody is let in, until it is cancelled."""
    running = gateway(server={"workers": 2})
    assert look(running)["state"] == "none" and cancel(running, 409)["reason"] == "no_drain"
    everybody = crowd(running, 50)
    told = order(running, over="1s")
    assert told["state"] in ("waiting", "under_way") and not told["ends_process"]
    everybody.wait_all()
    done = wait_state(running, "done")
    assert done["left"] == 0 and done["closed"] == 50 and done["eta_seconds"] == 0
    assert running.get("/readyz").status == 503
    with running.connect() as late:
        assert_refusal(late.handshake("/ws/late"), "draining", 0, 0)
    assert cancel(running)["state"] == "cancelled"
    assert running.get("/readyz").status == 200
    with running.open() as client:
        client.echo(b"welcome back")
    assert running.metric("connections_closed_total", reason="paced_drain") == 50
    assert running.metrics("drains_total", "outcome") == {"started": 1, "done": 1, "cancelled": 1}


def test_cancelled_on_the_way(gateway, crowd):
    running = gateway()
    everybody = crowd(running, 40)
    order(running, over="20s")
    everybody.listen(lambda: len(everybody.closes) >= 3)
    told = cancel(running)
    assert told["state"] == "cancelled" and told["closed"] + told["left"] >= 40
    assert running.get("/readyz").status == 200
    with running.open() as client:
        client.echo(b"welcome")
    everybody.listen(lambda: running.metric("clients") == len(everybody.left))
    for number in everybody.left.values():
        everybody.clients[number].echo(b"still here")


def test_change_of_pace(gateway, crowd):
    """The order stays, the rest is spread over the new time."""
    running = gateway()
    everybody = crowd(running, 40)
    assert order(running, over="1h")["eta_seconds"] > 3000
    assert order(running, over="2s")["eta_seconds"] <= 2
    everybody.wait_all()
    assert wait_state(running, "done")["closed"] == 40
    assert running.metric("drains_total", outcome="started") == 1


@pytest.mark.tsan
def test_a_part_leaves_the_node_ready(gateway, crowd):
    """20 percent: about so many go, the others stay, and whoever comes is not meant."""
    running = gateway(server={"workers": 2})
    everybody = crowd(running, 300)
    told = order(running, over="500ms", percent=20)
    assert told["percent"] == 20
    everybody.listen(lambda: look(running)["state"] == "done")
    done = look(running)
    assert 20 < done["closed"] < 110, "60 of 300, give or take"
    everybody.listen(lambda: 300 - len(everybody.left) == done["closed"])
    assert running.get("/readyz").status == 200
    for number in everybody.left.values():
        everybody.clients[number].echo(b"still here")
    assert cancel(running, 409)["reason"] == "no_drain", "it is done"


def test_of_a_route_and_of_a_group(gateway, crowd):
    routes = [{"path": "/a/{client_id}"}, {"path": "/b/{client_id}"}]
    running = gateway(routes=[route | {"backend": "echo"} for route in routes])
    ones, others = crowd(running, 10, "/a/{}"), crowd(running, 10, "/b/{}")
    asked = api.Api(running.admin)
    for number in range(5):
        assert asked.ask("PUT", f"/groups/night/members/a/{number}").status == 200
        assert asked.ask("PUT", f"/groups/night/members/b/{number}").status == 200
    order(running, over="100ms", group="night", route="a")
    ones.listen(lambda: len(ones.closes) == 5)
    assert wait_state(running, "done")["closed"] == 5
    assert {number for _, number, _, _ in ones.closes} == set(range(5))
    order(running, over="100ms", route="b")
    others.wait_all()
    assert wait_state(running, "done")["closed"] == 10
    for number in ones.left.values():
        ones.clients[number].echo(b"still here")
    assert order(running, 404, route="c")["reason"] == "no_such_route"


def test_two_at_once(gateway, crowd):
    """One for other clients has to wait, one for all takes over."""
    running = gateway()
    everybody = crowd(running, 10)
    order(running, over="1h", route="ws")
    assert order(running, 409, percent=20)["reason"] == "other_drain"
    assert order(running, over="100ms")["percent"] == 100
    everybody.wait_all()
    wait_state(running, "done")
    cancel(running)


@pytest.mark.parametrize("what, reason", [
    ({"over": "5"}, "over"), ({"over": 5}, "over"), ({"over": "8d"}, "over"), ({"delay": "2h"}, "delay"),
    ({"percent": 0}, "percent"), ({"percent": 101}, "percent"), ({"percent": "20"}, "percent"),
    ({"group": "no good name"}, "group"), ({"group": 1}, "group"), ({"route": 1}, "route"),
    ({"ovr": "5m"}, "member")])
def test_bad_orders(shared, what, reason):
    running = shared()
    assert order(running, 400, **what)["reason"] == reason
    assert look(running)["state"] == "none"


def test_no_upgrade_meanwhile(gateway, crowd):
    """The new process would know nothing of the drain."""
    running = gateway()
    crowd(running, 3)
    order(running, over="1h", route="ws")
    answer = api.Api(running.admin).ask("POST", "/upgrade")
    assert answer.status == 409 and json.loads(answer.body)["reason"] == "not_now"
    assert "drain --cancel" in json.loads(answer.body)["detail"]
    cancel(running)
    order(running, over="1h")
    assert api.Api(running.admin).ask("POST", "/upgrade").status == 409
    cancel(running)


# --- what is under way ends first ---

def test_an_event_under_way_is_waited_for(gateway):
    """The client gets its answer, then its close frame."""
    may_answer = threading.Event()

    def answer(event):
        if event.type == "message":
            assert may_answer.wait(wsraw.SECONDS)
            return backends.Answer(200, b"at last", {"Content-Type": "text/plain"})
        return backends.Answer()

    with contextlib.closing(backends.Webhook(answer)) as hook:
        running = gateway(server={"drain_timeout": "10m"}, routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                          backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
        with running.open() as client:
            client.send_frame(wsraw.TEXT, b"a question")
            hook.wait("message", 1)
            order(running, over="0")
            wsraw.wait_until(lambda: look(running)["busy"] == 1, "waited for")
            assert look(running)["closed"] == 0
            may_answer.set()
            assert client.read_message()[1] == b"at last"
            assert client.read_close()[0] == 1012
            client.send(wsraw.close_frame(1012))
        done = wait_state(running, "done")
        assert (done["closed"], done["closed_busy"]) == (1, 0)
        running.stop()


def test_patience_has_an_end(gateway):
    """Half of drain_timeout."""
    with contextlib.closing(backends.Webhook(lambda event: backends.Answer(
            503 if event.type == "message" else 200))) as hook:
        running = gateway(server={"drain_timeout": "2s"}, routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                          backends=[{"name": "hook", "type": "webhook", "url": hook.url, "retry_max": "100ms"}])
        with running.open() as client:
            client.send_frame(wsraw.TEXT, b"nobody takes it")
            hook.wait("message", 1)
            order(running, over="0")
            assert client.read_close()[0] == 1012
            client.send(wsraw.close_frame(1012))
        done = wait_state(running, "done")
        assert (done["closed"], done["closed_busy"]) == (1, 1)
        running.stop()


def test_a_message_that_is_not_whole_is_waited_for(gateway):
    running = gateway(server={"drain_timeout": "10m"})
    with running.open() as client:
        client.send_frame(wsraw.TEXT, b"one ", final=False)
        running.wait_metric("partial_connections", 1)
        order(running, over="0")
        wsraw.wait_until(lambda: look(running)["busy"] == 1, "waited for")
        client.send_frame(wsraw.CONTINUATION, b"half")
        assert client.read_message()[1] == b"one half"
        assert client.read_close()[0] == 1012
        client.send(wsraw.close_frame(1012))
    wait_state(running, "done")


def test_a_call_under_way_is_waited_for(gateway):
    """Its caller gets the answer."""
    running = gateway(server={"drain_timeout": "10m"},
                      routes=[{"path": "/rpc/{client_id}", "rpc": "json-rpc", "backend": "echo"}])
    answers = []

    def call():
        answers.append(api.Api(running.admin).ask(
            "POST", "/clients/rpc/one/call", b'{"method": "reset"}', headers={"Content-Type": "application/json"}))

    with running.open("/rpc/one") as client:
        caller = threading.Thread(target=call)
        caller.start()
        asked = json.loads(client.read_message()[1])
        order(running, over="0")
        wsraw.wait_until(lambda: look(running)["busy"] == 1, "waited for")
        client.send_frame(wsraw.TEXT, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": 7}).encode())
        assert client.read_close()[0] == 1012
        client.send(wsraw.close_frame(1012))
        caller.join()
    assert answers[0].status == 200 and json.loads(answers[0].body)["result"] == "answered"


# --- by the command ---

def drain(gateway, *arguments, **options):
    return run_binary("drain", "-c", gateway.config_file, *arguments, **options)


def test_command_waits_for_the_end(gateway, crowd):
    running = gateway()
    everybody = crowd(running, 20)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        watching = pool.submit(drain, running, "--over", "500ms")
        everybody.wait_all()
        done = watching.result()
    assert done.returncode == 0 and "done: 20 let go" in done.stdout, done
    assert running.get("/readyz").status == 503
    back = drain(running, "--cancel")
    assert back.returncode == 0 and "cancelled: 20 were let go" in back.stdout
    assert running.get("/readyz").status == 200


def test_command_tells_of_a_cancel(gateway, crowd):
    running = gateway()
    crowd(running, 5)
    assert drain(running, "--over=1h", "--no-wait").returncode == 0
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        watching = pool.submit(drain, running, "--over", "2h")
        wsraw.wait_until(lambda: look(running)["over_seconds"] > 3600, "the other pace")
        assert drain(running, "--cancel").returncode == 0
        done = watching.result()
    assert done.returncode == 1 and "cancelled: " in done.stdout, done


def test_command_says_what_is_wrong(gateway, crowd):
    running = gateway()
    crowd(running, 5)
    assert drain(running, "--percent", "101").returncode == 2
    assert drain(running, "--over", "5").returncode == 2
    assert drain(running, "--cancel", "--over", "5m").returncode == 2
    assert drain(running, "--ovr", "5m").returncode == 2
    none = drain(running, "--cancel")
    assert none.returncode == 1 and "No drain is under way" in none.stderr
    route = drain(running, "--route", "nowhere")
    assert route.returncode == 1 and "No route has this name" in route.stderr and "Seen: nowhere" in route.stderr
    assert drain(running, "--route", "ws", "--over", "1h", "--no-wait").returncode == 0
    other = drain(running, "--percent", "20")
    assert other.returncode == 1 and "A drain of other clients is under way" in other.stderr
    running.stop()
    gone = drain(running)
    assert gone.returncode == 1 and "no gateway answers" in gone.stderr and "does it run" in gone.stderr


def test_command_with_a_token(gateway, tmp_path):
    """That of the configuration, of a file or of the environment."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    token.chmod(0o600)
    running = gateway(admin={"token_file": token})
    assert drain(running, "--over", "0").returncode == 0
    assert drain(running, "--cancel").returncode == 0
    token.write_text("another0another0another0another0\n")
    wrong = drain(running, "--over", "0")
    assert wrong.returncode == 1 and "HTTP 401" in wrong.stderr and "another" not in wrong.stderr


def test_command_by_tls(gateway, pair):
    """The listener of the admin speaks TLS, and listens everywhere."""
    port = wsraw.free_port()
    running = gateway(admin={"listen": f"0.0.0.0:{port}", "tls": {"certificates": [pair.files]}})
    done = drain(running, "--over", "0")
    assert done.returncode == 0, done
