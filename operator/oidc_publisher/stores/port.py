"""The ports to a place that holds documents (read, and write by compare-and-swap) and to a network that copies it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from oidc_publisher.documents import Document, StoredDocument

__all__ = ["Distribution", "Document", "Store", "StoredDocument"]


class Store(Protocol):
    """A place for documents under paths relative to its prefix.

    Every method raises `StoreError` with the catalogue's reason; nothing foreign comes out.
    """

    @property
    def location(self) -> str:
        """Where it is, for people and for status.publication.location: `s3://bucket/prefix`."""
        ...

    @property
    def endpoint_url(self) -> str | None:
        """The server that `location` is on, None where the location alone says it all."""
        ...

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        """Offsets of the store's clock from ours, from the Date headers since the last look; reading clears them."""
        ...

    async def read(self, path: str) -> StoredDocument | None:
        """The document at `path`, None when there is none."""
        ...

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Store `document` if the present version is `expected` (None: if there is none).

        Raises `PreconditionError` when somebody else wrote in between. A write that succeeded but whose answer was
        lost returns normally: the store re-reads before it believes a lost race.
        """
        ...

    async def delete(self, path: str, *, expected: str) -> None:
        """Remove the document if its version is `expected`; a document that is already gone is no error."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class Distribution(Protocol):
    """A network before the store that keeps copies of the documents.

    Every method raises `StoreError`: DistributionMismatch when the distribution cannot serve the store, else
    InvalidationDenied, `retryable` when it may pass by itself.
    """

    @property
    def name(self) -> str:
        """Its ID, for people."""
        ...

    async def invalidate(self, paths: Sequence[str], reference: str) -> str:
        """Ask for the copies at `paths` (as viewers ask for them) to be dropped, and return the invalidation's ID.

        The same paths under a reference that was used before are the same invalidation, not another one.
        """
        ...

    async def completed(self, invalidation: str) -> bool:
        """Whether every edge has dropped its copies."""
        ...

    async def check(self) -> None:
        """Return if the distribution may serve the store."""
        ...
