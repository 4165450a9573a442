#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs every test, stage by stage, and sums the test cases.

What is built next, and the fuzzers, have what the tests leave of the processors: most of
the tests wait for something, and may not notice a machine that is busy.

The last line is 'N passed, N failed' (and ', N skipped'). A stage that cannot run,
or dies without results, counts as one failure. './dev test --help' has the options."""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import run_fuzzers

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test"
STAGE_SECONDS = 3600  # ten times what one takes: a busy machine is no failure
FUZZ_SECONDS, FUZZ_SECONDS_ALL = 4, 60
POLITE = ["nice", "-n", "19"]
STAGES = ("layers", "unit", "asan", "tsan", "e2e", "fuzz")
TAP_RESULT = re.compile(r"^(not )?ok\b([^#\n]*)(#\s*skip)?", re.IGNORECASE | re.MULTILINE)
TAP_PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __iadd__(self, other: "Count") -> "Count":
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def run(log_name: str, command: list, seconds: int, env: dict | None = None) -> tuple[int, str]:
    """Runs a command; its output goes to a file and comes back, with its exit code."""
    log = LOGS / f"{log_name}.log"
    with log.open("wb") as out:
        try:
            code = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=out, env=os.environ | (env or {}), timeout=seconds,
                                  check=False).returncode
        except subprocess.TimeoutExpired:
            out.write(f"\nnot finished after {seconds} s\n".encode())
            code = 124
    return code, log.read_text(errors="replace")


def tap_count(test: dict) -> Count:
    """The cases of one unit test program, from a line of meson's testlog.json."""
    text = test.get("stdout", "")
    count = Count()
    for is_bad, _, is_skip in TAP_RESULT.findall(text):
        if is_skip:
            count.skipped += 1
        elif is_bad:
            count.failed += 1
        else:
            count.passed += 1
    plan = TAP_PLAN.search(text)
    ran = count.passed + count.failed + count.skipped
    is_whole = plan is not None and int(plan.group(1)) == ran and ran > 0
    if count.failed == 0 and not (is_whole and test["result"] == "OK"):
        count.failed = 1  # died, leaked, or was ended on the way
    if count.failed:
        print(f"  {test['name']}: {test['result']}, exit {test['returncode']}\n"
              f"{text[-3000:]}\n{test.get('stderr', '')[-6000:]}")
    return count


def without_aslr(build: str) -> list[str]:
    """The thread sanitizer of this compiler cannot live with all address layouts."""
    prefix = ["setarch", "--addr-no-randomize"]
    if build != "tsan" or subprocess.run(prefix + ["true"], check=False,
                                         stderr=subprocess.DEVNULL).returncode != 0:
        return []
    return prefix


SANITIZERS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": f"second_deadlock_stack=1:history_size=4:suppressions={ROOT}/tests/tsan.supp",
}


def unit(build: str) -> Count:
    """Unit tests of one build directory."""
    results = ROOT / "build" / build / "meson-logs" / "testlog.json"
    results.unlink(missing_ok=True)
    code, text = run(f"unit-{build}",
                     without_aslr(build) + ["meson", "test", "-C", ROOT / "build" / build,
                                            "--no-rebuild", "--suite", "unit",
                                            "--timeout-multiplier", "3"],
                     STAGE_SECONDS, SANITIZERS)
    count = Count()
    if results.exists():
        for line in results.read_text().splitlines():
            count += tap_count(json.loads(line))
    if count.failed == 0 and (code != 0 or count.passed == 0):
        print(text[-4000:])
        count.failed = 1
    return count


# Each process that runs tests takes 7 s of a processor to read them all, or 2 s if they are compiled.
COMPILED = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(LOGS / "pycache")}


def compile_tests() -> None:
    """For all stages with end-to-end tests. What goes wrong here, they tell."""
    run("compile-tests", ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                          "--collect-only", "tests/e2e"], STAGE_SECONDS, COMPILED)


def e2e(build: str, expression: str | None, workers: int, *options: str) -> Count:
    """End-to-end tests against the binary of one build directory, so many at a time."""
    results = LOGS / f"e2e-{build}.xml"
    results.unlink(missing_ok=True)
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
               "-n", str(workers), f"--junit-xml={results}", "tests/e2e"]
    command += ["-k", expression] if expression else []
    command += options
    env = {"GATEHOUSE_BIN": str(ROOT / "build" / build / "gatehouse"), "PATH": str(tools_path())} | COMPILED
    code, text = run(f"e2e-{build}", without_aslr(build) + command, STAGE_SECONDS, SANITIZERS | env)
    if code == 5 and expression:
        return Count()  # the expression selects none here
    count = Count()
    if results.exists():
        for suite in ElementTree.parse(results).getroot().iter("testsuite"):
            bad = int(suite.get("failures")) + int(suite.get("errors"))
            skipped = int(suite.get("skipped"))
            count += Count(max(0, int(suite.get("tests")) - bad - skipped), bad, skipped)
    if count.failed == 0 and (code != 0 or count.passed + count.skipped == 0):
        count.failed = 1
    if count.failed:
        print("\n".join(text.splitlines()[-250:]))
    return count


