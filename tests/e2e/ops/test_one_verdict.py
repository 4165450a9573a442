# SPDX-License-Identifier: Apache-2.0
"""`check` and `serve` have one verdict: what ends the start is found by the check, in the same words."""

import hashlib
import re
import resource

import pytest

from kit import wsraw
from kit.gateway import base_config, run_binary, to_yaml

HOOK = {"name": "b", "type": "webhook", "url": "http://127.0.0.1:9/"}


def route_to(**backend) -> dict:
    return {"routes": [{"path": "/a", "backend": "b"}], "backends": [HOOK | backend]}


# name: (what is added to a good configuration, what both say)
WRONG = {
    "api token missing": ({"admin": {"token_file": "/nowhere/token"}},
                          "admin.token_file: /nowhere/token cannot be opened: No such file"),
    "hook secret missing": (route_to(secret_file="/nowhere/secret"),
                            "backends[0].secret_file: /nowhere/secret cannot be read: No such file"),
    "hook CA missing": (route_to(ca_file="/nowhere/ca"),
                        "backends[0].ca_file: the CA file '/nowhere/ca' cannot be read: No such file"),
    "hook CA without certificates": (route_to(ca_file="/etc/hostname"),
                                     "backends[0].ca_file: the CA file '/etc/hostname' holds no certif"),
    "hook headers missing": (route_to(headers_file="/nowhere/headers"), "/nowhere/headers"),
    "variable in a URL": (route_to(url="'http://${BACKEND_HOST}:9000/'"), "backends[0].url: "),
    "braces in a URL": (route_to(url="'http://{host}/x'"), "backends[0].url: "),
    "word for a port": (route_to(url="'http://h:port/x'"), "backends[0].url: "),
    "port over 65535": (route_to(url="'http://h:99999/x'"), "backends[0].url: "),
    "bus password missing": ({"bus": {"type": "nats", "password_file": "/nowhere/pw"}},
                             "bus.password_file: /nowhere/pw cannot be opened: No such file"),
    "bus credentials missing": ({"bus": {"type": "nats", "credentials_file": "/nowhere/creds"}},
                                "bus.credentials_file: /nowhere/creds cannot be opened: No such"),
    "too many connections": ({"server": {"max_connections": 16000000}},
                             "server.max_connections cannot be held"),
    "address of another machine": ({"server": {"listen": "192.0.2.1:0"}},
                                   "server.listen: cannot listen on 192.0.2.1:0: "),
    "admin address of another": ({"admin": {"listen": "192.0.2.1:0"}},
                                 "admin.listen: cannot listen on 192.0.2.1:0: "),
}


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))


def run(command: str, config: dict, directory, *arguments, **options):
    path = directory / "application.yaml"
    path.write_text(to_yaml(config))
    return run_binary(command, "-c", path, *arguments, **options)


def with_added(added: dict) -> dict:
    config = base_config("epoll")
    for section, values in added.items():
        config[section] = values if isinstance(values, list) else config.get(section, {}) | values
    return config


@pytest.mark.parametrize("name", WRONG)
def test_what_ends_the_start_fails_the_check(tmp_path, name):
    added, words = WRONG[name]
    served = run("serve", with_added(added), tmp_path, preexec_fn=few_descriptors)
    checked = run("check", with_added(added), tmp_path, preexec_fn=few_descriptors)
    assert (served.returncode, checked.returncode) == (78, 1), served.stderr + checked.stderr
    assert words in served.stderr and words in checked.stderr
    assert checked.stdout == ""
    assert checked.stderr.endswith("gatehouse check: serve would not start: 1 mistake\n")


@pytest.mark.parametrize("name", WRONG)
def test_the_configuration_alone_can_be_judged(tmp_path, name):
    """As for another machine, whose files, limits and addresses are not here."""
    checked = run("check", with_added(WRONG[name][0]), tmp_path, "--config-only",
                  preexec_fn=few_descriptors)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_every_problem_is_told_at_once(tmp_path):
    config = with_added({"admin": {"token_file": "/nowhere/token"},
                         "server": {"listen": "192.0.2.1:0", "max_connections": 16000000}})
    served = run("serve", config, tmp_path, preexec_fn=few_descriptors)
    checked = run("check", config, tmp_path, preexec_fn=few_descriptors)
    for words in ("/nowhere/token", "192.0.2.1:0", "cannot be held"):
        assert words in served.stderr and words in checked.stderr
    assert "serve would not start: 3 mistakes" in checked.stderr


@pytest.mark.parametrize("which", ["server", "admin"])
def test_a_port_that_another_program_has_fails_both(tmp_path, which):
    with wsraw.listen() as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        config = with_added({which: {"listen": address}})
        served, checked = run("serve", config, tmp_path), run("check", config, tmp_path)
    words = f"{which}.listen: cannot listen on {address}: Address already in use by "
    assert (served.returncode, checked.returncode) == (78, 1)
    assert words in served.stderr and words in checked.stderr


def test_the_ports_of_the_running_gateway_are_a_warning(gateway, tmp_path):
    """Whoever checks a configuration before a restart has it running."""
    running = gateway()
    listen = [f"127.0.0.1:{address[1]}" for address in (running.address, running.admin)]
    config = with_added({"server": {"listen": listen[0]}, "admin": {"listen": listen[1]}})
    checked = run("check", config, tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    for address in listen:
        assert re.search(rf"^warning: \w+\.listen: cannot listen on {address}: Address already in "
                         rf"use by gatehouse \(pid {running.process.pid}\); ", checked.stdout, re.M)
    served = run("serve", config, tmp_path)
    assert served.returncode == 78
    assert f"by gatehouse (pid {running.process.pid})" in served.stderr


# --- what is no mistake ---

def test_warnings_are_said_by_both(start, tmp_path):
    added = {"server": {"idle_timeout": "20s"}, "admin": {"listen": "0.0.0.0:0"}}
    running = start(**added, env={"GATEHOUSE_HOME": "/srv"}).wait_ready()
    running.process.terminate()
    assert running.wait_exit() == 0
    checked = run("check", with_added(added), tmp_path)
    assert checked.returncode == 0
    for words in ("server.idle_timeout: 20s ends a silent connection before",
                  "admin.listen: 0.0.0.0:0 is open to every network, and there is no token"):
        assert [line for line in running.log.splitlines() if "level=warn" in line and words in line]
        assert re.search(f"^warning: .*{re.escape(words)}", checked.stdout, re.M)
    assert "GATEHOUSE_HOME: is no option of this program and is passed over" in running.log


def test_the_start_names_the_file_and_its_hash(gateway):
    running = gateway()
    said = running.wait_log("configuration")
    assert said["file"] == str(running.config_file)
    assert said["sha256"] == hashlib.sha256(running.config_file.read_bytes()).hexdigest()
