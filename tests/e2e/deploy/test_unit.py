# SPDX-License-Identifier: Apache-2.0
"""The unit of systemd: held against the program by 'gatehouse check --unit', and against systemd by
systemd-analyze, where that is installed; and the program runs with the system calls that the unit leaves."""

import configparser
import ctypes
import re
import shutil
import subprocess

import pytest

from kit.gateway import BINARY, ROOT, is_sanitized, run_binary

pytestmark = pytest.mark.once("files of the deployment")

UNIT = ROOT / "deploy" / "systemd" / "gatehouse.service"
TEXT = UNIT.read_text()
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
EPERM = 1
SCMP_ACT_ERRNO, SCMP_ACT_ALLOW = 0x00050000, 0x7FFF0000  # seccomp.h


def changed(tmp_path, *changes: tuple[str, str]):
    """A copy of the unit, for the binary under test, in which lines are others; ("Key", "") removes one."""
    text = TEXT.replace("/usr/local/bin/gatehouse", str(BINARY))
    for key, value in changes:
        text, count = re.subn(rf"(?m)^{key}=.*\n", f"{key}={value}\n" if value else "", text)
        assert count > 0, key
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    return copy


def check(unit, *arguments):
    return run_binary("check", "--unit", unit, *arguments)


# --- by the program ---

def test_the_unit_fits(tmp_path):
    done = run_binary("check", "--config-only", "--unit", UNIT, cwd=tmp_path)  # where there is no file
    assert done.returncode == 0 and UNIT.name not in done.stdout + done.stderr, done


@pytest.mark.parametrize("stop, spread, is_good", [
    ("90", "1m", True), ("90", "79s", True), ("90", "80s", False), ("5min 30s", "5m", True), ("5min 10s", "5m", False),
    ("infinity", "1h", True), ("soon", "1m", False), (None, "79s", True), (None, "80s", False)])
def test_the_time_to_end(tmp_path, stop, spread, is_good):
    """Longer than drain_delay, drain_spread and drain_timeout (10 s) together."""
    done = check(changed(tmp_path, ("TimeoutStopSec", stop or "")), "--config-only", "--drain-spread", spread)
    assert done.returncode == (0 if is_good else 1), done
    assert is_good or "TimeoutStopSec=" in done.stderr and "the unit does not fit: 1 mistake" in done.stderr
    late = check(changed(tmp_path, ("TimeoutStopSec", stop or "")), "--config-only", "--drain-spread", spread,
                 "--drain-delay", "1h")
    assert late.returncode == (0 if stop == "infinity" else 1)


@pytest.mark.parametrize("limit, is_good", [
    ("20000", True), ("1024:20000", True), ("infinity", True), ("5000", False), ("20000:5000", False), ("x", False)])
def test_the_descriptors(tmp_path, limit, is_good):
    done = check(changed(tmp_path, ("LimitNOFILE", limit)), "--engine", "epoll", "--max-connections", "10000")
    assert done.returncode == (0 if is_good else 1), done
    assert is_good or "LimitNOFILE=" in done.stderr


@pytest.mark.parametrize("changes, said", [
    ((("Type", "exec"), ("NotifyAccess", "")), ["Type=exec: with notify", "WatchdogSec=30, but without Type=notify"]),
    ((("NotifyAccess", "main"),), ["NotifyAccess=main: with all"]),
    ((("LimitNOFILE", ""),), ["it has no LimitNOFILE"]),
    ((("ExecStart", "/bin/gatehouse serve -c /etc/other.yaml"),), ["it starts with /etc/other.yaml"])])
def test_what_is_worth_a_look(tmp_path, changes, said):
    config = tmp_path / "gatehouse.yaml"
    config.write_text("server: {max_connections: 100}\n")
    done = check(changed(tmp_path, *changes), "--config-only", config)
    assert done.returncode == 0
    for one in said:
        assert f"warning: {tmp_path / UNIT.name}: {one}" in done.stdout


def test_drop_ins_count_too(tmp_path):
    """In the order of their names, over the unit; what is wrong is said of the file that says it."""
    unit = changed(tmp_path, ("LimitNOFILE", "20000"))
    dropins = tmp_path / f"{UNIT.name}.d"
    dropins.mkdir()
    (dropins / "20-less.conf").write_text("[Service]\nLimitNOFILE=5000\nNotifyAccess=main\n")
    (dropins / "10-more.conf").write_text("[Service]\nLimitNOFILE=40000\nTimeoutStopSec=5\n")
    (dropins / "90-none").write_text("[Service]\nLimitNOFILE=1\n")
    options = "--engine", "epoll", "--max-connections", "10000"
    done = check(unit, *options)
    assert done.returncode == 1 and "the unit does not fit: 2 mistakes" in done.stderr, done
    assert f"{dropins}/20-less.conf: with LimitNOFILE=5000 server.max_connections cannot be held" in done.stderr
    assert f"{dropins}/10-more.conf: TimeoutStopSec=5 is not longer than" in done.stderr
    assert f"warning: {dropins}/20-less.conf: NotifyAccess=main: with all" in done.stdout
    assert re.findall(r"(?m)^drop-in: (.*)$", done.stdout) == [f"{dropins}/10-more.conf", f"{dropins}/20-less.conf"]
    (dropins / "30-mended.conf").write_text("[Service]\nLimitNOFILE=20000\nTimeoutStopSec=330\nNotifyAccess=all\n")
    assert check(unit, *options).returncode == 0
    (dropins / "40-lost.conf").symlink_to(tmp_path / "nothing")
    done = check(unit, *options)
    assert done.returncode == 1 and f"{dropins}/40-lost.conf: it cannot be read: No such file" in done.stderr


