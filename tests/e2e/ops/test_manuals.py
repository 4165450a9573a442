# SPDX-License-Identifier: Apache-2.0
"""Manual pages and completions are made from what the program says of itself, and know all of it."""

import re
import shutil
import subprocess

import pytest

from kit.gateway import BINARY, ROOT, run_binary

pytestmark = pytest.mark.once("documents and what they show")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("manuals")
    subprocess.run([ROOT / "tools/write_man.py", BINARY, directory], check=True)
    return directory


def commands() -> list[str]:
    listed = run_binary("--help").stdout.split("Commands:\n")[1].split("\n\n")[0]
    return re.findall(r"^  (\S+)", listed, re.MULTILINE)


def flags_of(command: str) -> set[str]:
    return set(re.findall(r"^ {2,8}(?:-\w, )?(--[\w-]+)", run_binary(command, "--help").stdout, re.MULTILINE))


def test_each_command_and_each_of_its_flags_has_its_place(written):
    shells = {name: (written / name).read_text() for name in ("gatehouse.bash", "_gatehouse", "gatehouse.fish")}
    assert len(commands()) >= 8
    for command in commands():
        for text in shells.values():
            assert command in text
        if command == "version":
            continue
        page = (written / f"gatehouse-{command}.1").read_text()
        flags = flags_of(command)
        assert flags
        for flag in flags:
            assert flag.replace("-", "\\-") in page, (command, flag)
            assert flag in shells["gatehouse.bash"] and flag in shells["_gatehouse"]
            assert f"-l {flag[2:]}" in shells["gatehouse.fish"]


def test_each_option_of_the_configuration_is_in_its_page(written):
    page = (written / "gatehouse.yaml.5").read_text()
    names = re.findall(r"^### (\S+)", run_binary("config", "--reference").stdout, re.MULTILINE)
    assert len(names) > 100
    for name in names:
        assert f".SS {name}\n" in page.replace("\\-", "-")


def complete(written, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    script = (f"source {written}/gatehouse.bash; compopt() {{ :; }}; COMP_WORDS=({' '.join(repr(w) for w in words)}); "
              f"COMP_CWORD={len(words) - 1}; _gatehouse; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    return subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def test_bash_completes(written, tmp_path):
    assert complete(written, "gatehouse", "do") == ["doctor"]
    assert "--connections" in complete(written, "gatehouse", "doctor", "--c")
    (tmp_path / "gateway.yaml").touch()
    assert complete(written, "gatehouse", "serve", "-c", f"{tmp_path}/gate") == [f"{tmp_path}/gateway.yaml"]


@pytest.mark.parametrize("shell, name", (("zsh", "_gatehouse"), ("fish", "gatehouse.fish")))
def test_other_shells_can_read_it(written, shell, name):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    subprocess.run([shell, "-n", written / name], check=True)


def test_the_pages_are_good(written):
    if shutil.which("mandoc") is None:
        pytest.skip("there is no mandoc here")
    for page in written.glob("*.[15]"):
        said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], stdout=subprocess.PIPE, text=True,
                              check=False)
        assert said.returncode == 0, said.stdout
