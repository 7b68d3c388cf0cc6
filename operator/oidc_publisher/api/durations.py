"""Durations as the API writes them: hours, minutes and seconds, such as `90s`, `15m` or `1h30m`."""

import re
from datetime import timedelta

#: What a duration looks like, for the API server (RE2) and for Python. Days are left out: Go and CEL do not know them.
PATTERN = "^([0-9]{1,5}(h|m|s)){1,3}$"

#: Longest text that PATTERN matches.
MAX_LENGTH = 18

#: The sentence that the API server and this package say about anything else.
MESSAGE = "must be a duration in hours, minutes and seconds, such as 90s, 15m or 1h30m"

_SECONDS = {"h": 3600, "m": 60, "s": 1}


def parse_duration(text: str, *, digits: int = 5) -> timedelta:
    """The duration that `text` states; raises ValueError with a sentence that does not repeat the text.

    `digits` is how many a number may have. Five is the rule of the spec; the status also holds cache ages that were
    measured, and `format_duration` writes those with more.
    """
    if not re.fullmatch(PATTERN.replace("1,5", f"1,{digits}"), text):
        raise ValueError(MESSAGE)
    try:
        return timedelta(seconds=sum(int(n) * _SECONDS[unit] for n, unit in re.findall("([0-9]+)([hms])", text)))
    except OverflowError:
        raise ValueError(MESSAGE) from None


def format_duration(duration: timedelta) -> str:
    """The one way to write `duration`: largest units first, none that is zero (`24h`, `1m30s`, `0s`).

    Fractions of a second are rounded up, for a wait that is too long errs to the safe side. Raises ValueError for a
    negative duration.
    """
    if duration < timedelta(0):
        raise ValueError("a duration cannot be negative")
    seconds, fraction = divmod(duration, timedelta(seconds=1))
    hours, rest = divmod(seconds + bool(fraction), 3600)
    parts = zip((hours, *divmod(rest, 60)), "hms", strict=True)
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
