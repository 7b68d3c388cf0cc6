"""Simulate locations: buckets that spec.store may name, another owner's documents in them, and a judge of writes.

Another owner's documents hold keys of that owner (`theirs`), whose tokens live for a day after the last write of the
owner.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from oidc_publisher.api import Adoption, OIDCIssuerSpec
from oidc_publisher.documents import DISCOVERY_PATH, Document, OwnerMark, plan_documents
from oidc_publisher.keys import PublicKey
from tests.simulation.operatorprocess import OWNER
from tests.simulation.oracle import ViolationError
from tests.simulation.publicface import JWKS_PATH, Bucket

#: The lifetime that counts where a mark states none.
STRANGERS_LIFETIME = timedelta(hours=24)
_ANOTHER = "11111111-0000-4000-8000-000000000000/another"


def leave_documents(
    bucket: Bucket, spec: OIDCIssuerSpec, keys: tuple[PublicKey, ...], now: datetime, *, signed: bool, fitting: bool
) -> None:
    """Put another writer's documents into the bucket: with another owner's mark, or without one where not `signed`.

    Where they are not `fitting`, they name another issuer, with a slash at its end.
    """
    mark = OwnerMark(_ANOTHER, 7, STRANGERS_LIFETIME, spec.cache_max_age, "another-7")
    issuer = spec.issuer_url if fitting else f"{spec.issuer_url}/"
    made = plan_documents(issuer, spec.jwks_path, keys, cache_max_age=spec.cache_max_age, mark=mark)
    for path, document in ((JWKS_PATH, made.jwks), (DISCOVERY_PATH, made.discovery)):
        metadata = document.metadata if signed else {}
        bare = Document(document.body, document.content_type, document.cache_control, metadata)
        bucket.overwrite(path, bare, now)
    bucket.fits = fitting


def is_ours(document: Document | None) -> bool:
    """Return whether a document bears the issuer's mark; an absent document counts as the issuer's."""
    if document is None:
        return True
    mark = OwnerMark.read(document.metadata)
    return mark is not None and mark.owner == OWNER


def is_refused(bucket: Bucket, adoption: Adoption) -> bool:
    """Return whether a bucket holds another owner's documents that may not be taken over."""
    if bucket.seized:
        return True
    strange = any(not is_ours(stored.document) for stored in bucket.documents.values())
    permitted = adoption is Adoption.REPLACE or (adoption is Adoption.MERGE and bucket.fits)
    return strange and not bucket.claimed and not permitted


def judge_write(bucket: Bucket, path: str, before: Document | None, adoption: Adoption, now: datetime) -> None:
    """Judge R9: another owner's documents are overwritten only where an admin allowed it, and merged only if they fit.

    The bucket belongs to the operator once both documents do.
    """
    if not (bucket.claimed or is_ours(before)):
        if adoption is Adoption.REFUSE:
            raise ViolationError(f"R9: {path} of another owner was written over at {now}")
        if adoption is Adoption.MERGE and not bucket.fits:
            raise ViolationError(f"R9: {path} of another issuer was merged at {now}")
    documents = [stored.document for stored in bucket.documents.values()]
    bucket.claimed = bucket.claimed or (
        len(documents) == len((JWKS_PATH, DISCOVERY_PATH)) and all(map(is_ours, documents))
    )
