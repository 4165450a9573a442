# SPDX-License-Identifier: Apache-2.0
"""The alerts for Prometheus: each fires and does not fire as alerts_test.yaml says, is one for a real Prometheus that
looks at real gateways, and has its section of the runbook."""

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from kit import prometheus, wsraw
from kit.gateway import ROOT, run_binary

pytestmark = pytest.mark.once("documents and what they show")

DIRECTORY = ROOT / "deploy/prometheus"
RULES = DIRECTORY / "alerts.yaml"
GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
CASES = yaml.safe_load((DIRECTORY / "alerts_test.yaml").read_text())["tests"]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
# Said of a node that is up, has a certificate, tokens and so on: what is not there is no alarm.
SEVERITIES = {"warning", "critical"}
# What is true of any gateway while its machine is busy, and no longer.
OF_THE_MACHINE = {"GatehouseDown", "GatehouseLoopLag"}


def test_rules_are_good_ones():
    done = prometheus.promtool("check", "rules", RULES)
    assert done.returncode == 0 and f"{len(ALERTS)} rules found" in done.stdout, done.stdout + done.stderr


def test_each_fires_and_does_not():
    done = prometheus.promtool("test", "rules", DIRECTORY / "alerts_test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    fires, silent = set(), set()
    for case in CASES:
        for one in case["alert_rule_test"]:
            (fires if one["exp_alerts"] else silent).add(one["alertname"])
    assert fires == silent == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_each_says_what_it_is(name):
    rule = ALERTS[name]
    assert rule["labels"] == {"severity": rule["labels"]["severity"]} and rule["labels"]["severity"] in SEVERITIES
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert "$labels." in notes["summary"] and notes["description"].endswith(".")


def test_the_runbook_has_a_section_for_each_and_no_others():
    assert list(SECTIONS) == list(ALERTS)


@pytest.mark.parametrize("name", SECTIONS)
def test_each_section_says_what_to_do(name):
    text = SECTIONS[name]
    marks = re.findall(r"^\*\*([\w ]+)\*\*:", text, re.MULTILINE)
    assert marks == ["Means", "Look first", "Cause", "Cure"]
    commands = re.findall(r"^\$ (.+)$", text, re.MULTILINE)
    assert commands
    for command in re.findall(r"\bgatehouse (\w+) ", "\n".join(commands)):
        assert run_binary(command, "--help").returncode == 0, command


def test_what_the_runbook_quotes_is_said_and_counted():
    """Lines of the log, metrics, limits: each is one of the program's."""
    sources = "".join(file.read_text() for file in (ROOT / "src").rglob("*.c"))
    said = re.sub(r'"\s*\n\s*"', "", sources)  # strings in pieces
    said = re.sub(r"%u", "80", said)
    for line in re.findall(r'msg="([^"]+)"', RUNBOOK):
        assert line in said, line
    for fields in re.findall(r'msg="[^"]+"( .*)', RUNBOOK):
        for field in re.findall(r" (\w+)=", re.sub(r'"[^"]*"', "", fields)):
            assert f'("{field}"' in said, field
    reference = run_binary("config", "--metrics").stdout
    for name in set(re.findall(r"\b(?:gatehouse|process)_\w+", RUNBOOK)):
        base = re.sub(r"_(sum|count|bucket)$", "", name)
        assert f"| `{name}` |" in reference or f"| `{base}` |" in reference or name.endswith("_"), name


def test_links_of_the_runbook_lead_somewhere():
    for file, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", RUNBOOK):
        text = (ROOT / "docs" / file).read_text() if file else RUNBOOK
        if anchor and (not file or file.endswith(".md")):
            heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in anchors, (file, anchor)


@pytest.mark.parametrize("engine", ["epoll"])  # which counts nothing that the other does not
def test_nothing_fires_at_a_real_gateway_that_is_well(gateway, tmp_path):
    """With traffic and without: no expression fails, and none is true. And what is wrong fires."""
    busy = gateway(routes=[{"path": "/ws/{client_id}"}])
    idle = gateway(server={"max_connections": 1})
    watched = prometheus.Prometheus(tmp_path, [busy.admin, idle.admin], [RULES])
    try:
        with busy.open() as client:
            client.echo(b"x")
            watched.wait_scraped()
            for name, rule in ALERTS.items():
                if name in OF_THE_MACHINE:
                    expression = rule["expr"].replace("[5m]", "[2s]")
                    wsraw.wait_until(lambda: not watched.query(expression), f"{name} is not true")
                    continue
                found = watched.query(rule["expr"])
                # Both have no routes and limits in common: that is what they were started with.
                assert not found or name == "GatehouseConfigDiffers", (name, found)
            rules = [rule for group in watched.ask("rules")["groups"] for rule in group["rules"]]
            assert len(rules) == len(ALERTS)
            assert all(rule["health"] in ("ok", "unknown") and not rule.get("lastError") for rule in rules), rules
        with idle.open():
            (found,) = wsraw.wait_until(lambda: watched.query(ALERTS["GatehouseLimitUsedUp"]["expr"]),
                                        "its only place is taken")
            assert found["metric"]["limit"] == "max_connections" and found["value"][1] == "1"
    finally:
        watched.stop()


def test_the_compose_file_puts_all_of_it_together():
    if shutil.which("docker-compose") is None:
        pytest.skip("the package docker-compose is not installed")
    docker = ROOT / "deploy/docker"
    done = subprocess.run(["docker-compose", "-f", docker / "docker-compose.yml", "-f", docker / "docker-compose.watch.yml", "config"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    for service in services.values():
        for volume in service.get("volumes", []):
            assert pathlib.Path(volume.split(":")[0]).exists(), volume
    config = yaml.safe_load((DIRECTORY / "prometheus.yml").read_text())
    ((target,),) = [one["targets"] for job in config["scrape_configs"] for one in job["static_configs"]]
    name, port = target.split(":")
    assert services[name]["environment"]["GATEHOUSE_ADMIN_LISTEN"].endswith(f":{port}")
    assert set(services["prometheus"]["networks"]) == {"inside"} and "ports" not in services["prometheus"]
    assert prometheus.promtool("check", "config", DIRECTORY / "prometheus.yml").returncode == 0
    (source,) = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/gatehouse.yaml").read_text())["providers"]
    assert any(volume.split(":")[1] == f"{provider['options']['path']}/gatehouse.json" for volume in services["grafana"]["volumes"])
