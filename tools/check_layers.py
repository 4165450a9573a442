#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fails if a file includes what its layer may not see, or if files hang together in a large circle.

- A layer sees the layers of MAY_INCLUDE, which is the table of ARCHITECTURE.md; the include path
  shows the layer.
- A library's headers are for the layers of LIBRARIES: nobody else is to depend on it.
- A file leads to another if it calls a function, or takes a table, that only the other defines. Files
  from each of which all the others can be reached are a circle: none of them can be understood, tested
  or replaced alone. So a circle has at most CIRCLE_MAX files. `--circles` prints all of them, with what
  ties them."""

import collections
import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": set(),
    "proto": {"base"},
    "tls": {"base"},
    "os": {"base"},
    "io": {"base", "tls"},
    "trace": {"base"},
    "http": {"base", "proto", "io", "trace"},
    "bus": {"base", "io"},
    "config": {"base"},
    "session": {"base", "io", "config", "trace"},
    "fleet": {"base", "proto", "io", "http", "config", "session", "bus", "trace"},
    "webhook": {"base", "io"},
    "route": {"base", "tls", "io", "config", "session", "webhook", "bus", "trace"},
    "auth": {"base", "proto", "os", "tls", "io", "http", "config"},
    "diag": {"base", "os", "io", "config"},
    "conn": {"base", "proto", "tls", "io", "http", "config", "session", "auth", "route", "fleet", "trace"},
    "server": {"base", "os", "proto", "tls", "io", "http", "config", "session", "route", "diag", "webhook", "bus",
               "fleet", "conn", "auth", "trace"},
    "admin": {"base", "os", "proto", "io", "http", "config", "session", "route", "conn", "server", "diag",
              "webhook", "bus", "fleet", "auth", "trace"},
    "bench": {"base", "os", "proto", "io", "diag", "tls"},
    "cmd": {"base", "os", "proto", "io", "http", "config", "session", "route", "conn", "server", "diag", "admin", "bench",
            "tls", "webhook", "bus", "fleet", "auth"},
}
# By the first part of the path in <...>.
LIBRARIES = {
    "liburing.h": {"io"},
    "curl": {"auth", "trace", "webhook"},
    "nats": {"bus"},
    "yaml.h": {"config", "bench"},
    "crypt.h": {"auth"},
    "zlib.h": {"proto"},
    "libdeflate.h": {"proto"},
    "openssl": {"auth", "proto", "tls", "config", "webhook", "bus", "cmd"},
    "jansson.h": {"auth", "bus", "trace", "http", "fleet", "diag", "server", "admin", "bench",
                  "cmd"},
}
CIRCLE_MAX = 7

ROOT = pathlib.Path(__file__).resolve().parent.parent / "src"
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
# Comments and texts, in which names mean nothing.
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
# A use of a name: neither a member (vtables have members named as what fills them) nor a tag.
USE = re.compile(r"(?<![\w.>*])(?<!struct )(?<!enum )(?<!union )([A-Za-z_]\w*)\b")
# At the start of a line, and not static: a function with a body, or a table.
FUNCTION = re.compile(r"^(?!static\b|extern\b|typedef\b|struct \w+ \{|#)[A-Za-z_][\w \t*]*?"
                      r"\b(\w+)\((?:[^;{}()]|\([^()]*\))*\)\s*\{", re.M)
TABLE = re.compile(r"^(?!static\b|extern\b|typedef\b)(?:const )?[A-Za-z_][\w \t*]*?\b(\w+)(?:\[\w*\])?\s*=\s*\{",
                   re.M)


# --- includes ---

def library_problem(layer: str, header: str) -> str | None:
    owners = LIBRARIES.get(header) or LIBRARIES.get(header.split("/")[0])
    if owners is None or layer in owners:
        return None
    return f"layer '{layer}' may not include <{header}> (allowed for: {', '.join(sorted(owners))})"


def layer_problem(layer: str, header: str) -> str | None:
    allowed = MAY_INCLUDE.get(layer, set())
    if header.split("/")[0] in allowed | {layer}:
        return None
    return (f"layer '{layer}' may not include \"{header}\" "
            f"(allowed: {', '.join(sorted(allowed)) or 'nothing'})")


def wrong_includes(files: list[pathlib.Path]) -> int:
    bad = 0
    for path in files:
        layer = path.relative_to(ROOT).parts[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            problem = (layer_problem if match.group(1) == '"' else library_problem)(layer, match.group(2))
            if problem:
                bad += 1
                print(f"{path.relative_to(ROOT.parent)}:{number}: {problem}")
    return bad


# --- circles ---

def ties_of(files: list[pathlib.Path]) -> dict[str, dict[str, set[str]]]:
    """file -> file -> the names that the first takes from the second."""
    code = {str(path.relative_to(ROOT)): NOISE.sub(" ", path.read_text())
            for path in files if path.suffix == ".c"}
    definers = collections.defaultdict(set)
    for file, text in code.items():
        for name in FUNCTION.findall(text) + TABLE.findall(text):
            definers[name].add(file)
    ties = {file: collections.defaultdict(set) for file in code}
    for file, text in code.items():
        for name in set(USE.findall(text)):
            if len(definers[name]) == 1 and file not in definers[name]:
                ties[file][next(iter(definers[name]))].add(name)
    return ties


def circles_of(ties: dict[str, dict[str, set[str]]]) -> list[list[str]]:
    """Strongly connected files, largest first (Tarjan, without recursion)."""
    index, low, on_stack, stack, found = {}, {}, set(), [], []
    for root in ties:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(ties[root]))]
        while work:
            file, others = work[-1]
            for other in others:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(ties[other])))
                    break
                if other in on_stack:
                    low[file] = min(low[file], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[file])
                if low[file] == index[file]:
                    circle = []
                    while not circle or circle[-1] != file:
                        circle.append(stack.pop())
                        on_stack.remove(circle[-1])
                    if len(circle) > 1:
                        found.append(sorted(circle))
    return sorted(found, key=len, reverse=True)


def print_circle(circle: list[str], ties: dict[str, dict[str, set[str]]]) -> None:
    print(f"a circle of {len(circle)}: {', '.join(circle)}")
    for file in circle:
        for other in circle:
            if other in ties[file]:
                print(f"  {file} -> {other}: {', '.join(sorted(ties[file][other])[:6])}")


def main() -> int:
    files = sorted(ROOT.rglob("*.[ch]"))
    if not files:
        print(f"no source files under {ROOT}", file=sys.stderr)
        return 1
    bad = wrong_includes(files)
    ties = ties_of(files)
    circles = circles_of(ties)
    too_large = [circle for circle in circles if len(circle) > CIRCLE_MAX]
    for circle in circles if "--circles" in sys.argv else too_large:
        print_circle(circle, ties)
    print(f"layers: {len(files)} files, {bad} wrong includes, the largest circle has "
          f"{len(circles[0]) if circles else 0} of at most {CIRCLE_MAX}")
    return 1 if bad or too_large else 0


if __name__ == "__main__":
    sys.exit(main())
