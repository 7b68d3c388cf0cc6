"""The change of every key that the plan makes, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from oidc_publisher.api import format_duration
from oidc_publisher.cli.text.times import both
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation import Advance, LedgerKey, Policy, signing_key_ids, state

_WAITS_FOR_ROOM = "waits until another key leaves: 100 of one type are published at most"
_WITHDRAWN = "is withdrawn (rotation.withdrawnKeyIDs)"


class Change(StrEnum):
    """The kinds of change, for keys inside the published set and outside."""

    ENTERS = "enters"
    STAYS = "stays"
    LEAVES = "leaves"
    WAITS = "waits"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key of the ledger, or a stored key that the ledger does not know."""

    key_id: str
    change: Change
    version: str
    algorithm: str
    state: str
    listed_by: tuple[str, ...]
    signed_by: tuple[str, ...]
    sentence: str
    safe_since_time: datetime | None = None
    safe_to_sign_time: datetime | None = None
    retire_time: datetime | None = None


def key_changes(plan: Advance, stored: Iterable[PublicKey], policy: Policy, now: datetime) -> tuple[KeyChange, ...]:
    """Return the change of every key: those of the ledger, newest first, then stored keys that the ledger does not know."""
    held = tuple(stored)
    known = {entry.key for entry in plan.ledger.keys}
    strangers = tuple(_stranger(key) for key in held if key not in known)
    return (*(_known(entry, plan, held, policy, now) for entry in plan.ledger.keys), *strangers)


def _known(entry: LedgerKey, plan: Advance, stored: tuple[PublicKey, ...], policy: Policy, now: datetime) -> KeyChange:
    change = _change(entry.key in plan.publish, entry.key in stored)
    signs = signing_key_ids(plan.ledger)
    return KeyChange(
        key_id=entry.key_id,
        change=change,
        version=str(entry.version),
        algorithm=entry.key.algorithm,
        state=state(entry, signs).value,
        listed_by=_listed_by(entry),
        signed_by=tuple(
            e.address for e in plan.ledger.endpoints if e.key_id == entry.key_id and e.gone_since_time is None
        ),
        sentence="; ".join(_facts(entry, change, signs=entry.key_id in signs, policy=policy, now=now)),
        safe_since_time=entry.safe_since_time,
        safe_to_sign_time=entry.safe_to_sign_time if entry.safe_since_time is None else None,
        retire_time=entry.retire_time,
    )


def _stranger(key: PublicKey) -> KeyChange:
    sentence = "nothing knows it: no source lists it and it is not in the ledger"
    return KeyChange(key.key_id, Change.LEAVES, "", key.algorithm, "", (), (), sentence)


def _change(planned: bool, stored: bool) -> Change:  # noqa: FBT001 - private, beside its only caller
    if planned:
        return Change.STAYS if stored else Change.ENTERS
    return Change.LEAVES if stored else Change.WAITS


def _listed_by(entry: LedgerKey) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{o.source}:{o.entry}" if o.entry else o.source for o in entry.origins))


def _facts(entry: LedgerKey, change: Change, *, signs: bool, policy: Policy, now: datetime) -> Iterator[str]:
    withdrawn = entry.key_id in policy.withdrawn_key_ids
    if entry.origins:
        yield f"listed by {', '.join(_listed_by(entry))}"
    if withdrawn:
        last = change in (Change.STAYS, Change.ENTERS)
        yield f"{_WITHDRAWN}, but it is the last key" if last else _WITHDRAWN
    if signs:
        yield "an API server signs with it"
    if entry.unused_since_time is not None and entry.retire_time is not None:
        yield _leaving(entry, change, now)
    elif change in (Change.STAYS, Change.ENTERS):
        yield _safe(entry, policy, now)
    elif not withdrawn and change is Change.WAITS:
        yield _WAITS_FOR_ROOM


def _leaving(entry: LedgerKey, change: Change, now: datetime) -> str:
    unused = f"nothing uses it since {both(entry.unused_since_time or now, now)}"
    if change is Change.LEAVES:
        return f"{unused}, and every token signed with it has expired"
    if entry.leaving:
        return f"{unused}; it leaves with the write after this one, for a write that adds a key removes none"
    return f"{unused}; may leave at {both(entry.retire_time or now, now)}"


def _safe(entry: LedgerKey, policy: Policy, now: datetime) -> str:
    """Say when the cluster may sign with the key (R3)."""
    if entry.unlisted_by:
        return f"not safe to sign with while API server {', '.join(entry.unlisted_by)} does not list it"
    if entry.safe_since_time is not None:
        return f"safe to sign with since {both(entry.safe_since_time, now)}"
    if entry.safe_to_sign_time is not None and entry.safe_to_sign_time > now:
        return f"safe to sign with from {both(entry.safe_to_sign_time, now)}"
    if entry.safe_to_sign_time is not None or entry.founding or entry.baseline:
        return "safe to sign with as soon as the public URL shows it"
    wait = format_duration(policy.pre_publish_period + entry.stale_age + policy.clock_skew)
    return f"safe to sign with {wait} after the public URL shows it"
