# SPDX-License-Identifier: Apache-2.0
"""The dashboard for Grafana: that it can be imported, has all metrics, and that each of its queries is one for a real
Prometheus that looks at real gateways, one of which has no traffic."""

import functools
import importlib.util
import json
import re
import subprocess

import pytest

from kit import backends, prometheus, wsraw
from kit.gateway import BINARY, ROOT

pytestmark = pytest.mark.once("documents and what they show")

FILE = ROOT / "deploy/grafana/gatehouse.json"
DASHBOARD = json.loads(FILE.read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS += [(one["name"], one["expr"]) for one in DASHBOARD["annotations"]["list"]]
# Nothing here fails, expires, or is an upgrade.
MAY_BE_EMPTY = {"Certificates: what is left", "Keys of tokens", "Files that were read again", "Restarts", "Proofs",
                "Since"}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def generator():
    spec = importlib.util.spec_from_file_location("write_dashboard", ROOT / "tools/write_dashboard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def metrics() -> set[str]:
    text = subprocess.run([BINARY, "config", "--metrics"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return set(re.findall(r"^\| `((?:gatehouse|process)_\w+)` \|", text, re.MULTILINE))


def filled_in(expression: str) -> str:
    """As Grafana does with "All" chosen."""
    for name, value in (("$__rate_interval", "1m"), ("$__range", "1h"), ("$instance", ".*"), ("$route", ".*")):
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def test_it_can_be_imported():
    assert DASHBOARD["uid"] == "gatehouse" and isinstance(DASHBOARD["schemaVersion"], int) and DASHBOARD["schemaVersion"] >= 36
    assert not DASHBOARD.get("id"), "an id is of one Grafana"
    variables = DASHBOARD["templating"]["list"]
    assert [one["name"] for one in variables] == ["datasource", "instance", "route"]
    assert (variables[0]["type"], variables[0]["query"]) == ("datasource", "prometheus")
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for one in PANELS + variables[1:] + DASHBOARD["annotations"]["list"]:
        assert one["datasource"] == SOURCE, one
    for panel in PANELS:
        assert panel["title"] and panel["description"]
        letters = [target["refId"] for target in panel["targets"]]
        assert letters and len(set(letters)) == len(letters)
        for target in panel["targets"]:
            assert target["datasource"] == SOURCE and target["expr"] and target["legendFormat"]


def test_no_panel_lies_upon_another():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] and place["x"] + place["w"] <= 24 and place["h"] > 0
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_all_metrics_are_shown_or_left_out_for_a_reason():
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in metrics() else name
             for _, expression in EXPRESSIONS for name in re.findall(r"\b(?:gatehouse|process)_\w+\b", expression)}
    left_out = generator().LEFT_OUT
    assert shown <= metrics(), "there is none of this name"
    assert shown | left_out.keys() == metrics() and not shown & left_out.keys()
    assert all(left_out.values())


@pytest.mark.parametrize("kind, target", [("counter", 'rate("gatehouse_new_total")'), ("gauge", 'total("gatehouse_new_total")'),
                                          ("histogram", 'quantile(0.99, "gatehouse_new_total")')])
def test_a_metric_that_nobody_placed_is_an_error(tmp_path, kind, target):
    """It says which, and where to put it; and so is one that is gone."""
    fake = tmp_path / "gatehouse"
    text = subprocess.run([BINARY, "config", "--metrics"], stdout=subprocess.PIPE, text=True, check=True).stdout

    def run(page: str) -> subprocess.CompletedProcess:
        (tmp_path / "page").write_text(page)
        fake.write_text(f"#!/bin/sh\ncat {tmp_path / 'page'}\n")
        fake.chmod(0o755)
        return subprocess.run(["/usr/bin/python3", ROOT / "tools/write_dashboard.py", fake], capture_output=True, text=True,
                              check=False)

    assert json.loads(run(text).stdout) == DASHBOARD
    more = run(text.replace("| `gatehouse_sockets` |", f"| `gatehouse_new_total` | {kind} | New. |\n| `gatehouse_sockets` |", 1))
    assert more.returncode == 1 and not more.stdout
    assert f"the metric gatehouse_new_total has no panel. Add {target} to one of the row" in more.stderr
    assert '"Connections"' in more.stderr and "tools/write_dashboard.py" in more.stderr and "LEFT_OUT" in more.stderr
    less = run(text.replace("gatehouse_sockets`", "gatehouse_renamed`", 1))
    assert less.returncode == 1 and "there is no metric gatehouse_sockets" in less.stderr


def test_no_metric_is_shown_twice_for_the_same():
    """Two rows about one thing drift apart."""
    seen = {}
    for panel in PANELS:
        for target in panel["targets"]:
            assert target["expr"] not in seen or panel["type"] == "stat", (panel["title"], seen[target["expr"]], target["expr"])
            seen[target["expr"]] = panel["title"] if panel["type"] != "stat" else ""
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("engine", ["epoll"])  # which counts nothing that the other does not
def test_every_query_is_one_for_a_real_prometheus(gateway, tmp_path):
    webhook = backends.Webhook()
    busy = gateway(server={"max_connections": 3},
                   backends=[{"name": "hook", "type": "webhook", "url": webhook.url}],
                   routes=[{"path": "/ws/{client_id}"}, {"path": "/hook/{client_id}", "backend": "hook"}])
    idle = gateway()
    watched = prometheus.Prometheus(tmp_path, [busy.admin, idle.admin])
    try:
        with busy.open("/ws/a") as client, busy.open("/hook/b") as other:
            client.echo(b"x")
            other.send_frame(wsraw.TEXT, b"up")
            webhook.wait("message")
            watched.wait_scraped()
            for title, expression in EXPRESSIONS:
                # Of a rate there may be nothing to tell but "not a number"; something there is, but while a busy
                # machine lets no gateway be looked at.
                def look(expression=expression) -> bool:
                    return watched.query(filled_in(expression)) != []
                if title in MAY_BE_EMPTY:
                    look()
                else:
                    wsraw.wait_until(look, f"{title}: something in {expression}")
            check_labels(watched)
    finally:
        watched.stop()
    busy.stop()
    webhook.close()


def check_labels(watched: prometheus.Prometheus) -> None:
    """What a query groups by are labels of what it is about."""
    has = {}
    for series in watched.ask("series", **{"match[]": f'{{job="{prometheus.JOB}"}}'}):
        has.setdefault(series["__name__"], set()).update(series)
    for title, expression in EXPRESSIONS:
        names = [name for name in re.findall(r"\b(?:gatehouse|process)_\w+\b", expression) if name in has]
        wanted = {label.strip() for by in re.findall(r"by \(([\w, ]+)\)", expression) for label in by.split(",")}
        missing = wanted - set().union(*(has[name] for name in names))
        assert not missing or not names, (title, expression, missing)


@pytest.mark.parametrize("name", ["process_virtual_memory_bytes"])
def test_what_is_left_out_is_a_short_list(name):
    assert list(generator().LEFT_OUT) == [name]
