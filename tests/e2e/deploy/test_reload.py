# SPDX-License-Identifier: Apache-2.0
"""The configuration is read again under open connections: by SIGHUP, by the API, by `gatehouse reload`."""

import concurrent.futures
import json
import os
import pathlib
import re
import resource
import signal

import pytest

from kit import wsraw
from kit.api import Api
from kit.backends import SECRET, Webhook, is_signed, secret_file
from kit.gateway import base_config, run_binary, to_yaml

CHANGED = "the configuration was read again, and is in force"
SAME = "the configuration was read again: nothing of it has changed"
REFUSED = "the configuration was read again and has mistakes: nothing was changed"
WS = {"path": "/ws/{client_id}"}
OTHER_SECRET = "whsec_" + "REVG" * 8


class Reloaded:
    """A gateway, and its configuration as it is written next."""

    def __init__(self, running, config: dict):
        self.running, self.config = running, config

    def write(self, **sections) -> None:
        """Sections with other values; a list replaces the one before. As one ought to: another file, renamed."""
        for name, body in sections.items():
            self.config[name] = body if isinstance(body, list) else self.config.get(name, {}) | body
        self.put(to_yaml(self.config))

    def put(self, text: str) -> None:
        path = pathlib.Path(self.running.config_file)
        new = path.with_suffix(".new")
        new.write_text(text)
        new.rename(path)

    def ask(self, status: int = 200) -> dict:
        return Api(self.running.admin).post("/reload", status=status)

    def change(self, **sections) -> dict:
        self.write(**sections)
        answer = self.ask()
        assert answer["outcome"] == "changed", answer
        return answer

    def command(self, *arguments):
        return run_binary("reload", "-c", self.running.config_file, *arguments)


@pytest.fixture
def reloaded(gateway, engine):
    def start(**sections) -> Reloaded:
        config = base_config(engine)
        for name, body in sections.items():
            config[name] = body if isinstance(body, list) else config.get(name, {}) | body
        running = gateway(**sections)
        config["server"]["listen"] = "{}:{}".format(*running.address)
        config["admin"]["listen"] = "{}:{}".format(*running.admin)
        return Reloaded(running, config)
    return start


def options(answer: dict, what: str = "changed") -> dict:
    return {one["option"]: (one.get("before"), one.get("after")) if one["change"] == "changed" else one["change"]
            for one in answer[what]}


def upgrade_status(running, path: str) -> int:
    with running.connect() as client:
        return client.handshake(path).status


# --- the ways to ask ---

@pytest.mark.tsan
def test_a_changed_route_is_in_force_for_those_who_come(reloaded):
    one = reloaded(routes=[WS])
    with one.running.open("/ws/a") as client:
        answer = one.change(routes=[WS | {"max_connections": 1}, {"path": "/new/{client_id}"}])
        assert options(answer) == {"routes[ws].max_connections": ("0", "1"), "routes[new]": "added"}
        assert answer["needs_restart"] == [] and answer["same"] > 50 and answer["files_failed"] == 0
        client.echo(b"still here")
        # It counts from the configuration before.
        assert upgrade_status(one.running, "/ws/b") == 503
        with one.running.open("/new/a") as other:
            other.echo(b"by the new one")
    one.running.wait_metric("config_reloads_total", 1, outcome="changed")


def test_hangup_does_the_same(reloaded):
    one = reloaded(routes=[WS])
    one.write(routes=[{"path": "/other/{client_id}"}])
    one.running.signal(signal.SIGHUP)
    said = one.running.wait_log(CHANGED)
    assert said["asked_by"] == "SIGHUP" and said["changed"] == "2"
    assert upgrade_status(one.running, "/ws/a") == 404
    with one.running.open("/other/a") as client:
        client.echo(b"there")


