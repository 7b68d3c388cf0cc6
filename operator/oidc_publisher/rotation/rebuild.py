"""R9: a ledger that was lost, or is older than the store, is rebuilt from the stored key set and its owner mark."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oidc_publisher.rotation.cacheages import UNSTATED_AGE, believable_age, stale_age_now
from oidc_publisher.rotation.ledger import CacheAge, Ledger, LedgerKey, replace
from oidc_publisher.rotation.listing import next_version
from oidc_publisher.rotation.readings import StoreState

if TYPE_CHECKING:
    from oidc_publisher.rotation.passes import Pass


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
    """The ledger with the stored keys that it lacks, in stored order, as old as the stored object."""
    if not needs_rebuild(ledger, seen):
        return ledger
    stored = seen.stored
    time = stored_time(seen)
    lifetime = max(stored.token_lifetime or seen.policy.max_token_lifetime, seen.policy.max_token_lifetime)
    age = max(believable_age(seen) or UNSTATED_AGE, stale_age_now(ledger, seen))
    # What a person had forgotten before that write is not in its mark; what is asked for since is to be forgotten now.
    forgotten = time if seen.policy.forget_cache_ages_before and not ledger.keys else ledger.cache_ages_forgotten_time
    entered = lacking_entries(ledger, seen, token_lifetime=lifetime, stale_age=age)
    aged = tuple(
        replace(entry, token_lifetime=max(entry.token_lifetime, lifetime), stale_age=max(entry.stale_age, age))
        for entry in ledger.keys
    )
    unknown = not set(stored.nonces) <= set(ledger.nonces)
    return replace(
        ledger,
        keys=(*(_forget(entry, time, seen) for entry in aged), *entered),
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


def lacking_entries(
    ledger: Ledger, seen: Pass, *, token_lifetime: timedelta, stale_age: timedelta
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
            rebuilt_time=time,
        )
        for place, key in enumerate(reversed(lacking))
    )


def _forget(entry: LedgerKey, time: datetime, seen: Pass) -> LedgerKey:
    """What an older ledger says of a key may have been true of a former life of it: it may have left and come back.

    Only a key that signs keeps what made it safe. The others are as old as the stored object, and no retirement goes on
    that began before it.
    """
    entry = replace(entry, unused_since_time=None, retire_time=None, leaving=False)
    if entry.key_id in {mint.key_id for mint in seen.mints.minted}:
        return entry
    return replace(
        entry,
        founding=False,
        baseline=False,
        rebuilt_time=time,
        served_since_time=None,
        safe_to_sign_time=None,
        safe_since_time=None,
        known_to_caches=False,
    )
