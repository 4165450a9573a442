# SPDX-License-Identifier: Apache-2.0
"""The files of /console as they are sent: complete, small, from nowhere else, held to a strict policy."""

import functools
import gzip
import html.parser
import http.client
import json
import re

import pytest

from kit import tlsraw, wsraw
from kit.api import Api
from kit.gateway import ROOT

pytestmark = pytest.mark.once("scripts that run in a browser")

ASSETS = ROOT / "src" / "admin" / "console" / "assets"
TOKEN = "of-the-test-0123456789"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
POLICY = {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
          "img-src": "'self' data:", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
          "require-trusted-types-for": "'script'", "trusted-types": "'none'"}


def ask(running, path, *, method="GET", **headers) -> wsraw.Response:
    connection = http.client.HTTPConnection(*running.admin, timeout=wsraw.SECONDS)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        got = connection.getresponse()
        return wsraw.Response(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
    finally:
        connection.close()


def text_of(path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def sources() -> dict[str, str]:
    """Name behind /console/ -> text."""
    return {"" if path.name == "index.html" else path.name: text_of(path) for path in ASSETS.iterdir()}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.inline = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        if self.tags and self.tags[-1] in ("script", "style") and data.strip():
            self.inline.append(data)


def policy_of(answer) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))


def assert_held_to_rules(answer):
    assert policy_of(answer) == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-cache"


# --- what is sent ---


def test_each_file(gateway):
    running = gateway()
    total = small_total = 0
    for name, text in sources().items():
        path = f"/console/{name}"
        plain, small = ask(running, path), ask(running, path, Accept_Encoding="gzip, deflate, br")
        assert plain.status == small.status == 200
        for answer in (plain, small):
            assert_held_to_rules(answer)
            assert answer.headers["content-type"] == TYPES[(ASSETS / (name or "index.html")).suffix]
            assert answer.headers["vary"] == "Accept-Encoding"
        assert plain.body == text.encode() and "content-encoding" not in plain.headers
        assert gzip.decompress(small.body) == plain.body and small.headers["content-encoding"] == "gzip"
        total, small_total = total + len(plain.body), small_total + len(small.body)
        assert plain.headers["etag"] != small.headers["etag"]
    assert total < 200_000 and small_total < 60_000, (total, small_total)


def test_what_is_there_already_is_not_sent_again(gateway):
    running = gateway()
    for encoding in ("identity", "gzip"):
        tag = ask(running, "/console/app.js", Accept_Encoding=encoding).headers["etag"]
        for given in (tag, f'"other", {tag}', f"W/{tag}"):
            answer = ask(running, "/console/app.js", If_None_Match=given, Accept_Encoding=encoding)
            assert answer.status == 304 and answer.body == b"", given
            assert answer.headers["etag"] == tag and "content-length" not in answer.headers
        other = ask(running, "/console/app.js", If_None_Match='"other"', Accept_Encoding=encoding)
        assert other.status == 200 and other.body
    assert ask(running, "/console/app.js", Accept_Encoding="gzip;q=0").body == sources()["app.js"].encode()


def test_paths_and_methods(gateway):
    running = gateway()
    root = ask(running, "/console")
    assert root.status == 308 and root.headers["location"] == "console/" and root.body == b""
    head = ask(running, "/console/", method="HEAD")
    assert head.status == 200 and head.body == b""
    assert int(head.headers["content-length"]) == len(sources()[""].encode())
    for path in ("/console/no.js", "/console/../health", "/console//", "/console/app.js/", "/console/index.html"):
        answer = ask(running, path)
        assert answer.status == 404 and answer.headers["content-type"] == "application/problem+json", path
        assert answer.headers["cache-control"] == "no-store"
    assert ask(running, "/consoles").status == 404
    post = ask(running, "/console/", method="POST")
    assert post.status == 405 and post.headers["allow"] == "GET, HEAD, OPTIONS"
    assert ask(running, "/console/app.js", method="OPTIONS").status == 204
    assert running.get("/console/", admin=False).status == 404


