"""This module plans both documents, compares them with the stored ones, and orders the writes.

Every write raises the ledger's serial, and the serial is part of the mark that is compared. So a caller asks first, with
the ledger's present serial, and raises it only when there is something to write::

    planned = plan_documents(..., mark=mark_with(ledger.serial))
    differing = differences(planned, stored)
    if differing:
        ledger = raised(ledger)  # and save it (R12)
        for write in plan_writes(planned.under(mark_with(ledger.serial)), stored, differing):
            ...

An unchanged set thus costs no write. A write that was lost after the ledger was saved is made up for, because the stored
serial is then lower than the ledger's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from oidc_publisher.documents.discovery import Discovery, advertised, discovery_document
from oidc_publisher.documents.document import Document, StoredDocument
from oidc_publisher.documents.jwks import jwks_document
from oidc_publisher.documents.ownermark import OwnerMark, own_metadata, says_the_same
from oidc_publisher.documents.stored import StoredDocuments
from oidc_publisher.documents.urls import DISCOVERY_PATH, jwks_uri
from oidc_publisher.keys import PublicKey

CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class PlannedDocuments:
    """Planned documents are both documents to store; the key set goes to `jwks_path` below the store's prefix."""

    jwks_path: str
    keys: tuple[PublicKey, ...]
    discovery: Document
    jwks: Document

    def under(self, mark: OwnerMark) -> PlannedDocuments:
        """Return the same documents under another owner mark."""
        metadata = mark.to_metadata()
        return replace(
            self,
            discovery=replace(self.discovery, metadata=metadata),
            jwks=replace(self.jwks, metadata=metadata),
        )


class WriteReason(StrEnum):
    """A write reason says why a document is written; of several reasons the first counts."""

    CREATED = "there is none"
    KEYS_CHANGED = "the keys changed"
    ALGORITHMS_CHANGED = "the algorithms changed"
    CONTENT_CHANGED = "its content is not what was planned"
    HEADERS_CHANGED = "its headers are not what was planned"
    MARK_CHANGED = "its owner mark is not what was planned"
    SERIAL_RAISED = "only the serial of its owner mark, which counts the writes of both documents"


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference names a document that is not stored as planned, by its path, and says why."""

    path: str
    reason: WriteReason


@dataclass(frozen=True, slots=True)
class Write:
    """A write is one compare-and-swap: store `document` at `path` while the version there is `expected_version` (None: absent)."""

    path: str
    document: Document
    expected_version: str | None
    reason: WriteReason


def cache_control(max_age: timedelta) -> str:
    """Return the Cache-Control of both documents. Without this header some verifiers cache up to 24 h."""
    return f"public, max-age={max_age // timedelta(seconds=1)}"


def plan_documents(
    issuer: str, jwks_path: str, keys: Sequence[PublicKey], *, cache_max_age: timedelta, mark: OwnerMark
) -> PlannedDocuments:
    """Return both documents for these keys, in this order.

    Raises:
        KeyRefusedError: NoUsableKey, for no keys (R6).
    """

    def document(body: bytes) -> Document:
        return Document(body, CONTENT_TYPE, cache_control(cache_max_age), mark.to_metadata())

    jwks = document(jwks_document(keys))
    discovery = discovery_document(issuer, jwks_uri(issuer, jwks_path), (key.algorithm for key in keys))
    return PlannedDocuments(jwks_path, tuple(keys), document(discovery), jwks)


def differences(planned: PlannedDocuments, stored: StoredDocuments) -> tuple[Difference, ...]:
    """Return what is not stored as planned. The mark counts too, so plan with the serial that the ledger has now."""
    found = ((planned.jwks_path, _why_jwks(planned, stored)), (DISCOVERY_PATH, _why_discovery(planned, stored)))
    return tuple(Difference(path, reason) for path, reason in found if reason is not None)


def plan_writes(
    planned: PlannedDocuments, stored: StoredDocuments, differing: Sequence[Difference]
) -> tuple[Write, ...]:
    """Return the writes that make the `differing` stored documents the planned ones, in their order.

    `planned` bears the raised serial, for which the other document is written too. A set that grows, and a first one, is
    written before the discovery document, so that the discovery document never exists without the keys it names. A set
    that shrinks is written after the discovery document.
    """
    reasons = {difference.path: difference.reason for difference in differing}
    jwks = _write(planned.jwks_path, planned.jwks, stored.jwks, reasons)
    discovery = _write(DISCOVERY_PATH, planned.discovery, stored.discovery, reasons)
    writes = tuple(write for write in (jwks, discovery) if write is not None)
    return writes[::-1] if _shrinks(planned, stored) else writes


def _write(
    path: str, document: Document, stored: StoredDocument | None, reasons: Mapping[str, WriteReason]
) -> Write | None:
    reason = reasons.get(path)
    if reason is None and stored is not None and own_metadata(stored.document.metadata) == document.metadata:
        return None
    return Write(path, document, stored.version if stored else None, reason or WriteReason.SERIAL_RAISED)


def _why_jwks(planned: PlannedDocuments, stored: StoredDocuments) -> WriteReason | None:
    reason = _why(planned.jwks, stored.jwks)
    if reason is WriteReason.CONTENT_CHANGED and frozenset(stored.keys) != frozenset(planned.keys):
        return WriteReason.KEYS_CHANGED
    return reason


def _why_discovery(planned: PlannedDocuments, stored: StoredDocuments) -> WriteReason | None:
    reason = _why(planned.discovery, stored.discovery)
    if reason is WriteReason.CONTENT_CHANGED and _algorithms(stored) != _planned_algorithms(planned):
        return WriteReason.ALGORITHMS_CHANGED
    return reason


def _why(planned: Document, stored: StoredDocument | None) -> WriteReason | None:
    """Compare everything that a reader sees, and the owner mark. Metadata of others is not compared."""
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
    if not says_the_same(found.metadata, planned.metadata):
        return WriteReason.MARK_CHANGED
    return None


def _shrinks(planned: PlannedDocuments, stored: StoredDocuments) -> bool:
    """Tell whether both documents exist and keys only leave; a set that cannot be read counts as growing."""
    if stored.discovery is None or stored.jwks is None or stored.jwks.document.body == planned.jwks.body:
        return False
    return frozenset(stored.keys) > frozenset(planned.keys)


def _algorithms(stored: StoredDocuments) -> frozenset[str] | None:
    content = stored.discovery_content
    return frozenset(content.algorithms) if isinstance(content, Discovery) else None


def _planned_algorithms(planned: PlannedDocuments) -> frozenset[str]:
    return advertised(key.algorithm for key in planned.keys)
