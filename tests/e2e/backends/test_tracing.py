# SPDX-License-Identifier: Apache-2.0
"""Traces: which spans there are, whose children they are, what back ends are told, and what becomes of a gateway whose
collector does not do its part."""

import concurrent.futures
import contextlib
import json
import ssl
import threading
import time

import pytest
import yaml

from kit import api, backends, natsraw, wsraw
from kit.collector import Collector
from kit.gateway import run_binary
from kit.reload import Changing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = PARENT[:-1] + "0"
SERVER, CLIENT, PRODUCER = 2, 3, 4
FAST = {"retries": 1, "retry_min": "1ms", "retry_max": "20ms", "timeout": "20s", "breaker_failures": 0}


@pytest.fixture
def collector():
    with Collector() as one:
        yield one


@pytest.fixture
def hook():
    one = backends.Webhook()
    yield one
    one.close()


@pytest.fixture
def serve(gateway):
    """serve(collector, webhook, **keys of tracing); webhook None: echo."""
    running = []

    def run(collector, hook=None, *, route=None, server=None, bus=None, backend=None, **tracing):
        hooked = [] if hook is None else [{"name": "hook", "type": "webhook",
                                            "url": hook.url.replace("//", "//probe:geheim@")} | FAST]
        one = gateway(
            server={"drain_timeout": "3s", "node": "node-1"} | (server or {}), bus=bus,
            routes=[{"path": "/ws/{client_id}", "backend": backend[0]["name"] if backend else "hook" if hook else "echo"} |
                    (route or {})],
            backends=hooked + (backend or []),
            arguments=arguments({"url": collector if isinstance(collector, str) else collector.url, "interval": "20ms"} |
                                tracing))
        running.append(one)
        return one

    yield run
    for one in running:
        if not one.has_stopped:
            one.stop()


def arguments(tracing: dict) -> tuple[str, ...]:
    return tuple(word for key, value in tracing.items()
                 for word in (f"--tracing-{key.replace('_', '-')}", str(value)))


def ids(traceparent: str) -> tuple[str, str]:
    """Of the trace, and of the span."""
    version, trace_id, span_id, flags = traceparent.split("-")
    assert version == "00" and flags in ("00", "01")
    return trace_id, span_id


def dropped(gateway) -> dict[str, float]:
    return {reason: count for reason, count in gateway.metrics("tracing_spans_dropped_total", "reason").items() if count}


# --- from the client to the back end ---

@pytest.mark.tsan
def test_from_the_client_through_the_handshake_to_the_back_end(serve, collector, hook):
    gateway = serve(collector, hook)
    client = gateway.connect()
    client.handshake("/ws/caf%C3%A9?secret=1", extra=(f"traceparent: {PARENT}", "tracestate: a=1,b=2",
                                                      "User-Agent: probe/1"))
    handshake, = collector.wait("GET /ws/{client_id}")
    assert (handshake.trace_id, handshake.parent_id) == ids(PARENT) and handshake.state == "a=1,b=2"
    assert handshake.kind == SERVER and handshake.error is None
    assert handshake.attributes.items() >= {
        "http.request.method": "GET", "http.route": "/ws/{client_id}", "url.path": "/ws/caf%C3%A9",
        "http.response.status_code": 101, "user_agent.original": "probe/1", "client.address": "127.0.0.1",
        "gatehouse.route": "ws", "gatehouse.client_id": "café"}.items()
    assert handshake.resource.items() >= {"service.name": "gatehouse", "service.instance.id": "node-1"}.items()
    assert set(handshake.resource) == {"service.name", "service.instance.id", "service.version", "host.name"}

    for kind in ("connect", "connected"):
        event = hook.wait(kind)[0]
        span, = collector.wait(f"send gatehouse.client.{kind}")
        assert (span.trace_id, span.parent_id) == (handshake.trace_id, handshake.span_id)
        assert span.kind == CLIENT and not span.links and span.state == "a=1,b=2"
        assert event.headers["traceparent"] == span.context, "our span is the parent of the back end's"
        assert event.headers["ce-traceparent"] == PARENT, "where all began is what no hop changes"
        assert event.headers["tracestate"] == "a=1,b=2" and event.headers["ce-tracestate"] == "a=1,b=2"
        assert span.attributes.items() >= {
            "cloudevents.event_id": event.id, "cloudevents.event_type": f"gatehouse.client.{kind}",
            "cloudevents.event_source": "/gatehouse/node-1", "http.response.status_code": 204,
            "url.full": hook.url,  # without whoever it is that asks
            "gatehouse.backend": "hook", "gatehouse.outcome": "delivered"}.items()
        assert [name for name, _ in span.events] == ["attempt"]
    client.close()


