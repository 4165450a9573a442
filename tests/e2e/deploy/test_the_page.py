# SPDX-License-Identifier: Apache-2.0
"""docs/deploy.md, step by step: a limit, a certificate and the program change under the clients of 'gatehouse bench
--hold', whose report says that nothing happened; then a drain, which it does tell of."""

import contextlib
import re
import shutil
import subprocess

import pytest

from kit import service, upgrades, wsraw
from kit.gateway import BINARY, ROOT, run_binary

pytestmark = pytest.mark.once("documents and what they show")

PAGE = (ROOT / "docs" / "deploy.md").read_text()
CLIENTS = 200


@pytest.fixture(autouse=True)
def parent_of_orphans():
    upgrades.become_parent_of_orphans()


@contextlib.contextmanager
def holding(gateway, hold: str):
    command = [BINARY, "bench", f"ws://127.0.0.1:{gateway.address[1]}/ws/dev-{{n}}", "-q", "-c", str(CLIENTS),
               "--hold", hold, "--message-rate", "2", "--echo-timeout", "60s"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def command(gateway, word: str, *arguments) -> str:
    done = run_binary(word, "-c", gateway.config_file, *arguments, seconds=wsraw.SECONDS)
    assert done.returncode == 0, (done, gateway.log)
    return done.stdout


def test_each_command_of_the_page_is_one():
    """With options that it has."""
    for word, rest in re.findall(r"(?m)^ *gatehouse ([a-z]+)(.*)$", PAGE):
        said = run_binary(word, "--help")
        assert said.returncode == 0, word
        for option in re.findall(r"(?<!\S)--?[a-z-]+", rest.split("#")[0]):
            assert option in said.stdout, (word, option)


def test_nothing_happened(gateway, authority, tmp_path):
    program = upgrades.Program(tmp_path)
    pair = authority.sign("page-first")
    files = {name: shutil.copy(file, tmp_path / name) for name, file in pair.files.items()}
    with service.Manager(str(tmp_path / "notify")) as manager:
        running = gateway(program=program.path, env=manager.env, server={"workers": 2, "listeners": [
            {"address": f"127.0.0.1:{wsraw.free_port()}"},
            {"address": f"127.0.0.1:{wsraw.free_port()}", "tls": {"certificates": [files]}}]})
        with holding(running, "20s") as held:
            running.wait_metric("connections", CLIENTS)
            # A limit.
            text = running.config_file.read_text()
            running.config_file.write_text(text.replace("server:\n", "server:\n  max_message_size: 64KiB\n"))
            assert "max_message_size" in command(running, "reload")
            manager.wait("RELOADING")
            # A certificate.
            renewed = authority.sign("page-second")
            for name, file in renewed.files.items():
                shutil.copy(file, files[name])
            wsraw.wait_until(lambda: running.metric("renewals_total", outcome="renewed") >= 1, "the renewal")
            # The program.
            program.lead_to(BINARY.resolve())
            said = command(running, "upgrade")
            assert f"{CLIENTS} connections moved" in said
            upgrades.follow(running, int(re.search(r"process (\d+)", said)[1]))
            assert manager.wait("MAINPID")[-1] == str(running.process.pid)
            assert running.metric("connections") == CLIENTS
            report = held.communicate(timeout=wsraw.SECONDS)[0]
        assert held.returncode == 0 and re.search(rf"Held +{CLIENTS} for [0-9.]+ s, 0 dropped", report), report
        # What the manager heard: nothing of an end.
        assert manager.said("STOPPING") == [] and len(manager.said("READY")) >= 3
        handed_over = [number for number, (_, fields) in enumerate(manager.messages) if "MAINPID" in fields][-1]
        assert {pid for pid, _ in manager.messages[handed_over + 1:]} == {running.process.pid}
        assert upgrades.wait_former(running) == 0
        with running.open() as client:
            assert "done: 1 let go" in command(running, "drain", "--over", "0")
            assert client.read_close()[0] == 1012
