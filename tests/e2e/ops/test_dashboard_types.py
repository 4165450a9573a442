# SPDX-License-Identifier: Apache-2.0
"""The dashboard, held against Grafana's own types of one: the npm package @grafana/schema, made into JSON schemas that
know each name and what it may be."""

import json
import subprocess

import jsonschema
import pytest

from kit import npm
from kit.gateway import ROOT

pytestmark = [pytest.mark.rare, pytest.mark.once("documents and what they show")]

DASHBOARD = json.loads((ROOT / "deploy/grafana/gatehouse.json").read_text())
# Of Grafana's own types, by the folder that each is in. All have some `Options` and the like.
TYPES = {"dashboard": ("dashboard", "Dashboard"), "row": ("dashboard", "RowPanel"), "panel": ("dashboard", "Panel"),
         "bargauge": ("composable/bargauge/panelcfg", "Options"), "stat": ("composable/stat/panelcfg", "Options"),
         "timeseries": ("composable/timeseries/panelcfg", "Options"),
         "custom": ("composable/timeseries/panelcfg", "FieldConfig")}
# What the plugin of the data source reads, which the types of a dashboard do not know.
OF_SOURCE = {"variable": {"definition"}, "annotation": {"expr", "titleFormat"}}


@pytest.fixture(scope="session")
def schemas() -> dict[str, jsonschema.Draft7Validator]:
    tools = npm.modules(ROOT / "tests/e2e/ops/grafana")

    def schema(folder: str, name: str) -> jsonschema.Draft7Validator:
        made = subprocess.run(
            ["node", tools / "node_modules/ts-json-schema-generator/bin/ts-json-schema-generator.js", "--no-type-check",
             "--path", f"node_modules/@grafana/schema/dist/types/raw/{folder}/x/types.gen.d.ts", "--type", name],
            cwd=tools, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
        return jsonschema.Draft7Validator(json.loads(made.stdout))

    return {name: schema(*place) for name, place in TYPES.items()}


def problems(schema: jsonschema.Draft7Validator, value: dict, what: str) -> list[str]:
    return [f"{what}: {'.'.join(map(str, error.path))}: {error.message[-200:]}" for error in schema.iter_errors(value)]


def without(value: dict, names: set[str]) -> dict:
    return {name: one for name, one in value.items() if name not in names}


def of_grafana() -> dict:
    """All but the panels, which have types of their own, and what is the data source's."""
    return without(DASHBOARD, {"panels"}) | {
        "templating": {"list": [without(one, OF_SOURCE["variable"]) for one in DASHBOARD["templating"]["list"]]},
        "annotations": {"list": [without(one, OF_SOURCE["annotation"]) for one in DASHBOARD["annotations"]["list"]]}}


def test_it_is_of_the_types_of_grafana(schemas):
    found = problems(schemas["dashboard"], of_grafana(), "the dashboard")
    for panel in DASHBOARD["panels"]:
        if panel["type"] == "row":
            found += problems(schemas["row"], panel, panel["title"])
            continue
        found += problems(schemas["panel"], panel, panel["title"])
        found += problems(schemas[panel["type"]], panel["options"], f"{panel['title']}, options")
        if panel["type"] == "timeseries":
            found += problems(schemas["custom"], panel["fieldConfig"]["defaults"]["custom"], f"{panel['title']}, custom")
    assert found == []


@pytest.mark.parametrize("name, change", [
    ("dashboard", {"graphTooltips": 1}), ("dashboard", {"graphTooltip": 7}), ("dashboard", {"panels": {}}),
    ("dashboard", {"time": {"from": 3, "to": "now"}})])
def test_the_types_see_what_is_wrong(schemas, name, change):
    assert len(problems(schemas[name], of_grafana() | change, name)) == 1


def test_the_types_see_what_is_wrong_in_a_panel(schemas):
    panel = next(one for one in DASHBOARD["panels"] if one["type"] == "timeseries")
    custom = panel["fieldConfig"]["defaults"]["custom"]
    assert problems(schemas["timeseries"], panel["options"] | {"legends": {}}, "") != []
    assert problems(schemas["timeseries"], without(panel["options"], {"legend"}), "") != []
    assert problems(schemas["custom"], custom | {"drawStyle": "lines"}, "") != []
    assert problems(schemas["panel"], panel | {"gridPos": {"x": "left"}}, "") != []
