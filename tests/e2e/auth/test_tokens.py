# SPDX-License-Identifier: Apache-2.0
"""The way 'token': where it is found, what is refused and why, where its keys come from, what it brings along, and
how it ends (docs/auth-tokens.md). Tokens are others': PyJWT's."""

import contextlib
import json
import subprocess
import time

import jwt
import pytest

from kit import backends, tokens, wsraw
from kit.api import Api
from kit.gateway import run_binary

EXPIRED = (4401, b"proof expired")


@pytest.fixture(scope="module")
def keys() -> dict[str, tokens.Key]:
    return {alg: tokens.Key(alg, f"key-{alg}")
            for alg in ("RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA", "HS256")}


@pytest.fixture
def served(keys):
    """served(*algs) is a server of these keys."""
    started = []

    def run(*algs: str, **options) -> tokens.JwksServer:
        started.append(tokens.JwksServer(*(keys[alg] for alg in algs), **options))
        return started[-1]

    yield run
    for one in started:
        one.close()


@pytest.fixture
def patient(gateway):
    """A gateway that makes nobody wait for having been wrong."""
    return lambda **options: gateway(**options | {"server": {"auth_failures": 0} | options.get("server", {})})


def way(source, **options) -> dict:
    named = ({"jwks_url": source.url} if isinstance(source, tokens.JwksServer)
             else {"jwks_file": source})
    return {"type": "token", "issuer": tokens.ISSUER, "audience": tokens.AUDIENCE} | named | options


def route(*ways: dict, path: str = "/ws/{client_id}", **options) -> dict:
    return {"path": path, "auth": list(ways)} | options


def bearer(token: str) -> dict:
    return {"extra": (f"Authorization: Bearer {token}",)}


def ask(running, token: str | None, target: str = "/ws/cp1") -> wsraw.Response:
    with running.connect() as client:
        return client.handshake(target, **({} if token is None else bearer(token)))


def reason_of(answer: wsraw.Response) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)["reason"]


def wait_keys(running, count: int = 1) -> None:
    running.wait_metric("jwks_keys", count)


# --- where it is ---


PLACES = {
    "header": lambda token: ("/ws/cp1", (f"Authorization: Bearer {token}",)),
    "query": lambda token: (f"/ws/cp1?x=1&access_token={token}", ()),
    "cookie": lambda token: ("/ws/cp1", (f"Cookie: a=b; access_token={token}", "Origin: http://gatehouse.test")),
    "subprotocol": lambda token: ("/ws/cp1", (f"Sec-WebSocket-Protocol: ocpp1.6, bearer.{token}",)),
    "two subprotocols": lambda token: ("/ws/cp1", (f"Sec-WebSocket-Protocol: bearer, {token}, ocpp1.6",)),
}


