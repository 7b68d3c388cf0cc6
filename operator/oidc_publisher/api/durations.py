"""Parse and format durations of the API in hours, minutes and seconds, such as `90s`, `15m` or `1h30m`."""

import functools
import re
from datetime import timedelta

#: The form of a duration, for the API server (RE2) and for Python. There are no days, because Go and CEL have none.
PATTERN = "^([0-9]{1,5}(h|m|s)){1,3}$"

#: The length of the longest text that PATTERN matches.
MAX_LENGTH = 18

#: The message of the API server and of this package about any other text.
MESSAGE = "must be a duration in hours, minutes and seconds, such as 90s, 15m or 1h30m"

_SECONDS = {"h": 3600, "m": 60, "s": 1}


@functools.lru_cache(maxsize=256)  # the same few texts are parsed in every pass
def parse_duration(text: str, *, digits: int = 5) -> timedelta:
    """Parse a duration; raises ValueError with a sentence that does not repeat the text.

    `digits` is the most digits that a number may have. The spec allows five. The status also holds measured cache ages,
    which `format_duration` may write with more digits.
    """
    if not re.fullmatch(PATTERN.replace("1,5", f"1,{digits}"), text):
        raise ValueError(MESSAGE)
    try:
        return timedelta(seconds=sum(int(n) * _SECONDS[unit] for n, unit in re.findall("([0-9]+)([hms])", text)))
    except OverflowError:
        raise ValueError(MESSAGE) from None


def format_duration(duration: timedelta) -> str:
    """Format a duration in its one canonical form, largest units first, without zero units (`24h`, `1m30s`, `0s`).

    Fractions of a second are rounded up, because a longer wait is the safer error. Raises ValueError for a negative
    duration.
    """
    if duration < timedelta(0):
        raise ValueError("a duration cannot be negative")
    seconds, fraction = divmod(duration, timedelta(seconds=1))
    hours, rest = divmod(seconds + bool(fraction), 3600)
    parts = zip((hours, *divmod(rest, 60)), "hms", strict=True)
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
