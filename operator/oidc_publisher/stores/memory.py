"""A store in memory, for dry runs and tests."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from oidc_publisher.stores.port import Document, StoredDocument
from oidc_publisher.stores.refusals import lost_race
from oidc_publisher.stores.storable import check_document, check_path


class MemoryStore:
    """Documents in a dict; versions are numbers that are never used twice.

    `documents` may be changed by a test that plays somebody else. No method awaits anything between looking and
    changing, so that compare-and-swap holds among tasks of one loop.
    """

    def __init__(self, location: str = "memory://") -> None:
        self.location = location
        self.endpoint_url = None
        self.documents: dict[str, StoredDocument] = {}
        self._versions = itertools.count(1)

    @property
    def clock_offsets(self) -> tuple[timedelta, ...]:
        """None: memory has no clock but ours."""
        return ()

    async def read(self, path: str) -> StoredDocument | None:
        """The document at `path`, None when there is none."""
        return self.documents.get(check_path(path))

    async def write(self, path: str, document: Document, *, expected: str | None) -> StoredDocument:
        """Store `document` if the present version is `expected` (None: if there is none)."""
        check_document(document)
        present = self.documents.get(check_path(path))
        if present and present.version != expected and present.document == document:
            return present  # as S3 does, which cannot tell its own lost answer from a twin's write
        self._compare(path, expected)
        stored = StoredDocument(document, str(next(self._versions)), datetime.now(UTC))
        self.documents[path] = stored
        return stored

    async def delete(self, path: str, *, expected: str) -> None:
        """Remove the document if its version is `expected`; a document that is already gone is no error."""
        if check_path(path) in self.documents:
            self._compare(path, expected)
            del self.documents[path]

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def _compare(self, path: str, expected: str | None) -> None:
        present = self.documents.get(path)
        if (present.version if present else None) != expected:
            raise lost_race(f"{self.location}{path}")
