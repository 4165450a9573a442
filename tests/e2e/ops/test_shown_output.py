# SPDX-License-Identifier: Apache-2.0
"""What the pages of symptoms show is what the program prints: each command behind "$ " is run as it stands, in the
situation that the page is about, and prints the lines that stand below it ("..." is anything)."""

import contextlib
import pathlib
import re
import subprocess
import sys
import threading
import time

import pytest

from kit import documents, firewall, wsraw
from kit.alone import alone  # noqa: F401  a fixture
from kit.documents import DOCS
from kit.gateway import ROOT

pytestmark = pytest.mark.once("documents and what they show")

PAGES = [DOCS / "troubleshooting.md", *sorted((DOCS / "zh").glob("performance-*.md"))]
FILES = {
    "application.yaml": "server:\n  max_connections: 10000\nroutes:\n  - {path: '/ws/{client_id}'}\n"
                        "  - {path: '/up/{client_id}', backend: mine}\n"
                        "backends:\n  - {name: mine, type: webhook, url: 'http://127.0.0.1:9000/'}\n",
    "misspelt.yaml": "server:\n  max_connection: 10000\n",
    "gatehouse.service": "[Service]\nType=notify\nExecStart=/usr/bin/gatehouse serve\n",
    # A server of others, and a proxy that cuts whoever is silent.
    "echo.py": """
import asyncio, websockets
async def echo(ws, path=None):
    async for message in ws:
        await ws.send(message)
async def main():
    async with websockets.serve(echo, "127.0.0.1", 9001):
        await asyncio.Future()
asyncio.run(main())
""",
    "threads.py": """
import base64, hashlib, socket, threading
def serve(client):
    key = [line for line in client.recv(65536).decode().splitlines() if line.startswith("Sec-WebSocket-Key: ")][0][19:]
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    client.sendall(("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
                    f"Sec-WebSocket-Accept: {accept}\\r\\n\\r\\n").encode())
    while client.recv(65536):
        pass
with socket.create_server(("127.0.0.1", 9002), backlog=4096) as door:
    while True:
        client, _ = door.accept()
        try:
            threading.Thread(target=serve, args=(client,), daemon=True).start()
        except RuntimeError:  # no more threads
            client.close()
""",
    "proxy.py": """
import asyncio
async def pump(reader, writer):
    try:
        while data := await asyncio.wait_for(reader.read(65536), 2):
            writer.write(data)
    except Exception:
        pass
    writer.close()
async def serve(reader, writer):
    back_reader, back_writer = await asyncio.open_connection("127.0.0.1", 8080)
    await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))
async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", 8088):
        await asyncio.Future()
asyncio.run(main())
""",
}
# A test does not wait a minute for what shows after two seconds, nor make 32,768 threads; and a busy machine is late by a tenth.
SOONER = {"--hold 90s": "--hold 5s", "after 60.0 s": "after ... s", "held 3.0 s": "held ... s",
          "9002/ -q -c 40000": "9002/ -q -c 400", "plateau at 32,7...": "plateau at ..."}

# (what is in the command, the situation that it is typed in); the first counts.
SITUATIONS = [
    (r":9002|--pid SERVER|pid_max", "a server with a thread for each connection"),
    (r"doctor .*nf_conntrack_max", "a firewall that tracks"),
    (r":9001|--pid PID", "a Python server with 1,024 descriptors"),
    (r":8088|connections_closed_total\{'", "a proxy in front"),
    (r"--hold 30s", "a restart"),
    (r"--limits (?!.*--compare)|refused_total", "1,000 in the environment"),
    (r"192\.0\.2\.1|ulimit", "nothing runs"),
    (r"^gatehouse ready|--wait-ready|--compare|:808[0-2]/|after\.md", "10,000 in force"),
    (r"", "nothing runs"),
]


def shown(path) -> list[tuple[str, list[str]]]:
    text = path.read_text()
    for long, short in SOONER.items():
        text = text.replace(long, short)
    return [one for block in documents.blocks(text, "console") for one in documents.prompts(block)]


# What the README has people type, and a piece of what they see then.
TYPED = {
    r"ulimit -n 1024": "its own nofile is 1,024",
    r":8082": "nothing listens on 127.0.0.1:8082",
    r"--wait-ready": "PASS: 10,000 of 10,000 connected",
    r"--limits": "plateau at 1,000: the server's max_connections",
    r"doctor --connections": "What to change for 100,000 connections",
    r"doctor --pid": "can hold 1,0",
    r"doctor$": "max_connections",
}


def typed() -> list[str]:
    why = documents.section((ROOT / "README.md").read_text(), "Why did it stop at 1,000?")
    return [line for block in documents.blocks(why, "sh") for line in documents.without_comments(block).splitlines()]


def plain(command: str) -> str:
    """Without what changes nothing in what is shown: no progress; the same test over the same number of seconds."""
    return re.sub(r" -q(?= )", "", command)


def situation_of(command: str) -> str:
    return next(situation for pattern, situation in SITUATIONS if re.search(pattern, command))


