# SPDX-License-Identifier: Apache-2.0
"""Starting: what cannot work is said with its value and its remedy, exit 78."""

import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest

from kit import wsraw
from kit.gateway import BINARY, run_binary


@pytest.mark.parametrize("which", ["server", "admin"])
def test_port_in_use(start, which):
    with wsraw.listen() as other:
        port = other.getsockname()[1]
        refused = start(**{which: {"listen": f"127.0.0.1:{port}"}})
        assert refused.wait_exit() == 78
        assert f"127.0.0.1:{port}" in refused.log
        assert "in use" in refused.log.lower()


def test_port_of_another_gateway(gateway, start):
    """SO_REUSEPORT would let two gateways share a port without a word."""
    first = gateway()
    address = f"127.0.0.1:{first.address[1]}"
    second = start(server={"listen": address})
    assert second.wait_exit() == 78
    assert address in second.log
    with first.open() as client:
        client.echo(b"untouched")


@pytest.mark.parametrize("which", ["server", "admin"])
def test_address_that_is_not_ours(start, which):
    refused = start(**{which: {"listen": "192.0.2.1:8080"}})
    assert refused.wait_exit() == 78
    assert "192.0.2.1:8080" in refused.log


def test_same_address_for_both_listeners(start):
    address = f"127.0.0.1:{wsraw.free_port()}"
    refused = start(server={"listen": address}, admin={"listen": address})
    assert refused.wait_exit() == 78
    assert address in refused.log


BAD_FILES = {
    # name: (text of the file, what the message must have, where it is: line:column or line)
    "unknown key": ("server:\n  max_conections: 5\n", "max_conections", ":2:3"),
    "unknown section": ("sever:\n  listen: 127.0.0.1:0\n", "sever", ":1:1"),
    "wrong type": ("server:\n  max_connections: many\n", "many", ":2:"),
    "out of range": ("server:\n  max_connections: 0\n", "max_connections", ":2:"),
    "duration without a unit": ("server:\n  handshake_timeout: 10\n", "handshake_timeout", ":2:"),
    "bad address": ("server:\n  listen: nowhere\n", "nowhere", ":2:"),
    "bad engine": ("server:\n  engine: kqueue\n", "kqueue", ":2:"),
    "not YAML": ("server: [\n", "", ":"),
    "key twice": ("server:\n  workers: 1\n  workers: 2\n", "workers", ":3:"),
    "route twice": ("routes:\n  - path: /a/{client_id}\n    backend: echo\n"
                    "  - path: /a/{client_id}\n    backend: echo\n", "/a/{client_id}", ":4:"),
    "unknown back end": ("routes:\n  - path: /a/{client_id}\n    backend: soap\n", "soap", ":3:"),
    "tab as indent": ("server:\n\tworkers: 1\n", "", ":2:"),
}


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_refused_with_its_place(tmp_path, command, name):
    text, mention, place = BAD_FILES[name]
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    done = run_binary(command, "-c", path)
    assert done.returncode == {"serve": 78, "check": 1}[command], done
    said = done.stdout + done.stderr
    assert mention in said, said
    assert f"{path}{place}" in said, said


def test_every_mistake_is_reported(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("server:\n  workers: many\n  engine: kqueue\n  max_conections: 3\n"
                    "admin:\n  listen: nowhere\n")
    done = run_binary("serve", "-c", path)
    assert done.returncode == 78
    for line in (2, 3, 4, 6):
        assert f"{path}:{line}:" in done.stdout + done.stderr, done


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\0" * 100, b"&a [*a, *a]", b"a: &x {b: *x}",
                                     b"- " * 5000, b"{" * 5000])
def test_file_that_is_no_configuration(tmp_path, content):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    done = run_binary("serve", "-c", path)
    assert done.returncode == 78, done
    assert str(path) in done.stdout + done.stderr


def test_file_that_is_not_there(tmp_path):
    done = run_binary("serve", "-c", tmp_path / "none.yaml")
    assert done.returncode == 78
    assert "none.yaml" in done.stderr


def test_directory_instead_of_a_file(tmp_path):
    done = run_binary("serve", "-c", tmp_path)
    assert done.returncode == 78
    assert str(tmp_path) in done.stderr


@pytest.mark.parametrize("arguments", [("--no-such-flag",), ("-c",), ("surplus",)])
def test_wrong_flag(arguments):
    done = run_binary("serve", *arguments)
    assert done.returncode == 2
    assert arguments[-1] in done.stderr


def test_environment_overrides_the_file(gateway):
    running = gateway(server={"max_connections": 5},
                      env={"GATEHOUSE_SERVER_MAX_CONNECTIONS": "7"})
    assert running.health()["max_connections"] == 7


def test_bad_environment_is_refused_by_name(start):
    refused = start(env={"GATEHOUSE_SERVER_MAX_CONNECTIONS": "lots"})
    assert refused.wait_exit() == 78
    assert "GATEHOUSE_SERVER_MAX_CONNECTIONS" in refused.log and "lots" in refused.log


@pytest.mark.parametrize("command", [(), ("serve",), ("check",), ("config",), ("version",), ("bench",)])
def test_help(command):
    done = run_binary(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: gatehouse") or "\nUsage: gatehouse" in done.stdout
    assert done.stderr == ""


def test_engine_and_reason_are_logged(gateway, engine):
    lines = [line for line in gateway().log.splitlines() if f"engine={engine}" in line]
    assert lines and any(re.search(r'reason=', line) for line in lines)


def test_ipv6_listener(gateway):
    running = gateway(server={"listen": "'[::1]:0'"})
    assert running.address[0] == "::1"
    with running.open() as client:
        client.echo(b"six")


def test_closed_standard_descriptors_become_dev_null(tmp_path):
    """Else an internal descriptor would get number 2, and the log would go there."""
    port, admin = wsraw.free_port(), wsraw.free_port()
    command = (f"exec {BINARY.resolve()} serve --listen 127.0.0.1:{port} "
               f"--admin-listen 127.0.0.1:{admin} --workers 1 --max-connections 10 0<&- 1>&- 2>&-")
    process = subprocess.Popen(["bash", "-c", command], cwd=tmp_path)

    def health():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health",
                                        timeout=wsraw.SECONDS) as answer:
                return answer.status == 200
        except urllib.error.URLError:
            return False

    try:
        wsraw.wait_until(health, "a healthy gateway")
        for fd in (0, 1, 2):
            assert os.readlink(f"/proc/{process.pid}/fd/{fd}") == "/dev/null"
        process.terminate()
        assert process.wait(wsraw.SECONDS) == 0
    finally:
        process.kill()
        process.wait()
