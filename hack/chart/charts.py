"""Drawings of what a panel of the dashboard shows, as SVG: numbers, lines, states and tables."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from hack.chart.dashboard import Panel, Query

Series = dict[str, Any]

INK, SOFT, GRID = "#1f2933", "#616e7c", "#e4e7eb"
_PALETTE = ("#0b69a3", "#b44d12", "#2d6a4f", "#8b5cb8", "#c99a06", "#3aa6a0", "#c2416b", "#52606d")
_COLOURS = {"green": "#2d8a4e", "orange": "#d97a08", "red": "#c62f2f", "blue": "#0b69a3", "gray": "#9aa5b1"}
_LETTER = 6.0  # width of a letter of 11 px
_TICKS = 4
_LEGEND_LINE = 15
_SMALL = 10
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 365 * 86_400


@dataclass(frozen=True, slots=True)
class Box:
    """A place in the picture, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Window:
    """The time that the picture shows and the turns in it, in seconds since the epoch."""

    start: float
    end: float
    marks: tuple[float, ...] = ()

    def x(self, at: float, box: Box) -> float:
        """Where an instant lies."""
        return box.x + (at - self.start) / (self.end - self.start) * box.width


def text(x: float, y: float, said: str, kind: str = "small", *, anchor: str = "start", fill: str = "") -> str:
    """A line of text."""
    colour = f' style="fill: {fill}"' if fill else ""  # stronger than the class
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{colour}>{escape(said)}</text>'


def shortened(said: str, width: float) -> str:
    """As much of a text as there is room for."""
    room = max(1, int(width / _LETTER))
    return said if len(said) <= room else said[: room - 1] + "…"


def named(query: Query, metric: dict[str, str]) -> str:
    """The legend of a series, with its labels filled in as Grafana does."""
    plain = ", ".join(value for name, value in sorted(metric.items()) if not name.startswith("__"))
    return re.sub(r"\{\{(\w+)\}\}", lambda m: metric.get(m[1], ""), query.legend) or plain


def measure(value: float, unit: str) -> str:
    """A value with its unit, as short as a panel wants it."""
    if math.isnan(value):
        return "-"
    if unit == "s":
        return _seconds(value)
    if unit == "bytes":
        power = min(4, int(math.log(abs(value), 1024))) if abs(value) >= 1 else 0
        return f"{value / 1024**power:.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    return f"{value:.3g}" + {"reqps": "/s", "ops": "/s"}.get(unit, "")


def _seconds(value: float) -> str:
    size = abs(value)
    if size and size < 1:
        return f"{value * 1000:.3g} ms"
    for limit, length, name in ((_MINUTE * 2, 1, "s"), (_HOUR * 2, _MINUTE, "min"), (_DAY * 2, _HOUR, "h")):
        if size < limit:
            return f"{value / length:.3g} {name}"
    return f"{value / _DAY:.3g} d" if size < 2 * _YEAR else f"{value / _YEAR:.0f} y"


def coloured(panel: Panel, value: float) -> str:
    """The colour of a value by the panel's steps."""
    word = (panel.words or {}).get(f"{value:g}")
    chosen = word[1] if word else next(c for c, step in reversed(panel.steps) if step is None or value >= step)
    return _COLOURS[chosen]


def stat(panel: Panel, answers: Sequence[Sequence[Series]], box: Box) -> Iterator[str]:
    """The last value, large."""
    found = [(query, one) for query, series in zip(panel.queries, answers, strict=True) for one in series]
    if not found:
        yield text(
            box.x + box.width / 2, box.y + box.height / 2 + 8, panel.empty or "No data", "small", anchor="middle"
        )
    for number, (query, one) in enumerate(found):
        value = float(one["values"][-1][1])
        words = (panel.words or {}).get(f"{value:g}")
        said = words[0] if words else measure(value, panel.unit)
        x = box.x + box.width * (2 * number + 1) / (2 * len(found))
        yield text(x, box.y + box.height / 2 + 11, said, "stat", anchor="middle", fill=coloured(panel, value))
        if len(found) > 1:
            yield text(x, box.y + box.height - 2, named(query, one["metric"]), anchor="middle")


