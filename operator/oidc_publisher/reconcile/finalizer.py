"""The finalizer: it holds an object back until its documents are deleted, where deletionPolicy asks for that. Pure."""

from __future__ import annotations

from oidc_publisher.api import DeletionPolicy, OIDCIssuer
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.ownership import Place, former_place

FINALIZER = "oidc-publisher.io/documents"


def finalizers_of(issuer: OIDCIssuer) -> tuple[str, ...]:
    """The finalizers of a living object: ours under deletionPolicy Delete alone, and everybody else's."""
    present = issuer.metadata.finalizers
    if issuer.spec.deletion_policy is not DeletionPolicy.DELETE:
        return without_ours(issuer)
    return present if FINALIZER in present else (*present, FINALIZER)


def without_ours(issuer: OIDCIssuer) -> tuple[str, ...]:
    """The finalizers of others."""
    return tuple(name for name in issuer.metadata.finalizers if name != FINALIZER)


def held_by_us(issuer: OIDCIssuer) -> bool:
    """Whether the object waits for us before it can go."""
    return FINALIZER in issuer.metadata.finalizers


def why_left(issuer: OIDCIssuer) -> str | None:
    """Why a deleted object's documents stay although our finalizer held it, None when they are to be deleted.

    A suspended issuer is one that nobody may touch: its deletion waits for nothing and deletes nothing.
    """
    if issuer.spec.deletion_policy is not DeletionPolicy.DELETE:
        return "spec.deletionPolicy is Retain"
    return "the issuer was suspended when it was deleted" if issuer.spec.suspend else None


def left(where: str, why: str) -> Finding:
    """The event that documents stay."""
    return Finding.of(Reason.DocumentsLeft, f"The documents at {where} are left as they are: {why}", subject=where)


def left_elsewhere(issuer: OIDCIssuer, place: Place) -> tuple[Finding, ...]:
    """The events for documents that were written at other places than the present one."""
    publication = issuer.status.publication
    if publication is None:
        return ()
    noted = (
        (publication.location, publication.endpoint_url),
        (publication.former_location, publication.former_endpoint_url),
    )
    others = (former_place(at, on, place.location) for at, on in noted if at and not place.is_at(at, on))
    return tuple(left(where, "spec.store was changed since they were written") for where in dict.fromkeys(others))
