# SPDX-License-Identifier: Apache-2.0
"""Answers that are lists of actions, and the command `actions` (docs/backend-contract.md)."""

import base64
import json
import threading

import pytest

from kit import api, upgrades, wsraw
from kit.backends import Answer

TYPE = "application/vnd.gatehouse.actions+json"


def doing(*actions: dict, **more) -> Answer:
    return Answer(200, json.dumps({"actions": list(actions)}).encode(), {"Content-Type": TYPE} | more)


def text(what: str) -> dict:
    return {"send": {"text": what}}


def binary(what: bytes) -> dict:
    return {"send": {"base64": base64.b64encode(what).decode()}}


def close(code: int, reason: str = "") -> dict:
    return {"close": {"code": code, "reason": reason}}


def as_told(event):
    """The client writes the answer itself."""
    return Answer(200, event.body, {"Content-Type": TYPE}) if event.type == "message" else None


@pytest.fixture
def webhook(webhook):
    return lambda answer=as_told: webhook(answer)


@pytest.fixture
def serve(gateway, webhook):
    """The gateway is stopped before its back end is, which hears of the end."""
    running = []

    def run(hook, *, server=None, route=None, **keys):
        running.append(gateway(
            server=server or {}, routes=[{"path": "/ws/{client_id}", "backend": "hook"} | (route or {})],
            backends=[{"name": "hook", "type": "webhook", "url": hook.url} | keys]))
        return running[-1]

    yield run
    for one in running:
        one.stop()


def say(client: wsraw.Client, *actions: dict) -> None:
    client.send_frame(wsraw.TEXT, json.dumps({"actions": list(actions)}).encode())


def test_several_messages_groups_and_a_close_in_their_order(serve, webhook):
    hook = webhook()
    running = serve(hook)
    with running.open("/ws/a") as client, running.open("/ws/b") as other:
        say(other, {"join": ["day"]}, text("other joined"))
        assert other.read_message() == (wsraw.TEXT, b"other joined")
        say(client, text("one"), binary(b"\0two"), {"join": ["day", "night"]}, {"leave": ["night"]}, text("three é"))
        assert [client.read_message() for _ in range(3)] == [
            (wsraw.TEXT, b"one"), (wsraw.BINARY, b"\0two"), (wsraw.TEXT, "three é".encode())]
        assert api.Api(running.admin).get("/clients/ws/a")["groups"] == ["day"]
        say(client, {"send_group": {"group": "day", "text": "to all"}})
        assert client.read_message() == other.read_message() == (wsraw.TEXT, b"to all")
        say(client, {"send_group": {"group": "day", "text": "to others", "except_self": True}}, text("done"))
        assert other.read_message() == (wsraw.TEXT, b"to others")
        assert client.read_message() == (wsraw.TEXT, b"done")
        # Who is a member counts when it goes out: when the list is done.
        say(client, {"send_group": {"group": "day", "text": "before"}}, {"leave": ["day"]}, text("left"))
        assert other.read_message() == (wsraw.TEXT, b"before")
        say(client, {"send_group": {"group": "day", "text": "again"}}, {"join": ["day"]})
        assert other.read_message() == (wsraw.TEXT, b"again")
        assert [client.read_message() for _ in range(2)] == [(wsraw.TEXT, b"left"), (wsraw.TEXT, b"again")]
        say(client, text("last words"), close(4002, "enough"))
        assert client.read_message() == (wsraw.TEXT, b"last words")
        assert client.read_close() == (4002, b"enough")
        client.send(wsraw.close_frame(4002))
        end, = hook.wait("disconnected", client="a")
        assert (end.headers["ce-reason"], end.headers["ce-code"]) == ("requested", "4002")
    for action, count in (("send", 7), ("close", 1), ("join", 4), ("leave", 2), ("send_group", 4)):
        running.wait_metric("actions_total", count, action=action, outcome="done")


def test_a_client_is_greeted_and_put_right_as_it_connects(serve, webhook):
    """With the decision, and with the answer to `connected`."""
    hook = webhook(lambda event: {
        "connect": doing(text("welcome"), {"join": ["new"]}),
        "connected": doing({"leave": ["new"]}, text("you are in")),
        "message": Answer(200, event.body, {"Content-Type": "text/plain"})}.get(event.type))
    running = serve(hook)
    with running.connect() as client:
        client.send(wsraw.request("/ws/a") + wsraw.frame(wsraw.TEXT, b"early"))
        assert client.read_response().status == 101
        assert [client.read_message()[1] for _ in range(3)] == [b"welcome", b"you are in", b"early"]
        assert api.Api(running.admin).get("/clients/ws/a")["groups"] == []


