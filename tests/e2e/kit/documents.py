# SPDX-License-Identifier: Apache-2.0
"""What stands in the documents that people read: blocks of code, commands, links."""

import pathlib
import re

from kit.gateway import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "examples" / "README.md",
         *sorted(DOCS.glob("*.md")), *sorted((DOCS / "zh").glob("*.md"))]
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def name_of(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(text: str, language: str | None = None) -> list[str]:
    """Of a text in Markdown those that are fenced, of one language or of all."""
    return [body for _, one, body in FENCED.findall(text) if language in (None, one)]


def section(text: str, title: str) -> str:
    """From its title to the next one that is as high."""
    found = re.search(rf"(?ms)^(#+) {re.escape(title)}$.*?(?=^#{{1,2}} |\Z)", text)
    assert found, f"there is no section {title!r}"
    return found[0]


def without_comments(block: str) -> str:
    """Of a shell's block: comments are in the reader's language."""
    lines = (re.sub(r"(^|\s+)# .*", "", line).rstrip() for line in block.splitlines())
    return "\n".join(line for line in lines if line)


def prompts(block: str) -> list[tuple[str, list[str]]]:
    """(a command behind "$ ", the lines that it prints)"""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((re.sub(r"\s+# .*", "", line[2:]), []))
        elif found and line.strip():
            found[-1][1].append(line)
    return found


def anchors(text: str) -> set[str]:
    """Of its titles, as GitHub and most others make them: the second of one name has -1 behind it."""
    found: set[str] = set()
    for title in re.findall(r"(?m)^#+ (.*)$", FENCED.sub("", text)):
        name = re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", title).lower()).replace(" ", "-")
        found.add(next(one for one in (name, *(f"{name}-{number}" for number in range(1, 100))) if one not in found))
    return found


def links(text: str) -> list[tuple[str, str]]:
    """(the file, or nothing for this one; the anchor, or nothing) of each link that leads nowhere else."""
    plain = re.sub(r"`[^`\n]*`", "", FENCED.sub("", text))
    return [(file, anchor) for file, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", plain)
            if file or anchor]
