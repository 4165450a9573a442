# SPDX-License-Identifier: Apache-2.0
"""TLS as deploy/ has it for systemd, compose and Kubernetes: what the files say is held against the
program and each other, and their configuration runs with a secret that is mounted and renewed."""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess

import pytest

from kit import tlsraw, wsraw
from kit.certificates import Authority
from kit.docker import DOCKER, Dockerfile
from kit.gateway import BINARY, ROOT, run_binary

pytestmark = pytest.mark.once("files of the deployment")

yaml = pytest.importorskip("yaml", reason="the package python3-yaml is not installed")

DEPLOY = ROOT / "deploy"
CONFIG = DEPLOY / "tls" / "gatehouse.yaml"
UNIT = DEPLOY / "systemd" / "gatehouse.service"
MOUNTED = "/etc/gatehouse/tls"
DRAIN_TIMEOUT_S = 10  # server.drain_timeout, which none of them changes


@pytest.fixture(scope="module")
def config() -> dict:
    return yaml.safe_load(CONFIG.read_text())


@pytest.fixture(scope="module")
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(UNIT)
    return parser


@pytest.fixture(scope="module")
def service() -> dict:
    if shutil.which("docker-compose") is None:
        pytest.skip("the package docker-compose is not installed")
    done = subprocess.run(["docker-compose", "-f", DOCKER / "docker-compose.tls.yml", "config"],
                          env=os.environ | {"TLS_DIRECTORY": "/srv/tls"}, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]["gateway"]


@pytest.fixture(scope="module")
def cluster() -> dict:
    """By kind."""
    documents = yaml.safe_load_all((DEPLOY / "kubernetes" / "gatehouse.yaml").read_text())
    return {document["kind"]: document["spec"] for document in documents}


def end_seconds(env: dict[str, str]) -> float:
    """How long the gateway may take to end."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    times = [re.fullmatch(r"(\d+)([a-z]+)", env.get(f"GATEHOUSE_SERVER_DRAIN_{name}", "0s"))
             for name in ("DELAY", "SPREAD")]
    return sum(int(time[1]) * units[time[2]] for time in times) + DRAIN_TIMEOUT_S


def ports(config) -> list[str]:
    return [listener["address"].rsplit(":", 1)[1] for listener in config["server"]["listeners"]]


def test_its_configuration_is_good(config):
    done = run_binary("check", "--config-only", CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    (pair,) = config["server"]["listeners"][0]["tls"]["certificates"]
    assert pair == {"cert_file": f"{MOUNTED}/tls.crt", "key_file": f"{MOUNTED}/tls.key"}
    assert "tls" not in config["server"]["listeners"][1]
    assert config["server"]["listeners"][1]["address"].startswith("127.0.0.1:")


# --- systemd ---


def test_what_the_unit_starts_is_the_program(unit):
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert program.rsplit("/", 1)[1] == BINARY.name and words[:2] == ["serve", "-c"]
    assert run_binary(*words[:1], "--help").returncode == 0
    assert words[2] == "/etc/gatehouse/gatehouse.yaml"
    mistake = run_binary("serve", "-c", UNIT)  # which is no configuration
    assert str(mistake.returncode) == unit["Service"]["RestartPreventExitStatus"]


def test_a_reload_asks_the_gateway_and_an_end_has_its_time(unit):
    program, *words = shlex.split(unit["Service"]["ExecReload"])
    started = shlex.split(unit["Service"]["ExecStart"])
    assert program == started[0] and words == ["reload", *started[2:]]
    assert float(unit["Service"]["TimeoutStopSec"]) > end_seconds({})
    assert unit["Service"]["User"] not in ("", "root")
    assert "LoadCredential" not in unit["Service"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path):
    """With the program's path, which is not installed here."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/local/bin/gatehouse", str(BINARY)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True,
                          check=False)
    about_it = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert about_it == []


# --- compose ---