def test_the_command_says_what_became_of_it(reloaded):
    one = reloaded(routes=[WS])
    done = one.command()
    assert done.returncode == 0 and "same; " in done.stdout, done
    one.write(routes=[WS | {"takeover": "many"}], server={"workers": 2})
    done = one.command()
    assert done.returncode == 0, done
    assert "routes[ws].takeover: newest -> many" in done.stdout
    assert "needs a restart:\n  changed  server.workers: 1 -> 2" in done.stdout
    answer = json.loads(one.command("--json").stdout)
    assert answer["outcome"] == "same" and options(answer, "needs_restart") == {"server.workers": ("1", "2")}
    assert one.command("--timeout", "0").returncode == 2
    one.running.stop()
    gone = one.command()
    assert gone.returncode == 1 and gone.stderr


def test_nothing_changed_is_told_as_such(reloaded):
    one = reloaded(routes=[WS])
    before = one.running.metric("config_last_reload_timestamp_seconds")
    answer = one.ask()
    assert answer["outcome"] == "same" and answer["changed"] == [] and answer["needs_restart"] == []
    assert one.running.metric("config_reloads_total", outcome="same") == 1
    assert one.running.metric("config_last_reload_timestamp_seconds") >= before > 1e9


# --- all or nothing ---

def test_every_mistake_is_told_and_nothing_is_changed(reloaded, tmp_path):
    one = reloaded(routes=[WS])
    one.put(to_yaml(one.config | {"routes": [WS | {"takeover": "newst"}, {"path": "/new/{client_id}"}]})
            + "bogus: 1\n")
    answer = one.ask(422)
    assert answer["reason"] == "configuration" and answer["outcome"] == "refused"
    mistakes = answer["mistakes"]
    assert len(mistakes) == 2 and all(str(one.running.config_file) in line for line in mistakes)
    assert any("takeover" in line and "newest" in line for line in mistakes) and any("bogus" in line for line in mistakes)
    assert all(line.split(str(one.running.config_file))[1].startswith(":") for line in mistakes)
    assert len([line for line in one.running.logged("configuration") if "mistake" in line]) == 2
    assert upgrade_status(one.running, "/new/a") == 404
    with one.running.open("/ws/a") as client:
        client.echo(b"as before")
    done = one.command()
    assert done.returncode == 78 and "newst" in done.stderr, done
    assert one.running.metric("config_reloads_total", outcome="refused") >= 1


@pytest.mark.parametrize("how", ("missing", "directory", "unreadable", "half"))
def test_a_file_that_cannot_be_read_changes_nothing(reloaded, how):
    if how == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    one = reloaded(routes=[WS, {"path": "/last/{client_id}"}])
    path = pathlib.Path(one.running.config_file)
    text = path.read_text()
    path.unlink()
    if how == "directory":
        path.mkdir()
    elif how == "unreadable":
        path.write_text(text)
        path.chmod(0)
    elif how == "half":
        path.write_text(text[:len(text) - 5])
    answer = one.ask(422)
    assert str(path) in answer["mistakes"][0]
    with one.running.open("/last/a") as client:
        client.echo(b"as before")


def test_a_file_that_the_configuration_names_is_judged_too(reloaded, tmp_path):
    users = tmp_path / "users"
    users.write_text("somebody:plain:a-key-of-sixteen\n")
    users.chmod(0o600)
    one = reloaded(routes=[WS])
    one.write(routes=[WS | {"auth": [{"type": "basic", "users_file": str(tmp_path / "missing")}]}])
    answer = one.ask(422)
    assert len(answer["mistakes"]) == 1 and "users_file" in answer["mistakes"][0] and "missing" in answer["mistakes"][0]
    with one.running.open("/ws/a") as client:
        client.echo(b"nobody is asked, as before")
    one.change(routes=[WS | {"auth": [{"type": "basic", "users_file": str(users)}]}])
    assert upgrade_status(one.running, "/ws/a") == 401


def test_a_file_that_is_being_written_is_given_time(reloaded):
    """Written in two parts, and asked for in between: what is half of it is not taken."""
    one = reloaded(routes=[WS, {"path": "/b/{client_id}"}])
    whole = to_yaml(one.config | {"routes": [WS, {"path": "/b/{client_id}"}, {"path": "/c/{client_id}"}]})
    half = whole[:whole.index("  - path: /b")]
    with open(one.running.config_file, "w", encoding="ascii") as file:
        file.write(half)
        file.flush()
        one.running.signal(signal.SIGHUP)
        file.write(whole[len(half):])
    one.running.wait_log(CHANGED)
    assert [line["added"] for line in one.running.logged("option") if "added" in line] == ["routes[c]"]
    assert not [line for line in one.running.logged("option") if "removed" in line]


