# SPDX-License-Identifier: Apache-2.0
"""The `gateway` fixture: the real binary with each engine of the loop. What it and the tests are made of
lies in kit/; no test file imports another."""

import functools
import os
import zlib

import pytest

pytest.register_assert_rewrite("kit")

from kit import certificates, natsraw, tlsraw  # noqa: E402
from kit.backends import webhook  # noqa: E402, F401  a fixture
from kit.chargers import charger, charger_modules  # noqa: E402, F401  fixtures
from kit.gateway import ENGINES, FAULTS, Gateway, base_config, is_sanitized  # noqa: E402
from kit.netns import hosts, names, silent_resolver  # noqa: E402, F401  fixtures


def pytest_addoption(parser):
    parser.addoption("--one-engine", action="store_true",
                     help="each test on one of the engines, by its name: about half on each")
    parser.addoption("--rare", action="store_true", help="also the tests marked so")
    parser.addoption("--again", action="store_true", help="without the tests marked `once`: they ran in another build")


def is_plain_by_tls(item) -> bool:
    params = getattr(item, "callspec", None) and item.callspec.params
    return bool(params) and params.get("door") == "tls" and item.get_closest_marker("plain") is not None


def pytest_collection_modifyitems(config, items):
    is_rare, is_again = config.getoption("--rare"), config.getoption("--again")
    left_out = [item for item in items if is_plain_by_tls(item) or
                (not is_rare and item.get_closest_marker("rare") is not None) or
                (is_again and item.get_closest_marker("once") is not None)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    if not config.getoption("--one-engine"):
        return
    kept, left_out = [], []
    for item in items:
        params = getattr(item, "callspec", None) and item.callspec.params
        engine = params.get("engine") if params else None
        name = item.nodeid.replace(str(engine), "")
        chosen = ENGINES[zlib.crc32(name.encode()) % len(ENGINES)]
        (kept if engine in (None, chosen) else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def pytest_configure(config):
    config.addinivalue_line("markers", "tsan: runs under the thread sanitizer too")
    config.addinivalue_line("markers", "rare: matters now and then, and is slow or needs much: ./dev test --all")
    config.addinivalue_line("markers", "once(what): is about that, in which no sanitizer finds more than the release shows")
    config.addinivalue_line("markers", "plain: is about clients that come in clear")


@pytest.fixture(scope="session", autouse=True)
def our_variables():
    """They are read by now. A gateway would tell of each that it is no option."""
    for name in ("GATEHOUSE_BIN", "GATEHOUSE_TEST_PATIENCE"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def sanitized() -> bool:
    return is_sanitized()


@pytest.fixture(scope="session")
def usable_engines(tmp_path_factory) -> dict[str, str]:
    """For each engine "" or, where it cannot run on this machine, why."""
    result = {"epoll": ""}
    gateway = Gateway(tmp_path_factory.mktemp("probe"), base_config("io_uring"))
    try:
        gateway.wait_ready()
        result["io_uring"] = ""
        gateway.stop()
    except AssertionError:
        if gateway.process.poll() != 78:
            raise
        result["io_uring"] = gateway.log
    finally:
        gateway.kill()
    return result


@pytest.fixture(params=ENGINES)
def engine(request, usable_engines) -> str:
    if usable_engines[request.param]:
        pytest.skip(f"{request.param} cannot run here: {usable_engines[request.param]}")
    return request.param


@pytest.fixture
def broker(tmp_path):
    """broker(jetstream=, arguments=, config=) starts a nats-server."""
    started = []

    def run(**options) -> natsraw.Broker:
        started.append(natsraw.Broker(tmp_path / f"broker-{len(started)}", **options))
        return started[-1]

    yield run
    for one in started:
        one.kill()


class Door:
    """How clients come to a gateway: in clear, or, with a certificate, by TLS."""

    def __init__(self, pair=None, authority=None, **options):
        """`options`: other keys of a listener's `tls`."""
        self.pair, self.options = pair, options
        self.tls = tlsraw.client_context(authority.cert) if pair else None

    def open(self, server: dict) -> dict:
        """The section `server` of a gateway behind this door."""
        if self.pair is None:
            return server
        server = dict(server)
        listener = {"address": server.pop("listen"), "tls": {"certificates": [self.pair.files]} | self.options}
        return server | {"listeners": [listener]}


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> certificates.Authority:
    """That all clients of these tests trust."""
    return certificates.Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="session")
def pair(authority) -> certificates.Pair:
    """Of a gateway."""
    return authority.sign("gateway")


@pytest.fixture
def plain_door() -> Door:
    return Door()


@pytest.fixture
def door(plain_door) -> Door:
    """A room may have others."""
    return plain_door


@pytest.fixture
def sealed_door(pair, authority):
    """sealed_door(**more keys of tls)"""
    return functools.partial(Door, pair, authority)


def configured(engine: str, door: Door, *, server=None, admin=None, bus=None, routes=None, backends=None,
               **options) -> tuple[dict, dict]:
    """The configuration of a gateway behind this door, and the options that are for Gateway itself."""
    config = base_config(engine)
    config["server"].update(server or {})
    if "listeners" in config["server"]:
        del config["server"]["listen"]  # which is short for one of them
    config["admin"].update(admin or {})
    for name, section in (("bus", bus), ("routes", routes), ("backends", backends)):
        if section is not None:
            config[name] = section
    config["server"] = door.open(config["server"])
    return config, {"tls": door.tls} | options


@pytest.fixture
def start(engine, door, tmp_path, broker):
    """start(server={...}, admin={...}, bus={...}, routes=[...], backends=[...], env=, arguments=, prepare=, tls=)
    runs the binary and waits for nothing. At the end every one must have exited. Brokers outlive them: what
    a gateway has for one that is gone makes its end wait."""
    started = []

    def run(**asked) -> Gateway:
        directory = tmp_path / str(len(started))
        directory.mkdir()
        config, options = configured(engine, door, **asked)
        started.append(Gateway(directory, config, **options))
        return started[-1]

    try:
        yield run
        for gateway in started:
            assert not FAULTS.search(gateway.log), gateway.log
            assert gateway.process.poll() is not None, f"left running:\n{gateway.log}"
    finally:
        for gateway in started:
            gateway.kill()


@pytest.fixture
def gateway(start):
    """gateway(...) as start(...), ready. Stopped at the end: it must exit 0 by itself."""
    running = []

    def run(**options) -> Gateway:
        running.append(start(**options).wait_ready())
        return running[-1]

    yield run
    for one in running:
        if not one.has_stopped:
            one.stop()


@pytest.fixture(scope="module")
def standing():
    """Gateways that the tests of one file share, by what they were asked to be."""
    running = {}
    try:
        yield running
        for one in running.values():
            one.stop()
    finally:
        for one in running.values():
            one.kill()


@pytest.fixture
def shared(engine, door, standing, tmp_path_factory):
    """shared(...) as gateway(...), but the same one for all tests of the file that ask for the same: for cases that
    leave nothing behind and count nothing from the start, of which there are many. It must outlive each of them."""
    used = []

    def run(**asked) -> Gateway:
        key = repr((engine, door.tls is not None, asked))
        if key not in standing:
            config, options = configured(engine, door, **asked)
            standing[key] = Gateway(tmp_path_factory.mktemp("shared"), config, **options)
            standing[key].wait_ready()
        used.append(standing[key])
        return standing[key]

    yield run
    for one in used:
        assert one.process.poll() is None and not FAULTS.search(one.log), one.log
