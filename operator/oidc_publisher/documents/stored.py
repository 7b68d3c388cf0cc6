"""Both documents as a store holds them. What their bytes say is parsed here, and once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from oidc_publisher.documents.discovery import Discovery, read_discovery
from oidc_publisher.documents.document import MAX_BODY_BYTES, StoredDocument
from oidc_publisher.documents.jwks import KeySet, read_jwks_document
from oidc_publisher.documents.ownermark import OwnerMark
from oidc_publisher.errors import DocumentInvalidError, StoreError
from oidc_publisher.keys import PublicKey
from oidc_publisher.keys.strictjson import MAX_DOCUMENT_BYTES


@dataclass(frozen=True)
class StoredDocuments:
    """Both documents as one reading of the store gave them; None each where there is none.

    `error` is set when they could not be read. Bytes are parsed when a member is first asked for, and never again.
    """

    discovery: StoredDocument | None = None
    jwks: StoredDocument | None = None
    error: StoreError | None = None

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """The usable keys of the stored key set, in stored order."""
        return self._key_set.keys

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is said of each member of the stored key set that is no usable key, or of bytes that are no key set."""
        return self._key_set.left_out

    @cached_property
    def discovery_content(self) -> Discovery | DocumentInvalidError | None:
        """The stored discovery document as read, or why it cannot be read; None where there is none."""
        if self.discovery is None:
            return None
        try:
            return read_discovery(self.discovery.document.body)
        except DocumentInvalidError as error:
            return error

    @cached_property
    def discovery_mark(self) -> OwnerMark | None:
        """The owner mark of the discovery document, None where nobody signed."""
        return OwnerMark.read(self.discovery.document.metadata) if self.discovery else None

    @cached_property
    def jwks_mark(self) -> OwnerMark | None:
        """The owner mark of the key set, None where nobody signed."""
        return OwnerMark.read(self.jwks.document.metadata) if self.jwks else None

    @property
    def owners(self) -> tuple[str, ...]:
        """The owner of each document that is there, the key set's first; empty for one that nobody signed."""
        pairs = ((self.jwks, self.jwks_mark), (self.discovery, self.discovery_mark))
        return tuple(mark.owner if mark else "" for document, mark in pairs if document is not None)

    def marks_of(self, owner: str) -> tuple[OwnerMark, ...]:
        """The marks that bear this owner's name, the key set's last."""
        marks = (self.discovery_mark, self.jwks_mark)
        return tuple(mark for mark in marks if mark is not None and mark.owner == owner)

    @cached_property
    def _key_set(self) -> KeySet:
        """The stored key set.

        A set that bears an owner mark is read up to the store's limit, not to the probe's: it may be ours, however large.
        """
        if self.jwks is None:
            return KeySet((), ())
        limit = MAX_BODY_BYTES if self.jwks_mark else MAX_DOCUMENT_BYTES
        try:
            return read_jwks_document(self.jwks.document.body, max_bytes=limit)
        except DocumentInvalidError as error:
            return KeySet((), (), (error.message,))
