# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts beside the program, which all packages are made from: its pages lead nowhere that is not there."""

import pathlib
import shutil
import subprocess

import pytest

from kit import documents
from kit.gateway import BINARY, ROOT

BUILD = BINARY.resolve().parent


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> pathlib.Path:
    """The directory of documents, installed."""
    if shutil.which("meson") is None or not (BUILD / "build.ninja").exists():
        pytest.skip("needs meson, and the directory that the program was built in")
    root = tmp_path_factory.mktemp("root")
    done = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return next(root.glob("**/share/doc/gatehouse"))


def test_each_link_of_an_installed_page_leads_somewhere(pages):
    found = sorted(pages.glob("**/*.md"))
    assert len(found) > 60, "decisions and Chinese pages among them"
    dead = []
    for page in found:
        for file, anchor in documents.links(page.read_text()):
            target = (page.parent / file).resolve() if file else page
            if not target.is_relative_to(pages) or not target.exists():
                dead.append(f"{page.relative_to(pages)}: {file}")
            elif anchor and target.suffix == ".md" and anchor not in documents.anchors(target.read_text()):
                dead.append(f"{page.relative_to(pages)}: {file}#{anchor}")
    assert not dead, "\n".join(dead)


def test_the_debian_package_keeps_them_readable():
    """Debian's helpers would pack text of some size into .gz, where no link leads to it."""
    kept = (ROOT / "debian/rules").read_text()
    for directory in ("docs", "examples", "deploy"):
        assert f"-X/doc/gatehouse/{directory}/" in kept
    assert "-X.md" in kept