def test_a_flood_of_hangups_is_few_readings(reloaded):
    one = reloaded(routes=[WS])
    for _ in range(2000):
        one.running.signal(signal.SIGHUP)
    one.running.wait_log(SAME)
    with one.running.open("/ws/a") as client:
        client.echo(b"meanwhile")
    answer = one.ask()
    assert answer["outcome"] == "same"
    assert one.running.metric("config_reloads_total") < 30


def test_many_who_ask_at_once_get_one_answer(reloaded):
    one = reloaded(routes=[WS])
    one.ask()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: one.ask(), range(20)))
    assert all(answer["outcome"] == "same" for answer in answers)
    assert one.running.metric("config_reloads_total") < 15


def test_a_log_that_cannot_be_written_is_no_obstacle(reloaded):
    """The file that its standard error is can grow no further, as on a full disk."""
    one = reloaded(routes=[WS])
    with one.running.open("/ws/a") as client:
        size = one.running.log_file.stat().st_size
        resource.prlimit(one.running.process.pid, resource.RLIMIT_FSIZE, (size, size))
        one.change(routes=[WS | {"takeover": "many"}])
        client.echo(b"still here")


def test_without_memory_nothing_is_changed(reloaded, sanitized):
    if sanitized:
        pytest.skip("the sanitizer's own memory counts too")
    one = reloaded(routes=[WS])
    pid = one.running.process.pid
    with one.running.open("/ws/a") as client:
        size = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        one.write(routes=[{"path": f"/r{i}/{{client_id}}", "auth": [{"type": "ticket"}] * 8} for i in range(1000)])
        unlimited = resource.prlimit(pid, resource.RLIMIT_AS, (size + (4 << 20), resource.RLIM_INFINITY))
        answer = Api(one.running.admin).ask("POST", "/reload")
        assert answer.status in (422, 500) and b"memory" in answer.body, answer
        client.echo(b"still here")
        assert upgrade_status(one.running, "/ws/b") == 101
        resource.prlimit(pid, resource.RLIMIT_AS, unlimited)
        assert len(one.ask()["changed"]) == 1001
        client.echo(b"still here")


def test_hangup_while_it_ends_changes_nothing(reloaded):
    one = reloaded(routes=[WS], server={"close_timeout": "1m", "drain_timeout": "1m"})
    with one.running.open("/ws/a") as client:
        one.running.signal(signal.SIGTERM)
        one.running.wait_log("draining")
        one.write(routes=[{"path": "/other/{client_id}"}])
        one.running.signal(signal.SIGHUP)
        answer = one.ask(503)
        assert answer["reason"] == "ending"
        client.expect_close(1001, answer=True)
    assert one.running.wait_exit() == 0
    assert not one.running.logged(CHANGED)


# --- routes ---

def test_clients_of_a_removed_route_stay(reloaded):
    one = reloaded(routes=[WS, {"path": "/old/{client_id}"}])
    with one.running.open("/old/a") as client:
        assert options(one.change(routes=[WS])) == {"routes[old]": "removed"}
        assert upgrade_status(one.running, "/old/b") == 404
        client.echo(b"by the rules that I came in by")
        assert one.running.metric("route_connections", route="old") == 1
        client.send(wsraw.close_frame(1000))
        client.expect_close(1000)
    one.running.wait_metric("route_connections_closed_total", 1, route="old", reason="client_closed")
    assert one.running.metric("route_connections", route="old") == 0
    wsraw.wait_until(lambda: one.running.metric("config_snapshots") == 1, lambda: "the older one has gone")


