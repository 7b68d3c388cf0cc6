"""What a person sees while it measures."""

from __future__ import annotations

import sys

from hack.benchmark.figures import Chapter, Figure

_HEAD = ("", "min", "median", "max", "unit", "n", "target", "")
_WIDTHS = (52, 9, 9, 9, 5, 4, 17, 13)
_RED, _GREEN, _DIM, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[0m"


def say(text: str) -> None:
    """A line about what is being done."""
    print(_coloured(f"· {text}", _DIM), flush=True)


def show(chapter: Chapter) -> None:
    """A chapter as soon as it is known."""
    print(f"\n{chapter.title}")
    if chapter.figures:
        print(_coloured(_row(_HEAD), _DIM))
    for figure in chapter.figures:
        print(_of(figure), flush=True)
    widths = [max(len(row[column]) for row in chapter.details) for column in range(len((chapter.details or ((),))[0]))]
    for row in chapter.details:
        print("    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(flush=True)


def _of(figure: Figure) -> str:
    row = _row(figure.cells())
    if figure.met is None:
        return row
    return _coloured(row, _GREEN if figure.met else _RED)


def _row(cells: tuple[str, ...]) -> str:
    first, *rest = (
        cell.ljust(width) if at in (0, 4, 6, 7) else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    )
    return f"  {first} {' '.join(rest)}".rstrip()


def _coloured(text: str, colour: str) -> str:
    return f"{colour}{text}{_PLAIN}" if sys.stdout.isatty() else text
