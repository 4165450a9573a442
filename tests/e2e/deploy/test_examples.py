# SPDX-License-Identifier: Apache-2.0
"""The examples run as they stand: the programs unchanged, their configurations but for ports."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest
import yaml

from kit import api, wsraw
from kit.examples import EXAMPLES
from kit.gateway import BINARY, ROOT

pytestmark = pytest.mark.once("the examples, which are other programs")

CONFIGS = sorted(path.relative_to(ROOT) for path in EXAMPLES.glob("*/*.yaml"))


def config_of(example: str) -> dict:
    return yaml.safe_load((EXAMPLES / example / "gatehouse.yaml").read_text())


def serve(gateway, example: str, *, url: str = "", broker=None):
    """A gateway with the example's configuration, but with ports that are free."""
    config = config_of(example)
    for backend in config["backends"]:
        if url:
            backend["url"] = url
        if "secret_file" in backend:
            backend["secret_file"] = ROOT / backend["secret_file"]
    if broker is not None:
        config["bus"]["urls"] = [broker.url]
    running = gateway(routes=config["routes"], backends=config["backends"], bus=config.get("bus"))
    if broker is not None:
        running.wait_log("the bus is connected")
    return running


def address_in(line: str) -> str:
    return next(word for word in line.split() if word.startswith("http://"))


def api_of(running) -> str:
    return f"http://{running.admin[0]}:{running.admin[1]}{api.PREFIX}"


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_the_configuration_is_good(config):
    checked = subprocess.run([BINARY, "check", "-c", config], cwd=ROOT,
                             capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "warning: " not in checked.stdout.replace("warning: this machine", "")


def test_the_readme_tells_how_to_run_each():
    readme = (EXAMPLES / "README.md").read_text()
    for config in CONFIGS:
        assert f"serve -c {config}" in readme


def test_the_examples_of_the_readme_run_side_by_side():
    """Each line is run as it stands, while the gateways of those before still run: no port twice."""
    examples = (EXAMPLES / "README.md").read_text()
    ports = [8080, 8081]  # of the first steps
    for config in CONFIGS:
        loaded = yaml.safe_load((ROOT / config).read_text())
        ports += [int(loaded[section]["listen"].rsplit(":", 1)[1]) for section in ("server", "admin")]
        ports += [urllib.parse.urlsplit(backend["url"]).port for backend in loaded["backends"]
                  if "url" in backend]
    ports += [int(port) for port in re.findall(r"listen 127\.0\.0\.1:(\d+)", examples)]
    assert len(ports) == len(set(ports)), sorted(ports)
    asked = {int(port) for port in re.findall(r"(?:ws|http)://127\.0\.0\.1:(\d+)", examples)}
    assert asked <= set(ports)


# --- examples/webhook-backend ---


def test_webhook_backend(program, gateway):
    backend = program(sys.executable, EXAMPLES / "webhook-backend" / "backend.py", "0")
    running = serve(gateway, "webhook-backend", url=address_in(backend.first))
    client = running.open("/ws/me")
    client.send_frame(wsraw.TEXT, "größe".encode())
    assert client.read_message() == (wsraw.TEXT, "GRÖSSE".encode())
    refused = running.connect().handshake("/ws/nobody")
    assert (refused.status, refused.body) == (403, b"nobody is not let in\n")
    client.send(wsraw.close_frame(1000))
    assert backend.read_until("me: disconnected") == "me: disconnected client_closed"


def test_webhook_backend_does_not_believe_another_secret(program, gateway, tmp_path):
    backend = program(sys.executable, EXAMPLES / "webhook-backend" / "backend.py", "0")
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + "QUJD" * 8 + "\n")
    running = gateway(routes=[{"path": "/ws/{client_id}", "backend": "upper"}],
                      backends=[{"name": "upper", "type": "webhook",
                                 "url": address_in(backend.first), "secret_file": secret}])
    assert running.connect().handshake().status == 403


# --- examples/chat ---


@pytest.fixture
def chat(program, gateway):
    """(the gateway, the page's address)"""
    port = wsraw.free_port()
    running = serve(gateway, "chat", url=f"http://127.0.0.1:{port}/events")
    server = program(sys.executable, EXAMPLES / "chat" / "server.py", port, api_of(running))
    return running, address_in(server.first)


