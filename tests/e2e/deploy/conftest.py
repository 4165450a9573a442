# SPDX-License-Identifier: Apache-2.0
"""`program` runs an example, `node_backend` is the one that npm must fetch for."""

import shutil
import subprocess

import pytest

from kit.examples import EXAMPLES, Program


@pytest.fixture
def program():
    """program(word...) starts one. Asked for before the gateway, it outlives that, which tells it
    of every client's end."""
    running = []

    def run(*words, **options) -> Program:
        running.append(Program(*words, **options))
        return running[-1]

    yield run
    for one in running:
        one.close()


@pytest.fixture(scope="session")
def node_backend(tmp_path_factory):
    """The example with the packages that its lock file names."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    copy = tmp_path_factory.mktemp("nats-node")
    for name in ("backend.js", "package.json", "package-lock.json"):
        shutil.copy(EXAMPLES / "nats-node" / name, copy)
    modules = EXAMPLES / "nats-node" / "node_modules"
    if modules.is_dir():
        shutil.copytree(modules, copy / "node_modules")
        return copy / "backend.js"
    installed = subprocess.run(["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund"], cwd=copy,
                               capture_output=True, text=True, timeout=300, check=False)
    if installed.returncode != 0:
        pytest.skip(f"npm cannot install the package nats: {installed.stderr.strip()[-200:]}")
    return copy / "backend.js"