def test_a_page_is_let_in_to_be_told_why_not(serve, webhook):
    """Accepted and closed, with a code of the back end's own."""
    hook = webhook(lambda event: doing(close(4402, "the trial is over")) if event.type == "connect" else None)
    running = serve(hook, route={"subprotocols": ["chat"]})
    with running.connect() as client:
        answer = client.handshake("/ws/a", extra=("Sec-WebSocket-Protocol: chat", "Origin: https://example.com"))
        assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, "chat")
        assert client.read_close() == (4402, b"the trial is over")
        client.send(wsraw.close_frame(4402))
    hook.wait("disconnected")
    assert [event.type for event in hook.events] == ["connect", "connected", "disconnected"]


BAD = {
    "no JSON": (b"send", "the document is no JSON object"),
    "nothing": (b"", "the document is no JSON object"),
    "a code that none may send": (
        json.dumps({"actions": [text("no"), close(1006)]}).encode(),
        "actions[1].close.code is no code that a server may send; seen: 1006; allowed: 1000..1003, 1007..1009"),
    "something behind a close": (json.dumps({"actions": [close(4000), text("no")]}).encode(),
                                 "actions[1] stands behind a close"),
    "101 actions": (json.dumps({"actions": [text("no")] * 101}).encode(), "is one action too many"),
}


@pytest.mark.parametrize("case", BAD)
def test_nothing_is_done_of_a_bad_list(serve, webhook, case):
    body, problem = BAD[case]

    def answer(event):
        if event.type == "message" and event.body == b"bad":
            return Answer(200, body, {"Content-Type": TYPE + "; charset=utf-8"})
        return Answer(200, b"good", {"Content-Type": "text/plain"}) if event.type == "message" else None

    running = serve(webhook(answer))
    with running.open("/ws/a") as client:
        client.send_frame(wsraw.TEXT, b"bad")
        client.send_frame(wsraw.TEXT, b"next")
        assert client.read_message() == (wsraw.TEXT, b"good"), "nothing of the list, and the next event follows"
        line = running.wait_log("an answer is no good list of actions")
        assert problem in line["error"] and (line["backend"], line["client_id"]) == ("hook", "a")
    running.wait_metric("backend_events_total", 1, backend="hook", type="message", outcome="answer_malformed")


def test_a_bad_list_at_connect_lets_nobody_in(serve, webhook):
    running = serve(webhook(lambda event: doing({"join": "a"}) if event.type == "connect" else None))
    with running.connect() as client:
        answer = client.handshake("/ws/a")
        assert answer.status == 502 and "wants things done that cannot be" in json.loads(answer.body)["detail"]
    assert "actions[0].join is no list; seen: 'a'" in running.wait_log(
        "a back end's decision cannot be carried out")["error"]
    running.wait_metric("connections", 0)


def test_what_cannot_be_done_is_told_and_the_rest_is_done(serve, webhook):
    running = serve(webhook(), server={"max_groups_per_client": 1})
    with running.open("/ws/a") as client:
        say(client, {"join": ["one", "two"]}, text("done"))
        assert client.read_message() == (wsraw.TEXT, b"done")
        line = running.wait_log("an action of a back end was not done")
        assert (line["index"], line["action"], line["reason"]) == ("0", "join", "max_groups_per_client")
        assert api.Api(running.admin).get("/clients/ws/a")["groups"] == ["one"]
    running.wait_metric("actions_total", 1, action="join", outcome="failed")


def test_a_slow_reader_holds_up_its_own_next_events(serve, webhook):
    """As with plain answers: nobody is cut, and no more is asked for until it reads."""
    all_sent = threading.Event()

    def answer(event):
        if event.type != "message":
            return None
        assert all_sent.wait(wsraw.SECONDS)
        return doing(*[text("x" * 50000)] * 10)

    hook = webhook(answer)
    running = serve(hook, server={"send_queue_max": "64KiB", "ping_interval": 0})
    client = running.connect(receive_buffer=4096).open("/ws/a")
    for _ in range(30):
        client.send_frame(wsraw.TEXT, b"more")
    running.wait_metric("messages_received_total", 30)
    all_sent.set()
    hook.wait("message")
    running.wait_metric("backend_in_flight", 0)
    assert len(hook.of("message")) < 27
    for _ in range(300):
        assert client.read_message() == (wsraw.TEXT, b"x" * 50000)
    assert len(hook.of("message")) == 30
    assert running.metric("connections_closed_total", reason="slow_reader") == 0


