"""Cache the results of reading documents and keys by their bytes, so that what has not changed is not parsed in every pass."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

#: The limit for all cached documents together, enough for those of a thousand issuers at a few kilobytes each.
REMEMBERED_BYTES = 8 * 2**20

_NOTHING: Any = object()


class Remembered(Generic[K, T]):
    """A Remembered function caches its latest results, for up to `limit` bytes of input; `size` counts them.

    The limit counts bytes, because a document may have a hundred bytes or a million. Exceptions are not cached. Several
    threads may call it, because each step below is one operation on a dict: at worst two threads read the same bytes.

    What is parsed takes several times the bytes that it was parsed from, so that issuers that come and go would leave tens
    of megabytes within the limit: `forget_unused` lets go what nobody asks for any more.
    """

    def __init__(
        self,
        read: Callable[[K], T],
        limit: int = REMEMBERED_BYTES,
        size: Callable[[K], int] = len,  # type: ignore[assignment]
    ) -> None:
        self._read = read
        self._limit = limit
        self._size = size
        self._recent: dict[K, T] = {}
        self._former: dict[K, T] = {}  # not asked for since the last call of forget_unused
        self._held = 0  # the bytes of both; a thread's part of it may be lost until they are counted anew
        _ALL.add(self)

    def __call__(self, data: K) -> T:
        """Return the result for these bytes."""
        result: T = self._recent.pop(data, _NOTHING)
        if result is _NOTHING:
            result = self._former.pop(data, _NOTHING)
        if result is _NOTHING:
            result = self._read(data)
            size = self._size(data)
            if size > self._limit:
                return result
            if self._held + size > self._limit:
                self._make_room(size)
            self._held += size
        self._recent[data] = result  # the latest comes last
        return result

    def __len__(self) -> int:
        """Return how many results are cached."""
        return len(self._recent) + len(self._former)

    def forget_unused(self) -> None:
        """Forget what was not asked for since the last call."""
        self._former, self._recent = self._recent, {}
        self._held = sum(size for _, size in self._sizes())

    def _make_room(self, size: int) -> None:
        """Forget the oldest results, a few more than must go: counting all of them again for each new one costs more."""
        known = self._sizes()
        self._held = sum(one for _, one in known)
        most = self._limit - self._limit // 8
        for oldest, one in known:
            if self._held + size <= most:
                return
            self._former.pop(oldest, None)
            self._recent.pop(oldest, None)
            self._held -= one

    def _sizes(self) -> list[tuple[K, int]]:
        """Return what is cached with its bytes, the oldest first."""
        return [(data, self._size(data)) for data in (*self._former, *self._recent)]


_ALL: weakref.WeakSet[Remembered[Any, Any]] = weakref.WeakSet()


def forget_unused() -> None:
    """Let every Remembered function forget what was not asked for since the last call: whoever has a clock calls it."""
    for function in tuple(_ALL):
        function.forget_unused()