def test_compose_mounts_the_configuration_and_a_directory(service, config):
    mounts = {target: (source, mode) for source, target, mode in
              (volume.split(":") for volume in service["volumes"])}
    assert mounts == {"/etc/gatehouse/application.yaml": (str(CONFIG), "ro"), MOUNTED: ("/srv/tls", "ro")}
    image = Dockerfile("Dockerfile")
    assert "/etc/gatehouse/application.yaml" in image.words("CMD")
    published = [port if isinstance(port, str) else f"{port['published']}:{port['target']}/tcp"
                 for port in service["ports"]]
    assert published == ["8443:8443/tcp"] and ports(config) == ["8443", "8080"]
    assert f"http://127.0.0.1:{ports(config)[1]}/readyz" in image.one("HEALTHCHECK")


def test_compose_gives_no_more_rights_than_are_needed(service):
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "user", "pid", "network_mode"} & set(service)
    assert float(service["stop_grace_period"].removesuffix("s")) > end_seconds(service["environment"])


# --- Kubernetes ---


def test_the_secret_is_mounted_such_that_it_is_renewed_and_can_be_read(cluster):
    pod = cluster["Deployment"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert mounts["tls"]["mountPath"] == MOUNTED and "subPath" not in mounts["tls"]
    # The files are root's: the group is what lets another user read them, and nobody else.
    assert volumes["tls"]["secret"]["defaultMode"] == 0o440
    user, group = Dockerfile("Dockerfile").one("USER").split(":")
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["fsGroup"]) == (int(user), int(group))
    assert mounts["config"]["mountPath"] in Dockerfile("Dockerfile").words("CMD")
    assert mounts["config"]["subPath"] == "application.yaml"
    env = {variable["name"]: variable["value"] for variable in container["env"]}
    assert pod["terminationGracePeriodSeconds"] > end_seconds(env) > 100
    assert run_binary("check", "--config-only", CONFIG, env=env).returncode == 0


def test_probes_and_service_know_the_port(cluster, config):
    (container,) = cluster["Deployment"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert str(port["containerPort"]) == ports(config)[0]
    for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
        assert container[probe]["httpGet"] == {"path": path, "port": port["name"], "scheme": "HTTPS"}
    (served,) = cluster["Service"]["ports"]
    assert served["targetPort"] == port["name"]
    assert cluster["Service"]["selector"] == cluster["Deployment"]["template"]["metadata"]["labels"]


# --- all of it, without containers ---


class Secret:
    """Mounted as the kubelet does it: tls.crt and tls.key are links into ..data, a link to a version."""

    def __init__(self, mount):
        self.mount, self.count = mount, 0
        mount.mkdir()
        for name in ("tls.crt", "tls.key"):
            (mount / name).symlink_to(f"..data/{name}")

    def put(self, pair) -> None:
        self.count += 1
        version = self.mount / f"..v{self.count}"
        version.mkdir()
        shutil.copy(pair.cert, version / "tls.crt")
        shutil.copy(pair.key, version / "tls.key")
        (version / "tls.key").chmod(0o440)
        (self.mount / "..data_tmp").symlink_to(version.name)
        (self.mount / "..data_tmp").rename(self.mount / "..data")


def test_the_same_on_the_loopback(gateway, config, tmp_path):
    """The configuration with other ports, and the reload of the unit."""
    authority = Authority(tmp_path, "ca")
    secret = Secret(tmp_path / "mount")
    secret.put(authority.sign("first"))
    listeners = yaml.safe_load(yaml.safe_dump(config["server"]["listeners"]).replace(MOUNTED, str(secret.mount)))
    for listener in listeners:
        listener["address"] = f"127.0.0.1:{wsraw.free_port()}"
    context = tlsraw.client_context(authority.cert)
    running = gateway(server={"listeners": listeners}, routes=config["routes"])

    def shown() -> str:
        client = wsraw.Client(running.address, tls=context)
        subject = dict(field[0] for field in client.sock.tls.getpeercert()["subject"])
        client.sock.close()
        return subject["commonName"]

    with wsraw.Client(running.address, tls=context).open() as client:
        client.echo(b"by TLS")
        assert shown() == "first"
        secret.put(authority.sign("second"))
        running.signal(signal.SIGHUP)
        running.wait_log("the configuration was read again: nothing of it has changed")
        assert shown() == "second"
        client.echo(b"still there")
    running.wait_metric("tls_suites_total", 3.0)
