#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the C file with the console's assets, as they are and by gzip: embed_assets.py OUT.c FILE...

Called by meson. The same files make the same bytes, whoever builds them and when."""

import gzip
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
HEAD = "/* Made by embed_assets.py. */\n#include \"admin/console/console.h\"\n\n"


def array(name: str, data: bytes) -> str:
    lines = [", ".join(map(str, data[at:at + 24])) for at in range(0, len(data), 24)]
    return f"static const uint8_t {name}[] = {{\n" + ",\n".join(lines) + "\n};\n"


def entry(number: int, path: pathlib.Path, data: bytes) -> str:
    name = "" if path.name == "index.html" else path.name
    tag = hashlib.sha256(data).hexdigest()[:24]
    return (f'\t{{"{name}", "{TYPES[path.suffix]}", "{tag}", plain_{number}, sizeof(plain_{number}), '
            f"gzip_{number}, sizeof(gzip_{number})}},\n")


def main() -> None:
    out, *paths = map(pathlib.Path, sys.argv[1:])
    parts, entries = [HEAD], []
    for number, path in enumerate(sorted(paths)):
        data = path.read_bytes()
        parts += [array(f"plain_{number}", data), array(f"gzip_{number}", gzip.compress(data, 9, mtime=0))]
        entries.append(entry(number, path, data))
    parts += ["\nconst struct console_asset console_assets[] = {\n", *entries, "};\n",
              f"const size_t console_asset_count = {len(paths)};\n"]
    out.write_text("".join(parts))


if __name__ == "__main__":
    main()
