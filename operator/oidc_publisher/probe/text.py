"""Format foreign text, durations and URLs for messages."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from oidc_publisher.wording import quoted_to

_LONGEST = 300


def shown(text: str) -> str:
    """Quote foreign text as printable ASCII for a message, and cut text that is longer than any issuer URL."""
    return quoted_to(_LONGEST, text)


def spoken(duration: timedelta) -> str:
    """Format a duration as the API writes it (`1h30m`, `5s`, `1.5s`), with whole days from two days on."""
    seconds = duration.total_seconds()
    if seconds >= 2 * 86400 and seconds % 86400 == 0:
        return f"{int(seconds // 86400)} days"
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [
        f"{int(hours)}h" if hours else "",
        f"{int(minutes)}m" if minutes else "",
        f"{seconds:g}s" if seconds else "",
    ]
    return "".join(parts) or "0s"


def host_of(url: str) -> str:
    """Return the host of a URL, with its port where that is not 443."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or url, parts.port
    except ValueError:
        return url
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port in (None, 443) else f"{bracketed}:{port}"


def without_query(url: str) -> str:
    """Return a URL without its query and fragment; a query may hold a signature that differs each time."""
    return url.partition("?")[0].partition("#")[0]