def test_a_message_has_a_trace_of_its_own_with_a_link_to_the_handshake(serve, collector, hook):
    gateway = serve(collector, hook)
    client = gateway.connect()
    client.handshake("/ws/a", extra=(f"traceparent: {PARENT}", "tracestate: a=1"))
    for text in (b"one", b"two"):
        client.send_frame(wsraw.TEXT, text)
    handshake, = collector.wait("GET /ws/{client_id}")
    events = hook.wait("message", 2)
    spans = collector.wait("send gatehouse.client.message", 2)
    client.close()
    ended, = collector.wait("send gatehouse.client.disconnected")
    for span, event in zip(spans, events):
        assert event.headers["traceparent"] == span.context
        assert event.headers["ce-traceparent"] == PARENT and "tracestate" not in event.headers
        assert span.attributes["messaging.message.body.size"] == 3
    for span in [*spans, ended]:
        assert span.parent_id == "" and span.trace_id != handshake.trace_id
        assert span.links == [(handshake.trace_id, handshake.span_id)]
    assert len({span.trace_id for span in [*spans, ended]}) == 3


def test_without_a_parent_the_trace_begins_here(serve, collector, hook):
    gateway = serve(collector, hook)
    gateway.open("/ws/a").close()
    handshake, = collector.wait("GET /ws/{client_id}")
    connect, = collector.wait("send gatehouse.client.connect")
    event = hook.of("connect")[0]
    assert handshake.parent_id == "" and connect.parent_id == handshake.span_id
    assert event.headers["traceparent"] == event.headers["ce-traceparent"] == connect.context


@pytest.mark.parametrize("bad", ["", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "ff" + PARENT[2:], PARENT + "-x",
                                 PARENT.upper(), "é"])
def test_a_bad_traceparent_is_none(serve, collector, bad):
    gateway = serve(collector)
    gateway.connect().open("/ws/a", extra=(f"traceparent: {bad}",)).close()
    handshake, = collector.wait("GET /ws/{client_id}")
    assert handshake.parent_id == "" and handshake.trace_id != ids(PARENT)[0]


# --- sampling ---

def test_the_parent_decides_whatever_the_ratio(serve, collector, hook):
    gateway = serve(collector, hook, sample=0)
    gateway.open("/ws/no").close()
    gateway.connect().open("/ws/unsampled", extra=(f"traceparent: {UNSAMPLED}",)).close()
    client = gateway.connect().open("/ws/sampled", extra=(f"traceparent: {PARENT}",))
    client.send_frame(wsraw.TEXT, b"by the ratio")
    client.close()
    hook.wait("disconnected", 3)
    collector.wait("send gatehouse.client.connected")
    gateway.stop()
    assert sorted(span.name for span in collector.spans) == [
        "GET /ws/{client_id}", "send gatehouse.client.connect", "send gatehouse.client.connected"]
    assert {span.attributes["gatehouse.client_id"] for span in collector.spans} == {"sampled"}
    # Back ends are told that nobody records the rest.
    for client_id, trace_id in (("no", None), ("unsampled", ids(PARENT)[0])):
        event, = hook.of("connect", client_id)
        assert event.headers["traceparent"].endswith("-00")
        assert trace_id in (None, ids(event.headers["traceparent"])[0])
    assert hook.of("message")[0].headers["traceparent"].endswith("-00")


def test_a_part_of_what_begins_here(serve, collector):
    gateway = serve(collector, sample="0.25")
    for number in range(200):
        gateway.open(f"/ws/{number}").close()
    gateway.stop()
    assert 20 <= len(collector.named("GET /ws/{client_id}")) <= 85  # 50; six deviations on each side


# --- what is refused, and what fails ---

