"""Compute the next ledger, the set to publish and the findings of one pass by the rules R1 to R15. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oidc_publisher.api.durations import format_duration
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.rotation.cacheages import believable_age, forget_ages, latest_end, remember_cache_ages
from oidc_publisher.rotation.ledger import CacheAge, Ledger, LedgerKey, replace
from oidc_publisher.rotation.listing import list_keys, note_unlisted, settle_materials
from oidc_publisher.rotation.planfindings import permission, report
from oidc_publisher.rotation.publishedset import order, plan_publication
from oidc_publisher.rotation.rebuild import MAX_NONCES, needs_rebuild, note_writers, rebuild, take_over
from oidc_publisher.rotation.retiring import drop_gone, retire
from oidc_publisher.rotation.serving import note_founding, note_place, note_publication, note_wire, promote
from oidc_publisher.rotation.signing import judge_signatures, note_signatures, remember_endpoints

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import Pass


@dataclass(frozen=True, slots=True)
class Advance:
    """An Advance holds what the rules decide in one pass.

    `publish` is the set to store, newest first; where it is empty, nothing is written. `wake_at` is when the decision
    changes by the clock alone, None when it does not. `events` are reported once, `findings` for as long as they hold.
    `may_sign`: every listed key is safe to sign with now; `permission` is the sentence that names these keys. `more`: the
    write that this plan needs is followed by another one (R6).
    """

    ledger: Ledger
    publish: tuple[PublicKey, ...]
    wake_at: datetime | None
    findings: tuple[Finding, ...]
    events: tuple[Finding, ...]
    may_sign: bool | None
    more: bool = False
    permission: str = ""


def advance(before: Ledger, seen: Pass) -> Advance:
    """Apply the rules of rotation to the ledger as it was `before` and to what was `seen` in one pass."""
    ledger = _mend_times(before, seen)  # R13
    rebuilt = needs_rebuild(ledger, seen)
    ledger = rebuild(ledger, seen)  # R9
    ledger = take_over(ledger, seen)  # R9
    ledger = note_writers(ledger, seen)  # R9
    ledger = forget_ages(ledger, seen)  # R3
    ledger = settle_materials(ledger, seen)  # R8
    ledger = list_keys(ledger, seen)  # R1, R4
    ledger = remember_cache_ages(ledger, seen)  # R3
    ledger = remember_endpoints(ledger, seen)  # R7
    ledger = note_founding(ledger, seen)  # R3
    ledger = note_place(ledger, seen, before)  # R9
    ledger = note_publication(ledger, seen)  # R2, R12
    ledger = note_wire(ledger, seen)  # R2
    ledger = retire(ledger, seen)  # R5, R7
    ledger = note_signatures(ledger, seen)  # R10
    ledger = note_unlisted(ledger, seen)  # R15
    ledger = promote(ledger, seen)  # R3, R15
    ledger = judge_signatures(ledger, before)  # R10
    ledger, gone = drop_gone(ledger, seen)  # R12
    ledger = replace(ledger, keys=order(ledger.keys))
    publication = plan_publication(ledger, seen)  # R6, R11, R14
    permitted = permission(ledger)  # R10
    return Advance(
        ledger=ledger,
        publish=publication.keys,
        wake_at=_next_deadline(ledger, seen),
        findings=report(ledger, publication, seen),
        events=(
            *_events(before, ledger, gone),
            *_renumbered(before, ledger, seen),
            *(_rebuilt(seen) if rebuilt else ()),
        ),
        may_sign=permitted.granted,
        more=publication.more,
        permission=permitted.sentence,
    )


def begin_write(ledger: Ledger, *, jwks_digest: str, nonce: str) -> Ledger:
    """Return the ledger that must be saved before the write of the bytes with `jwks_digest` (R12).

    Every write raises the serial and carries a nonce that no other write has. `nonce` is empty where nothing is
    written.
    """
    nonces = (*ledger.nonces, nonce)[-MAX_NONCES:] if nonce else ledger.nonces
    return replace(ledger, serial=ledger.serial + 1, jwks_digest=jwks_digest, nonces=nonces)


#: The observed times. The forecasts safe_to_sign_time and retire_time lie in the future and are computed in each pass.
_OBSERVED = tuple(
    field.name
    for field in fields(LedgerKey)
    if field.name.endswith("_time") and field.name not in ("safe_to_sign_time", "retire_time")
)


def _mend_times(ledger: Ledger, seen: Pass) -> Ledger:
    """Replace every observed time later than now + clockSkew by now: a clock that was ahead wrote that time (R13)."""
    if not seen.trusted:
        return ledger
    limit = seen.now + seen.policy.clock_skew

    def mend(entry: LedgerKey) -> LedgerKey:
        ahead = [name for name in _OBSERVED if (time := getattr(entry, name)) is not None and time > limit]
        now: dict[str, Any] = dict.fromkeys(ahead, seen.now)
        return replace(entry, **now)

    def end(known: CacheAge) -> CacheAge:
        # Ends lie in the future. A copy that was served until now expires when its age, counted from now, is over.
        return replace(known, until_time=min(known.until_time, latest_end(known.age, limit, seen.phase)))

    def past(time: datetime | None) -> datetime | None:
        return seen.now if time is not None and time > limit else time

    return replace(
        ledger,
        keys=tuple(mend(entry) for entry in ledger.keys),
        cache_ages=tuple(end(known) for known in ledger.cache_ages),
        endpoints=tuple(replace(e, gone_since_time=past(e.gone_since_time)) for e in ledger.endpoints),
        last_complete_pass_time=past(ledger.last_complete_pass_time),
        adopted_time=past(ledger.adopted_time),
        unknown_writer_time=past(ledger.unknown_writer_time),
        second_writer_time=past(ledger.second_writer_time),
    )


def _next_deadline(ledger: Ledger, seen: Pass) -> datetime | None:
    """Return the earliest future safeToSignTime of a key that is not safe yet, or retireTime of a Retiring key."""
    times = [
        time
        for entry in ledger.keys
        for time in (entry.safe_to_sign_time if entry.safe_since_time is None else None, entry.retire_time)
        if time is not None and time > seen.instant
    ]
    return min(times, default=None)


def _rebuilt(seen: Pass) -> tuple[Finding, ...]:
    age, message = seen.stored.stale_age, "The ledger was rebuilt from the stored documents"
    if age is not None and believable_age(seen) is None:
        message += f"; the cache age in their owner mark, {format_duration(age)}, is ignored, for the public URL states none so long"
    return (Finding.of(Reason.LedgerRebuilt, message),)


def _renumbered(before: Ledger, after: Ledger, seen: Pass) -> tuple[Finding, ...]:
    """Return the events of keys whose version is another one in the ring than it was.

    Signers settle a version that two keys had within one look, and the loser's number is a greater one (S3).
    """
    former = {entry.key_id: entry.version for entry in before.keys if entry.version_named}
    return tuple(
        Finding.of(
            Reason.VersionConflict,
            f"Key {entry.key_id} was version {former[entry.key_id]} and is version {entry.version} now",
            subject=entry.key_id,
        )
        for entry in after.keys
        if entry.version == seen.ring_versions.get(entry.key_id)
        and entry.version > former.get(entry.key_id, entry.version)
    )


def _events(before: Ledger, after: Ledger, gone: tuple[LedgerKey, ...]) -> tuple[Finding, ...]:
    safe_before = {entry.key_id for entry in before.keys if entry.safe_since_time is not None}
    events = [
        Finding.of(Reason.KeySafe, f"Key {entry.key_id} is safe to sign with", subject=entry.key_id)
        for entry in after.keys
        if entry.safe_since_time is not None and entry.key_id not in safe_before
    ]
    events += [
        Finding.of(Reason.KeyRetired, f"Key {e.key_id} has left the published set", subject=e.key_id) for e in gone
    ]
    return tuple(events)
