#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fails if a file includes a header of a layer that its own layer may not see.

The table is the one of ARCHITECTURE.md; the include path shows the layer."""

import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": set(),
    "proto": {"base"},
    "tls": {"base"},
    "os": {"base"},
    "io": {"base"},
    "http": {"base", "proto", "io"},
    "bus": {"base", "io"},
    "config": {"base"},
    "session": {"base", "io", "config"},
    "fleet": {"base", "proto", "io", "http", "config", "session", "bus"},
    "webhook": {"base", "io"},
    "route": {"base", "io", "config", "session", "webhook", "bus"},
    "diag": {"base", "os", "io", "config"},
    "conn": {"base", "proto", "io", "http", "config", "session", "route", "fleet"},
    "server": {"base", "proto", "io", "http", "config", "session", "route", "diag", "webhook", "bus",
               "fleet", "conn"},
    "admin": {"base", "os", "proto", "io", "http", "config", "session", "route", "conn", "server", "diag",
              "webhook", "bus", "fleet"},
    "bench": {"base", "os", "proto", "io", "diag"},
    "cmd": {"base", "os", "proto", "io", "http", "config", "session", "route", "conn", "server", "diag", "admin", "bench",
            "webhook", "bus", "fleet"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    files = sorted(root.rglob("*.[ch]"))
    bad = 0
    for path in files:
        layer = path.relative_to(root).parts[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1).split("/")[0]
            if target == layer or target in MAY_INCLUDE.get(layer, set()):
                continue
            bad += 1
            print(f"{path.relative_to(root.parent)}:{number}: layer '{layer}' may not include "
                  f"\"{match.group(1)}\" (allowed: {', '.join(sorted(MAY_INCLUDE.get(layer, set()))) or 'nothing'})")
    if not files:
        print(f"no source files under {root}", file=sys.stderr)
        return 1
    print(f"layers: {len(files)} files, {bad} wrong includes")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
