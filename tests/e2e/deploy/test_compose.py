# SPDX-License-Identifier: Apache-2.0
"""deploy/docker/docker-compose.yml: gateway, NATS and a back end. No container engine is needed:
what the file says is held against the images, and its three services run on the loopback."""

import os
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import pytest

from kit import wsraw
from kit.docker import Dockerfile
from kit.gateway import BINARY, ROOT

pytestmark = pytest.mark.once("files of the deployment")

yaml = pytest.importorskip("yaml", reason="the package python3-yaml is not installed")

COMPOSE = ROOT / "deploy" / "docker" / "docker-compose.yml"
CONFIG = "/etc/gatehouse/application.yaml"


@pytest.fixture(scope="module")
def services() -> dict:
    """As docker-compose understands them."""
    if shutil.which("docker-compose") is None:
        pytest.skip("the package docker-compose is not installed")
    done = subprocess.run(["docker-compose", "-f", COMPOSE, "config"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


def broker_url(services) -> urllib.parse.SplitResult:
    return urllib.parse.urlsplit(services["gateway"]["environment"]["GATEHOUSE_BUS_URLS"])


def test_what_is_built_and_mounted_is_there(services):
    assert set(services) == {"gateway", "nats", "backend"}
    for name in ("gateway", "backend"):
        build = services[name]["build"]
        context = pathlib.Path(build["context"])
        assert (context / build.get("dockerfile", "Dockerfile")).is_file()
    (volume,) = services["gateway"]["volumes"]
    source, target, mode = volume.split(":")
    assert pathlib.Path(source).is_file() and (target, mode) == (CONFIG, "ro")
    assert target in Dockerfile("Dockerfile").words("CMD"), "the file that the image starts with"


def test_all_meet_at_the_broker(services):
    url = broker_url(services)
    assert url.scheme == "nats" and url.hostname in services
    assert services["backend"]["command"] == [url.geturl()]
    command = services[url.hostname]["command"]
    assert int(command[command.index("--port") + 1]) == url.port
    for service in services.values():
        assert "inside" in service["networks"]
    assert yaml.safe_load(COMPOSE.read_text())["networks"]["inside"]["internal"] is True


def test_only_clients_come_from_outside(services):
    assert services["gateway"]["ports"] == ["8080:8080/tcp"] or \
        [str(port["published"]) for port in services["gateway"]["ports"]] == ["8080"]
    for name in ("nats", "backend"):
        assert "ports" not in services[name] and set(services[name]["networks"]) == {"inside"}
    assert not re.search(r"8081|ADMIN_LISTEN", COMPOSE.read_text()), "the admin port stays inside"


def test_services_have_no_more_rights_than_they_need(services):
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "cap_add", "user", "pid", "network_mode"} & set(service)


def test_the_image_of_the_back_end_takes_what_it_needs():
    directory = ROOT / "examples" / "nats-node"
    copied = set(" ".join(re.findall(r"^COPY (.*) \./$", (directory / "Dockerfile").read_text(),
                                     re.MULTILINE)).split())
    kept = {line[1:] for line in (directory / ".dockerignore").read_text().split() if line[0] == "!"}
    assert copied == kept == {"backend.js", "package.json", "package-lock.json"}


def test_the_same_services_on_the_loopback(program, start, broker, services, node_backend):  # noqa: F811
    """The mounted configuration with the environment of the file, but for names and ports."""
    nats = broker()
    (volume,) = services["gateway"]["volumes"]
    mounted = yaml.safe_load(pathlib.Path(volume.split(":")[0]).read_text())
    mounted["bus"].pop("urls")
    for section in ("server", "admin"):
        mounted[section].pop("listen")
    running = start(**mounted, env={"GATEHOUSE_BUS_URLS": nats.url}).wait_ready()
    try:
        running.wait_log("the bus is connected")
        assert program("node", node_backend, nats.url).first.startswith("listening")
        client = running.open("/ws/me")
        client.send_frame(wsraw.TEXT, b"hello")
        assert client.read_message() == (wsraw.TEXT, b"HELLO")
    finally:
        running.stop()


def test_its_configuration_is_good(services):
    done = subprocess.run([BINARY, "check", "-c", services["gateway"]["volumes"][0].split(":")[0]],
                          env=os.environ | services["gateway"]["environment"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
