# SPDX-License-Identifier: Apache-2.0
"""What is seen of a client that moves to another process: its spans, its line in the access log."""

import pytest

from kit import backends, upgrades, wsraw
from kit.collector import Collector
from kit.gateway import log_fields

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


def test_each_process_tells_what_it_has_seen(gateway, tmp_path):
    """The older one sends the spans that wait when it ends; the newer one knows the handshake, which it has not seen,
    and writes the one line of the connection, with what that did before."""
    access, hook = tmp_path / "access.log", backends.Webhook()
    with Collector() as collector:
        running = gateway(
            routes=[{"path": "/ws/{client_id}", "backend": "hook"}],
            backends=[{"name": "hook", "type": "webhook", "url": hook.url}],
            arguments=("--tracing-url", collector.url, "--tracing-interval", "1m",
                       "--log-access", "true", "--log-access-file", str(access)))
        client = running.connect().open("/ws/a", extra=(f"traceparent: {PARENT}", "User-Agent: probe/1"))
        client.send_frame(wsraw.TEXT, b"before")
        hook.wait("message")
        running.wait_metric("backend_events_waiting", 0, backend="hook")
        assert not collector.spans, "they wait"
        upgrades.upgrade(running)
        upgrades.wait_former(running)
        handshake, = collector.named("GET /ws/{client_id}")
        assert len(collector.named("send gatehouse.client.message")) == 1
        client.send_frame(wsraw.TEXT, b"after")
        hook.wait("message", 2)
        client.close()
        hook.wait("disconnected")
        running.stop()
        after = collector.named("send gatehouse.client.message")[1]
        assert after.links == [(handshake.trace_id, handshake.span_id)]
        assert hook.of("message")[1].headers["traceparent"] == after.context
    hook.close()
    line, = [log_fields(line) for line in access.read_text().splitlines()]
    assert line.items() >= {"client_id": "a", "status": "101", "messages_received": "2", "path": "/ws/a",
                            "user_agent": "probe/1", "trace_id": PARENT.split("-")[1]}.items()