def test_a_refused_handshake_and_one_that_nobody_waits_for(serve, collector, hook):
    hook.answer = lambda event: backends.Answer(403) if event.client == "no" else None
    gateway = serve(collector, hook, route={"max_connections": 1}, server={"handshake_timeout": "10s"})
    assert gateway.connect().handshake("/ws/no").status == 403
    kept = gateway.open("/ws/kept")
    assert gateway.connect().handshake("/ws/over").status == 503
    spans = {span.attributes.get("gatehouse.client_id"): span for span in collector.wait("GET /ws/{client_id}", 3)}
    assert spans["no"].attributes["http.response.status_code"] == 403 and spans["no"].error is None
    assert spans["over"].attributes["http.response.status_code"] == 503
    assert spans["over"].error == "routes.max_connections" and spans["over"].attributes["error.type"] == "503"
    connect = next(span for span in collector.named("send gatehouse.client.connect")
                   if span.attributes["gatehouse.client_id"] == "no")
    assert connect.attributes["http.response.status_code"] == 403 and connect.error is None
    kept.close()


def test_one_that_goes_before_it_is_answered(serve, collector, hook):
    asked, answer = threading.Event(), threading.Event()
    hook.answer = lambda event: asked.set() or answer.wait() and None
    gateway = serve(collector, hook)
    client = gateway.connect()
    client.send(wsraw.request("/ws/a"))
    assert asked.wait(wsraw.SECONDS)
    client.close()
    handshake, = collector.wait("GET /ws/{client_id}")
    assert handshake.error == "the connection ended before it was answered"
    answer.set()


def test_attempts_are_events_of_the_span(serve, collector, hook):
    failed = []

    def answer(event):
        if event.type != "message" or len(failed) == 2:
            return None
        failed.append(event.headers["traceparent"])
        return backends.Answer(500)

    hook.answer = answer
    gateway = serve(collector, hook)
    client = gateway.open("/ws/a")
    client.send_frame(wsraw.TEXT, b"x")
    span, = collector.wait("send gatehouse.client.message")
    assert [event[1].get("http.response.status_code") for event in span.events] == [500, 500, 204]
    assert [event[1].get("error.type") for event in span.events] == ["server_error", "server_error", None]
    assert set(failed) == {span.context}
    assert span.error is None and span.attributes["http.response.status_code"] == 204
    client.close()


def test_a_proof_is_a_span_of_the_handshake(serve, collector):
    gateway = serve(collector, route={"auth": [{"type": "token", "issuer": "x", "audience": "y",
                                                "jwks_url": "http://127.0.0.1:1/keys"}]})
    response = gateway.connect().handshake("/ws/ada")
    proof, = collector.wait("authenticate")
    handshake, = collector.wait("GET /ws/{client_id}")
    assert (proof.trace_id, proof.parent_id) == (handshake.trace_id, handshake.span_id)
    assert proof.attributes["gatehouse.auth.verdict"] and handshake.attributes["http.response.status_code"] == response.status
    assert handshake.start <= proof.start <= proof.end <= handshake.end


# --- ids that are hostile ---

def test_names_full_of_markup(serve, collector, hook):
    gateway = serve(collector, hook)
    names = ['"},{"key":"x', "\\", "<script>", "a" * 255, "é" * 127, "퟿"]
    for name in names:
        gateway.connect().open(f"/ws/{api.quote(name)}", extra=('User-Agent: "\\"\t' + "\xff" * 3,)).close()
    spans = collector.wait("GET /ws/{client_id}", len(names))
    assert sorted(span.attributes["gatehouse.client_id"] for span in spans) == sorted(names)
    assert {span.attributes["user_agent.original"] for span in spans} == {'"\\"\t' + "�" * 3}


# --- NATS ---

