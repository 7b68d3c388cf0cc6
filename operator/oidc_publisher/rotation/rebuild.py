"""Rule R9 reads keys and writers from the stored key set: it rebuilds ledgers, takes sets over, and detects second writers.

A cluster that was cloned from an etcd snapshot has the same UIDs, the same ledger and the same owner mark. The nonce of each
write distinguishes the two clusters, because each ledger holds the nonces of its own writes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oidc_publisher.rotation.cacheages import UNSTATED_AGE, believable_age, stale_age_now
from oidc_publisher.rotation.ledger import CacheAge, Ledger, LedgerKey, replace
from oidc_publisher.rotation.listing import next_version
from oidc_publisher.rotation.readings import StoreState, TakeOver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oidc_publisher.rotation.readings import Pass


def needs_rebuild(ledger: Ledger, seen: Pass) -> bool:
    """Return whether the stored set may hold keys that the ledger lacks.

    That is so where the ledger is empty, where its serial is lower than the stored one, and where the stored nonce is
    unknown. A set without our mark counts too while the discovery document beside the set bears our mark, because that
    set is the only record of our keys.
    """
    stored = seen.stored
    told = stored.state is StoreState.PRESENT and (stored.ours or stored.half_ours)
    # This operator never writes a higher serial under a nonce that the ledger knows: somebody edited the mark.
    newer = ledger.serial < stored.serial and not (stored.nonces and set(stored.nonces) <= set(ledger.nonces))
    return told and (not ledger.keys or newer or stored.unknown_writer)


def rebuild(ledger: Ledger, seen: Pass) -> Ledger:
    """Return the ledger with the stored keys that it lacks, in stored order and with the age of the stored object.

    Where the mark does not state that the public URL led to this place at the write, the keys count as served only from the
    present probe on, because the URL may have shown another place's set without these keys until now.
    """
    if not needs_rebuild(ledger, seen):
        return ledger
    stored = seen.stored
    time = stored_time(seen)
    lifetime = max(stored.token_lifetime or seen.policy.max_token_lifetime, seen.policy.max_token_lifetime)
    age = max(believable_age(seen) or UNSTATED_AGE, stale_age_now(ledger, seen))
    # The mark holds no cache age that forgetCacheAgesBefore had removed before the write; a later request applies now.
    forgotten = time if seen.policy.forget_cache_ages_before and not ledger.keys else ledger.cache_ages_forgotten_time
    entered = lacking_entries(ledger, seen, token_lifetime=lifetime, stale_age=age, rebuilt_time=_shown_since(seen))
    aged = tuple(
        replace(entry, token_lifetime=max(entry.token_lifetime, lifetime), stale_age=max(entry.stale_age, age))
        for entry in ledger.keys
    )
    unknown = not set(stored.nonces) <= set(ledger.nonces)
    return replace(
        ledger,
        keys=(*(_forget(entry, seen) for entry in aged), *entered),
        shown=stored.shown,
        serial=max(ledger.serial, stored.serial),
        jwks_digest=stored.digest,
        cache_ages_forgotten_time=forgotten,
        unknown_writer_time=seen.now if unknown else ledger.unknown_writer_time,
        next_version=next_version(ledger) + len(entered),
        cache_ages=(*ledger.cache_ages, CacheAge(age, max(time, seen.now) + age)),
    )


def stored_time(seen: Pass) -> datetime:
    """Return the time since which the stored keys are published: the object's last-modified time, never in the future (R13)."""
    time = seen.stored.last_modified or seen.now
    return min(time, seen.now) if seen.trusted else time


def _shown_since(seen: Pass) -> datetime | None:
    """Return the time since which the public URL shows the stored keys, provided that it shows them now.

    None where the mark does not state that the URL led to this place at the write. A mark of an earlier version never does.
    """
    return stored_time(seen) if seen.stored.shown else None


def lacking_entries(
    ledger: Ledger,
    seen: Pass,
    *,
    token_lifetime: timedelta,
    stale_age: timedelta,
    rebuilt_time: datetime | None = None,
) -> tuple[LedgerKey, ...]:
    """Return entries for the stored keys that the ledger lacks, with the age of the stored object and without origins."""
    known = {entry.key_id for entry in ledger.keys}
    lacking = [key for key in seen.stored.keys if key.key_id not in known]
    first, time = next_version(ledger), stored_time(seen)
    # The stored set is ordered newest first. The oldest key gets the lowest version, which keeps the stored order.
    return tuple(
        LedgerKey(
            key=key,
            version=first + place,
            first_seen_time=time,
            token_lifetime=token_lifetime,
            stale_age=stale_age,
            published_time=time,
            rebuilt_time=rebuilt_time,
        )
        for place, key in enumerate(reversed(lacking))
    )


def _forget(entry: LedgerKey, seen: Pass) -> LedgerKey:
    """Return an older ledger's entry without the times that may belong to an earlier stay of the key in the set.

    The key may have left and come back since that ledger was saved. A key that signs keeps the times that made it safe. Any
    other key gets the age of the stored object, and a retirement that began earlier does not continue.
    """
    entry = replace(entry, unused_since_time=None, retire_time=None, leaving=False, only_here=False)
    if entry.key_id in {mint.key_id for mint in seen.mints.minted}:
        return entry
    return replace(
        entry,
        founding=False,
        baseline=False,
        rebuilt_time=_shown_since(seen),
        served_since_time=None,
        safe_to_sign_time=None,
        safe_since_time=None,
        known_to_caches=False,
    )


