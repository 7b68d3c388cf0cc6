"""The conditions of an OIDCIssuer follow from its findings. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue import CATALOGUE, CONDITION_ORDER, ConditionType, Reason, Severity
from oidc_publisher.findings.finding import Finding, condition_message, most_important
from oidc_publisher.harmless import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Ready follows a condition that was Unknown for this many intervals; until then the last True stays.
UNKNOWN_INTERVALS = 3


class ConditionStatus(StrEnum):
    """The status of a condition, as the Kubernetes API writes it."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """A standard Kubernetes condition; the time is aware UTC in whole seconds, the message is harmless."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str
    observed_generation: int
    last_transition_time: datetime

    def __post_init__(self) -> None:
        """Make the message harmless, because sentences about achievements name key IDs and places."""
        object.__setattr__(self, "message", harmless(self.message))


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts hold what the conditions follow from beside the findings.

    `achieved` says in a sentence what a step found good, and `skipped` why a step was not run; every condition of
    CONDITION_ORDER that applies is in one of them or has a finding. `may_sign` is whether every listed key may sign
    now, None when that is not known. `deleted`: the object is being deleted, and no pass is made any more. `mints` is whether the issuer has an apiServer source.
    """

    generation: int
    now: datetime
    interval: timedelta
    mints: bool = True
    may_sign: bool | None = None
    suspended: bool = False
    deleted: bool = False
    achieved: Mapping[ConditionType, str] = field(default_factory=dict)
    skipped: Mapping[ConditionType, str] = field(default_factory=dict)
    previous: Sequence[Condition] = ()


def conditions(findings: Iterable[Finding], facts: Facts) -> tuple[Condition, ...]:
    """Return the conditions of an object in the order Ready, causes, SafeToSign, then Reconciling or Stalled."""
    found = tuple(findings)
    before = {c.type: c for c in facts.previous}
    if facts.deleted or facts.suspended:
        return _at_rest(Reason.BeingDeleted if facts.deleted else Reason.Suspended, facts, before)
    causes = [
        _settled(_cause(kind, found, facts), before)
        for kind in CONDITION_ORDER
        if facts.mints or kind is not ConditionType.TOKEN_ACCEPTED
    ]
    safe = _settled(_safe_to_sign(found, facts), before)
    ready = _settled(_ready(causes, found, facts, before), before)
    return (ready, *causes, safe, *_settled_progress(ready, found, facts, before))


def refused_conditions(refusal: Finding, facts: Facts) -> tuple[Condition, ...]:
    """Return the conditions of an object that cannot be read: Ready is False, Stalled is True, the others are Unknown."""
    before = {c.type: c for c in facts.previous}
    ready = _told(ConditionType.READY, ConditionStatus.FALSE, refusal, facts)
    steps = [
        _told(kind, ConditionStatus.UNKNOWN, refusal, facts)
        for kind in (*CONDITION_ORDER, ConditionType.SAFE_TO_SIGN)
        if facts.mints or kind is not ConditionType.TOKEN_ACCEPTED
    ]
    stalled = _told(ConditionType.STALLED, ConditionStatus.TRUE, refusal, facts)
    return tuple(_settled(c, before) for c in (ready, *steps, stalled))


def _at_rest(why: Reason, facts: Facts, before: Mapping[ConditionType, Condition]) -> tuple[Condition, ...]:
    entry = CATALOGUE[why]
    ready = _make(ConditionType.READY, ConditionStatus.UNKNOWN, why, f"{entry.meaning} {entry.hint}", facts)
    # An old proof is no proof, so the last results of the steps are not repeated as if they still held.
    steps = [
        _make(kind, ConditionStatus.UNKNOWN, why, entry.meaning, facts)
        for kind in (*CONDITION_ORDER, ConditionType.SAFE_TO_SIGN)
        if facts.mints or kind is not ConditionType.TOKEN_ACCEPTED
    ]
    return tuple(_settled(c, before) for c in (ready, *steps))


def _cause(kind: ConditionType, findings: Sequence[Finding], facts: Facts) -> Condition:
    broken = _broken(kind, findings, facts)
    if broken is not None:
        return broken
    if kind in facts.achieved:
        return _make(kind, ConditionStatus.TRUE, Reason.Succeeded, facts.achieved[kind], facts)
    message = facts.skipped.get(kind, CATALOGUE[Reason.Progressing].meaning)
    return _make(kind, ConditionStatus.UNKNOWN, Reason.Progressing, message, facts)


def _safe_to_sign(findings: Sequence[Finding], facts: Facts) -> Condition:
    kind = ConditionType.SAFE_TO_SIGN
    broken = _broken(kind, findings, facts)
    if broken is not None:
        return broken
    if facts.may_sign is None:
        return _make(
            kind,
            ConditionStatus.UNKNOWN,
            Reason.Progressing,
            facts.skipped.get(kind, CATALOGUE[Reason.Progressing].meaning),
            facts,
        )
    if facts.may_sign:
        return _make(
            kind, ConditionStatus.TRUE, Reason.Succeeded, facts.achieved.get(kind, "Every listed key may sign."), facts
        )
    for reason in (Reason.KeyUnlistedSomewhere, Reason.PrePublishing, Reason.KeyWithdrawn):
        keeps = most_important(f for f in findings if f.reason is reason)
        if keeps is not None:
            return _told(kind, ConditionStatus.FALSE, keeps, facts)
    entry = CATALOGUE[Reason.PrePublishing]
    message = f"{facts.skipped.get(kind, entry.meaning)} {entry.hint}"
    return _make(kind, ConditionStatus.FALSE, Reason.PrePublishing, message, facts)


def _ready(
    causes: Sequence[Condition], findings: Sequence[Finding], facts: Facts, before: Mapping[ConditionType, Condition]
) -> Condition:
    kind = ConditionType.READY
    own = most_important(f for f in findings if f.condition is kind)
    if own is not None and own.severity is Severity.CRITICAL:
        status = ConditionStatus.UNKNOWN if own.unknown else ConditionStatus.FALSE
        return _told(kind, status, own, facts)
    for condition in causes:
        if condition.status is ConditionStatus.FALSE:
            return _make(kind, ConditionStatus.FALSE, condition.reason, condition.message, facts)
    unknown = [c for c in causes if c.status is ConditionStatus.UNKNOWN]
    if not unknown:
        return _proven(facts)
    last = before.get(kind)
    held = last is not None and last.status is ConditionStatus.TRUE and last.observed_generation == facts.generation
    patience = facts.interval * UNKNOWN_INTERVALS
    if last is not None and held and all(facts.now - c.last_transition_time < patience for c in unknown):
        return last
    return _make(kind, ConditionStatus.UNKNOWN, unknown[0].reason, unknown[0].message, facts)


def _proven(facts: Facts) -> Condition:
    reason = Reason.Proven if facts.mints else Reason.ProvenWithoutToken
    message = facts.achieved.get(ConditionType.READY, CATALOGUE[reason].meaning)
    return _make(ConditionType.READY, ConditionStatus.TRUE, reason, message, facts)


def _settled_progress(
    ready: Condition, findings: Sequence[Finding], facts: Facts, before: Mapping[ConditionType, Condition]
) -> tuple[Condition, ...]:
    """Return Reconciling or Stalled, which exist only while they are True (kstatus)."""
    if ready.status is ConditionStatus.TRUE:
        return ()
    stalled = ready.status is ConditionStatus.FALSE and any(f.stalled and f.reason is ready.reason for f in findings)
    kind = ConditionType.STALLED if stalled else ConditionType.RECONCILING
    return (_settled(_make(kind, ConditionStatus.TRUE, ready.reason, ready.message, facts), before),)


def _broken(kind: ConditionType, findings: Iterable[Finding], facts: Facts) -> Condition | None:
    """Return the condition where a finding makes it False or Unknown, None where no finding does."""
    worst = most_important(f for f in findings if f.condition is kind)
    if worst is not None and worst.severity is Severity.CRITICAL:
        return _told(kind, ConditionStatus.FALSE, worst, facts)
    if worst is not None and worst.unknown:
        return _told(kind, ConditionStatus.UNKNOWN, worst, facts)
    return None


def _told(kind: ConditionType, status: ConditionStatus, finding: Finding, facts: Facts) -> Condition:
    """Return the condition with the finding's reason, its message, its advice and where its runbook is."""
    message = condition_message(finding.reason, finding.message, finding.advice)
    return _make(kind, status, finding.reason, message, facts)


def _make(kind: ConditionType, status: ConditionStatus, reason: Reason, message: str, facts: Facts) -> Condition:
    return Condition(kind, status, reason, message, facts.generation, facts.now.replace(microsecond=0))


def _settled(condition: Condition, before: Mapping[ConditionType, Condition]) -> Condition:
    """Return the condition with the time of its last change of status, which a change of reason does not move.

    A time ahead, which a clock that was ahead wrote, becomes now (R13): Ready would keep its last True until that time.
    """
    last = before.get(condition.type)
    if last is not None and last.status is condition.status:
        since = min(last.last_transition_time, condition.last_transition_time)
        return replace(condition, last_transition_time=since)
    return condition