def states(panel: Panel, answers: Sequence[Sequence[Series]], box: Box, window: Window) -> Iterator[str]:
    """A bar for each series, coloured by its value."""
    rows = [(named(q, one["metric"]), one) for q, series in zip(panel.queries, answers, strict=True) for one in series]
    left = min(box.width / 3, 8 + _LETTER * max((len(name) for name, _ in rows), default=0))
    lane = Box(box.x + left, box.y + 10, box.width - left, box.height - 26)
    height = lane.height / max(1, len(rows))
    yield from _times(lane, window)
    for number, (name, one) in enumerate(rows):
        y = lane.y + number * height
        yield text(box.x, y + height / 2 + 4, shortened(name, left))
        for begin, end, value in spans(one["values"]):
            x1, x2 = window.x(begin, lane), window.x(end, lane)
            word = (panel.words or {}).get(f"{value:g}", ("", ""))[0]
            yield f'<rect x="{x1:.1f}" y="{y + 2:.1f}" width="{max(x2 - x1, 1):.1f}" height="{height - 4:.1f}" fill="{coloured(panel, value)}" fill-opacity=".85"/>'
            if len(word) * _LETTER + 8 < x2 - x1:
                yield text((x1 + x2) / 2, y + height / 2 + 4, word, anchor="middle", fill="#ffffff")
    yield from _marks(Box(lane.x, lane.y - 9, lane.width, lane.height + 9), window)


def spans(values: Sequence[tuple[float, str]]) -> Iterator[tuple[float, float, float]]:
    """Begin, end and value of each stretch in which a series did not change; a gap ends one."""
    step = min((b[0] - a[0] for a, b in itertools.pairwise(values)), default=1.0)
    begin = 0
    for number in range(1, len(values) + 1):
        last = number == len(values)
        if last or values[number][1] != values[begin][1] or values[number][0] - values[number - 1][0] > 1.5 * step:
            yield values[begin][0], values[number - 1][0] + (0 if last else step), float(values[begin][1])
            begin = number


def table(panel: Panel, answers: Sequence[Sequence[Series]], box: Box) -> Iterator[str]:
    """A line for each series that is there at the end, with its labels as columns."""
    found = [one for series in answers for one in series]
    now = max((one["values"][-1][0] for one in found), default=0)
    rows = [one["metric"] for one in found if one["values"][-1][0] == now]
    wide = [max(len(name), *(len(row.get(name, "")) for row in rows)) if rows else len(name) for name in panel.columns]
    lefts = [box.x + box.width * sum(wide[:number]) / max(1, sum(wide)) for number in range(len(wide))]
    for name, x in zip(panel.columns, lefts, strict=True):
        yield text(x, box.y + 12, name, "head")
    if not rows:
        yield text(box.x, box.y + 32, panel.empty or "No data")
    for number, row in enumerate(rows):
        y = box.y + 32 + 19 * number
        if y > box.y + box.height:
            break
        yield f'<path d="M{box.x} {y - 14:.1f} h{box.width:.1f}" stroke="{GRID}"/>'
        for name, x in zip(panel.columns, lefts, strict=True):
            yield text(x, y, row.get(name, ""), "cell")


def lines(panel: Panel, answers: Sequence[Sequence[Series]], box: Box, window: Window) -> Iterator[str]:
    """A line for each series over the time, or areas upon each other, with axes and a legend."""
    found = [(named(q, one["metric"]), one) for q, series in zip(panel.queries, answers, strict=True) for one in series]
    legend = list(_legend([name for name, _ in found], box))
    plot = Box(
        box.x + 48,
        box.y + 4,
        box.width - 52,
        box.height - 24 - _LEGEND_LINE * (1 + max((y for _, y, _ in legend), default=0)),
    )
    heights: dict[float, float] = {}
    drawn: list[tuple[list[tuple[float, float, float]], str]] = []
    for number, (_, one) in enumerate(found):
        points = []
        for at, said in one["values"]:
            value = max(0.0, float(said))  # the axis begins with 0, as in Grafana
            below = heights.get(at, 0.0) if panel.stacked else 0.0
            if not math.isnan(value):
                heights[at] = below + value if panel.stacked else max(heights.get(at, 0.0), value)
                points.append((float(at), below, below + value))
        drawn.append((points, _PALETTE[number % len(_PALETTE)]))
    top = _rounded_up(max(heights.values(), default=0.0) or 1.0, panel.unit)
    yield from _axis(plot, top, panel.unit)
    yield from _times(plot, window)
    yield from _marks(plot, window)
    for points, colour in drawn:
        yield from _line(points, colour, plot, window, top, filled=panel.stacked)
    for name, (x, y, number) in zip([name for name, _ in found], legend, strict=True):
        base = box.y + box.height - _LEGEND_LINE * (max(line for _, line, _ in legend) - y) - 3
        yield f'<rect x="{x:.1f}" y="{base - 6:.1f}" width="10" height="4" fill="{_PALETTE[number % len(_PALETTE)]}"/>'
        yield text(x + 14, base, shortened(name, box.width - 14))


