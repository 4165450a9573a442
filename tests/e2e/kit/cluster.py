# SPDX-License-Identifier: Apache-2.0
"""A cluster to break: gateways and brokers on hosts of their own, which are network
namespaces around a router. The tester is one more host. Each line between two hosts can be
cut, silently as a broken cable does it, and healed.

Namespaces have no names and processes die with the tester's thread, so that nothing is
left behind even by a test that was killed, and clusters do not meet."""

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess

from kit import api, natsraw, netns, wsraw
from kit.gateway import Gateway, base_config

# Of 192.0.2.0/24, which is for examples and nobody's (RFC 5737).
TESTER, ROUTER = "192.0.2.1", "192.0.2.254"
BROKERS = ("192.0.2.11", "192.0.2.12", "192.0.2.13")
GATEWAYS = ("192.0.2.21", "192.0.2.22", "192.0.2.23")
NAMES = {address: f"node-{number}" for number, address in enumerate(GATEWAYS, 1)}

TOKEN = "a-token-that-only-tests-know-0123456789"
USER, PASSWORD = "gatehouse", "in-tests-only"
PR_SET_PDEATHSIG = 1
# A new leader of a stream needs up to nine seconds in a busy moment, and a gateway notices
# it later.
SECONDS = 2 * wsraw.SECONDS


def die_with_parent() -> None:
    """For preexec_fn."""
    netns.check(netns.LIBC.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)))


def wait_until(condition, what: str, seconds: float = SECONDS):
    return wsraw.wait_until(condition, what, seconds)


class Network:
    """Hosts around a router. While `with network:` lasts, this thread is on the tester's.
    PermissionError where this process may not make namespaces."""

    def __init__(self):
        self.spaces: dict[str, netns.Namespace] = {}
        self.cuts: set[tuple[str, str]] = set()
        try:
            self.tester = self.spaces[TESTER] = netns.Namespace(TESTER)
            with self.tester:  # so that leaving another host leads back to the tester's
                for address in (ROUTER, *BROKERS, *GATEWAYS):
                    self.spaces[address] = netns.Namespace(address)
        except OSError:
            self.close()
            raise
        self.router = self.spaces[ROUTER]
        self.lay_cables()

    def lay_cables(self) -> None:
        with self.router:
            pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        self.router.ip("link", "set", "lo", "up")
        for address, space in self.spaces.items():
            if space is self.router:
                continue
            port = f"port{address.rsplit('.', 1)[1]}"
            self.router.ip("link", "add", port, "type", "veth", "peer", "name", "cable",
                           "netns", f"/proc/{os.getpid()}/fd/{space.inside}")
            self.router.ip("link", "set", port, "up")
            self.router.ip("address", "add", ROUTER, "peer", address, "dev", port)
            space.ip("link", "set", "lo", "up")
            space.ip("address", "add", address, "peer", ROUTER, "dev", "cable")
            space.ip("link", "set", "cable", "up")
            space.ip("route", "add", "default", "via", ROUTER)
            if address in BROKERS:
                self.give_up_early(space)

    @staticmethod
    def give_up_early(space: netns.Namespace) -> None:
        """nats-server 2.9 takes what it sends itself for a sign of life: one that is cut off while
        something is sent to it every 300 ms is never pinged, and not dropped in 40 s. So that a
        broker drops it whatever is said meanwhile, its kernel gives up after about 6 s."""
        with space:
            pathlib.Path("/proc/sys/net/ipv4/tcp_retries2").write_text("3")

    def __enter__(self) -> "Network":
        self.tester.__enter__()
        return self

    def __exit__(self, *_) -> None:
        self.tester.__exit__()

    def close(self) -> None:
        for space in self.spaces.values():
            space.close()

    def start(self, address: str, *command, log: pathlib.Path) -> subprocess.Popen:
        with self.spaces[address], log.open("ab") as file:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                    preexec_fn=die_with_parent)

    def cut(self, one: str, *others: str) -> None:
        """What the router gets of these for each other is gone. Nobody is told."""
        for pair in [pair for other in others for pair in ((one, other), (other, one))]:
            self.router.ip("rule", "add", "from", pair[0], "to", pair[1], "blackhole")
            self.cuts.add(pair)

    def heal(self) -> None:
        while self.cuts:
            source, target = self.cuts.pop()
            self.router.ip("rule", "del", "from", source, "to", target, "blackhole")


