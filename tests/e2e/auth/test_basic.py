# SPDX-License-Identifier: Apache-2.0
"""Names and secrets of a users file: who comes in, what the others are told, and what it costs."""

import asyncio
import base64
import hashlib
import json
import pathlib
import subprocess

import pytest
import websockets

from kit import wsraw
from kit.api import Api
from kit.backends import Webhook
from kit.gateway import assert_refusal, run_binary

KEY = "0123456789abcdef"
REFUSED = "client not let in: no good proof"
# Of "hunter2", as cheap as sha512crypt can be.
PASSWORD = "$6$rounds=1000$saltsalt$gqUcWLKt3d1wsoaFq/ZlFXJndu400B3QqT3noJu6R/eEGKKt5.bf/H7jRZdxjThW3JpMB1IX" \
           ".1Z2f5cgwsF710"


def digest(secret: str | bytes) -> str:
    data = secret.encode() if isinstance(secret, str) else secret
    return "sha256:" + hashlib.sha256(data).hexdigest()


def users_file(directory, *lines: str, name: str = "users") -> str:
    path = directory / name
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    return str(path)


def route(users: str, path: str = "/dev/{client_id}", **more) -> dict:
    way = {"type": "basic", "users_file": users} | {key: more.pop(key) for key in ("secret_format",) if key in more}
    return {"name": "dev", "path": path, "backend": "echo", "auth": [way]} | more


def basic(name: str, secret: str | bytes) -> tuple[str]:
    data = secret.encode() if isinstance(secret, str) else secret
    return ("Authorization: Basic " + base64.b64encode(name.encode() + b":" + data).decode(),)


def come(running, target: str, *fields: str, source: str | None = None):
    """The answer; a connection that was let in echoes, and goes."""
    with running.connect(source=source) as client:
        answer = client.handshake(target, extra=fields)
        if answer.status == 101:
            client.echo(b"in")
        return answer


def reason(answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return json.loads(answer.body)["reason"]


# --- who comes in ---

def test_a_device_with_its_key(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, f"a:{digest(KEY)}", f"b:{digest('x')}"))])
    assert come(running, "/dev/a", *basic("a", KEY)).status == 101
    wrong = come(running, "/dev/a", *basic("a", KEY + "x"))
    assert (wrong.status, reason(wrong)) == (401, "wrong_credentials")
    assert wrong.headers["www-authenticate"].startswith('Basic realm="gatehouse"')
    assert 5 <= int(wrong.headers["retry-after"]) <= 15
    none = come(running, "/dev/a")
    assert (none.status, reason(none)) == (401, "no_proof")
    other = come(running, "/dev/a", *basic("b", "x"))
    assert (other.status, reason(other)) == (403, "other_client_id")
    assert "www-authenticate" not in other.headers
    assert running.metrics("auth_total", "outcome", route="dev") == {
        "proved": 1, "wrong": 1, "forbidden": 1, "no_proof": 1}
    assert running.metric("auth_total", route="dev", way="none", outcome="no_proof") == 1
    assert running.metric("connections_accepted_total") == 1


def test_nobody_there_is_told_the_same(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, f"a:{digest(KEY)}"))])
    with running.connect() as connected:
        assert connected.handshake("/dev/a", extra=basic("a", KEY)).status == 101
        answers = [come(running, target, *basic(name, "wrong"))
                   for target, name in (("/dev/a", "a"), ("/dev/b", "b"), ("/dev/b", "a"))]
        assert len({(answer.status, answer.body) for answer in answers}) == 1
        connected.echo(b"still there")
    assert running.metric("takeovers_total") == 0


