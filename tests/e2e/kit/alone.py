# SPDX-License-Identifier: Apache-2.0
"""A network of one's own, where every port is free: commands of documents run there word for word."""

import contextlib
import os
import pathlib
import signal
import subprocess

import pytest

from kit import netns, wsraw
from kit.gateway import BINARY


class Alone:
    """Processes that are started here are alone on 127.0.0.1, in a directory of their own, and find `gatehouse`."""

    def __init__(self, space: netns.Namespace, directory: pathlib.Path):
        self.space, self.directory, self.started = space, directory, []
        programs = directory / "bin"
        programs.mkdir()
        (programs / "gatehouse").symlink_to(BINARY.resolve())
        # /usr/bin first: there are the packages of Debian's python3.
        self.env = os.environ | {"PATH": f"{programs}:/usr/bin:{os.environ['PATH']}", "NO_COLOR": "1"}

    def start(self, script: str, **options) -> subprocess.Popen:
        """The leader of a process group, which ends with the test."""
        with self.space:
            process = subprocess.Popen(["bash", "-c", script], cwd=self.directory, env=self.env, text=True,
                                       start_new_session=True, **options)
        self.started.append(process)
        return process

    def run(self, script: str, *, seconds: float = 10 * wsraw.SECONDS) -> str:
        """What it prints, errors too."""
        process = self.start(script, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return process.communicate(timeout=seconds)[0]

    @contextlib.contextmanager
    def serving(self, options: str = "", env: str = ""):
        """'gatehouse serve' with these, ready."""
        with (self.directory / "serve.log").open("ab") as log:
            process = self.start(f"{env} exec gatehouse serve {options}", stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            said = self.run("gatehouse ready http://127.0.0.1:8080/readyz")
            assert "is ready" in said, said + (self.directory / "serve.log").read_text()
            yield process
        finally:
            process.terminate()
            process.wait(wsraw.SECONDS)

    def close(self) -> None:
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        self.space.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    try:
        space = netns.Namespace("127.0.0.1")
    except PermissionError as error:
        pytest.skip(f"not allowed to make network namespaces: {error}")
    here = Alone(space, tmp_path_factory.mktemp("alone"))
    try:
        space.ip("link", "set", "lo", "up")
        yield here
    finally:
        here.close()
