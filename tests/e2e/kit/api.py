# SPDX-License-Identifier: Apache-2.0
"""A client of /api/v1 that holds every answer against docs/openapi.yaml."""

import http.client
import json
import pathlib
import re
import urllib.parse

import jsonschema
import yaml

from kit import wsraw

SPEC_FILE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"
SPEC = yaml.safe_load(SPEC_FILE.read_text())
PREFIX = "/api/v1"


def quote(client_id: str) -> str:
    return urllib.parse.quote(client_id, safe="")


def operations() -> list[tuple[str, str]]:
    """(method, path) of everything that is described."""
    return [(method.upper(), path) for path, item in SPEC["paths"].items()
            for method in item if method in ("get", "put", "post", "delete", "patch")]


def resolve(node: dict) -> dict:
    while "$ref" in node:
        found = SPEC
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operation_of(method: str, target: str) -> dict | None:
    path = target.split("?")[0].removeprefix(PREFIX)
    for pattern, item in SPEC["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            return item.get("get" if method == "HEAD" else method.lower())
    return None


def check_schema(schema: dict, value) -> None:
    # With the whole document around it, so that its references are found.
    jsonschema.Draft202012Validator(
        {"allOf": [schema], "components": SPEC["components"]},
        format_checker=jsonschema.FormatChecker()).validate(value)


def check(method: str, target: str, answer: wsraw.Response) -> None:
    """Is this answer as it is described? What is at no described path is a problem."""
    if method == "OPTIONS" and answer.status == 204:
        assert answer.headers["allow"] and answer.body == b""
        return
    operation = operation_of(method, target)
    described = SPEC["components"]["responses"]["Problem"]
    if operation is not None:
        responses = operation["responses"]
        described = resolve(responses.get(str(answer.status), responses["default"]))
    content = answer.headers["content-type"]
    assert content in described["content"], (answer, list(described["content"]))
    if method != "HEAD":
        body = json.loads(answer.body)
        check_schema(described["content"][content]["schema"], body)
        if content == "application/problem+json":
            assert body["status"] == answer.status


class Api:
    """Of one gateway. Requests by http.client, a connection each."""

    def __init__(self, address: tuple[str, int], token: str | None = None):
        self.address = address
        self.token = token

    def ask(self, method: str, path: str, body: bytes | None = None, *,
            headers: dict | None = None) -> wsraw.Response:
        target = PREFIX + path
        connection = http.client.HTTPConnection(*self.address, timeout=wsraw.SECONDS)
        sent = dict(headers or {})
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, target, body=body, headers=sent)
            got = connection.getresponse()
            answer = wsraw.Response(
                got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            connection.close()
        check(method, target, answer)
        return answer

    def get(self, path: str, status: int = 200) -> dict:
        answer = self.ask("GET", path)
        assert answer.status == status, answer
        return json.loads(answer.body)

    def post(self, path: str, body: bytes = b"", status: int = 200, *, type: str | None = None,
             **headers: str) -> dict:
        """`type` is the Content-Type."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if type is not None:
            sent["Content-Type"] = type
        answer = self.ask("POST", path, body, headers=sent)
        assert answer.status == status, answer
        return json.loads(answer.body)

    # --- clients ---

    def send(self, client_id: str, message: bytes | str, status: int = 200, *, route: str = "ws",
             query: str = "") -> dict:
        """Text or bytes, as what they are."""
        is_text = isinstance(message, str)
        return self.post(f"/clients/{route}/{quote(client_id)}/messages{query}",
                         message.encode() if is_text else message, status,
                         type="text/plain; charset=utf-8" if is_text
                         else "application/octet-stream")

    def inspect(self, client_id: str, status: int = 200, *, route: str = "ws") -> dict:
        return self.get(f"/clients/{route}/{quote(client_id)}", status)

    def close(self, client_id: str, body: dict | None = None, status: int = 200, *,
              route: str = "ws") -> dict:
        sent = b"" if body is None else json.dumps(body).encode()
        return self.post(f"/clients/{route}/{quote(client_id)}/close", sent, status,
                         type="application/json")

    def list(self, **query) -> list[dict]:
        """All pages."""
        found, cursor = [], {}
        while True:
            page = self.get("/clients?" + urllib.parse.urlencode(query | cursor))
            found += page["clients"]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}