def test_events_on_the_bus(serve, collector, broker):
    on = broker()
    with on.connect() as service:
        connects = service.subscribe("gatehouse.connect.>")
        ups = service.subscribe("gatehouse.up.>")
        service.flush()
        gateway = serve(collector, bus={"type": "nats", "urls": f"[{on.url}]"},
                        backend=[{"name": "up", "type": "nats", "connect": "ask"}])
        wsraw.wait_until(lambda: gateway.health()["status"] == "ready", "ready")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            opened = pool.submit(gateway.connect().open, "/ws/a", extra=(f"traceparent: {PARENT}",))
            question = connects.next_message()
            service.answer(question)
            client = opened.result()
        handshake, = collector.wait("GET /ws/{client_id}")
        connect, = collector.wait("send gatehouse.client.connect")
        assert connect.parent_id == handshake.span_id and connect.kind == CLIENT
        assert question.headers["traceparent"] == connect.context and question.headers["ce-traceparent"] == PARENT
        client.send_frame(wsraw.TEXT, b"x")
        message, = collector.wait("send gatehouse.client.message")
        assert ups.next_message().headers["ce-type"] == "gatehouse.client.connected"
        assert ups.next_message().headers["traceparent"] == message.context
        assert message.kind == PRODUCER and message.attributes.items() >= {
            "messaging.system": "nats", "messaging.operation.name": "publish", "messaging.operation.type": "send",
            "messaging.destination.name": "gatehouse.up.ws.a",
            "messaging.destination.template": "gatehouse.up.{route}.{client_id}"}.items()
        client.close()


def is_found(service: natsraw.Client, subject: str) -> bool:
    with contextlib.suppress(natsraw.NoResponders):
        service.request(subject, '{"command": "inspect"}')
        return True
    return False


def test_a_call_from_the_bus_to_the_clients_answer(serve, collector, broker):
    on = broker()
    gateway = serve(collector, bus={"type": "nats", "urls": f"[{on.url}]"},
                    route={"rpc": "json-rpc"}, sample=0)
    wsraw.wait_until(lambda: gateway.health()["status"] == "ready", "ready")
    client = gateway.open("/ws/a")
    with on.connect() as service, concurrent.futures.ThreadPoolExecutor(1) as pool:
        wsraw.wait_until(lambda: is_found(service, "gatehouse.ctl.ws.a"), "the broker has heard of it")
        asked = pool.submit(service.request, "gatehouse.ctl.ws.a",
                            json.dumps({"command": "call", "method": "now"}), {"traceparent": PARENT})
        question = json.loads(client.read_message()[1])
        client.send_frame(wsraw.TEXT, json.dumps({"jsonrpc": "2.0", "id": question["id"], "result": 1}).encode())
        assert json.loads(asked.result().body)["result"] == "answered"
    call, = collector.wait("call client")
    process, = collector.wait("process call")
    assert (process.trace_id, process.parent_id) == ids(PARENT) and process.kind == SERVER
    assert (call.trace_id, call.parent_id) == (process.trace_id, process.span_id) and call.kind == CLIENT
    assert call.attributes.items() >= {"rpc.method": "now", "gatehouse.outcome": "answered",
                                       "gatehouse.client_id": "a"}.items()
    client.close()


# --- the API ---

@pytest.mark.tsan
def test_a_call_from_the_api_to_the_clients_answer(serve, collector):
    gateway = serve(collector, route={"rpc": "json-rpc"})
    client = gateway.open("/ws/a")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(api.Api(gateway.admin).ask, "POST", "/clients/ws/a/call", b'{"method": "now"}',
                            headers={"Content-Type": "application/json", "traceparent": PARENT})
        question = json.loads(client.read_message()[1])
        client.send_frame(wsraw.TEXT, json.dumps({"jsonrpc": "2.0", "id": question["id"],
                                                  "error": {"code": 1, "message": "no"}}).encode())
        assert asked.result().status == 422
    request, = collector.wait("POST /api/v1/clients/{route}/{client_id}/call")
    call, = collector.wait("call client")
    assert (request.trace_id, request.parent_id) == ids(PARENT)
    assert request.attributes.items() >= {"http.response.status_code": 422, "url.path": "/api/v1/clients/ws/a/call"}.items()
    assert (call.trace_id, call.parent_id) == (request.trace_id, request.span_id)
    assert call.error == "client_error"
    client.close()
    assert api.Api(gateway.admin).ask("GET", "/clients/ws/b").status == 404
    lost, = collector.wait("GET /api/v1/clients/{route}/{client_id}")
    assert lost.attributes["http.response.status_code"] == 404 and lost.error is None


# --- the collector ---

