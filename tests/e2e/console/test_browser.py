# SPDX-License-Identifier: Apache-2.0
"""The console in a real browser, and what it does to real clients."""

import contextlib
import json
import resource
import subprocess
import threading

import pytest
import yaml

from kit import reload, wsraw
from kit.api import SPEC_FILE, Api, quote
from kit.backends import Webhook
from kit.gateway import BINARY
from kit.page_checks import assert_usable
from kit.upgrades import become_parent_of_orphans, upgrade, wait_former

pytestmark = [pytest.mark.rare, pytest.mark.plain]

TOKEN = "of-the-test-0123456789"
ROUTES = [{"path": "/ws/{client_id}"}, {"path": "/rpc/{client_id}", "rpc": "json-rpc"}]
HOSTILE = ["<img src=x onerror=alert(1)>", "\"'><script>document.title='owned'</script>", "a\u202egpj.exe",
           "{{7*7}}${7*7}", "x" * 255, "javascript:alert(1)", "%3Cb%3E&amp;&#60;", "..", ".", "a/b?c#d", "\u200b\u2066",
           "مرحبا", "充电桩-7", "../../api/v1/node"]


@pytest.fixture(params=["epoll"])
def engine(request):
    """The browser is the slow part; the API is tested on both."""
    return request.param


def value(page, selector: str) -> str:
    return page.run(f"document.querySelector({json.dumps(selector)}).innerText")


def is_client_shown(name: str) -> str:
    """JavaScript. A tester takes its addresses where it will."""
    return (f"document.querySelector('h1')?.innerText === {json.dumps(name)} && "
            "/\\b127(\\.\\d+){3}:\\d+/.test(document.body.innerText)")


def field(label: str) -> str:
    """JavaScript: the control with this label."""
    return (f"[...document.querySelectorAll('label')].find((e) => e.textContent === {json.dumps(label)})"
            "?.control")


def write(page, label: str, text: str) -> None:
    page.wait(f"{field(label)} !== undefined", f"a field '{label}'")
    page.run(f"(() => {{ const e = {field(label)}; e.focus(); e.select(); }})()")
    if text:
        page.ask("Input.insertText", text=text)
    else:
        page.key("Delete")


def choose(page, label: str, value: str) -> None:
    page.wait(f"{field(label)} !== undefined", f"a field '{label}'")
    page.run(f"(() => {{ const e = {field(label)}; e.value = {json.dumps(value)}; "
             "e.dispatchEvent(new Event('change', {bubbles: true})); })()")


def press(page, text: str, within: str = "document") -> None:
    """A real click on the button or link with this text."""
    where = f"[...{within}.querySelectorAll('button, a')].find((e) => e.innerText.trim() === {json.dumps(text)} && !e.disabled)"
    page.wait(f"{where} !== undefined", f"a button '{text}'")
    page.run(f"{where}.dataset.pressed = 'now'")
    page.click("[data-pressed=now]")
    page.run("document.querySelectorAll('[data-pressed]').forEach((e) => delete e.dataset.pressed)")


def place_of(route: str, client_id: str) -> str:
    return f"#/client?route={quote(route)}&id={quote(client_id)}"


# --- the way in ---


