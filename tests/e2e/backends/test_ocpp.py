# SPDX-License-Identifier: Apache-2.0
"""A charge point that others wrote, the npm package ocpp-rpc in strict mode, behind the
gateway, with back ends of both types: OCPP 1.6 and 2.0.1."""

import json
import threading

import pytest

from kit import api, backends, wsraw

ACCEPTED = {"currentTime": "2026-11-24T00:00:00.000Z", "interval": 300, "status": "Accepted"}
ANSWERS = {"BootNotification": ACCEPTED, "Heartbeat": {"currentTime": ACCEPTED["currentTime"]},
           "MeterValues": {}}
READ = {"timestamp": "2026-11-24T00:00:01.000Z", "sampledValue": [{"value": "230.1"}]}
READ_201 = {"timestamp": "2026-11-24T00:00:01.000Z", "sampledValue": [{"value": 230.1}]}

# By version: what the charger calls, and what it is called.
UP = {
    "ocpp1.6": [
        ("BootNotification", {"chargePointVendor": "Gatehouse", "chargePointModel": "test"}),
        ("Heartbeat", {}),
        ("MeterValues", {"connectorId": 1, "meterValue": [READ]}),
    ],
    "ocpp2.0.1": [
        ("BootNotification", {"reason": "PowerUp", "chargingStation": {
            "vendorName": "Gatehouse", "model": "test"}}),
        ("Heartbeat", {}),
        ("MeterValues", {"evseId": 1, "meterValue": [READ_201]}),
    ],
}
WANTED = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
DOWN = {
    "ocpp1.6": [
        ("Reset", {"type": "Soft"}, {"status": "Accepted"}),
        ("GetConfiguration", {"key": ["HeartbeatInterval"]}, {"configurationKey": [
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"}]}),
    ],
    "ocpp2.0.1": [
        ("Reset", {"type": "Immediate"}, {"status": "Accepted"}),
        ("GetVariables", {"getVariableData": [WANTED]}, {"getVariableResult": [
            WANTED | {"attributeStatus": "Accepted", "attributeValue": "300"}]}),
    ],
}


def answer_of(frame: bytes) -> str:
    kind, id, action, _ = json.loads(frame)
    assert kind == 2
    return json.dumps([3, id, ANSWERS[action]])


class WebhookCsms:
    """It answers calls in the answers to their events, and calls by the API."""

    def __init__(self, _broker):
        self.hook = backends.Webhook(self._answer)
        self.config = {"backends": [{"name": "csms", "type": "webhook", "url": self.hook.url}]}

    @staticmethod
    def _answer(event):
        if event.type != "message":
            return None
        return backends.Answer(200, answer_of(event.body).encode(),
                               {"Content-Type": "application/json"})

    def call(self, gateway, action: str, payload: dict) -> tuple[int, dict]:
        answer = api.Api(gateway.admin).ask(
            "POST", "/clients/ocpp/CP%201/call",
            json.dumps({"action": action, "payload": payload}).encode(),
            headers={"Content-Type": "application/json"})
        return answer.status, json.loads(answer.body)

    def close(self) -> None:
        self.hook.close()


class NatsCsms:
    """It answers calls with messages to the client, and calls by requests."""

    CLIENT = "ocpp.CP%201"

    def __init__(self, broker):
        hub = broker()
        self.config = {"backends": [{"name": "csms", "type": "nats"}],
                       "bus": {"type": "nats", "urls": [hub.url]}}
        self.caller, self.answerer = hub.connect(), hub.connect()
        self.up = self.answerer.subscribe(f"gatehouse.up.{self.CLIENT}")
        self.answerer.flush()
        self.is_closed = False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while not self.is_closed:
            try:
                event = self.up.next_message(0.05)
            except TimeoutError:  # nothing has come
                continue
            if event.headers["ce-type"] == "gatehouse.client.message":
                self.answerer.publish(f"gatehouse.to.{self.CLIENT}", answer_of(event.body))

    def call(self, _gateway, action: str, payload: dict) -> tuple[int, dict]:
        answer = self.caller.request(f"gatehouse.ctl.{self.CLIENT}", json.dumps(
            {"command": "call", "action": action, "payload": payload}))
        return int(answer.headers["Gatehouse-Status"]), answer.json

    def close(self) -> None:
        self.is_closed = True
        self.thread.join()
        for one in (self.caller, self.answerer):
            one.close()


@pytest.fixture(params=[WebhookCsms, NatsCsms])
def csms(request, broker):
    running = request.param(broker)
    yield running
    running.close()


@pytest.mark.parametrize("version", UP)
def test_a_charger_of_others(csms, charger, gateway, version):
    running = gateway(routes=[{"path": "/ocpp/{client_id}", "subprotocols": list(UP),
                               "rpc": "ocpp-j", "backend": "csms"}], **csms.config)
    if "bus" in csms.config:
        running.wait_metric("bus_connected", 1)
    cp = charger(running.url("/ocpp"), "CP 1", version)
    cp.expect("open", version, seconds=2 * wsraw.SECONDS)  # node starts first
    for action, payload in UP[version]:
        cp.call(action, payload)
        cp.expect("answer", ANSWERS[action])
    for action, payload, want in DOWN[version]:
        status, body = csms.call(running, action, payload)
        assert (status, body.get("payload")) == (200, want), body
        cp.expect("called", action, payload)
    # Errors of the charger's own: an action that it does not know, and a payload against the
    # schema.
    status, body = csms.call(running, "ClearCache", {})
    assert (status, body["reason"], body["code"]) == (422, "client_error", "NotImplemented")
    status, body = csms.call(running, "Reset", {"type": "Sideways"})
    assert (status, body["reason"]) == (422, "client_error"), body
    assert cp.said.get(timeout=wsraw.SECONDS)[0] == "invalid"
    assert running.metric("calls_total", outcome="answered") == len(DOWN[version])
    assert running.metric("rpc_marked_total") == 0
    cp.finish()
