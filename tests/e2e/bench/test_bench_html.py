# SPDX-License-Identifier: Apache-2.0
"""`gatehouse bench --html`: one page that is whole, that needs nothing else, that shows
the figures of the JSON, and that no server can make do anything."""

import html.parser
import json
import os
import re
import struct
import xml.etree.ElementTree as ElementTree

import pytest

from kit.bench import CLOSE, good, plain

VOID = {"meta", "br", "img", "link", "input", "hr"}
EVIL = "</style></title><script>alert(1)</script>\"'><img src=x onerror=y>"


class Page(html.parser.HTMLParser):
    """Reads a page, and fails where an element is not closed or closed twice."""

    def __init__(self, text):
        super().__init__()
        self.source = text
        self.open, self.tags, self.attributes = [], [], []
        self.words, self.headings, self.heads = [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)
            self.heads.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)
        for tag in set(self.open):
            self.heads[tag][-1] += data

    def one(self, tag):
        """The text of the only element of this kind."""
        assert len(self.heads[tag]) == 1, tag
        return self.heads[tag][0]

    def figures(self):
        """The key figures: name -> value without its note."""
        pairs = re.findall(r'<div class="card"><dt>([^<]*)</dt><dd>([^<]*)<small>', self.source)
        return dict(pairs)

    def charts(self):
        """Each chart as XML, which is stricter than HTML."""
        return [ElementTree.fromstring(found) for found in
                re.findall(r'<svg class="chart".*?</svg>', self.source, re.DOTALL)]


def assert_self_contained(page):
    assert page.source.startswith("<!DOCTYPE html>\n<html lang=\"en\">")
    assert not {"script", "link", "img", "iframe", "object", "base", "use"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert name not in ("src", "href", "xlink:href", "srcset", "action"), (tag, name, value)
        assert not name.startswith("on"), (tag, name, value)
    style = page.one("style")
    assert "url(" not in style and "@import" not in style and "@font-face" not in style
    assert "default-src 'none'" in page.source
    assert len(page.source.encode()) < 200_000


def assert_accessible(page):
    assert page.headings.count(1) == 1 and page.headings[0] == 1
    for before, after in zip(page.headings, page.headings[1:]):
        assert after <= before + 1, page.headings
    for chart in page.charts():
        assert chart.get("role") == "img" and chart.get("aria-label")
        assert chart.find("title").text and chart.find("desc").text
    for tag, _, attributes in re.findall(r"<(th)(\s|>)([^>]*)", page.source):
        assert 'scope="' in attributes, (tag, attributes)


@pytest.fixture
def report(tmp_path):
    """Runs bench; returns the finished process, the page and the JSON."""

    def run(url, *args, **kwargs):
        page, data = tmp_path / "page.html", tmp_path / "result.json"
        got = plain(url, "--html", page, "--json", data, *args, **kwargs)
        assert page.exists() and data.exists(), got.stderr
        return got, Page(page.read_text(encoding="utf-8")), json.loads(data.read_text())

    return run


def thousands(count):
    return f"{count:,}"


def seconds(text):
    value, unit = text.split()
    return float(value) * {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]


# --- what it shows ---


def test_page_shows_the_figures_of_the_json(report, server):
    got, page, data = report(server(good).url + "/ws/dev-{n}", "-c", 30, "--hold", "2500ms",
                             "--message-rate", 20)
    assert got.returncode == 0, got.stderr
    assert_self_contained(page)
    assert_accessible(page)
    assert data["verdict"] == got.stdout.strip().splitlines()[-1]
    assert page.heads["title"][0] == data["verdict"]
    assert page.one("h1") in data["verdict"]
    assert "Passed" in page.text
    totals, figures = data["totals"], page.figures()
    assert figures["Connected"] == thousands(totals["connected"]) == "30"
    assert figures["Held"] == thousands(totals["held"])
    assert figures["Dropped"] == figures["Failed"] == "0"
    assert figures["Echoes"] == thousands(totals["received"])
    assert data["asked"]["url"] in page.text
    for name in ("Connections over time", "Echo latency over time", "Latency by percentile",
                 "Message rate and CPU use"):
        assert name in [chart.find("title").text for chart in page.charts()]
    assert seconds(figures["Echo p50"]) == pytest.approx(data["echo_seconds"]["p50"], rel=0.01)
    assert seconds(figures["Handshake p50"]) == pytest.approx(data["handshake_seconds"]["p50"],
                                                              rel=0.01)


def test_lines_of_the_charts_lie_inside(report, server):
    _, page, _ = report(server(good).url, "-c", 20, "--hold", "1500ms", "--message-rate", 10)
    lines = 0
    for chart in page.charts():
        width, height = map(float, chart.get("viewBox").split()[2:])
        for path in chart.iter("path"):
            if not path.get("class").startswith("l "):
                continue
            lines += 1
            x = y = 0.0
            for command, numbers in re.findall(r"([MLlhvH])([-\d. ]+)", path.get("d")):
                values = [float(number) for number in numbers.split()]
                if command == "M":
                    x, y = values
                elif command == "l":
                    x, y = x + values[0], y + values[1]
                elif command == "h":
                    x += values[0]
                assert 0 <= x <= width and 0 <= y <= height, (command, numbers)
    assert lines >= 8


def test_plateau_limit_and_remedy_of_a_full_gateway(report, gateway):
    gw = gateway(server={"max_connections": 20})
    got, page, data = report(gw.url("/ws/dev-{n}"), "-c", 50, "--message-rate", 5,
                             "--duration", "1500ms", "--limits",
                             f"http://{gw.admin[0]}:{gw.admin[1]}/limits",
                             "--expect", "connected==100%", "--expect", "p99<50s")
    assert got.returncode == 1
    assert_self_contained(page)
    assert_accessible(page)
    assert "Failed" in page.text
    assert page.heads["title"][0] == data["verdict"]
    assert "Plateau at 20 connections" in page.text
    assert ("How to raise it, as the server proposes: configuration server.max_connections: 50"
            in page.text)
    assert "plateau at 20: max_connections" in page.text
    assert page.figures()["Connected"] == "20" and page.figures()["Failed"] == "30"
    failure = data["failures"][0]
    assert failure["text"] in page.text and thousands(failure["count"]) == "30"
    assert "Yours 30" in page.text
    assert "connected==100%" in page.text and "not met" in page.text
    assert "The server's limits" in page.text and "The tester's limits" in page.text
    assert page.text.count("fs.file-max") >= 2


def test_nobody_listens(report, free_port):
    got, page, _ = report(f"ws://127.0.0.1:{free_port}/", "-c", 7)
    assert got.returncode == 1
    assert_self_contained(page)
    assert_accessible(page)
    assert "No latency: nothing connected." in page.text
    assert "ECONNREFUSED" in page.text
    assert "nan" not in page.text and "inf " not in page.text


@pytest.fixture
def free_port(server):
    """A port on which nothing listens any more."""
    srv = server(good)
    srv.close()
    return srv.port


# --- hostile servers ---


def refuses_with_evil(peer, _number):
    peer.read_head()
    body = json.dumps({"title": EVIL, "detail": EVIL + "\x1b[31m\u202e", "limit": EVIL}).encode()
    peer.answer("503 No", [f"Gatehouse-Limit: {EVIL}; current=1",
                           "Content-Type: application/problem+json"], body)


def closes_with_evil(peer, _number):
    peer.upgrade()
    peer.send(*peer.receive())
    peer.send(CLOSE, struct.pack(">H", 4000) + EVIL.encode() + "\u202e\x01".encode())
    peer.receive()


def answers_with_bytes(peer, _number):
    peer.read_head()
    peer.sock.sendall(b"\xff\xfe\x00<script>\x80\r\n" + EVIL.encode() + b"\r\n\r\n")


@pytest.mark.parametrize("behave", [refuses_with_evil, closes_with_evil, answers_with_bytes],
                         ids=lambda behave: behave.__name__)
def test_hostile_texts_stay_texts(report, server, behave):
    got, page, _ = report(server(behave).url, "-c", 5, "--message-rate", 20, "--duration", "500ms")
    assert got.returncode == 1
    assert_self_contained(page)
    assert_accessible(page)
    assert "alert(1)" in page.text or "script" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page.source)