def _legend(names: Sequence[str], box: Box) -> Iterator[tuple[float, int, int]]:
    """Place, line and number of each name."""
    x, line = box.x, 0
    for number, name in enumerate(names):
        width = 14 + _LETTER * len(name) + 12
        if x > box.x and x + width > box.x + box.width:
            x, line = box.x, line + 1
        yield x, line, number
        x += width


def _line(
    points: Sequence[tuple[float, float, float]], colour: str, plot: Box, window: Window, top: float, *, filled: bool
) -> Iterator[str]:
    step = min((b[0] - a[0] for a, b in itertools.pairwise(points)), default=1.0)
    pieces: list[list[tuple[float, float, float]]] = []
    for point in points:
        if filled and point[1] == point[2]:  # a part of nothing would hide the line below it
            continue
        if not pieces or point[0] - pieces[-1][-1][0] > 1.5 * step:
            pieces.append([])
        pieces[-1].append(point)
    for piece in pieces:
        upper = [f"{window.x(at, plot):.1f} {plot.y + plot.height * (1 - high / top):.1f}" for at, _, high in piece]
        if filled:
            lower = [f"{window.x(at, plot):.1f} {plot.y + plot.height * (1 - low / top):.1f}" for at, low, _ in piece]
            yield f'<path d="M{" L".join([*upper, *reversed(lower)])} Z" fill="{colour}" fill-opacity=".3"/>'
        yield f'<path d="M{" L".join(upper)}" stroke="{colour}" stroke-width="1.6" fill="none" stroke-linejoin="round"/>'


def _rounded_up(value: float, unit: str) -> float:
    """A round number above all values; an even one above small whole numbers."""
    if unit == "short" and value.is_integer() and value < _SMALL:
        return value + value % 2
    base = 2.0 ** math.floor(math.log2(value)) if unit == "bytes" else 10.0 ** math.floor(math.log10(value))
    return next(base * factor for factor in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 20) if base * factor >= value)


def _axis(plot: Box, top: float, unit: str) -> Iterator[str]:
    for number in range(_TICKS + 1):
        y = plot.y + plot.height * (1 - number / _TICKS)
        yield f'<path d="M{plot.x:.1f} {y:.1f} h{plot.width:.1f}" stroke="{GRID}"/>'
        if number % 2 == 0:
            yield text(plot.x - 6, y + 4, measure(top * number / _TICKS, unit), anchor="end")


def _times(plot: Box, window: Window) -> Iterator[str]:
    """Minutes and seconds since the beginning, below a plot."""
    length = window.end - window.start
    step = next(
        s for s in (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400) if length / s <= plot.width / 60
    )
    for number in range(int(length / step) + 1):
        minutes, seconds = divmod(number * step, 60)
        x = window.x(window.start + number * step, plot)
        yield text(x, plot.y + plot.height + 14, f"{minutes}:{seconds:02}", anchor="middle")


def _marks(plot: Box, window: Window) -> Iterator[str]:
    """The turns of the story, by their numbers."""
    for number, at in enumerate(window.marks, start=1):
        x = window.x(at, plot)
        yield f'<path d="M{x:.1f} {plot.y:.1f} v{plot.height:.1f}" stroke="{INK}" stroke-opacity=".35" stroke-dasharray="2 3"/>'
        yield text(x + 2, plot.y + 8, str(number), "mark")
