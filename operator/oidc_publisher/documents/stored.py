"""Stored documents are both documents as a store holds them. Their bytes are parsed here alone, and once."""

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
    """Stored documents are the result of one read of the store; each document is None where there is none.

    `error` is set where a document could not be read, and both are None then. The bytes are parsed when a step first asks
    for a member that needs it, and never again.
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
        """Why each other member of the stored key set is no usable key, or why the bytes are no key set."""
        return self._key_set.left_out

    @cached_property
    def discovery_content(self) -> Discovery | DocumentInvalidError | None:
        """The content of the stored discovery document, or the error of reading the content; None without a document."""
        if self.discovery is None:
            return None
        try:
            return read_discovery(self.discovery.document.body)
        except DocumentInvalidError as error:
            return error

    @cached_property
    def discovery_mark(self) -> OwnerMark | None:
        """The owner mark of the discovery document, None without a mark."""
        return OwnerMark.read(self.discovery.document.metadata) if self.discovery else None

    @cached_property
    def jwks_mark(self) -> OwnerMark | None:
        """The owner mark of the key set, None without a mark."""
        return OwnerMark.read(self.jwks.document.metadata) if self.jwks else None

    @property
    def owners(self) -> tuple[str, ...]:
        """The owner of each document that exists, the key set's first; empty for a document without a mark."""
        pairs = ((self.jwks, self.jwks_mark), (self.discovery, self.discovery_mark))
        return tuple(mark.owner if mark else "" for document, mark in pairs if document is not None)

    def marks_of(self, owner: str) -> tuple[OwnerMark, ...]:
        """Return the marks with this owner's name, the key set's last."""
        marks = (self.discovery_mark, self.jwks_mark)
        return tuple(mark for mark in marks if mark is not None and mark.owner == owner)

    @property
    def key_set_error(self) -> str | None:
        """Why the stored bytes are no key set, None where they are one or where there are none."""
        content = self._key_set_content
        return content.message if isinstance(content, DocumentInvalidError) else None

    @property
    def _key_set(self) -> KeySet:
        content = self._key_set_content
        return KeySet((), (), (content.message,)) if isinstance(content, DocumentInvalidError) else content

    @cached_property
    def _key_set_content(self) -> KeySet | DocumentInvalidError:
        """The content of the stored key set, or the error of reading it.

        A set with an owner mark is read up to the store's limit instead of the probe's, because the set may be ours,
        however large.
        """
        if self.jwks is None:
            return KeySet((), ())
        limit = MAX_BODY_BYTES if self.jwks_mark else MAX_DOCUMENT_BYTES
        try:
            return read_jwks_document(self.jwks.document.body, max_bytes=limit)
        except DocumentInvalidError as error:
            return error
