"""The Grafana dashboard as JSON, made of the rows and panels that panels.py names.

The model is that of Grafana 10 and newer (schemaVersion 39): https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Model = dict[str, Any]
Kind = Literal["stat", "timeseries", "state-timeline", "table"]

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
_SCHEMA_VERSION = 39
GREEN, AMBER, RED, BLUE = "green", "orange", "red", "blue"


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression; `legend` names its series, with labels in double braces."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: `unit` is Grafana's name of a unit; `steps` are colours from a value on, the first without one."""

    title: str
    description: str
    kind: Kind
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 8
    height: int = 7
    steps: tuple[tuple[str, float | None], ...] = ((GREEN, None),)
    words: Mapping[str, tuple[str, str]] | None = None  # value -> word and colour
    columns: tuple[str, ...] = ()  # labels that a table shows, in this order
    stacked: bool = False
    empty: str = ""  # what a panel without data says


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below a heading."""

    title: str
    panels: tuple[Panel, ...]


def dashboard_json(rows: tuple[Row, ...], issuers: str) -> str:
    """The dashboard as Grafana imports it; `issuers` is the query of its variable `issuer`."""
    model: Model = {
        "uid": "oidc-publisher",
        "title": "OIDC publisher",
        "description": "Made by make gen from hack/chart/panels.py.",
        "tags": ["oidc-publisher", "kubernetes"],
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "timezone": "",
        "annotations": {"list": [_alerts()]},
        "templating": {"list": [_datasource(), _issuer(issuers)]},
        "panels": [panel | {"id": number} for number, panel in enumerate(_placed(rows), start=1)],
    }
    return json.dumps(model, indent=1) + "\n"


def _placed(rows: tuple[Row, ...]) -> Iterator[Model]:
    """Each row's heading and its panels, from left to right and from top to bottom."""
    y = 0
    for row in rows:
        yield {
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            "panels": [],
        }
        x, y = 0, y + 1
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + panel.height
            yield _panel(panel) | {"gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height}}
            x += panel.width
        y += row.panels[-1].height


def _panel(panel: Panel) -> Model:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "targets": [_target(panel, query, ref) for query, ref in zip(panel.queries, "ABCDEFGH", strict=False)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        **({"transformations": _columns(panel)} if panel.kind == "table" else {}),
    }


def _target(panel: Panel, query: Query, ref: str) -> Model:
    table = panel.kind == "table"
    return {
        "refId": ref,
        "datasource": _DATASOURCE,
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "format": "table" if table else "time_series",
        "instant": table,
        "range": not table,
    }


def _defaults(panel: Panel) -> Model:
    defaults: Model = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": [{"color": c, "value": v} for c, v in panel.steps]},
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
    }
    if panel.empty:
        defaults["noValue"] = panel.empty
    if panel.words:
        words = {value: {"text": word, "color": colour} for value, (word, colour) in panel.words.items()}
        defaults["mappings"] = [{"type": "value", "options": words}]
    if panel.kind == "timeseries":
        defaults["min"] = 0
        defaults["custom"] = {"lineWidth": 2, "fillOpacity": 25 if panel.stacked else 5, "showPoints": "never"}
        defaults["custom"]["stacking"] = {"mode": "normal" if panel.stacked else "none"}
    return defaults


def _options(panel: Panel) -> Model:
    match panel.kind:
        case "stat":
            return {
                "colorMode": "value",
                "graphMode": "none",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            }
        case "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case "state-timeline":
            return {"mergeValues": True, "showValue": "auto", "rowHeight": 0.8, "legend": {"showLegend": False}}
        case "table":
            return {"showHeader": True, "cellHeight": "sm"}


def _columns(panel: Panel) -> list[Model]:
    order = {name: number for number, name in enumerate(panel.columns)}
    return [
        {"id": "filterFieldsByName", "options": {"include": {"names": list(panel.columns)}}},
        {"id": "organize", "options": {"indexByName": order, "excludeByName": {}, "renameByName": {}}},
    ]


def _datasource() -> Model:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0}


def _issuer(query: str) -> Model:
    return {
        "name": "issuer",
        "label": "Issuer",
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": query, "refId": "issuers"},
        "definition": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "sort": 1,
    }


def _alerts() -> Model:
    """Marks in every graph where an alert of ours fired."""
    return {
        "name": "Alerts",
        "datasource": _DATASOURCE,
        "enable": True,
        "iconColor": RED,
        "expr": 'ALERTS{alertname=~"OIDC.*", alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{issuer}}",
        "step": "60s",
    }
