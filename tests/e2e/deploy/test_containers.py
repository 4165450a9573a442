# SPDX-License-Identifier: Apache-2.0
"""deploy/docker: what the images and the compose file say fits the program, the
configuration and each other. No container engine is needed: the last test runs the
same commands, with the same limits, in network namespaces instead."""

import contextlib
import ipaddress
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import urllib.parse

import pytest

from kit import netns, wsraw
from kit.docker import CONNECTIONS, DOCKER, NOFILE, Dockerfile
from kit.gateway import BINARY, ROOT, is_sanitized

pytestmark = pytest.mark.once("files of the deployment")

yaml = pytest.importorskip("yaml", reason="the package python3-yaml is not installed")

COMPOSE = DOCKER / "docker-compose.test.yml"
DOCKERFILES = ("Dockerfile", "Dockerfile.testclient")
SERVICES = ("gateway-test", "test-client")


# --- reading them ---


def packages(stage: list) -> set[str]:
    """What apt-get installs."""
    (rest,) = [rest for word, rest in stage if word == "RUN" and "apt-get" in rest]
    found = re.search(r"apt-get install -y --no-install-recommends (.*?) *&&", rest)
    return set(found[1].split())


@pytest.fixture(scope="module", params=DOCKERFILES)
def image(request) -> Dockerfile:
    return Dockerfile(request.param)


@pytest.fixture(scope="module")
def compose() -> dict:
    """The file as docker-compose understands it: merged, checked against its schema."""
    try:
        done = subprocess.run(["docker-compose", "-f", COMPOSE, "config"], capture_output=True,
                              text=True, check=False)
    except FileNotFoundError:
        pytest.skip("the package docker-compose is not installed")
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@pytest.fixture(scope="module")
def config() -> dict:
    """The configuration that the image carries."""
    copied = Dockerfile("Dockerfile").copies(Dockerfile("Dockerfile").shipped)
    return yaml.safe_load((ROOT / copied["/etc/gatehouse/application.yaml"]).read_text())


def port_of(listen: str) -> int:
    return int(listen.rsplit(":", 1)[1])


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


# --- the images ---


def test_both_images_build_in_the_same_way():
    """So they share the layers, and tester and gateway are the same program."""
    gateway, tester = map(Dockerfile, DOCKERFILES)
    assert gateway.build == tester.build


def test_build_packages_are_those_of_dev(image):
    listed = re.search(r"packages_build=\((.*?)\)", (ROOT / "dev").read_text(), re.DOTALL)
    assert packages(image.build) == set(listed[1].split())


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer brings libraries that no image has")
@pytest.mark.skipif(shutil.which("dpkg") is None, reason="this is not Debian, as the images are")
def test_runtime_packages_are_those_of_the_libraries(image):
    """Of those that the program itself needs: their packages bring what they need in turn.
    libc6 is in every Debian image; an https back end needs certificates."""
    linked = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    paths = dict(re.findall(r"(\S+) => (/\S+)", linked))
    head = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True,
                          check=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", head)
    assert needed
    assert packages(image.shipped) == (
        {owner(paths[name]) for name in needed if name in paths} - {"libc6"} | {"ca-certificates"})


def owner(library: str) -> str:
    """/lib is a link to /usr/lib, and packages name their files by either."""
    real = os.path.realpath(library)
    for path in (library, real, library.replace("/usr/lib", "/lib"), real.replace("/usr/lib", "/lib")):
        found = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    raise AssertionError(f"no Debian package owns {library}")


def test_what_is_copied_is_there_and_sent_to_the_builder(image):
    ignored = (ROOT / ".dockerignore").read_text().split()
    sent = [pathlib.PurePath(line[1:]) for line in ignored if line.startswith("!")]
    assert "*" in ignored, "what is not named is not sent"
    for source in (image.copies(image.build) | image.copies(image.shipped)).values():
        assert (ROOT / source).exists(), source
        path = pathlib.PurePath(source)
        assert any(path.is_relative_to(kept) or kept.is_relative_to(path) for kept in sent), source
    for kept in sent:
        assert (ROOT / kept).exists(), f".dockerignore keeps {kept}"


