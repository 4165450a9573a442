# SPDX-License-Identifier: Apache-2.0
"""What else a client has goes along in a live upgrade: events for its back end, its place at the broker, calls,
groups, tickets, and what it may resume with."""

import concurrent.futures

import json
import threading
import time

import pytest

from kit import api, natsraw, upgrades, wsraw
from kit.service import Manager


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


def test_events_keep_their_order(gateway, webhook):
    """An attempt is under way while the client moves; others wait. None is lost, double or out of its turn."""
    release = threading.Event()

    def answer(event):
        if event.type == "message" and event.body == b"3":
            release.wait(20)
        return None

    hook = webhook(answer)
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
                      backends=[{"name": "hook", "type": "webhook", "url": hook.url, "timeout": "30s"}])
    with running.open("/ws/a") as client, running.open("/ws/b") as other:
        for number in range(10):
            client.send_frame(wsraw.TEXT, b"%d" % number)
        hook.wait("message", 4, client="a")
        said = upgrades.upgrade(running)
        assert said["moved"] == 2, running.log
        for number in range(10, 15):
            client.send_frame(wsraw.TEXT, b"%d" % number)
        other.send_frame(wsraw.TEXT, b"other")
        hook.wait("message", 1, client="b")
        assert len(hook.of("message", "a")) == 4, "the next waits for what is under way"
        release.set()
        events = hook.wait("message", 15, client="a")
        assert [event.body for event in events] == [b"%d" % number for number in range(15)]
        assert len({event.id for event in events}) == 15
        sequences = [event.sequence for event in events]
        assert sequences == sorted(set(sequences))
        assert upgrades.wait_former(running) == 0
        assert len({event.headers["ce-connectionid"] for event in events}) == 1
    assert [event.type for event in hook.wait("disconnected", 2)]
    assert not [event for event in hook.events if event.type == "connect"][2:]


def test_no_request_finds_no_responders(gateway, broker):
    """Somebody asks for a client all the time, over the broker."""
    hub = broker()
    running = gateway(server={"workers": 2}, bus={"type": "nats", "urls": [hub.url]})
    running.wait_metric("bus_connected", 1)
    failures, answers, is_over = [], [], threading.Event()

    def ask():
        with hub.connect() as nats:
            while not is_over.is_set():
                try:
                    answer = nats.request("gatehouse.ctl.ws.a", '{"command": "inspect"}', timeout=10)
                    answers.append(answer.headers["Gatehouse-Status"])
                except (natsraw.NoResponders, TimeoutError) as error:
                    failures.append(repr(error))
                    return

    def is_there() -> bool:
        try:
            with hub.connect() as nats:
                return nats.request("gatehouse.ctl.ws.a", '{"command": "inspect"}').headers[
                    "Gatehouse-Status"] == "200"
        except natsraw.NoResponders:
            return False

    with running.open("/ws/a") as client:
        wsraw.wait_until(is_there, "the client at the broker")
        thread = threading.Thread(target=ask)
        thread.start()
        try:
            for _ in range(3):
                upgrades.upgrade(running)
                assert upgrades.wait_former(running) == 0
                client.echo(b"here")
        finally:
            is_over.set()
            thread.join()
        assert not failures, f"{failures}\n{running.log}"
        assert set(answers) == {"200"} and answers


def test_messages_by_the_broker_come_once(gateway, broker):
    hub = broker()
    running = gateway(server={"workers": 2}, bus={"type": "nats", "urls": [hub.url]})
    running.wait_metric("bus_connected", 1)
    with running.open("/ws/a") as client, hub.connect() as nats:
        def is_there() -> bool:
            try:
                return nats.request("gatehouse.ctl.ws.a", '{"command": "inspect"}').headers["Gatehouse-Status"] == "200"
            except natsraw.NoResponders:
                return False
        wsraw.wait_until(is_there, "the client at the broker")
        sent = 0
        for _ in range(2):
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                upgrading = pool.submit(upgrades.upgrade, running)
                while not upgrading.done():
                    nats.publish("gatehouse.to.ws.a", b"%d" % sent, {"Gatehouse-Type": "text"})
                    sent += 1
                    time.sleep(0.002)
                upgrading.result()
            assert upgrades.wait_former(running) == 0
        # While both processes are subscribed, one may come straight, and the one before it by the road between them.
        got = [client.read_message() for _ in range(sent)]
        assert sorted(int(body) for _, body in got) == list(range(sent))
        assert {kind for kind, _ in got} == {wsraw.TEXT}


