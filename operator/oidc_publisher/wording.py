"""How numbers, lists and text of others stand in a sentence, whoever writes it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """Return `1 key` or `2 keys`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(words: Iterable[str], *, most: int, separator: str = ", ") -> str:
    """Return the first `most` of the words, and how many more there are: a message is read by people."""
    known = tuple(words)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return separator.join(known[:most]) + more


def quoted_to(longest: int, text: str) -> str:
    """Return text of others quoted, in printable ASCII, and cut behind `longest` characters."""
    return json.dumps(text if len(text) <= longest else f"{text[:longest]}...")