@pytest.mark.skipif(shutil.which("meson") is None, reason="the package meson is not installed")
def test_what_is_sent_is_enough_to_build(tmp_path):
    """The build is set up from that alone, and lacks no file."""
    ignored = (ROOT / ".dockerignore").read_text().split()
    gateway = Dockerfile("Dockerfile")
    context, tree = tmp_path / "context", tmp_path / "tree"
    for name in (line[1:] for line in ignored if line.startswith("!")):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, context / name)
    for target, source in gateway.copies(gateway.build).items():
        (tree / target).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (context / source).is_dir() else shutil.copy)(context / source, tree / target)
    done = subprocess.run(["sh", "-ec", "meson setup build && ninja -C build -n gatehouse"], cwd=tree, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    assert "Linking target gatehouse" in done.stdout


def test_what_unit_tests_include_is_sent_to_the_builder():
    """They are built with the program."""
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    for source in (ROOT / "tests" / "unit").glob("*.[ch]"):
        for path in re.findall(r'^#include "(\.\./[^"]+)"', source.read_text(), re.MULTILINE):
            included = (source.parent / path).resolve().relative_to(ROOT)
            assert {str(included), str(included.parent)} & kept, f"{source.name} includes {included}"


def test_packages_come_before_the_source(image):
    """A change of the source must not install the packages anew."""
    words = [rest if word == "RUN" else word for word, rest in image.build]
    install = next(i for i, rest in enumerate(words) if "apt-get install" in rest)
    assert install < words.index("COPY")


def test_it_does_not_run_as_root(image):
    """A number: an orchestrator cannot see whether a name is root's."""
    user, group = map(int, image.one("USER").split(":"))
    assert user > 0 and group > 0
    assert image.shipped.index(("USER", image.one("USER"))) < \
        image.shipped.index(("ENTRYPOINT", image.one("ENTRYPOINT")))


def test_what_it_starts_is_the_program(image):
    program, *command = image.words("ENTRYPOINT") + image.words("CMD")
    assert f"/usr/local/bin/{program}" in [rest.split()[-1] for rest in image.all("COPY")]
    assert program == BINARY.name
    assert image.one("STOPSIGNAL") == "SIGTERM"
    done = subprocess.run([BINARY, command[0], "--help"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_labels_tell_the_version_of_the_program(image):
    told = subprocess.run([BINARY, "version"], capture_output=True, text=True, check=True).stdout
    labels = dict(re.findall(r'([\w.]+)="([^"]*)"', image.one("LABEL")))
    assert f"gatehouse {labels['org.opencontainers.image.version']}\n" == told
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_ports_are_those_of_the_configuration(config):
    image = Dockerfile("Dockerfile")
    listen, admin = port_of(config["server"]["listen"]), port_of(config["admin"]["listen"])
    assert listen == 8080
    assert set(map(int, image.one("EXPOSE").split())) == {listen, admin}
    assert ipaddress.ip_address(config["server"]["listen"].rsplit(":", 1)[0]).is_unspecified
    assert ipaddress.ip_address(config["admin"]["listen"].rsplit(":", 1)[0]).is_loopback
    command = json.loads(image.one("HEALTHCHECK").split("CMD", 1)[1])
    assert urllib.parse.urlsplit(command[-1]).port == listen


# --- the compose file ---


def test_both_services_may_open_as_many_descriptors_as_the_test_needs(compose):
    """NOFILE is what the test in namespaces proves to be enough, on either engine."""
    assert set(compose["services"]) == set(SERVICES)
    assert NOFILE > CONNECTIONS
    for name in SERVICES:
        assert compose["services"][name]["ulimits"]["nofile"] == {"soft": NOFILE, "hard": NOFILE}


def test_they_meet_on_one_network_and_on_the_right_port(compose, config):
    gateway, tester = (compose["services"][name] for name in SERVICES)
    assert set(gateway["networks"]) == set(tester["networks"]) == {"test"}
    assert "ports" not in gateway and compose["networks"]["test"]["internal"] is True
    listen = port_of(config["server"]["listen"])
    urls = map(urllib.parse.urlsplit,
               (option(tester["command"], "--wait-ready"), tester["command"][-1]))
    assert [(url.scheme, url.hostname, url.port) for url in urls] == \
        [("http", "gateway-test", listen), ("ws", "gateway-test", listen)]


def test_tester_itself_waits(compose):
    """Were it started only when the gateway is healthy, its waiting would not be tested."""
    tester = compose["services"]["test-client"]
    assert tester["depends_on"] == {"gateway-test": tester["depends_on"]["gateway-test"]}
    assert tester["depends_on"]["gateway-test"]["condition"] == "service_started"
    assert "entrypoint" not in tester, "the image's: no package is installed at the start"


def test_flags_of_the_tester_are_good(compose):
    command = compose["services"]["test-client"]["command"]
    words = Dockerfile("Dockerfile.testclient").words("ENTRYPOINT")[1:]
    done = subprocess.run([BINARY, *words, *command, "--help"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


def test_health_check_asks_the_port_that_is_configured(compose, config):
    how, program, command, url = compose["services"]["gateway-test"]["healthcheck"]["test"]
    assert (how, program, command) == ("CMD", "gatehouse", "ready")
    parts = urllib.parse.urlsplit(url)
    assert (parts.port, parts.path) ==(port_of(config["server"]["listen"]), "/readyz")


def test_services_have_no_more_rights_than_they_need(compose):
    for name in SERVICES:
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "cap_add", "user", "pid", "network_mode"} & set(service)


def test_patience_at_the_end_is_longer_than_the_drain(compose, config):
    grace = compose["services"]["gateway-test"]["stop_grace_period"]
    assert float(grace.removesuffix("s")) > float(config["server"]["drain_timeout"].removesuffix("s"))


def test_configuration_of_the_image_is_good(compose):
    image = Dockerfile("Dockerfile")
    command = [image.local(word) for word in image.words("CMD")]
    env = os.environ | compose["services"]["gateway-test"]["environment"]
    done = subprocess.run([BINARY, "check", *command[1:]], env=env, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- all of it, without containers ---


def start(host: netns.Namespace, names: netns.Names, words: list[str], service: dict,
          log: pathlib.Path) -> subprocess.Popen:
    nofile = service["ulimits"]["nofile"]

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (nofile["soft"], nofile["hard"]))
        names.take_effect()

    with host, log.open("wb") as output:
        return subprocess.Popen(words, env=os.environ | service.get("environment", {}),
                                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                preexec_fn=prepare)


def test_the_same_commands_in_namespaces(compose, hosts, names, tmp_path):
    """Tester first, then the gateway, then its health check: word for word what the
    containers would run, but for a shorter hold."""
    gateway_image, tester_image = map(Dockerfile, DOCKERFILES)
    gateway, tester = (compose["services"][name] for name in SERVICES)
    server_host, tester_host = hosts
    names.add("gateway-test", server_host.address)
    serve = map(gateway_image.local, gateway_image.words("CMD"))
    bench = map(tester_image.local, tester_image.words("ENTRYPOINT")[1:] + tester["command"])
    serve_log, bench_log = tmp_path / "serve.log", tmp_path / "bench.log"
    shorter = ("--hold", "1s", "--duration", "1s", "--json", tmp_path / "result.json",
               "--expect", "held==100%")
    with contextlib.ExitStack() as stack:
        def run(*arguments) -> subprocess.Popen:
            process = start(*arguments)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        client = run(tester_host, names, [BINARY, *bench, *shorter], tester, bench_log)
        wsraw.wait_until(lambda: server_host.tcp_counter("OutRsts") > 0 or client.poll() is not None,
                         "the tester's first question")
        server = run(server_host, names, [BINARY, *serve], gateway, serve_log)
        with server_host:
            health = [BINARY, *gateway["healthcheck"]["test"][2:], "--timeout", "10s"]
            assert subprocess.run(health, check=False).returncode == 0, serve_log.read_text()
        assert client.wait(60) == 0, bench_log.read_text()
        server.terminate()
        assert server.wait(30) == 0, serve_log.read_text()
    totals = json.loads((tmp_path / "result.json").read_text())["totals"]
    assert totals["connected"] == totals["held"] == totals["closed_cleanly"] == CONNECTIONS
    assert totals["sent"] == totals["received"] > 0
