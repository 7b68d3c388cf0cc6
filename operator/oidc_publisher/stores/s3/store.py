"""Implement the store in a bucket of Amazon S3, or of any server with S3's API and conditional writes.

A version is the object's ETag. On S3 that is a digest of the bytes alone, so If-Match does not detect another writer
that changes only headers or metadata between the store's read and its write. The next read shows that change.

The preconditions of servers other than Amazon's are verified: after the first write to such a server, two further
writes of the same bytes must fail (If-None-Match: *, and If-Match with an ETag that no object has). This is done once
per process and server, and costs nothing at rest. A server that accepts one of these writes is refused from then on.

Calls block, so each operation runs in a thread, which ends by itself at the operation's deadline.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from oidc_publisher.errors import PreconditionError, StoreError
from oidc_publisher.findings import Reason
from oidc_publisher.stores.blocking import BlockingStore
from oidc_publisher.stores.port import Document, Rehearsal, StoredDocument
from oidc_publisher.stores.refusals import AnswerLostError, RefusedCredentialsError, SpoiltWriteError, lost_race
from oidc_publisher.stores.s3.clients import SHARED_CLIENTS, ConditionalWrites, S3Clients
from oidc_publisher.stores.s3.endpoint import S3Endpoint
from oidc_publisher.stores.s3.errors import conditions_ignored, owned_by_another
from oidc_publisher.stores.s3.identity import caller
from oidc_publisher.stores.s3.objects import FoundObject, S3Objects, S3Place

__all__ = ["S3Endpoint", "S3Place", "S3Store"]

T = TypeVar("T")
_LOG = logging.getLogger("oidc_publisher.stores")
_NOBODYS_ETAG = '"00000000000000000000000000000000"'
#: The conditions under which a write to an existing object must fail.
_MUST_FAIL = ({"IfNoneMatch": "*"}, {"IfMatch": _NOBODYS_ETAG})
#: What a rehearsal sends where nothing is stored. Only a server that checks neither condition nor Content-MD5 keeps it.
_BLANK = Document(b"{}", "application/json", "no-store", {})


class S3Store(BlockingStore):
    """An S3Store holds the documents below one prefix of one bucket.

    Keep one store for as long as its issuer exists: it remembers what it has read, and requests only whether that
    changed.
    """

    def __init__(self, place: S3Place, endpoint: S3Endpoint, clients: S3Clients = SHARED_CLIENTS) -> None:
        self._objects = S3Objects(place, endpoint, clients)
        self._clients = clients
        super().__init__(place.location, self._objects.offsets, endpoint.server)
        self._known: dict[str, FoundObject] = {}

    async def aclose(self) -> None:
        """Release the client, whose connections are closed when no other store uses it."""
        self._known.clear()
        self._objects.let_go()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run blocking work in a thread, twice where credentials were replaced in between.

        Credentials that were replaced while the work ran are no error, because the second run uses the new ones.
        """

        def twice_if_refused() -> T:
            try:
                return work()
            except RefusedCredentialsError as error:
                if not error.others_may_do:
                    raise
            return work()

        return await super()._in_thread(twice_if_refused)

    def _read(self, path: str) -> StoredDocument | None:
        self._refuse_ignorant(path)
        try:
            found = self._objects.get(path, known=self._known.get(path))
        except StoreError as error:
            if self._is_anothers(path, error):
                raise owned_by_another(self._objects.call("s3:GetObject", path)) from error
            raise
        self._known.pop(path, None)
        if found and found.settled:
            self._known[path] = found
        return found.stored if found else None

    def _write(self, path: str, document: Document, expected: str | None) -> StoredDocument:
        self._refuse_ignorant(path)
        condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": expected}
        try:
            stored = self._objects.put(path, document, condition)
        except (PreconditionError, AnswerLostError):
            # After a lost answer botocore tries again, and the server refuses because the first attempt has written.
            found = self._objects.get(path)
            if found is None or found.stored.document != document or found.stored.content_encoding:
                raise
            stored = found.stored
        self._prove_preconditions(path, document)
        return stored

    def _delete(self, path: str, expected: str) -> None:
        found = self._objects.get(path)
        if found is None:
            return
        if found.stored.version != expected:
            raise lost_race(self._objects.name(path))
        try:
            self._objects.delete(path, expected)
        except StoreError as error:
            if error.reason is Reason.ConditionalWritesUnsupported:
                self._objects.delete(path, None)  # this server compares nothing; the version was compared just above
            elif not isinstance(error, PreconditionError | AnswerLostError) or self._objects.get(path):
                raise

    def _rehearse(self, path: str) -> Rehearsal:
        """Write under conditions that must fail, with a Content-MD5 that must fail as well.

        Servers compare the conditions first (S3, versitygw), so that both fail by the condition where it is honoured.
        Where there is no document, If-None-Match would hold, and nothing shows whether the server heeds it.
        """
        self._refuse_ignorant(path)
        found = self._objects.get(path)
        failed = [self._fails(path, found, condition) for condition in _MUST_FAIL if found or "IfMatch" in condition]
        compared = self._objects.endpoint.is_amazon or (found is not None and all(failed))
        return Rehearsal.REFUSED_BY_CONDITION if compared else Rehearsal.UNDECIDED

    def _fails(self, path: str, found: FoundObject | None, condition: dict[str, str]) -> bool:
        """Return whether the write fails by its condition, and not by its Content-MD5; undo it if it does not fail."""
        try:
            made = self._objects.put(path, found.stored.document if found else _BLANK, condition, spoilt=True)
        except PreconditionError:
            return True
        except SpoiltWriteError:
            return False
        if found is None:
            self._delete(path, made.version)
        raise conditions_ignored(self._objects.endpoint, self._objects.name(path))

    def _identity(self) -> str:
        return caller(self._clients, self._objects.endpoint, self._objects.call("sts:GetCallerIdentity", ""))

    def _is_anothers(self, path: str, error: StoreError) -> bool:
        """Return whether a denied read succeeds without the expected owner: S3 answers 403 for both causes."""
        asked = self._objects.place.expected_bucket_owner is not None
        if not asked or error.reason is not Reason.AccessDenied or isinstance(error, RefusedCredentialsError):
            return False
        try:
            self._objects.get(path, as_owner=False)
        except StoreError:
            return False
        return True

    def _prove_preconditions(self, path: str, document: Document) -> None:
        """Write the same bytes under conditions that must fail, unless the server is known to honour them."""
        if self._objects.conditional_writes is ConditionalWrites.HONOURED:
            return
        for condition in _MUST_FAIL:
            try:
                self._objects.put(path, document, condition)
            except PreconditionError:
                continue
            except StoreError as error:
                if error.reason is Reason.ConditionalWritesUnsupported:
                    self._objects.learn(ConditionalWrites.IGNORED)
                    raise
                _LOG.info("preconditions of %s not proven yet: %s", self.location, error)
                return
            self._objects.learn(ConditionalWrites.IGNORED)
            raise conditions_ignored(self._objects.endpoint, self._objects.name(path))
        self._objects.learn(ConditionalWrites.HONOURED)

    def _refuse_ignorant(self, path: str) -> None:
        if self._objects.conditional_writes is ConditionalWrites.IGNORED:
            raise conditions_ignored(self._objects.endpoint, self._objects.name(path))
