# SPDX-License-Identifier: Apache-2.0
"""`gatehouse check` and `gatehouse config`: arguments, exit codes, what they print."""

import os
import subprocess

import pytest

from kit.gateway import BINARY, ROOT, run_binary



def test_check_without_a_file_takes_the_defaults(tmp_path):
    done = run_binary("check", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("built-in defaults (no file): good; 0 of ")


def test_check_takes_the_default_file_where_it_is(tmp_path):
    done = run_binary("check", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("config/application.yaml: good; ")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "application.yaml").write_text("x: 1\n")
    done = run_binary("check", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ("config/application.yaml:1:1: x: there is no such key\n"
                           "gatehouse check: 1 mistake in the configuration\n")


@pytest.mark.parametrize("arguments", [
    ("--workers", "3"), ("--workers=3",), ("--server-workers=3",), ("--server.workers", "3"),
    ("--workers", "2", "--workers", "3"),
])
def test_every_form_of_a_flag(tmp_path, arguments):
    done = run_binary("config", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    name = "--server-workers" if arguments[0].startswith("--server") else "--workers"
    assert [line.split() for line in done.stdout.splitlines() if "workers" in line] == [["workers:", "3", "#", "flag", name]]


def test_output_of_config_is_a_file_for_check(tmp_path):
    done = run_binary("config", "--log-level=debug", "--listen", "[::1]:0", cwd=tmp_path,
               env={"GATEHOUSE_SERVER_ENGINE": "epoll"})
    (tmp_path / "again.yaml").write_text(done.stdout)
    again = run_binary("config", "--config=again.yaml", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    values = [[line.split(" #")[0].rstrip() for line in text.splitlines()]
              for text in (done.stdout, again.stdout)]
    assert values[0] == values[1]


@pytest.mark.parametrize("arguments, said", [
    (("--worker", "3"), "unknown option --worker; did you mean --workers?"),
    (("--zzzzzzzz",), "unknown option --zzzzzzzz\n"),
    (("--workers",), "--workers needs a value"),
    (("-c",), "-c needs a value"),
    (("one.yaml", "two.yaml"), "a second file, two.yaml: a configuration is one file"),
    (("-c", "one.yaml", "two.yaml"), "a second file, two.yaml: a configuration is one file"),
    (("-x",), "unknown option -x"),
])
@pytest.mark.parametrize("command", ["check", "config"])
def test_wrong_usage(tmp_path, command, arguments, said):
    done = run_binary(command, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert f"'gatehouse {command} --help' lists the options" in done.stderr


@pytest.mark.parametrize("command", ["check", "config"])
def test_the_file_may_stand_alone(tmp_path, command):
    (tmp_path / "mine.yaml").write_text("server: {workers: 0}\n")
    done = run_binary(command, "mine.yaml", cwd=tmp_path)
    assert done.returncode == {"check": 1, "config": 78}[command]
    assert done.stderr.startswith("mine.yaml:1:19: server.workers: 0 is not in ")


@pytest.mark.parametrize("arguments, said", [
    (("srve",), "unknown command 'srve'; did you mean serve?"),
    (("docter", "--json"), "unknown command 'docter'; did you mean doctor?"),
    (("--verson",), "unknown command '--verson'; did you mean --version?"),
    (("frobnicate",), "unknown command 'frobnicate'\n"),
    (("help", "srve"), "unknown command 'srve'; did you mean serve?"),
    (("ready", "--timout", "3s"), "--timout is not an option; did you mean --timeout?"),
    (("check", "--config-ony"), "unknown option --config-ony; did you mean --config-only?"),
])
def test_a_misspelt_word_is_suggested(tmp_path, arguments, said):
    done = run_binary(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


COMMANDS = ("serve", "bench", "doctor", "drain", "upgrade", "check", "config", "ready", "secret", "version")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_help_of_its_own(tmp_path, command):
    said = [run_binary(*words, cwd=tmp_path) for words in ((command, "--help"), (command, "-h"),
                                                    ("help", command))]
    assert {(done.returncode, done.stderr) for done in said} == {(0, "")}
    assert len({done.stdout for done in said}) == 1
    assert said[0].stdout.startswith(f"Usage: gatehouse {command}")
    # Only the gateway's own help is as long as its options.
    assert ("--pong-timeout VALUE" in said[0].stdout) == (command == "serve")


@pytest.mark.parametrize("arguments", [
    ("serve", "--ping-interval", "1.5s"), ("serve", "--max-message-size", "1.5MiB"),
    ("bench", "ws://127.0.0.1:1/", "--hold", "0.5s"), ("bench", "ws://127.0.0.1:1/", "--size=1.5KiB"),
    ("ready", "http://127.0.0.1:1/", "--timeout", "2.5s")])
def test_a_fraction_is_refused_as_one(tmp_path, arguments):
    done = run_binary(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "is not a whole number: use a smaller unit" in done.stderr


def test_config_with_mistakes_prints_all_and_no_value(tmp_path):
    done = run_binary("config", "-c", "none.yaml", "--max_connections", "0", cwd=tmp_path,
               env={"GATEHOUSE_LOG_LEVL": "info"})
    assert (done.returncode, done.stdout) == (78, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("none.yaml: cannot be read: No such file or directory; ")
    assert lines[1] == ("GATEHOUSE_LOG_LEVL: there is no such option; did you mean "
                        "GATEHOUSE_LOG_LEVEL?")
    assert lines[2].startswith("--max_connections: 0 is not in 1..16000000 connections; ")
    assert lines[3] == "gatehouse config: 3 mistakes in the configuration"


@pytest.mark.parametrize("flag, document", [("--reference", "options.md"),
                                            ("--metrics", "metrics.md")])
def test_references_are_up_to_date_and_need_no_good_configuration(tmp_path, flag, document):
    done = run_binary("config", flag, "-c", "none.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "docs" / document).read_text()


def test_documents_that_are_made_from_tables_are_up_to_date():
    """If this fails: ./dev docs"""
    done = subprocess.run(["/usr/bin/python3", ROOT / "tools" / "write_docs.py", BINARY.resolve(), "--check"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command, of_file", [("serve", 78), ("config", 78), ("check", 1)])
def test_mistakes_of_flags_alone_are_wrong_usage(tmp_path, command, of_file):
    flags = ("--workers", "0", "--max-connections-per-ip=3")
    clash = ("--listen", "[::]:7000", "--admin-listen", "127.0.0.1:7000")
    assert run_binary(command, *flags, cwd=tmp_path).returncode == 2
    assert run_binary(command, *clash, cwd=tmp_path).returncode == 2
    assert run_binary(command, *flags, cwd=tmp_path,
               env={"GATEHOUSE_LOG_LEVEL": "loud"}).returncode == of_file
    assert run_binary(command, *clash[:2], cwd=tmp_path,
               env={"GATEHOUSE_ADMIN_LISTEN": "127.0.0.1:7000"}).returncode == of_file
    (tmp_path / "bad.yaml").write_text("x: 1\n")
    assert run_binary(command, *flags, "-c", "bad.yaml", cwd=tmp_path).returncode == of_file


def test_pipe_without_a_writer_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = run_binary("check", "-c", "pipe", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("pipe: is a pipe or a terminal and nothing came for ")


@pytest.mark.parametrize("script", ["config -c <(echo 'server: {workers: 3}')",
                                    "config -c /dev/stdin < <(echo 'server: {workers: 3}')"])
def test_process_substitution_is_a_configuration(script):
    done = subprocess.run(["bash", "-c", f"{BINARY.resolve()} {script}"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert "  workers: 3 " in done.stdout


def test_empty_device_is_an_empty_file(tmp_path):
    done = run_binary("check", "-c", "/dev/null", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [("version",), ("--help",), ("check",), ("config",),
                                       ("config", "--reference"), ("bench", "--help")])
def test_output_that_cannot_be_written_is_a_failure(tmp_path, arguments):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([BINARY.resolve(), *arguments], stdout=full, text=True,
                              stderr=subprocess.PIPE, timeout=20, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("gatehouse: standard output cannot be written")
