"""Two checkouts of the operator beside each other: the same measurements in turn, on the same servers, at the same load."""

from __future__ import annotations

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path

from hack.benchmark import lifecycle, ready, steady
from hack.benchmark.console import say
from hack.benchmark.figures import Chapter
from hack.benchmark.options import Amount
from hack.benchmark.parts import Parts

#: Those that run the installed program alone, and nothing inside it.
CHAPTERS: dict[str, Callable[[Parts, Amount], Chapter]] = {
    "ready": ready.measure,
    "start": lifecycle.measure_starts,
    "steady": steady.measure,
    "kept": steady.measure_kept,
}
_SAMPLES = tuple[float, ...]


def measure(
    parts: Parts, amount: Amount, program: Path, rounds: int, only: Collection[str] = ()
) -> dict[tuple[str, str], dict[str, _SAMPLES]]:
    """Samples by figure and unit, then by `here` and `there`, the checkout whose `oidc-publisher` is `program`.

    Each round measures a little of both, of all chapters or of `only` those, and begins with the other one each time: a load that comes or goes meets both.
    """
    found: dict[tuple[str, str], dict[str, _SAMPLES]] = defaultdict(dict)
    little = dataclasses.replace(amount, first_ready=1, starts=1, interval_s=2, steady_passes=15)
    for turn in range(rounds):
        sides = {"here": None, "there": program}
        for side in sorted(sides, reverse=bool(turn % 2)):
            for name, work in ((name, work) for name, work in CHAPTERS.items() if not only or name in only):
                say(f"round {turn + 1} of {rounds}: {name}, {side}")
                parts.program = sides[side]
                for figure in work(parts, little).figures:
                    known = found[figure.what, figure.unit]
                    known[side] = (*known.get(side, ()), *figure.samples)
    parts.program = None
    return found


def show(found: dict[tuple[str, str], dict[str, _SAMPLES]]) -> None:
    """Print a table: the median of each, the middle half of its samples, and the ratio of the medians."""
    print(f"\n{'':55} {'here':>26} {'there':>26}  {'here/there':>10}")
    for (what, unit), sides in found.items():
        medians = {side: statistics.median(samples) for side, samples in sides.items()}
        ratio = f"{medians['here'] / medians['there']:10.3f}" if medians["there"] else ""
        here, there = (_cell(sides[side]) for side in ("here", "there"))
        print(f"{f'{what}, {unit}'.rstrip(', '):55} {here:>26} {there:>26}  {ratio}")


def _cell(samples: _SAMPLES) -> str:
    low, middle, high = statistics.quantiles(samples, n=4) if len(samples) > 1 else (samples * 3)
    return f"{middle:.3f} [{low:.3f}-{high:.3f}] {len(samples)}"
