# SPDX-License-Identifier: Apache-2.0
"""Packages of the npm registry that tests run, each set as its package-lock.json pins it."""

import fcntl
import pathlib
import shutil
import subprocess

import pytest

from kit.gateway import ROOT


def modules(source: pathlib.Path, *folders: str) -> pathlib.Path:
    """The folder that has node_modules as the package-lock.json of `source` says; made once, in build/. `folders` of
    `source` are packages of it. Skips where npm or its registry is not there."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("there is no npm: apt-get install nodejs npm")
    cache = ROOT / "build" / source.name
    cache.mkdir(parents=True, exist_ok=True)
    lock = (source / "package-lock.json").read_text()
    done = cache / "installed"
    with (cache / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != lock:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, cache / name)
            for name in folders:
                shutil.copytree(source / name, cache / name, dirs_exist_ok=True)
            run = subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=cache,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
            if run.returncode != 0:
                pytest.skip(f"npm cannot install what {source.name} needs, is its registry reachable? {run.stderr}")
            done.write_text(lock)
    return cache
