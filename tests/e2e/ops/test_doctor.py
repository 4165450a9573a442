# SPDX-License-Identifier: Apache-2.0
"""`gatehouse doctor`: this machine, running gateways, foreign servers, and what is in the way."""

import contextlib
import json
import os
import pathlib
import pty
import re
import resource
import select
import signal
import socket
import subprocess
import sys

import pytest

from kit import wsraw
from kit.gateway import BINARY, run_binary, with_nofile

NOBODY = 65534


def run(*arguments, cwd="/", prepare=None, **options):
    return run_binary("doctor", *arguments, cwd=cwd, preexec_fn=prepare, **options)


def ask(*arguments, code, **options) -> dict:
    """The JSON of an answer with this exit code."""
    done = run("--json", *arguments, **options)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def row(answer: dict, limit: str) -> dict:
    return next(row for row in answer["limits"] if row["limit"] == limit)


def needs_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


# --- this machine ---

def test_this_machine():
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    first = done.stdout.splitlines()[0]
    assert re.match(r"This machine and configuration hold [\d,]+ connections; the limit that binds "
                    r"is \S+ \([\d,.]+.*\); next would be \S+ at [\d,]+\.$", first), first
    assert "\x1b" not in done.stdout
    names = [line.split()[0] for line in done.stdout.splitlines()[3:] if line]
    for limit in ("nofile", "fs.file-max", "memory", "somaxconn", "ListenOverflows", "io_uring"):
        assert limit in names
    assert first.split("binds is ")[1].startswith(names[1]), "the binding limit is the first row"


def test_json_agrees_with_the_text():
    answer = ask(code=0)
    assert answer["fits"] is True and answer["process"] is None and answer["wanted"] is None
    assert answer["engine"] in ("epoll", "io_uring") and answer["engine_reason"]
    assert answer["binding"] == answer["limits"][0]["limit"]
    assert answer["verdict"].startswith("This machine and configuration hold "
                                        f"{answer['connections']:,} connections")


def test_number_that_fits():
    done = run("--connections", 10)
    assert done.returncode == 0
    assert done.stdout.startswith("yes: 10 fit. ")
    assert "What to change" not in done.stdout


def test_number_that_no_machine_holds():
    answer = ask("--connections", 900000000, code=1)
    assert answer["verdict"].startswith("no: ") and "memory allows " in answer["verdict"]
    limits = {change["limit"] for change in answer["changes"]}
    too_small = {row["limit"] for row in answer["limits"]
                 if row["connections"] is not None and row["connections"] < 900000000}
    assert {"memory", "fs.file-max"} <= limits <= too_small | {"somaxconn", "tcp_max_syn_backlog"}


def nofile_advised(answer: dict) -> int:
    return next(int(change["text"].split("=")[1]) for change in answer["changes"]
                if change["place"] == "systemd" and change["limit"] == "nofile")


def test_advised_number_of_descriptors_makes_it_fit(engine):
    """With `ulimit -n 1024` nofile is named; under the very number that is advised it fits."""
    flags = ("--connections", 5000, "--engine", engine, "--workers", 1)
    answer = ask(*flags, code=1, prepare=with_nofile(1024))
    assert answer["binding"] == "nofile" and row(answer, "nofile")["value"] == 1024
    needed = nofile_advised(answer)
    assert 5000 < needed < 6000
    done = run(*flags, prepare=with_nofile(1024))
    for line in (f"LimitNOFILE={needed}", f"ulimit -n {needed}", f"--ulimit nofile={needed}:{needed}",
                 f"ulimits: {{ nofile: {{ soft: {needed}, hard: {needed} }} }}"):
        assert f"    {line}" in done.stdout, done.stdout
    assert ask(*flags, code=0, prepare=with_nofile(needed))["fits"] is True
    assert ask(*flags, code=1, prepare=with_nofile(needed - 1))["fits"] is False


def test_soft_limit_is_raised_as_serve_does():
    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, 2048))
    done = run("--engine=epoll", prepare=prepare)
    assert "nofile: the soft limit of 512 is raised to the hard one, 2,048" in done.stdout
    answer = ask("--engine=epoll", code=0, prepare=prepare)
    assert (answer["nofile_raised_from"], row(answer, "nofile")["value"]) == (512, 2048)


