"""Step two, plan: what is stored and seen as the rules take it, whose documents they are, and what to store. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from oidc_publisher.api import OIDCIssuerSpec
from oidc_publisher.documents import (
    OwnerMark,
    PlannedDocuments,
    StoredDocument,
    digest,
    plan_documents,
    read_jwks_document,
)
from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import Ledger, Policy, StoredReading, StoreState


def policy_of(spec: OIDCIssuerSpec) -> Policy:
    """The settings that the rules of rotation use."""
    return Policy(
        pre_publish_period=spec.rotation.pre_publish_period,
        max_token_lifetime=spec.rotation.max_token_lifetime,
        clock_skew=spec.rotation.clock_skew,
        cache_max_age=spec.cache_max_age,
        withdrawn_key_ids=frozenset(spec.rotation.withdrawn_key_ids),
    )


def stored_reading(jwks: StoredDocument | None, *, owner: str) -> StoredReading:
    """The stored key set as the rules take it; bytes that are no key set hold no keys."""
    if jwks is None:
        return StoredReading(StoreState.ABSENT)
    try:
        keys: tuple[PublicKey, ...] = read_jwks_document(jwks.document.body).keys
    except DocumentInvalidError:
        keys = ()
    mark = OwnerMark.read(jwks.document.metadata)
    return StoredReading(
        StoreState.PRESENT,
        keys=keys,
        digest=digest(jwks.document.body),
        ours=mark is not None and mark.owner == owner,
        serial=mark.serial if mark else 0,
        token_lifetime=mark.token_lifetime if mark else None,
        stale_age=mark.stale_age if mark else None,
        last_modified=jwks.last_modified,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the documents go: the place, and whether we have written there before."""

    location: str
    owner: str
    known: bool


def foreign_owner(place: Place, discovery: StoredDocument | None, jwks: StoredDocument | None) -> Finding | None:
    """Why nothing may be written here, None when we may (R9).

    Before our first write to a place any document that is not ours is foreign. After it a document without a mark is
    drift, and another owner's mark means that somebody took the place over.
    """
    for document in (jwks, discovery):
        mark = OwnerMark.read(document.document.metadata) if document else None
        if document is None or (mark is not None and mark.owner == place.owner):
            continue
        if place.known and mark is not None:
            message = f"{place.location} now belongs to {mark.owner}"
            return Finding.of(Reason.OwnershipLost, message, subject=place.location)
        if not place.known:
            owner = mark.owner if mark else "none"
            message = f"{place.location} holds documents that this issuer did not write (owner: {owner})"
            return Finding.of(Reason.DocumentsNotOurs, message, subject=place.location)
    return None


def documents_for(spec: OIDCIssuerSpec, ledger: Ledger, keys: tuple[PublicKey, ...], *, owner: str) -> PlannedDocuments:
    """Both documents for `keys` under the ledger's serial and the longest times of the published keys (R9)."""
    published = [entry for entry in ledger.keys if entry.key in keys]
    mark = OwnerMark(
        owner=owner,
        serial=ledger.serial,
        token_lifetime=max(entry.token_lifetime for entry in published),
        stale_age=max(entry.stale_age for entry in published),
    )
    return plan_documents(spec.issuer_url, spec.jwks_path, keys, cache_max_age=spec.cache_max_age, mark=mark)
