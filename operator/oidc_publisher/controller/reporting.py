"""From what the steps returned to the summary of a pass. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from oidc_publisher.api import StatusPublication
from oidc_publisher.controller.context import IssuerContext
from oidc_publisher.controller.proving import Proof
from oidc_publisher.controller.reading import Readings
from oidc_publisher.controller.summary import Served, Summary
from oidc_publisher.documents import digest
from oidc_publisher.findings import ConditionType, Finding
from oidc_publisher.rotation import Advance, Ledger

_UNVERIFIED = "The served key set could not be read, so no token was verified against it."
_UNMINTED = "No token was minted in this pass"
_UNREAD = "Not every key source could be read in this pass."


def summarise_pass(
    context: IssuerContext,
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
    if not kept_from and plan.publish:
        achieved[ConditionType.PUBLISHED] = f"{_count(len(plan.publish), 'key')} at {context.store.location}."
    if proof.judgement.achieved:
        achieved[ConditionType.SERVED] = proof.judgement.achieved
    if readings.endpoints and set(proof.accepted) == set(readings.endpoints):
        servers = _count(len(proof.accepted), "API server")
        achieved[ConditionType.TOKEN_ACCEPTED] = (
            f"A fresh token of {servers} verifies with the served keys and is accepted."
        )
    return Summary(
        findings=(*readings.findings, *plan.findings, *kept_from, *proof.findings),
        achieved=achieved,
        skipped=skipped,
        ledger=ledger,
        publication=publication,
        served=Served(proof.judgement.issuer_url, proof.judgement.jwks_uri),
        may_sign=plan.may_sign,
    )


def publication_of(
    known: StatusPublication | None,
    context: IssuerContext,
    plan: Advance,
    ledger: Ledger,
    readings: Readings,
    *,
    ours: bool,
    changed_at: datetime | None,
) -> StatusPublication | None:
    """status.publication after a pass: what the store holds now, where it could be read and is ours."""
    stored = readings.stored
    if not ours or stored.error is not None or stored.jwks is None:
        return known
    return StatusPublication(
        location=context.store.location,
        key_count=len(plan.publish),
        jwks_digest=ledger.jwks_digest or digest(stored.jwks.document.body),
        discovery_digest=digest(stored.discovery.document.body) if stored.discovery else None,
        serial=ledger.serial,
        last_change_time=changed_at or (known.last_change_time if known else None),
    )


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