def test_hostile_limits_stay_texts(report, server):
    table = {"binding": EVIL, "next": EVIL, "connections": 5, "used": "x",
             "limits": [{"limit": EVIL, "scope": EVIL, "state": EVIL, "value": EVIL, "unit": EVIL,
                         "used": -3, "connections": 2.5, "cost": EVIL, "note": EVIL,
                         "source": EVIL, "remedies": [{"place": EVIL, "text": EVIL}, 7, None]}]
             * 300}

    def behave(peer, number):
        if peer.read_head().startswith("GET /limits"):
            peer.answer("200 OK", ["Content-Type: application/json"], json.dumps(table).encode())
        else:
            peer.answer("503 No", ["Gatehouse-Limit: max_connections; current=1; max=1"])

    srv = server(behave)
    got, page, _ = report(srv.url, "-c", 5, "--limits", f"http://127.0.0.1:{srv.port}/limits")
    assert got.returncode == 1
    assert_self_contained(page)
    assert_accessible(page)


# --- the file ---


def test_paths_that_cannot_be_written_are_found_before_the_test(server, tmp_path):
    srv = server(good)
    for path in (tmp_path / "missing" / "page.html", tmp_path, "/proc/page.html"):
        got = plain(srv.url, "--html", path)
        assert got.returncode == 1
        assert f"--html: cannot write '{path}': " in got.stderr, got.stderr
        assert "nothing was tested" in got.stderr
    assert srv.arrivals == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_is_read_only_is_found_before_the_test(server, tmp_path):
    path = tmp_path / "page.html"
    path.touch(mode=0o400)
    srv = server(good)
    got = plain(srv.url, "--html", path)
    assert got.returncode == 1 and "Permission denied" in got.stderr
    assert srv.arrivals == []


def test_a_full_disk_is_told_and_the_other_file_is_written(server, tmp_path):
    data = tmp_path / "result.json"
    got = plain(server(good).url, "-c", 2, "--html", "/dev/full", "--json", data)
    assert got.returncode == 1
    assert "--html: writing '/dev/full' failed: No space left on device" in got.stderr
    assert json.loads(data.read_text())["passed"] is True


def test_both_reports_need_a_file_each(server, tmp_path):
    path = tmp_path / "result"
    got = plain(server(good).url, "--html", path, "--json", path)
    assert got.returncode == 2
    assert f"--json and --html both name '{path}'" in got.stderr
    assert not path.exists()