def read_json(client: wsraw.Client) -> dict:
    opcode, payload = client.read_message()
    assert opcode == wsraw.TEXT
    return json.loads(payload)


def read_until(client: wsraw.Client, wanted: dict) -> None:
    """Who is here may be told more than once."""
    while (got := read_json(client)) != wanted:
        assert "people" in got, got


def test_chat_tells_everybody(chat):
    running, _ = chat
    ann = running.open("/chat/ann")
    read_until(ann, {"people": ["ann"]})
    bob = running.open("/chat/J%C3%BCrgen%20B.")
    read_until(ann, {"people": ["Jürgen B.", "ann"]})
    bob.send_frame(wsraw.TEXT, "grüß dich <b>".encode())
    for client in (ann, bob):
        read_until(client, {"from": "Jürgen B.", "text": "grüß dich <b>"})
    assert running.connect().handshake("/chat/ann").status == 409, "the name is taken"
    bob.send(wsraw.close_frame(1000))
    read_until(ann, {"people": ["ann"]})


def test_chat_page_is_served_and_names_have_a_limit(chat):
    running, page = chat
    with urllib.request.urlopen(page, timeout=wsraw.SECONDS) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        html = answer.read()
    assert html == (EXAMPLES / "chat" / "index.html").read_bytes()
    # "display: flex" would show the form to speak with before anybody has joined.
    assert b"[hidden] { display: none }" in html and b'<form id="say" hidden>' in html
    assert running.connect().handshake("/chat/" + "x" * 41).status == 403


@pytest.mark.skipif(shutil.which("chromium") is None, reason="the package chromium is not installed")
def test_chat_page_joins_in_a_browser(chat, tmp_path):
    running, page = chat
    ann = running.open("/chat/ann")
    asked = urllib.parse.urlencode({"name": "Ben", "gateway": "{}:{}".format(*running.address)})
    browser = subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
         f"--user-data-dir={tmp_path / 'profile'}", f"{page}?{asked}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ann.sock.settimeout(60)  # a browser takes its time to start
        read_until(ann, {"people": ["Ben", "ann"]})
    finally:
        browser.kill()
        browser.wait()


# --- examples/rooms ---


def test_rooms(program, gateway):
    """Ids and names from the back end, groups and closes in its answers."""
    backend = program("node", EXAMPLES / "rooms" / "backend.js", "0")
    running = serve(gateway, "rooms", url=address_in(backend.first))

    def come(name: str) -> wsraw.Client:
        client = running.open("/rooms?" + urllib.parse.urlencode({"name": name}))
        assert client.read_message()[1].decode() == f"welcome, {name}; you are in lobby"
        return client

    def said(client: wsraw.Client, text: str) -> str:
        client.send_frame(wsraw.TEXT, text.encode())
        return client.read_message()[1].decode()

    ann, joe = come("Ann"), come("Jörg, %")
    shown = api.Api(running.admin).get("/clients")["clients"]
    assert {client["attributes"]["name"] for client in shown} == {"Ann", "Jörg, %"}
    assert all(client["client_id"].startswith("guest-") for client in shown)
    assert said(ann, "/join blue") == "you are in blue" and said(joe, "/join blue") == "you are in blue"
    assert ann.read_message()[1].decode() == "Jörg, % is here"
    joe.send_frame(wsraw.TEXT, b"blue: hello: all")
    assert ann.read_message()[1].decode() == "Jörg, %@blue: hello: all"
    assert said(ann, "what?").startswith("say /join")
    assert said(joe, "/bye") == "bye" and joe.read_close() == (1000, b"as you wish")
    assert ann.read_message()[1].decode() == "Jörg, % has gone"
    nobody = running.open("/rooms")
    assert nobody.read_close() == (4400, b"say who you are: ?name=...")


# --- examples/ocpp ---


def charger_call(charger: wsraw.Client, number: str, action: str, payload: dict) -> list:
    charger.send_frame(wsraw.TEXT, json.dumps([2, number, action, payload]).encode())
    return read_json(charger)


@pytest.fixture
def charging(program, gateway):
    """(the gateway, the back end)"""
    backend = program(sys.executable, EXAMPLES / "ocpp" / "backend.py", "0")
    return serve(gateway, "ocpp", url=address_in(backend.first)), backend


