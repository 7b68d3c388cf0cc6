"""What is to be stored, how that differs from what is stored, and in which order to write it.

Every write raises the ledger's serial, and the serial is part of the mark that is compared. So a caller asks first, with
the ledger's present serial, and raises it only when there is something to write::

    planned = plan_documents(..., mark=mark_with(ledger.serial))
    if differences(planned, stored_discovery, stored_jwks):
        ledger = raised(ledger)  # and save it (R12)
        planned = plan_documents(..., mark=mark_with(ledger.serial))
        for write in plan_writes(planned, stored_discovery, stored_jwks):
            ...

An unchanged set thus costs no write, and a write that was lost after the serial was raised is made up for, since the
stored serial is then the lower one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from oidc_publisher.documents.discovery import discovery_document, read_discovery
from oidc_publisher.documents.document import MAX_BODY_BYTES, Document, StoredDocument
from oidc_publisher.documents.jwks import jwks_document, read_jwks_document
from oidc_publisher.documents.ownermark import OwnerMark, own_metadata
from oidc_publisher.documents.urls import DISCOVERY_PATH, jwks_uri
from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.keys import PublicKey

CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class PlannedDocuments:
    """Both documents as they are to be stored, the key set below the store's prefix at `jwks_path`."""

    jwks_path: str
    keys: tuple[PublicKey, ...]
    discovery: Document
    jwks: Document


class WriteReason(StrEnum):
    """Why a document is written; the first that applies."""

    CREATED = "there is none"
    KEYS_CHANGED = "the keys changed"
    ALGORITHMS_CHANGED = "the algorithms changed"
    CONTENT_CHANGED = "its content is not what was planned"
    HEADERS_CHANGED = "its headers are not what was planned"
    MARK_CHANGED = "its owner mark is not what was planned"


@dataclass(frozen=True, slots=True)
class Difference:
    """A document, by its path, that is not stored as planned."""

    path: str
    reason: WriteReason


@dataclass(frozen=True, slots=True)
class Write:
    """One compare-and-swap: store `document` at `path` if its version is still `expected_version` (None: absent)."""

    path: str
    document: Document
    expected_version: str | None
    reason: WriteReason


def cache_control(max_age: timedelta) -> str:
    """The Cache-Control of both documents; never absent, for some verifiers then cache up to 24 h."""
    return f"public, max-age={max_age // timedelta(seconds=1)}"


def plan_documents(
    issuer: str, jwks_path: str, keys: Sequence[PublicKey], *, cache_max_age: timedelta, mark: OwnerMark
) -> PlannedDocuments:
    """Both documents for these keys in this order; raises KeyRefusedError(NoUsableKey) when there are none (R6)."""

    def document(body: bytes) -> Document:
        return Document(body, CONTENT_TYPE, cache_control(cache_max_age), mark.to_metadata())

    jwks = document(jwks_document(keys))
    discovery = discovery_document(issuer, jwks_uri(issuer, jwks_path), (key.algorithm for key in keys))
    return PlannedDocuments(jwks_path, tuple(keys), document(discovery), jwks)


def differences(
    planned: PlannedDocuments, stored_discovery: StoredDocument | None, stored_jwks: StoredDocument | None
) -> tuple[Difference, ...]:
    """What is not stored as planned, the mark's serial included: plan with the serial that the ledger has now."""
    return tuple(Difference(write.path, write.reason) for write in plan_writes(planned, stored_discovery, stored_jwks))


def plan_writes(
    planned: PlannedDocuments, stored_discovery: StoredDocument | None, stored_jwks: StoredDocument | None
) -> tuple[Write, ...]:
    """The writes that make the stored documents the planned ones, in order; none when they are.

    Growing, and on the first publication: the key set first, so that the discovery document never exists without the
    keys it names. Shrinking: the discovery document first.
    """
    jwks = _write(planned.jwks_path, planned.jwks, stored_jwks, _why_jwks(planned, stored_jwks))
    discovery = _write(DISCOVERY_PATH, planned.discovery, stored_discovery, _why_discovery(planned, stored_discovery))
    writes = tuple(write for write in (jwks, discovery) if write is not None)
    return writes[::-1] if _shrinks(planned, stored_discovery, stored_jwks) else writes


def _write(path: str, document: Document, stored: StoredDocument | None, reason: WriteReason | None) -> Write | None:
    return None if reason is None else Write(path, document, stored.version if stored else None, reason)


def _why_jwks(planned: PlannedDocuments, stored: StoredDocument | None) -> WriteReason | None:
    reason = _why(planned.jwks, stored)
    if stored is not None and reason is WriteReason.CONTENT_CHANGED and _stored_keys(stored) != frozenset(planned.keys):
        return WriteReason.KEYS_CHANGED
    return reason


def _why_discovery(planned: PlannedDocuments, stored: StoredDocument | None) -> WriteReason | None:
    reason = _why(planned.discovery, stored)
    if stored is not None and reason is WriteReason.CONTENT_CHANGED:
        changed = _algorithms(stored.document) != _algorithms(planned.discovery)
        return WriteReason.ALGORITHMS_CHANGED if changed else reason
    return reason


def _why(planned: Document, stored: StoredDocument | None) -> WriteReason | None:
    """Compare everything that a reader sees and the mark; foreign metadata is not ours to judge."""
    if stored is None:
        return WriteReason.CREATED
    found = stored.document
    if found.body != planned.body:
        return WriteReason.CONTENT_CHANGED
    if stored.content_encoding or (found.content_type, found.cache_control) != (
        planned.content_type,
        planned.cache_control,
    ):
        return WriteReason.HEADERS_CHANGED
    if own_metadata(found.metadata) != own_metadata(planned.metadata):
        return WriteReason.MARK_CHANGED
    return None


def _shrinks(
    planned: PlannedDocuments, stored_discovery: StoredDocument | None, stored_jwks: StoredDocument | None
) -> bool:
    """Whether both exist and keys only leave; a set that cannot be read counts as growing."""
    if stored_discovery is None or stored_jwks is None or stored_jwks.document.body == planned.jwks.body:
        return False
    stored = _stored_keys(stored_jwks)
    return stored is not None and stored > frozenset(planned.keys)


def _stored_keys(stored: StoredDocument) -> frozenset[PublicKey] | None:
    try:
        return frozenset(read_jwks_document(stored.document.body, max_bytes=MAX_BODY_BYTES).keys)
    except DocumentInvalidError:
        return None


def _algorithms(document: Document) -> frozenset[str] | None:
    try:
        return frozenset(read_discovery(document.body).algorithms)
    except DocumentInvalidError:
        return None
