#!/usr/bin/env python3
"""Draw docs/images/fleet.svg, the growth with the number of issuers, from what `make bench` has put into the page of figures.

--check: is the picture that of the page?
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hack.benchmark.fleet import columns as c
from hack.draw_timeline import LINE, STYLE, put, text

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "docs/reference/performance.md", ROOT / "docs/images/fleet.svg"
COLOURS = ("#0b69a3", "#b44d12")
GROUND = "#f5f7fa"
#: A value stays legible on a line that runs through it.
VALUE = f"    .value {{ paint-order: stroke; stroke: {GROUND}; stroke-width: 5px; stroke-linejoin: round; }}"
WIDTH, HEIGHT = 1160, 640
#: Where the panels lie, and the room of each for its curves.
COLUMNS, ROWS, PLOT_WIDTH, PLOT_HEIGHT = (70, 650), (126, 406), 440, 170


@dataclass(frozen=True)
class Curve:
    """A column of the table, what the picture calls it, and what it should be for the largest fleet."""

    column: str
    said: str
    target: float


@dataclass(frozen=True)
class Panel:
    """Curves of one unit, on a scale of tens (`log`) or an even one."""

    title: str
    unit: str
    curves: tuple[Curve, ...]
    log: bool = True


PANELS = (
    Panel("CPU, of one core", "%", (Curve(c.CPU, "at rest", 30),)),
    Panel("Resident memory", "MiB", (Curve(c.MEMORY, "at rest", 200),), log=False),
    Panel("Start", "s", (Curve(c.START, "all Ready", 60), Curve(c.AGAIN, "all proven again", 60))),
    Panel("99 of 100", "s", (Curve(c.CHANGE, "key → public URL", 0.5), Curve(c.LATE, "lateness of a pass", 2))),
)


class NoFleetError(Exception):
    """The page has no chapter about fleets."""


def rows(page: str) -> list[dict[str, str]]:
    """Return the rows of the chapter's last table, by the words of its head."""
    _, found, chapter = page.partition(f"\n## {c.TITLE}\n")
    lines = [line for line in chapter.partition("\n## ")[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    heads = [at for at, row in enumerate(cells) if row[0] == c.ISSUERS]
    if not found or not heads:
        raise NoFleetError
    head = heads[-1]
    return [dict(zip(cells[head], row, strict=True)) for row in cells[head + 2 :]]


def draw(table: Sequence[dict[str, str]]) -> str:
    """The picture."""
    sizes = [int(row[c.ISSUERS]) for row in table]
    title = f"One operator with {sizes[0]:,} to {sizes[-1]:,} issuers at an interval of 60 s"
    told = [
        f"{row[c.ISSUERS]} issuers: {row[c.CPU]} % of a core, {row[c.MEMORY]} MiB, all Ready after {row[c.START]} s"
        for row in table
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape("; ".join(told))}.</desc>',
        f"<defs><style>{STYLE}\n{VALUE}\n</style></defs>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="{GROUND}"/>',
        text(24, 40, title, "title"),
        text(24, 62, "measured by make bench on real API servers and S3; issuers to the right, by tens", "small"),
        text(WIDTH - 24, 62, "dashed: what is aimed at for 1,000 issuers", "small", "end"),
    ]
    for number, panel in enumerate(PANELS):
        parts += _panel(panel, table, COLUMNS[number % 2], ROWS[number // 2])
    return "\n".join([*parts, "</svg>", ""])


@dataclass(frozen=True)
class Axes:
    """Where a panel lies, and where its values lie in it."""

    panel: Panel
    left: float
    top: float
    low: float
    high: float
    last: int

    @classmethod
    def of(cls, panel: Panel, table: Sequence[dict[str, str]], left: float, top: float) -> Axes:
        """Return axes with room for every value and every target; what is 0 lies at the bottom."""
        values = [value for curve in panel.curves for value in (*values_of(curve, table), curve.target) if value > 0]
        low = 10.0 ** floor(log10(min(values))) if panel.log else 0.0
        return cls(panel, left, top, low, (2 if panel.log else 1.25) * max(values), int(table[-1][c.ISSUERS]))

    def x(self, size: int) -> float:
        """Where a size lies."""
        return self.left + 24 + (PLOT_WIDTH - 60) * log10(size) / max(1.0, log10(self.last))

    def y(self, value: float) -> float:
        """Where a value lies."""
        if self.panel.log:
            part = log10(max(value, self.low) / self.low) / log10(self.high / self.low)
        else:
            part = value / self.high
        return self.top + PLOT_HEIGHT * (1 - part)

    def marks(self) -> Iterator[float]:
        """The values that the scale names."""
        mark = self.low
        while mark <= self.high:
            yield mark
            mark = mark * 10 if self.panel.log else mark + 50


def values_of(curve: Curve, table: Sequence[dict[str, str]]) -> list[float]:
    """The values of a curve, as drawn: a pass that comes early is not late."""
    return [max(0.0, float(row[curve.column])) for row in table]


def _panel(panel: Panel, table: Sequence[dict[str, str]], left: float, top: float) -> Iterator[str]:
    axes = Axes.of(panel, table, left, top)
    yield text(left, top - 22, f"{panel.title.upper()}, {panel.unit}", "head")
    for mark in axes.marks():
        yield f'<path d="M{left} {axes.y(mark):.1f} h{PLOT_WIDTH}" stroke="{LINE}" stroke-width=".5"/>'
        yield text(left - 8, axes.y(mark) + 4, f"{mark:g}", "small", "end")
    for row in table:
        size = int(row[c.ISSUERS])
        yield text(axes.x(size), top + PLOT_HEIGHT + 18, f"{size:,}", "small", "middle")
    for target, colour in {curve.target: colour for colour, curve in _coloured(panel)}.items():
        yield _dashes(axes, target, colour)
    for number, (colour, curve) in enumerate(_coloured(panel)):
        yield text(
            left + PLOT_WIDTH - 150 * (len(panel.curves) - 1 - number), top - 22, curve.said, "in", "end", colour
        )
        yield from _curve(axes, curve, colour, table)


def _coloured(panel: Panel) -> Iterator[tuple[str, Curve]]:
    return zip(COLOURS, panel.curves, strict=False)


def _dashes(axes: Axes, target: float, colour: str) -> str:
    line = f"M{axes.left} {axes.y(target):.1f} h{PLOT_WIDTH}"
    return f'<path d="{line}" stroke="{colour}" stroke-width="1.2" stroke-dasharray="6 4"/>'


def _curve(axes: Axes, curve: Curve, colour: str, table: Sequence[dict[str, str]]) -> Iterator[str]:
    """A line with its values above it, or below it where another curve runs above."""
    points = [
        (axes.x(int(row[c.ISSUERS])), axes.y(value), row)
        for row, value in zip(table, values_of(curve, table), strict=True)
    ]
    line = " L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points)
    yield f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y, row in points:
        lowest = float(row[curve.column]) < max(float(row[other.column]) for other in axes.panel.curves)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
        yield text(x, y + (17 if lowest else -8), row[curve.column], "in value", "middle", colour)


def main() -> int:
    """Write the picture; with --check write nothing, and exit 1 when the file is not that of the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the picture is stale")
    check = bool(parser.parse_args().check)
    try:
        table = rows(PAGE.read_text(encoding="utf-8"))
    except NoFleetError:
        print(f"{PAGE.name} has no chapter {c.TITLE!r}: hack/bench.py --only fleet --put", file=sys.stderr)
        return 1
    return put(draw(table), PICTURE, "hack/draw_fleet.py", check=check)


if __name__ == "__main__":
    sys.exit(main())
