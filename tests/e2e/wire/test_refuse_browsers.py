# SPDX-License-Identifier: Apache-2.0
"""routes[].refuse_browsers: close. A page learns why it may not come in."""

import contextlib
import http.server
import json
import shutil
import subprocess
import threading
import time

import pytest

from kit import wsraw
from kit.backends import Answer, Webhook

PAGE = {"path": "/page/{client_id}", "backend": "echo", "refuse_browsers": "close"}
ROUTES = [PAGE | {"origins": "same"},
          {"path": "/plain/{client_id}", "backend": "echo", "origins": "same"}]
EVIL = ("Origin: https://evil.example",)


def refused(running, target="/page/a", **options) -> tuple[wsraw.Response, int, str]:
    """The answer to the upgrade, and the close frame right behind it."""
    with running.connect() as client:
        response = client.handshake(target, **options)
        assert response.status == 101, response
        code, reason = client.read_close()
        client.send(wsraw.close_frame(code))
        assert client.is_closed()
        return response, code, reason.decode()


def test_code_and_reason(gateway):
    running = gateway(routes=ROUTES)
    start = time.monotonic()
    response, code, reason = refused(running, extra=EVIL)
    assert time.monotonic() - start >= 0.45, "told after a pause"
    assert code == 4403 and reason.startswith("origin_foreign: The Origin is not")
    assert len(reason.encode()) <= 123
    assert "sec-websocket-protocol" not in response.headers
    assert running.metric("browsers_told_total") == 1
    assert running.metric("handshakes_rejected_total") == 1
    assert running.metric("connections_accepted_total") == 0 and running.metric("clients") == 0
    with running.connect() as client:
        assert client.handshake("/plain/a", extra=EVIL).status == 403
    with running.open("/page/a") as client:
        client.echo(b"x")


def test_each_code(gateway, tmp_path):
    """Of a limit the name, and when to come back."""
    running = gateway(server={"max_connections_per_ip": 3}, routes=[
        PAGE | {"takeover": "oldest"},
        PAGE | {"path": "/small/{client_id}", "max_connections": 1}])
    with running.open("/page/a"), running.open("/small/a"):
        _, code, reason = refused(running, "/page/a")
        assert code == 4409 and reason.startswith("conflict: This client is connected already")
        _, code, reason = refused(running, "/small/b")
        assert code == 4503
        name, _, rest = reason.partition(": ")
        name, _, seconds = name.partition("; retry-after=")
        assert name == "routes.max_connections" and rest == "This route is full"
        assert 5 <= int(seconds) <= 15
        with running.open("/page/c"):
            _, code, reason = refused(running, "/page/d")
            assert code == 4429 and reason.startswith("max_connections_per_ip; retry-after=")
    assert running.metric("connections_refused_total", limit="routes.max_connections") == 1
    assert running.metric("browsers_told_total") == 3
    running.wait_metric("connections", 0)
    assert running.metric("route_connections") == 0


def test_a_ticket_that_is_no_good_is_no_reason_to_give_up(gateway):
    """By HTTP it is 403, since there is no challenge for tickets; a page that gets 4401 fetches another."""
    running = gateway(routes=[PAGE | {"auth": [{"type": "ticket"}]}])
    for target, why in (("/page/a", "no_proof"), ("/page/a?ticket=x", "ticket_unknown")):
        _, code, reason = refused(running, target)
        assert code == 4401 and reason.startswith(why)


# Its status, body, Content-Type and Retry-After; what a page is told.
REFUSALS = {
    "403": (403, "", None, None, 4403, "refused: Forbidden"),
    "401": (401, "", None, None, 4401, "refused: Unauthorized"),
    "429": (429, "slow down\r\nplease", "text/plain", "7", 4429, "refused; retry-after=7: slow down"),
    "500": (500, "<h1>", "text/html", "soon", 4503, "refused: Internal Server Error"),
    "404": (404, "no such room: \x1b[2J" + "é" * 90, "Text/Plain; charset=utf-8", None, 4404,
            "refused: no such room: ?[2J" + "é" * 48),
    "402": (402, '{"detail": "pay"}', "application/json", "99999999999999999999", 4402, "refused: "),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_back_end_that_refuses(gateway, case):
    """Each status of 4xx is a code: a back end means something by it."""
    status, body, kind, after, code, words = REFUSALS[case]
    headers = {name: value for name, value in (("Content-Type", kind), ("Retry-After", after)) if value}
    hook = Webhook(lambda event: Answer(status, body.encode(), headers) if event.type == "connect" else None)
    try:
        running = gateway(routes=[PAGE | {"backend": "b"}],
                          backends=[{"name": "b", "type": "webhook", "retries": 0,
                                     "url": f"http://127.0.0.1:{hook.port}/"}])
        offered = ("Sec-WebSocket-Protocol: chat, x",)
        response, got, reason = refused(running, extra=offered)
        assert got == code and (reason == words or (words.endswith(" ") and reason.startswith(words)))
        assert response.headers["sec-websocket-protocol"] == "chat"
        running.wait_metric("route_connections", 0)
    finally:
        hook.close()


def test_who_is_refused_after_the_back_end_has_let_it_in(gateway):
    """The older one came while the back end decided."""
    release = threading.Event()

    def answer(event):
        if event.type == "connect" and "slow" in event.headers.get("ce-query", ""):
            release.wait(wsraw.SECONDS)
        return None

    hook = Webhook(answer)
    try:
        running = gateway(routes=[PAGE | {"backend": "b", "takeover": "oldest"}],
                          backends=[{"name": "b", "type": "webhook", "url": f"http://127.0.0.1:{hook.port}/"}])
        with running.connect() as newer:
            newer.send(wsraw.request("/page/a?slow", extra=("Sec-WebSocket-Protocol: chat, x",)))
            hook.wait("connect")
            with running.open("/page/a"):
                release.set()
                response = newer.read_response()
                assert (response.status, response.headers["sec-websocket-protocol"]) == (101, "chat")
                assert newer.read_close()[0] == 4409
        running.stop()
    finally:
        hook.close()


@pytest.mark.parametrize("ours, offered, want", [
    ([], "a, b", "a"), (["b"], "a, b", "b"), ([], "x y, b", "b"), ([], "t" * 65 + ", b", "b"),
])
def test_a_subprotocol_is_agreed_on(gateway, ours, offered, want):
    """A browser fails a handshake that agrees on none of those it offers, and so sees 1006."""
    running = gateway(routes=[ROUTES[0] | {"subprotocols": ours}])
    response, code, _ = refused(running, extra=(*EVIL, f"Sec-WebSocket-Protocol: {offered}"))
    assert (response.headers["sec-websocket-protocol"], code) == (want, 4403)


def test_so_many_at_once_and_no_more(gateway):
    """Those beyond are refused over HTTP, at once."""
    running = gateway(server={"refuse_browsers_max": 2}, routes=ROUTES)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(6)]
        for client in clients:
            client.send(wsraw.request("/page/a", extra=EVIL))
        statuses = [client.read_response().status for client in clients]
        told = statuses.count(101)
        assert told >= 2 and told + statuses.count(403) == 6
        assert running.metric("browsers_told_total") == told
        assert running.metric("browsers_untold_total") == 6 - told
        rows = {row["limit"]: row for row in json.loads(running.get("/limits").body)["limits"]}
        assert rows["refuse_browsers_max"]["value"] == 2
    running.wait_metric("limit_used", 0, limit="refuse_browsers_max")