@pytest.mark.parametrize("field, why", [
    ("Basic", "bad_authorization"), ("Basic !!!", "bad_authorization"), ("Basic YQ==", "bad_authorization"),
    ("Basic YTpi=", "bad_authorization"), ("Basic " + "QUFB" * 1000, "bad_authorization"),
    ("Basic " + base64.b64encode(b":").decode(), "wrong_credentials"),
    ("Basic " + base64.b64encode(b"a\x00:\xff\x00").decode(), "wrong_credentials"),
    ("Bearer x", "no_proof"), ("Negotiate", "no_proof"), ("", "no_proof"),
])
def test_what_is_no_proof(gateway, tmp_path, field, why):
    running = gateway(routes=[route(users_file(tmp_path, "a:plain:b"))])
    answer = come(running, "/dev/a", f"Authorization: {field}")
    assert (answer.status, reason(answer)) == (401, why)


def test_two_authorizations_are_none(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, "a:plain:b"))])
    answer = come(running, "/dev/a", *basic("a", "b"), *basic("a", "b"))
    assert (answer.status, reason(answer)) == (401, "bad_authorization")


def test_an_old_and_a_new_secret(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, f"a:{digest('old')}|{digest('new')}"))])
    assert [come(running, "/dev/a", *basic("a", secret)).status for secret in ("old", "new", "other")] \
        == [101, 101, 401]


@pytest.mark.parametrize("line, sent", [
    (KEY, KEY), (KEY.encode().hex(), KEY), (KEY, KEY.encode().hex().upper()),
    (digest(bytes(range(240, 256))), bytes(range(240, 256))),
    (bytes(range(0, 20)).hex(), bytes(range(0, 20))),
])
def test_keys_of_ocpp(gateway, tmp_path, line, sent):
    running = gateway(routes=[route(users_file(tmp_path, f"CP 1:{line}"), secret_format="ocpp",
                                    subprotocols=["ocpp1.6"], subprotocol_mismatch="accept")])
    assert come(running, "/dev/CP%201", *basic("CP 1", sent)).status == 101
    assert come(running, "/dev/CP%201", *basic("CP 1", KEY[:15])).status == 401


def test_without_an_id_in_the_path_it_is_the_name(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, "jo:plain:x"), path="/people")])
    with running.connect() as client:
        assert client.handshake("/people", extra=basic("jo", "x")).status == 101
        seen = Api(running.admin).inspect("jo", route="dev")
        assert seen["auth"] == {"way": "basic", "subject": "jo"}


def test_who_had_nothing_to_prove(gateway):
    running = gateway()
    with running.open("/ws/a"):
        assert Api(running.admin).inspect("a")["auth"] is None


# --- passwords of people ---

def test_a_password(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, f"jo:{PASSWORD}"))])
    assert come(running, "/dev/jo", *basic("jo", "hunter2")).status == 101
    assert come(running, "/dev/jo", *basic("jo", "hunter3")).status == 401
    assert come(running, "/dev/jo", *basic("nobody", "hunter2")).status == 401
    assert come(running, "/dev/jo", *basic("jo", b"hunter2\x00")).status == 401
    assert running.metric("passwords_checked_total") == 4
    assert running.metric("passwords_waiting") == 0


def test_frames_right_behind_the_request_are_kept(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, f"jo:{PASSWORD}"))])
    with running.connect() as client:
        client.send(wsraw.request("/dev/jo", extra=basic("jo", "hunter2"))
                    + wsraw.frame(wsraw.TEXT, b"early"))
        assert client.read_response().status == 101
        assert client.read_message() == (wsraw.TEXT, b"early")


def test_the_queue_of_passwords_is_bounded(gateway, tmp_path):
    """The dearest that a file may have, two of them: the first client keeps the thread while the others come."""
    dear = "|".join("$2b$14$abcdefghijklmnopqrstuu" + end * 31 for end in "xy")
    running = gateway(server={"password_queue": 2}, routes=[route(users_file(tmp_path, f"jo:{dear}"))])
    clients = [running.connect(source=f"127.0.0.{number}") for number in range(2, 5)]
    try:
        for number, client in enumerate(clients[:2]):
            client.send(wsraw.request("/dev/jo", extra=basic("jo", "x")))
            running.wait_metric("passwords_waiting", number + 1)
        answer = clients[2].handshake("/dev/jo", extra=basic("jo", "x"))
        assert answer.status == 503
        assert_refusal(answer, "password_queue", 2, 2)
    finally:
        for client in clients:
            client.close()
    assert running.metric("connections_refused_total", limit="password_queue") == 1
    assert running.metric("auth_total", route="dev", way="basic", outcome="busy") == 1


