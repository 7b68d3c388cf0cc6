"""Parse times in HTTP headers. Pure."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@functools.lru_cache(maxsize=64)  # all answers of a pass come within a few seconds, and each states its date
def parsed_date(text: str | None) -> datetime | None:
    """Parse an HTTP date as a UTC time, None when the text is no date.

    All three forms of RFC 9110 (5.6.7) are accepted. Two of them name no zone, because HTTP dates are always in UTC.
    """
    try:
        parsed = parsedate_to_datetime(text) if text else None
        if parsed is not None and parsed.tzinfo is None:
            return parsed.replace(tzinfo=UTC)
        return parsed.astimezone(UTC) if parsed else None
    except (ValueError, OverflowError):  # OverflowError: the zone leads out of the calendar
        return None