class Broker:
    """One nats-server of the cluster, with a stream's replica on its disk."""

    def __init__(self, network: Network, address: str, directory: pathlib.Path):
        self.network, self.address = network, address
        self.name = f"broker-{BROKERS.index(address) + 1}"
        self.directory = directory / self.name
        self.directory.mkdir()
        self.log_file = self.directory / "nats.log"
        self.process: subprocess.Popen | None = None
        (self.directory / "nats.conf").write_text(self.config())

    def config(self) -> str:
        routes = ", ".join(f'"nats-route://{address}:6222"' for address in BROKERS)
        return f"""
            server_name: {self.name}
            listen: "{self.address}:4222"
            http: "{self.address}:8222"
            ping_interval: "1s"
            ping_max: 1
            accounts {{
                APP {{ jetstream: enabled, users: [{{ user: {USER}, password: {PASSWORD} }}] }}
            }}
            jetstream {{ store_dir: "{self.directory}/store", max_file: 64MB, max_mem: 16MB }}
            cluster {{ name: chaos, listen: "{self.address}:6222", routes: [{routes}] }}
            """

    @property
    def url(self) -> str:
        return f"nats://{self.address}:4222"

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        self.process = self.network.start(self.address, "nats-server", "-c",
                                          str(self.directory / "nats.conf"), log=self.log_file)

    def kill(self) -> None:
        """SIGKILL; harmless if it has ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def monitor(self, path: str) -> dict:
        """What its monitoring says; {} if it does not."""
        connection = http.client.HTTPConnection(self.address, 8222, timeout=wsraw.SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return json.loads(answer.read()) if answer.status == 200 else {}
        except OSError:
            assert self.is_running, f"{self.name} exited:\n{self.log}"
            return {}
        finally:
            connection.close()

    def is_routed(self) -> bool:
        """In touch with all others."""
        return self.monitor("/routez").get("num_routes") == len(BROKERS) - 1

    def is_current(self) -> bool:
        """Behind with nothing that the brokers store together."""
        return self.monitor("/healthz").get("status") == "ok"

    def subjects_of(self, address: str) -> set[str] | None:
        """What somebody at this address is subscribed to here; None: not connected."""
        found = None
        for one in self.monitor("/connz?subs=1&limit=100000").get("connections", []):
            if one["ip"] == address:
                found = (found or set()) | set(one.get("subscriptions_list", []))
        return found

    def connect(self) -> natsraw.Client:
        return natsraw.Client((self.address, 4222), is_alive=True, user=USER, password=PASSWORD)


class Brokers:
    def __init__(self, network: Network, directory: pathlib.Path):
        self.network = network
        self.all = [Broker(network, address, directory) for address in BROKERS]

    def start(self) -> None:
        """Those that do not run; returns when messages go from each to each."""
        for one in self.all:
            if not one.is_running:
                one.start()
        wait_until(lambda: all(one.is_routed() for one in self.all), "routes between brokers")

    def wait_store(self) -> None:
        """Until they can keep streams: after a death that takes seconds."""
        wait_until(lambda: self.leader() and all(one.is_current() for one in self.all),
                   "brokers that agree on a leader")

    def kill(self) -> None:
        for one in self.all:
            one.kill()

    def leader(self, stream: str | None = None) -> Broker | None:
        """Of the brokers' own group, or of a stream, as a living one has it."""
        for one in self.all:
            if not one.is_running:
                continue
            facts = one.monitor("/jsz?accounts=1&streams=1")
            name = facts.get("meta_cluster", {}).get("leader")
            if stream is not None:
                name = next((found["cluster"].get("leader")
                             for account in facts.get("account_details") or []
                             for found in account.get("stream_detail") or []
                             if found["name"] == stream), None)
            found = next((other for other in self.all if other.name == name), None)
            if found is not None and found.is_running:
                return found
        return None

    def of(self, address: str) -> Broker | None:
        """The one that somebody at this address is connected to."""
        return next((one for one in self.all
                     if one.is_running and one.subjects_of(address) is not None), None)

    def urls(self) -> list[str]:
        return [one.url for one in self.all]


