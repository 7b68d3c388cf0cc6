"""Times as people read them: the instant, and the distance from now. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from oidc_publisher.api import format_time

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
#: Shorter durations are counted in hours, as kubectl does: `24h` is more precise than `1d`.
_DAYS_FROM_S = 2 * 86_400


def length(duration: timedelta) -> str:
    """Write a duration in its largest unit, with the next smaller unit below ten (`3d4h`, `12d`, `47s`)."""
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
    """Write the distance of `time` from `now`: `3d4h ago`, `now` or `in 47s`."""
    distance = time - now
    if abs(distance) < timedelta(seconds=1):
        return "now"
    return f"in {length(distance)}" if distance > timedelta(0) else f"{length(distance)} ago"


def both(time: datetime, now: datetime) -> str:
    """Write a time with its distance from now: `2026-01-31T12:00:00Z (3d4h ago)`."""
    return f"{format_time(time)} ({away(time, now)})"