def test_calls_of_ocpp_are_not_sent_and_answers_are(serve, webhook):
    call = '[2,"1","Reset",{"type":"Soft"}]'

    def answer(event):
        if event.type != "message":
            return None
        return doing(text(call)) if b'"Bad"' in event.body else doing(text('[3,"7",{}]'), text("[4]"))

    running = serve(webhook(answer), route={"subprotocols": ["ocpp1.6"], "rpc": "ocpp-j"})
    with running.connect() as client:
        assert client.handshake("/ws/cp", extra=("Sec-WebSocket-Protocol: ocpp1.6",)).status == 101
        client.send_frame(wsraw.TEXT, b'[2,"7","Bad",{}]')
        assert "actions[0].send is a call" in running.wait_log("an answer is no good list of actions")["error"]
        client.send_frame(wsraw.TEXT, b'[2,"7","Heartbeat",{}]')
        assert client.read_message() == (wsraw.TEXT, b'[3,"7",{}]')


def test_an_answer_to_who_has_moved_is_done_there(serve, webhook):
    upgrades.become_parent_of_orphans()
    release = threading.Event()

    def answer(event):
        if event.type != "message":
            return None
        release.wait(20)
        return doing(text("one"), text("two"), {"join": ["g"]}, {"send_group": {"group": "g", "text": "to all"}})

    hook = webhook(answer)
    running = serve(hook, timeout="30s")
    with running.open("/ws/a") as client:
        client.send_frame(wsraw.TEXT, b"x")
        hook.wait("message")
        assert upgrades.upgrade(running)["moved"] == 1, running.log
        release.set()
        assert [client.read_message()[1] for _ in range(3)] == [b"one", b"two", b"to all"]
        wsraw.wait_until(lambda: api.Api(running.admin).get("/clients/ws/a")["groups"] == ["g"], "the group")
        assert len(hook.of("message")) == 1


# --- the command ---


def test_the_api_does_several_things_in_one_go(gateway):
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "echo"}])
    asked = api.Api(running.admin)

    def act(status: int, *actions, **more) -> dict:
        return asked.post("/clients/ws/a/actions", json.dumps({"actions": list(actions)} | more).encode(), status,
                          type="application/json")

    with running.open("/ws/a") as client:
        said = act(200, text("one"), {"join": ["g"]}, {"send_group": {"group": "g", "base64": "dHdv"}})
        assert (said["result"], said["actions"], said["failed"]) == ("done", 3, [])
        assert client.read_message() == (wsraw.TEXT, b"one")
        assert client.read_message() == (wsraw.BINARY, b"two")
        wrong = act(400, text("no"), {"send": {}})
        assert wrong["reason"] == "actions" and wrong["detail"] == "Nothing was done: actions[1].send has no message."
        assert act(409, text("no"), connection_id="other-1")["reason"] == "other_connection"
        assert act(400, text("no"), connection_id=1)["reason"] == "connection_id"
        said = act(200, close(4000, "bye"))
        assert said["result"] == "done" and client.read_close() == (4000, b"bye")
    running.wait_metric("connections", 0)
    assert act(404, text("no"))["reason"] == "not_connected"


def test_a_service_answers_an_event_over_nats(gateway, broker):
    """From anywhere on the broker, to the connection that the event came from and to no other."""
    nats = broker(jetstream=True)
    with nats.connect() as service:
        service.stream_create("UP", ["gatehouse.up.>"])
        up = service.subscribe("gatehouse.up.>")
        options = {"bus": {"type": "nats", "urls": [nats.url]},
                   "routes": [{"path": "/ws/{client_id}", "backend": "up"}],
                   "backends": [{"name": "up", "type": "nats", "durable": "true", "stream": "UP"}]}
        one, two = gateway(**options), gateway(**options)

        def act(event, *actions) -> tuple[str, dict]:
            reply = service.request(event.subject.replace(".up.", ".ctl."), json.dumps(
                {"command": "actions", "connection_id": event.headers["ce-connectionid"], "actions": list(actions)}))
            return reply.headers["Gatehouse-Status"], reply.json

        with one.open("/ws/a") as client, two.open("/ws/b") as other:
            events = {}
            while len(events) < 2:
                event = up.next_message()
                events[event.headers["ce-clientid"]] = event
            assert act(events["b"], {"join": ["g"]})[0] == "200"
            status, said = act(events["a"], text("one"), {"join": ["g"]}, {"send_group": {"group": "g", "text": "two"}},
                               {"send_group": {"group": "g", "text": "three", "except_self": True}}, text("end"))
            assert (status, said["result"]) == ("200", "done")
            assert sorted(client.read_message()[1] for _ in range(3)) == [b"end", b"one", b"two"]
            assert [other.read_message()[1] for _ in range(2)] == [b"two", b"three"]
            with two.open("/ws/a"):
                assert client.read_close()[0] == 4001
                status, said = act(events["a"], text("too late"))
                assert (status, said["reason"]) == ("409", "other_connection")
