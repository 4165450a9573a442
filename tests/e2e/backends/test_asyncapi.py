# SPDX-License-Identifier: Apache-2.0
"""docs/asyncapi.yaml: good in itself, and true. Every header of a real event is described, and
every header that is described is seen in a real event."""

import json
import re
import urllib.parse

import jsonschema
import pytest
import yaml

from kit import natsraw, wsraw
from kit.backends import SECRET, Answer, Webhook
from kit.certificates import Authority
from kit.gateway import ROOT

pytestmark = pytest.mark.once("documents and what they show")

SPEC = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
KINDS = ("connect", "connected", "message", "disconnected")
# What HTTP itself and the gateway's HTTP client add.
TRANSPORT = {"host", "user-agent", "accept", "accept-encoding", "content-length"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HANDSHAKE = ("Sec-WebSocket-Protocol: ocpp1.6", f"traceparent: {TRACE}", "tracestate: a=1,b=2",
             "X-SSL-Client-Verify: SUCCESS", "Origin: https://example.com")
# Clients have certificates, of which the test as their proxy tells.
BEHIND_PROXY = {"trusted_proxies": ["127.0.0.1"], "client_certificate_header": "x-ssl-client-cert"}

# AsyncAPI 3.0, as far as it is used. The whole document was held against AsyncAPI's own parser.
REFERENCE = {"type": "object", "required": ["$ref"], "properties": {"$ref": {"type": "string"}},
             "additionalProperties": False}
SHAPE = {
    "type": "object",
    "required": ["asyncapi", "info", "servers", "channels", "operations", "components"],
    "additionalProperties": False,
    "properties": {
        "asyncapi": {"const": "3.0.0"},
        "defaultContentType": {"type": "string"},
        "info": {"type": "object", "required": ["title", "version"]},
        "servers": {"additionalProperties": {"type": "object", "required": ["host", "protocol"]}},
        "channels": {"additionalProperties": {
            "type": "object",
            "required": ["address", "messages"],
            "additionalProperties": False,
            "properties": {
                "address": {"type": ["string", "null"]},
                "title": {"type": "string"},
                "description": {"type": "string"},
                "servers": {"type": "array", "items": REFERENCE},
                "parameters": {"type": "object"},
                "messages": {"type": "object", "minProperties": 1, "additionalProperties": REFERENCE},
            }}},
        "operations": {"additionalProperties": {
            "type": "object",
            "required": ["action", "channel"],
            "additionalProperties": False,
            "properties": {
                "action": {"enum": ["send", "receive"]},
                "channel": REFERENCE,
                "messages": {"type": "array", "items": REFERENCE},
                "reply": {"type": "object", "required": ["channel", "messages"]},
            }}},
        "components": {"type": "object", "properties": {"messages": {"additionalProperties": {
            "type": "object",
            "required": ["title", "payload"],
            "additionalProperties": False,
            "properties": dict.fromkeys(
                ("name", "title", "contentType", "headers", "payload"), {}),
        }}}},
    },
}


def resolve(reference: str):
    found = SPEC
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(node) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if "$ref" in node else []
    return own + [found for item in node.values() for found in references(item)]


def described(message: str, key: str = "properties") -> dict[str, dict]:
    """name: schema of all headers of a message; or pattern: schema, of those whose names are a back end's."""
    def collect(schema: dict) -> dict:
        if "$ref" in schema:
            return collect(resolve(schema["$ref"]))
        found = dict(schema.get(key, {}))
        for part in schema.get("allOf", []):
            found |= collect(part)
        return found

    return collect(SPEC["components"]["messages"][message]["headers"])


def own_names(message: str, names) -> set[str]:
    """Without those whose names are a back end's, and which are described too."""
    patterns = described(message, "patternProperties")
    return {name for name in names if not any(re.search(pattern, name) for pattern in patterns)}


def check_headers(message: str, headers: dict[str, str]) -> None:
    """Are they as they are described? None that is not described."""
    schema = SPEC["components"]["messages"][message]["headers"]
    jsonschema.Draft7Validator(
        schema | {"components": SPEC["components"]},
        format_checker=jsonschema.FormatChecker()).validate(headers)
    assert own_names(message, headers) <= described(message).keys(), message


def check_payload(message: str, body: bytes) -> None:
    jsonschema.Draft7Validator(SPEC["components"]["messages"][message]["payload"]).validate(
        json.loads(body))


# --- the document ---


def test_its_shape_is_that_of_asyncapi():
    jsonschema.Draft202012Validator(SHAPE).validate(SPEC)


def test_every_reference_leads_somewhere_and_every_part_is_used():
    used = references(SPEC)
    for reference in used:
        resolve(reference)
    for kind, parts in SPEC["components"].items():
        for name in parts:
            assert f"#/components/{kind}/{name}" in used, name
    for name in SPEC["channels"]:
        assert f"#/channels/{name}" in used, name


def test_messages_of_an_operation_are_of_its_channel():
    for name, operation in SPEC["operations"].items():
        for part in (operation, operation.get("reply", operation)):
            for message in part.get("messages", []):
                assert message["$ref"].startswith(part["channel"]["$ref"] + "/messages/"), name


def test_parameters_of_an_address_are_described():
    for name, channel in SPEC["channels"].items():
        in_address = re.findall(r"\{(\w+)\}", channel["address"] or "")
        assert in_address == list(channel.get("parameters", {})), name


# --- events ---

# It has proved who it is, by its certificate.
ROUTE = {"path": "/ocpp/{client_id}", "subprotocols": ["ocpp1.6"], "backend": "up", "rpc": "ocpp-j",
         "auth": [{"type": "certificate"}]}


@pytest.fixture
def handshake(tmp_path) -> tuple[str, ...]:
    """Its certificate has a name that cannot be told."""
    pair = Authority(tmp_path, "ca").sign("CP 1", "DNS:cp.example,DNS:not a name")
    return (*HANDSHAKE, "X-SSL-Client-Cert: " + urllib.parse.quote(pair.cert.read_text(), safe=""))


def play(gateway, handshake) -> None:
    """A client that makes an event of each kind, and all attributes there are."""
    client = gateway.connect()
    assert client.handshake("/ocpp/CP%201?a=b", extra=handshake).status == 101
    client.send_frame(wsraw.TEXT, b'[2,"1","Heartbeat",{}]')
    client.send_frame(wsraw.BINARY, b"\0\xff")
    client.send_frame(wsraw.TEXT, b'[3,"nobody asked",{}]')
    client.send(wsraw.close_frame(1000))


def check_all(prefix: str, events: list[tuple[str, dict[str, str]]], *, kinds=KINDS) -> None:
    seen = {kind: set() for kind in kinds}
    for kind, headers in events:
        check_headers(f"{prefix}{kind.capitalize()}", headers)
        seen[kind] |= headers.keys()
    for kind, names in seen.items():
        message = f"{prefix}{kind.capitalize()}"
        assert described(message).keys() == own_names(message, names), kind


def test_headers_of_webhook_events(gateway, tmp_path, handshake):
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    names = {name.lower(): name for kind in KINDS for name in described(f"Webhook{kind.capitalize()}")}
    decision = {"Gatehouse-Client-Id": "CP%201", "Gatehouse-Attributes": "site=berlin", "Gatehouse-Groups": "a",
                "Gatehouse-Subprotocol": "ocpp1.6"}
    check_headers("WebhookDecision", decision)
    webhook = Webhook(lambda event: Answer(200, headers=decision) if event.type == "connect" else None)
    try:
        running = gateway(server=BEHIND_PROXY, routes=[ROUTE], backends=[{
            "name": "up", "type": "webhook", "url": webhook.url, "secret_file": secret}])
        play(running, handshake)
        webhook.wait("disconnected")
        running.stop()
        events = [(event.type, {names.get(name, name): value for name, value in event.headers.items()
                                if name not in TRANSPORT}) for event in webhook.events]
    finally:
        webhook.close()
    assert [headers.get("ce-attrsite") for _, headers in events] == [None] + ["berlin"] * (len(events) - 1)
    assert [kind for kind, _ in events] == [
        "connect", "connected", "message", "message", "message", "disconnected"]
    check_all("Webhook", events)


def bus(broker) -> dict:
    return {"type": "nats", "urls": [broker.url], "reconnect_min": "20ms"}


def kind_of(message: natsraw.Message) -> str:
    return message.headers["ce-type"].removeprefix("gatehouse.client.")


def test_headers_of_nats_events(gateway, broker, handshake):
    nats = broker(jetstream=True)
    with nats.connect() as service:
        service.stream_create("UP", ["gatehouse.up.>"])
        up = service.subscribe("gatehouse.up.>")
        running = gateway(server=BEHIND_PROXY, routes=[ROUTE], bus=bus(nats), backends=[{
            "name": "up", "type": "nats", "durable": "true", "stream": "UP"}])
        running.wait_log("the bus is connected")
        play(running, handshake)
        events = [up.next_message() for _ in range(5)]
    address = SPEC["channels"]["up"]["address"]
    assert events[0].subject == address.format(route="ocpp", client_id="CP%201")
    check_all("Nats", [(kind_of(event), event.headers) for event in events], kinds=KINDS[1:])


def test_headers_of_the_question_over_nats(gateway, broker, handshake):
    nats = broker()
    with nats.connect() as service:
        asked = service.subscribe("gatehouse.connect.>")
        running = gateway(server=BEHIND_PROXY, routes=[ROUTE], bus=bus(nats), backends=[{
            "name": "up", "type": "nats", "connect": "ask"}])
        running.wait_log("the bus is connected")
        client = running.connect()
        client.send(wsraw.request("/ocpp/CP%201?a=b", extra=handshake))
        question = asked.next_message()
        decision = {"Gatehouse-Status": "403", "Content-Type": "text/plain"}
        check_headers("NatsDecision", decision)
        service.answer(question, b"no", decision)
        answer = client.read_response()
    assert (answer.status, answer.body, answer.headers["content-type"]) == (403, b"no", "text/plain")
    address = SPEC["channels"]["connect"]["address"]
    assert question.subject == address.format(route="ocpp", client_id="CP%201")
    check_all("Nats", [("connect", question.headers)], kinds=("connect",))


# --- down ---


@pytest.mark.parametrize("channel, headers, body, status", [
    ("to", {}, b"hello", "200"),
    ("to", {"Gatehouse-Type": "binary"}, b"\0\xff", "200"),
    ("to", {}, b"\xff", "400"),
    ("ctl", {}, b'{"command": "inspect"}', "200"),
    ("ctl", {}, b'{"command": "close", "code": 4000}', "200"),
    ("ctl", {}, b'{"command": "dance"}', "400"),
])
def test_what_services_send_is_answered_as_described(gateway, broker, channel, headers, body, status):
    nats = broker()
    running = gateway(bus=bus(nats))
    running.wait_log("the bus is connected")
    client = running.open("/ws/till%207")
    sent = {"to": "Push", "ctl": "Command"}[channel]
    if headers:
        check_headers(sent, headers)
    if channel == "ctl":
        check_payload(sent, body)
    subject = SPEC["channels"][channel]["address"].format(route="ws", client_id="till%207")
    with nats.connect() as service:
        answer = wsraw.wait_until(lambda: ask(service, subject, body, headers), "a subscription")
    check_headers("Outcome", answer.headers)
    check_payload("Outcome", answer.body)
    assert answer.headers["Gatehouse-Status"] == status
    if (channel, status) == ("to", "200"):
        assert client.read_message()[1] == body


def ask(service: natsraw.Client, subject: str, body: bytes, headers: dict) -> natsraw.Message | None:
    """None: nobody is subscribed, not yet."""
    try:
        return service.request(subject, body, headers)
    except natsraw.NoResponders:
        return None


def test_facts_of_nodes(gateway, broker):
    nats = broker()
    with nats.connect() as service:
        heard = service.subscribe(SPEC["channels"]["nodes"]["address"])
        gateway(bus=bus(nats))
        check_payload("Node", heard.next_message().body)