def test_a_hash_that_would_keep_the_thread_is_refused(gateway, tmp_path):
    """At the start, and as the file changes: what was read before stays."""
    users = users_file(tmp_path, f"jo:{PASSWORD}")
    running = gateway(routes=[route(users)])
    users_file(tmp_path, f"jo:{PASSWORD}", "eve:$6$rounds=999999999$saltsalt$" + "x" * 86)
    wsraw.wait_until(lambda: running.health()["reasons"], lambda: running.health())
    (reason,) = running.health()["reasons"]
    assert f"{users}:2: the line has a hash whose rounds= is no number up to 1000000" in reason
    assert come(running, "/dev/jo", *basic("jo", "hunter2")).status == 101


# --- guessing ---

def test_guessing_is_paced_and_locks_nobody_out(gateway, tmp_path):
    running = gateway(server={"auth_failures": 5}, routes=[route(users_file(
        tmp_path, "jo:plain:x", f"dev:{digest(KEY)}", "eve:plain:y"))])
    assert come(running, "/dev/jo", *basic("jo", "x"), source="127.0.0.9").status == 101
    answers = [come(running, "/dev/eve", *basic("eve", f"guess-{number}"), source="127.0.0.9")
               for number in range(7)]
    assert [answer.status for answer in answers] == [401] * 5 + [429] * 2
    assert_refusal(answers[-1], "auth_failures", 5, 5)
    # Not even what is right is looked at, from there; but a key that cannot be guessed is, and whoever was
    # there before.
    assert come(running, "/dev/eve", *basic("eve", "y"), source="127.0.0.9").status == 429
    assert come(running, "/dev/dev", *basic("dev", KEY), source="127.0.0.9").status == 101
    assert come(running, "/dev/jo", *basic("jo", "x"), source="127.0.0.9").status == 101
    # From elsewhere eve is not locked out.
    assert come(running, "/dev/eve", *basic("eve", "y"), source="127.0.0.8").status == 101
    # A request that shows nothing is not counted.
    assert {come(running, "/dev/eve", source="127.0.0.7").status for _ in range(10)} == {401}
    assert come(running, "/dev/eve", *basic("eve", "y"), source="127.0.0.7").status == 101
    row = {one["limit"]: one for one in json.loads(running.get("/limits").body)["limits"]}["auth_failures"]
    assert (row["state"], row["value"], row["used"]) == ("known", 5, 5)


def test_no_pace(gateway, tmp_path):
    running = gateway(server={"auth_failures": 0}, routes=[route(users_file(tmp_path, "a:plain:x"))])
    assert {come(running, "/dev/a", *basic("a", "y")).status for _ in range(30)} == {401}


# --- what others see of it ---

def test_no_secret_is_told(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, f"a:{digest('correct-horse')}"))])
    for secret in ("correct-horse", "wrong-battery"):
        come(running, "/dev/a", *basic("a", secret))
    line = running.wait_log(REFUSED)
    assert (line["event"], line["reason"], line["way"], line["route"], line["client_id"], line["status"]) \
        == ("security", "wrong_credentials", "basic", "dev", "a", "401")
    assert line["remote"].startswith("127.0.0.1:")
    running.stop()
    for secret in ("correct-horse", "wrong-battery"):
        assert secret not in running.log
        assert base64.b64encode(f"a:{secret}".encode()).decode() not in running.log


