# SPDX-License-Identifier: Apache-2.0
"""The files of deploy/docker, read without a container engine."""

import json
import re

from kit.gateway import ROOT

DOCKER = ROOT / "deploy" / "docker"
CONNECTIONS = 10_000
NOFILE = 20_000  # both ends, as docker-compose.test.yml has it


class Dockerfile:
    def __init__(self, name: str):
        text = (DOCKER / name).read_text()
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
        self.steps = [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]
        starts = [i for i, (word, _) in enumerate(self.steps) if word == "FROM"]
        assert len(starts) == 2, "a stage that builds, and one that is shipped"
        self.build, self.shipped = self.steps[:starts[1]], self.steps[starts[1]:]

    def all(self, word: str) -> list[str]:
        """What stands behind an instruction in the stage that is shipped."""
        return [rest for found, rest in self.shipped if found == word]

    def one(self, word: str) -> str:
        (rest,) = self.all(word)
        return rest

    def words(self, word: str) -> list[str]:
        """An instruction in exec form: no shell between the signal and the program."""
        return json.loads(self.one(word))

    def copies(self, stage: list) -> dict[str, str]:
        """target: source in the repository, of every COPY that does not take from a stage."""
        found = {}
        for word, rest in stage:
            if word == "COPY" and "--from" not in rest:
                *sources, target = rest.split()
                assert len(sources) == 1 or target.endswith("/")
                for source in sources:
                    found[target + source if target.endswith("/") else target] = source
        return found

    def local(self, text: str) -> str:
        """A path of the image as the path of what was copied there."""
        for target, source in self.copies(self.shipped).items():
            if text == target or text.startswith(f"{target}/"):
                return str(ROOT / source) + text[len(target):]
        return text
