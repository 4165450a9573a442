# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/, running."""

import os
import subprocess

from kit.gateway import ROOT

EXAMPLES = ROOT / "examples"


class Program:
    """A running example; `first` is the line that says that it is ready."""

    def __init__(self, *words, env: dict | None = None):
        self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE,
                                        text=True, env=os.environ | (env or {}))
        self.first = self.read()

    def read(self) -> str:
        return self.process.stdout.readline().rstrip("\n")

    def read_until(self, start: str) -> str:
        """The next line that begins so; what comes before is passed over."""
        while not (line := self.read()).startswith(start):
            assert self.process.poll() is None, "it has ended"
        return line

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
