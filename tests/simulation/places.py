"""The places of the simulation: buckets that spec.store may name, what strangers left in them, and the judge of writes to them.

A stranger's documents hold keys of its own (`theirs`), whose tokens live for a day after the place was last written.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from oidc_publisher.api import Adoption, OIDCIssuerSpec
from oidc_publisher.documents import DISCOVERY_PATH, Document, OwnerMark, plan_documents
from oidc_publisher.keys import PublicKey
from tests.simulation.operatorprocess import OWNER
from tests.simulation.oracle import ViolationError
from tests.simulation.publicface import JWKS_PATH, Bucket

#: The API server knows no other: what a mark does not say counts as this.
STRANGERS_LIFETIME = timedelta(hours=24)
_ANOTHER = "11111111-0000-4000-8000-000000000000/another"


def leave_documents(
    bucket: Bucket, spec: OIDCIssuerSpec, keys: tuple[PublicKey, ...], now: datetime, *, signed: bool, fitting: bool
) -> None:
    """Somebody else's documents come into the bucket: another owner's, or nobody's where they are not `signed`.

    Where they are not `fitting`, their issuer is another one: it has a slash at its end.
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
    """Whether a document bears our mark; what is not there is nobody's, and ours to write."""
    if document is None:
        return True
    mark = OwnerMark.read(document.metadata)
    return mark is not None and mark.owner == OWNER


def is_refused(bucket: Bucket, adoption: Adoption) -> bool:
    """Whether strangers' documents stand in a bucket, and nobody has said that they may be taken over, or nobody may."""
    strange = any(not is_ours(stored.document) for stored in bucket.documents.values())
    permitted = adoption is Adoption.REPLACE or (adoption is Adoption.MERGE and bucket.fits)
    return strange and not bucket.claimed and not permitted


def judge_write(bucket: Bucket, path: str, before: Document | None, adoption: Adoption, now: datetime) -> None:
    """R9: what is another's is written over only where an admin said so, and merged only where it is this issuer's.

    Afterwards the bucket is the operator's once both documents are.
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
