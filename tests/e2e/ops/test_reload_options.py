# SPDX-License-Identifier: Apache-2.0
"""Every option of the table is changed in the file of a gateway that runs, and the file read again: what is of class
live is in force, what is of class restart is told and is not. The rows are those of `gatehouse config --reference`: a
new option fails here until somebody has said how it is changed."""

import copy
import functools
import grp
import json
import os
import re

import pytest

from kit import certificates, tokens, wsraw
from kit.gateway import ENGINES, Gateway, run_binary
from kit.reload import reload, rewrite

ROW = re.compile(r"^### (\S+)\n.*?^- Class: (live|restart)", re.S | re.M)
# Below it the text has a table again, whose rows are those of a listener's.
PLACE = re.compile(r"\[(?:\[[^\]]*\]|[^\]])*\]")

ENVIRONMENT = object()  # a secret, which no file has


@functools.cache
def reference() -> dict[str, str]:
    """By path: its class."""
    return dict(ROW.findall(run_binary("config", "--reference").stdout))


class Case:
    """`value` takes the place of what is there. `entry`: which of the lists at the top. `told`: as what it is told of,
    if that is not its path. `more`: other keys beside it that change with it."""

    def __init__(self, value, *, entry: int = 0, told: str | None = None, **more):
        self.value, self.entry, self.told, self.more = value, entry, told, more