def test_who_goes_away_and_a_gateway_that_stops(gateway):
    running = gateway(server={"refuse_browsers_max": 1}, routes=ROUTES)
    with running.connect() as client:
        client.send(wsraw.request("/page/a", extra=EVIL))
        running.wait_metric("browsers_told_total", 1)
    running.wait_metric("limit_used", 0, limit="refuse_browsers_max")
    with running.connect() as client:
        client.send(wsraw.request("/page/a", extra=EVIL))
        running.wait_metric("browsers_told_total", 2)
        running.stop()
        assert client.read_response().status == 101
        client.expect_close(4403)


def test_what_asks_for_no_upgrade_gets_http(gateway):
    running = gateway(routes=ROUTES)
    assert running.get("/page/a", admin=False).status == 426
    with running.connect() as client:
        assert client.handshake("/page/a", drop=("Sec-WebSocket-Key",)).status == 400
    with running.connect() as client:
        assert client.handshake("/nowhere", extra=EVIL).status == 404


# --- by others ---

SCRIPT = """
const socket = new WebSocket(URL, ["chat"]);
let opened = false;
socket.onopen = () => { opened = true; };
socket.onclose = (event) => done([event.code, event.reason, event.wasClean, opened]);
"""


@pytest.mark.plain
def test_node(gateway):
    """undici's WebSocket."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    flag = subprocess.run([node, "--experimental-websocket", "-e", "new WebSocket('ws://127.0.0.1:1')"
                           ".onerror = () => {}"], capture_output=True, check=False)
    if flag.returncode != 0:
        pytest.skip("this node has no WebSocket")
    running = gateway(routes=[PAGE | {"require_origin": "true"}])
    script = (f"const URL_ = {json.dumps(running.url('/page/a'))};"
              "const done = (x) => console.log(JSON.stringify(x));" +
              SCRIPT.replace("URL,", "URL_,"))
    result = subprocess.run([node, "--experimental-websocket", "-e", script], capture_output=True,
                            text=True, timeout=60, check=True)
    code, reason, _, _ = json.loads(result.stdout)
    assert code == 4403 and reason.startswith("origin_missing: ")


class Site(http.server.ThreadingHTTPServer):
    """A page that tries a URL and tells what came of it."""

    def __init__(self, url: str):
        self.result, self.told = None, threading.Event()
        page = ("<script>const URL_ = " + json.dumps(url) + ";"
                "const done = (x) => fetch('/result', {method: 'POST', body: JSON.stringify(x)});" +
                SCRIPT.replace("URL,", "URL_,") + "</script>").encode()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page)

            def do_POST(self):
                site.result = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                site.told.set()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.mark.plain
@pytest.mark.parametrize("refuse_browsers, want", [("close", 4403), ("http", 1006)])
def test_chromium(gateway, tmp_path, refuse_browsers, want):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium")
    running = gateway(routes=[ROUTES[0] | {"refuse_browsers": refuse_browsers}])
    site = Site(running.url("/page/a"))
    browser = subprocess.Popen(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
         "--disable-dev-shm-usage", "--remote-debugging-port=0",
         f"http://127.0.0.1:{site.server_port}/"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert site.told.wait(120), "the page told nothing"
        code, reason, was_clean, opened = site.result
        assert code == want
        if want == 4403:
            assert reason.startswith("origin_foreign: ") and was_clean and opened
    finally:
        browser.terminate()
        browser.wait(60)
        site.shutdown()
        site.server_close()