def test_the_back_end_is_told_who_it_is(gateway, tmp_path):
    hook = Webhook()
    try:
        running = gateway(routes=[route(users_file(tmp_path, "a:plain:x"), backend="hook")],
                          backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
        assert come_quietly(running, "/dev/a") == 401
        assert come_quietly(running, "/dev/a", *basic("a", "x")) == 101
        event = hook.wait("connect")[0]
        assert (event.headers["ce-authway"], event.headers["ce-authsubject"]) == ("basic", "a")
        assert b"Authorization: Basic ****\r\n" in event.body
        assert len(hook.of("connect")) == 1
        hook.wait("disconnected")
        assert "ce-authway" not in hook.of("disconnected")[0].headers
        running.stop()
    finally:
        hook.close()


def come_quietly(running, target: str, *fields: str) -> int:
    with running.connect() as client:
        return client.handshake(target, extra=fields).status


def test_left_to_the_back_end(gateway, tmp_path):
    hook = Webhook()
    try:
        ways = [{"type": "backend"}, {"type": "basic", "users_file": users_file(tmp_path, "a:plain:x")}]
        running = gateway(routes=[{"name": "dev", "path": "/dev/{client_id}", "backend": "hook", "auth": ways}],
                          backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
        assert come_quietly(running, "/dev/a") == 101
        assert come_quietly(running, "/dev/a", *basic("a", "wrong")) == 101
        assert come_quietly(running, "/dev/a", *basic("a", "x")) == 101
        hook.wait("connect", 3)
        assert [event.headers.get("ce-authway") for event in hook.of("connect")] == [None, None, "basic"]
        assert basic("a", "wrong")[0].encode() in hook.of("connect")[1].body
        assert running.metric("auth_total", way="backend", outcome="left") == 2
        hook.wait("disconnected", 3)
        running.stop()
    finally:
        hook.close()


# --- programs of others ---

def test_curl(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, "a:plain:x"))])
    fields = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
              "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    host, port = running.address
    for user, status in (("a:x", "101"), ("a:y", "401"), ("b:x", "401")):
        done = subprocess.run(["curl", "-s", "-i", "--max-time", "5", "--basic",
                               "-u", user, *fields, f"http://{host}:{port}/dev/a"],
                              capture_output=True, text=True, timeout=60)
        assert done.stdout.startswith(f"HTTP/1.1 {status} "), done.stdout


def test_websockets(gateway, tmp_path):
    running = gateway(routes=[route(users_file(tmp_path, "a:plain:xy"))])

    async def run():
        url = running.url("/dev/a")
        async with websockets.connect(url.replace("ws://", "ws://a:xy@"), compression=None) as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            async with websockets.connect(url.replace("ws://", "ws://a:wrong@"), compression=None):
                pass
        assert refused.value.status_code == 401

    asyncio.run(run())


# --- the start, and the command ---

def check(directory, *lines: str, mode: int = 0o600, missing: bool = False):
    users = directory / "users"
    users.write_text("".join(f"{line}\n" for line in lines))
    users.chmod(mode)
    if missing:
        users.unlink()
    config = directory / "gatehouse.yaml"
    config.write_text("server: {listen: '127.0.0.1:0'}\nadmin: {listen: '127.0.0.1:0'}\nroutes:\n"
                      f"- {{path: '/a', backend: echo, auth: [{{type: basic, users_file: {users}}}]}}\n")
    return run_binary("check", "-c", config), users, config


def test_check_names_the_line(tmp_path):
    done, users, config = check(tmp_path, "# devices", "a:plain:x", "b:letmein")
    assert done.returncode == 1
    assert f"{config}:4:" in done.stderr and "routes[0].auth[0].users_file: " in done.stderr
    assert f"{users}:3: the line has a secret of no known kind" in done.stderr
    assert "letmein" not in done.stderr + done.stdout


def test_check_of_a_file_that_is_not_there(tmp_path):
    done, users, _ = check(tmp_path, missing=True)
    assert done.returncode == 1 and f"{users} cannot be read: No such file" in done.stderr


def test_check_warns_of_a_file_that_all_may_read(tmp_path):
    done, users, _ = check(tmp_path, "a:plain:x", mode=0o644)
    assert done.returncode == 0
    assert "warning: " in done.stdout and f"{users} can be read by everybody" in done.stdout


