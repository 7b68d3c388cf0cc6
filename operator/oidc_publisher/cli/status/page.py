"""The page of `status` as one value, the same for people and for programs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from oidc_publisher.api import OIDCIssuer, StatusFinding, StatusKey
from oidc_publisher.cli.wait.verdict import SUSPENDED, ProofAge, condition, last_proof
from oidc_publisher.findings import ConditionType, Reason

NEWEST_EVENTS = 10


@dataclass(frozen=True, slots=True)
class ConditionLine:
    """A condition of the status."""

    type: str
    status: str
    reason: str
    message: str
    since_time: datetime


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key of the ledger."""

    key_id: str
    version: str
    algorithm: str
    state: str
    listed_by: tuple[str, ...]
    unlisted_by: tuple[str, ...]
    signed_by: tuple[str, ...]
    served_since_time: datetime | None
    safe_since_time: datetime | None
    safe_to_sign_time: datetime | None
    unused_since_time: datetime | None
    retire_time: datetime | None
    signed_before_safe: bool


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event: what happened, and how often."""

    time: datetime
    type: str
    reason: str
    message: str
    count: int


@dataclass(frozen=True, slots=True)
class KeyDeadline:
    """A time at which the clock alone changes a key, and the change in words."""

    time: datetime
    key_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page.

    `proven` says that the issuer is Ready and nothing speaks against it; `caveats` say why the page may not be true any
    more. `events` is None when the events could not be read, and `events_unread` says why.
    """

    name: str
    issuer_url: str
    proven: bool
    ready: ConditionLine | None
    last_proven_time: datetime | None
    location: str
    key_count: int | None
    last_change_time: datetime | None
    caveats: tuple[str, ...]
    conditions: tuple[ConditionLine, ...]
    findings: tuple[StatusFinding, ...]
    keys: tuple[KeyLine, ...]
    next_deadline: KeyDeadline | None
    events: tuple[EventLine, ...] | None
    events_unread: str


def page_of(
    issuer: OIDCIssuer, events: Iterable[Mapping[str, Any]] | None, now: datetime, *, events_unread: str = ""
) -> Page:
    """Make the page of `issuer` at the instant `now`."""
    status = issuer.status
    lines = tuple(
        ConditionLine(c.type, c.status, c.reason, c.message, c.last_transition_time) for c in status.conditions
    )
    ready = next((line for line in lines if line.type == ConditionType.READY), None)
    caveats = tuple(_caveats(issuer, now))
    publication = status.publication
    return Page(
        name=issuer.metadata.name,
        issuer_url=issuer.spec.issuer_url,
        proven=ready is not None and ready.status == "True" and not caveats,
        ready=ready,
        last_proven_time=status.last_proven_time,
        location=(publication.location or "") if publication else "",
        key_count=publication.key_count if publication else None,
        last_change_time=publication.last_change_time if publication else None,
        caveats=caveats,
        conditions=lines,
        findings=status.findings,
        keys=tuple(_key(key, issuer) for key in status.keys),
        next_deadline=_next_deadline(status.keys, now),
        events=None if events is None else _newest(events),
        events_unread=events_unread,
    )


def _caveats(issuer: OIDCIssuer, now: datetime) -> Iterator[str]:
    if issuer.metadata.deletion_timestamp is not None:
        yield "This object is being deleted."
    if issuer.spec.suspend:
        yield f"Suspended: {SUSPENDED}"
        return
    ready = condition(issuer, ConditionType.READY)
    if ready is None or ready.reason == Reason.WaitingForOperator:
        yield "No operator has looked at this object yet. Is one running?"
        return
    if issuer.status.observed_generation != issuer.metadata.generation:
        yield "The operator has not seen the latest change of this object: what follows is about the one before."
    if ready.status != "True":
        return
    proof = last_proof(issuer, now)
    if proof is ProofAge.AHEAD:
        yield "The last proof lies ahead: a clock is wrong, of the operator or of this machine. What follows may not be true any more."
    if proof is ProofAge.OLD:
        yield "The last proof is too old for an operator that runs. What follows may not be true any more."


def _key(key: StatusKey, issuer: OIDCIssuer) -> KeyLine:
    endpoints = issuer.status.ledger.endpoints if issuer.status.ledger else ()
    return KeyLine(
        key_id=key.key_id,
        version=key.version or "",
        algorithm=key.algorithm or "",
        state=key.state or "",
        listed_by=tuple(dict.fromkeys(f"{o.source}:{o.entry}" if o.entry else o.source for o in key.origins)),
        unlisted_by=key.unlisted_by,
        signed_by=tuple(e.address for e in endpoints if e.key_id == key.key_id and e.gone_since_time is None),
        served_since_time=key.served_since_time,
        safe_since_time=key.safe_since_time,
        safe_to_sign_time=key.safe_to_sign_time if key.safe_since_time is None else None,
        unused_since_time=key.unused_since_time,
        retire_time=key.retire_time,
        signed_before_safe=bool(key.signed_before_safe),
    )


def _next_deadline(keys: Iterable[StatusKey], now: datetime) -> KeyDeadline | None:
    """Find the earliest future time at which a key becomes safe or may leave, None without one."""
    ahead = [
        KeyDeadline(time, key.key_id, what)
        for key in keys
        for time, what in (
            (key.safe_to_sign_time if key.safe_since_time is None else None, "is expected to be safe to sign with"),
            (key.retire_time, "may leave the published set"),
        )
        if time is not None and time > now
    ]
    return min(ahead, key=lambda deadline: deadline.time, default=None)


def _newest(events: Iterable[Mapping[str, Any]]) -> tuple[EventLine, ...]:
    lines = [line for event in events if (line := _event(event)) is not None]
    return tuple(sorted(lines, key=lambda line: line.time, reverse=True)[:NEWEST_EVENTS])


def _event(event: Mapping[str, Any]) -> EventLine | None:
    """Make the line of an event of events.k8s.io/v1, None for an event without a time."""
    series = event.get("series") or {}
    stated = (
        series.get("lastObservedTime")
        or event.get("deprecatedLastTimestamp")
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
    )
    try:
        time = datetime.fromisoformat(re.sub(r"Z$", "+00:00", str(stated))).astimezone(UTC)
    except ValueError:
        return None
    count = series.get("count") or event.get("deprecatedCount") or 1
    kind, reason, note = (str(event.get(member) or "") for member in ("type", "reason", "note"))
    return EventLine(time.replace(microsecond=0), kind, reason, note, int(count))
