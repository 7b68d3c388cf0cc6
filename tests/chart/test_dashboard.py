"""The dashboard's file: what Grafana imports, with queries that Prometheus understands and metrics that exist."""

from __future__ import annotations

import itertools
import json
import re
from html import escape
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.chart.alerts import alerts
from hack.chart.charts import measure, spans
from hack.chart.panels import ROWS
from tests.support import chart
from tests.support.prometheus import promtool

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD = json.loads((chart.CHART / "files" / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
PICTURE = DOCS / "images" / "dashboard.svg"


def expressions() -> list[str]:
    """Every query of the dashboard."""
    return [target["expr"] for panel in PANELS for target in panel.get("targets", ())]


def test_no_panels_overlap_and_all_fit() -> None:
    """Grafana has 24 columns, and moves what overlaps."""
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in PANELS):
        assert place["x"] + place["w"] <= 24
        cells = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not cells & taken
        taken |= cells


def test_names_and_numbers_are_unique() -> None:
    """Links to a panel go by its number, readers by its title."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert all(panel["description"] for panel in PANELS if panel["type"] != "row")


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """As expressions of recording rules, with what Grafana fills in."""
    filled = [e.replace("$__rate_interval", "5m").replace("$issuer", ".*") for e in expressions()]
    assert not [e for e in filled if "$" in e]
    rules = [{"record": f"panel:{number}", "expr": e} for number, e in enumerate(filled)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool("check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_is_one_of_the_operators() -> None:
    """A metric that is renamed would leave an alert that never fires, and a panel without data."""
    known = set(re.findall(r"oidc_publisher_\w+", (DOCS / "reference" / "metrics.md").read_text()))
    used = [*expressions(), *(rule["expr"] for rule in alerts()), json.dumps(DASHBOARD["templating"])]
    for name in re.findall(r"oidc_publisher_\w+", " ".join(used)):
        assert re.sub("_bucket$", "", name) in known, name


def test_the_picture_shows_every_panel() -> None:
    """Drawn anew by hack/draw_dashboard.py after a change of the panels."""
    drawn = PICTURE.read_text()
    for row in ROWS:
        for title in (row.title, *(panel.title for panel in row.panels)):
            assert f">{escape(title)}<" in drawn, title
    assert "No data" not in drawn


def test_a_gap_ends_a_stretch_of_the_picture() -> None:
    """What was not scraped is not drawn as if it had gone on."""
    values = [(0.0, "1"), (1.0, "1"), (2.0, "0"), (3.0, "0"), (8.0, "0"), (9.0, "0")]
    assert list(spans(values)) == [(0.0, 2.0, 1.0), (2.0, 4.0, 0.0), (8.0, 9.0, 0.0)]


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0, "s", "0 s"),
        (0.0421, "s", "42.1 ms"),
        (90.0, "s", "90 s"),
        (5400.0, "s", "90 min"),
        (14 * 86_400.0, "s", "14 d"),
        (115_343_360.0, "bytes", "110 MiB"),
        (2.5, "reqps", "2.5/s"),
        (3.0, "short", "3"),
    ],
)
def test_a_value_is_said_shortly(value: float, unit: str, said: str) -> None:
    """In the unit that a reader would choose."""
    assert measure(value, unit) == said