def test_serve_does_not_start_with_a_bad_file(start, tmp_path):
    running = start(routes=[route(users_file(tmp_path, "a:b"))])
    assert running.wait_exit() == 78
    assert "users:1: the line has a secret of no known kind" in running.log


def test_secret_makes_lines_that_are_good(gateway, tmp_path):
    key = run_binary("secret", "cp-1")
    assert key.returncode == 0 and key.stdout.startswith("cp-1:sha256:")
    drawn = key.stderr.rsplit(" ", 1)[1].strip()
    assert len(drawn) == 20 and drawn not in key.stdout
    password = subprocess.run([*key.args[:-2], "secret", "--password", "jo"], input="correct horse\nrest\n",
                              capture_output=True, text=True, timeout=60)
    assert password.returncode == 0 and password.stdout.startswith("jo:$y$"), password.stderr
    running = gateway(routes=[route(users_file(tmp_path, key.stdout.strip(), password.stdout.strip()))])
    assert come(running, "/dev/cp-1", *basic("cp-1", drawn)).status == 101
    assert come(running, "/dev/jo", *basic("jo", "correct horse")).status == 101
    assert come(running, "/dev/jo", *basic("jo", "correct horse\nrest")).status == 401


@pytest.mark.parametrize("arguments, code", [
    ((), 2), (("a", "b"), 2), (("--force", "a"), 2), (("a:b",), 1), (("#a",), 1), (("",), 1), ((" a",), 1),
    (("x" * 256,), 1), (("--password", "a"), 1),
])
def test_secret_refuses(arguments, code):
    done = run_binary("secret", *arguments)
    assert done.returncode == code and done.stdout == "" and "gatehouse secret: " in done.stderr


@pytest.mark.parametrize("backend, why", [
    ("echo", "the back end echo lets everybody in"),
    ("up", "the route's back end lets everybody in (connect: accept)"),
])
def test_a_back_end_that_decides_nothing_is_no_way(tmp_path, backend, why):
    config = tmp_path / "gatehouse.yaml"
    config.write_text("bus: {type: nats, urls: ['nats://127.0.0.1:1']}\nroutes:\n"
                      f"- {{path: '/a', backend: {backend}, auth: [{{type: backend}}]}}\n"
                      "backends:\n- {name: up, type: nats}\n")
    done = run_binary("check", "--config-only", "-c", config)
    assert done.returncode == 1 and why in done.stderr


# --- files that change ---

def replace(users: str, *lines: str) -> None:
    """As editors and kubelets do it: another file under the same name."""
    path = pathlib.Path(users)
    new = path.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in lines))
    new.chmod(0o600)
    new.rename(path)


def test_the_file_is_read_again_all_or_nothing(gateway, tmp_path):
    users = users_file(tmp_path, "a:plain:old", "b:plain:b")
    running = gateway(routes=[route(users)])
    with running.connect() as there:
        assert there.handshake("/dev/b", extra=basic("b", "b")).status == 101
        replace(users, "a:plain:new")
        running.wait_metric("renewals_total", 1, what="basic", outcome="renewed")
        assert come(running, "/dev/a", *basic("a", "old")).status == 401
        assert come(running, "/dev/a", *basic("a", "new")).status == 101
        assert come(running, "/dev/b", *basic("b", "b")).status == 401
        there.echo(b"who is in stays")
        replace(users, "a:plain:newer", "c:letmein")
        wsraw.wait_until(lambda: running.metric("renewals_total", what="basic", outcome="failed") >= 1,
                         "a renewal that fails")
        assert come(running, "/dev/a", *basic("a", "new")).status == 101
        assert come(running, "/dev/a", *basic("a", "newer")).status == 401
        assert "users:2: the line has a secret of no known kind" in running.log
        assert "letmein" not in running.log
        replace(users, "a:plain:newer")
        running.wait_metric("renewals_total", 2, what="basic", outcome="renewed")
        assert come(running, "/dev/a", *basic("a", "newer")).status == 101
