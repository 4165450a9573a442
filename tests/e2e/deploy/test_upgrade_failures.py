# SPDX-License-Identifier: Apache-2.0
"""An upgrade that fails, at each step and in each way: the old process serves on as if nothing had been, and
says why not."""

import contextlib
import os
import signal
import threading

import pytest

from kit import backends, upgrades, wsraw
from kit.api import Api
from kit.gateway import with_nofile


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


@pytest.fixture
def program(tmp_path) -> upgrades.Program:
    return upgrades.Program(tmp_path)


@pytest.fixture
def running(gateway, program):
    return gateway(server={"workers": 2, "upgrade_timeout": "20s"}, program=program.path)


def expect_failure(running, outcome: str, *words: str) -> dict:
    """Its clients notice nothing, and log, answer and metric say why."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open()) for _ in range(8)]
        half = wsraw.frame(wsraw.BINARY, b"half a message")
        for client in clients:
            client.send(half[:9])
        status, said = upgrades.ask(running)
        assert (status, said["reason"]) == (500, outcome), f"{said}\n{running.log}"
        for word in words:
            assert word in said["detail"], said
        for client in clients:
            client.send(half[9:])
            assert client.read_message() == (wsraw.BINARY, b"half a message")
        with running.open() as late:
            late.echo(b"late")
    logged = running.logged("upgrade failed: this process serves on")[-1]
    assert logged["outcome"] == outcome and logged["level"] == "error"
    assert running.metric("upgrades_total", outcome=outcome) >= 1
    assert running.process.poll() is None
    return logged


def expect_success(running, program) -> None:
    program.restore()
    upgrades.upgrade(running)
    assert upgrades.wait_former(running) == 0
    with running.open() as client:
        client.echo(b"new")


# --- the new program does not even begin ---

def test_missing(running, program):
    program.remove()
    expect_failure(running, "not_started", str(program.path), "No such file")
    expect_success(running, program)


def test_not_executable(running, program):
    program.script("true")
    os.chmod(program.path.resolve(), 0o644)
    expect_failure(running, "not_started", "Permission denied")
    expect_success(running, program)


def test_no_program(running, program, tmp_path):
    file = tmp_path / "text"
    file.write_text("this is no program")
    file.chmod(0o755)
    program.lead_to(file)
    expect_failure(running, "not_started", "Exec format error")
    expect_success(running, program)


def test_ends_at_once(running, program):
    program.script("exit 3")
    expect_failure(running, "ended", "exit code 3")
    expect_success(running, program)


def test_crashes_at_start(running, program):
    program.script("kill -SEGV $$")
    expect_failure(running, "ended", "SIGSEGV")
    expect_success(running, program)


@pytest.mark.tsan
def test_refuses_the_configuration(running, program):
    good = running.config_file.read_text()
    running.config_file.write_text(good + "nonsense: 1\n")
    expect_failure(running, "bad_config", "78")
    running.config_file.write_text(good)
    expect_success(running, program)


def test_cannot_listen(running, program, tmp_path):
    """A new listener whose port is somebody else's."""
    with wsraw.listen() as other:
        good = running.config_file.read_text()
        mine = f"127.0.0.1:{running.address[1]}"
        theirs = f"127.0.0.1:{other.getsockname()[1]}"
        running.config_file.write_text(good.replace(
            f"listen: {mine}", f"listeners: [{{address: {mine}}}, {{address: {theirs}}}]"))
        expect_failure(running, "bad_config")
        running.config_file.write_text(good)
    expect_success(running, program)


def test_older_than_the_handover(running, program):
    """It knows nothing of a handover, and starts as if it were alone."""
    program.script('unset GATEHOUSE_HANDOVER_FD; exec "$GATEHOUSE" "$@"')
    expect_failure(running, "bad_config")
    expect_success(running, program)


# --- it goes wrong on the way ---

STEPS = ["hello", "greet", "ready", "state"]


@pytest.mark.parametrize("step", STEPS)
def test_killed(running, program, step):
    program.python(f"heir.Heir().{step}()\nos.kill(os.getpid(), signal.SIGKILL)")
    expect_failure(running, "ended", "SIGKILL")
    expect_success(running, program)


@pytest.mark.parametrize("step", ["taken", "commit"])
def test_killed_at_the_end(running, program, step):
    """Until it has thanked nothing is its own."""
    program.python(f"heir.Heir().{step}()\nos.kill(os.getpid(), signal.SIGKILL)")
    expect_failure(running, "ended", "SIGKILL")
    expect_success(running, program)


@pytest.mark.parametrize("step", ["hello", "greet"])
def test_too_slow_to_start(gateway, program, step):
    running = gateway(server={"upgrade_timeout": "1s"}, program=program.path)
    program.python(f"h = heir.Heir()\nh.{step}()\ntime.sleep(600)")
    expect_failure(running, "too_slow", "server.upgrade_timeout")
    assert not running.logged("check failed")
    expect_success(running, program)


