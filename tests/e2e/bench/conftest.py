# SPDX-License-Identifier: Apache-2.0
"""`bench` runs the tester, `server` and `fake` are what it tests."""

import subprocess

import pytest

from kit.bench import Outcome, Server
from kit.fakes import FakeGateway
from kit.gateway import BINARY


@pytest.fixture
def server():
    servers = []

    def make(behave, **kwargs):
        servers.append(Server(behave, **kwargs))
        return servers[-1]

    yield make
    for each in servers:
        each.close()


@pytest.fixture(params=["epoll", "io_uring"])
def bench(request, tmp_path):
    """Runs bench on either engine; skips io_uring where the kernel forbids it."""

    def run(url, *args, **kwargs):
        path = tmp_path / "result.json"
        command = [BINARY, "bench", url, "--engine", request.param, "--json", path, *args]
        process = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                                 timeout=60, check=False, **kwargs)
        if request.param == "io_uring" and "cannot run here" in process.stderr:
            pytest.skip("io_uring is not available here")
        return Outcome(process, path)

    return run


@pytest.fixture
def fake():
    """fake(...) is a FakeGateway."""
    made = []

    def make(**options) -> FakeGateway:
        made.append(FakeGateway(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()
