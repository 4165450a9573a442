# SPDX-License-Identifier: Apache-2.0
"""What documents tell people to type and to look at is there, and where their links lead."""

import re

import pytest

from kit import documents
from kit.documents import DOCS, PAGES
from kit.gateway import run_binary

pytestmark = pytest.mark.once("documents and what they show")

COMMAND = re.compile(r"(?:^|[`\s$(])gatehouse ([a-z]+)((?: [^`\n|#]*)?)")


def said(*arguments: str) -> str:
    return run_binary(*arguments).stdout


@pytest.fixture(scope="module")
def known() -> dict[str, str]:
    """Each command, with its help."""
    listed = said("--help").split("Commands:\n")[1].split("\n\n")[0]
    return {name: said(name, "--help") for name in re.findall(r"^  (\S+)", listed, re.MULTILINE) if name != "version"}


@pytest.fixture(scope="module")
def metrics() -> str:
    return said("config", "--metrics")


@pytest.mark.parametrize("path", PAGES, ids=documents.name_of)
def test_commands_have_the_flags_that_are_written(path, known):
    options = known["serve"]
    for line in re.sub(r"\\\\\n\s*", " ", path.read_text()).splitlines():
        for command, rest in COMMAND.findall(line):
            if command not in known:
                continue
            for flag in re.findall(r"(?<=\s)--[a-z][a-z0-9-]*", rest):
                assert flag in known[command] or flag in options or f"--{flag[2:].split('-', 1)[-1]}" in options, \
                    f"{path.name}: gatehouse {command} has no {flag}: {line}"


@pytest.mark.parametrize("path", PAGES, ids=documents.name_of)
def test_metrics_are_ones(path, metrics):
    for name in set(re.findall(r"`(gatehouse_[a-z_]+)[`{]", path.read_text())):
        assert f"`{name}" in metrics, f"{path.name}: there is no metric {name}"


@pytest.mark.parametrize("path", PAGES, ids=documents.name_of)
def test_links_lead_somewhere(path):
    for file, anchor in documents.links(path.read_text()):
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{path.name}: {file}"
        if anchor and target.suffix == ".md":
            assert anchor in documents.anchors(target.read_text()), f"{path.name}: {file}#{anchor}"


def test_the_map_has_every_page():
    linked = {(DOCS / file).resolve() for file, _ in documents.links((DOCS / "README.md").read_text())}
    pages = {path for path in DOCS.rglob("*") if path.suffix in (".md", ".yaml") and path.parent.name != "decisions"}
    assert pages - linked <= {DOCS / "README.md"}, "docs/README.md leaves out what there is to read"
    assert len((DOCS / "README.md").read_text().splitlines()) < 80, "a map is to be short"
