"""From what the steps returned to the summary of a pass. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from oidc_publisher.api import OIDCIssuerStatus, StatusPublication
from oidc_publisher.documents import digest
from oidc_publisher.findings import ConditionType, Finding, Reason, Severity
from oidc_publisher.reconcile.ownership import Place, Standing, StoredDocuments, former_place, standing
from oidc_publisher.reconcile.prove import Proof
from oidc_publisher.reconcile.read import Readings
from oidc_publisher.reconcile.status.summary import Served, Summary
from oidc_publisher.rotation import Advance, Ledger

_UNVERIFIED = "The served key set could not be read, so no token was verified against it."
_UNMINTED = "No token was minted in this pass"
_UNREAD = "Not every key source could be read in this pass."


def summarise_pass(
    place: Place,
    plan: Advance,
    ledger: Ledger,
    readings: Readings,
    proof: Proof,
    problems: Iterable[Finding],
    publication: StatusPublication | None,
) -> Summary:
    """What every step found, in the order of the steps. `problems` are those of the publish step."""
    kept_from = tuple(problems)
    achieved: dict[ConditionType, str] = {}
    skipped: dict[ConditionType, str] = {
        ConditionType.KEYS_READ: _UNREAD,
        ConditionType.TOKEN_ACCEPTED: _why_not_accepted(readings, proof),
    }
    if all(result.reading.complete for result in readings.sources):
        achieved[ConditionType.KEYS_READ] = _keys_read(readings)
    if plan.publish and not any(problem.unknown or problem.severity is Severity.CRITICAL for problem in kept_from):
        achieved[ConditionType.PUBLISHED] = f"{_count(len(plan.publish), 'key')} at {place.location}."
    if proof.judgement.achieved:
        achieved[ConditionType.SERVED] = proof.judgement.achieved
    if readings.endpoints and set(proof.accepted) == set(readings.endpoints):
        servers = _count(len(proof.accepted), "API server")
        achieved[ConditionType.TOKEN_ACCEPTED] = (
            f"A fresh token of {servers} verifies with the served keys and is accepted."
        )
    return Summary(
        findings=(*readings.findings, *_of_plan(plan, place, readings), *kept_from, *proof.findings),
        achieved=achieved,
        skipped=skipped,
        ledger=ledger,
        publication=publication,
        served=Served(proof.judgement.issuer_url, proof.judgement.jwks_uri),
        may_sign=plan.may_sign,
        instant=readings.instant,
    )


def saved_publication(known: StatusPublication | None, ledger: Ledger) -> StatusPublication:
    """status.publication with the ledger's serial, and nothing said of what is stored or where."""
    update = {"serial": ledger.serial, "jwks_digest": ledger.jwks_digest}
    return (known or StatusPublication()).model_copy(update=update)


def publication_of(
    known: StatusPublication | None,
    place: Place,
    plan: Advance,
    ledger: Ledger,
    stored: StoredDocuments,
    *,
    changed_at: datetime | None,
) -> StatusPublication | None:
    """status.publication after a pass: what the store holds now, where it could be read and is ours."""
    known = saved_publication(known, ledger) if known or ledger.serial else None
    ours = place.known and standing(place, stored) is Standing.OURS
    if not ours or stored.error is not None or stored.jwks is None:
        return known
    known = known or StatusPublication()
    moved = known.location is not None and not place.is_at(known.location, known.endpoint_url)
    return StatusPublication(
        location=place.location,
        endpoint_url=place.endpoint_url,
        key_count=len(plan.publish),
        jwks_digest=ledger.jwks_digest or digest(stored.jwks.document.body),
        discovery_digest=digest(stored.discovery.document.body) if stored.discovery else None,
        serial=ledger.serial,
        last_change_time=changed_at or known.last_change_time,
        former_location=known.location if moved else known.former_location,
        former_endpoint_url=known.endpoint_url if moved else known.former_endpoint_url,
        moved_time=None if moved else known.moved_time,
    )


def move_noted(status: OIDCIssuerStatus, now: datetime) -> tuple[OIDCIssuerStatus, tuple[Finding, ...]]:
    """The status once documents that moved are published and served at their new place, and the event that says so.

    Before that nothing is said of the former place: whatever goes wrong on the way, it is what people still have.
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


def _of_plan(plan: Advance, place: Place, readings: Readings) -> Iterable[Finding]:
    """The findings of the plan; without those on retirement where nothing can leave, since the place is another's."""
    if readings.stored.error is not None or standing(place, readings.stored) not in (Standing.FOREIGN, Standing.LOST):
        return plan.findings
    return (f for f in plan.findings if f.reason not in (Reason.RetirementBlocked, Reason.RetirementOverdue))


def _keys_read(readings: Readings) -> str:
    keys = {listing.key for result in readings.sources for listing in result.reading.listings}
    names = ", ".join(result.reading.name for result in readings.sources)
    servers = f" ({_count(len(readings.endpoints), 'API server')})" if readings.endpoints else ""
    return f"{_count(len(keys), 'key')} read from {names}{servers}."


def _why_not_accepted(readings: Readings, proof: Proof) -> str:
    """Why no finding speaks of the tokens and yet not every API server's was accepted."""
    if proof.judgement.jwks is None:
        return _UNVERIFIED
    minted = {token.endpoint for token in readings.tokens}
    silent = [endpoint for endpoint in readings.endpoints or () if endpoint not in minted]
    return f"{_UNMINTED} by {', '.join(silent)}." if silent and minted else f"{_UNMINTED}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