#: The token lifetime of an owner that states none: the default of rotation.maxTokenLifetime.
_UNSTATED_LIFETIME = UNSTATED_AGE


def take_over(ledger: Ledger, seen: Pass) -> Ledger:
    """Return the ledger with the keys and ages of another owner's set. A second call before the write adds nothing.

    Under Merge the keys that the ledger lacks enter as unused keys, which leave by R5. Under Merge and Replace our keys in
    that set were published with it, and copies of a set without our other keys may exist in caches. The time since which the
    public URL leads to that set is unknown, so that no key counts as served before a probe sees the key (R2).
    """
    stored = seen.stored
    if stored.take_over is None:
        return ledger
    lifetime = max(stored.token_lifetime or _UNSTATED_LIFETIME, seen.policy.max_token_lifetime)
    age = max(believable_age(seen) or UNSTATED_AGE, stale_age_now(ledger, seen))
    lacking = lacking_entries(ledger, seen, token_lifetime=lifetime, stale_age=age)
    entered = tuple(e for e in lacking if stored.take_over is TakeOver.MERGE or e.key in seen.listed)
    ledger = replace(
        ledger,
        keys=(*(_inherit(entry, seen, lifetime, age, moved=bool(ledger.serial)) for entry in ledger.keys), *entered),
    )
    return replace(
        ledger,
        next_version=next_version(ledger),
        cache_ages=(*ledger.cache_ages, CacheAge(age, seen.now + age)),
        adopted_time=ledger.adopted_time or seen.now,
    )


def _inherit(entry: LedgerKey, seen: Pass, lifetime: timedelta, age: timedelta, *, moved: bool) -> LedgerKey:
    entry = replace(entry, stale_age=max(entry.stale_age, age))
    if entry.key not in seen.stored_keys:
        return entry
    if moved:
        # The public URL has shown our former place until now, so these documents do not prove that a relying party has
        # seen the key.
        return replace(entry, token_lifetime=max(entry.token_lifetime, lifetime))
    time = stored_time(seen)
    return replace(
        entry,
        token_lifetime=max(entry.token_lifetime, lifetime),
        published_time=min(entry.published_time or time, time),
    )


#: The most nonces that a ledger holds: those of failed writes since the stored one, and former ones, because somebody may
#: restore an older version of the documents.
MAX_NONCES = 16


@dataclass(frozen=True, slots=True)
class OwnWrites:
    """OwnWrites holds the serial and the nonces of this operator's writes.

    `certain`: the nonces are complete, so that a mark of ours with another nonce is a second writer's.
    """

    serial: int
    nonces: frozenset[str]
    certain: bool

    def unknown(self, nonces: Iterable[str]) -> bool:
        """Return whether one of the nonces belongs to no known write. An earlier version wrote marks without a nonce."""
        return any(nonce and nonce not in self.nonces for nonce in nonces)


def own_writes(
    ledger: Ledger, saved: Ledger | None, *, remembered: Iterable[str] = (), token_lifetime: timedelta, now: datetime
) -> OwnWrites:
    """Return the writes that are known to be this operator's.

    `saved` is the ledger that this process saved last, None where this process has saved no ledger since it read documents
    that the ledger knew. `remembered` are the nonces that this process has known, whatever the status holds now. While the
    ledger equals the saved one, all writes are known. After a restart, or after somebody restored a status, some may be
    unknown: the first unknown nonce then rebuilds the ledger, and another one within one token lifetime is a second writer's.
    """
    # A ledger without nonces is an earlier version's, or its status was lost while the store could not be read.
    unchanged = bool(ledger.nonces) and saved is not None and same_writes(ledger, saved)
    lifetime = max([token_lifetime, *(entry.token_lifetime for entry in ledger.keys)])
    rebuilt = ledger.unknown_writer_time
    again = rebuilt is not None and now < rebuilt + lifetime
    nonces = frozenset({*ledger.nonces, *(saved.nonces if saved else ()), *remembered})
    return OwnWrites(ledger.serial, nonces, certain=unchanged or again or ledger.second_writer_time is not None)


def note_writers(ledger: Ledger, seen: Pass) -> Ledger:
    """Note the stored nonces, newest last, and the time since which a second writer prevents every write.

    That time survives restarts until the documents are ours again, or until a person removes it. After the removal the
    ledger differs from the saved one, and the unknown nonce rebuilds it (docs/how-to/take-over-documents.md, two writers
    under one mark).
    """
    stored = seen.stored
    if stored.second_writer:
        return replace(ledger, second_writer_time=ledger.second_writer_time or seen.now, unknown_writer_time=None)
    if stored.state is not StoreState.PRESENT or not stored.nonces:
        return ledger
    found = tuple(dict.fromkeys(stored.nonces))
    others = tuple(nonce for nonce in ledger.nonces if nonce not in found)[len(found) - MAX_NONCES :]
    # After an unknown writer our own nonce stays the newest. The planned mark then differs from the stored one and is
    # written, and the other writer stops.
    nonces = (*found, *others) if stored.unknown_writer else (*others, *found)
    return replace(ledger, nonces=nonces, second_writer_time=None)


def same_writes(one: Ledger, other: Ledger) -> bool:
    """Return whether two ledgers hold the same writes."""
    return _writes(one) == _writes(other)


def _writes(ledger: Ledger) -> tuple[object, ...]:
    return ledger.serial, ledger.nonces, ledger.second_writer_time
