"""Times in HTTP headers. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def parsed_date(text: str | None) -> datetime | None:
    """Read the time of an HTTP date in UTC, None when it is none.

    All three forms of RFC 9110 (5.6.7) are taken, two of which name no zone: HTTP knows but one.
    """
    try:
        parsed = parsedate_to_datetime(text) if text else None
        if parsed is not None and parsed.tzinfo is None:
            return parsed.replace(tzinfo=UTC)
        return parsed.astimezone(UTC) if parsed else None
    except (ValueError, OverflowError):  # the latter of a zone that leads out of the calendar
        return None
