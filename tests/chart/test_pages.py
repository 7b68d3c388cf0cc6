"""What the pages say of the chart is what the chart does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from hack.chart.schema import values_schema
from hack.chart.values import documented
from tests.support import chart

DOCS = Path(__file__).parents[2] / "docs"
INSTALL = DOCS / "how-to" / "install.md"
EVERYTHING = Path(__file__).parent / "renderings" / "everything.yaml"


def test_the_page_lists_every_right_and_no_other() -> None:
    """Verb by verb: a rule that is added to the chart has to be explained."""
    section = INSTALL.read_text().partition("## What it may do")[2].partition("\n## ")[0]
    listed = set()
    for cell in re.findall(r"^\| ((?:get|patch|list|create)\b[^|]*) \|", section, re.MULTILINE):
        verbs = re.findall(r"[a-z]+", cell.partition("`")[0].removesuffix("one "))
        listed |= {(verb, what) for verb in verbs for what in re.findall(r"`([^`]+)`", cell)}
    objects = chart.render(EVERYTHING)
    given = set()
    for role in filter(
        chart.of_the_operator, [*chart.of_kind(objects, "ClusterRole"), *chart.of_kind(objects, "Role")]
    ):
        if not any("aggregate-to" in label for label in role["metadata"]["labels"]):
            for rule in role["rules"]:
                whats = rule.get("resources") or rule["nonResourceURLs"]
                given |= {(verb, what) for verb in rule["verbs"] for what in whats}
    assert listed == given


@pytest.mark.parametrize("page", ["install.md", "break-glass.md", "monitor.md"])
def test_the_values_on_the_pages_exist(page: str) -> None:
    """A value that is renamed must not stay in a page; whole blocks are held against the schema."""
    text = (DOCS / "how-to" / page).read_text()
    known = {value.path for value in documented((chart.CHART / "values.yaml").read_text())}
    sections = {path.partition(".")[0] for path in known}
    for said in re.findall(r"`([a-zA-Z]+\.[a-zA-Z.]+)(?:: [^`]*)?`", text):
        if said.partition(".")[0] in sections:
            assert said in known or said == "podSecurityContext.runAsUser", said
    defaults = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        values = yaml.safe_load(block)
        for name, value in values.items():
            jsonschema_rs.validate(values_schema(), defaults | {name: merged(defaults[name], value)})


def merged(default: Any, given: Any) -> Any:
    """What Helm makes of a value beside its default."""
    if isinstance(default, dict) and isinstance(given, dict):
        return default | {name: merged(default.get(name), value) for name, value in given.items()}
    return given


def test_the_names_on_the_pages_are_the_releases() -> None:
    """`helm install oidc-publisher` makes a Deployment and a ServiceAccount of that name."""
    text = chart.helm("template", "oidc-publisher", str(chart.CHART), "--namespace=oidc-publisher")
    objects = [found for found in yaml.safe_load_all(text) if found]
    assert chart.the(objects, "Deployment", "oidc-publisher")
    assert chart.the(objects, "ServiceAccount", "oidc-publisher")["metadata"]["namespace"] == "oidc-publisher"
