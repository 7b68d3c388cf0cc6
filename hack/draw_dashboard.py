#!/usr/bin/env python3
"""Draw docs/images/dashboard.svg: the dashboard's panels with what a real Prometheus answered to their queries.

The answers are a JSON file that the live test of the dashboard writes where OIDC_PUBLISHER_DASHBOARD_ANSWERS says:
    OIDC_PUBLISHER_DASHBOARD_ANSWERS=answers.json make test T=tests/live/test_dashboard.py
    hack/draw_dashboard.py answers.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hack.chart.charts import INK, SOFT, Box, Window, lines, shortened, stat, states, table, text
from hack.chart.dashboard import COLUMNS, Panel, Row
from hack.chart.panels import ROWS

PICTURE = Path(__file__).resolve().parents[1] / "docs/images/dashboard.svg"
_COLUMN, _LINE, _EDGE, _HEAD, _ROW = 52, 25, 16, 96, 34
_WIDTH = 2 * _EDGE + COLUMNS * _COLUMN
_STYLE = f"""
    text {{ font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif }}
    .title {{ font-size: 20px; font-weight: 700; fill: {INK} }}
    .row {{ font-size: 14px; font-weight: 700; fill: {INK} }}
    .panel {{ font-size: 12px; font-weight: 600; fill: {INK} }}
    .head {{ font-size: 11px; font-weight: 700; fill: {SOFT} }}
    .cell {{ font-size: 11px; fill: {INK} }}
    .small {{ font-size: 11px; fill: {SOFT} }}
    .mark {{ font-size: 9px; fill: {SOFT} }}
    .stat {{ font-size: 28px; font-weight: 600 }}"""

Answers = dict[str, Any]


def draw(answers: Answers) -> str:
    """The picture."""
    window = Window(answers["start"], answers["end"], tuple(at for at, _ in answers["marks"]))
    body: list[str] = []
    y = float(_HEAD)
    for row in ROWS:
        body.append(text(_EDGE, y + 20, row.title, "row"))
        y += _ROW
        for panel, box in placed(row, y):
            body.extend(_panel(panel, answers["panels"][panel.title], box, window))
        y = max(box.y + box.height for _, box in placed(row, y)) + 8
    height = y + _EDGE
    turns = enumerate(answers["marks"], start=1)
    story = " · ".join(f"{number}  {what}" for number, (_, what) in turns)
    said = (
        "The dashboard over a few minutes in which the public URL is blocked and mended, and a signing key is rotated"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" height="{height:.0f}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{said}</title>',
            f'<desc id="desc">{story}.</desc>',
            f"<defs><style>{_STYLE}\n</style></defs>",
            f'<rect width="{_WIDTH}" height="{height:.0f}" rx="10" fill="#f0f2f5"/>',
            text(_EDGE, 36, "OIDC publisher", "title"),
            text(
                _EDGE,
                58,
                "What a real Prometheus answered to each panel's query, with periods of seconds instead of a day.",
            ),
            text(_EDGE, 76, story),
            *body,
            "</svg>",
            "",
        ]
    )


def placed(row: Row, y: float) -> Iterator[tuple[Panel, Box]]:
    """Each panel of a row with its place, from left to right and from top to bottom."""
    column = 0
    for panel in row.panels:
        if column + panel.width > COLUMNS:
            column, y = 0, y + panel.height * _LINE
        place = Box(_EDGE + column * _COLUMN, y, panel.width * _COLUMN - 6, panel.height * _LINE - 6)
        yield panel, place
        column += panel.width


def _panel(panel: Panel, answers: list[list[dict[str, Any]]], box: Box, window: Window) -> Iterator[str]:
    yield f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="4" fill="#ffffff" stroke="#dde1e6"/>'
    yield text(box.x + 10, box.y + 18, shortened(panel.title, box.width - 16), "panel")
    inner = Box(box.x + 10, box.y + 26, box.width - 22, box.height - 32)
    match panel.kind:
        case "stat":
            yield from stat(panel, answers, inner)
        case "table":
            yield from table(panel, answers, inner)
        case "state-timeline":
            yield from states(panel, answers, inner, window)
        case "timeseries":
            yield from lines(panel, answers, inner, window)


def main() -> int:
    """Draw the picture of the answers in a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("answers", type=Path, help="JSON file of the live test")
    parser.add_argument("-o", "--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    answers = json.loads(options.answers.read_text(encoding="utf-8"))
    options.output.write_text(draw(answers), encoding="utf-8", newline="\n")
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
