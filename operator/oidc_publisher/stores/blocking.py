"""Run the operations of a blocking client in threads, each within a deadline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from oidc_publisher.errors import StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.deadlines import OPERATION_S, deadline, left_s
from oidc_publisher.stores.port import Document, Rehearsal, StoredDocument
from oidc_publisher.stores.storable import check_document, check_path
from oidc_publisher.threads import Threads

T = TypeVar("T")

#: The threads of all stores, by server. Two documents in each of the 16 passes that run at once need this many.
_STORE_THREADS = Threads("store", 32)
#: A thread ends by itself at its deadline. A thread that does not wait for a socket is abandoned this many seconds
#: later.
_GRACE_S = 1.0


class BlockingStore(ABC):
    """BlockingStore implements what the stores of the clouds have in common. Each subclass has its own client.

    `offsets` receives the clock offsets from the code that reads the Date headers.
    """

    def __init__(self, location: str, offsets: deque[timedelta], endpoint_url: str | None = None) -> None:
        self._location = location
        self._offsets = offsets
        self._endpoint_url = endpoint_url

    @property
    def location(self) -> str:
        """The location as a URL."""
        return self._location

    @property
    def endpoint_url(self) -> str | None:
        """The server of the location, None where there is only one."""
        return self._endpoint_url

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        """The Date headers minus the time of receipt, since the last read of this property, which clears them."""
        return tuple(self._offsets.popleft() for _ in range(len(self._offsets)))

    async def read(self, path: str) -> StoredDocument | None:
        """Return the document at `path`, None when there is none."""
        check_path(path)
        return await self._in_thread(lambda: self._read(path))

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Store `document` if the present version is `expected` (None: if there is no document)."""
        check_path(path)
        check_document(document)
        return await self._in_thread(lambda: self._write(path, document, expected))

    async def delete(self, path: str, *, expected: str) -> None:
        """Remove the document if its version is `expected`; a document that is already gone is no error."""
        check_path(path)
        await self._in_thread(lambda: self._delete(path, expected))

    async def rehearse(self, path: str) -> Rehearsal:
        """Send a write that has to fail, and return how it failed; nothing is changed."""
        check_path(path)
        return await self._in_thread(lambda: self._rehearse(path))

    async def identity(self) -> str:
        """Return, for people, whom the operator's credentials belong to."""
        return await self._in_thread(self._identity)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread; raises StoreError(StoreUnavailable) when the deadline has passed.

        An abandoned write may still take effect. It is a compare-and-swap, and the next pass reads its result.
        """

        def judged() -> T:
            try:
                return work()
            except StoreError as error:
                if error.reason is Reason.StoreUnavailable and left_s() <= 0:
                    raise _late(self._location) from error
                raise

        try:
            return await in_store_thread(judged, server=self._endpoint_url or self._location.partition("//")[0])
        except TimeoutError as error:
            raise _late(self._location) from error

    @abstractmethod
    def _read(self, path: str) -> StoredDocument | None: ...

    @abstractmethod
    def _write(self, path: str, document: Document, expected: str | None) -> StoredDocument: ...

    @abstractmethod
    def _delete(self, path: str, expected: str) -> None: ...

    @abstractmethod
    def _rehearse(self, path: str) -> Rehearsal: ...

    @abstractmethod
    def _identity(self) -> str: ...


async def in_store_thread(work: Callable[[], T], *, server: str) -> T:
    """Run blocking work on `server` in a thread within OPERATION_S; raises TimeoutError when the work is abandoned."""

    def within_deadline() -> T:
        with deadline(OPERATION_S):
            return work()

    return await _STORE_THREADS.run(within_deadline, key=server, timeout_s=OPERATION_S + _GRACE_S)


def _late(place: str) -> StoreError:
    return StoreError(
        Reason.StoreUnavailable,
        f"{place}: the server does not complete its answers within {OPERATION_S:g} s",
        hint="Look at its load and at the network; what is published stays.",
        retryable=True,
        subject=place,
    )
