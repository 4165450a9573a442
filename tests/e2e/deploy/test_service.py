# SPDX-License-Identifier: Apache-2.0
"""As a service: what the manager hears, and what it does not when a loop hangs."""

import json
import os
import signal

import pytest

from kit import service, wsraw


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else f"@gatehouse-test-{os.getpid()}-{tmp_path.name}"
    with service.Manager(name) as one:
        yield one


@pytest.mark.tsan
def test_ready_and_stopping(gateway, manager):
    """READY once it serves, and not before; STOPPING when it begins to end."""
    running = gateway(env=manager.env)
    manager.wait("READY")
    assert manager.said("STOPPING") == []
    with running.open() as client:
        client.echo(b"served")
        running.signal(signal.SIGTERM)
        manager.wait("STOPPING")
        client.expect_close(1001, answer=True)
    assert running.wait_exit() == 0
    keys = [next(iter(fields)) for fields in manager.hear() if "STATUS" not in fields]
    assert [key for key in keys if key != "EXTEND_TIMEOUT_USEC"] == ["READY", "STOPPING"]
    running.has_stopped = True


def test_not_ready_without_its_port(start, manager):
    with wsraw.listen() as taken:
        running = start(server={"listen": "127.0.0.1:%d" % taken.getsockname()[1]}, env=manager.env)
        assert running.wait_exit() == 78
    assert manager.said("READY") == []


def test_status_has_the_connections(gateway, manager):
    running = gateway(env=manager.env)
    with running.open():
        said = manager.wait("STATUS", lambda text: text.startswith("Serving: 1 of "))
        assert said[-1].endswith(" connections")


def test_patience_is_asked_for_while_it_drains(gateway, manager):
    """Beyond what the manager would wait for, again and again, to the end."""
    running = gateway(env=manager.env, server={"drain_spread": "1h"})
    with running.open() as client:
        running.signal(signal.SIGTERM)
        assert all(int(usec) > 5_000_000 for usec in manager.wait("EXTEND_TIMEOUT_USEC", count=3))
        said = manager.wait("STATUS", lambda text: text.startswith("Draining: 1 clients left, "))
        assert said[-1].endswith(" s to go")
        client.send(wsraw.close_frame(1000))
        assert running.wait_exit() == 0
    running.has_stopped = True


def test_a_socket_that_is_none(gateway):
    """It serves all the same, and says so."""
    running = gateway(env={"NOTIFY_SOCKET": "notify"})
    said = running.wait_log("NOTIFY_SOCKET cannot be used: the service manager is told nothing")
    assert "abstract" in said["allowed"]
    with running.open() as client:
        client.echo(b"served")


def test_a_manager_that_has_gone(gateway, tmp_path):
    with service.Manager(str(tmp_path / "notify")) as manager:
        running = gateway(env=manager.env)
        manager.wait("READY")
    with running.open() as client:
        client.echo(b"served")


# --- the watchdog ---

def test_watchdog_is_fed(gateway, tmp_path):
    """While it serves, and while it ends."""
    with service.Manager(str(tmp_path / "notify"), watchdog_usec=600_000) as manager:
        running = gateway(env=manager.env, server={"drain_spread": "1h"})
        manager.wait("WATCHDOG", count=5)
        with running.open() as client:
            running.signal(signal.SIGTERM)
            manager.wait("STOPPING")
            manager.wait("WATCHDOG", count=len(manager.said("WATCHDOG")) + 3)
            client.send(wsraw.close_frame(1000))
            assert running.wait_exit() == 0
    running.has_stopped = True


def test_watchdog_of_another_process(gateway, tmp_path):
    with service.Manager(str(tmp_path / "notify"), watchdog_usec=300_000, WATCHDOG_PID="1") as manager:
        running = gateway(env=manager.env)
        with running.open():
            manager.wait("STATUS", lambda text: text.startswith("Serving: 1 of "))
        assert manager.said("WATCHDOG") == []


@pytest.mark.parametrize("loop", ["worker-1", "admin"])
def test_a_loop_that_hangs_is_named(gateway, tmp_path, loop):
    """In the log, in /health and the metrics of the others, and by the watchdog's hunger."""
    with service.Manager(str(tmp_path / "notify"), watchdog_usec=1_000_000) as manager:
        running = gateway(env=manager.env, server={"workers": 2})
        manager.wait("WATCHDOG")
        with service.hanging(running.process.pid, loop):
            said = running.wait_log("a loop does not turn: its clients are not served")
            assert said["loop"] == loop and said["level"] == "error" and said["remedy"]
            manager.hear()
            fed = len(manager.said("WATCHDOG"))
            asked = 0
            while loop != "admin" and asked < 5:
                health = json.loads(running.get("/health").body)
                assert health["status"] == "degraded", health
                assert any(loop in reason for reason in health["reasons"]), health
                assert running.get("/livez").status == running.get("/readyz").status == 503
                assert running.metric("loop_hangs_seconds", loop=loop) > 0
                assert running.metric("loop_hangs_seconds", loop="worker-0") == 0
                asked += 1
            assert len(manager.said("WATCHDOG")) <= fed + 1
        running.wait_log("a loop turns again")
        manager.wait("WATCHDOG", count=fed + 3)
        assert running.get("/livez").status == 200
