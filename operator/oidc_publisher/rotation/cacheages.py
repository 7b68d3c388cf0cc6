"""Compute how long a set without a key may still be cached, from the cache ages of recently served sets (R3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from oidc_publisher.rotation.clock import COARSE, coarse_end
from oidc_publisher.rotation.ledger import CacheAge, Ledger, replace

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import Pass

#: Where only Last-Modified is stated, some verifiers assume a cache age of up to 24 h (kube-apiserver as a relying
#: party).
UNSTATED_AGE = timedelta(hours=24)

#: A cache age above this one counts only while the public endpoint states it (R3). Otherwise a `max-age` of one year,
#: seen once, would stop every rotation for a year.
LONGEST_REMEMBERED = UNSTATED_AGE

#: The end of copies that were served while the clock was not trusted. R13 corrects it in the next pass with a trusted
#: clock.
UNKNOWN_END = datetime(9999, 1, 1, tzinfo=UTC)


def stated_ages(seen: Pass) -> tuple[timedelta, ...]:
    """Return the cache ages that are stated in this pass: that of the spec and that of the public endpoint."""
    if seen.wire is None or not seen.wire.reads:
        return (seen.policy.cache_max_age,)
    return (seen.policy.cache_max_age, UNSTATED_AGE if seen.wire.max_age is None else seen.wire.max_age)


def measured_ages(seen: Pass) -> tuple[timedelta, ...]:
    """Return the cache ages in force in this pass: those that are stated, and that of the key set in the store.

    Somebody may have put back a former version, under a longer age, and the public URL shows it until the next write,
    while the probe still meets older copies.
    """
    age = seen.stored.cache_age
    return stated_ages(seen) if age is None else (*stated_ages(seen), min(age, _limit(seen)))


def _ages_in_force(ledger: Ledger, seen: Pass) -> tuple[timedelta, ...]:
    """Return the cache ages under which sets are served now; while no set was fetched, all known ages are among them.

    An operator that did not run does not know until when an age was in force. Only a fetch from the public endpoint
    shows that an age is no longer in force.
    """
    unread = seen.wire is None or not seen.wire.reads
    return (*measured_ages(seen), *(c.age for c in ledger.cache_ages if unread))


def stale_age_now(ledger: Ledger, seen: Pass) -> timedelta:
    """Return the longest age under which a copy that was served until now may still be cached."""
    return max([*_ages_in_force(ledger, seen), *(c.age for c in ledger.cache_ages if not _expired(c, seen))])


def believable_age(seen: Pass) -> timedelta | None:
    """Return the cache age of the stored owner mark, None where the mark holds none or a damaged one (R9).

    The accepted age is at most 24 h, or the age that the public endpoint states now. Otherwise anybody who can write
    the mark could stop every rotation for ever.
    """
    age = seen.stored.stale_age
    return None if age is None or age > _limit(seen) else age


def forget_ages(ledger: Ledger, seen: Pass) -> Ledger:
    """Forget the ages that forgetCacheAgesBefore names, and those above 24 h that nothing states any more (R3).

    Only a successful fetch shows which ages are in force. A pass without one forgets nothing.
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
    return max(LONGEST_REMEMBERED, *stated_ages(seen))


def _bounded(known: CacheAge, limit: timedelta, seen: Pass) -> CacheAge:
    if known.age <= limit:
        return known
    return CacheAge(limit, min(known.until_time, latest_end(limit, seen.now, seen.phase)))


def _expired(known: CacheAge, seen: Pass) -> bool:
    """Return whether the last copy of that age has expired. Only a trusted clock can decide this (R13)."""
    return seen.trusted and known.until_time <= seen.now


def latest_end(age: timedelta, time: datetime, phase: timedelta) -> datetime:
    """Return when a copy that was served in the coarse period of `time` expires.

    The age is counted from the end of that period, so that the result changes once a period and errs late.
    """
    return coarse_end(time, phase) + age


def remember_cache_ages(ledger: Ledger, seen: Pass) -> Ledger:
    """Note each age under which sets are served now, until the last copy served under that age has expired."""
    if not seen.trusted:
        return replace(ledger, cache_ages=(CacheAge(stale_age_now(ledger, seen), UNKNOWN_END),))
    until = {age: latest_end(age, seen.now, seen.phase) for age in _ages_in_force(ledger, seen)}
    for known in ledger.cache_ages:
        if not _expired(known, seen):
            until[known.age] = max(known.until_time, until.get(known.age, known.until_time))
    ages = sorted((CacheAge(age, end) for age, end in until.items()), key=lambda c: c.age, reverse=True)
    kept = [c for place, c in enumerate(ages) if all(longer.until_time < c.until_time for longer in ages[:place])]
    return replace(ledger, cache_ages=tuple(kept))
