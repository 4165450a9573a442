# SPDX-License-Identifier: Apache-2.0
"""A new process takes over from the old one: listeners, clients, counters; `gatehouse upgrade`, SIGUSR2 and
POST /api/v1/upgrade."""

import contextlib
import json
import re
import signal
import threading

import pytest

from kit import upgrades, wsraw
from kit.gateway import run_binary
from kit.gateway import run_binary


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


@pytest.mark.tsan
def test_new_process_takes_over(gateway):
    running = gateway(server={"workers": 2})
    with running.open("/ws/before") as before:
        before.echo(b"old")
        said = upgrades.upgrade(running)
        assert said["outcome"] == "done" and said["version"]
        with running.open("/ws/after") as after:
            after.echo(b"new")
            before.echo(b"still here")
    assert upgrades.wait_former(running) == 0
    assert running.wait_log("upgrade done: the new process serves")["new_pid"] == str(running.process.pid)
    assert running.wait_log("upgrade: this process has taken over")["old_pid"] == str(running.former.pid)
    assert running.metric("upgrades_total", outcome="done") == 1
    assert running.health()["status"] == "ready"


def test_signal(gateway):
    running = gateway()
    running.signal(signal.SIGUSR2)
    pid = int(running.wait_log("upgrade done: the new process serves")["new_pid"])
    upgrades.follow(running, pid)
    assert upgrades.wait_former(running) == 0
    with running.open() as client:
        client.echo(b"new")


def test_whoever_comes_meanwhile_is_served(gateway):
    """Nobody is refused, neither on the public port nor on the admin's."""
    running = gateway(server={"workers": 2})
    failures, is_over = [], threading.Event()

    def come():
        while not is_over.is_set():
            try:
                with running.open() as client:
                    client.echo(b"here")
                assert running.get("/metrics").status == 200
            except Exception as error:  # pylint: disable=broad-except
                failures.append(repr(error))
                return

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            upgrades.upgrade(running)
            assert upgrades.wait_former(running) == 0
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert running.metric("upgrades_total", outcome="done") == 5


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 2)])
def test_number_of_workers_changes(gateway, before, after):
    running = gateway(server={"workers": before})
    text = running.config_file.read_text()
    running.config_file.write_text(text.replace(f"workers: {before}", f"workers: {after}"))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open()) for _ in range(12)]
        upgrades.upgrade(running)
        later = [stack.enter_context(running.open()) for _ in range(12)]
        for client in clients + later:
            client.echo(b"here")
        assert running.metric("workers") == after
    assert upgrades.wait_former(running) == 0


def test_counters_do_not_jump_back(gateway):
    running = gateway()
    with running.open() as client:
        for _ in range(7):
            client.echo(b"x")
        accepted = running.metric("connections_accepted_total")
        upgrades.upgrade(running)
        assert running.metric("connections_accepted_total") >= accepted == 1
        assert running.metric("messages_received_total") == 7
        client.echo(b"x")
    assert upgrades.wait_former(running) == 0
    running.wait_metric("messages_received_total", 8)
    running.wait_metric("connections_closed_total", 1)


def test_listeners_come_and_go(gateway, tmp_path):
    """One is kept, one is gone, one is new; a unix socket keeps its file."""
    ports = [wsraw.free_port() for _ in range(3)]
    unix = tmp_path / "kept.sock"

    def listeners(*ports):
        return [{"address": f"127.0.0.1:{port}"} for port in ports] + [{"address": f"unix:{unix}"}]

    running = gateway(server={"listeners": listeners(ports[0], ports[1]), "workers": 2})
    inode = unix.stat().st_ino
    text = running.config_file.read_text()
    running.config_file.write_text(text.replace(str(ports[1]), str(ports[2])))
    upgrades.upgrade(running)
    assert upgrades.wait_former(running) == 0
    for port in (ports[0], ports[2]):
        with wsraw.Client(("127.0.0.1", port)) as client:
            client.open("/ws/a").echo(b"here")
    with pytest.raises(ConnectionRefusedError):
        wsraw.Client(("127.0.0.1", ports[1]))
    assert unix.stat().st_ino == inode
    running.stop()
    assert not unix.exists()


def test_command(gateway):
    """It waits, and says what has moved."""
    running = gateway()
    with running.open() as client:
        said = run_binary("upgrade", "-c", running.config_file, seconds=wsraw.SECONDS)
        assert said.returncode == 0 and "serves now: 1 connections moved, 0 are finished" in said.stdout, said
        upgrades.follow(running, int(re.search(r"process (\d+)", said.stdout)[1]))
        client.echo(b"still here")
    assert upgrades.wait_former(running) == 0
    running.stop()
    gone = run_binary("upgrade", "-c", running.config_file)
    assert gone.returncode == 1 and "no gateway answers" in gone.stderr


# --- the command ---

def test_command(gateway, tmp_path):
    program = upgrades.Program(tmp_path)
    running = gateway(program=program.path)
    with running.open() as client:
        said = run_binary("upgrade", "-c", running.config_file)
        assert said.returncode == 0 and "1 connections moved" in said.stdout, said
        upgrades.follow(running, int(running.wait_log("upgrade done: the new process serves")["new_pid"]))
        assert upgrades.wait_former(running) == 0
        said = run_binary("upgrade", "-c", running.config_file, "--json")
        assert said.returncode == 0 and json.loads(said.stdout)["moved"] == 1, said
        upgrades.follow(running, json.loads(said.stdout)["pid"])
        program.remove()
        said = run_binary("upgrade", "-c", running.config_file)
        assert said.returncode == 1 and "No such file" in said.stderr, said
        program.script("exit 78")
        said = run_binary("upgrade", "-c", running.config_file)
        assert said.returncode == 78 and "configuration" in said.stderr, said
        client.echo(b"still here")
    assert upgrades.wait_former(running) == 0


def test_command_without_a_gateway(tmp_path):
    file = tmp_path / "application.yaml"
    file.write_text(f"admin:\n  listen: 127.0.0.1:{wsraw.free_port()}\n")
    said = run_binary("upgrade", "-c", file)
    assert said.returncode == 1 and "gatehouse" in said.stderr, said
