#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every static check on the source: './dev lint --help' lists them.

Needs build/clang (for the compile database); './dev lint' sees to it. Exit 1 on any
finding; the last report, on lengths, is for information."""

import ast
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATABASE = ROOT / "build" / "clang"

# name: what to use instead
BANNED = {
    "strcpy": "memcpy with a known length",
    "strcat": "buf_append",
    "strncpy": "memcpy with a known length",
    "strncat": "buf_append",
    "stpcpy": "memcpy with a known length",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "scanf": "a parser that reports errors",
    "atoi": "units_parse_* or strtoul with its checks",
    "atol": "units_parse_* or strtoul with its checks",
    "atoll": "units_parse_* or strtoull with its checks",
    "atof": "strtod with its checks",
    "strtok": "a loop over slices",
    "strtok_r": "a loop over slices",
    "alloca": "a fixed array or malloc",
    "gmtime": "gmtime_r",
    "localtime": "localtime_r",
    "ctime": "strftime",
    "select": "the loop",
    "system": "nothing: the gateway starts no shell",
    "popen": "nothing: the gateway starts no shell",
    "assert": "CHECK, which stays on",
}
LOG_CALL = re.compile(r"(?<!\w)(log_(?:debug|info|warn|error|write)|LOG_AT)\s*\(")
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
NOT_CODE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.DOTALL)


def c_files() -> list[pathlib.Path]:
    return sorted(path for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.[ch]"))


CHATTER = re.compile(r"^(clang-tidy\S* .*|\d+ warnings? generated\.)\n", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def command(words: list) -> bool:
    """Runs a checker; true if it found nothing."""
    done = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(CHATTER.sub("", COLOUR.sub("", done.stdout)).rstrip())
    return done.returncode == 0


def formatting() -> bool:
    return command(["clang-format", "--dry-run", "-Werror", *c_files()])


def include_layers() -> bool:
    return command(["/usr/bin/python3", "tools/check_layers.py"])


def blanked(text: str) -> str:
    """The source without comments and literals, its lines where they were."""
    return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def banned_functions() -> bool:
    findings = 0
    for path in c_files():
        for number, line in enumerate(blanked(path.read_text()).splitlines(), 1):
            for match in CALL.finditer(line):
                findings += 1
                print(f"{path.relative_to(ROOT)}:{number}: {match[1]} is banned, use {BANNED[match[1]]}")
    return findings == 0


def lines_without_ids() -> bool:
    """What is told of a connection has its ids: src/conn writes to the log by conn_log.h alone."""
    findings = 0
    for path in c_files():
        if not str(path.relative_to(ROOT)).startswith("src/conn/") or path.name in ("conn_log.h", "conn_log.c", "access_log.c"):
            continue
        for number, line in enumerate(blanked(path.read_text()).splitlines(), 1):
            match = LOG_CALL.search(line)
            if match:
                findings += 1
                print(f"{path.relative_to(ROOT)}:{number}: {match[1]} without the connection's ids: conn/conn_log.h")
    return findings == 0


def clang_tidy() -> bool:
    return command(["run-clang-tidy", "-quiet", "-p", DATABASE, "-j", str(os.cpu_count()),
                    f"^{re.escape(str(ROOT))}/(src|tests)/"])


def shell_scripts() -> bool:
    return command(["shellcheck", "dev", ".ci/run"])


def imported(tree: ast.AST) -> set[str]:
    """The first word of each module that is imported."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def python_syntax() -> bool:
    """And no test imports another, or conftest.py: what they share is in the kit."""
    is_good = True
    for path in [*(ROOT / "tools").glob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for name in imported(ast.parse(path.read_text(), str(path))):
            if name.startswith("test_") or name == "conftest":
                print(f"{path.relative_to(ROOT)} imports {name}; what tests share belongs into tests/e2e/kit")
                is_good = False
    return is_good and command(["/usr/bin/python3", "-m", "pytest", "--collect-only", "-q", "-p",
                                "no:cacheprovider", "tests/e2e"])


def licences() -> bool:
    """Each file says its licence in one of its first two lines."""
    bad = 0
    for pattern in ("src/**/*.[ch]", "tests/**/*.[ch]", "tests/**/*.py", "tools/*.py", "**/meson.build"):
        for path in ROOT.glob(pattern):
            if "build" in path.relative_to(ROOT).parts[:1]:
                continue
            if "SPDX-License-Identifier: Apache-2.0" not in "".join(path.open().readlines()[:2]):
                bad += 1
                print(f"{path.relative_to(ROOT)}: no SPDX line at the top")
    return bad == 0


def report_lengths() -> None:
    """The longest functions and files."""
    functions, files = [], []
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        lines = path.read_text().splitlines()
        files.append((len(lines), str(path.relative_to(ROOT))))
        start = 0
        for number, line in enumerate(lines, 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                functions.append((number - start - 1, f"{path.relative_to(ROOT)}:{start}"))
                start = 0
    lengths = sorted(length for length, _ in functions) or [0]
    print(f"== for information: {len(files)} files, {len(functions)} functions, median "
          f"{lengths[len(lengths) // 2]} lines, nine of ten under {lengths[len(lengths) * 9 // 10] + 1}")
    for what, rows in (("functions", functions), ("files", files)):
        longest = ", ".join(f"{name} ({length})" for length, name in sorted(rows, reverse=True)[:5])
        print(f"   longest {what}: {longest}")


CHECKS = (formatting, include_layers, licences, banned_functions, lines_without_ids, shell_scripts, python_syntax, clang_tidy)


def main() -> int:
    failed = []
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        is_good = check()
        print(f"== {name}: {'good' if is_good else 'FINDINGS'}", flush=True)
        if not is_good:
            failed.append(name)
    report_lengths()
    print(f"lint: findings by {', '.join(failed)}" if failed else "lint: no findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
