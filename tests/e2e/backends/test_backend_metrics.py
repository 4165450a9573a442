# SPDX-License-Identifier: Apache-2.0
"""What is counted of back ends, whatever their type: attempts, latency, failures by cause, and how old the oldest
event is; and what waits for clients."""

import threading

from kit import api, backends, upgrades, wsraw

NATS = {"name": "up", "type": "nats"}


def named(running, name: str) -> dict:
    (found,) = [one for one in api.Api(running.admin).get("/overview")["backends"] if one["name"] == name]
    return found


def test_the_oldest_event_of_a_webhook(gateway):
    go_on = threading.Event()

    def answer(event):
        if event.type == "message":
            go_on.wait(wsraw.SECONDS)

    webhook = backends.Webhook(answer)
    running = gateway(backends=[{"name": "hook", "type": "webhook", "url": webhook.url}],
                      routes=[{"path": "/ws/{client_id}", "backend": "hook"}])
    assert running.metric("backend_oldest_event_seconds", backend="hook") == 0
    with running.open("/ws/a") as client:
        client.send(wsraw.frame(wsraw.TEXT, b"first") + wsraw.frame(wsraw.TEXT, b"second"))
        webhook.wait("message")
        wsraw.wait_until(lambda: running.metric("backend_oldest_event_seconds", backend="hook") > 0.2, "it gets older")
        seen = named(running, "hook")
        assert seen["oldest_waiting_seconds"] > 0.2 and seen["waiting"] >= 2 and seen["in_flight"] == 1
        go_on.set()
        running.wait_metric("backend_oldest_event_seconds", 0, backend="hook")
        answered = running.metric("backend_request_duration_seconds_count", backend="hook")
        assert answered == running.metric("backend_attempts_total", backend="hook") >= 3
        assert named(running, "hook")["latency_p99_ms"] > 100
    running.stop()
    webhook.close()


def test_the_oldest_event_moves_to_the_next_process(gateway):
    upgrades.become_parent_of_orphans()
    port = wsraw.free_port()
    webhook = backends.Webhook(port=port)
    running = gateway(backends=[{"name": "hook", "type": "webhook", "url": webhook.url, "retry_min": "50ms", "retry_max": "50ms",
                                 "breaker_open": "100ms", "on_failure": "wait"}],
                      routes=[{"path": "/ws/{client_id}", "backend": "hook"}])
    with running.open("/ws/a") as client:
        webhook.wait("connected")
        webhook.close()
        client.send(wsraw.frame(wsraw.TEXT, b"waits"))
        wsraw.wait_until(lambda: running.metric("backend_oldest_event_seconds", backend="hook") > 0.2, "it gets older")
        upgrades.upgrade(running)
        assert upgrades.wait_former(running) == 0
        assert running.metric("backend_oldest_event_seconds", backend="hook") > 0.2
        again = backends.Webhook(port=port)
        again.wait("message")
        running.wait_metric("backend_oldest_event_seconds", 0, backend="hook")
        assert running.metric("backend_failures_total", backend="hook", cause="connect") > 0
    running.stop()
    again.close()


def test_the_word_of_a_stream_takes_its_time(gateway, broker):
    nats = broker(jetstream=True)
    running = gateway(bus={"type": "nats", "urls": [nats.url]}, backends=[NATS | {"connect": "accept", "durable": "true", "retry_min": "50ms", "retry_max": "50ms"}],
                      routes=[{"path": "/ws/{client_id}", "backend": "up"}])
    with running.open("/ws/a") as client:
        client.send(wsraw.frame(wsraw.TEXT, b"nobody stores this"))
        wsraw.wait_until(lambda: running.metric("backend_failures_total", backend="up", cause="no_responders") > 1,
                         "there is no stream")
        assert running.metric("backend_retries_total", backend="up") > 0
        assert running.metric("backend_oldest_event_seconds", backend="up") > 0
        with nats.connect() as admin:
            admin.stream_create("EVENTS", ["gatehouse.up.>"])
        running.wait_metric("backend_oldest_event_seconds", 0, backend="up")
    running.wait_metric("backend_events_total", 1, backend="up", type="disconnected", outcome="delivered")
    seen = named(running, "up")
    assert seen["type"] == "nats" and seen["breaker"] is None and seen["failures"] > 1
    running.wait_metric("backend_in_flight", 0, backend="up")
    waited = running.metric("backend_request_duration_seconds_count", backend="up")
    assert waited == running.metric("backend_attempts_total", backend="up") > seen["retries"] > 0


def test_what_waits_for_clients(gateway):
    running = gateway(server={"send_queue_max": "4MiB", "max_message_size": "1MiB"})
    asked = api.Api(running.admin)
    slow = running.connect(receive_buffer=4096).open("/ws/slow")
    for _ in range(3):
        asked.send("slow", b"x" * 1_000_000)
    waiting = running.metric("send_queue_bytes")
    assert 1_000_000 < waiting <= 3_100_000 and running.metric("send_queue_clients") == 1
    assert asked.get("/overview")["totals"]["send_queue_bytes"] > 1_000_000
    with running.open("/ws/other") as other:
        other.echo(b"x")
        wsraw.wait_until(lambda: running.metric("send_queue_clients") == 1, "what was sent waits no more")
    slow.close()
    running.wait_metric("send_queue_bytes", 0)
    running.wait_metric("send_queue_clients", 0)