def test_api_knows_them_as_before(gateway):
    running = gateway()
    with running.open("/ws/a") as one, running.open("/ws/b"):
        before = {found["client_id"]: found["connection_id"] for found in api.Api(running.admin).list()}
        api.Api(running.admin).ask("PUT", "/groups/night/members/ws/a")
        upgrades.upgrade(running)
        caller = api.Api(running.admin)
        assert {found["client_id"]: found["connection_id"] for found in caller.list()} == before
        caller.send("a", "by name")
        assert one.read_message() == (wsraw.TEXT, b"by name")
        assert caller.post("/groups/night/messages", b"by group", type="text/plain")["delivered"] == 1
        assert one.read_message() == (wsraw.TEXT, b"by group")
        with running.open("/ws/c"):
            newest = caller.inspect("c")["connection_id"]
            assert newest not in before.values()
    assert upgrades.wait_former(running) == 0


def test_call_is_answered_to_who_asked_the_old_process(gateway):
    running = gateway(routes=[{"path": "/rpc/{client_id}", "rpc": "json-rpc"}])
    with running.open("/rpc/a") as client, concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(api.Api(running.admin).ask, "POST", "/clients/rpc/a/call", b'{"method": "m"}',
                            headers={"Content-Type": "application/json"})
        sent = json.loads(client.read_message()[1])
        said = upgrades.upgrade(running)
        assert said["moved"] == 1
        client.send_frame(wsraw.TEXT, json.dumps({"jsonrpc": "2.0", "id": sent["id"], "result": 42}).encode())
        answer = asked.result(30)
        assert answer.status == 200 and json.loads(answer.body)["payload"] == 42, answer
    assert upgrades.wait_former(running) == 0


def test_ticket_of_the_old_process(gateway):
    running = gateway(routes=[{"path": "/ws/{client_id}", "auth": [{"type": "ticket"}]}])
    made = api.Api(running.admin).post("/tickets", json.dumps({"route": "ws", "client_id": "a"}).encode(),
                                       type="application/json")
    upgrades.upgrade(running)
    assert upgrades.wait_former(running) == 0
    with running.open(f"/ws/a?ticket={made['ticket']}") as client:
        client.echo(b"let in")
    with running.connect() as again:
        assert again.handshake(f"/ws/a?ticket={made['ticket']}").status == 403


def test_session_of_tls_is_resumed(gateway, sealed_door):
    door = sealed_door()
    listener = door.open({"listen": f"127.0.0.1:{wsraw.free_port()}"})
    running = gateway(server=listener, tls=door.tls)
    with running.open() as client:
        client.echo(b"x")
        session = client.sock.tls.session
    upgrades.upgrade(running)
    assert upgrades.wait_former(running) == 0
    with running.connect(session=session) as client:
        client.open().echo(b"y")
        assert client.sock.tls.session_reused


def test_service_manager_is_told(gateway, tmp_path):
    with Manager(str(tmp_path / "notify")) as manager:
        running = gateway(env=manager.env)
        manager.wait("READY")
        upgrades.upgrade(running)
        assert manager.wait("MAINPID")[-1] == str(running.process.pid)
        manager.wait("READY", count=2)
        assert upgrades.wait_former(running) == 0
        assert not manager.said("STOPPING")
        running.stop()


def test_the_watchdog_is_fed_while_an_upgrade_waits_for_the_process_before(gateway, tmp_path):
    """Who upgrades twice in a row waits until the first of the three has ended, in a process that serves."""
    begun = "upgrade: a new process is to take over"
    with Manager(str(tmp_path / "notify"), watchdog_usec=600_000) as manager, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        running = gateway(env=manager.env, server={"drain_timeout": "60s"},
                          routes=[{"path": "/ws/{client_id}"}, {"path": "/old/{client_id}", "name": "gone"}])
        with running.open("/old/a") as client:  # whose route goes, and which so stays where it is
            text = running.config_file.read_text()
            assert "/old/" in text and "name: gone" in text
            running.config_file.write_text(text.replace("/old/", "/other/").replace("name: gone", "name: other"))
            assert upgrades.upgrade(running)["stayed"] == 1
            second = pool.submit(upgrades.ask, running)
            wsraw.wait_until(lambda: len(running.logged(begun)) == 2, "the second upgrade")
            manager.wait("WATCHDOG", count=len(manager.said("WATCHDOG")) + 5)
            assert running.former.poll() is None and not second.done()
            client.send(wsraw.close_frame(1000))
            assert upgrades.wait_former(running) == 0
        status, said = second.result()
        assert status == 200, said
        upgrades.follow(running, said["pid"])
        assert upgrades.wait_former(running) == 0
        running.stop()