@pytest.mark.tsan
def test_clients_of_a_removed_route_are_closed_where_it_says_so(reloaded):
    one = reloaded(routes=[WS, {"path": "/old/{client_id}", "on_removed": "close"}], server={"drain_retry_after": "7s"})
    clients = [one.running.open(f"/old/{i}") for i in range(120)]
    with one.running.open("/ws/a") as other:
        one.change(routes=[WS])
        waits = []
        for client in clients:
            code, reason = client.read_close()
            assert code == 1012
            waits.append(int(re.fullmatch(rb"route was removed; retry-after=(\d+)", reason)[1]))
            client.send(wsraw.close_frame(1012))
            assert client.is_closed()
            client.close()
        assert min(waits) >= 1 and max(waits) <= 7 and len(set(waits)) > 2, "spread over drain_retry_after"
        other.echo(b"another route")
    one.running.wait_metric("connections_closed_total", 120, reason="route_removed")


def test_a_route_that_comes_back_goes_on_with_its_clients(reloaded):
    one = reloaded(routes=[WS, {"path": "/old/{client_id}"}])
    with one.running.open("/old/a") as client:
        one.change(routes=[WS])
        one.change(routes=[WS, {"path": "/old/{client_id}", "max_connections": 1}])
        assert upgrade_status(one.running, "/old/b") == 503
        client.echo(b"counted")


# --- back ends ---

def webhook(url: str, **options) -> dict:
    return {"name": "up", "type": "webhook", "url": url} | options


@pytest.mark.tsan
def test_a_back_end_moves_with_its_clients(reloaded):
    first, second = Webhook(), Webhook()
    try:
        route = WS | {"backend": "up"}
        one = reloaded(routes=[route], backends=[webhook(first.url)])
        with one.running.open("/ws/a") as client:
            client.send_frame(wsraw.TEXT, b"one")
            first.wait("message")
            answer = one.change(backends=[webhook(second.url)])
            assert options(answer) == {"backends[up].url": (first.url, second.url)}
            client.send_frame(wsraw.TEXT, b"two")
            assert second.wait("message")[0].body == b"two"
            assert len(first.of("message")) == 1
            # Counted on, and not anew.
            one.running.wait_metric("backend_events_total", 2, type="message", outcome="delivered")
    finally:
        first.close()
        second.close()


def test_secrets_of_a_back_end_change_for_those_who_are_there(reloaded, tmp_path):
    backend = Webhook()
    try:
        file = secret_file(tmp_path, SECRET)
        one = reloaded(routes=[WS | {"backend": "up"}], backends=[webhook(backend.url, secret_file=file)])
        with one.running.open("/ws/a") as client:
            client.send_frame(wsraw.TEXT, b"one")
            assert is_signed(backend.wait("message")[0], SECRET)
            secret_file(tmp_path, OTHER_SECRET)
            answer = one.ask()
            assert answer["outcome"] == "same"
            client.send_frame(wsraw.TEXT, b"two")
            event = backend.wait("message", 2)[1]
            assert is_signed(event, OTHER_SECRET) and not is_signed(event, SECRET)
    finally:
        backend.close()


def test_secrets_of_a_back_end_are_taken_up_by_themselves(reloaded, tmp_path):
    backend = Webhook()
    try:
        file = secret_file(tmp_path, SECRET)
        one = reloaded(routes=[WS | {"backend": "up"}], backends=[webhook(backend.url, secret_file=file)])
        with one.running.open("/ws/a") as client:
            secret_file(tmp_path, OTHER_SECRET)
            one.running.wait_metric("renewals_total", 1, what="backend", outcome="renewed")
            client.send_frame(wsraw.TEXT, b"one")
            assert is_signed(backend.wait("message")[0], OTHER_SECRET)
            pathlib.Path(file).write_text("rubbish\n")
            one.running.wait_metric("renewals_total", 1, what="backend", outcome="failed")
            client.send_frame(wsraw.TEXT, b"two")
            assert is_signed(backend.wait("message", 2)[1], OTHER_SECRET)
            assert "rubbish" not in one.running.log
            secret_file(tmp_path, SECRET)
            # Counted on, though it is the file of another configuration by then.
            one.change(routes=[WS | {"backend": "up", "takeover": "many"}])
            assert one.running.metric("renewals_total", what="backend", outcome="failed") == 1
    finally:
        backend.close()


