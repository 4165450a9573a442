# SPDX-License-Identifier: Apache-2.0
"""What a back end says of a client that it lets in: its id and its attributes (docs/backend-contract.md)."""

import json
import threading
import urllib.parse

import pytest

from kit import api, upgrades, wsraw
from kit.backends import Answer

ATTRIBUTES = {"tenant": "acme", "name": "Jörg, Ö."}


def listed(attributes: dict[str, str]) -> str:
    return ", ".join(f"{name}={urllib.parse.quote(value)}" for name, value in attributes.items())


def saying(client_id: str | None = None, attributes: dict[str, str] | None = None) -> dict[str, str]:
    headers = {} if client_id is None else {"Gatehouse-Client-Id": urllib.parse.quote(client_id)}
    return headers | ({} if attributes is None else {"Gatehouse-Attributes": listed(attributes)})


def by_query(event):
    """Whoever comes says in its query what the back end is to say."""
    if event.type != "connect":
        return None
    said = urllib.parse.parse_qs(urllib.parse.unquote(event.headers.get("ce-query", "")))
    return Answer(200, headers={f"Gatehouse-{name}": value for name, (value,) in said.items()})


@pytest.fixture
def webhook(webhook):
    return lambda answer=by_query: webhook(answer)


@pytest.fixture
def serve(gateway, webhook):
    """The gateway is stopped before its back end is, which hears of the end."""
    running = []

    def run(hook, *, server=None, **route):
        running.append(gateway(
            server=server or {}, routes=[{"path": "/ws", "name": "ws", "backend": "hook"} | route],
            backends=[{"name": "hook", "type": "webhook", "url": hook.url}]))
        return running[-1]

    yield run
    for one in running:
        one.stop()


def target(path: str = "/ws", **said: str) -> str:
    """Says for Client_Id what goes into Gatehouse-Client-Id."""
    return f"{path}?" + urllib.parse.urlencode({name.replace("_", "-"): value for name, value in said.items()})


def given(event) -> dict[str, str]:
    return {name.removeprefix("ce-attr"): urllib.parse.unquote(value)
            for name, value in event.headers.items() if name.startswith("ce-attr")}


def test_id_and_attributes_go_with_every_event_and_are_seen(serve, webhook):
    hook = webhook()
    running = serve(hook)
    asked = api.Api(running.admin)
    with running.open(target(Client_Id="user%2042", Attributes=listed(ATTRIBUTES))) as client:
        client.send_frame(wsraw.TEXT, b"hello")
        hook.wait("message", client="user 42")
        shown = asked.get("/clients/ws/user%2042")
        assert shown["attributes"] == ATTRIBUTES and shown["client_id"] == "user 42"
        assert asked.get("/clients")["clients"][0]["attributes"] == ATTRIBUTES
        assert asked.send("user 42", "pushed")["result"] == "delivered"
        assert client.read_message() == (wsraw.TEXT, b"pushed")
    hook.wait("disconnected")
    connect, *later = hook.events
    assert connect.client != "user 42" and given(connect) == {}
    assert [event.type for event in later] == ["connected", "message", "disconnected"]
    for event in later:
        assert event.client == "user 42" and event.headers["ce-subject"] == "user%2042"
        assert given(event) == ATTRIBUTES
        assert event.headers["ce-connectionid"] == connect.headers["ce-connectionid"]


@pytest.mark.parametrize("takeover", ["newest", "oldest", "many"])
def test_takeover_goes_by_the_assigned_id(serve, webhook, takeover):
    hook = webhook()
    running = serve(hook, takeover=takeover)
    with running.open(target(Client_Id="one", Attributes="n=1")) as older, running.connect() as newer:
        status = newer.handshake(target(Client_Id="one", Attributes="n=2")).status
        assert status == (409 if takeover == "oldest" else 101)
        if takeover == "oldest":
            end, = hook.wait("disconnected")
            asked = hook.of("connect")[1]
            assert (end.client, end.headers["ce-reason"]) == (asked.client, "refused"), "it never was the other"
            assert end.headers["ce-connectionid"] == asked.headers["ce-connectionid"]
        if takeover == "newest":
            assert older.read_close()[0] == 4001
            older.send(wsraw.close_frame(4001))
            shown = api.Api(running.admin).get("/clients/ws/one")
            assert (shown["attributes"], shown["generation"]) == ({"n": "2"}, 2)
        hook.wait("connect", 2)
        running.wait_metric("connections", 2 if takeover == "many" else 1)


@pytest.mark.parametrize("refuse_browsers", ["http", "close"])
def test_who_is_blocked_does_not_come_in_by_another_name(serve, webhook, refuse_browsers):
    hook = webhook()
    running = serve(hook, refuse_browsers=refuse_browsers)
    api.Api(running.admin).post("/blocks", json.dumps({"route": "ws", "client_id": "troll", "for": "1h"}).encode(),
                                type="application/json")
    with running.connect() as client:
        answer = client.handshake(target(Client_Id="troll"))
        if refuse_browsers == "http":
            assert (answer.status, json.loads(answer.body)["reason"]) == (403, "blocked")
        else:
            code, reason = client.read_close()
            assert code == 4403 and reason.startswith(b"blocked; retry-after=")
    assert hook.wait("disconnected")[0].headers["ce-reason"] == "refused"
    running.wait_metric("connections", 0)
    with running.open(target(Client_Id="else")):
        hook.wait("connected", client="else")


