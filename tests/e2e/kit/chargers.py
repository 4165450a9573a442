# SPDX-License-Identifier: Apache-2.0
"""Charge points that others wrote: the npm packages ocpp-rpc and ocpp-ws-io, in strict mode."""

import json
import os
import pathlib
import queue
import subprocess
import threading

import pytest

from kit import npm, wsraw
from kit.gateway import ROOT

SOURCE = ROOT / "tests" / "e2e" / "backends" / "ocpp"
PROGRAMS = {"ocpp-rpc": "charger.js", "ocpp-ws-io": "charger-ws-io.js"}


@pytest.fixture(scope="session")
def charger_modules() -> pathlib.Path:
    """The folder with node_modules."""
    return npm.modules(SOURCE, "voltlog")


class Charger:
    """A process that speaks OCPP."""

    def __init__(self, modules: pathlib.Path, url: str, identity: str, subprotocol: str,
                 library: str = "ocpp-rpc", **options):
        """`options`: of charger.js."""
        self.process = subprocess.Popen(
            ["node", SOURCE / PROGRAMS[library], url, identity, subprotocol,
             json.dumps({name: str(value) if isinstance(value, os.PathLike) else value
                         for name, value in options.items()})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env=os.environ | {"NODE_PATH": str(modules / "node_modules")})
        self.said: queue.Queue = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.said.put(json.loads(line))

    def expect(self, *want, seconds: float = wsraw.SECONDS) -> None:
        got = self.said.get(timeout=seconds)
        assert got == list(want)

    def expect_failure(self, seconds: float = 2 * wsraw.SECONDS) -> str:
        """It could not connect; why, in its words."""
        got = self.said.get(timeout=seconds)
        assert got[0] == "failed", got
        return got[1]

    def call(self, action: str, payload: dict) -> None:
        self.process.stdin.write(json.dumps([action, payload]) + "\n")

    def finish(self) -> None:
        """It closes; it has nothing more to say."""
        self.process.stdin.close()
        self.expect("close", 1000)
        assert self.process.wait(wsraw.SECONDS) == 0
        assert self.said.empty()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def charger(charger_modules):
    """charger(url, identity, subprotocol, library, **options)"""
    running = []

    def run(*arguments, **options) -> Charger:
        running.append(Charger(charger_modules, *arguments, **options))
        return running[-1]

    yield run
    for one in running:
        one.kill()