@pytest.mark.tsan
def test_a_back_end_that_is_removed_gets_what_is_for_it(reloaded):
    backend = Webhook()
    try:
        one = reloaded(routes=[WS | {"backend": "up"}], backends=[webhook(backend.url)])
        with one.running.open("/ws/a") as client:
            one.change(routes=[WS], backends=[])
            client.send_frame(wsraw.TEXT, b"late")
            assert backend.wait("message")[0].body == b"late"
            with one.running.open("/ws/b") as other:
                other.echo(b"by the new rules")
            # The back end had it before its answer was here.
            one.running.wait_metric("backend_events_total", 1, backend="up", type="message", outcome="delivered")
            client.send(wsraw.close_frame(1000))
            client.expect_close(1000)
        backend.wait("disconnected")
        wsraw.wait_until(lambda: not one.running.samples("backend_events_total", backend="up"),
                         lambda: "the back end is forgotten")
    finally:
        backend.close()


# --- who may come, and who may ask ---

def test_the_token_of_the_api_changes(reloaded, tmp_path):
    def token_file(text: str) -> str:
        (tmp_path / "token").write_text(text)
        (tmp_path / "token").chmod(0o600)
        return str(tmp_path / "token")

    one = reloaded(routes=[WS], admin={"token_file": token_file("first-token-of-them")})
    token_file("second-token-of-them")
    first, second = Api(one.running.admin, "first-token-of-them"), Api(one.running.admin, "second-token-of-them")
    first.post("/reload")
    second.get("/node")
    first.get("/node", status=401)


def test_the_hash_tells_which_nodes_differ(reloaded, gateway):
    one, other = reloaded(routes=[WS]), reloaded(routes=[WS], server={"node": "other-node"})
    node = Api(one.running.admin).get("/node")
    assert node["config_hash"] == Api(other.running.admin).get("/node")["config_hash"]
    assert one.running.samples("config_info") == [({"hash": node["config_hash"]}, 1)]
    answer = one.change(routes=[WS | {"takeover": "many"}])
    assert answer["hash"] != node["config_hash"]
    assert answer["hash"] == Api(one.running.admin).get("/node")["config_hash"]
    assert one.change(routes=[WS])["hash"] == node["config_hash"]


def test_a_check_and_a_reload_have_one_verdict(reloaded, tmp_path):
    one = reloaded(routes=[WS])
    one.write(backends=[{"name": "up", "type": "webhook", "url": "ftp://x"}], routes=[WS | {"backend": "up"}])
    mistakes = one.ask(422)["mistakes"]
    checked = run_binary("check", one.running.config_file)
    assert checked.returncode == 1 and all(line in checked.stderr for line in mistakes)


# --- again and again ---

@pytest.mark.tsan
def test_many_readings_leave_nothing_behind(reloaded, sanitized):
    backend = Webhook()
    try:
        route = WS | {"backend": "up"}
        one = reloaded(routes=[route], backends=[webhook(backend.url)])
        with one.running.open("/ws/a") as client:
            def turn(i: int) -> None:
                one.change(routes=[route | {"max_connections": i + 1}, {"path": f"/r{i}/{{client_id}}"}],
                           backends=[webhook(backend.url, timeout=f"{i + 1}s"), webhook(backend.url) | {"name": f"b{i}"}])
            for i in range(20):
                turn(i)
            fds, memory = len(os.listdir(f"/proc/{one.running.process.pid}/fd")), one.running.memory()
            threads = len(os.listdir(f"/proc/{one.running.process.pid}/task"))
            for i in range(20, 60):
                turn(i)
            assert one.running.metric("config_snapshots") <= 3
            assert len(os.listdir(f"/proc/{one.running.process.pid}/fd")) <= fds + 2
            assert len(os.listdir(f"/proc/{one.running.process.pid}/task")) <= threads + 1
            assert sanitized or one.running.memory() < memory + (8 << 20)
            client.send_frame(wsraw.TEXT, b"x")
            backend.wait("message")
    finally:
        backend.close()
