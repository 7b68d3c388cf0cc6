"""Times as people read them: the instant itself, and how far away it is. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from oidc_publisher.api import format_time

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
#: Hours are counted up to here, as kubectl does: `24h` says more than `1d`.
_DAYS_FROM_S = 2 * 86_400


def length(duration: timedelta) -> str:
    """About how long: the largest unit, and the next one where the largest says little (`3d4h`, `12d`, `47s`)."""
    seconds = int(abs(duration).total_seconds())
    for place, (unit, size) in enumerate(_UNITS):
        count, rest = divmod(seconds, size)
        if not count or (unit == "d" and seconds < _DAYS_FROM_S):
            continue
        smaller, smaller_size = _UNITS[min(place + 1, len(_UNITS) - 1)]
        more = rest // smaller_size
        return f"{count}{unit}{more}{smaller}" if more and count < 10 and smaller != unit else f"{count}{unit}"  # noqa: PLR2004 - one digit
    return "0s"


def away(time: datetime, now: datetime) -> str:
    """How far `time` is from `now`: `3d4h ago`, `now` or `in 47s`."""
    distance = time - now
    if abs(distance) < timedelta(seconds=1):
        return "now"
    return f"in {length(distance)}" if distance > timedelta(0) else f"{length(distance)} ago"


def both(time: datetime, now: datetime) -> str:
    """`2026-01-31T12:00:00Z (3d4h ago)`."""
    return f"{format_time(time)} ({away(time, now)})"
