# SPDX-License-Identifier: Apache-2.0
"""Live upgrades: a gateway whose process becomes another one, and programs that play a new one that fails."""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import http.client
import time

from kit import wsraw
from kit.gateway import BINARY, Gateway

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def become_parent_of_orphans() -> None:
    """A process whose parent ends becomes our child: so its exit code can be read."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Adopted:
    """A process that somebody else has started: what the kit needs of subprocess.Popen."""

    def __init__(self, pid: int):
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            with contextlib.suppress(ChildProcessError):  # not ours yet
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = time.monotonic() + (wsraw.SECONDS if timeout is None else timeout)
        while self.poll() is None:
            assert time.monotonic() < deadline, f"process {self.pid} still runs"
            time.sleep(0.005)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.send_signal(signal.SIGKILL)


def ask(gateway: Gateway, path: str = "/api/v1/upgrade") -> tuple[int, dict]:
    """POST; the status and the body."""
    connection = http.client.HTTPConnection(*gateway.admin, timeout=wsraw.SECONDS)
    try:
        connection.request("POST", path, headers={"Connection": "close", "Content-Length": "0"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def follow(gateway: Gateway, pid: int) -> "Gateway":
    """From now on this is the gateway's process; the one before is returned to, as `former`."""
    gateway.former = gateway.process
    gateway.process = Adopted(pid)
    return gateway


def upgrade(gateway: Gateway) -> dict:
    """A new process takes over, and the kit's gateway is that one; what the API said of it. Clients wait no longer than
    three seconds for one, which a machine with much to do may not keep: then the old one serves on, and is asked again."""
    for _ in range(5):
        status, said = ask(gateway)
        if status == 200 or "upgrade_timeout" not in str(said):
            break
    assert status == 200, f"{said}\n{gateway.log}"
    follow(gateway, said["pid"])
    return said


def wait_former(gateway: Gateway) -> int:
    """Its exit code."""
    return gateway.former.wait(wsraw.SECONDS)


class Program:
    """The path that a gateway is started from: a link, as deployments have it, that can be made to lead to
    another program."""

    def __init__(self, directory: pathlib.Path):
        self.path = directory / "gatehouse"
        self.count = 0
        self.lead_to(BINARY.resolve())

    def lead_to(self, target: pathlib.Path | str) -> None:
        link = self.path.with_suffix(".new")
        link.symlink_to(target)
        link.replace(self.path)

    def script(self, text: str) -> None:
        """A shell's; BINARY is in $GATEHOUSE, and its arguments in "$@"."""
        self.count += 1
        file = self.path.with_suffix(f".{self.count}.sh")
        file.write_text(f"#!/bin/sh\nGATEHOUSE={BINARY.resolve()}\n{text}\n")
        file.chmod(0o755)
        self.lead_to(file)

    def python(self, text: str) -> None:
        """In which `heir` is kit.heir."""
        self.count += 1
        file = self.path.with_suffix(f".{self.count}.py")
        kit = pathlib.Path(__file__).resolve().parents[1]
        file.write_text(f"#!/usr/bin/python3 -B\nimport os, sys, time, signal\nsys.path.insert(0, {str(kit)!r})\n"
                        f"from kit import heir\n{text}\n")
        file.chmod(0o755)
        self.lead_to(file)

    def remove(self) -> None:
        self.path.unlink()

    def restore(self) -> None:
        self.lead_to(BINARY.resolve())