def tools_path() -> str:
    """Where promtool is looked for: see need_prometheus in ./dev."""
    return f"{ROOT / 'build' / 'tools'}:{os.environ['PATH']}"


def layers() -> Count:
    code, text = run("layers", ["/usr/bin/python3", "tools/check_layers.py"], 60)
    if code != 0:
        print(text)
    return Count(int(code == 0), int(code != 0))


def fuzz(seconds: int) -> Count:
    binaries = run_fuzzers.targets()
    return Count(*run_fuzzers.run_all(binaries, seconds, POLITE)) if binaries else Count(failed=1)


@dataclasses.dataclass
class Step:
    stage: str
    text: str
    kind: str | None  # the build that must be there before
    function: object
    is_aside: bool = False  # runs beside the others


def plan(options: argparse.Namespace) -> list[Step]:
    """What to do, in order; the builds are made in the order in which they are wanted."""
    wanted = options.only or STAGES
    expression = options.k
    many, few = 4 * os.cpu_count(), 3 * os.cpu_count()
    fuzz_seconds = FUZZ_SECONDS_ALL if options.all else FUZZ_SECONDS
    more, engines = (["--rare"], []) if options.all else ([], ["--one-engine", "--again"])
    steps = [
        Step("layers", "who may include whom", None, layers),
        # Optimised. Without --all those of the sanitizers' builds, further down, are enough.
        *([Step("unit", "unit tests", "dev", lambda: unit("dev"))] if options.all or options.only else []),
        Step("e2e", "end-to-end tests", "release", lambda: e2e("release", expression, many, *more)),
        Step("asan", "unit tests, address and undefined sanitizers", "asan", lambda: unit("asan")),
        Step("asan", "end-to-end tests, address and undefined sanitizers", "asan",
             lambda: e2e("asan", expression, few, *engines)),
        Step("fuzz", f"fuzzers, {fuzz_seconds} s each", "asan", lambda: fuzz(fuzz_seconds), is_aside=True),
        Step("tsan", "unit tests with threads, thread sanitizer", "tsan", lambda: unit("tsan")),
        Step("tsan", "end-to-end tests, thread sanitizer", "tsan",
             lambda: e2e("tsan", expression, few, "-m", "tsan")),
    ]
    return [step for step in steps if step.stage in wanted
            and not (expression and "end-to-end" not in step.text)]


def build(kind: str) -> bool:
    code, text = run(f"build-{kind}", [*POLITE, ROOT / "dev", "build", kind], 1800)
    if code != 0:
        print(text[-8000:])
    return code == 0


class Aside:
    """Builds one kind after the other, and runs what need not be waited for."""

    def __init__(self, steps: list[Step]):
        self.builder = concurrent.futures.ThreadPoolExecutor(1)
        self.runner = concurrent.futures.ThreadPoolExecutor(1)
        kinds = dict.fromkeys(step.kind for step in steps if step.kind)
        self.builds = {kind: self.builder.submit(build, kind) for kind in kinds}
        self.runs = [self.runner.submit(self.run, step) for step in steps if step.is_aside]

    def __enter__(self) -> "Aside":
        return self

    def __exit__(self, *_) -> None:
        """Who interrupts does not want the builds that have not begun."""
        for one in (self.builder, self.runner):
            one.shutdown(cancel_futures=True)

    def run(self, step: Step) -> Count:
        started = time.monotonic()
        is_built = step.kind is None or self.builds[step.kind].result()
        built = time.monotonic()
        if is_built:
            count = step.function()
            took = f"{time.monotonic() - built:.0f} s"
            if built - started >= 1:
                took = f"waited {built - started:.0f} s for its build, then {took}"
            print(f"  {step.text}: {count} ({took})", flush=True)
            return count
        print(f"  {step.text}: build/{step.kind} does not build", flush=True)
        return Count(failed=1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev test", add_help=False)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", type=lambda text: text.split(","))
    parser.add_argument("-k", metavar="EXPRESSION")
    options = parser.parse_args()
    for stage in options.only or ():
        if stage not in STAGES:
            parser.error(f"there is no stage '{stage}'; there are {', '.join(STAGES)}")
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    steps = plan(options)
    total = Count()
    with Aside(steps) as aside:
        if any("end-to-end" in step.text for step in steps):
            compile_tests()  # while the first build is made
        for number, step in enumerate(steps, 1):
            where = f" (build/{step.kind})" if step.kind else ""
            print(f"== {number}/{len(steps)} {step.text}{where}"
                  f"{', beside the others' if step.is_aside else ''}", flush=True)
            if not step.is_aside:
                total += aside.run(step)
        for run_aside in aside.runs:
            total += run_aside.result()
    print(f"== {time.monotonic() - started:.0f} s")
    if not steps:
        total.failed = 1
        print("no stage has end-to-end tests to select from")
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
