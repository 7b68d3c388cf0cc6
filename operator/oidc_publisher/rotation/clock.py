"""Time as the rules use it: whole seconds rounded up, coarse times for people, and whether the clock is to be trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import ClockReading

#: Coarse times change at most once in this period, all of them in the same pass: one PATCH of a resting issuer.
COARSE = timedelta(minutes=5)

#: Date headers have whole seconds, so an offset is off by up to one, on both sides of a request (R13).
DATE_RESOLUTION = timedelta(seconds=2)


def whole_second(time: datetime) -> datetime:
    """`time` rounded up to a whole second: every base time errs late."""
    return time if time.microsecond == 0 else time.replace(microsecond=0) + timedelta(seconds=1)


def stamp(time: datetime) -> str:
    """A time as messages write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def coarse_slot(time: datetime) -> datetime:
    """The beginning of the coarse period that `time` lies in; all issuers and fields share the same periods."""
    seconds = int(time.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(COARSE.total_seconds()), UTC)


def coarse(previous: datetime | None, now: datetime) -> datetime:
    """`previous` while it lies in the present coarse period, else `now`."""
    if previous is not None and coarse_slot(previous) == coarse_slot(now):
        return previous
    return whole_second(now)


def clock_offset(clock: ClockReading) -> timedelta | None:
    """How far the others are ahead of us: the median of API server, store and wire; None when nobody stated a Date."""
    parties = [
        median(offset.total_seconds() for offset in party)
        for party in (clock.api_server, clock.store, clock.wire)
        if party
    ]
    return timedelta(seconds=median(parties)) if parties else None


def clock_trusted(clock: ClockReading, clock_skew: timedelta) -> bool:
    """Whether our clock agrees with the others (R13)."""
    offset = clock_offset(clock)
    return offset is not None and abs(offset) <= clock_skew + DATE_RESOLUTION