def test_a_place_is_inherited_by_the_assigned_id(serve, webhook):
    """The gateway filled up while the back end decided."""
    release = threading.Event()

    def answer(event):
        if event.type == "connect" and "slow" in event.headers["ce-query"]:
            release.wait(20)
        return by_query(event)

    hook = webhook(answer)
    running = serve(hook, server={"max_connections": 2})
    with running.open(target(Client_Id="a")) as older:
        with running.connect() as newer:
            newer.send(wsraw.request(target(Client_Id="a", slow="1")))
            hook.wait("connect", 2)
            release.set()
            assert newer.read_response().status == 101
            assert older.read_close()[0] == 4001


@pytest.mark.parametrize("said,problem", [
    ({"Client_Id": "a%00"}, "'a%00' in Gatehouse-Client-Id has a control character; allowed: 1 to 255"),
    ({"Client_Id": "%ff"}, "'%ff' in Gatehouse-Client-Id is not UTF-8"),
    ({"Client_Id": "x" * 256}, "in Gatehouse-Client-Id is too long"),
    ({"Attributes": "Tenant=a"}, "'Tenant=a' in Gatehouse-Attributes is no attribute; allowed: name=value with"),
    ({"Attributes": "a=1,a=2"}, "'a=2' in Gatehouse-Attributes is there twice"),
    ({"Attributes": "a=" + "x" * 20}, "server.attributes_max"),
])
def test_what_cannot_be_is_502_and_told(serve, webhook, said, problem):
    running = serve(webhook(), server={"attributes_max": "20B"})
    with running.connect() as client:
        answer = client.handshake(target(**said))
        assert answer.status == 502 and "The back end 'hook' gave the client" in json.loads(answer.body)["detail"]
    assert problem in running.wait_log("a back end's decision cannot be carried out")["error"]
    with running.open(target(Attributes="a=" + "x" * 19)):
        running.wait_metric("connections", 1)


def test_nobody_gets_another_id_than_it_has_proved(serve, webhook, tmp_path):
    users = tmp_path / "users"
    users.write_text("cp-1:sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8\n")  # "password"
    users.chmod(0o600)
    running = serve(webhook(), path="/ws/{client_id}", auth=[{"type": "basic", "users_file": str(users)}])
    basic = {"extra": ("Authorization: Basic Y3AtMTpwYXNzd29yZA==",)}
    with running.connect() as client:
        assert client.handshake(target("/ws/cp-1", Client_Id="cp-2"), **basic).status == 502
    assert running.wait_log("a back end's decision cannot be carried out")["error"] == (
        "Gatehouse-Client-Id is 'cp-2'; allowed: none, or 'cp-1', as which the client has proved itself")
    with running.connect() as client:
        assert client.handshake(target("/ws/cp-1", Client_Id="cp-1", Attributes="a=b"), **basic).status == 101
        shown = api.Api(running.admin).get("/clients/ws/cp-1")
        assert shown["auth"] == {"way": "basic", "subject": "cp-1"} and shown["attributes"] == {"a": "b"}


def test_an_id_of_the_path_that_nobody_has_proved_may_become_another(serve, webhook):
    hook = webhook()
    running = serve(hook, path="/ws/{client_id}")
    with running.open(target("/ws/alias", Client_Id="real")):
        hook.wait("connected", client="real")
        assert api.Api(running.admin).ask("GET", "/clients/ws/alias").status == 404


def test_attributes_survive_an_upgrade(serve, webhook):
    upgrades.become_parent_of_orphans()
    hook = webhook()
    running = serve(hook)
    with running.open(target(Client_Id="u", Attributes=listed(ATTRIBUTES))) as client:
        hook.wait("connected")
        assert upgrades.upgrade(running)["moved"] == 1, running.log
        client.send_frame(wsraw.TEXT, b"after")
        message, = hook.wait("message")
        assert message.client == "u" and given(message) == ATTRIBUTES
        assert api.Api(running.admin).get("/clients/ws/u")["attributes"] == ATTRIBUTES
    assert given(hook.wait("disconnected")[0]) == ATTRIBUTES


def test_a_service_says_who_it_is_and_the_cluster_knows(gateway, broker):
    """Over NATS, and from another node: takeover, subjects, inspect."""
    nats = broker()
    options = {"bus": {"type": "nats", "urls": [nats.url]},
               "routes": [{"path": "/ws", "name": "ws", "backend": "up"}],
               "backends": [{"name": "up", "type": "nats", "connect": "ask"}]}
    one, two = gateway(**options), gateway(**options)
    service = nats.connect()
    questions = service.subscribe("gatehouse.connect.>")
    events = service.subscribe("gatehouse.up.>")
    headers = saying("u.1", ATTRIBUTES)

    def come(running) -> wsraw.Client:
        client = running.connect()
        client.send(wsraw.request("/ws"))
        service.answer(questions.next_message(), b"", headers)
        assert client.read_response().status == 101
        return client

    with come(one) as older:
        connected = events.next_message()
        assert connected.subject == "gatehouse.up.ws.u%2E1"
        assert connected.headers["ce-attrtenant"] == "acme" and connected.headers["ce-attrname"] == "J%C3%B6rg,%20%C3%96."
        shown = api.Api(two.admin).get("/clients/ws/u.1")
        assert shown["attributes"] == ATTRIBUTES
        with come(two) as newer:
            assert older.read_close()[0] == 4001
            reply = service.request("gatehouse.to.ws.u%2E1", "hello")
            assert reply.headers["Gatehouse-Status"] == "200"
            assert newer.read_message() == (wsraw.TEXT, b"hello")
    service.close()
