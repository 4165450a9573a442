# SPDX-License-Identifier: Apache-2.0
"""The first five minutes of README.md, typed as they stand, on a machine where nothing else runs."""

import json
import os
import select
import subprocess

import pytest

from kit import documents, wsraw
from kit.alone import alone  # noqa: F401  a fixture
from kit.gateway import ROOT

pytestmark = pytest.mark.once("documents and what they show")

MINUTES = documents.section((ROOT / "README.md").read_text(), "The first five minutes")
BLOCKS = documents.blocks(MINUTES, "sh")


class Typist:
    """Somebody who types, and reads what comes."""

    def __init__(self, process: subprocess.Popen):
        self.process, self.seen = process, ""

    def type(self, line: str) -> None:
        os.write(self.process.stdin.fileno(), line.encode() + b"\n")

    def read_until(self, text: str) -> None:
        output = self.process.stdout.fileno()
        while text not in self.seen:
            assert select.select([output], [], [], wsraw.SECONDS)[0], f"no {text!r} in:\n{self.seen}"
            piece = os.read(output, 65536)
            assert piece, f"it ended without {text!r}:\n{self.seen}"
            self.seen += piece.decode(errors="replace")


def test_they_are_five_commands_and_some_to_look():
    assert len(BLOCKS) == 6
    assert BLOCKS[0].startswith("./dev build ") and "build/release" in BLOCKS[0]
    assert len(documents.without_comments(BLOCKS[5]).splitlines()) == 4
    said = subprocess.run([ROOT / "dev", "build", "--help"], capture_output=True, text=True, check=True).stdout
    assert "build/KIND/gatehouse" in said and "release" in said
    said = subprocess.run([ROOT / "dev", "package", "--help"], capture_output=True, text=True, check=True).stdout
    assert "deb" in said and "./dev package deb" in MINUTES


def test_they_lead_to_a_message_of_ones_own(alone):  # noqa: F811
    """The build apart, which a test of tests cannot wait for: the program is the one under test."""
    process = alone.start("".join(BLOCKS[1:5]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    typist = Typist(process)
    typist.read_until("Connected to ws://127.0.0.1:8080/ws/me")
    typist.type("hello")
    typist.read_until("< HELLO")
    clients, message, health, metrics = BLOCKS[5].splitlines()
    assert [one["client_id"] for one in json.loads(alone.run(f"{clients} -s"))["clients"]] == ["me"]
    assert json.loads(alone.run(f"{message} -s"))["result"] == "delivered"
    typist.read_until("< hi")
    assert json.loads(alone.run(f"{health} -s"))["status"] == "ready"
    assert "\ngatehouse_connections 1\n" in alone.run(f"{metrics} -s")
