# SPDX-License-Identifier: Apache-2.0
"""Network namespaces joined by a veth pair: two hosts with a cable between them, on one
machine. Nothing that is sent in there can leave.

The namespaces have no name: they live as long as somebody holds them, so that nothing is
left behind even by a test that was killed."""

import contextlib
import ctypes
import os
import pathlib
import select
import socket
import subprocess

import pytest

from kit import wsraw

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
IN_CLOSE_NOWRITE, IN_CLOEXEC = 0x10, os.O_CLOEXEC
LIBC = ctypes.CDLL(None, use_errno=True)

# Of 192.0.2.0/24, which is for examples and nobody's (RFC 5737).
ADDRESSES = ("192.0.2.1", "192.0.2.2")


def check(result: int) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def here() -> int:
    """A descriptor of the namespace that this thread is in."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    """While `with namespace:` lasts, the sockets that this thread makes and the processes
    that it starts are in there."""

    def __init__(self, address: str):
        self.address = address
        self.outside = here()
        try:
            check(LIBC.unshare(CLONE_NEWNET))
            self.inside = here()
        except OSError:
            os.close(self.outside)
            raise
        check(LIBC.setns(self.outside, CLONE_NEWNET))

    def __enter__(self) -> "Namespace":
        check(LIBC.setns(self.inside, CLONE_NEWNET))
        return self

    def __exit__(self, *_) -> None:
        check(LIBC.setns(self.outside, CLONE_NEWNET))

    def close(self) -> None:
        os.close(self.inside)
        os.close(self.outside)

    def ip(self, *words) -> None:
        with self:
            done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True,
                                  check=False)
        if done.returncode != 0:
            raise OSError(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")

    def tcp_counter(self, name: str) -> int:
        """Of /proc/net/snmp, for example OutRsts."""
        with self:
            lines = pathlib.Path("/proc/thread-self/net/snmp").read_text().splitlines()
        names, values = [line.split() for line in lines if line.startswith("Tcp:")]
        return int(values[names.index(name)])


class Names:
    """What a process finds in /etc/hosts, instead of the machine's."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        path.write_text("127.0.0.1 localhost\n")
        self.readers = LIBC.inotify_init1(IN_CLOEXEC)
        check(self.readers)
        check(LIBC.inotify_add_watch(self.readers, os.fsencode(path), IN_CLOSE_NOWRITE))

    def add(self, name: str, address: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{address} {name}\n")

    def wait_read(self, seconds: float) -> None:
        """Until a process has looked something up since the last time."""
        assert select.select([self.readers], [], [], seconds)[0], f"{self.path} was not read"
        os.read(self.readers, 4096)

    def take_effect(self) -> None:
        """For preexec_fn: in a mount namespace of the new process alone."""
        check(LIBC.unshare(CLONE_NEWNS))
        check(LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
        check(LIBC.mount(os.fsencode(self.path), b"/etc/hosts", None, MS_BIND, None))

    def close(self) -> None:
        os.close(self.readers)


class SilentResolver:
    """A name server of a process that takes questions and answers none; the process asks for two minutes and a half,
    which is longer than a test waits for anything."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.53.53", 53))
        path.write_text("nameserver 127.0.53.53\noptions timeout:30 attempts:5\n")

    def wait_asked(self, name: str) -> None:
        self.socket.settimeout(wsraw.SECONDS)
        wanted = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
        while wanted not in self.socket.recv(512):
            pass

    def take_effect(self) -> None:
        """For preexec_fn, as above."""
        check(LIBC.unshare(CLONE_NEWNS))
        check(LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
        check(LIBC.mount(os.fsencode(self.path), b"/etc/resolv.conf", None, MS_BIND, None))

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def joined():
    """Two namespaces with an address each, and a cable. PermissionError where this process
    may not make them."""
    with contextlib.ExitStack() as stack:
        spaces = []
        for address in ADDRESSES:
            spaces.append(Namespace(address))
            stack.callback(spaces[-1].close)
        one, other = spaces
        one.ip("link", "add", "cable", "type", "veth",
               "peer", "name", "cable", "netns", f"/proc/{os.getpid()}/fd/{other.inside}")
        for space in spaces:
            space.ip("link", "set", "lo", "up")
            space.ip("address", "add", f"{space.address}/24", "dev", "cable")
            space.ip("link", "set", "cable", "up")
        yield one, other


@pytest.fixture
def hosts():
    """(the gateway's host, the tester's host)"""
    with contextlib.ExitStack() as stack:
        try:
            pair = stack.enter_context(joined())
        except PermissionError as error:
            pytest.skip(f"not allowed to make network namespaces: {error}")
        yield pair


@pytest.fixture
def names(tmp_path):
    with contextlib.closing(Names(tmp_path / "hosts")) as file:
        yield file


@pytest.fixture
def silent_resolver(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root may give a process a name server of its own")
    try:
        resolver = SilentResolver(tmp_path / "resolv.conf")
    except OSError as error:
        pytest.skip(f"no place for a name server: {error}")
    with contextlib.closing(resolver):
        yield resolver