def test_configured_number_that_cannot_be_held(tmp_path):
    (tmp_path / "a.yaml").write_text("server: {max_connections: 5000, engine: epoll}\n")
    done = run("-c", "a.yaml", cwd=tmp_path, prepare=with_nofile(1024))
    assert done.returncode == 1
    assert done.stdout.startswith("server.max_connections 5,000 (a.yaml:1) cannot be held, serve would not "
                                  "start: nofile allows 9")
    assert "LimitNOFILE=" in done.stdout


LONG = "d" * 120 + "/" + "e" * 120


@pytest.mark.parametrize("where, said", [
    ("file", "a.yaml:3"),
    ("environment", "environment GATEHOUSE_SERVER_MAX_CONNECTIONS"),
    ("flag", "flag --max-connections"),
    ("environment, short", "environment GATEHOUSE_MAX_CONNECTIONS"),
    ("flag, long", "flag --server-max-connections"),
    ("a name of any bytes", "???.yaml:3"),
    ("a long name", "/" + "e" * 120 + "/a.yaml:3"),
])
def test_what_set_a_limit_is_said(tmp_path, where, said):
    """The story behind this: a large number in one place, and a small one in another that wins."""
    folder = tmp_path / LONG if where == "a long name" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    name = b"\xff\xfe\x1b.yaml" if where == "a name of any bytes" else b"a.yaml"
    (folder / os.fsdecode(name)).write_text("# by hand\nserver:\n  max_connections: 1000\n")
    arguments = ["-c", folder / "a.yaml" if where == "a long name" else os.fsdecode(name)]
    value = 1000
    env = {}
    if where == "environment":
        env, value = {"GATEHOUSE_SERVER_MAX_CONNECTIONS": "900"}, 900
    if where == "environment, short":
        env, value = {"GATEHOUSE_MAX_CONNECTIONS": "900"}, 900
    if where.startswith("flag"):
        env, value = {"GATEHOUSE_SERVER_MAX_CONNECTIONS": "900"}, 800
        arguments += [said.split()[1], "800"]
    done = run(*arguments, "--connections", 2000, "--json", "--report", tmp_path / "r.md", cwd=tmp_path, env=env)
    answer = json.loads(done.stdout)
    one = row(answer, "max_connections")
    assert (one["value"], one["source"]) == (value, "server.max_connections")
    advised = next(change["text"] for change in answer["changes"] if change["limit"] == "max_connections")
    assert advised == "server.max_connections: 2000" + {
        "environment": f" # and take {said.split()[-1]} out of the environment, which beats the file",
        "flag": f" # and take away {said.split()[-1]}, which beats the file"}.get(where.split(",")[0], "")
    assert one["set_by"].endswith(said) and len(one["set_by"]) < 256
    assert row(answer, "accept_rate")["set_by"] == "default"
    assert row(answer, "fs.file-max")["set_by"] == "", "its source says it"
    assert f"max_connections allows {value:,} (" in answer["verdict"] and f"{said})" in answer["verdict"]
    line = next(line for line in (tmp_path / "r.md").read_text(errors="replace").splitlines()
                if line.startswith("| `max_connections` |"))
    assert line.replace("\\", "").endswith(f"{said} |")


def test_what_set_a_limit_of_a_route(tmp_path):
    (tmp_path / "a.yaml").write_text("routes:\n  - path: /a\n  - path: /b\n    max_connections: 7\n"
                                     "backends:\n  - name: x\n    type: webhook\n    url: http://127.0.0.1:1/\n")
    answer = ask("-c", "a.yaml", cwd=tmp_path, code=0)
    assert row(answer, "routes.max_connections")["set_by"] == "a.yaml:4"
    assert row(answer, "backends.pending_max")["set_by"] == "default"


