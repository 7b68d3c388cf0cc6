"""R9, before our first write to a place: the set that another owner stored there, where it is to be taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.rotation.cacheages import UNSTATED_AGE, believable_age, stale_age_now
from oidc_publisher.rotation.ledger import CacheAge, Ledger, LedgerKey, replace
from oidc_publisher.rotation.listing import next_version
from oidc_publisher.rotation.readings import TakeOver
from oidc_publisher.rotation.rebuild import lacking_entries, stored_time

if TYPE_CHECKING:
    from datetime import timedelta

    from oidc_publisher.rotation.passes import Pass

#: How long tokens of an owner who did not say so may live: the default of rotation.maxTokenLifetime.
_UNSTATED_LIFETIME = UNSTATED_AGE


def take_over(ledger: Ledger, seen: Pass) -> Ledger:
    """The ledger with what another owner's set says of keys; applied again before it was written over, it adds nothing.

    Merge: the keys that the ledger lacks enter as unused ones, to leave by R5. Of both, Merge and Replace: keys of ours
    that are in that set are as old as it; of the others it is remembered that copies of a set without them may live.
    """
    stored = seen.stored
    if stored.take_over is None:
        return ledger
    lifetime = max(stored.token_lifetime or _UNSTATED_LIFETIME, seen.policy.max_token_lifetime)
    age = max(believable_age(seen) or UNSTATED_AGE, stale_age_now(ledger, seen))
    lacking = lacking_entries(ledger, seen, token_lifetime=lifetime, stale_age=age)
    entered = tuple(e for e in lacking if stored.take_over is TakeOver.MERGE or e.key in seen.listed)
    ledger = replace(ledger, keys=(*(_inherit(entry, seen, lifetime, age) for entry in ledger.keys), *entered))
    return replace(
        ledger,
        next_version=next_version(ledger),
        cache_ages=(*ledger.cache_ages, CacheAge(age, seen.now + age)),
        adopted_time=ledger.adopted_time or seen.now,
    )


def _inherit(entry: LedgerKey, seen: Pass, lifetime: timedelta, age: timedelta) -> LedgerKey:
    entry = replace(entry, stale_age=max(entry.stale_age, age))
    if entry.key not in seen.stored.keys:
        return entry
    time = stored_time(seen)
    return replace(
        entry,
        token_lifetime=max(entry.token_lifetime, lifetime),
        published_time=min(entry.published_time or time, time),
        rebuilt_time=None if entry.served_since_time else time,
    )
