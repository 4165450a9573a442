#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the documents that are made from tables of the program, or with --check says which are stale.

Usage: write_docs.py PROGRAM [--check]"""

import json
import pathlib
import re
import subprocess
import sys

import write_dashboard

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"

# Of these the whole is what `gatehouse config FLAG` prints; of limits.md what is between the marks.
WHOLE = {"options.md": "--reference", "metrics.md": "--metrics"}
PART = {"limits.md": "--limits"}
DASHBOARD = "../deploy/grafana/gatehouse.json"
MARKS = re.compile(r"(<!-- Written by \./dev docs [^>]*-->\n\n).*?(\n<!-- Until here\. -->\n)", re.DOTALL)


def printed(program: str, flag: str) -> str:
    return subprocess.run([program, "config", flag], stdout=subprocess.PIPE, text=True, check=True).stdout


def wanted(program: str, name: str) -> str:
    if name == DASHBOARD:
        return json.dumps(write_dashboard.dashboard(program), indent=1, ensure_ascii=False) + "\n"
    if name in WHOLE:
        return printed(program, WHOLE[name])
    text, count = MARKS.subn(lambda marks: marks[1] + printed(program, PART[name]) + marks[2],
                             (DOCS / name).read_text())
    if count != 1:
        sys.exit(f"write_docs: docs/{name} has no marks, or more than two")
    return text


def main() -> int:
    program, is_check = sys.argv[1], sys.argv[2:] == ["--check"]
    names = [*WHOLE, *PART, DASHBOARD]
    stale = [name for name in names if not (DOCS / name).exists() or (DOCS / name).read_text() != wanted(program, name)]
    for name in stale:
        if not is_check:
            (DOCS / name).write_text(wanted(program, name))
        print(f"docs/{name} is stale: run ./dev docs" if is_check else f"docs/{name} is written anew")
    if not stale:
        print("docs: " + ", ".join(names) + " are up to date")
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
