"""The alerts, as the chart renders them, judged by the real promtool: each fires, survives a restart and resolves."""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path

import pytest
import yaml

from hack.chart.alerts import Rule, alert_names, alerts
from oidc_publisher.controller.metrics.metriclist import METRICS
from oidc_publisher.findings import ConditionType, Reason
from tests.support import chart
from tests.support.prometheus import promtool

DOCS = Path(__file__).parents[2] / "docs"
CASES = Path(__file__).parent / "alerts"
#: Labels that Prometheus gives to every series of a target.
OF_TARGETS = {"job", "namespace", "instance", "pod"}
#: What each alert's tests are called; more may stand beside them.
WANTED = {"fires", "does not fire on a restart", "resolves"}


@pytest.fixture(scope="module")
def groups() -> list[Rule]:
    """The groups of the PrometheusRule, which are those of a rules file."""
    (rule,) = chart.of_kind(chart.render({"metrics": {"prometheusRule": {"enabled": True}}}), "PrometheusRule")
    found: list[Rule] = rule["spec"]["groups"]
    return found


def rules_of(groups: list[Rule]) -> dict[str, Rule]:
    """Each alert by its name."""
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def verdict(folder: Path, groups: list[Rule], alert: str) -> str:
    """What promtool says of an alert's tests; empty when all pass."""
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    shutil.copy(CASES / f"{alert}.yaml", folder)
    done = promtool("test", "rules", folder / f"{alert}.yaml")
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_promtool_finds_nothing_in_the_rules(tmp_path: Path, groups: list[Rule]) -> None:
    """Syntax, templates, doubled rules."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": groups}))
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", rules)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alert_names())} rules found" in done.stdout


@pytest.mark.parametrize("rule", alerts(), ids=alert_names())
def test_each_alert_asks_for_what_the_operator_serves(rule: Rule) -> None:
    """The series of promtool's tests are made up: a metric, a label or a reason of another name would never fire."""
    served = {metric.full_name: {*metric.labels, *OF_TARGETS} for metric in METRICS}
    selectors = re.findall(r"(oidc_publisher_\w+)(?:\{(.*?)\})?", rule["expr"])
    assert selectors
    for metric, matchers in selectors:
        found = dict(re.findall(r'(\w+)=~?"(.*?)"', matchers))
        assert set(found) <= served[metric]
        assert set(found.get("reason", "").split("|")) - {""} <= set(Reason)
        assert set(found.get("type", "").split("|")) - {""} <= set(ConditionType)
    known = {label for metric, _ in selectors for label in served[metric]}
    for labels in re.findall(r"without \((.*?)\)|by \((.*?)\)", rule["expr"]):
        assert set("".join(labels).replace(" ", "").split(",")) <= known


@pytest.mark.parametrize("alert", alert_names())
def test_each_alert_says_what_is_needed(groups: list[Rule], alert: str) -> None:
    """A severity, a summary, a description, and a page that exists and is about it."""
    rule = rules_of(groups)[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    for name in ("summary", "description"):
        assert rule["annotations"][name].endswith("."), name
    page = rule["annotations"]["runbook_url"].partition("/docs/")[2]
    text = (DOCS / page).read_text()
    assert text.startswith(f"# {alert}\n\n**{rule['labels']['severity'].capitalize()}")
    for heading in ("## What it means", "## What to do"):
        assert heading in text


@pytest.mark.parametrize("alert", alert_names())
def test_each_alert_fires_survives_a_restart_and_resolves(tmp_path: Path, groups: list[Rule], alert: str) -> None:
    """By promtool's own unit tests, with the texts that people get."""
    assert not verdict(tmp_path, groups, alert)


@pytest.mark.parametrize("alert", alert_names())
def test_each_alert_has_the_three_tests(alert: str) -> None:
    """Each of them can fail: one that fires expects an alert, one that resolves expects first one and then none."""
    tests = {test["name"]: test for test in yaml.safe_load((CASES / f"{alert}.yaml").read_text())["tests"]}
    assert set(tests) >= WANTED
    expected = {}
    for name, test in tests.items():
        assert {check["alertname"] for check in test["alert_rule_test"]} == {alert}
        expected[name] = [bool(check.get("exp_alerts")) for check in test["alert_rule_test"]]
        assert test["input_series"]
    assert expected["fires"] == [False, True]
    assert not any(expected["does not fire on a restart"])
    assert expected["resolves"] == [True, False]
    # Another pod takes the place of the first.
    pods = re.findall(r'pod="(\w)"', str(tests["does not fire on a restart"]["input_series"]))
    assert set(pods) == {"a", "b"}


def test_no_tests_are_of_no_alert() -> None:
    """An alert that is renamed takes its tests and its page with it."""
    assert {path.stem for path in CASES.glob("*.yaml")} == set(alert_names())
    assert {path.stem for path in (DOCS / "runbooks" / "alerts").glob("*.md")} == set(alert_names())


@pytest.mark.parametrize("alert", alert_names())
def test_the_tests_notice_a_rule_that_is_wrong(tmp_path: Path, groups: list[Rule], alert: str) -> None:
    """One that never fires, one that fires whenever its series are there, and one that does not wait."""
    for wrong in ({"expr": "vector(1) > 1"}, {"expr": "vector(1)"}, {"for": "0s", "keep_firing_for": "0s"}):
        broken = copy.deepcopy(groups)
        rules_of(broken)[alert].update(wrong)
        assert verdict(tmp_path, broken, alert), wrong