def test_what_is_no_unit(tmp_path):
    none = check(tmp_path / "none.service")
    assert none.returncode == 1 and "cannot be read: No such file" in none.stderr
    other = check(ROOT / "README.md")
    assert other.returncode == 1 and "has no section [Service]" in other.stderr
    signal = check(changed(tmp_path, ("KillMode" if "KillMode" in TEXT else "UMask", "0077\nKillSignal=SIGHUP")))
    assert signal.returncode == 1 and "KillSignal=SIGHUP does not end the gateway" in signal.stderr


# --- by systemd ---

@needs_systemd
def test_systemd_understands_it(tmp_path):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", changed(tmp_path)], capture_output=True, text=True,
                          check=False)
    about_it = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert done.returncode == 0 and about_it == [], done


@needs_systemd
def test_it_exposes_little(tmp_path):
    """Of 10; what is left is mostly that a gateway needs the network."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20",
                           changed(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@needs_systemd
def test_systemd_understands_the_socket(tmp_path):
    """Which is for a listener of the configuration beside it."""
    changed(tmp_path)
    copy = tmp_path / "gatehouse.socket"
    copy.write_text(UNIT.with_name("gatehouse.socket").read_text())
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "gatehouse" not in done.stdout + done.stderr, done
    (place,) = re.findall(r"(?m)^ListenStream=(.*)$", copy.read_text())
    assert f"address: {place}\n" in (ROOT / "deploy" / "tls" / "gatehouse.yaml").read_text()


# --- its system calls ---

def sets(name: str, seen: set[str]) -> set[str]:
    """The calls of a set of systemd's, with those of the sets in it."""
    if not name.startswith("@"):
        return {name}
    if name in seen:
        return set()
    seen.add(name)
    listed = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True,
                            check=True).stdout
    words = [line.strip() for line in listed.splitlines()[1:]]
    return set().union(*(sets(word, seen) for word in words if word and not word.startswith("#")))


def allowed_calls() -> set[str]:
    calls: set[str] = set()
    for line in re.findall(r"(?m)^SystemCallFilter=(.*)$", TEXT):
        named = set().union(*(sets(word, set()) for word in line.removeprefix("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls | sets("@default", set()) | {"execve", "exit", "exit_group", "rt_sigreturn"}


@pytest.fixture(scope="module")
def filtered():
    """For preexec_fn: what SystemCallFilter= does."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("libseccomp is not installed")
    library.seccomp_init.restype = ctypes.c_void_p
    for name in ("seccomp_rule_add", "seccomp_load"):
        getattr(library, name).argtypes = [ctypes.c_void_p, *([ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
                                                              if name == "seccomp_rule_add" else [])]
    numbers = [library.seccomp_syscall_resolve_name(name.encode()) for name in sorted(allowed_calls())]

    def prepare() -> None:
        context = library.seccomp_init(SCMP_ACT_ERRNO | EPERM)
        for number in numbers:
            if number != -1:
                library.seccomp_rule_add(context, SCMP_ACT_ALLOW, number, 0)
        assert library.seccomp_load(context) == 0

    return prepare


@needs_systemd
@pytest.mark.skipif(is_sanitized(), reason="sanitizers make calls of their own")
def test_it_runs_with_the_calls_that_are_left(gateway, filtered, engine, tmp_path):
    """On the engine that it would take without the filter, with a unix socket that is given to its group."""
    place = tmp_path / "gatehouse.sock"
    running = gateway(prepare=filtered, server={"workers": 2, "listeners": [
        {"address": "127.0.0.1:0"}, {"address": f"unix:{place}", "mode": "0660"}]})
    assert running.wait_log("engine chosen")["engine"] == engine
    with running.open() as client:
        client.echo(b"served")
        assert running.get("/limits").status == running.get("/metrics").status == 200
    running.stop()
    assert "Operation not permitted" not in running.log, running.log


def test_options_of_its_own(tmp_path):
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(UNIT)
    service = parser["Service"]
    assert service["Type"] == "notify" and service["NotifyAccess"] == "all"
    assert service["User"] not in ("", "root") and service["NoNewPrivileges"] == "yes"
