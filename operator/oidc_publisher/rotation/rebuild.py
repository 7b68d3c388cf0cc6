"""R9: what the stored key set says of keys and of who wrote it: ledgers rebuilt, sets taken over, second writers told apart.

A cluster that was cloned from an etcd snapshot has the same UIDs, the same ledger and the same owner mark. What tells the
two apart is the nonce that every write carries: each ledger knows those of its own writes.
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
    from datetime import timedelta

    from oidc_publisher.rotation.readings import Pass


def needs_rebuild(ledger: Ledger, seen: Pass) -> bool:
    """Whether the stored set knows more than the ledger: it is empty, its serial is lower, or nobody remembers the nonce.

    A set that somebody rewrote without our mark counts too, where the discovery document beside it still bears ours: it is
    all that remembers our keys.
    """
    stored = seen.stored
    told = stored.state is StoreState.PRESENT and (stored.ours or stored.half_ours)
    # A higher serial beside a nonce of ours is no write of ours: whoever rewrote the mark is believed nothing.
    newer = ledger.serial < stored.serial and not (stored.nonces and set(stored.nonces) <= set(ledger.nonces))
    return told and (not ledger.keys or newer or stored.unknown_writer)


def rebuild(ledger: Ledger, seen: Pass) -> Ledger:
    """The ledger with the stored keys that it lacks, in stored order, as old as the stored object.

    Where the mark does not say that the public URL led to this place when it was written, they are as new as this look: what
    the URL showed until now may be another place's set, without them.
    """
    if not needs_rebuild(ledger, seen):
        return ledger
    stored = seen.stored
    time = stored_time(seen)
    lifetime = max(stored.token_lifetime or seen.policy.max_token_lifetime, seen.policy.max_token_lifetime)
    age = max(believable_age(seen) or UNSTATED_AGE, stale_age_now(ledger, seen))
    # What a person had forgotten before that write is not in its mark; what is asked for since is to be forgotten now.
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
    """Since when the stored keys are published: the object's last-modified time, which never lies ahead (R13)."""
    time = seen.stored.last_modified or seen.now
    return min(time, seen.now) if seen.trusted else time


def _shown_since(seen: Pass) -> datetime | None:
    """Since when the public URL shows the stored keys, if it shows them now; None where the mark does not say that it did.

    It had to lead to this place when the object was written, and an earlier version's mark says nothing of that.
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
    """Entries for the stored keys that the ledger lacks, as old as the stored object and listed by nobody so far."""
    known = {entry.key_id for entry in ledger.keys}
    lacking = [key for key in seen.stored.keys if key.key_id not in known]
    first, time = next_version(ledger), stored_time(seen)
    # The stored set is ordered newest first; counting goes from the oldest, so that the order is the stored one again.
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
    """What an older ledger says of a key may have been true of a former life of it: it may have left and come back.

    Only a key that signs keeps what made it safe. The others are as old as the stored object, and no retirement goes on
    that began before it.
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


#: How long tokens of an owner who did not say so may live: the default of rotation.maxTokenLifetime.
_UNSTATED_LIFETIME = UNSTATED_AGE


def take_over(ledger: Ledger, seen: Pass) -> Ledger:
    """The ledger with what another owner's set says of keys; applied again before it was written over, it adds nothing.

    Merge: the keys that the ledger lacks enter as unused ones, to leave by R5. Of both, Merge and Replace: keys of ours
    that are in that set were published with it; of the others it is remembered that copies of a set without them may live.
    Since when the public URL leads to that set nobody knows, so that no key counts as served before it is seen (R2).
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
        # Until now the public URL showed our former place, whatever has been lying here: these documents are no proof
        # that anybody has seen the key.
        return replace(entry, token_lifetime=max(entry.token_lifetime, lifetime))
    time = stored_time(seen)
    return replace(
        entry,
        token_lifetime=max(entry.token_lifetime, lifetime),
        published_time=min(entry.published_time or time, time),
    )


#: So many nonces are remembered: those of writes that failed since the stored one, and former ones, for somebody may put
#: an older version of the documents back.
MAX_NONCES = 16


@dataclass(frozen=True, slots=True)
class OwnWrites:
    """What is known of our own writes: the serial and the nonces.

    `certain`: no write of ours can have been forgotten, so that a mark of ours with another nonce is a second writer's.
    """

    serial: int
    nonces: frozenset[str]
    certain: bool

    def unknown(self, nonces: Iterable[str]) -> bool:
        """Whether one of the nonces is of no write of ours. A mark without one was written by an earlier version."""
        return any(nonce and nonce not in self.nonces for nonce in nonces)


def own_writes(
    ledger: Ledger, saved: Ledger | None, *, remembered: Iterable[str] = (), token_lifetime: timedelta, now: datetime
) -> OwnWrites:
    """What is known of our writes.

    `saved` is the ledger as this process saved it last, None where it has saved none since it read documents that the
    ledger knew. `remembered` are nonces of writes that this process has known, whatever the status says now. While the
    ledger is the saved one, all writes are known. After a restart, or where somebody restored a status, they are not: then
    the first unknown nonce rebuilds the ledger, and another one within one token lifetime is a second writer's.
    """
    # Without a nonce nothing is remembered: an earlier version wrote, or the status was lost while the store was away.
    unchanged = bool(ledger.nonces) and saved is not None and same_writes(ledger, saved)
    lifetime = max([token_lifetime, *(entry.token_lifetime for entry in ledger.keys)])
    rebuilt = ledger.unknown_writer_time
    again = rebuilt is not None and now < rebuilt + lifetime
    nonces = frozenset({*ledger.nonces, *(saved.nonces if saved else ()), *remembered})
    return OwnWrites(ledger.serial, nonces, certain=unchanged or again or ledger.second_writer_time is not None)


def note_writers(ledger: Ledger, seen: Pass) -> Ledger:
    """Note the nonces that are stored, newest last, and since when a second writer keeps us from writing.

    That mark stays over restarts until the documents are ours again, or until a person takes it away: then the ledger is
    not the saved one, and the unknown nonce rebuilds it (docs/how-to/take-over-documents.md, two writers under one mark).
    """
    stored = seen.stored
    if stored.second_writer:
        return replace(ledger, second_writer_time=ledger.second_writer_time or seen.now, unknown_writer_time=None)
    if stored.state is not StoreState.PRESENT or not stored.nonces:
        return ledger
    found = tuple(dict.fromkeys(stored.nonces))
    others = tuple(nonce for nonce in ledger.nonces if nonce not in found)[len(found) - MAX_NONCES :]
    # After an unknown writer ours stays the newest, so that the mark differs and is written: the other one then stops.
    nonces = (*found, *others) if stored.unknown_writer else (*others, *found)
    return replace(ledger, nonces=nonces, second_writer_time=None)


def same_writes(one: Ledger, other: Ledger) -> bool:
    """Whether two ledgers know of the same writes."""
    return _writes(one) == _writes(other)


def _writes(ledger: Ledger) -> tuple[object, ...]:
    return ledger.serial, ledger.nonces, ledger.second_writer_time
