# SPDX-License-Identifier: Apache-2.0
"""SIGTERM and SIGINT end the gateway in order; a second one at once."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from kit import wsraw
from kit.gateway import BINARY, base_config, to_yaml


@pytest.mark.tsan
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clients_are_closed_with_1001(gateway, number):
    running = gateway(server={"workers": 2})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open(f"/ws/{n}")) for n in range(50)]
        running.signal(number)
        for client in clients:
            client.expect_close(1001, answer=True)
        assert running.wait_exit() == 0


def test_clients_that_do_not_answer_cannot_hold_it(gateway):
    """Neither a silent WebSocket, nor one in the handshake, nor one that never reads."""
    running = gateway(server={"send_queue_max": "64KiB", "drain_timeout": "1s"} | dict.fromkeys(
        ("handshake_timeout", "close_timeout", "send_timeout", "pong_timeout"), "1m"))
    with running.open("/ws/silent"), running.connect() as half, \
            running.open("/ws/slow", receive_buffer=4096) as slow:
        half.send(b"GET /ws/half HTTP/1.1\r\n")
        slow.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
            while True:
                slow.sock.send(b"\x82\xfe\x10\x00\0\0\0\0" + bytes(4096))
        running.signal(signal.SIGTERM)
        assert running.wait_exit() == 0, "in much less than a minute"


def test_no_one_is_let_in_while_it_drains(gateway):
    running = gateway()
    with running.open() as client:
        running.signal(signal.SIGTERM)
        assert client.read_close()[0] == 1001
        try:
            with running.connect() as late:
                assert late.handshake("/ws/late").status == 503
        except (OSError, EOFError):
            pass  # not even a connection
    assert running.wait_exit() == 0


def test_second_signal_ends_it_at_once(start):
    running = start(server={"drain_timeout": "1m", "close_timeout": "1m"}).wait_ready()
    with running.open():
        running.signal(signal.SIGTERM)
        running.wait_log("draining")
        started = time.monotonic()
        running.signal(signal.SIGTERM)
        code = running.wait_exit()
        assert time.monotonic() - started < 10  # the time-outs are a minute
        assert code in (0, 1, -signal.SIGTERM, 128 + signal.SIGTERM)


# What log rotation, supervisors and operators send without meaning the end.
ANSWERED = [signal.SIGUSR1, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF,
            signal.SIGIO, signal.SIGPWR, signal.SIGRTMIN + 3]
SILENT = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGWINCH, signal.SIGCONT, signal.SIGURG, signal.SIGCHLD]


def test_harmless_signals_do_not_end_it(gateway):
    """Of each that another program would heed the log says that nothing was done."""
    running = gateway()
    with running.open() as client:
        for number in SILENT:
            running.signal(number)
            client.echo(b"still here")
        for number in ANSWERED:
            name = "SIGRTMIN+3" if number == signal.SIGRTMIN + 3 else signal.Signals(number).name
            running.signal(number)
            said = running.wait_log(f"{name.replace('SIGIO', 'SIGPOLL')}: nothing was done")
            assert said["level"] == "warn" and said["remedy"]
            client.echo(b"still here")


def test_hangup_reads_the_configuration_again(gateway):
    running = gateway()
    with running.open() as client:
        running.signal(signal.SIGHUP)
        said = running.wait_log("the configuration was read again: nothing of it has changed")
        assert said["level"] == "info" and said["asked_by"] == "SIGHUP" and said["files_failed"] == "0"
        client.echo(b"still here")


def test_harmless_signals_do_not_end_a_drain(start):
    running = start(server={"close_timeout": "1m", "drain_timeout": "1m"}).wait_ready()
    with running.open() as client:
        running.signal(signal.SIGTERM)
        running.wait_log("draining")
        for number in [*ANSWERED, signal.SIGHUP]:
            running.signal(number)
        client.expect_close(1001, answer=True)
        assert running.wait_exit() == 0


def test_a_hangup_at_the_start_is_a_reload_behind_it(tmp_path, engine):
    """While its configuration is being read, which others would be ended by."""
    file = tmp_path / "gatehouse.yaml"
    text = to_yaml(base_config(engine))
    os.mkfifo(file)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([BINARY, "serve", "-c", file], stderr=log)
    try:
        with file.open("w", encoding="ascii") as pipe:  # waits until it is read
            process.send_signal(signal.SIGHUP)
            new = tmp_path / "new"
            new.write_text(text)
            new.rename(file)
            pipe.write(text)

        def look():
            assert process.poll() is None, process.returncode
            return "was read again" in (tmp_path / "log").read_text()
        wsraw.wait_until(look, lambda: (tmp_path / "log").read_text())
    finally:
        process.kill()
        process.wait()