def test_a_name_that_was_pointed_here(gateway):
    """As for metrics; where a token is wanted the page may be asked for by any name, and has no data."""
    running = gateway()
    for path in ("/console", "/console/", "/console/app.js"):
        assert ask(running, path, Host="evil.example:8081").status == 403
        assert ask(running, path, Host="localhost:8081").status in (200, 308)
    guarded = gateway(env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    assert ask(guarded, "/console/", Host="gatehouse.example").status == 200


def test_the_page_needs_no_token_and_the_api_does(gateway):
    running = gateway(env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    assert ask(running, "/console/").status == 200
    api = Api(running.admin)
    assert json.loads(api.ask("GET", "/node").body)["reason"] == "token"
    assert TOKEN.encode() not in ask(running, "/console/").body
    wrong = Api(running.admin, TOKEN + "x").ask("GET", "/node")
    assert wrong.status == 401 and "Basic" not in wrong.headers["www-authenticate"], "a browser would ask by itself"


def test_by_tls(start, pair, authority):
    running = start(admin={"tls": {"certificates": [pair.files]}}, env={"GATEHOUSE_ADMIN_TOKEN": TOKEN})
    running.wait_ready()
    connection = http.client.HTTPSConnection(*running.admin, timeout=wsraw.SECONDS, context=tlsraw.client_context(authority.cert))
    try:
        connection.request("GET", "/console/")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read() == sources()[""].encode()
    finally:
        connection.close()
    running.stop()


# --- what is in them ---


def test_nothing_from_elsewhere_and_nothing_inline():
    page = Page(sources()[""])
    assert page.inline == []
    for tag, name, value in page.attributes:
        assert not name.startswith("on") and name != "style", (tag, name)
        if name in ("src", "href"):
            assert value.startswith("#") or value in sources(), (tag, name, value)
    for name, text in sources().items():
        urls = set(re.findall(r"(?:https?:)?//[\w.]+", re.sub(r"(?m)^\s*//.*$|/\*.*?\*/| // .*$", "", text)))
        assert urls <= {"http://www.w3.org"}, (name, urls)
        assert "url(" not in text and "@import" not in text


def test_no_markup_is_made_of_text():
    """Nor code; the policy would not let it either, in browsers that know trusted types."""
    words = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|"
                       r"\beval\b|new Function|srcdoc|setTimeout\(\s*[\"'`]|setHTML")
    for name, text in sources().items():
        assert not words.search(text), (name, words.search(text))


def test_the_token_stays_in_the_tab():
    for name, text in sources().items():
        if re.search("gatehouse-token", text):
            assert name == "api.js" and "localStorage" not in text
    assert "sessionStorage" in sources()["api.js"]
    assert not re.search(r"searchParams\.\w+\([^)]*token", "".join(sources().values()), re.IGNORECASE)


def test_each_module_is_there():
    """What is imported, by name; and all that is there is used."""
    used = {"", "theme.js", "style.css", "icon.svg", "app.js"}
    for name, text in sources().items():
        for names, file in re.findall(r"import \{([^}]+)\} from \"\./([\w.]+)\"", text):
            used.add(file)
            for one in map(str.strip, names.split(",")):
                assert re.search(rf"export (async )?(const|function|class|let) {one}\b", sources()[file]), (name, file, one)
                assert len(re.findall(rf"\b{one}\b", text)) > 1, (name, "imports and does not use", one)
    assert used == set(sources())


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at:at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def palettes() -> list[dict[str, str]]:
    blocks = re.findall(r"\{([^{}]*--ground:[^{}]*)\}", sources()["style.css"])
    return [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in blocks]


def test_both_themes_can_be_read():
    """Text 4.5:1, lines and edges of controls 3:1 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    light, by_system, chosen = palettes()
    assert by_system == chosen and light.keys() == chosen.keys()
    for colours in (light, chosen):
        for text, ground in [(text, ground) for text in ("ink", "soft", "blue", "bad", "good")
                             for ground in ("ground", "card", "shade")] + \
                [("warn", "warnbg"), ("ink", "badbg"), ("onblue", "blue"), ("green", "shade"), ("green", "card")]:
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground, contrast(colours[text], colours[ground]))
        for line in ("blue", "green", "red", "purple", "gray", "edge"):
            assert contrast(colours[line], colours["card"]) >= 3, line


@pytest.fixture(params=["epoll"])
def engine(request):
    """Bytes from memory are the same on both."""
    return request.param