def test_unix_socket_is_not_left_behind(gateway, program, tmp_path):
    """A new process that had it already, and failed, leaves its file to the old one, which removes it at its end."""
    unix = tmp_path / "door.sock"
    running = gateway(server={"listeners": [{"address": f"127.0.0.1:{wsraw.free_port()}"},
                                            {"address": f"unix:{unix}"}]}, program=program.path)
    program.python(f"h = heir.Heir()\nh.greet()\nh.say(heir.READY, heir.field(2, 'unix:{unix}'))\n"
                   "h.hear_until(heir.STATE)")
    expect_failure(running, "ended")
    assert unix.exists()
    running.stop()
    assert not unix.exists()


def test_stops_in_the_middle_of_a_word(gateway, program):
    running = gateway(server={"upgrade_timeout": "1s"}, program=program.path)
    program.python("h = heir.Heir()\nh.sock.sendall(heir.HEAD.pack(heir.MAGIC, heir.HELLO, 0, 100) + bytes(50))\n"
                   "time.sleep(600)")
    expect_failure(running, "too_slow", "server.upgrade_timeout")
    expect_success(running, program)


@pytest.mark.parametrize("step", ["ready", "state", "taken", "commit"])
def test_hangs_while_clients_wait(running, program, step):
    """They wait for some seconds only, whatever upgrade_timeout is."""
    program.python(f"h = heir.Heir()\nh.{step}()\ntime.sleep(600)")
    logged = expect_failure(running, "too_slow")
    assert int(logged["still_ms"]) < 15000
    expect_success(running, program)


def test_refuses_all_connections(running, program):
    """Nobody has been taken: all stay, and the old process finishes them."""
    program.python("h = heir.Heir()\nh.refuse_all()\nh.hear_until(heir.COMMIT)\nh.say(heir.THANKS)\ntime.sleep(1)")
    with running.open() as client:
        status, said = upgrades.ask(running)
        assert status == 200 and said["moved"] == 0, said
        client.echo(b"by the old one")
    upgrades.follow(running, said["pid"])
    assert upgrades.wait_former(running) == 0
    running.process.wait()
    running.has_stopped = True


def test_other_format(running, program):
    program.python("h = heir.Heir()\nh.hello(version=99, name='9.9')\nh.hear()")
    expect_failure(running, "format", "9.9", "99")
    expect_success(running, program)


def test_says_nonsense(running, program):
    program.python("h = heir.Heir()\nh.sock.sendall(b'HTTP/1.1 200 OK and more')\ntime.sleep(600)")
    expect_failure(running, "format")
    expect_success(running, program)


def test_says_something_else(running, program):
    program.python("h = heir.Heir()\nh.greet()\nh.say(heir.THANKS)\ntime.sleep(600)")
    expect_failure(running, "format")
    expect_success(running, program)


def test_says_why_not(running, program):
    program.python("h = heir.Heir()\nh.greet()\nh.say(heir.REFUSED, heir.field(1, 'no room'))\ntime.sleep(600)")
    expect_failure(running, "refused", "no room")
    expect_success(running, program)


def test_another_process_speaks(running, program):
    """It has the channel, but is not the one that was started."""
    program.python("h = heir.Heir()\nif os.fork() == 0:\n    h.hello()\n    time.sleep(2)\n    os._exit(0)\n"
                   "time.sleep(600)")
    expect_failure(running, "stranger", "fork")
    expect_success(running, program)


def test_out_of_descriptors(running, program):
    program.script('ulimit -n 12; exec "$GATEHOUSE" "$@"')
    status, said = upgrades.ask(running)
    assert status == 500 and said["reason"] in ("bad_config", "ended", "refused"), said
    expect_success(running, program)


def test_out_of_memory(running, program):
    program.script('ulimit -v 20000; exec "$GATEHOUSE" "$@"')
    status, said = upgrades.ask(running)
    assert status == 500 and said["reason"] in ("bad_config", "ended", "refused"), said
    with running.open() as client:
        client.echo(b"here")
    expect_success(running, program)


def test_old_one_out_of_descriptors(gateway, program):
    """There is none left for a channel."""
    running = gateway(server={"workers": 1, "engine": "epoll"}, program=program.path, prepare=with_nofile(64))
    with contextlib.ExitStack() as stack:
        clients = []
        with contextlib.suppress(OSError, EOFError, AssertionError):
            for _ in range(64):
                clients.append(stack.enter_context(running.open()))
        assert clients
        status, said = upgrades.ask(running)
        assert status in (200, 500), said
        if status == 200:
            upgrades.follow(running, said["pid"])
        for client in clients:
            client.echo(b"here")


