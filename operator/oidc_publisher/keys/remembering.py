"""Cache the results of reading documents by their bytes, so that unchanged documents are not parsed in every pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: The limit for all cached documents together, enough for those of a thousand issuers at a few kilobytes each.
REMEMBERED_BYTES = 8 * 2**20

_NOTHING: Any = object()


class Remembered(Generic[T]):
    """A Remembered function of bytes caches its latest results, for up to `limit` bytes of input.

    The limit counts bytes, because a document may have a hundred bytes or a million. Exceptions are not cached. Several
    threads may call it, because each step below is one operation on the dict: at worst two threads read the same bytes.
    """

    def __init__(self, read: Callable[[bytes], T], limit: int = REMEMBERED_BYTES) -> None:
        self._read = read
        self._limit = limit
        self._known: dict[bytes, T] = {}

    def __call__(self, data: bytes) -> T:
        """Return the result for these bytes."""
        result: T = self._known.pop(data, _NOTHING)
        if result is _NOTHING:
            result = self._read(data)
            if len(data) > self._limit:
                return result
            self._make_room(len(data))
        self._known[data] = result  # the latest comes last
        return result

    def _make_room(self, size: int) -> None:
        known = tuple(self._known)
        excess = sum(map(len, known)) + size - self._limit
        for oldest in known:
            if excess <= 0:
                return
            self._known.pop(oldest, None)
            excess -= len(oldest)
