"""Sort keys. No other module of the project sorts keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

T = TypeVar("T")


def newest_first(items: Iterable[T], *, by: Callable[[T], tuple[int, datetime, str]]) -> tuple[T, ...]:
    """Sort items from the newest to the oldest by (version, first seen, kid), compared in that order.

    The order is total, so that equal sets give equal bytes. Of equal versions the later seen is newer, and of equal
    times the greater kid. A version is a number: 10 is newer than 9 (rotation.md, versions and order).
    """
    return tuple(sorted(items, key=by, reverse=True))