def test_broken_configuration(tmp_path):
    (tmp_path / "bad.yaml").write_text("server: {max_connections: many}\nx: 1\n")
    done = run("-c", "bad.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 78
    assert "bad.yaml:1:" in done.stderr and "bad.yaml:2:1: x: there is no such key" in done.stderr
    answer = json.loads(done.stdout)
    assert answer["fits"] is False and answer["limits"] == []
    assert answer["verdict"] == "the configuration cannot be loaded"


@pytest.mark.parametrize("arguments, said", [
    (("--connections", "0"), "--connections: 0 is not a whole number from 1 to "),
    (("--connections", "many"), "--connections: many is not"),
    (("--connections=-5",), "--connections: -5 is not"),
    (("--connections",), "--connections needs a value"),
    (("--pid", "0"), "--pid: 0 is not a process id"),
    (("--pid", "1x"), "--pid: 1x is not"),
    (("--pid", "4194305"), "--pid: 4194305 is not"),
    (("--pid", "99999999999999999999999"), "is not a process id"),
    (("--pid", ""), '--pid: "" is not'),
    (("--pid", "1", "-c", "x.yaml"), "--pid and --config exclude each other"),
    (("--pid", "1", "--workers", "2"), "--pid excludes the flags of the configuration"),
    (("--json=yes",), "--json takes no value"),
    (("--jsn",), "unknown option --jsn; did you mean --json?"),
    (("--conections", "5"), "did you mean --connections?"),
    (("extra",), "unexpected argument extra"),
])
def test_wrong_usage(tmp_path, arguments, said):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr and done.stdout == ""


def test_help_names_options_and_exit_codes():
    done = run("--help")
    assert done.returncode == 0
    for part in ("--connections N", "--pid PID", "--json", "78 the configuration", "--max-connections"):
        assert part in done.stdout


# --- colours ---

def on_terminal(*arguments, env) -> str:
    """What it writes to a pseudo-terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([BINARY.resolve(), "doctor", *arguments], stdout=theirs, cwd="/",
                          stdin=subprocess.DEVNULL, env=os.environ | env) as process:
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while select.select([ours], [], [], wsraw.SECONDS)[0] and (part := os.read(ours, 65536)):
                written += part
        assert process.wait(wsraw.SECONDS) == 0
    os.close(ours)
    return written.decode()


@pytest.mark.parametrize("arguments, env, has_colours", [
    ((), {"TERM": "xterm", "NO_COLOR": ""}, True),
    ((), {"TERM": "xterm", "NO_COLOR": "1"}, False),
    ((), {"TERM": "dumb", "NO_COLOR": ""}, False),
    (("--json",), {"TERM": "xterm", "NO_COLOR": ""}, False),
])
def test_colours_only_on_a_terminal_that_wants_them(arguments, env, has_colours):
    assert ("\x1b[" in on_terminal(*arguments, env=env)) is has_colours


# --- running servers ---

def test_running_gateway(gateway, engine):
    """Its connections show, also those that take no descriptor."""
    running = gateway(prepare=with_nofile(512))
    idle = ask("--pid", running.process.pid, code=0)
    assert idle["used"] == 0
    assert ("per ring" in row(idle, "nofile")["note"]) is (engine == "io_uring")
    with contextlib.ExitStack() as stack:
        for number in range(60):
            stack.enter_context(running.open(f"/ws/{number}"))
        pid = running.process.pid
        answer = ask("--pid", pid, code=0)
        process = answer["process"]
        assert process["pid"] == pid and process["name"] == "gatehouse"
        assert answer["used"] >= 60 and process["problem"] == ""
        listeners = {listener["address"]: listener for listener in process["listeners"]}
        public = listeners[f"{running.address[0]}:{running.address[1]}"]
        assert public["established"] == 60
        assert public["queue"] == 0 and public["drops"] == 0 and public["backlog"] > 0
        assert f"{running.admin[0]}:{running.admin[1]}" in listeners
        assert answer["binding"] == "nofile" and row(answer, "nofile")["value"] == 512
        if engine == "io_uring":
            assert process["rings"] >= 1 and process["sockets"] < 60
        else:
            assert process["rings"] == 0 and process["sockets"] >= 60
        too_many = ask("--pid", pid, "--connections", 100000, code=1)
        assert "nofile allows " in too_many["verdict"]
        assert any(change["limit"] == "nofile" for change in too_many["changes"])


def test_a_full_gateway_is_judged_by_its_own_limits(gateway, engine):
    """The kernel knows nothing of max_connections; and the ring of the admin is no worker's."""
    running = gateway(server={"workers": 2, "max_connections": 20})
    pid = running.process.pid
    idle = ask("--pid", pid, code=0)
    assert (idle["binding"], idle["connections"], idle["used"]) == ("max_connections", 20, 0)
    assert row(idle, "nofile")["note"].count("2 workers") == 1
    fits = ask("--pid", pid, "--connections", 20, code=0)
    assert fits["verdict"].startswith("yes: 20 fit. gatehouse (pid ")
    more = ask("--pid", pid, "--connections", 21, code=1)
    assert re.fullmatch(r"no: max_connections allows 20 \(\S+/application\.yaml:\d+\)\.", more["verdict"])
    assert [change["text"] for change in more["changes"] if not change["advice"]] == [
        "server.max_connections: 21"]
    with contextlib.ExitStack() as stack:
        for number in range(20):
            stack.enter_context(running.open(f"/ws/{number}"))
        full = ask("--pid", pid, code=1)
        assert full["used"] == 20
        assert full["verdict"].endswith("; max_connections is 100% used.")
        assert run("--pid", pid).stdout.splitlines()[0] == full["verdict"]


def test_a_gateway_that_does_not_answer_is_not_judged(gateway):
    running = gateway(server={"max_connections": 20})
    running.signal(signal.SIGSTOP)
    try:
        answer = ask("--pid", running.process.pid, "--connections", 10, code=1)
        assert answer["verdict"].startswith(
            f"that cannot be known of 10. gatehouse (pid {running.process.pid}) does not tell its own "
            "limits, max_connections among them (")
        assert "no answer in time" in answer["verdict"]
    finally:
        running.signal(signal.SIGCONT)


@pytest.mark.parametrize("chosen", ["epoll", "io_uring"])
def test_changes_say_how_they_help(chosen, engine):
    if chosen != engine:
        pytest.skip("the other engine's turn")
    answer = ask("--connections", 60000, "--engine", engine, "--workers", 2, "--max-connections", "auto",
                 code=1, prepare=with_nofile(2000))
    why = {change["place"]: change["why"] for change in answer["changes"] if change["limit"] == "nofile"}
    if engine == "epoll":
        assert re.fullmatch(r"one for each connection, and \d+ that are none: workers, admin, handshakes, "
                            "back ends", why["shell"])
    else:
        assert why["shell"] == "room for so many sockets in the ring of each of 2 workers"
        assert re.fullmatch(r"\d+ workers then: each has a ring of its own, and a ring has room for nofile "
                            r"\(2000\) sockets", why["configuration"])
    text = run("--connections", 60000, "--engine", engine, "--workers", 2, prepare=with_nofile(2000)).stdout
    assert text.count(f"({why['shell']})") == 1


SERVER = """
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(5)
print(s.getsockname()[1], flush=True)
held = [s.accept() for _ in range(int(sys.argv[1]))]
print("accepted", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def foreign_server(accepts: int = 0, prepare=None):
    """A Python program that listens with a backlog of 5 and accepts so many."""
    with subprocess.Popen([sys.executable, "-c", SERVER, str(accepts)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, preexec_fn=prepare) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_foreign_server_with_waiting_connections():
    with contextlib.ExitStack() as stack:
        process, port = stack.enter_context(foreign_server(accepts=4))
        for _ in range(4):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), wsraw.SECONDS))
        assert process.stdout.readline() == "accepted\n"
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), wsraw.SECONDS))
        answer = ask("--pid", process.pid, code=0)
        [listener] = answer["process"]["listeners"]
        assert listener == {"address": f"127.0.0.1:{port}", "queue": 3, "backlog": 5, "drops": 0,
                            "established": 7}
        assert answer["used"] == 4
        done = run("--pid", process.pid)
        assert (f"listens on 127.0.0.1:{port}: 7 connections; 3 wait to be accepted, backlog 5; "
                "0 lost") in done.stdout


def test_foreign_server_with_a_full_queue():
    with contextlib.ExitStack() as stack:
        process, port = stack.enter_context(foreign_server())
        for _ in range(12):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        # SYNs beyond the queue are dropped and tried again.
        answer = wsraw.wait_until(
            lambda: (lost := ask("--pid", process.pid, code=1))["process"]["listeners"][0]["drops"]
            and lost, "drops")
        assert answer["process"]["listeners"][0]["queue"] == 6
        assert f"the queue of 127.0.0.1:{port} is full: 6 wait, its backlog is 5" in answer["verdict"]
        assert "Its backlog of 5 is its own setting" in run("--pid", process.pid).stdout


def test_descriptors_that_are_nearly_used_up():
    with contextlib.ExitStack() as stack:
        process, port = stack.enter_context(foreign_server(accepts=56, prepare=with_nofile(60)))
        for _ in range(56):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), wsraw.SECONDS))
        assert process.stdout.readline() == "accepted\n"
        answer = ask("--pid", process.pid, code=1)
        assert re.search(r"; nofile is (9[5-9]|100)% used", answer["verdict"]), answer["verdict"]
        assert answer["connections"] == 56, "60 less standard streams and the listener"


def test_server_in_another_network_namespace():
    needs_root()
    everywhere = SERVER.replace("127.0.0.1", "0.0.0.0")
    with subprocess.Popen(["unshare", "-n", sys.executable, "-c", everywhere, "0"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline())
            answer = ask("--pid", process.pid, code=0)
            assert [listener["address"] for listener in answer["process"]["listeners"]] == [
                f"0.0.0.0:{port}"]
        finally:
            process.kill()


def test_own_process():
    """`doctor --pid` of the shell's own child: exec keeps the id."""
    done = subprocess.run(["sh", "-c", f"exec {BINARY.resolve()} doctor --json --pid $$"],
                          capture_output=True, text=True, timeout=20, check=False, cwd="/")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["process"]["name"] == "gatehouse"


# --- what is in the way ---

def test_process_that_is_gone():
    with subprocess.Popen(["true"]) as process:
        process.wait()
    done = run("--pid", process.pid, "--json")
    assert done.returncode == 1
    assert f"process {process.pid}: there is none" in done.stderr
    assert json.loads(done.stdout)["fits"] is False


def test_zombie():
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        done = run("--pid", process.pid)
        assert done.returncode == 1
        assert "is a zombie" in done.stdout
        assert ask("--pid", process.pid, code=1)["process"]["state"] == "zombie"


def test_kernel_thread():
    if pathlib.Path("/proc/2/comm").read_text().strip() != "kthreadd":
        pytest.skip("no kernel thread is to be seen here")
    assert "a thread of the kernel: it has no descriptors" in ask("--pid", 2, code=1)["verdict"]


def test_process_of_somebody_else():
    """What can be read is shown; the rest is unknown, with the reason and what to do."""
    needs_root()
    with foreign_server() as (process, _):
        done = subprocess.run([sys.executable, "-c", AS_NOBODY, BINARY.resolve(),
                               str(process.pid)], capture_output=True, text=True, timeout=20,
                              check=False, cwd="/")
        answer = json.loads(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr
        assert answer["process"]["sockets"] is None and answer["process"]["listeners"] == []
        assert "it is not ours; run it as root" in answer["process"]["problem"]
        assert row(answer, "nofile")["state"] == "known"


# The binary may lie where nobody may not go: it is opened before the rights are given up.
AS_NOBODY = f"""
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
os.setgroups([]); os.setresgid(*[{NOBODY}] * 3); os.setresuid(*[{NOBODY}] * 3)
os.execve(fd, ["gatehouse", "doctor", "--json", "--pid", sys.argv[2]], os.environ)
"""


def test_partial_proc():
    """Under a tmpfs on /proc/sys facts are missing: listed as unknown, with the path."""
    needs_root()
    prefix = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc/sys && exec "$0" "$@"')
    answer = ask(code=0, prefix=prefix)
    for limit in ("fs.file-max", "fs.nr_open", "somaxconn", "tcp_max_syn_backlog"):
        assert row(answer, limit)["state"] == "unknown"
        assert row(answer, limit)["note"], limit
    done = run("--connections", 10, prefix=prefix)
    assert done.returncode == 0
    assert re.search(r"^somaxconn +network +unknown ", done.stdout, re.MULTILINE), done.stdout
