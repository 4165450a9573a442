# SPDX-License-Identifier: Apache-2.0
"""What documents tell people to type and to look at is there."""

import re

import pytest

from kit.gateway import ROOT, run_binary

DOCUMENTS = sorted(path for path in (ROOT / "docs").glob("*.md")) + [ROOT / "README.md"]
COMMAND = re.compile(r"(?:^|[`\s$])gatehouse ([a-z]+)((?: [^`\n|#]*)?)")


def said(*arguments: str) -> str:
    return run_binary(*arguments).stdout


@pytest.fixture(scope="module")
def known() -> dict[str, str]:
    """Each command, with its help."""
    listed = said("--help").split("Commands:\n")[1].split("\n\n")[0]
    return {name: said(name, "--help") for name in re.findall(r"^  (\S+)", listed, re.MULTILINE) if name != "version"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_have_the_flags_that_are_written(path, known):
    options = known["serve"]
    for line in re.sub(r"\\\\\n\s*", " ", path.read_text()).splitlines():
        for command, rest in COMMAND.findall(line):
            if command not in known:
                continue
            for flag in re.findall(r"(?<=\s)--[a-z][a-z0-9-]*", rest):
                assert flag in known[command] or flag in options or f"--{flag[2:].split('-', 1)[-1]}" in options, \
                    f"{path.name}: gatehouse {command} has no {flag}: {line}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_metrics_are_ones(path):
    metrics = said("config", "--metrics")
    for name in set(re.findall(r"`(gatehouse_[a-z_]+)[`{]", path.read_text())):
        assert f"`{name}" in metrics, f"{path.name}: there is no metric {name}"


def test_links_between_documents_lead_somewhere():
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+\.(?:md|yaml))", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