def test_the_token(gateway, page_of):
    running = gateway(env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    page = page_of(running)
    page.wait_text("This gateway wants its token")
    write(page, "Token", "wrong")
    press(page, "Open the console")
    page.wait_text("This is not the gateway's token.")
    write(page, "Token", "nö")
    press(page, "Open the console")
    page.wait_text("no such characters")
    write(page, "Token", TOKEN)
    page.key("Enter")
    page.wait_text("Headroom")
    page.wait_text("is what stops at")
    assert TOKEN not in page.run("location.href + JSON.stringify(localStorage) + document.cookie")
    assert page.run("Object.values(sessionStorage)") == [TOKEN]
    assert not [url for url in page.requests if TOKEN in url]
    assert {url.split("/")[2] for url in page.requests if url.startswith("http")} == {f"127.0.0.1:{running.admin[1]}"}
    press(page, "Forget token")
    page.wait_text("This gateway wants its token")
    assert page.run("sessionStorage.length") == 0 and "This is not" not in page.text()
    assert_usable(page)


def test_from_elsewhere_without_a_token(gateway, page_of):
    """The API says why, and what to do; the page passes it on."""
    running = gateway()
    page = page_of(running, theme="dark")
    page.wait_text("Headroom")
    page.ask("Network.setExtraHTTPHeaders", headers={"X-Forwarded-For": "192.0.2.1"})
    page.ask("Page.reload")
    page.wait_text("Not from here")
    page.wait_text("Set admin.token_file or GATEHOUSE_ADMIN_TOKEN")
    assert_usable(page)
    page.ask("Network.setExtraHTTPHeaders", headers={})
    press(page, "Try again")
    page.wait_text("Headroom")


def test_a_gateway_that_goes_and_comes_back(gateway, page_of):
    running = gateway()
    page = page_of(running)
    page.wait("document.getElementById('status').innerText === 'ready'")
    running.stop()
    page.wait("!document.getElementById('notice').hidden", "a word about it")
    page.wait_text("Next try in")
    assert "What is shown is of" in page.text() and "Headroom" in page.text() and "no answer" in page.text()
    again = gateway(admin={"listen": f"127.0.0.1:{running.admin[1]}"})
    press(page, "Try now")
    page.wait("document.getElementById('notice').hidden", "all is well")
    with again.open("/ws/back"):
        page.wait("[...document.querySelectorAll('.figures .card')].some((e) => e.innerText.startsWith('Connections\\n1'))",
                  "the new one's count")


def test_when_no_stream_is_left(gateway, page_of):
    """The overview comes all the same, and the page says why it comes less often."""
    running = gateway(admin={"streams_max": 1})
    first = page_of(running)
    first.wait("document.getElementById('status').innerText === 'ready'")
    second = page_of(running)
    second.wait_text("There is no stream now, so the page asks every 5 s.")
    second.wait_text("streams_max")
    second.wait("document.getElementById('status').innerText === 'ready'")
    assert first.run("document.getElementById('notice').hidden")
    second.run("location.hash = '#/live'")
    press(second, "Follow")
    second.wait_text("The gateway gives no stream now:")


def test_the_last_stream_is_its_own(gateway, page_of):
    """To follow something is another stream, which begins where the page's own ends: with a single place, too."""
    running = gateway(routes=ROUTES, admin={"streams_max": 1})
    page = page_of(running, "#/live")
    page.wait("document.getElementById('status').innerText === 'ready'")
    page.run("window.said = new Set(); new MutationObserver(() => said.add(document.getElementById('notice-text').innerText))"
             ".observe(document.getElementById('notice-text'), {childList: true, characterData: true, subtree: true})")
    for _ in range(5):
        press(page, "Follow")
        page.wait_text("Following.")
        press(page, "Stop")
        page.wait_text("Not followed.")
    assert not [text for text in page.run("[...said]") if "no stream" in text]


# --- what is seen ---


def test_headroom_and_overview(gateway, page_of):
    running = gateway(server={"max_connections": 10}, routes=[*ROUTES, {"path": "/one/{client_id}", "max_connections": 1}])
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.open(f"/ws/c{number}")) for number in range(8)]
        stack.enter_context(running.open("/one/a"))
        assert running.connect().handshake("/one/b").status == 503
        clients[0].echo(b"hello")
        page = page_of(running)
        page.wait_text("9 of 10 connections. max_connections is what stops at 10")
        first = "document.querySelector('.limit')"
        assert page.run(f"{first}.classList.contains('binds')")
        assert "server.max_connections: 20" in page.run(f"{first}.innerText")
        assert page.run(f"{first}.querySelector('[role=meter]').getAttribute('aria-valuenow')") == "90"
        assert page.run(f"{first}.querySelector('.meter span').style.width") == "90%"
        assert "routes.max_connections" in page.run("document.querySelector('.limits').innerText")
        write(page, "Lines that allow", "500")
        page.key("Enter")
        page.wait_text("server.max_connections: 500")
        page.wait("document.querySelector('.chart .l.c1')?.getAttribute('d').length > 10", "a line")
        rows = ("[...document.querySelectorAll('section')].find((e) => e.querySelector('h2')?.innerText === {})"
                "?.innerText ?? ''")
        page.wait(f"({rows.format(json.dumps('Refused, by limit'))}).includes('routes.max_connections')")
        page.wait(f"({rows.format(json.dumps('Routes'))}).includes('one')")
        page.wait(f"({rows.format(json.dumps('Workers'))}).includes('%')", "a share of a CPU")
        page.run("document.querySelectorAll('figure details').forEach((e) => { e.open = true; })")
        page.wait("[...document.querySelectorAll('figure table')].every((e) => e.rows.length > 1)", "the charts as tables")
        assert_usable(page)


PATIENCE = "4m"  # whoever does not come in is not tried again