# What cannot be as it is in the file of the test comes from Files: a text that begins with '@'.
CASES = {
    "server.listen": Case("@port"),
    "server.listeners": Case("@listener", told="server.listeners[]"),
    "server.listeners[].address": Case("@port", told="server.listeners[]"),
    "server.listeners[].ipv6_only": Case("true", entry=1),
    "server.listeners[].mode": Case("0600", entry=2),
    "server.listeners[].owner": Case("@me", entry=2),
    "server.listeners[].tls": Case("@tls", entry=3),
    "server.listeners[].tls.certificates": Case("@two_pairs", told="server.listeners[].tls.certificates[]"),
    "server.listeners[].tls.certificates[].cert_file": Case("@other_cert", key_file="@other_key"),
    "server.listeners[].tls.certificates[].key_file": Case("@same_key"),
    "server.listeners[].tls.client_ca_file": Case("@ca", client_certificate="optional"),
    "server.listeners[].tls.crl_file": Case("@crl", client_ca_file="@ca", client_certificate="optional"),
    "server.listeners[].tls.client_certificate": Case("optional", client_ca_file="@ca"),
    "server.listeners[].tls.min_version": Case("1.3"),
    "server.listeners[].tls.ticket_key_file": Case("@tickets"),
    "server.listeners[].tls.detach": Case("off"),
    "server.max_connections": Case(400),
    "server.max_connections_per_ip": Case(200),
    "server.ipv6_prefix": Case(56),
    "server.accept_rate": Case(900),
    "server.accept_burst": Case(800),
    "server.tls_handshakes_max": Case(20),
    "server.tls_handshake_rate": Case(700),
    "server.takeover_rate": Case(31),
    "server.message_rate": Case(600),
    "server.message_burst": Case(500),
    "server.byte_rate": Case("1MiB"),
    "server.message_rate_action": Case("close"),
    "server.refuse_browsers_max": Case(10),
    "server.auth_failures": Case(11),
    "server.password_queue": Case(12),
    "server.trusted_proxies": Case(["127.0.0.2"]),
    "server.client_certificate_header": Case("client-cert"),
    "server.handshake_timeout": Case("9s"),
    "server.keep_alive_timeout": Case("8s"),
    "server.keep_alive_max": Case(13),
    "server.max_message_size": Case("64KiB"),
    "server.send_queue_max": Case("96KiB"),
    "server.payload_memory": Case("64MiB"),
    "server.compression_memory": Case("63MiB"),
    "server.send_timeout": Case("7s"),
    "server.ping_interval": Case("24s"),
    "server.pong_timeout": Case("19s"),
    "server.idle_timeout": Case("1h"),
    "server.close_timeout": Case("4s"),
    "server.drain_timeout": Case("9s"),
    "server.drain_delay": Case("1ms"),
    "server.drain_spread": Case("1ms"),
    "server.drain_retry_after": Case("31s"),
    "server.upgrade_timeout": Case("29s"),
    "server.max_groups": Case(14),
    "server.max_groups_per_client": Case(3),
    "server.attributes_max": Case("1KiB"),
    "server.workers": Case(2),
    "server.engine": Case("@other_engine"),
    "server.node": Case("another"),
    "server.ready_without_backends": Case("false"),
    "admin.listen": Case("@port"),
    "admin.tls": Case("@tls"),
    "admin.console_url": Case("https://gw-1.example:8081/console"),
    "admin.token_file": Case("@token"),
    "admin.token": Case(ENVIRONMENT),
    "admin.max_body": Case("2MiB"),
    "admin.max_calls": Case(15),
    "admin.streams_max": Case(17),
    "admin.tail_bodies": Case("off"),
    "admin.tail_redact": Case(["phrase"]),
    "admin.tickets_max": Case(16),
    "admin.blocks_max": Case(16),
    "admin.ticket_ttl_max": Case("6m"),
    "admin.call_timeout": Case("29s"),
    "bus.type": Case("embedded"),
    "bus.urls": Case(["nats://127.0.0.1:2"]),
    "bus.ca_file": Case("@ca", urls=["tls://127.0.0.1:1"]),
    "bus.cert_file": Case("@one_cert", key_file="@one_key", urls=["tls://127.0.0.1:1"]),
    "bus.key_file": Case("@one_key", cert_file="@one_cert", urls=["tls://127.0.0.1:1"]),
    "bus.user": Case("somebody", password_file="@token"),
    "bus.password_file": Case("@token", user="somebody"),
    "bus.password": Case(ENVIRONMENT),
    "bus.token_file": Case("@token"),
    "bus.token": Case(ENVIRONMENT),
    "bus.credentials_file": Case("@token"),
    "bus.connect_timeout": Case("3s"),
    "bus.reconnect_min": Case("101ms"),
    "bus.reconnect_max": Case("6s"),
    "bus.ping_interval": Case("11s"),
    "bus.pending_max": Case("65MiB"),
    "bus.requests_max": Case(65535),
    "bus.claim_timeout": Case("2s"),
    "bus.announce_interval": Case("6m"),
    "log.level": Case("debug"),
    "log.format": Case("json"),
    "log.access": Case("true"),
    "log.access_file": Case("@access"),
    "log.access_rate": Case(9000),
    "tracing.url": Case("http://127.0.0.1:1/v1/traces"),
    "tracing.sample": Case("0.25"),
    "tracing.headers_file": Case("@headers"),
    "tracing.ca_file": Case("@ca"),
    "tracing.service_name": Case("another"),
    "tracing.queue_max": Case("2MiB"),
    "tracing.interval": Case("2s"),
    "tracing.timeout": Case("9s"),
    "routes[].path": Case("/elsewhere/{client_id}"),
    "routes[].preset": Case("ocpp"),
    "routes[].security_profile": Case(1, auth=[{"type": "backend"}], backend="hook"),
    "routes[].merge_slashes": Case("true"),
    "routes[].name": Case("another", told="routes[]"),
    "routes[].subprotocols": Case(["one", "two"]),
    "routes[].subprotocol_mismatch": Case("accept", subprotocols=["one"]),
    "routes[].takeover": Case("oldest"),
    "routes[].max_connections": Case(17),
    "routes[].origins": Case("same"),
    "routes[].require_origin": Case("true"),
    "routes[].refuse_browsers": Case("close"),
    "routes[].on_removed": Case("close"),
    "routes[].compression": Case("shared"),
    "routes[].compression_min_size": Case("255B"),
    "routes[].compression_level": Case(2),
    "routes[].compression_window_bits": Case(11),
    "routes[].rpc": Case("json-rpc", entry=1),
    "routes[].call_queue_max": Case(18, entry=1, rpc="json-rpc"),
    "routes[].answer_timeout": Case("28s", entry=1, rpc="ocpp-j"),
    "routes[].backend": Case("hook"),
    "routes[].auth": Case([{"type": "ticket"}], told="routes[].auth[]"),
    "routes[].auth[].type": Case("ticket", entry=2),
    "routes[].auth[].users_file": Case("@other_users", entry=3),
    "routes[].auth[].secret_format": Case("ocpp", entry=3),
    "routes[].auth[].identity": Case("san_dns", entry=4),
    "routes[].auth[].map_file": Case("@map", entry=4),
    "routes[].auth[].jwks_url": Case("http://127.0.0.1:1/other", entry=5),
    "routes[].auth[].jwks_file": Case("@other_jwks", entry=6),
    "routes[].auth[].ca_file": Case("@ca", entry=5, jwks_url="https://127.0.0.1:1/other"),
    "routes[].auth[].jwks_timeout": Case("6s", entry=5),
    "routes[].auth[].jwks_refresh": Case("6m", entry=5),
    "routes[].auth[].jwks_stale_max": Case("2d", entry=5),
    "routes[].auth[].issuer": Case("somebody else", entry=6),
    "routes[].auth[].audience": Case("others", entry=6),
    "routes[].auth[].algorithms": Case(["ES256"], entry=6),
    "routes[].auth[].leeway": Case("31s", entry=6),
    "routes[].auth[].client_id_claim": Case("name", entry=6),
    "routes[].auth[].groups_claim": Case("groups", entry=6),
    "routes[].auth[].subprotocol_claim": Case("speaks", entry=6),
    "routes[].auth[].required_claims": Case(["jti"], entry=6),
    "routes[].auth[].from": Case(["header", "query"], entry=6),
    "routes[].auth[].query_name": Case("token", entry=6, **{"from": ["query"]}),
    "routes[].auth[].cookie_name": Case("token", entry=6, **{"from": ["cookie"]}),
    "routes[].auth[].renew_by_message": Case("true", entry=6),
    "backends[].name": Case("another", told="backends[]"),
    "backends[].type": Case("webhook", entry=1, url="http://127.0.0.1:1/hook"),
    "backends[].url": Case("http://127.0.0.1:1/other"),
    "backends[].connect": Case("ask", entry=1),
    "backends[].durable": Case("true", entry=1),
    "backends[].stream": Case("events", entry=1, durable="true"),
    "backends[].secret_file": Case("@secrets"),
    "backends[].headers_file": Case("@headers"),
    "backends[].ca_file": Case("@ca", url="https://127.0.0.1:1/hook"),
    "backends[].http2": Case("true"),
    "backends[].connect_timeout": Case("3s"),
    "backends[].timeout": Case("6s"),
    "backends[].retries": Case(4),
    "backends[].retry_min": Case("101ms"),
    "backends[].retry_max": Case("11s"),
    "backends[].max_in_flight": Case(65),
    "backends[].queue_max": Case("65KiB"),
    "backends[].pending_max": Case("255MiB"),
    "backends[].answer_max": Case("2MiB"),
    "backends[].on_failure": Case("close"),
    "backends[].breaker_failures": Case(11),
    "backends[].breaker_open": Case("3s"),
    "backends[].breaker_probes": Case(2),
}


