"""A store over a client whose calls block: each operation runs whole in one of asyncio's threads."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from oidc_publisher.stores.port import Document, StoredDocument
from oidc_publisher.stores.storable import check_document, check_path

T = TypeVar("T")


class BlockingStore(ABC):
    """What the stores of the clouds have in common; each has its own client behind it.

    `offsets` are filled by whoever reads the Date headers.
    """

    def __init__(self, location: str, offsets: deque[timedelta], endpoint_url: str | None = None) -> None:
        self._location = location
        self._offsets = offsets
        self._endpoint_url = endpoint_url

    @property
    def location(self) -> str:
        """The place as a URL."""
        return self._location

    @property
    def endpoint_url(self) -> str | None:
        """The server that the place is on, None where there is but one."""
        return self._endpoint_url

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        """Date headers less the time they were received, since the last look; reading clears them."""
        return tuple(self._offsets.popleft() for _ in range(len(self._offsets)))

    async def read(self, path: str) -> StoredDocument | None:
        """The document at `path`, None when there is none."""
        check_path(path)
        return await self._in_thread(lambda: self._read(path))

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Store `document` if the present version is `expected` (None: if there is none)."""
        check_path(path)
        check_document(document)
        return await self._in_thread(lambda: self._write(path, document, expected))

    async def delete(self, path: str, *, expected: str) -> None:
        """Remove the document if its version is `expected`; a document that is already gone is no error."""
        check_path(path)
        await self._in_thread(lambda: self._delete(path, expected))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread: the one place."""
        return await asyncio.to_thread(work)

    @abstractmethod
    def _read(self, path: str) -> StoredDocument | None: ...

    @abstractmethod
    def _write(self, path: str, document: Document, expected: str | None) -> StoredDocument: ...

    @abstractmethod
    def _delete(self, path: str, expected: str) -> None: ...