def by_situation() -> dict[str, list[str]]:
    """Each command once, in the order of the pages."""
    found: dict[str, list[str]] = {situation: [] for _, situation in SITUATIONS}
    for command in [command for page in PAGES for command, _ in shown(page)] + typed():
        others = found[situation_of(command)]
        if plain(command) not in map(plain, others):
            others.append(command)
    return found


COMMANDS = by_situation()


def wait_port(port: int) -> None:
    def look():
        with contextlib.suppress(ConnectionRefusedError):
            return wsraw.Client(("127.0.0.1", port)).close() or True
    wsraw.wait_until(look, lambda: f"somebody at port {port}")


@contextlib.contextmanager
def program(here, script: str, port: int, *, nofile: int = 4096, limits: str = "true"):
    process = here.start(f"ulimit -n {nofile}; {limits}; exec {sys.executable} {script}", stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with here.space:
            wait_port(port)
        yield process
    finally:
        process.kill()
        process.wait()


def end_when_connected(here, gateway) -> None:
    while "gatehouse_connections 10\n" not in here.run("curl -s http://127.0.0.1:8081/metrics"):
        time.sleep(0.05)
    gateway.terminate()


def tracks(here) -> bool:
    """From now on connections are tracked, in a table of as many as the page says."""
    size = pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_max")
    if not size.exists() or size.read_text() != "262144\n":
        return False
    with here.space, contextlib.suppress(OSError):
        firewall.track()
        return True
    return False


def run_all(here, situation: str) -> dict[str, str]:
    """What each command prints."""
    with contextlib.ExitStack() as stack:
        pid = ""
        if situation == "1,000 in the environment":
            stack.enter_context(here.serving("-c application.yaml", "GATEHOUSE_SERVER_MAX_CONNECTIONS=1000"))
        elif situation == "10,000 in force":
            stack.enter_context(here.serving("-c application.yaml"))
        elif situation == "a proxy in front":
            stack.enter_context(here.serving("--ping-interval 0"))
            stack.enter_context(program(here, "proxy.py", 8088))
        elif situation == "a restart":
            gateway = stack.enter_context(here.serving())
            ender = threading.Thread(target=end_when_connected, args=(here, gateway), daemon=True)
            ender.start()
        elif situation == "a Python server with 1,024 descriptors":
            pid = str(stack.enter_context(program(here, "echo.py", 9001, nofile=1024)).pid)
        elif situation == "a server with a thread for each connection":
            # Room for a few hundred stacks.
            pid = str(stack.enter_context(program(here, "threads.py", 9002, limits="ulimit -v 2500000")).pid)
        elif situation == "a firewall that tracks":
            if not tracks(here):
                return dict.fromkeys(map(plain, COMMANDS[situation]))
            stack.enter_context(here.serving("-c application.yaml"))
            here.run("curl -s http://127.0.0.1:8081/livez")
        return {plain(command): here.run(re.sub("--pid (PID|SERVER)", f"--pid {pid}", command)) for command in COMMANDS[situation]}


@pytest.fixture(scope="module")
def printed(alone):  # noqa: F811
    for name, text in FILES.items():
        (alone.directory / name).write_text(text)
    found: dict[str, str] = {}
    try:
        # One compares with what another one has written.
        for situation in sorted(COMMANDS):
            found |= run_all(alone, situation)
    finally:
        alone.run("sysctl -qw net.ipv4.ip_local_port_range='32768 60999'")
    return found


def pattern_of(line: str) -> str:
    return ".*".join(re.escape(part) for part in re.split(r"\s*\.\.\.\s*", line))


@pytest.mark.parametrize("path", PAGES, ids=documents.name_of)
def test_each_command_prints_what_is_shown(path, printed):
    for command, lines in shown(path):
        if printed[plain(command)] is None:
            continue  # this is no machine for it
        left = printed[plain(command)].splitlines()
        for line in lines:
            if line == "...":
                continue
            while left and not re.fullmatch(pattern_of(line), left[0]):
                left.pop(0)
            assert left, f"$ {command}\nprints no (or no further)\n{line}\nbut\n{printed[plain(command)]}"
            left.pop(0)


def test_what_the_readme_has_people_type(printed):
    for command in typed():
        piece = next(piece for pattern, piece in TYPED.items() if re.search(pattern, command))
        assert piece in printed[plain(command)], f"$ {command}\n{printed[plain(command)]}"


def test_each_situation_is_one_of_some_command():
    assert all(COMMANDS.values()), COMMANDS


def test_the_list_of_numbers_is_whole():
    """Each that people meet has a title, and each title the command, the cause and the cure."""
    text = (DOCS / "troubleshooting.md").read_text()
    for number in ("1,000", "1,024", "4,096", "16,384", "28,000", "32,768", "65,535", "262,144", "Every 60 s", "At every deploy",
                   "It is slow", "Memory grows"):
        found = documents.section(text, number)
        if not number.startswith("It is"):
            assert "**Cause" in found and ("**Cure" in found or "and cure**" in found), number
        assert "```console" in found or "**Command**" in found, number
