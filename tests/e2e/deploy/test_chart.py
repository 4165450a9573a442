# SPDX-License-Identifier: Apache-2.0
"""The Helm chart: its values against their schema, and what its templates make of them. There is no helm among Debian's
packages, so they are filled in by kit/render, with the same template language and functions."""

import json
import os
import shutil
import subprocess

import jsonschema
import pytest
import yaml

from kit.gateway import ROOT, run_binary

pytestmark = pytest.mark.once("files of the deployment")

CHART = ROOT / "deploy/helm/gatehouse"
GO_PATH = "/usr/share/gocode"

TLS = {"tls": {"secretName": "cert", "clientCaSecretName": "ca", "clientCertificate": "required"}}
NATS = {"nats": {"urls": ["tls://a:4222", "tls://b:4222"], "credentialsSecretName": "creds", "caSecretName": "nca"},
        "replicas": 3}
OCPP = {"config": {"routes": [{"path": "/ocpp/{client_id}", "preset": "ocpp", "backend": "csms"}],
                   "backends": [{"name": "csms", "type": "webhook", "url": "http://csms.example/"}],
                   "server": {"drain_spread": "5m"}}}
WAYS = {"defaults": {}, "tls": TLS, "nats": NATS, "ocpp": OCPP, "all": TLS | NATS | OCPP | {
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}, "dashboard": {"enabled": True},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}}, "tolerations": [{"key": "edge"}],
    "service": {"type": "LoadBalancer", "port": 443, "externalTrafficPolicy": "Local", "annotations": {"a": "b"}},
    "envFrom": [{"secretRef": {"name": "gatehouse"}}], "podLabels": {"team": "edge"}, "priorityClassName": "high"}}


def schema() -> dict:
    return json.loads((CHART / "values.schema.json").read_text())


def defaults() -> dict:
    return yaml.safe_load((CHART / "values.yaml").read_text())


@pytest.mark.parametrize("way", WAYS)
def test_values_fit_their_schema(way):
    jsonschema.validate(defaults() | WAYS[way], schema())


@pytest.mark.parametrize("wrong", ({"replica": 3}, {"replicas": "3"}, {"tls": {"secret": "x"}}, {"image": {"tag": "1"}},
                                   {"nats": {"urls": ["http://broker"]}}, {"drain": {"spreadSeconds": "1m"}},
                                   {"config": {"servers": {}}}))
def test_values_that_are_none_are_refused(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(defaults() | wrong, schema())


def test_each_value_is_in_the_schema():
    known = schema()["properties"]
    assert set(defaults()) <= set(known)


@pytest.fixture(scope="module")
def render(tmp_path_factory):
    if shutil.which("go") is None or not os.path.isdir(f"{GO_PATH}/src/github.com/Masterminds/sprig"):
        pytest.skip("needs golang-go and golang-github-masterminds-sprig-dev: ./dev test --all installs those")
    directory = tmp_path_factory.mktemp("render")
    subprocess.run(["go", "build", "-o", directory / "render", "."], cwd=ROOT / "tests/e2e/kit/render", check=True,
                   env={**os.environ, "GO111MODULE": "off", "GOPATH": GO_PATH, "GOCACHE": str(directory / "cache")})

    def run(values: dict, *, check: bool = True):
        done = subprocess.run([directory / "render", CHART, "gw", "edge"], input=json.dumps(values), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if not check:
            return done
        assert done.returncode == 0, done.stderr
        return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout) if one}
    return run


@pytest.mark.rare
@pytest.mark.parametrize("way", WAYS)
def test_what_the_templates_make_belongs_together(render, way, tmp_path):
    made = render(WAYS[way])
    deployment = made["Deployment", "gw-gatehouse"]["spec"]
    pod = deployment["template"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    for selector in (deployment["selector"]["matchLabels"], made["Service", "gw-gatehouse"]["spec"]["selector"],
                     made["Service", "gw-gatehouse-admin"]["spec"]["selector"],
                     made["PodDisruptionBudget", "gw-gatehouse"]["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    container = pod["containers"][0]
    names = {port["name"] for port in container["ports"]}
    for service in ("gw-gatehouse", "gw-gatehouse-admin"):
        assert {port["targetPort"] for port in made["Service", service]["spec"]["ports"]} <= names
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert pod["serviceAccountName"] == made["ServiceAccount", "gw-gatehouse"]["metadata"]["name"]
    config = yaml.safe_load(made["ConfigMap", "gw-gatehouse"]["data"]["gatehouse.yaml"])
    drain = defaults()["drain"]
    assert pod["terminationGracePeriodSeconds"] > sum(drain.values())
    wanted = WAYS[way].get("config", {}).get("server", {}).get("drain_spread", "60s")
    assert config["server"]["drain_spread"] == wanted
    assert ("ServiceMonitor", "gw-gatehouse") in made or way != "all"


@pytest.mark.rare
@pytest.mark.parametrize("way", WAYS)
def test_the_configuration_is_one(render, way, tmp_path):
    """As far as it can be looked at without the secrets: no mistake but files that are not there."""
    made = render(WAYS[way])
    path = tmp_path / "gatehouse.yaml"
    path.write_text(made["ConfigMap", "gw-gatehouse"]["data"]["gatehouse.yaml"])
    said = run_binary("check", "-c", str(path))
    for line in said.stderr.splitlines():
        assert "No such file" in line or "mistake" in line, said.stderr
    if way == "defaults":
        assert said.returncode == 0, said.stderr


@pytest.mark.rare
def test_alerts_and_dashboard_are_those_of_the_repository(render):
    made = render(WAYS["all"])
    assert made["PrometheusRule", "gw-gatehouse"]["spec"] == yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
    dashboard = made["ConfigMap", "gw-gatehouse-dashboard"]
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["gatehouse.json"]) == json.loads((ROOT / "deploy/grafana/gatehouse.json").read_text())
    assert not {kind for kind, _ in render({})} & {"PrometheusRule", "ServiceMonitor"}


@pytest.mark.rare
def test_several_without_a_bus_are_refused(render):
    done = render({"replicas": 2}, check=False)
    assert done.returncode == 1 and "set nats.urls" in done.stderr
