"""The summary of all steps becomes the status. Pure; no other module writes conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oidc_publisher.api import (
    OIDCIssuer,
    OIDCIssuerStatus,
    StatusCondition,
    StatusPublication,
)
from oidc_publisher.findings import (
    CONDITION_ORDER,
    MAX_SENTENCE,
    Condition,
    ConditionStatus,
    ConditionType,
    Facts,
    Finding,
    Reason,
    clipped,
    conditions,
    refused_conditions,
    sorted_findings,
)
from oidc_publisher.reconcile.status.findings import read_findings, status_findings
from oidc_publisher.reconcile.status.ledger import keys_of, ledger_of
from oidc_publisher.rotation import Advance, Ledger, coarse, coarse_phase, signing_key_ids, whole_second


@dataclass(frozen=True, slots=True)
class ServedNames:
    """ServedNames are the issuer and the jwks_uri that the served discovery document names, None where it was not read."""

    issuer_url: str | None = None
    jwks_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary holds what the steps of one pass found.

    `ledger` is None where no pass was made (suspended, `deleted`, a spec that cannot be worked on). The ledger and the publication in
    the status then stay as they are. `instant` is that of the readings, from which the ledger has its times.
    """

    findings: tuple[Finding, ...] = ()
    achieved: Mapping[ConditionType, str] = field(default_factory=dict)
    skipped: Mapping[ConditionType, str] = field(default_factory=dict)
    ledger: Ledger | None = None
    publication: StatusPublication | None = None
    served: ServedNames = ServedNames()
    may_sign: bool | None = None
    instant: datetime | None = None
    deleted: bool = False


def summarise(issuer: OIDCIssuer, summary: Summary, now: datetime) -> OIDCIssuerStatus:
    """Return the status of `issuer` after a pass; equal findings and facts give an equal status."""
    known = issuer.status
    found = sorted_findings(summary.findings)
    settled = conditions(found, _facts(issuer, summary, now))
    status = known.model_copy(
        update={
            "observed_generation": issuer.metadata.generation,
            "last_handled_reconcile_at": issuer.reconcile_requested_at or known.last_handled_reconcile_at,
            "conditions": tuple(_condition(condition) for condition in settled),
            "findings": status_findings(found, known.findings, now),
            "issuer_url": summary.served.issuer_url or known.issuer_url,
            "jwks_uri": summary.served.jwks_uri or known.jwks_uri,
            "publication": summary.publication or known.publication,
            "last_proven_time": _last_proven(settled, issuer, summary.instant or now),
        }
    )
    return status if summary.ledger is None else with_ledger(status, summary.ledger)


def refused(
    known: OIDCIssuerStatus, refusal: Finding, *, generation: int, mints: bool, now: datetime
) -> OIDCIssuerStatus:
    """Return the status of an object that cannot be read; `known` is the object's former status."""
    facts = Facts(generation, now, timedelta(0), mints=mints, previous=tuple(_read_conditions(known.conditions)))
    return known.model_copy(
        update={
            "observed_generation": generation,
            "conditions": tuple(_condition(condition) for condition in refused_conditions(refusal, facts)),
            "findings": status_findings((refusal,), known.findings, now),
        }
    )


def with_ledger(status: OIDCIssuerStatus, ledger: Ledger) -> OIDCIssuerStatus:
    """Return the status with another ledger."""
    return status.model_copy(
        update={
            "keys": keys_of(ledger),
            "ledger": ledger_of(ledger),
            "signing_key_ids": tuple(sorted(signing_key_ids(ledger))),
        }
    )


def with_plan(status: OIDCIssuerStatus, issuer: OIDCIssuer, plan: Advance, now: datetime) -> OIDCIssuerStatus:
    """Return the status with the findings of the plan and its SafeToSign; what the other steps found stays.

    A ledger that is saved in mid-pass never stands beside an old permission, nor without the warning that belongs to the
    new one.
    """
    kind = ConditionType.SAFE_TO_SIGN
    said = {kind: plan.permission} if plan.permission else {}
    facts = _facts(issuer, Summary(achieved=said, skipped=said, may_sign=plan.may_sign), now)
    safe = next(c for c in conditions(plan.findings, facts) if c.type is kind)
    others = [c for c in status.conditions if c.type != kind]
    kept = (f for f in read_findings(status.findings) if f.condition is not kind)
    found = sorted_findings((*kept, *(f for f in plan.findings if f.condition is kind)))
    return status.model_copy(
        update={
            "conditions": (*others, _condition(safe)),
            "findings": status_findings(found, status.findings, now),
        }
    )


def mints_tokens(issuer: OIDCIssuer) -> bool:
    """Tell whether the issuer has an apiServer source, whose API servers mint tokens."""
    return any(source.api_server is not None for source in issuer.spec.key_sources)


def _facts(issuer: OIDCIssuer, summary: Summary, now: datetime) -> Facts:
    return Facts(
        generation=issuer.metadata.generation,
        now=now,
        interval=issuer.spec.interval,
        mints=mints_tokens(issuer),
        may_sign=summary.may_sign,
        suspended=issuer.spec.suspend,
        deleted=summary.deleted,
        achieved=summary.achieved,
        skipped=summary.skipped,
        previous=tuple(_read_conditions(issuer.status.conditions)),
    )


def _read_conditions(known: Iterable[StatusCondition]) -> Iterable[Condition]:
    """Return our conditions as an earlier pass left them, without conditions that somebody else wrote."""
    for condition in known:
        try:
            kind, reason = ConditionType(condition.type), Reason(condition.reason)
        except ValueError:
            continue
        if reason is Reason.WaitingForOperator:
            continue  # the CRD's default for a new object: no pass has written the condition
        yield Condition(
            kind,
            ConditionStatus(condition.status),
            reason,
            condition.message,
            condition.observed_generation or 0,
            condition.last_transition_time,
        )


def _condition(condition: Condition) -> StatusCondition:
    return StatusCondition(
        type=str(condition.type),
        status=condition.status.value,
        observed_generation=condition.observed_generation,
        last_transition_time=condition.last_transition_time,
        reason=str(condition.reason),
        message=clipped(condition.message, MAX_SENTENCE),
    )


def _last_proven(settled: tuple[Condition, ...], issuer: OIDCIssuer, instant: datetime) -> datetime | None:
    """Return when everything was last proven.

    The time is exact where the issuer becomes proven in this pass, else at most one coarse period old.
    """
    known = issuer.status.last_proven_time
    if any(c.status is not ConditionStatus.TRUE for c in settled if c.type in CONDITION_ORDER):
        return known
    was_ready = any(c.type == ConditionType.READY and c.status == "True" for c in issuer.status.conditions)
    same_generation = issuer.status.observed_generation == issuer.metadata.generation
    # This time is rounded down, because kubectl prints <invalid> for a time that lies ahead; the ledger's times are rounded
    # up. Both ask in the same way whether a new period has begun: otherwise, in the second between, each would cost a PATCH.
    known_up = known + timedelta(seconds=1) if known and was_ready and same_generation else None
    present = coarse(known_up, whole_second(instant), coarse_phase(issuer.metadata.uid))
    return known if present == known_up else instant.replace(microsecond=0)
