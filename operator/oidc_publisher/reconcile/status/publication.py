"""status.publication says which documents are stored where, and notes the move from one place to another. Pure."""

from __future__ import annotations

from datetime import datetime

from oidc_publisher.api import OIDCIssuerStatus, StatusPublication
from oidc_publisher.documents import digest
from oidc_publisher.findings import ConditionType, Finding, Reason
from oidc_publisher.reconcile.ownership import Standing, Stored, former_place
from oidc_publisher.rotation import Advance, Ledger


def saved_publication(known: StatusPublication | None, ledger: Ledger) -> StatusPublication:
    """Return status.publication with the ledger's serial and digest; the members on documents and places stay."""
    update = {"serial": ledger.serial, "jwks_digest": ledger.jwks_digest}
    return (known or StatusPublication()).model_copy(update=update)


def publication_of(
    known: StatusPublication | None,
    stored: Stored,
    plan: Advance,
    ledger: Ledger,
    *,
    changed_at: datetime | None,
) -> StatusPublication | None:
    """Return status.publication after a pass; the members on documents change where the documents were read and are ours."""
    known = saved_publication(known, ledger) if known or ledger.serial else None
    place, documents = stored.place, stored.documents
    ours = place.known and stored.standing is Standing.OURS
    if not ours or documents.error is not None or documents.jwks is None:
        return known
    known = known or StatusPublication()
    moved = known.location is not None and not place.is_at(known.location, known.endpoint_url)
    return StatusPublication(
        location=place.location,
        endpoint_url=place.endpoint_url,
        key_count=len(plan.publish),
        jwks_digest=ledger.jwks_digest or digest(documents.jwks.document.body),
        discovery_digest=digest(documents.discovery.document.body) if documents.discovery else None,
        serial=ledger.serial,
        last_change_time=changed_at or known.last_change_time,
        former_location=known.location if moved else known.former_location,
        former_endpoint_url=known.endpoint_url if moved else known.former_endpoint_url,
        moved_time=None if moved else known.moved_time,
    )


def move_noted(status: OIDCIssuerStatus, now: datetime) -> tuple[OIDCIssuerStatus, tuple[Finding, ...]]:
    """Note a move once the documents are published and served at their new place; return the status and the event.

    Before that no event speaks of the former place, because the documents there are what people still have.
    """
    publication = status.publication
    if publication is None or publication.former_location is None or publication.moved_time is not None:
        return status, ()
    good = {condition.type for condition in status.conditions if condition.status == "True"}
    if not {ConditionType.PUBLISHED, ConditionType.SERVED} <= good:
        return status, ()
    former = former_place(publication.former_location, publication.former_endpoint_url, publication.location)
    message = f"{publication.location} is published and served; the documents at {former} are left as they are"
    moved = publication.model_copy(update={"moved_time": now})
    return status.model_copy(update={"publication": moved}), (Finding.of(Reason.StoreChanged, message),)