def test_with_authorization_over_https_by_its_own_authority(serve, authority, pair, tmp_path):
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer xyz\n")
    headers.chmod(0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    with Collector(tls=context) as collector:
        gateway = serve(f"https://localhost:{collector.port}/v1/traces", ca_file=authority.cert, headers_file=headers,
                        service_name="chargers of the north")
        gateway.open("/ws/a").close()
        span, = collector.wait("GET /ws/{client_id}")
        assert span.resource["service.name"] == "chargers of the north"
        assert collector.requests[0]["authorization"] == "Bearer xyz"
        assert "xyz" not in gateway.log


TROUBLE = "traces do not reach their collector; some may be dropped, and nothing else waits for it"


def test_it_is_asked_again_as_it_wishes(serve):
    with Collector(answers=[(503, {"Retry-After": "1"}, b""), (429, {}, b"")]) as collector:
        gateway = serve(collector)
        begun = time.monotonic()
        gateway.open("/ws/a").close()
        collector.wait("GET /ws/{client_id}")
        assert time.monotonic() - begun >= 1
        assert len(collector.requests) == 3 and gateway.metric("tracing_requests_total", outcome="failed") == 2
        gateway.wait_metric("tracing_spans_exported_total", 1)
        assert not dropped(gateway)
        assert "503" in gateway.wait_log(TROUBLE)["error"]
        gateway.wait_log("traces reach their collector again")


def test_no_query_of_its_address_is_in_the_log(serve):
    gateway = serve("http://127.0.0.1:1/v1/traces?key=geheim")
    gateway.open("/ws/a").close()
    error = gateway.wait_log(TROUBLE)["error"]
    assert error.startswith("http://127.0.0.1:1/v1/traces: ") and "geheim" not in error


def test_no_query_is_in_the_log_with_a_status_either(serve):
    with Collector(answers=[(404, {}, b"")]) as collector:
        gateway = serve(collector.url + "?key=geheim")
        gateway.open("/ws/a").close()
        error = gateway.wait_log(TROUBLE)["error"]
        assert error == f"{collector.url} answered 404; wanted: 200"


def test_what_is_no_number_of_spans_rejects_none(serve):
    counts = ["-1", -1, "x", "", 0]
    answers = [(200, {}, json.dumps({"partialSuccess": {"rejectedSpans": count}}).encode()) for count in counts]
    with Collector(answers=answers) as collector:
        gateway = serve(collector)
        for number, count in enumerate(counts, 1):
            gateway.open("/ws/a").close()
            gateway.wait_metric("tracing_spans_exported_total", number)
            assert not dropped(gateway), count


@pytest.mark.parametrize("count", [1, "1"])
def test_it_takes_a_part(serve, count):
    answer = json.dumps({"partialSuccess": {"rejectedSpans": count, "errorMessage": "no \"room\""}}).encode()
    with Collector(answers=[(200, {}, answer)]) as collector:
        gateway = serve(collector)
        gateway.open("/ws/a").close()
        gateway.wait_metric("tracing_spans_dropped_total", 1, reason="partial")
        assert gateway.metric("tracing_spans_exported_total") == 0
        assert 'no "room"' in gateway.wait_log(TROUBLE)["error"].replace("\\", "")


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_what_it_does_not_want_is_dropped(serve, status):
    with Collector(answers=[(status, {}, b"")]) as collector:
        gateway = serve(collector)
        gateway.open("/ws/a").close()
        gateway.wait_metric("tracing_spans_dropped_total", 1, reason="rejected")
        gateway.open("/ws/b").close()
        span, = collector.wait("GET /ws/{client_id}")
        assert span.attributes["gatehouse.client_id"] == "b"
        assert str(status) in gateway.wait_log(TROUBLE)["error"]
        gateway.wait_log("traces reach their collector again")


def test_ten_thousand_spans_and_a_collector_that_hangs(serve, sanitized):
    """Nobody waits for it, and what waits for it has a limit."""
    hold = threading.Event()
    with Collector(hold=hold) as collector:
        gateway = serve(collector, queue_max="64KiB", timeout="10m")
        client = gateway.open("/ws/a")
        client.close()
        wsraw.wait_until(lambda: collector.requests, "a request")
        asker = wsraw.Client(gateway.admin)
        before = 0
        for number in range(100):
            asker.send(b"GET /api/v1/node HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100)
            assert {asker.read_response().status for _ in range(100)} == {200}
            if number == 10:
                before = gateway.memory()
        asker.close()
        if not sanitized:  # which keeps what was freed
            assert gateway.memory() - before < 2 << 20
        assert gateway.metric("tracing_queue_bytes") <= 65536
        assert dropped(gateway)["queue_full"] > 9000
        hold.set()
        wsraw.wait_until(lambda: gateway.metric("tracing_queue_spans") == 0, "an empty queue")


def test_a_dead_collector_ends_nobodys_end(serve):
    gateway = serve(f"http://127.0.0.1:{wsraw.free_port()}/v1/traces")
    gateway.open("/ws/a").close()
    gateway.wait_log(TROUBLE)
    gateway.open("/ws/b").close()
    gateway.stop()


def test_a_resolver_that_hangs_ends_nobodys_end(gateway, silent_resolver):
    """Neither of the collector's name nor of a back end's, also if who asked for that one has gone."""
    running = gateway(
        prepare=silent_resolver.take_effect, server={"drain_timeout": "1s"},
        routes=[{"path": "/ws/{client_id}"}, {"path": "/asked/{client_id}", "backend": "hook"}],
        backends=[{"name": "hook", "type": "webhook", "url": "http://hook.example.com:9/"} | FAST],
        arguments=arguments({"url": "http://collector.example.com:9/v1/traces", "interval": "20ms"}))
    running.open("/ws/a").close()
    silent_resolver.wait_asked("collector.example.com")
    client = running.connect()
    client.send(wsraw.request("/asked/a"))
    silent_resolver.wait_asked("hook.example.com")
    client.close()
    running.stop()


def test_what_waits_is_sent_at_the_end(serve, collector):
    gateway = serve(collector, interval="1m")
    gateway.open("/ws/a").close()
    wsraw.wait_until(lambda: gateway.metric("tracing_queue_spans") == 1, "a span that waits")
    assert not collector.spans
    gateway.stop()
    assert [span.name for span in collector.spans] == ["GET /ws/{client_id}"]


# --- another configuration ---

def test_it_is_turned_on_and_off_by_a_reload(gateway, collector):
    one = gateway(routes=[{"path": "/ws/{client_id}", "backend": "echo"}])
    one.open("/ws/before").close()
    changing = Changing(one, yaml.safe_load(one.config_file.read_text()))
    assert not changing.try_with("tracing", url=collector.url, interval="20ms")["mistake"]
    one.open("/ws/on").close()
    span, = collector.wait("GET /ws/{client_id}")
    assert span.attributes["gatehouse.client_id"] == "on"
    assert not changing.try_with("tracing", url='""')["mistake"]
    one.open("/ws/off").close()
    one.stop()
    assert len(collector.spans) == 1


@pytest.mark.parametrize("key, value, said", [
    ("url", "collector:4318", "tracing.url: "),
    ("url", "ftp://127.0.0.1/v1/traces", "has another scheme than http and https"),
    ("url", "http://me:secret@127.0.0.1/v1/traces", "belongs in tracing.headers_file"),
    ("ca_file", "/nowhere.pem", "tracing.ca_file: /nowhere.pem cannot be read: No such file"),
    ("headers_file", "/nowhere", "tracing.headers_file: /nowhere"),
    ("sample", "1.5", "tracing.sample: 1.5 is not in 0..1"),
    ("sample", "10%", "is not a number such as 0.05"),
])
def test_bad_options_are_told(tmp_path, key, value, said):
    file = tmp_path / "application.yaml"
    tracing = {"url": "https://127.0.0.1/v1/traces"} | {key: value}
    file.write_text("tracing:\n" + "".join(f'  {name}: "{each}"\n' for name, each in tracing.items()))
    checked = run_binary("check", "-c", file)
    assert checked.returncode != 0 and said in checked.stdout + checked.stderr, checked.stdout + checked.stderr
    assert "secret" not in checked.stdout + checked.stderr


def test_a_stream_of_the_api_is_a_span_until_it_begins(serve, collector):
    gateway = serve(collector)
    with wsraw.Client(gateway.admin) as client:
        client.send(b"GET /api/v1/stream?overview=60s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b" 200 " in client.read_until(b"\r\n\r\n")
        stream, = collector.wait("GET /api/v1/stream")
        assert stream.attributes["http.response.status_code"] == 200
