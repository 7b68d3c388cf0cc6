"""Parse and format the versions of keys, which are whole numbers, never texts, and sort keys by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason

#: Python converts this many digits under every setting of its limit (sys.int_info.str_digits_check_threshold). The
#: numbers of kOps have 28 digits, and no entry of a ConfigMap or Secret has a name of more than 253 characters.
MAX_VERSION_DIGITS = 640

T = TypeVar("T")


def parse_version(text: str) -> int:
    """Parse a number in ASCII digits; leading zeros are ignored.

    Raises KeyRefusedError(EntryUnreadable) for any other text. No other function parses a version.
    """
    if not (text.isascii() and text.isdigit()):  # isdigit alone accepts other scripts' digits and superscripts
        raise KeyRefusedError(Reason.EntryUnreadable, "has a version that is not a decimal number")
    if len(text) > MAX_VERSION_DIGITS:
        raise KeyRefusedError(Reason.EntryUnreadable, f"has a version of more than {MAX_VERSION_DIGITS} digits")
    return int(text)


def format_version(version: int) -> str:
    """Return the decimal string of a version for the API and for people, which `parse_version` reads back."""
    if not 0 <= version < 10**MAX_VERSION_DIGITS:
        raise KeyRefusedError(
            Reason.EntryUnreadable, f"has a version that is not 0 to {MAX_VERSION_DIGITS} digits long"
        )
    return str(version)


def newest_first(items: Iterable[T], *, by: Callable[[T], tuple[int, datetime, str]]) -> tuple[T, ...]:
    """Sort items from the newest to the oldest by (version, first seen, kid); no other function of the project sorts keys.

    The order is total, so that equal sets give equal bytes. Of equal versions the later seen is newer, and of equal
    times the greater kid. A version is a number: 10 is newer than 9 (docs/explanation/rotation.md, Versions).
    """
    return tuple(sorted(items, key=by, reverse=True))
