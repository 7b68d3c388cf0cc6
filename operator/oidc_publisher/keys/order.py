"""The one order of keys; nothing else in the project sorts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

T = TypeVar("T")


def newest_first(items: Iterable[T], *, by: Callable[[T], tuple[int, datetime, str]]) -> tuple[T, ...]:
    """The items from the newest to the oldest by (version, first seen, kid), each compared in that order.

    The order is total, so that equal sets give equal bytes: of one version the later seen is newer, and of one moment
    the greater kid. A version is a number: 10 is newer than 9 (rotation.md, versions and order).
    """
    return tuple(sorted(items, key=by, reverse=True))
