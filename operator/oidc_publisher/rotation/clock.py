"""Round times as the rules need them, and decide whether the clock is trusted (R13).

Base times are whole seconds, rounded up. Times that only people read are coarse: they change once in five minutes.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oidc_publisher.rotation.readings import ClockReading

#: Coarse times change at most once in this period, all of them in the same pass. An issuer at rest costs one PATCH a
#: period.
COARSE = timedelta(minutes=5)

#: Date headers have whole seconds, so an offset is wrong by up to one second on either side of a request (R13).
DATE_RESOLUTION = timedelta(seconds=2)


def whole_second(time: datetime) -> datetime:
    """Round `time` up to a whole second, so that every base time errs late."""
    return time if time.microsecond == 0 else time.replace(microsecond=0) + timedelta(seconds=1)


def stamp(time: datetime) -> str:
    """Format a UTC time for a message, as RFC 3339 in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def coarse_phase(uid: str) -> timedelta:
    """Return by how much the coarse periods of the issuer with this UID are shifted: whole seconds, less than COARSE.

    All fields of an issuer share the same periods, and so cost one PATCH. Of a thousand issuers that shared them too, a
    thousand PATCHes would come within one interval, and then none for the rest of the five minutes.
    """
    number = int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big")
    return timedelta(seconds=number % int(COARSE.total_seconds()))


def coarse_end(time: datetime, phase: timedelta) -> datetime:
    """Return the end of the coarse period that holds `time`, of an issuer of this phase."""
    end = (_period(time, phase) + 1) * COARSE + phase
    return datetime.fromtimestamp(end.total_seconds(), UTC)


def coarse(previous: datetime | None, now: datetime, phase: timedelta) -> datetime:
    """Return `previous` while it lies in the present coarse period, else `now` rounded up to a whole second."""
    if previous is not None and _period(previous, phase) == _period(now, phase):
        return previous
    return whole_second(now)


def _period(time: datetime, phase: timedelta) -> int:
    """Return the number of the coarse period that holds `time`. A status may hold any time, the first of the year 1 too."""
    return int((time.timestamp() - phase.total_seconds()) // COARSE.total_seconds())


def clock_offset(clock: ClockReading) -> timedelta | None:
    """Return how far the other clocks are ahead of the operator's, None when no answer stated a Date (R13).

    It is the median of three values: that of the API servers, of the store and of the public endpoint.
    """
    parties = [
        median(offset.total_seconds() for offset in party)
        for party in (clock.api_server, clock.store, clock.wire)
        if party
    ]
    return timedelta(seconds=median(parties)) if parties else None


def clock_trusted(clock: ClockReading, clock_skew: timedelta) -> bool:
    """Return whether the operator's clock agrees with the others within clock_skew and the resolution of Date (R13)."""
    offset = clock_offset(clock)
    return offset is not None and abs(offset) <= clock_skew + DATE_RESOLUTION