@contextlib.contextmanager
def clients_of(running, *benches: tuple[str, str, int]):
    """Clients that do not talk: of each bench the host that it asks, the beginning of its ids, and how many."""
    processes = [subprocess.Popen(
        [BINARY, "bench", f"ws://{host}:{running.address[1]}/ws/{name}-{{n}}", "-c", str(count), "--receive", "--hold", "10m",
         "--connect-timeout", PATIENCE, "--handshake-timeout", PATIENCE],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for host, name, count in benches]
    try:
        whole = sum(count for _, _, count in benches)
        wsraw.wait_until(lambda: running.metric("connections") == whole, lambda: f"{running.metric('connections')} of {whole}",
                         seconds=240)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture
def crowd(gateway):
    """A gateway with 10,000 clients n-1 to n-10000 that do not talk."""
    running = gateway(server={"workers": 2, "handshake_timeout": PATIENCE})
    with clients_of(running, (running.address[0], "n", 10000)):
        yield running


def test_one_among_ten_thousand(crowd, page_of):
    page = page_of(crowd, "#/clients")
    page.wait("document.querySelectorAll('tbody tr').length === 50", "a page of them")
    first = page.run("document.querySelector('tbody').innerText")
    press(page, "Next page")
    page.wait_text("Page 2")
    page.wait(f"document.querySelector('tbody').innerText !== {json.dumps(first)}")
    press(page, "Previous page")
    page.wait(f"document.querySelector('tbody').innerText.split('\\t')[0] === {json.dumps(first.split(chr(9))[0])}")
    page.key("/")
    assert page.run(f"document.activeElement === {field('Text of the id')}")
    page.ask("Input.insertText", text="-9999")
    page.key("Enter")
    page.wait("document.querySelectorAll('tbody tr').length === 1", "the only one")
    assert "n-9999" in value(page, "tbody")
    assert page.run("location.hash") == "#/clients?q=-9999"
    page.click("tbody a")
    page.wait(is_client_shown("n-9999"), "the one client, with its address")
    press(page, "← All clients")
    page.wait("document.querySelectorAll('tbody tr').length === 1", "the same search")
    with crowd.open("/ws/loud") as loud:
        for _ in range(200):
            loud.echo(b"x")
        write(page, "Text of the id", "")
        choose(page, "Most first, by", "messages_received")
        page.wait("document.querySelector('tbody tr')?.innerText.startsWith('loud')", "the one that talks, first")
        page.wait_text("of 10,001 clients")
    write(page, "Text of the id", "nobody-at-all")
    page.key("Enter")
    page.wait_text("Nobody here is like that.")
    page.wait_text("on all nodes")
    assert len(page.run("document.body.innerHTML")) < 200_000


def test_one_among_a_hundred_thousand(gateway, page_of, sanitized):
    """Six benches, since a process may have 20,000 descriptors here; each asks another address of the machine, since from
    one to another there are 28,232 ports. The gateway's own connections are no descriptors of its process (io_uring)."""
    count, benches = 16700, 6
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if sanitized or hard < count + 1000:
        pytest.skip(f"it takes {count + 1000} descriptors in a process, and no sanitizer's memory")
    running = gateway(server={"engine": "io_uring", "listen": f"0.0.0.0:{wsraw.free_port()}", "workers": benches,
                              "max_connections": 110000, "handshake_timeout": PATIENCE})
    before = running.memory()
    with clients_of(running, *((f"127.0.1.{number}", f"p{number}", count) for number in range(1, benches + 1))):
        each = (running.memory() - before) / (benches * count)
        assert each < 1024, f"{each:.0f} bytes of the process for each client"
        page = page_of(running)
        page.wait_text("100,200 of 110,000 connections.")
        page.run("location.hash = '#/clients'")
        page.wait("document.querySelectorAll('tbody tr').length === 50", "a page of them")
        write(page, "Text of the id", "p6-16699")
        page.key("Enter")
        page.wait("document.querySelectorAll('tbody tr').length === 1", "the only one")
        page.click("tbody a")
        page.wait(is_client_shown("p6-16699"), "the one client, with its address")
        with running.open("/ws/loud") as loud:
            for _ in range(200):
                loud.echo(b"x")
            page.run("location.hash = '#/clients'")
            choose(page, "Most first, by", "messages_received")
            page.wait("document.querySelector('tbody tr')?.innerText.startsWith('loud')", "the one that talks, first")
            page.wait_text("of 100,201 clients")
        write(page, "Text of the id", "nobody-at-all")
        page.key("Enter")
        page.wait_text("Nobody here is like that.")
        assert len(page.run("document.body.innerHTML")) < 200_000
        # Whoever waits for a list does not hold up the rest.
        assert page.run("document.getElementById('status').innerText") == "ready"


# --- what is done ---


def test_send_and_close_reach_the_client(gateway, page_of):
    running = gateway(routes=ROUTES)
    with running.open("/ws/till-7") as client:
        page = page_of(running, "#/client?route=ws&id=till-7")
        write(page, "Message", "grüße <b>")
        press(page, "Send")
        assert client.read_message() == (wsraw.TEXT, "grüße <b>".encode())
        page.wait_text("Delivered to its queue: 11 B")
        choose(page, "Type", "hex")
        write(page, "Message", "00 ff")
        press(page, "Send")
        assert client.read_message() == (wsraw.BINARY, b"\x00\xff")
        write(page, "Message", "0g")
        press(page, "Send")
        page.wait_text("This is not hexadecimal")
        write(page, "Group", "night")
        press(page, "Do it")
        page.wait_text("It has joined.")
        page.wait("[...document.querySelectorAll('.chips a')].some((e) => e.innerText === 'night')", "its group")
        write(page, "Reason", "wartung")
        choose(page, "Code", "1001")
        press(page, "Close …")
        page.wait("document.querySelector('dialog[open]') !== null")
        assert "till-7" in value(page, "dialog")
        assert_usable(page)
        page.key("Escape")
        page.wait_text("Nothing was done.")
        assert running.metric("connections") == 1
        press(page, "Close …")
        press(page, "Close it", "document.querySelector('dialog')")
        assert client.read_close() == (1001, b"wartung")
    page.wait_text("connected to no node now")
    with running.open("/ws/till-7"):
        page.wait("!document.body.innerText.includes('connected to no node')", "it is back")


def test_call(gateway, page_of):
    running = gateway(routes=ROUTES)
    with running.open("/rpc/r") as client:
        def answer():
            call = json.loads(client.read_message()[1])
            assert (call["method"], call["params"]) == ("Reset", {"type": "Soft"})
            client.send_frame(wsraw.TEXT, json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": {"status": "<i>ok</i>"}}).encode())

        thread = threading.Thread(target=answer)
        thread.start()
        page = page_of(running, "#/client?route=rpc&id=r")
        write(page, "Method", "Reset")
        write(page, "Parameters, JSON", '{"type": "Soft"')
        press(page, "Call")
        page.wait_text("This is not JSON")
        write(page, "Parameters, JSON", '{"type": "Soft"}')
        press(page, "Call")
        page.wait_text('"<i>ok</i>"')
        thread.join()
        assert "Call (" not in page_text_of(page_of(running, "#/client?route=ws&id=nobody"))


def page_text_of(page) -> str:
    page.wait_text("connected to no node")
    return page.text()


# --- strangers ---


def test_hostile_names(gateway, page_of):
    """Whatever clients call themselves, it is text."""
    running = gateway(routes=ROUTES)
    with contextlib.ExitStack() as stack:
        for name in HOSTILE:
            stack.enter_context(running.open("/ws/" + quote(name).replace(".", "%2E")))
        page = page_of(running, "#/clients")
        page.wait(f"document.querySelectorAll('tbody tr').length === {len(HOSTILE)}")
        shown = page.run("[...document.querySelectorAll('tbody th')].map((e) => e.textContent)")
        assert sorted(shown) == sorted(visible(name) for name in HOSTILE)
        for name in HOSTILE:
            page.open(f"http://127.0.0.1:{running.admin[1]}/console/{place_of('ws', name)}")
            page.wait(f"document.querySelector('h1')?.textContent === {json.dumps(visible(name))}", name)
            page.wait_text("127.0.0.1:" if name.strip(".") else "No browser can ask")
            assert page.run("document.querySelectorAll('main img, main script, main iframe, main b i').length") == 0
        assert page.run("document.title").startswith("Client ")
        page.resize(360, 740)
        assert_usable(page)


def test_the_policy_is_in_force(gateway, page_of):
    """What the page does not do, it could not: and a test that looks for complaints would see them."""
    page = page_of(gateway())
    page.wait_text("Headroom")
    for forbidden in ("document.createElement('p').innerHTML = '<b>x</b>'", "eval('1')"):
        assert page.run(f"(() => {{ try {{ {forbidden}; return 'done'; }} catch (error) {{ return error.name; }} }})()") != "done"
    assert page.run("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)") == "TypeError"
    page.run("(() => { const p = document.createElement('p'); p.setAttribute('style', 'color: red'); "
             "document.body.append(p); })()")
    wsraw.wait_until(lambda: len(page.complaints) >= 3, lambda: f"complaints: {page.complaints}")
    told = " ".join(page.complaints)
    assert "TrustedHTML" in told and "connect-src" in told and "style-src" in told
    page.complaints.clear()


def visible(name: str) -> str:
    return "".join(f"U+{ord(one):04X}" if one in "\u202e\u200b\u2066" else one for one in name)


# --- for everybody ---

PLACES = ["", "#/clients", "#/client?route=ws&id=a", "#/client?route=ws&id=nobody", "#/live", "#/groups", "#/groups?group=night", "#/control", "#/nothing"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_each_view_can_be_used(gateway, page_of, theme, width):
    running = gateway(routes=ROUTES)
    with running.open("/ws/a"):
        Api(running.admin).ask("PUT", "/groups/night/members/ws/a")
        page = page_of(running, width=width, theme=theme)
        page.wait_text("Headroom")
        for place in PLACES:
            page.run(f"location.hash = {json.dumps(place)}")
            page.wait("document.querySelector('h1') !== null")
            page.wait("document.getElementById('status').innerText === 'ready'")
            page.wait("!document.querySelector('main').innerText.includes('Asking')")
            assert_usable(page)
        ground = page.run("getComputedStyle(document.body).backgroundColor")
        for chosen in ("dark", "light", None):
            page.click("#theme")
            assert page.run("document.documentElement.dataset.theme ?? null") == chosen
        assert page.run("getComputedStyle(document.body).backgroundColor") == ground
        page.media("dark" if theme == "light" else "light")
        assert page.run("getComputedStyle(document.body).backgroundColor") != ground


def test_by_keys_alone(gateway, page_of):
    running = gateway(routes=ROUTES)
    with running.open("/ws/till-7"):
        page = page_of(running)
        page.wait_text("Headroom")
        page.key("Tab")
        assert page.run("document.activeElement.id") == "skip"
        assert page.run("document.activeElement.getBoundingClientRect().top >= 0"), "seen once it has the focus"
        page.key("Enter")
        assert page.run("document.activeElement.id") == "main"
        page.key("2")
        page.wait("location.hash === '#/clients'")
        page.key("/")
        page.ask("Input.insertText", text="till")
        page.key("Enter")
        page.wait("document.querySelectorAll('tbody tr').length === 1")
        for _ in range(30):
            page.key("Tab")
            assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none", \
                page.run("document.activeElement.outerHTML")
            if page.run("document.activeElement.innerText") == "till-7":
                break
        page.key("Enter")
        page.wait("document.querySelector('h1')?.innerText === 'till-7'")
        page.key("?")
        page.wait("document.querySelector('dialog[open]') !== null")
        page.key("Escape")
        page.wait("document.querySelector('dialog') === null")
        page.key("1")
        page.wait_text("Headroom")
        page.wait("document.querySelector('.chart .l.c1')?.getAttribute('d').includes('L')", "two points at least")
        page.run("document.querySelector('svg.chart').focus()")
        page.key("ArrowLeft")
        page.wait("/^[0-9:]+: open [0-9]/.test(document.querySelector('figure [aria-live]').innerText)", "a value")
        page.key("2")
        page.wait("location.hash === '#/clients'")


def test_less_motion(gateway, page_of):
    page = page_of(gateway())
    page.wait("document.querySelector('.meter span') !== null")
    assert page.run("getComputedStyle(document.querySelector('.meter span')).transitionDuration") == "0.3s"
    page.media("light", motion="reduce")
    assert page.run("parseFloat(getComputedStyle(document.querySelector('.meter span')).transitionDuration)") == 0


# --- what passes ---


def lines(page) -> list[str]:
    return page.run("[...document.querySelectorAll('.tail li')].filter((e) => !e.hidden).map((e) => e.textContent)")


def wait_line(page, text: str) -> None:
    page.wait(f"[...document.querySelectorAll('.tail li')].some((e) => e.textContent.includes({json.dumps(text)}))", text)


def test_who_does_not_read_and_who_sends_too_much(gateway, page_of):
    running = gateway(routes=ROUTES, server={"message_rate": 1, "message_burst": 1, "send_timeout": "60s"})
    api = Api(running.admin)
    page = page_of(running, place_of("ws", "deaf"))
    page.wait_text("connected to no node now")
    assert page.run("document.querySelectorAll('.chart text').length") == 0  # of no time, no axis
    with running.open("/ws/deaf", receive_buffer=4096) as deaf:
        page.wait_text("nothing waits")
        while api.inspect("deaf")["queued_bytes"] == 0:
            api.send("deaf", b"x" * 60000)
        page.wait_text("waits until the client reads")
        assert "over its rate" not in page.text()
        for _ in range(20):
            deaf.send_frame(wsraw.TEXT, b"again")
        page.wait_text("over its rate, so not read now")


def test_messages_of_one_client(gateway, page_of):
    running = gateway(routes=ROUTES)
    with running.open("/ws/" + quote("a/b ü%")) as client, running.open("/ws/other") as other:
        page = page_of(running, place_of("ws", "a/b ü%"))
        press(page, "Follow")
        page.wait_text("Following.")
        client.echo(json.dumps({"temperature": 21, "password": "hunter2", "note": "<img src=x onerror=alert(1)>"}).encode(), wsraw.TEXT)
        other.echo(b'{"not": "mine"}', wsraw.TEXT)
        wait_line(page, '"temperature"')
        page.wait("document.querySelectorAll('.tail .in').length >= 1 && document.querySelectorAll('.tail .out').length >= 1")
        assert "<img src=x onerror=alert(1)>" in page.text() and page.run("document.querySelectorAll('.tail img').length") == 0
        assert "hunter2" not in page.text() and "redacted" in page.text() and "mine" not in page.text()
        write(page, "Show only lines with", "nothing has this")
        page.wait("[...document.querySelectorAll('.tail li')].every((e) => e.hidden)")
        page.wait_text("hidden by the filter")
        write(page, "Show only lines with", "")
        page.wait(f"{'document'}.querySelectorAll('.tail li[hidden]').length === 0")
        press(page, "Pause")
        before = page.run("document.querySelectorAll('.tail li').length")
        client.echo(b'{"later": true}', wsraw.TEXT)
        page.wait_text("Paused; 2 lines wait.")
        assert page.run("document.querySelectorAll('.tail li').length") == before
        press(page, "Pause")
        wait_line(page, '"later"')
        assert_usable(page)
        press(page, "Clear")
        page.wait("document.querySelectorAll('.tail li').length === 0")
        press(page, "Stop")
        page.wait_text("Not followed.")
        client.echo(b'{"unseen": 1}', wsraw.TEXT)
        client.send(wsraw.close_frame(1000))
        page.wait_text("connected to no node now")
        assert lines(page) == []


def test_a_client_of_another_node(gateway, broker, page_of):
    """Its page says where its messages can be followed, and leads there if that node has told where its console is."""
    def bus() -> dict:
        return {"type": "nats", "urls": [nats.url]}

    nats = broker()
    far = gateway(server={"node": "far"}, bus=bus(), routes=ROUTES)
    page = page_of(gateway(server={"node": "near"}, bus=bus(), routes=ROUTES), place_of("ws", "till-7"))
    page.wait_text("connected to no node now")
    assert "can be followed there" not in page.text()
    with far.open("/ws/till-7"):
        page.wait_text("It is connected to the node far, and its messages can be followed there: that node has not told")
        page.wait_text("(admin.console_url)")
        config = yaml.safe_load(far.config_file.read_text())
        config["admin"]["console_url"] = f"http://127.0.0.1:{far.admin[1]}/console/"
        reload.rewrite(far, config)
        assert not reload.reload(far)["mistake"]
        press(page, "its page on that node")
        page.wait("document.querySelector('#node').innerText === 'far'")
        page.wait_text("127.0.0.1:")
        press(page, "Follow")
        page.wait_text("Following.")
        assert "can be followed there" not in page.text() and value(page, "h1") == "till-7"


def test_a_route_and_the_log(gateway, page_of):
    running = gateway(routes=ROUTES)
    page = page_of(running, "#/live", theme="dark")
    choose(page, "Messages of route", "ws")
    choose(page, "Messages a second, at most", "5")
    press(page, "Follow")
    page.wait_text("Following.")
    with running.open("/ws/a") as client:
        wait_line(page, "open")
        for number in range(60):
            client.echo(json.dumps({"number": number}).encode(), wsraw.TEXT)
        page.wait_text("left out")
        assert "a" in page.run("[...document.querySelectorAll('.tail .who')].map((e) => e.textContent)")
        Api(running.admin).close("a", {"code": 4000, "reason": "<b>night</b>"})
    wait_line(page, "the API closes a client")
    choose(page, "Messages of route", "")
    page.wait_text("Following.")
    Api(running.admin).ask("POST", "/reload")
    wait_line(page, "configuration")
    page.wait("document.querySelectorAll('.tail .log').length > 0")
    assert page.run("document.querySelectorAll('.tail b b').length") == 0
    assert_usable(page)


def test_five_hundred_lines_are_kept(gateway, page_of):
    running = gateway(routes=ROUTES)
    page = page_of(running, "#/client?route=ws&id=a")
    choose(page, "Messages a second, at most", "100")
    press(page, "Follow")
    page.wait_text("Following.")
    with running.open("/ws/a") as client:
        stop = threading.Event()

        def talk():
            while not stop.wait(0.02):
                client.echo(b'{"x": 1}', wsraw.TEXT)

        talker = threading.Thread(target=talk)
        talker.start()
        try:
            page.wait_text("the last 500 are kept")
        finally:
            stop.set()
            talker.join()
        assert page.run("document.querySelectorAll('.tail li').length") == 500


def test_over_a_live_upgrade(gateway, page_of):
    """The stream ends with the old process; the page goes on with the new one, and keeps what it had."""
    become_parent_of_orphans()
    running = gateway(routes=ROUTES)
    with running.open("/ws/till-7") as client:
        page = page_of(running)
        page.wait("document.getElementById('status').innerText === 'ready'")
        page.wait("document.querySelector('.chart .l.c1')?.getAttribute('d').includes('L')", "two points at least")
        upgrade(running)
        client.echo(b"still here", wsraw.TEXT)
        assert wait_former(running) == 0
        page.wait("document.getElementById('notice').hidden", "all is well")
        page.wait("Number.parseFloat([...document.querySelectorAll('.figures .card')].find((e) => "
                  "e.innerText.startsWith('Running for')).innerText.split('\\n')[1]) < 20", "the new one's age")
        page.wait("document.getElementById('status').innerText === 'ready'")


def test_blocks(gateway, page_of):
    running = gateway(routes=ROUTES)
    with running.open("/ws/bad") as client:
        page = page_of(running, "#/client?route=ws&id=bad")
        page.wait_text("127.0.0.1:")
        write(page, "Why", "<b>floods</b>")
        press(page, "Block …")
        press(page, "Block", "document.querySelector('dialog')")
        page.wait_text("Blocked; 1 closed.")
        client.read_close()
    page.wait("/This client is blocked until 20..-..-.. ..:..:..: <b>floods<.b>\\. Control lets it in again\\."
              "\\s+This client is connected to no node now: what is shown is of before/.test(document.querySelector('[role=alert]').innerText)",
              "until when, why, and that it is away")
    page.run("document.querySelector('[role=alert] p').dataset.kept = 'yes'")
    assert_usable(page)
    assert running.connect().handshake("/ws/bad").status == 403
    again = json.dumps({"route": "ws", "client_id": "bad", "for": "2m"}).encode()
    Api(running.admin).post("/blocks", again, type="application/json")
    page.wait("document.querySelector('[role=alert] [data-kept]') === null", "another one")
    assert "floods" not in page.text()
    # Also whoever comes to the page when the client has gone long ago.
    late = page_of(running, "#/client?route=ws&id=bad")
    late.wait_text("This client is blocked until")
    page.run("location.hash = '#/control'")
    page.wait_text("client on ws")
    assert_usable(page)
    page.run("document.querySelector('tbody button').focus()")
    left = page.run("document.querySelector('tbody .n').innerText")
    page.wait(f"document.querySelector('tbody .n').innerText !== {json.dumps(left)}", "time goes on")
    assert page.run("document.activeElement.innerText") == "Let in", "the focus stays where it is"
    press(page, "Let in")
    page.wait_text("Nobody is blocked.")
    late.wait("!document.body.innerText.includes('is blocked until')")
    with running.open("/ws/bad") as client:
        client.echo(b"in again")


def test_a_client_whose_address_is_blocked(gateway, page_of):
    running = gateway(routes=ROUTES)
    with running.open("/ws/bad") as client:
        page = page_of(running, "#/client?route=ws&id=bad")
        page.wait_text("127.0.0.1:")
        choose(page, "Keep out", "address")
        press(page, "Block …")
        press(page, "Block", "document.querySelector('dialog')")
        client.read_close()
    page.wait_text("Its address is blocked (127.0.0.1) until")


def test_who_tries_often_tries_once(gateway, page_of):
    """However often the button is pressed: the last attempt is the one that is repeated."""
    running = gateway(env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    page = page_of(running, before="""window.waits = new Set();
        const [set, clear] = [setTimeout, clearTimeout];
        window.setTimeout = (run, ms) => {
            const id = set(() => { waits.delete(id); run(); }, ms);
            if (ms === 3000)
                waits.add(id);
            return id;
        };
        window.clearTimeout = (id) => { waits.delete(id); clear(id); };""")
    page.wait_text("This gateway wants its token")
    running.stop()
    write(page, "Token", TOKEN)
    page.key("Enter")
    for _ in range(5):
        page.wait("!document.getElementById('try').hidden && waits.size > 0", "it waits for the next attempt")
        page.run("document.getElementById('try').click(); document.getElementById('try').click();")
    page.wait("waits.size > 0")
    assert page.run("waits.size") == 1
    gateway(admin={"listen": f"127.0.0.1:{running.admin[1]}"}, env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    page.wait_text("Headroom")
    assert page.run("waits.size") == 0


def test_a_drain(gateway, page_of):
    running = gateway(routes=ROUTES)
    with running.open("/ws/a"):
        page = page_of(running, "#/control")
        page.wait_text("none")
        write(page, "Over", "10m")
        press(page, "Drain …")
        press(page, "Drain", "document.querySelector('dialog')")
        page.wait_text("It has begun.")
        page.wait("document.getElementById('status').innerText !== 'ready'")
        press(page, "Cancel the drain")
        page.wait_text("It was cancelled.")
        page.wait("document.getElementById('status').innerText === 'ready'")
        write(page, "Over", "soon")
        press(page, "Drain …")
        press(page, "Drain", "document.querySelector('dialog')")
        page.wait_text("Seen: soon")


# --- what the gateway tells ---

# Notes what is read of its answers and is not there, as "path.member".
SPY = """
window.missing = new Set();
const watch = (value, where) => value === null || typeof value !== "object" ? value : new Proxy(value, {
	get(target, key) {
		const isList = Array.isArray(target);
		if (typeof key === "string" && !isList && !(key in target) && key !== "toJSON" && key !== "then")
			window.missing.add(`${where}.${key}`);
		return typeof target[key] === "function" ? target[key] : watch(target[key], isList ? where : `${where}.${key}`);
	}});
const [read, parse] = [Response.prototype.json, JSON.parse];
Response.prototype.json = async function () {
	return watch(await read.call(this), new URL(this.url).pathname.replace("/api/v1", ""));
};
JSON.parse = (text, ...rest) => watch(parse(text, ...rest), "event");
"""

# Of each only some have it, by the description of the API.
OPTIONAL = {"/clients/ws/a.expires_in", "/clients/ws/nobody.allowed", "/clients/ws/nobody.seen", "/clients.matched", "event.code",
            "event.withheld", "event.redacted", "event.cut", "event.reason", "event.base64", "event.text", "event.bytes"}


def test_all_that_is_read_is_there(gateway, page_of):
    """No member of an answer is asked for by a name that it does not have."""
    hook = Webhook()
    try:
        running = gateway(routes=[*ROUTES, {"path": "/hook/{client_id}", "backend": "b"}],
                          backends=[{"name": "b", "type": "webhook", "url": f"http://127.0.0.1:{hook.port}/"}])
        with running.open("/ws/a") as client, running.open("/hook/b"):
            Api(running.admin).ask("PUT", "/groups/night/members/ws/a")
            page = page_of(running, before=SPY)
            page.wait("document.querySelector('.chart .l.c1')?.getAttribute('d').includes('L')", "two points at least")
            for place in PLACES:
                page.run(f"location.hash = {json.dumps(place)}")
                page.wait("document.querySelector('h1') !== null")
                page.wait("!document.querySelector('main').innerText.includes('Asking')")
            page.run("location.hash = '#/client?route=ws&id=a'")
            write(page, "Message", "hello")
            press(page, "Send")
            page.wait_text("Delivered to its queue")
            assert client.read_message() == (wsraw.TEXT, b"hello")
            press(page, "Follow")
            page.wait_text("Following.")
            client.echo(b'{"x": 1}', wsraw.TEXT)
            wait_line(page, '"x"')
            write(page, "Group", "night")
            press(page, "Do it")
            page.wait_text("It was in it already.")
            assert set(page.run("[...missing]")) <= OPTIONAL
            assert_known(page.run("[...missing]"))
    finally:
        hook.close()


def assert_known(names: list[str]) -> None:
    """Those are members that the description has."""
    text = SPEC_FILE.read_text()
    for name in names:
        assert f"{name.rsplit('.', 1)[1]}:" in text, name
