"""Results of reading documents, remembered by their bytes: what has not changed since the last pass is not parsed anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: Of the documents that are remembered, together: those of a thousand issuers, at a few kilobytes each.
REMEMBERED_BYTES = 8 * 2**20


class Remembered(Generic[T]):
    """A function of bytes that remembers its latest results, for up to `limit` bytes of what it was given.

    Counted in bytes, for a document has a hundred of them or a million. What it raises is not remembered. Use it from one
    thread.
    """

    def __init__(self, read: Callable[[bytes], T], limit: int = REMEMBERED_BYTES) -> None:
        self._read = read
        self._limit = limit
        self._known: dict[bytes, T] = {}
        self._size = 0

    def __call__(self, data: bytes) -> T:
        """The result for these bytes."""
        if data in self._known:
            result = self._known[data] = self._known.pop(data)  # the latest comes last
            return result
        result = self._read(data)
        if len(data) <= self._limit:
            self._known[data] = result
            self._size += len(data)
        while self._size > self._limit:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._size -= len(oldest)
        return result