def open_charger(running) -> wsraw.Client:
    charger = running.connect()
    answer = charger.handshake("/ocpp/CP%201", extra=("Sec-WebSocket-Protocol: ocpp1.6",))
    assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, "ocpp1.6")
    return charger


def test_ocpp_calls_of_a_charger_are_answered(charging):
    running, backend = charging
    charger = open_charger(running)
    kind, number, boot = charger_call(charger, "a1", "BootNotification",
                                      {"chargePointVendor": "V", "chargePointModel": "M"})
    assert (kind, number, boot["status"], boot["interval"]) == (3, "a1", "Accepted", 300)
    assert charger_call(charger, "a2", "Heartbeat", {})[2].keys() == {"currentTime"}
    assert charger_call(charger, "a3", "MeterValues", {"connectorId": 1, "meterValue": []}) \
        == [3, "a3", {}]
    assert charger_call(charger, "a4", "Authorize", {"idTag": "DEADBEEF"}) \
        == [3, "a4", {"idTagInfo": {"status": "Accepted"}}]
    kind, number, code, _, details = charger_call(charger, "a5", "MakeCoffee", {})
    assert (kind, number, code, details) == (4, "a5", "NotImplemented", {})
    assert backend.read_until("CP 1: message").endswith('"chargePointModel": "M"}]')


def test_ocpp_other_subprotocols_are_refused(charging):
    running, _ = charging
    assert running.connect().handshake("/ocpp/CP-2").status == 400


def test_ocpp_the_charger_of_the_example(program, charging):
    """It boots, and accepts what it is asked; both programs use the ports of the example if none are given."""
    running, backend = charging
    url = running.url("/ocpp")
    charger = program(sys.executable, EXAMPLES / "ocpp" / "charger.py", "CP 2", url)
    assert charger.read_until("boot:") == "boot: Accepted"
    asked = subprocess.run([sys.executable, EXAMPLES / "ocpp" / "backend.py", "call", "CP 2", "Reset",
                            '{"type": "Soft"}'], capture_output=True, text=True, timeout=wsraw.SECONDS,
                           env=os.environ | {"GATEHOUSE_API": api_of(running)}, check=True)
    assert json.loads(asked.stdout)["payload"] == {"status": "Accepted"}
    assert charger.read_until("asked:") == "asked: Reset {'type': 'Soft'}"


# --- examples/ocpp-security ---


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")
    subprocess.run([EXAMPLES / "ocpp-security" / "certificates.sh", directory, "CP-1", "CP-2"], check=True,
                   capture_output=True)
    return directory


@pytest.fixture
def secured(program, gateway, keys):
    """The gateway of the example, but with ports that are free, and keys of its own."""
    backend = program(sys.executable, EXAMPLES / "ocpp" / "backend.py", "0")
    text = (EXAMPLES / "ocpp-security" / "config" / "gatehouse.yaml").read_text()
    config = yaml.safe_load(text.replace("examples/ocpp-security/keys", str(keys)))
    config["backends"][0]["url"] = address_in(backend.first)
    for listener in config["server"]["listeners"]:
        listener["address"] = "127.0.0.1:0"
    return gateway(server=config["server"], routes=config["routes"], backends=config["backends"])


@pytest.mark.parametrize("library", ["ocpp-rpc", "ocpp-ws-io"])
@pytest.mark.parametrize("profile", ["1", "2", "3"])
def test_ocpp_security_chargers_of_others(secured, charger_modules, keys, profile, library):
    plain, tls = (line["address"].rsplit(":", 1)[1] for line in secured.logged("listening"))
    done = subprocess.run(
        ["node", EXAMPLES / "ocpp-security" / f"charger-{library}.js", profile, "CP-2", keys, plain, tls],
        capture_output=True, text=True, timeout=2 * wsraw.SECONDS, check=False,
        env=os.environ | {"NODE_PATH": str(charger_modules / "node_modules")})
    assert done.stdout.splitlines() == [f"CP-2 is connected by profile {profile}: ocpp1.6", "boot: Accepted"], \
        done.stdout + done.stderr