# --- others want something meanwhile ---

def test_two_at_once(running, program):
    program.python("h = heir.Heir()\nh.hello()\ntime.sleep(600)")
    first = {}
    thread = threading.Thread(target=lambda: first.update(answer=upgrades.ask(running)))
    thread.start()
    child = int(running.wait_log("upgrade: the new process has been started")["new_pid"])
    status, said = upgrades.ask(running)
    assert (status, said["reason"]) == (409, "under_way")
    running.signal(signal.SIGUSR2)
    running.wait_log("SIGUSR2: nothing was done: an upgrade is under way")
    os.kill(child, signal.SIGKILL)
    thread.join()
    assert first["answer"][0] == 500
    expect_success(running, program)


def test_end_is_asked_for_meanwhile(running, program):
    program.python("h = heir.Heir()\nh.greet()\ntime.sleep(600)")
    with running.open() as client:
        running.signal(signal.SIGUSR2)
        running.wait_log("upgrade: the new process has been started")
        running.signal(signal.SIGTERM)
        client.expect_close(1001, answer=True)
    assert running.wait_exit() == 0
    assert running.logged("upgrade failed: this process serves on")[-1]["outcome"] == "stopped"
    running.has_stopped = True


def test_hangup_meanwhile_reaches_who_serves(running, program):
    program.script('sleep 1; exec "$GATEHOUSE" "$@"')
    running.signal(signal.SIGUSR2)
    running.wait_log("upgrade: the new process has been started")
    running.signal(signal.SIGHUP)
    pid = int(running.wait_log("upgrade done: the new process serves")["new_pid"])
    upgrades.follow(running, pid)
    running.wait_log("the configuration was read again: nothing of it has changed")
    assert upgrades.wait_former(running) == 0


def test_upgrade_while_it_drains(gateway, program):
    running = gateway(server={"drain_timeout": "1m", "close_timeout": "1m"}, program=program.path)
    with running.open() as client:
        running.signal(signal.SIGTERM)
        running.wait_log("draining")
        status, said = upgrades.ask(running)
        assert (status, said["reason"]) == (409, "under_way"), said
        client.expect_close(1001, answer=True)
    assert running.wait_exit() == 0
    running.has_stopped = True


# --- a variable that somebody has set ---

@pytest.mark.parametrize("value", ["", "x", "0", "77", "3"])
def test_variable_of_somebody_else(start, value):
    running = start(env={"GATEHOUSE_HANDOVER_FD": value})
    assert running.wait_exit() == 78
    assert "GATEHOUSE_HANDOVER_FD" in running.log and "unset" in running.log


def test_nobody_sees_more_than_the_next_process_begins_with(gateway, program, tmp_path):
    """A counter that falls by little is one that was begun anew for whoever reckons rates from it. So what ends after the new
    process was told the counts is not shown before that serves; or after it has failed."""
    go, there, may_answer = tmp_path / "go", tmp_path / "there", threading.Event()

    def answer(event) -> None:
        if event.type == "message":
            may_answer.wait(wsraw.SECONDS)

    webhook = backends.Webhook(answer)
    running = gateway(program=program.path, backends=[{"name": "hook", "type": "webhook", "url": webhook.url}],
                      routes=[{"path": "/ws/{client_id}", "backend": "hook"}])
    program.python(f"h = heir.Heir()\nh.state()\nopen({str(there)!r}, 'w').close()\n"
                   f"while not os.path.exists({str(go)!r}):\n    time.sleep(0.005)")
    asked = Api(running.admin)

    def look(client: wsraw.Client, number: int) -> bool:
        """False: the handover was over before that could be seen, because it took too long."""
        client.send_frame(wsraw.TEXT, b"x")
        webhook.wait("message", number)
        asking = threading.Thread(target=upgrades.ask, args=(running,))
        asking.start()
        wsraw.wait_until(lambda: there.exists() or not asking.is_alive(), "the counts are given")
        before = running.get("/metrics").body
        may_answer.set()
        wsraw.wait_until(lambda: asked.get("/overview")["backends"][0]["in_flight"] == 0, "it is answered")
        after = running.get("/metrics").body
        was_under_way = not running.logged("upgrade failed: this process serves on")[number - 1:]
        go.touch()
        asking.join()
        assert after == before or not was_under_way
        return was_under_way

    with running.open() as client:
        for number in range(1, 6):
            if look(client, number):
                break
            go.unlink()
            there.unlink()
            may_answer.clear()
        else:
            pytest.fail(f"no handover was seen:\n{running.log}")
        # Beside the messages there were "connect" and "connected".
        running.wait_metric("backend_request_duration_seconds_count", 2 + number, backend="hook")
    webhook.close()
