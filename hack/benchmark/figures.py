"""Figures and what they should be."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

By = Literal["median", "max"]
_DIGITS = {"s": 3, "ms": 1, "%": 2, "MiB": 1, "MB": 1, "kB": 1}


class NothingToMeasureError(Exception):
    """Says why a chapter is left out here: what it measures is not there, which is no failure."""


@dataclass(frozen=True, slots=True)
class Target:
    """A limit that the median or the worst sample must keep; `inclusive` lets it be the limit itself.

    `at_least`: the figure should be large, and the worst sample is the least one.
    """

    limit: float
    by: By = "max"
    inclusive: bool = False
    at_least: bool = False

    def __str__(self) -> str:
        signs = ("≥", ">") if self.at_least else ("≤", "<")
        return f"{'' if self.by == 'max' else 'median '}{signs[not self.inclusive]} {self.limit:g}"

    def met(self, samples: Sequence[float]) -> bool:
        """Tell whether samples keep it."""
        worst = min if self.at_least else max
        seen = worst(samples) if self.by == "max" else statistics.median(samples)
        above = seen > self.limit if self.at_least else seen < self.limit
        return above or (self.inclusive and seen == self.limit)


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, once or several times, and its target if it has one."""

    what: str
    unit: str
    samples: tuple[float, ...]
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target was met, None without one."""
        return None if self.target is None else self.target.met(self.samples)

    @property
    def verdict(self) -> str:
        """A word for the last column."""
        return {None: "", True: "ok", False: "misses target"}[self.met]

    def cells(self) -> tuple[str, ...]:
        """What, min, median, max with the unit, n, target, verdict."""
        low, middle, high = min(self.samples), statistics.median(self.samples), max(self.samples)
        shown = tuple(self._shown(value) for value in (low, middle, high))
        target = f"{self.target} {self.unit}".strip() if self.target else ""
        return (self.what, *shown, self.unit, str(len(self.samples)), target, self.verdict)

    def _shown(self, value: float) -> str:
        return f"{value:.{_DIGITS.get(self.unit, 0 if value == int(value) else 2)}f}"


@dataclass(frozen=True, slots=True)
class Chapter:
    """Figures that belong together, how they were measured, and perhaps a table of where it goes.

    `details` are rows of text, the first one the head.
    """

    title: str
    method: str
    figures: tuple[Figure, ...] = ()
    details: tuple[tuple[str, ...], ...] = ()