class Node(Gateway):
    """A gateway on a host of its own, and what its API says."""

    def __init__(self, network: Network, address: str, directory: pathlib.Path, config: dict):
        self.host = address
        directory.mkdir()
        with network.spaces[address]:
            super().__init__(directory, config, prepare=die_with_parent,
                             env={"GATEHOUSE_ADMIN_TOKEN": TOKEN, "GATEHOUSE_BUS_PASSWORD": PASSWORD})
        self.admin = (address, 8081)
        self.api = api.Api(self.admin, TOKEN)

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def nodes(self) -> set[str]:
        """Those that it knows of."""
        return {node["node"] for node in self.api.get("/cluster")["nodes"]}

    def wait_health(self, status: str, what: str = "") -> dict:
        """A health with this status, and with this text in its reasons."""
        def look():
            health = self.health()
            return health if (health["status"] == status
                              and (not what or what in " ".join(health["reasons"]))) else None
        return wait_until(look, f"health {status} {what}")


class Cluster:
    """Three gateways on three brokers."""

    def __init__(self, network: Network, brokers: Brokers, directory: pathlib.Path,
                 engines: list[str]):
        self.network, self.brokers = network, brokers
        self.directory = directory
        self.engines = dict(zip(GATEWAYS, engines, strict=True))
        self.options: dict = {}
        self.started: list[Node] = []
        self.nodes: dict[str, Node] = {}

    def config(self, address: str, *, bus: dict | None = None, **sections) -> dict:
        config = base_config(self.engines[address])
        config["server"] |= {"listen": f"{address}:8080", "node": NAMES[address],
                             "close_timeout": "500ms"} | sections.pop("server", {})
        config["admin"] |= {"listen": f"{address}:8081"}
        config["bus"] = {"type": "nats", "urls": self.brokers.urls(), "user": USER,
                         "ping_interval": "300ms", "connect_timeout": "500ms",
                         "reconnect_min": "50ms", "reconnect_max": "300ms"} | (bus or {})
        return config | sections

    def wait_free(self, address: str) -> None:
        """The kernel closes the sockets of a killed process that had io_uring a moment after its end."""
        def is_free(port: int) -> bool:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((address, port))
                    probe.listen()
                except OSError:
                    return False
                return True

        with self.network.spaces[address]:
            for port in (8080, 8081):
                wait_until(lambda: is_free(port), f"port {port} of {address} to be free")

    def begin(self, address: str, **options) -> Node:
        """Starts one as soon as the one before has left its ports, and waits for nothing else."""
        self.wait_free(address)
        directory = self.directory / f"gateway-{len(self.started) + 1}"
        node = Node(self.network, address, directory, self.config(address, **options))
        self.nodes[address] = node
        self.started.append(node)
        return node

    def start(self, **options) -> list[Node]:
        """All of them: ready, and connected to a broker each."""
        self.options = options
        nodes = [self.begin(address, **options) for address in GATEWAYS]
        for node in nodes:
            node.wait_ready().wait_health("ready")
        return nodes

    def restart(self, node: Node) -> Node:
        """As it was started, after its death."""
        again = self.begin(node.host, **self.options).wait_ready()
        again.wait_health("ready")
        return again

    def isolate(self, node: Node) -> None:
        """From all brokers; its clients and the tester still reach it."""
        self.network.cut(node.host, *BROKERS)

    def stop(self) -> None:
        """Every one that was not killed must end well."""
        for node in self.started:
            if node.is_running:
                node.signal(signal.SIGTERM)
        for node in self.started:
            code = node.wait_exit()
            assert code in (0, -signal.SIGKILL), f"exit code {code}:\n{node.log}"

    def kill(self) -> None:
        for node in self.started:
            node.kill()


@contextlib.contextmanager
def brokers_on_a_network(directory: pathlib.Path):
    """(Network, Brokers); this thread is the tester's while it lasts."""
    network = Network()
    try:
        with network:
            brokers = Brokers(network, directory)
            try:
                brokers.start()
                yield network, brokers
            finally:
                brokers.kill()
    finally:
        network.close()
