"""How long a set without a key may still be cached: the ages of the sets that were served recently (R3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from oidc_publisher.rotation.clock import COARSE, coarse_slot
from oidc_publisher.rotation.ledger import CacheAge, Ledger, replace

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import Pass

#: With only a Last-Modified some verifiers invent a cache age of up to 24 h (kube-apiserver's as a relying party).
UNSTATED_AGE = timedelta(hours=24)

#: An age above this one counts only as long as the wire states it (R3): an honest year, seen once, would else stop every
#: rotation for a year.
LONGEST_REMEMBERED = UNSTATED_AGE

#: Until when copies may live that were served under a clock that is not trusted: R13 sets it right in the next pass that is.
UNKNOWN_END = datetime(9999, 1, 1, tzinfo=UTC)


def measured_ages(seen: Pass) -> tuple[timedelta, ...]:
    """The cache ages in force in this pass: the spec's, and what the wire stated."""
    if seen.wire is None or not seen.wire.reads:
        return (seen.policy.cache_max_age,)
    return (seen.policy.cache_max_age, UNSTATED_AGE if seen.wire.max_age is None else seen.wire.max_age)


def _ages_in_force(ledger: Ledger, seen: Pass) -> tuple[timedelta, ...]:
    """The ages under which sets are served now: those measured, and all that are known while the wire cannot be read.

    An operator that was away does not know until when an age was in force; only the wire can tell that it no longer is.
    """
    unread = seen.wire is None or not seen.wire.reads
    return (*measured_ages(seen), *(c.age for c in ledger.cache_ages if unread))


def stale_age_now(ledger: Ledger, seen: Pass) -> timedelta:
    """The longest age under which a copy that was served until now may still be cached."""
    return max([*_ages_in_force(ledger, seen), *(c.age for c in ledger.cache_ages if not _expired(c, seen))])


def believable_age(seen: Pass) -> timedelta | None:
    """The cache age of the stored owner mark, None where it says none or one that is damaged (R9).

    It is at most 24 h, or what the wire states now: whoever can write the mark could else stop every rotation for ever.
    """
    age = seen.stored.stale_age
    return None if age is None or age > _limit(seen) else age


def forget_ages(ledger: Ledger, seen: Pass) -> Ledger:
    """R3: forget what a person asks to have forgotten, and ages above 24 h that this wire no longer states.

    Only a wire that could be read tells which ages are in force; until then everything is remembered.
    """
    if seen.wire is None or not seen.wire.reads:
        return ledger
    asked, done = seen.policy.forget_cache_ages_before, ledger.cache_ages_forgotten_time
    if asked is not None and seen.trusted and asked <= seen.now and (done is None or done < asked):
        since = tuple(c for c in ledger.cache_ages if c.until_time - c.age > asked + COARSE)
        age = max([*measured_ages(seen), *(c.age for c in since)])
        keys = tuple(replace(entry, stale_age=age) for entry in ledger.keys)
        ledger = replace(ledger, keys=keys, cache_ages=since, cache_ages_forgotten_time=asked)
    limit = _limit(seen)
    keys = tuple(replace(entry, stale_age=min(entry.stale_age, limit)) for entry in ledger.keys)
    return replace(ledger, keys=keys, cache_ages=tuple(_bounded(c, limit, seen) for c in ledger.cache_ages))


def _limit(seen: Pass) -> timedelta:
    return max(LONGEST_REMEMBERED, *measured_ages(seen))


def _bounded(known: CacheAge, limit: timedelta, seen: Pass) -> CacheAge:
    if known.age <= limit:
        return known
    return CacheAge(limit, min(known.until_time, latest_end(limit, seen.now)))


def _expired(known: CacheAge, seen: Pass) -> bool:
    """Whether the last copy of that age has expired, which only a trusted clock can tell (R13)."""
    return seen.trusted and known.until_time <= seen.now


def latest_end(age: timedelta, time: datetime) -> datetime:
    """Until when a copy lives that was served in the coarse period of `time`.

    Counted from the end of that period, so that it is written once in it and errs late.
    """
    return coarse_slot(time) + COARSE + age


def remember_cache_ages(ledger: Ledger, seen: Pass) -> Ledger:
    """Note the ages under which sets are served now, until the last copy has expired."""
    if not seen.trusted:
        return replace(ledger, cache_ages=(CacheAge(stale_age_now(ledger, seen), UNKNOWN_END),))
    until = {age: latest_end(age, seen.now) for age in _ages_in_force(ledger, seen)}
    for known in ledger.cache_ages:
        if not _expired(known, seen):
            until[known.age] = max(known.until_time, until.get(known.age, known.until_time))
    ages = sorted((CacheAge(age, end) for age, end in until.items()), key=lambda c: c.age, reverse=True)
    kept = [c for place, c in enumerate(ages) if all(longer.until_time < c.until_time for longer in ages[:place])]
    return replace(ledger, cache_ages=tuple(kept))
