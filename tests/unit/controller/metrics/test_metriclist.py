"""The list of metrics keeps Prometheus' conventions, and the page in docs/reference says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hack.referencepages import metrics_page
from oidc_publisher.controller.metrics import metriclist as m
from oidc_publisher.controller.metrics.metriclist import Kind, Metric

ROOT = Path(__file__).parents[4]
#: Labels that a scrape adds from the target, and that would be renamed to exported_... there.
OF_TARGETS = {"job", "instance", "namespace", "pod", "service", "endpoint", "container"}
UNITS = ("seconds",)
#: Words that state a unit that is no base unit (prometheus.io/docs/practices/naming).
NO_BASE_UNITS = re.compile(r"milli|micro|_ms|minutes|hours|days|percent")
IDS = [metric.name for metric in m.METRICS]


@pytest.mark.parametrize("metric", m.METRICS, ids=IDS)
def test_a_name_follows_the_conventions(metric: Metric) -> None:
    """One prefix, base units at the end, _total for counters alone."""
    assert re.fullmatch(r"oidc_publisher_[a-z][a-z_]*[a-z]", metric.full_name)
    assert not NO_BASE_UNITS.search(metric.name)
    assert (metric.full_name.endswith("_total")) == (metric.kind is Kind.COUNTER)
    if metric.kind is Kind.HISTOGRAM:
        assert metric.full_name.endswith("_seconds")
        assert list(metric.buckets) == sorted(metric.buckets)
    if "seconds" in metric.meaning.lower() and metric.kind is Kind.GAUGE:
        assert metric.full_name.endswith(UNITS)


@pytest.mark.parametrize("metric", m.METRICS, ids=IDS)
def test_labels_clash_with_none_of_a_target_and_are_bounded(metric: Metric) -> None:
    """A key ID is a label of metrics per key alone, and only metrics of issuers have an issuer."""
    assert not OF_TARGETS & set(metric.labels)
    assert ("key_id" in metric.labels) == metric.per_key
    assert ("issuer" in metric.labels) == (metric in {*m.OF_ISSUER, *m.OF_KEY})
    assert metric.kind is not Kind.HISTOGRAM or "issuer" not in metric.labels, "a bucket for each issuer is too much"


def test_a_name_stands_for_one_metric() -> None:
    """And every metric of the module is in the list."""
    assert len({metric.name for metric in m.METRICS}) == len(m.METRICS)
    assert {each for each in vars(m).values() if isinstance(each, Metric)} == set(m.METRICS)


def test_the_page_has_every_metric_with_its_labels() -> None:
    """The page is made from the list: this holds what a reader finds there."""
    page = (ROOT / "docs/reference/metrics.md").read_text()
    assert page == metrics_page()
    for metric in m.METRICS:
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{metric.full_name}` |")]
        assert all(f"`{label}`" in row for label in metric.labels)
