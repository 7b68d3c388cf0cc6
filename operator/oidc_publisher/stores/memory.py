"""Implement a store in memory, for dry runs and tests."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from oidc_publisher.stores.port import Document, Rehearsal, StoredDocument
from oidc_publisher.stores.refusals import lost_race
from oidc_publisher.stores.storable import check_document, check_path


class MemoryStore:
    """A MemoryStore holds documents in a dict; versions are numbers that are never used twice.

    A test that simulates another writer may change `documents`. No method awaits between comparing and changing, so
    that compare-and-swap holds among the tasks of one event loop.
    """

    def __init__(self, location: str = "memory://") -> None:
        self.location = location
        self.endpoint_url = None
        self.documents: dict[str, StoredDocument] = {}
        self._versions = itertools.count(1)

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        """Empty, because memory has no clock of its own."""
        return ()

    async def read(self, path: str) -> StoredDocument | None:
        """Return the document at `path`, None when there is none."""
        return self.documents.get(check_path(path))

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Store `document` if the present version is `expected` (None: if there is no document)."""
        check_document(document)
        present = self.documents.get(check_path(path))
        if present and present.version != expected and present.document == document:
            return present  # as the S3 store does, which cannot tell a lost answer from another writer's equal write
        self._compare(path, expected)
        stored = StoredDocument(document, str(next(self._versions)), datetime.now(UTC))
        self.documents[path] = stored
        return stored

    async def delete(self, path: str, *, expected: str) -> None:
        """Remove the document if its version is `expected`; a document that is already gone is no error."""
        if check_path(path) in self.documents:
            self._compare(path, expected)
            del self.documents[path]

    async def rehearse(self, path: str) -> Rehearsal:
        """Return that a version would be compared."""
        check_path(path)
        return Rehearsal.REFUSED_BY_CONDITION

    async def identity(self) -> str:
        """Return that memory asks nobody who they are."""
        return "nobody: a store in memory"

    async def aclose(self) -> None:
        """Release nothing: memory has no connections."""

    def _compare(self, path: str, expected: str | None) -> None:
        present = self.documents.get(path)
        if (present.version if present else None) != expected:
            raise lost_race(f"{self.location}{path}")
