#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the libFuzzer targets of build/asan, each for a bounded time.

Seeds come from tests/fuzz/corpus/TARGET and are only read; what the fuzzer finds
interesting is kept in build/fuzz/corpus/TARGET, an input that breaks something in
build/fuzz/findings."""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILT = ROOT / "build" / "asan" / "tests" / "fuzz"
KEPT = ROOT / "build" / "fuzz"
SEEDS = ROOT / "tests" / "fuzz" / "corpus"
START_AND_STOP_SECONDS = 120  # what a fuzzer may take beyond its time, with a large corpus


def targets() -> list[pathlib.Path]:
    """Every fuzzer that was built."""
    return sorted(path for path in BUILT.glob("fuzz_*")
                  if path.is_file() and os.access(path, os.X_OK))


def run_one(binary: pathlib.Path, seconds: int, prefix: list[str]) -> str | None:
    """None if it ran its time and found nothing, else what went wrong."""
    name = binary.name
    seeds, corpus, findings = SEEDS / name, KEPT / "corpus" / name, KEPT / "findings"
    if not any(seeds.glob("*")):
        return f"no seeds in {seeds.relative_to(ROOT)}"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    log = KEPT / f"{name}.log"
    command = [*prefix, binary, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
               "-print_final_stats=1", f"-artifact_prefix={findings}/{name}-", corpus, seeds]
    try:
        with log.open("wb") as out:
            code = subprocess.run(command, stdout=out, stderr=out, check=False,
                                  timeout=seconds + START_AND_STOP_SECONDS).returncode
    except subprocess.TimeoutExpired:
        return f"did not stop in {seconds + START_AND_STOP_SECONDS} s; see {log}"
    text = log.read_text(errors="replace")
    if code != 0:
        return f"exit {code}:\n{text[-4000:]}"
    return None if "stat::number_of_executed_units" in text else f"did not run; see {log}"


def run_all(binaries: list[pathlib.Path], seconds: int, prefix: list[str] = ()) -> tuple[int, int]:
    """(good, bad); one line for each as it ends. `prefix`: what starts it."""
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {pool.submit(run_one, binary, seconds, prefix): binary for binary in binaries}
        for run in concurrent.futures.as_completed(runs):
            problem = run.result()
            print(f"  {runs[run].name}: {problem or f'{seconds} s, nothing found'}", flush=True)
            bad += problem is not None
    return len(binaries) - bad, bad


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz", add_help=False)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("target", nargs="*")
    options = parser.parse_args()
    known = {path.name: path for path in targets()}
    unknown = [name for name in options.target if name not in known]
    if options.seconds < 1 or unknown:
        print(f"dev: --seconds must be 1 or more, and targets from: {', '.join(known)}",
              file=sys.stderr)
        return 2
    good, bad = run_all([known[name] for name in options.target or known], options.seconds)
    print(f"{good} fuzzers found nothing, {bad} failed")
    return 1 if bad or not good else 0


if __name__ == "__main__":
    sys.exit(main())