def test_each_option_has_a_case():
    assert set(reference()) == set(CASES)


def test_what_needs_a_restart_says_why():
    text = run_binary("config", "--reference").stdout
    assert not re.findall(r"^- Class: restart\W*$", text, re.M)
    assert re.findall(r"^- Class: restart\. \w", text, re.M)


# --- what the options name ---


class Files:
    """What a value that begins with '@' stands for."""

    def __init__(self, directory, authority):
        self.directory, self.engine = directory, None  # of the gateway that is tested
        self.one, self.other = (authority.sign(name) for name in ("one", "other"))
        self.ca = authority.cert
        self.crl = self._crl(authority)
        self.same_key = self.write("same.key", self.one.key.read_text())
        self.one_cert, self.one_key = self.one.cert, self.one.key
        self.other_cert, self.other_key = self.other.cert, self.other.key
        self.users, self.other_users = (self.write(name, "a:plain:0123456789abcdef0123\n")
                                        for name in ("users", "more-users"))
        self.jwks, self.other_jwks = (self._jwks(name) for name in ("jwks", "more-jwks"))
        self.map = self.write("map", "CN=one => one\n")
        self.token = self.write("token", "a-token-that-nobody-guesses\n")
        self.secrets = self.write("secrets", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n")
        self.headers = self.write("headers", "X-One: 1\n")
        self.access = self.directory / "access.log"
        self.tickets = directory / "tickets"
        self.tickets.write_bytes(bytes(range(80)))
        self.tickets.chmod(0o600)

    def write(self, name: str, text: str):
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def _jwks(self, name: str):
        return self.write(name, json.dumps(tokens.jwks(tokens.Key("ES256", name))))

    def _crl(self, authority):
        config = self.write("ca.conf", f"[ca]\ndefault_ca = our\n[our]\ndatabase = {self.directory}/index\n"
                            "default_md = sha256\ndefault_crl_days = 2\n")
        self.write("index", "")
        crl = self.directory / "crl.pem"
        certificates.openssl("ca", "-config", config, "-gencrl", "-cert", authority.cert, "-keyfile", authority.key,
                             "-out", crl)
        return crl

    def tls(self, *pairs) -> dict:
        return {"certificates": [pair.files for pair in pairs or [self.one]]}

    def __getitem__(self, name: str):
        if name == "port":
            return f"127.0.0.1:{wsraw.free_port()}"
        if name == "listener":
            return {"address": self["port"]}
        if name == "tls":
            return self.tls()
        if name == "two_pairs":
            return self.tls(self.one, self.other)["certificates"]
        if name == "other_engine":
            return "epoll" if self.engine == "io_uring" else "io_uring"
        if name == "me":
            return f"':{grp.getgrgid(os.getegid()).gr_name}'"
        return getattr(self, name)

    def fill(self, value):
        return self[value[1:]] if isinstance(value, str) and value.startswith("@") else value


def routes(files: Files) -> list[dict]:
    def one(name: str, **more) -> dict:
        return {"name": name, "path": f"/{name}/{{client_id}}"} | more

    token = {"type": "token", "jwks_file": files.jwks, "issuer": "us", "audience": "them"}
    return [one("plain"), one("called"), one("backed", auth=[{"type": "backend"}], backend="hook"),
            one("basic", auth=[{"type": "basic", "users_file": files.users}]),
            one("certified", auth=[{"type": "certificate"}]),
            one("remote", auth=[{"type": "token", "jwks_url": "http://127.0.0.1:1/jwks", "issuer": "us",
                                 "audience": "them"}]),
            one("local", auth=[token])]


def configuration(path: str, files: Files, engine: str) -> dict:
    """One in which the option can be changed."""
    server = {"workers": 1, "engine": engine, "listen": files["port"]}
    if path.startswith("server.listeners"):
        server["listeners"] = [
            {"address": files["port"], "tls": files.tls()}, {"address": f"'[::]:{wsraw.free_port()}'"},
            {"address": f"unix:{files.directory}/socket"}, {"address": files["port"]}]
        del server["listen"]
    else:
        server["listen"] = files["port"]
    hooks = [{"name": "hook", "type": "webhook", "url": "http://127.0.0.1:1/hook"},
             {"name": "subject", "type": "nats"}]
    return {"server": server, "admin": {"listen": files["port"]},
            "bus": {"type": "nats", "urls": ["nats://127.0.0.1:1"], "reconnect_max": "5s"}, "log": {"level": "info"},
            "tracing": {"url": "https://127.0.0.1:1/v1/traces", "sample": 0},
            "routes": routes(files), "backends": hooks}


def place_of(config: dict, path: str, entry: int) -> tuple[dict, str]:
    """The mapping that has the key, and the key."""
    *above, key = path.split(".")
    at = config
    is_first = True
    for part in above:
        name = part.removesuffix("[]")
        at = at[name]
        if part.endswith("[]"):
            at = at[entry if is_first else 0]
            is_first = False
    return at, key


def changed(config: dict, path: str, case: Case, files: Files) -> dict:
    config = copy.deepcopy(config)
    at, key = place_of(config, path, case.entry)
    if path == "server.listeners":
        at.setdefault(key, []).append(files.fill(case.value))
        return config
    at[key] = files.fill(case.value)
    at.update({name: files.fill(value) for name, value in case.more.items()})
    # What a type does not have.
    if path == "routes[].auth[].type":
        at_route, _ = place_of(config, "routes[].auth", case.entry)
        at_route["auth"] = [{"type": case.value}]
    if path in ("routes[].auth[].map_file", "routes[].auth[].identity"):
        at.pop("identity" if key == "map_file" else "map_file", None)
    if path == "backends[].name":
        for route in config["routes"]:
            route["backend"] = case.value if route.get("backend") == "hook" else route.get("backend")
    if path == "bus.type":
        config["backends"] = config["backends"][:1]
    return config


def names(changes: list[str]) -> set[str]:
    return {PLACE.sub("[]", change) for change in changes}


def paths() -> list[str]:
    return [path for path, case in CASES.items() if case.value is not ENVIRONMENT]


@pytest.fixture(scope="module")
def stock(authority, tmp_path_factory) -> Files:
    """They are made once: no test changes them."""
    return Files(tmp_path_factory.mktemp("files"), authority)


@pytest.fixture
def run(tmp_path):
    running = []

    def start(config: dict) -> Gateway:
        running.append(Gateway(tmp_path, config).wait_ready())
        return running[-1]

    yield start
    for one in running:
        one.kill()


@pytest.mark.parametrize(("path", "engine"), [(path, ENGINES[index % len(ENGINES)])
                                              for index, path in enumerate(paths())], indirect=["engine"])
def test_a_changed_option(path, run, stock, engine):
    """It is told by its name. If it is live, it is in force then, and there is nothing more to tell. If it needs a
    restart, it is told so again and again. On one engine each: what options do is the business of other tests."""
    files, case = stock, CASES[path]
    files.engine = engine
    before = configuration(path, files, engine)
    running = run(before)
    rewrite(running, changed(before, path, case, files))
    report = reload(running)
    told, is_live = case.told or path, reference()[path] == "live"
    assert report["mistake"] == []
    assert told in names(report["changed" if is_live else "needs_restart"]), report
    assert told not in names(report["needs_restart" if is_live else "changed"]), report
    again = reload(running)
    assert again["changed"] == [], again
    assert names(again["needs_restart"]) == names(report["needs_restart"])
    running.stop()
