# SPDX-License-Identifier: Apache-2.0
"""A service manager for tests: it hears what a service says of itself, and gives it sockets."""

import contextlib
import ctypes
import os
import pathlib
import socket
import struct
import sys

from kit import wsraw

# sys/ptrace.h
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000  # linux/wait.h, __WALL


class Manager:
    """Listens where NOTIFY_SOCKET will point to. `name`: a path, or "@" and an abstract name."""

    def __init__(self, name: str, watchdog_usec: int | None = None, **more: str):
        self.env = {"NOTIFY_SOCKET": name} | more
        if watchdog_usec is not None:
            self.env["WATCHDOG_USEC"] = str(watchdog_usec)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + name[1:] if name.startswith("@") else name)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.setblocking(False)
        self.messages: list[tuple[int, dict[str, str]]] = []  # (who has sent it, what)

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> "Manager":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def hear(self) -> list[dict[str, str]]:
        """All that was said so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                text, ((_, _, sender),), *_ = self.sock.recvmsg(65536, 128)
                fields = dict(line.split("=", 1) for line in text.decode().split("\n"))
                self.messages.append((struct.unpack("iii", sender)[0], fields))
        return [fields for _, fields in self.messages]

    def said(self, key: str) -> list[str]:
        return [fields[key] for fields in self.hear() if key in fields]

    def wait(self, key: str, is_good=lambda value: True, count: int = 1) -> list[str]:
        """The values of `key` that are good, once there are so many."""
        def look():
            found = [value for value in self.said(key) if is_good(value)]
            return found if len(found) >= count else None
        return wsraw.wait_until(look, lambda: f"{count} times {key} in {self.hear()}")


# --- a thread that hangs ---

def thread_of(pid: int, name: str) -> int:
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise AssertionError(f"{pid} has no thread {name}")


@contextlib.contextmanager
def hanging(pid: int, name: str):
    """This thread of a child of ours stands still meanwhile; the others go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    thread = thread_of(pid, name)

    def ask(what: int) -> None:
        if libc.ptrace(what, thread, None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    ask(PTRACE_SEIZE)
    ask(PTRACE_INTERRUPT)
    os.waitpid(thread, WALL)
    try:
        yield
    finally:
        ask(PTRACE_DETACH)


# --- sockets that are there before the service ---

# Puts the descriptors where they belong, says for whom they are, and becomes the program.
LAUNCHER = """
import fcntl, os, sys
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",")]
for number, fd in enumerate(high):
    os.dup2(fd, 3 + number)
    os.close(fd)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def activated(sockets: dict[str, socket.socket], pid: str | None = None) -> dict:
    """Options of a Gateway that is to find these, by their names, from descriptor 3 on; `pid`: what LISTEN_PID
    says, else its own."""
    fds = [one.fileno() for one in sockets.values()]
    env = {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(sockets)}
    return {"env": env | ({"LISTEN_PID": pid} if pid else {}), "fds": fds,
            "launcher": (sys.executable, "-c", LAUNCHER, ",".join(map(str, fds)))}
