"""Define the ports to a store, which is read and is written by compare-and-swap, and to the CDN in front of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum, auto
from typing import Protocol

from oidc_publisher.documents import Document, StoredDocument

__all__ = ["Distribution", "Document", "Rehearsal", "RehearsingStore", "Store", "StoredDocument"]


class Rehearsal(Enum):
    """A Rehearsal is what a write that had to fail has shown; both mean that the operator may write there."""

    REFUSED_BY_CONDITION = auto()  # the store compares versions: conditional writes are honoured
    UNDECIDED = auto()  # nothing shows yet that the store honours every condition


class Store(Protocol):
    """A store holds documents under paths relative to its prefix.

    Every method raises `StoreError` with a reason of the catalogue, and no exception of a client library.
    """

    @property
    def location(self) -> str:
        """The location of the store, for people and for status.publication.location: `s3://bucket/prefix`."""
        ...

    @property
    def endpoint_url(self) -> str | None:
        """The server of `location`, None where the location alone identifies it."""
        ...

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        """The store's clock minus the operator's, by each Date header since the last read, which clears them."""
        ...

    async def read(self, path: str) -> StoredDocument | None:
        """Return the document at `path`, None when there is none."""
        ...

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Store `document` if the present version is `expected` (None: if there is no document).

        Raises `PreconditionError` when another writer wrote in between. A write that succeeded but whose answer was
        lost returns normally, because the store reads the document again before it reports a lost race.
        """
        ...

    async def delete(self, path: str, *, expected: str) -> None:
        """Remove the document if its version is `expected`; a document that is already gone is no error."""
        ...

    async def aclose(self) -> None:
        """Release the connections."""
        ...


class RehearsingStore(Store, Protocol):
    """A rehearsing store tells before the first write whether writes will succeed, for `oidc-publisher check`."""

    async def rehearse(self, path: str) -> Rehearsal:
        """Send a write of the document at `path` that has to fail, and return how it failed; nothing is changed.

        Raises `StoreError` when the operator may not write there, and ConditionalWritesUnsupported when the write was
        accepted. The write has the bytes that are stored already; where there are none, what it made is removed.
        """
        ...

    async def identity(self) -> str:
        """Return, for people, whom the operator's credentials belong to."""
        ...


class Distribution(Protocol):
    """A distribution is a CDN in front of the store that caches the documents.

    Every method raises `StoreError`: DistributionMismatch when the distribution cannot serve the store, else
    InvalidationDenied, which is `retryable` where the failure may end without a change by an admin.
    """

    @property
    def name(self) -> str:
        """The ID of the distribution, for people."""
        ...

    async def invalidate(self, paths: Sequence[str], reference: str) -> str:
        """Invalidate the CDN cache at `paths`, as viewers request them, and return the ID of the invalidation.

        The same paths with a reference that was used before are the same invalidation, not another one.
        """
        ...

    async def completed(self, invalidation: str) -> bool:
        """Return whether the CDN cache of every edge has dropped the copies from before the invalidation."""
        ...

    async def check(self) -> None:
        """Return if the distribution may serve the store; raises StoreError otherwise."""
        ...