@pytest.mark.parametrize("place", PLACES)
def test_each_place_and_nobody_else_sees_it(patient, tmp_path, keys, place):
    """The back end gets the request with stars for the token, and the log has nothing of it."""
    hook = backends.Webhook()
    file = tokens.jwks_file(tmp_path, keys["ES256"])
    running = patient(
        routes=[route(way(file, **{"from": ["header", "query", "cookie", "subprotocol"]}),
                      backend="hook", subprotocols=["ocpp1.6"], subprotocol_mismatch="accept")],
        backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
    token = keys["ES256"].token()
    target, extra = PLACES[place](token)
    with running.connect() as client:
        answer = client.handshake(target, extra=extra)
        assert answer.status == 101, answer
        assert answer.headers.get("sec-websocket-protocol") == ("ocpp1.6" if "sub" in place else None)
        body = hook.wait("connect")[0].body.decode()
        assert token not in body and token.split(".")[2] not in body
        assert "*" * len(token) in body
        assert body.startswith("GET /ws/cp1")
        headers = hook.wait("connect")[0].headers
        assert headers["ce-path"] == "/ws/cp1"
        assert headers.get("ce-query") == ("x=1&access_token=" + "*" * len(token) if place == "query" else None)
        assert headers.get("ce-origin") == ("http://gatehouse.test" if place == "cookie" else None)
        assert not any(token.split(".")[2] in value for value in headers.values())
    with running.connect() as client:
        target, extra = PLACES[place](token[:-8] + "AAAAAAAA")
        assert reason_of(client.handshake(target, extra=extra)) == (401, "token_signature")
    assert token.split(".")[1] not in running.log
    hook.wait("disconnected")
    hook.close()


def test_only_in_the_places_that_are_named(patient, tmp_path, keys):
    running = patient(routes=[route(way(tokens.jwks_file(tmp_path, keys["ES256"])))])
    for place in ("query", "cookie", "subprotocol"):
        target, extra = PLACES[place](keys["ES256"].token())
        with running.connect() as client:
            answer = client.handshake(target, extra=extra)
            assert reason_of(answer) == (401, "no_proof")
            assert answer.headers["www-authenticate"] == 'Bearer realm="gatehouse"'
    assert ask(running, keys["ES256"].token()).status == 101


# --- what is taken, and what is not ---


@pytest.mark.parametrize("alg", ["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA", "HS256"])
def test_each_algorithm(patient, tmp_path, keys, alg):
    file = tokens.jwks_file(tmp_path, *keys.values())
    running = patient(routes=[route(way(file, algorithms=[alg]))])
    assert ask(running, keys[alg].token()).status == 101
    for other in keys.keys() - {alg}:
        assert reason_of(ask(running, keys[other].token())) == (401, "token_algorithm")
    assert running.metric("auth_total", way="token", outcome="proved") == 1
    assert running.metric("auth_total", way="token", outcome="wrong") == len(keys) - 1


def unsigned(claims: dict) -> str:
    return f"{tokens.b64(json.dumps({'alg': 'none'}).encode())}.{tokens.b64(json.dumps(claims).encode())}."


def confused(key: tokens.Key) -> str:
    """The public key as the secret of an HMAC: PyJWT does not want to, so by hand."""
    import hashlib
    import hmac
    now = int(time.time())
    head = tokens.b64(json.dumps({"alg": "HS256", "kid": key.kid}).encode())
    body = tokens.b64(json.dumps({"sub": "cp1", "exp": now + 600, "iss": tokens.ISSUER,
                                  "aud": tokens.AUDIENCE}).encode())
    mac = hmac.new(key.public_pem, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{tokens.b64(mac)}"


def nested(key: tokens.Key) -> str:
    return key.token(header={"cty": "JWT"})


BAD = {
    "none": (lambda key: unsigned({"sub": "cp1", "exp": time.time() + 600}), "token_algorithm"),
    "confused keys": (confused, "token_key"),
    "nested": (nested, "token_nested"),
    "critical": (lambda key: key.token(header={"crit": ["exp"], "exp": 1}), "token_critical"),
    "of another type": (lambda key: key.token(header={"typ": "secevent+jwt"}), "token_type"),
    "begins later": (lambda key: key.token(nbf=int(time.time()) + 3600), "token_not_yet"),
    "over": (lambda key: key.token(seconds=-3600), "token_expired"),
    "endless": (lambda key: key.token(exp=None), "token_claims"),
    "of another issuer": (lambda key: key.token(iss="https://id.test.evil"), "token_issuer"),
    "for others": (lambda key: key.token(aud=["a", "b"]), "token_audience"),
    "for nobody": (lambda key: key.token(aud=None), "token_audience"),
    "of nobody": (lambda key: key.token(client_id=None), "token_claims"),
    "encrypted": (lambda key: "a.b.c.d.e", "token_encrypted"),
    "rubbish": (lambda key: "rubbish", "token_malformed"),
    "another key's name": (lambda key: key.token(header={"kid": "gone"}), "token_key"),
    "somebody else's": (lambda key: tokens.Key("RS256", key.kid).token(), "token_signature"),
    "cut": (lambda key: key.token()[:-1], "token_malformed"),
}


def test_bad_tokens(patient, tmp_path, keys):
    file = tokens.jwks_file(tmp_path, keys["RS256"], keys["ES256"])
    running = patient(routes=[route(way(file, algorithms=["RS256", "ES256", "HS256"]))])
    for name, (make, reason) in BAD.items():
        answer = ask(running, make(keys["RS256"]))
        assert reason_of(answer) == (401, reason), name
        assert answer.headers["www-authenticate"].endswith('error="invalid_token"'), name
    assert reason_of(ask(running, keys["RS256"].token("cp2"))) == (403, "other_client_id")
    assert ask(running, keys["RS256"].token()).status == 101
    assert running.metric("connections_accepted_total") == 1
    line = running.wait_log("client not let in: no good proof")
    assert line["event"] == "security" and line["way"] == "token"


def test_a_million_bytes(patient, tmp_path, keys):
    """No token is so large; the request is refused before anybody looks at it, or at its length."""
    running = patient(routes=[route(way(tokens.jwks_file(tmp_path, keys["ES256"])))])
    token = keys["ES256"].token(fill="x" * 1_000_000)
    with running.connect() as client:
        with contextlib.suppress(ConnectionError):
            client.send(wsraw.request("/ws/cp1", extra=(f"Authorization: Bearer {token}",)))
        with contextlib.suppress(ConnectionError):
            assert client.read_response().status in (400, 431)
    assert ask(running, keys["ES256"].token()).status == 101
    assert token[:100] not in running.log


def test_the_id_comes_from_the_token_where_the_path_has_none(patient, tmp_path, keys):
    running = patient(routes=[route(way(tokens.jwks_file(tmp_path, keys["ES256"])), path="/ws")])
    with running.connect().open("/ws", **bearer(keys["ES256"].token("till/7"))):
        assert Api(running.admin).inspect("till/7")["client_id"] == "till/7"


def test_groups_and_subprotocol(patient, tmp_path, keys):
    running = patient(routes=[route(
        way(tokens.jwks_file(tmp_path, keys["ES256"]), groups_claim="groups", subprotocol_claim="proto"),
        subprotocols=["a", "b"])])
    token = keys["ES256"].token(groups=["night", "till"], proto="b")
    with running.connect() as client:
        answer = client.handshake("/ws/cp1", extra=(f"Authorization: Bearer {token}",
                                                    "Sec-WebSocket-Protocol: a, b"))
        assert answer.headers["sec-websocket-protocol"] == "b"
        assert Api(running.admin).inspect("cp1")["groups"] == ["night", "till"]
        running.wait_metric("groups", 2)
    bad = keys["ES256"].token("cp2", groups=["no such name, is there"])
    assert reason_of(ask(running, bad, "/ws/cp2")) == (401, "token_claims")


# --- keys ---


def test_keys_by_url_come_later_and_stay(patient, keys):
    """Down at the start; then good; then as bad as can be: its keys stay, and what is wrong is told."""
    port = wsraw.free_port()
    source = {"type": "token", "jwks_url": f"http://127.0.0.1:{port}/jwks.json", "issuer": tokens.ISSUER,
              "audience": tokens.AUDIENCE, "jwks_refresh": "1s", "jwks_timeout": "1s"}
    running = patient(routes=[route(source)])
    token = keys["RS256"].token()
    assert reason_of(ask(running, token)) == (503, "token_keys_missing")
    running.wait_metric("jwks_fetches_total", 1, outcome="unreachable")
    running.wait_log("keys of tokens cannot be loaded; those from before, if any, stay in use")
    assert any("/jwks.json" in reason for reason in running.health()["reasons"])
    server = tokens.JwksServer(keys["RS256"], port=port)
    wait_keys(running)
    assert ask(running, token).status == 101
    assert running.health()["reasons"] == []
    for behaviour, outcome in (("huge", "too_large"), ("redirect", "redirect"), ("rubbish", "unreadable"),
                               ("error", "status"), ("slow", "unreachable")):
        before = running.metric("jwks_fetches_total", outcome=outcome)
        server.behaviour = behaviour
        running.wait_metric("jwks_fetches_total", before + 1, outcome=outcome)
        assert ask(running, token).status == 101, behaviour
    assert any("/jwks.json" in reason for reason in running.health()["reasons"])
    assert running.health()["status"] == "ready"
    server.close()


def test_new_keys_are_looked_for_when_a_token_names_one(patient, served, keys):
    """Not for each of them: at most every 10 seconds."""
    server = served("RS256", max_age=86400)
    running = patient(routes=[route(way(server))])
    wait_keys(running)
    server.keys.append(keys["ES256"])
    token = keys["ES256"].token()
    for _ in range(20):
        assert reason_of(ask(running, token)) == (401, "token_key")
    wait_keys(running, 2)
    assert ask(running, token).status == 101
    assert server.asked == 2


@pytest.fixture
def fetching(patient, served, keys):
    """A gateway that has asked for its keys again, since a token named one that was not there, and waits for them;
    and the server that it asks."""
    def run(handshake_timeout="1m", **options):
        asked = served("RS256", max_age=86400)
        running = patient(server={"handshake_timeout": handshake_timeout},
                          routes=[route(way(asked, jwks_timeout="1m"))], **options)
        wait_keys(running)
        asked.behaviour = "held"
        assert reason_of(ask(running, keys["ES256"].token())) == (401, "token_key")
        wsraw.wait_until(lambda: asked.asked == 2, "the second fetch")
        return running, asked
    return run


def test_who_goes_while_he_waits_has_a_line_in_the_access_log(fetching, keys):
    running, _ = fetching(arguments=("--log-access", "true"))
    with running.connect() as client:
        client.send(wsraw.request("/ws/cp1", extra=(f"Authorization: Bearer {keys['ES256'].token()}",)))
        running.wait_metric("jwks_waiting", 1)
    running.wait_metric("jwks_waiting", 0)
    refused, gone = wsraw.wait_until(lambda: len(lines := running.logged("access")) > 1 and lines, "both lines")
    assert (refused["status"], gone["status"], gone["client_id"], gone["path"]) == ("401", "0", "cp1", "/ws/cp1")
    assert gone["reason"] in ("client_gone", "connection_lost") and gone["route"] == refused["route"]


def test_who_has_a_new_key_waits_for_the_fetch_under_way(fetching, keys):
    running, server = fetching()
    server.keys.append(keys["ES256"])
    clients = {"new": running.connect(), "nobody's": running.connect(), "gone": running.connect()}
    for name, client in clients.items():
        token = keys["ES256"].token(header={"kid": "gone"}) if name == "nobody's" else keys["ES256"].token()
        client.send(wsraw.request("/ws/cp1", extra=(f"Authorization: Bearer {token}",)))
    running.wait_metric("jwks_waiting", 3)
    assert ask(running, keys["RS256"].token()).status == 101  # a key that is there waits for nothing
    clients["gone"].close()
    running.wait_metric("jwks_waiting", 2)
    server.behaviour = "good"
    running.wait_metric("jwks_waiting", 0)
    with clients["new"] as client:
        assert client.read_response().status == 101
        client.echo(b"in")
    with clients["nobody's"] as client:
        assert reason_of(client.read_response()) == (401, "token_key")
    assert server.asked == 2


def test_nobody_waits_longer_than_for_a_handshake(fetching, keys):
    running, _ = fetching(handshake_timeout="1s")
    with running.connect() as client:
        client.send(wsraw.request("/ws/cp1", extra=(f"Authorization: Bearer {keys['ES256'].token()}",)))
        running.wait_metric("jwks_waiting", 1)
        assert reason_of(client.read_response()) == (503, "proof_timeout")
    running.wait_metric("jwks_waiting", 0)


def test_an_end_does_not_wait_for_a_fetch(fetching, keys):
    running, server = fetching()
    with running.connect() as client:
        client.send(wsraw.request("/ws/cp1", extra=(f"Authorization: Bearer {keys['ES256'].token()}",)))
        running.wait_metric("jwks_waiting", 1)
        running.stop()
    assert server.behaviour == "held"


def test_old_keys_are_not_good_for_ever(patient, served, keys):
    server = served("RS256")
    running = patient(routes=[route(way(server, jwks_refresh="1s", jwks_stale_max="2s"))])
    wait_keys(running)
    server.behaviour = "error"
    token = keys["RS256"].token()
    wsraw.wait_until(lambda: ask(running, token).status == 503, "the keys to be too old")
    server.behaviour = "good"
    wsraw.wait_until(lambda: ask(running, token).status == 101, "new keys")


def test_one_source_is_fetched_once_for_all_routes(patient, served, keys):
    server = served("RS256", max_age=86400)
    running = patient(routes=[route(way(server)), route(way(server), path="/other/{client_id}")])
    wait_keys(running)
    assert ask(running, keys["RS256"].token()).status == 101
    assert ask(running, keys["RS256"].token(), "/other/cp1").status == 101
    assert server.asked == 1


def test_a_file_that_changes(patient, tmp_path, keys):
    """Taken up by itself; a broken one changes nothing and is named."""
    file = tokens.jwks_file(tmp_path, keys["ES256"])
    running = patient(routes=[route(way(file, algorithms=["ES256", "EdDSA"]))])
    assert reason_of(ask(running, keys["EdDSA"].token())) == (401, "token_key")
    tokens.jwks_file(tmp_path, keys["EdDSA"])
    wsraw.wait_until(lambda: ask(running, keys["EdDSA"].token()).status == 101, "the new keys")
    assert ask(running, keys["ES256"].token()).status == 401
    file.write_text("{")
    wsraw.wait_until(lambda: any(str(file) in reason for reason in running.health()["reasons"]),
                     lambda: running.health())
    assert ask(running, keys["EdDSA"].token()).status == 101


def test_what_is_wrong_with_keys_is_said_at_once(tmp_path, keys):
    """By check, with the place."""
    for text, wrong in (("{", "is not JSON"), ('{"keys":[]}', "has 0 keys"),
                        (json.dumps(tokens.jwks(keys["HS256"])), "everybody may read it")):
        file = tmp_path / "keys.json"
        file.write_text(text)
        file.chmod(0o644)
        config = tmp_path / "application.yaml"
        config.write_text("admin:\n  listen: 127.0.0.1:0\nserver:\n  listen: 127.0.0.1:0\nroutes:\n"
                          f"  - path: /ws/{{client_id}}\n    auth:\n      - type: token\n        jwks_file: {file}\n")
        done = run_binary("check", "-c", config)
        assert done.returncode != 0
        assert f"{config}:9:" in done.stdout + done.stderr and wrong in done.stdout + done.stderr


def test_what_can_hardly_be_meant_is_warned_of(tmp_path, keys):
    file = tokens.jwks_file(tmp_path, keys["ES256"])
    config = tmp_path / "application.yaml"
    for lines, warning in (
            (f"jwks_file: {file}", "neither issuer nor audience is given"),
            ("jwks_url: http://id.test/\n        issuer: a", "is not https"),
            (f"jwks_file: {file}\n        issuer: a\n        from: [subprotocol]", "browsers fail")):
        config.write_text("admin:\n  listen: 127.0.0.1:0\nserver:\n  listen: 127.0.0.1:0\nroutes:\n"
                          f"  - path: /ws/{{client_id}}\n    auth:\n      - type: token\n        {lines}\n")
        done = run_binary("check", "-c", config)
        assert done.returncode == 0, done
        assert warning in done.stdout + done.stderr and f"{config}:" in done.stdout + done.stderr


# --- the end ---


def open_until(running, key: tokens.Key, seconds: float, *extra: str) -> tuple[wsraw.Client, int]:
    token = key.token(seconds=seconds)
    return running.connect().open("/ws/cp1", extra=(*bearer(token)["extra"], *extra)), jwt.decode(
        token, options={"verify_signature": False})["exp"]


@pytest.fixture
def ending(patient, tmp_path, keys):
    return patient(routes=[route(way(tokens.jwks_file(tmp_path, keys["ES256"]), renew_by_message="true"))])


def test_its_end_closes_to_the_second(ending, keys):
    client, end = open_until(ending, keys["ES256"], 3)
    with client:
        client.echo(b"until then")
        assert 0 < Api(ending.admin).inspect("cp1")["expires_in"] <= 3
        assert client.read_close() == EXPIRED
        assert end <= time.time()
        ending.wait_metric("connections_closed_total", 1, reason="expired")


def test_its_end_whatever_subprotocol_the_back_end_chooses(patient, tmp_path, keys):
    hook = backends.Webhook(lambda event: backends.Answer(headers={"Gatehouse-Subprotocol": "b"})
                            if event.type == "connect" else None)
    running = patient(routes=[route(way(tokens.jwks_file(tmp_path, keys["ES256"])), backend="hook")],
                      backends=[{"name": "hook", "type": "webhook", "url": hook.url}])
    client, end = open_until(running, keys["ES256"], 600, "Sec-WebSocket-Protocol: a, b")
    with client:
        seen = Api(running.admin).inspect("cp1")
        assert seen["subprotocol"] == "b" and seen["expires_at"] == end
        assert seen["auth"]["way"] == "token"
        assert hook.wait("connected")[0].headers["ce-authway"] == "token"
        Api(running.admin).post("/clients/ws/cp1/renew", json.dumps({"expires_at": int(time.time()) + 1}).encode(),
                                type="application/json")
        assert client.read_close() == EXPIRED
    hook.wait("disconnected")
    hook.close()


def test_renewed_by_the_api(ending, keys):
    """By a time, and by a token of the same client."""
    one = Api(ending.admin)
    client, end = open_until(ending, keys["ES256"], 600)
    renew = "/clients/ws/cp1/renew"
    with client:
        body = one.post(renew, json.dumps({"expires_at": end + 1000}).encode(), type="application/json")
        assert body["expires_at"] == end + 1000
        assert one.inspect("cp1")["expires_at"] == end + 1000
        token = keys["ES256"].token(seconds=5000)
        body = one.post(renew, json.dumps({"token": token}).encode(), type="application/json")
        assert body["expires_in"] in range(4000, 5001)
        for wish, status, reason in (
                ({"token": keys["ES256"].token("cp2")}, 403, "other_client"),
                ({"token": keys["ES256"].token(seconds=-100)}, 403, "token_expired"),
                ({"token": "x"}, 403, "token_malformed"),
                ({"expires_at": int(time.time()) - 5}, 400, "expires_at"),
                ({"expires_at": 1, "token": token}, 400, "renewal")):
            answer = one.post(renew, json.dumps(wish).encode(), status, type="application/json")
            assert answer["reason"] == reason
        assert one.inspect("cp1")["expires_in"] in range(4000, 5001)
        # And shortened: it is over at once.
        one.post(renew, json.dumps({"expires_at": int(time.time()) + 1}).encode(), type="application/json")
        assert client.read_close() == EXPIRED
    assert ending.metric("token_renewals_total") == 1
    assert ending.metric("token_renewals_refused_total") == 3


def test_renewed_by_a_message_that_the_back_end_never_sees(ending, keys):
    client, end = open_until(ending, keys["ES256"], 600)
    with client:
        token = keys["ES256"].token(seconds=5000)
        client.send_frame(wsraw.TEXT, json.dumps({"gatehouse": "renew", "token": token}).encode())
        answer = json.loads(client.read_message()[1])
        assert answer["gatehouse"] == "renewed" and answer["expires_at"] > end
        assert Api(ending.admin).inspect("cp1")["expires_at"] == answer["expires_at"]
        # Not so soon again, whatever it is; and no such message comes back from the echo.
        client.send_frame(wsraw.TEXT, json.dumps({"gatehouse": "renew", "token": token}).encode())
        assert json.loads(client.read_message()[1]) == {"gatehouse": "not_renewed", "reason": "too_often"}
        client.send_frame(wsraw.TEXT, b'{"gatehouse":"renew","token":7}')
        assert json.loads(client.read_message()[1]) == {"gatehouse": "not_renewed", "reason": "too_often"}
        for other in (b'{"gatehouse":"other"}', b'{"x":1}', b"hello"):
            client.echo(other, wsraw.TEXT)
        client.echo(b'{"gatehouse":"renew","token":"a"}', wsraw.BINARY)


def test_another_ones_token_by_a_message(ending, keys):
    client, end = open_until(ending, keys["ES256"], 600)
    with client:
        token = keys["ES256"].token("cp2", seconds=5000)
        client.send_frame(wsraw.TEXT, json.dumps({"gatehouse": "renew", "token": token}).encode())
        assert json.loads(client.read_message()[1])["reason"] == "other_client"
        assert Api(ending.admin).inspect("cp1")["expires_at"] == end


def test_without_the_switch_it_is_a_message_like_others(patient, tmp_path, keys):
    running = patient(routes=[route(way(tokens.jwks_file(tmp_path, keys["ES256"])))])
    client, _ = open_until(running, keys["ES256"], 600)
    with client:
        client.echo(b'{"gatehouse":"renew","token":"a.b.c"}', wsraw.TEXT)


def test_renewed_by_another_node(patient, tmp_path, keys, broker):
    """Which has neither the client nor its keys."""
    bus = {"type": "nats", "urls": [broker().url]}
    routes = [route(way(tokens.jwks_file(tmp_path, keys["ES256"])))]
    one = patient(routes=routes, bus=bus, server={"node": "one"})
    other = patient(routes=[{"path": "/ws/{client_id}"}], bus=bus, server={"node": "other"})
    for running in (one, other):
        running.wait_metric("bus_connected", 1)
    client, end = open_until(one, keys["ES256"], 600)
    with client:
        wsraw.wait_until(lambda: Api(other.admin).ask("GET", "/clients/ws/cp1").status == 200, "the broker to know")
        wish = {"token": keys["ES256"].token(seconds=5000)}
        body = Api(other.admin).post("/clients/ws/cp1/renew", json.dumps(wish).encode(), type="application/json")
        assert body["expires_at"] > end
        assert Api(one.admin).inspect("cp1")["expires_at"] == body["expires_at"]
        assert wish["token"] not in one.log + other.log


# --- a client of others ---


NODE = """
const [url, ...protocols] = process.argv.slice(1);
const socket = new WebSocket(url, protocols);
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => { console.log(JSON.stringify([socket.protocol, event.data])); socket.close(1000); };
socket.onerror = () => { console.log("error"); process.exitCode = 1; };
"""


def test_as_a_browser_does_it(patient, tmp_path, keys):
    """Node's WebSocket, which is that of browsers: no headers, and it fails if its subprotocols are not answered."""
    running = patient(routes=[route(
        way(tokens.jwks_file(tmp_path, keys["ES256"]), **{"from": ["subprotocol", "query"]}),
        subprotocols=["chat", "bearer"], subprotocol_mismatch="accept")])
    token = keys["ES256"].token()
    for target, protocols, want in (("/ws/cp1", ["chat", f"bearer.{token}"], "chat"),
                                    ("/ws/cp1", ["bearer", token], "bearer"),
                                    (f"/ws/cp1?access_token={token}", [], "")):
        done = subprocess.run(["node", "--experimental-websocket", "-e", NODE, running.url(target), *protocols],
                              capture_output=True, text=True, timeout=120)
        assert json.loads(done.stdout) == [want, "hello"], done
