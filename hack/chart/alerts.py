"""The chart's alerts, as files/alerts.yaml has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).resolve().parents[2] / "charts" / "oidc-publisher" / "files" / "alerts.yaml"

Rule = dict[str, Any]


def alerts() -> list[Rule]:
    """Every alert, in the order of the file."""
    groups = yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alert_names() -> list[str]:
    """The names of all alerts."""
    return [str(rule["alert"]) for rule in alerts()]
