"""Implement the store in a bucket of Google Cloud Storage.

A version is an object's generation and metageneration. An edit of Content-Type, Cache-Control or custom metadata
changes the metageneration only, so a write names both (ifGenerationMatch, ifMetagenerationMatch) and fails after either
change.

A read requests the object's metadata, which holds everything but the bytes. The bytes are fetched only when the
generation differs from the one that was read or written last. At rest, reading a document is one request without a
body.

A deletion compares the version first, and then sends the same preconditions. Cloud Storage honours them;
fake-gcs-server 1.56.1, which the tests run against, ignores them on deletion. It also ignores ifMetagenerationMatch
everywhere and has no metageneration; tests/unit/stores simulates the real behaviour.

Calls block, so each operation runs in a thread, which ends by itself at the operation's deadline.
"""

from __future__ import annotations

from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.blocking import BlockingStore
from oidc_publisher.stores.gcs.clients import SHARED_CLIENTS, GCSClients
from oidc_publisher.stores.gcs.objects import Found, GCSObjects, GCSPlace, Version
from oidc_publisher.stores.port import Document, Rehearsal, StoredDocument
from oidc_publisher.stores.refusals import AnswerLostError, lost_race

__all__ = ["GCSPlace", "GCSStore"]

#: The number of attempts of one read, because a document may be replaced between the two requests of an attempt.
_LOOKS = 3
#: Generations count microseconds since 1970, so that no object has this one.
_NOBODYS_VERSION = Version(1, 1)
#: What a rehearsal sends where nothing is stored.
_BLANK = Document(b"{}", "application/json", "no-store", {})


class GCSStore(BlockingStore):
    """A GCSStore holds the documents below one prefix of one bucket.

    Keep one store for as long as its issuer exists: it remembers what it has read, and requests only whether that
    changed.
    """

    def __init__(self, place: GCSPlace, clients: GCSClients = SHARED_CLIENTS) -> None:
        self._objects = GCSObjects(place, clients)
        super().__init__(place.location, self._objects.offsets)
        self._bodies: dict[str, tuple[int, bytes]] = {}  # by path: generation and bytes

    async def aclose(self) -> None:
        """Release the session, whose connections are closed when no other store uses it."""
        self._bodies.clear()
        self._objects.let_go()

    def _read(self, path: str) -> StoredDocument | None:
        for _ in range(_LOOKS):
            found = self._objects.look(path)
            if found is None:
                self._bodies.pop(path, None)
                return None
            body = self._body(path, found)
            if body is not None:
                return found.with_body(body)
        raise StoreError(
            Reason.StoreUnavailable,
            f"{self._objects.name(path)} is replaced faster than it can be read",
            hint="Look who else writes there.",
            retryable=True,
            subject=self._objects.name(path),
        )

    def _body(self, path: str, found: Found) -> bytes | None:
        """Return the bytes of a generation. They never change, so they are fetched once."""
        known = self._bodies.get(path)
        if known and known[0] == found.version.generation:
            return known[1]
        body = self._objects.fetch(path, found)
        if body is not None:
            self._bodies[path] = found.version.generation, body
        return body

    def _write(self, path: str, document: Document, expected: str | None) -> StoredDocument:
        try:
            found = self._objects.put(path, document, Version.parse(expected) if expected is not None else None)
        except (PreconditionError, AnswerLostError):
            # After a lost answer a second attempt is made, which the server refuses because the first one has written.
            stored = self._read(path)
            if stored is None or stored.document != document or stored.content_encoding:
                raise
            return stored
        self._bodies[path] = found.version.generation, document.body
        return found.with_body(document.body)

    def _rehearse(self, path: str) -> Rehearsal:
        """Write over a generation that no object has."""
        stored = self._read(path)
        try:
            made = self._objects.put(path, stored.document if stored else _BLANK, _NOBODYS_VERSION)
        except PreconditionError:
            return Rehearsal.REFUSED_BY_CONDITION
        if stored is None:
            self._objects.delete(path, made.version)
        name = self._objects.name(path)
        raise StoreError(
            Reason.ConditionalWritesUnsupported,
            f"{name}: the server ignores ifGenerationMatch on writes, as Cloud Storage does not",
            hint="Look at what answers at STORAGE_EMULATOR_HOST.",
            subject=name,
        )

    def _identity(self) -> str:
        return self._objects.account()

    def _delete(self, path: str, expected: str) -> None:
        found = self._objects.look(path)
        if found is None:
            return
        if str(found.version) != expected:
            raise lost_race(self._objects.name(path))
        try:
            self._objects.delete(path, found.version)
        except (PreconditionError, AnswerLostError):
            if self._objects.look(path):
                raise
