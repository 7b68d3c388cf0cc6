"""Step five, report, makes the summary of a pass from the results of the other steps. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from oidc_publisher.api import StatusPublication
from oidc_publisher.findings import ConditionType, Finding, Reason, Severity
from oidc_publisher.reconcile.ownership import Stored
from oidc_publisher.reconcile.prove import Proof
from oidc_publisher.reconcile.publish import Published
from oidc_publisher.reconcile.read import Readings
from oidc_publisher.reconcile.status.summary import ServedNames, Summary
from oidc_publisher.rotation import Advance
from oidc_publisher.wording import counted

_UNVERIFIED = "The served key set could not be read, so no token was verified against it."
_UNMINTED = "No token was minted in this pass"
_UNREAD = "Not every key source could be read in this pass."


def summarise_pass(
    done: Published, proof: Proof, problems: tuple[Finding, ...], publication: StatusPublication | None
) -> Summary:
    """Summarise the results of all steps, in the order of the steps. `problems` are those of publishing and of the CDN."""
    plan, stored, readings = done.decision.plan, done.stored, done.readings
    achieved: dict[ConditionType, str] = {}
    skipped: dict[ConditionType, str] = {
        ConditionType.KEYS_READ: _UNREAD,
        ConditionType.TOKEN_ACCEPTED: _why_not_accepted(readings, proof),
    }
    if all(result.reading.complete for result in readings.sources):
        achieved[ConditionType.KEYS_READ] = _keys_read(readings)
    if plan.publish and not any(problem.unknown or problem.severity is Severity.CRITICAL for problem in problems):
        achieved[ConditionType.PUBLISHED] = f"{counted(len(plan.publish), 'key')} at {stored.place.location}."
    if proof.judgement.achieved:
        achieved[ConditionType.SERVED] = proof.judgement.achieved
    if readings.endpoints and set(proof.accepted) == set(readings.endpoints):
        servers = counted(len(proof.accepted), "API server")
        achieved[ConditionType.TOKEN_ACCEPTED] = (
            f"A fresh token of {servers} verifies with the served keys and is accepted."
        )
    if plan.permission:
        # The condition takes one of the two by `may_sign`.
        achieved[ConditionType.SAFE_TO_SIGN] = skipped[ConditionType.SAFE_TO_SIGN] = plan.permission
    return Summary(
        findings=(*readings.findings, *_of_plan(plan, stored), *problems, *proof.findings),
        achieved=achieved,
        skipped=skipped,
        ledger=done.ledger,
        publication=publication,
        served=ServedNames(proof.judgement.issuer_url, proof.judgement.jwks_uri),
        may_sign=plan.may_sign,
        instant=readings.instant,
    )


def _of_plan(plan: Advance, stored: Stored) -> Iterable[Finding]:
    """Return the findings of the plan, without those on retirement where the place is another owner's.

    No key can leave at such a place, and the finding of the place says so.
    """
    if not stored.anothers:
        return plan.findings
    return (f for f in plan.findings if f.reason not in (Reason.RetirementBlocked, Reason.RetirementOverdue))


def _keys_read(readings: Readings) -> str:
    keys = {listing.key for result in readings.sources for listing in result.reading.listings}
    names = ", ".join(result.reading.name for result in readings.sources)
    servers = f" ({counted(len(readings.endpoints), 'API server')})" if readings.endpoints else ""
    return f"{counted(len(keys), 'key')} read from {names}{servers}."


def _why_not_accepted(readings: Readings, proof: Proof) -> str:
    """Return the sentence that says why not every token was accepted although no finding speaks of tokens."""
    if proof.judgement.jwks is None:
        return _UNVERIFIED
    minted = {token.endpoint for token in readings.tokens}
    silent = [endpoint for endpoint in readings.endpoints or () if endpoint not in minted]
    return f"{_UNMINTED} by {', '.join(silent)}." if silent and minted else f"{_UNMINTED}."
