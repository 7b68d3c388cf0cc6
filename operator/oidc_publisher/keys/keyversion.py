"""Versions of keys are whole numbers of any sensible length, never texts; the one order of keys follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason

#: Python converts this many digits under every setting of its limit (sys.int_info.str_digits_check_threshold); kOps's
#: numbers have 28, and no name of a ConfigMap's or Secret's entry has more than 253 characters.
MAX_VERSION_DIGITS = 640

T = TypeVar("T")


def parse_version(text: str) -> int:
    """The number that `text` writes in ASCII digits; leading zeros count for nothing.

    Raises KeyRefusedError(EntryUnreadable) for anything else. This is the only place that reads a version.
    """
    if not (text.isascii() and text.isdigit()):  # isdigit alone accepts other scripts' digits and superscripts
        raise KeyRefusedError(Reason.EntryUnreadable, "has a version that is not a decimal number")
    if len(text) > MAX_VERSION_DIGITS:
        raise KeyRefusedError(Reason.EntryUnreadable, f"has a version of more than {MAX_VERSION_DIGITS} digits")
    return int(text)


def format_version(version: int) -> str:
    """The decimal string by which the API and people see a version, which `parse_version` reads back."""
    if not 0 <= version < 10**MAX_VERSION_DIGITS:
        raise KeyRefusedError(
            Reason.EntryUnreadable, f"has a version that is not 0 to {MAX_VERSION_DIGITS} digits long"
        )
    return str(version)


def newest_first(items: Iterable[T], *, by: Callable[[T], tuple[int, datetime, str]]) -> tuple[T, ...]:
    """Sort the items from the newest to the oldest by (version, first seen, kid); nothing else in the project sorts keys.

    The order is total, so that equal sets give equal bytes: of one version the later seen is newer, and of one moment
    the greater kid. A version is a number: 10 is newer than 9 (rotation.md, versions and order).
    """
    return tuple(sorted(items, key=by, reverse=True))