def test_ocpp_security_a_charger_without_keys_is_told_how_to_make_them(charger_modules, keys):
    for profile, missing in ("2", "chargers"), ("3", "CP-9.pem"):
        done = subprocess.run(["node", EXAMPLES / "ocpp-security" / "charger-ocpp-rpc.js", profile, "CP-9", keys],
                              capture_output=True, text=True, timeout=2 * wsraw.SECONDS, check=False,
                              env=os.environ | {"NODE_PATH": str(charger_modules / "node_modules")})
        assert done.returncode == 1 and missing in done.stderr and "certificates.sh" in done.stderr, done.stderr


def test_ocpp_security_installs_what_is_tested():
    example = json.loads((EXAMPLES / "ocpp-security" / "package.json").read_text())["dependencies"]
    tested = json.loads((ROOT / "tests" / "e2e" / "backends" / "ocpp" / "package.json").read_text())["dependencies"]
    stand_in = EXAMPLES / "ocpp-security" / example.pop("voltlog-io").removeprefix("file:")
    assert (stand_in / "package.json").exists()
    assert example == {name: tested[name] for name in example}


def test_ocpp_security_the_configuration_is_good(keys, tmp_path):
    """But for profile 1, which is there to be seen."""
    text = (EXAMPLES / "ocpp-security" / "config" / "gatehouse.yaml").read_text()
    file = tmp_path / "gatehouse.yaml"
    file.write_text(text.replace("examples/ocpp-security/keys", str(keys)))
    checked = subprocess.run([BINARY, "check", "-c", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    warnings = [line for line in checked.stdout.splitlines() if line.startswith(f"warning: {file}:")]
    assert len(warnings) == 1 and "security_profile: 1 sends passwords in clear" in warnings[0]


DEFAULTS = {"chat/server.py": "http://127.0.0.1:8121/api/v1", "chat/index.html": ":8120",
            "ocpp/backend.py": "http://127.0.0.1:8131/api/v1", "ocpp/charger.py": "ws://127.0.0.1:8130/ocpp"}


@pytest.mark.parametrize("name", DEFAULTS)
def test_programs_know_the_ports_of_their_gateway(name):
    listen = {section: config_of(name.split("/")[0])[section]["listen"] for section in ("server", "admin")}
    assert DEFAULTS[name] in (EXAMPLES / name).read_text()
    port = re.search(r":(\d{4})", DEFAULTS[name])[1]
    assert port in {address.rsplit(":", 1)[1] for address in listen.values()}


def test_ocpp_a_service_calls_a_charger(charging):
    running, _ = charging
    charger = open_charger(running)
    ask = subprocess.Popen([sys.executable, EXAMPLES / "ocpp" / "backend.py", "call", "CP 1", "Reset",
                            '{"type": "Soft"}'], stdout=subprocess.PIPE, text=True,
                           env=os.environ | {"GATEHOUSE_API": api_of(running)})
    kind, number, action, payload = read_json(charger)
    assert (kind, action, payload) == (2, "Reset", {"type": "Soft"})
    charger.send_frame(wsraw.TEXT, json.dumps([3, number, {"status": "Accepted"}]).encode())
    printed = ask.communicate(timeout=wsraw.SECONDS)[0]
    assert ask.returncode == 0
    assert json.loads(printed)["payload"] == {"status": "Accepted"}


# --- examples/nats-node, examples/nats-c ---


def upper_case_over_nats(gateway, broker, program, example: str, *command) -> None:
    nats = broker()
    backend = program(*command, nats.url)
    assert backend.first.startswith("listening"), backend.first
    running = serve(gateway, example, broker=nats)
    path = config_of(example)["routes"][0]["path"].removesuffix("{client_id}")
    clients = [running.open(path + urllib.parse.quote(name)) for name in ("me", "a.b *>", "größe")]
    for number, client in enumerate(clients):
        client.send_frame(wsraw.TEXT, f"hello {number}".encode())
    for number, client in enumerate(clients):
        assert client.read_message() == (wsraw.TEXT, f"HELLO {number}".encode())
    assert running.metric("messages_sent_total") == len(clients)


def test_nats_backend_in_node(program, broker, gateway, node_backend):
    upper_case_over_nats(gateway, broker, program, "nats-node", "node", node_backend)


def test_nats_backend_in_c(program, broker, gateway, tmp_path):
    built = tmp_path / "backend"
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", built,
                    EXAMPLES / "nats-c" / "backend.c", "-lnats"], check=True)
    upper_case_over_nats(gateway, broker, program, "nats-c", built)
